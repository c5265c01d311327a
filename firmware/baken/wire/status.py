"""STATUS: how one point is doing, and which bulletins it has received and read.

Body after the record header (see `records`); origin is the point's number, always one part:

    offset size field
    7      3    time: minutes since 2025-01-01 UTC
    10     1    state (low 3 bits), priority (bits 3-4), exercise (bit 5), anchors follow (bit 6)
    11     2    people now at the point
    13     1    volunteers
    14     1    hours of power left (254 = 254 or more, 255 = unknown)
    15     2    litres of drinking water
    17     1    node battery in per cent (101 = external power, 255 = unknown)
    18     2    needs, one bit each in the order of NEEDS
    20     1    number of authorities that follow (0 to 4)
    21     13n  per authority: number u16, newest sequence u24, received u32, read u32;
                bit i of a mask stands for sequence number newest - i
    ...    30   anchors of the pulses that will follow (see `pulse`), only with bit 6 of byte 10
    ...    t    text, UTF-8, may be empty
    ...    64   signature of the point

DRAFT: what somebody at the point hands its node over the cable, for the node to complete, number and sign.
One byte version and kind DRAFT, then bytes 10 to 19 as above (the battery is ignored: the node knows it),
then the text. A draft is never sent on the air and is refused when it comes from there.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.pulse import ANCHORS_SIZE, CHAINS, NO_ANCHORS, VALUE_SIZE
from baken.wire.record import Record
from baken.wire.records import (
    DRAFT,
    MAX_PAYLOAD,
    SIGNATURE_SIZE,
    STATUS,
    VERSION,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
    seal,
)

STATES = (b"OPEN", b"BEPERKT", b"VOL", b"DICHT", b"ONBEKEND")
PRIORITIES = (b"R", b"P", b"I", b"F")
NEEDS = (b"MED", b"BRW", b"POL", b"WAT", b"DSL", b"PER", b"DEK", b"MDC", b"TOL", b"TOI", b"VRV", b"ZUU")

BATTERY_UNKNOWN = const(255)
MAX_SEEN = const(4)
WINDOW = const(32)  # sequence numbers a received or read mask covers
_POWER_UNKNOWN = const(255)
_FIXED_SIZE = const(21)
_CONDITION_SIZE = const(10)
_SEEN_SIZE = const(13)
_HAS_ANCHORS = const(0x40)


# What people tell about a point.
_CONDITION = (
    "state",
    "text",
    "needs",
    "priority",
    "people",
    "volunteers",
    "power_hours",
    "water_l",
    "exercise",
)


class Seen(Record):
    """What a point has of one authority: masks whose bit i stands for sequence number `newest` - i."""

    __slots__ = ("authority", "newest", "read", "received")

    def __init__(self, authority, newest, received=0, read=0):
        self.authority = authority
        self.newest = newest
        self.received = received
        self.read = read

    def has_received(self, seq):
        return _bit(self.received, self.newest - seq)

    def has_read(self, seq):
        return _bit(self.read, self.newest - seq)


def seen_after(seen, received, read):
    """What is seen of an authority when `received` more bulletins in a row have come behind the newest of
    `seen`, and the first `read` of these were read.
    """
    more = max(received, read)
    mask = (1 << WINDOW) - 1
    have = (seen.received << more | (1 << more) - 1) & mask
    done = (seen.read << more | ((1 << read) - 1) << (more - read)) & mask
    return Seen(seen.authority, seen.newest + more, have, done)


class Status(Record):
    """Condition of point number `origin` at `time_s` (unix seconds).

    `seen`: tuple of Seen, `needs`: tuple of words; `power_hours` is None while nobody has told it; `anchors`:
    see `pulse`, one for each chain, NO_ANCHORS where no pulses will follow.
    """

    __slots__ = (
        "anchors",
        "battery_percent",
        "exercise",
        "needs",
        "origin",
        "people",
        "power_hours",
        "priority",
        "seen",
        "seq",
        "state",
        "text",
        "time_s",
        "volunteers",
        "water_l",
    )

    def __init__(self, origin, seq, time_s, state=b"ONBEKEND", text=b"", seen=(), needs=()):
        self.origin = origin
        self.seq = seq
        self.time_s = time_s
        self.state = state
        self.priority = b"R"
        self.exercise = False
        self.people = 0
        self.volunteers = 0
        self.power_hours = None  # type: int | None
        self.water_l = 0
        self.battery_percent = BATTERY_UNKNOWN
        self.needs = needs
        self.seen = seen
        self.anchors = NO_ANCHORS  # type: tuple[bytes, ...]
        self.text = text

    def take_condition(self, other):
        """Say of the point what `other` says of it; number, time, battery and receipts stay our own."""
        for name in _CONDITION:
            setattr(self, name, getattr(other, name))

    def seen_of(self, authority):
        """Seen of that authority, or None."""
        for seen in self.seen:
            if seen.authority == authority:
                return seen
        return None


def text_capacity(seen_count, has_anchors=False):
    """Bytes of text that fit beside `seen_count` authorities, and the anchors."""
    room = MAX_PAYLOAD - SIGNATURE_SIZE - _FIXED_SIZE - _SEEN_SIZE * seen_count
    return room - ANCHORS_SIZE if has_anchors else room


def encode(status, tag, sign):
    """The signed record; LocalProtocolError when a value is out of its range or the text too long."""
    if len(status.seen) > MAX_SEEN:
        raise LocalProtocolError("%d authorities, limit %d" % (len(status.seen), MAX_SEEN), "status-seen")
    has_anchors = status.anchors != NO_ANCHORS
    capacity = text_capacity(len(status.seen), has_anchors)
    if len(status.text) > capacity:
        raise LocalProtocolError("text is %d bytes, limit %d" % (len(status.text), capacity), "status-text")
    out = bytearray(encode_header(RecordHeader(STATUS, status.origin, status.seq)))
    out += encode_minutes(status.time_s)
    _put_condition(out, status)
    if has_anchors:
        out[10] |= _HAS_ANCHORS
    out.append(len(status.seen))
    for seen in status.seen:
        _put(out, "authority", seen.authority, 2)
        _put(out, "newest", seen.newest, 3)
        _put(out, "received", seen.received, 4)
        _put(out, "read", seen.read, 4)
    if has_anchors:
        if [len(anchor) for anchor in status.anchors] != [VALUE_SIZE] * CHAINS:
            raise LocalProtocolError("%d anchors, need %d" % (len(status.anchors), CHAINS), "status-anchors")
        out += b"".join(status.anchors)
    return seal(bytes(out) + status.text, tag, sign)


def decode(raw):
    """Status of a record; RemoteProtocolError when it is none. The signature is not checked here."""
    header = decode_header(raw)
    if header.kind != STATUS or header.parts != 1:
        raise RemoteProtocolError("record kind %d is no status" % header.kind, "record-kind")
    end = len(raw) - SIGNATURE_SIZE
    if end < _FIXED_SIZE:
        raise RemoteProtocolError("status body ends at %d, needs %d" % (end, _FIXED_SIZE), "status-short")
    seen_count = raw[20]
    text_at = _FIXED_SIZE + _SEEN_SIZE * seen_count
    if seen_count > MAX_SEEN or text_at > end:
        raise RemoteProtocolError(
            "status names %d authorities, limit %d" % (seen_count, MAX_SEEN), "status-seen"
        )
    seen_end = text_at
    anchors = NO_ANCHORS
    if raw[10] & _HAS_ANCHORS:
        text_at += ANCHORS_SIZE
        if text_at > end:
            raise RemoteProtocolError("status ends inside its anchors", "status-short")
        anchors = tuple([bytes(raw[at : at + VALUE_SIZE]) for at in range(seen_end, text_at, VALUE_SIZE)])
    seen = []
    for at in range(_FIXED_SIZE, seen_end, _SEEN_SIZE):
        seen.append(Seen(_get(raw, at, 2), _get(raw, at + 2, 3), _get(raw, at + 5, 4), _get(raw, at + 9, 4)))
    status = Status(
        header.origin, header.seq, decode_minutes(raw, 7), text=bytes(raw[text_at:end]), seen=tuple(seen)
    )
    status.anchors = anchors
    _get_condition(raw, 10, status)
    return status


def encode_draft(status):
    """What a person at the point tells its node: condition and text of `status`, no number, time or
    signature.
    """
    if len(status.text) > text_capacity(MAX_SEEN):
        raise LocalProtocolError(
            "text is %d bytes, limit %d" % (len(status.text), text_capacity(MAX_SEEN)), "status-text"
        )
    out = bytearray((VERSION << 4 | DRAFT,))
    _put_condition(out, status)
    return bytes(out) + status.text


def decode_draft(data):
    """Status with origin, number and time 0; RemoteProtocolError when the bytes are none."""
    if len(data) < 1 + _CONDITION_SIZE or data[0] != VERSION << 4 | DRAFT:
        raise RemoteProtocolError("not a draft of a status", "draft")
    text = bytes(data[1 + _CONDITION_SIZE :])
    if len(text) > text_capacity(MAX_SEEN):
        raise RemoteProtocolError(
            "text is %d bytes, limit %d" % (len(text), text_capacity(MAX_SEEN)), "status-text"
        )
    status = Status(0, 0, 0, text=text)
    _get_condition(data, 1, status)
    return status


def _put_condition(out, status):
    flags = _index("state", STATES, status.state) | _index("priority", PRIORITIES, status.priority) << 3
    if status.exercise:
        flags |= 0x20
    needs = 0
    for need in status.needs:
        needs |= 1 << _index("need", NEEDS, need)
    out.append(flags)
    _put(out, "people", status.people, 2)
    _put(out, "volunteers", status.volunteers, 1)
    if status.power_hours is not None and not 0 <= status.power_hours < _POWER_UNKNOWN:
        raise LocalProtocolError("power_hours is %d, allowed 0 to 254" % status.power_hours, "range")
    out.append(_POWER_UNKNOWN if status.power_hours is None else status.power_hours)
    _put(out, "water_l", status.water_l, 2)
    _put(out, "battery_percent", status.battery_percent, 1)
    _put(out, "needs", needs, 2)


def _get_condition(data, at, status):
    state = data[at] & 7
    if state >= len(STATES):
        raise RemoteProtocolError("state code %d, limit %d" % (state, len(STATES) - 1), "status-state")
    status.state = STATES[state]
    status.priority = PRIORITIES[data[at] >> 3 & 3]
    status.exercise = bool(data[at] & 0x20)
    status.people = _get(data, at + 1, 2)
    status.volunteers = data[at + 3]
    status.power_hours = None if data[at + 4] == _POWER_UNKNOWN else data[at + 4]
    status.water_l = _get(data, at + 5, 2)
    status.battery_percent = data[at + 7]
    needs = _get(data, at + 8, 2)
    status.needs = tuple([need for bit, need in enumerate(NEEDS) if needs >> bit & 1])


def _bit(mask, index):
    return 0 <= index < WINDOW and bool(mask >> index & 1)


def _index(name, words, value):
    if value not in words:
        allowed = ", ".join([word.decode() for word in words])
        raise LocalProtocolError("%s is %r, allowed: %s" % (name, value, allowed), "status-word")
    return words.index(value)


def _put(out, name, value, size):
    if not 0 <= value < 1 << 8 * size:
        raise LocalProtocolError("%s is %d, allowed 0 to %d" % (name, value, (1 << 8 * size) - 1), "range")
    for shift in range(8 * size - 8, -8, -8):
        out.append(value >> shift & 0xFF)


def _get(raw, at, size):
    value = 0
    for byte in raw[at : at + size]:
        value = value << 8 | byte
    return value
