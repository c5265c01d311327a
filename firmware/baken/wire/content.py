"""What stands where a bulletin has its text: plain UTF-8, squeezed text or a phrase.

Every part is squeezed by itself, so that a part can be read, checked and passed on without the others; the
model is fixed, so the cut costs a byte or two and no more. What a part may expand to is bounded, whoever
signed it.
"""

from baken.compat import const, unload
from baken.wire.errors import RemoteProtocolError

UTF8 = b"utf-8"
SQUEEZED = b"squeezed"
PHRASE = b"phrase"

MAX_PIECE = const(600)  # bytes of readable text in one part
MAX_PIECES = const(16)  # pieces tried before a text counts as far too long

# Shown for a part with a good signature that cannot be read: its author's program is broken.
UNREADABLE = b"Niet te lezen. / Cannot be read."


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


def unpack(encoding, data, language=b"nl", names=None):
    """The text of one part as UTF-8; RemoteProtocolError when `data` is none.

    Only a phrase can be had in another `language` than its author's, and only a phrase needs `names`, a
    TrustList.
    """
    if encoding == UTF8:
        return data
    if encoding == SQUEEZED:
        # The model takes twenty kilobytes and is needed once for each text.
        from baken.wire.squeeze import expand

        try:
            return expand(data, MAX_PIECE)
        finally:
            unload("baken.wire.squeeze", "baken.wire.squeeze_model")
    if encoding == PHRASE:
        from baken.wire import phrases

        try:
            return phrases.render_content(data, language, names)
        finally:
            unload(phrases.book_name(language), "baken.wire.phrases")
    raise RemoteProtocolError("encoding %r is not known" % encoding, "encoding")


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
