"""Heap of the whole node program with 32-bit words: what a board must have free.

A node lives through the 72 hours of the exercise (see `crisis`) and runs its code in place from an image, as
a board runs it from its flash. What is in use is counted after a collection, in steps of ten minutes; what
the virtual board's drivers take is left out. For comparison, the same after start with its bytecode in
the heap.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path

from baken.wire import stream
from baken.wire.messages import NONCE_WITHOUT_NODES, TO_RADIO
from baken.wire.protobuf import encode
from baken_hardware.bench import region as bench_region
from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say, crisis
from baken_hardware.demo import scenario
from baken_hardware.virtual import compiled
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.interpreter import find
from baken_hardware.virtual.launcher import VirtualNode, board_command
from baken_hardware.virtual.propagation import load_points

_PROGRAM = Path(__file__).resolve().parent / "programs" / "node_heap.py"
_FIRMWARE = Path(__file__).resolve().parents[4] / "firmware"
_HOUR_MS = 3_600_000
_EVERY_MS = 600_000
_QUICK_HOURS = 6
_PIECE_S = 5
_HEAP = "700wk"  # more than a board has: what a node needs is to be found, not whether it fits

REQUIRED = 170 * 1024.0
AIM = 120 * 1024.0

# What a node must hold after the exercise, or it was not played: nodes, parts learned, statuses, letters and
# pulses.
_PLAYED = (90, 28, 40, 3, 40)


def rows(options: Options, say: Say) -> list[Row]:
    """After start, after the exercise, the most in between, and with a client attached at the end."""
    hours = _QUICK_HOURS if options.quick else crisis.HOURS
    if not find(32).maps_code:
        raise MeasureError("heap: this 32-bit MicroPython cannot run code in place; needed is 1.25 or newer")
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(Path(folder), loaded=False)
        say(f"heap: {hours} hours of the exercise at a node on 32-bit MicroPython")
        asyncio.run(run.play(hours, say))
        figures = run.figures(hours)
    with tempfile.TemporaryDirectory() as folder:
        say("heap: the same node with its bytecode in the heap, an hour")
        run = _Run(Path(folder), loaded=True)
        asyncio.run(run.play(1, say))
        loaded = run.figures(1)["after start"]
    image = (compiled.compiled(_FIRMWARE) / compiled.IMAGE).stat().st_size
    measure = "heap of the node program"
    return [
        *(
            Row(measure, f"{name}, 32-bit", size, "bytes", LOWER, REQUIRED, AIM)
            for name, size in figures.items()
        ),
        Row(measure, "after start, bytecode in the heap, 32-bit", loaded, "bytes", LOWER),
        Row("flash of the node program", "code and fonts", float(image), "bytes", LOWER),
    ]


class _Run:
    def __init__(self, folder: Path, loaded: bool) -> None:
        self._folder = folder
        self._region = crisis.make_region(folder / "region")
        flash = folder / "flash"
        bench_region.provision(folder / "region", crisis.POINT, flash)
        firmware = _FIRMWARE
        if loaded:
            # A short name, as a board has: each module's file name is on the heap.
            firmware = folder / "lib"
            firmware.symlink_to(compiled.compiled(_FIRMWARE))
        self._points = load_points(scenario.POINTS)
        argv, environment = board_command(firmware, bits=32, heap=_HEAP, loaded=loaded)
        self._make = lambda ether: VirtualNode(
            crisis.POINT,
            ether=ether.address,
            flash=flash,
            run_folder=folder / "run",
            command=argv,
            environment=environment,
            main_script=_PROGRAM,
            settings={"BAKEN_HEAP_EVERY_MS": str(_EVERY_MS)},
        )
        self.log = ""

    async def play(self, hours: int, say: Say) -> None:
        start_s = scenario.unix_s(scenario.START)
        points = {crisis.POINT: self._points[crisis.POINT]}
        async with Ether(points, epoch_unix_s=start_s, seed=1, fading_db=0.0, loss=0.0) as ether:
            node = self._make(ether)
            try:
                await node.start()
                await ether.wait_connected([node.code])
                for at_ms, frame in crisis.Crisis(self._region).frames():
                    ether.inject(frame, at_ms=at_ms + _EVERY_MS)
                told_s = time.monotonic()
                for hour in range(1, hours + 1):
                    await ether.run_until(hour * _HOUR_MS)
                    if node.code not in ether.connected:
                        return
                    if time.monotonic() > told_s + _PIECE_S:
                        told_s = time.monotonic()
                        say(f"heap: {hour} of {hours} hours")
                await self._attach_client(ether, node, hours * _HOUR_MS + 2 * _EVERY_MS)
            finally:
                await node.stop()
                self.log = node.log.read_text(errors="replace")

    async def _attach_client(self, ether: Ether, node: VirtualNode, until_ms: int) -> None:
        """A client asks for everything and reads it."""
        port = os.open(node.tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            asked = encode(TO_RADIO, {"want_config_id": NONCE_WITHOUT_NODES - 1})
            os.write(port, stream.frame(asked))
            while ether.now_ms < until_ms:
                await ether.run_until(ether.now_ms + 1_000)
                try:
                    while os.read(port, 4096):
                        pass
                except BlockingIOError:
                    continue
        finally:
            os.close(port)

    def figures(self, hours: int) -> dict[str, float]:
        drivers = re.search(r"^board (\d+)$", self.log, re.MULTILINE)
        heaps = {
            int(at_ms): int(size)
            for at_ms, size in re.findall(r"^(\d+) heap (\d+) \d+$", self.log, re.MULTILINE)
        }
        held = re.findall(r"^(\d+) holds (\d+) (\d+) (\d+) (\d+) (\d+)$", self.log, re.MULTILINE)
        end_ms = hours * _HOUR_MS
        if drivers is None or not heaps or max(heaps) < end_ms:
            raise MeasureError(f"heap: the node said this instead:\n{self.log[-800:]}")
        last = [int(number) for number in held[-1][1:]]
        if hours == crisis.HOURS and any(has < needs for has, needs in zip(last, _PLAYED, strict=True)):
            raise MeasureError(f"heap: the exercise was not played: the node held {last}, needed {_PLAYED}")
        came_ms = end_ms + _EVERY_MS // 2
        before = [size for at_ms, size in sorted(heaps.items()) if at_ms <= came_ms]
        after = [size for at_ms, size in heaps.items() if at_ms > came_ms]
        if not after:
            raise MeasureError(f"heap: the node fell silent when a client came:\n{self.log[-800:]}")
        return {
            "after start": heaps[min(heaps)] - int(drivers[1]),
            f"after {hours} h": before[-1] - int(drivers[1]),
            f"most in {hours} h": max(before) - int(drivers[1]),
            "client attached": max(after) - int(drivers[1]),
        }
