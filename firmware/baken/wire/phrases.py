"""Phrases: a bulletin's text as numbers from a vetted book, shown by each node in the languages of its place.

The content of a bulletin is one to several phrases one behind the other, at most MAX_SIZE bytes together: the
phrase's number, then its parameters in the order of TYPES:

    A  area      1 byte: index in the trust list, 255 = the whole region
    P  point     2 bytes: its number
    T  time      2 bytes: minutes since midnight, 0 to 1440, as a clock at the place shows it
    D  date      2 bytes: days since 2025-01-01
    N  number    2 bytes
    Q  amount    3 bytes: index in UNITS, then the value with sign, -32768 to 32767
    W  word      1 byte length (1 to MAX_WORD), then UTF-8, the same in every language

A number never changes its meaning. A newer book has more numbers; behind a number that is not known here
nothing can be read, so that is what is shown. The words of each language are in a module of their own, loaded
when that language is first shown.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError, RemoteProtocolError

MAX_SIZE = const(24)
MAX_WORD = const(16)
WHOLE_REGION = const(255)
LANGUAGES = (b"nl", b"en", b"ar", b"tr", b"pl", b"uk")
UNITS = (b"l", b"min", b"h", b"d", b"km", b"m", b"C", b"km/h", b"%", b"EUR")

# fmt: off
TYPES = (
    # 0: ALARM
    "A", "A", "A", "", "A", "A", "A", "A", "",
    # 9: OVERZICHT, UPDATE, HERSTEL
    "A", "AQ", "T", "ADT", "A", "", "", "A", "A", "",
    "", "D", "TT", "",
    # 23: OPENING, SLUITING
    "P", "PTT", "P", "PP", "PT", "PP", "AT", "DT", "P", "PN",
    "PT", "",
    # 35: WATER
    "A", "AQ", "A", "A", "PT", "Q", "", "A",
    # 43: MEDISCH
    "", "PTT", "PT", "P", "P", "",
    # 49: GERUCHT
    "A", "A", "", "",
    # 53: WEER
    "Q", "Q", "Q",
    # 56: EVACUATIE
    "AT", "PT", "P", "A", "A", "",
    # 62: VERWANTEN, INTREKKING, EINDE, INTERN
    "", "", "A", "T", "PT", "W",
)
# fmt: on

_SIZES = {"A": 1, "P": 2, "T": 2, "D": 2, "N": 2, "Q": 3}
_DAYS_TO_2025 = const(739557)  # from 0000-03-01, where a year of leap years is regular
_MINUTES = const(1440)


def encode(phrases):
    """Content of a bulletin for [(number, parameters)]; LocalProtocolError says what does not fit.

    Parameters: A an index or None for the whole region, P the point's number, T minutes, D days since
    2025-01-01, N a number, Q (value, unit of UNITS), W UTF-8 bytes.
    """
    if not phrases:
        raise LocalProtocolError("no phrase", "phrase")
    out = bytearray()
    for number, parameters in phrases:
        if not 0 <= number < len(TYPES):
            raise LocalProtocolError("phrase is %d, known 0 to %d" % (number, len(TYPES) - 1), "phrase")
        if len(parameters) != len(TYPES[number]):
            raise LocalProtocolError(
                "phrase %d has %d parameters, not %d" % (number, len(TYPES[number]), len(parameters)),
                "phrase",
            )
        out.append(number)
        for kind, value in zip(TYPES[number], parameters):
            out += _encode_parameter(kind, value)
    if len(out) > MAX_SIZE:
        raise LocalProtocolError("phrases are %d bytes, limit %d" % (len(out), MAX_SIZE), "phrase")
    return bytes(out)


def decode(data):
    """[(number, parameters)] as for encode; a number that is not known here is the last, with None for its
    parameters. RemoteProtocolError when `data` is no content.
    """
    if not 1 <= len(data) <= MAX_SIZE:
        raise RemoteProtocolError("phrases are %d bytes, allowed 1 to %d" % (len(data), MAX_SIZE), "phrase")
    phrases = []
    at = 0
    while at < len(data):
        number = data[at]
        at += 1
        if number >= len(TYPES):
            phrases.append((number, None))
            break
        parameters = []
        for kind in TYPES[number]:
            if at >= len(data):
                raise RemoteProtocolError("phrase %d ends too early" % number, "phrase")
            size = 1 + data[at] if kind == "W" else _SIZES[kind]
            if at + size > len(data) or size > 1 + MAX_WORD:
                raise RemoteProtocolError("phrase %d ends too early" % number, "phrase")
            parameters.append(_decode_parameter(kind, data, at, size))
            at += size
        phrases.append((number, tuple(parameters)))
    return phrases


def render_content(data, language, names):
    """The text of a bulletin's content; see `render`."""
    return b" ".join([render(number, values, language, names) for number, values in decode(data)])


def render(number, parameters, language, names=None):
    """One phrase as UTF-8 text in `language` (English where the book lacks it).

    `parameters` as for encode, None where the number is not known. `names`: the TrustList that areas and
    points have their names from; what it does not know is shown by its number.
    """
    book = _book(language)
    if number >= len(TYPES) or parameters is None:
        return _fill(book.UNKNOWN, (b"%d" % number,))
    values = []
    for kind, value in zip(TYPES[number], parameters):
        values.append(_show(kind, value, book, names))
    return _fill(book.PHRASES[number], values)


def template(number, language):
    """The words of phrase `number` as text, with {0}, {1}, ... where its parameters go."""
    return _book(language).PHRASES[number]


def book_name(language):
    """The module that has the words of `language`, English where there is none."""
    return "baken.wire.phrases_" + (language.decode() if language in LANGUAGES else "en")


def _book(language):
    return __import__(book_name(language), None, None, ("PHRASES",))


def _fill(template, values):
    """`template` with {0}, {1}, ... replaced; nothing inside a value is."""
    out = bytearray()
    rest = template.encode()
    while True:
        start = rest.find(b"{")
        if start < 0:
            return bytes(out + rest)
        out += rest[:start] + values[rest[start + 1] - 48]
        rest = rest[start + 3 :]


def _show(kind, value, book, names):
    if kind == "A":
        return _area(value, book, names)
    if kind == "P":
        point = names.points.get(value) if names else None
        return point.code + b" " + point.name if point else b"?%d" % value
    if kind == "T":
        return b"%02d:%02d" % (value // 60, value % 60)
    if kind == "D":
        day, month = _day_and_month(value)
        return b"%d " % day + book.MONTHS[month - 1].encode()
    if kind == "Q":
        amount, unit = value
        one, many = book.UNITS[UNITS.index(unit)]
        return b"%d " % amount + (one if amount == 1 else many).encode()
    return value if kind == "W" else b"%d" % value


def _area(index, book, names):
    if index is None:
        return _fill(book.WHOLE_REGION, (names.region if names else b"?",))
    return names.areas[index][1] if names and index < len(names.areas) else b"?%d" % index


def _day_and_month(days):
    # The civil calendar counted from 1 March, so that the leap day is the last of its year.
    days += _DAYS_TO_2025
    of_era = days % 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    return of_year - (153 * month + 2) // 5 + 1, month + 3 if month < 10 else month - 9


def _encode_parameter(kind, value):
    if kind == "A":
        return bytes((WHOLE_REGION if value is None else _checked("area", value, 0, 254),))
    if kind == "Q":
        amount, unit = value
        if unit not in UNITS:
            raise LocalProtocolError("unit is %r, allowed: %s" % (unit, b" ".join(UNITS).decode()), "phrase")
        amount = _checked("amount", amount, -32768, 32767) & 0xFFFF
        return bytes((UNITS.index(unit), amount >> 8, amount & 0xFF))
    if kind == "W":
        _checked("length of word", len(value), 1, MAX_WORD)
        return bytes((len(value),)) + value
    low, high = {"P": (1, 0xFFFF), "T": (0, _MINUTES), "D": (0, 0xFFFF), "N": (0, 0xFFFF)}[kind]
    _checked("parameter " + kind, value, low, high)
    return bytes((value >> 8, value & 0xFF))


def _decode_parameter(kind, data, at, size):
    if kind == "A":
        return None if data[at] == WHOLE_REGION else data[at]
    if kind == "W":
        if size == 1:
            raise RemoteProtocolError("word is empty", "phrase")
        return bytes(data[at + 1 : at + size])
    if kind == "Q":
        if data[at] >= len(UNITS):
            raise RemoteProtocolError("unit is %d, limit %d" % (data[at], len(UNITS) - 1), "phrase")
        amount = data[at + 1] << 8 | data[at + 2]
        return (amount - 0x10000 if amount & 0x8000 else amount, UNITS[data[at]])
    value = data[at] << 8 | data[at + 1]
    if kind == "T" and value > _MINUTES:
        raise RemoteProtocolError("time is %d minutes, limit %d" % (value, _MINUTES), "phrase")
    return value


def _checked(name, value, low, high):
    if not low <= value <= high:
        raise LocalProtocolError("%s is %d, allowed %d to %d" % (name, value, low, high), "phrase")
    return value
