"""`baken-demo`: one command brings up a region, from the console to the displays."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path

from baken_hardware.bench.report import ReportError
from baken_hardware.demo import plan, scenario
from baken_hardware.demo.desk import Desk, DeskError
from baken_hardware.demo.director import Director, PlayError
from baken_hardware.demo.stage import Stage, StageError, is_terminal
from baken_hardware.demo.timeline import Timeline
from baken_hardware.demo.verdict import Verdict
from baken_hardware.demo.witness import Displays
from baken_hardware.virtual import interpreter
from baken_hardware.virtual.ether import EtherError
from baken_hardware.virtual.launcher import LaunchError

_EXPECTED = (StageError, PlayError, DeskError, ReportError, EtherError, LaunchError)

_EXPLANATION = """\
Brings up the invented Veiligheidsregio Merenland on this machine: every node is a MicroPython process with
its own radio, display and flash on a virtual ether, with a real gateway, a real MQTT broker and the real
console.

With a terminal: opens the console on it. The exercise of 72 hours without power is played meanwhile, an hour
a minute; write a bulletin yourself with the key `n` and watch the points receive it. Leave with `q`.
Without a terminal, or with --headless: plays the exercise as fast as this machine can, prints a timeline and
checks everything that it shows; exit status 0 only if all of it was right.
"""


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="baken-demo",
        description=_EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Examples: baken-demo --headless --out /tmp/merenland\n"
        "          baken-demo --headless --stations all     (the whole exercise: half an hour or more)",
    )
    made.add_argument("--headless", action="store_true", help="play and check without opening the console")
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="keep summary.json, the pictures of displays and console and all logs in DIR (made if missing)",
    )
    made.add_argument(
        "--stations",
        type=plan.stations,
        default=plan.NODES,
        metavar="WHICH",
        help="'all' 45 of the exercise, or codes separated by commas, VR00 among them (default: ten of them)",
    )
    made.add_argument(
        "--hours",
        type=float,
        metavar="H",
        help="headless: how many of the 72 hours to play (default: all with --stations all, else "
        f"{plan.LAST_HOUR:g}, in which most of what is checked happens)",
    )
    made.add_argument(
        "--factor",
        type=float,
        default=60.0,
        metavar="N",
        help="with a terminal: exercise seconds per second (default %(default)s, an hour a minute)",
    )
    made.add_argument(
        "--seed", type=int, default=1, help="of the air's losses and of the nodes (default %(default)s)"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    headless = options.headless or not is_terminal()
    folder = options.out or Path(tempfile.mkdtemp(prefix="baken-demo-"))
    try:
        if options.out is not None:
            _prepare(folder)
        interpreter.find()
        hours = options.hours or (
            plan.ALL_HOURS if len(options.stations) > len(plan.NODES) else plan.LAST_HOUR
        )
        run = (
            _play(folder, options.stations, hours, options.seed)
            if headless
            else _show(folder, options.stations, options.factor, options.seed)
        )
        return asyncio.run(_until_told_to_stop(run))
    except (*_EXPECTED, interpreter.InterpreterError) as error:
        print(f"baken-demo: {error}", file=sys.stderr)
        print(f"logs: {folder}", file=sys.stderr)
        options.out = folder
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if options.out is None:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path) -> None:
    """An empty folder for the results: what an earlier demo left there goes, anything else is not touched."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "summary.json").exists() and not (folder / "region").exists():
            raise StageError(f"{folder} is not empty and was not made by this demo: choose another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


async def _until_told_to_stop(run: Coroutine[object, object, int]) -> int:
    """Carry `run` out; a signal to stop ends it as Ctrl-C does, with everything that it has started."""
    task = asyncio.ensure_future(run)
    for reason in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(reason, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 128 + signal.SIGTERM


async def _play(folder: Path, stations: tuple[str, ...], hours: float, seed: int) -> int:
    steps = plan.make(stations, hours)
    end_s = plan.hours_s(hours)
    timeline = Timeline(plan.hours_s(0), end_s)
    started = time.monotonic()
    displays = Displays(scenario.load_bulletins(), scenario.load_letters())
    async with Stage(folder, stations, seed=seed, link_seed=plan.LINK_SEED) as stage:
        timeline.say_now(f"{len(stations)} nodes, a gateway, a broker and a console start in {folder}")
        await _start(stage, displays)
        director = Director(stage, displays)
        ticker = asyncio.create_task(_tick(stage, timeline))
        try:
            await director.play(steps, timeline.say)
            await director.run_until((end_s - plan.hours_s(0)) * 1000)
            await director.settle()
            listing = await director.desk.list(wait_s=10)
            reports = await director.desk.reports(wait_s=10)
            await director.desk.screenshot(folder / "console.svg")
            summary = Verdict(director, steps, listing, reports).summary()
        finally:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker
            director.close()
            timeline.close()
    summary["wall_seconds"] = round(time.monotonic() - started, 1)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    timeline.conclude(summary, folder)
    return 0 if summary["ok"] else 1


async def _start(stage: Stage, displays: Displays) -> None:
    authorities = list(dict.fromkeys(b.authority for b in scenario.load_bulletins() if not b.is_forged))
    authorities.sort(key=lambda name: name != scenario.REGION_AUTHORITY)
    stage.make_region(authorities, plan.PRESET, plan.HOP_LIMIT)
    stage.ether.on_picture = displays.look
    await stage.start_broker()
    await stage.start_air()
    await stage.start_gateway()


async def _tick(stage: Stage, timeline: Timeline) -> None:
    while True:
        timeline.move(stage.ether.unix_ms // 1000)
        await asyncio.sleep(0.2)


async def _show(folder: Path, stations: tuple[str, ...], factor: float, seed: int) -> int:
    """The region behind an open console; the exercise is played at `factor` meanwhile."""
    displays = Displays(scenario.load_bulletins(), scenario.load_letters())
    async with Stage(folder, stations, factor=factor, seed=seed, link_seed=plan.LINK_SEED) as stage:
        print(f"Veiligheidsregio Merenland starts: {len(stations)} nodes, gateway, broker ...", flush=True)
        await _start(stage, displays)
        director = Director(stage, displays)
        stage.ether.resume()
        player = asyncio.create_task(director.perform(plan.make(stations, plan.ALL_HOURS)))
        try:
            desk = Desk(stage)
            process = await asyncio.create_subprocess_exec(*desk.command(scenario.REGION_AUTHORITY, []))
            await process.wait()
        finally:
            player.cancel()
            with contextlib.suppress(asyncio.CancelledError, PlayError, DeskError):
                await player
            director.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
