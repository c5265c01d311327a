"""Heap of the whole node program with 32-bit words: what a board must have free.

A node lives through the 72 hours of the exercise (see `crisis`, and `life` for how it is counted). For
comparison, the same after start with its bytecode in the heap.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say, crisis
from baken_hardware.bench.measure.life import Life
from baken_hardware.checkout import FIRMWARE
from baken_hardware.virtual import compiled

_QUICK_HOURS = 6

REQUIRED = 170 * 1024.0
AIM = 120 * 1024.0

# What a node must hold after the exercise, or it was not played.
_PLAYED = {"nodes": 90, "learned": 28, "statuses": 40, "reports": 1, "answers": 1, "pulses": 40}


def rows(options: Options, say: Say) -> list[Row]:
    """After start, after the exercise, the most in between, and with a client attached at the end."""
    hours = _QUICK_HOURS if options.quick else crisis.HOURS
    say(f"heap: {hours} hours of the exercise at a node on 32-bit MicroPython")
    figures = _play(hours, say)
    measure = "heap of the node program"
    found = [
        Row(measure, f"{name}, 32-bit", size, "bytes", LOWER, REQUIRED, AIM) for name, size in figures.items()
    ]
    say("heap: the same node with its bytecode in the heap, an hour")
    loaded = _play(1, say, loaded=True)["after start"]
    image = (compiled.compiled(FIRMWARE) / compiled.IMAGE).stat().st_size
    return [
        *found,
        Row(measure, "after start, bytecode in the heap, 32-bit", loaded, "bytes", LOWER),
        Row("flash of the node program", "code and fonts", float(image), "bytes", LOWER),
    ]


def _play(hours: int, say: Say, loaded: bool = False) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        region = crisis.make_region(Path(folder) / "region")
        life = Life(Path(folder), region, loaded=loaded)
        asyncio.run(life.play(crisis.Crisis(region).frames(), hours, say))
        before, after = life.samples()
    held = before[-1].held
    if hours == crisis.HOURS and any(held[name] < needs for name, needs in _PLAYED.items()):
        raise MeasureError(f"heap: the exercise was not played: the node held {held}, needed {_PLAYED}")
    return {
        "after start": before[0].heap,
        f"after {hours} h": before[-1].heap,
        f"most in {hours} h": max(sample.heap for sample in before),
        "client attached": max(sample.heap for sample in after),
    }
