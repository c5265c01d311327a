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

A point signs with the Edwards form of its X25519 key.
"""

from baken.compat import const, crc32
from baken.crypto import ed25519, signing
from baken.table import Lookup, Table
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
_HEAD_SIZE = const(40)
_PIECE = const(256)  # bytes that are read at a time
_NUMBER_SIZE = const(2)
_PLACE_SIZE = const(6)  # place u16, CRC-32 of the bytes there


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


class Points(Lookup):
    """The points of a list that was read, to read like a dictionary: {number: Point}.

    In memory is where each lies, eight bytes a point; a Point is read when it is asked for. One that has
    become unreadable since, or is not as it was signed, is known to nobody.
    """

    def __init__(self, read, end):
        """`read(at, size)` gives bytes of the list, `end` is where they end."""
        self._read = read
        self._end = end
        self._places = Table(_NUMBER_SIZE, _PLACE_SIZE)

    def add(self, reader):
        """Note the point that `reader`, a _Reader, is at; it is given, and the reader is behind it."""
        place = reader.at
        point = reader.point()
        if point.number in self:
            raise RemoteProtocolError("point %d is listed twice" % point.number, "trust-number")
        self._places.set(_number(point.number), place.to_bytes(2, "big") + reader.check())
        return point

    def __len__(self):
        return len(self._places)

    def __iter__(self):
        for row in self._places:
            yield int.from_bytes(row[:_NUMBER_SIZE], "big")

    def __contains__(self, number):
        return _number(number) in self._places

    def get(self, key, default=None):
        """The Point, or `default`."""
        place = self._places.get(_number(key))
        if place is None:
            return default
        reader = _Reader(self._read, int.from_bytes(place[:2], "big"), self._end)
        try:
            point = reader.point()
        except (OSError, RemoteProtocolError):
            return default
        return point if reader.check() == place[2:] else default


class TrustList(Record):
    """Who may speak in a region; `areas` is a list of (code, name); `authorities` maps number to entry, and
    so does `points`, which is a dictionary or is read like one (see `Points`).
    """

    __slots__ = ("areas", "authorities", "points", "region", "root_public", "serial", "tag")

    def __init__(self, serial, root_public, region, areas, authorities, points):
        self.serial = serial
        self.root_public = root_public
        self.region = region
        self.areas = areas
        self.authorities = {entry.number: entry for entry in authorities}
        self.points = points if hasattr(points, "keys") else {entry.number: entry for entry in points}
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
    """TrustList of bytes in memory, see `read`."""
    return read(lambda at, size: data[at : at + size], len(data), root_public)


def read(fetch, size, root_public=None):
    """TrustList, its signature checked; RemoteProtocolError otherwise.

    `fetch(at, size)` gives bytes of the `size` bytes of the list, of which no more than a few hundred are
    asked for at a time; the points are asked for later on, see `Points`. `root_public`: the root key that the
    holder was provisioned with; None takes the one inside the list, which proves only that the list is
    unharmed (for tools that show one).
    """
    if size > MAX_SIZE:
        raise RemoteProtocolError("trust list is %d bytes, limit %d" % (size, MAX_SIZE), "trust-size")
    head = bytes(fetch(0, _HEAD_SIZE))
    end = size - SIGNATURE_SIZE
    if end < _HEAD_SIZE or head[:4] != MAGIC:
        raise RemoteProtocolError("not a trust list", "trust-magic")
    root = head[8:]
    if root_public is not None and root != root_public:
        raise RemoteProtocolError("trust list is of another region's root key", "trust-root")
    if not signing.verify_pieces(root, _signed(fetch, end), bytes(fetch(end, SIGNATURE_SIZE))):
        raise RemoteProtocolError("root signature of the trust list is wrong", "trust-signature")
    reader = _Reader(fetch, _HEAD_SIZE, end)
    region = reader.text()
    areas = [(reader.text(), reader.text()) for _ in range(reader.count(1, MAX_AREAS))]
    authorities = []
    for _ in range(reader.count(1, MAX_AUTHORITIES)):
        authorities.append(Authority(reader.number(2), reader.take(32), reader.text()))
    points = Points(fetch, end)
    for _ in range(reader.count(2, MAX_POINTS)):
        point = points.add(reader)
        if point.area is not None and point.area >= len(areas):
            raise RemoteProtocolError(
                "a point lies in an area beyond the %d listed" % len(areas), "trust-area"
            )
    if 0 in points or [entry for entry in authorities if entry.number == 0]:
        raise RemoteProtocolError("numbers of authorities and points start at 1", "trust-number")
    if reader.at != end:
        raise RemoteProtocolError("trust list has %d bytes too many" % (end - reader.at), "trust-size")
    return TrustList(int.from_bytes(head[4:8], "big"), root, region, areas, authorities, points)


def _signed(fetch, end):
    """In pieces what root has signed."""
    yield _DOMAIN
    for at in range(0, end, _PIECE):
        yield fetch(at, min(_PIECE, end - at))


class _Reader:
    """Takes a list apart from `at` on; `fetch` as for `read`."""

    def __init__(self, fetch, at, end):
        self.at = at
        self._fetch = fetch
        self._end = end
        self._piece = b""
        self._piece_at = at
        self._crc = 0

    def take(self, size):
        if self.at + size > self._end:
            raise RemoteProtocolError("trust list ends too early", "trust-short")
        if self.at + size > self._piece_at + len(self._piece):
            self._piece_at = self.at
            self._piece = bytes(self._fetch(self.at, min(max(size, _PIECE), self._end - self.at)))
        begin = self.at - self._piece_at
        self.at += size
        taken = self._piece[begin : begin + size]
        self._crc = crc32(taken, self._crc)
        return taken

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
        self._crc = 0
        number, area, node_num = self.number(2), self.number(1), self.number(4)
        public, code = self.take(32), self.text()
        return Point(number, code, self.text(), None if area == NO_AREA else area, node_num, public)

    def check(self):
        """CRC-32 of the bytes of the point that was read last."""
        return self._crc.to_bytes(4, "big")


def _number(value):
    return value.to_bytes(_NUMBER_SIZE, "big")


def _put(out, value, size):
    if not 0 <= value < 1 << 8 * size:
        raise LocalProtocolError("value %d does not fit %d bytes" % (value, size), "range")
    for shift in range(8 * size - 8, -8, -8):
        out.append(value >> shift & 0xFF)


def _put_text(out, text):
    _put(out, len(text), 1)
    out += text
