"""The noticeboard's store on a node's flash: a log of records, and a small file for each value.

    log              batches that are appended, see `baken.device.log`
    values/<name>    the value, then its CRC-32 in four bytes
    reserve          room for the values, see below

Records stay on the flash: in memory is where they lie, thirteen bytes each, and what is still to be written.
A full noticeboard would take half of the memory of a board otherwise.

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
from baken.device import log
from baken.noticeboard.store import MAX_VALUE
from baken.wire.records import HEARTBEAT, STATUS, decode_header

MAX_WAITING = const(16)  # items in memory that may wait for others: 8 times a new STATUS for an old one
MAX_UNSAVED = const(128)  # items in memory while the flash is full; beyond them the log is written anew
LEAST_LOG = const(32768)  # bytes below which the log is not written anew
_HALF = "~"  # prefix of a file that is being written
_RESERVE_SIZE = const(16384)  # LittleFS blocks for the two values, one being written and one spare


class FlashStore:
    """Store interface of `baken.noticeboard.store` on the folder `path`, which is made when it is missing.

    `own_point`: number of the point whose STATUS does not wait, None: every STATUS waits. `damaged` counts
    values with a wrong checksum, which are absent then, and places in the log that are no batch. `full`
    counts the writes for which there was no room; OSError from `set` says that there was not even room for a
    value. `lost`: see `baken.noticeboard.store`.
    """

    vouches = True

    def __init__(self, path, own_point=None):
        self.damaged = 0
        self.full = 0
        self.own_point = own_point
        self.lost = []
        self._index = log.Index()
        self._waiting = {}  # record id -> raw, None for one that went; the order in which to write them
        self._is_urgent = False  # one of them may not wait
        self._is_behind = False  # the log is damaged, or too much waits for room in it
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
        self._find_records()
        self._set_room_aside()

    # --- records

    def ids(self):
        """The id of every record, in no promised order; nothing may be changed meanwhile."""
        for record_id in self._index.ids():
            if record_id not in self._waiting:
                yield record_id
        for record_id, raw in self._waiting.items():
            if raw is not None:
                yield record_id

    def fetch(self, record_id):
        """A raw record, or None; one that has become unreadable is among `lost` from now on."""
        if record_id in self._waiting:
            return self._waiting[record_id]
        found = self._index.get(record_id)
        if found is None:
            return None
        raw = self._read_back(found)
        if raw is None:
            self._lose(record_id)
        return raw

    def load(self):
        """Raw bytes of every record, in no promised order; the replica checks what they hold."""
        for record_id in list(self.ids()):
            raw = self.fetch(record_id)
            if raw is not None:
                yield raw

    def put(self, raw):
        """Keep `raw`; never fails."""
        self._wait(decode_header(raw).record_id, bytes(raw))

    def remove(self, record_id):
        """Forget a record."""
        if record_id in self._index:
            self._wait(record_id, None)
        else:
            self._waiting.pop(record_id, None)  # the log has never heard of it

    def commit(self):
        """Write what cannot wait, and what waits with it; never fails."""
        if self._is_behind or self._size > self._limit:
            self._write_anew()
        elif self._is_urgent or len(self._waiting) >= MAX_WAITING:
            self._append()

    def save(self):
        """Write all that waits."""
        if self._is_behind:
            self._write_anew()
        elif self._waiting:
            self._append()

    # --- values

    def get(self, name):
        path = self._values + name
        try:
            with open(path, "rb") as file:
                # Not more than there is: that many bytes are set aside first.
                data = file.read(min(_size_of(path), MAX_VALUE + 4))
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

    def _find_records(self):
        try:
            with open(self._log, "rb") as file:
                damaged = log.read(file, self._note)
        except OSError:
            return  # there is none yet
        if damaged:
            self.damaged += damaged
            self._is_behind = True

    def _note(self, record_id, raw, place):
        """This is in the log now."""
        if raw is None:
            self._index.remove(record_id)
        else:
            self._index.set(record_id, place, raw)

    def _read_back(self, found):
        try:
            with open(self._log, "rb") as file:
                return log.read_back(file, *found)
        except OSError:
            return None

    def _lose(self, record_id):
        self.damaged += 1
        self._index.remove(record_id)
        self._is_behind = True
        self.lost.append(record_id)

    def _append(self):
        try:
            with open(self._log, "ab") as file:
                log.write(file, self._waiting.items())
        except OSError:
            self.full += 1
            # On some file systems half a batch is there now, and nothing may follow that.
            self._is_behind = _size_of(self._log) != self._size or len(self._waiting) >= MAX_UNSAVED
            return
        for record_id, raw, place in log.places(self._waiting.items(), self._size):
            self._note(record_id, raw, place)
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

    def _write_anew(self):
        size = self._index.size() + sum([len(raw) + log.AROUND for raw in self._waiting.values() if raw])
        new = self._log[: -len("log")] + _HALF + "log"
        index = log.Index()
        at = 0
        damaged = []
        try:
            if not _has_room(self._values, size):
                raise OSError(28)
            with open(new, "wb") as file:
                for record_id in self.ids():
                    raw = self._waiting.get(record_id) or self._read_back(self._index.get(record_id))
                    if raw is None:
                        damaged.append(record_id)
                        continue
                    one = ((record_id, raw),)  # so that damage costs one record
                    log.write(file, one)
                    for _, _, place in log.places(one, at):
                        index.set(record_id, place, raw)
                    at += len(raw) + log.AROUND
            os.rename(new, self._log)
        except OSError:
            self.full += 1
            _remove(new)
            self._limit = max(self._limit, self._size + LEAST_LOG)  # not again with each record
            return
        for record_id in damaged:
            self._lose(record_id)
        self._index = index
        self._size = at
        self._limit = max(LEAST_LOG, 2 * at)
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

    def take(record_id, raw, place):
        found[record_id] = raw

    with open(path + "/log", "rb") as file:
        log.read(file, take)
    return {record_id: raw for record_id, raw in found.items() if raw is not None}


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
