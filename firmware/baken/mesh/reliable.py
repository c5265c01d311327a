"""Packets that are sent again until somebody is heard to have them.

Our own that want an acknowledgement are sent three times in all. What was addressed to one next hop, our own
or a relay's, is sent twice if nothing is heard of it, and the last time everybody is asked.
"""

from baken.compat import const
from baken.mesh.queue import Queued

SENDS = const(3)
SENDS_TO_NEXT_HOP = const(2)
MAX_PENDING = const(16)
MAX_RELAYS = const(6)  # of them, so that others' packets leave room for our own


class _Pending:
    __slots__ = ("deadline", "item", "sends_left")

    def __init__(self, item: Queued, sends: int) -> None:
        self.item = item
        self.sends_left = sends
        self.deadline = None  # None: queued, the clock starts when it has been sent


class Retries:
    """Bounded table of packets nothing was heard of yet, by key (sender and id)."""

    def __init__(self) -> None:
        self._pending = {}

    def watch(self, item: Queued, sends: int) -> bool:
        """Expect to hear of this packet, which has been queued; False when the table is full."""
        if item.key not in self._pending:
            if len(self._pending) >= MAX_PENDING:
                return False
            if not item.own and self._relays() >= MAX_RELAYS:
                return False
        self._pending[item.key] = _Pending(item, sends)
        return True

    def forget(self, key: bytes) -> bool:
        """Acknowledged, refused or cancelled; True if it was watched."""
        return self._pending.pop(key, None) is not None

    def waiting(self, key: bytes) -> "Queued | None":
        """The packet with this key, if it is watched."""
        pending = self._pending.get(key)
        return None if pending is None else pending.item

    def sent(self, key: bytes, deadline: int) -> None:
        """One send has ended; the next is due at `deadline`."""
        pending = self._pending.get(key)
        if pending is not None:
            pending.sends_left -= 1
            pending.deadline = deadline

    def extend(self, airtime_ms: int) -> None:
        """The channel was taken by another frame: all clocks get that much more."""
        if not self._pending:
            return  # as for nearly every frame; a loop would make an object even then
        for pending in self._pending.values():
            if pending.deadline is not None:
                pending.deadline += airtime_ms

    def deadline(self) -> "int | None":
        """When `next_due` has something."""
        first = None
        if not self._pending:
            return first
        for pending in self._pending.values():
            if pending.deadline is not None and (first is None or pending.deadline < first):
                first = pending.deadline
        return first

    def next_due(self, now: int) -> "tuple[Queued, int] | None":
        """A packet whose time is over, and how many sends it has left; with 0 it is given up and forgotten.

        The last send of a packet that names a next hop names none any more.
        """
        if not self._pending:
            return None
        for key, pending in self._pending.items():
            if pending.deadline is not None and pending.deadline <= now:
                if pending.sends_left <= 0:
                    self._pending.pop(key)
                    return pending.item, 0
                pending.deadline = None
                if pending.sends_left == 1 and pending.item.next_hop:
                    pending.item = pending.item.directed(0)
                    return pending.item, 1
                return pending.item, pending.sends_left
        return None

    def _relays(self) -> int:
        return sum([1 for pending in self._pending.values() if not pending.item.own])
