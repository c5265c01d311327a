"""Short Dutch texts as few bytes: binary arithmetic coding under a fixed model of the language.

A text is a row of symbols: a capital becomes SHIFT and the small letter, a byte outside the alphabet becomes
ESCAPE and eight bits, END closes the text. Each symbol is a path through a binary tree (that of Huffman's
code, so frequent letters are near the root), and each turn on the path is coded with a probability: the
logistic function of a sum of five weights, of the node alone, with the one, the two and the three symbols
before it, and with the word so far. In the longer contexts a digit counts as any other. The weights have four
bits each and lie in one table addressed by a hash of context and node.

The model never changes, so every text stands alone and every replica reads the same. `squeeze_model` holds
it; `baken-bench train-text` makes it. All arithmetic fits the 31 bits of a small int on a 32-bit chip.

The coder: `range` starts at 2^24; while it is below 2^21 the next byte is taken in. Probabilities have 12
bits. Zero bytes at the end are left out, all but the first byte of the data.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

SHIFT = const(0)
END = const(1)
ESCAPE = const(2)
FIRST = const(3)  # symbol of the first byte in ALPHABET
# The last six are bytes of the letters with marks that Dutch needs most.
ALPHABET = b"abcdefghijklmnopqrstuvwxyz0123456789 .,:;?!-'()/%+\"&\xc3\xa9\xab\xaf\xa8\xb6"
SYMBOLS = const(61)
LEAF = const(64)  # nodes of the tree have numbers below it, LEAF + symbol ends a path

PAGE_SIZE = const(512)
# 4096 / (1 + exp(-sum / SCALE)) for a sum of 0 and up, rounded; something is left for the other turn.
SCALE = 3.5
# fmt: off
_ODDS = (
    2048, 2339, 2618, 2876, 3106, 3304, 3471, 3608, 3718, 3805, 3874, 3927, 3967, 3999, 4022, 4040,
    4054, 4064, 4072, 4078, 4083, 4086, 4088, 4090, 4092, 4093, 4094, 4094, 4095,
)
# fmt: on
_MOST = const(28)

_ZERO = const(29)  # symbols of the digits
_NINE = const(38)
_LAST_LETTER = const(28)
_FIRST_MARKED = const(55)
_TOP = const(0x1000000)
_BOTTOM = const(0x200000)


class Model:
    """`tree`: two bytes a node, where a 0 and a 1 lead; `pages`: pieces of PAGE_SIZE bytes, two weights a
    byte; there are a power of two of them.
    """

    def __init__(self, tree, pages):
        self.tree = tree
        self.pages = pages
        self.mask = len(pages) * PAGE_SIZE * 2 - 1

    def weight(self, slot):
        """The weight at `slot`, -8 to 7."""
        byte = self.pages[slot >> 10][slot >> 1 & 0x1FF]
        return (byte >> 4 if slot & 1 else byte & 15) - 8


class Context:
    """What has been read of a text; `bases`: a hash of each context, to which a node's key is added."""

    def __init__(self):
        self.bases = [0, 0, 0, 0, 0]
        self.shift = 0
        self._last = self._before = self._third = self._word = 0
        self._hash(0)

    def key(self, node):
        """What `node` adds to every base."""
        return (node + self.shift) * 23093

    def push(self, symbol):
        """Go on behind `symbol`."""
        if symbol == SHIFT:
            self.shift = LEAF
            return
        self.shift = 0
        if FIRST <= symbol <= _LAST_LETTER or symbol >= _FIRST_MARKED:
            self._word = self._word * 37 + symbol & 0x3FFFF
        else:
            self._word = 0
        self._third = self._before
        self._before = self._last
        self._last = _ZERO if _ZERO <= symbol <= _NINE else symbol
        self._hash(symbol)

    def _hash(self, symbol):
        bases = self.bases
        two = self._last | self._before << 6
        bases[1] = symbol * 499 + 8209
        bases[2] = _mix(two + 0x9000)
        bases[3] = _mix((two | self._third << 12) + 0x15555)
        bases[4] = _mix(self._word + 0x2AAAA)


def _mix(x):
    # x below 2^19: the product stays below 2^30.
    x = x * 2039
    return x ^ x >> 7 ^ x >> 14


def odds(model, context, node):
    """Of 4096, how often the path turns to 1 at `node`."""
    key, mask, pages = context.key(node), model.mask, model.pages
    total = -40
    for base in context.bases:
        slot = base + key & mask
        byte = pages[slot >> 10][slot >> 1 & 0x1FF]
        total += byte >> 4 if slot & 1 else byte & 15
    if total < 0:
        return 4096 - _ODDS[-total if total > -_MOST else _MOST]
    return _ODDS[total if total < _MOST else _MOST]


def symbols(text):
    """The symbols of `text` without END; an escaped byte stands as 256 + byte."""
    out = []
    for byte in text:
        if 65 <= byte <= 90:
            out.append(SHIFT)
            byte += 32
        place = ALPHABET.find(bytes((byte,)))
        out.append(256 + byte if place < 0 else FIRST + place)
    return out


def paths(tree):
    """For each symbol the (node, turn) pairs that lead to it."""
    found = {}
    ways = {}
    for node in range(len(tree) // 2):
        path = ways.get(node, ())
        for turn in (0, 1):
            to = tree[2 * node + turn]
            ways[to] = path + ((node, turn),)
            if to >= LEAF:
                found[to - LEAF] = ways[to]
    return found


def squeeze(text, model=None):
    """`text` (at least one byte) in as few bytes as the model manages; text that is not Dutch can grow."""
    if not text:
        raise LocalProtocolError("text is empty", "squeeze-text")
    model = model or _model()
    ways, context = paths(model.tree), Context()
    low, size, count = 0, _TOP, 3
    for symbol in symbols(text) + [END]:
        escaped = symbol >= 256
        turns = [(turn, odds(model, context, node)) for node, turn in ways[ESCAPE if escaped else symbol]]
        if escaped:
            turns += [(symbol >> shift & 1, 2048) for shift in range(7, -1, -1)]
        for turn, chance in turns:
            bound = (size >> 12) * chance
            if turn:
                size = bound
            else:
                low += bound
                size -= bound
            while size < _BOTTOM:
                size <<= 8
                low <<= 8
                count += 1
        context.push(ESCAPE if escaped else symbol)
    return _shortest(low, size, count)


def _shortest(low, size, count):
    """The fewest bytes whose number, filled up with zeros to `count` bytes, is in low .. low + size - 1."""
    drop = count - 1
    while True:
        value = (low + (1 << 8 * drop) - 1) >> 8 * drop
        if value << 8 * drop < low + size:
            return value.to_bytes(count - drop, "big")
        drop -= 1


def expand(data, limit, model=None):
    """The text that `data` was made of; RemoteProtocolError when that has more than `limit` bytes."""
    if not data:
        raise RemoteProtocolError("squeezed text is empty", "squeeze-empty")
    model = model or _model()
    tree, context, end = model.tree, Context(), len(data)
    out = bytearray()
    size, at, code = _TOP, 3, 0
    for place in range(3):
        code = code << 8 | (data[place] if place < end else 0)
    capital = 0
    while True:
        node, left = 0, 8
        symbol = raw = -1
        while symbol < 0 or (symbol == ESCAPE and left):
            bound = (size >> 12) * (odds(model, context, node) if symbol < 0 else 2048)
            turn = code < bound
            if turn:
                size = bound
            else:
                code -= bound
                size -= bound
            while size < _BOTTOM:
                size <<= 8
                code = code << 8 | (data[at] if at < end else 0)
                at += 1
            if symbol < 0:
                node = tree[2 * node + (1 if turn else 0)]
                if node >= LEAF:
                    symbol = node - LEAF
            else:
                raw = (raw << 1 | (1 if turn else 0)) & 0xFF
                left -= 1
        if symbol == END:
            break
        if symbol == SHIFT:
            capital = 32
        else:
            if len(out) >= limit:
                raise RemoteProtocolError("squeezed text is over %d bytes" % limit, "squeeze-long")
            byte = raw if symbol == ESCAPE else ALPHABET[symbol - FIRST]
            out.append(byte - capital if 97 <= byte <= 122 else byte)
            capital = 0
        context.push(symbol)
    return bytes(out)


def _model():
    # The table is needed for squeezed texts only.
    from baken.wire import squeeze_model

    return Model(squeeze_model.TREE, squeeze_model.PAGES)
