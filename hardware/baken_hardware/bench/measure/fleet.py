"""Many stations in one process, in virtual time: the real core of each (mesh, gossip, replica, reporter) on a
modelled radio channel. The node program's displays, cables and flash are left out, and nothing else.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from baken.crypto.signing import AuthorityKey, PointKey
from baken.device.reporter import Reporter
from baken.device.timekeeper import Timekeeper
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard import events, gossip
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire.messages import PRIVATE_APP, ROLE_CLIENT, ROLE_ROUTER
from baken.wire.modem import LONG_FAST, preset, snr_limit_db
from baken.wire.records import BULLETIN, KIND_NAMES, STATUS, message_kind
from baken.wire.trust import Authority, Point, TrustList
from baken_hardware.virtual import air as radio
from baken_hardware.virtual import propagation

RELAY_KIND = "relais"
_FREQUENCY_HZ = 869_525_000
_GOSSIP = {7: "pulses", 8: "digest", 9: "tally"}


@dataclass
class _Clock:
    fleet: Fleet

    def unix_s(self) -> int:
        return self.fleet.unix_s()


@dataclass
class _Battery:
    """Drains by a per cent an hour, as a node with an e-paper display and a small cell does."""

    fleet: Fleet
    start_percent: int

    def percent(self) -> int:
        return max(5, self.start_percent - self.fleet.now // 3_600_000)


@dataclass
class _Settings:
    number: int
    trust: TrustList
    key: PointKey
    area: int | None = 0


class Station:
    """One node. `learned`: {record id: ms}; `pulsed(station)` is called after each look at the air."""

    def __init__(self, fleet: Fleet, place: propagation.Point, number: int, key: PointKey, seed: int) -> None:
        self.fleet, self.code, self.number = fleet, place.code, number
        self.is_relay = place.kind == RELAY_KIND
        rand = random.Random(seed).randrange
        config = MeshConfig(
            0x10000 + number,
            place.name.encode()[:39],
            place.code.encode()[-4:],
            (Channel(b"Baken", bytes(range(32))),),
            role=ROLE_ROUTER if self.is_relay else ROLE_CLIENT,
            preset=fleet.preset,
            hop_limit=fleet.hop_limit,
        )
        self.mesh = MeshNode(config, rand)
        self.replica = Replica(fleet.trust, MemoryStore())
        airtime_ms = self.mesh.modem.airtime_ms
        settings = gossip.settings_for(airtime_ms, fleet.hop_limit, self.is_relay)
        self.gossip = gossip.Gossip(self.replica, settings, airtime_ms, rand, 0)
        self.gossip.belong_to(number)
        store, battery = MemoryStore(), _Battery(fleet, 60 + rand(41))
        own = _Settings(number, fleet.trust, key, fleet.trust.points[number].area)
        self.reporter = Reporter(own, self.replica, store, Timekeeper(_Clock(fleet)), battery, rand, 0)
        self.kinds: dict[tuple[int, int], str] = {}
        self.queued: dict[tuple, int] = {}
        self.sent_by_kind: Counter[str] = Counter()  # ms on the air
        self.learned: dict[tuple, int] = {}
        self.snr_limit_db = snr_limit_db(self.mesh.modem.spreading_factor)

    def receive(self, frame: bytes, rssi_dbm: float, snr_db: float) -> None:
        self.mesh.receive_frame(frame, round(rssi_dbm), snr_db, self.fleet.now)

    def publish(self, raw: bytes) -> None:
        if self.gossip.publish(raw, self.fleet.unix_s(), self.fleet.now).state != NEW:
            raise ValueError(f"{self.code} refuses a record of its own: {self.replica.counters}")

    def read(self, key: tuple[int, int]) -> None:
        """Somebody at the point confirms a bulletin."""
        self.replica.mark_read(key)
        self.reporter.seen_changed(self.fleet.now)

    def run(self) -> None:
        """Move events between the engines until all are quiet, as the node program does."""
        now = self.fleet.now
        self.replica.expire(self.fleet.unix_s())
        raw = self.reporter.poll(now)
        if raw is not None:
            self.publish(raw)
        pulse = self.reporter.pulse(now)
        if pulse is not None:
            self.replica.pulses.receive(pulse)
        while True:
            event = self.mesh.next_event(now) or self.gossip.next_event(now)
            if event is None:
                return
            self._take(event, now)

    def deadline(self) -> int:
        return min(self.mesh.deadline(), self.gossip.deadline(), self.reporter.deadline())

    def _take(self, event: object, now: int) -> None:
        if isinstance(event, Transmit):
            self.fleet.want_to_send(self, event.frame)
        elif isinstance(event, Received):
            if event.portnum == PRIVATE_APP:
                margin_db = event.snr_db - self.snr_limit_db
                self.gossip.receive(event.payload, event, margin_db, self.fleet.unix_s(), now)
        elif isinstance(event, events.Send):
            hops = {"hop_limit": event.hop_limit, "hop_start": event.hop_start}
            packet_id = self.mesh.send(PRIVATE_APP, event.payload, now, want_ack=event.flood, **hops)
            self.fleet.name(self, packet_id, event.payload)
            if event.record_id is not None:
                self.queued[event.record_id] = packet_id
        elif isinstance(event, events.Refresh):
            self.mesh.relay_again(event.packet, event.hop_limit, event.hop_start, now)
        elif isinstance(event, events.HoldBack):
            self.mesh.hold_relay(event.packet.sender, event.packet.packet_id, event.until, now)
        elif isinstance(event, events.Withdraw):
            packet_id = self.queued.pop(event.record_id, None)
            if packet_id is not None:
                self.mesh.cancel(packet_id)
        elif isinstance(event, events.Refused):
            self.mesh.drop_relay(event.packet.sender, event.packet.packet_id)
        elif isinstance(event, events.Learned):
            self.learned[event.record_id] = now
            kind, origin, seq, _ = event.record_id
            if kind == BULLETIN and not self.is_relay:
                self.reporter.seen_changed(now)
                self.fleet.on_bulletin(self, (origin, seq))
            if kind == STATUS and origin == self.number:
                self.reporter.overtaken(seq)


@dataclass
class Fleet:
    """`on_bulletin(station, key)`: a part of a bulletin is new at a station; `at(ms, call)` plans ahead."""

    places: Iterable[propagation.Point]
    epoch_s: int
    seed: int
    preset: int = LONG_FAST
    hop_limit: int = 3
    fading_db: float = 2.0
    loss: float = 0.02
    now: int = 0
    on_bulletin: Callable[[Station, tuple[int, int]], None] = lambda _station, _key: None
    stations: dict[str, Station] = field(default_factory=dict)

    def __post_init__(self) -> None:
        places = {place.code: place for place in self.places}
        keys = [PointKey(bytes([1 + n]) * 32) for n in range(len(places))]
        self.authority = AuthorityKey(bytes([255]) * 32)
        points = [
            Point(n + 1, code.encode(), b"", 0, 0x10000 + n + 1, keys[n].public)
            for n, code in enumerate(places)
        ]
        authority = Authority(1, self.authority.public, b"VR")
        self.trust = TrustList(1, AuthorityKey(bytes(32)).public, b"", [(b"R", b"R")], [authority], points)
        modem = preset(self.preset).modem
        self.modem = radio.Modem(_FREQUENCY_HZ, modem.bandwidth_hz, modem.spreading_factor, modem.coding_rate)

        def mean_power_dbm(sender: str, receiver: str, power_dbm: int) -> float:
            return propagation.received_power_dbm(places[sender], places[receiver], power_dbm)

        sensitivity, noise = propagation.sensitivity_dbm, propagation.noise_floor_dbm
        self.air = radio.Air(mean_power_dbm, sensitivity, noise, self.seed, self.fading_db, self.loss)
        self._heap: list[tuple[int, int, Station | Callable[[], None]]] = []
        self._due: dict[str, int] = {}
        self._order = 0
        self._names: dict[tuple[int, int], str] = {}
        for n, (code, place) in enumerate(places.items()):
            self.air.add(code)
            self.air.configure(code, self.modem)
            self.stations[code] = Station(self, place, n + 1, keys[n], self.seed * 1000 + n)
            self._plan(self.stations[code])

    def unix_s(self) -> int:
        return self.epoch_s + self.now // 1000

    def at(self, due_ms: int, call: Callable[[], None]) -> None:
        """Call at that time."""
        self._order += 1
        heapq.heappush(self._heap, (due_ms, self._order, call))

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        while True:
            ends = self.air.deadline()
            due = self._heap[0][0] if self._heap else until_ms + 1
            if ends is not None and ends <= due:
                if ends > until_ms:
                    break
                self.now = max(self.now, ends)
                self._end_frames()
                continue
            if due > until_ms:
                break
            due, _, what = heapq.heappop(self._heap)
            if isinstance(what, Station):
                if self._due.get(what.code) != due:
                    continue  # planned anew since
                self.now = max(self.now, due)
                self._look(what)
            else:
                self.now = max(self.now, due)
                what()
        self.now = until_ms

    def touch(self, station: Station) -> None:
        """Something was done to a station from outside."""
        self._look(station)

    def want_to_send(self, station: Station, frame: bytes) -> None:
        """Listen first, as long as a detection takes, then send."""
        self.at(self.now + self.modem.detection_ms, lambda: self._send(station, frame))

    def name(self, station: Station, packet_id: int, payload: bytes) -> None:
        """Remember what a packet carries: frames are encrypted."""
        kind = message_kind(payload) or 0
        self._names[(0x10000 + station.number, packet_id)] = KIND_NAMES.get(kind) or _GOSSIP.get(
            kind, "other"
        )

    def _send(self, station: Station, frame: bytes) -> None:
        if self.air.channel_busy(station.code, self.now):
            station.mesh.channel_busy(self.now)
        else:
            sent = self.air.transmit(station.code, frame, self.now)
            packet = (int.from_bytes(frame[4:8], "little"), int.from_bytes(frame[8:12], "little"))
            kind = self._names.get(packet, "presence")
            station.sent_by_kind[kind] += sent.end_ms - sent.start_ms
        self._look(station)

    def _end_frames(self) -> None:
        touched = []
        for event in self.air.advance(self.now):
            if isinstance(event, radio.Sent):
                station = self.stations[event.sender]
                station.mesh.transmitted(self.now)
            else:
                station = self.stations[event.receiver]
                station.receive(event.frame, event.power_dbm, event.snr_db)
            if station not in touched:
                touched.append(station)
        for station in touched:
            self._look(station)

    def _look(self, station: Station) -> None:
        station.run()
        self._plan(station)

    def _plan(self, station: Station) -> None:
        due = max(station.deadline(), self.now + 1)
        if self._due.get(station.code) != due:
            self._due[station.code] = due
            self._order += 1
            heapq.heappush(self._heap, (due, self._order, station))
