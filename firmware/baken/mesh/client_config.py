"""What a client is told about this device when it connects: identity, channels, settings, known nodes.

The order is the one phone apps expect: my_info, deviceuiConfig, own node_info, metadata, channels, config,
moduleConfig, other node_info, config_complete_id. Two nonces ask for a part: 69420 leaves out the other
nodes, 69421 asks for nodes only. Everything is made when it is asked for and nothing is kept.
"""

from baken.compat import const
from baken.mesh.config import MAX_CHANNELS
from baken.mesh.nodedb import FAVORITE, IGNORED, KEY_VERIFIED, MUTED, SIGNS, VIA_MQTT
from baken.mesh.preferences import CHANNELS, CONFIG_COUNT, CONFIGS, DEVICE_UI, MODULE_COUNT, MODULES
from baken.wire import protobuf
from baken.wire.messages import FROM_RADIO, NONCE_ONLY_NODES, NONCE_WITHOUT_NODES

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from collections.abc import Iterator

    from baken.mesh.client_api import ClientApi, DeviceInfo
    from baken.mesh.node import MeshNode
    from baken.mesh.nodedb import Node
    from baken.mesh.preferences import Preferences

_MIN_APP_VERSION = const(30200)
_DEVICE_STATE_VERSION = const(24)
# Sections are kept encoded, so that nobody here has to know their fields.
_SETTINGS = (
    (5, "config", "bytes|"),
    (9, "moduleConfig", "bytes|"),
    (10, "channel", "bytes|"),
    (17, "deviceuiConfig", "bytes|"),
)
# Bits of the optional modules that are not here: clients neither show these nor ask for them.
_EXCLUDED_MODULES = (
    0x7FFF
    & ~0x0001  # MQTT
    & ~0x0020  # telemetry
    & ~0x0200  # neighbour info
)
_LOC_MANUAL = const(1)
_MARKS = (
    (FAVORITE, "is_favorite"),
    (IGNORED, "is_ignored"),
    (MUTED, "is_muted"),
    (KEY_VERIFIED, "is_key_manually_verified"),
    (SIGNS, "has_xeddsa_signed"),
    (VIA_MQTT, "via_mqtt"),
)


def startup(api: "ClientApi", nonce: int) -> "Iterator[bytes]":
    """The messages that answer want_config_id, one FromRadio at a time."""
    node = api.node
    if nonce != NONCE_ONLY_NODES:
        yield protobuf.encode(FROM_RADIO, {"my_info": my_info(node, api.device)})
        yield protobuf.encode(_SETTINGS, {"deviceuiConfig": api.preferences.body(CONFIGS + DEVICE_UI)})
    yield protobuf.encode(FROM_RADIO, {"node_info": own_node_info(api)})
    if nonce != NONCE_ONLY_NODES:
        yield protobuf.encode(FROM_RADIO, {"metadata": metadata(node, api.device)})
        for index in range(MAX_CHANNELS):
            yield protobuf.encode(_SETTINGS, {"channel": channel(api.preferences, index)})
        for number in range(CONFIG_COUNT):
            yield protobuf.encode(_SETTINGS, {"config": config(api.preferences, number)})
        for number in range(MODULE_COUNT):
            yield protobuf.encode(_SETTINGS, {"moduleConfig": module_config(api.preferences, number)})
    if nonce != NONCE_WITHOUT_NODES:
        position = 0
        while (known := node.nodes.node_at(position)) is not None:
            yield protobuf.encode(FROM_RADIO, {"node_info": node_info(known, api)})
            position += 1
    yield protobuf.encode(FROM_RADIO, {"config_complete_id": nonce})


def my_info(node: "MeshNode", device: "DeviceInfo") -> dict:
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
    info = {
        "num": node.config.node_num,
        "user": node.config.user(),
        "last_heard": api.unix_s or 0,
        "device_metrics": metrics,
        "is_favorite": True,
    }
    place = node.config.place
    if place is not None:
        info["position"] = {
            "latitude_i": place.latitude_i,
            "longitude_i": place.longitude_i,
            "altitude": place.altitude_m,
            "location_source": _LOC_MANUAL,
        }
    return info


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
    for mark, name in _MARKS:
        if node.marks & mark:
            info[name] = True
    return info


def metadata(node: "MeshNode", device: "DeviceInfo") -> dict:
    """DeviceMetadata; the excluded modules keep clients from asking for what is not here."""
    return {
        "firmware_version": device.firmware_version,
        "device_state_version": _DEVICE_STATE_VERSION,
        "canShutdown": True,
        "hasWifi": device.has_wifi,
        "hasBluetooth": device.has_bluetooth,
        "role": node.config.role,
        "hw_model": node.config.hw_model,
        "hasPKC": bool(node.config.public_key),
        "excluded_modules": _EXCLUDED_MODULES,
    }


def channel(preferences: "Preferences", index: int) -> bytes:
    """Encoded Channel by index; those that are not in use are DISABLED."""
    return preferences.body(CHANNELS + index)


def config(preferences: "Preferences", number: int) -> bytes:
    """Encoded Config with the section of a ConfigType value; fields that do not apply keep their zero."""
    return _wrapped(number, preferences.body(CONFIGS + number))


def module_config(preferences: "Preferences", number: int) -> bytes:
    """Encoded ModuleConfig with the section of a ModuleConfigType value."""
    return _wrapped(number, preferences.body(MODULES + number))


def _wrapped(number, body):
    return protobuf.encode(((number + 1, "section", "bytes|"),), {"section": body})
