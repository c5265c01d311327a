"""A mesh of stock and Baken nodes in one process: the real engines on the ether's model of the air.

A stock node is modelled by the same MeshNode without a noticeboard: it relays by Meshtastic's rules and
cannot read the region's channel. A Baken node joins MeshNode and Gossip with `baken.device.carrier`, as a
board does; it makes no reports of its own here. After a Transmit the radio looks at the channel for one
activity detection, then sends or tells that it is busy, as the virtual boards do. Chance comes from the seed
alone.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Collection, Mapping

from baken.crypto.signing import AuthorityKey
from baken.device.carrier import Carrier, gossip_settings
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard import gossip
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire import bulletin
from baken.wire.messages import TEXT_MESSAGE_APP
from baken.wire.trust import Authority, TrustList
from baken_hardware.virtual.air import Air, Modem
from baken_hardware.virtual.air import Received as Caught
from baken_hardware.virtual.propagation import (
    FREQUENCY_HZ,
    Point,
    noise_floor_dbm,
    received_power_dbm,
    sensitivity_dbm,
)

START_UNIX_S = 1_800_000_000
HOP_LIMIT = 3
FADING_DB = 2.0
LOSS = 0.02
MODEM = Modem(FREQUENCY_HZ, 250_000, 11)  # LongFast
_FIRST_NUMBER = 0x5EED_0000
_RECORD_CHANNEL = Channel(b"Baken", bytes(range(32, 64)))
_AUTHORITY = AuthorityKey(bytes([2]) * 32)
_TRUST = TrustList(
    1, AuthorityKey(bytes([1]) * 32).public, b"Model", [], [Authority(1, _AUTHORITY.public, b"Model")], []
)
_VALID_S = 6 * 3600


def a_bulletin(seq: int) -> bytes:
    """A signed bulletin of one frame."""
    text = b"Kook het drinkwater drie minuten. Haal flessen bij het steunpunt, 3 liter per persoon."
    made = bulletin.Bulletin(1, seq, START_UNIX_S, START_UNIX_S + _VALID_S, text)
    (raw,) = bulletin.encode_parts(made, _TRUST.tag, _AUTHORITY.sign)
    return raw


class Member:
    """One node of the mesh. `carrier`: the joint to its noticeboard; None: a stock node."""

    def __init__(self, number: int, is_baken: bool, rand: random.Random) -> None:
        self.offered: bytes | None = None
        self.due = -1
        name = b"Node %d" % (number & 0xFFFF)
        channels = (Channel(), _RECORD_CHANNEL) if is_baken else (Channel(),)
        config = MeshConfig(number, name, b"N%d" % (number & 0xFF), channels, hop_limit=HOP_LIMIT)
        self.mesh = MeshNode(config, rand.randrange)
        self.carrier: Carrier | None = None
        if is_baken:
            board = gossip.Gossip(
                Replica(_TRUST, MemoryStore()),
                gossip_settings(config),
                self.mesh.modem.airtime_ms,
                rand.randrange,
                0,
            )
            self.carrier = Carrier(self.mesh, board, _RECORD_CHANNEL, {})
            self.carrier.configure(0)

    def publish(self, raw: bytes, now: int) -> None:
        """A record comes to this Baken node over a cable."""
        assert self.carrier is not None
        self.carrier.gossip.publish(raw, START_UNIX_S + now // 1000, now)

    def holds(self, raw: bytes) -> bool:
        """Whether the noticeboard here has this record."""
        return self.carrier is not None and raw in self.carrier.gossip.replica.records()

    def run(self, now: int) -> list[Received]:
        """Let the engines say what they have to; texts that came in. A frame to send is left in `offered`."""
        texts: list[Received] = []
        busy = True
        while busy:
            event = self.mesh.next_event(now)
            busy = event is not None
            if isinstance(event, Transmit):
                self.offered = event.frame
            elif isinstance(event, Received) and event.portnum == TEXT_MESSAGE_APP:
                texts.append(event)
            elif isinstance(event, Received) and self.carrier is not None and self.carrier.carries(event):
                self.carrier.receive(event, START_UNIX_S + now // 1000, now)
            while self.carrier is not None and self.carrier.next_event(now) is not None:
                busy = True
        self.due = self.mesh.deadline()
        if self.carrier is not None:
            self.due = min(self.due, self.carrier.gossip.deadline())
        return texts


class Mesh:
    """All nodes at `points`, those named in `baken` with a noticeboard; `heard[text]`: who received it."""

    def __init__(self, points: Mapping[str, Point], baken: Collection[str], map_seed: int, seed: int) -> None:
        self.now = 0
        self.heard: dict[bytes, set[str]] = {}
        self.members: dict[str, Member] = {}
        self._air = Air(
            lambda a, b, power_dbm: received_power_dbm(points[a], points[b], power_dbm, map_seed),
            sensitivity_dbm,
            noise_floor_dbm,
            seed=seed,
            fading_db=FADING_DB,
            loss=LOSS,
        )
        self._noise_dbm = noise_floor_dbm(MODEM.bandwidth_hz)
        self._detected: list[tuple[int, int, str]] = []  # when a radio has looked at the channel
        self._order = itertools.count()
        for index, name in enumerate(points):
            # A node's own chance: the others must not see another one because somebody was added.
            rand = random.Random(f"{seed} {name}")
            self.members[name] = Member(_FIRST_NUMBER + 1 + index, name in baken, rand)
            self._air.add(name)
            self._air.configure(name, MODEM)

    @property
    def airtime_ms(self) -> int:
        """All that was on the air so far."""
        return self._air.counters["airtime_ms"]

    def say(self, name: str, text: bytes) -> None:
        """A person at this node sends a text to everybody, as an app does."""
        self.members[name].mesh.send(TEXT_MESSAGE_APP, text, self.now, want_ack=True)
        self.heard[text] = set()
        self._run(name)

    def publish(self, name: str, raw: bytes) -> None:
        """A bulletin comes to this Baken node over a cable."""
        self.members[name].publish(raw, self.now)
        self._run(name)

    def run(self, until_ms: int) -> None:
        """Let time pass."""
        while True:
            moments = [member.due for member in self.members.values() if member.offered is None]
            if self._detected:
                moments.append(self._detected[0][0])
            ends_at = self._air.deadline()
            if ends_at is not None:
                moments.append(ends_at)
            following = max(self.now, min(moments))
            if following >= until_ms:
                self.now = until_ms
                return
            self.now = following
            for event in self._air.advance(self.now):
                if isinstance(event, Caught):
                    snr_db = event.power_dbm - self._noise_dbm
                    mesh = self.members[event.receiver].mesh
                    mesh.receive_frame(event.frame, int(event.power_dbm), snr_db, self.now)
                    self._run(event.receiver)
                else:
                    self.members[event.sender].mesh.transmitted(self.now)
                    self.members[event.sender].offered = None
                    self._run(event.sender)
            while self._detected and self._detected[0][0] <= self.now:
                self._transmit(heapq.heappop(self._detected)[2])
            for name, member in self.members.items():
                if member.offered is None and member.due <= self.now:
                    self._run(name)

    def _transmit(self, name: str) -> None:
        """The radio of this node has looked at the channel."""
        member = self.members[name]
        assert member.offered is not None
        if self._air.channel_busy(name, self.now):
            member.offered = None
            member.mesh.channel_busy(self.now)
            self._run(name)
        else:
            self._air.transmit(name, member.offered, self.now)

    def _run(self, name: str) -> None:
        member = self.members[name]
        waits = member.offered is None
        for text in member.run(self.now):
            self.heard[bytes(text.payload)].add(name)
        if waits and member.offered is not None:
            heapq.heappush(self._detected, (self.now + MODEM.detection_ms, next(self._order), name))
