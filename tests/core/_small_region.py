"""A small region with fixed keys, and bulletins and statuses made in it; for the core's tests on both
runtimes.
"""

from baken.crypto.signing import AuthorityKey, PointKey
from baken.noticeboard.memory import MemoryStore
from baken.wire import amendment, bulletin, heartbeat, status
from baken.wire.trust import Authority, Point, TrustList

NOON_S = 1799751600  # 2027-01-12T11:00:00Z, noon in the exercise's first day
AREAS = [(b"OV", b"Oosterveen"), (b"DH", b"Dijkerhaven"), (b"PZ", b"Polderzijl")]
OV, DH, PZ = 0, 1, 2

ROOT = AuthorityKey(bytes([1]) * 32)
REGION_KEY = AuthorityKey(bytes([2]) * 32)
TOWN_KEY = AuthorityKey(bytes([3]) * 32)
STRANGER_KEY = AuthorityKey(bytes([4]) * 32)
POINT_KEYS = [PointKey(bytes([10 + n]) * 32) for n in range(4)]
POINT_CODES = [b"OV06", b"DH02", b"PZ02", b"RL1"]


def make_trust():
    points = []
    for index, code in enumerate(POINT_CODES):
        area = index if index < 3 else None
        points.append(Point(index + 1, code, b"Punt " + code, area, 0x1000 + index, POINT_KEYS[index].public))
    authorities = [
        Authority(1, REGION_KEY.public, b"VR Merenland"),
        Authority(2, TOWN_KEY.public, b"Gemeente Oosterveen"),
    ]
    return TrustList(7, ROOT.public, b"Merenland", AREAS, authorities, points)


TRUST = make_trust()


def make_bulletin(seq, text=b"Blijf thuis.", origin=1, sent_s=NOON_S, valid_s=6 * 3600, **fields):
    """An unsigned Bulletin; `fields` set CAP words, areas and references."""
    made = bulletin.Bulletin(origin, seq, sent_s, sent_s + valid_s, text)
    for name in fields:
        setattr(made, name, fields[name])
    return made


def sign_bulletin(made, key=None):
    """Its signed parts."""
    if key is None:
        key = REGION_KEY if made.origin == 1 else TOWN_KEY
    return bulletin.encode_parts(made, TRUST.tag, key.sign)


def bulletin_parts(seq, text=b"Blijf thuis.", **fields):
    """The signed parts of a bulletin made of the same arguments as `make_bulletin` takes."""
    return sign_bulletin(make_bulletin(seq, text, **fields))


def status_record(point, seq, text=b"Open.", time_s=NOON_S, **fields):
    """The signed STATUS of point number `point`."""
    made = status.Status(point, seq, time_s, b"OPEN", text)
    for name in fields:
        setattr(made, name, fields[name])
    return status.encode(made, TRUST.tag, POINT_KEYS[point - 1].sign)


def beat(seq, time_s=NOON_S, newest=0, origin=1, key=REGION_KEY):
    """A signed HEARTBEAT of an authority."""
    return heartbeat.encode(heartbeat.Heartbeat(origin, seq, time_s, newest), TRUST.tag, key.sign)


def amend(seq, action, number, entry=None, key=ROOT):
    """A signed TRUST record."""
    return amendment.encode(amendment.Amendment(seq, action, number, entry), TRUST.tag, key.sign)


def fresh(store=None):
    """A replica of the region."""
    # Not above: with the wire's modules still to be loaded below it, the chain of imports is too deep for the
    # stack of a 32-bit MicroPython.
    from baken.noticeboard.replica import Replica

    return Replica(TRUST, store or MemoryStore())


def take(replica, *raws, unix_s=NOON_S):
    """What becomes of records that come one after the other."""
    return [replica.receive_record(raw, unix_s).state for raw in raws]


# Three parts of plain UTF-8: there is no other script in the model that squeezes Dutch.
LONG_TEXT = "Довгий текст. ".encode() * 14


def cause_of(function, *arguments):
    """The cause of the ProtocolError that the call raises, or None."""
    from baken.wire.errors import ProtocolError

    try:
        function(*arguments)
    except ProtocolError as error:
        return error.cause
    return None


def random_source(seed):
    """A seeded `rand(n)` that gives the same numbers on both runtimes (an LCG of 31 bits)."""
    state = [seed & 0x7FFFFFFF]

    def rand(limit):
        state[0] = (state[0] * 1103515245 + 12345) & 0x7FFFFFFF
        return (state[0] >> 8) % limit

    return rand
