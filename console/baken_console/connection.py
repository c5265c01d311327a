"""How the console hears of the world: the state of the broker and of the gateways behind it."""

from __future__ import annotations

from dataclasses import dataclass

NO_BROKER = "none"
CONNECTING = "connecting"
CONNECTED = "connected"
DOWN = "down"


@dataclass(frozen=True)
class Connection:
    """`broker`: what it is a connection to; `gateways`: (id, whether it is online); `problem`: why the broker
    is away, for people; `is_radio`: there is a radio on this computer and no broker.
    """

    state: str = NO_BROKER
    broker: str = ""
    gateways: tuple[tuple[str, bool], ...] = ()
    problem: str = ""
    is_radio: bool = False

    @property
    def is_up(self) -> bool:
        return self.state == CONNECTED

    @property
    def online_gateways(self) -> tuple[str, ...]:
        return tuple(name for name, online in self.gateways if online)
