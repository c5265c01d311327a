"""A serial port on TCP: every byte arrives once and in order, one client at a time."""

import asyncio
import fcntl
import os
import pty
import random
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from baken_hardware.virtual.serial_server import SerialServer

LIMIT_S = 20.0
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Bench:
    """A pseudo-terminal whose master side plays the board, and its server."""

    def __init__(self, folder: Path) -> None:
        self.master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = folder / "tty"
        self.path.symlink_to(os.ttyname(self._slave))
        self.refused: list[str] = []
        self.server = SerialServer(self.path, self.refused.append)
        self.port = 0

    async def connect(self) -> Client:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def board_reads(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                data += os.read(self.master, size - len(data))
            except BlockingIOError:
                await asyncio.sleep(0.001)
        return data

    async def board_writes(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self.master, data) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)

    def unplug(self) -> None:
        for end in (self.master, self._slave):
            if end >= 0:
                os.close(end)
        self.master = self._slave = -1


def play(folder: Path, scene: Callable[[Bench], Awaitable[None]]) -> None:
    async def playing() -> None:
        bench = Bench(folder)
        bench.port = await bench.server.open()
        try:
            await asyncio.wait_for(scene(bench), LIMIT_S)
        finally:
            await bench.server.close()
            bench.unplug()

    asyncio.run(playing())


def random_bytes(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_every_byte_value_passes_both_ways_unchanged(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        reader, writer = await bench.connect()
        everything = bytes(range(256)) * 3
        writer.write(everything)
        assert await bench.board_reads(len(everything)) == everything
        await bench.board_writes(everything)
        assert await reader.readexactly(len(everything)) == everything
        writer.close()

    play(tmp_path, scene)


def test_a_slow_board_makes_the_client_wait_and_loses_nothing(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        _, writer = await bench.connect()
        data = random_bytes(1, 8_000_000)
        writer.write(data)
        draining = asyncio.create_task(writer.drain())
        await asyncio.sleep(0.3)
        assert not draining.done(), "a board that reads nothing must make the client wait"
        assert await bench.board_reads(len(data)) == data
        await draining
        writer.close()

    play(tmp_path, scene)


def test_a_slow_client_makes_the_board_wait_and_loses_nothing(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        reader, writer = await bench.connect()
        data = random_bytes(2, 8_000_000)
        writing = asyncio.create_task(bench.board_writes(data))
        await asyncio.sleep(0.5)
        assert not writing.done(), "a client that reads nothing must make the board wait"
        assert await reader.readexactly(len(data)) == data
        await writing
        writer.close()

    play(tmp_path, scene)


def test_a_client_that_says_its_last_words_and_goes_is_heard_in_full(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        _, writer = await bench.connect()
        data = random_bytes(3, 200_000)
        writer.write(data)
        await asyncio.sleep(0.1)
        reading = asyncio.create_task(bench.board_reads(len(data)))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert await reading == data

    play(tmp_path, scene)


def test_a_new_client_takes_the_place_of_the_old(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        old_reader, old_writer = await bench.connect()
        old_writer.write(b"old")
        assert await bench.board_reads(3) == b"old"
        reader, writer = await bench.connect()
        try:
            rest = await old_reader.read()
        except ConnectionResetError:
            rest = b""
        assert rest == b""
        writer.write(b"new")
        assert await bench.board_reads(3) == b"new"
        await bench.board_writes(b"for you")
        assert await reader.readexactly(7) == b"for you"
        writer.close()
        old_writer.close()

    play(tmp_path, scene)


def test_what_was_said_to_an_earlier_client_is_not_told_to_the_next(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        await bench.board_writes(b"nobody is here")
        reader, writer = await bench.connect()
        writer.write(b"?")
        assert await bench.board_reads(1) == b"?"
        await bench.board_writes(b"answer")
        assert await reader.readexactly(6) == b"answer"
        writer.close()

    play(tmp_path, scene)


def test_the_port_is_locked_while_there_is_a_client_and_free_afterwards(tmp_path: Path):
    def lock() -> int:
        line = os.open(bench_path[0], os.O_RDWR | os.O_NOCTTY)
        try:
            fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(line)
            raise
        return line

    bench_path: list[Path] = []

    async def scene(bench: Bench) -> None:
        bench_path.append(bench.path)
        _, writer = await bench.connect()
        writer.write(b"x")
        assert await bench.board_reads(1) == b"x"
        with pytest.raises(BlockingIOError):
            lock()
        writer.close()
        await writer.wait_closed()
        while True:
            try:
                line = lock()
                break
            except BlockingIOError:
                await asyncio.sleep(0.01)
        reader, writer = await bench.connect()
        assert await reader.read() == b"", "a client must be turned away while a program has the port"
        assert bench.refused == [f"{bench.path}: another program has the port"]
        os.close(line)
        writer.close()

    play(tmp_path, scene)


def test_a_board_that_goes_takes_its_client_along_and_later_ones_are_told(tmp_path: Path):
    async def scene(bench: Bench) -> None:
        reader, writer = await bench.connect()
        writer.write(b"x")
        assert await bench.board_reads(1) == b"x"
        bench.unplug()
        assert await reader.read() == b""
        writer.close()
        bench.path.unlink()
        reader, writer = await bench.connect()
        assert await reader.read() == b""
        assert bench.refused == [f"{bench.path}: No such file or directory"]
        writer.close()

    play(tmp_path, scene)
