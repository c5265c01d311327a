"""Text messages as a node keeps them: their bytes, and which goes first when there are too many.

An entry, big-endian; entries stand one behind the other:

    0     2   magic     b7 54
    2     2   size      of the body, u16
    4     4   sender    node number
    8     4   id        of the packet
    12    4   to        node number, ffffffff: everybody on the channel
    16    4   time      unix seconds when it came in, 0: unknown
    20    1   flags     1 alert, 2 sealed for us (PKC), 4 to this node, 8 from this node, 16 clock was rough
    21    1   channel   index
    22    1+n name      short name of the sender at that time
    ...   1+n name      of the channel
    ...       text      UTF-8, the rest of the body
    ...   4   CRC-32    of the body

No input or output: whoever keeps the bytes asks `Shelf` which of them still count.
"""

import struct

from baken.compat import const, crc32
from baken.wire.errors import LocalProtocolError
from baken.wire.packet import BROADCAST
from baken.wire.record import Record

MAX_MESSAGES = const(32)
RESERVED = const(16)  # of them for alerts and what is addressed to this node, and as many for the rest
MAX_TEXT = const(237)
MAX_SHORT_NAME = const(4)
MAX_CHANNEL_NAME = const(11)
MAX_ENTRY = const(280)  # with both names and the text at their limits

ALERT = const(1)
SEALED = const(2)
TO_US = const(4)
FROM_US = const(8)
ROUGH_CLOCK = const(16)

_MAGIC = b"\xb7T"
_HEAD = const(4)
_FIXED = ">IIIIBB"
_FIXED_SIZE = const(18)


class Message(Record):
    """One text. `unix_s` is None when the clock did not know; names and text are valid UTF-8.

    `flags`: a sum of ALERT, SEALED, TO_US, FROM_US, ROUGH_CLOCK.
    """

    __slots__ = (
        "sender",
        "packet_id",
        "to",
        "unix_s",
        "flags",
        "channel",
        "short_name",
        "channel_name",
        "text",
    )

    def __init__(
        self,
        sender: int,
        packet_id: int,
        to: int,
        unix_s: "int | None",
        flags: int,
        channel: int,
        short_name: bytes,
        channel_name: bytes,
        text: bytes,
    ) -> None:
        self.sender = sender
        self.packet_id = packet_id
        self.to = to
        self.unix_s = unix_s
        self.flags = flags
        self.channel = channel
        self.short_name = short_name
        self.channel_name = channel_name
        self.text = text

    @property
    def direct(self) -> bool:
        """To one node, not to everybody on the channel."""
        return self.to != BROADCAST


def encode(message: Message) -> bytes:
    """The entry of a message; LocalProtocolError names a value out of bounds."""
    for name, value, limit in (
        ("sender", message.sender, 0xFFFFFFFF),
        ("packet id", message.packet_id, 0xFFFFFFFF),
        ("to", message.to, 0xFFFFFFFF),
        ("time", message.unix_s or 0, 0xFFFFFFFF),
        ("flags", message.flags, 0xFF),
        ("channel", message.channel, 0xFF),
        ("short name's length", len(message.short_name), MAX_SHORT_NAME),
        ("channel name's length", len(message.channel_name), MAX_CHANNEL_NAME),
        ("text's length", len(message.text), MAX_TEXT),
    ):
        if not 0 <= value <= limit:
            raise LocalProtocolError("%s is %d, limit %d" % (name, value, limit), "text-value")
    body = struct.pack(
        _FIXED,
        message.sender,
        message.packet_id,
        message.to,
        message.unix_s or 0,
        message.flags,
        message.channel,
    )
    for name in (message.short_name, message.channel_name):
        body += bytes((len(name),)) + name
    body += message.text
    return _MAGIC + struct.pack(">H", len(body)) + body + struct.pack(">I", crc32(body))


def decode(data: bytes) -> "Message | None":
    """The message whose entry `data` begins with; None when no whole one stands there."""
    size = entry_size(data)
    if not size:
        return None
    sender, packet_id, to, unix_s, flags, channel = struct.unpack_from(_FIXED, data, _HEAD)
    at = _HEAD + _FIXED_SIZE
    names = []
    for limit in (MAX_SHORT_NAME, MAX_CHANNEL_NAME):
        end = at + 1 + data[at]
        if data[at] > limit or end > size - 4:
            return None
        names.append(data[at + 1 : end])
        at = end
    text = data[at : size - 4]
    if len(text) > MAX_TEXT:
        return None
    return Message(sender, packet_id, to, unix_s or None, flags, channel, names[0], names[1], text)


def entry_size(data: bytes) -> int:
    """Bytes of the entry at the beginning of `data`, 0 when there is no whole one."""
    if len(data) < _HEAD or data[:2] != _MAGIC:
        return 0
    size = _HEAD + (data[2] << 8 | data[3]) + 4
    if not _HEAD + _FIXED_SIZE + 2 + 4 <= size <= min(MAX_ENTRY, len(data)):
        return 0
    return size if crc32(data[_HEAD : size - 4]) == struct.unpack_from(">I", data, size - 4)[0] else 0


def next_start(data: bytes) -> int:
    """How many bytes to skip behind damage: to where the next entry may begin."""
    at = data.find(_MAGIC, 1)
    return at if at > 0 else max(1, len(data) - 1)


class Shelf:
    """Which messages are kept, oldest first; `places`: where each one's entry is, whatever that is.

    Alerts and what is addressed to this node may take RESERVED places whatever else comes in, and the rest
    as many: when all are taken, the kind that has more than its share loses its oldest. So neither chatter
    on the channel nor somebody who floods one node can push out the other.
    """

    def __init__(self) -> None:
        self.places = []
        self._keys = bytearray()
        self._apart = bytearray()

    def __len__(self) -> int:
        return len(self.places)

    def has(self, sender: int, packet_id: int) -> bool:
        """Whether this packet's text is kept."""
        key = struct.pack(">II", sender, packet_id)
        at = self._keys.find(key)
        while at >= 0 and at % 8:
            at = self._keys.find(key, at + 1)
        return at >= 0

    def add(self, message: Message, place) -> None:
        """Put the newest message on the shelf; one goes when it was full."""
        self.places.append(place)
        self._keys += struct.pack(">II", message.sender, message.packet_id)
        self._apart.append(1 if message.flags & (ALERT | TO_US) else 0)
        if len(self.places) > MAX_MESSAGES:
            apart = 1 if sum(self._apart) > RESERVED else 0
            self.remove(self._apart.find(b"\x01" if apart else b"\x00"))

    def remove(self, at: int) -> None:
        """Forget the message at this position."""
        self.places.pop(at)
        self._keys[at * 8 : at * 8 + 8] = b""
        self._apart[at : at + 1] = b""
