"""What an AdminMessage orders, once it is known that its sender may.

`obey` does it or raises: LocalProtocolError names the value and the limit, RemoteProtocolError says what is
wrong with the bytes. Nothing is done by halves. Loaded when somebody sets something.
"""

from baken.compat import const
from baken.mesh import preferences
from baken.mesh.config import MAX_CHANNELS
from baken.mesh.events import Reboot, SetTime, Shutdown
from baken.mesh.nodedb import FAVORITE, IGNORED, LONG_NAME_SIZE, MUTED, SHORT_NAME_SIZE
from baken.wire import modem, protobuf
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import (
    CHANNEL,
    CHANNEL_DISABLED,
    CHANNEL_PRIMARY,
    CHANNEL_SECONDARY,
    POSITION,
    ROLE_CLIENT,
    ROLE_REPEATER,
    ROLE_ROUTER_CLIENT,
    USER,
)
from baken.wire.utf8 import is_utf8

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

    from baken.mesh.client_admin import Administration

_MAX_DELAY_S = const(86_400)
_FLASH = const(0)  # AdminMessage.BackupLocation
_MAX_INNER_TAG = const(20)
# Fields that the tables take for bytes, because nothing here looks into these messages.
_MESSAGES = ("node_filter", "node_highlight", "map_data", "available_pins")
_SHARED_CONTACT = protobuf.compact(
    "1 node_num uint32, 2 user message, 3 should_ignore bool, 4 manually_verified bool", {"user": USER}
)
_SETTERS = protobuf.compact(
    "18 set_ham_mode bytes|, 24 backup_preferences enum|, 25 restore_preferences enum|, "
    "26 remove_backup_preferences enum|, 32 set_owner message|, 33 set_channel message|, "
    "34 set_config bytes|, 35 set_module_config bytes|, 38 remove_by_nodenum uint32|, "
    "39 set_favorite_node uint32|, 40 remove_favorite_node uint32|, 41 set_fixed_position message|, "
    "42 remove_fixed_position bool|, 43 set_time_only fixed32|, 46 store_ui_config bytes|, "
    "47 set_ignored_node uint32|, 48 remove_ignored_node uint32|, 49 toggle_muted_node uint32|, "
    "64 begin_edit_settings bool|, 65 commit_edit_settings bool|, 66 add_contact message|, "
    "94 factory_reset_device int32|, 97 reboot_seconds int32|, 98 shutdown_seconds int32|, "
    "99 factory_reset_config int32|, 100 nodedb_reset bool|",
    {
        "set_owner": USER,
        "set_channel": CHANNEL,
        "set_fixed_position": POSITION,
        "add_contact": _SHARED_CONTACT,
    },
)


def obey(admin: "Administration", payload: bytes, now: int) -> None:
    """Do what the AdminMessage orders, for `admin.source`."""
    orders = protobuf.decode(_SETTERS, payload)
    for name in orders:  # members of one oneof: there is one, or none that is served here
        _ORDERS[name](admin, orders[name], now)
        return
    raise LocalProtocolError("dit kan dit apparaat niet / not on this device", "not-served")


# Owner, channels and sections


def _set_owner(admin, user, now):
    if user.get("is_licensed"):
        raise LocalProtocolError("is_licensed is on, but licensed operators may not encrypt", "config")
    kept = protobuf.decode(USER, admin.preferences.body(preferences.OWNER))
    owner = {}
    for name, limit in (("long_name", LONG_NAME_SIZE), ("short_name", SHORT_NAME_SIZE)):
        text = user.get(name) or kept.get(name, b"")
        _check_text(name, text, limit)
        owner[name] = text
    if "is_unmessagable" in user:
        owner["is_unmessagable"] = user["is_unmessagable"]
    elif admin.preferences.has(preferences.OWNER) and "is_unmessagable" in kept:
        owner["is_unmessagable"] = kept["is_unmessagable"]
    admin.change({preferences.OWNER: protobuf.encode(USER, owner)}, now)


def _set_channel(admin, channel, now):
    index = channel.get("index", 0)
    if not 0 <= index < MAX_CHANNELS:
        raise LocalProtocolError(f"channel is {index}, allowed 0 to {MAX_CHANNELS - 1}", "config")
    name = channel.get("settings", {}).get("name", b"")
    _check_text("channel name", name, len(name))  # its length is checked with all of the channel
    changes = {preferences.CHANNELS + index: protobuf.encode(CHANNEL, channel)}
    role = channel.get("role", CHANNEL_DISABLED)
    for other in range(MAX_CHANNELS):
        if role != CHANNEL_PRIMARY or other == index:
            continue
        known = protobuf.decode(CHANNEL, admin.preferences.body(preferences.CHANNELS + other))
        if known.get("role") == CHANNEL_PRIMARY:  # there is one at a time
            known["role"] = CHANNEL_SECONDARY
            changes[preferences.CHANNELS + other] = protobuf.encode(CHANNEL, known)
    admin.change(changes, now)


def _set_config(admin, encoded, now):
    from baken.wire.messages_config import CONFIG, DEVICE_CONFIG

    number, body = _section(encoded, preferences.CONFIG_COUNT)
    name, values = _checked(CONFIG, encoded)
    changes = {preferences.CONFIGS + number: body}
    if name == "device" and values.get("role") in (ROLE_ROUTER_CLIENT, ROLE_REPEATER):
        values["role"] = ROLE_CLIENT  # retired: a stock node that is told so becomes a client too
        changes[preferences.CONFIGS + number] = protobuf.encode(DEVICE_CONFIG, values)
    elif name == "lora":
        _follow_region(admin, values, changes)
    elif name == "security":
        _check_own_keys(admin, values)
    elif name == "sessionkey":
        raise LocalProtocolError("sessionkey has nothing to set", "config")
    admin.change(changes, now)


def _set_module_config(admin, encoded, now):
    from baken.wire.messages_config import MODULE_CONFIG

    number, body = _section(encoded, preferences.MODULE_COUNT)
    _checked(MODULE_CONFIG, encoded)
    admin.change({preferences.MODULES + number: body}, now)


def _store_ui_config(admin, body, now):
    from baken.wire.messages_config import DEVICE_UI_CONFIG

    _check_fields("device_ui", protobuf.decode(DEVICE_UI_CONFIG, body))
    admin.change({preferences.CONFIGS + preferences.DEVICE_UI: body}, now)


def _follow_region(admin, lora, changes):
    """As stock firmware: a new region brings its MQTT topic and, where airtime is limited, ignore_mqtt."""
    from baken.mesh.defaults import mqtt_root
    from baken.wire.messages_config import LORA_CONFIG, MQTT_CONFIG

    before = admin.preferences.mesh_config()
    region = lora.get("region", 0)
    if region == before.region:
        return
    if modem.region(region).client_permille < 1000:
        lora["ignore_mqtt"] = True
        changes[preferences.CONFIGS + preferences.LORA] = protobuf.encode(LORA_CONFIG, lora)
    key = preferences.MODULES + preferences.MQTT
    if admin.preferences.has(key):
        mqtt = protobuf.decode(MQTT_CONFIG, admin.preferences.body(key))
        if mqtt.get("root", b"") in (b"", b"msh", mqtt_root(before, before.region)):
            mqtt["root"] = mqtt_root(before, region)
            changes[key] = protobuf.encode(MQTT_CONFIG, mqtt)


def _check_own_keys(admin, security):
    base = admin.preferences.base
    for name, own in (("private_key", base.private_key), ("public_key", base.public_key)):
        if security.get(name, b"") not in (b"", own):
            raise LocalProtocolError(
                f"security.{name} belongs to the point's number in the trust list and stays", "config"
            )


def _section(encoded, count):
    """The number and the bytes of the one section in a Config or ModuleConfig."""
    table = [(number + 1, str(number), "bytes|") for number in range(count)]
    found = protobuf.decode(tuple(table), encoded)
    for number in found:
        return int(number), found[number]
    raise LocalProtocolError("there is no section that this firmware knows", "config")


def _checked(table, encoded) -> "Any":
    """Name and values of that section; refused is what a client could not read back."""
    found = protobuf.decode(table, encoded)
    for name in found:
        values = found[name]
        if isinstance(values, bytes):
            _check_message(name, values)
        elif name != "security":  # its bytes are keys
            _check_fields(name, values)
        return name, values
    raise LocalProtocolError("there is no section that this firmware knows", "config")


def _check_fields(name, values):
    for field in values:
        value = values[field]
        if field in _MESSAGES:
            for body in value if isinstance(value, list) else (value,):
                _check_message(f"{name}.{field}", body)
        elif isinstance(value, bytes) and field != "calibration_data":
            _check_text(f"{name}.{field}", value, len(value))


def _check_message(name, body):
    """A message that nothing here looks into: its texts, if that is what they are, are UTF-8."""
    table = [(tag, str(tag), "bytes[]") for tag in range(1, _MAX_INNER_TAG + 1)]
    found = protobuf.decode(tuple(table), body)
    for tag in found:
        for value in found[tag]:
            if not is_utf8(value):
                try:
                    protobuf.decode((), value)
                except RemoteProtocolError:
                    raise LocalProtocolError(f"{name} has a text that is not UTF-8", "config")


def _check_text(name, text, limit):
    if len(text) > limit:
        raise LocalProtocolError(f"{name} is {len(text)} bytes, limit {limit}", "config")
    if not is_utf8(text):
        raise LocalProtocolError(f"{name} is not UTF-8", "config")


# Where we stand


def _set_fixed_position(admin, position, now):
    known = protobuf.decode(POSITION, admin.preferences.body(preferences.PLACE))
    if not known and admin.preferences.base.place is not None:
        place = admin.preferences.base.place
        known = {
            "latitude_i": place.latitude_i,
            "longitude_i": place.longitude_i,
            "altitude": place.altitude_m,
        }
    for name in ("latitude_i", "longitude_i", "altitude"):
        if name in position:
            known[name] = position[name]
    if "latitude_i" not in known or "longitude_i" not in known:
        raise LocalProtocolError("a position needs latitude and longitude", "config")
    changes = {preferences.PLACE: protobuf.encode(POSITION, known)}
    _fix(admin, True, changes)
    admin.change(changes, now)


def _remove_fixed_position(admin, _order, now):
    changes = {preferences.PLACE: None}
    _fix(admin, False, changes)
    admin.change(changes, now)


def _fix(admin, fixed, changes):
    from baken.wire.messages_config import POSITION_CONFIG

    key = preferences.CONFIGS + preferences.POSITION
    section = protobuf.decode(POSITION_CONFIG, admin.preferences.body(key))
    section["fixed_position"] = fixed
    changes[key] = protobuf.encode(POSITION_CONFIG, section)


# Other nodes


def _marker(mark, on):
    def set_mark(admin, num, _now):
        if not admin.node.nodes.set_mark(num, mark, on):
            raise LocalProtocolError(f"node !{num:08x} is not known here", "node")

    return set_mark


def _toggle_muted(admin, num, now):
    _marker(MUTED, not admin.node.nodes.has(num, MUTED))(admin, num, now)


def _remove_node(admin, num, _now):
    if not admin.node.nodes.remove(num):
        raise LocalProtocolError(f"node !{num:08x} is not known here", "node")


def _add_contact(admin, contact, _now):
    num = contact.get("node_num", 0)
    user = contact.get("user", {})
    if not 4 <= num < 0xFFFFFFFF or num == admin.node.config.node_num:
        raise LocalProtocolError(f"contact !{num:08x} is not another node", "node")
    for name, limit in (("long_name", LONG_NAME_SIZE), ("short_name", SHORT_NAME_SIZE)):
        _check_text(name, user.get(name, b""), limit)
    if not admin.node.nodes.put_contact(num, user, contact.get("manually_verified", False)):
        raise LocalProtocolError(f"contact !{num:08x} has a wrong field, or there is no room for it", "node")
    if contact.get("should_ignore"):
        admin.node.nodes.set_mark(num, IGNORED, True)


def _reset_nodes(admin, keep_favorites, _now):
    admin.node.nodes.clear(keep_favorites)


# The device


def _set_time(admin, unix_s, _now):
    if not unix_s:
        raise LocalProtocolError("the time is 0, which is not known", "time")
    admin.events.append(SetTime(unix_s))


def _begin_edit(admin, _order, now):
    admin.begin_edit(now)


def _commit_edit(admin, _order, now):
    admin.check_editor()
    admin.settle(now)


def _reboot(admin, delay_s, now):
    admin.events.append(Reboot(_moment(admin, delay_s, now)))


def _shut_down(admin, delay_s, now):
    admin.events.append(Shutdown(_moment(admin, delay_s, now)))


def _moment(admin, delay_s, now):
    """When, or None for a negative delay, which takes the order back; after the acknowledgement has left."""
    if delay_s > _MAX_DELAY_S:
        raise LocalProtocolError(f"delay is {delay_s} s, limit {_MAX_DELAY_S}", "delay")
    if delay_s < 0:
        return None
    return now + max(delay_s * 1000, admin.grace_ms())


def _factory_reset_config(admin, _order, now):
    """What was provisioned, the noticeboard and the copy of the settings stay."""
    admin.check_editor()
    admin.preferences.reset()
    admin.settle(now)


def _factory_reset_device(admin, order, now):
    _factory_reset_config(admin, order, now)
    admin.node.nodes.clear()


def _back_up(admin, location, _now):
    _check_location(location)
    if not admin.preferences.back_up():
        raise LocalProtocolError("there is no room for a copy of the settings", "flash")


def _restore(admin, location, now):
    _check_location(location)
    admin.check_editor()
    if not admin.preferences.restore():
        raise LocalProtocolError("there is no copy of the settings", "flash")
    admin.settle(now)


def _remove_backup(admin, location, _now):
    _check_location(location)
    if not admin.preferences.remove_backup():
        raise LocalProtocolError("there is no room on the flash", "flash")


def _check_location(location):
    if location != _FLASH:
        raise LocalProtocolError(f"place of the copy is {location}, allowed {_FLASH} (flash)", "flash")


def _set_ham_mode(_admin, _order, _now):
    raise LocalProtocolError("a licensed operator may not encrypt, and records travel encrypted", "config")


_ORDERS = {
    "set_ham_mode": _set_ham_mode,
    "backup_preferences": _back_up,
    "restore_preferences": _restore,
    "remove_backup_preferences": _remove_backup,
    "set_owner": _set_owner,
    "set_channel": _set_channel,
    "set_config": _set_config,
    "set_module_config": _set_module_config,
    "remove_by_nodenum": _remove_node,
    "set_favorite_node": _marker(FAVORITE, True),
    "remove_favorite_node": _marker(FAVORITE, False),
    "set_fixed_position": _set_fixed_position,
    "remove_fixed_position": _remove_fixed_position,
    "set_time_only": _set_time,
    "store_ui_config": _store_ui_config,
    "set_ignored_node": _marker(IGNORED, True),
    "remove_ignored_node": _marker(IGNORED, False),
    "toggle_muted_node": _toggle_muted,
    "begin_edit_settings": _begin_edit,
    "commit_edit_settings": _commit_edit,
    "add_contact": _add_contact,
    "factory_reset_device": _factory_reset_device,
    "reboot_seconds": _reboot,
    "shutdown_seconds": _shut_down,
    "factory_reset_config": _factory_reset_config,
    "nodedb_reset": _reset_nodes,
}
