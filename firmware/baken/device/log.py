"""The log of records in the flash store: how it is written and read, and where in it each record lies.

A log is a row of batches; what one commit has put and removed is in one. Numbers big endian:

    magic b7 42 | size u16 of the items | items | CRC-32 u32 of the items

An item: size u8 | a raw record, or the seven bytes of the id of one that went: kind u8, origin u16, number
u24, part u8. Of several items about one id the last counts. What is damaged is skipped up to the next magic.
"""

from baken.compat import const, crc32
from baken.table import Table
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import HEADER_SIZE, decode_header, pack_id, unpack_id

AROUND = const(9)
"""Bytes that a record alone in its batch takes besides its own."""
_MAGIC = b"\xb7\x42"
_MAX_BATCH = const(4096)
_CHUNK = const(256)  # bytes from which a piece of a batch is written

# A value of the index, behind the id: place u24 | size u8 | low half of the record's CRC-32 u16.
_VALUE_SIZE = const(6)


class Index:
    """Where in the log each record lies, by id: thirteen bytes a record."""

    def __init__(self):
        self._table = Table(HEADER_SIZE, _VALUE_SIZE)

    def __len__(self):
        return len(self._table)

    def __contains__(self, record_id):
        return pack_id(record_id) in self._table

    def ids(self):
        """The id of each record, in no promised order; nothing may be changed meanwhile."""
        for row in self._table:
            yield unpack_id(row, 0)

    def get(self, record_id):
        """(place of a record, its size, low half of its CRC-32), or None."""
        found = self._table.get(pack_id(record_id))
        if found is None:
            return None
        return int.from_bytes(found[:3], "big"), found[3], found[4] << 8 | found[5]

    def set(self, record_id, place, raw):
        """This record lies at this place now."""
        crc = crc32(raw) & 0xFFFF
        value = place.to_bytes(3, "big") + bytes((len(raw), crc >> 8, crc & 0xFF))
        self._table.set(pack_id(record_id), value)

    def remove(self, record_id):
        """Forget a record; nothing happens when there is none."""
        self._table.remove(pack_id(record_id))

    def size(self):
        """Bytes of all records, each alone in its batch."""
        total = 0
        for row in self._table:
            total += row[HEADER_SIZE + 3] + AROUND
        return total


def read(file, take):
    """Call `take(record id, raw or None, place)` for each item of the log; the number of damaged places."""
    damaged = 0
    at = 0
    was_good = True
    while True:
        file.seek(at)
        head = file.read(4)
        if not head:
            return damaged
        if head[:2] == _MAGIC and len(head) == 4:
            size = head[2] << 8 | head[3]
            items = file.read(size + 4) if size <= _MAX_BATCH else b""
            if _is_whole(items, size) and _take(items[:-4], at + 4, take):
                at += size + 8
                was_good = True
                continue
        damaged += was_good
        was_good = False
        file.seek(at + 1)
        following = file.read(512)
        place = following.find(_MAGIC)
        at += 1 + (place if place >= 0 else max(0, len(following) - 1))


def read_back(file, place, size, crc):
    """The record at a place of the index, None when it is damaged."""
    file.seek(place)
    raw = file.read(size)
    return raw if len(raw) == size and crc32(raw) & 0xFFFF == crc else None


def write(file, items):
    """Write (record id, raw or None) as batches, one unless they are too long for that."""
    for batch in _batches(items):
        _write_batch(file, batch)


def places(items, at):
    """(record id, raw or None, place) of items that `write` has put at `at` of the log."""
    for batch in _batches(items):
        at += 4
        for record_id, raw in batch:
            yield record_id, raw, at + 1
            at += 1 + _size_of(raw)
        at += 4


def _batches(items):
    batch = []
    size = 0
    for record_id, raw in items:
        if size + 1 + _size_of(raw) > _MAX_BATCH:
            yield batch
            batch = []
            size = 0
        batch.append((record_id, raw))
        size += 1 + _size_of(raw)
    if batch:
        yield batch


def _size_of(raw):
    return HEADER_SIZE if raw is None else len(raw)


def _write_batch(file, batch):
    """In pieces: after a few hours of records no stretch of a full heap is as long as a batch."""
    size = sum([1 + _size_of(raw) for _, raw in batch])
    crc = 0
    chunk = bytearray(_MAGIC + size.to_bytes(2, "big"))
    for record_id, raw in batch:
        item = pack_id(record_id) if raw is None else raw
        body = bytes((len(item),)) + item
        crc = crc32(body, crc)
        chunk += body
        if len(chunk) >= _CHUNK:
            file.write(chunk)
            chunk = bytearray()
    file.write(chunk + crc.to_bytes(4, "big"))


def _is_whole(items, size):
    return len(items) == size + 4 and crc32(items[:-4]) == int.from_bytes(items[-4:], "big")


def _take(items, start, take):
    """Hand on the items of a batch that begin at `start`; False, and none, when they are not such."""
    found = []
    at = 0
    while at < len(items):
        item = items[at + 1 : at + 1 + items[at]]
        place = start + at + 1
        at += 1 + items[at]
        if at > len(items):
            return False
        if len(item) == HEADER_SIZE:
            found.append((unpack_id(item, 0), None, place))
        else:
            try:
                found.append((decode_header(item).record_id, item, place))
            except RemoteProtocolError:
                return False
    for record_id, raw, place in found:
        take(record_id, raw, place)
    return True
