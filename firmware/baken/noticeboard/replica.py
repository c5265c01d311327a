"""A replica of the noticeboard: takes records in after checking them, forgets them when they have expired.

Every record is checked before it is stored, shown or passed on; a refused one is counted by cause and never
displaces a good one. What goes when the board is full: expired bulletins, then superseded or withdrawn ones,
then the least severe and oldest. An unexpired ALARM never goes; when only those are left the new record is
refused.
"""

from baken.compat import const
from baken.crypto import signing
from baken.noticeboard.notice import SUPERSEDED, WITHDRAWN, Notice, current, state_of
from baken.wire import bulletin, status
from baken.wire.digest import WINDOW as DIGEST_WINDOW
from baken.wire.digest import Digest, tally_crc
from baken.wire.errors import ProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import BULLETIN, STATUS, decode_header, signature_of, signed_bytes

MAX_BULLETINS = const(64)
MAX_RETIRED = const(64)  # remembered per authority

NEW = "new"
KNOWN = "known"
REFUSED = "refused"


class Outcome(Record):
    """What became of a record: `state` NEW, KNOWN or REFUSED, `cause` of a refusal (""), `record_id` or
    None.
    """

    __slots__ = ("cause", "record_id", "state")

    def __init__(self, state, record_id=None, cause=""):
        self.state = state
        self.record_id = record_id
        self.cause = cause


class Replica:
    """The records of one region as this program knows them.

    `trust`: TrustList; `store`: see `store`. Records found in the store are checked again like received ones.
    `notices`: {(origin, seq): Notice}; `statuses`: {point number: Status}; `counters`: {cause: count of
    refusals};
    `revision` grows with every change; `newest_sent_s`: the latest time an authority has signed, or None.
    """

    def __init__(self, trust, store):
        self.trust = trust
        self.notices = {}
        self.statuses = {}
        self.counters = {}
        self.revision = 0
        self.newest_sent_s = None
        self._store = store
        self._status_records = {}
        self._retired = {}
        self._read = _unpack_keys(store.get("read"))
        self._tally = None
        self._load()

    # --- taking in

    def receive_record(self, raw, unix_s):
        """Check and keep one record that came from anywhere; never raises for what the bytes hold.

        `unix_s`: calendar time now, or None when it is unknown.
        """
        try:
            header = decode_header(raw)
            if header.kind == BULLETIN:
                return self._receive_bulletin(header, bytes(raw), unix_s)
            if header.kind == STATUS:
                return self._receive_status(header, bytes(raw))
            raise RemoteProtocolError("record kind %d" % header.kind, "unknown-kind")
        except RemoteProtocolError as error:
            return self._refuse(error.cause)

    def expire(self, unix_s):
        """Forget what is no longer needed at `unix_s`; the ids of the records that went."""
        gone = []
        for key in list(self.notices):
            if unix_s >= self._keep_until(self.notices[key].meta):
                gone += self._retire(key)
        return gone

    def next_expiry_s(self):
        """Unix seconds at which `expire` has something to do again, None when nothing is held."""
        if not self.notices:
            return None
        return min([self._keep_until(notice.meta) for notice in self.notices.values()])

    def forget_retired(self):
        """The clock by which bulletins were refused as expired was wrong: let them come again."""
        self._retired.clear()

    def mark_read(self, key):
        """A person here has confirmed bulletin `key`; remembered in the store and told in the point's
        STATUS.
        """
        if key in self.notices and key not in self._read:
            self._read.add(key)
            self._store.set("read", _pack_keys([key for key in self._read if key in self.notices]))
            self.revision += 1

    def is_read(self, key):
        return key in self._read

    # --- asking

    def get(self, record_id):
        """Raw bytes of a record, or None."""
        kind, origin, seq, part = record_id
        if kind == BULLETIN:
            notice = self.notices.get((origin, seq))
            return notice.parts.get(part) if notice else None
        held = self._status_records.get(origin)
        if kind == STATUS and held and self.statuses[origin].seq == seq:
            return held
        return None

    def records(self):
        """Every raw record held: bulletins by authority and number, then statuses by point."""
        out = []
        for key in sorted(self.notices):
            parts = self.notices[key].parts
            out += [parts[index] for index in sorted(parts)]
        return out + [self._status_records[point] for point in sorted(self._status_records)]

    def current(self, area, unix_s, restricted=False):
        """Notices to show at a place, see `notice.current`."""
        return current(self.notices.values(), area, unix_s, restricted)

    def state_of(self, notice, area, unix_s):
        """See `notice.state_of`."""
        return state_of(notice, self.notices.values(), area, unix_s)

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
                if key in self._read:
                    seen.read |= 1 << index
            out.append(seen)
        return tuple(out)

    # --- what gossip compares

    def tally(self):
        """Sorted list of (point, seq) of the newest STATUS of each point."""
        return sorted([(point, held.seq) for point, held in self.statuses.items()])

    def tally_crc(self):
        """Checksum of the tally, worked out once for each change of a STATUS."""
        if self._tally is None:
            self._tally = tally_crc(self.tally())
        return self._tally

    def digest(self):
        """Digest of what this replica holds."""
        held = {}
        partial = {}
        for key, notice in self.notices.items():
            if notice.complete:
                held.setdefault(key[0], set()).add(key[1])
            else:
                partial[key] = notice.mask
        return Digest(self.tally_crc(), held, partial)

    def missing_at(self, peer, unix_s):
        """Ids of bulletin parts that are here and that the sender of the Digest `peer` lacks, the most
        urgent first. What lies below the window of its mask cannot be told and counts as held.
        """
        out = []
        for notice in sorted(self.notices.values(), key=lambda notice: notice.rank):
            if not self._is_of_use(notice, unix_s):
                continue
            origin, seq = notice.key
            held = peer.held.get(origin, ())
            if seq in held or (held and seq <= max(held) - DIGEST_WINDOW):
                continue
            has = peer.partial.get(notice.key, 0)
            for index in sorted(notice.parts):
                if not has >> index & 1:
                    out.append((BULLETIN, origin, seq, index))
        return out

    def lacks(self, peer):
        """True when the sender of the Digest `peer` has a bulletin or part that is missing here and not
        retired.
        """
        for origin, seqs in peer.held.items():
            if origin not in self.trust.authorities:
                continue
            for seq in seqs:
                notice = self.notices.get((origin, seq))
                if (notice is None or not notice.complete) and seq not in self._retired.get(origin, ()):
                    return True
        for key, mask in peer.partial.items():
            notice = self.notices.get(key)
            here = notice.mask if notice else 0
            if (
                mask & ~here
                and key[1] not in self._retired.get(key[0], ())
                and key[0] in self.trust.authorities
            ):
                return True
        return False

    def statuses_missing_at(self, peer):
        """Ids of STATUS records that are newer here than on the Tally page `peer`, or absent from it."""
        theirs = dict(peer.entries)
        low = 0 if peer.page == 0 or not peer.entries else peer.entries[0][0]
        high = 0xFFFF if peer.page == peer.pages - 1 or not peer.entries else peer.entries[-1][0]
        out = []
        for point, seq in self.tally():
            if low <= point <= high and seq > theirs.get(point, 0):
                out.append((STATUS, point, seq, 0))
        return out

    def lacks_statuses(self, peer):
        """True when the Tally page `peer` has a newer STATUS of a trusted point."""
        for point, seq in peer.entries:
            held = self.statuses.get(point)
            if point in self.trust.points and (held is None or seq > held.seq):
                return True
        return False

    # --- inside

    def _receive_bulletin(self, header, raw, unix_s):
        key = (header.origin, header.seq)
        notice = self.notices.get(key)
        if notice and notice.parts.get(header.part) == raw:
            return Outcome(KNOWN, header.record_id)
        authority = self.trust.authorities.get(header.origin)
        if authority is None:
            raise RemoteProtocolError("authority %d is not trusted" % header.origin, "unknown-authority")
        part = bulletin.decode_part(raw)
        self._verify(authority.public, raw)
        if notice and (header.part in notice.parts or not notice.accepts(raw)):
            raise RemoteProtocolError("another bulletin has the number %d/%d" % key, "conflict")
        if header.seq in self._retired.get(header.origin, ()):
            raise RemoteProtocolError("bulletin %d/%d has been retired" % key, "expired")
        if unix_s is not None and unix_s >= self._keep_until(part):
            self._remember_retired(key)
            raise RemoteProtocolError("bulletin %d/%d has expired" % key, "expired")
        if notice is None:
            self._make_room(part, unix_s)
        self._store.put(raw)
        self._add_part(key, part, raw, unix_s)
        return Outcome(NEW, header.record_id)

    def _add_part(self, key, part, raw, unix_s):
        notice = self.notices.get(key)
        if notice is None:
            notice = self.notices[key] = Notice(part, self.trust)
        notice.add(part, raw)
        if notice.complete:
            notice.received_s = unix_s
        if self.newest_sent_s is None or part.sent_s > self.newest_sent_s:
            self.newest_sent_s = part.sent_s
        self.revision += 1

    def _receive_status(self, header, raw):
        held = self.statuses.get(header.origin)
        if held and header.seq <= held.seq:
            if self._status_records[header.origin] == raw:
                return Outcome(KNOWN, header.record_id)
            raise RemoteProtocolError("status %d is not newer than %d" % (header.seq, held.seq), "old-status")
        point = self.trust.points.get(header.origin)
        if point is None:
            raise RemoteProtocolError("point %d is not trusted" % header.origin, "unknown-point")
        new = status.decode(raw)
        self._verify(point.signing_public, raw)
        self._store.put(raw)
        if held:
            self._store.remove((STATUS, header.origin, held.seq, 0))
        self.statuses[header.origin] = new
        self._status_records[header.origin] = raw
        self._tally = None
        self.revision += 1
        return Outcome(NEW, header.record_id)

    def _verify(self, public, raw):
        if not signing.verify(public, signed_bytes(raw, self.trust.tag), signature_of(raw)):
            raise RemoteProtocolError("signature is wrong", "bad-signature")

    def _refuse(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1
        return Outcome(REFUSED, None, cause)

    def _keep_until(self, meta):
        """When a bulletin may be forgotten: at its expiry; an Update or Cancel not before what it names has
        expired, else an old copy from a neighbour would come back to life.
        """
        keep_s = meta.expires_s
        if meta.msg_type == b"Update" or meta.msg_type == b"Cancel":
            for key in meta.references:
                named = self.notices.get(key)
                if named:
                    keep_s = max(keep_s, named.meta.expires_s)
                elif key[1] not in self._retired.get(key[0], ()):
                    keep_s = max(keep_s, meta.sent_s + bulletin.MAX_VALIDITY_UNITS * bulletin.VALIDITY_UNIT_S)
        return keep_s

    def _is_of_use(self, notice, unix_s):
        """False for an expired bulletin that is only kept because what it names may still turn up."""
        if unix_s is None or unix_s < notice.meta.expires_s:
            return True
        for key in notice.meta.references:
            named = self.notices.get(key)
            if named and unix_s < named.meta.expires_s:
                return True
        return False

    def _make_room(self, newcomer, unix_s):
        if len(self.notices) < MAX_BULLETINS:
            return
        if unix_s is not None and self.expire(unix_s):
            return
        best = None
        for notice in self.notices.values():
            past = self._is_past(notice, unix_s)
            if notice.meta.event == b"ALARM" and not past:
                continue
            order = (past, notice.rank)
            if best is None or order > best[0]:
                best = (order, notice.key)
        if best is None or (not best[0][0] and best[0][1] < Notice(newcomer).rank):
            raise RemoteProtocolError(
                "board is full: %d bulletins, limit %d" % (len(self.notices), MAX_BULLETINS), "full"
            )
        self._retire(best[1])

    def _is_past(self, notice, unix_s):
        """Superseded or withdrawn everywhere it was meant for."""
        areas = notice.meta.areas or [None] + list(range(len(self.trust.areas)))
        return all([self.state_of(notice, area, unix_s) in (SUPERSEDED, WITHDRAWN) for area in areas])

    def _retire(self, key):
        notice = self.notices.pop(key)
        self._remember_retired(key)
        gone = [(BULLETIN, key[0], key[1], index) for index in notice.parts]
        for record_id in gone:
            self._store.remove(record_id)
        self.revision += 1
        return gone

    def _remember_retired(self, key):
        retired = self._retired.setdefault(key[0], set())
        retired.add(key[1])
        if len(retired) > MAX_RETIRED:
            retired.remove(min(retired))

    def _newest_sent(self, origin):
        return max([notice.meta.sent_s for key, notice in self.notices.items() if key[0] == origin])

    def _load(self):
        stored = []
        for raw in self._store.load():
            try:
                stored.append((decode_header(raw).record_id, bytes(raw)))
            except ProtocolError as error:
                self._refuse("stored-" + error.cause)
        for record_id, raw in sorted(stored):
            try:
                self._load_record(record_id, raw)
            except RemoteProtocolError as error:
                self._refuse("stored-" + error.cause)

    def _load_record(self, record_id, raw):
        kind, origin, seq, _part = record_id
        if kind == BULLETIN and origin in self.trust.authorities:
            part = bulletin.decode_part(raw)
            self._verify(self.trust.authorities[origin].public, raw)
            notice = self.notices.get((origin, seq))
            if notice is None or notice.accepts(raw):
                self._add_part((origin, seq), part, raw, None)
        elif kind == STATUS and origin in self.trust.points:
            new = status.decode(raw)
            self._verify(self.trust.points[origin].signing_public, raw)
            held = self.statuses.get(origin)
            if held:
                self._store.remove((STATUS, origin, held.seq, 0))  # a power cut came between put and remove
            self.statuses[origin] = new
            self._status_records[origin] = raw
        else:
            raise RemoteProtocolError(
                "record of kind %d, origin %d is not trusted" % (kind, origin), "untrusted"
            )


def _pack_keys(keys):
    out = bytearray()
    for origin, seq in sorted(keys):
        out += bytes((origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))
    return bytes(out)


def _unpack_keys(data):
    keys = set()
    data = data or b""
    for at in range(0, len(data) - 4, 5):
        keys.add((data[at] << 8 | data[at + 1], data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4]))
    return keys
