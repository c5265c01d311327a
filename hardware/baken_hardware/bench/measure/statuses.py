"""What it costs in airtime that every point says once an hour that its status still holds, and how soon the
others know it.

The stations of the exercise at their places, the real core of each, LONG_FAST. From 09:00 on the exercise's
own bulletins and statuses are sent; each point's people read a bulletin up to half an hour later.
"""

from __future__ import annotations

import random

from baken.noticeboard.receipts import receipts_of
from baken.wire import bulletin
from baken.wire.status import Status
from baken_hardware.bench.measure import HIGHER, LOWER, Options, Row, Say
from baken_hardware.bench.measure.fleet import Fleet, Station
from baken_hardware.demo import scenario
from baken_hardware.virtual import propagation

REQUIRED_PER_CENT, AIM_PER_CENT = 1.0, 0.3
REQUIRED_KNOWN, AIM_KNOWN = 0.9, 0.98
KNOWN_WITHIN_S = 2 * 3600 + 900
"""One sign of life may be lost: so old it may be, with a step of its chain."""
_BEGIN_S = scenario.unix_s("2027-01-12T09:00:00")
_SETTLE_MS = 7_200_000  # everybody learns everybody's first STATUS
_HOURS, _QUICK_HOURS = 8, 3
_HOUR_MS = 3_600_000
_LOOK_MS = 10_000
_OF_STATUSES = ("status", "pulses")


def rows(options: Options, say: Say) -> list[Row]:
    """Airtime of statuses and pulses at the busiest node and on average, and who knows of whom in time."""
    hours = _QUICK_HOURS if options.quick else _HOURS
    places = list(propagation.load_points(scenario.POINTS).values())
    fleet = Fleet(places, _BEGIN_S - _SETTLE_MS // 1000, seed=1)
    rand = random.Random(1)
    reads = _Reads(fleet)
    points = [station for station in fleet.stations.values() if not station.is_relay]

    def read(station: Station, key: tuple[int, int]) -> None:
        fleet.at(fleet.now + rand.randrange(_HOUR_MS // 2), lambda: reads.confirm(station, key))

    fleet.on_bulletin = read
    _plan(fleet, hours)
    fleet.run(_SETTLE_MS)
    before = [station.sent_by_kind.copy() for station in fleet.stations.values()]
    known: list[float] = []
    for hour in range(hours):
        say(f"statuses: hour {hour + 1} of {hours}, {len(points)} points, {len(places)} stations")
        fleet.run(_SETTLE_MS + (hour + 1) * _HOUR_MS)
        known.append(_known(fleet, points))
    span_ms = hours * _HOUR_MS
    spent = [
        sum(station.sent_by_kind[kind] - old[kind] for kind in _OF_STATUSES)
        for station, old in zip(fleet.stations.values(), before, strict=True)
    ]
    tallies = [
        station.sent_by_kind["tally"] - old["tally"]
        for station, old in zip(fleet.stations.values(), before, strict=True)
    ]
    total = [one + two for one, two in zip(spent, tallies, strict=True)]
    name = f"{len(points)} points, {hours} h, LONG_FAST"
    return [
        Row(
            "statuses, busiest",
            name,
            100 * max(total) / span_ms,
            "% airtime",
            LOWER,
            REQUIRED_PER_CENT,
            AIM_PER_CENT,
        ),
        Row("statuses, mean", name, 100 * sum(total) / len(total) / span_ms, "% airtime", LOWER),
        Row("read, known to the crisis room, p50", name, reads.delay_s(0.5), "s", LOWER),
        Row("read, known to the crisis room, p95", name, reads.delay_s(0.95), "s", LOWER),
        Row("statuses, tallies", name, 100 * max(tallies) / span_ms, "% airtime", LOWER),
        Row(
            "statuses, known in time",
            name,
            sum(known) / len(known),
            "share",
            HIGHER,
            REQUIRED_KNOWN,
            AIM_KNOWN,
        ),
    ]


def _plan(fleet: Fleet, hours: int) -> None:
    room = fleet.stations[scenario.CRISIS_ROOM]
    end_s = _BEGIN_S + hours * 3600
    said = [one for one in scenario.load_bulletins() if _BEGIN_S <= one.sent_s < end_s and not one.is_forged]
    for seq, one in enumerate(said, 1):
        made = bulletin.Bulletin(1, seq, one.sent_s, one.expires_s, one.text.encode())
        made.severity = one.severity.encode()
        made.status = b"Exercise"
        parts = bulletin.encode_parts(made, fleet.trust.tag, fleet.authority.sign)
        fleet.at(_ms(fleet, one.sent_s), lambda parts=parts: _publish(fleet, room, parts))
    for report in scenario.load_reports():
        if _BEGIN_S <= report.sent_s < end_s:
            station = fleet.stations[report.code]
            fleet.at(
                _ms(fleet, report.sent_s),
                lambda station=station, draft=report.draft: _report(fleet, station, draft),
            )


def _ms(fleet: Fleet, unix_s: int) -> int:
    return (unix_s - fleet.epoch_s) * 1000


def _publish(fleet: Fleet, station: Station, parts: list[bytes]) -> None:
    for raw in parts:
        station.publish(raw)
    fleet.touch(station)


def _report(fleet: Fleet, station: Station, draft: Status) -> None:
    station.reporter.draft(draft, fleet.now)
    fleet.touch(station)


class _Reads:
    """What people confirm, and how long it takes until the crisis room's replica shows it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._room = fleet.stations[scenario.CRISIS_ROOM]
        self._waiting: dict[tuple[int, tuple[int, int]], int] = {}
        self._delays_ms: list[int] = []
        fleet.at(0, self._look)

    def confirm(self, station: Station, key: tuple[int, int]) -> None:
        self._waiting.setdefault((station.number, key), self._fleet.now)
        station.read(key)
        self._fleet.touch(station)

    def delay_s(self, share: float) -> float:
        """Within so many seconds this share was known; what is not known yet counts as it waits now."""
        waits = [self._fleet.now - at_ms for at_ms in self._waiting.values()]
        delays = sorted(self._delays_ms + waits)
        return delays[min(int(share * len(delays)), len(delays) - 1)] / 1000

    def _look(self) -> None:
        for key in {key for _, key in self._waiting}:
            for number, receipt in receipts_of(self._room.replica, key).items():
                if receipt.read and (number, key) in self._waiting:
                    self._delays_ms.append(self._fleet.now - self._waiting.pop((number, key)))
        self._fleet.at(self._fleet.now + _LOOK_MS, self._look)


def _known(fleet: Fleet, points: list[Station]) -> float:
    """Share of (who, of whom) with a sign of life that is recent enough."""
    since_s = fleet.unix_s() - KNOWN_WITHIN_S
    good = 0
    for station in fleet.stations.values():
        for point in points:
            as_of_s = station.replica.pulses.as_of_s(point.number)
            good += as_of_s is not None and as_of_s >= since_s
    return good / (len(fleet.stations) * len(points))
