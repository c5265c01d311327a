"""DIGEST and TALLY: gossip messages in which a replica says what it holds. They are not records and not
signed.

DIGEST, one frame, hop limit 0:

    offset size field
    0      1    version and kind DIGEST
    1      4    CRC-32 of the TALLY entries of all points, sorted by point, pages joined
    5      1    number of authorities
    6      ...  per authority: number u16 | newest sequence held u24 | size of mask u8 (0 to 8) | mask;
                bit i (from the least significant bit of the first byte) stands for sequence newest - i:
                that bulletin is held whole and is neither expired nor retired
    ...    6p   per bulletin held in part: authority u16 | sequence u24 | mask of parts held u8

TALLY, one page a frame: the newest STATUS of every point

    offset size field
    0      1    version and kind TALLY
    1      1    page (high nibble, from 0) and number of pages less one (low nibble)
    2      5n   per point, sorted: number u16 | sequence u24

A lie in either can only cause records to be sent that were due anyway; senders bound how often (see
`gossip`).
"""

from baken.compat import const, crc32
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import DIGEST, MAX_PAYLOAD, TALLY, VERSION

WINDOW = const(64)  # sequence numbers below the newest that a mask can cover
MAX_AUTHORITIES = const(16)
MAX_PARTIAL = const(16)
MAX_TALLY_PAGES = const(6)
TALLY_PAGE_ENTRIES = const(45)
_ENTRY_HEAD = const(6)
_PARTIAL_SIZE = const(6)
_TALLY_ENTRY = const(5)


class Digest(Record):
    """`tally_crc`: int; `held`: {authority: set of sequence numbers}; `partial`: {(authority, seq): mask
    of parts}.
    """

    __slots__ = ("held", "partial", "tally_crc")

    def __init__(self, tally_crc, held, partial):
        self.tally_crc = tally_crc
        self.held = held
        self.partial = partial


class Tally(Record):
    """One page: `entries` is a list of (point, seq) sorted by point; page `page` of `pages`."""

    __slots__ = ("entries", "page", "pages")

    def __init__(self, entries, page=0, pages=1):
        self.entries = entries
        self.page = page
        self.pages = pages


def tally_crc(entries):
    """CRC-32 over the wire form of all sorted (point, seq) entries; 0 when there are none."""
    return crc32(_tally_bytes(entries)) if entries else 0


def encode_digest(digest):
    """The message. What does not fit one frame is left out: authorities, then bulletins held in part, of the
    highest numbers. Bulletins below the window of an authority's mask are left out too.
    """
    out = bytearray((VERSION << 4 | DIGEST,))
    crc = digest.tally_crc
    out += bytes((crc >> 24 & 0xFF, crc >> 16 & 0xFF, crc >> 8 & 0xFF, crc & 0xFF, 0))
    for authority in sorted(digest.held)[:MAX_AUTHORITIES]:
        entry = _encode_held(authority, digest.held[authority])
        if len(out) + len(entry) > MAX_PAYLOAD:
            break
        out += entry
        out[5] += 1
    for authority, seq in sorted(digest.partial)[:MAX_PARTIAL]:
        if len(out) + _PARTIAL_SIZE > MAX_PAYLOAD:
            break
        out += bytes((authority >> 8, authority & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))
        out.append(digest.partial[(authority, seq)])
    return bytes(out)


def decode_digest(data):
    """Digest; RemoteProtocolError when the bytes are none."""
    if len(data) < 6 or len(data) > MAX_PAYLOAD:
        raise RemoteProtocolError(
            "digest is %d bytes, allowed 6 to %d" % (len(data), MAX_PAYLOAD), "digest-size"
        )
    crc = data[1] << 24 | data[2] << 16 | data[3] << 8 | data[4]
    if data[5] > MAX_AUTHORITIES:
        raise RemoteProtocolError(
            "digest names %d authorities, limit %d" % (data[5], MAX_AUTHORITIES), "digest-size"
        )
    held = {}
    at = 6
    for _ in range(data[5]):
        if at + _ENTRY_HEAD > len(data):
            raise RemoteProtocolError("digest ends inside an authority", "digest-short")
        mask_size = data[at + 5]
        if mask_size > WINDOW // 8 or at + _ENTRY_HEAD + mask_size > len(data):
            raise RemoteProtocolError(
                "digest mask is %d bytes, limit %d" % (mask_size, WINDOW // 8), "digest-mask"
            )
        newest = data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4]
        mask = data[at + _ENTRY_HEAD : at + _ENTRY_HEAD + mask_size]
        seqs = set()
        for index in range(8 * mask_size):
            if mask[index >> 3] >> (index & 7) & 1 and newest > index:
                seqs.add(newest - index)
        held[data[at] << 8 | data[at + 1]] = seqs
        at += _ENTRY_HEAD + mask_size
    rest = len(data) - at
    if rest % _PARTIAL_SIZE or rest > MAX_PARTIAL * _PARTIAL_SIZE:
        raise RemoteProtocolError("digest has %d bytes of partial bulletins" % rest, "digest-partial")
    partial = {}
    for at in range(at, len(data), _PARTIAL_SIZE):
        key = (data[at] << 8 | data[at + 1], data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4])
        partial[key] = data[at + 5]
    return Digest(crc, held, partial)


def encode_tally(entries):
    """All pages for the sorted (point, seq) `entries`; one empty page when there are none."""
    pages = max(1, (len(entries) + TALLY_PAGE_ENTRIES - 1) // TALLY_PAGE_ENTRIES)
    if pages > MAX_TALLY_PAGES:
        raise LocalProtocolError(
            "%d points, limit %d" % (len(entries), MAX_TALLY_PAGES * TALLY_PAGE_ENTRIES), "tally"
        )
    out = []
    for page in range(pages):
        part = entries[page * TALLY_PAGE_ENTRIES : (page + 1) * TALLY_PAGE_ENTRIES]
        out.append(bytes((VERSION << 4 | TALLY, page << 4 | (pages - 1))) + _tally_bytes(part))
    return out


def decode_tally(data):
    """Tally page; RemoteProtocolError when the bytes are none."""
    if len(data) < 2 or (len(data) - 2) % _TALLY_ENTRY or len(data) > 2 + _TALLY_ENTRY * TALLY_PAGE_ENTRIES:
        raise RemoteProtocolError("tally is %d bytes" % len(data), "tally-size")
    page, pages = data[1] >> 4, (data[1] & 0x0F) + 1
    if page >= pages or pages > MAX_TALLY_PAGES:
        raise RemoteProtocolError("tally page %d of %d" % (page + 1, pages), "tally-page")
    entries = []
    for at in range(2, len(data), _TALLY_ENTRY):
        entries.append((data[at] << 8 | data[at + 1], data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4]))
    return Tally(entries, page, pages)


def _encode_held(authority, seqs):
    newest = max(seqs) if seqs else 0
    mask = bytearray(WINDOW // 8)
    for seq in seqs:
        index = newest - seq
        if index < WINDOW:
            mask[index >> 3] |= 1 << (index & 7)
    size = len(mask)
    while size and not mask[size - 1]:
        size -= 1
    head = bytes((authority >> 8, authority & 0xFF, newest >> 16, newest >> 8 & 0xFF, newest & 0xFF, size))
    return head + bytes(mask[:size])


def _tally_bytes(entries):
    out = bytearray()
    for point, seq in entries:
        out += bytes((point >> 8, point & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))
    return bytes(out)
