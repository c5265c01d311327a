"""Pulls the plug at every block operation of the flash while a node's noticeboard lives through the exercise;
runs on MicroPython.

    micropython cut_flash.py FILE SHARD SHARDS SEED

FILE: lines of `baken_hardware.bench.measure.workload`. All of them are played; in every SHARDS-th write to
the flash, the SHARD-th of them, the power fails at each block operation, twice: between it and the next, and
in the middle of it. Each time what lies on the flash then is mounted and loaded, and must be what lay there
before the write or what lies there after it, in records and values; every eighth time the node goes on from
there, and the next power cut finds what it wrote. Prints, a line each:

    writes <count> <of these cut at> <log written anew>
    cuts <clean> <torn> <before> <after> <went on>
    held <records at the end>
"""

import os
import sys

import store_life

from baken.crypto import signing
from baken.device.flash import FlashStore
from baken.noticeboard.replica import Replica
from baken.noticeboard.store import next_number
from baken.wire.records import decode_header
from baken_hardware.virtual.nor_flash import NorFlash, apply, tear

BLOCKS = 64  # 256 KiB
GOES_ON = 8
SHORT_LOG = 8192  # the log is written anew far more often than on a node

_verify = signing.verify
_genuine = {}


def verify_once(public, message, signature):
    """A signature is checked when these very bytes are seen for the first time."""
    key = (public, bytes(message), bytes(signature))
    if key not in _genuine:
        _genuine[key] = _verify(public, message, signature)
    return _genuine[key]


signing.verify = verify_once


def random_source(seed):
    state = [seed * 2654435761 % 0x7FFFFFFF or 1]

    def rand(limit):
        state[0] = state[0] * 48271 % 0x7FFFFFFF
        return (state[0] >> 7) % limit

    return rand


class Tally:
    anew = writes = cut_at = clean = torn = before = after = went_on = 0


class Shard:
    """Which of the writes are cut at, the values written so far, and chance. `trust`: the region's list."""

    trust = None

    def __init__(self, shard, shards, seed):
        self.shard = shard
        self.shards = shards
        self.rand = random_source(seed)
        self.values = {}

    def is_mine(self):
        Tally.writes += 1
        return Tally.writes % self.shards == self.shard


class CutStore(FlashStore):
    """A FlashStore on the live flash, of which every call that writes is played again with power cuts."""

    def __init__(self, path, device, shard):
        self._is_live = False
        self._shard = shard
        FlashStore.__init__(self, path, store_life.OWN_POINT)
        self._is_live = True
        self._device = device
        self._put = {}  # our own account, by record id: the store keeps no record in memory
        self._durable = set()

    def put(self, raw):
        self._put[decode_header(raw).record_id] = raw
        FlashStore.put(self, raw)

    def remove(self, record_id):
        self._put.pop(record_id, None)
        FlashStore.remove(self, record_id)

    def commit(self):
        self._limit = SHORT_LOG
        self._cut(lambda: FlashStore.commit(self), True)

    def save(self):
        self._cut(lambda: FlashStore.save(self), True)

    def set(self, name, value):
        def then():
            self._shard.values[name] = value

        self._cut(lambda: FlashStore.set(self, name, value), False, then)

    def _cut(self, write, of_records, then=None):
        if not self._is_live:
            return write()
        device = self._device
        base = list(device.blocks)
        size = self._size
        device.journal = []
        write()
        journal, device.journal = device.journal, None
        if not journal:
            return None
        Tally.anew += self._size < size
        before = self._durable, dict(self._shard.values)
        if then:
            then()
        if of_records:
            assert not self._waiting, "what is written is all that waited"
            self._durable = set(self._put.values())
        after = self._durable, dict(self._shard.values)
        if self._shard.is_mine():
            Tally.cut_at += 1
            cut_everywhere(base, journal, before, after, self._shard)
        return None


def cut_everywhere(base, journal, before, after, shard):
    blocks = list(base)
    is_after = False
    for operation in journal:
        torn = list(blocks)
        tear(torn, operation, shard.rand)
        Tally.torn += 1
        look(torn, before, after, shard)
        apply(blocks, operation)
        Tally.clean += 1
        was_after, is_after = is_after, look(blocks, before, after, shard)
        assert is_after or not was_after, "what was there has gone again"
    assert is_after or before == after, "the write was not durable when it returned"


def look(blocks, before, after, shard):
    """Mount a copy of the flash after a power cut; True when it holds what was to be written."""
    device = NorFlash(BLOCKS, list(blocks))
    os.mount(os.VfsLfs2(device), "/cut")
    try:
        store = FlashStore("/cut/board", store_life.OWN_POINT)
        found = state_of(store)
        assert store.damaged == 0, "LittleFS has shown half a file"
        is_after = found == after
        assert is_after or found == before, (
            "neither before nor after: %d records" % len(found[0]),
            [raw[:7] for raw in found[0] ^ before[0]],
            found[1],
            before[1],
            after[1],
        )
        if is_after:
            Tally.after += 1
        else:
            Tally.before += 1
        if (Tally.clean + Tally.torn) % GOES_ON == 0:
            Tally.went_on += 1
            go_on(device, store, found, shard)
    finally:
        os.umount("/cut")
    return is_after


def state_of(store):
    names = [name for name in os.listdir("/cut/board/values")]
    return set(store.load()), {name: store.get(name) for name in names}


def go_on(device, store, found, shard):
    """The node starts with what it finds, and what it writes then is there after the next power cut."""
    replica = Replica(shard.trust, store)
    assert set(replica.records()) <= found[0] and not replica.counters, replica.counters
    number = next_number(store, "status")
    assert number > int.from_bytes(found[1].get("status") or b"", "big"), "a number goes back"
    for record_id in list(replica.inventory.tally())[:1]:
        store.put(replica.get(record_id + (0,)))  # once more: another append
    store.save()
    os.umount("/cut")
    os.mount(os.VfsLfs2(NorFlash(BLOCKS, device.blocks)), "/cut")
    again = FlashStore("/cut/board", store_life.OWN_POINT)
    assert set(again.load()) == set(replica.records()) and again.damaged == 0
    assert next_number(again, "status") == number + 1


def main(path, shard, shards, seed):
    device = NorFlash(BLOCKS)
    mine = Shard(shard, shards, seed)

    def make_store(region):
        mine.trust = region
        return CutStore(store_life.FOLDER, device, mine)

    with open(path) as file:
        _, held = store_life.play(file, device, make_store)
    print("writes", Tally.writes, Tally.cut_at, Tally.anew)
    print("cuts", Tally.clean, Tally.torn, Tally.before, Tally.after, Tally.went_on)
    print("held", held)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
