"""Bringing two replicas up to date over a cable: a link without collisions that may break at any moment.

Both ends run the same session. Each says what it holds (DIGEST and TALLY) when the link opens, when that has
changed because of the other's records, and every two minutes; each pushes what the other lacks, a batch per
digest. A record that arrives from elsewhere is offered at once, pulses a few seconds later. All of it may be
lost or repeated without harm.
"""

from baken.compat import const
from baken.noticeboard import pulses as book
from baken.noticeboard.pulses import PulseFeed
from baken.noticeboard.replica import NEW, REFUSED, Outcome
from baken.wire import digest as wire
from baken.wire import pulse
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import DIGEST, MAX_PAYLOAD, PULSES, STATUS, TALLY, decode_header, message_kind

BATCH = const(6)  # records pushed for one digest; a node queues 32 packets for its client
MAX_QUEUE = const(16)
PERIOD_MS = const(120000)
PULSES_MS = const(5000)  # pulses of many points come within minutes: several in a message


class LinkSession:
    """One end. `receive(payload, unix_s, now)` returns the Outcome of a record, None for gossip.

    `take(raw, unix_s, now)` puts a record into the replica and gives its Outcome; a node passes the method
    that also floods it. None: the replica's own.

    `next_payload(now)` gives what to send to the other end, `deadline()` when to ask again. `in_step` is
    true when the other end's last digest showed nothing missing on either side; `counters` tells what was
    refused.
    """

    def __init__(self, replica, take=None):
        self.replica = replica
        self._take = take
        self.counters = {}
        self.in_step = False
        self._queue = []
        self._say_at = None
        self._feed = PulseFeed(replica.pulses)
        self._pulses_at = 0

    def open(self, now):
        """The link is up (again)."""
        self._queue = []
        self._say_at = now
        self._feed.forget()
        self._pulses_at = now + PULSES_MS  # behind the statuses that they belong to
        self.in_step = False

    def close(self):
        """The link is down."""
        self._queue = []
        self._say_at = None
        self.in_step = False

    def offer(self, raw):
        """A record that is new here, from elsewhere: pass it on."""
        if self._say_at is None:
            return
        if len(self._queue) < MAX_QUEUE:
            self._queue.append(bytes(raw))
            self._forget_pulse(raw)
        else:
            self._say_at = 0  # as soon as there is room: the digest will show what is missing

    def receive(self, payload, unix_s, now):
        """Take one payload from the other end; never raises for what the bytes hold."""
        kind = message_kind(payload)
        try:
            if kind == DIGEST:
                self._receive_digest(wire.decode_digest(payload), unix_s, now)
                return None
            if kind == PULSES:
                self._receive_pulses(pulse.decode(payload))
                return None
            if kind == TALLY:
                self._push(self.replica.inventory.missing_on_page(wire.decode_tally(payload)))
                return None
        except RemoteProtocolError as error:
            self.counters[error.cause] = self.counters.get(error.cause, 0) + 1
            return Outcome(REFUSED, None, error.cause)
        if self._take is None:
            outcome = self.replica.receive_record(payload, unix_s)
        else:
            outcome = self._take(payload, unix_s, now)
        if outcome.state == NEW:
            if self._say_at is not None:
                self._say_at = min(self._say_at, now + 200)  # after the rest of the batch
        return outcome

    def deadline(self):
        """When `next_payload` has something, ms; None while the link is down."""
        if self._queue or self._say_at is None:
            return 0 if self._queue else None
        return min(self._say_at, self._pulses_at) if self._feed.has_news() else self._say_at

    def next_payload(self, now):
        """Bytes for the other end, or None."""
        if self._say_at is not None and now >= self._say_at:
            self._say(now)
        if self._say_at is not None and now >= self._pulses_at and self._feed.has_news():
            self._say_pulses(now)
        return self._queue.pop(0) if self._queue else None

    def _say(self, now):
        self._say_at = now + PERIOD_MS
        pages = wire.encode_tally(self.replica.inventory.tally())
        self._queue += [wire.encode_digest(self.replica.inventory.digest())] + pages

    def _say_pulses(self, now):
        self._pulses_at = now + PULSES_MS
        message = []
        size = 1
        for point in sorted(self._feed.take()):
            one = self.replica.pulses.get(point)
            if one is None:
                continue  # its STATUS cannot be read
            if size + one.size > MAX_PAYLOAD:
                self._queue.append(pulse.encode(message))
                message, size = [], 1
            message.append(one)
            size += one.size
        if message:
            self._queue.append(pulse.encode(message))

    def _receive_pulses(self, pulses):
        for one in pulses:
            state = self.replica.pulses.receive(one)
            if state == book.LATER:
                if self._say_at is not None:
                    self._say_at = 0  # our tally shows that the STATUS is missing here
            elif state in (book.NEW, book.KNOWN) and one.steps:
                self._feed.mark(one)

    def _forget_pulse(self, raw):
        """The other end learns of this STATUS only now, and could make nothing of the pulse before."""
        if message_kind(raw) == STATUS:  # a draft is offered too, and has no header
            self._feed.forget(decode_header(raw).origin)

    def _receive_digest(self, peer, unix_s, now):
        missing = self.replica.inventory.missing_at(peer, unix_s)
        richer = self.replica.inventory.lacks(peer)
        self._push(missing)
        same_statuses = peer.tally_crc == self.replica.inventory.tally_crc()
        was_in_step = self.in_step
        self.in_step = not missing and not richer and same_statuses
        news = self.in_step and not was_in_step  # the other end should know it too
        if (richer or news) and self._say_at is not None:
            self._say_at = min(self._say_at, now + 1000)

    def _push(self, record_ids):
        for record_id in record_ids[:BATCH]:
            raw = self.replica.get(record_id)
            if raw is not None and raw not in self._queue and len(self._queue) < MAX_QUEUE:
                self._queue.append(raw)
                self._forget_pulse(raw)
