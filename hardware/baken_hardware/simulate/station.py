"""One simulated node: MeshNode, Gossip and Replica of the core, joined as `baken.device.app` joins them.

A stock node is the same MeshNode without the noticeboard: it relays what it hears by Meshtastic's rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from baken.device.carrier import Carrier, gossip_settings
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard.events import Learned
from baken.noticeboard.gossip import Gossip
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire.messages import PRIORITY_ALERT, PRIVATE_APP, ROLE_CLIENT, ROLE_ROUTER
from baken.wire.modem import Preset
from baken.wire.trust import TrustList

if TYPE_CHECKING:
    from baken_hardware.simulate.world import World

CHANNEL = Channel(b"Baken", bytes(range(32, 64)))
FIRST_NUMBER = 0x4D650000
_MAX_KNOWN = 95


class Station:
    """Node `index` of a world. `is_stock`: without a noticeboard; `is_router`: its role, and a bridge."""

    def __init__(
        self,
        world: World,
        index: int,
        trust: TrustList,
        preset: Preset,
        hop_limit: int,
        rand: Callable[[int], int],
        is_stock: bool = False,
        is_router: bool = False,
    ) -> None:
        self.index = index
        self.is_stock = is_stock
        self.is_on = False
        self.wake_at: int | None = None
        self.offered: bytes | None = None
        self.mesh: MeshNode
        self.replica: Replica | None = None
        self.gossip: Gossip | None = None
        self.carrier: Carrier | None = None
        self._world = world
        self._trust = trust
        self._rand = rand
        self._store = MemoryStore()
        self._config = MeshConfig(
            FIRST_NUMBER + index,
            b"N%d" % index,
            b"%d" % (index % 10000),
            [CHANNEL],
            role=ROLE_ROUTER if is_router else ROLE_CLIENT,
            preset=preset.number,
            hop_limit=hop_limit,
            node_info_s=0,
        )

    def start(self, known: list[int], now: int) -> None:
        """Power on: everything but the store is new. `known`: nodes that introduced themselves long ago, so
        nobody asks them who they are.
        """
        self.is_on = True
        self.offered = None
        self.wake_at = None
        self.mesh = MeshNode(self._config, self._rand)
        for index in known[:_MAX_KNOWN]:
            self.mesh.nodes.put_contact(FIRST_NUMBER + index, _user(index))
        if not self.is_stock:
            self.replica = Replica(self._trust, self._store)
            settings = gossip_settings(self._config)
            self.gossip = Gossip(self.replica, settings, self.mesh.modem.airtime_ms, self._rand, now)
            self.carrier = Carrier(self.mesh, self.gossip, CHANNEL, self.mesh.counters)
            self.carrier.configure(now)

    def stop(self) -> None:
        """Power off."""
        self.is_on = False
        self.wake_at = None
        self.offered = None

    def publish(self, raw: bytes, now: int) -> None:
        """Send a record made here: through the noticeboard, or as a stock node sends a broadcast."""
        if self.gossip is not None:
            self.gossip.publish(raw, self._world.unix_s(now), now)
        else:
            self.send(raw, now, PRIVATE_APP, self._config.hop_limit, want_ack=True)

    def send(self, payload: bytes, now: int, portnum: int, hop_limit: int, want_ack: bool = False) -> None:
        """Broadcast anything as a stock node does."""
        self.mesh.send(portnum, payload, now, hop_limit=hop_limit, want_ack=want_ack)

    def receive(self, frame: bytes, power_dbm: float, now: int) -> None:
        """A frame from the air."""
        snr_db = power_dbm - self._world.channel.noise_dbm
        self.mesh.receive_frame(frame, int(power_dbm), snr_db, now)
        self.run(now)

    def deadline(self) -> int:
        """When `run` has something to do, ms."""
        due = self.mesh.deadline()
        if self.gossip is not None:
            due = min(due, self.gossip.deadline())
        return due

    def run(self, now: int) -> None:
        """Let both engines say what they have to, until they are quiet."""
        mesh, carrier = self.mesh, self.carrier
        busy = True
        while busy:
            event = mesh.next_event(now)
            busy = event is not None
            if isinstance(event, Transmit):
                self.offered = event.frame
                self._world.offer(self, now)
            elif isinstance(event, Received) and event.portnum == PRIVATE_APP:
                if carrier is None:
                    self._world.heard_by_stock(self.index, event.payload, now)
                elif carrier.carries(event):
                    carrier.receive(event, self._world.unix_s(now), now)
            if carrier is not None:
                while (said := carrier.next_event(now)) is not None:
                    busy = True
                    if isinstance(said, Learned):
                        if said.is_life_saving and said.packet is not None:
                            mesh.hasten_relay(said.packet.sender, said.packet.packet_id, PRIORITY_ALERT)
                        self._world.learned(self.index, said.record_id, now)


def _user(index: int) -> dict[str, object]:
    return {
        "id": b"!%08x" % (FIRST_NUMBER + index),
        "long_name": b"N%d" % index,
        "short_name": b"%d" % (index % 10000),
    }
