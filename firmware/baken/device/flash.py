"""The noticeboard's store on a node's flash: one small file a record and one a value.

    records/<kind>-<origin>-<seq>-<part>     the raw record
    values/<name>                            the value, then its CRC-32 in four bytes

A file is written under another name and renamed over the old one, which LittleFS does as a whole or not at
all: a power cut leaves the state before the call or after it. A record needs no checksum, its signature is
one.
"""

import os

from baken.compat import const, crc32
from baken.wire.records import MAX_PAYLOAD, decode_header

_MAX_VALUE = const(4096)
_HALF = "~"  # prefix of a file that is being written


class FlashStore:
    """Store interface of `baken.noticeboard.store` on the folder `path`, which is made when it is missing.

    A value whose checksum is wrong counts as absent and in `damaged`.
    """

    def __init__(self, path):
        self.damaged = 0
        self._records = path + "/records/"
        self._values = path + "/values/"
        for folder in (path, path + "/records", path + "/values"):
            _make_folder(folder)
        for folder in (self._records, self._values):
            for name in os.listdir(folder):
                if name.startswith(_HALF):
                    os.remove(folder + name)

    def load(self):
        """Raw bytes of every record file, in no promised order; the replica checks what they hold."""
        for name in os.listdir(self._records):
            try:
                with open(self._records + name, "rb") as file:
                    raw = file.read(MAX_PAYLOAD + 1)
            except OSError:
                continue
            yield raw

    def put(self, raw):
        self._write(self._records, _name(decode_header(raw).record_id), raw)

    def remove(self, record_id):
        try:
            os.remove(self._records + _name(record_id))
        except OSError:
            pass

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
        self._write(self._values, name, bytes(value) + crc32(bytes(value)).to_bytes(4, "big"))

    def _write(self, folder, name, data):
        with open(folder + _HALF + name, "wb") as file:
            file.write(data)
        os.rename(folder + _HALF + name, folder + name)


def _name(record_id):
    return "%d-%d-%d-%d" % record_id


def _make_folder(path):
    try:
        os.mkdir(path)
    except OSError:
        os.listdir(path)  # it is there; anything else raises here with its own words
