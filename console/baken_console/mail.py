"""Emergency reports at the crisis room's desk: opened with its key, acknowledged and answered; heartbeats.

A replica lets go of a report once it is acknowledged; the ledger keeps every report and answer for good,
sealed as they came. Only a person acknowledges: an ANSWER, with or without a text, says that somebody has
seen it. What cannot be opened here, without the key or because it is meant for another authority, is listed
as sealed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from baken.crypto.ed25519 import montgomery_private
from baken.noticeboard.replica import REFUSED, Replica
from baken.wire import answer as answer_wire
from baken.wire import heartbeat as heartbeat_wire
from baken.wire import report as report_wire
from baken.wire.answer import Answer
from baken.wire.errors import ProtocolError, RemoteProtocolError
from baken.wire.heartbeat import DEFAULT_PERIOD_MIN, Heartbeat
from baken.wire.records import ANSWER, HEARTBEAT, REPORT
from baken.wire.report import Report
from baken.wire.sealed import encode_answer, open_text, shared_key
from baken_console.ledger import Entry, Ledger
from baken_gateway.region import PrivateKey, Region, RegionError

VALID_S = 24 * 3600
_PRIORITY_RANK = {"F": 0, "I": 1, "P": 2, "R": 3}

ReportKey = tuple[int, int]


class MailError(Exception):
    """An answer cannot be made; one sentence that names the value and the limit."""


@dataclass(frozen=True)
class AnswerRow:
    """One answer to a report; `text` is "" for an acknowledgement alone, None where it cannot be opened."""

    authority: int
    number: int
    time_s: int
    text: str | None


@dataclass(frozen=True)
class ReportRow:
    """One emergency report as the crisis room sees it; `text` None: sealed for somebody else."""

    key: ReportKey
    code: str
    name: str
    sent_s: int
    to: int
    priority: str
    exercise: bool
    text: str | None
    answers: tuple[AnswerRow, ...]

    @property
    def ref(self) -> str:
        """OV06/3"""
        return f"{self.code}/{self.key[1]}"

    @property
    def waits(self) -> bool:
        """Nobody has acknowledged it."""
        return not self.answers

    @property
    def answered(self) -> bool:
        """Somebody has written back."""
        return any(one.text != "" for one in self.answers)

    @property
    def received_s(self) -> int | None:
        """When it was acknowledged first."""
        return min((one.time_s for one in self.answers), default=None)

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort key: what waits first, then the most urgent, the oldest first; then the newest."""
        if self.waits:
            return (0, _PRIORITY_RANK.get(self.priority, 3), self.sent_s, self.key)
        return (1, 0, -self.sent_s, self.key)


class Mail:
    """`absorb` keeps what has come in; `reports` lists; `answer` and `beat` make signed records."""

    def __init__(self, region: Region, replica: Replica, ledger: Ledger, key: PrivateKey | None) -> None:
        self.region = region
        self.replica = replica
        self.ledger = ledger
        self.key = key
        self._reports: dict[ReportKey, tuple[Report, bytes]] = {}
        self._answers: dict[ReportKey, tuple[Answer, bytes]] = {}
        self._shared: dict[bytes, bytes] = {}
        self._texts: dict[bytes, str | None] = {}
        for kind, raw in ledger.letters():
            self._remember(kind, raw)

    # --- taking in

    def absorb(self, now_s: int) -> list[Entry]:
        """Keep what is new in the replica; the journal's lines about it, which hold nothing of the text."""
        entries = []
        for key, report in sorted(self.replica.letters.reports.items()):
            raw = self.replica.get((REPORT, *key, 0)) if key not in self._reports else None
            if raw is not None:
                self.ledger.keep_letter(REPORT, raw, now_s)
                self._remember(REPORT, raw)
                details = {"code": self._code(key[0]), "number": key[1], "priority": report.priority.decode()}
                entries.append(Entry(report.time_s, "report", details, f"report:{key[0]}/{key[1]}"))
        for key, answer in sorted(self.replica.letters.answers.items()):
            raw = self.replica.get((ANSWER, *key, 0)) if key not in self._answers else None
            if raw is not None:
                self.ledger.keep_letter(ANSWER, raw, now_s)
                self._remember(ANSWER, raw)
                details = {"code": self._code(answer.point), "number": answer.ref, "authority": key[0]}
                kind = "report-answered" if answer.has_text else "report-received"
                kind = kind if answer.ref else "answer"
                entries.append(Entry(answer.time_s, kind, details, f"answer:{key[0]}/{key[1]}"))
        return entries

    # --- what is known

    def reports(self) -> tuple[ReportRow, ...]:
        """Every report ever seen here, what waits first."""
        answers: dict[ReportKey, list[AnswerRow]] = {}
        for key, (answer, raw) in self._answers.items():
            text = self._text(raw, answer.point, key[0]) if answer.has_text else ""
            row = AnswerRow(key[0], key[1], answer.time_s, text)
            answers.setdefault((answer.point, answer.ref), []).append(row)
        rows = []
        for key, (report, raw) in self._reports.items():
            point = self.region.point_by_number(key[0])
            rows.append(
                ReportRow(
                    key=key,
                    code=self._code(key[0]),
                    name=point.name if point else "",
                    sent_s=report.time_s,
                    to=report.to,
                    priority=report.priority.decode(),
                    exercise=report.exercise,
                    text=self._text(raw, key[0], report.to),
                    answers=tuple(sorted(answers.get(key, ()), key=lambda one: (one.time_s, one.number))),
                )
            )
        return tuple(sorted(rows, key=lambda row: row.rank))

    def addressee(self, text: str) -> ReportKey:
        """(number of the point, number of the report) of what people call `OV06/3`; 0 for the report where
        they name a point alone. MailError when there is none.
        """
        code, slash, number = text.partition("/")
        if not slash:
            return point_number(self.region, code.upper()), 0
        for row in self.reports():
            if row.code.upper() == code.upper() and number == str(row.key[1]):
                return row.key
        raise MailError(f"there is no report {text!r} here; write POINT/NUMBER, such as OV06/3")

    # --- writing

    def answer(
        self, point: int, ref: int, text: str, now_s: int, valid_s: int = VALID_S, exercise: bool = False
    ) -> bytes:
        """A signed ANSWER, kept here; `text` "" only acknowledges. MailError when it cannot be made."""
        key = self._own_key()
        report = self._reports.get((point, ref))
        if ref and report is None:
            raise MailError(f"there is no report {self._code(point)}/{ref} here")
        if report is not None and report[0].to != key.number:
            raise MailError(f"report {self._code(point)}/{ref} is for authority {report[0].to}, not for you")
        data = text.strip().encode()
        if len(data) > answer_wire.MAX_TEXT:
            raise MailError(f"text is {len(data)} bytes, limit {answer_wire.MAX_TEXT}")
        if not ref and not data:
            raise MailError(f"a message to point {self._code(point)} needs a text")
        exercise = report[0].exercise if report is not None else exercise
        shared = self._shared_key(point)
        if shared is None:
            raise MailError(
                f"point {self._code(point)} is not trusted (any more): nothing can be sealed for it"
            )

        def make(number: int) -> bytes:
            made = Answer(key.number, number, point, ref, now_s, now_s + valid_s, exercise)
            return self._keep(encode_answer(made, data, shared, self.region.trust.tag, key.key.sign), now_s)

        held = [
            seq for origin, seq in [*self._answers, *self.replica.letters.answers] if origin == key.number
        ]
        try:
            return self.ledger.with_next_of(ANSWER, key.number, max(held, default=0), make)
        except ProtocolError as error:
            raise MailError(str(error)) from error

    def next_beat_s(self) -> int | None:
        """When the next HEARTBEAT of this desk is due, unix seconds; 0: now; None without a key."""
        if self.key is None:
            return None
        last = self.replica.heartbeats.get(self.key.number)
        return last.time_s + last.period_min * 60 if last is not None else 0

    def beat(self, newest: int, now_s: int, period_min: int = DEFAULT_PERIOD_MIN) -> bytes:
        """A signed HEARTBEAT, kept here; `newest`: the number of the authority's newest bulletin."""
        key = self._own_key()
        last = self.replica.heartbeats.get(key.number)

        def make(number: int) -> bytes:
            told = max(newest, last.newest if last is not None else 0)
            made = Heartbeat(key.number, number, now_s, told, period_min)
            return self._keep(heartbeat_wire.encode(made, self.region.trust.tag, key.key.sign), now_s)

        try:
            return self.ledger.with_next_of(HEARTBEAT, key.number, last.seq if last else 0, make)
        except ProtocolError as error:
            raise MailError(str(error)) from error

    # --- inside

    def _own_key(self) -> PrivateKey:
        if self.key is None:
            raise MailError("there is no key here; start with --key FILE")
        return self.key

    def _keep(self, raw: bytes, now_s: int) -> bytes:
        outcome = self.replica.receive_record(raw, now_s)
        if outcome.state == REFUSED:
            raise MailError(f"the record is refused here: {outcome.cause}")
        return raw

    def _remember(self, kind: int, raw: bytes) -> None:
        try:
            if kind == REPORT:
                report = report_wire.decode(raw)
                self._reports[(report.origin, report.seq)] = (report, raw)
            else:
                answer = answer_wire.decode(raw)
                self._answers[(answer.origin, answer.seq)] = (answer, raw)
        except RemoteProtocolError:
            return  # of a later version: kept, not shown

    def _text(self, raw: bytes, point: int, authority: int) -> str | None:
        from baken_console.model import plain

        if self.key is None or authority != self.key.number:
            return None
        if raw not in self._texts:
            try:
                shared = self._shared_key(point)
                self._texts[raw] = plain(open_text(raw, shared)) if shared is not None else None
            except ProtocolError:
                return None  # sealed under a key that has been replaced
        return self._texts[raw]

    def _shared_key(self, number: int) -> bytes | None:
        """With the point's key of now; of a point that was revoked since, with the one it was provisioned
        with.
        """
        point = self.replica.trust.points.get(number) or self.region.trust.points.get(number)
        if point is None or self.key is None:
            return None
        if point.public not in self._shared:
            private = montgomery_private(self.key.private)
            self._shared[point.public] = shared_key(private, point.public, self.region.trust.tag)
        return self._shared[point.public]

    def _code(self, number: int) -> str:
        point = self.region.point_by_number(number)
        return point.code if point else str(number)


def waiting(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """Those that nobody has acknowledged."""
    return [row for row in rows if row.waits]


def point_number(region: Region, code: str) -> int:
    """Number of a point by its code; MailError when there is none."""
    try:
        return region.point(code).number
    except RegionError as error:
        raise MailError(str(error)) from error
