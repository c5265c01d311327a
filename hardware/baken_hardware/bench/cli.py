"""`baken-bench`: the technician's commands. Each module of the bench adds its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from baken_gateway.region import RegionError
from baken_hardware.bench import amend, frozen, region, report, train_text, virtual_node
from baken_hardware.bench.measure import command as measure
from baken_hardware.simulate import command as simulate


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="baken-bench",
        description="For technicians: make a region's files, provision its nodes, report through one, run a "
        "virtual one.",
        epilog="Each command explains itself: baken-bench region init --help",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    amend.add_commands(region.add_commands(commands))
    report.add_commands(commands)
    virtual_node.add_commands(commands)
    frozen.add_commands(commands)
    measure.add_commands(commands)
    simulate.add_commands(commands)
    train_text.add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it did its work, 1 when it could not, 2 for a wrong command line."""
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (RegionError, report.ReportError) as error:
        print(f"baken-bench: {error}", file=sys.stderr)
    except OSError as error:
        print(f"baken-bench: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
