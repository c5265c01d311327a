"""The signatures of Baken, the same interface on both runtimes.

`verify` gives the same verdict everywhere: where a compiled library does the arithmetic, the checks in
which libraries differ (canonical numbers, keys of small order) are made here first.
"""

from baken.compat import const, in_one_go, sha256
from baken.crypto import ed25519

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

try:
    from cryptography.exceptions import InvalidSignature as _InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as _PrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as _PublicKey

    def verify(public: bytes, message: "bytes | bytearray | memoryview", signature: bytes) -> bool:
        """Whether an Ed25519 signature is genuine; never raises for bytes of any length."""
        if len(signature) != 64 or not ed25519.is_acceptable(public) or not ed25519.is_reduced(signature):
            return False
        try:
            _PublicKey.from_public_bytes(bytes(public)).verify(bytes(signature), bytes(message))
        except (_InvalidSignature, ValueError):
            return False
        return True

    def verify_pieces(
        public: bytes, pieces: "Iterable[bytes | bytearray | memoryview]", signature: bytes
    ) -> bool:
        """`verify` of all `pieces` behind one another; on a board they are asked for one at a time."""
        return verify(public, b"".join(pieces), signature)

    def _authority_key(seed: bytes) -> "tuple[bytes, Callable[[bytes], bytes]]":
        key = _PrivateKey.from_private_bytes(seed)
        return key.public_key().public_bytes_raw(), key.sign

except ImportError:

    def verify(public: bytes, message: "bytes | bytearray | memoryview", signature: bytes) -> bool:
        """Whether an Ed25519 signature is genuine; never raises for bytes of any length."""
        return in_one_go(ed25519.verify, public, message, signature)

    def verify_pieces(
        public: bytes, pieces: "Iterable[bytes | bytearray | memoryview]", signature: bytes
    ) -> bool:
        """`verify` of all `pieces` behind one another, which are asked for one at a time."""
        return in_one_go(ed25519.verify_pieces, public, pieces, signature)

    def _authority_key(seed: bytes) -> "tuple[bytes, Callable[[bytes], bytes]]":
        key = ed25519.signing_key(seed)
        return key.public, key.sign


class AuthorityKey:
    """An Ed25519 key made from a 32-byte seed: what an authority and the region's root sign with."""

    def __init__(self, seed: bytes) -> None:
        self.public, self._sign = _authority_key(bytes(seed))

    def sign(self, message: "bytes | bytearray | memoryview") -> bytes:
        """A 64-byte signature that `verify` accepts under `public`."""
        return self._sign(bytes(message))


class PointKey:
    """A point's Curve25519 key (32 private bytes): it seals with the key and signs with its Edwards form.

    `public` is what a Meshtastic node announces; `signing_public` follows from it (`ed25519.edwards_public`).
    """

    def __init__(self, private: bytes) -> None:
        key = ed25519.signing_key_x25519(bytes(private))
        self.public = ed25519.x25519_public(private)
        self.signing_public = key.public
        self._sign = key.sign
        self._private = bytes(private)

    def sign(self, message: "bytes | bytearray | memoryview") -> bytes:
        """A 64-byte signature that `verify` accepts under `signing_public`."""
        return in_one_go(self._sign, bytes(message))

    def secret(self, about: bytes) -> bytes:
        """32 bytes that only this key can make, the same each time for the same `about`."""
        return sha256(b"baken-point-secret-1" + self._private + about)
