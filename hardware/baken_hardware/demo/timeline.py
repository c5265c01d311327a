"""What the headless demo prints: a line for each step, a progress bar below them, the result as a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from baken_hardware.demo import scenario


class Timeline:
    """Lines and a bar on standard output; without a terminal the bar becomes a line every ten per cent."""

    def __init__(self, start_s: int, end_s: int) -> None:
        self._console = Console(soft_wrap=True, highlight=False)
        self._start_s = start_s
        self._end_s = end_s
        self._tenths = 0
        self._progress: Progress | None = None
        self._task = None
        if sys.stdout.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:3.0f} %"),
                TimeElapsedColumn(),
                console=self._console,
            )
            self._task = self._progress.add_task("exercise", total=end_s - start_s)
            self._progress.start()

    def say_now(self, text: str) -> None:
        """A line about this machine, not about the exercise."""
        self._console.print(text)

    def say(self, at_s: int, text: str) -> None:
        """A line about a step of the exercise at its local time."""
        self._console.print(f"{self._clock(at_s)}  {text}")

    def move(self, at_s: int) -> None:
        """The exercise has come to `at_s`."""
        done = min(max(at_s - self._start_s, 0), self._end_s - self._start_s)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, description=self._clock(at_s))
            return
        tenths = 10 * done // (self._end_s - self._start_s)
        if tenths > self._tenths:
            self._tenths = tenths
            self._console.print(
                f"[{'#' * tenths}{'.' * (10 - tenths)}] {10 * tenths} % at {self._clock(at_s)}", markup=False
            )

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def conclude(self, summary: dict[str, Any], folder: Path) -> None:
        """The result for people; `summary.json` has all of it."""
        say = self._console.print
        say()
        say(
            f"{'id':5}{'number':>8}{'parts':>6}{'held':>9}{'meant':>7}{'shown':>7}{'median':>9}{'longest':>9}"
        )
        for row in summary["bulletins"]:
            times = [
                f"{row[name]:.0f} s" if row[name] is not None else "-"
                for name in ("seconds_median", "seconds_max")
            ]
            held = f"{row['replicas']}/{summary['nodes']}"
            say(
                f"{row['id']:5}{row['number']:>8}{row['parts']:>6}{held:>9}{row['intended']:>7}{row['shown']:>7}"
                f"{times[0]:>9}{times[1]:>9}"
            )
        say()
        statuses, outage = summary["statuses"], summary["outage"]
        say(f"nodes {summary['nodes']}, farthest {summary['max_hops']} hops from the crisis room")
        refused = [f"{cause} {count}" for cause, count in sorted(summary["refused"].items())]
        say(f"refused: {', '.join(refused) or 'none'}")
        say(f"duplicates: {summary['duplicates']}")
        say(
            f"statuses: {statuses['sent']} told by people, {statuses['at_broker']} seen at the broker, "
            f"{statuses['at_console']} in the console; {statuses['made_by_nodes']} made in all"
        )
        say(
            f"read: {summary['read']['confirmed']} bulletins confirmed by volunteers, "
            f"{summary['read']['at_console']} known in the console"
        )
        for row in summary["reports"]:
            took = _time(row["seconds_to_crisis_room"])
            say(f"{row['id']} NOODMELDING of {row['point']}: {took} to the crisis room")
        for row in summary["answers"]:
            say(f"{row['id']} ANTWOORD to {row['to']}: {_time(row['seconds_to_display'])} to the display")
        beats = summary["heartbeats"]
        say(f"heartbeats: {beats['sent']}, the newest held by {beats['held']} nodes")
        say(
            f"outage: {outage['records_during']} records made during it, "
            f"{outage['at_broker_afterwards']} at the broker; "
            f"{outage['points_with_a_sign_of_life']} points told meanwhile that their status holds"
        )
        ages = summary["seconds_since_sign_of_life"]
        say(f"signs of life: of {len(ages)} points, the oldest {max(ages.values(), default=0) // 60} min old")
        say(
            f"{summary['virtual_hours']} hours of exercise in {summary['wall_seconds']} s; "
            f"{summary['frames']} frames, {summary['airtime_s']} s on the air"
        )
        for sentence in summary["failures"]:
            say(f"FAILED: {sentence}")
        say("everything was verified" if summary["ok"] else f"{len(summary['failures'])} checks failed")
        say(f"results: {folder / 'summary.json'}")

    def _clock(self, at_s: int) -> str:
        days = "ma di wo do vr za zo".split()
        moment = scenario.local(at_s)
        return f"{days[moment.weekday()]} {moment:%H:%M}"


def _time(seconds: float | None) -> str:
    return "never came" if seconds is None else f"{seconds:.1f} s"
