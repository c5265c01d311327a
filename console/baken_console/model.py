"""What the crisis room needs to know, worked out from a replica: pure functions, no screen, no network.

A bulletin's row counts the points that are meant (support points in its area), those that told they received
it and those where somebody read it. A point's row has its latest status, how old that is, and what it misses.
`attention` puts in order what a person should look at first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from baken.noticeboard.notice import EXPIRED, INCOMPLETE, SUPERSEDED, VALID, WITHDRAWN, Notice, state_of
from baken.wire.status import BATTERY_UNKNOWN
from baken_console.mail import ReportRow
from baken_console.receipts import BulletinKey, Receipt, Receipts
from baken_gateway.region import Region, RegionPoint

PARTLY = "partly"  # superseded or withdrawn in part of its area

# How a bulletin of ours travels until points tell of it.
MADE = "made"  # kept here, the broker has not confirmed it
SENT = "sent"  # the broker has it

# How recent the news of a point is.
FRESH = "fresh"
LATE = "late"
SILENT = "silent"
NEVER = "never"

LATE_AFTER_S = 9000  # a pulse comes every hour and may be lost once, and is a little under way
SILENT_AFTER_S = 6 * 3600
UNREAD_ALARM_AFTER_S = 15 * 60
UNRECEIVED_AFTER_S = 10 * 60
LOW_POWER_H = 4
LOW_BATTERY_PERCENT = 20
EXTERNAL_POWER_PERCENT = 101

_PRIORITY_RANK = {"F": 0, "I": 1, "P": 2, "R": 3}
_JOINERS = "\u200c\u200d"
_RETIRED = (EXPIRED, WITHDRAWN, SUPERSEDED)


@dataclass(frozen=True)
class Receiving:
    """One point a bulletin is meant for: what it is there now, the point's receipt, whether the point is
    closed.
    """

    point: RegionPoint
    state: str
    receipt: Receipt
    closed: bool = False

    @property
    def received(self) -> bool:
        return self.receipt.received_s is not None

    @property
    def read(self) -> bool:
        return self.receipt.read_s is not None


@dataclass(frozen=True)
class BulletinRow:
    """One bulletin as the crisis room sees it.

    CAP words are text; `areas` are codes, empty for the whole region.
    """

    key: BulletinKey
    authority: str
    event: str
    msg_type: str
    severity: str
    urgency: str
    certainty: str
    response_type: str
    category: str
    cap_status: str
    scope: str
    language: str
    areas: tuple[str, ...]
    sent_s: int
    expires_s: int
    text: str | None
    parts: int
    parts_held: int
    missing_parts: tuple[int, ...]
    references: tuple[BulletinKey, ...]
    replaced_by: tuple[BulletinKey, ...]
    state: str
    delivery: str
    receiving: tuple[Receiving, ...]

    @property
    def ref(self) -> str:
        """authority/number"""
        return f"{self.key[0]}/{self.key[1]}"

    @property
    def meant(self) -> int:
        return len(self.receiving)

    @property
    def received(self) -> int:
        return sum(one.received for one in self.receiving)

    @property
    def read(self) -> int:
        return sum(one.read for one in self.receiving)

    @property
    def all_received(self) -> bool:
        """Every open point has it."""
        return all(one.received or one.closed for one in self.receiving)

    @property
    def all_read(self) -> bool:
        """At every open point somebody has read it."""
        return all(one.read or one.closed for one in self.receiving)

    @property
    def exercise(self) -> bool:
        return self.cap_status == "Exercise"

    @property
    def in_force(self) -> bool:
        """Still shown somewhere."""
        return self.state not in _RETIRED


@dataclass(frozen=True)
class PointRow:
    """One node: `status` is None while it has never been heard.

    `heard_s`: unix seconds of its last sign of life, a status or a pulse behind it; `age_s`: how long ago.
    `missing`, `unread`: bulletins in force meant for it.
    """

    point: RegionPoint
    status: Any
    liveness: str
    heard_s: int | None
    age_s: int | None
    missing: tuple[BulletinKey, ...]
    unread: tuple[BulletinKey, ...]

    @property
    def state(self) -> str:
        return self.status.state.decode() if self.status else "ONBEKEND"

    @property
    def priority(self) -> str:
        return self.status.priority.decode() if self.status else "R"

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(need.decode() for need in self.status.needs) if self.status else ()

    @property
    def text(self) -> str:
        return plain(self.status.text) if self.status else ""

    @property
    def closed(self) -> bool:
        return self.state == "DICHT"

    @property
    def battery_percent(self) -> int | None:
        """None: unknown; EXTERNAL_POWER_PERCENT: runs on external power."""
        if self.status is None or self.status.battery_percent == BATTERY_UNKNOWN:
            return None
        return self.status.battery_percent

    @property
    def low_battery(self) -> bool:
        return self.battery_percent is not None and self.battery_percent <= LOW_BATTERY_PERCENT

    @property
    def low_power(self) -> bool:
        """Open, and the point's own supply ends within LOW_POWER_H hours."""
        hours = self.status.power_hours if self.status is not None else None
        return hours is not None and not self.closed and hours <= LOW_POWER_H

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort key: who needs somebody's attention first."""
        trouble = self.low_battery or self.low_power or self.state == "VOL"
        silent = self.liveness in (SILENT, NEVER) and not self.closed
        return (
            not self.point.is_support_point,
            _PRIORITY_RANK.get(self.priority, 3),
            not silent or self.liveness == NEVER,
            not trouble,
            not self.needs,
            self.state == "OPEN" or self.closed,
            not self.missing,
            self.closed,
            self.point.code,
        )


@dataclass(frozen=True)
class Attention:
    """One thing to look at: `kind` names the sentence, `details` fill it, `bulletin` or `point` is where
    Enter leads.
    """

    rank: int
    kind: str
    details: Mapping[str, Any]
    bulletin: BulletinKey | None = None
    point: int | None = None
    report: tuple[int, int] | None = None


@dataclass(frozen=True)
class Board:
    """Everything on the main screen at one moment."""

    now_s: int
    bulletins: tuple[BulletinRow, ...]
    points: tuple[PointRow, ...]
    attention: tuple[Attention, ...]
    last_contact_s: int | None
    exercise: bool
    actual: bool
    reports: tuple[ReportRow, ...] = ()

    def report(self, key: tuple[int, int]) -> ReportRow | None:
        return next((row for row in self.reports if row.key == key), None)

    def bulletin(self, key: BulletinKey) -> BulletinRow | None:
        return next((row for row in self.bulletins if row.key == key), None)

    def point(self, number: int) -> PointRow | None:
        return next((row for row in self.points if row.point.number == number), None)


def make_board(
    region: Region,
    notices: Mapping[BulletinKey, Notice],
    statuses: Mapping[int, Any],
    receipts: Receipts,
    is_sent: Callable[[BulletinKey], bool],
    refusals: Mapping[str, int],
    now_s: int,
    reports: tuple[ReportRow, ...] = (),
    as_of_s: Callable[[int], int | None] = lambda _point: None,
) -> Board:
    """The board at `now_s`. `is_sent(key)`: the broker has every part that is held here; `as_of_s(point)`:
    its last sign of life, None: that is its status.
    """
    held = list(notices.values())
    naming = [notice for notice in held if notice.references]  # no other can change what one is
    closed = {number for number, status in statuses.items() if status.state == b"DICHT"}
    rows = [
        _bulletin_row(region, notice, naming, closed, receipts.of(notice.key), is_sent, now_s)
        for notice in held
    ]
    rows.sort(key=lambda row: (not row.in_force, *notices[row.key].rank))
    if not all(row.in_force for row in rows):  # what is over: latest first, whatever it was
        over = sorted((row for row in rows if not row.in_force), key=lambda row: -row.sent_s)
        rows = [row for row in rows if row.in_force] + over
    points = sorted(
        (
            _point_row(point, statuses.get(point.number), rows, as_of_s(point.number), now_s)
            for point in region.points
        ),
        key=_rank,
    )
    return Board(
        now_s=now_s,
        bulletins=tuple(rows),
        points=tuple(points),
        attention=tuple(
            sorted(
                [*_report_attention(reports, now_s), *_attention(rows, points, refusals, now_s)],
                key=lambda one: one.rank,
            )
        ),
        last_contact_s=max((row.heard_s for row in points if row.heard_s is not None), default=None),
        exercise=any(row.exercise and row.in_force for row in rows)
        or any(s.exercise for s in statuses.values())
        or any(row.exercise and row.waits for row in reports),
        actual=any(row.cap_status == "Actual" and row.in_force for row in rows),
        reports=reports,
    )


def plain(text: bytes) -> str:
    """Text of a record as it may stand on a terminal: signed does not mean harmless.

    Escape sequences, line breaks and direction overrides become spaces; joiners stay, Persian needs them.
    """
    decoded = text.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() or letter in _JOINERS else " " for letter in decoded)


def _rank(row: PointRow) -> tuple[Any, ...]:
    return row.rank


def _bulletin_row(
    region: Region,
    notice: Notice,
    naming: list[Notice],
    closed: set[int],
    receipts: Mapping[int, Receipt],
    is_sent: Callable[[BulletinKey], bool],
    now_s: int,
) -> BulletinRow:
    meta = notice.meta
    authority = region.authority(meta.origin)
    states: dict[int | None, str] = {}
    for point in region.points_meant(meta.areas):
        if point.area not in states:
            states[point.area] = state_of(notice, naming, point.area, now_s)
    receiving = tuple(
        Receiving(point, states[point.area], receipts.get(point.number, Receipt()), point.number in closed)
        for point in region.points_meant(meta.areas)
    )
    known = {area.index: area.code for area in region.areas}
    return BulletinRow(
        key=notice.key,
        authority=authority.name if authority else str(meta.origin),
        event=meta.event.decode(),
        msg_type=meta.msg_type.decode(),
        severity=meta.severity.decode(),
        urgency=meta.urgency.decode(),
        certainty=meta.certainty.decode(),
        response_type=meta.response_type.decode(),
        category=meta.category.decode(),
        cap_status=meta.status.decode(),
        scope=meta.scope.decode(),
        language=meta.language.decode(),
        areas=tuple(known.get(index, f"?{index}") for index in meta.areas),
        sent_s=meta.sent_s,
        expires_s=meta.expires_s,
        text=plain(notice.text) if notice.text is not None else None,
        parts=meta.parts,
        parts_held=len(notice.parts),
        missing_parts=tuple(index + 1 for index in notice.missing),
        references=tuple(meta.references),
        replaced_by=tuple(
            other.key
            for other in naming
            if other.complete and (other.is_update or other.is_cancel) and other.names(notice)
        ),
        state=_overall(set(states.values()) or {state_of(notice, naming, None, now_s)}),
        delivery=SENT if is_sent(notice.key) else MADE,
        receiving=receiving,
    )


def _overall(states: set[str]) -> str:
    """One word for a bulletin that may be something else in each of its areas."""
    if len(states) == 1:
        return next(iter(states))
    if VALID in states or INCOMPLETE in states:
        return PARTLY
    return EXPIRED if EXPIRED in states else SUPERSEDED


def _point_row(
    point: RegionPoint, status: Any, rows: Iterable[BulletinRow], as_of_s: int | None, now_s: int
) -> PointRow:
    heard_s = max(status.time_s, as_of_s or 0) if status else None
    age_s = max(now_s - heard_s, 0) if heard_s is not None else None
    if age_s is None:
        liveness = NEVER
    else:
        liveness = FRESH if age_s < LATE_AFTER_S else LATE if age_s < SILENT_AFTER_S else SILENT
    missing: list[BulletinKey] = []
    unread: list[BulletinKey] = []
    for row in rows:
        for one in row.receiving:
            if one.point.number == point.number and one.state in (VALID, INCOMPLETE):
                if not one.received:
                    missing.append(row.key)
                if not one.read:
                    unread.append(row.key)
    return PointRow(point, status, liveness, heard_s, age_s, tuple(missing), tuple(unread))


def _report_attention(reports: tuple[ReportRow, ...], now_s: int) -> Iterable[Attention]:
    """Emergency reports that nobody has acknowledged, before everything else."""
    for row in reports:
        if row.waits:
            kind = "report" if row.text is not None else "report-sealed"
            details = {"ref": row.ref, "text": row.text or "", "age_s": max(now_s - row.sent_s, 0)}
            yield Attention(-1, kind, details, point=row.key[0], report=row.key)


def _attention(
    rows: list[BulletinRow], points: list[PointRow], refusals: Mapping[str, int], now_s: int
) -> Iterable[Attention]:
    for row in points:
        if row.priority in ("F", "I"):
            details = {
                "code": row.point.code,
                "priority": row.priority,
                "text": row.text,
                "at_s": row.status.time_s,
            }
            yield Attention(_PRIORITY_RANK[row.priority], "point-urgent", details, point=row.point.number)
    for row in rows:
        if row.in_force:
            yield from _bulletin_attention(row, now_s)
    support = [row for row in points if row.point.is_support_point and not row.closed]
    heard = any(row.status for row in points)
    for rank, kind, chosen in (
        (20, "points-power", [row for row in support if row.low_power]),
        (21, "points-battery", [row for row in points if row.low_battery and not row.closed]),
        (22, "points-silent", [row for row in points if row.liveness == SILENT and not row.closed]),
        (23, "points-full", [row for row in support if row.state == "VOL"]),
        (24, "points-needs", [row for row in support if row.needs and row.priority not in ("F", "I")]),
        (40, "points-never", [row for row in points if row.liveness == NEVER] if heard else []),
    ):
        if chosen:
            details = {"codes": tuple(_point_label(kind, row) for row in chosen), "count": len(chosen)}
            yield Attention(rank, kind, details, point=chosen[0].point.number)
    in_force = [row for row in rows if row.in_force]
    actual = tuple(row.ref for row in in_force if row.cap_status == "Actual")
    if actual and any(row.exercise for row in in_force):
        yield Attention(5, "mixed", {"refs": ", ".join(actual)})
    forged = sum(count for cause, count in refusals.items() if cause.removeprefix("stored-") in _FORGERY)
    if forged:
        yield Attention(30, "refused", {"count": forged})


_FORGERY = ("bad-signature", "unknown-authority", "unknown-point", "conflict", "untrusted")


def _point_label(kind: str, row: PointRow) -> str:
    if kind == "points-power":
        return f"{row.point.code} {row.status.power_hours}u"
    if kind == "points-battery":
        return f"{row.point.code} {row.battery_percent}%"
    if kind == "points-needs":
        return f"{row.point.code} {'+'.join(row.needs)}"
    return row.point.code


def _bulletin_attention(row: BulletinRow, now_s: int) -> Iterable[Attention]:
    alarm = row.event == "ALARM"
    details = {"ref": row.ref, "event": row.event}
    if row.delivery == MADE:
        yield Attention(10, "bulletin-waiting", details, bulletin=row.key)
    if row.parts_held < row.parts:
        numbers = ", ".join(map(str, row.missing_parts))
        yield Attention(
            11, "bulletin-incomplete", {**details, "missing": numbers, "parts": row.parts}, bulletin=row.key
        )
    age_s = now_s - row.sent_s
    here = [one for one in row.receiving if not one.closed and one.state == VALID]
    lacking = tuple(one.point.code for one in here if not one.received) if age_s >= UNRECEIVED_AFTER_S else ()
    unread = tuple(one.point.code for one in here if one.received and not one.read)
    if not alarm or age_s < UNREAD_ALARM_AFTER_S:
        unread = ()
    if row.delivery == SENT and (lacking or unread):
        kind = (
            "bulletin-unreached"
            if lacking and unread
            else "bulletin-unreceived"
            if lacking
            else "bulletin-unread"
        )
        told = {**details, "codes": lacking or unread, "unread": unread, "meant": len(here)}
        rank = 25 if not alarm else 12 if lacking else 13
        yield Attention(rank, kind, told, bulletin=row.key)
