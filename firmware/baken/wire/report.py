"""REPORT (noodmelding): a point in need tells one authority, and only it can read what.

Body after the record header (see `records`); origin is the point's number, always one part:

    offset size field
    7      3    time: minutes since 2025-01-01 UTC
    10     2    number of the authority that is to read it
    12     1    priority (bits 0-1, as in STATUS), exercise (bit 2)
    13     t+8  sealed text (see `sealed`), UTF-8
    ...    64   signature of the point

It is kept and passed on by every replica until an ANSWER acknowledges it, at most LIFE_S.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    REPORT,
    SEAL_TAG_SIZE,
    SIGNATURE_SIZE,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
)
from baken.wire.status import PRIORITIES

LIFE_S = const(1209600)  # 14 days: nobody waits that long, and counters are not forgotten before
FIXED_SIZE = const(13)
MAX_TEXT = const(146)
_EXERCISE = const(4)


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
    to = raw[10] << 8 | raw[11]
    if to == 0 or raw[12] > 7:
        raise RemoteProtocolError("report to authority %d, flags %02x" % (to, raw[12]), "report-fields")
    priority = PRIORITIES[raw[12] & 3]
    time_s = decode_minutes(raw, 7)
    return Report(header.origin, header.seq, time_s, to, priority, bool(raw[12] & _EXERCISE))
