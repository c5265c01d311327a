"""Who has received and who has read each bulletin, worked out from the masks in the points' STATUS records.

A STATUS tells of 32 sequence numbers of at most four authorities, and a point forgets what has expired. So
what was told once is kept: received once stays received, read once stays read, with the time of the STATUS
that told it first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BulletinKey = tuple[int, int]


@dataclass(frozen=True)
class Receipt:
    """One point and one bulletin; unix seconds of the STATUS that told it first, or None."""

    received_s: int | None = None
    read_s: int | None = None


@dataclass(frozen=True)
class NewReceipt:
    """`point` has for the first time told that it received (or, `read`, that somebody there read) bulletin
    `key`.
    """

    key: BulletinKey
    point: int
    read: bool
    time_s: int


class Receipts:
    """{bulletin key: {point number: Receipt}}; `learn` merges a STATUS and says what it told for the first
    time.
    """

    def __init__(self) -> None:
        self._by_bulletin: dict[BulletinKey, dict[int, Receipt]] = {}

    def of(self, key: BulletinKey) -> dict[int, Receipt]:
        """What is known of one bulletin; treat as read only."""
        return self._by_bulletin.get(key, {})

    def restore(self, key: BulletinKey, point: int, receipt: Receipt) -> None:
        """Take over what an earlier run has kept."""
        self._by_bulletin.setdefault(key, {})[point] = receipt

    def learn(
        self,
        status: Any,
        keys: Iterable[BulletinKey],
        as_of_s: int | None = None,
        sent_s: Mapping[BulletinKey, int] | None = None,
    ) -> list[NewReceipt]:
        """News in the `baken.wire.status.Status` about the bulletins `keys`; read implies received.

        `as_of_s`: when the point last stood behind it (None: when it was made). A pulse tells of a receipt
        up to a period after that moment, so never before `sent_s` of the bulletin.
        """
        told_s = status.time_s if as_of_s is None else as_of_s
        news: list[NewReceipt] = []
        for key in keys:
            seen = status.seen_of(key[0])
            if seen is None:
                continue
            was = self._by_bulletin.get(key, {}).get(status.origin, Receipt())
            read_s, received_s = was.read_s, was.received_s
            at_s = max(told_s, sent_s.get(key, 0)) if sent_s else told_s
            if read_s is None and seen.has_read(key[1]):
                read_s = at_s
                news.append(NewReceipt(key, status.origin, True, at_s))
            if received_s is None and (seen.has_received(key[1]) or read_s is not None):
                received_s = at_s
                news.append(NewReceipt(key, status.origin, False, at_s))
            if (received_s, read_s) != (was.received_s, was.read_s):
                self.restore(key, status.origin, Receipt(received_s, read_s))
        return news
