"""`baken-bench frozen`: write what a build of MicroPython freezes, for boards without memory to spare."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from baken_hardware.checkout import FIRMWARE
from baken_hardware.virtual import frozen
from baken_hardware.virtual.interpreter import InterpreterError


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `frozen` to `baken-bench`."""
    parser = commands.add_parser(
        "frozen",
        help="write what a build of MicroPython freezes into its program",
        description="Writes the firmware as a build of MicroPython freezes it: folded and trimmed as for any "
        "board, fonts as modules, and a manifest. A board without PSRAM needs that: names, constants and the "
        "descriptions of functions are in its program then, and 50 kB of its memory are free that the same "
        "firmware takes from files.",
        epilog="Example: baken-bench frozen out/frozen, then in MicroPython's ports/esp32: make "
        "BOARD=ESP32_GENERIC_S3 FROZEN_MANIFEST=/path/to/out/frozen/manifest.py",
    )
    parser.add_argument(
        "dir", type=Path, metavar="DIR", help="folder, empty or written by this command before"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    try:
        frozen.write(FIRMWARE, arguments.dir)
    except InterpreterError as error:
        print(f"baken-bench: {error}", file=sys.stderr)
        return 1
    print(f"{arguments.dir}: freeze it with FROZEN_MANIFEST={(arguments.dir / 'manifest.py').resolve()}")
    return 0
