"""Ed25519 signatures (RFC 8032) and their use with Curve25519 keys (XEdDSA), in plain Python.

Built for MicroPython, where one 256-bit modular multiplication costs about as much as twenty bytecodes, so
what counts is the number of reductions modulo p:

- points are extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, T = XY/Z on -x^2 + y^2 = 1 + d x^2 y^2
  (RFC 8032 5.1.4); a product that only feeds a sum is not reduced before the sum, and T is left out where
  a doubling follows;
- a multiple of the base point uses a signed comb of five teeth, 51 bits apart: every digit is +1 or -1,
  so the 16 points of `comb.py` and 51 doublings serve any scalar;
- verify walks [s]B - [h]A in one row of doublings: h in width-5 NAF over eight odd multiples of -A, and
  the same comb for s in the last 51 steps;
- powers with an exponent of 2**k are left to the C code of the three-argument `pow`.

Nothing here takes constant time. A node's key is exposed to whoever holds the node anyway.
"""

from baken.compat import const
from baken.crypto.comb import COMB
from baken.crypto.sha512 import sha512, sha512_of

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D2 = 0x2406D9DC56DFFCE7198E80F2EEF3D13000E0149A8283B156EBD69B9426B2F159  # 2d, d = -121665/121666
_D = 0x52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3
_SQRT_MINUS_1 = 0x2B8324804FC1DF0B2B4D00993DFBD7A72F431806AD2FE478C4EE1B274A0EA0B0

_TEETH = const(5)
_SPACING = const(51)
_COMB_BITS = const(255)
_SPACING_MASK = const(0x7FFFFFFFFFFFF)
_COMB_SIZE = const(96)

# The y of a point of order 8, and of its negative; with 0, 1 and -1 these are all points of small order.
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER_Y = (0, 1, _P - 1, _ORDER_8_Y, _P - _ORDER_8_Y)


class SigningKey:
    """A scalar made ready for signing: one multiplication for each signature instead of two."""

    def __init__(self, scalar: int, public: bytes, prefix: bytes) -> None:
        self._scalar = scalar
        self._prefix = prefix
        self.public = public

    def sign(self, message: "bytes | bytearray | memoryview") -> bytes:
        """The 64-byte signature that `verify` accepts under `public`."""
        message = bytes(message)
        nonce = int.from_bytes(sha512(self._prefix + message), "little") % _L
        first = _encode_multiple(nonce)
        challenge = int.from_bytes(sha512(first + self.public + message), "little")
        return first + ((nonce + challenge * self._scalar) % _L).to_bytes(32, "little")


def signing_key(seed: bytes) -> SigningKey:
    """The Ed25519 key of a 32-byte seed."""
    if len(seed) != 32:
        raise ValueError(f"seed is {len(seed)} bytes, must be 32")
    digest = sha512(seed)
    scalar = _clamp(digest[:32]) % _L
    return SigningKey(scalar, _encode_multiple(scalar), digest[32:])


def signing_key_x25519(private: bytes) -> SigningKey:
    """The key with which 32 private bytes of Curve25519 sign; its public is `edwards_public` of theirs.

    The signature of XEdDSA, with a nonce that is a hash of the key and the message in place of random bytes:
    a node's random source is not trusted with its key.
    """
    scalar = _clamp(private) % _L
    public = _encode_multiple(scalar)
    if public[31] & 0x80:
        scalar = _L - scalar
        public = public[:31] + bytes((public[31] & 0x7F,))
    # XEdDSA's hash_1: a prefix that no encoded point can begin with keeps nonces apart from challenges.
    return SigningKey(scalar, public, b"\xfe" + b"\xff" * 31 + scalar.to_bytes(32, "little"))


def public_key(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed."""
    return signing_key(seed).public


def sign(seed: bytes, message: "bytes | bytearray | memoryview") -> bytes:
    """The 64-byte signature of a message under a 32-byte seed."""
    return signing_key(seed).sign(message)


def sign_x25519(private: bytes, message: "bytes | bytearray | memoryview") -> bytes:
    """The 64-byte signature of a message under a Curve25519 private key."""
    return signing_key_x25519(private).sign(message)


def verify(public: bytes, message: "bytes | bytearray | memoryview", signature: bytes) -> bool:
    """Whether the signature is genuine; never raises for bytes of any length.

    Stricter than RFC 8032 asks: s below the group order, canonical encodings only, no cofactor in the
    equation, and no public key of small order (it would accept signatures that nobody made).
    """
    return verify_pieces(public, (message,), signature)


def verify_pieces(
    public: bytes, pieces: "Iterable[bytes | bytearray | memoryview]", signature: bytes
) -> bool:
    """`verify` of a message that is too long to be in memory: all `pieces` behind one another, asked for one
    at a time.
    """
    if len(signature) != 64 or not is_acceptable(public) or not is_reduced(signature):
        return False
    point = _decompress(public)
    if point is None:
        return False
    first = bytes(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(sha512_of(_behind(first + bytes(public), pieces)), "little") % _L
    return _encode(_multiply_both(s, h, _P - point[0], point[1])) == first


def _behind(
    head: bytes, pieces: "Iterable[bytes | bytearray | memoryview]"
) -> "Iterator[bytes | bytearray | memoryview]":
    yield head
    yield from pieces


def is_acceptable(public: bytes) -> bool:
    """Whether 32 bytes are the canonical encoding of a y that is not one of the small-order points."""
    if len(public) != 32:
        return False
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    return y < _P and y not in _SMALL_ORDER_Y


def is_reduced(signature: bytes) -> bool:
    """Whether the second half of a 64-byte signature is below the group order (else it could be altered)."""
    return int.from_bytes(signature[32:], "little") < _L


def x25519_public(private: bytes) -> bytes:
    """The Curve25519 public key (RFC 7748) of 32 private bytes; by the Edwards form, u = (1+y)/(1-y)."""
    _, y, z = _multiply_base(_clamp(private) % _L)
    return ((z + y) * _inverse(z - y) % _P).to_bytes(32, "little")


def edwards_public(x25519_public: bytes) -> bytes:
    """The Ed25519 form of a Curve25519 public key: y = (u-1)/(u+1), sign bit 0."""
    if len(x25519_public) != 32:
        raise ValueError(f"public key is {len(x25519_public)} bytes, must be 32")
    u = (int.from_bytes(x25519_public, "little") & ((1 << 255) - 1)) % _P
    return ((u - 1) * _inverse(u + 1) % _P).to_bytes(32, "little")


def montgomery_public(public: bytes) -> bytes:
    """The Curve25519 form of an Ed25519 public key (RFC 7748, 4.1): u = (1+y)/(1-y)."""
    if len(public) != 32:
        raise ValueError(f"public key is {len(public)} bytes, must be 32")
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    return ((1 + y) * _inverse(1 - y) % _P).to_bytes(32, "little")


def montgomery_private(seed: bytes) -> bytes:
    """The Curve25519 private key of an Ed25519 seed; its public key is `montgomery_public` of that one's."""
    return sha512(seed)[:32]


def _clamp(private):
    if len(private) != 32:
        raise ValueError(f"private key is {len(private)} bytes, must be 32")
    return int.from_bytes(private, "little") & ((1 << 254) - 8) | 1 << 254


def _power_2_250_minus_1(z):
    """z**(2**250 - 1) and z**11: the common part of the inverse and the square root."""
    p = _P
    z2 = z * z % p
    z9 = pow(z2, 4, p) * z % p
    z11 = z9 * z2 % p
    z_5 = z11 * z11 % p * z9 % p
    z_10 = pow(z_5, 1 << 5, p) * z_5 % p
    z_20 = pow(z_10, 1 << 10, p) * z_10 % p
    z_40 = pow(z_20, 1 << 20, p) * z_20 % p
    z_50 = pow(z_40, 1 << 10, p) * z_10 % p
    z_100 = pow(z_50, 1 << 50, p) * z_50 % p
    z_200 = pow(z_100, 1 << 100, p) * z_100 % p
    return pow(z_200, 1 << 50, p) * z_50 % p, z11


def _inverse(z):
    z %= _P
    power, z11 = _power_2_250_minus_1(z)
    return pow(power, 1 << 5, _P) * z11 % _P


def _decompress(encoded):
    """(x, y) of an encoded point, or None where there is none (RFC 8032 5.1.3)."""
    p = _P
    y = int.from_bytes(encoded, "little")
    sign = y >> 255
    y &= (1 << 255) - 1
    if y >= p:
        return None
    yy = y * y % p
    u = yy - 1
    v = (_D * yy + 1) % p
    v3 = v * v % p * v % p
    z = u * v3 % p * v3 % p * v % p
    x = pow(_power_2_250_minus_1(z)[0], 4, p) * z % p * u % p * v3 % p
    check = v * x % p * x % p
    if check != u % p:
        if check != -u % p:
            return None
        x = x * _SQRT_MINUS_1 % p
    if not x and sign:
        return None
    if x & 1 != sign:
        x = p - x
    return x, y


def _encode(point):
    x, y, z = point
    z = _inverse(z)
    return ((y * z % _P) | (x * z % _P & 1) << 255).to_bytes(32, "little")


def _encode_multiple(scalar):
    return _encode(_multiply_base(scalar))


def _double(point):
    x, y, z, _ = point
    p = _P
    a = x * x
    b = y * y
    h = (a + b) % p
    e = 2 * x * y % p
    g = (b - a) % p
    f = (2 * z * z + a - b) % p
    return e * f % p, g * h % p, f * g % p, e * h % p


def _add(point, summand):
    """Add a point that `_prepare` made ready."""
    x, y, z, t = point
    plus, minus, t2d, z2 = summand
    p = _P
    a = (y - x) * minus
    b = (y + x) * plus
    c = t * t2d
    d = z * z2
    e = (b - a) % p
    h = (b + a) % p
    f = (d - c) % p
    g = (d + c) % p
    return e * f % p, g * h % p, f * g % p, e * h % p


def _prepare(point):
    """(Y + X, Y - X, 2dT, 2Z): the form in which a point is added most cheaply."""
    x, y, z, t = point
    return y + x, y - x, t * _D2 % _P, 2 * z


def _comb_digits(scalar):
    """51 digits, the lowest first: an index into the comb table, or its complement (negative) to subtract."""
    if not scalar & 1:
        scalar += _L  # the same multiple of B; only an odd number is a sum of +1 and -1 times powers of two
    # With c = (scalar + 2**255 - 1) / 2, bit i of c says whether 2**i is added or subtracted.
    scalar = (scalar + (1 << _COMB_BITS) - 1) >> 1
    rows = [(scalar >> (_SPACING * i)) & _SPACING_MASK for i in range(_TEETH)]
    r0, r1, r2, r3, r4 = rows
    digits = []
    for _ in range(_SPACING):
        index = (r0 & 1) | (r1 & 1) << 1 | (r2 & 1) << 2 | (r3 & 1) << 3
        digits.append(index if r4 & 1 else index - 16)
        r0 >>= 1
        r1 >>= 1
        r2 >>= 1
        r3 >>= 1
        r4 >>= 1
    return digits


def _multiply_base(scalar):
    """[scalar]B as (X, Y, Z)."""
    return _walk(_comb_digits(scalar), b"", ())


def _multiply_both(s, h, x, y):
    """[s]B + [h](x, y) as (X, Y, Z)."""
    p = _P
    point = (x, y, 1, x * y % p)
    step = _prepare(_double(point))
    odd = [_prepare(point)]
    for _ in range(7):
        point = _add(point, step)
        odd.append(_prepare(point))
    # Width-5 NAF: odd digits of at most 15 in size, five places apart or more. Stored as digit + 16; 0: none.
    naf = bytearray(256)
    place = 0
    while h:
        if h & 1:
            digit = h & 31
            if digit > 15:
                digit -= 32
            h -= digit
            naf[place] = digit + 16
        h >>= 1
        place += 1
    return _walk(_comb_digits(s), naf[: max(place, _SPACING)], odd)


def _walk(digits, naf, odd):
    """One row of doublings that adds the comb's points and the other point's odd multiples on its way.

    T is only made where a point is added: e * h of the step before it.
    """
    p = _P
    x = t = 0
    y = z = 1
    other = 0
    for i in range((len(naf) or _SPACING) - 1, -1, -1):
        a = x * x
        b = y * y
        h = (a + b) % p
        e = 2 * x * y % p
        g = (b - a) % p
        f = (2 * z * z + a - b) % p
        x = e * f % p
        y = g * h % p
        z = f * g % p
        if naf:
            other = naf[i]
            if other:
                t = e * h % p
                if other > 16:
                    plus, minus, t2d, z2 = odd[(other - 17) >> 1]
                else:
                    minus, plus, t2d, z2 = odd[(15 - other) >> 1]
                    t2d = -t2d
                a = (y - x) * minus
                b = (y + x) * plus
                c = t * t2d
                d = z * z2
                e = (b - a) % p
                h = (b + a) % p
                f = (d - c) % p
                g = (d + c) % p
                x = e * f % p
                y = g * h % p
                z = f * g % p
        if i < _SPACING:
            t = e * h % p
            digit = digits[i]
            at = _COMB_SIZE * (digit if digit >= 0 else -1 - digit)
            plus = int.from_bytes(COMB[at : at + 32], "little")
            minus = int.from_bytes(COMB[at + 32 : at + 64], "little")
            c = t * int.from_bytes(COMB[at + 64 : at + 96], "little")
            if digit < 0:
                plus, minus, c = minus, plus, -c
            a = (y - x) * minus
            b = (y + x) * plus
            d = z + z
            e = (b - a) % p
            h = (b + a) % p
            f = (d - c) % p
            g = (d + c) % p
            x = e * f % p
            y = g * h % p
            z = f * g % p
    return x, y, z
