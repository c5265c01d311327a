"""All nodes of a map, the air between them and the clock: what happens next, one event at a time.

Times are whole milliseconds from the start. Chance comes from the seed alone, so that the same arguments give
the same run. After a Transmit the radio looks at the channel for one activity detection and then sends, or
tells the node that the channel is busy, as the virtual boards do.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from baken.crypto.signing import AuthorityKey
from baken.mesh import secrets
from baken.noticeboard.events import SERVE_HOP_START
from baken.noticeboard.gossip import serves
from baken.wire import bulletin, packet
from baken.wire.channel import expand_key
from baken.wire.messages import PRIVATE_APP
from baken.wire.modem import Preset
from baken.wire.packet import MAX_HOPS
from baken.wire.records import DIGEST, TALLY, message_kind
from baken.wire.trust import Authority, TrustList
from baken_hardware.simulate.channel import Channel, Transmission
from baken_hardware.simulate.maps import Map
from baken_hardware.simulate.station import CHANNEL, Station
from baken_hardware.virtual.air import Modem

START_UNIX_S = 1_799_751_600  # noon of the exercise's first day
MINUTE_MS = 60_000
HOUR_MS = 3_600_000

ROOT = AuthorityKey(bytes([1]) * 32)
AUTHORITY = AuthorityKey(bytes([2]) * 32)
TRUST = TrustList(
    1, ROOT.public, b"Simulation", [(b"A", b"Area")], [Authority(1, AUTHORITY.public, b"Authority")], []
)

# 216 bytes on the air, as in the facts that the figures are compared with; Cyrillic letters are not squeezed.
_TEXT_BYTES = 111
_VALID_S = bulletin.MAX_VALIDITY_UNITS * bulletin.VALIDITY_UNIT_S

_KEY = expand_key(CHANNEL.psk)

_END, _WAKE, _DETECTED, _SCRIPT = range(4)

RecordId = tuple[int, int, int, int]


@dataclass(frozen=True)
class Link:
    """How bad links are besides their mean: L0 clean, L1 normal, L2 harsh."""

    fading_db: float
    loss: float


LINKS = {"L0": Link(0.0, 0.0), "L1": Link(2.0, 0.05), "L2": Link(3.0, 0.20)}


@dataclass
class Spent:
    """What was on the air: frames, and airtime in ms by kind; airtime by node; by minute and kind."""

    frames: Counter[str] = field(default_factory=Counter)
    airtime_ms: Counter[str] = field(default_factory=Counter)
    by_node_ms: Counter[int] = field(default_factory=Counter)
    by_minute_ms: Counter[tuple[int, str]] = field(default_factory=Counter)
    by_record: Counter[RecordId] = field(default_factory=Counter)


class World:
    """A running simulation. `run(until_ms)` lets time pass; `at(when_ms, what)` does something then.

    `learned_at[record id][node]`: when a node got a record, ms.
    """

    def __init__(
        self,
        terrain: Map,
        preset: Preset,
        seed: int,
        link: Link = LINKS["L1"],
        hop_limit: int = MAX_HOPS,
        stock: frozenset[int] = frozenset(),
        tower_routers: bool = True,
    ) -> None:
        """`hop_limit` 1 to 7; `stock`: nodes without a noticeboard."""
        self.now = 0
        self.map = terrain
        self.preset = preset
        self.spent = Spent()
        self.learned_at: dict[RecordId, dict[int, int]] = {}
        modem = preset.modem
        self.modem = Modem(869_525_000, modem.bandwidth_hz, modem.spreading_factor, modem.coding_rate)
        self._detection_ms = self.modem.detection_ms
        self.channel = Channel(
            terrain, self.modem, random.Random(f"channel {seed}"), link.fading_db, link.loss
        )
        self._heap: list[tuple[int, int, int, Any]] = []
        self._order = 0
        self._kinds: dict[bytes, tuple[str, RecordId | None]] = {}
        chance = random.Random(f"nodes {seed}").random
        self.rand: Callable[[int], int] = lambda limit: int(chance() * limit)
        self._known = [
            [j for j, _ in sorted(row, key=lambda entry: -entry[1])] for row in _heard_by(terrain.out)
        ]
        self.stations: list[Station] = []
        for index in range(len(terrain)):
            is_bridge = tower_routers and index in terrain.towers
            self.stations.append(
                Station(self, index, TRUST, preset, hop_limit, self.rand, index in stock, is_bridge)
            )
        self._sequence = 0

    # --- what happens

    def start(self, node: int) -> None:
        """Power a node on."""
        station = self.stations[node]
        station.start([self.map.source, *self._known[node]], self.now)
        self.channel.power(node, True)
        self._plan(station)

    def start_all(self, spread_ms: int = 0) -> None:
        """Power all nodes on, spread over a time."""
        for node in range(len(self.stations)):
            if spread_ms:
                self.channel.power(node, False)
                self.at(self.now + self.rand(spread_ms), lambda node=node: self.start(node))
            else:
                self.start(node)

    def stop(self, node: int) -> None:
        """Power a node off: it keeps its store, nothing else."""
        self.stations[node].stop()
        self.channel.power(node, False)

    def publish(self, node: int) -> RecordId:
        """A new bulletin of the authority at `node`; its record id."""
        self._sequence += 1
        raw = make_bulletin(self._sequence, self.unix_s(self.now))
        record_id = serves(raw)
        assert record_id is not None
        self.learned_at[record_id] = {node: self.now}
        station = self.stations[node]
        station.publish(raw, self.now)
        self.wake(station)
        return record_id

    def at(self, when_ms: int, what: Callable[[], object]) -> None:
        """Do something at that time."""
        self._push(when_ms, _SCRIPT, what)

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        heap = self._heap
        stations = self.stations
        while heap and heap[0][0] <= until_ms:
            now, kind, _, subject = heapq.heappop(heap)
            self.now = now
            if kind == _WAKE:
                station = subject
                if station.wake_at != now or not station.is_on:
                    continue
                station.wake_at = None
                if station.deadline() <= now:
                    station.run(now)
                self._plan(station)
            elif kind == _END:
                transmission: Transmission = subject
                sender = stations[transmission.sender]
                if sender.is_on and not transmission.cut_off:
                    sender.mesh.transmitted(now)
                    sender.run(now)
                    self._plan(sender)
                for reception in self.channel.end(transmission):
                    station = stations[reception.receiver]
                    if not station.is_on:
                        continue
                    station.receive(transmission.frame, reception.power_dbm, now)
                    self._plan(station)
            elif kind == _DETECTED:
                station, mesh = subject
                if station.mesh is mesh and station.is_on:
                    self._detected(station)
            else:
                subject()
        self.now = until_ms

    def wake(self, station: Station) -> None:
        """A node was given something to do."""
        station.run(self.now)
        self._plan(station)

    def transmit_raw(self, node: int, frame: bytes) -> int:
        """Put a frame on the air from the place of a node that is off, whoever made it; its airtime in ms."""
        self.channel.power(node, True)
        transmission = self.channel.begin(node, frame, self.now)
        self._push(transmission.end_ms, _END, transmission)
        airtime_ms = transmission.end_ms - self.now
        self.spent.by_node_ms[node] += airtime_ms
        self.spent.airtime_ms["lies"] += airtime_ms
        return airtime_ms

    # --- for stations

    def unix_s(self, now: int) -> int:
        """Calendar time."""
        return START_UNIX_S + now // 1000

    def offer(self, station: Station, now: int) -> None:
        """The node wants to send: look at the channel first."""
        self._push(now + self._detection_ms, _DETECTED, (station, station.mesh))

    def learned(self, node: int, record_id: RecordId, now: int) -> None:
        """A node has a record that is new to it."""
        self.learned_at.setdefault(record_id, {}).setdefault(node, now)

    def heard_by_stock(self, node: int, payload: bytes, now: int) -> None:
        """A stock node has a record on its channel: somebody with an app could read it."""
        record_id = serves(payload)
        if record_id is not None:
            self.learned(node, record_id, now)

    # --- inside

    def _detected(self, station: Station) -> None:
        now = self.now
        frame = station.offered
        if frame is None:
            return
        station.offered = None
        if self.channel.is_busy(station.index, now):
            station.mesh.channel_busy(now)
            station.run(now)
            self._plan(station)
            return
        transmission = self.channel.begin(station.index, frame, now)
        self._push(transmission.end_ms, _END, transmission)
        airtime_ms = transmission.end_ms - now
        kind, record_id = self._kind_of(frame)
        spent = self.spent
        spent.frames[kind] += 1
        spent.airtime_ms[kind] += airtime_ms
        spent.by_node_ms[station.index] += airtime_ms
        spent.by_minute_ms[now // MINUTE_MS, kind] += airtime_ms
        if record_id is not None:
            spent.by_record[record_id] += 1

    def _kind_of(self, frame: bytes) -> tuple[str, RecordId | None]:
        """What is in a frame, as who has the channel's key can tell; the same of all its relays."""
        key = frame[4:12]
        known = self._kinds.get(key)
        if known is not None:
            return known
        heard = packet.decode(frame)
        data = secrets.read_data(secrets.crypt(_KEY, heard.id, heard.sender, heard.payload))
        payload = data["payload"] if data is not None and data["portnum"] == PRIVATE_APP else b""
        kind = message_kind(payload) if payload else 0
        if kind in (DIGEST, TALLY):
            found: tuple[str, RecordId | None] = ("digest" if kind == DIGEST else "tally", None)
        elif payload:
            found = ("served" if heard.hop_start <= SERVE_HOP_START else "flood", serves(payload))
        else:
            found = ("background", None)
        self._kinds[key] = found
        return found

    def _plan(self, station: Station) -> None:
        due = max(station.deadline(), self.now + 1)
        if station.wake_at is None or due < station.wake_at:
            station.wake_at = due
            self._push(due, _WAKE, station)

    def _push(self, when_ms: int, kind: int, subject: Any) -> None:
        self._order += 1
        heapq.heappush(self._heap, (when_ms, kind, self._order, subject))


def make_bulletin(seq: int, sent_s: int, key: AuthorityKey = AUTHORITY) -> bytes:
    """The signed record of a bulletin that takes 216 bytes on the air."""
    text = ("Тривога %d. " % seq + "Залишайтеся вдома. " * 8).encode()[:_TEXT_BYTES]
    text = text.decode(errors="ignore").encode().ljust(_TEXT_BYTES, b".")
    made = bulletin.Bulletin(1, seq, sent_s, sent_s + _VALID_S, text)
    parts = bulletin.encode_parts(made, TRUST.tag, key.sign)
    assert len(parts) == 1
    return parts[0]


def _heard_by(out: list[list[tuple[int, float]]]) -> list[list[tuple[int, float]]]:
    """Of each node whom it hears, and how strongly."""
    heard: list[list[tuple[int, float]]] = [[] for _ in out]
    for sender, row in enumerate(out):
        for receiver, power_dbm in row:
            heard[receiver].append((sender, power_dbm))
    return heard
