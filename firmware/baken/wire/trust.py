"""The trust list: who may speak in a region. Provisioned on every node, signed by the region's root key.

    offset size field
    0      4    "BKT1"
    4      4    serial number of the list, a counter: a lower one never replaces a higher one
    8      32   root public key (Ed25519)
    40     s    region name (length u8, UTF-8)
    ...    1    number of areas; each: code (length u8, ASCII), name (length u8, UTF-8)
    ...    1    number of authorities; each: number u16, Ed25519 public key 32, name (length u8, UTF-8)
    ...    2    number of points; each: number u16, area index u8 (255 = outside every area), node number u32,
                X25519 public key 32, code (length u8, ASCII), name (length u8, UTF-8)
    ...    64   Ed25519 signature by root over "baken-trust-1" and all bytes before it

A point signs with the Edwards form of its X25519 key, which is derived when the list is read.
"""

from baken.compat import const
from baken.crypto import ed25519, signing
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import SIGNATURE_SIZE, region_tag

MAGIC = b"BKT1"
MAX_SIZE = const(32768)
MAX_AREAS = const(64)
MAX_AUTHORITIES = const(32)
MAX_POINTS = const(256)
NO_AREA = const(255)
_DOMAIN = b"baken-trust-1"
_KEY_SIZE = const(32)
_NO_KEY = bytes(32)


class Authority(Record):
    """`number` (1..65535), `public` Ed25519 key, `name` UTF-8 bytes; `expires_s` unix seconds, 0: never."""

    __slots__ = ("expires_s", "name", "number", "public")

    def __init__(self, number, public, name, expires_s=0):
        self.number = number
        self.public = public
        self.name = name
        self.expires_s = expires_s


class Point(Record):
    """`number`, `code` (b"OV06"), `name`, `area` index or None, Meshtastic `node_num`, X25519 `public`
    key.
    """

    __slots__ = ("_signing_public", "area", "code", "name", "node_num", "number", "public")

    def __init__(self, number, code, name, area, node_num, public):
        self.number = number
        self.code = code
        self.name = name
        self.area = area
        self.node_num = node_num
        self.public = public
        self._signing_public = None

    @property
    def signing_public(self):
        """Edwards form of `public`; worked out at first use, a field inversion each."""
        if self._signing_public is None:
            self._signing_public = ed25519.edwards_public(self.public)
        return self._signing_public


class Points:
    """The points of a region, to read and change like a dictionary: {number: Point}.

    What was read from a list stays bytes, all in one piece, and becomes a Point when it is asked for: that
    takes a fifth of the memory.
    """

    def __init__(self, held, data=None):
        self._held = held  # number -> Point, or where its bytes begin in `data`
        self._data = data or bytearray()  # before each its signing key; zeros until it is heard

    def __len__(self):
        return len(self._held)

    def __iter__(self):
        return iter(self._held)

    def __contains__(self, number):
        return number in self._held

    def __getitem__(self, number):
        held = self._held[number]
        return held if isinstance(held, Point) else _Reader(self._data, held, len(self._data)).point()

    def __setitem__(self, number, point):
        self.pop(number)
        self._held[number] = point

    def __eq__(self, other):
        return len(self) == len(other) and not [1 for number in self if self[number] != other.get(number)]

    def get(self, number, default=None):
        """The Point, or `default`."""
        return self[number] if number in self._held else default

    def signing_public(self, number):
        """The Point's `signing_public`, worked out once; None for an unknown one."""
        held = self._held.get(number)
        if held is None or isinstance(held, Point):
            return held and held.signing_public
        signing_public = bytes(self._data[held - _KEY_SIZE : held])
        if signing_public == _NO_KEY:
            signing_public = self[number].signing_public
            self._data[held - _KEY_SIZE : held] = signing_public
        return signing_public

    def pop(self, number, default=None):
        """Take a point out."""
        point = self.get(number, default)
        self._held.pop(number, None)
        return point

    def keys(self):
        return self._held.keys()

    def values(self):
        return [self[number] for number in self._held]

    def items(self):
        return [(number, self[number]) for number in self._held]

    def copy(self):
        return Points(dict(self._held), self._data)


class TrustList(Record):
    """Who may speak in a region; `areas` is a list of (code, name), `authorities` and `points` map number
    to entry (see `Points`).
    """

    __slots__ = ("areas", "authorities", "points", "region", "root_public", "serial", "tag")

    def __init__(self, serial, root_public, region, areas, authorities, points):
        self.serial = serial
        self.root_public = root_public
        self.region = region
        self.areas = areas
        self.authorities = {entry.number: entry for entry in authorities}
        if not isinstance(points, Points):
            points = Points({entry.number: entry for entry in points})
        self.points = points
        self.tag = region_tag(root_public)

    def point_by_code(self, code):
        """Point with that code, or None."""
        for point in self.points.values():
            if point.code == code:
                return point
        return None


def encode(trust, sign):
    """The list signed by `sign(message)`, the root key."""
    for name, count, limit in (
        ("areas", len(trust.areas), MAX_AREAS),
        ("authorities", len(trust.authorities), MAX_AUTHORITIES),
        ("points", len(trust.points), MAX_POINTS),
    ):
        if count > limit:
            raise LocalProtocolError("%d %s, limit %d" % (count, name, limit), "trust-size")
    out = bytearray(MAGIC)
    _put(out, trust.serial, 4)
    out += trust.root_public
    _put_text(out, trust.region)
    _put(out, len(trust.areas), 1)
    for code, name in trust.areas:
        _put_text(out, code)
        _put_text(out, name)
    _put(out, len(trust.authorities), 1)
    for number in sorted(trust.authorities):
        entry = trust.authorities[number]
        _put(out, number, 2)
        out += entry.public
        _put_text(out, entry.name)
    _put(out, len(trust.points), 2)
    for number in sorted(trust.points):
        entry = trust.points[number]
        _put(out, number, 2)
        _put(out, NO_AREA if entry.area is None else entry.area, 1)
        _put(out, entry.node_num, 4)
        out += entry.public
        _put_text(out, entry.code)
        _put_text(out, entry.name)
    return bytes(out) + sign(_DOMAIN + bytes(out))


def decode(data, root_public=None):
    """TrustList, its signature checked; RemoteProtocolError otherwise.

    `root_public`: the root key that the holder was provisioned with; None takes the one inside the list,
    which proves only that the list is unharmed (for tools that show one).
    """
    if len(data) > MAX_SIZE:
        raise RemoteProtocolError("trust list is %d bytes, limit %d" % (len(data), MAX_SIZE), "trust-size")
    if len(data) < 40 + SIGNATURE_SIZE or bytes(data[:4]) != MAGIC:
        raise RemoteProtocolError("not a trust list", "trust-magic")
    body_end = len(data) - SIGNATURE_SIZE
    root = bytes(data[8:40])
    if root_public is not None and root != root_public:
        raise RemoteProtocolError("trust list is of another region's root key", "trust-root")
    if not signing.verify(root, _DOMAIN + bytes(data[:body_end]), bytes(data[body_end:])):
        raise RemoteProtocolError("root signature of the trust list is wrong", "trust-signature")
    reader = _Reader(data, 40, body_end)
    region = reader.text()
    areas = [(reader.text(), reader.text()) for _ in range(reader.count(1, MAX_AREAS))]
    authorities = []
    for _ in range(reader.count(1, MAX_AUTHORITIES)):
        authorities.append(Authority(reader.number(2), reader.take(32), reader.text()))
    points = {}
    count = reader.count(2, MAX_POINTS)
    held = bytearray(max(0, body_end - reader.at) + count * _KEY_SIZE)
    end = 0
    for _ in range(count):
        start = reader.at
        point = reader.point()
        if point.area is not None and point.area >= len(areas):
            raise RemoteProtocolError(
                "a point lies in an area beyond the %d listed" % len(areas), "trust-area"
            )
        begin = points[point.number] = end + _KEY_SIZE
        end = begin + reader.at - start
        held[begin:end] = data[start : reader.at]
    if 0 in points or [entry for entry in authorities if entry.number == 0]:
        raise RemoteProtocolError("numbers of authorities and points start at 1", "trust-number")
    if reader.at != body_end:
        raise RemoteProtocolError("trust list has %d bytes too many" % (body_end - reader.at), "trust-size")
    return TrustList(int.from_bytes(data[4:8], "big"), root, region, areas, authorities, Points(points, held))


class _Reader:
    def __init__(self, data, at, end):
        self.data = data
        self.at = at
        self.end = end

    def take(self, size):
        if self.at + size > self.end:
            raise RemoteProtocolError("trust list ends too early", "trust-short")
        self.at += size
        return bytes(self.data[self.at - size : self.at])

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def count(self, size, limit):
        value = self.number(size)
        if value > limit:
            raise RemoteProtocolError("trust list counts %d, limit %d" % (value, limit), "trust-size")
        return value

    def text(self):
        return self.take(self.number(1))

    def point(self):
        number, area, node_num = self.number(2), self.number(1), self.number(4)
        public, code = self.take(32), self.text()
        return Point(number, code, self.text(), None if area == NO_AREA else area, node_num, public)


def _put(out, value, size):
    if not 0 <= value < 1 << 8 * size:
        raise LocalProtocolError("value %d does not fit %d bytes" % (value, size), "range")
    for shift in range(8 * size - 8, -8, -8):
        out.append(value >> shift & 0xFF)


def _put_text(out, text):
    _put(out, len(text), 1)
    out += text
