"""From a frame to its Data message: which of our keys opens it, and what that proves."""

from baken.compat import const
from baken.mesh.secrets import open_data
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MeshConfig
    from baken.mesh.nodedb import NodeDatabase
    from baken.wire.packet import Packet


class Opened(Record):
    """What was in a packet: `data` by field name, the index of the `channel` it came on.

    `pki`: sealed between the sender's key pair and ours (channel is 0 then). `signed`: the XEdDSA signature
    of a broadcast was there and is genuine under the sender's known key.
    """

    __slots__ = ("channel", "data", "pki", "signed")

    def __init__(self, data: dict, channel: int, pki: bool = False, signed: bool = False) -> None:
        self.data = data
        self.channel = channel
        self.pki = pki
        self.signed = signed


class Opener:
    """Opens packets for one node.

    `refusal` tells why `open` gave None: "no-key" for a public-key message of a node whose key we do not
    have, else "undecryptable".
    """

    def __init__(self, config: "MeshConfig", nodes: "NodeDatabase") -> None:
        self._nodes = nodes
        self.refusal = ""
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take new channels and keys."""
        self._config = config
        self.secrets = config.secrets()

    def open(self, packet: "Packet") -> "Opened | None":
        """The packet's content, or None where no key of ours fits."""
        data, channel = open_data(self.secrets, packet)
        if data is None:
            is_sealed = packet.channel_hash == 0 and packet.to == self._config.node_num
            self.refusal = "no-key" if is_sealed else "undecryptable"
            return None
        return Opened(data, channel)
