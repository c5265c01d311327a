"""Strict UTF-8 that never raises: MicroPython's own decoder accepts surrogates and overlong forms."""

REPLACEMENT = 0xFFFD


def decode_at(text: bytes, index: int) -> tuple:
    """The code point at `index` and the index behind it; a byte that is not UTF-8 gives U+FFFD."""
    first = text[index]
    if first < 0x80:
        return first, index + 1
    if 0xC2 <= first < 0xE0:
        length, low, code_point = 2, 0x80, first & 0x1F
    elif 0xE0 <= first < 0xF0:
        length, low, code_point = 3, 0x800, first & 0x0F
    elif 0xF0 <= first < 0xF5:
        length, low, code_point = 4, 0x10000, first & 0x07
    else:
        return REPLACEMENT, index + 1
    if index + length > len(text):
        return REPLACEMENT, index + 1
    for position in range(index + 1, index + length):
        byte = text[position]
        if byte & 0xC0 != 0x80:
            return REPLACEMENT, index + 1
        code_point = code_point << 6 | byte & 0x3F
    if code_point < low or code_point > 0x10FFFF or 0xD800 <= code_point < 0xE000:
        return REPLACEMENT, index + 1
    return code_point, index + length


def shorten(text: bytes, limit: int) -> bytes:
    """At most `limit` bytes of UTF-8, cut before a letter."""
    if len(text) <= limit:
        return text
    while limit and text[limit] & 0xC0 == 0x80:
        limit -= 1
    return text[:limit]


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are a text: the libraries of clients refuse a whole message over one that is not."""
    at = 0
    while at < len(text):
        code_point, behind = decode_at(text, at)
        if code_point == REPLACEMENT and behind != at + 3:
            return False
        at = behind
    return True
