"""DIGEST and TALLY: gossip messages in which a replica says what it holds. They are not records and not
signed.

DIGEST, one frame, hop limit 0:

    offset size field
    0      1    version and kind DIGEST
    1      4    checksum of the sorted TALLY entries (kind u8 | origin u16 | sequence u24): the high 20 bits
                of the CRC-32 of all but STATUS, the low 12 bits of that of STATUS
    5      1    bit 7: the sender hears few neighbours; bits 6-0: number of entries that follow
    6      ...  per entry: authority u16 | newest sequence held u24 | heartbeat u24 | size of mask u8 (0 to 8)
                | mask; bit i (from the least significant bit of the first byte) stands for sequence
                newest - i: that bulletin is held whole and is neither expired nor retired
    ...    6p   per bulletin held in part: authority u16 | sequence u24 | mask of parts held u8

An authority whose bulletins lie further apart than 64 numbers has several entries, the newest first.
Heartbeat is the number of the newest HEARTBEAT held of the authority, 0 for none.

TALLY, one page a frame: every record but bulletins and heartbeats, sorted by kind, origin and number

    offset size field
    0      1    version and kind TALLY
    1      1    page (high nibble, from 0) and number of pages less one (low nibble)
    2      ...  per kind: kind u8 | number of entries u8 | per entry: origin u16 | sequence u24

The last entry of a page is the first of the next one, so together the pages leave no gap. The last STATUS
ends a page, so that a sender may say the pages of statuses or the others alone.

A lie in either can only cause records to be sent that were due anyway; senders bound how often (see
`gossip`).
"""

from baken.compat import const, crc32
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import DIGEST, MAX_PAYLOAD, STATUS, TALLY, VERSION

WINDOW = const(64)  # sequence numbers that the mask of one entry can cover
MAX_ENTRIES = const(16)
MAX_PARTIAL = const(16)
MAX_TALLY_PAGES = const(16)
_LONELY = const(0x80)
_ENTRY_HEAD = const(9)
_PARTIAL_SIZE = const(6)
_GROUP_HEAD = const(2)
_TALLY_ENTRY = const(5)
_STATUS_BITS = const(0xFFF)


class Digest(Record):
    """`tally_crc`: int; `held`: {authority: set of sequence numbers}; `partial`: {(authority, seq): mask
    of parts}; `beats`: {authority: number of its newest HEARTBEAT}; `lonely`: the sender hears few
    neighbours, so what it lacks is served to it more than once.
    """

    __slots__ = ("beats", "held", "lonely", "partial", "tally_crc")

    def __init__(self, tally_crc, held, partial, beats=None, lonely=False):
        self.lonely = lonely
        self.tally_crc = tally_crc
        self.held = held
        self.partial = partial
        self.beats = beats or {}


class Tally(Record):
    """One page: `entries` is a sorted list of (kind, origin, seq); page `page` of `pages`."""

    __slots__ = ("entries", "page", "pages")

    def __init__(self, entries, page=0, pages=1):
        self.entries = entries
        self.page = page
        self.pages = pages


def tally_crc(entries):
    """Checksum of the sorted (kind, origin, seq) entries; 0 when there are none. `same_statuses` and
    `same_letters` compare two.
    """
    statuses = letters = 0
    for kind, origin, seq in entries:
        entry = bytes((kind,)) + _entry_bytes(origin, seq)
        if kind == STATUS:
            statuses = crc32(entry, statuses)
        else:
            letters = crc32(entry, letters)
    return letters & ~_STATUS_BITS | statuses & _STATUS_BITS


def same_statuses(crc, other):
    """Whether two checksums are of the same statuses (a difference may escape, one in 4096)."""
    return not (crc ^ other) & _STATUS_BITS


def same_letters(crc, other):
    """Whether two checksums are of the same records that are no statuses (one in a million escapes)."""
    return not (crc ^ other) & ~_STATUS_BITS


def encode_digest(digest):
    """The message. What does not fit one frame is left out: entries of the highest authority numbers, then
    bulletins held in part.
    """
    out = bytearray((VERSION << 4 | DIGEST,))
    out += digest.tally_crc.to_bytes(4, "big")
    out.append(0)
    for authority in sorted(set(digest.held) | set(digest.beats)):
        for entry in _encode_held(authority, digest.held.get(authority), digest.beats.get(authority, 0)):
            if len(out) + len(entry) <= MAX_PAYLOAD and out[5] < MAX_ENTRIES:
                out += entry
                out[5] += 1
    for authority, seq in sorted(digest.partial)[:MAX_PARTIAL]:
        if len(out) + _PARTIAL_SIZE > MAX_PAYLOAD:
            break
        out += _entry_bytes(authority, seq)
        out.append(digest.partial[(authority, seq)])
    if digest.lonely:
        out[5] |= _LONELY
    return bytes(out)


def decode_digest(data):
    """Digest; RemoteProtocolError when the bytes are none."""
    if len(data) < 6 or len(data) > MAX_PAYLOAD:
        raise RemoteProtocolError(
            "digest is %d bytes, allowed 6 to %d" % (len(data), MAX_PAYLOAD), "digest-size"
        )
    count = data[5] & ~_LONELY
    if count > MAX_ENTRIES:
        raise RemoteProtocolError("digest has %d entries, limit %d" % (count, MAX_ENTRIES), "digest-size")
    held = {}
    beats = {}
    at = 6
    for _ in range(count):
        if at + _ENTRY_HEAD > len(data):
            raise RemoteProtocolError("digest ends inside an entry", "digest-short")
        mask_size = data[at + 8]
        end = at + _ENTRY_HEAD + mask_size
        if mask_size > WINDOW // 8 or end > len(data):
            raise RemoteProtocolError(
                "digest mask is %d bytes, limit %d" % (mask_size, WINDOW // 8), "digest-mask"
            )
        authority, newest = _entry_at(data, at)
        beat = data[at + 5] << 16 | data[at + 6] << 8 | data[at + 7]
        if beat:
            beats[authority] = beat
        seqs = held.setdefault(authority, set())
        for index in range(8 * mask_size):
            if data[at + _ENTRY_HEAD + (index >> 3)] >> (index & 7) & 1 and newest > index:
                seqs.add(newest - index)
        at = end
    rest = len(data) - at
    if rest % _PARTIAL_SIZE or rest > MAX_PARTIAL * _PARTIAL_SIZE:
        raise RemoteProtocolError("digest has %d bytes of partial bulletins" % rest, "digest-partial")
    partial = {}
    for at in range(at, len(data), _PARTIAL_SIZE):
        partial[_entry_at(data, at)] = data[at + 5]
    return Digest(int.from_bytes(data[1:5], "big"), held, partial, beats, data[5] >= _LONELY)


def encode_tally(entries, statuses=True, letters=True):
    """Pages for the sorted (kind, origin, seq) `entries`: those of STATUS, of all other kinds, or all; one
    empty page when there are none.
    """
    pages = [bytearray()]
    last = None  # (kind, offset of its group) that the page is in
    entry = None
    of_statuses = 0
    for following in entries:
        before, entry = entry, following
        kind = entry[0]
        page = pages[-1]
        is_new = last is None or last[0] != kind
        ends = is_new and last is not None and last[0] == STATUS
        if ends or len(page) + (_GROUP_HEAD if is_new else 0) + _TALLY_ENTRY > MAX_PAYLOAD - 2:
            page = bytearray()
            pages.append(page)
            last = _put_entry(page, None, before)
        last = _put_entry(page, last, entry)
        if kind == STATUS:
            of_statuses = len(pages)
    if letters and not statuses and of_statuses == len(pages):
        pages.append(bytearray())  # it says: and nothing else
        _put_entry(pages[-1], None, entry)
    count = len(pages)
    if count > MAX_TALLY_PAGES:
        raise LocalProtocolError("tally has %d pages, limit %d" % (count, MAX_TALLY_PAGES), "tally")
    first = 0 if statuses or not of_statuses else of_statuses
    end = count if letters or not of_statuses else of_statuses
    return [
        bytes((VERSION << 4 | TALLY, index << 4 | (count - 1))) + bytes(pages[index])
        for index in range(first, end)
    ]


def decode_tally(data):
    """Tally page; RemoteProtocolError when the bytes are none."""
    if not 2 <= len(data) <= MAX_PAYLOAD:
        raise RemoteProtocolError(
            "tally is %d bytes, allowed 2 to %d" % (len(data), MAX_PAYLOAD), "tally-size"
        )
    page, pages = data[1] >> 4, (data[1] & 0x0F) + 1
    if page >= pages:
        raise RemoteProtocolError("tally page %d of %d" % (page + 1, pages), "tally-page")
    entries = []
    at = 2
    while at < len(data):
        if at + _GROUP_HEAD > len(data) or at + _GROUP_HEAD + _TALLY_ENTRY * data[at + 1] > len(data):
            raise RemoteProtocolError("tally ends inside a group", "tally-size")
        kind = data[at]
        end = at + _GROUP_HEAD + _TALLY_ENTRY * data[at + 1]
        for entry_at in range(at + _GROUP_HEAD, end, _TALLY_ENTRY):
            entries.append((kind,) + _entry_at(data, entry_at))
        at = end
    if entries != sorted(entries):
        raise RemoteProtocolError("tally is not sorted", "tally-order")
    return Tally(entries, page, pages)


def _encode_held(authority, seqs, beat):
    """Entries for one authority: one for each window of numbers that holds a bulletin, at least one."""
    left = sorted(seqs or (), reverse=True)
    entries = []
    while left or not entries:
        newest = left[0] if left else 0
        mask = bytearray(WINDOW // 8)
        while left and newest - left[0] < WINDOW:
            index = newest - left.pop(0)
            mask[index >> 3] |= 1 << (index & 7)
        size = len(mask)
        while size and not mask[size - 1]:
            size -= 1
        entry = _entry_bytes(authority, newest) + beat.to_bytes(3, "big") + bytes((size,))
        entries.append(entry + bytes(mask[:size]))
    return entries


def _put_entry(page, last, entry):
    """Add an entry to its kind's group, which is begun where `last` (kind, offset) is another one."""
    kind, origin, seq = entry
    if last is None or last[0] != kind or page[last[1] + 1] == 255:
        last = (kind, len(page))
        page += bytes((kind, 0))
    page[last[1] + 1] += 1
    page += _entry_bytes(origin, seq)
    return last


def _entry_bytes(origin, seq):
    return bytes((origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF))


def _entry_at(data, at):
    return (data[at] << 8 | data[at + 1], data[at + 2] << 16 | data[at + 3] << 8 | data[at + 4])
