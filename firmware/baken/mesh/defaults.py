"""What a client reads where it has not set anything: sections that follow from how the node was provisioned.

Settings have many fields, of which only those that are not zero here are listed. `wire.messages_config` has
them all, but its tables would take a dozen kilobytes of a node's memory.
"""

from baken.compat import const
from baken.mesh import preferences
from baken.mesh.config import MAX_CHANNELS
from baken.wire import protobuf
from baken.wire.messages import CHANNEL, CHANNEL_DISABLED, CHANNEL_PRIMARY, CHANNEL_SECONDARY, USER

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import MeshConfig

POSITION_S = const(3600)
TELEMETRY_S = const(1800)
NEIGHBOR_INFO_S = const(21_600)
_GPS_NOT_PRESENT = const(2)

DEVICE_FIELDS = protobuf.compact("1 role enum, 6 rebroadcast_mode enum, 7 node_info_broadcast_secs uint32")
POSITION_FIELDS = protobuf.compact(
    "1 position_broadcast_secs uint32, 3 fixed_position bool, 13 gps_mode enum"
)
LORA_FIELDS = protobuf.compact(
    "1 use_preset bool, 2 modem_preset enum, 3 bandwidth uint32, 4 spread_factor uint32, "
    "5 coding_rate uint32, 6 frequency_offset float, 7 region enum, 8 hop_limit uint32, "
    "9 tx_enabled bool, 10 tx_power int32, 11 channel_num uint32, 12 override_duty_cycle bool, "
    "13 sx126x_rx_boosted_gain bool, 14 override_frequency float, 103 ignore_incoming uint32[], "
    "104 ignore_mqtt bool, 105 config_ok_to_mqtt bool"
)
SECURITY_FIELDS = protobuf.compact(
    "1 public_key bytes, 2 private_key bytes, 3 admin_key bytes[], 4 is_managed bool, "
    "5 serial_enabled bool, 6 debug_log_api_enabled bool, 8 admin_channel_enabled bool, "
    "9 packet_signature_policy enum"
)
TELEMETRY_FIELDS = protobuf.compact("1 device_update_interval uint32, 14 device_telemetry_enabled bool")
NEIGHBOR_INFO_FIELDS = protobuf.compact("1 enabled bool, 2 update_interval uint32, 3 transmit_over_lora bool")
MQTT_FIELDS = protobuf.compact(
    "1 enabled bool, 2 address bytes, 3 username bytes, 4 password bytes, 5 encryption_enabled bool, "
    "8 root bytes, 9 proxy_to_client_enabled bool"
)


def default_body(base: "MeshConfig", key: int, region: int) -> bytes:
    """The encoded section with this key of `preferences`; `region` is the one in force now."""
    if key == preferences.OWNER:
        return protobuf.encode(USER, base.user())
    if preferences.CHANNELS <= key < preferences.CHANNELS + MAX_CHANNELS:
        return protobuf.encode(CHANNEL, _channel(base, key - preferences.CHANNELS))
    found = _SECTIONS.get(key)
    if found is None:
        return b""
    fields, values = found
    return protobuf.encode(fields, values(base, region))


def mqtt_root(base: "MeshConfig", region: int) -> bytes:
    """First part of the topics, as stock firmware chooses it for a region."""
    from baken.wire import modem

    return b"msh/" + modem.region(region).name.encode()


def _channel(base, index):
    if index >= len(base.channels):
        return {"index": index, "settings": {}, "role": CHANNEL_DISABLED}
    channel = base.channels[index]
    settings = {
        "psk": channel.psk,
        "name": channel.name,
        "id": channel.id,
        "uplink_enabled": channel.uplink,
        "downlink_enabled": channel.downlink,
    }
    module_settings = {"position_precision": channel.position_precision, "is_muted": channel.is_muted}
    if channel.position_precision or channel.is_muted:
        settings["module_settings"] = module_settings
    role = channel.role
    if role != CHANNEL_DISABLED:
        role = CHANNEL_PRIMARY if index == base.primary else CHANNEL_SECONDARY
    return {"index": index, "settings": settings, "role": role}


def _device(base, _region):
    return {
        "role": base.role,
        "rebroadcast_mode": base.rebroadcast_mode,
        "node_info_broadcast_secs": base.node_info_s,
    }


def _position(base, _region):
    return {
        "position_broadcast_secs": base.position_s or POSITION_S,
        "fixed_position": base.place is not None,
        "gps_mode": _GPS_NOT_PRESENT,
    }


def _lora(base, _region):
    modem = base.modem()
    return {
        "use_preset": base.custom_modem is None,
        "modem_preset": base.preset,
        "bandwidth": modem.bandwidth_hz // 1000,
        "spread_factor": modem.spreading_factor,
        "coding_rate": base.coding_rate or modem.coding_rate,
        "frequency_offset": base.frequency_offset_hz / 1_000_000,
        "region": base.region,
        "hop_limit": base.hop_limit,
        "tx_enabled": base.tx_enabled,
        "tx_power": base.power_dbm,
        "channel_num": base.channel_num,
        "override_duty_cycle": base.override_duty_cycle,
        "sx126x_rx_boosted_gain": True,
        "override_frequency": base.override_frequency_hz / 1_000_000,
        "ignore_incoming": list(base.ignore_incoming),
        "ignore_mqtt": base.ignore_mqtt,
        "config_ok_to_mqtt": base.ok_to_mqtt,
    }


def _security(base, _region):
    return {
        "public_key": base.public_key,
        "admin_key": list(base.admin_keys),
        "is_managed": base.is_managed,
        "serial_enabled": True,
        "admin_channel_enabled": base.admin_channel_enabled,
        "packet_signature_policy": base.signature_policy,
    }


def _mqtt(base, region):
    return {
        "address": b"mqtt.meshtastic.org",
        "username": b"meshdev",
        "password": b"large4cats",
        "encryption_enabled": True,
        "root": mqtt_root(base, region),
    }


def _telemetry(base, _region):
    return {
        "device_update_interval": base.telemetry_s or TELEMETRY_S,
        "device_telemetry_enabled": base.telemetry_s > 0,
    }


def _neighbor_info(base, _region):
    return {
        "enabled": base.neighbor_info_s > 0,
        "update_interval": base.neighbor_info_s or NEIGHBOR_INFO_S,
        "transmit_over_lora": base.neighbor_info_on_air,
    }


_SECTIONS = {
    preferences.CONFIGS + preferences.DEVICE: (DEVICE_FIELDS, _device),
    preferences.CONFIGS + preferences.POSITION: (POSITION_FIELDS, _position),
    preferences.CONFIGS + preferences.LORA: (LORA_FIELDS, _lora),
    preferences.CONFIGS + preferences.SECURITY: (SECURITY_FIELDS, _security),
    preferences.MODULES + preferences.MQTT: (MQTT_FIELDS, _mqtt),
    preferences.MODULES + preferences.TELEMETRY: (TELEMETRY_FIELDS, _telemetry),
    preferences.MODULES + preferences.NEIGHBOR_INFO: (NEIGHBOR_INFO_FIELDS, _neighbor_info),
}
