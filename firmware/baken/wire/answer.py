"""ANSWER: an authority writes to one point, and so acknowledges the REPORT that it names.

Body after the record header (see `records`); origin is the authority's number, always one part:

    offset size field
    7      2    number of the point
    9      3    sequence number of the point's REPORT that is answered, 0 for none
    12     3    time: minutes since 2025-01-01 UTC
    15     2    exercise (bit 15), validity in units of five minutes (low 12 bits, 1 to 4095)
    17     t+8  sealed text (see `sealed`), UTF-8; an acknowledgement alone has none: t is 0
    ...    64   signature of the authority

Whoever carries it sees that a report is acknowledged and lets go of it; only the point can read the text.
"""

from baken.compat import const
from baken.wire.bulletin import MAX_VALIDITY_UNITS, VALIDITY_UNIT_S
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    ANSWER,
    HEADER_SIZE,
    MAX_SEQ,
    SEAL_TAG_SIZE,
    SIGNATURE_SIZE,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
)

FIXED_SIZE = const(17)
MAX_TEXT = const(142)
_EXERCISE = const(0x8000)


class Answer(Record):
    """`origin` authority, `seq`, `point` number, `ref` sequence number of its report or 0, `time_s` and
    `expires_s` unix seconds, `exercise`, `has_text`.
    """

    __slots__ = ("exercise", "expires_s", "has_text", "origin", "point", "ref", "seq", "time_s")

    def __init__(self, origin, seq, point, ref, time_s, expires_s, exercise=False, has_text=False):
        self.origin = origin
        self.seq = seq
        self.point = point
        self.ref = ref
        self.time_s = time_s
        self.expires_s = expires_s
        self.exercise = exercise
        self.has_text = has_text


def encode_clear(answer):
    """What stands before the sealed text; LocalProtocolError when a value is out of its range."""
    validity = (answer.expires_s - answer.time_s) // VALIDITY_UNIT_S
    for name, value, low, high in (
        ("point", answer.point, 1, 0xFFFF),
        ("report", answer.ref, 0, MAX_SEQ),
        ("validity in units of 5 minutes", validity, 1, MAX_VALIDITY_UNITS),
    ):
        if not low <= value <= high:
            raise LocalProtocolError("%s is %d, allowed %d to %d" % (name, value, low, high), "answer-range")
    clear = encode_header(RecordHeader(ANSWER, answer.origin, answer.seq))
    clear += answer.point.to_bytes(2, "big") + answer.ref.to_bytes(3, "big") + encode_minutes(answer.time_s)
    return clear + (validity | (_EXERCISE if answer.exercise else 0)).to_bytes(2, "big")


def decode(raw):
    """Answer without its text; RemoteProtocolError when it is none. The signature is not checked here."""
    header = decode_header(raw)
    if header.kind != ANSWER or header.parts != 1:
        raise RemoteProtocolError("record kind %d is no answer" % header.kind, "record-kind")
    if len(raw) - SIGNATURE_SIZE < FIXED_SIZE + SEAL_TAG_SIZE:
        raise RemoteProtocolError("answer is %d bytes, too short" % len(raw), "answer-short")
    has_text = len(raw) - SIGNATURE_SIZE > FIXED_SIZE + SEAL_TAG_SIZE
    return of_clear(header.origin, header.seq, raw[HEADER_SIZE:FIXED_SIZE], has_text)


def of_clear(origin, seq, clear, has_text):
    """Answer of a record's origin and number and the ten bytes behind its header."""
    point = clear[0] << 8 | clear[1]
    ref = clear[2] << 16 | clear[3] << 8 | clear[4]
    flags = clear[8] << 8 | clear[9]
    validity = flags & 0x0FFF
    if point == 0 or validity == 0 or flags & 0x7000:
        raise RemoteProtocolError("answer to point %d, flags %04x" % (point, flags), "answer-fields")
    time_s = decode_minutes(clear, 5)
    expires_s = time_s + validity * VALIDITY_UNIT_S
    return Answer(origin, seq, point, ref, time_s, expires_s, bool(flags & _EXERCISE), has_text)
