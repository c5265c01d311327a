"""Channels as frames need them: a key and a hash byte, and opening a frame with the right one."""

from baken.compat import const
from baken.wire import protobuf
from baken.wire.channel import channel_hash, crypt
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import DATA, MAX_PORT
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Sequence

    from baken.wire.packet import Packet


class Secret(Record):
    """One of our channels: its effective name, expanded AES key (empty: clear) and hash byte."""

    __slots__ = ("hash", "key", "name")

    def __init__(self, name: bytes, key: bytes) -> None:
        self.name = name
        self.key = key
        self.hash = channel_hash(name, key)


def open_data(secrets: "Sequence[Secret | None]", packet: "Packet") -> "tuple[dict | None, int]":
    """The Data message, and the index of the first channel with the packet's hash that gives sense.

    (None, 0) where no channel fits. Nothing proves that the right key was used: a wrong one gives noise,
    which seldom is a message.
    """
    for index in range(len(secrets)):
        secret = secrets[index]
        if secret is None or secret.hash != packet.channel_hash:
            continue
        try:
            data = protobuf.decode(DATA, crypt(secret.key, packet.id, packet.sender, packet.payload))
        except RemoteProtocolError:
            continue
        if 0 < data.get("portnum", 0) <= MAX_PORT:
            return data, index
    return None, 0
