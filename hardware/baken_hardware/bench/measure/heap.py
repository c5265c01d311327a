"""Heap of the whole node program with 32-bit words, bytecode included: what a board must have free.

What the virtual board's drivers take is left out. A board with frozen bytecode runs that from flash and needs
less; here it lies on the heap, as on a board that is loaded from files.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from baken_hardware.bench import standalone
from baken_hardware.bench.measure import LOWER, MeasureError, Options, Row, Say
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.launcher import VirtualNode, board_command

_PROGRAM = Path(__file__).resolve().parent / "programs" / "node_heap.py"
_FIRMWARE = Path(__file__).resolve().parents[4] / "firmware"
_EPOCH_S = 1_800_000_000
_SPARE_MS = 1_000
_HEAP = "1024wk"  # room for the compiler, which a board with compiled files does not run

REQUIRED = 180 * 1024.0
"""What a 32-bit board without PSRAM leaves the program (virtual/interpreter.py)."""
AIM = 170 * 1024.0


def rows(options: Options, say: Say) -> list[Row]:
    """After start, and (unless quick) after an hour beside a second node."""
    moments = {"after start": 5_000} if options.quick else {"after start": 5_000, "after an hour": 3_600_000}
    say("heap: a node on 32-bit MicroPython")
    with tempfile.TemporaryDirectory() as folder:
        heap = asyncio.run(_heap(Path(folder), list(moments.values())))
    return [
        Row("heap of the node program", f"{name}, 32-bit", heap[at_ms], "bytes", LOWER, REQUIRED, AIM)
        for name, at_ms in moments.items()
    ]


async def _heap(folder: Path, moments_ms: list[int]) -> dict[int, int]:
    """Bytes in use by virtual time."""
    flashes = standalone.provision(folder / "flash", True, standalone.Wanted())
    argv, environment = board_command(_FIRMWARE, bits=32, heap=_HEAP)
    async with Ether(standalone.points(), epoch_unix_s=_EPOCH_S, seed=1, fading_db=0.0, loss=0.0) as ether:
        nodes = [
            VirtualNode(
                code,
                ether=ether.address,
                flash=flash,
                run_folder=folder / "run",
                command=argv,
                environment=environment,
                main_script=_PROGRAM,
                settings={"BAKEN_HEAP_AT_MS": " ".join(map(str, moments_ms))},
            )
            for code, flash in flashes.items()
        ]
        try:
            for node in nodes:
                await node.start()
            await ether.wait_connected([node.code for node in nodes])
            await ether.run_until(max(moments_ms) + _SPARE_MS)
        finally:
            for node in nodes:
                await node.stop()
    log = nodes[0].log.read_text(errors="replace")
    drivers = re.search(r"^board (\d+)$", log, re.MULTILINE)
    told = [int(size) for size in re.findall(r"^\d+ heap (\d+)$", log, re.MULTILINE)]
    if drivers is None or len(told) != len(moments_ms):
        raise MeasureError(f"heap: the node said this instead:\n{log[-500:]}")
    return {at_ms: size - int(drivers[1]) for at_ms, size in zip(moments_ms, told, strict=True)}
