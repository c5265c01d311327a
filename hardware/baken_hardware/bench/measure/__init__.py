"""Benchmarks: `baken-bench measure`. A measure is a module of this package with a function

    rows(options: Options, say: Callable[[str], None]) -> list[Row]

and an entry in `command.MEASURES`. `say` tells progress, a line at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HIGHER, LOWER = "higher", "lower"


class MeasureError(Exception):
    """A measure could not be taken; the text says which and why."""


@dataclass(frozen=True)
class Options:
    """How thorough: `quick` gives rougher figures in a tenth of the time. `frozen`: a 32-bit MicroPython with
    the firmware frozen into it (see `baken_hardware.virtual.frozen`), for the measures that can use one.
    """

    quick: bool = False
    frozen: Path | None = None


@dataclass(frozen=True)
class Row:
    """One figure. `required` is what has to hold, `aim` what would be good; None where nothing was set."""

    measure: str
    scenario: str
    value: float
    unit: str
    better: str
    required: float | None = None
    aim: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the figure is as required."""
        if self.required is None:
            return True
        return self.value >= self.required if self.better == HIGHER else self.value <= self.required


Say = Callable[[str], None]
Measure = Callable[[Options, Say], list[Row]]
