"""Virtual time for MicroPython's asyncio: a waiting program hands its turn to the ether instead of sleeping.

`Lockstep` takes the place of asyncio's I/O queue. When no task is due asyncio asks it to wait; it sends IDLE
with the time of the next task and blocks until the ether answers RUN. Tasks, Event, sleep_ms, wait_for_ms and
the rest of asyncio run unmodified.

MicroPython's built-in TaskQueue and Task (module _asyncio, written in C) read the machine's own clock, which
cannot be replaced from Python, so `install` puts pure Python ones in their place, with the interface that
asyncio/core.py expects. Tasks that are due at the same millisecond run in the order in which they were
scheduled. Times are plain integers here: they never wrap, on 32 bit either.
"""

import asyncio
import select
import socket
import struct
import sys
from asyncio import core  # pyright: ignore[reportAttributeAccessIssue]

from micropython import const

from baken_hardware.virtual import link

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

EXIT_ETHER_GONE = 3
_FLUSH_LIMIT = const(1024)
_READ = const(1024)  # bytes at a time: a full heap has no long stretch


class TaskQueue:
    """Tasks ordered by the time they are due; first in, first out among equals."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        """The next task, or None."""
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        """Schedule `task` at virtual time `key`, by default now."""
        task.data = None
        task.ph_key = core.ticks() if key is None else key
        tasks = self._tasks
        index = len(tasks)
        while index and tasks[index - 1].ph_key > task.ph_key:
            index -= 1
        tasks.insert(index, task)

    def pop(self):
        """Remove and return the next task."""
        return self._tasks.pop(0)

    def remove(self, task):
        """Remove a task that is in the queue."""
        self._tasks.remove(task)


class Task:
    """A coroutine on its way. `state`: True running, a TaskQueue when awaited, None or False when
    finished.
    """

    def __init__(self, coro, context=None):
        self.coro = coro
        self.data: Any = None
        self.state: Any = True
        self.ph_key = 0

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if not self.state:
            raise self.data
        self.state.push(core.cur_task)
        core.cur_task.data = self

    def done(self):
        """True when the coroutine has ended."""
        return not self.state

    def cancel(self):
        """Raise CancelledError in the coroutine, or in the task that it waits for; False when it has
        ended.
        """
        if not self.state:
            return False
        if self is core.cur_task:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            core._task_queue.push(task)
        elif task.ph_key > core.ticks():
            core._task_queue.remove(task)
            core._task_queue.push(task)
        task.data = core.CancelledError
        return True


class Lockstep:
    """The board's end of the link: collects requests while the program runs, waits and hands out events when
    it is idle.

    `handlers` maps a message kind to a function that takes the body; it is called before the program
    continues.
    """

    def __init__(self, address, code, width, height):
        self.now_ms = 0
        self.epoch_ms = 0
        self.seed = b""
        self.handlers = {}
        # asyncio ends its loop when nothing can wake it; a board can always be woken, so this is never empty.
        self.map = {"ether": self}
        self.serial_used = False
        self._serial: Any = None
        self._serial_ready: Any = None
        self._sequence = 0
        self._outgoing = []
        self._outgoing_size = 0
        self._splitter = link.Splitter()
        self._events = []
        self._socket: Any = self._connect(address)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN)
        self.request(link.HELLO, struct.pack(link.HELLO_HEAD, link.VERSION, width, height) + code.encode())
        self._flush()
        self._wait_for_run()

    # What the drivers use.

    def request(self, kind, body=b""):
        """Ask the ether for something; it happens at the present virtual time, once the program is idle."""
        data = link.message(kind, body)
        self._outgoing.append(data)
        self._outgoing_size += len(data)
        if self._outgoing_size > _FLUSH_LIMIT:
            self._flush()

    def request_long(self, kind, head, rest):
        """The same with a body of two pieces, the second as long as a display's buffer: nothing is put
        together, for a heap in use has no such room.
        """
        self._outgoing += (link.message_head(kind, len(head) + len(rest)), head)
        self._flush()
        self._write(rest)

    def watch_serial(self, stream, ready):
        """From now on also wake when `stream` has bytes, and call `ready()` then; None, None stops it."""
        self._serial = stream
        self._serial_ready = ready

    # What asyncio uses.

    def wait_io_event(self, wait_ms):
        """Return at once for 0; else sleep until `wait_ms` have gone by (negative: no limit) or something
        happens.
        """
        if wait_ms == 0:
            return
        self._sleep(link.NEVER if wait_ms < 0 else self.now_ms + wait_ms)
        # asyncio takes the next task right after a wait without limit, so there has to be one: an event that
        # nobody waits for (a frame while no task receives) is none.
        while wait_ms < 0 and core._task_queue.peek() is None:
            self._sleep(link.NEVER)

    def _sleep(self, deadline_ms):
        """End this turn; returns in the next one."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self.request(
            link.IDLE, struct.pack(link.IDLE_BODY, self._sequence, deadline_ms, int(self.serial_used))
        )
        self.serial_used = False
        self._flush()
        self._wait_for_run()

    def queue_read(self, stream):
        """Streams and ThreadSafeFlag need the machine's clock: a virtual board has board.serial instead."""
        raise NotImplementedError("no stream I/O on a virtual board: use board.serial")

    queue_write = queue_read

    # The connection.

    def _connect(self, address):
        host, _, port = address.rpartition(":")
        try:
            connection = socket.socket()
            connection.connect(socket.getaddrinfo(host, int(port))[0][-1])
        except (OSError, ValueError) as error:
            self._end("cannot reach the ether at %s: %s" % (address, error))
        return connection

    def _flush(self):
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self._outgoing_size = 0
        self._write(data)

    def _write(self, data):
        try:
            self._socket.write(data)
        except OSError as error:
            self._end("the ether is gone (%s)" % error)

    def _wait_for_run(self):
        """Handle messages until the ether says RUN; ask for it when the serial port has bytes."""
        serial: Any = self._serial
        if serial is not None:
            self._poller.register(serial, select.POLLIN)
        while True:
            if serial is not None:
                ether_ready = False
                for stream, _ in self._poller.poll():
                    if stream is self._socket:
                        ether_ready = True
                    else:
                        self._poller.unregister(serial)
                        serial = None
                if serial is None and self._serial is not None:
                    self.request(link.WAKE, struct.pack(link.WAKE_BODY, self._sequence))
                    self._flush()
                    self._serial_ready()
                    self._serial = None
                if not ether_ready:
                    continue
            if self._receive():
                break
        if serial is not None:
            self._poller.unregister(serial)

    def _receive(self):
        """Read once from the ether; True when a RUN was among the messages."""
        try:
            data = self._socket.recv(_READ)
        except OSError as error:
            self._end("the ether is gone (%s)" % error)
        if not data:
            self._end("the ether is gone")
        try:
            messages = self._splitter.receive(data)
        except link.LinkError as error:
            self._end("the ether sent nonsense: %s" % error)
        running = False
        for kind, body in messages:
            if kind == link.RUN:
                self.now_ms = struct.unpack(link.RUN_BODY, body)[0]
                running = True
            elif kind == link.WELCOME:
                version, self.now_ms, self.epoch_ms, self.seed = struct.unpack(link.WELCOME_BODY, body)
                if version != link.VERSION:
                    self._end("the ether speaks version %d, this board %d" % (version, link.VERSION))
            elif kind == link.REFUSED:
                self._end("the ether refuses this board: %s" % body.decode())
            else:
                # Handlers read the clock, so they have to see the time at which the event happened: that of
                # RUN.
                self._events.append((kind, body))
        if running:
            for kind, body in self._events:
                handler = self.handlers.get(kind)
                if handler is not None:
                    handler(body)
            self._events.clear()
        return running

    def _end(self, reason):
        sys.stderr.write("virtual board stops: %s\n" % reason)
        raise SystemExit(EXIT_ETHER_GONE)


def install(lockstep):
    """Make asyncio wait through `lockstep`; call it before the first task exists."""

    def ticks():
        return lockstep.now_ms

    core.ticks = ticks
    core.ticks_add = lambda ticks, delta: ticks + delta
    core.ticks_diff = lambda ticks, older: ticks - older
    core.Task = asyncio.Task = Task
    core.TaskQueue = TaskQueue
    core.IOQueue = lambda: lockstep
    core.new_event_loop()
