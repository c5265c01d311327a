"""One line of progress for long steps: rewritten in place on a terminal, said once in a log."""

import sys
import time
from typing import TextIO

_REFRESH_S = 0.2


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"


class Progress:
    """Says what is going on, and how far it is, on `stream` (standard error unless told otherwise)."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._rewrites = self._stream.isatty()
        self._shown_length = 0
        self._shown_at_s = 0.0
        self._last = ""
        self._label = ""

    def say(self, text: str) -> None:
        """Print a whole line."""
        self.end()
        print(text, file=self._stream, flush=True)

    def amount(self, label: str, done_bytes: int, total_bytes: int | None = None) -> None:
        """Show `label` with the bytes done, and the share of a known total; a new label begins a new line."""
        if label != self._label:
            self.end()
            self._label = label
        if total_bytes:
            share = min(100, 100 * done_bytes // total_bytes)
            self._last = f"  {label}: {megabytes(done_bytes)} of {megabytes(total_bytes)}, {share} %"
        else:
            self._last = f"  {label}: {megabytes(done_bytes)}"
        now_s = time.monotonic()
        if self._rewrites and now_s - self._shown_at_s >= _REFRESH_S:
            self._shown_at_s = now_s
            self._rewrite()

    def end(self) -> None:
        """Finish the line in progress, if there is one."""
        if not self._last:
            return
        if self._rewrites:
            self._rewrite()
            self._stream.write("\n")
        else:
            self._stream.write(self._last + "\n")
        self._stream.flush()
        self._last = ""
        self._label = ""
        self._shown_length = 0
        self._shown_at_s = 0.0

    def _rewrite(self) -> None:
        self._stream.write("\r" + self._last.ljust(self._shown_length))
        self._stream.flush()
        self._shown_length = len(self._last)
