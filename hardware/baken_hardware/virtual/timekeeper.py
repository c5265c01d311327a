"""Virtual time: moves from event to event, but only when nobody is at work and nobody holds it.

At one virtual time the order is: what the boards asked for happens, frames end, timers fire, boards that have
something to do run; then again, until nothing is left to do at that time. Then whoever waits in `idle` hears
of it, and time moves on if it may.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

from baken_hardware.virtual.pace import Pace, checked_factor

# Between events a paced clock is moved this often, for the clock file and for what comes in from outside.
_TICK_S = 0.05
_SHORTEST_WAIT_S = 0.001


class TimekeeperError(Exception):
    """The caller asked for a time that cannot be reached."""


class World(Protocol):
    """What lives in virtual time."""

    def is_running(self) -> bool:
        """True while somebody is at work: time stands still."""
        ...

    def settle(self) -> bool:
        """Do what is due now, without anybody starting to work; False when there was nothing."""
        ...

    def start_turns(self) -> bool:
        """Let everybody work who has something to do now; False when nobody has."""
        ...

    def next_event_ms(self) -> int | None:
        """When something will be due next; None: never."""
        ...

    def time_moved(self) -> None:
        """The time, or how fast it goes, has changed."""
        ...


class Timekeeper:
    """Owns `now_ms`. Starts held."""

    def __init__(self, world: World, factor: float | None) -> None:
        self.now_ms = 0
        self.held = True
        self.pace = Pace(factor)
        self._world = world
        self._target_ms: int | None = None
        self._timers: list[tuple[int, int, Callable[[], object]]] = []
        self._timer_order = itertools.count()
        self._stepping = False
        self._open = False
        self._step_handle: asyncio.TimerHandle | None = None
        self._idle_waiters: list[asyncio.Future[None]] = []
        self._target_waiters: list[asyncio.Future[None]] = []

    def open(self) -> None:
        """From now on time may go; needs a running loop."""
        self._open = True
        self._restart()

    def close(self) -> None:
        """Time ends; whoever waits is cancelled."""
        self._open = False
        self.held = True
        if self._step_handle is not None:
            self._step_handle.cancel()
            self._step_handle = None
        for waiter in self._idle_waiters + self._target_waiters:
            waiter.cancel()
        self._idle_waiters.clear()
        self._target_waiters.clear()

    @property
    def speed(self) -> float:
        """The factor at which time goes by between events; 0 while it is held or only jumps."""
        return 0.0 if self.held or self.pace.factor is None else self.pace.factor

    def set_factor(self, factor: float | None) -> None:
        """Change the pace from now on."""
        factor = checked_factor(factor)
        self.catch_up()
        self.pace.factor = factor
        self._restart()
        self.step()

    def hold(self) -> None:
        """Stop time where it is; what is due at this time is still done."""
        self.catch_up()
        self.held = True
        self._world.time_moved()

    def resume(self) -> None:
        """Let time go."""
        if self.held:
            self.held = False
            self._restart()
        self.step()

    async def run_until(self, t_ms: int) -> None:
        """Let time go up to `t_ms`, finish what is due then, and hold. Cancelled: holds at once."""
        if t_ms < self.now_ms:
            raise TimekeeperError(f"cannot run until {t_ms} ms: it is {self.now_ms} ms")
        if self._target_ms is not None:
            raise TimekeeperError(f"already running until {self._target_ms} ms")
        self._target_ms = t_ms
        waiter = asyncio.get_running_loop().create_future()
        self._target_waiters.append(waiter)
        self.resume()
        try:
            await waiter
        except asyncio.CancelledError:
            self._target_ms = None
            self.hold()
            raise

    async def idle(self) -> None:
        """Wait until nobody is at work and nothing is left to do at the present time."""
        waiter = asyncio.get_running_loop().create_future()
        self._idle_waiters.append(waiter)
        self.step()
        await waiter

    def call_at(self, t_ms: int, action: Callable[[], object]) -> None:
        """Call `action` at a virtual time; now, when that is past. Actions of one time keep their order."""
        heapq.heappush(self._timers, (max(t_ms, self.now_ms), next(self._timer_order), action))
        self.step_soon()

    def wait_wall_s(self, seconds: float) -> None:
        """Let time stand still for so many wall seconds from now."""
        self.pace.wait_until(time.monotonic() + seconds)

    def catch_up(self) -> None:
        """Bring a paced clock to the present before something from outside happens, but not up to the next
        event.
        """
        if self.pace.factor is None or self.held or not self._open or self._world.is_running():
            return
        reach_ms = self.pace.reach_ms(time.monotonic(), self.now_ms)
        next_ms = self._next_ms()
        # Not onto the event either: what is due there comes before what is about to happen from outside.
        self._set(reach_ms if next_ms is None else min(reach_ms, next_ms - 1))

    def step(self) -> None:
        """Do everything that can be done without waiting for somebody at work or for the wall clock."""
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._open and not self._world.is_running():
                # All three in this order, each once: what settles now may give somebody work.
                settled = self._world.settle()
                fired = self._fire_timers()
                if self._world.start_turns() or settled or fired:
                    continue
                if not self._move_on():
                    break
        finally:
            self._stepping = False

    def step_soon(self, delay_s: float = 0.0) -> None:
        """`step` from the loop."""
        if not self._open:
            return
        if self._step_handle is not None:
            self._step_handle.cancel()
        self._step_handle = asyncio.get_running_loop().call_later(delay_s, self.step)

    def _fire_timers(self) -> bool:
        due = []
        while self._timers and self._timers[0][0] <= self.now_ms:
            due.append(heapq.heappop(self._timers)[2])
        for action in due:
            action()
        return bool(due)

    def _move_on(self) -> bool:
        """Nothing is left to do now: move time to the next event if it may; False when it may not (yet)."""
        told = _tell(self._idle_waiters)
        if self._target_ms is not None and self.now_ms >= self._target_ms:
            self._target_ms = None
            self.held = True
            _tell(self._target_waiters)
        if self.held:
            self._world.time_moved()
            return False
        if told:
            # Whoever waited for this moment comes first.
            self.step_soon()
            return False
        wall_s = time.monotonic()
        wait_s = self.pace.wait_s(wall_s)
        if wait_s:
            self.step_soon(wait_s)
            return False
        next_ms = self._next_ms()
        if self.pace.factor is None:
            if next_ms is None:
                return False
            self._set(next_ms)
            return True
        reach_ms = self.pace.reach_ms(wall_s, self.now_ms)
        if next_ms is not None and next_ms <= reach_ms:
            self._set(next_ms)
            return True
        self._set(reach_ms)
        due_s = _TICK_S if next_ms is None else (next_ms - reach_ms) / 1000 / self.pace.factor
        self.step_soon(max(min(due_s, _TICK_S), _SHORTEST_WAIT_S))
        return False

    def _next_ms(self) -> int | None:
        times = [self._world.next_event_ms(), self._timers[0][0] if self._timers else None, self._target_ms]
        return min((t_ms for t_ms in times if t_ms is not None), default=None)

    def _set(self, t_ms: int) -> None:
        # An event can be overdue when it was caused after its time: time never goes back for it.
        self.now_ms = max(self.now_ms, t_ms)
        self._world.time_moved()

    def _restart(self) -> None:
        self.pace.restart(time.monotonic(), self.now_ms)
        self._world.time_moved()


def _tell(waiters: list[asyncio.Future[None]]) -> bool:
    told = list(waiters)
    waiters.clear()
    for waiter in told:
        if not waiter.done():
            waiter.set_result(None)
    return bool(told)
