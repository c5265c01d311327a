"""Runs a measure's program on MicroPython."""

from __future__ import annotations

import subprocess
from pathlib import Path

from baken_hardware.bench.measure import MeasureError
from baken_hardware.checkout import FIRMWARE, HARDWARE
from baken_hardware.virtual import interpreter

PROGRAMS = Path(__file__).resolve().parent / "programs"
_LIMIT_S = 600.0


def run(name: str, bits: int, heap: str, *arguments: str) -> str:
    """What `programs/<name>.py` prints, with words of `bits` and `heap` (as in `-X heapsize=`).

    MeasureError when it fails.
    """
    argv, environment = interpreter.command(bits, heap, [FIRMWARE, HARDWARE])
    done = subprocess.run(
        [*argv, str(PROGRAMS / f"{name}.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise MeasureError(f"{name}.py ended on {bits}-bit with {done.returncode}: {done.stdout[-500:]}")
    return done.stdout
