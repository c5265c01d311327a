"""From an emergency report to its acknowledgement at the point, five hops from the crisis room.

Six nodes in a line at LongFast, each of the real mesh, gossip, replica and letterbox, in virtual time. A
frame is lost at each receiver with 20 % chance, on top of collisions (nodes two apart do not hear each other,
and nothing survives a collision) and half duplex. The crisis room acknowledges the moment the report is at
its node: the time that a person takes is not counted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from baken.crypto.ed25519 import montgomery_private
from baken.crypto.signing import AuthorityKey, PointKey
from baken.device.carrier import Carrier, gossip_settings
from baken.device.letterbox import Letterbox
from baken.device.timekeeper import Timekeeper
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard.events import Learned
from baken.noticeboard.gossip import Gossip
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire import report, sealed
from baken.wire.answer import Answer
from baken.wire.messages import CHANNEL_PRIMARY
from baken.wire.records import ANSWER, REPORT, decode_header
from baken.wire.trust import Authority, Point, TrustList
from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say

HOPS = 5
LOSS_PERCENT = 20
REQUIRED_S, AIM_S = 90.0, 30.0
_LINES, _QUICK_LINES = 60, 10
_REPORTS = 6  # of one line, one after the other
_EPOCH_S = 1_799_751_600
_WARM_UP_MS = 300_000
_PAUSE_MS = 600_000  # at least, between an acknowledgement and the next report; at most twice that
_LIMIT_MS = 3_600_000
_VALID_S = 3600
_EXPIRE_MS = 60_000
_TEXT = b"MED 1 persoon pijn op de borst, aanspreekbaar. Ambulance naar OV06, hoofdingang."

_REGION_KEY = AuthorityKey(bytes([2]) * 32)
_POINT_KEYS = [PointKey(bytes([10 + index]) * 32) for index in range(HOPS + 1)]
_CHANNEL = Channel(b"Regio", bytes(range(32)), CHANNEL_PRIMARY)


def rows(options: Options, say: Say) -> list[Row]:
    """Median, p99 and longest of all reports of all lines."""
    lines = _QUICK_LINES if options.quick else _LINES
    seconds: list[float] = []
    for seed in range(lines):
        seconds += Line(seed).play()
        if (seed + 1) % 10 == 0:
            say(f"emergency: {len(seconds)} reports over {HOPS} hops, the longest took {max(seconds):.0f} s")
    seconds.sort()
    scenario = f"{HOPS} hops, {LOSS_PERCENT} % loss, LongFast"
    name = "REPORT to acknowledgement"
    return [
        Row(f"{name}, median", scenario, round(_share(seconds, 0.5), 1), "s", LOWER),
        Row(f"{name}, p99", scenario, round(_share(seconds, 0.99), 1), "s", LOWER, REQUIRED_S, AIM_S),
        Row(f"{name}, longest of {len(seconds)}", scenario, round(seconds[-1], 1), "s", LOWER),
    ]


def _share(ordered: list[float], share: float) -> float:
    """The smallest value that at least that share of the values does not exceed."""
    return ordered[max(0, -(-round(share * 1000) * len(ordered) // 1000) - 1)]


@dataclass
class _Flight:
    end_ms: int
    sender: int
    frame: bytes
    missing: set[int]  # who hears it too badly


class _Clock:
    """The clock of all nodes, set."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def unix_s(self) -> int:
        return self._line.unix_s

    def set_unix_s(self, unix_s: int) -> None:
        raise MeasureError(f"emergency: a node sets its clock to {unix_s}")


class _Settings:
    """What a Letterbox asks of its point."""

    def __init__(self, index: int, trust: TrustList, mesh: MeshConfig) -> None:
        self.number = index + 1
        self.trust = trust
        self.key = _POINT_KEYS[index]
        self.mesh = mesh
        self.reports_to = None


class _Station:
    """One node: the engines that the node program joins, and joined as there."""

    def __init__(self, line: Line, index: int, trust: TrustList) -> None:
        self._line = line
        node_num = trust.points[index + 1].node_num
        private = bytes([10 + index]) * 32
        config = MeshConfig(
            node_num, b"Punt %d" % index, b"P%d" % index, (_CHANNEL,), private_key=private, hop_limit=3
        )
        self.mesh: Any = MeshNode(config, line.rand)
        store = MemoryStore()
        self.replica = Replica(trust, store)
        board = Gossip(
            self.replica, gossip_settings(config), self.mesh.modem.airtime_ms, line.rand, line.now_ms
        )
        self._carrier = Carrier(self.mesh, board, _CHANNEL, {})
        self._carrier.configure(line.now_ms)
        clock = Timekeeper(_Clock(line))
        self.box = Letterbox(
            _Settings(index, trust, config), self.replica, store, clock, line.rand, line.now_ms
        )

    def deadline(self) -> int:
        due = [self.mesh.deadline(), self._carrier.gossip.deadline(), self.box.deadline()]
        return min(moment for moment in due if moment is not None)

    def publish(self, raw: bytes) -> None:
        self._carrier.gossip.publish(raw, self._line.unix_s, self._line.now_ms)

    def run(self) -> tuple[list[Transmit], list[Any]]:
        """Let every engine say what it has to: frames for the radio, and what was learned."""
        now = self._line.now_ms
        frames, learned = [], []
        for raw, is_new in self.box.poll(now):
            if is_new:
                self.publish(raw)
            else:
                self._carrier.gossip.spread(decode_header(raw).record_id, now)
        busy = True
        while busy:
            busy = False
            while (event := self.mesh.next_event(now)) is not None:
                busy = True
                if isinstance(event, Transmit):
                    frames.append(event)
                elif isinstance(event, Received) and self._carrier.carries(event):
                    self._carrier.receive(event, self._line.unix_s, now)
            while (event := self._carrier.next_event(now)) is not None:
                busy = True
                if isinstance(event, Learned):
                    learned.append(event)
        return frames, learned


class Line:
    """Stations 0 (the point) to HOPS (the crisis room's) in virtual time; each hears its neighbours."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.rand = self._random.randrange
        self.now_ms = 1000
        trust = _trust()
        self._tag = trust.tag
        self._shared = sealed.shared_key(
            montgomery_private(bytes([2]) * 32), _POINT_KEYS[0].public, trust.tag
        )
        self.stations = [_Station(self, index, trust) for index in range(HOPS + 1)]
        self._flights: list[_Flight] = []
        self._answers = 0
        self._seen_ms: int | None = None
        self._expire_ms = 0

    @property
    def unix_s(self) -> int:
        return _EPOCH_S + self.now_ms // 1000

    def play(self) -> list[float]:
        """Seconds of each report until its acknowledgement was at the point."""
        self._run(self.now_ms + _WARM_UP_MS)
        seconds = []
        for _ in range(_REPORTS):
            self._run(self.now_ms + _PAUSE_MS + self.rand(_PAUSE_MS))
            start_ms, self._seen_ms = self.now_ms, None
            if self.stations[0].box.write(_TEXT, b"F", False, self.now_ms) is None:
                raise MeasureError("emergency: the point took no report")
            self._run(start_ms + _LIMIT_MS, until_seen=True)
            if self._seen_ms is None:
                raise MeasureError(f"emergency: no acknowledgement within {_LIMIT_MS // 1000} s")
            seconds.append((self._seen_ms - start_ms) / 1000)
        return seconds

    def _run(self, until_ms: int, until_seen: bool = False) -> None:
        while not (until_seen and self._seen_ms is not None):
            self._serve()
            due = min(
                [station.deadline() for station in self.stations]
                + [flight.end_ms for flight in self._flights]
                + [until_ms]
            )
            if due >= until_ms:
                self.now_ms = until_ms
                self._land()
                return
            self.now_ms = max(self.now_ms, due)
            self._land()
            if self.now_ms >= self._expire_ms:
                self._expire_ms = self.now_ms + _EXPIRE_MS
                for station in self.stations:
                    station.replica.expire(self.unix_s)
                    station.box.expire(self.unix_s)

    def _serve(self) -> None:
        """Until nobody has anything to do: what a station does may give another something."""
        for index, station in enumerate(self.stations):
            frames, learned = station.run()
            for event in learned:
                self._note(index, event)
            for transmit in frames:
                self._transmit(index, transmit)

    def _note(self, index: int, event: Any) -> None:
        kind = event.record_id[0]
        if index == HOPS and kind == REPORT:
            self._acknowledge(event.raw)
        elif index == 0 and kind == ANSWER and self.stations[0].box.learned(event.record_id) is not None:
            self._seen_ms = self.now_ms

    def _acknowledge(self, raw: bytes) -> None:
        told = report.decode(raw)
        self._answers += 1
        time_s = self.unix_s
        made = Answer(1, self._answers, told.origin, told.seq, time_s, time_s + _VALID_S)
        self.stations[HOPS].publish(
            sealed.encode_answer(made, b"", self._shared, self._tag, _REGION_KEY.sign)
        )

    # --- the air

    def _transmit(self, index: int, transmit: Transmit) -> None:
        if any(abs(flight.sender - index) == 1 for flight in self._flights):
            self.stations[index].mesh.channel_busy(self.now_ms)
            return
        missing: set[int] = set()
        for flight in self._flights:
            flight.missing.add(index)  # half duplex
            missing.add(flight.sender)
            both = {flight.sender - 1, flight.sender + 1} & {index - 1, index + 1}
            flight.missing |= both
            missing |= both
        self._flights.append(_Flight(self.now_ms + transmit.airtime_ms, index, transmit.frame, missing))

    def _land(self) -> None:
        landed = [flight for flight in self._flights if flight.end_ms <= self.now_ms]
        self._flights = [flight for flight in self._flights if flight.end_ms > self.now_ms]
        for flight in landed:
            self.stations[flight.sender].mesh.transmitted(self.now_ms)
            for index in (flight.sender - 1, flight.sender + 1):
                if not 0 <= index <= HOPS or index in flight.missing:
                    continue
                if self.rand(100) >= LOSS_PERCENT:
                    self.stations[index].mesh.receive_frame(flight.frame, -100, 0, self.now_ms)


def _trust() -> TrustList:
    points = [
        Point(index + 1, b"P%d" % index, b"Punt %d" % index, None, 0x1000 + index, key.public)
        for index, key in enumerate(_POINT_KEYS)
    ]
    authorities = [Authority(1, _REGION_KEY.public, b"VR Merenland")]
    return TrustList(7, bytes(32), b"Merenland", [], authorities, points)
