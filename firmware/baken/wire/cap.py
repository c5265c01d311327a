"""CAP 1.2 code lists and the 32-bit word that carries one choice of each.

Values and their meaning: OASIS Common Alerting Protocol 1.2, section 3.2. The position in a list is the code
on the wire, so lists only ever grow at their end.

    bits  31-29   28-26    25-24  23-20     19-16         15-13    12-10     9-7        6-2    1-0
          status  msgType  scope  category  responseType  urgency  severity  certainty  event  encoding
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

STATUS = (b"Actual", b"Exercise", b"System", b"Test", b"Draft")
MSG_TYPE = (b"Alert", b"Update", b"Cancel", b"Ack", b"Error")
SCOPE = (b"Public", b"Restricted", b"Private")
CATEGORY = (
    b"Geo",
    b"Met",
    b"Safety",
    b"Security",
    b"Rescue",
    b"Fire",
    b"Health",
    b"Env",
    b"Transport",
    b"Infra",
    b"CBRNE",
    b"Other",
)
RESPONSE_TYPE = (
    b"Shelter",
    b"Evacuate",
    b"Prepare",
    b"Execute",
    b"Avoid",
    b"Monitor",
    b"Assess",
    b"AllClear",
    b"None",
)
URGENCY = (b"Immediate", b"Expected", b"Future", b"Past", b"Unknown")
SEVERITY = (b"Extreme", b"Severe", b"Moderate", b"Minor", b"Unknown")
CERTAINTY = (b"Observed", b"Likely", b"Possible", b"Unlikely", b"Unknown")

# CAP `event`: the kinds of bulletin a Dutch crisis room sends, the first word on the display.
EVENT = (
    b"BERICHT",
    b"ALARM",
    b"UPDATE",
    b"OVERZICHT",
    b"OPENING",
    b"SLUITING",
    b"LIJST",
    b"WATER",
    b"MEDISCH",
    b"GERUCHT",
    b"WEER",
    b"EVACUATIE",
    b"HERSTEL",
    b"TELEFOON",
    b"EINDE",
    b"VERWANTEN",
    b"INTERN",
    b"INTREKKING",
)

# How the text bytes are to be read, see `content`; a decoder that does not know one refuses it.
ENCODING = (b"utf-8", b"squeezed", b"phrase")

# Four bits in the bulletin's validity field (RFC 5646 primary subtags).
LANGUAGE = (b"nl", b"en", b"ar", b"tr", b"pl", b"uk", b"de", b"fr", b"es", b"fa", b"so", b"ti", b"zh", b"fy")

# (name, list, shift, width)
FIELDS = (
    ("status", STATUS, 29, 3),
    ("msg_type", MSG_TYPE, 26, 3),
    ("scope", SCOPE, 24, 2),
    ("category", CATEGORY, 20, 4),
    ("response_type", RESPONSE_TYPE, 16, 4),
    ("urgency", URGENCY, 13, 3),
    ("severity", SEVERITY, 10, 3),
    ("certainty", CERTAINTY, 7, 3),
    ("event", EVENT, 2, 5),
    ("encoding", ENCODING, 0, 2),
)
WORD_SIZE = const(4)


def encode_word(values, encoding):
    """Four bytes for `values`, an object with one CAP word (bytes) for each field name of FIELDS but the
    last, which is `encoding`.
    """
    word = code("encoding", ENCODING, encoding)
    for name, words, shift, _width in FIELDS[:-1]:
        word |= code(name, words, getattr(values, name)) << shift
    return bytes((word >> 24, word >> 16 & 0xFF, word >> 8 & 0xFF, word & 0xFF))


def decode_word(data, offset, values):
    """Set each field of `values` from the four bytes at `offset`; RemoteProtocolError on a code without
    meaning.
    """
    word = data[offset] << 24 | data[offset + 1] << 16 | data[offset + 2] << 8 | data[offset + 3]
    for name, words, shift, width in FIELDS:
        setattr(values, name, meaning(name, words, word >> shift & ((1 << width) - 1)))


def code(name, words, value):
    """Position of the CAP word `value`; LocalProtocolError names the field and what is allowed."""
    if value not in words:
        allowed = ", ".join([word.decode() for word in words])
        raise LocalProtocolError("%s is %r, allowed: %s" % (name, value, allowed), "cap-code")
    return words.index(value)


def meaning(name, words, index):
    """CAP word with the code `index`; RemoteProtocolError when this version knows none."""
    if index >= len(words):
        raise RemoteProtocolError("%s code %d, limit %d" % (name, index, len(words) - 1), "cap-code")
    return words[index]
