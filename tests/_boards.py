"""A small region of virtual boards for tests: an ether, and the programs that run on its boards."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.launcher import VirtualNode, board_command
from baken_hardware.virtual.propagation import Point

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tests/hardware/programs"
EPOCH_S = 1_800_000_000


def in_a_row(codes: str, apart_km: float = 1.0) -> dict[str, Point]:
    """Outdoor points with one-letter codes on a line; at 1 km everybody hears everybody."""
    return {code: Point(code, index * apart_km, 0.0, 10.0) for index, code in enumerate(codes)}


def make_node(
    ether: Ether,
    folder: Path,
    code: str,
    program: str,
    bits: int = 64,
    settings: Mapping[str, str] | None = None,
    **options: Any,
) -> VirtualNode:
    """A board at `code` that runs tests/hardware/programs/<program>.py; not started."""
    argv, environment = board_command(ROOT / "firmware", bits=bits)
    return VirtualNode(
        code,
        ether=ether.address,
        flash=folder / f"flash-{code}",
        run_folder=folder,
        command=argv,
        environment=environment,
        main_script=PROGRAMS / f"{program}.py",
        settings=settings,
        **options,
    )


@contextlib.asynccontextmanager
async def region(points: Mapping[str, Point], folder: Path, **options: Any) -> AsyncIterator[Ether]:
    """A started ether without chance on the air, unless `options` bring some."""
    options = {"fading_db": 0.0, "loss": 0.0} | options
    async with Ether(points, epoch_unix_s=EPOCH_S, folder=folder, **options) as ether:
        yield ether


@contextlib.asynccontextmanager
async def running(ether: Ether, *nodes: VirtualNode) -> AsyncIterator[None]:
    """Nodes started and connected inside, stopped outside."""
    try:
        for node in nodes:
            await node.start()
        await ether.wait_connected([node.code for node in nodes])
        yield
    finally:
        for node in nodes:
            await node.stop()


def log_lines(node: VirtualNode) -> list[str]:
    """What the board has written to standard error."""
    return node.log.read_text().splitlines()
