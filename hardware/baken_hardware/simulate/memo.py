"""Pure functions of the core, worked out once for all nodes of a simulation.

A thousand nodes in one process check the same signature and open the same frame over and over. While
`installed()`, these functions remember what they gave for exactly the same arguments:

    crypto.signing.verify           (public key, message, signature)
    mesh.secrets.crypt              (key, packet id, sender, ciphertext)
    mesh.secrets.read_data          (encoded Data)
    wire.packet.decode              (frame)
    wire.digest.decode_digest       (payload)
    wire.bulletin.decode_part       (record)

Each result is the real one; the core treats such values as frozen. Nothing else of the core is touched.
Memories are bounded and simply begin anew when they are full.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from baken.crypto import signing
from baken.mesh import secrets
from baken.wire import bulletin, digest, packet

_LIMIT = 4096

_FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (signing, "verify"),
    (secrets, "crypt"),
    (secrets, "read_data"),
    (packet, "decode"),
    (digest, "decode_digest"),
    (bulletin, "decode_part"),
)


def remembering(function: Callable[..., Any], limit: int = _LIMIT) -> Callable[..., Any]:
    """`function`, asked once for the same arguments. What it refuses is not remembered."""
    known: dict[tuple[Any, ...], Any] = {}

    def remembered(*arguments: Any, **options: Any) -> Any:
        asked = (arguments, *options.items()) if options else arguments
        try:
            return known[asked]
        except KeyError:
            pass
        result = function(*arguments, **options)
        if len(known) >= limit:
            known.clear()
        known[asked] = result
        return result

    return remembered


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Remember while inside; afterwards everything is as before."""
    originals = [(module, name, getattr(module, name)) for module, name in _FUNCTIONS]
    for module, name, function in originals:
        setattr(module, name, remembering(function))
    try:
        yield
    finally:
        for module, name, function in originals:
            setattr(module, name, function)
