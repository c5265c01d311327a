"""What a MeshNode has to know about itself, checked once."""

from baken.compat import const
from baken.mesh.nodedb import LONG_NAME_SIZE, SHORT_NAME_SIZE
from baken.mesh.secrets import Secret
from baken.wire import modem
from baken.wire.channel import MAX_NAME, effective_name, expand_key
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import HARDWARE_PRIVATE, ROLE_CLIENT
from baken.wire.packet import MAX_HOPS
from baken.wire.record import Record

EU_868 = 3
MAX_CHANNELS = 8

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Sequence

    from baken.wire.modem import Modem, Region


class MeshConfig(Record):
    """Identity, channels and modem of one node.

    `channels` is a sequence of (name, psk), the primary first; an empty name means the preset's. `preset` and
    `region` are ModemPreset and RegionCode values. Names and keys are bytes.
    """

    __slots__ = (
        "channels",
        "hop_limit",
        "hw_model",
        "ignore_mqtt",
        "is_unmessagable",
        "long_name",
        "node_num",
        "preset",
        "public_key",
        "region",
        "role",
        "short_name",
    )

    def __init__(
        self,
        node_num: int,
        long_name: bytes,
        short_name: bytes,
        channels: "Sequence[tuple[bytes, bytes]]" = ((b"", b"\x01"),),
        role: int = ROLE_CLIENT,
        region: int = EU_868,
        preset: int = modem.LONG_FAST,
        hop_limit: int = 3,
        hw_model: int = HARDWARE_PRIVATE,
        public_key: bytes = b"",
        is_unmessagable: bool = False,
        ignore_mqtt: bool = True,
    ) -> None:
        _check("node number", node_num, 4, 0xFFFFFFFE)
        _check("length of the long name", len(long_name), 0, LONG_NAME_SIZE)
        _check("length of the short name", len(short_name), 0, SHORT_NAME_SIZE)
        _check("number of channels", len(channels), 1, MAX_CHANNELS)
        for name, _ in channels:
            _check("length of a channel name", len(name), 0, MAX_NAME)
        _check("hop limit", hop_limit, 0, MAX_HOPS)
        if public_key:
            _check("length of the public key", len(public_key), 32, 32)
        self.node_num = node_num
        self.long_name = long_name
        self.short_name = short_name
        self.channels = tuple(channels)
        self.role = role
        self.region = region
        self.preset = preset
        self.hop_limit = hop_limit
        self.hw_model = hw_model
        self.public_key = public_key
        self.is_unmessagable = is_unmessagable
        self.ignore_mqtt = ignore_mqtt

    def user(self) -> dict:
        """Our own User message, as NodeInfo carries it."""
        user = {
            "id": b"!%08x" % self.node_num,
            "long_name": self.long_name,
            "short_name": self.short_name,
            "hw_model": self.hw_model,
            "role": self.role,
            "is_unmessagable": self.is_unmessagable,
        }
        if self.public_key:
            user["public_key"] = self.public_key
        return user

    def modem(self) -> "Modem":
        """How symbols are made."""
        return modem.preset(self.preset).modem

    def band(self) -> "Region":
        """The band and its limits."""
        return modem.region(self.region)

    def frequency_hz(self) -> int:
        """Centre frequency, which follows from the band, the modem and the primary channel's name."""
        return self.band().frequency_hz(self.modem(), self.secrets()[0].name)

    def secrets(self) -> "list[Secret]":
        """The channels' names, keys and hashes, by index."""
        secrets = []
        primary_key = b""
        for name, psk in self.channels:
            key = expand_key(psk, primary_key)
            if not secrets:
                primary_key = key
            secrets.append(Secret(effective_name(name, modem.preset(self.preset).channel_name), key))
        return secrets


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise LocalProtocolError(f"{name} is {value}, allowed {low} to {high}", cause="config")
