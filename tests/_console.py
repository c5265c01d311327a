"""The console on a screen in memory, and its command line in folders of its own, for tests."""

from __future__ import annotations

import asyncio
import re
from html import unescape

from _exercise import T0, Exercise

from baken_console.app import ConsoleApp
from baken_console.cli import main

SMALL = (80, 24)
LARGE = (160, 48)
CELL = 12.2  # width of a character in the SVG that rich exports


def play(room, scene, size=SMALL, messages=None, **options):
    """Run `scene(app, pilot)` on the app; `messages` collects what is posted."""

    async def run():
        app = ConsoleApp(room.desk, room.store, room.clock, **options)
        room.desk.is_sent = lambda _key: True  # as if the broker had confirmed everything
        hook = None if messages is None else messages.append
        async with app.run_test(size=size, message_hook=hook) as pilot:
            await pilot.pause()
            app.refresh_board(force=True)
            await pilot.pause()
            await scene(app, pilot)
            return app

    return asyncio.run(run())


def screen_text(app):
    """What stands on the screen, line by line, from the SVG that Textual exports."""
    svg = app.export_screenshot()
    rows = {}
    for x, y, text in re.findall(r'<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>', svg):
        rows.setdefault(float(y), []).append((round(float(x) / CELL), unescape(text).replace("\xa0", " ")))
    lines = []
    for y in sorted(rows):
        line = ""
        for column, text in sorted(rows[y]):
            line = line.ljust(column) + text.rstrip("\n")
        lines.append(line)
    return "\n".join(lines)


def flat(app):
    """The same in one line, so that a sentence is found wherever it was wrapped."""
    return " ".join(screen_text(app).split())


class Room:
    """A crisis room's folders and an exercise clock; `run` is the command line with them."""

    def __init__(self, folder):
        self.exercise = Exercise(folder)
        self.folder = folder
        self.region = self.exercise.region
        self.clock = folder / "clock"
        self.set_clock(T0)

    def set_clock(self, unix_s):
        self.exercise.clock.now_s = unix_s
        self.clock.write_bytes((unix_s * 1000).to_bytes(8, "big") + (100).to_bytes(8, "big"))

    def words(self, *words, broker=None, data="data", key=True):
        common = [
            "--region",
            self.region.folder,
            "--data",
            self.folder / data,
            "--exercise-clock",
            self.clock,
        ]
        if key:
            common += ["--key", self.region.folder / "keys" / "authority-1.key"]
        if broker is not None:
            common += ["--broker", f"127.0.0.1:{broker if isinstance(broker, int) else broker.port}"]
        return [words[0], *map(str, common), *words[1:]]

    def run(self, *words, **places):
        return main(self.words(*words, **places))
