"""Frames a node takes in, decides on and relays on MicroPython: how many a second, what each costs in memory,
and that memory stays flat over many frames from many nodes.

The machine that measures is no microcontroller, so the rate is required with a margin: the densest channel
(SHORT_TURBO, 25 ms for the shortest frame) carries 40 frames/s; 25 times that is required, 100 times wanted.
"""

from __future__ import annotations

import statistics

from baken_hardware.bench.measure import HIGHER, LOWER, MeasureError, Options, Row, Say, micropython

_HEAP = "1024wk"  # several rounds without a collection, and the compiler beside the program
_ROUND = 20
_WARM_UP = 500  # each sender's NodeInfo
_FRAMES, _QUICK_FRAMES = 10_000, 2_000

REQUIRED_PER_S, AIM_PER_S = 1_000.0, 4_000.0
AIM_ALLOCATED = 4_096.0
GROWTH_LIMIT = 2_048.0
"""Bytes that the heap may grow after its tables are full."""


def rows(options: Options, say: Say) -> list[Row]:
    """Both word sizes, frames that can be decrypted and frames that cannot."""
    total = _QUICK_FRAMES if options.quick else _FRAMES
    found = []
    for bits in (64, 32):
        for kind in ("channel", "opaque"):
            say(f"frames: {total} {kind} frames on {bits}-bit MicroPython")
            found += _rows_of(f"{kind}, {bits}-bit", _run(bits, kind, total), total)
    return found


def _run(bits: int, kind: str, total: int) -> list[list[str]]:
    told = micropython.run("frames", bits, _HEAP, kind, str(total), str(_ROUND), str(_WARM_UP))
    return [line.split() for line in told.splitlines()]


def _rows_of(scenario: str, lines: list[list[str]], total: int) -> list[Row]:
    rounds = [tuple(int(value) for value in line[1:]) for line in lines if line[0] == "round"]
    heap = {int(line[1]): int(line[2]) for line in lines if line[0] == "heap"}
    counts = {line[1]: int(line[2]) for line in lines if line[0] == "count"}
    if counts.get("relayed") != total:
        raise MeasureError(f"frames: {counts.get('relayed', 0)} of {total} frames were relayed; {counts}")
    per_s = statistics.median(frames * 1e6 / spent_us for frames, spent_us, _ in rounds)
    allocated = statistics.median(size / frames for frames, _, size in rounds)
    found = [
        Row("frames", scenario, round(per_s), "frames/s", HIGHER, REQUIRED_PER_S, AIM_PER_S),
        Row("frames, memory", scenario, round(allocated), "bytes/frame", LOWER, None, AIM_ALLOCATED),
    ]
    found += [Row(f"heap after {at} frames", scenario, heap[at], "bytes", LOWER) for at in sorted(heap)]
    if len(heap) > 1:
        growth = heap[max(heap)] - heap[min(heap)]
        found.append(Row("heap growth", scenario, growth, "bytes", LOWER, GROWTH_LIMIT, 0.0))
    return found
