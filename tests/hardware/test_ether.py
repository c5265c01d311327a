"""The ether: lockstep time, the region's boards, foreign frames, pictures and the clock file."""

import asyncio
import contextlib
import io
import os
import signal
import socket
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from _boards import EPOCH_S, in_a_row, log_lines, make_node, region, running

from baken_hardware.virtual import clockfile, ether_cli, link, png
from baken_hardware.virtual.ether import Ether, EtherError
from baken_hardware.virtual.propagation import Point
from baken_hardware.virtual.timekeeper import TimekeeperError

CHATTER = {"TALK_EVERY_MS": "700"}


async def chat(folder: Path, factor: float | None, seed: int = 1, until_ms: int = 60_000) -> dict[str, Any]:
    """Three boards that talk; everything that happened: frames on the air and what each board wrote."""
    async with region(in_a_row("ABC"), folder, factor=factor, seed=seed, fading_db=3.0, loss=0.1) as ether:
        frames: list[tuple[int, str, bytes]] = []
        ether.on_frame = lambda t_ms, sender, frame: frames.append((t_ms, sender, frame))
        nodes = [make_node(ether, folder, code, "talker", settings=CHATTER) for code in "ABC"]
        async with running(ether, *nodes):
            await ether.run_until(until_ms)
            logs = {node.code: log_lines(node) for node in nodes}
        return {"frames": frames, "logs": logs, "air": dict(ether.air.counters)}


def test_the_same_seed_gives_the_same_exercise_at_any_speed(tmp_path: Path):
    first = asyncio.run(chat(tmp_path / "1", None))
    assert asyncio.run(chat(tmp_path / "2", None)) == first
    assert asyncio.run(chat(tmp_path / "3", 60.0)) == first
    assert asyncio.run(chat(tmp_path / "4", None, seed=2)) != first
    # It was worth comparing: frames, and among them received, lost and collided ones.
    assert len(first["frames"]) > 150
    assert {"received", "lost-collision", "lost-erased", "lost-half-duplex"} <= first["air"].keys()


def test_time_is_held_until_it_is_released_and_stops_where_it_was_told(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(
                ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "0 time; 500 time; 501 time"}
            )
            async with running(ether, node):
                # What is due at the present time happens although time is held.
                await ether.idle()
                assert (ether.now_ms, ether.held) == (0, True)
                assert log_lines(node) == [f"0 unix {EPOCH_S}"]
                await ether.run_until(500)
                assert (ether.now_ms, ether.held) == (500, True)
                assert len(log_lines(node)) == 2
                await ether.run_until(500)
                with pytest.raises(TimekeeperError, match="cannot run until 499 ms: it is 500 ms"):
                    await ether.run_until(499)
                ether.resume()
                await ether.idle()
                assert not ether.held

    asyncio.run(playing())


def test_what_boards_do_at_one_time_happens_in_order_of_their_codes(tmp_path: Path):
    async def playing() -> list[str]:
        senders: list[str] = []
        async with region(in_a_row("ABC"), tmp_path) as ether:
            ether.on_frame = lambda t_ms, sender, frame: senders.append(sender)
            nodes = [
                make_node(ether, tmp_path, code, "script", settings={"BAKEN_SCRIPT": "100 send x"})
                for code in "CAB"
            ]
            async with contextlib.AsyncExitStack() as stack:
                for node in nodes:
                    await stack.enter_async_context(running(ether, node))
                await ether.run_until(200)
        return senders

    assert asyncio.run(playing()) == ["A", "B", "C"]


def test_holding_a_paced_clock_stops_it_at_the_present(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path, factor=1000.0) as ether:
            start_s = time.monotonic()
            ether.resume()
            # The loop cannot move the clock meanwhile.
            time.sleep(0.02)
            ether.hold()
            assert 20_000 <= ether.now_ms <= (time.monotonic() - start_s) * 1_000_000

    asyncio.run(playing())


def test_an_abandoned_run_holds_time_again(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path, factor=10.0) as ether:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ether.run_until(1_000_000), 0.2)
            assert ether.held
            reached_ms = ether.now_ms
            assert 0 < reached_ms < 1_000_000
            await ether.run_until(reached_ms + 10)

    asyncio.run(playing())


def test_actions_at_a_time_come_in_their_order_and_before_the_boards(tmp_path: Path):
    async def playing() -> None:
        happened: list[str] = []
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "500 time"})
            async with running(ether, node):
                ether.call_at(500, lambda: happened.append(f"one, {len(log_lines(node))} lines"))
                ether.call_at(500, lambda: happened.append("two"))
                ether.call_at(499, lambda: happened.append("before"))
                await ether.run_until(1000)
        assert happened == ["before", "one, 0 lines", "two"]

    asyncio.run(playing())


@pytest.mark.parametrize("factor", [20.0, 50.0])
def test_a_factor_is_an_upper_limit_on_speed(tmp_path: Path, factor: float):
    async def playing() -> float:
        async with region(in_a_row("ABC"), tmp_path, factor=factor) as ether:
            nodes = [make_node(ether, tmp_path, code, "talker", settings=CHATTER) for code in "ABC"]
            async with running(ether, *nodes):
                start_s = time.monotonic()
                await ether.run_until(10_000)
                return time.monotonic() - start_s

    assert asyncio.run(playing()) >= 10 / factor - 0.002


def test_without_a_limit_quiet_days_cost_only_the_turns_that_are_asked_for(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("ABCDEFGH"), tmp_path) as ether:
            nodes = [make_node(ether, tmp_path, code, "sleeper") for code in "ABCDEFGH"]
            async with running(ether, *nodes):
                await ether.run_until(72 * 3_600_000)
            # One turn at the start and one a minute, the last of them at 72 hours sharp.
            assert ether.counters["turns"] == 8 * (72 * 60 + 1)

    asyncio.run(playing())


def test_a_killed_board_does_not_stop_the_others(tmp_path: Path):
    async def playing() -> None:
        gone: list[tuple[int, str]] = []
        async with region(in_a_row("ABC"), tmp_path) as ether:
            ether.on_gone = lambda t_ms, code, reason: gone.append((t_ms, code))
            nodes = [make_node(ether, tmp_path, code, "talker", settings=CHATTER) for code in "ABC"]
            async with running(ether, *nodes):
                await ether.run_until(5000)
                os.kill(nodes[1].pid, signal.SIGKILL)
                await nodes[1].wait()
                await ether.run_until(20_000)
                assert ether.connected == {"A", "C"}
                assert gone == [(5000, "B")]
                late = [line for line in log_lines(nodes[0]) if int(line.split()[0]) > 6000]
                assert any("heard C" in line for line in late)
                assert not any("heard B" in line for line in late)
                # And it can come back.
                await nodes[1].start()
                await ether.wait_connected("B")
                await ether.run_until(30_000)
                assert any("heard B" in line for line in log_lines(nodes[0])[-20:])

    asyncio.run(playing())


def test_a_hung_board_is_cut_off_and_the_region_goes_on(tmp_path: Path):
    async def playing() -> None:
        gone: list[tuple[int, str, str]] = []
        async with region(in_a_row("AB"), tmp_path, hang_timeout_s=1.0) as ether:
            ether.on_gone = lambda t_ms, code, reason: gone.append((t_ms, code, reason))
            hanging = make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "3000 hang"})
            other = make_node(ether, tmp_path, "B", "talker", settings=CHATTER)
            async with running(ether, hanging, other):
                await ether.run_until(10_000)
                assert gone == [(3000, "A", "not idle within 1.0 s")]
                assert ether.counters["hung"] == 1
                assert ether.now_ms == 10_000
                assert int(log_lines(other)[-1].split()[0]) > 9000
                assert log_lines(hanging) == ["3000 hang"]

    asyncio.run(playing())


def test_a_stopped_process_is_cut_off_as_well(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("AB"), tmp_path, hang_timeout_s=1.0) as ether:
            nodes = [make_node(ether, tmp_path, code, "talker", settings=CHATTER) for code in "AB"]
            async with running(ether, *nodes):
                await ether.run_until(2000)
                os.kill(nodes[0].pid, signal.SIGSTOP)
                await ether.run_until(10_000)
                assert ether.connected == {"B"}
                os.kill(nodes[0].pid, signal.SIGCONT)

    asyncio.run(playing())


def test_a_board_without_its_antenna_is_alone_until_it_is_back(tmp_path: Path):
    async def playing() -> list[str]:
        async with region(in_a_row("AB"), tmp_path) as ether:
            script = ";".join(f"{second}000 send n{second}" for second in range(1, 6))
            nodes = [
                make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": script}),
                make_node(ether, tmp_path, "B", "script", settings={"BAKEN_SCRIPT": "0 hear"}),
            ]
            async with running(ether, *nodes):
                await ether.run_until(1500)
                ether.set_radio("B", False)
                await ether.run_until(2500)
                ether.set_radio("B", True)
                ether.set_radio("A", False)
                await ether.run_until(3500)
                ether.set_radio("A", True)
                await ether.run_until(6000)
                return [line.split()[2] for line in log_lines(nodes[1]) if "heard" in line]

    assert asyncio.run(playing()) == ["n1", "n4", "n5"]


def decode_png(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and packed rows of a one-bit greyscale PNG without filters."""
    file = io.BytesIO(data)
    assert file.read(8) == b"\x89PNG\r\n\x1a\n"
    chunks = {}
    while head := file.read(8):
        length, kind = struct.unpack(">I4s", head)
        body = file.read(length)
        assert struct.unpack(">I", file.read(4))[0] == zlib.crc32(kind + body)
        chunks[kind] = body
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (1, 0, [0, 0, 0])
    rows = zlib.decompress(chunks[b"IDAT"])
    stride = (width + 7) // 8
    assert len(rows) == (stride + 1) * height
    assert all(rows[start] == 0 for start in range(0, len(rows), stride + 1))
    return width, height, b"".join(rows[i + 1 : i + 1 + stride] for i in range(0, len(rows), stride + 1))


def test_pictures_are_saved_at_both_sizes(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "0 show a5"})
            async with running(ether, node):
                await ether.run_until(1000)

    asyncio.run(playing())
    assert decode_png((tmp_path / "A.png").read_bytes()) == (250, 122, b"\xa5" * 32 * 122)
    width, height, rows = decode_png((tmp_path / "A-3x.png").read_bytes())
    assert (width, height) == (750, 366)
    # 1010 0101 as triples of pixels.
    assert rows[:3] == bytes((0b11100011, 0b10000001, 0b11000111))
    assert rows[:94] == rows[94:188] == rows[188:282]
    assert not list(tmp_path.glob("*.part"))


def test_an_enlarged_picture_keeps_every_pixel():
    rows = bytes((0b10110000, 0b01000000))
    assert decode_png(png.encode(4, 2, rows, scale=2)) == (
        8,
        4,
        bytes((0b11001111, 0b11001111, 0b00110000, 0b00110000)),
    )
    with pytest.raises(ValueError, match="picture of 4 x 2 has 3 bytes, not 2"):
        png.encode(4, 2, b"abc")


def test_the_clock_file_says_the_time_and_whether_it_runs(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            path = tmp_path / "clock"
            assert clockfile.read(path) == (EPOCH_S * 1000, 0.0)
            await ether.run_until(90_000)
            assert clockfile.read(path) == (EPOCH_S * 1000 + 90_000, 0.0)
            ether.factor = 20.0
            ether.resume()
            assert clockfile.read(path)[1] == 20.0
            ether.hold()
            unix_ms, factor = clockfile.read(path)
            assert factor == 0.0
            assert unix_ms == ether.unix_ms >= EPOCH_S * 1000 + 90_000
            assert path.stat().st_size == 16
        assert not path.exists()

    asyncio.run(playing())


def test_a_paced_clock_moves_between_events(tmp_path: Path):
    async def playing() -> None:
        # No board, no event: the time still goes by, at its pace.
        async with region(in_a_row("A"), tmp_path, factor=100.0) as ether:
            ether.resume()
            start_s = time.monotonic()
            while clockfile.read(tmp_path / "clock")[0] < EPOCH_S * 1000 + 20_000:
                assert time.monotonic() - start_s < 10
                await asyncio.sleep(0.01)
            assert time.monotonic() - start_s >= 0.19

    asyncio.run(playing())


def test_foreign_frames_come_in_and_all_frames_go_out_over_udp(tmp_path: Path):
    async def playing() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.setblocking(False)
            udp = (0, stranger.getsockname()[1])
            async with region(in_a_row("AB"), tmp_path, udp=udp) as ether:
                frames: list[tuple[int, bytes]] = []
                ether.on_frame = lambda t_ms, sender, frame: frames.append((t_ms, frame))
                scripts = {"A": "0 hear; 1000 send from-a", "B": "0 hear"}
                nodes = [
                    make_node(ether, tmp_path, code, "script", settings={"BAKEN_SCRIPT": script})
                    for code, script in scripts.items()
                ]
                async with running(ether, *nodes):
                    await ether.run_until(2000)
                    assert await asyncio.wait_for(loop.sock_recv(stranger, 999), 5) == b"from-a"
                    address = ("127.0.0.1", ether.ports.udp_in)
                    for datagram in (b"", bytes(256), bytes(2000), b"one", b"two"):
                        await loop.sock_sendto(stranger, datagram, address)
                    while ether.counters["udp-in"] < 5:
                        await asyncio.sleep(0.001)
                    assert ether.counters["udp-bad-size"] == 3
                    await ether.run_until(3000)
                    for node in nodes:
                        heard = [line.split() for line in log_lines(node) if "heard" in line]
                        assert [words[2] for words in heard if words[2] != "from-a"] == ["one", "two"]
                    # One after the other, as one radio sends them; and what came in does not go back out.
                    assert [frame for _, frame in frames] == [b"from-a", b"one", b"two"]
                    assert frames[2][0] == frames[1][0] + 69
                    with pytest.raises(BlockingIOError):
                        stranger.recv(999)

    asyncio.run(playing())


def test_a_frame_can_be_injected_at_a_time_and_a_place(tmp_path: Path):
    async def playing() -> None:
        points = in_a_row("AB", apart_km=300.0)
        async with region(points, tmp_path) as ether:
            assert not ether.inject(b"too early")
            assert ether.counters["foreign-no-modem"] == 1
            nodes = [
                make_node(ether, tmp_path, code, "script", settings={"BAKEN_SCRIPT": "0 hear"})
                for code in "AB"
            ]
            async with running(ether, *nodes):
                await ether.run_until(10)
                assert ether.inject(b"near B", at_ms=5000, point=Point("x", 299.0, 0.0, 10.0))
                assert ether.inject(b"near A", at_ms=6000)
                assert not ether.inject(bytes(256))
                await ether.run_until(10_000)
                heard = [[line.split()[:4] for line in log_lines(node) if "heard" in line] for node in nodes]
                # 6 bytes: (28.25 + 2 * 5) symbols of 2.048 ms = 78.3 ms.
                assert heard == [[["6079", "heard", "near", "A"]], [["5079", "heard", "near", "B"]]]

    asyncio.run(playing())


def test_a_flood_of_foreign_frames_is_bounded(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "A", "script")
            async with running(ether, node):
                await ether.run_until(10)
                accepted = sum(ether.inject(b"flood") for _ in range(1000))
                assert accepted == 65  # one on the air, 64 waiting
                assert ether.counters["foreign-queue-full"] == 935
                await ether.run_until(60_000)
                assert ether.counters["foreign-sent"] == 65

    asyncio.run(playing())


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">HB", 9000, link.HELLO),
        link.message(link.RUN, bytes(8)),
        link.message(link.IDLE, bytes(13)),
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A")
        + link.message(
            link.CONFIGURE, struct.pack(link.CONFIGURE_BODY, 869525000, 250000, 99, 5, 16, 0x2B, 22)
        )
        + link.message(link.IDLE, struct.pack(link.IDLE_BODY, 1, link.NEVER, 0)),
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A")
        + link.message(link.TRANSMIT, b"untuned")
        + link.message(link.IDLE, struct.pack(link.IDLE_BODY, 1, link.NEVER, 0)),
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A")
        + link.message(link.PICTURE, struct.pack(link.PICTURE_HEAD, 250, 122) + b"short")
        + link.message(link.IDLE, struct.pack(link.IDLE_BODY, 1, link.NEVER, 0)),
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A") * 2,
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 9, 250, 122) + b"A"),
        link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A")
        + link.message(link.LISTEN) * 300,
    ],
    ids=[
        "http",
        "too-long",
        "wrong-way",
        "before-hello",
        "no-modem",
        "untuned",
        "short-picture",
        "hello-twice",
        "version",
        "too-many-requests",
    ],
)
def test_nonsense_ends_its_connection_and_nothing_else(tmp_path: Path, garbage: bytes):
    async def playing() -> None:
        async with region(in_a_row("AB"), tmp_path) as ether:
            node = make_node(ether, tmp_path, "B", "sleeper")
            async with running(ether, node):
                reader, writer = await asyncio.open_connection("127.0.0.1", ether.ports.boards)
                writer.write(garbage)
                try:
                    while await asyncio.wait_for(reader.read(4096), 5):
                        pass
                except ConnectionResetError:
                    pass
                writer.close()
                await ether.run_until(120_000)
                assert ether.connected == {"B"}

    asyncio.run(playing())


def test_a_board_that_is_plugged_in_again_replaces_the_old_one(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            # A connection that the loop has not seen end yet.
            hello = link.message(link.HELLO, struct.pack(link.HELLO_HEAD, 1, 250, 122) + b"A")
            reader, writer = await asyncio.open_connection("127.0.0.1", ether.ports.boards)
            writer.write(hello)
            await ether.wait_connected("A")
            node = make_node(ether, tmp_path, "A", "sleeper")
            await node.start()
            try:
                with pytest.raises(ConnectionResetError):
                    while await asyncio.wait_for(reader.read(4096), 10):
                        pass
                    raise ConnectionResetError
                await ether.run_until(120_000)
                assert ether.connected == {"A"}
            finally:
                writer.close()
                await node.stop()

    asyncio.run(playing())


def test_a_listener_that_fails_is_counted_and_does_not_stop_time(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("AB"), tmp_path) as ether:

            def broken(*_: object) -> None:
                raise RuntimeError("a listener's own mistake")

            ether.on_frame = broken
            node = make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": "0 send a; 1 send b"})
            async with running(ether, node):
                await ether.run_until(1000)
                assert log_lines(node)[-1].endswith("done")
            assert ether.counters["callback-errors"] == 2

    asyncio.run(playing())


def test_impossible_wishes_are_refused_with_the_value_and_the_limit(tmp_path: Path):
    async def playing() -> None:
        with pytest.raises(ValueError, match="factor is -1"):
            Ether(in_a_row("A"), epoch_unix_s=EPOCH_S, factor=-1)
        async with region(in_a_row("A"), tmp_path) as ether:
            with pytest.raises(EtherError, match="A is not connected"):
                ether.press("A")
            with pytest.raises(EtherError, match="short or long, not 'medium'"):
                ether.press("A", "medium")
            with pytest.raises(EtherError, match="battery is 101 %, limits 0..100"):
                ether.set_battery("A", 101)
            with pytest.raises(EtherError, match="there is no point Q"):
                ether.set_radio("Q", True)
            with pytest.raises(EtherError, match="not connected within 0.1 s: A"):
                await ether.wait_connected("A", timeout_s=0.1)

    asyncio.run(playing())


def test_the_hop_table_of_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "points.csv"
    path.write_text(
        "code,kind,x_km,y_km,antenna_m\nVR00,crisisruimte,0,0,20\nRL1,relais,8,0,40\nRM05,dorpshuis,16,0,6\n"
    )
    assert ether_cli.main(["--points", str(path), "--table", "MediumFast"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [words[:4] for words in lines[2:]] == [
        ["VR00", "0", "0", "1"],
        ["RL1", "1", "-", "2"],
        ["RM05", "2", "-", "1"],
    ]
    assert lines[3][-1] == "yes"
    assert ether_cli.main(["--points", str(path), "--table", "LongFast", "--gateway", "XX"]) == 1
    assert "there is no point XX" in capsys.readouterr().err


def test_link_messages_survive_any_split():
    messages = [
        (link.RUN, bytes(8)),
        (link.SENT, b""),
        (link.RECEIVED, bytes(range(40))),
        (link.WELCOME, bytes(49)),
        (link.TRANSMIT, bytes(255)),
    ]
    stream = b"".join(link.message(kind, body) for kind, body in messages)
    for size in (1, 2, 3, 7, 64, len(stream)):
        splitter = link.Splitter()
        got = []
        for start in range(0, len(stream), size):
            got += splitter.receive(stream[start : start + size])
        assert got == messages
    with pytest.raises(link.LinkError, match="has 256 bytes, limits 1..255"):
        link.message(link.TRANSMIT, bytes(256))
