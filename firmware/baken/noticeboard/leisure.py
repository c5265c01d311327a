"""STATUS records on the air: many, seldom urgent, and so at leisure.

They go from neighbour to neighbour, not by floods, and start no new digests. Between two of them pulses (see
`pulses`) tell of a point, and show every hour who lacks a STATUS; what that misses is found by a tally of
statuses, said ever more rarely.

`Gossip` sends what this says, and serves.
"""

from baken.compat import const
from baken.noticeboard.pulses import PulseFeed, PulseRounds
from baken.wire import digest as wire
from baken.wire.records import STATUS

STATUS_REPEATS = const(4)  # of an own STATUS, while no neighbour is heard sending it on
WINDOW_IMINS = const(8)  # shortest intervals in a window of the pulses
_WAITS = const(8)  # a STATUS waits up to this part of a window
_TALLY_SHARE = const(2000)  # the tally of statuses takes no more of the time, in the long run
_URGENT = (b"F", b"I")  # priorities of a STATUS that is flooded


class Leisure:
    """`imin_ms`: shortest interval between digests; `is_bridge`, `rand`: as for PulseRounds.

    `deadline()`: when `poll` has something again, ms, or None.
    """

    def __init__(self, replica, imin_ms, is_bridge, rand, now):
        self._replica = replica
        self._rand = rand
        self._imin_ms = imin_ms
        self._rounds = PulseRounds(replica.pulses, WINDOW_IMINS * imin_ms, is_bridge, rand)
        self._feed = PulseFeed(replica.pulses)
        self._repeats = {}  # own STATUS that nobody was heard sending on -> times left
        self._tally_at = None
        self._tally_after = now
        self._tally_pause = imin_ms
        self._points_known = len(replica.statuses)

    def belong_to(self, point):
        """This is the node of that point: its pulses are repeated until a neighbour is heard."""
        self._rounds.own_point = point

    def configure(self, imin_ms, is_bridge):
        """Go on at another modem setting."""
        self._imin_ms = imin_ms
        self._rounds.window_ms = WINDOW_IMINS * imin_ms
        self._rounds.is_bridge = is_bridge

    # --- records

    def spread(self, record_id):
        """A STATUS came by another way than the air: ms until it is to go to the neighbours, who will do the
        same; None when it is urgent, for a flood.
        """
        point = record_id[1]
        self._rounds.answered(point)
        self._repeats = {kept: left for kept, left in self._repeats.items() if kept[1] != point}
        self._repeats[record_id] = STATUS_REPEATS
        told = self._replica.statuses.get(point)
        return None if told is None or told.priority in _URGENT else self._wait_ms()

    def learn(self, point, now):
        """A STATUS that is new here came over the air: ms until it is to be sent on."""
        self._rounds.answered(point)
        if len(self._replica.statuses) > self._points_known:
            self._points_known = len(self._replica.statuses)
            self._tally_pause = self._imin_ms  # a tally brings us much that is new
            self._tally_after = min(self._tally_after, now + self._tally_pause)
        return self._wait_ms()

    def heard(self, record_id):
        """A neighbour sends this record."""
        self._repeats.pop(record_id, None)

    def repeat(self, record_id):
        """A record was sent: ms until it is to go out once more unless a neighbour is heard sending it on
        meanwhile, or None.
        """
        left = self._repeats.pop(record_id, 0)
        if not left:
            return None
        self._repeats[record_id] = left - 1
        # Doubled each time, it outlasts a channel that is full for minutes, as after a long bulletin.
        wait = (self._rounds.window_ms * 2 // _WAITS) << (STATUS_REPEATS - left)
        return wait + self._rand(wait)

    # --- gossip

    def receive_pulses(self, pulses, now):
        """Take the pulses of a frame heard; ids of the STATUS records held here that its sender lacks."""
        lacking = self._rounds.receive(pulses, now)
        return [(STATUS, point, self._replica.statuses.number(point), 0) for _, point in lacking]

    def differ(self, wait, now):
        """A neighbour holds other statuses: say the tally after `wait` ms, unless that was done lately."""
        if self._tally_at is None and now >= self._tally_after:
            self._tally_at = now + wait

    def receive_tally(self, page, now):
        """Take a page of a TALLY: ask for what is missing, and keep silent when it was of statuses."""
        if page.page == 0 and page.entries and page.entries[0][0] == STATUS:
            self._tally_at = None
            self._tally_after = max(self._tally_after, now + self._tally_pause)
        for point in self._replica.inventory.statuses_lacked_on_page(page):
            self._rounds.ask(point, now)

    def deadline(self):
        if self._feed.has_news():
            return 0
        due = self._rounds.deadline()
        if due is None or self._tally_at is None:
            return self._tally_at if due is None else due
        return min(due, self._tally_at)

    def poll(self, now, airtime):
        """Payloads to send now, for all neighbours; `airtime(payload)` in ms."""
        if self._tally_at is not None and self._tally_at <= now:
            return self._say_tally(now, airtime)
        if self._feed.has_news():
            for point in self._feed.take():
                self._rounds.tell(point, now)
        message = self._rounds.poll(now)
        return [] if message is None else [message]

    # --- inside

    def _wait_ms(self):
        return self._rand(self._rounds.window_ms // _WAITS)

    def _say_tally(self, now, airtime):
        self._tally_at = None
        pages = wire.encode_tally(self._replica.inventory.tally(), letters=False)
        self._tally_after = now + self._tally_pause
        longest = _TALLY_SHARE * sum([airtime(page) for page in pages])
        self._tally_pause = min(2 * self._tally_pause, longest)
        return pages
