"""Heap of a node that holds all it may (see `brim`), and that it really holds it.

Whether nothing was dropped is a part of the measure: figures of a node that lacks something, or has refused
something, are an error.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say, brim
from baken_hardware.bench.measure.life import HEAP, Life, Sample

_BOARD_HEAP_KB = 200  # of an ESP32-S3 without PSRAM, all in all; the virtual board's drivers are 20 of it


def rows(options: Options, say: Say) -> list[Row]:
    """When it is full, the most on the way, and with a client attached."""
    say("bounds: a node is given all that it may hold")
    before, after = play(say, options.frozen)
    figures = {
        "after start": before[0].heap,
        "full": before[-1].heap,
        "most": max(sample.heap for sample in before),
        "client attached": max(sample.heap for sample in after),
    }
    how = f"frozen, of {_BOARD_HEAP_KB} kB" if options.frozen else "32-bit"
    return [
        Row("heap at full bounds", f"{name}, {how}", size, "bytes", LOWER) for name, size in figures.items()
    ]


def play(say: Say, frozen: Path | None = None) -> tuple[list[Sample], list[Sample]]:
    """What a node says before and after a client came; MeasureError when it did not live,
    or does not hold everything. `frozen` as in Options: it gets the heap of a board without PSRAM.
    """
    with tempfile.TemporaryDirectory() as folder:
        region = brim.make_region(Path(folder) / "region")
        life = Life(Path(folder), region, frozen=frozen, heap=f"{_BOARD_HEAP_KB}wk" if frozen else HEAP)
        asyncio.run(life.play(brim.Brim(region).frames(), brim.HOURS, say))
        before, after = life.samples()
    for sample in (before[-1], after[-1]):
        check(sample)
    return before, after


def check(sample: Sample) -> None:
    """MeasureError when a node lacks something, or has refused something."""
    held = sample.held
    lacking = {name: held.get(name) for name, full in brim.FULL.items() if held.get(name) != full}
    refused = {name: count for name, count in held.items() if name.startswith("refused")}
    if lacking or refused:
        raise MeasureError(f"bounds: the node holds {lacking} of {brim.FULL}, refused {refused}")
