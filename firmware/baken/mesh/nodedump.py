"""The node database as bytes that outlive a restart: a head and one block of a hundred bytes a node.

    head    "BKN1" | unix time of writing, u32, 0: unknown
    block   number u32 | seconds since it was heard, u32 | bytes 8 to 95 of its row, see `nodedb` | CRC-32

Little endian; the CRC is over the head and the block, so a block is good by itself and only with its head. A
node may start without knowing the time, so ages are kept, not times: they grow by the time the node was off
where both ends of it are known, else they count on from what they were.
"""

import struct

from baken.compat import const, crc32
from baken.mesh.nodedb import MAX_NODES, NEVER_S

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from baken.mesh.nodedb import NodeDatabase

_MAGIC = b"BKN1"
_HEAD_SIZE = const(8)
_BLOCK_SIZE = const(100)
_KEPT_FROM = const(8)  # of a row: what goes before are times
_NEXT_HOP_AT = const(93)
_NEVER = const(0xFFFFFFFF)
_MAX_AGE_S = const(0x3FFFFFFF)


def dump(nodes: "NodeDatabase", now: int, unix_s: "int | None") -> "Iterator[bytes]":
    """The database in chunks of at most a hundred bytes; it may grow or shrink between them."""
    head = _MAGIC + struct.pack("<I", unix_s if unix_s is not None and 0 < unix_s <= 0xFFFFFFFF else 0)
    yield head
    position = 0
    while (found := nodes.row(position)) is not None:
        num, row = found
        heard_s = struct.unpack_from("<i", row, 0)[0]
        age_s = _NEVER if heard_s == NEVER_S else max(0, min(_MAX_AGE_S, now // 1000 - heard_s))
        block = struct.pack("<II", num, age_s) + row[_KEPT_FROM:]
        yield block + struct.pack("<I", crc32(head + block))
        position += 1


def load(nodes: "NodeDatabase", read: "Callable[[int], bytes]", now: int, unix_s: "int | None") -> int:
    """Enter what was dumped; `read(n)` gives the next n bytes. Gives how many blocks were of no use.

    Nodes that are in the database already stay as they are. Bytes that are no dump count as one.
    """
    head = bytes(read(_HEAD_SIZE))
    if not head:
        return 0
    if len(head) != _HEAD_SIZE or head[:4] != _MAGIC:
        return 1
    written_s = struct.unpack_from("<I", head, 4)[0]
    off_s = max(0, unix_s - written_s) if written_s and unix_s is not None else 0
    damaged = 0
    for _ in range(MAX_NODES):
        block = bytes(read(_BLOCK_SIZE))
        if not block:
            break
        if len(block) != _BLOCK_SIZE or not _load_block(nodes, head, block, now // 1000 - off_s):
            damaged += 1
    return damaged


def _load_block(nodes: "NodeDatabase", head: bytes, block: bytes, written_at_s: int) -> bool:
    """Enter one block; `written_at_s` is when that was, on our own clock."""
    num, age_s = struct.unpack_from("<II", block, 0)
    if struct.unpack_from("<I", block, _BLOCK_SIZE - 4)[0] != crc32(head + block[: _BLOCK_SIZE - 4]):
        return False
    heard_s = NEVER_S if age_s == _NEVER else max(NEVER_S + 1, written_at_s - age_s)
    row = bytearray(8)
    struct.pack_into("<i", row, 0, heard_s)
    row += block[8 : _BLOCK_SIZE - 4]
    row[_NEXT_HOP_AT] = 0  # the way may be another by now
    return nodes.put_row(num, row)
