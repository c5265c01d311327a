"""`baken-bench measure`: take measures, print a table, write them as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from baken_hardware.bench.measure import (
    Measure,
    MeasureError,
    Options,
    Row,
    bounds,
    emergency,
    flash,
    frames,
    heap,
    mesh,
    mixed,
    statuses,
    texts,
)
from baken_hardware.virtual.interpreter import InterpreterError

MEASURES: dict[str, Measure] = {
    "bounds": bounds.rows,
    "emergency": emergency.rows,
    "flash": flash.rows,
    "frames": frames.rows,
    "heap": heap.rows,
    "mesh": mesh.rows,
    "mixed": mixed.rows,
    "statuses": statuses.rows,
    "texts": texts.rows,
}
_HEAD = ("measure", "scenario", "value", "unit", "required", "aim", "better", "")


def table(rows: list[Row]) -> str:
    """The rows in columns; the last one says what is not as required."""
    cells = [_HEAD] + [
        (
            row.measure,
            row.scenario,
            _number(row.value),
            row.unit,
            _number(row.required),
            _number(row.aim),
            row.better,
            "" if row.is_met else "NOT MET",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    numbers = {2, 4, 5}
    return "\n".join(
        "  ".join(
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `measure` to `baken-bench`."""
    parser = commands.add_parser(
        "measure",
        help="run benchmarks: speed, memory and flash wear of the node",
        description="Runs the benchmarks, tells progress on standard error, prints a table and writes it as "
        "JSON: a list of objects with measure, scenario, value, unit, required, aim and better (lower or "
        "higher). Ends with 1 when something is not as required.",
        epilog="Example: baken-bench measure frames --quick",
    )
    # Checked in _run: argparse does not take an empty list for one of the choices.
    parser.add_argument("only", nargs="*", metavar="MEASURE", help=f"which of {', '.join(MEASURES)} (all)")
    parser.add_argument("--quick", action="store_true", help="rougher figures in a tenth of the time")
    parser.add_argument(
        "--json", type=Path, default=Path("bench.json"), metavar="FILE", help="where to write (bench.json)"
    )
    parser.add_argument(
        "--frozen",
        type=Path,
        metavar="FILE",
        help="bounds: a 32-bit MicroPython with the firmware frozen into it (baken-bench frozen), which must "
        "live in 200 kB",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    unknown = [name for name in arguments.only if name not in MEASURES]
    if unknown:
        print(f"baken-bench: no measure {', '.join(unknown)}; known: {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    options = Options(arguments.quick, arguments.frozen)
    rows: list[Row] = []
    try:
        for name in arguments.only or MEASURES:
            rows += MEASURES[name](options, lambda text: print(text, file=sys.stderr, flush=True))
    except (MeasureError, InterpreterError) as error:
        print(f"baken-bench: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n")
    return 0 if all(row.is_met for row in rows) else 1


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:.0f}"
