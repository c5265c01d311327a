"""The serial port of a node: kept open by an asyncio task that carries bytes for a `session.NodeSession`.

A port that is absent, in use or pulled out is tried again and again; a node that stops answering gets its
port closed and opened anew. POSIX only: the event loop watches the port's file descriptor.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import termios
from collections.abc import Callable

import serial

from baken_gateway.clock import Clock, monotonic_ms
from baken_gateway.session import READY, NodeSession

BAUD = 115200
READ_SIZE = 4096
WRITE_LIMIT_S = 15.0

_log = logging.getLogger(__name__)


class SerialTask:
    """`on_record(raw)`: a record from the node that was new here; `on_change()`: look at `session.state`.

    `problem`: why there is no connection, for people; None while the port is open.
    """

    def __init__(
        self,
        session: NodeSession,
        port: str,
        clock: Clock,
        on_record: Callable[[bytes], None],
        on_change: Callable[[], None] = lambda: None,
        first_pause_s: float = 0.5,
        last_pause_s: float = 5.0,
    ) -> None:
        self.session = session
        self.port = port
        self.problem: str | None = "not opened yet"
        self._clock = clock
        self._on_record = on_record
        self._on_change = on_change
        self._first_pause_s = first_pause_s
        self._last_pause_s = last_pause_s
        self._woken = asyncio.Event()

    def offer(self, raw: bytes) -> None:
        """Give the node a record that is new here from elsewhere."""
        self.session.offer(raw)
        self._woken.set()

    def wake(self) -> None:
        """The session has something for the node."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = self._first_pause_s
        while True:
            began = monotonic_ms()
            try:
                with _open(self.port) as port:
                    self.problem = None
                    _log.info("port %s: open", self.port)
                    problem = await self._talk(port.fileno())
            except (serial.SerialException, OSError, termios.error) as error:
                problem = _describe(error)
            finally:
                self.session.close()
            if problem != self.problem:
                _log.warning("port %s: %s; trying again", self.port, problem)
            self.problem = problem
            self._on_change()
            pause_s = self._first_pause_s if monotonic_ms() - began > 10_000 else pause_s
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, self._last_pause_s)

    async def _talk(self, descriptor: int) -> str:
        """Carry bytes until the port fails; the reason."""
        loop = asyncio.get_running_loop()
        session = self.session
        out = b""
        blocked_at: int | None = None
        state = None
        os.set_blocking(descriptor, False)
        session.open(monotonic_ms())
        loop.add_reader(descriptor, self._woken.set)
        try:
            while True:
                self._woken.clear()
                data = _read(descriptor)
                if data == b"":
                    return "closed by the other side"
                now = monotonic_ms()
                if data:
                    for raw in session.receive(data, self._clock.unix_s(), now):
                        self._on_record(raw)
                while out or (out := session.next_bytes(now) or b""):
                    written = _write(descriptor, out)
                    out = out[written:]
                    if out:
                        break
                if out and blocked_at is None:
                    blocked_at = now
                    loop.add_writer(descriptor, self._woken.set)
                elif not out and blocked_at is not None:
                    blocked_at = None
                    loop.remove_writer(descriptor)
                if session.state != state:
                    state = session.state
                    self._report()
                if session.is_dead(now):
                    return "the node does not answer"
                if blocked_at is not None and now - blocked_at > WRITE_LIMIT_S * 1000:
                    return "the node does not read"
                await self._wait(blocked_at)
        finally:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)

    async def _wait(self, blocked_at: int | None) -> None:
        deadline = self.session.deadline() if blocked_at is None else blocked_at + int(WRITE_LIMIT_S * 1000)
        if deadline is None:
            deadline = monotonic_ms() + 1000
        try:
            async with asyncio.timeout(max(0.0, (deadline - monotonic_ms()) / 1000)):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _report(self) -> None:
        session = self.session
        if session.state == READY:
            _log.info(
                "port %s: node !%08x, firmware %s", self.port, session.node_num or 0, session.firmware or "?"
            )
        self._on_change()


def _open(port: str) -> serial.Serial:
    """The port, locked for us; closing it leaves its modem lines alone, so that no board resets.

    VMIN 1 makes reading nothing an error of its own, else it would look like a port that has gone.
    """
    opened = serial.Serial(port, BAUD, timeout=0, exclusive=True)
    attributes = termios.tcgetattr(opened.fileno())
    attributes[2] &= ~termios.HUPCL
    attributes[6][termios.VMIN] = 1
    termios.tcsetattr(opened.fileno(), termios.TCSANOW, attributes)
    return opened


def _read(descriptor: int) -> bytes | None:
    """Bytes; empty when the port has gone, None when there is nothing to read now."""
    try:
        return os.read(descriptor, READ_SIZE)
    except BlockingIOError:
        return None
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV):
            return b""
        raise


def _write(descriptor: int, data: bytes) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        return 0


def _describe(error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.ENOENT:
        return "there is no such port"
    if code == errno.EACCES:
        return "no permission (is this user in the group dialout?)"
    if code in (errno.EAGAIN, errno.EBUSY):
        return "in use by another program"
    return str(error)
