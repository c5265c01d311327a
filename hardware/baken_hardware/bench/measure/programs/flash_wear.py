"""Counts what a node's noticeboard does to its flash during the exercise; runs on MicroPython.

    micropython flash_wear.py FILE EVERY

FILE: lines of `baken_hardware.bench.measure.workload`. The real store lies on the real LittleFS of a NOR
flash in memory. EVERY: 1 writes each record at once, 0 lets wait what may wait, as a node does.
Prints a line:

    wear <appends and values written> <bytes programmed> <erases> <erases of the most worn block> <held>
"""

import sys

import store_life

from baken.device.flash import FlashStore
from baken_hardware.virtual.nor_flash import NorFlash

BLOCKS = 512  # 2 MiB, what a board of 4 MB has for its files


class CountedStore(FlashStore):
    """A FlashStore that counts how often it writes; `is_hasty`: it lets nothing wait."""

    writes = 0
    is_hasty = False

    def _append(self):
        self.writes += 1
        FlashStore._append(self)

    def _write_value(self, name, data):
        self.writes += 1
        FlashStore._write_value(self, name, data)

    def commit(self):
        if self.is_hasty:
            self._is_urgent = True
        FlashStore.commit(self)


def main(path, every):
    device = NorFlash(BLOCKS)

    def make_store(_region):
        store = CountedStore(store_life.FOLDER, store_life.OWN_POINT)
        store.is_hasty = every == "1"
        return store

    with open(path) as file:
        store, held = store_life.play(file, device, make_store)
    print("wear", store.writes, device.programmed, sum(device.erases), max(device.erases), held)


main(sys.argv[1], sys.argv[2])
