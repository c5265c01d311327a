"""REPORT (noodmelding): a point in need tells one authority, and only it can read what.

Body after the record header (see `records`); origin is the point's number, always one part:

    offset size field
    7      3    time: minutes since 2025-01-01 UTC
    10     2    number of the authority that is to read it
    12     1    priority (bits 0-1, as in STATUS), exercise (bit 2)
    13     t+8  sealed text (see `sealed`), UTF-8
    ...    64   signature of the point

It is kept and passed on by every replica until an ANSWER acknowledges it, at most LIFE_S.

DRAFT of a report, over the cable to a node only: one byte version and kind DRAFT, one byte with bit 6 set,
priority in bits 3 and 4 and exercise in bit 5 as in the DRAFT of a STATUS, then the text.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    DRAFT,
    HEADER_SIZE,
    REPORT,
    SEAL_TAG_SIZE,
    SIGNATURE_SIZE,
    VERSION,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
)
from baken.wire.status import PRIORITIES
from baken.wire.utf8 import is_utf8

LIFE_S = const(1209600)  # 14 days: nobody waits that long, and counters are not forgotten before
FIXED_SIZE = const(13)
MAX_TEXT = const(146)
_EXERCISE = const(4)
_DRAFT_OF_REPORT = const(0x40)
_DRAFT_EXERCISE = const(0x20)


class Report(Record):
    """`origin` point number, `seq`, `time_s` unix seconds, `to` authority number, `priority` one of
    status.PRIORITIES, `exercise`. The text comes out of `sealed.open_text`.
    """

    __slots__ = ("exercise", "origin", "priority", "seq", "time_s", "to")

    def __init__(self, origin, seq, time_s, to, priority=b"F", exercise=False):
        self.origin = origin
        self.seq = seq
        self.time_s = time_s
        self.to = to
        self.priority = priority
        self.exercise = exercise

    @property
    def expires_s(self):
        """When it is forgotten even without an answer."""
        return self.time_s + LIFE_S


def encode_clear(report):
    """What stands before the sealed text; LocalProtocolError when a value is out of its range."""
    if not 1 <= report.to <= 0xFFFF:
        raise LocalProtocolError("authority is %d, allowed 1 to 65535" % report.to, "range")
    if report.priority not in PRIORITIES:
        raise LocalProtocolError("priority is %r, allowed R, P, I, F" % report.priority, "range")
    flags = PRIORITIES.index(report.priority) | (_EXERCISE if report.exercise else 0)
    header = encode_header(RecordHeader(REPORT, report.origin, report.seq))
    return header + encode_minutes(report.time_s) + bytes((report.to >> 8, report.to & 0xFF, flags))


def decode(raw):
    """Report without its text; RemoteProtocolError when it is none. The signature is not checked here."""
    header = decode_header(raw)
    if header.kind != REPORT or header.parts != 1:
        raise RemoteProtocolError("record kind %d is no report" % header.kind, "record-kind")
    if len(raw) - SIGNATURE_SIZE < FIXED_SIZE + SEAL_TAG_SIZE:
        raise RemoteProtocolError("report is %d bytes, too short" % len(raw), "report-short")
    return of_clear(header.origin, header.seq, raw[HEADER_SIZE:FIXED_SIZE])


def of_clear(origin, seq, clear):
    """Report of a record's origin and number and the six bytes behind its header."""
    to = clear[3] << 8 | clear[4]
    if to == 0 or clear[5] > 7:
        raise RemoteProtocolError("report to authority %d, flags %02x" % (to, clear[5]), "report-fields")
    priority = PRIORITIES[clear[5] & 3]
    return Report(origin, seq, decode_minutes(clear, 0), to, priority, bool(clear[5] & _EXERCISE))


def is_draft(data):
    """Whether a DRAFT is that of a report, not of a status."""
    return len(data) >= 2 and data[0] == VERSION << 4 | DRAFT and bool(data[1] & _DRAFT_OF_REPORT)


def encode_draft(text, priority=b"F", exercise=False):
    """What a person hands a node over the cable, for it to number, seal and sign."""
    if not 1 <= len(text) <= MAX_TEXT:
        raise LocalProtocolError("text is %d bytes, allowed 1 to %d" % (len(text), MAX_TEXT), "report-text")
    if priority not in PRIORITIES:
        raise LocalProtocolError("priority is %r, allowed R, P, I, F" % priority, "range")
    flags = _DRAFT_OF_REPORT | PRIORITIES.index(priority) << 3 | (_DRAFT_EXERCISE if exercise else 0)
    return bytes((VERSION << 4 | DRAFT, flags)) + text


def decode_draft(data):
    """(text, priority, exercise); RemoteProtocolError when it is no draft of a report."""
    if not is_draft(data) or data[1] & 0x87:
        raise RemoteProtocolError("not a draft of a report", "draft")
    text = bytes(data[2:])
    if not 1 <= len(text) <= MAX_TEXT or not is_utf8(text):
        raise RemoteProtocolError("text is %d bytes, allowed 1 to %d" % (len(text), MAX_TEXT), "report-text")
    return text, PRIORITIES[data[1] >> 3 & 3], bool(data[1] & _DRAFT_EXERCISE)
