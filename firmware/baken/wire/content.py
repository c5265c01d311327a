"""What stands where a bulletin has its text: plain UTF-8, squeezed text or a phrase.

Every part is squeezed by itself, so that a part can be read, checked and passed on without the others; the
model is fixed, so the cut costs a byte or two and no more. What a part may expand to is bounded, whoever
signed it. `packing` makes the parts.
"""

from baken.compat import const, unload
from baken.wire.errors import RemoteProtocolError

UTF8 = b"utf-8"
SQUEEZED = b"squeezed"
PHRASE = b"phrase"

MAX_PIECE = const(600)  # bytes of readable text in one part

# Shown for a part with a good signature that cannot be read: its author's program is broken.
UNREADABLE = b"Niet te lezen. / Cannot be read."


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
