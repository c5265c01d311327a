"""Frames on a serial line (Meshtastic's client API), told apart from text that is printed in between.

    0x94 0xC3 | length u16 big endian, 0 to 512 | that many bytes

Everything outside a frame is text. A start that does not hold (wrong second byte, length above 512) costs
one byte: the search goes on behind it, so a stray 0x94 never swallows the frame that follows.
"""

from baken.compat import const
from baken.wire.errors import LocalProtocolError

MAX_PAYLOAD = const(512)
MAX_LINE = const(200)

_START_1 = const(0x94)
_START_2 = const(0xC3)
_HEADER_SIZE = const(4)


def frame(payload: bytes) -> bytes:
    """A payload of up to 512 bytes (it may be empty), framed."""
    length = len(payload)
    if length > MAX_PAYLOAD:
        raise LocalProtocolError(f"payload is {length} bytes, limit {MAX_PAYLOAD}", "stream-size")
    return bytes((_START_1, _START_2, length >> 8, length & 0xFF)) + payload


class Deframer:
    """Turns received bytes into payloads. However the bytes are cut into pieces, the result is the same.

    `max_lines` is how many lines of text are kept for `take_lines` (the oldest go first, counted in
    `lines_lost`); with 0 text is thrown away. `bad_starts` counts starts that did not hold.
    """

    def __init__(self, max_lines: int = 0) -> None:
        self.bad_starts = 0
        self.lines_lost = 0
        self._max_lines = max_lines
        self._buffer = bytearray()
        self._line = bytearray()
        self._lines = []

    def receive(self, data: bytes) -> "list[bytes]":
        """The payloads that these bytes complete, in order."""
        buffer = self._buffer
        buffer.extend(data)
        payloads = []
        at = 0
        while True:
            start = buffer.find(b"\x94", at)
            if start < 0:
                self._text(buffer, at, len(buffer))
                at = len(buffer)
                break
            self._text(buffer, at, start)
            at = start
            available = len(buffer) - at
            if available < 2:
                break
            if buffer[at + 1] == _START_2:
                if available < _HEADER_SIZE:
                    break
                length = buffer[at + 2] << 8 | buffer[at + 3]
                if length <= MAX_PAYLOAD:
                    if available < _HEADER_SIZE + length:
                        break
                    payloads.append(bytes(buffer[at + _HEADER_SIZE : at + _HEADER_SIZE + length]))
                    at += _HEADER_SIZE + length
                    continue
            self.bad_starts += 1
            self._text(buffer, at, at + 1)
            at += 1
        buffer[:at] = b""  # MicroPython has no `del buffer[:at]`
        return payloads

    def is_inside_frame(self) -> bool:
        """Whether the start of a frame has come and its rest has not."""
        return len(self._buffer) > 0

    def abandon_frame(self) -> "list[bytes]":
        """Give up waiting for the rest of a frame: for a line that has been silent.

        The bytes that were held back are searched again, so a whole frame among them is found and returned.
        """
        payloads = []
        while self._buffer:
            self.bad_starts += 1
            self._text(self._buffer, 0, 1)
            self._buffer[:1] = b""
            payloads += self.receive(b"")
        return payloads

    def take_lines(self) -> "list[bytes]":
        """The lines of text so far, without line ends, each at most 200 bytes; they are forgotten here."""
        lines = self._lines
        self._lines = []
        return lines

    def _text(self, buffer, at, end):
        if not self._max_lines:
            return
        line = self._line
        for i in range(at, end):
            byte = buffer[i]
            if byte == 0x0A:
                self._end_line()
            elif byte != 0x0D:
                if len(line) == MAX_LINE:
                    self._end_line()
                line.append(byte)

    def _end_line(self):
        self._lines.append(bytes(self._line))
        self._line[:] = b""
        if len(self._lines) > self._max_lines:
            self._lines.pop(0)
            self.lines_lost += 1
