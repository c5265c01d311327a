"""The only place that knows which Python runs: constants, AES blocks and hashes for both runtimes.

Differences are found by trying the import, never by asking for a platform's name.
"""

import gc
import hashlib
import sys
from binascii import crc32 as _crc32

try:
    from micropython import const
except ImportError:

    def const(value):
        """Return the value; MicroPython's compiler folds it into the bytecode instead."""
        return value


TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

if hasattr(gc, "mem_free"):

    def unload(*names: str) -> None:
        """Forget modules that were needed for a moment, so that their memory can be used again."""
        for name in names:
            parent, _, last = name.rpartition(".")
            if sys.modules.pop(name, None) is not None:
                delattr(sys.modules[parent], last)

    _threshold: "Any" = gc.threshold  # pyright: ignore[reportAttributeAccessIssue]

    def in_one_go(work: "Callable[..., Any]", *arguments: "Any") -> "Any":
        """What `work(*arguments)` gives, which leaves much garbage and nothing that lives on: collected half
        as often, and at the end.
        """
        threshold = _threshold()
        _threshold(2 * threshold if threshold > 0 else threshold)
        try:
            return work(*arguments)
        finally:
            _threshold(threshold)
            gc.collect()

else:

    def unload(*names: str) -> None:
        """Keep the modules: there is memory enough."""

    def in_one_go(work: "Callable[..., Any]", *arguments: "Any") -> "Any":
        """What `work(*arguments)` gives."""
        return work(*arguments)


if TYPE_CHECKING:
    from typing import Protocol, overload

    class BlockCipher(Protocol):
        """Encrypts whole blocks of 16 bytes, each on its own; into `out`, as long as they are, if given."""

        @overload
        def encrypt(self, __blocks: "bytes | bytearray") -> bytes: ...

        @overload
        def encrypt(self, __blocks: "bytes | bytearray", __out: bytearray) -> object: ...


try:
    from cryptolib import aes as _aes

    _ECB = const(1)

    def aes_ecb(key: bytes) -> "BlockCipher":
        """An AES cipher for a key of 16 or 32 bytes; `.encrypt(blocks)` takes any number of whole blocks."""
        return _aes(key, _ECB)

except ImportError:
    from cryptography.hazmat.primitives.ciphers import Cipher as _Cipher
    from cryptography.hazmat.primitives.ciphers import algorithms as _algorithms
    from cryptography.hazmat.primitives.ciphers import modes as _modes

    class _Aes:
        """What `cryptolib.aes` in ECB mode is on the other runtime."""

        def __init__(self, key: bytes) -> None:
            self._update = _Cipher(_algorithms.AES(bytes(key)), _modes.ECB()).encryptor().update

        def encrypt(self, blocks: "bytes | bytearray", out: "bytearray | None" = None) -> "Any":
            if len(blocks) % 16:
                raise ValueError(f"{len(blocks)} bytes are not whole blocks of 16")
            encrypted = self._update(bytes(blocks))
            if out is not None:
                out[:] = encrypted
            return encrypted

    def aes_ecb(key: bytes) -> "BlockCipher":
        """An AES cipher for a key of 16 or 32 bytes; `.encrypt(blocks)` takes any number of whole blocks."""
        return _Aes(key)


def sha256(data: "bytes | bytearray | memoryview") -> bytes:
    """The SHA-256 digest of data, 32 bytes."""
    return hashlib.sha256(data).digest()


def crc32(data: "bytes | bytearray | memoryview", crc: int = 0) -> int:
    """The CRC-32 of zlib and Ethernet, as an unsigned int; `crc` is that of what came before."""
    return _crc32(data, crc) & 0xFFFFFFFF
