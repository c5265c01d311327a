"""What frames are opened and sealed with: the channels' keys, and those that our key pair makes."""

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

MAX_SHARED = const(8)


class Secret(Record):
    """One of our channels: its effective name, expanded AES key (empty: clear) and hash byte."""

    __slots__ = ("hash", "key", "name")

    def __init__(self, name: bytes, key: bytes) -> None:
        self.name = name
        self.key = key
        self.hash = channel_hash(name, key)


class Keyring:
    """Our private key at work; without one it is false.

    A shared key takes a chip half a second to make, so the last `MAX_SHARED` are kept. They are kept by the
    peer's public key: whose number it goes with is for the node database to say.
    """

    def __init__(self, private: bytes = b"") -> None:
        self._set(private)

    def configure(self, private: bytes) -> None:
        """Take a key pair; what was made with the same one stays."""
        if private != self._private:
            self._set(private)

    def _set(self, private: bytes) -> None:
        self._private = private
        self._publics = []
        self._keys = []
        self._signer = None

    def __bool__(self) -> bool:
        return bool(self._private)

    def shared(self, public: bytes) -> bytes:
        """The key that we share with the owner of `public`; empty for one that is no good."""
        if public in self._publics:
            at = self._publics.index(public)
            key = self._keys.pop(at)
            self._publics.pop(at)
        else:
            from baken.wire import direct

            try:
                key = direct.shared_key(self._private, public)
            except RemoteProtocolError:
                key = b""
            if len(self._keys) >= MAX_SHARED:
                self._keys.pop(0)
                self._publics.pop(0)
        self._publics.append(public)
        self._keys.append(key)
        return key

    def sign(self, message: bytes) -> bytes:
        """The XEdDSA signature of our key pair."""
        if self._signer is None:
            from baken.crypto.signing import PointKey

            self._signer = PointKey(self._private)
        return self._signer.sign(message)


def open_data(secrets: "Sequence[Secret | None]", packet: "Packet") -> "tuple[dict | None, int]":
    """The Data message, and the index of the first channel with the packet's hash that gives sense.

    (None, 0) where no channel fits. Nothing proves that the right key was used: a wrong one gives noise,
    which seldom is a message.
    """
    for index in range(len(secrets)):
        secret = secrets[index]
        if secret is None or secret.hash != packet.channel_hash:
            continue
        data = read_data(crypt(secret.key, packet.id, packet.sender, packet.payload))
        if data is not None:
            return data, index
    return None, 0


def read_data(encoded: bytes) -> "dict | None":
    """A Data message by field name, or None where these bytes are none."""
    try:
        data = protobuf.decode(DATA, encoded)
    except RemoteProtocolError:
        return None
    return data if 0 < data.get("portnum", 0) <= MAX_PORT else None
