"""The displays' pictures as files, `<code>.png` and `<code>-3x.png`: always the latest, written seldom."""

from __future__ import annotations

import time
from pathlib import Path

from baken_hardware.virtual import png

PERIOD_S = 0.5  # wall time between two files of one display; virtual time may run a thousand times faster


class PictureFiles:
    """`put` each picture; `flush` writes those that were held back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written_s: dict[str, float] = {}
        self._waiting: dict[str, tuple[int, int, bytes]] = {}

    def put(self, code: str, width: int, height: int, rows: bytes) -> None:
        """Write the picture of a display now, or remember it when one has just been written."""
        self._waiting[code] = (width, height, rows)
        if time.monotonic() - self._written_s.get(code, 0.0) >= PERIOD_S:
            self._write(code)

    def flush(self) -> None:
        """Bring every file up to date."""
        for code in list(self._waiting):
            self._write(code)

    def _write(self, code: str) -> None:
        width, height, rows = self._waiting.pop(code)
        png.write(self._folder / f"{code}.png", width, height, rows)
        png.write(self._folder / f"{code}-3x.png", width, height, rows, scale=3)
        self._written_s[code] = time.monotonic()
