"""The bulletins of a replica: which are held, which were retired, which go when there is no room.

When the board is full, expired bulletins go first, then superseded or withdrawn ones, then the least severe
and oldest. An unexpired ALARM never goes; when only those are left a new bulletin is refused. An authority
that has taken its share makes room among its own.
"""

from baken.compat import const
from baken.noticeboard.notice import SUPERSEDED, WITHDRAWN, Notice, state_of
from baken.wire import bulletin, status
from baken.wire.errors import RemoteProtocolError
from baken.wire.heading import Heading
from baken.wire.records import BULLETIN, pack_key, unpack_key

MAX_BULLETINS = const(64)
MAX_PARTS = const(160)  # of all bulletins, 38 kB of memory
# So that one authority's key, stolen or used without sense, cannot take all places:
MAX_OF_AUTHORITY = const(48)
MAX_PARTS_OF_AUTHORITY = const(120)
MAX_RETIRED = const(64)  # remembered per authority
_LONGEST_S = bulletin.MAX_VALIDITY_UNITS * bulletin.VALIDITY_UNIT_S


class Board:
    """`notices`: {(origin, seq): Notice}; `read`: keys that a person here has confirmed; `fetch(record id)`
    gives a raw record, `names()` the TrustList, see Notice.
    """

    def __init__(self, fetch, names=None):
        self._fetch = fetch
        self._names = names
        self.notices = {}
        self.read = set()
        self._retired = {}

    # --- what is held

    def ids(self):
        """Record ids of every part held, by authority and number."""
        return [record_id for key in sorted(self.notices) for record_id in self.notices[key].ids]

    def held(self):
        """({authority: numbers held whole}, {key: mask of the parts held} of the others), as in a Digest."""
        whole = {}
        partial = {}
        for key, notice in self.notices.items():
            if notice.complete:
                whole.setdefault(key[0], set()).add(key[1])
            else:
                partial[key] = notice.mask
        return whole, partial

    def seen(self):
        """Tuple of status.Seen, one for each authority, newest bulletin first: what a STATUS of this place
        tells.
        """
        newest = {}
        for origin, seq in self.notices:
            newest[origin] = max(seq, newest.get(origin, 0))
        out = []
        for origin in sorted(newest, key=self._newest_sent, reverse=True)[: status.MAX_SEEN]:
            seen = status.Seen(origin, newest[origin])
            for index in range(status.WINDOW):
                key = (origin, newest[origin] - index)
                if key in self.notices and self.notices[key].complete:
                    seen.received |= 1 << index
                if key in self.read:
                    seen.read |= 1 << index
            out.append(seen)
        return tuple(out)

    # --- what gossip compares

    def missing_at(self, peer, unix_s):
        """Ids of parts that are here and that the sender of the Digest `peer` lacks, most urgent first."""
        out = []
        for notice in sorted(self.notices.values(), key=lambda notice: notice.rank):
            origin, seq = notice.key
            if seq in peer.held.get(origin, ()) or not self._is_of_use(notice, unix_s):
                continue
            has = peer.partial.get(notice.key, 0)
            for index in notice.held:
                if not has >> index & 1:
                    out.append((BULLETIN, origin, seq, index))
        return out

    def lacks(self, peer, authorities):
        """True when the sender of the Digest `peer` has a bulletin or part of one of the `authorities` that
        is missing here and not retired.
        """
        for origin, seqs in peer.held.items():
            if origin not in authorities:
                continue
            for seq in seqs:
                notice = self.notices.get((origin, seq))
                if (notice is None or not notice.complete) and not self.is_retired((origin, seq)):
                    return True
        for key, mask in peer.partial.items():
            notice = self.notices.get(key)
            here = notice.mask if notice else 0
            if mask & ~here and key[0] in authorities and not self.is_retired(key):
                return True
        return False

    # --- taking in

    def check_part(self, part, raw, unix_s):
        """RemoteProtocolError when a part, new here and rightly signed, is not to be taken."""
        key = (part.origin, part.seq)
        notice = self.notices.get(key)
        if notice and (notice.mask >> part.part & 1 or not notice.accepts(raw)):
            raise RemoteProtocolError("another bulletin has the number %d/%d" % key, "conflict")
        if self.is_retired(key):
            raise RemoteProtocolError("bulletin %d/%d has been retired" % key, "expired")
        if unix_s is not None and unix_s >= self._keep_until(Heading(raw)):
            self._remember_retired(key)
            raise RemoteProtocolError("bulletin %d/%d has expired" % key, "expired")

    def make_room(self, raw, unix_s, area_count):
        """Ids of the records that had to go for a part of a bulletin that is new here; RemoteProtocolError
        when what is held is more important, and then nothing went.
        """
        newcomer = Heading(raw)
        if newcomer.key in self.notices:
            return []
        staying = dict(self.notices)
        if self._crowd(newcomer, staying) is None:
            return []
        leaving = []
        if unix_s is not None:
            leaving = [key for key in staying if unix_s >= self._keep_until(staying[key])]
            for key in leaving:
                del staying[key]
        past = {key for key in staying if self._is_past(staying[key], unix_s, area_count)}
        crowd = self._crowd(newcomer, staying)
        while crowd is not None:
            crowd = [key for key in crowd if key in past or not staying[key].is_alarm]
            last = max(crowd, key=lambda key: (key in past, staying[key].rank)) if crowd else None
            if last is None or (last not in past and staying[last].rank < newcomer.rank):
                raise RemoteProtocolError(
                    "board is full: %d bulletins, limit %d" % (len(self.notices), MAX_BULLETINS), "full"
                )
            leaving.append(last)
            del staying[last]
            crowd = self._crowd(newcomer, staying)
        gone = []
        for key in leaving:
            gone += self.retire(key)
        return gone

    def add(self, part, raw):
        """Keep a checked part, unless it does not go with those that are here, as after damage in the
        store.
        """
        key = (part.origin, part.seq)
        notice = self.notices.get(key)
        if notice is None:
            notice = Notice(raw, self._fetch, self._names)
            self.notices[notice.key] = notice
        elif not notice.accepts(raw):
            return
        notice.add(part)

    # --- letting go

    def expire(self, unix_s):
        """Forget what is no longer needed at `unix_s`; the ids of the records that went."""
        gone = []
        for key in list(self.notices):
            if unix_s >= self._keep_until(self.notices[key]):
                gone += self.retire(key)
        return gone

    def next_expiry_s(self):
        """Unix seconds at which `expire` has something to do, or None."""
        times = [self._keep_until(notice) for notice in self.notices.values()]
        return min(times) if times else None

    def retire(self, key):
        """Forget a bulletin and never take it again; the ids of its records."""
        notice = self.notices.pop(key)
        self._remember_retired(key)
        return notice.ids

    def lose(self, record_id):
        """A part cannot be read any more: let it come again."""
        notice = self.notices.get(record_id[1:3])
        if notice is not None:
            notice.mask &= ~(1 << record_id[3])
            if not notice.mask:
                del self.notices[notice.key]

    def forget_origin(self, origin, is_good):
        """Forget the bulletins of an authority of which `is_good(record id)` does not hold, and which of its
        numbers were retired: a new key counts anew. The ids of the records that went.
        """
        gone = []
        for key in [key for key in self.notices if key[0] == origin]:
            if not all([is_good(record_id) for record_id in self.notices[key].ids]):
                gone += self.retire(key)
        self._retired.pop(origin, None)
        return gone

    def forget_retired(self):
        """The clock by which bulletins were refused as expired was wrong: let them come again."""
        self._retired.clear()

    def is_retired(self, key):
        """Whether this bulletin was held or refused, and is not to come back."""
        return key[1] in self._retired.get(key[0], ())

    # --- inside

    def _keep_until(self, heading):
        """When a bulletin may be forgotten: at its expiry; an Update or Cancel not before what it names has
        expired, else an old copy from a neighbour would come back to life.
        """
        keep_s = heading.expires_s
        if heading.is_update or heading.is_cancel:
            for key in heading.references:
                named = self.notices.get(key)
                if named:
                    keep_s = max(keep_s, named.expires_s)
                elif not self.is_retired(key):
                    keep_s = max(keep_s, heading.sent_s + _LONGEST_S)
        return keep_s

    def _is_of_use(self, notice, unix_s):
        """False for an expired bulletin that is only kept because what it names may still turn up."""
        if unix_s is None or unix_s < notice.expires_s:
            return True
        for key in notice.references:
            named = self.notices.get(key)
            if named and unix_s < named.expires_s:
                return True
        return False

    def _crowd(self, newcomer, staying):
        """Keys of those of which one must go for a new bulletin, None when there is room beside `staying`.

        Missing parts have their room too, so that what was begun can become whole.
        """
        parts = of_authority = parts_of_authority = 0
        for (origin, _), notice in staying.items():
            parts += notice.count
            if origin == newcomer.key[0]:
                of_authority += 1
                parts_of_authority += notice.count
        if of_authority >= MAX_OF_AUTHORITY or parts_of_authority + newcomer.count > MAX_PARTS_OF_AUTHORITY:
            return [key for key in staying if key[0] == newcomer.key[0]]
        if len(staying) >= MAX_BULLETINS or parts + newcomer.count > MAX_PARTS:
            return list(staying)
        return None

    def _is_past(self, notice, unix_s, area_count):
        """Superseded or withdrawn everywhere it was meant for."""
        areas = notice.meta.areas or [None] + list(range(area_count))
        held = self.notices.values()
        return all([state_of(notice, held, area, unix_s) in (SUPERSEDED, WITHDRAWN) for area in areas])

    def _remember_retired(self, key):
        retired = self._retired.setdefault(key[0], set())
        retired.add(key[1])
        if len(retired) > MAX_RETIRED:
            retired.remove(min(retired))

    def _newest_sent(self, origin):
        return max([notice.sent_s for key, notice in self.notices.items() if key[0] == origin])


def pack_keys(keys):
    """Keys (origin, seq) as bytes, for the store."""
    return b"".join([pack_key(key) for key in sorted(keys)])


def unpack_keys(data):
    """The set of keys that `pack_keys` wrote; empty for None."""
    keys = set()
    data = data or b""
    for at in range(0, len(data) - 4, 5):
        keys.add(unpack_key(data, at))
    return keys
