"""Wear of a node's flash: what its noticeboard writes and erases in the 72 hours of the exercise.

45 points report each hour, the crisis room beats each hour; bulletins, reports, answers and amendments come
(see `workload`). The node's own store runs on MicroPython's LittleFS over a NOR flash in memory that counts.
LittleFS spreads wear, so the life of the most worn block is what counts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from baken_hardware.bench.measure import HIGHER, LOWER, MeasureError, Options, Row, Say, micropython, workload

_HEAP = "6144wk"  # the flash lies on it
_QUICK_STATUS_HOURS = 3

ERASES_OF_A_BLOCK = 100_000
"""What the makers of NOR flash promise."""

REQUIRED_YEARS, AIM_YEARS = 5.0, 20.0
_DAYS_OF_A_YEAR = 365.25


def rows(options: Options, say: Say) -> list[Row]:
    """As a node writes, and with nothing waiting for others."""
    hours = _QUICK_STATUS_HOURS if options.quick else workload.HOURS
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines"
        say(f"flash: signing the records of {workload.HOURS} hours")
        path.write_text("\n".join(workload.lines(hours)) + "\n")
        for scenario, every in (("72 h of the exercise", "0"), ("nothing waits", "1")):
            say(f"flash: {scenario}")
            found += _rows_of(scenario, run(path, every))
    return found


def run(path: Path, every: str) -> list[int]:
    """Writes, bytes, erases, erases of the most worn block, records held at the end."""
    words = micropython.run("flash_wear", 64, _HEAP, str(path), every).split()
    if words[:1] != ["wear"]:
        raise MeasureError(f"flash: the program said {words}")
    return [int(word) for word in words[1:]]


def _rows_of(scenario: str, told: list[int]) -> list[Row]:
    days = workload.HOURS / 24
    writes, programmed, erases, most, _held = told
    years = ERASES_OF_A_BLOCK / (most / days) / _DAYS_OF_A_YEAR
    return [
        Row("flash writes", scenario, round(writes / days), "a day", LOWER),
        Row("flash bytes", scenario, round(programmed / days), "a day", LOWER),
        Row("flash erases", scenario, round(erases / days), "a day", LOWER),
        Row("erases of the most worn block", scenario, round(most / days, 1), "a day", LOWER),
        Row(
            "life of the most worn block",
            scenario,
            round(years),
            "years",
            HIGHER,
            REQUIRED_YEARS,
            AIM_YEARS,
        ),
    ]
