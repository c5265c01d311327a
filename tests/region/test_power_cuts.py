"""The plug is pulled at every step of every write: nothing held is lost, no number is used twice."""

import asyncio
import time
from pathlib import Path

import pytest
from _nodes import MINUTE, SECOND, Stage, stage
from _region import bulletin_parts

from baken.wire.records import BULLETIN, STATUS, decode_header

LONG = "Довгий текст. " * 14
_LIMIT_S = 15.0


def cut_step(scene: Stage, code: str, since: int) -> str | None:
    """The step at which the node stands still, or None while it lives."""
    lines = [line for line in scene.log(code)[since:] if line.startswith("cut ")]
    return lines[-1] if lines else None


async def live_until_cut(scene: Stage, code: str, since: int, duration_ms: int) -> str | None:
    """Let time go by; when the node reaches its step, take its power away. Gives the step, if it did."""
    step = cut_step(scene, code, since)
    if step is not None:
        return step  # it lies there without power
    going = asyncio.create_task(scene.run(duration_ms))
    deadline_s = time.monotonic() + _LIMIT_S
    while not going.done():
        step = cut_step(scene, code, since)
        if step is not None:
            await scene.kill(code)
            await going
            return step
        assert time.monotonic() < deadline_s, scene.logs()
        await asyncio.wait([going], timeout=0.005)
    await going
    return None


async def arrived_or_cut(scene: Stage, code: str, since: int) -> None:
    """Wait until the node has done everything of its first turn, or has come to its step in it."""
    await scene.ether.wait_connected([code])
    await live_until_cut(scene, code, since, 1)


@pytest.mark.parametrize("first_cut", [1, 8, 15])
def test_a_power_cut_at_any_step_of_learning_and_reporting_loses_nothing(tmp_path: Path, first_cut: int):
    """Each life of the node ends one step later than the one before; in each it learns a bulletin of three
    parts, reports, and removes its last report.
    """

    async def playing() -> None:
        async with stage(tmp_path) as scene:
            node = scene.add("OV06", "cut_node")
            await scene.start("OV01")
            steps = []
            published = []
            for life in range(8):
                held = scene.held("OV06")
                bulletins = {record_id for record_id in held if record_id[0] == BULLETIN}
                node.settings["BAKEN_CUT_AT"] = str(first_cut + life)
                since = len(scene.log("OV06")) if node.log.exists() else 0
                await node.start()
                raws = bulletin_parts(scene.region, life + 1, LONG, sent_s=scene.unix_s)
                await arrived_or_cut(scene, "OV06", since)
                for raw in raws:
                    for _ in range(2):
                        scene.ether.inject(scene.frame(raw))
                        await live_until_cut(scene, "OV06", since, 2500)
                published += raws
                await live_until_cut(scene, "OV06", since, 100 * SECOND)
                step = cut_step(scene, "OV06", since)
                assert step is not None, f"life {life} came to its end\n{scene.logs()}"
                steps.append(step.split()[2])
                after = scene.held("OV06")
                assert bulletins <= after, f"lost at {step}: {sorted(bulletins - after)}"
                newest = {record_id[1]: record_id[2] for record_id in after if record_id[0] == STATUS}
                for kind, point, seq, _part in held - after:
                    assert kind == STATUS and newest[point] > seq, f"lost at {step}"
            node.settings["BAKEN_CUT_AT"] = "0"
            await scene.start("OV06")
            assert not scene.halves("OV06")
            everything = {decode_header(raw).record_id: raw for raw in published}
            # What fell into the neighbour's own frames it must have from somebody before it can pass it on.
            absent = everything.keys() - scene.held("OV01")
            await scene.teach("OV01", *[everything[record_id] for record_id in sorted(absent)])
            await scene.run_until(lambda: everything.keys() <= scene.held("OV06"), 5 * MINUTE, "it holds all")
            await scene.run(100 * SECOND)
            own = scene.region.point("OV06").number
            assert len([True for record_id in scene.held("OV06") if record_id[:2] == (STATUS, own)]) == 1
            scene.statuses_of("OV06")  # no number twice, none after a higher one
            assert len(set(steps)) >= 3, steps
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_node_that_is_killed_again_and_again_never_repeats_a_status_number(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            for life in range(8):
                # A node reports between 30 and 90 s after a start: some lives end before that, some after.
                await scene.run((30 + 9 * life) * SECOND + 137 * life)
                await scene.kill("OV06")
                await scene.start("OV06")
                assert not scene.halves("OV06")
            await scene.run(3 * MINUTE)
            assert len(scene.statuses_of("OV06")) >= 4
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_bulletin_between_whose_parts_the_power_failed_is_completed_from_a_neighbour(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            parts = bulletin_parts(scene.region, 1, LONG, severity=b"Severe")
            assert len(parts) == 3
            await scene.teach("OV06", parts[1])
            await scene.kill("OV06")
            await scene.teach("OV01", parts[0], parts[2])
            await scene.start("OV06")
            assert (BULLETIN, 1, 1, 1) in scene.held("OV06")
            await scene.run(1 * SECOND)
            assert "Delen 1 en 3 van 3 ontbreken." in scene.screen("OV06")
            assert "NIET COMPLEET" in scene.screen("OV06") and "GECONTROLEERD" not in scene.screen("OV06")
            both = {(BULLETIN, 1, 1, part) for part in range(3)}
            await scene.run_until(
                lambda: all(both <= scene.held(code) for code in scene.nodes),
                3 * MINUTE,
                "both hold all parts",
            )
            started_ms = scene.ether.now_ms
            await scene.run(4 * MINUTE)
            shown = " ".join(scene.shown("OV06", started_ms + SECOND))
            assert "GECONTROLEERD VR Merenland" in shown and "NIET COMPLEET" not in shown
            scene.assert_healthy()

    asyncio.run(playing())


def test_halves_and_damage_on_the_flash_are_tidied_up_and_the_rest_stays(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.teach(
                "OV06", *[bulletin_parts(scene.region, seq, f"Bericht {seq}.")[0] for seq in (1, 2, 3)]
            )
            await scene.run(2 * MINUTE)
            await scene.kill("OV06")
            await scene.kill("OV01")  # nobody can help
            folder = scene.nodes["OV06"].flash / "board"
            (folder / "~log").write_bytes(b"half")
            (folder / "values" / "~status").write_bytes(b"h")
            log = bytearray((folder / "log").read_bytes())
            at = log.index(scene.raws("OV06")[BULLETIN, 1, 2, 0]) + 30
            log[at] ^= 0x40
            (folder / "log").write_bytes(log + b"\xff" * 4000 + b"\xb7\x42\x00\x40torn")
            (folder / "values" / "read").write_bytes(b"\x00\x01garbage")
            await scene.start("OV06")
            started_ms = scene.ether.now_ms
            assert not scene.halves("OV06")
            await scene.run(5 * MINUTE)
            shown = " ".join(scene.shown("OV06", started_ms))
            assert "Bericht 1." in shown and "Bericht 3." in shown and "Bericht 2." not in shown
            assert len(scene.statuses_of("OV06")) >= 2, "it goes on reporting"
            # The damaged one comes back from whoever has it.
            await scene.start("OV01")
            await scene.teach("OV06", bulletin_parts(scene.region, 2, "Bericht 2.")[0])
            await scene.run(2 * SECOND)
            assert "Bericht 2." in scene.screen("OV06")
            scene.assert_healthy()

    asyncio.run(playing())
