"""A board's serial port on TCP, as a stock node with WiFi offers its client API: one client at a time, and a
new one takes the place of the old.

Bytes go both ways as they are; what one side cannot take yet makes the other wait. The port is opened, locked
as pyserial locks it and freed of what was said to earlier clients when a client comes. It is closed again
when the client has gone and the board has taken all of its bytes. So programs can use the pseudo-terminal
whenever there is no client; while one holds it, clients are turned away. When the board goes (a restart), its
client is hung up on.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path

_READ_SIZE = 4096


class SerialServer:
    """Serves the port with the lasting name `path` on 127.0.0.1; `on_refused(reason)` tells why a client was
    turned away.
    """

    def __init__(self, path: Path, on_refused: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._on_refused = on_refused
        self._server: asyncio.Server | None = None
        self._client: _Client | None = None
        self._line = -1
        self._waiting = bytearray()  # from a client, not yet taken by the board; nothing is read meanwhile

    async def open(self, port: int = 0) -> int:
        """Listen; 0 takes any free port. Gives the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), "127.0.0.1", port)
        return self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Hang up and stop listening."""
        if self._server is not None:
            self._server.close()
        self._hang_up()
        # The transport calls connection_lost in one of the loop's next turns.
        await asyncio.sleep(0)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    # Clients

    def attach(self, client: _Client) -> None:
        """A new client: from now on the port is its."""
        if self._client is not None:
            self._client.transport.abort()
            self._client = None
        try:
            self._open_line()
        except OSError as error:
            client.transport.abort()
            if self._on_refused is not None:
                self._on_refused(f"{self._path}: {error.strerror or error}")
            return
        self._client = client
        if self._waiting:
            client.transport.pause_reading()
        self.listen(client, True)

    def detach(self, client: _Client) -> None:
        """A client has gone, replaced or not."""
        if client is self._client:
            self._client = None
            if self._line >= 0:
                asyncio.get_running_loop().remove_reader(self._line)
                if not self._waiting:
                    self._close_line()

    def listen(self, client: _Client, on: bool) -> None:
        """Whether the client takes more from the board."""
        if client is self._client and self._line >= 0:
            loop = asyncio.get_running_loop()
            if on:
                loop.add_reader(self._line, self._read_line)
            else:
                loop.remove_reader(self._line)

    def receive(self, client: _Client, data: bytes) -> None:
        """Bytes for the board."""
        if self._line < 0:
            return
        self._waiting += data
        self._write_line()
        if self._waiting:
            client.transport.pause_reading()
            asyncio.get_running_loop().add_writer(self._line, self._write_line)

    # The port

    def _open_line(self) -> None:
        if self._line < 0:
            line = os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                fcntl.flock(line, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(line)
                raise OSError(error.errno, "another program has the port") from error
            # A program before us may have set it up so that a read without bytes looks like the end.
            tty.setraw(line)
            self._line = line
        termios.tcflush(self._line, termios.TCIFLUSH)

    def _close_line(self) -> None:
        if self._line >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._line)
            loop.remove_writer(self._line)
            os.close(self._line)
            self._line = -1
        self._waiting.clear()

    def _read_line(self) -> None:
        try:
            data = os.read(self._line, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        elif self._client is not None:
            self._client.transport.write(data)

    def _write_line(self) -> None:
        try:
            taken = os.write(self._line, self._waiting)
        except BlockingIOError:
            return
        except OSError:
            self._hang_up()
            return
        del self._waiting[:taken]
        if self._waiting:
            return
        asyncio.get_running_loop().remove_writer(self._line)
        if self._client is not None:
            self._client.transport.resume_reading()
        else:
            self._close_line()

    def _hang_up(self) -> None:
        """The board has gone."""
        self._close_line()
        if self._client is not None:
            self._client.transport.close()
            self._client = None


class _Client(asyncio.Protocol):
    """One connection; what it says it says to the server."""

    def __init__(self, server: SerialServer) -> None:
        self._server = server
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.attach(self)

    def data_received(self, data: bytes) -> None:
        self._server.receive(self, data)

    def pause_writing(self) -> None:
        self._server.listen(self, False)

    def resume_writing(self) -> None:
        self._server.listen(self, True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.detach(self)
