"""Records of which only the newest of each origin counts: STATUS, HEARTBEAT, and kinds not known here.

A kind that a later version will bring is carried like these: checked, kept, passed on, shown to nobody.
"""

from baken.compat import const
from baken.wire import heartbeat, status
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import HEARTBEAT, STATUS

MAX_CARRIED = const(16)  # records of unknown kinds, all origins together
MAX_CARRIED_OF_ORIGIN = const(2)


class Statuses:
    """What points say, by number, to read like a dictionary: {point number: Status}.

    Each Status is decoded when it is asked for: the raw record takes a quarter of its memory. Its `seen` has
    the receipts that pulses have told since.
    """

    def __init__(self, held):
        self._held = held
        self._receipts = {}  # point -> (STATUS number, bulletins received since, read since)

    def __len__(self):
        return len(list(iter(self)))

    def __iter__(self):
        return iter([origin for kind, origin in self._held if kind == STATUS])

    def __contains__(self, origin):
        return (STATUS, origin) in self._held

    def __getitem__(self, origin):
        told = status.decode(self._held[(STATUS, origin)][1])
        seq, received, read = self._receipts.get(origin, (None, 0, 0))
        if seq == told.seq and told.seen:
            told.seen = (status.seen_after(told.seen[0], received, read),) + told.seen[1:]
        return told

    def number(self, origin):
        """Sequence number of the STATUS of a point, None without one; nothing is decoded."""
        held = self._held.get((STATUS, origin))
        return held and held[0]

    def follow(self, origin, seq, received, read):
        """Pulses behind STATUS `seq` of a point have told of so many bulletins received, and read."""
        self._receipts[origin] = (seq, received, read)

    def forget_receipts(self, origin):
        """The STATUS of this point is gone, and with it what followed."""
        self._receipts.pop(origin, None)

    def get(self, origin, default=None):
        """The Status of a point, or `default`."""
        return self[origin] if origin in self else default

    def keys(self):
        return list(iter(self))

    def values(self):
        return [self[origin] for origin in self]

    def items(self):
        return [(origin, self[origin]) for origin in self]


class Registers:
    """`statuses`: {point number: Status}, see there; `heartbeats`: {authority number: Heartbeat}."""

    def __init__(self):
        self._held = {}  # (kind, origin) -> (sequence number, raw)
        self.statuses = Statuses(self._held)
        self.heartbeats = {}
        self._carried = 0

    def get(self, record_id):
        """Raw bytes of a record held, or None."""
        kind, origin, seq, part = record_id
        held = self._held.get((kind, origin))
        return held[1] if held and held[0] == seq and part == 0 else None

    def raw_of(self, kind):
        """Raw records of one kind, by origin."""
        return [self._held[key][1] for key in sorted(self._held) if key[0] == kind]

    def carried(self):
        """Raw records of unknown kinds, in order."""
        return [self._held[key][1] for key in sorted(self._held) if key[0] not in (STATUS, HEARTBEAT)]

    def ids(self):
        """Sorted (kind, origin, seq) of all but the heartbeats, which a DIGEST tells by itself."""
        return sorted([key + (held[0],) for key, held in self._held.items() if key[0] != HEARTBEAT])

    def seq(self, kind, origin):
        """Sequence number of the newest record of this kind and origin, 0 for none."""
        held = self._held.get((kind, origin))
        return held[0] if held else 0

    def is_known(self, header, raw):
        """Whether this very record is held; RemoteProtocolError when a later one is, or another with its
        number, or when there is no room.
        """
        held = self._held.get((header.kind, header.origin))
        if held is None:
            if header.kind not in (STATUS, HEARTBEAT):
                self._check_room(header.origin)
            return False
        if header.seq > held[0]:
            return False
        if held[1] == raw:
            return True
        raise RemoteProtocolError(
            "record %d of %d/%d is not newer than %d" % (header.seq, header.kind, header.origin, held[0]),
            "old-status" if header.kind == STATUS else "old",
        )

    def _check_room(self, origin):
        of_origin = len([1 for kind, who in self._held if who == origin and kind not in (STATUS, HEARTBEAT)])
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

    def add(self, header, raw, said):
        """Keep a checked record in place of the one before; the id of that one, or None."""
        key = (header.kind, header.origin)
        before = self._held.get(key)
        self._held[key] = (header.seq, raw)
        if header.kind == HEARTBEAT:
            self.heartbeats[header.origin] = said
        elif header.kind != STATUS and before is None:
            self._carried += 1
        return key + (before[0], 0) if before and before[0] != header.seq else None

    def remove(self, kind, origin):
        """Forget what is held of this kind and origin; its id, or None."""
        held = self._held.pop((kind, origin), None)
        if held is None:
            return None
        if kind == HEARTBEAT:
            del self.heartbeats[origin]
        elif kind != STATUS:
            self._carried -= 1
        return (kind, origin, held[0], 0)

    def of_origin(self, kinds, origin):
        """(kind, raw) of everything held of an origin, of the kinds for which `kinds(kind)` is true."""
        found = [(kind, self._held[(kind, who)][1]) for kind, who in self._held if who == origin]
        return [(kind, raw) for kind, raw in found if kinds(kind)]
