"""TRUST: a change to the trust list that travels like any record, signed by the region's root.

Body after the record header (see `records`); origin is ROOT_ORIGIN, the sequence number continues the serial
number of the provisioned list, always one part:

    offset size field
    7      1    action
    8      2    number of the authority or point
    10     n    by action
    ...    64   signature of root

    1 REVOKE_AUTHORITY  nothing
    2 REVOKE_POINT      nothing
    3 SET_AUTHORITY     Ed25519 public key 32, expiry u24 (minutes since 2025, 0: never), name (length u8)
    4 SET_POINT         X25519 public key 32, node number u32, area u8 (255: none), code and name (each with
                        its length u8)

SET adds one, or gives it another key: what was signed with the old key is worth nothing from then on. An
amendment whose number is not above the list's own serial number is contained in the list.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    SIGNATURE_SIZE,
    TRUST,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
    seal,
)
from baken.wire.trust import NO_AREA, Authority, Point

ROOT_ORIGIN = const(0xFFFF)
REVOKE_AUTHORITY = const(1)
REVOKE_POINT = const(2)
SET_AUTHORITY = const(3)
SET_POINT = const(4)
_KEY_SIZE = const(32)
_FIXED_SIZE = const(10)


class Amendment(Record):
    """`seq` serial number, `action`, `number`; `entry` is the trust.Authority or trust.Point of a SET."""

    __slots__ = ("action", "entry", "number", "seq")

    def __init__(self, seq, action, number, entry=None):
        self.seq = seq
        self.action = action
        self.number = number
        self.entry = entry


def encode(amendment, tag, sign):
    """The record signed by root; LocalProtocolError when a value is out of its range."""
    if not 1 <= amendment.number <= 0xFFFF:
        raise LocalProtocolError("number is %d, allowed 1 to 65535" % amendment.number, "range")
    out = bytearray(encode_header(RecordHeader(TRUST, ROOT_ORIGIN, amendment.seq)))
    out += bytes((amendment.action, amendment.number >> 8, amendment.number & 0xFF))
    entry = amendment.entry
    if amendment.action == SET_AUTHORITY:
        out += entry.public
        out += encode_minutes(entry.expires_s) if entry.expires_s else bytes(3)
        _put_text(out, entry.name)
    elif amendment.action == SET_POINT:
        out += entry.public + entry.node_num.to_bytes(4, "big")
        out.append(NO_AREA if entry.area is None else entry.area)
        _put_text(out, entry.code)
        _put_text(out, entry.name)
    elif amendment.action not in (REVOKE_AUTHORITY, REVOKE_POINT):
        raise LocalProtocolError("action is %d, allowed 1 to 4" % amendment.action, "range")
    return seal(bytes(out), tag, sign)


def decode(raw):
    """Amendment of a record; RemoteProtocolError when it is none. The signature is not checked here."""
    header = decode_header(raw)
    if header.kind != TRUST or header.parts != 1 or header.origin != ROOT_ORIGIN:
        raise RemoteProtocolError("record kind %d is no amendment" % header.kind, "record-kind")
    end = len(raw) - SIGNATURE_SIZE
    if end < _FIXED_SIZE:
        raise RemoteProtocolError("amendment ends at %d, needs %d" % (end, _FIXED_SIZE), "amendment-short")
    action = raw[7]
    number = raw[8] << 8 | raw[9]
    if number == 0:
        raise RemoteProtocolError("numbers of authorities and points start at 1", "amendment-number")
    entry = None
    at = _FIXED_SIZE
    if action == SET_AUTHORITY:
        public, at = _take(raw, at, _KEY_SIZE, end)
        _, after = _take(raw, at, 3, end)
        expires_s = decode_minutes(raw, at) if raw[at:after] != b"\x00\x00\x00" else 0
        name, at = _text(raw, after, end)
        entry = Authority(number, public, name, expires_s)
    elif action == SET_POINT:
        public, at = _take(raw, at, _KEY_SIZE, end)
        node_num, at = _take(raw, at, 4, end)
        area, at = _take(raw, at, 1, end)
        code, at = _text(raw, at, end)
        name, at = _text(raw, at, end)
        entry = Point(
            number,
            code,
            name,
            None if area[0] == NO_AREA else area[0],
            int.from_bytes(node_num, "big"),
            public,
        )
    elif action not in (REVOKE_AUTHORITY, REVOKE_POINT):
        raise RemoteProtocolError("amendment with action %d" % action, "amendment-action")
    if at != end:
        raise RemoteProtocolError("amendment has %d bytes too many" % (end - at), "amendment-long")
    return Amendment(header.seq, action, number, entry)


def _take(raw, at, size, end):
    if at + size > end:
        raise RemoteProtocolError("amendment ends too early", "amendment-short")
    return bytes(raw[at : at + size]), at + size


def _text(raw, at, end):
    size, at = _take(raw, at, 1, end)
    return _take(raw, at, size[0], end)


def _put_text(out, text):
    if len(text) > 255:
        raise LocalProtocolError("text is %d bytes, limit 255" % len(text), "range")
    out.append(len(text))
    out += text
