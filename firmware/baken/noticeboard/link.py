"""Bringing two replicas up to date over a cable: a link without collisions that may break at any moment.

Both ends run the same session. Each says what it holds (DIGEST and TALLY) when the link opens, when that has
changed because of the other's records, and every two minutes; each pushes what the other lacks, a batch per
digest. A record that arrives from elsewhere is offered at once. All of it may be lost or repeated without
harm.
"""

from baken.compat import const
from baken.noticeboard.replica import NEW, REFUSED, Outcome
from baken.wire import digest as wire
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import DIGEST, TALLY, message_kind

BATCH = const(6)  # records pushed for one digest; a node queues 32 packets for its client
MAX_QUEUE = const(16)
PERIOD_MS = const(120000)


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

    def open(self, now):
        """The link is up (again)."""
        self._queue = []
        self._say_at = now
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
        else:
            self._say_at = 0  # as soon as there is room: the digest will show what is missing

    def receive(self, payload, unix_s, now):
        """Take one payload from the other end; never raises for what the bytes hold."""
        kind = message_kind(payload)
        try:
            if kind == DIGEST:
                self._receive_digest(wire.decode_digest(payload), unix_s, now)
                return None
            if kind == TALLY:
                self._push(self.replica.missing_on_page(wire.decode_tally(payload)))
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
        return 0 if self._queue else self._say_at

    def next_payload(self, now):
        """Bytes for the other end, or None."""
        if self._say_at is not None and now >= self._say_at:
            self._say(now)
        return self._queue.pop(0) if self._queue else None

    def _say(self, now):
        self._say_at = now + PERIOD_MS
        pages = wire.encode_tally(self.replica.tally())
        self._queue += [wire.encode_digest(self.replica.digest())] + pages

    def _receive_digest(self, peer, unix_s, now):
        missing = self.replica.missing_at(peer, unix_s)
        richer = self.replica.lacks(peer)
        self._push(missing)
        same_statuses = peer.tally_crc == self.replica.tally_crc()
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
