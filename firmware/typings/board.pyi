"""The contract between the firmware and a hardware board: the module `board` that lies beside `main.py`.

Every board of `hardware/baken_hardware/boards`, and the virtual one, offers exactly this. Times are
milliseconds, calendar times unix seconds (UTC). What waits is a coroutine; what must never wait says so.
"""

from typing import Literal

NAME: str
"""What the board is called, as people know it."""

FLASH: str
"""The folder that survives a loss of power."""

WIDTH: int
HEIGHT: int
"""The display's size in pixels; the pages are drawn for 250 x 122."""

class Radio:
    """A LoRa transceiver, half duplex. `dropped`: good frames that nobody took in time."""

    dropped: int

    def configure(
        self,
        frequency_hz: int,
        bandwidth_hz: int,
        spreading_factor: int,
        coding_rate: int,
        preamble_symbols: int,
        sync_word: int,
        power_dbm: int,
    ) -> None:
        """Set the modem and begin to listen. `coding_rate` is the denominator: 5 for 4/5."""

    async def send(self, frame: bytes | bytearray | memoryview) -> None:
        """Send one frame (1..255 bytes); returns when it has left the antenna."""

    async def receive(self) -> tuple[bytes, int, float]:
        """The next good frame, its strength (dBm), its signal-to-noise ratio (dB); bounded queue inside."""

    async def channel_free(self) -> bool:
        """Listen once for activity; False also while a frame is being received."""

class Display:
    """A black and white display that keeps what it shows."""

    width: int
    height: int
    buffer: bytearray
    """The picture: rows of whole bytes, leftmost pixel in the highest bit (MONO_HLSB), 1 paper, 0 ink."""

    async def show(self) -> None:
        """Bring the buffer to the display; returns when it can be seen."""

class Button:
    async def press(self) -> Literal["short", "long"]:
        """The next press."""

class Clock:
    def ticks_ms(self) -> int:
        """Milliseconds since some moment before the start; never goes back, never wraps."""

    def unix_s(self) -> int | None:
        """Calendar time, or None when it was never set."""

    def set_unix_s(self, unix_s: int) -> None:
        """Set the calendar clock."""

class Serial:
    """The USB serial port, raw."""

    async def read(self) -> bytes:
        """The next bytes, 1 to 512."""

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Offer bytes; returns at once with how many were accepted, which may be 0."""

class Battery:
    def percent(self) -> int:
        """Charge, 0 to 100."""

radio: Radio
display: Display
button: Button
clock: Clock
serial: Serial
battery: Battery

def random_bytes(count: int) -> bytes:
    """Bytes from the chip's own source of randomness, fit for keys."""

def log(line: str) -> None:
    """A line of ASCII for the technician; a board that has no place for it drops it."""
