"""What a client is told about this device when it connects: identity, channels, settings, known nodes.

The order is the one phone apps expect: my_info, deviceuiConfig, own node_info, metadata, channels, config,
moduleConfig, other node_info, config_complete_id. Two nonces ask for a part: 69420 leaves out the other
nodes, 69421 asks for nodes only. Everything is made when it is asked for and nothing is kept.
"""

from baken.compat import const
from baken.mesh.config import MAX_CHANNELS
from baken.wire import protobuf
from baken.wire.messages import (
    CHANNEL_DISABLED,
    CHANNEL_PRIMARY,
    CHANNEL_SECONDARY,
    FROM_RADIO,
    NONCE_ONLY_NODES,
    NONCE_WITHOUT_NODES,
)
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterator

    from baken.mesh.client_api import ClientApi
    from baken.mesh.node import MeshNode
    from baken.mesh.nodedb import Node

_MIN_APP_VERSION = const(30200)
_DEVICE_STATE_VERSION = const(24)
_GPS_NOT_PRESENT = const(2)
_NODE_INFO_S = const(10_800)
CONFIG_COUNT = const(10)
MODULE_COUNT = const(16)  # of firmware 2.7
# Bits of all optional modules: clients neither show these nor ask for them.
_EXCLUDED_MODULES = const(0x7FFF)


# Settings have many fields, of which these are not zero here. `wire.messages_config` has them all, but its
# tables would take a dozen kilobytes of a node's memory.
_SETTINGS = ((5, "config", "bytes|"), (9, "moduleConfig", "bytes|"), (17, "deviceuiConfig", "bytes|"))
_CONFIG = (
    (1, "device", "message|", ((1, "role", "enum"), (7, "node_info_broadcast_secs", "uint32"))),
    (2, "position", "message|", ((13, "gps_mode", "enum"),)),
    (3, "power", "message|", ()),
    (4, "network", "message|", ()),
    (5, "display", "message|", ()),
    (
        6,
        "lora",
        "message|",
        (
            (1, "use_preset", "bool"),
            (2, "modem_preset", "enum"),
            (7, "region", "enum"),
            (8, "hop_limit", "uint32"),
            (9, "tx_enabled", "bool"),
            (13, "sx126x_rx_boosted_gain", "bool"),
            (104, "ignore_mqtt", "bool"),
        ),
    ),
    (7, "bluetooth", "message|", ()),
    (8, "security", "message|", ((1, "public_key", "bytes"), (5, "serial_enabled", "bool"))),
    (9, "sessionkey", "message|", ()),
    (10, "device_ui", "message|", ()),
)


class DeviceInfo(Record):
    """What the hardware has to say: bytes for texts, `device_id` 16 bytes."""

    __slots__ = ("device_id", "firmware_version", "has_bluetooth", "has_wifi", "pio_env", "reboot_count")

    def __init__(
        self,
        device_id: bytes = b"",
        firmware_version: bytes = b"2.7.26.baken",
        pio_env: bytes = b"baken",
        reboot_count: int = 0,
        has_wifi: bool = False,
        has_bluetooth: bool = False,
    ) -> None:
        self.device_id = device_id
        self.firmware_version = firmware_version
        self.pio_env = pio_env
        self.reboot_count = reboot_count
        self.has_wifi = has_wifi
        self.has_bluetooth = has_bluetooth


def startup(api: "ClientApi", nonce: int) -> "Iterator[bytes]":
    """The messages that answer want_config_id, one FromRadio at a time."""
    node = api.node
    if nonce != NONCE_ONLY_NODES:
        yield protobuf.encode(FROM_RADIO, {"my_info": my_info(node, api.device)})
        yield protobuf.encode(_SETTINGS, {"deviceuiConfig": b""})
    yield protobuf.encode(FROM_RADIO, {"node_info": own_node_info(api)})
    if nonce != NONCE_ONLY_NODES:
        yield protobuf.encode(FROM_RADIO, {"metadata": metadata(node, api.device)})
        for index in range(MAX_CHANNELS):
            yield protobuf.encode(FROM_RADIO, {"channel": channel(node, index)})
        for number in range(CONFIG_COUNT):
            yield protobuf.encode(_SETTINGS, {"config": config(node, number)})
        for number in range(MODULE_COUNT):
            yield protobuf.encode(_SETTINGS, {"moduleConfig": module_config(number)})
    if nonce != NONCE_WITHOUT_NODES:
        position = 0
        while (known := node.nodes.node_at(position)) is not None:
            yield protobuf.encode(FROM_RADIO, {"node_info": node_info(known, api)})
            position += 1
    yield protobuf.encode(FROM_RADIO, {"config_complete_id": nonce})


def my_info(node: "MeshNode", device: DeviceInfo) -> dict:
    """MyNodeInfo."""
    return {
        "my_node_num": node.config.node_num,
        "reboot_count": device.reboot_count,
        "min_app_version": _MIN_APP_VERSION,
        "device_id": device.device_id,
        "pio_env": device.pio_env,
        "nodedb_count": len(node.nodes) + 1,
    }


def own_node_info(api: "ClientApi") -> dict:
    """NodeInfo of this device, with its load and battery."""
    node = api.node
    metrics = {
        "channel_utilization": node.utilisation.percent(api.now),
        "air_util_tx": node.budget.utilisation(api.now),
        "uptime_seconds": api.now // 1000,
    }
    if api.battery_percent is not None:
        metrics["battery_level"] = api.battery_percent
    return {
        "num": node.config.node_num,
        "user": node.config.user(),
        "last_heard": api.unix_s or 0,
        "device_metrics": metrics,
        "is_favorite": True,
    }


def node_info(node: "Node", api: "ClientApi") -> dict:
    """NodeInfo of a heard node."""
    info = {"num": node.num, "snr": node.snr_db, "channel": node.channel}
    if api.unix_s:
        info["last_heard"] = max(0, api.unix_s - (api.now // 1000 - node.heard_s))
    if node.user is not None:
        info["user"] = dict(node.user)
        info["user"]["id"] = b"!%08x" % node.num
    if node.hops_away is not None:
        info["hops_away"] = node.hops_away
    return info


def metadata(node: "MeshNode", device: DeviceInfo) -> dict:
    """DeviceMetadata; the excluded modules keep clients from asking for what is not here."""
    return {
        "firmware_version": device.firmware_version,
        "device_state_version": _DEVICE_STATE_VERSION,
        "hasWifi": device.has_wifi,
        "hasBluetooth": device.has_bluetooth,
        "role": node.config.role,
        "hw_model": node.config.hw_model,
        "hasPKC": bool(node.config.public_key),
        "excluded_modules": _EXCLUDED_MODULES,
    }


def channel(node: "MeshNode", index: int) -> dict:
    """Channel by index; those that are not in use are DISABLED."""
    if index >= len(node.config.channels):
        return {"index": index, "settings": {}, "role": CHANNEL_DISABLED}
    configured = node.config.channels[index]
    role = CHANNEL_SECONDARY if index else CHANNEL_PRIMARY
    return {"index": index, "settings": {"name": configured.name, "psk": configured.psk}, "role": role}


def config(node: "MeshNode", number: int) -> bytes:
    """Encoded Config with the section of a ConfigType value; fields that do not apply keep their zero."""
    section = _CONFIG[number][1]
    values = {}
    if section == "device":
        values = {"role": node.config.role, "node_info_broadcast_secs": _NODE_INFO_S}
    elif section == "position":
        values = {"gps_mode": _GPS_NOT_PRESENT}
    elif section == "lora":
        values = {
            "use_preset": True,
            "modem_preset": node.config.preset,
            "region": node.config.region,
            "hop_limit": node.config.hop_limit,
            "tx_enabled": True,
            "sx126x_rx_boosted_gain": True,
            "ignore_mqtt": node.config.ignore_mqtt,
        }
    elif section == "security":
        values = {"public_key": node.config.public_key, "serial_enabled": True}
    return protobuf.encode(_CONFIG, {section: values})


def module_config(number: int) -> bytes:
    """Encoded ModuleConfig with the section of a ModuleConfigType value: all are empty, no module is here."""
    return protobuf.encode(((number + 1, "section", "bytes|"),), {"section": b""})
