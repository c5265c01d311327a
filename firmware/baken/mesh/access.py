"""Taking turns on the channel: the transmit queue, its timer, and what the law and politeness allow.

A frame waits for a contention delay, then it is offered to the radio, which checks the channel once. Busy: a
new delay. Free: it is sent. One timer serves the whole queue; its length is that of the frame in front.
"""

from baken.compat import const
from baken.mesh.airtime import ChannelUtilisation, DutyBudget
from baken.mesh.flood import Contention
from baken.mesh.queue import QUEUE_SIZE, Queued, TransmitQueue
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import ERROR_DUTY_CYCLE_LIMIT, ERROR_NO_INTERFACE, PRIORITY_ALERT
from baken.wire.packet import MAX_FRAME

_POLITE_PERCENT = const(25)
_CROWDED_PERCENT = const(40)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable

    from baken.mesh.config import MeshConfig


class ChannelAccess:
    """`refused` lists (frame, Routing.Error) that will not be sent; the owner takes them out."""

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
        self._held = None  # the frame that holds back until then; another may come first

    def configure(self, config: "MeshConfig") -> None:
        """Take another modem, band or role; what was spent stays spent."""
        self.modem = config.modem()
        self._length = -1  # of the frame whose airtime was asked last
        self._airtime_ms = 0
        self.budget.set_limit(config.duty_permille())
        self.contention = Contention(self.modem, config.role, self._rand)
        self._can_transmit = config.can_transmit()

    def airtime_ms(self, frame: bytes) -> int:
        """Time on air of a frame; what is too long to be one counts as the longest."""
        length = min(len(frame), MAX_FRAME)
        if length != self._length:  # asked five times on a frame's way; the numbers in between are long ones
            self._length = length
            self._airtime_ms = self.modem.airtime_ms(length)
        return self._airtime_ms

    def heard(self, frame: bytes, now: int) -> int:
        """Count a frame that was received, good or bad; gives its airtime."""
        airtime_ms = self.airtime_ms(frame)
        self.utilisation.spend(airtime_ms, now)
        return airtime_ms

    def put(self, item: Queued, now: int) -> bool:
        """Queue a frame; False when it is refused at once."""
        if not self._allow(item, now, True):  # how urgent it is may turn out while it waits
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

    def hasten(self, key: bytes, priority: int) -> bool:
        """Let a waiting frame have at least this priority; False when there is none."""
        waiting = self.queue.find(key)
        if waiting is None:
            return False
        waiting.priority = max(waiting.priority, priority)
        return True

    def start_timer(self, now: int) -> None:
        """Wait for our turn if something is queued, unless a wait is running."""
        if self.offered is not None or (self._fire_at is not None and self._held is None):
            return
        front = self.queue.front(now)
        if front is None or front is self._held:
            return
        self._held = front if front.not_before > now else None
        if self._held is not None:  # two that hold back until the same moment must not start in the same slot
            self._fire_at = front.not_before + self.contention.own_ms(self.utilisation.percent(now))
        elif front.snr_db is None:
            self._fire_at = now + self.contention.own_ms(self.utilisation.percent(now))
        else:
            self._fire_at = now + self.contention.relay_ms(front.snr_db)

    def restart_timer(self, now: int) -> None:
        """The order of the queue has changed: wait for whoever is in front now."""
        if self.offered is None:
            self._fire_at = None
            self._held = None
            self.start_timer(now)

    def next_offer(self, now: int) -> "Queued | None":
        """The frame whose turn it is; answer with `busy` or `transmitted`."""
        while self.offered is None and self._fire_at is not None and now >= self._fire_at:
            self._fire_at = None
            self._held = None
            front = self.queue.front(now)
            if front is None:
                return None
            if front.not_before > now:
                self.start_timer(now)
                return None
            if self._allow(front, now, front.priority >= PRIORITY_ALERT):
                self.offered = front
                return front
            self.queue.remove(front)
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

    # How much we may take of the channel

    def is_polite(self, now: int) -> bool:
        """Whether the channel is free enough for what nobody waits for: below 25 % in the last minute."""
        return self.utilisation.percent(now) < _POLITE_PERCENT

    def is_quiet_enough(self, now: int) -> bool:
        """Whether it is free enough for an answer that can wait, as a NodeInfo: below 40 %."""
        return self.utilisation.percent(now) < _CROWDED_PERCENT

    def allows_own_news(self, now: int) -> bool:
        """Whether what we tell of ourselves may go out: politely, and with half of our hour still free."""
        return self.is_polite(now) and self.has_half_left(now)

    def has_half_left(self, now: int) -> bool:
        """Whether half of our hour is still free: the rest is kept for messages."""
        return 2 * self.budget.spent_ms(now) < self.budget.limit_ms

    def _allow(self, item: Queued, now: int, is_life_saving: bool) -> bool:
        if not self._can_transmit:
            self._refuse(item, ERROR_NO_INTERFACE, "tx-disabled")
        elif not self.budget.allow(self.airtime_ms(item.frame), now, is_life_saving):
            self._refuse(item, ERROR_DUTY_CYCLE_LIMIT, "duty-cycle")
        else:
            return True
        return False

    def _refuse(self, item: Queued, error: int, cause: str) -> None:
        self._counters[cause] = self._counters.get(cause, 0) + 1
        if len(self.refused) < QUEUE_SIZE:
            self.refused.append((item, error))
