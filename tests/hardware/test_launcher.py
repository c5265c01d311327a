"""The launcher: processes, their serial ports under lasting names, and what happens to both when a board
goes.
"""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
import serial
from _boards import EPOCH_S, in_a_row, log_lines, make_node, region, running

from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.launcher import LaunchError, VirtualNode


async def exchange(port: Path, data: bytes, timeout_s: float = 10.0) -> bytes:
    """Write to a serial port as a program with pyserial does, and read as many bytes back."""

    def blocking() -> bytes:
        with serial.Serial(str(port), 115200, timeout=timeout_s, exclusive=True) as line:
            line.write(data)
            return line.read(len(data))

    return await asyncio.to_thread(blocking)


def reader(ether: Ether, folder: Path, code: str = "A", bits: int = 64) -> VirtualNode:
    """A board that sends back what comes over its serial port."""
    return make_node(ether, folder, code, "script", bits, {"BAKEN_SCRIPT": "0 read"})


@pytest.mark.parametrize("factor", [None, 1.0], ids=["jumping", "real-time"])
def test_every_byte_goes_both_ways_over_the_serial_port(tmp_path: Path, bits: int, factor: float | None):
    everything = bytes(range(256)) * 12

    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path, factor=factor) as ether:
            node = reader(ether, tmp_path, bits=bits)
            async with running(ether, node):
                ether.resume()
                assert await exchange(node.tty, everything) == everything
                # A second program on the same port finds it as the first did.
                assert await exchange(node.tty, b"once more\x03\x04\r\n") == b"once more\x03\x04\r\n"

    asyncio.run(playing())


def test_the_serial_port_is_answered_while_time_is_held(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            settings = {"BAKEN_SCRIPT": "0 time; 0 read"}
            node = make_node(ether, tmp_path, "A", "script", settings=settings)
            async with running(ether, node):
                await ether.idle()
                # The board reads at once; its answer to more than it can send at once would need time.
                assert await exchange(node.tty, b"hello") == b"hello"
                assert ether.now_ms == 0
                assert log_lines(node)[:2] == [f"0 unix {EPOCH_S}", "0 done"]

    asyncio.run(playing())


def test_bytes_on_the_serial_port_are_handled_at_the_time_that_it_is(tmp_path: Path):
    async def playing() -> None:
        # Paced, with nothing else to do: the board must not see the time at which it fell asleep.
        async with region(in_a_row("A"), tmp_path, factor=100.0) as ether:
            node = reader(ether, tmp_path)
            async with running(ether, node):
                ether.resume()
                while ether.now_ms < 5000:
                    await asyncio.sleep(0.005)
                before_ms = ether.now_ms
                await exchange(node.tty, b"x")
                lines = [line for line in log_lines(node) if "read" in line]
                assert before_ms <= int(lines[0].split()[0]) <= ether.now_ms

    asyncio.run(playing())


def test_serial_grace_keeps_time_still_while_a_program_may_answer(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path, serial_grace_s=0.5) as ether:
            settings = {"BAKEN_SCRIPT": "0 read; 100 say question"}
            node = make_node(ether, tmp_path, "A", "script", settings=settings)
            async with running(ether, node):
                # Opening a port drops what lies in it: open it before the board speaks.
                with serial.Serial(str(node.tty), 115200, timeout=5) as line:

                    def answer() -> None:
                        assert line.read(8) == b"question"
                        line.write(b"answer")
                        assert line.read(6) == b"answer"

                    start_s = time.monotonic()
                    answering = asyncio.create_task(asyncio.to_thread(answer))
                    await ether.run_until(3_600_000)
                    await answering
                assert time.monotonic() - start_s >= 0.5
                # Without grace the answer would have met a board that is an hour further on.
                assert log_lines(node) == ["100 said 8", "100 done", "100 read 6"]

    asyncio.run(playing())


def test_a_port_that_nobody_reads_does_not_stop_the_board(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path, hang_timeout_s=5.0) as ether:
            script = "100 flood; 200 flood; 60000 time"
            node = make_node(ether, tmp_path, "A", "script", settings={"BAKEN_SCRIPT": script})
            async with running(ether, node):
                await ether.run_until(100_000)
                words = [line.split() for line in log_lines(node)]
                assert words[0][:2] == ["100", "flooded"]
                # The terminal's own buffers are all it takes; the kernel may make some room for a second
                # time.
                assert 4096 <= int(words[0][2]) < 200_000
                assert words[1][:2] == ["200", "flooded"]
                assert int(words[1][2]) <= 8192
                assert words[2][:2] == ["60000", "unix"]

    asyncio.run(playing())


def test_a_replugged_board_has_the_same_port_name_and_the_same_flash(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = reader(ether, tmp_path)
            async with running(ether, node):
                await ether.run_until(1000)
                (node.flash / "kept").write_text("x")
                first_pid = node.pid
                line = serial.Serial(str(node.tty), 115200, timeout=5)
                await node.restart()
                await ether.wait_connected("A")
                ether.resume()
                # The program that had the port open sees that the cable was pulled.
                with line, pytest.raises(serial.SerialException):
                    await asyncio.to_thread(line.read, 1)
                assert node.pid != first_pid
                assert node.tty.is_symlink()
                assert await exchange(node.tty, b"again") == b"again"
                assert (node.flash / "kept").read_text() == "x"
            assert not node.tty.exists() and not node.tty.is_symlink()

    asyncio.run(playing())


def test_ends_are_told_with_their_status_and_nothing_is_left_over(tmp_path: Path):
    async def playing() -> None:
        ends: list[tuple[str, int]] = []
        async with region(in_a_row("ABC"), tmp_path) as ether:
            scripts = {"A": "100 exit", "B": "", "C": ""}
            nodes = [
                make_node(
                    ether,
                    tmp_path,
                    code,
                    "script",
                    settings={"BAKEN_SCRIPT": script},
                    on_exit=lambda code, status: ends.append((code, status)),
                )
                for code, script in scripts.items()
            ]
            async with running(ether, *nodes):
                await ether.run_until(1000)
                await nodes[0].wait()
                await nodes[1].kill()
                assert not nodes[1].running
                await nodes[2].stop()
            assert ends == [("A", 7), ("B", -signal.SIGKILL), ("C", -signal.SIGTERM)]
            for node in nodes:
                # Reaped: the process id is nobody's.
                with pytest.raises(ProcessLookupError):
                    os.kill(node.pid, 0)
                assert not node.tty.is_symlink()

    asyncio.run(playing())


def test_a_board_that_ignores_the_polite_signal_is_killed(tmp_path: Path):
    async def playing() -> None:
        node = VirtualNode(
            "A",
            ether="127.0.0.1:1",
            flash=tmp_path / "flash",
            run_folder=tmp_path,
            command=["sh", "-c", "trap '' TERM; echo deaf >&2; exec sleep 60"],
            environment=dict(os.environ),
            main_script="unused",
        )
        await node.start()
        while not log_lines(node):
            await asyncio.sleep(0.01)
        await node.stop(timeout_s=0.2)
        assert node.exit_status == -signal.SIGKILL

    asyncio.run(playing())


def test_twelve_boards_start_together_and_leave_no_open_files(tmp_path: Path):
    codes = "ABCDEFGHIJKL"

    async def playing() -> None:
        async with region(in_a_row(codes), tmp_path) as ether:
            nodes = [reader(ether, tmp_path, code) for code in codes]
            async with running(ether, *nodes):
                ether.resume()
                answers = await asyncio.gather(
                    *(exchange(node.tty, node.code.encode() * 100) for node in nodes)
                )
                assert answers == [code.encode() * 100 for code in codes]

    files = len(os.listdir("/proc/self/fd"))
    asyncio.run(playing())
    assert len(os.listdir("/proc/self/fd")) <= files


def test_what_cannot_be_started_is_said(tmp_path: Path):
    async def playing() -> None:
        async with region(in_a_row("A"), tmp_path) as ether:
            node = VirtualNode(
                "A",
                ether=ether.address,
                flash=tmp_path / "flash",
                run_folder=tmp_path,
                command=[str(tmp_path / "no-such-interpreter")],
                environment={},
                main_script="main.py",
            )
            with pytest.raises(LaunchError, match="A: cannot start .*no-such-interpreter"):
                await node.start()
            with pytest.raises(LaunchError, match="A was not started"):
                node.pid  # noqa: B018
            real = make_node(ether, tmp_path, "A", "script")
            async with running(ether, real):
                with pytest.raises(LaunchError, match="A is running already"):
                    await real.start()

    asyncio.run(playing())
