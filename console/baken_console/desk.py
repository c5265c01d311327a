"""The crisis room's desk: a replica, what the ledger adds to it, and the pen that signs bulletins. No screen,
no network.

A feed puts records into `replica`; `absorb` then draws the conclusions (receipts, journal, archive) and
`board` shows them. `make` signs a draft and keeps it before anything is published: what has been made is
never lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baken.noticeboard.notice import Notice
from baken.noticeboard.receipts import is_for
from baken.noticeboard.replica import REFUSED, Replica
from baken.wire.bulletin import decode_part, encode_parts
from baken.wire.errors import ProtocolError
from baken.wire.heartbeat import DEFAULT_PERIOD_MIN
from baken.wire.modem import preset_named
from baken.wire.records import decode_header
from baken_console.draft import ERROR, Draft, Finding, Named, check, to_bulletin
from baken_console.forecast import Cost, cost_of
from baken_console.ledger import Entry, Ledger, key_text, known_numbers
from baken_console.mail import Mail
from baken_console.model import Board, make_board, plain
from baken_console.receipts import BulletinKey
from baken_gateway.region import PrivateKey, Region
from baken_gateway.store import RecordId


class DeskError(Exception):
    """A bulletin cannot be made; one sentence that names the value and the limit."""


@dataclass(frozen=True)
class Made:
    """A signed bulletin that is kept here."""

    key: BulletinKey
    records: tuple[bytes, ...]
    cost: Cost

    @property
    def ref(self) -> str:
        return key_text(self.key)


class Desk:
    """See the module. `key` None: read only.

    `is_sent(key)` is set by the feed: the broker has this bulletin.
    """

    def __init__(self, region: Region, store: Any, ledger: Ledger, key: PrivateKey | None = None) -> None:
        if key is not None and key.kind != "authority":
            raise DeskError(f"key is of {key.kind} {key.name}; only an authority's key signs bulletins")
        self.region = region
        self.ledger = ledger
        self.key = key
        self.replica = Replica(region.trust, store)
        for raw in region.amendments:
            self.replica.receive_record(raw, None)
        self.mail = Mail(region, self.replica, ledger, key)
        self.receipts = ledger.receipts()
        self.is_sent: Callable[[BulletinKey], bool] = lambda _key: False
        self.made_here = ledger.made()
        self._store = store
        self._archived: dict[BulletinKey, Notice] = {}
        self._archived_parts: dict[RecordId, bytes] = {}
        self._absorbed: tuple[int, int] | None = None
        self._told: dict[int, tuple[Any, ...]] = {}
        self._noted: set[BulletinKey] = set()
        for status in self.replica.statuses.values():
            self._told[status.origin] = _said(status)
        for raw in ledger.archived():
            self._add_archived(raw)

    # --- what is known

    @property
    def origin(self) -> int:
        """Number of the authority that signs here; 0 without a key."""
        return self.key.number if self.key else 0

    def notices(self) -> dict[BulletinKey, Notice]:
        """Bulletins of the replica and, after those have expired there, of the archive."""
        return {**self._archived, **self.replica.notices}

    def board(self, now_s: int) -> Board:
        """The main screen's content."""
        return make_board(
            self.region,
            self.notices(),
            dict(self.replica.statuses.items()),
            self.receipts,
            self.is_sent_or_over,
            self.replica.counters,
            now_s,
            self.mail.reports(),
            self.replica.pulses.as_of_s,
        )

    def is_sent_or_over(self, key: BulletinKey) -> bool:
        """Whether the broker has the bulletin; one that the replica has let go waits for nothing."""
        return key not in self.replica.notices or self.is_sent(key)

    def journal(self) -> list[Entry]:
        """Latest lines, newest first."""
        return self.ledger.journal()

    # --- taking in

    def absorb(self, now_s: int) -> bool:
        """Draw conclusions from what has changed in the replica; True when the screen is out of date."""
        self.replica.expire(now_s)
        revision = (self.replica.revision, self.replica.pulses.revision)
        if revision == self._absorbed:
            return False
        entries = self.mail.absorb(now_s)
        for notice in self.replica.notices.values():
            self._absorb_notice(notice, now_s, entries)
        sent = {key: notice.meta.sent_s for key, notice in self.notices().items()}
        news = []
        for status in self.replica.statuses.values():
            self._absorb_status(status, entries)
            as_of_s = self.replica.pulses.as_of_s(status.origin) or status.time_s
            keys = [key for key in sent if is_for(self.replica, status.origin, key)]
            news += self.receipts.learn(status, keys, max(status.time_s, as_of_s), sent)
        self.ledger.keep(news)
        for new in news:
            point = self.region.point_by_number(new.point)
            details = {"ref": key_text(new.key), "code": point.code if point else str(new.point)}
            kind = "read" if new.read else "received"
            entries.append(Entry(new.time_s, kind, details, f"{kind}:{key_text(new.key)}:{new.point}"))
        self.ledger.note(entries)
        self._absorbed = revision
        return True

    def beat(self, now_s: int, period_min: int = DEFAULT_PERIOD_MIN) -> bytes:
        """Sign a HEARTBEAT that names the newest bulletin of this authority, and keep it."""
        known = [seq for origin, seq in {*self.notices(), *self.made_here} if origin == self.origin]
        return self.mail.beat(max(known, default=0), now_s, period_min)

    def reload(self, now_s: int) -> None:
        """Take in what another process has put in the same store."""
        self.made_here |= self.ledger.made()
        for raw in self._store.load():
            try:
                known = self.replica.get(decode_header(raw).record_id) is not None
            except ProtocolError:
                continue
            if not known:
                self.replica.receive_record(raw, now_s)

    def numbers_known(self) -> bool:
        """Whether it is certain which sequence numbers this key has used: not on a new computer without
        contact.
        """
        return self.ledger.highest(self.origin) is not None or known_numbers(self.replica, self.origin) > 0

    def contact_made(self) -> None:
        """All that the broker holds has arrived, so the numbers in use are known."""
        if self.key is not None:
            self.ledger.raise_number(self.origin, known_numbers(self.replica, self.origin))

    # --- sending

    def cost(self, draft: Draft, now_s: int) -> Cost:
        """What sending costs; RegionError for an unknown area, LocalProtocolError for a CAP word."""
        modem = preset_named(self.region.channel.preset).modem
        return cost_of(
            to_bulletin(draft, self.region, self.origin or 1, 1, now_s), modem, len(self.region.points)
        )

    def check(self, draft: Draft, now_s: int) -> tuple[Finding, ...]:
        """What the rules say about the draft."""
        named = {
            key: Named(
                tuple(
                    self.region.areas[index].code
                    for index in notice.meta.areas
                    if index < len(self.region.areas)
                ),
                notice.meta.status.decode(),
                notice.meta.expires_s,
            )
            for key, notice in self.notices().items()
        }
        highest = max(self.ledger.highest(self.origin) or 0, known_numbers(self.replica, self.origin))
        return check(draft, self.region, self.origin, named, highest, self.cost(draft, now_s), now_s)

    def make(self, draft: Draft, now_s: int) -> Made:
        """Sign the draft and keep it, in one transaction with its number; DeskError when it cannot be."""
        key = self.key
        if key is None:
            raise DeskError("there is no key here; start with --key FILE to send")
        errors = [finding for finding in self.check(draft, now_s) if finding.level == ERROR]
        if errors:
            raise DeskError(f"draft has an error: {errors[0].kind} {dict(errors[0].details)}")
        cost = self.cost(draft, now_s)

        def sign_and_keep(number: int) -> Made:
            bulletin = to_bulletin(draft, self.region, key.number, number, now_s)
            records = encode_parts(bulletin, self.region.trust.tag, key.key.sign)
            for raw in records:
                outcome = self.replica.receive_record(raw, now_s)
                if outcome.state == REFUSED:
                    raise DeskError(f"bulletin {key.number}/{number} is refused here: {outcome.cause}")
            return Made((key.number, number), tuple(records), cost)

        made = self.ledger.with_next_number(
            key.number, known_numbers(self.replica, key.number), sign_and_keep
        )
        self.made_here.add(made.key)
        self.absorb(now_s)
        return made

    # --- inside

    def _absorb_notice(self, notice: Notice, now_s: int, entries: list[Entry]) -> None:
        archived = self._archived.get(notice.key)
        for index, raw in notice.parts.items():
            if archived is None or index not in archived.parts:
                self.ledger.archive(raw, now_s)
                self._add_archived(raw)
        if notice.complete and notice.key not in self._noted:
            self._noted.add(notice.key)
            meta = notice.meta
            details = {
                "ref": key_text(notice.key),
                "event": meta.event.decode(),
                "msg_type": meta.msg_type.decode(),
                "references": [key_text(key) for key in meta.references],
                "origin": meta.origin,
            }
            entries.append(Entry(meta.sent_s, "bulletin", details, f"bulletin:{key_text(notice.key)}"))

    def _absorb_status(self, status: Any, entries: list[Entry]) -> None:
        said = _said(status)
        if self._told.get(status.origin) == said:
            return
        self._told[status.origin] = said
        point = self.region.point_by_number(status.origin)
        details = {
            "code": point.code if point else str(status.origin),
            "state": status.state.decode(),
            "priority": status.priority.decode(),
            "needs": [need.decode() for need in status.needs],
            "text": plain(status.text),
        }
        entries.append(Entry(status.time_s, "status", details, f"status:{status.origin}:{status.seq}"))

    def _add_archived(self, raw: bytes) -> None:
        part = decode_part(raw)
        notice = self._archived.get((part.origin, part.seq))
        if notice is None:
            fetch = self._archived_parts.get
            notice = self._archived[(part.origin, part.seq)] = Notice(raw, fetch, lambda: self.region.trust)
        if notice.accepts(raw):
            self._archived_parts[decode_header(raw).record_id] = raw
            notice.add(part)


def _said(status: Any) -> tuple[Any, ...]:
    """What makes a STATUS worth a line in the journal when it changes."""
    return (status.state, status.priority, status.needs, status.text)
