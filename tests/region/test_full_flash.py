"""A flash that takes no more: the node lives, shows and passes on what it gets, and repeats no number."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from _nodes import MINUTE, READ_MS, SECOND, stage
from _region import bulletin_parts

from baken.wire.records import BULLETIN

SIZE_KB = 96  # files take whole pages of 4 kB: keys, trust list, reserve, values, and the log
PAGE = 4096  # a log that ends in the middle of one has room to its end
FILLING = "Довгий текст. " * 4


@pytest.fixture
def tiny_flash(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, of SIZE_KB."""
    if os.geteuid():
        pytest.skip("only root can mount the tiny file system that stands for a full flash")
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a tiny file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Use the last byte."""
    with contextlib.suppress(OSError), open(folder / "ballast", "wb", buffering=0) as file:
        while file.write(bytes(512)):
            pass


def test_a_full_flash_stops_neither_the_display_nor_the_air_nor_the_numbers(tmp_path: Path, tiny_flash: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.add("OV06", flash=tiny_flash)
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.teach("OV06", *bulletin_parts(scene.region, 1, "Van voor de tijd."))
            seq = 2
            (raw,) = bulletin_parts(scene.region, 2, f"Past nergens. {FILLING}", severity=b"Severe")
            while PAGE - (tiny_flash / "board" / "log").stat().st_size % PAGE > len(raw) + 9:
                seq += 1
                await scene.teach("OV06", *bulletin_parts(scene.region, seq, f"Vulling {seq:02}. {FILLING}"))
            fill(tiny_flash)
            # The node hears it, cannot store it, and still shows it, passes it on and reports it.
            scene.ether.set_radio("OV01", False)
            for _ in range(4):  # one may fall into the node's own frame
                if (BULLETIN, 1, 2, 0) not in scene.learned("OV06"):
                    await scene.say(raw)
            await scene.run(2 * SECOND)
            assert (BULLETIN, 1, 2, 0) in scene.learned("OV06")
            assert (BULLETIN, 1, 2, 0) not in scene.held("OV06") and not scene.halves("OV06")
            assert "Past nergens." in scene.screen("OV06")
            scene.ether.set_radio("OV01", True)
            await scene.run_until(
                lambda: (BULLETIN, 1, 2, 0) in scene.held("OV01"),
                3 * MINUTE,
                "the neighbour has it from memory",
            )
            while "BERICHTEN" in scene.screen("OV06") or "Past nergens." not in scene.screen("OV06"):
                scene.ether.press("OV06", "short")
                await scene.run(SECOND)
            scene.ether.press("OV06", "long")
            await scene.run_until(
                lambda: scene.told("OV06", (1, 2)) == (True, True), READ_MS, "it says received and read"
            )
            assert [line for line in scene.log("OV06") if "flash is full" in line]
            assert (BULLETIN, 1, 1, 0) in scene.held("OV06")
            # Without power it forgets only what it could not store, and has that back from its neighbour.
            for _ in range(3):
                await scene.kill("OV06")
                await scene.start("OV06")
                await scene.run_until(
                    lambda: scene.learned("OV06").count((BULLETIN, 1, 2, 0)) > 1, 3 * MINUTE, "it is back"
                )
                await scene.run(100 * SECOND)
            assert len(scene.statuses_of("OV06")) >= 3, "a number of its own each"
            assert (BULLETIN, 1, 1, 0) in scene.held("OV06")
            # Room again: within ten minutes what waited in memory is written.
            (tiny_flash / "ballast").unlink()
            await scene.run(11 * MINUTE)
            assert (BULLETIN, 1, 2, 0) in scene.held("OV06")
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_node_that_starts_on_a_full_flash_serves_the_display_and_the_air(tmp_path: Path, tiny_flash: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.add("OV06", flash=tiny_flash)
            await scene.start("OV06")
            await scene.run(SECOND)
            await scene.kill("OV06")
            (tiny_flash / "board" / "reserve").unlink()
            fill(tiny_flash)
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(*bulletin_parts(scene.region, 1, "Past nergens."), hop_limit=3, hop_start=3)
            await scene.run(3 * MINUTE)
            assert "Past nergens." in scene.screen("OV06")
            assert (BULLETIN, 1, 1, 0) in scene.held("OV01")
            # No room for a number: no status, rather than one whose number comes twice.
            assert not scene.statuses_of("OV06")
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_first_start_on_a_full_flash_shows_its_pages_and_reports_nothing(tmp_path: Path, tiny_flash: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            node = scene.add("OV01", flash=tiny_flash)
            fill(tiny_flash)
            await node.start()
            await scene.ether.wait_connected(["OV01"])
            await scene.run(3 * MINUTE)
            assert node.running and not scene.statuses_of("OV01"), "no number can be kept"
            assert "Geen geldige berichten" in scene.screen("OV01")
            scene.assert_healthy()

    asyncio.run(playing())
