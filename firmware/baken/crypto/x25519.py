"""X25519 key agreement (RFC 7748): the Montgomery ladder in plain Python.

Takes about as long as verifying a signature, so keep the shared key of a peer instead of making it anew.
Not constant time; see `ed25519`.
"""

_P = 2**255 - 19


def x25519(private: bytes, public: bytes) -> bytes:
    """The 32-byte secret shared by the holders of two keys; all zero for a public key of small order.

    Callers refuse the all-zero secret: anybody can make it.
    """
    if len(private) != 32 or len(public) != 32:
        raise ValueError(f"keys are {len(private)} and {len(public)} bytes, must be 32")
    scalar = int.from_bytes(private, "little") & ((1 << 254) - 8) | 1 << 254
    p = _P
    x1 = (int.from_bytes(public, "little") & ((1 << 255) - 1)) % p
    x2 = 1
    z2 = 0
    x3 = x1
    z3 = 1
    swapped = 0
    for byte in reversed(scalar.to_bytes(32, "little")):
        mask = 0x80
        while mask:
            bit = 1 if byte & mask else 0
            mask >>= 1
            if bit != swapped:
                x2, z2, x3, z3 = x3, z3, x2, z2
                swapped = bit
            a = x2 + z2
            b = x2 - z2
            da = (x3 - z3) * a % p
            cb = (x3 + z3) * b % p
            x3 = da + cb
            x3 = x3 * x3 % p
            z3 = da - cb
            z3 = z3 * z3 % p * x1 % p
            a = a * a % p
            b = b * b % p
            x2 = a * b % p
            e = a - b
            z2 = e * (a + 121665 * e) % p
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")
