"""The link between a virtual board and the ether: one TCP connection on loopback, spoken by both runtimes.

Every message is `length u16 | kind u8 | body`, big endian; `length` counts kind and body and is at most
MESSAGE_LIMIT.

    board to ether                                        ether to board
    0x01 HELLO      version u8, width u16, height u16,    0x81 WELCOME   version u8, now_ms u64,
                    code (1..16 bytes ASCII)                             epoch_ms u64 (unix), seed (32 bytes)
    0x02 IDLE       sequence u32, deadline_ms u64,        0x82 REFUSED   reason (UTF-8)
                    serial u8 (1: bytes went by)          0x83 RUN       now_ms u64
    0x03 WAKE       sequence u32                          0x84 RECEIVED  rssi_dbm i16, snr_db i16, frame
    0x04 CONFIGURE  frequency_hz u32, bandwidth_hz u32,   0x85 SENT      -
                    spreading_factor u8, coding_rate u8,  0x86 CHANNEL   free u8
                    preamble_symbols u16, sync_word u8,   0x87 BUTTON    0 short, 1 long
                    power_dbm i8                          0x88 SHOWN     -
    0x05 TRANSMIT   frame (1..255 bytes)                  0x89 BATTERY   percent u8
    0x06 LISTEN     -
    0x07 PICTURE    width u16, height u16, rows (MONO_HLSB)

A board runs only between RUN and IDLE, and its clock stands still meanwhile: whatever it asks for happens at
the time that RUN named. IDLE ends the turn and names the time at which the board wants to run again (NEVER:
only when something happens). Each IDLE is answered by exactly one RUN, preceded by the events that caused it.
WAKE asks for that RUN at once (the serial port has bytes); the ether ignores a WAKE whose sequence number is
not that of the board's last IDLE, because its RUN is then already under way.

`seed` is another one at every start of the board. A message over MESSAGE_LIMIT, of an unknown kind or of the
wrong size is a LinkError, and ends the connection.
"""

import struct

VERSION = 1
MESSAGE_LIMIT = 8192
CODE_LIMIT = 16
FRAME_LIMIT = 255
NEVER = 0xFFFFFFFFFFFFFFFF

HELLO = 0x01
IDLE = 0x02
WAKE = 0x03
CONFIGURE = 0x04
TRANSMIT = 0x05
LISTEN = 0x06
PICTURE = 0x07

WELCOME = 0x81
REFUSED = 0x82
RUN = 0x83
RECEIVED = 0x84
SENT = 0x85
CHANNEL = 0x86
BUTTON = 0x87
SHOWN = 0x88
BATTERY = 0x89

SHORT_PRESS = 0
LONG_PRESS = 1

# Bodies of fixed size, and the fixed head of the others. struct is never given a number that was not checked
# before: MicroPython's pack truncates silently.
HELLO_HEAD = ">BHH"
IDLE_BODY = ">IQB"
WAKE_BODY = ">I"
CONFIGURE_BODY = ">IIBBHBb"
PICTURE_HEAD = ">HH"
WELCOME_BODY = ">BQQ32s"
RUN_BODY = ">Q"
RECEIVED_HEAD = ">hh"

_EXACT_SIZES = {
    IDLE: 13,
    WAKE: 4,
    CONFIGURE: 14,
    LISTEN: 0,
    WELCOME: 49,
    RUN: 8,
    SENT: 0,
    CHANNEL: 1,
    BUTTON: 1,
    SHOWN: 0,
    BATTERY: 1,
}
# kind -> (smallest, largest) size of a body whose size varies.
_SIZE_RANGES = {
    HELLO: (6, 5 + CODE_LIMIT),
    TRANSMIT: (1, FRAME_LIMIT),
    PICTURE: (5, MESSAGE_LIMIT - 1),
    REFUSED: (0, 512),
    RECEIVED: (5, 4 + FRAME_LIMIT),
}


class LinkError(Exception):
    """The other side of the link sent something that this protocol does not know."""


def check_size(kind, size):
    """Raise LinkError when a body of `size` bytes cannot belong to a message of this kind."""
    exact = _EXACT_SIZES.get(kind)
    if exact is not None:
        if size != exact:
            raise LinkError("message 0x%02x has %d bytes, not %d" % (kind, size, exact))
        return
    bounds = _SIZE_RANGES.get(kind)
    if bounds is None:
        raise LinkError("message kind 0x%02x is unknown" % kind)
    if size < bounds[0] or size > bounds[1]:
        raise LinkError("message 0x%02x has %d bytes, limits %d..%d" % (kind, size, bounds[0], bounds[1]))


def message(kind, body=b""):
    """The bytes of one message; LinkError when the body does not fit its kind."""
    return message_head(kind, len(body)) + body


def message_head(kind, size):
    """What comes before a body of `size` bytes; LinkError when that does not fit its kind."""
    check_size(kind, size)
    return struct.pack(">HB", size + 1, kind)


class Splitter:
    """Cuts a byte stream into messages; any split of the bytes gives the same messages."""

    def __init__(self):
        self._pending = b""

    def receive(self, data):
        """Messages completed by `data`, as a list of (kind, body); LinkError on nonsense, after which it is
        useless.
        """
        data = self._pending + data if self._pending else data
        messages = []
        start = 0
        end = len(data)
        while end - start >= 3:
            length, kind = struct.unpack_from(">HB", data, start)
            if length < 1 or length > MESSAGE_LIMIT:
                raise LinkError("message of %d bytes, limits 1..%d" % (length, MESSAGE_LIMIT))
            check_size(kind, length - 1)
            if end - start < 2 + length:
                break
            messages.append((kind, bytes(data[start + 3 : start + 2 + length])))
            start += 2 + length
        self._pending = bytes(data[start:])
        return messages
