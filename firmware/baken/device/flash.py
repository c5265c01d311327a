"""The noticeboard's store on a node's flash: one small file a record and one a value.

    records/<kind>-<origin>-<seq>-<part>     the raw record
    values/<name>                            the value, then its CRC-32 in four bytes

A file is written under another name and renamed over the old one, which LittleFS does as a whole or not at
all: a power cut leaves the state before the call or after it. A record needs no checksum, its signature is
one.

When the flash takes no more, a record is kept in memory and written as soon as another one goes: it is shown
and passed on all the same, and after a power cut a neighbour has it. A value must be durable, because a
counter that goes back would give a number twice: room for values is set aside in a file `reserve`.
"""

import os

from baken.compat import const, crc32
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import MAX_PAYLOAD, decode_header

_MAX_VALUE = const(4096)
_HALF = "~"  # prefix of a file that is being written
_RESERVE_SIZE = const(16384)  # LittleFS blocks for the two values, one being written and one spare


class FlashStore:
    """Store interface of `baken.noticeboard.store` on the folder `path`, which is made when it is missing.

    `damaged` counts files that hold something else than they should: a value with a wrong checksum is absent,
    a record under another name is removed. `full` counts the writes for which there was no room; OSError from
    `set` says that there was not even room for a value.
    """

    def __init__(self, path):
        self.damaged = 0
        self.full = 0
        self._unsaved = {}  # record id -> raw, for which there was no room
        self._reserve = path + "/reserve"
        self._records = path + "/records/"
        self._values = path + "/values/"
        for folder in (path, path + "/records", path + "/values"):
            _make_folder(folder)
        for folder in (self._records, self._values):
            for name in os.listdir(folder):
                if name.startswith(_HALF):
                    os.remove(folder + name)
        self._set_room_aside()

    def load(self):
        """Raw bytes of every record file, in no promised order; the replica checks what they hold."""
        for name in os.listdir(self._records):
            try:
                with open(self._records + name, "rb") as file:
                    raw = file.read(MAX_PAYLOAD + 1)
                if not _is_named(raw, name):
                    self.damaged += 1
                    os.remove(self._records + name)
                    continue
            except OSError:
                continue
            yield raw

    def put(self, raw):
        """Keep `raw`, on flash or as long as the power lasts; never fails."""
        record_id = decode_header(raw).record_id
        self._unsaved[record_id] = raw
        self._save()
        if record_id in self._unsaved:
            self.full += 1

    def remove(self, record_id):
        self._unsaved.pop(record_id, None)
        try:
            os.remove(self._records + _name(record_id))
        except OSError:
            return
        self._save()

    def get(self, name):
        try:
            with open(self._values + name, "rb") as file:
                data = file.read(_MAX_VALUE + 4)
        except OSError:
            return None
        if len(data) < 4 or crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
            self.damaged += 1
            return None
        return data[:-4]

    def set(self, name, value):
        """Keep `value`; OSError when the flash has not even room for that."""
        data = bytes(value) + crc32(bytes(value)).to_bytes(4, "big")
        try:
            self._write(self._values, name, data)
        except OSError:
            self.full += 1
            _remove(self._reserve)
            try:
                self._write(self._values, name, data)
            finally:
                self._set_room_aside()

    def _save(self):
        """Write what waits for room."""
        for record_id in list(self._unsaved):
            try:
                self._write(self._records, _name(record_id), self._unsaved[record_id])
            except OSError:
                return
            del self._unsaved[record_id]

    def _set_room_aside(self):
        try:
            if os.stat(self._reserve)[6] == _RESERVE_SIZE:
                return
        except OSError:
            pass
        try:
            with open(self._reserve, "wb") as file:
                for _ in range(_RESERVE_SIZE // 256):
                    file.write(bytes(256))
        except OSError:
            pass  # as much as there is

    def _write(self, folder, name, data):
        try:
            with open(folder + _HALF + name, "wb") as file:
                file.write(data)
            os.rename(folder + _HALF + name, folder + name)
        except OSError:
            _remove(folder + _HALF + name)
            raise


def _name(record_id):
    return "%d-%d-%d-%d" % record_id


def _is_named(raw, name):
    try:
        return _name(decode_header(raw).record_id) == name
    except RemoteProtocolError:
        return False


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
