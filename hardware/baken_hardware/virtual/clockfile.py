"""The exercise's clock as a file, for programs that live outside virtual time.

16 bytes, big endian: `unix milliseconds u64 | factor x 100 u64`. The factor is how fast the clock runs
against the wall at this moment: a reader may add (wall time since it read) x factor. 0 means do not: time is
on hold, or jumps from event to event. The file is made complete under another name first and then rewritten
in place, 16 bytes at a time, so a reader never sees part of it.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_LAYOUT = ">QQ"
SIZE = 16


class ClockFile:
    """Keeps the file up to date; `close` removes it, because a clock that nobody moves is wrong."""

    def __init__(self, path: str | Path, unix_ms: int) -> None:
        self.path = Path(path)
        part = self.path.with_name(self.path.name + ".part")
        part.write_bytes(struct.pack(_LAYOUT, unix_ms, 0))
        os.replace(part, self.path)
        self._file: int | None = os.open(self.path, os.O_WRONLY)
        self._last = (unix_ms, 0)

    def write(self, unix_ms: int, factor: float = 0.0) -> None:
        """Set the time and the speed."""
        value = (unix_ms, round(factor * 100))
        if self._file is not None and value != self._last:
            os.pwrite(self._file, struct.pack(_LAYOUT, *value), 0)
            self._last = value

    def close(self) -> None:
        """Stop and remove the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self.path.unlink(missing_ok=True)


def read(path: str | Path) -> tuple[int, float]:
    """(unix_ms, factor); ValueError when the file is not a clock."""
    data = Path(path).read_bytes()
    if len(data) != SIZE:
        raise ValueError(f"{path} has {len(data)} bytes, not {SIZE}")
    unix_ms, hundredfold = struct.unpack(_LAYOUT, data)
    return unix_ms, hundredfold / 100
