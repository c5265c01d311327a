"""The noticeboard's store on a node's flash: a log of records, and a small file for each value.

    log              batches that are appended: what one commit has put and removed
    values/<name>    the value, then its CRC-32 in four bytes
    reserve          room for the values, see below

A batch, numbers big endian: magic b7 42 | size u16 of the items | items | CRC-32 u32 of the items. An item:
size u8 | a raw record, or the seven bytes of the id of one that went: kind u8, origin u16, number u24, part
u8. Of several items about one id the last counts. What is damaged is skipped up to the next magic.

Why a log: LittleFS gives every file a block of 4096 bytes, so a file for each record would take 20 times the
room, and it erases one block for each append, however much that brings. So records that everybody repeats
within the hour anyway, STATUS of others and HEARTBEAT, wait in memory and go with what cannot wait, or after
`MAX_WAITING` of them, or with `save`. When the log is twice as long as what is alive in it, the living
records are written anew as `~log`, which is renamed over it.

A power cut leaves the log before the append or after it, the old log or the new one: LittleFS shows what a
file was given when it is closed, and renames as a whole or not at all. On other file systems a torn batch has
a wrong checksum.

When the flash takes no more, records are kept in memory and written as soon as there is room: they are shown
and passed on all the same, and after a power cut a neighbour has them. A value must be durable, because a
counter that goes back would give a number twice: room for values is set aside in the file `reserve`.
"""

import os

from baken.compat import const, crc32
from baken.noticeboard.store import MAX_VALUE
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import HEADER_SIZE, HEARTBEAT, STATUS, decode_header

MAX_WAITING = const(32)  # items in memory that may wait for others: 16 times a new STATUS for an old one
MAX_UNSAVED = const(128)  # items in memory while the flash is full; beyond them the log is written anew
LEAST_LOG = const(32768)  # bytes below which the log is not written anew
_MAGIC = b"\xb7\x42"
_MAX_BATCH = const(4096)
_CHUNK = const(256)  # bytes from which a piece of a batch is written
_HALF = "~"  # prefix of a file that is being written
_RESERVE_SIZE = const(16384)  # LittleFS blocks for the two values, one being written and one spare


class FlashStore:
    """Store interface of `baken.noticeboard.store` on the folder `path`, which is made when it is missing.

    `own_point`: number of the point whose STATUS does not wait, None: every STATUS waits. `damaged` counts
    values with a wrong checksum, which are absent then, and places in the log that are no batch. `full`
    counts the writes for which there was no room; OSError from `set` says that there was not even room for a
    value.
    """

    def __init__(self, path, own_point=None):
        self.damaged = 0
        self.full = 0
        self.own_point = own_point
        self._waiting = {}  # record id -> raw, None for one that went; the order in which to write them
        self._is_urgent = False  # one of them may not wait
        self._is_behind = False  # the log is damaged or lacks something that does not wait any more
        self._log = path + "/log"
        self._reserve = path + "/reserve"
        self._values = path + "/values/"
        for folder in (path, path + "/values"):
            _make_folder(folder)
        for folder in (path + "/", self._values):
            for name in os.listdir(folder):
                if name.startswith(_HALF):
                    _remove(folder + name)
        self._size = _size_of(self._log)
        self._limit = LEAST_LOG
        self._set_room_aside()

    # --- records

    def load(self):
        """Raw bytes of every record, in no promised order; the replica checks what they hold."""
        found = {}
        try:
            with open(self._log, "rb") as file:
                damaged = _read(file, found)
        except OSError:
            damaged = 0  # there is none yet
        if damaged:
            self.damaged += damaged
            self._is_behind = True
        for record_id, raw in self._waiting.items():
            found[record_id] = raw
        return [raw for raw in found.values() if raw is not None]

    def put(self, raw):
        """Keep `raw`; never fails."""
        self._wait(decode_header(raw).record_id, bytes(raw))

    def remove(self, record_id):
        """Forget a record."""
        self._wait(record_id, None)

    def commit(self, held):
        """Write what cannot wait, and what waits with it; never fails."""
        if self._is_behind or self._size > self._limit:
            self._write_anew(held)
        elif self._is_urgent or len(self._waiting) >= MAX_WAITING:
            self._append()

    def save(self, held):
        """Write all that waits; `held` as for `commit`."""
        if self._is_behind:
            self._write_anew(held)
        elif self._waiting:
            self._append()

    # --- values

    def get(self, name):
        try:
            with open(self._values + name, "rb") as file:
                data = file.read(MAX_VALUE + 4)
        except OSError:
            return None
        if len(data) < 4 or crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
            self.damaged += 1
            return None
        return data[:-4]

    def set(self, name, value):
        """Keep `value`; OSError when it is over MAX_VALUE, or the flash has not even room for that."""
        if len(value) > MAX_VALUE:
            raise OSError("value %s is %d bytes, limit %d" % (name, len(value), MAX_VALUE))
        data = bytes(value) + crc32(bytes(value)).to_bytes(4, "big")
        try:
            self._write_value(name, data)
        except OSError:
            self.full += 1
            _remove(self._reserve)
            try:
                self._write_value(name, data)
            finally:
                self._set_room_aside()

    # --- inside

    def _append(self):
        try:
            with open(self._log, "ab") as file:
                _write(file, self._waiting.items())
        except OSError:
            self.full += 1
            # On some file systems half a batch is there now, and nothing may follow that.
            self._is_behind = _size_of(self._log) != self._size or len(self._waiting) >= MAX_UNSAVED
            return
        self._size = _size_of(self._log)
        self._all_saved()

    def _wait(self, record_id, raw):
        self._waiting.pop(record_id, None)  # the last word stands at the end
        self._waiting[record_id] = raw
        kind, origin = record_id[:2]
        if not (kind == HEARTBEAT or (kind == STATUS and origin != self.own_point)):
            self._is_urgent = True

    def _all_saved(self):
        self._waiting.clear()
        self._is_urgent = self._is_behind = False

    def _write_anew(self, held):
        raws = held()
        if len(self._waiting) >= MAX_UNSAVED:
            self._waiting.clear()  # they are among what is held
            self._is_behind = True
        size = sum([len(raw) + 9 for raw in raws])
        new = self._log[: -len("log")] + _HALF + "log"
        try:
            if not _has_room(self._values, size):
                raise OSError(28)
            with open(new, "wb") as file:
                for raw in raws:
                    _write(file, ((None, raw),))  # so that damage costs one record
            os.rename(new, self._log)
        except OSError:
            self.full += 1
            _remove(new)
            self._limit = max(self._limit, self._size + LEAST_LOG)  # not again with each record
            return
        self._size = size
        self._limit = max(LEAST_LOG, 2 * size)
        self._all_saved()

    def _set_room_aside(self):
        if _size_of(self._reserve) == _RESERVE_SIZE:
            return
        try:
            with open(self._reserve, "wb") as file:
                for _ in range(_RESERVE_SIZE // 256):
                    file.write(bytes(256))
        except OSError:
            pass  # as much as there is

    def _write_value(self, name, data):
        try:
            with open(self._values + _HALF + name, "wb") as file:
                file.write(data)
            os.rename(self._values + _HALF + name, self._values + name)
        except OSError:
            _remove(self._values + _HALF + name)
            raise


def read_log(path):
    """{record id: raw} of the log in the folder `path` as it is, for tools that look from outside."""
    found = {}
    with open(path + "/log", "rb") as file:
        _read(file, found)
    return {record_id: raw for record_id, raw in found.items() if raw is not None}


def _read(file, found):
    """Put what the log says into {record id: raw or None}; gives the number of damaged places."""
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
            if _is_whole(items, size) and _take(items[:-4], found):
                at += size + 8
                was_good = True
                continue
        damaged += was_good
        was_good = False
        file.seek(at + 1)
        following = file.read(512)
        place = following.find(_MAGIC)
        at += 1 + (place if place >= 0 else max(0, len(following) - 1))


def _is_whole(items, size):
    return len(items) == size + 4 and crc32(items[:-4]) == int.from_bytes(items[-4:], "big")


def _take(items, found):
    """Take in the items of a batch; False when they are not such."""
    at = 0
    taken = []
    while at < len(items):
        item = items[at + 1 : at + 1 + items[at]]
        at += 1 + items[at]
        if at > len(items):
            return False
        if len(item) == HEADER_SIZE:
            record_id = (item[0], item[1] << 8 | item[2], item[3] << 16 | item[4] << 8 | item[5], item[6])
            taken.append((record_id, None))
        else:
            try:
                taken.append((decode_header(item).record_id, item))
            except RemoteProtocolError:
                return False
    for record_id, raw in taken:
        found[record_id] = raw
    return True


def _write(file, items):
    """Write (record id, raw or None) as batches, one unless they are too long for that.

    In pieces: after a few hours of records no stretch of a full heap is as long as a batch.
    """
    batch = []
    size = 0
    for record_id, raw in items:
        if raw is None:
            kind, origin, seq, part = record_id
            raw = bytes((kind, origin >> 8, origin & 0xFF, seq >> 16, seq >> 8 & 0xFF, seq & 0xFF, part))
        if size + 1 + len(raw) > _MAX_BATCH:
            _write_batch(file, batch, size)
            batch = []
            size = 0
        batch.append(raw)
        size += 1 + len(raw)
    if batch:
        _write_batch(file, batch, size)


def _write_batch(file, items, size):
    crc = 0
    chunk = bytearray(_MAGIC + size.to_bytes(2, "big"))
    for item in items:
        body = bytes((len(item),)) + item
        crc = crc32(body, crc)
        chunk += body
        if len(chunk) >= _CHUNK:
            file.write(chunk)
            chunk = bytearray()
    file.write(chunk + crc.to_bytes(4, "big"))


def _has_room(path, size):
    """Whether a file of that size finds room, with two blocks for the folder."""
    told = os.statvfs(path)
    return told[0] * (told[3] - 2) >= size


def _size_of(path):
    try:
        return os.stat(path)[6]
    except OSError:
        return 0


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        os.listdir(path)  # it is there; anything else raises here with its own words
