"""Next-hop routing of unicasts: over whom a node is reached, learned from answers that came back.

An answer of D proves a way: if its last relay R also relayed the question, and we sent or relayed that, then
R is the next hop from here to D; if D answered directly and we alone carried the question, D is. A packet
that names a next hop is relayed by that node only. One byte names a node, so two neighbours may share it:
then, and where no way is known or the known one fails, the packet is flooded.
"""

from baken.compat import const
from baken.mesh.queue import packet_key
from baken.wire.packet import BROADCAST, low_byte

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MeshConfig
    from baken.mesh.flood import History
    from baken.mesh.nodedb import NodeDatabase
    from baken.wire.packet import Packet


class Routes:
    """The next hops that `nodes` holds, read and learned for one node."""

    def __init__(self, config: "MeshConfig", nodes: "NodeDatabase", history: "History") -> None:
        self._nodes = nodes
        self._history = history
        self.configure(config)

    def configure(self, config: "MeshConfig") -> None:
        """Take another number."""
        self._low_byte = low_byte(config.node_num)

    def next_hop(self, to: int, heard_from: int = 0) -> int:
        """Low byte of the node that should relay to `to`; 0: flood. `heard_from` relayed it to us."""
        if to == BROADCAST:
            return 0
        hop = self._nodes.next_hop(to)
        if hop in (0, heard_from, self._low_byte) or len(self._nodes.numbers_ending(hop)) > 1:
            return 0
        return hop

    def forget(self, to: int) -> None:
        """The known way to this node has failed."""
        self._nodes.set_next_hop(to, 0)

    def learn(self, packet: "Packet", data: "dict", hops_away: "int | None") -> None:
        """Take what an answer to a packet that we sent or relayed tells about the way to its sender."""
        answered_id = data.get("request_id") or data.get("reply_id")
        if not answered_id or packet.to == BROADCAST or packet.via_mqtt or not packet.hop_start:
            return
        at = self._history.find(packet_key(packet.to, answered_id))
        if at < 0 or not self._history.is_relayed(at):
            return
        relay = packet.relay_node
        if self._history.has_relayer(at, relay) or (relay and hops_away == 0 and self._history.is_sole(at)):
            self._nodes.set_next_hop(packet.sender, relay)

    def note_relayer(self, packet: "Packet", at: int) -> None:
        """Note who put this copy on the air, unless it was its sender; `at` is its place in the history."""
        if packet.hop_limit < packet.hop_start and packet.relay_node not in (0, self._low_byte):
            self._history.add_relayer(at, packet.relay_node)

    def fell_back(self, packet: "Packet", at: int) -> bool:
        """Whether a relay that asked another node than us has got no further, and asks everybody now."""
        history = self._history
        asked = history.next_hop(at)
        return (
            asked not in (0, self._low_byte)
            and packet.hop_start > 0
            and packet.next_hop == 0
            and history.has_relayer(at, packet.relay_node)
            and not history.has_relayer(at, asked)
            and not history.is_relayed(at)
        )
