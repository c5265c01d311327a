"""The board of `baken-bench virtual-node`: what happens when it ends by itself."""

import asyncio
import json
from pathlib import Path

import pytest
from _boards import in_a_row, make_node, region

from baken_hardware.bench.virtual_node import (
    RESTART_STATUS,
    RESTARTS_LIMIT,
    Station,
    VirtualNodeError,
    watch,
)

LIMIT_S = 60.0


def played(folder: Path, script: str) -> None:
    """Watch a board that follows `script` until the watch ends."""

    async def playing() -> None:
        ended: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        async with region(in_a_row("A"), folder, factor=1000.0) as ether:
            node = make_node(
                ether,
                folder,
                "A",
                "script",
                settings={"BAKEN_SCRIPT": script},
                on_exit=lambda code, status: ended.put_nowait((code, status)),
            )
            node.flash.mkdir()
            values = {"node_num": 0x1234, "code": "A", "name": "Test"}
            (node.flash / "node.json").write_text(json.dumps(values))
            station = Station("", node)
            ether.resume()
            try:
                await station.start(ether, 0)
                await asyncio.wait_for(watch({"A": station}, ended, asyncio.Event()), LIMIT_S)
            finally:
                await station.stop()

    asyncio.run(playing())


def test_a_board_that_wants_a_restart_gets_it_but_not_without_end(tmp_path: Path, capsys):
    with pytest.raises(VirtualNodeError, match=f"A wanted {RESTARTS_LIMIT + 1} restarts"):
        played(tmp_path, f"600000 exit {RESTART_STATUS}")
    told = capsys.readouterr().out.splitlines()
    assert told.count("restarted: A") == RESTARTS_LIMIT
    assert told[0] == "node: !00001234 A Test"


def test_a_board_that_ends_otherwise_is_reported_with_the_end_of_its_log(tmp_path: Path):
    with pytest.raises(VirtualNodeError, match="A ended with status 7:\n") as caught:
        played(tmp_path, "1000 random; 600000 exit 7")
    assert " random " in str(caught.value)
