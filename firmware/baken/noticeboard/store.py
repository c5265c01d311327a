"""Where a replica keeps what must survive a restart: what a store is, and counters in one.

A store keeps two things:
- records: whole raw records under their id (kind, origin, seq, part);
- values: named byte strings (counters, marks) of at most MAX_VALUE bytes, names of at most 24 ASCII letters.

A value is durable when `set` returns. What was put and removed is durable when `commit` returns, at the
latest, and a value is as before its `set` or after. `baken.device.flash` keeps one on a node's flash: after a
power cut it holds the records as of one commit or the next, never some of both, and it lets records wait that
others say again within the hour. `baken_gateway.store` keeps one in SQLite, where every call is durable by
itself: what it holds after a cut between two calls of a commit, `Replica` sorts out when it loads.

The replica holds no raw record itself: it fetches from the store. A node's flash gives them back from where
they lie; what `lost` names turned out unreadable there. Other stores hold their records in memory as well.
`memory` has one that does nothing else, and the methods of each.

A store that `vouches` gives back what it was given or nothing, by a checksum, and keeps together what one
commit changes. Then a replica checks the signature of a record when it comes, and not once more at each
start, which would take a small chip minutes.
"""

from baken.compat import const

MAX_VALUE = const(4096)
"""Bytes of a value: more would not come back from a node's flash."""


def next_number(store, name):
    """The next number of the durable counter `name`, from 1 on; written before it is handed out, so never
    given twice.
    """
    value = store.get(name)
    number = (int.from_bytes(value, "big") if value else 0) + 1
    store.set(name, number.to_bytes(4, "big"))
    return number


def raise_number(store, name, used):
    """Make sure that the counter `name` never hands out `used` or anything below it."""
    value = store.get(name)
    if (int.from_bytes(value, "big") if value else 0) < used:
        store.set(name, used.to_bytes(4, "big"))
