"""What a MeshNode has to know about itself, checked once."""

from baken.compat import const
from baken.mesh.nodedb import LONG_NAME_SIZE, SHORT_NAME_SIZE
from baken.mesh.secrets import Secret
from baken.wire import modem
from baken.wire.channel import DEFAULT_PSK, MAX_NAME, effective_name, expand_key
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    CHANNEL_DISABLED,
    CHANNEL_PRIMARY,
    CHANNEL_SECONDARY,
    HARDWARE_PRIVATE,
    REBROADCAST_ALL,
    ROLE_CLIENT,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
)
from baken.wire.packet import MAX_HOPS
from baken.wire.record import Record

MAX_CHANNELS = 8
MAX_ROOT = 31  # bytes of an MQTT root, as in the public definitions
MAX_ADMIN_KEYS = 3
NODE_INFO_S = const(10_800)

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Sequence

    from baken.wire.modem import Modem, Preset, Region


class Channel(Record):
    """One channel as it is configured: `name` (empty: the preset's) and `psk` are bytes, `role` a
    Channel.Role, `position_precision` in bits (0: no position goes out on it).
    """

    __slots__ = ("downlink", "id", "is_muted", "name", "position_precision", "psk", "role", "uplink")

    def __init__(
        self,
        name: bytes = b"",
        psk: bytes = DEFAULT_PSK,
        role: int = CHANNEL_SECONDARY,
        uplink: bool = False,
        downlink: bool = False,
        position_precision: int = 0,
        is_muted: bool = False,
        id: int = 0,
    ) -> None:
        _check("length of a channel name", len(name), 0, MAX_NAME)
        expand_key(psk)  # refuses a key that is too long
        _check("channel role", role, CHANNEL_DISABLED, CHANNEL_SECONDARY)
        _check("position precision", position_precision, 0, 32)
        self.name = name
        self.psk = psk
        self.role = role
        self.uplink = uplink
        self.downlink = downlink
        self.position_precision = position_precision
        self.is_muted = is_muted
        self.id = id


class Place(Record):
    """Where a fixed node stands: degrees times 10**7 and metres, as in Position."""

    __slots__ = ("altitude_m", "latitude_i", "longitude_i")

    def __init__(self, latitude_i: int, longitude_i: int, altitude_m: int = 0) -> None:
        _check("latitude", latitude_i, -900_000_000, 900_000_000)
        _check("longitude", longitude_i, -1_800_000_000, 1_800_000_000)
        _check("altitude", altitude_m, -1000, 10_000)
        self.latitude_i = latitude_i
        self.longitude_i = longitude_i
        self.altitude_m = altitude_m


class MqttSettings(Record):
    """Exchange with other meshes over MQTT, through the attached client; all off unless asked for.

    `root` empty: `msh/` and the band's name, as stock firmware sets it.
    """

    __slots__ = ("enabled", "encryption_enabled", "proxy_to_client_enabled", "root")

    def __init__(
        self,
        enabled: bool = False,
        proxy_to_client_enabled: bool = False,
        encryption_enabled: bool = True,
        root: bytes = b"",
    ) -> None:
        _check("length of the MQTT root", len(root), 0, MAX_ROOT)
        self.enabled = enabled
        self.proxy_to_client_enabled = proxy_to_client_enabled
        self.encryption_enabled = encryption_enabled
        self.root = root

    @property
    def is_active(self) -> bool:
        """Whether packets go anywhere: a node has no network of its own."""
        return self.enabled and self.proxy_to_client_enabled


class MeshConfig(Record):
    """Identity, channels, radio and manners of one node; a changed one goes to `MeshNode.configure`.

    `channels`: the one with role PRIMARY, else the first, is the primary. `preset` and `region` are
    ModemPreset and RegionCode values; `custom_modem` takes the preset's place. Names and keys are bytes.
    """

    __slots__ = (
        "admin_channel_enabled",
        "admin_keys",
        "channel_num",
        "channels",
        "coding_rate",
        "custom_modem",
        "frequency_offset_hz",
        "hop_limit",
        "hw_model",
        "ignore_incoming",
        "ignore_mqtt",
        "is_licensed",
        "is_managed",
        "is_unmessagable",
        "long_name",
        "mqtt",
        "neighbor_info_on_air",
        "neighbor_info_s",
        "node_info_s",
        "node_num",
        "ok_to_mqtt",
        "override_duty_cycle",
        "override_frequency_hz",
        "place",
        "position_s",
        "power_dbm",
        "preset",
        "primary",
        "private_key",
        "public_key",
        "rebroadcast_mode",
        "region",
        "role",
        "short_name",
        "sign_broadcasts",
        "signature_policy",
        "telemetry_s",
        "tx_enabled",
    )

    def __init__(
        self,
        node_num: int,
        long_name: bytes,
        short_name: bytes,
        channels: "Sequence[Channel] | None" = None,
        role: int = ROLE_CLIENT,
        region: int = modem.EU_868,
        preset: int = modem.LONG_FAST,
        hop_limit: int = 3,
        hw_model: int = HARDWARE_PRIVATE,
        public_key: bytes = b"",
        is_unmessagable: bool = False,
        ignore_mqtt: bool = True,
        private_key: bytes = b"",
        is_licensed: bool = False,
        rebroadcast_mode: int = REBROADCAST_ALL,
        ok_to_mqtt: bool = False,
        ignore_incoming: "Sequence[int]" = (),
        custom_modem: "Modem | None" = None,
        coding_rate: int = 0,
        channel_num: int = 0,
        override_frequency_hz: int = 0,
        frequency_offset_hz: int = 0,
        power_dbm: int = 0,
        tx_enabled: bool = True,
        override_duty_cycle: bool = False,
        node_info_s: int = NODE_INFO_S,
        telemetry_s: int = 0,
        place: "Place | None" = None,
        position_s: int = 0,
        neighbor_info_s: int = 0,
        neighbor_info_on_air: bool = False,
        sign_broadcasts: bool = False,
        signature_policy: int = 0,
        admin_keys: "Sequence[bytes]" = (),
        is_managed: bool = False,
        admin_channel_enabled: bool = False,
        mqtt: "MqttSettings | None" = None,
    ) -> None:
        """`channels` None is the default channel alone; `coding_rate` 0 is the preset's, `power_dbm` 0 the
        region's limit; the periods `telemetry_s`, `position_s` and `neighbor_info_s` are seconds, 0: never.
        """
        if channels is None:
            channels = (Channel(),)
        _check("node number", node_num, 4, 0xFFFFFFFE)
        _check("length of the long name", len(long_name), 0, LONG_NAME_SIZE)
        _check("length of the short name", len(short_name), 0, SHORT_NAME_SIZE)
        _check("number of channels", len(channels), 1, MAX_CHANNELS)
        _check("hop limit", hop_limit, 0, MAX_HOPS)
        _check("number of admin keys", len(admin_keys), 0, MAX_ADMIN_KEYS)
        for key in (public_key, private_key) + tuple(admin_keys):
            if key:
                _check("length of a key", len(key), 32, 32)
        self.node_num = node_num
        self.long_name = long_name
        self.short_name = short_name
        self.channels = tuple(channels)
        self.primary = _primary(self.channels)
        self.role = role
        self.region = region
        self.preset = preset
        self.hop_limit = hop_limit
        self.hw_model = hw_model
        self.public_key = public_key
        self.is_unmessagable = is_unmessagable
        self.ignore_mqtt = ignore_mqtt
        self.private_key = private_key
        self.is_licensed = is_licensed
        self.rebroadcast_mode = rebroadcast_mode
        self.ok_to_mqtt = ok_to_mqtt
        self.ignore_incoming = tuple(ignore_incoming)
        self.custom_modem = custom_modem
        self.coding_rate = coding_rate
        self.channel_num = channel_num
        self.override_frequency_hz = override_frequency_hz
        self.frequency_offset_hz = frequency_offset_hz
        self.power_dbm = power_dbm
        self.tx_enabled = tx_enabled
        self.override_duty_cycle = override_duty_cycle
        self.node_info_s = node_info_s
        self.telemetry_s = telemetry_s
        self.place = place
        self.position_s = position_s
        self.neighbor_info_s = neighbor_info_s
        self.neighbor_info_on_air = neighbor_info_on_air
        self.sign_broadcasts = sign_broadcasts
        self.signature_policy = signature_policy
        self.admin_keys = tuple(admin_keys)
        self.is_managed = is_managed
        self.admin_channel_enabled = admin_channel_enabled
        self.mqtt = mqtt

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
        if self.is_licensed:
            user["is_licensed"] = True
        if self.public_key:
            user["public_key"] = self.public_key
        return user

    def modem(self) -> "Modem":
        """How symbols are made. What the band is too narrow for gives way to the band's own preset."""
        custom = self._custom()
        if custom is not None:
            return custom
        chosen = self._preset().modem
        if self.coding_rate > chosen.coding_rate:  # headers tell it, so every receiver follows
            return modem.Modem(chosen.bandwidth_hz, chosen.spreading_factor, self.coding_rate)
        return chosen

    def band(self) -> "Region":
        """The band and its limits."""
        return modem.region(self.region)

    def duty_permille(self) -> int:
        """Our share of any hour on the air, in thousandths; 1000 is no limit."""
        if self.override_duty_cycle:
            return 1000
        band = self.band()
        is_router = self.role in (ROLE_ROUTER, ROLE_ROUTER_LATE)
        return band.router_permille if is_router else band.client_permille

    def can_transmit(self) -> bool:
        """Whether a region is chosen and the transmitter is not switched off."""
        return self.tx_enabled and self.region != modem.UNSET

    def tx_power_dbm(self) -> int:
        """What is put out, within the region's limit; the chip may have a lower one."""
        limit_dbm = self.band().power_limit_dbm
        return min(self.power_dbm, limit_dbm) if self.power_dbm else limit_dbm

    def frequency_hz(self) -> int:
        """Centre frequency, which follows from the band, the modem and the primary channel's name."""
        if self.override_frequency_hz:
            return self.override_frequency_hz + self.frequency_offset_hz
        name = effective_name(self.channels[self.primary].name, self._preset_name())
        return self.band().frequency_hz(self.modem(), name, self.channel_num) + self.frequency_offset_hz

    def is_admin_channel(self, index: int) -> bool:
        """Whether the channel is one for administration: it is named so."""
        if not 0 <= index < len(self.channels):
            return False
        channel = self.channels[index]
        return channel.role != CHANNEL_DISABLED and channel.name.lower() == b"admin"

    def _preset(self) -> "Preset":
        chosen = modem.preset(self.preset)
        band = self.band()
        return chosen if band.slots(chosen.modem) else modem.preset(band.default_preset)

    def _custom(self) -> "Modem | None":
        custom = self.custom_modem
        return custom if custom is not None and self.band().slots(custom) else None

    def _preset_name(self) -> bytes:
        return b"Custom" if self._custom() else self._preset().channel_name

    def secrets(self) -> "list[Secret | None]":
        """The channels' names, keys and hashes, by index; None for one that is not in use."""
        preset_name = self._preset_name()
        primary_key = expand_key(self.channels[self.primary].psk)
        secrets = []
        for channel in self.channels:
            if channel.role == CHANNEL_DISABLED:
                secrets.append(None)
                continue
            key = expand_key(channel.psk, primary_key)
            secrets.append(Secret(effective_name(channel.name, preset_name), key))
        return secrets


def _primary(channels: "tuple[Channel, ...]") -> int:
    primaries = [index for index in range(len(channels)) if channels[index].role == CHANNEL_PRIMARY]
    _check("number of primary channels", len(primaries), 0, 1)
    primary = primaries[0] if primaries else 0
    if channels[primary].role == CHANNEL_DISABLED:
        raise LocalProtocolError("no channel is the primary one", cause="config")
    return primary


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise LocalProtocolError(f"{name} is {value}, allowed {low} to {high}", cause="config")
