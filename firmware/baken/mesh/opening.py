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
    """Opens packets for one node."""

    def __init__(self, config: "MeshConfig", nodes: "NodeDatabase") -> None:
        self._nodes = nodes
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take new channels and keys."""
        self._config = config
        self.secrets = config.secrets()

    def open(self, packet: "Packet") -> "Opened | None":
        """The packet's content, or None where no key of ours fits."""
        data, channel = open_data(self.secrets, packet)
        return None if data is None else Opened(data, channel)
