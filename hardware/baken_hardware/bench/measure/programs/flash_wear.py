"""Counts what a node's noticeboard does to its flash during the exercise; runs on MicroPython.

    micropython flash_wear.py FILE EVERY

FILE: lines of `baken_hardware.bench.measure.workload`. The real store lies on the real LittleFS of a NOR
flash in memory. EVERY: 1 writes each record at once, 0 lets wait what may wait, as a node does.
Prints a line:

    wear <appends and values written> <bytes programmed> <erases> <erases of the most worn block> <held>
"""

import os
import sys
from binascii import unhexlify

from baken.device import flash
from baken.noticeboard.replica import NEW, Replica
from baken.noticeboard.store import next_number
from baken.wire import trust
from baken_hardware.virtual.nor_flash import NorFlash

BLOCKS = 512  # 2 MiB, what a board of 4 MB has for its files
OWN_POINT = 45
AIRTIME_SIZE = 120  # bytes of the saved airtime


class CountedStore(flash.FlashStore):
    """A FlashStore that counts how often it writes; `is_hasty`: it lets nothing wait."""

    writes = 0
    is_hasty = False

    def _append(self):
        self.writes += 1
        flash.FlashStore._append(self)

    def _write_value(self, name, data):
        self.writes += 1
        flash.FlashStore._write_value(self, name, data)

    def commit(self):
        if self.is_hasty:
            self._is_urgent = True
        flash.FlashStore.commit(self)


def play(file, region, is_hasty):
    device = NorFlash(BLOCKS)
    os.VfsLfs2.mkfs(device)
    os.mount(os.VfsLfs2(device), "/wear")
    store = CountedStore("/wear/board", OWN_POINT)
    store.is_hasty = is_hasty
    replica = Replica(region, store)
    for line in file:
        words = line.split()
        kind, unix_s = words[0], int(words[1])
        if kind == "own":
            next_number(store, "status")
        if kind in ("record", "own"):
            outcome = replica.receive_record(unhexlify(words[2]), unix_s)
            assert outcome.state == NEW, (line, outcome.cause)
        elif kind == "read":
            replica.mark_read((int(words[2]), int(words[3])))
        elif kind == "airtime":
            store.set("airtime", bytes(AIRTIME_SIZE))
        else:
            replica.expire(unix_s)
            store.save()
    store.save()
    again = Replica(region, flash.FlashStore("/wear/board", OWN_POINT))
    assert again.records() == replica.records() and not again.counters, "what was written is not there"
    print(
        "wear", store.writes, device.programmed, sum(device.erases), max(device.erases), len(again.records())
    )


def main(path, every):
    with open(path) as file:
        listed = file.readline().split()[1]
        play(file, trust.decode(unhexlify(listed)), every == "1")


main(sys.argv[1], sys.argv[2])
