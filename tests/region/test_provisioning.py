"""A flash folder that makes no node: one sentence for the technician, on the display and on stderr."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from _nodes import SECOND, stage
from _region import POINTS, make_region

from baken_hardware.bench.region import provision


def edited(**changes) -> Callable[[Path], object]:
    def edit(flash: Path) -> None:
        values = json.loads((flash / "node.json").read_text())
        for name, value in changes.items():
            if value is None:
                del values[name]
            else:
                values[name] = value
        (flash / "node.json").write_text(json.dumps(values))

    return edit


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda flash: (flash / name).write_bytes(data)


def damaged(name: str, at: int) -> Callable[[Path], object]:
    def damage(flash: Path) -> None:
        data = bytearray((flash / name).read_bytes())
        data[at] ^= 4
        (flash / name).write_bytes(data)

    return damage


def cut(name: str, size: int) -> Callable[[Path], object]:
    return lambda flash: (flash / name).write_bytes((flash / name).read_bytes()[:size])


def another_region(flash: Path) -> None:
    other = flash.parent / "other"
    other.mkdir()
    shutil.copy(make_region(other).folder / "trust.bin", flash / "trust.bin")


def another_regions_point(flash: Path) -> None:
    """node.json of a node that the region's trust list does not know, with the region's own root."""
    other = flash.parent / "other"
    other.mkdir()
    path = provision(make_region(other).folder, "OV01", flash.parent / "stranger")
    values = json.loads((flash / "node.json").read_text())
    values["private"] = json.loads(path.read_text())["private"]
    (flash / "node.json").write_text(json.dumps(values))


CASES = {
    "nothing": (lambda flash: shutil.rmtree(flash), "node is not provisioned"),
    "no node.json": (lambda flash: (flash / "node.json").unlink(), "node is not provisioned"),
    "no trust.bin": (lambda flash: (flash / "trust.bin").unlink(), "node is not provisioned"),
    "empty node.json": (written("node.json", b""), "node.json is damaged"),
    "half a node.json": (cut("node.json", 80), "node.json is damaged"),
    "binary node.json": (written("node.json", bytes(range(256))), "node.json is damaged"),
    "a list in node.json": (written("node.json", b"[1, 2]"), "node.json or trust.bin is wrong"),
    "a number in node.json": (written("node.json", b"7"), "node.json or trust.bin is wrong"),
    "a value less": (edited(channel=None), "node.json lacks the value channel"),
    "a code that is a number": (edited(code=6), "node.json or trust.bin is wrong"),
    "a name that is a number": (edited(name=6), "node.json or trust.bin is wrong"),
    "a number that is text": (edited(number="one"), "node.json or trust.bin is wrong"),
    "a channel that is a list": (edited(channel=[]), "node.json or trust.bin is wrong"),
    "a channel key too long": (
        edited(channel={"name": "Baken", "psk": "00" * 40}),
        "node.json or trust.bin is wrong: channel key is 40 bytes, limit 32",
    ),
    "a private key too short": (edited(private="00" * 31), "node.json or trust.bin is wrong"),
    "a private key that is no hex": (edited(private="zz"), "node.json or trust.bin is wrong"),
    "an unknown preset": (edited(preset="FAST"), "node.json or trust.bin is wrong: modem preset is 'FAST'"),
    "a preset too wide for the band": (edited(preset="SHORT_TURBO"), "node.json or trust.bin is wrong"),
    "a hop limit of nine": (edited(hop_limit=9), "hop limit is 9, allowed 0 to 7"),
    "another code": (edited(code="DH01"), "code, area or node_num of node.json are not those of point 1"),
    "another area": (edited(area=7), "code, area or node_num of node.json are not those of point 1"),
    "another number on the mesh": (edited(node_num=1234567), "code, area or node_num of node.json"),
    "an unknown primary channel": (
        edited(primary="first"),
        "primary of node.json is 'first', allowed: region",
    ),
    "an unknown band": (edited(region_code=99), "node.json or trust.bin is wrong: region code is 99"),
    "an unknown point": (edited(number=99), "trust.bin does not know point 99"),
    "another point's key": (another_regions_point, "trust.bin does not know point 1 with the key"),
    "a damaged trust.bin": (damaged("trust.bin", 90), "root signature of the trust list is wrong"),
    "half a trust.bin": (cut("trust.bin", 120), "root signature of the trust list is wrong"),
    "an empty trust.bin": (written("trust.bin", b""), "not a trust list"),
    "a large trust.bin": (written("trust.bin", bytes(40000)), "trust list is 40000 bytes, limit 32768"),
    "another region's trust.bin": (another_region, "trust list is of another region's root key"),
    "a file instead of a folder": (written("board", b""), "the flash folder cannot be written"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_node_that_cannot_start_says_why_in_one_sentence(tmp_path: Path, case: str):
    harm, sentence = CASES[case]

    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            node = scene.nodes["OV01"]
            harm(node.flash)
            await node.start()
            await scene.ether.wait_connected(["OV01"])
            await scene.run(2 * SECOND)
            await node.wait()
            assert node.exit_status == 1
            (line,) = scene.log("OV01")
            assert line.startswith("baken: ") and sentence in line
            words = scene.screen("OV01")
            assert words.startswith("NIET INGESTELD")
            # Wrapped at the display's width: compare letters only.
            assert "".join(sentence.split()) in "".join(words.split())
            assert not scene.frames

    asyncio.run(playing())


def test_a_long_name_is_shortened_before_a_letter(tmp_path: Path):
    name = "Zaal-" + "ë" * 40
    points = (("OV01", name, *POINTS[0][2:]), *POINTS[1:])

    async def playing() -> None:
        async with stage(tmp_path, ("OV01",), points=points) as scene:
            await scene.start()
            await scene.run(2 * SECOND)
            assert scene.ether.connected == {"OV01"}
            scene.assert_healthy()

    asyncio.run(playing())
