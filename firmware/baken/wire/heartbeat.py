"""HEARTBEAT: an authority is there, this is its time, and this is the newest bulletin it has made.

Body after the record header (see `records`); origin is the authority's number, always one part:

    offset size field
    7      4    time: seconds since 2025-01-01 UTC
    11     3    sequence number of the authority's newest bulletin, 0 when it has made none
    14     1    minutes until the next HEARTBEAT is to be expected, 1 to 255
    15     64   signature of the authority

Each replaces the one before. It tells a replica how old its knowledge is and which numbers it lacks.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    EPOCH_S,
    HEARTBEAT,
    MAX_SEQ,
    SIGNATURE_SIZE,
    RecordHeader,
    decode_header,
    encode_header,
    seal,
)

SIZE = const(79)
DEFAULT_PERIOD_MIN = const(60)
_FIXED_SIZE = const(15)


class Heartbeat(Record):
    """`origin`, `seq` of the record; `time_s` unix seconds; `newest` bulletin number; `period_min`."""

    __slots__ = ("newest", "origin", "period_min", "seq", "time_s")

    def __init__(self, origin, seq, time_s, newest, period_min=DEFAULT_PERIOD_MIN):
        self.origin = origin
        self.seq = seq
        self.time_s = time_s
        self.newest = newest
        self.period_min = period_min


def encode(beat, tag, sign):
    """The signed record; LocalProtocolError when a value is out of its range."""
    seconds = beat.time_s - EPOCH_S
    for name, value, low, high in (
        ("seconds since 2025", seconds, 0, 0xFFFFFFFF),
        ("newest bulletin", beat.newest, 0, MAX_SEQ),
        ("period in minutes", beat.period_min, 1, 255),
    ):
        if not low <= value <= high:
            raise LocalProtocolError("%s is %d, allowed %d to %d" % (name, value, low, high), "range")
    body = seconds.to_bytes(4, "big") + beat.newest.to_bytes(3, "big") + bytes((beat.period_min,))
    return seal(encode_header(RecordHeader(HEARTBEAT, beat.origin, beat.seq)) + body, tag, sign)


def decode(raw):
    """Heartbeat of a record; RemoteProtocolError when it is none. The signature is not checked here."""
    header = decode_header(raw)
    if header.kind != HEARTBEAT or header.parts != 1:
        raise RemoteProtocolError("record kind %d is no heartbeat" % header.kind, "record-kind")
    if len(raw) != _FIXED_SIZE + SIGNATURE_SIZE:
        raise RemoteProtocolError("heartbeat is %d bytes, must be %d" % (len(raw), SIZE), "heartbeat-size")
    if raw[14] == 0:
        raise RemoteProtocolError("heartbeat without a period", "heartbeat-period")
    time_s = EPOCH_S + int.from_bytes(raw[7:11], "big")
    return Heartbeat(header.origin, header.seq, time_s, int.from_bytes(raw[11:14], "big"), raw[14])
