"""SHA-512 (FIPS 180-4): from `hashlib` where it has it, else in plain Python (no MicroPython port has it)."""

import hashlib
import struct

# The first 64 bits of the fractional parts of the cube roots of the first 80 primes, and of the square
# roots of the first eight: derived once, so that there is no table to mistype.
_MASK = 0xFFFFFFFFFFFFFFFF


def _primes(count):
    found = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return found


def _root_fraction(number, power):
    """The first 64 bits after the binary point of number ** (1 / power), by Newton's method on integers."""
    scaled = number << (64 * power)
    root = 1 << 70
    while True:
        better = ((power - 1) * root + scaled // root ** (power - 1)) // power
        if better >= root:
            return root & _MASK
        root = better


_tables = None


def _constants():
    """The 80 round constants and the eight words of the initial state; made at the first use."""
    global _tables
    if _tables is None:
        primes = _primes(80)
        _tables = (
            tuple([_root_fraction(prime, 3) for prime in primes]),
            tuple([_root_fraction(prime, 2) for prime in primes[:8]]),
        )
    return _tables


def sha512_pure(data: "bytes | bytearray | memoryview") -> bytes:
    """The SHA-512 digest of data, 64 bytes."""
    rounds, state = _constants()
    length = len(data)
    padded = bytes(data) + b"\x80" + bytes((111 - length) % 128) + (8 * length).to_bytes(16, "big")
    for offset in range(0, len(padded), 128):
        state = _compress(rounds, state, padded, offset)
    return struct.pack(">8Q", *state)


def _compress(rounds, state, data, offset):
    """The state after one block of 128 bytes.

    A word doubled to 128 bits (w << 64 | w) turns each rotation into a single shift.
    """
    mask = _MASK
    schedule = list(struct.unpack_from(">16Q", data, offset))
    for i in range(16, 80):
        w = schedule[i - 15]
        d = w << 64 | w
        s0 = d >> 1 ^ d >> 8 ^ w >> 7
        w = schedule[i - 2]
        d = w << 64 | w
        s1 = d >> 19 ^ d >> 61 ^ w >> 6
        schedule.append((schedule[i - 16] + schedule[i - 7] + (s0 & mask) + (s1 & mask)) & mask)
    a, b, c, d, e, f, g, h = state
    for i in range(80):
        wide = e << 64 | e
        t1 = h + ((wide >> 14 ^ wide >> 18 ^ wide >> 41) & mask) + (g ^ (e & (f ^ g)))
        t1 += rounds[i] + schedule[i]
        wide = a << 64 | a
        t2 = ((wide >> 28 ^ wide >> 34 ^ wide >> 39) & mask) + ((a & b) | (c & (a | b)))
        h = g
        g = f
        f = e
        e = (d + t1) & mask
        d = c
        c = b
        b = a
        a = (t1 + t2) & mask
    after = (a, b, c, d, e, f, g, h)
    return tuple([(before + word) & mask for before, word in zip(state, after)])


if hasattr(hashlib, "sha512"):

    def sha512(data: "bytes | bytearray | memoryview") -> bytes:
        """The SHA-512 digest of data, 64 bytes."""
        return hashlib.sha512(data).digest()

else:
    sha512 = sha512_pure
