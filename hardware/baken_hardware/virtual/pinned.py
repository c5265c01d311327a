"""Debian 13's MicroPython with its libraries, file by file: the way that needs no package index.

A mirror can serve an index that does not belong to its signed Release file (seen for i386 during a point
release); apt rightly refuses it. The packages themselves are still in the pool, and the SHA-256 pinned in
`pinned.txt` decides whether they are the right ones.

amd64 and arm64: taken from the index that the signed Release file of Debian 13.8 vouches for. i386: taken
from the index as a mirror served it on 2026-11-23, one libc revision behind that Release file, so no
signature could be checked for it. (The documentation files in these packages equal amd64's, byte for
byte; that tells versions apart, not forgeries.)
"""

from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).with_name("pinned.txt")


class PinnedFile(NamedTuple):
    """A package in the archive's pool: where it is (from the archive's root), its length, what it must be."""

    path: str
    size_bytes: int
    sha256: str


def files(architecture: str) -> list[PinnedFile]:
    """The packages for `architecture` (amd64, arm64, i386), MicroPython first; empty for any other."""
    found = []
    for line in _TABLE.read_text(encoding="ascii").splitlines():
        if line.endswith(f"_{architecture}.deb"):
            size, sha256, name = line.split()
            found.append(PinnedFile("pool/main/" + name, int(size), sha256))
    return found
