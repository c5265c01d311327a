"""Text cut into the parts of a bulletin, and squeezed where that helps: for who writes, nodes only read."""

from baken.compat import const
from baken.wire.content import MAX_PIECE, SQUEEZED, UTF8

MAX_PIECES = const(16)  # pieces tried before a text counts as far too long


def split_text(text, capacity):
    """Cut UTF-8 `text` in pieces of at most `capacity` bytes, after a space where one is near, never
    inside a letter.
    """
    pieces = []
    start = 0
    while len(text) - start > capacity:
        end = _cut(text, start, start + capacity)
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces


def pack(text, capacity):
    """(encoding, pieces): `text` in as few pieces of at most `capacity` bytes as possible, and then in as few
    bytes.
    """
    plain = split_text(text, capacity)
    squeezed = _squeeze_pieces(text, capacity, len(plain))
    if squeezed is None or (len(squeezed) == len(plain) and _size(squeezed) >= _size(plain)):
        return UTF8, plain
    return SQUEEZED, squeezed


def _squeeze_pieces(text, capacity, limit):
    """Pieces, or None where they would be more than `limit`, the text is too long to try or squeezing makes
    it no shorter.
    """
    from baken.wire.squeeze import squeeze

    pieces = []
    start = 0
    while start < len(text):
        if len(pieces) == limit or limit > MAX_PIECES:
            return None
        end = min(len(text), start + MAX_PIECE)
        if end < len(text):
            end = _cut(text, start, end)
        data = squeeze(text[start:end])
        while len(data) > capacity and len(data) < end - start:
            # A byte too much is at least a byte of text too much, mostly two or three.
            end = _cut(text, start, end - (len(data) - capacity))
            data = squeeze(text[start:end])
        if len(data) >= end - start:
            return None
        pieces.append(data)
        start = end
    return pieces


def _cut(text, start, end):
    """The best place to cut at or before `end`, behind `start`."""
    while text[end] & 0xC0 == 0x80:
        end -= 1
    space = text.rfind(b" ", start, end)
    return space + 1 if space > start + (end - start) // 2 else end


def _size(pieces):
    return sum([len(piece) for piece in pieces])
