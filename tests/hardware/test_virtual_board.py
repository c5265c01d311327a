"""The virtual board under the real MicroPython: time, radio, display, button, clock, as the contract has
them.
"""

import asyncio
import subprocess
from pathlib import Path

import pytest
from _boards import EPOCH_S, PROGRAMS, ROOT, in_a_row, log_lines, make_node, region, running

from baken_hardware.virtual import interpreter
from baken_hardware.virtual.launcher import board_command


def play(
    tmp_path: Path,
    scripts: dict[str, str],
    until_ms: int,
    bits: int = 64,
    settings: dict[str, str] | None = None,
    **options,
) -> dict[str, list[str]]:
    """Boards that run their scripts until a time; what each wrote."""

    async def playing() -> dict[str, list[str]]:
        async with region(in_a_row("".join(scripts)), tmp_path, **options) as ether:
            nodes = [
                make_node(ether, tmp_path, code, "script", bits, {"BAKEN_SCRIPT": script} | (settings or {}))
                for code, script in scripts.items()
            ]
            async with running(ether, *nodes):
                await ether.run_until(until_ms)
                return {node.code: log_lines(node) for node in nodes}

    return asyncio.run(playing())


def test_asyncio_keeps_its_promises_in_virtual_time(tmp_path: Path, bits: int):
    async def playing() -> list[str]:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "A", "time_laws", bits)
            await node.start()
            await ether.wait_connected("A")
            ether.resume()
            await node.wait()
            assert node.exit_status == 0
            return log_lines(node)

    assert asyncio.run(playing()) == [
        "0 start",
        "250 250 later",
        "1250 a second later",
        "1250 c",
        "1260 a",
        "1270 b",
        "1280 a",
        "1280 b",
        "1280 gathered ['a', 'b', 'c']",
        "1355 cancelled",
        "1355 finally",
        "1355 timeout",
        "1360 d",
        "1360 in time: d",
        "1361 raised on purpose",
        "1401 cancel True",
        "1401 waiter 0",
        "1401 waiter 1",
        "1401 waiter 2",
        "1401 cancel again False done True",
        "1411 lock 1",
        "1421 lock 2",
        "1421 sliced",
        "1426 slices over",
        "2000001426 after 23 days",
        "5000001426 after 57 days",
        "5000001426 no stream I/O on a virtual board: use board.serial",
        "5000001426 ended",
        "5000001526 second loop",
    ]


def test_a_frame_takes_its_airtime_and_arrives_with_its_strength(tmp_path: Path, bits: int):
    logs = play(tmp_path, {"A": "1000 send @66", "B": "0 hear"}, 2000, bits)
    assert logs["A"] == ["1212 sent @66", "1212 done"]
    # 1 km, 10 m to 10 m, 22 dBm, shadowing of the pair A B: a fixed figure of the propagation model.
    assert len(logs["B"]) == 2
    assert logs["B"][1].startswith("1212 heard 66 bytes rssi=-8")
    assert logs["B"][1].endswith(" snr=12 dropped=0")


def test_sends_of_one_board_take_turns(tmp_path: Path):
    logs = play(tmp_path, {"A": "1000 send @66; 1000 send @66", "B": "0 hear"}, 2000)
    assert logs["A"] == ["1212 sent @66", "1424 sent @66", "1424 done"]
    assert [line.split()[0] for line in logs["B"] if "heard" in line] == ["1212", "1424"]


def test_two_at_once_collide_and_hear_nothing_of_each_other(tmp_path: Path):
    logs = play(tmp_path, {"A": "0 hear; 1000 send a", "B": "0 hear; 1000 send b"}, 2000)
    assert not any("heard" in line for lines in logs.values() for line in lines)


def test_channel_activity_detection(tmp_path: Path, bits: int):
    # A's frame is on the air from 1000 to 1212; a detection takes 6 ms and notices frames older than a slot,
    # 12 ms.
    script = "900 listen; 1006 listen; 1007 listen; 1100 listen; 1205 listen; 1206 listen"
    logs = play(tmp_path, {"A": "1000 send @66; 1050 listen", "B": script}, 2000, bits)
    assert logs["B"] == [
        "906 free",
        "1012 free",
        "1018 busy",
        "1106 busy",
        "1211 busy",
        "1217 free",
        "1217 done",
    ]
    # Whoever sends finds the channel busy.
    assert logs["A"][0] == "1056 busy"


def test_a_board_tuned_to_another_spreading_factor_hears_nothing(tmp_path: Path):
    logs = play(tmp_path, {"A": "1000 send a", "B": "0 tune 11; 0 hear"}, 2000)
    assert logs["B"] == ["0 done"]


def test_the_receive_queue_is_bounded_and_drops_the_oldest(tmp_path: Path):
    # B does not read until 20 s, when 20 frames have come; the queue holds 16.
    sends = ";".join(f"{1000 + 500 * number} send n{number}" for number in range(20))
    logs = play(tmp_path, {"A": sends, "B": "20000 hear"}, 21000)
    heard = [line for line in logs["B"] if "heard" in line]
    assert [line.split()[2] for line in heard] == [f"n{number}" for number in range(4, 20)]
    assert all(line.endswith("dropped=4") for line in heard)


def test_frames_that_no_task_waits_for_do_not_disturb_the_program(tmp_path: Path):
    # The frame comes at 1212, when every task of B waits for something else and none for a time.
    logs = play(tmp_path, {"A": "1000 send @66", "B": "1209 listen"}, 2000)
    assert logs["B"] == ["1215 free", "1215 done"]


def test_pictures_arrive_as_they_were_when_show_was_called(tmp_path: Path):
    pictures: list[tuple[int, str, bytes]] = []

    async def playing() -> list[str]:
        async with region(in_a_row("A"), tmp_path, refresh_ms=400) as ether:
            ether.on_picture = lambda t_ms, code, rows: pictures.append((t_ms, code, rows))
            node = make_node(
                ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "100 show 0f; 200 show aa"}
            )
            async with running(ether, node):
                await ether.run_until(5000)
                return log_lines(node)

    assert asyncio.run(playing()) == ["500 shown 0f", "900 shown aa", "900 done"]
    size = 32 * 122
    # The second caller had to wait for the panel, and by then the buffer was its own.
    assert pictures == [(500, "A", b"\x0f" * size), (900, "A", b"\xaa" * size)]


def test_presses_and_battery_reach_the_program(tmp_path: Path, bits: int):
    async def playing() -> list[str]:
        async with region(in_a_row("A"), tmp_path) as ether:
            settings = {"BAKEN_BATTERY_PERCENT": "64"}
            node = make_node(ether, tmp_path, "A", "script", bits, settings)
            async with running(ether, node):
                await ether.run_until(1000)
                ether.press("A")
                await ether.idle()
                ether.set_battery("A", 63)
                await ether.run_until(2500)
                ether.press("A", "long")
                ether.press("A", "short")
                await ether.idle()
                return log_lines(node)

    assert asyncio.run(playing()) == [
        "0 done",
        "1000 press short battery=64",
        "2500 press long battery=63",
        "2500 press short battery=63",
    ]


CLOCK_SCRIPT = "0 time; 5000 time; 6000 set 1900000000; 7999 time"


@pytest.mark.parametrize(
    ("settings", "times"),
    [
        ({}, [EPOCH_S, EPOCH_S + 5]),
        ({"BAKEN_CLOCK": "unset"}, [None, None]),
        ({"BAKEN_CLOCK_OFFSET_S": "-3600"}, [EPOCH_S - 3600, EPOCH_S - 3595]),
    ],
    ids=["set", "unset", "wrong"],
)
def test_the_calendar_clock(tmp_path: Path, settings: dict[str, str], times: list[int | None]):
    logs = play(tmp_path, {"A": CLOCK_SCRIPT}, 10_000, settings=settings)
    assert logs["A"] == [
        f"0 unix {times[0]}",
        f"5000 unix {times[1]}",
        "7999 unix 1900000001",
        "7999 done",
    ]


def test_random_bytes_repeat_with_the_seed_but_not_after_a_restart(tmp_path: Path):
    def draws(folder: str, seed: int | None) -> list[str]:
        async def playing() -> list[str]:
            async with region(in_a_row("AB"), tmp_path / folder, seed=seed) as ether:
                settings = {"BAKEN_SCRIPT": "0 random; 1 random"}
                nodes = [
                    make_node(ether, tmp_path / folder, code, "script", settings=settings) for code in "AB"
                ]
                async with running(ether, *nodes):
                    await ether.run_until(10)
                    await nodes[0].restart()
                    await ether.wait_connected("A")
                    await ether.run_until(20)
                    return [line for node in nodes for line in log_lines(node) if "random" in line]

        return [line.split()[2] for line in asyncio.run(playing())]

    first = draws("first", 5)
    # Board A twice from its start, twice after its restart, B twice: never the same.
    assert len(set(first)) == len(first) == 6
    assert all(len(bytes.fromhex(draw)) == 40 for draw in first)
    assert draws("second", 5) == first
    assert not set(draws("third", 6)) & set(first)
    assert not set(draws("fourth", None)) & set(first)


def test_a_board_says_what_is_missing_in_its_environment():
    argv, environment = board_command(ROOT / "firmware")
    for name in ("BAKEN_FLASH", "BAKEN_NODE", "BAKEN_ETHER"):
        environment.pop(name, None)

    def status(**settings: str) -> tuple[int, str]:
        result = subprocess.run(
            [*argv, str(PROGRAMS / "script.py")], env=environment | settings, capture_output=True, timeout=20
        )
        return result.returncode, result.stderr.decode()

    assert status() == (2, "virtual board stops: BAKEN_FLASH is not set\n")
    code, text = status(BAKEN_FLASH="/nowhere", BAKEN_NODE="A", BAKEN_ETHER="127.0.0.1:1")
    assert code == 3 and text.startswith("virtual board stops: cannot reach the ether at 127.0.0.1:1: ")


def test_on_a_micropython_that_maps_no_images_the_code_is_loaded(tmp_path: Path, monkeypatch, bits: int):
    """Before 1.25 it has no VfsRom."""
    monkeypatch.setitem(interpreter._known, bits, interpreter.find(bits)._replace(maps_code=False))
    argv, environment = board_command(ROOT / "firmware", bits)
    assert f"heapsize={interpreter.LOADED_HEAP}" in argv and "BAKEN_IMAGES" not in environment
    assert play(tmp_path, {"A": "0 set 5"}, 10, bits) == {"A": ["0 done"]}


def test_a_board_ends_with_a_sentence_when_the_ether_goes_away(tmp_path: Path, bits: int):
    async def playing() -> tuple[int | None, list[str]]:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "A", "script", bits)
            await node.start()
            await ether.wait_connected("A")
            await ether.run_until(100)
        await asyncio.wait_for(node.wait(), 10)
        return node.exit_status, log_lines(node)

    status, lines = asyncio.run(playing())
    assert status == 3
    assert lines[-1].startswith("virtual board stops: the ether is gone")


def test_a_board_that_the_region_does_not_know_is_told_so(tmp_path: Path):
    async def playing() -> tuple[int | None, list[str]]:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "Z", "script")
            await node.start()
            await asyncio.wait_for(node.wait(), 10)
            assert ether.counters["refused"] == 1
            return node.exit_status, log_lines(node)

    status, lines = asyncio.run(playing())
    assert status == 3
    assert lines == [
        "virtual board stops: the ether refuses this board: there is no point 'Z' in this region"
    ]
