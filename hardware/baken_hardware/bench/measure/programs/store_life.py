"""Plays to a node's noticeboard what the exercise brings it, on a LittleFS; runs on MicroPython.

The lines are those of `baken_hardware.bench.measure.workload`.
"""

import os
from binascii import unhexlify

from baken.device.flash import FlashStore
from baken.noticeboard.replica import NEW, Replica
from baken.noticeboard.store import next_number
from baken.wire import trust

FOLDER = "/live/board"
OWN_POINT = 45
_AIRTIME_WORDS = 30  # of the saved airtime


def play(lines, device, make_store):
    """All lines on a new file system on `device`; (the store, how many records it holds at the end).

    `make_store(trust list)` makes it, in FOLDER. AssertionError when a record is refused, or when what was
    written is not there at the end.
    """
    os.VfsLfs2.mkfs(device)
    os.mount(os.VfsLfs2(device), "/live")
    lines = iter(lines)
    region = trust.decode(unhexlify(next(lines).split()[1]))
    store = make_store(region)
    replica = Replica(region, store)
    for line in lines:
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
            store.set("airtime", unix_s.to_bytes(4, "big") * _AIRTIME_WORDS)
        else:
            replica.expire(unix_s)
            store.save()
    store.save()
    again = Replica(region, FlashStore(FOLDER, OWN_POINT))
    assert again.records() == replica.records() and not again.counters, "what was written is not there"
    return store, len(again.records())
