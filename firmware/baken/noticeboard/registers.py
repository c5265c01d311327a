"""Records of which only the newest of each origin counts: STATUS, HEARTBEAT, and kinds not known here.

A kind that a later version will bring is carried like these: checked, kept, passed on, shown to nobody.
"""

from baken.compat import const
from baken.table import Lookup
from baken.wire import heartbeat, status
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import HEARTBEAT, STATUS

MAX_CARRIED = const(16)  # records of unknown kinds, all origins together
MAX_CARRIED_OF_ORIGIN = const(2)
_ORIGIN_BITS = const(16)
_ORIGIN_MASK = const(0xFFFF)


class Statuses(Lookup):
    """What points say, by number, to read like a dictionary: {point number: Status}.

    Each Status is fetched and decoded when it is asked for; one that cannot be read any more is left out. Its
    `seen` has the receipts that pulses have told since: `receipts(point, STATUS number)` gives the bulletins
    received and read.
    """

    def __init__(self, held, fetch):
        self._held = held
        self._fetch = fetch
        self.receipts = None

    def __iter__(self):
        return iter([key & _ORIGIN_MASK for key in self._held if key >> _ORIGIN_BITS == STATUS])

    def __contains__(self, origin):
        return _key(STATUS, origin) in self._held

    def get(self, key, default=None):
        """The Status of a point, or `default`."""
        number = self.number(key)
        raw = self._fetch((STATUS, key, number, 0)) if number else None
        if raw is None:
            return default
        told = status.decode(raw)
        received, read = self.receipts(key, number) if self.receipts is not None else (0, 0)
        if told.seen and (received or read):
            told.seen = (status.seen_after(told.seen[0], received, read),) + told.seen[1:]
        return told

    def number(self, origin):
        """Sequence number of the STATUS of a point, None without one; nothing is decoded."""
        return self._held.get(_key(STATUS, origin))


class Registers:
    """`statuses`: {point number: Status}, see there; `heartbeats`: {authority number: Heartbeat}.

    Only sequence numbers are held here; `fetch(record id)` gives a raw record.
    """

    def __init__(self, fetch):
        self._fetch = fetch
        self._held = {}  # kind and origin in one number -> sequence number: there may be hundreds
        self.statuses = Statuses(self._held, fetch)
        self.heartbeats = {}
        self._carried = 0

    def ids_of(self, kind):
        """Record ids of one kind, by origin; None: of unknown kinds."""
        found = []
        for key in sorted(self._held):
            held = key >> _ORIGIN_BITS
            if held == kind or (kind is None and _is_carried(held)):
                found.append((held, key & _ORIGIN_MASK, self._held[key], 0))
        return found

    def kinds(self):
        """The kinds of which something is held."""
        return {key >> _ORIGIN_BITS for key in self._held}

    def numbers(self, kind):
        """(origin, sequence number) of all of one kind, by origin."""
        for key in sorted([key for key in self._held if key >> _ORIGIN_BITS == kind]):
            yield key & _ORIGIN_MASK, self._held[key]

    def seq(self, kind, origin):
        """Sequence number of the newest record of this kind and origin, 0 for none."""
        return self._held.get(_key(kind, origin), 0)

    def is_known(self, header, raw):
        """Whether this very record is held; RemoteProtocolError when a later one is, or another with its
        number, or when there is no room.
        """
        held = self.seq(header.kind, header.origin)
        if not held and _is_carried(header.kind):
            self._check_room(header.origin)
        if header.seq > held:
            return False
        if header.seq == held and self._fetch(header.record_id) == raw:
            return True
        raise RemoteProtocolError(
            "record %d of %d/%d is not newer than %d" % (header.seq, header.kind, header.origin, held),
            "old-status" if header.kind == STATUS else "old",
        )

    def _check_room(self, origin):
        of_origin = len(self.of_origin(_is_carried, origin))
        if self._carried >= MAX_CARRIED or of_origin >= MAX_CARRIED_OF_ORIGIN:
            raise RemoteProtocolError(
                "%d carried, %d of origin %d, limits %d and %d"
                % (self._carried, of_origin, origin, MAX_CARRIED, MAX_CARRIED_OF_ORIGIN),
                "full",
            )

    def decode(self, header, raw):
        """What the record says: a Status, a Heartbeat, or None for a kind that is only carried."""
        if header.kind == STATUS:
            return status.decode(raw)
        if header.kind == HEARTBEAT:
            return heartbeat.decode(raw)
        if header.parts != 1:
            raise RemoteProtocolError("kind %d in %d parts" % (header.kind, header.parts), "record-part")
        return None

    def add(self, header, said):
        """Note a checked record in place of the one before; the id of that one, or None."""
        kind, origin = header.kind, header.origin
        before = self.seq(kind, origin)
        self._held[_key(kind, origin)] = header.seq
        if kind == HEARTBEAT:
            self.heartbeats[origin] = said
        elif kind != STATUS and not before:
            self._carried += 1
        return (kind, origin, before, 0) if before and before != header.seq else None

    def remove(self, kind, origin):
        """Forget what is held of this kind and origin; its id, or None."""
        seq = self._held.pop(_key(kind, origin), None)
        if seq is None:
            return None
        if kind == HEARTBEAT:
            del self.heartbeats[origin]
        elif kind != STATUS:
            self._carried -= 1
        return (kind, origin, seq, 0)

    def of_origin(self, kinds, origin):
        """Ids of the records held of an origin, of the kinds for which `kinds(kind)` is true."""
        return [
            (key >> _ORIGIN_BITS, origin, seq, 0)
            for key, seq in self._held.items()
            if key & _ORIGIN_MASK == origin and kinds(key >> _ORIGIN_BITS)
        ]


def _key(kind, origin):
    return kind << _ORIGIN_BITS | origin


def _is_carried(kind):
    return kind != STATUS and kind != HEARTBEAT
