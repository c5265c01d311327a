"""The drivers of the virtual board: the board contract on top of the link to the ether.

Each driver turns what a program asks for into a request and an event from the ether into a wake-up. Every
queue that the ether or a peer can fill is bounded, and counts what it dropped.
"""

import asyncio
import hashlib
import struct
import sys
from collections import deque

from micropython import const

from baken_hardware.virtual import link

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

RECEIVE_QUEUE_LIMIT = 16
PRESS_QUEUE_LIMIT = 8
SERIAL_READ_LIMIT = 512


def _check(name, value, lowest, highest):
    if value < lowest or value > highest:
        raise ValueError("%s is %d, limits %d..%d" % (name, value, lowest, highest))


class Radio:
    """A LoRa modem: half duplex, one frame at a time, listening whenever it does not send."""

    def __init__(self, lockstep):
        self.dropped = 0
        self._lockstep = lockstep
        self._configured = False
        self._received: Any = deque((), RECEIVE_QUEUE_LIMIT)
        self._has_received = asyncio.Event()
        self._on_air = False
        self._sent = asyncio.Event()
        self._is_listening = False
        self._channel_free = False
        self._listened = asyncio.Event()
        lockstep.handlers[link.RECEIVED] = self._receive
        lockstep.handlers[link.SENT] = self._finish_sending
        lockstep.handlers[link.CHANNEL] = self._finish_listening

    def configure(
        self,
        frequency_hz,
        bandwidth_hz,
        spreading_factor,
        coding_rate,
        preamble_symbols,
        sync_word,
        power_dbm,
    ):
        """Tune the modem; ValueError names a setting outside what an SX1262 can do. `coding_rate` is 5..8
        (4/5..4/8).
        """
        _check("frequency_hz", frequency_hz, 150000000, 960000000)
        _check("bandwidth_hz", bandwidth_hz, 7800, 500000)
        _check("spreading_factor", spreading_factor, 5, 12)
        _check("coding_rate", coding_rate, 5, 8)
        _check("preamble_symbols", preamble_symbols, 6, 65535)
        _check("sync_word", sync_word, 0, 255)
        _check("power_dbm", power_dbm, -9, 22)
        self._lockstep.request(
            link.CONFIGURE,
            struct.pack(
                link.CONFIGURE_BODY,
                frequency_hz,
                bandwidth_hz,
                spreading_factor,
                coding_rate,
                preamble_symbols,
                sync_word,
                power_dbm,
            ),
        )
        self._configured = True

    async def send(self, frame):
        """Put a frame of 1..255 bytes on the air; returns when it has left the antenna. Callers take
        turns.
        """
        _check("frame length", len(frame), 1, link.FRAME_LIMIT)
        self._require_settings()
        while self._on_air:
            await self._sent.wait()
        self._on_air = True
        self._sent.clear()
        self._lockstep.request(link.TRANSMIT, bytes(frame))
        await self._sent.wait()

    async def receive(self):
        """The next good frame, as (frame, rssi_dbm, snr_db)."""
        while not self._received:
            self._has_received.clear()
            await self._has_received.wait()
        return self._received.popleft()

    async def channel_free(self):
        """One channel activity detection; False also while a frame is being received or sent."""
        self._require_settings()
        while self._is_listening:
            await self._listened.wait()
        self._is_listening = True
        self._listened.clear()
        self._lockstep.request(link.LISTEN)
        await self._listened.wait()
        return self._channel_free

    def _require_settings(self):
        if not self._configured:
            raise RuntimeError("the radio is not configured")

    def _receive(self, body):
        rssi_dbm, snr_db = struct.unpack_from(link.RECEIVED_HEAD, body)
        if len(self._received) == RECEIVE_QUEUE_LIMIT:
            self._received.popleft()
            self.dropped += 1
        self._received.append((body[4:], rssi_dbm, snr_db))
        self._has_received.set()

    def _finish_sending(self, body):
        self._on_air = False
        self._sent.set()

    def _finish_listening(self, body):
        self._is_listening = False
        self._channel_free = body[0] != 0
        self._listened.set()


class Display:
    """A one-bit panel. `buffer`: rows of (width + 7) // 8 bytes, most significant bit left, 1 = paper."""

    def __init__(self, lockstep, width, height):
        self.width = width
        self.height = height
        self.buffer = bytearray(b"\xff" * ((width + 7) // 8 * height))
        self._lockstep = lockstep
        self._refreshing = False
        self._shown = asyncio.Event()
        lockstep.handlers[link.SHOWN] = self._finish

    async def show(self):
        """Put the present contents of `buffer` on the panel; returns when the panel has settled."""
        while self._refreshing:
            await self._shown.wait()
        self._refreshing = True
        self._shown.clear()
        head = struct.pack(link.PICTURE_HEAD, self.width, self.height)
        self._lockstep.request_long(link.PICTURE, head, self.buffer)
        await self._shown.wait()

    def _finish(self, body):
        self._refreshing = False
        self._shown.set()


class Button:
    """The one button."""

    def __init__(self, lockstep):
        self.dropped = 0
        self._presses: Any = deque((), PRESS_QUEUE_LIMIT)
        self._pressed = asyncio.Event()
        lockstep.handlers[link.BUTTON] = self._receive

    async def press(self):
        """The next press: "short" or "long"."""
        while not self._presses:
            self._pressed.clear()
            await self._pressed.wait()
        return self._presses.popleft()

    def _receive(self, body):
        if len(self._presses) == PRESS_QUEUE_LIMIT:
            self._presses.popleft()
            self.dropped += 1
        self._presses.append("long" if body[0] == link.LONG_PRESS else "short")
        self._pressed.set()


class Clock:
    """Time since the ether began, and calendar time as far as this board knows it."""

    def __init__(self, lockstep, is_set=True, offset_s=0):
        self._lockstep = lockstep
        self._is_set = is_set
        self._offset_s = offset_s

    def ticks_ms(self):
        """Virtual milliseconds: monotonic, never wraps, stands still while the program runs."""
        return self._lockstep.now_ms

    def unix_s(self):
        """Seconds since 1970 (UTC) by this board's clock, or None when it was never set."""
        return self._true_unix_s() + self._offset_s if self._is_set else None

    def set_unix_s(self, unix_s):
        """Set the clock; it runs on from there."""
        self._offset_s = unix_s - self._true_unix_s()
        self._is_set = True

    def _true_unix_s(self):
        return (self._lockstep.epoch_ms + self._lockstep.now_ms) // 1000


class Serial:
    """The USB serial port: the process's standard input and output, which must not block (`attached`)."""

    def __init__(self, lockstep, attached):
        self._lockstep = lockstep
        self._input = sys.stdin.buffer if attached else None
        self._output = sys.stdout.buffer if attached else None
        self._readable = asyncio.Event()

    async def read(self):
        """The next 1..512 bytes from the host; waits for ever when no host can come."""
        while True:
            data = self._read_now()
            if data:
                self._lockstep.serial_used = True
                return data
            self._readable.clear()
            if self._input is not None:
                self._lockstep.watch_serial(self._input, self._readable.set)
            await self._readable.wait()

    def write(self, data):
        """Hand bytes to the host; returns how many were taken, 0 when nobody reads them. Never blocks."""
        if self._output is None or not data:
            return 0
        try:
            taken = self._output.write(data) or 0
        except OSError:
            self._detach()
            return 0
        if taken:
            self._lockstep.serial_used = True
        return taken

    def _read_now(self):
        if self._input is None:
            return None
        try:
            data = self._input.read(SERIAL_READ_LIMIT)
        except OSError:
            data = b""
        if data == b"":
            # End of file: the cable is out, and a new one means a restart of the board.
            self._detach()
        return data

    def _detach(self):
        self._input = None
        self._output = None
        self._lockstep.watch_serial(None, None)


class Battery:
    """Charge as set from outside."""

    def __init__(self, lockstep, percent):
        self._percent = percent
        lockstep.handlers[link.BATTERY] = self._receive

    def percent(self):
        """Charge left, 0..100."""
        return self._percent

    def _receive(self, body):
        self._percent = min(body[0], 100)


class Entropy:
    """Random bytes: SHA-256 over a counter and the seed that the ether gave this start of the board."""

    def __init__(self, seed):
        self._seed = seed
        self._count = 0

    def random_bytes(self, count):
        """`count` bytes; the same ones when a seeded ether plays the same exercise again."""
        data = b""
        while len(data) < count:
            data += hashlib.sha256(self._seed + struct.pack(">Q", self._count)).digest()
            self._count += 1
        return data[:count]
