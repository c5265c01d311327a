"""Heard nodes: at most a hundred; the one heard longest ago is forgotten first.

Each is a row of 96 bytes, as objects would take several times as much: heard u32 (seconds on the node's own
clock), answered u32 (the same, 0 = never), hw_model u16, SNR i16 (quarter dB), hops away u8 (255 = unknown),
role, flags and channel u8, then length-prefixed long name (39) and short name (4), public key (32), next hop
u8 and marks u8. Node numbers stand apart, so that finding one is a single search.
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
_KEY_SIZE = const(32)
_HOPS_UNKNOWN = const(255)

_ROW = const(96)
_FIXED = "<IIHhBBBB"
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
    """`now` is in milliseconds, as everywhere; rows keep seconds."""

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._rows = []  # of their own, not one block: a heap in use may not have nine kilobytes in one piece
        self.forgotten = 0

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
        row = self._rows[at]
        struct.pack_into("<I", row, 0, now // 1000)
        if hops_away == 0 or new:  # of a relayed copy the SNR tells about the relay
            struct.pack_into("<h", row, 10, max(-128, min(127, int(snr_db * 4))))
        row[12] = _HOPS_UNKNOWN if hops_away is None else hops_away
        row[15] = channel
        return new

    def update_user(self, num: int, user: dict) -> bool:
        """Store names, role and key of a node that is in the database; True if that changed anything.

        The caller has checked the message with `user_fits`. The first key that is heard for a number stays: a
        message with another key, or without one, is not taken.
        """
        at = self._find(num)
        if at < 0:
            return False
        row = self._rows[at]
        key = user.get("public_key", b"")
        if row[14] & _HAS_KEY and row[_KEY_AT : _KEY_AT + _KEY_SIZE] != key:
            return False
        before = bytes(row)
        struct.pack_into("<H", row, 8, user.get("hw_model", 0))
        row[13] = user.get("role", 0)
        flags = _HAS_USER
        if key:
            flags |= _HAS_KEY
            row[_KEY_AT : _KEY_AT + _KEY_SIZE] = key
        if user.get("is_licensed"):
            flags |= _LICENSED
        if user.get("is_unmessagable"):
            flags |= _UNMESSAGABLE
        row[14] = flags
        _put_text(row, _LONG_AT, user.get("long_name", b""))
        _put_text(row, _SHORT_AT, user.get("short_name", b""))
        return before != row

    def answered_s(self, num: int) -> "int | None":
        """When this node's request for our NodeInfo was last answered; None: never, or node unknown."""
        at = self._find(num)
        return None if at < 0 else struct.unpack_from("<I", self._rows[at], 4)[0] or None

    def set_answered(self, num: int, now: int) -> None:
        """Note that this node's request was answered."""
        at = self._find(num)
        if at >= 0:
            struct.pack_into("<I", self._rows[at], 4, max(1, now // 1000))

    def has(self, num: int, mark: int) -> bool:
        """Whether a node is known and has this mark."""
        at = self._find(num)
        return at >= 0 and bool(self._rows[at][_MARKS_AT] & mark)

    def set_mark(self, num: int, mark: int, on: bool) -> bool:
        """Give a known node a mark or take it away; False when the node is unknown."""
        at = self._find(num)
        if at < 0:
            return False
        marks = self._rows[at][_MARKS_AT]
        self._rows[at][_MARKS_AT] = marks | mark if on else marks & ~mark
        return True

    def put_contact(self, num: int, user: dict, verified: bool = False) -> bool:
        """Enter a node as its owner knows it: this user, and this key, take the place of what was heard.

        False when the message breaks `user_fits`.
        """
        if not user_fits(user):
            return False
        at = self._find(num)
        if at < 0:
            at = self._new_row(num)
            self._rows[at][12] = _HOPS_UNKNOWN
        self._rows[at][14] &= ~_HAS_KEY
        self.update_user(num, user)
        self.set_mark(num, KEY_VERIFIED, verified)
        return True

    def next_hop(self, num: int) -> int:
        """Low byte of the neighbour over which this node is reached; 0: not learned."""
        at = self._find(num)
        return 0 if at < 0 else self._rows[at][_NEXT_HOP_AT]

    def set_next_hop(self, num: int, low_byte: int) -> None:
        """Note the neighbour over which this node is reached, or forget it with 0."""
        at = self._find(num)
        if at >= 0:
            self._rows[at][_NEXT_HOP_AT] = low_byte

    def remove(self, num: int) -> bool:
        """Forget a node; False when it was unknown."""
        at = self._find(num)
        if at < 0:
            return False
        self._rows.pop(at)
        self._numbers[at * 4 : at * 4 + 4] = b""
        return True

    def clear(self, keep_favorites: bool = False) -> None:
        """Forget all nodes, or all but the owner's favourites."""
        for at in range(len(self) - 1, -1, -1):
            if not (keep_favorites and self._rows[at][_MARKS_AT] & FAVORITE):
                self._rows.pop(at)
                self._numbers[at * 4 : at * 4 + 4] = b""

    def _find(self, num: int) -> int:
        key = struct.pack("<I", num)
        at = self._numbers.find(key)
        while at >= 0:
            if at % 4 == 0:
                return at // 4
            at = self._numbers.find(key, at + 1)
        return -1

    def _new_row(self, num: int) -> int:
        if len(self) < MAX_NODES:
            self._rows.append(bytearray(_ROW))
            self._numbers += struct.pack("<I", num)
            return len(self) - 1
        at = 0
        oldest = None
        for position in range(MAX_NODES):
            heard_s = struct.unpack_from("<I", self._rows[position], 0)[0]
            if oldest is None or heard_s < oldest:
                at = position
                oldest = heard_s
        struct.pack_into("<I", self._numbers, at * 4, num)
        self._rows[at][:] = bytes(_ROW)
        self.forgotten += 1
        return at

    def _node(self, at: int) -> Node:
        row = self._rows[at]
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


def _put_text(row: bytearray, at: int, text: bytes) -> None:
    row[at] = len(text)
    row[at + 1 : at + 1 + len(text)] = text


def _text(row: bytearray, at: int) -> bytes:
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
