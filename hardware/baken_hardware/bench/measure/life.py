"""One node lives through what it hears, on 32-bit MicroPython in virtual time, and tells of its heap.

It runs its code in place from an image, as a board runs it from its flash, or from the bytecode in its heap.
What is in use is counted after a collection, in steps of ten minutes, without the virtual board's drivers.
At the end a client comes and asks for everything. Then it may start again on what it has written.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from baken.wire import stream
from baken.wire.messages import NONCE_WITHOUT_NODES, TO_RADIO
from baken.wire.protobuf import encode
from baken_gateway.region import Region
from baken_hardware.bench import region as bench_region
from baken_hardware.bench.measure import MeasureError, Say
from baken_hardware.bench.measure.voices import HOUR_MS, POINT, Frame
from baken_hardware.checkout import FIRMWARE
from baken_hardware.demo import scenario
from baken_hardware.virtual import compiled
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.interpreter import find
from baken_hardware.virtual.launcher import VirtualNode, board_command, frozen_command
from baken_hardware.virtual.propagation import load_points

EVERY_MS = 600_000
HEAP = "700wk"
"""More than a board has: what a node needs is to be found, not whether it fits."""
_PROGRAM = Path(__file__).resolve().parent / "programs" / "node_heap.py"
_PIECE_S = 5
_LONGEST_START_S = 600.0


@dataclass(frozen=True)
class Sample:
    """At `at_ms`: bytes in use, and what the node holds, by name."""

    at_ms: int
    heap: int
    held: dict[str, int]


class Life:
    """A node of the point OV06 in `region`, with everything it writes below `folder`.

    `loaded`: bytecode in the heap; `frozen`: the MicroPython into which the firmware is frozen; `heap` as in
    `-X heapsize=`. MeasureError when this machine has no MicroPython for that.
    """

    def __init__(
        self,
        folder: Path,
        region: Region,
        loaded: bool = False,
        frozen: Path | None = None,
        heap: str = HEAP,
    ) -> None:
        self.flash = folder / "flash"
        bench_region.provision(region.folder, POINT, self.flash)
        if loaded:
            # A short name, as a board has: each module's file name is on the heap.
            firmware = folder / "lib"
            firmware.symlink_to(compiled.compiled(FIRMWARE))
            argv, environment = board_command(firmware, bits=32, heap=heap, loaded=True)
        elif frozen is not None:
            argv, environment = frozen_command(frozen, FIRMWARE, heap)
        elif find(32).maps_code:
            argv, environment = board_command(FIRMWARE, bits=32, heap=heap)
        else:
            raise MeasureError(
                "heap: this 32-bit MicroPython cannot run code in place; needed is 1.25 or newer"
            )
        self._make = lambda ether: VirtualNode(
            POINT,
            ether=ether.address,
            flash=self.flash,
            run_folder=folder / "run",
            command=argv,
            environment=environment,
            main_script=_PROGRAM,
            settings={"BAKEN_HEAP_EVERY_MS": str(EVERY_MS)},
        )
        self._end_ms = 0
        self.log = ""

    async def play(self, frames: Sequence[Frame], hours: int, say: Say) -> None:
        """Until the node has heard all, and has lived `hours` hours, or has died."""
        self._end_ms = hours * HOUR_MS
        async with self._ether() as ether:
            node = self._make(ether)
            try:
                await node.start()
                await ether.wait_connected([node.code])
                for at_ms, frame in frames:
                    ether.inject(frame, at_ms=at_ms + EVERY_MS)
                told_s = time.monotonic()
                for hour in range(1, hours + 1):
                    await ether.run_until(hour * HOUR_MS)
                    if node.code not in ether.connected:
                        return
                    if time.monotonic() > told_s + _PIECE_S:
                        told_s = time.monotonic()
                        say(f"heap: {hour} of {hours} hours")
                await self._attach_client(ether, node, self._end_ms + 2 * EVERY_MS)
            finally:
                await node.stop()
                self.log = node.log.read_text(errors="replace")

    async def start_again(self) -> tuple[float, Sample]:
        """Start the node on what it has written.

        Gives seconds of this machine until it runs, and what it says after EVERY_MS.
        """
        async with self._ether(self._end_ms + 3 * EVERY_MS) as ether:
            node = self._make(ether)
            before = node.log.stat().st_size
            try:
                began_s = time.monotonic()
                await node.start()
                await ether.wait_connected([node.code])
                await ether.run_until(1_000)
                took_s = time.monotonic() - began_s
                await ether.run_until(EVERY_MS + 60_000)
            finally:
                await node.stop()
                with open(node.log, errors="replace") as log:
                    log.seek(before)
                    said = log.read()
        samples = _samples(said)
        if not samples:
            raise MeasureError(f"heap: the node did not start again:\n{said[-800:]}")
        return took_s, samples[0]

    def _ether(self, after_ms: int = 0) -> Ether:
        """Where the node is alone; its time begins `after_ms` after the beginning of the exercise."""
        points = {POINT: load_points(scenario.POINTS)[POINT]}
        return Ether(
            points,
            epoch_unix_s=scenario.unix_s(scenario.START) + after_ms // 1000,
            seed=1,
            fading_db=0.0,
            loss=0.0,
            hang_timeout_s=_LONGEST_START_S,
        )

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

    def samples(self) -> tuple[list[Sample], list[Sample]]:
        """By time, before the client came and after; MeasureError when the node did not live that long."""
        made = _samples(self.log)
        if not made or made[-1].at_ms < self._end_ms:
            raise MeasureError(f"heap: the node said this instead:\n{self.log[-800:]}")
        came_ms = self._end_ms + EVERY_MS // 2
        after = [sample for sample in made if sample.at_ms > came_ms]
        if not after:
            raise MeasureError(f"heap: the node fell silent when a client came:\n{self.log[-800:]}")
        return [sample for sample in made if sample.at_ms <= came_ms], after


def _samples(log: str) -> list[Sample]:
    """What a node has said since its start, without what the virtual board's drivers take."""
    drivers = re.search(r"^board (\d+)$", log, re.MULTILINE)
    found = re.findall(r"^(\d+) heap (\d+) \d+ (.*)$", log, re.MULTILINE)
    if drivers is None:
        return []
    return [Sample(int(at_ms), int(heap) - int(drivers[1]), _held(words)) for at_ms, heap, words in found]


def _held(words: str) -> dict[str, int]:
    return {name: int(count) for name, count in (word.split("=") for word in words.split())}
