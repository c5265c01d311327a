"""From sections that a client wrote to the MeshConfig the engine acts on; loaded where there are any.

Out of range is LocalProtocolError, which names the value and the limit. Periods below what stock firmware
keeps to are raised to that, as it does.
"""

from baken.compat import const
from baken.mesh import defaults, preferences
from baken.mesh.config import MAX_CHANNELS, NODE_INFO_S, Channel, MeshConfig, MqttSettings, Place
from baken.wire import modem, protobuf
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import (
    CHANNEL,
    CHANNEL_DISABLED,
    POSITION,
    REBROADCAST_CORE_PORTNUMS_ONLY,
    ROLE_CLIENT_BASE,
    ROLE_ROUTER,
    ROLE_ROUTER_LATE,
    SIGNATURES_STRICT,
    USER,
)

_MIN_NODE_INFO_S = const(3600)
_MIN_POSITION_S = const(900)
_MIN_TELEMETRY_S = const(1800)
_MIN_NEIGHBOR_INFO_S = const(14_400)
_MAX_IGNORED = const(3)  # of nodes, as many as stock firmware has room for
# What an SX1262 can be tuned to.
_MIN_FREQUENCY_MHZ = const(150)
_MAX_FREQUENCY_MHZ = const(960)
_MAX_OFFSET_MHZ = const(1)
_MIN_POWER_DBM = const(-9)
_MAX_POWER_DBM = const(30)
_BANDWIDTHS = (31, 62, 125, 250, 500)


def overlay(base: "MeshConfig", sections: "dict[int, bytes]") -> "MeshConfig":
    """The base with the values of these sections, checked."""
    values = {}
    for name in MeshConfig.__slots__:
        if name != "primary":  # follows from the channels
            values[name] = getattr(base, name)
    read = _Reader(sections)
    _owner(values, read)
    _channels(values, sections)
    _device(values, read)
    _lora(values, read)
    _security(values, read)
    _position(values, read)
    _modules(values, read)
    config = MeshConfig(**values)
    config.frequency_hz()  # the modem fits the band, or this says why not
    return config


class _Reader:
    def __init__(self, sections):
        self._sections = sections

    def __call__(self, key, table):
        body = self._sections.get(key)
        return None if body is None else protobuf.decode(table, body)


def _owner(values, read):
    user = read(preferences.OWNER, USER)
    if user is None:
        return
    values["long_name"] = user.get("long_name") or values["long_name"]
    values["short_name"] = user.get("short_name") or values["short_name"]
    if "is_unmessagable" in user:
        values["is_unmessagable"] = user["is_unmessagable"]


def _channels(values, sections):
    channels = list(values["channels"])
    changed = False
    for index in range(MAX_CHANNELS):
        body = sections.get(preferences.CHANNELS + index)
        if body is None:
            continue
        changed = True
        while len(channels) <= index:
            channels.append(Channel(role=CHANNEL_DISABLED))
        channels[index] = _channel(protobuf.decode(CHANNEL, body))
    if changed:
        while len(channels) > 1 and channels[-1].role == CHANNEL_DISABLED:
            channels.pop()
        values["channels"] = channels


def _channel(told):
    settings = told.get("settings", {})
    module = settings.get("module_settings", {})
    return Channel(
        settings.get("name", b""),
        settings.get("psk", b""),
        told.get("role", CHANNEL_DISABLED),
        settings.get("uplink_enabled", False),
        settings.get("downlink_enabled", False),
        module.get("position_precision", 0),
        module.get("is_muted", False),
        settings.get("id", 0),
    )


def _device(values, read):
    device = read(preferences.CONFIGS + preferences.DEVICE, defaults.DEVICE_FIELDS)
    if device is None:
        return
    role = device.get("role", 0)
    _check("device.role", role, 0, ROLE_CLIENT_BASE)
    mode = device.get("rebroadcast_mode", 0)
    _check("device.rebroadcast_mode", mode, 0, REBROADCAST_CORE_PORTNUMS_ONLY)
    if role != values["role"]:
        values["is_unmessagable"] = role in (ROLE_ROUTER, ROLE_ROUTER_LATE)
        user = read(preferences.OWNER, USER) or {}
        if "is_unmessagable" in user:
            values["is_unmessagable"] = user["is_unmessagable"]
    values["role"] = role
    values["rebroadcast_mode"] = mode
    values["node_info_s"] = max(device.get("node_info_broadcast_secs", 0) or NODE_INFO_S, _MIN_NODE_INFO_S)


def _lora(values, read):
    lora = read(preferences.CONFIGS + preferences.LORA, defaults.LORA_FIELDS)
    if lora is None:
        return
    rate = lora.get("coding_rate", 0)
    if lora.get("use_preset"):
        values["custom_modem"] = None
        values["preset"] = modem.preset(lora.get("modem_preset", 0)).number
        if rate:
            _check("lora.coding_rate", rate, 5, 8)
    else:
        bandwidth = lora.get("bandwidth", 0)
        if bandwidth not in _BANDWIDTHS:
            allowed = ", ".join([str(each) for each in _BANDWIDTHS])
            raise LocalProtocolError(f"lora.bandwidth is {bandwidth}, allowed {allowed}", "config")
        _check("lora.spread_factor", lora.get("spread_factor", 0), 7, 12)
        _check("lora.coding_rate", rate, 5, 8)
        values["custom_modem"] = modem.custom_modem(bandwidth, lora["spread_factor"], rate)
    ignored = lora.get("ignore_incoming", [])
    _check("number of lora.ignore_incoming", len(ignored), 0, _MAX_IGNORED)
    power = lora.get("tx_power", 0)
    _check("lora.tx_power", power, _MIN_POWER_DBM, _MAX_POWER_DBM)
    offset = lora.get("frequency_offset", 0.0)
    _check("lora.frequency_offset", offset, -_MAX_OFFSET_MHZ, _MAX_OFFSET_MHZ)
    frequency = lora.get("override_frequency", 0.0)
    if frequency:
        _check("lora.override_frequency", frequency, _MIN_FREQUENCY_MHZ, _MAX_FREQUENCY_MHZ)
    values["coding_rate"] = rate
    values["region"] = _region(lora.get("region", 0), values)
    values["hop_limit"] = lora.get("hop_limit", 0)
    values["tx_enabled"] = lora.get("tx_enabled", False)
    values["power_dbm"] = power
    values["channel_num"] = lora.get("channel_num", 0)
    values["override_duty_cycle"] = lora.get("override_duty_cycle", False)
    values["ignore_incoming"] = ignored
    values["ignore_mqtt"] = lora.get("ignore_mqtt", False)
    values["ok_to_mqtt"] = lora.get("config_ok_to_mqtt", False)
    values["frequency_offset_hz"] = _hertz(offset)
    values["override_frequency_hz"] = _hertz(frequency)


def _region(code, values):
    """A region in which this node can speak: UNSET would silence it, and no modem may be too wide."""
    if code == modem.UNSET:
        raise LocalProtocolError("lora.region is 0 (UNSET), a node needs one", "config")
    band = modem.region(code)
    chosen = values["custom_modem"] or modem.preset(values["preset"]).modem
    if not band.slots(chosen):
        raise LocalProtocolError(f"{chosen.bandwidth_hz} Hz is too wide for {band.name}", "config")
    return code


def _security(values, read):
    security = read(preferences.CONFIGS + preferences.SECURITY, defaults.SECURITY_FIELDS)
    if security is None:
        return
    keys = [key for key in security.get("admin_key", []) if key]
    policy = security.get("packet_signature_policy", 0)
    _check("security.packet_signature_policy", policy, 0, SIGNATURES_STRICT)
    if security.get("is_managed") and not keys:
        raise LocalProtocolError("security.is_managed needs an admin_key, there are 0", "config")
    values["admin_keys"] = keys
    values["is_managed"] = security.get("is_managed", False)
    values["admin_channel_enabled"] = security.get("admin_channel_enabled", False)
    values["signature_policy"] = policy
    if policy:  # who asks others to sign does so too
        values["sign_broadcasts"] = True


def _position(values, read):
    position = read(preferences.CONFIGS + preferences.POSITION, defaults.POSITION_FIELDS)
    place = read(preferences.PLACE, POSITION)
    if place is not None:
        values["place"] = Place(
            place.get("latitude_i", 0), place.get("longitude_i", 0), place.get("altitude", 0)
        )
    if position is None:
        return
    if not position.get("fixed_position"):
        values["place"] = None
    period_s = max(position.get("position_broadcast_secs", 0) or defaults.POSITION_S, _MIN_POSITION_S)
    values["position_s"] = period_s if values["place"] is not None else 0


def _modules(values, read):
    telemetry = read(preferences.MODULES + preferences.TELEMETRY, defaults.TELEMETRY_FIELDS)
    if telemetry is not None:
        period_s = max(telemetry.get("device_update_interval", 0) or defaults.TELEMETRY_S, _MIN_TELEMETRY_S)
        values["telemetry_s"] = period_s if telemetry.get("device_telemetry_enabled") else 0
    neighbors = read(preferences.MODULES + preferences.NEIGHBOR_INFO, defaults.NEIGHBOR_INFO_FIELDS)
    if neighbors is not None:
        period_s = max(neighbors.get("update_interval", 0) or defaults.NEIGHBOR_INFO_S, _MIN_NEIGHBOR_INFO_S)
        values["neighbor_info_s"] = period_s if neighbors.get("enabled") else 0
        values["neighbor_info_on_air"] = neighbors.get("transmit_over_lora", False)
    mqtt = read(preferences.MODULES + preferences.MQTT, defaults.MQTT_FIELDS)
    if mqtt is not None:
        settings = MqttSettings(
            mqtt.get("enabled", False),
            mqtt.get("proxy_to_client_enabled", False),
            mqtt.get("encryption_enabled", False),
            mqtt.get("root", b""),
        )
        values["mqtt"] = settings if settings.enabled else None


def _hertz(megahertz):
    return int(megahertz * 1_000_000 + (0.5 if megahertz >= 0 else -0.5))


def _check(name, value, low, high):
    if not low <= value <= high:  # what is no number is not in between either
        raise LocalProtocolError(f"{name} is {value}, allowed {low} to {high}", "config")
