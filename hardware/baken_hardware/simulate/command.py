"""`baken-bench simulate`: play a scenario on a simulated mesh, print a table, write figures and pictures."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from baken.wire import modem as modems
from baken_hardware.simulate import plots, pool, scenarios
from baken_hardware.simulate.results import Run, summary
from baken_hardware.simulate.scenarios import DEFAULTS, Plan
from baken_hardware.simulate.world import LINKS

_EXPLANATION = """\
Plays a scenario on a simulated radio mesh in virtual time. Every node runs Baken's real mesh and noticeboard;
only the air between them is a model (docs/simulator.md). The same seeds give the same figures.

  random      nodes at random places, bulletins from a corner
  grid, line  nodes in rows, each hears its neighbours only
  towns       towns of 25 or 50 nodes that only their towers join
  region      the points of the exercise, with heights and walls
  partition   two halves that hear nothing of each other meet after eight bulletins
  power       four of ten nodes are off for hours, again and again, while forty bulletins come
  liar        a node that has the channel's key lies and forges for a tenth of the time
"""
_EXAMPLES = """\
Examples:
  baken-bench simulate random --nodes 300 --seeds 1-5
  baken-bench simulate random --stock --hop-limit 3          as nodes without Baken do
  baken-bench simulate towns --preset MEDIUM_FAST --link L2 --out towns
  baken-bench simulate random --upgraded 0.1 --nodes 300     one node in ten has Baken

Columns: delivered: of all nodes and bulletins, %; t50, t95, t100: until so many % of the nodes have the
bulletin, of the median bulletin, s; worst: until every node has the slowest one, s; p99: wait of a node that
99 % stay within, s; data, all: airtime of a bulletin over the fewest transmissions that could reach everybody
(greedy connected dominating set), without and with gossip; idle: airtime of a node when nothing happens, %.
"""
_COLUMNS = (
    ("nodes", "nodes", 0),
    ("degree", "degree", 1),
    ("hops", "hops", 0),
    ("delivered", "delivered_percent", 3),
    ("t50", "t50_s", 1),
    ("t95", "t95_s", 1),
    ("t100", "t100_s", 1),
    ("worst", "worst_s", 1),
    ("p99", "wait_p99_s", 1),
    ("data", "data_per_cds", 2),
    ("all", "all_per_cds", 2),
    ("idle mean", "idle_mean_percent", 4),
    ("worst", "idle_worst_percent", 4),
    ("caused/sent", "amplification", 2),
    ("node-h/s", "node_hours_per_s", 0),
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `simulate` to `baken-bench`."""
    parser = commands.add_parser(
        "simulate",
        help="play bulletins on a simulated mesh of up to thousands of nodes",
        description=_EXPLANATION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("scenario", choices=tuple(DEFAULTS), help="what happens")
    add("--nodes", type=_whole(2, 5000), metavar="N", help="how many (100; line 30, towns 312, region: all)")
    add("--degree", type=float, metavar="D", help="random: neighbours of a node (8; partition 10, power 14)")
    add("--preset", metavar="NAME", type=_preset, help="modem setting in Meshtastic's spelling (LONG_FAST)")
    add("--link", choices=tuple(LINKS), help="L0 clean, L1 some loss and fading (default), L2 harsh")
    add("--seeds", type=_seeds, default=[1], metavar="LIST", help="maps and chance, as 1-5 or 1,4,7 (1)")
    add("--bulletins", type=_whole(1, 60), metavar="N", help="how many (4; partition 8, power 40)")
    add(
        "--hours",
        type=float,
        metavar="H",
        help="how long bulletins come, one every half hour: sets --bulletins",
    )
    add("--hop-limit", type=_whole(1, 7), metavar="N", help="of a flood (7)")
    add("--stock", action="store_true", help="no node has Baken's noticeboard: Meshtastic's flooding alone")
    add("--upgraded", type=float, metavar="SHARE", help="of nodes with the noticeboard among stock ones (1)")
    add("--background", type=float, metavar="N", help="other packets of each node in an hour (0)")
    add(
        "--client-towers", action="store_true", help="towns, region: towers are ordinary clients, not routers"
    )
    add("--jobs", type=_whole(1, 256), metavar="N", help="processes (one for each core)")
    add("--json", type=Path, metavar="FILE", help="write all figures there")
    add("--out", type=Path, metavar="FOLDER", help="write pictures there (SVG): delivery, airtime, map")
    parser.set_defaults(run=_run)


def plan_of(arguments: argparse.Namespace) -> Plan:
    """The plan that the options describe, with the first seed."""
    changes: dict[str, Any] = {}
    for name in ("nodes", "degree", "preset", "link", "bulletins", "hop_limit", "upgraded", "background"):
        value = getattr(arguments, name)
        if value is not None:
            changes[name] = value
    plan = DEFAULTS[arguments.scenario]
    if arguments.hours is not None and arguments.bulletins is None:
        changes["bulletins"] = max(1, round(arguments.hours * 3600 / plan.gap_s))
    if arguments.stock:
        changes["upgraded"] = 0.0
    if arguments.client_towers:
        changes["tower_routers"] = False
    return dataclasses.replace(plan, **changes)


def table(rows: list[tuple[str, dict[str, Any]]]) -> str:
    """Figures in columns, one line a row; a dash where there is none, `never` where a time has no end."""
    lines = [["", *(head for head, _, _ in _COLUMNS)]]
    for name, figures in rows:
        lines.append([name, *(_cell(figures, key, digits) for _, key, digits in _COLUMNS)])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(figures: dict[str, Any], key: str, digits: int) -> str:
    if key not in figures:
        return "-"
    value = figures[key]
    if value is None:
        return "never"
    return f"{value:.{digits}f}"


def _run(arguments: argparse.Namespace) -> int:
    try:
        plan = plan_of(arguments)
        plans = scenarios.seeds(plan, arguments.seeds)
        bar = Bar(len(plans))
        runs = pool.run_all(plans, arguments.jobs or pool.cores(), bar.step)
    except ValueError as error:
        print(f"baken-bench: {error}", file=sys.stderr)
        return 2
    rows = [(f"seed {one.plan.seed}", summary([one])) for one in runs]
    figures = summary(runs)
    if len(runs) > 1:
        rows.append(("all", figures))
    print(f"{arguments.scenario}, {plan.preset}, {plan.link}")
    print(table(rows))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(_document(plan, runs, figures), indent=1) + "\n")
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, picture in plots.pictures(runs).items():
            (arguments.out / name).write_text(picture, encoding="utf-8")
    return 0


def _document(plan: Plan, runs: list[Run], figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "plan": {key: value for key, value in dataclasses.asdict(plan).items() if key != "seed"},
        "summary": figures,
        "seeds": [{"seed": one.plan.seed, **summary([one])} for one in runs],
    }


class Bar:
    """Progress on standard error: a bar on a terminal, a line for each run elsewhere."""

    _WIDTH = 30

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def step(self, plan: Plan) -> None:
        """One more run is over."""
        self._done += 1
        if not sys.stderr.isatty():
            text = f"{plan.scenario}, {plan.preset}, seed {plan.seed}: {self._done} of {self._total}\n"
        else:
            filled = self._WIDTH * self._done // self._total
            text = f"\r[{'#' * filled}{'.' * (self._WIDTH - filled)}] {self._done} of {self._total} runs"
            text += "\n" if self._done == self._total else ""
        sys.stderr.write(text)
        sys.stderr.flush()


def _whole(low: int, high: int) -> Any:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is not {low} to {high}")
        return value

    return number


def _preset(text: str) -> str:
    try:
        modems.preset_named(text)
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"no preset {text}") from error
    return text


def _seeds(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found += range(int(first), int(last) + 1) if dash else [int(first)]
    if not found or len(found) > 1000:
        raise argparse.ArgumentTypeError(f"{text}: 1 to 1000 seeds are allowed")
    return found
