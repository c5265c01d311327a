"""Heap of a node that holds all it may (see `brim`), that it really holds it, and how it starts again.

Whether nothing was dropped is a part of the measure: figures of a node that lacks something, or has refused
something, are an error.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from baken.noticeboard.replica import CHECKED
from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say, brim
from baken_hardware.bench.measure.life import HEAP, Life, Sample

_COMES_AGAIN = ("nodes", "pulses")  # within hours, and is written seldom or not at all
_BOARD_HEAP_KB = 200  # of an ESP32-S3 without PSRAM, all in all; the virtual board's drivers are 20 of it


def rows(options: Options, say: Say) -> list[Row]:
    """When it is full, the most on the way, with a client attached, and after two starts."""
    say("bounds: a node is given all that it may hold")
    with tempfile.TemporaryDirectory() as folder:
        region = brim.make_region(Path(folder) / "region")
        heap = f"{_BOARD_HEAP_KB}wk" if options.frozen else HEAP
        life = Life(Path(folder), region, frozen=options.frozen, heap=heap)
        asyncio.run(life.play(brim.Brim(region).frames(), brim.HOURS, say))
        before, after = life.samples()
        for sample in (before[-1], after[-1]):
            check(sample)
        say("bounds: it starts again")
        trusting_s, again = _start(life)
        (life.flash / "board" / "values" / CHECKED).unlink()
        checking_s, _ = _start(life)
    figures = {
        "after start": before[0].heap,
        "full": before[-1].heap,
        "most": max(sample.heap for sample in before),
        "client attached": max(sample.heap for sample in after),
        "started again": again.heap,
    }
    starts = {"records were checked when they came": trusting_s, "every record checked": checking_s}
    how = f"frozen, of {_BOARD_HEAP_KB} kB" if options.frozen else "32-bit"
    return [
        Row("heap at full bounds", f"{name}, {how}", size, "bytes", LOWER) for name, size in figures.items()
    ] + [
        Row("start at full bounds", f"{name}, {how}", round(took_s, 1), "s", LOWER)
        for name, took_s in starts.items()
    ]


def _start(life: Life) -> tuple[float, Sample]:
    """A start of the full node, see Life.start_again; MeasureError when it lacks a record afterwards."""
    took_s, sample = asyncio.run(life.start_again())
    check(sample, but=_COMES_AGAIN)
    return took_s, sample


def check(sample: Sample, but: tuple[str, ...] = ()) -> None:
    """MeasureError when a node lacks something, other than what `but` names, or has refused something."""
    held = sample.held
    full = {name: count for name, count in brim.FULL.items() if name not in but}
    lacking = {name: held.get(name) for name, count in full.items() if held.get(name) != count}
    refused = {name: count for name, count in held.items() if name.startswith("refused")}
    if lacking or refused:
        raise MeasureError(f"bounds: the node holds {lacking} of {full}, refused {refused}")
