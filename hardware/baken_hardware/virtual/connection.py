"""One board at the ether's end of the link: messages in, messages out, and where the board is in its turn."""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol

from baken_hardware.virtual import link

REQUESTS_PER_TURN = 256
"""A board that asks for more between RUN and IDLE is broken."""


class Host(Protocol):
    """What a connection tells: the ether."""

    def board_said_hello(self, board: BoardConnection) -> None: ...

    def board_is_idle(self, board: BoardConnection) -> None: ...

    def board_wants_to_wake(self, board: BoardConnection) -> None: ...

    def board_is_gone(self, board: BoardConnection, reason: str) -> None: ...


class BoardConnection(asyncio.Protocol):
    """A board's turn: `running` between RUN and IDLE; `requests` and `deadline_ms` hold once it is idle."""

    def __init__(self, host: Host) -> None:
        self.code = ""
        self.width = 0
        self.height = 0
        self.running = False
        self.running_since_s = 0.0
        self.turns = 0
        self.wants_run = False
        self.deadline_ms = link.NEVER
        self.serial_used = False
        self.requests: list[tuple[int, bytes]] = []
        self.events: list[bytes] = []
        self._sequence: int | None = None
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._splitter = link.Splitter()
        self._reason = ""

    def run(self, now_ms: int, wall_s: float) -> None:
        """Start a turn: hand over the events and the time."""
        self.running = True
        self.running_since_s = wall_s
        self.wants_run = False
        self.turns += 1
        self.events.append(link.message(link.RUN, struct.pack(link.RUN_BODY, now_ms)))
        self._write(b"".join(self.events))
        self.events.clear()

    def welcome(self, now_ms: int, epoch_ms: int, seed: bytes) -> None:
        """Answer HELLO."""
        self._write(
            link.message(link.WELCOME, struct.pack(link.WELCOME_BODY, link.VERSION, now_ms, epoch_ms, seed))
        )

    def refuse(self, reason: str) -> None:
        """Answer HELLO with the reason why not, and hang up."""
        self._write(link.message(link.REFUSED, reason.encode()[:512]))
        self._reason = reason
        if self._transport is not None:
            # Not abort: it should read why.
            self._transport.close()

    def cut_off(self, reason: str) -> None:
        """Hang up at once, whatever the board has not read yet; `board_is_gone` follows."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reason:
            return
        try:
            for kind, body in self._splitter.receive(data):
                self._receive(kind, body)
        except link.LinkError as error:
            self.cut_off(f"sent nonsense: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._host.board_is_gone(self, self._reason or "closed the connection")

    def _receive(self, kind: int, body: bytes) -> None:
        if kind == link.HELLO:
            self._receive_hello(body)
        elif not self.code:
            raise link.LinkError(f"message 0x{kind:02x} before HELLO")
        elif kind == link.WAKE:
            (sequence,) = struct.unpack(link.WAKE_BODY, body)
            if not self.running and sequence == self._sequence:
                self._host.board_wants_to_wake(self)
        elif not self.running:
            raise link.LinkError(f"message 0x{kind:02x} out of turn")
        elif kind == link.IDLE:
            self._sequence, self.deadline_ms, serial_used = struct.unpack(link.IDLE_BODY, body)
            self.serial_used = bool(serial_used)
            self.running = False
            self._host.board_is_idle(self)
        elif kind in (link.CONFIGURE, link.TRANSMIT, link.LISTEN, link.PICTURE):
            if len(self.requests) >= REQUESTS_PER_TURN:
                raise link.LinkError(f"more than {REQUESTS_PER_TURN} requests in one turn")
            self.requests.append((kind, body))
        else:
            raise link.LinkError(f"message 0x{kind:02x} is the ether's")

    def _receive_hello(self, body: bytes) -> None:
        if self.code:
            raise link.LinkError("HELLO twice")
        version, self.width, self.height = struct.unpack_from(link.HELLO_HEAD, body)
        try:
            code = body[struct.calcsize(link.HELLO_HEAD) :].decode("ascii")
        except UnicodeDecodeError as error:
            raise link.LinkError("the code in HELLO is not ASCII") from error
        if version != link.VERSION:
            self.refuse(f"the ether speaks version {link.VERSION}, the board {version}")
            return
        self.code = code
        self._host.board_said_hello(self)
