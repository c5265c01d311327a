"""From a frame to its Data message: which of our keys opens it, and what that proves."""

from baken.compat import const
from baken.mesh.nodedb import SIGNS
from baken.mesh.secrets import Keyring, open_data, read_data
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import NODEINFO_APP, SIGNATURES_BALANCED, SIGNATURES_STRICT, TEXT_MESSAGE_APP
from baken.wire.packet import BROADCAST, MAX_PAYLOAD
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MeshConfig
    from baken.mesh.nodedb import NodeDatabase
    from baken.wire.packet import Packet

# Why a packet was not opened.
UNDECRYPTABLE = "undecryptable"
NO_KEY = "no-key"  # sealed to us by a node whose key we do not know
LEGACY_DM = "legacy-dm"  # a text to us under a channel's key: anybody on the channel could have written it
BAD_SIGNATURE = "bad-signature"
UNSIGNED = "unsigned"  # against our policy

_SIGNATURE_SIZE = const(64)
_SIGNATURE_FIELD = const(66)
_SEALED_OVERHEAD = const(12)


class Opened(Record):
    """What was in a packet: `data` by field name, the index of the `channel` it came on.

    `pki`: sealed between the sender's key pair and ours (`channel` is the primary then, where the answer
    goes). `signed`: the XEdDSA signature was there and is genuine under the sender's known key.
    """

    __slots__ = ("channel", "data", "pki", "signed")

    def __init__(self, data: dict, channel: int, pki: bool = False, signed: bool = False) -> None:
        self.data = data
        self.channel = channel
        self.pki = pki
        self.signed = signed


class Opener:
    """Opens packets for one node. After an `open` that gave None, `refusal` says why: NO_KEY, ...

    What is refused for its signature, or as a direct text, could be read and is false: it is not relayed.
    """

    def __init__(self, config: "MeshConfig", nodes: "NodeDatabase") -> None:
        self._nodes = nodes
        self.keys = Keyring()
        self.refusal = ""
        self._genuine = []
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take new channels and keys."""
        self._config = config
        self.secrets = config.secrets()
        self.keys.configure(config.private_key)

    @property
    def refused_as_false(self) -> bool:
        """Whether the last refusal is about what a packet says, not about our keys."""
        return self.refusal in (LEGACY_DM, BAD_SIGNATURE, UNSIGNED)

    def open(self, packet: "Packet") -> "Opened | None":
        """The packet's content, or None where no key of ours fits or it is not to be believed."""
        self.refusal = ""
        to_us = packet.to == self._config.node_num
        sealed = to_us and packet.channel_hash == 0 and len(packet.payload) > _SEALED_OVERHEAD
        if sealed and self.keys:
            public = self._nodes.public_key(packet.sender)
            encoded = self._unseal(packet, public) if public else None
            if encoded is not None:
                data = read_data(encoded)
                if data is None:
                    self.refusal = UNDECRYPTABLE
                    return None
                return Opened(data, self._config.primary, pki=True)
            if not public:
                self.refusal = NO_KEY
        data, channel = open_data(self.secrets, packet)
        if data is None:
            self.refusal = self.refusal or UNDECRYPTABLE
            return None
        self.refusal = ""
        if to_us and data["portnum"] == TEXT_MESSAGE_APP and self.keys and not self._config.is_licensed:
            self.refusal = LEGACY_DM
            return None
        signature_size = len(data.get("xeddsa_signature", b""))
        if signature_size == 0:
            if self._must_sign(packet):
                self.refusal = UNSIGNED
        elif signature_size == _SIGNATURE_SIZE:
            return self._open_signed(packet, data, channel)
        else:
            self.refusal = BAD_SIGNATURE
        return None if self.refusal else Opened(data, channel)

    def _unseal(self, packet: "Packet", public: bytes) -> "bytes | None":
        key = self.keys.shared(public)
        if not key:
            return None
        from baken.wire import direct

        try:
            return direct.open(key, packet.id, packet.sender, packet.payload)
        except RemoteProtocolError:
            return None

    def _must_sign(self, packet: "Packet") -> bool:
        policy = self._config.signature_policy
        if policy == SIGNATURES_STRICT:
            return True
        return (
            policy == SIGNATURES_BALANCED
            and packet.to == BROADCAST
            and len(packet.payload) + _SIGNATURE_FIELD <= MAX_PAYLOAD
            and self._nodes.has(packet.sender, SIGNS)
        )

    def _open_signed(self, packet: "Packet", data: dict, channel: int) -> "Opened | None":
        from baken.mesh import signatures

        public = self._nodes.public_key(packet.sender)
        if not public and data["portnum"] == NODEINFO_APP:
            public = signatures.introduced_key(packet, data)
            if not public:
                self.refusal = BAD_SIGNATURE
                return None
        if not public:
            if self._config.signature_policy == SIGNATURES_STRICT:
                self.refusal = UNSIGNED
                return None
            return Opened(data, channel)
        if not signatures.is_genuine(packet, data, public, self._genuine):
            self.refusal = BAD_SIGNATURE
            return None
        return Opened(data, channel, signed=True)
