"""Starts a script on MicroPython for a test, with the folders the tests use on its path."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from baken_hardware.virtual import interpreter

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PATH = (ROOT / "firmware", ROOT / "hardware", TESTS / "core")

# Many times a node's heap (interpreter.NODE_HEAP), because a test holds what a node does not: a whole region
# of nodes, and the compiler with the source of everything, where a node has compiled files. And the collector
# may take a word on the C stack for a pointer to the region of the test before, which then lies about in
# small pieces: 1024 k words had, at one length in seven of this checkout's path, no 3200 bytes in one piece.
HEAP = "4096wk"
_LIMIT_S = 120


def run(
    bits: int,
    *arguments: str | Path,
    heap: str = HEAP,
    path: Sequence[Path] = PATH,
    limit_s: float = _LIMIT_S,
) -> subprocess.CompletedProcess[str]:
    """Run `micropython ARGUMENTS...` to its end, at most `limit_s`; standard error comes with the output."""
    argv, environment = interpreter.command(bits, heap, path)
    return subprocess.run(
        [*argv, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        cwd=ROOT,
        timeout=limit_s,
        check=False,
    )
