"""How long a record waits before it is said: the copy that adds most goes first and silences the rest.

All times in ms; `airtime` of the record in its frame; `margin_db`: how far above the receiver's limit the
frame was heard that makes us speak; `rand(n)`: int in [0, n). Formulas: section 8 of docs/protocol.md.
"""

from baken.compat import const

_NEAR_DB = const(15)  # about half the range away
_BESIDE_DB = const(24)  # less than a third
_STRONG_DB = const(20)  # a link this far above its limit answers first


def adds_little(margin_db):
    """Whether a copy came from so near that ours would reach hardly anybody else."""
    return margin_db >= _BESIDE_DB


def relay_wait(airtime, margin_db, rand):
    """Before what was just heard is passed on. Who hears a copy well would add little with its own, so the
    far ones go first. The scale is the time of a frame, or many would have begun before the first could be
    heard. It grows faster than the strength: those at the edge are few and need not wait for each other.
    """
    strength = min(max(int(margin_db), 0), _NEAR_DB)
    longest = airtime * strength * (strength + 5) // 25
    return longest - rand(longest // 2 + 1) + rand(airtime // 4 + 1)


def serve_wait(airtime, margin_db, position, rand):
    """Before a neighbour is served what it lacks, record `position` of the batch. The better the link, the
    earlier: that copy arrives, and what comes back of it is heard by the others.
    """
    weakness = min(max(_STRONG_DB - int(margin_db), 0), _STRONG_DB)
    return rand(3 * airtime) + 8 * airtime * weakness // _STRONG_DB + 6 * airtime * position // 5


def thanks_wait(airtime, rand):
    """Before what we asked for is passed on: at once, so that all who meant to serve us hear that it came."""
    return rand(airtime // 2 + 1)
