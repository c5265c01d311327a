"""Protocol Buffers, driven by tables: bytes to a dict of fields and back.

A table is a tuple of fields in tag order, each `(tag, name, kind)`, for a message `(tag, name, kind, table)`:

    DATA = ((1, "portnum", "enum"), (2, "payload", "bytes"), (9, "bitfield", "uint32?"))
    PACKET = ((1, "from", "fixed32"), (4, "decoded", "message|", DATA), (8, "hops", "uint32[]"))

The kind is the scalar's name in the protobuf language (all enumerations: "enum"; strings are "bytes": text
stays bytes here) or "message", and a mark:

    none   implicit presence: a zero, False or empty value is not written
    ?      explicit presence: written whenever it is given
    |      member of the message's oneof: written whenever it is given, only one may be
    []     repeated: a list; numbers are written packed and read either way

A field that was not received is absent from the dict. In place of a table may stand what `compact` makes: a
text, which takes a tenth of the memory and is read each time it is needed; or a function without arguments
that returns a table and can import a module at the first use. `fields` gives the fields of each.

The peer is not trusted: length, depth, number of fields and every varint are bounded. As protobuf wants,
unknown fields, and known ones with another wire type, are skipped, and the last of several values wins.
"""

import struct

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Field = tuple[int, str, str] | tuple[int, str, str, Any]
    Table = tuple[Field, ...] | str | Callable[[], Any]

MAX_LENGTH = const(1024)
MAX_DEPTH = const(8)
MAX_FIELDS = const(256)  # of one message, unknown ones and repetitions included; a packed list counts as one
MAX_TAG = const(536870911)

_VARINT = const(0)
_FIXED64 = const(1)
_LENGTH = const(2)
_GROUP_START = const(3)
_GROUP_END = const(4)
_FIXED32 = const(5)

_MASK_64 = 0xFFFFFFFFFFFFFFFF
_FLOAT_MAX = 3.4028235e38

# kind: (wire type, lowest value, highest value)
_SCALARS = {
    "uint32": (_VARINT, 0, 0xFFFFFFFF),
    "int32": (_VARINT, -0x80000000, 0x7FFFFFFF),
    "sint32": (_VARINT, -0x80000000, 0x7FFFFFFF),
    "enum": (_VARINT, -0x80000000, 0x7FFFFFFF),
    "uint64": (_VARINT, 0, _MASK_64),
    "bool": (_VARINT, 0, 1),
    "fixed32": (_FIXED32, 0, 0xFFFFFFFF),
    "sfixed32": (_FIXED32, -0x80000000, 0x7FFFFFFF),
    "float": (_FIXED32, None, None),
    "bytes": (_LENGTH, None, None),
    "message": (_LENGTH, None, None),
}

# The scalar's name and the mark of every kind; filled as kinds are met, so a few dozen entries.
_kinds = {}


def decode(table: "Table", data: "bytes | bytearray | memoryview") -> "dict[str, Any]":
    """The fields of a message, by name."""
    if len(data) > MAX_LENGTH:
        raise RemoteProtocolError(f"message is {len(data)} bytes, limit {MAX_LENGTH}", "protobuf-long")
    return _decode(table, bytes(data), 0, len(data), 1)


def encode(table: "Table", values: "dict[str, Any]") -> bytes:
    """A message from fields by name, in tag order."""
    out = bytearray()
    _encode(table, values, out, 1)
    if len(out) > MAX_LENGTH:
        raise LocalProtocolError(f"message is {len(out)} bytes, limit {MAX_LENGTH}", "protobuf-long")
    return bytes(out)


def compact(text: str, tables: "dict[str, Table] | None" = None) -> "Table":
    """A table for seldom used messages, written "tag name kind, tag name kind"; `tables` by field name."""
    return text if tables is None else lambda: _expand(text, tables)


def fields(table: "Table") -> "tuple[Any, ...]":
    """The fields of a table in any of its forms."""
    if isinstance(table, tuple):
        return table
    return _expand(table, {}) if isinstance(table, str) else fields(table())


def _expand(text, tables):
    found = []
    for column in text.split(", ") if text else ():
        tag, name, kind = column.split(" ")
        field = (int(tag), name, kind)
        found.append(field + (tables[name],) if name in tables else field)
    return tuple(found)


def _split(kind):
    try:
        return _kinds[kind]
    except KeyError:
        pass
    scalar = kind
    mark = ""
    for suffix in ("?", "|", "[]"):
        if kind.endswith(suffix):
            scalar = kind[: -len(suffix)]
            mark = suffix
    wire_type, low, high = _SCALARS[scalar]
    _kinds[kind] = found = (scalar, mark, wire_type, low, high)
    return found


# ---------------------------------------------------------------------------- reading


def _decode(table: "Any", data, at, end, depth):
    if depth > MAX_DEPTH:
        raise RemoteProtocolError(f"messages are nested deeper than {MAX_DEPTH}", "protobuf-deep")
    table = fields(table)
    values = {}
    member = None
    count = 0
    index = 0  # fields come in tag order as a rule, so the search goes on where the last one was found
    while at < end:
        count += 1
        if count > MAX_FIELDS:
            raise RemoteProtocolError(f"message has more than {MAX_FIELDS} fields", "protobuf-fields")
        key, at = _varint(data, at, end)
        tag = key >> 3
        wire_type = key & 7
        if not 1 <= tag <= MAX_TAG:
            raise RemoteProtocolError(f"field tag is {tag}, allowed 1 to {MAX_TAG}", "protobuf-tag")
        value_at = at
        number = 0
        if wire_type == _VARINT:
            number, at = _varint(data, at, end)
        elif wire_type == _LENGTH:
            length, value_at = _varint(data, at, end)
            left = end - value_at
            if length > left:
                raise RemoteProtocolError(f"field {tag} is {length} bytes, {left} left", "protobuf-truncated")
            at = value_at + length
        elif wire_type == _FIXED32 or wire_type == _FIXED64:
            at += 4 if wire_type == _FIXED32 else 8
            if at > end:
                raise RemoteProtocolError(f"field {tag} ends {at - end} bytes too late", "protobuf-truncated")
        elif wire_type == _GROUP_START or wire_type == _GROUP_END:
            raise RemoteProtocolError(f"field {tag} is a group", "protobuf-group")
        else:
            raise RemoteProtocolError(f"field {tag} has wire type {wire_type}", "protobuf-wire-type")
        for _ in range(len(table)):
            field = table[index]
            if field[0] == tag:
                break
            index += 1
            if index == len(table):
                index = 0
        else:
            continue
        name = field[1]
        scalar, mark, expected, _, _ = _split(field[2])
        if mark == "[]":
            if wire_type == _LENGTH and expected != _LENGTH:
                _read_packed(values.setdefault(name, []), scalar, expected, data, value_at, at)
            elif wire_type == expected:
                value = _read(field, scalar, number, data, value_at, at, depth)
                values.setdefault(name, []).append(value)
        elif wire_type == expected:
            values[name] = _read(field, scalar, number, data, value_at, at, depth)
            if mark == "|":
                if member is not None and member != name:
                    del values[member]
                member = name
    return values


def _read(field, scalar, number, data, at, end, depth):
    if scalar == "message":
        return _decode(field[3], data, at, end, depth + 1)
    if scalar == "bytes":
        return data[at:end]
    return _number(scalar, number, data, at)


def _read_packed(values, scalar, wire_type, data, at, end):
    number = 0
    while at < end:
        value_at = at
        if wire_type == _VARINT:
            number, at = _varint(data, at, end)
        else:
            at += 4
            if at > end:
                raise RemoteProtocolError(f"packed list ends {at - end} bytes too late", "protobuf-truncated")
        values.append(_number(scalar, number, data, value_at))


def _number(scalar, number, data, at):
    """The value of a number: from its varint, or from the four bytes at `at`."""
    if scalar == "uint32":
        return number & 0xFFFFFFFF
    if scalar == "bool":
        return number != 0
    if scalar == "fixed32":
        return struct.unpack_from("<I", data, at)[0]
    if scalar == "float":
        return struct.unpack_from("<f", data, at)[0]
    if scalar == "sfixed32":
        return struct.unpack_from("<i", data, at)[0]
    if scalar == "uint64":
        return number
    number &= 0xFFFFFFFF
    if scalar == "sint32":
        return number >> 1 ^ -(number & 1)
    return number - 0x100000000 if number & 0x80000000 else number


def _varint(data, at, end):
    """A varint of at most ten bytes, cut to 64 bits, and where it ends."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise RemoteProtocolError("number is cut off", "protobuf-truncated")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK_64, at
    raise RemoteProtocolError("number is longer than 10 bytes", "protobuf-varint")


# ---------------------------------------------------------------------------- writing


def _encode(table: "Any", values, out, depth):
    if depth > MAX_DEPTH:
        raise LocalProtocolError(f"messages are nested deeper than {MAX_DEPTH}", "protobuf-deep")
    table = fields(table)
    written = 0
    member = None
    for field in table:
        name = field[1]
        if name not in values:
            continue
        written += 1
        value = values[name]
        scalar, mark, wire_type, low, high = _split(field[2])
        if mark == "|":
            if member is not None:
                raise LocalProtocolError(f"{name} and {member} exclude each other", "protobuf-oneof")
            member = name
        if mark == "[]":
            _write_list(field, scalar, wire_type, low, high, value, out, depth)
        elif mark or value or scalar == "message" or _is_negative_zero(scalar, value):
            _write_varint(out, field[0] << 3 | wire_type)
            _write(field, scalar, low, high, value, out, depth)
    if written != len(values):
        known = [field[1] for field in table]
        unknown = sorted([name for name in values if name not in known])
        raise LocalProtocolError(f"no such field: {', '.join(unknown)}", "protobuf-name")


def _write_list(field, scalar, wire_type, low, high, items, out, depth):
    if not items:
        return
    if wire_type == _LENGTH:
        for item in items:
            _write_varint(out, field[0] << 3 | _LENGTH)
            _write(field, scalar, low, high, item, out, depth)
        return
    packed = bytearray()
    for item in items:
        _write(field, scalar, low, high, item, packed, depth)
    _write_varint(out, field[0] << 3 | _LENGTH)
    _write_varint(out, len(packed))
    out.extend(packed)


def _write(field, scalar, low, high, value, out, depth):
    if scalar == "message":
        inner = bytearray()
        _encode(field[3], value, inner, depth + 1)
        _write_varint(out, len(inner))
        out.extend(inner)
    elif scalar == "bytes":
        _write_varint(out, len(value))
        out.extend(value)
    elif scalar == "float":
        # Infinities and NaN may be sent; a finite number that would become one may not.
        if abs(value) > _FLOAT_MAX and value - value == 0:
            raise LocalProtocolError(f"{field[1]} is {value}, limit {_FLOAT_MAX}", "protobuf-range")
        out.extend(struct.pack("<f", value))
    else:
        # Checked here because MicroPython's struct.pack would cut the value off without a word.
        if not low <= value <= high:
            raise LocalProtocolError(f"{field[1]} is {value}, allowed {low} to {high}", "protobuf-range")
        if scalar == "fixed32" or scalar == "sfixed32":
            out.extend(struct.pack("<I", value & 0xFFFFFFFF))
        elif scalar == "sint32":
            _write_varint(out, (value << 1 ^ value >> 31) & 0xFFFFFFFF)
        else:
            _write_varint(out, value & _MASK_64)


def _is_negative_zero(scalar, value):
    # Protobuf leaves out a float whose bits are all zero; the sign of -0.0 is a bit.
    return scalar == "float" and struct.pack("<f", value) != b"\x00\x00\x00\x00"


def _write_varint(out, value):
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
