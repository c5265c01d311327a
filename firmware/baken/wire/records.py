"""The frame of every noticeboard record: who made it, which one it is, and the proof.

    offset size field
    0      1    version (high nibble, 1) and kind (low nibble)
    1      2    origin: number of the authority (BULLETIN, HEARTBEAT, ANSWER) or of the point (STATUS, REPORT)
    3      3    sequence number of that origin, a counter kept in flash, starts at 1
    6      1    part: index (high nibble, from 0) and number of parts less one (low nibble)
    7      n    body, by kind
    7+n    64   Ed25519 signature over DOMAIN | region tag | all bytes before it

Numbers are big endian. A record travels as payload of Meshtastic's PRIVATE_APP; the signature lies inside the
payload because relays that hold the channel key encode the surrounding `Data` message anew. The region tag is
signed but not sent: a record of one region is a forgery in every other.
"""

from baken.compat import const, sha256
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record

VERSION = const(1)

BULLETIN = const(1)
HEARTBEAT = const(2)
STATUS = const(3)
REPORT = const(4)
ANSWER = const(5)
TRUST = const(6)
PULSES = const(7)  # gossip, not a record: signs of life of many points
DIGEST = const(8)  # gossip, not a record: what a replica holds
TALLY = const(9)  # gossip, not a record: the newest status of each point
DRAFT = const(10)  # over the cable to a node only: a status for it to sign

KIND_NAMES = {
    BULLETIN: "bulletin",
    HEARTBEAT: "heartbeat",
    STATUS: "status",
    REPORT: "report",
    ANSWER: "answer",
    TRUST: "trust",
}

# Who signs kinds that this version does not know: such records are checked and carried, the newest of each
# origin. Of another version byte 0 as a whole is the kind, and its low nibble says who signs.
AUTHORITY_KINDS = (BULLETIN, HEARTBEAT, ANSWER, 11)
POINT_KINDS = (STATUS, REPORT, 12, 13)
ROOT_KINDS = (TRUST, 14, 15)

HEADER_SIZE = const(7)
SIGNATURE_SIZE = const(64)
SEAL_TAG_SIZE = const(8)  # behind a sealed text, see `sealed`
MAX_PARTS = const(8)
MAX_SEQ = const(0xFFFFFF)
# 255-byte LoRa frame - 16 header - 8 of Data (port number 3, payload tag and length 3, bitfield 2).
MAX_PAYLOAD = const(231)

_DOMAIN = b"baken-record-1"
EPOCH_S = const(1735689600)  # 2025-01-01T00:00:00Z; three bytes of minutes last until November 2056


def role_of(kind):
    """The kind whose makers sign records of `kind`, which may be that of another version (see above)."""
    return kind & 0x0F


class RecordHeader(Record):
    """First seven bytes of a record: `kind`, `origin`, `seq`, `part` (from 0) of `parts`.

    `kind` of another version than ours is the whole first byte, so it is none of the kinds known here.
    """

    __slots__ = ("kind", "origin", "part", "parts", "seq")

    def __init__(self, kind, origin, seq, part=0, parts=1):
        self.kind = kind
        self.origin = origin
        self.seq = seq
        self.part = part
        self.parts = parts

    @property
    def record_id(self):
        """(kind, origin, seq, part): the same on every replica, usable as a dictionary key."""
        return (self.kind, self.origin, self.seq, self.part)


def pack_key(key):
    """(origin, sequence number) in five bytes."""
    origin, seq = key
    return bytes((origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))


def unpack_key(data, at):
    """The (origin, sequence number) that `pack_key` put at `at`."""
    return (data[at] << 8 | data[at + 1], data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4])


def pack_id(record_id):
    """A record id in seven bytes: kind, origin, number, part."""
    kind, origin, seq, part = record_id
    return bytes((kind, origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF, part))


def unpack_id(data, at):
    """The record id that `pack_id` put at `at`."""
    return (
        data[at],
        data[at + 1] << 8 | data[at + 2],
        data[at + 3] << 16 | data[at + 4] << 8 | data[at + 5],
        data[at + 6],
    )


def message_kind(payload):
    """Kind of a PRIVATE_APP payload, or None when it is empty or of another version."""
    if not payload or payload[0] >> 4 != VERSION:
        return None
    return payload[0] & 0x0F


def region_tag(root_public):
    """Eight bytes that name a region: a digest of its root key."""
    return sha256(b"baken-region" + root_public)[:8]


def encode_header(header):
    """Seven bytes; LocalProtocolError when a field is out of its range."""
    _check("origin", header.origin, 1, 0xFFFF)
    _check("sequence number", header.seq, 1, MAX_SEQ)
    _check("number of parts", header.parts, 1, MAX_PARTS)
    _check("part", header.part, 0, header.parts - 1)
    return bytes(
        (
            VERSION << 4 | header.kind,
            header.origin >> 8,
            header.origin & 0xFF,
            header.seq >> 16,
            header.seq >> 8 & 0xFF,
            header.seq & 0xFF,
            header.part << 4 | (header.parts - 1),
        )
    )


def decode_header(raw):
    """RecordHeader of a record; RemoteProtocolError when it cannot be one."""
    if len(raw) < HEADER_SIZE + SIGNATURE_SIZE:
        raise RemoteProtocolError(
            "record is %d bytes, at least %d needed" % (len(raw), HEADER_SIZE + SIGNATURE_SIZE),
            "record-short",
        )
    if len(raw) > MAX_PAYLOAD:
        raise RemoteProtocolError("record is %d bytes, limit %d" % (len(raw), MAX_PAYLOAD), "record-long")
    if raw[0] >> 4 == 0:
        raise RemoteProtocolError("record version 0, known from %d on" % VERSION, "record-version")
    header = RecordHeader(
        raw[0] & 0x0F if raw[0] >> 4 == VERSION else raw[0],
        raw[1] << 8 | raw[2],
        raw[3] << 16 | raw[4] << 8 | raw[5],
        raw[6] >> 4,
        (raw[6] & 0x0F) + 1,
    )
    if header.origin == 0 or header.seq == 0:
        raise RemoteProtocolError("origin and sequence number start at 1", "record-number")
    if header.parts > MAX_PARTS or header.part >= header.parts:
        raise RemoteProtocolError(
            "part %d of %d, limit %d" % (header.part + 1, header.parts, MAX_PARTS), "record-part"
        )
    return header


def signed_bytes(raw, tag):
    """What the signature of the whole record `raw` covers in the region `tag`."""
    return _DOMAIN + tag + bytes(raw[: len(raw) - SIGNATURE_SIZE])


def seal(unsigned, tag, sign):
    """The record made of header and body `unsigned`, signed by `sign(message) -> 64 bytes`."""
    size = len(unsigned) + SIGNATURE_SIZE
    if size > MAX_PAYLOAD:
        raise LocalProtocolError("record is %d bytes, limit %d" % (size, MAX_PAYLOAD), "record-long")
    return bytes(unsigned) + sign(_DOMAIN + tag + bytes(unsigned))


def signature_of(raw):
    """The last 64 bytes."""
    return bytes(raw[len(raw) - SIGNATURE_SIZE :])


def encode_minutes(unix_s):
    """Three bytes: whole minutes since 2025-01-01 UTC, rounded down."""
    minutes = (unix_s - EPOCH_S) // 60
    _check("minutes since 2025", minutes, 0, 0xFFFFFF)
    return bytes((minutes >> 16, minutes >> 8 & 0xFF, minutes & 0xFF))


def decode_minutes(data, offset):
    """Unix seconds of the three bytes at `offset`."""
    return EPOCH_S + 60 * (data[offset] << 16 | data[offset + 1] << 8 | data[offset + 2])


def _check(name, value, low, high):
    if not low <= value <= high:
        raise LocalProtocolError("%s is %d, allowed %d to %d" % (name, value, low, high), "range")
