"""Own packets that wait for an acknowledgement: three sends in all, then given up."""

from baken.compat import const
from baken.mesh.queue import Queued

MAX_PENDING = const(16)
_SENDS = const(3)


class _Pending:
    __slots__ = ("deadline", "item", "sends_left")

    def __init__(self, item: Queued) -> None:
        self.item = item
        self.sends_left = _SENDS
        self.deadline = None  # None: queued, the clock starts when it has been sent


class Retries:
    """Bounded table of unacknowledged packets, by packet id."""

    def __init__(self) -> None:
        self._pending = {}

    def __contains__(self, packet_id: int) -> bool:
        return packet_id in self._pending

    @property
    def full(self) -> bool:
        """Whether no further packet can be watched."""
        return len(self._pending) >= MAX_PENDING

    def watch(self, item: Queued) -> None:
        """Expect an acknowledgement for this packet, which has been queued."""
        self._pending[item.packet_id] = _Pending(item)

    def forget(self, packet_id: int) -> bool:
        """Acknowledged, refused or cancelled; True if it was watched."""
        return self._pending.pop(packet_id, None) is not None

    def sent(self, packet_id: int, deadline: int) -> None:
        """One send has ended; the next is due at `deadline`."""
        pending = self._pending.get(packet_id)
        if pending is not None:
            pending.sends_left -= 1
            pending.deadline = deadline

    def extend(self, airtime_ms: int) -> None:
        """The channel was taken by another frame: all clocks get that much more."""
        for pending in self._pending.values():
            if pending.deadline is not None:
                pending.deadline += airtime_ms

    def deadline(self) -> "int | None":
        """When `next_due` has something."""
        first = None
        for pending in self._pending.values():
            if pending.deadline is not None and (first is None or pending.deadline < first):
                first = pending.deadline
        return first

    def next_due(self, now: int) -> "tuple[Queued, bool] | None":
        """A packet whose time is over, and whether it is to be sent again (False: given up and forgotten)."""
        for packet_id, pending in self._pending.items():
            if pending.deadline is not None and pending.deadline <= now:
                if pending.sends_left <= 0:
                    self._pending.pop(packet_id)
                    return pending.item, False
                pending.deadline = None
                return pending.item, True
        return None
