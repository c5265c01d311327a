"""PULSES: signs of life and receipts of many points in one frame, each worth the signature of the STATUS that
it follows.

A STATUS signs the ends (`anchors`) of three one-way chains. Whenever the point may claim one step more, it
shows one value further back; who holds the STATUS hashes it forward to what is known, and so knows that the
claim is the point's own. Nobody else can make such a value in advance.

    chain     step i claims
    ALIVE     i periods of PERIOD_S after the time of the STATUS the point still stood behind it
    RECEIVED  the i bulletins behind the newest that the STATUS names of its first authority are whole here
    READ      of these the first i have been confirmed by a person there, or are not meant for the place

    value of the last step = a secret of the point about this STATUS and chain
    value of step i - 1    = the first 10 bytes of SHA-256("baken-pulse-1" | region tag | point u16
                             | STATUS number u24 | chain u8 | i u8 | value of step i)
    anchor                 = value of step 0

Point, number, chain and step are hashed in, so that neither work done in advance nor work on another chain
helps.

PULSES message, not a record and not signed, hop limit 0:

    offset size field
    0      1    version and kind PULSES
    1      ...  per point, by ascending number: point u16 | low byte of its STATUS number | chains u8
                | per chain, ALIVE first: step u8 | value (10 bytes) where bit 0 + chain is set, or
                step u8 alone where bit 4 + chain is set

A step alone says how far the sender knows that chain, so that who knows more can help. Without any chain the
entry says that the sender holds this STATUS and asks for a later one; `chains` 128, that it holds none of
that point.
"""

from baken.compat import const, sha256
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import MAX_PAYLOAD, PULSES, VERSION

ALIVE = const(0)
RECEIVED = const(1)
READ = const(2)
CHAINS = const(3)
LAST_STEP = (96, 32, 32)  # by chain; then the point makes a new STATUS
PERIOD_S = const(900)
VALUE_SIZE = const(10)  # 80 bits: nobody finds one within the day that a chain lasts
ANCHORS_SIZE = const(30)
HEAD_SIZE = const(4)
STEP_SIZE = const(11)
NO_ANCHORS = ()  # of a STATUS that no pulses will follow

_HOLDS_NONE = const(0x80)
_STEP_ALONE = const(4)
_CHAIN_BITS = const(0x77)
_DOMAIN = b"baken-pulse-1"


class Pulse(Record):
    """`number`: low byte of the STATUS number of point `point`; `steps`: tuple of (chain, step, value), each
    chain once, in order; value is empty for a step alone; without any it asks for a later STATUS than that
    number, or (`holds_none`) for the newest.
    """

    __slots__ = ("holds_none", "number", "point", "steps")

    def __init__(self, point, number, steps=(), holds_none=False):
        self.point = point
        self.number = number
        self.steps = steps
        self.holds_none = holds_none

    @property
    def size(self):
        """Bytes of its entry in a message."""
        return HEAD_SIZE + sum([1 + len(value) for _, _, value in self.steps])


def forward(value, tag, point, seq, chain, step, to_step):
    """The value of the lower `to_step` that follows from the one of `step`: a hash for each step."""
    prefix = _DOMAIN + tag + point.to_bytes(2, "big") + seq.to_bytes(3, "big") + bytes((chain,))
    while step > to_step:
        value = sha256(prefix + bytes((step,)) + value)[:VALUE_SIZE]
        step -= 1
    return value


def chain_value(secret, tag, point, seq, chain, step):
    """The point's own: value of a step (0: the anchor) of the chain that ends in `secret` (10 bytes or
    more).
    """
    return forward(bytes(secret[:VALUE_SIZE]), tag, point, seq, chain, LAST_STEP[chain], step)


def encode(pulses):
    """The message; LocalProtocolError when it would be longer than a frame or a value is out of range."""
    out = bytearray((VERSION << 4 | PULSES,))
    last = 0
    for pulse in pulses:
        if not last < pulse.point <= 0xFFFF:
            raise LocalProtocolError("point %d behind point %d" % (pulse.point, last), "range")
        last = pulse.point
        out += bytes((pulse.point >> 8, pulse.point & 0xFF, pulse.number & 0xFF, 0))
        chains_at = len(out) - 1
        out[chains_at] = _HOLDS_NONE if pulse.holds_none else 0
        for chain, step, value in sorted(pulse.steps):
            if not (1 if value else 0) <= step <= LAST_STEP[chain] or len(value) not in (0, VALUE_SIZE):
                raise LocalProtocolError("step %d of chain %d" % (step, chain), "range")
            out[chains_at] |= 1 << (chain if value else chain + _STEP_ALONE)
            out.append(step)
            out += value
    if len(out) > MAX_PAYLOAD:
        raise LocalProtocolError("pulses are %d bytes, limit %d" % (len(out), MAX_PAYLOAD), "pulses-size")
    return bytes(out)


def decode(data):
    """List of Pulse; RemoteProtocolError when the bytes are no PULSES message."""
    if not 1 <= len(data) <= MAX_PAYLOAD or data[0] != VERSION << 4 | PULSES:
        raise RemoteProtocolError("pulses are %d bytes, limit %d" % (len(data), MAX_PAYLOAD), "pulses-size")
    out = []
    last = 0
    at = 1
    while at < len(data):
        if at + HEAD_SIZE > len(data):
            raise RemoteProtocolError("pulses end inside an entry", "pulses-size")
        point, number, chains = data[at] << 8 | data[at + 1], data[at + 2], data[at + 3]
        at += HEAD_SIZE
        if point <= last:  # each point once, so that a frame has a bounded number of hashes
            raise RemoteProtocolError("point %d behind point %d" % (point, last), "pulses-order")
        last = point
        if chains & ~_CHAIN_BITS and chains != _HOLDS_NONE:
            raise RemoteProtocolError("chains %d are not known" % chains, "pulses-chain")
        steps = []
        for chain in range(CHAINS):
            has_value = chains >> chain & 1
            is_alone = chains >> (chain + _STEP_ALONE) & 1
            if not has_value and not is_alone:
                continue
            end = at + (STEP_SIZE if has_value else 1)
            if end > len(data):
                raise RemoteProtocolError("pulses end inside an entry", "pulses-size")
            if not has_value <= data[at] <= LAST_STEP[chain] or (has_value and is_alone):
                raise RemoteProtocolError(
                    "step %d of chain %d, limit %d" % (data[at], chain, LAST_STEP[chain]), "pulses-step"
                )
            steps.append((chain, data[at], bytes(data[at + 1 : end])))
            at = end
        out.append(Pulse(point, number, tuple(steps), chains == _HOLDS_NONE))
    return out
