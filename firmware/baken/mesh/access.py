"""Taking turns on the channel: the transmit queue, its timer, and what the law and politeness allow.

A frame waits for a contention delay, then it is offered to the radio, which checks the channel once. Busy: a
new delay. Free: it is sent. One timer serves the whole queue; its length is that of the frame in front.
"""

from baken.compat import const
from baken.mesh.airtime import ChannelUtilisation, DutyBudget
from baken.mesh.flood import Contention
from baken.mesh.queue import QUEUE_SIZE, Queued, TransmitQueue
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import ERROR_DUTY_CYCLE_LIMIT, ERROR_NO_INTERFACE
from baken.wire.packet import MAX_FRAME

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.config import MeshConfig


class ChannelAccess:
    """`refused` lists (own frame, Routing.Error) that will not be sent; the owner takes them out."""

    def __init__(self, config: "MeshConfig", rand: "Callable[[int], int]", counters: dict) -> None:
        self.budget = DutyBudget()
        self.utilisation = ChannelUtilisation()
        self._rand = rand
        self.configure(config)
        self.queue = TransmitQueue()
        self.offered = None  # handed to the radio, not yet answered
        self.refused = []
        self._counters = counters
        self._fire_at = None  # when the channel is tried next

    def configure(self, config: "MeshConfig") -> None:
        """Take another modem, band or role; what was spent stays spent."""
        self.modem = config.modem()
        self.budget.set_limit(config.duty_permille())
        self.contention = Contention(self.modem, config.role, self._rand)

    def airtime_ms(self, frame: bytes) -> int:
        """Time on air of a frame; what is too long to be one counts as the longest."""
        return self.modem.airtime_ms(min(len(frame), MAX_FRAME))

    def heard(self, frame: bytes, now: int) -> int:
        """Count a frame that was received, good or bad; gives its airtime."""
        airtime_ms = self.airtime_ms(frame)
        self.utilisation.spend(airtime_ms, now)
        return airtime_ms

    def put(self, item: Queued, now: int) -> bool:
        """Queue a frame; False when it is refused at once."""
        if not self.budget.allow(self.airtime_ms(item.frame), now):
            self._refuse(item, ERROR_DUTY_CYCLE_LIMIT, "duty-cycle")
            return False
        evicted = self.queue.put(item, self.offered)
        if evicted is not None:
            self._refuse(evicted, ERROR_NO_INTERFACE, "queue-full")
        return evicted is not item

    def remove(self, key: bytes) -> "Queued | None":
        """Take out the waiting frame with this sender and id, unless the radio has it."""
        waiting = self.queue.find(key)
        if waiting is None or waiting is self.offered:
            return None
        self.queue.remove(waiting)
        return waiting

    def start_timer(self, now: int) -> None:
        """Wait for our turn if something is queued, unless a wait is running."""
        if self.offered is not None or self._fire_at is not None:
            return
        front = self.queue.front(now)
        if front is None:
            return
        if front.snr_db is None:
            delay_ms = self.contention.own_ms(self.utilisation.percent(now))
        else:
            delay_ms = self.contention.relay_ms(front.snr_db)
        self._fire_at = max(now + delay_ms, front.not_before)

    def next_offer(self, now: int) -> "Queued | None":
        """The frame whose turn it is; answer with `busy` or `transmitted`."""
        while self.offered is None and self._fire_at is not None and now >= self._fire_at:
            self._fire_at = None
            front = self.queue.front(now)
            if front is None:
                return None
            if front.not_before > now:
                self._fire_at = front.not_before
                return None
            if self.budget.allow(self.airtime_ms(front.frame), now):
                self.offered = front
                return front
            self.queue.remove(front)
            self._refuse(front, ERROR_DUTY_CYCLE_LIMIT, "duty-cycle")
            self.start_timer(now)
        return None

    def busy(self, now: int) -> None:
        """The channel was not free for the frame on offer: it waits again."""
        self.offered = None
        self.start_timer(now)

    def transmitted(self, now: int) -> "tuple[Queued, int]":
        """The frame on offer has left the antenna; gives it and its airtime."""
        item = self.offered
        if item is None:
            raise LocalProtocolError("no frame was handed out for transmission", cause="not-offered")
        self.offered = None
        self.queue.remove(item)
        airtime_ms = self.airtime_ms(item.frame)
        self.budget.spend(airtime_ms, now)
        self.utilisation.spend(airtime_ms, now)
        return item, airtime_ms

    def deadline(self) -> "int | None":
        """When `next_offer` may have something."""
        return self._fire_at

    def _refuse(self, item: Queued, error: int, cause: str) -> None:
        self._counters[cause] = self._counters.get(cause, 0) + 1
        if item.own and len(self.refused) < QUEUE_SIZE:
            self.refused.append((item, error))
