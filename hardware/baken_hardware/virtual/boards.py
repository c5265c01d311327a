"""The boards that are connected: who is at work, who has something to do, who hangs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from baken_hardware.virtual import link
from baken_hardware.virtual.connection import BoardConnection
from baken_hardware.virtual.timekeeper import Timekeeper, TimekeeperError

log = logging.getLogger("baken.ether")

CONNECTIONS_LIMIT = 512


class EtherError(TimekeeperError):
    """The caller asked for something that cannot be, as pressing a button of a board that is not there."""


class Boards:
    """Connections by code (connection.Host), and their turns.

    `codes` are the places there are. `arrived(code)` and `left(code, reason)` are called before the board's
    first turn and after its last. A board that works for more than `hang_timeout_s` wall seconds is cut off.
    With `seed` None the boards' random bytes are not repeatable.
    """

    def __init__(
        self,
        codes: Collection[str],
        timekeeper: Timekeeper,
        counters: Counter[str],
        *,
        epoch_ms: int,
        seed: int | None,
        hang_timeout_s: float,
        serial_grace_s: float,
        arrived: Callable[[str], None],
        left: Callable[[str, str], None],
    ) -> None:
        self._codes = codes
        self._time = timekeeper
        self._counters = counters
        self._epoch_ms = epoch_ms
        self._seed = seed
        self._hang_timeout_s = hang_timeout_s
        self._serial_grace_s = serial_grace_s
        self._arrived = arrived
        self._left = left
        self._by_code: dict[str, BoardConnection] = {}
        self._connections: set[BoardConnection] = set()
        self._running: set[BoardConnection] = set()
        self._starts: Counter[str] = Counter()
        self._arrival = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._hang_check: asyncio.TimerHandle | None = None

    # Start and stop.

    async def open(self, port: int) -> None:
        """Listen on loopback; 0 takes any free port."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", port)
        self._plan_hang_check()

    async def close(self) -> None:
        """Hang up on every board; their processes end."""
        if self._server is None:
            return
        if self._hang_check is not None:
            self._hang_check.cancel()
            self._hang_check = None
        self._server.close()
        for board in list(self._connections):
            board.cut_off("the ether stops")
        # Transports call connection_lost in one of the loop's next turns.
        while self._connections:
            await asyncio.sleep(0)
        await self._server.wait_closed()
        self._server = None

    @property
    def port(self) -> int:
        """Where boards connect; EtherError when the ether is not started."""
        if self._server is None or not self._server.sockets:
            raise EtherError("the ether is not started")
        return self._server.sockets[0].getsockname()[1]

    # Who is there.

    @property
    def codes(self) -> frozenset[str]:
        """The boards that are there."""
        return frozenset(self._by_code)

    def get(self, code: str) -> BoardConnection | None:
        """The board at a point, or None."""
        return self._by_code.get(code)

    def is_here(self, board: BoardConnection) -> bool:
        """False when the board has gone, also when another took its place."""
        return self._by_code.get(board.code) is board

    async def wait_connected(self, codes: Iterable[str], timeout_s: float) -> None:
        """Wait until these boards have said hello; EtherError names those that did not in time."""
        wanted = set(codes)
        try:
            async with asyncio.timeout(timeout_s):
                while not wanted <= self._by_code.keys():
                    self._arrival.clear()
                    await self._arrival.wait()
        except TimeoutError:
            missing = ", ".join(sorted(wanted - self._by_code.keys()))
            raise EtherError(f"not connected within {timeout_s} s: {missing}") from None

    # Turns.

    @property
    def are_running(self) -> bool:
        """True while any board is at work."""
        return bool(self._running)

    def tell(self, code: str, kind: int, body: bytes) -> None:
        """An event from outside virtual time for one board; EtherError when it is not there."""
        board = self._by_code.get(code)
        if board is None:
            raise EtherError(f"{code} is not connected")
        self._time.catch_up()
        board.events.append(link.message(kind, body))
        self._time.step()

    def start_turns(self, now_ms: int) -> bool:
        """Run every board that has something to do now; False when there is none."""
        due = [
            board
            for board in self._by_code.values()
            if board.events or board.wants_run or board.deadline_ms <= now_ms
        ]
        for board in due:
            self._run(board)
        return bool(due)

    def take_requests(self) -> list[tuple[BoardConnection, list[tuple[int, bytes]]]]:
        """What the boards asked for in their last turn, in order of their codes."""
        asking = [board for _, board in sorted(self._by_code.items()) if board.requests]
        taken = [(board, board.requests) for board in asking]
        for board in asking:
            board.requests = []
        return taken

    def next_deadline_ms(self) -> int | None:
        """The earliest time that a board asked for."""
        times = [board.deadline_ms for board in self._by_code.values() if board.deadline_ms != link.NEVER]
        return min(times, default=None)

    def cut_off(self, board: BoardConnection, reason: str) -> None:
        """Remove a board that cannot be worked with."""
        log.warning("%s is cut off at %d ms: %s", board.code, self._time.now_ms, reason)
        self._remove(board, reason)
        board.cut_off(reason)

    def _run(self, board: BoardConnection) -> None:
        self._running.add(board)
        board.run(self._time.now_ms, time.monotonic())
        self._counters["turns"] += 1

    def _remove(self, board: BoardConnection, reason: str) -> None:
        self._running.discard(board)
        if self.is_here(board):
            del self._by_code[board.code]
            self._counters["gone"] += 1
            log.info("%s is gone at %d ms: %s", board.code, self._time.now_ms, reason)
            self._left(board.code, reason)

    def _plan_hang_check(self) -> None:
        loop = asyncio.get_running_loop()
        self._hang_check = loop.call_later(self._hang_timeout_s / 4, self._check_for_hung_boards)

    def _check_for_hung_boards(self) -> None:
        oldest_s = time.monotonic() - self._hang_timeout_s
        for board in [board for board in self._running if board.running_since_s < oldest_s]:
            self._counters["hung"] += 1
            self.cut_off(board, f"not idle within {self._hang_timeout_s} s")
            self._time.step_soon()
        self._plan_hang_check()

    # What connections tell (connection.Host).

    def _accept(self) -> BoardConnection:
        board = BoardConnection(self)
        self._connections.add(board)
        if len(self._connections) > CONNECTIONS_LIMIT:
            reason = f"more than {CONNECTIONS_LIMIT} connections"
            asyncio.get_running_loop().call_soon(board.cut_off, reason)
        return board

    def board_said_hello(self, board: BoardConnection) -> None:
        code = board.code
        if code not in self._codes:
            self._counters["refused"] += 1
            board.refuse(f"there is no point {code!r} in this region")
            return
        old = self._by_code.get(code)
        if old is not None:
            # A board that was plugged in again can be here before the loop has seen the old connection end.
            self._remove(old, "replaced by a new connection")
            old.cut_off("replaced by a new connection")
        self._time.catch_up()
        self._by_code[code] = board
        self._arrived(code)
        board.welcome(self._time.now_ms, self._epoch_ms, self._next_seed(code))
        self._run(board)
        self._arrival.set()

    def board_is_idle(self, board: BoardConnection) -> None:
        self._running.discard(board)
        if board.serial_used and self._serial_grace_s:
            self._time.wait_wall_s(self._serial_grace_s)
        if not self._running:
            self._time.step()

    def board_wants_to_wake(self, board: BoardConnection) -> None:
        self._time.catch_up()
        board.wants_run = True
        self._time.step()

    def board_is_gone(self, board: BoardConnection, reason: str) -> None:
        self._connections.discard(board)
        self._remove(board, reason)
        self._time.step_soon()

    def _next_seed(self, code: str) -> bytes:
        """Another one for each start, so that a restarted board does not repeat itself."""
        start = self._starts[code]
        self._starts[code] += 1
        if self._seed is None:
            return os.urandom(32)
        return hashlib.sha256(f"board {self._seed} {code} {start}".encode()).digest()
