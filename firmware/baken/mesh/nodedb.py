"""Heard nodes: at most a hundred; the least useful one is forgotten first.

Who is forgotten when a new node is heard: of those that bear no mark of the owner (favourite, ignored, muted,
key verified) one that never told its name, or else any of them; of these the one heard longest ago. What the
owner has marked is never forgotten for a stranger: where all hundred are marked, the new node is not kept.

Each is a row of 96 bytes, ten rows a page, as objects would take several times as much: heard i32 (seconds on
the node's own clock, below 0: before it started), answered u32 (the same, 0 = never), hw_model u16, SNR i16
(quarter dB), hops away u8 (255 = unknown), role, flags and channel u8, then length-prefixed long name (39)
and short name (4), public key (32), next hop u8 and marks u8. Node numbers stand apart, so that finding one
is a single search. `nodedump` writes rows to a file and reads them back.
"""

import struct

from baken.compat import const
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NODES = const(100)
LONG_NAME_SIZE = const(39)
SHORT_NAME_SIZE = const(4)
NEVER_S = -0x80000000  # heard_s of a node that the owner entered and that was never heard
_KEY_SIZE = const(32)
_HOPS_UNKNOWN = const(255)
_ONLINE_S = const(7200)

_ROW = const(96)
_PAGE_ROWS = const(10)  # pages, not one block: a heap in use may not have nine kilobytes in one piece
_FIXED = "<iIHhBBBB"
_LONG_AT = const(16)
_SHORT_AT = const(56)
_KEY_AT = const(61)
_NEXT_HOP_AT = const(93)
_MARKS_AT = const(94)

_HAS_USER = const(1)
_HAS_KEY = const(2)
_LICENSED = const(4)
_UNMESSAGABLE = const(8)

# Marks: what this node, or its owner, holds of another.
FAVORITE = const(1)
IGNORED = const(2)
MUTED = const(4)
KEY_CONFLICT = const(8)  # it, or somebody in its name, has announced another key than the one we keep
KEY_VERIFIED = const(16)  # by the owner
SIGNS = const(32)  # its broadcasts were seen signed
VIA_MQTT = const(64)  # last heard over the internet
_OWNERS_MARKS = const(0x17)  # FAVORITE, IGNORED, MUTED, KEY_VERIFIED


class Node(Record):
    """One heard node; `user` is its User message by field name, without id, or None while that is unknown.

    `marks` is a sum of FAVORITE, IGNORED, ...
    """

    __slots__ = ("channel", "heard_s", "hops_away", "marks", "num", "snr_db", "user")

    def __init__(
        self,
        num: int,
        heard_s: int,
        snr_db: float,
        hops_away: "int | None",
        channel: int,
        user: "dict | None",
        marks: int = 0,
    ) -> None:
        self.num = num
        self.heard_s = heard_s
        self.snr_db = snr_db
        self.hops_away = hops_away
        self.channel = channel
        self.user = user
        self.marks = marks


class NodeDatabase:
    """`now` is in milliseconds, as everywhere; rows keep seconds.

    `changes` counts what is worth keeping over a restart, `urgent_changes` what must not be lost: first keys
    and the owner's marks. `forgotten` counts nodes that made room for others.
    """

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._pages = []
        self.forgotten = 0
        self.changes = 0
        self.urgent_changes = 0

    def __len__(self) -> int:
        return len(self._numbers) // 4

    def __iter__(self) -> "Iterator[Node]":
        for at in range(len(self)):
            yield self._node(at)

    def get(self, num: int) -> "Node | None":
        """What is known of this node."""
        at = self._find(num)
        return None if at < 0 else self._node(at)

    def node_at(self, position: int) -> "Node | None":
        """The node at a position, for a walk during which the database may change; None past the end."""
        return self._node(position) if position < len(self) else None

    def heard(self, num: int, snr_db: float, hops_away: "int | None", channel: int, now: int) -> bool:
        """Note that a packet of this node was decoded; True if the node is new."""
        at = self._find(num)
        new = at < 0
        if new:
            at = self._new_row(num)
            if at < 0:
                return False
            self.changes += 1
        row = self._row(at)
        struct.pack_into("<i", row, 0, min(now // 1000, 0x7FFFFFFF))
        if hops_away == 0 or new:  # of a relayed copy the SNR tells about the relay
            struct.pack_into("<h", row, 10, max(-128, min(127, int(snr_db * 4))))
        row[12] = _HOPS_UNKNOWN if hops_away is None else hops_away
        row[15] = channel
        return new

    def public_key(self, num: int) -> bytes:
        """The key that we keep for this node; empty: none is known."""
        at = self._find(num)
        if at < 0 or not self._row(at)[14] & _HAS_KEY:
            return b""
        return bytes(self._row(at)[_KEY_AT : _KEY_AT + _KEY_SIZE])

    def has_user(self, num: int) -> bool:
        """Whether this node has told who it is."""
        at = self._find(num)
        return at >= 0 and bool(self._row(at)[14] & _HAS_USER)

    def update_user(self, num: int, user: dict) -> bool:
        """Store names, role and key of a node that is in the database; True if that changed anything.

        The caller has checked the message with `user_fits`. The first key that is heard for a number stays: a
        message with another key, or without one, is not taken.
        """
        at = self._find(num)
        if at < 0:
            return False
        row = self._row(at)
        key = user.get("public_key", b"")
        if row[14] & _HAS_KEY and bytes(row[_KEY_AT : _KEY_AT + _KEY_SIZE]) != key:
            return False
        if key and not row[14] & _HAS_KEY:
            self.urgent_changes += 1
        before = bytes(row)
        _put_user(row, user)
        if before == bytes(row):
            return False
        self.changes += 1
        return True

    def put_contact(self, num: int, user: dict, verified: bool = False) -> bool:
        """Enter a node as its owner knows it: this user, and this key, take the place of what was heard.

        False when the message breaks `user_fits`, or all places are taken by what the owner has marked.
        """
        if not user_fits(user):
            return False
        at = self._find(num)
        if at < 0:
            at = self._new_row(num)
            if at < 0:
                return False
            struct.pack_into("<i", self._row(at), 0, NEVER_S)
            self._row(at)[12] = _HOPS_UNKNOWN
        row = self._row(at)
        _put_user(row, user)
        marks = row[_MARKS_AT] & ~(KEY_CONFLICT | KEY_VERIFIED)
        row[_MARKS_AT] = marks | KEY_VERIFIED if verified else marks
        self.urgent_changes += 1
        return True

    def online(self, now: int) -> int:
        """How many nodes were heard within two hours."""
        oldest_s = now // 1000 - _ONLINE_S
        heard = [struct.unpack_from("<i", self._row(at), 0)[0] for at in range(len(self))]
        return len([1 for heard_s in heard if heard_s >= oldest_s])

    def answered_s(self, num: int) -> "int | None":
        """When this node's request for our NodeInfo was last answered; None: never, or node unknown."""
        at = self._find(num)
        return None if at < 0 else struct.unpack_from("<I", self._row(at), 4)[0] or None

    def set_answered(self, num: int, now: int) -> None:
        """Note that this node's request was answered."""
        at = self._find(num)
        if at >= 0:
            struct.pack_into("<I", self._row(at), 4, max(1, now // 1000))

    def has(self, num: int, mark: int) -> bool:
        """Whether a node is known and has this mark."""
        at = self._find(num)
        return at >= 0 and bool(self._row(at)[_MARKS_AT] & mark)

    def set_mark(self, num: int, mark: int, on: bool) -> bool:
        """Give a known node a mark or take it away; False when the node is unknown."""
        at = self._find(num)
        if at < 0:
            return False
        before = self._row(at)[_MARKS_AT]
        marks = before | mark if on else before & ~mark
        if marks != before:
            self._row(at)[_MARKS_AT] = marks
            if (marks ^ before) & _OWNERS_MARKS:
                self.urgent_changes += 1
            elif (marks ^ before) != VIA_MQTT:
                self.changes += 1
        return True

    def next_hop(self, num: int) -> int:
        """Low byte of the neighbour over which this node is reached; 0: not learned."""
        at = self._find(num)
        return 0 if at < 0 else self._row(at)[_NEXT_HOP_AT]

    def set_next_hop(self, num: int, low_byte: int) -> None:
        """Note the neighbour over which this node is reached, or forget it with 0."""
        at = self._find(num)
        if at >= 0:
            self._row(at)[_NEXT_HOP_AT] = low_byte & 0xFF

    def numbers_ending(self, low_byte: int) -> "list[int]":
        """The nodes that a relay may mean by this byte: the last of their number, or 0xFF where that is 0."""
        found = []
        for at in range(0, len(self._numbers), 4):
            if (self._numbers[at] or 0xFF) == low_byte:
                found.append(struct.unpack_from("<I", self._numbers, at)[0])
        return found

    def remove(self, num: int) -> bool:
        """Forget a node; False when it was unknown."""
        at = self._find(num)
        if at < 0:
            return False
        self._remove_row(at)
        return True

    def clear(self, keep_favorites: bool = False) -> None:
        """Forget all nodes, or all but the owner's favourites."""
        for at in range(len(self) - 1, -1, -1):
            if not (keep_favorites and self._row(at)[_MARKS_AT] & FAVORITE):
                self._remove_row(at)

    def row(self, position: int) -> "tuple[int, bytes] | None":
        """Number and bytes of the node at a position, for `nodedump`; None past the end."""
        if position >= len(self):
            return None
        return struct.unpack_from("<I", self._numbers, position * 4)[0], bytes(self._row(position))

    def put_row(self, num: int, row: "bytes | bytearray") -> bool:
        """Enter a row that `row` gave once, perhaps before a restart; False where one is held or none fits.

        Whatever stands in it, what comes out again is a node: a row with impossible sizes is refused.
        """
        if len(row) != _ROW or not 4 <= num <= 0xFFFFFFFE or self._find(num) >= 0:
            return False
        if row[_LONG_AT] > LONG_NAME_SIZE or row[_SHORT_AT] > SHORT_NAME_SIZE:
            return False
        if len(self) >= MAX_NODES or 7 < row[12] < _HOPS_UNKNOWN:
            return False
        self._row(self._add_row(num))[:] = row
        return True

    def _find(self, num: int) -> int:
        key = struct.pack("<I", num)
        at = self._numbers.find(key)
        while at >= 0:
            if at % 4 == 0:
                return at // 4
            at = self._numbers.find(key, at + 1)
        return -1

    def _new_row(self, num: int) -> int:
        """Position of an empty row for a node that is not in the database; -1 where none may be given up."""
        if len(self) < MAX_NODES:
            return self._add_row(num)
        at = -1
        least_named = least_high = least_low = 0
        for position in range(MAX_NODES):
            # In halves that are small ints: a hundred rows unpacked would be 8 kB of garbage for a new node.
            page = self._pages[position // _PAGE_ROWS]
            start = position % _PAGE_ROWS * _ROW
            if page[start + _MARKS_AT] & _OWNERS_MARKS:
                continue
            named = page[start + 14] & _HAS_USER
            high = (page[start + 3] ^ 0x80) << 8 | page[start + 2]
            low = page[start + 1] << 8 | page[start]
            if (
                at < 0
                or named < least_named
                or (named == least_named and (high < least_high or (high == least_high and low < least_low)))
            ):
                at = position
                least_named = named
                least_high = high
                least_low = low
        if at < 0:
            return -1
        struct.pack_into("<I", self._numbers, at * 4, num)
        self._row(at)[:] = bytes(_ROW)
        self.forgotten += 1
        return at

    def _row(self, at: int) -> memoryview:
        start = at % _PAGE_ROWS * _ROW
        return memoryview(self._pages[at // _PAGE_ROWS])[start : start + _ROW]

    def _add_row(self, num: int) -> int:
        """Position of an empty row behind all others."""
        at = len(self)
        if at == len(self._pages) * _PAGE_ROWS:
            self._pages.append(bytearray(_PAGE_ROWS * _ROW))
        self._numbers += struct.pack("<I", num)
        self._row(at)[:] = bytes(_ROW)
        return at

    def _remove_row(self, at: int) -> None:
        for position in range(at, len(self) - 1):
            self._row(position)[:] = self._row(position + 1)
        self._numbers[at * 4 : at * 4 + 4] = b""
        self.urgent_changes += 1

    def _node(self, at: int) -> Node:
        row = self._row(at)
        fixed = struct.unpack_from(_FIXED, row, 0)
        heard_s, _, hw_model, quarters, hops, role, flags, channel = fixed
        user = None
        if flags & _HAS_USER:
            user = {
                "long_name": _text(row, _LONG_AT),
                "short_name": _text(row, _SHORT_AT),
                "hw_model": hw_model,
                "role": role,
            }
            if flags & _LICENSED:
                user["is_licensed"] = True
            if flags & _HAS_KEY:
                user["public_key"] = bytes(row[_KEY_AT : _KEY_AT + _KEY_SIZE])
            if flags & _UNMESSAGABLE:
                user["is_unmessagable"] = True
        num = struct.unpack_from("<I", self._numbers, at * 4)[0]
        hops_away = None if hops == _HOPS_UNKNOWN else hops
        return Node(num, heard_s, quarters / 4, hops_away, channel, user, row[_MARKS_AT])


def _put_user(row: memoryview, user: dict) -> None:
    key = user.get("public_key", b"")
    flags = _HAS_USER
    if key:
        flags |= _HAS_KEY
        row[_KEY_AT : _KEY_AT + _KEY_SIZE] = key
    if user.get("is_licensed"):
        flags |= _LICENSED
    if user.get("is_unmessagable"):
        flags |= _UNMESSAGABLE
    row[14] = flags
    struct.pack_into("<H", row, 8, user.get("hw_model", 0))
    row[13] = user.get("role", 0)
    _put_text(row, _LONG_AT, user.get("long_name", b""))
    _put_text(row, _SHORT_AT, user.get("short_name", b""))


def _put_text(row: memoryview, at: int, text: bytes) -> None:
    row[at] = len(text)
    row[at + 1 : at + 1 + len(text)] = text


def _text(row: memoryview, at: int) -> bytes:
    return bytes(row[at + 1 : at + 1 + row[at]])


def user_fits(user: dict) -> bool:
    """Whether a received User message keeps to the sizes of its fields."""
    return (
        len(user.get("long_name", b"")) <= LONG_NAME_SIZE
        and len(user.get("short_name", b"")) <= SHORT_NAME_SIZE
        and len(user.get("public_key", b"")) in (0, _KEY_SIZE)
        and 0 <= user.get("hw_model", 0) <= 0xFFFF
        and 0 <= user.get("role", 0) <= 0xFF
    )
