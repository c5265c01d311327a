"""BULLETIN: what an authority tells an area, in one to eight separately signed parts.

Body after the record header (see `records`):

    offset size field
    7      4    CAP word (see `cap`)
    11     3    sent: minutes since 2025-01-01 UTC
    14     2    language (high 4 bits) and validity in units of 5 minutes (low 12 bits, 1 to 4095)
    16     1    number of areas (high nibble) and of references (low nibble)
    17     a    one byte an area: its index in the region's list; no area = the whole region
    17+a   5r   references: origin u16, sequence u24 of each bulletin that an Update or Cancel names
    ...    t    text, at least one byte, as `encoding` in the CAP word says (see `content`)
    ...    64   signature

Every part repeats everything but the text, so each can be checked, expire and be passed on by itself; the
text of the bulletin is that of its parts in order, each encoded by itself. Expiry has a grain of five minutes
counted from `sent`.
"""

from baken.compat import const
from baken.wire import cap, content
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    BULLETIN,
    HEADER_SIZE,
    MAX_PARTS,
    MAX_PAYLOAD,
    SIGNATURE_SIZE,
    RecordHeader,
    decode_header,
    decode_minutes,
    encode_header,
    encode_minutes,
    seal,
)

FIXED_SIZE = const(17)
REFERENCE_SIZE = const(5)
VALIDITY_UNIT_S = const(300)
MAX_VALIDITY_UNITS = const(4095)
MAX_AREAS = const(15)
MAX_REFERENCES = const(15)


class Bulletin(Record):
    """One bulletin, or one part of it.

    `origin`, `seq`: the authority's number and its counter. CAP fields are the CAP words as bytes
    (`status`, `msg_type`, `scope`, `category`, `response_type`, `urgency`, `severity`, `certainty`, `event`).
    `sent_s`, `expires_s`: unix seconds. `areas`: tuple of area indexes, empty for the whole region.
    `references`: tuple of (origin, seq). `part` (from 0) of `parts`: (0, 1) for a whole one. `content`: what
    is sent, as `encoding` says; `text`: the same to read, UTF-8 bytes.
    """

    __slots__ = (
        "areas",
        "category",
        "certainty",
        "content",
        "encoding",
        "event",
        "expires_s",
        "language",
        "msg_type",
        "origin",
        "part",
        "parts",
        "references",
        "response_type",
        "scope",
        "sent_s",
        "seq",
        "severity",
        "status",
        "urgency",
    )

    def __init__(self, origin, seq, sent_s, expires_s, text, areas=(), references=(), part=0, parts=1):
        self.origin = origin
        self.seq = seq
        self.sent_s = sent_s
        self.expires_s = expires_s
        self.content = text
        self.areas = areas
        self.references = references
        self.part = part
        self.parts = parts
        self.status = b"Actual"
        self.msg_type = b"Alert"
        self.scope = b"Public"
        self.category = b"Safety"
        self.response_type = b"None"
        self.urgency = b"Unknown"
        self.severity = b"Unknown"
        self.certainty = b"Unknown"
        self.event = b"BERICHT"
        self.encoding = content.UTF8
        self.language = b"nl"

    @property
    def text(self):
        """UTF-8 bytes to read, worked out anew each time; RemoteProtocolError when the content is none."""
        return content.unpack(self.encoding, self.content)

    @text.setter
    def text(self, text):
        self.content = text
        self.encoding = content.UTF8

    def say(self, phrases):
        """Have `phrases`, [(number, parameters)], in place of free text; see `phrases.encode`."""
        from baken.wire.phrases import encode

        self.content = encode(phrases)
        self.encoding = content.PHRASE

    def __eq__(self, other) -> bool:
        if other.__class__ is not self.__class__:
            return False
        # How the text was encoded for sending makes no other bulletin.
        for name in self.__slots__ + ("text",):
            if name not in ("content", "encoding") and getattr(self, name) != getattr(other, name):
                return False
        return True

    def applies_to(self, area):
        """True when a place in area index `area` is meant; None stands for a place outside every area."""
        return not self.areas or area in self.areas


def text_capacity(areas, references):
    """Bytes of text that fit in one part."""
    return MAX_PAYLOAD - SIGNATURE_SIZE - FIXED_SIZE - len(areas) - REFERENCE_SIZE * len(references)


def pieces_of(bulletin):
    """(encoding, contents): how the text of a whole bulletin is sent, one content a part."""
    if bulletin.encoding != content.UTF8:
        return bulletin.encoding, [bulletin.content]  # a phrase, or a part as it was decoded
    from baken.wire.packing import pack  # a node does not write bulletins

    return pack(bulletin.content, text_capacity(bulletin.areas, bulletin.references))


def encode_parts(bulletin, tag, sign):
    """The signed parts of a whole bulletin, in order.

    `tag`: region tag; `sign(message)`: the authority's signature. LocalProtocolError says which value is over
    which limit.
    """
    _check_limits(bulletin)
    encoding, pieces = pieces_of(bulletin)
    if len(pieces) > MAX_PARTS:
        raise LocalProtocolError("text needs %d parts, limit %d" % (len(pieces), MAX_PARTS), "bulletin-parts")
    middle = _encode_middle(bulletin, encoding)
    parts = []
    for index, piece in enumerate(pieces):
        header = encode_header(RecordHeader(BULLETIN, bulletin.origin, bulletin.seq, index, len(pieces)))
        parts.append(seal(header + middle + piece, tag, sign))
    return parts


def decode_part(raw):
    """Bulletin with this part's text; RemoteProtocolError when `raw` is none. The signature is not checked
    here.
    """
    header = decode_header(raw)
    if header.kind != BULLETIN:
        raise RemoteProtocolError("record kind %d is no bulletin" % header.kind, "record-kind")
    end = len(raw) - SIGNATURE_SIZE
    if end < FIXED_SIZE:
        raise RemoteProtocolError("bulletin body ends at %d, needs %d" % (end, FIXED_SIZE), "bulletin-short")
    text_at = _text_at(raw)
    if text_at >= end:
        raise RemoteProtocolError("bulletin has no room for its text", "bulletin-short")
    if not (raw[14] & 0x0F or raw[15]):
        raise RemoteProtocolError("bulletin is never valid", "bulletin-validity")
    bulletin = decode_heading(raw)
    bulletin.content = bytes(raw[text_at:end])
    bulletin.part = header.part
    return bulletin


def heading_of(raw):
    """The bytes of a part that all parts share, as those of the first: all before the text."""
    return bytes(raw[:6]) + bytes((raw[6] & 0x0F,)) + bytes(raw[HEADER_SIZE : _text_at(raw)])


def decode_heading(head):
    """Bulletin without content, from what `heading_of` gave of a part that `decode_part` takes."""
    area_count = head[16] >> 4
    sent_s = decode_minutes(head, 11)
    bulletin = Bulletin(
        head[1] << 8 | head[2],
        head[3] << 16 | head[4] << 8 | head[5],
        sent_s,
        sent_s + ((head[14] & 0x0F) << 8 | head[15]) * VALIDITY_UNIT_S,
        b"",
        tuple(head[FIXED_SIZE : FIXED_SIZE + area_count]),
        references_of(head),
        0,
        (head[6] & 0x0F) + 1,
    )
    cap.decode_word(head, HEADER_SIZE, bulletin)
    bulletin.language = cap.meaning("language", cap.LANGUAGE, head[14] >> 4)
    return bulletin


def references_of(raw):
    """((origin, number), ...) of the bulletins that a part names, or what `heading_of` gave of one."""
    found = []
    for at in range(FIXED_SIZE + (raw[16] >> 4), _text_at(raw), REFERENCE_SIZE):
        found.append((raw[at] << 8 | raw[at + 1], raw[at + 2] << 16 | raw[at + 3] << 8 | raw[at + 4]))
    return tuple(found)


def _text_at(raw):
    return FIXED_SIZE + (raw[16] >> 4) + REFERENCE_SIZE * (raw[16] & 0x0F)


def _encode_middle(bulletin, encoding):
    validity = (bulletin.expires_s - bulletin.sent_s) // VALIDITY_UNIT_S
    language = cap.code("language", cap.LANGUAGE, bulletin.language)
    middle = cap.encode_word(bulletin, encoding) + encode_minutes(bulletin.sent_s)
    middle += bytes(
        (
            language << 4 | validity >> 8,
            validity & 0xFF,
            len(bulletin.areas) << 4 | len(bulletin.references),
        )
    )
    middle += bytes(bulletin.areas)
    for origin, seq in bulletin.references:
        middle += bytes((origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))
    return middle


def _check_limits(bulletin):
    if not bulletin.content:
        raise LocalProtocolError("text is empty", "bulletin-text")
    validity = (bulletin.expires_s - bulletin.sent_s) // VALIDITY_UNIT_S
    if not 1 <= validity <= MAX_VALIDITY_UNITS:
        raise LocalProtocolError(
            "validity is %d minutes, allowed 5 to %d" % (validity * 5, MAX_VALIDITY_UNITS * 5),
            "bulletin-validity",
        )
    if len(bulletin.areas) > MAX_AREAS:
        raise LocalProtocolError("%d areas, limit %d" % (len(bulletin.areas), MAX_AREAS), "bulletin-areas")
    if len(bulletin.references) > MAX_REFERENCES:
        raise LocalProtocolError(
            "%d references, limit %d" % (len(bulletin.references), MAX_REFERENCES), "bulletin-references"
        )
    for area in bulletin.areas:
        if not 0 <= area <= 254:
            raise LocalProtocolError("area index is %d, allowed 0 to 254" % area, "range")
    for origin, seq in bulletin.references:
        if not (1 <= origin <= 0xFFFF and 1 <= seq <= 0xFFFFFF):
            raise LocalProtocolError("reference (%d, %d) is out of range" % (origin, seq), "range")
