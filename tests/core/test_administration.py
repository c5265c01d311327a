"""Settings: what a client writes it reads back, holds at once, and is there after a restart; or nothing of
it.
"""

from _desk import OTHER, OWN, Desk, events, kinds
from _ether import seeded

from baken.compat import const
from baken.mesh import preferences
from baken.mesh.config import Channel, MeshConfig, Place
from baken.mesh.events import Configured, Reboot, SetTime, Shutdown
from baken.mesh.preferences import Preferences
from baken.noticeboard.memory import MemoryStore
from baken.wire import protobuf
from baken.wire.messages import (
    ERROR_BAD_REQUEST,
    ERROR_NOT_AUTHORIZED,
    NODEINFO_APP,
    TEXT_MESSAGE_APP,
    USER,
)
from baken.wire.messages_config import CONFIG, MODULE_CONFIG

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

_REGION = Channel(b"Regio", bytes(range(32)))
_KEY = bytes(range(32, 64))


def _kept(store):
    value = store.get("preferences")
    assert value is not None
    return value


def _fill(table, rand):
    """A message with every field at a value that is not its default; enumerations stay small."""
    values = {}
    for field in protobuf.fields(table):
        name, kind = field[1], field[2]
        if kind.startswith("message"):
            value = _fill(field[3], rand)
        elif name in ("node_filter", "node_highlight", "map_data", "available_pins"):
            value = b"\x08\x01"  # messages that are not looked into
        elif kind.startswith("bytes"):
            value = b"t%d" % rand(100)
        elif kind.startswith("bool"):
            value = True
        elif kind.startswith("float"):
            value = 0.5
        elif kind.startswith("enum"):
            value = 1
        else:
            value = 1 + rand(100)
        values[name] = [value] if kind.endswith("[]") else value
    return values


def _lora(desk, **changes):
    section = desk.get(get_config_request=preferences.LORA)["get_config_response"]["lora"]
    section.update(changes)
    return {"lora": section}


class BrokenStore(MemoryStore):
    """A flash without room."""

    def set(self, name, value):
        raise OSError(28)


# What is written is read back


def test_every_field_of_every_section_is_read_back_and_survives_a_restart():
    rand = seeded(5)
    store = MemoryStore()
    desk = Desk(store=store)
    desk.connect()
    written = []
    for tag, name, _kind, table in protobuf.fields(CONFIG):
        values = _fill(table, rand)
        if name == "lora":
            values.update(region=3, use_preset=True, bandwidth=125, spread_factor=9, coding_rate=6)
            values.update(modem_preset=4, hop_limit=5, tx_power=14, ignore_incoming=[7, 9])
            values.update(override_frequency=869.5)
        elif name == "security":
            values.update(public_key=b"", private_key=b"", admin_key=[_KEY, bytes(32)], is_managed=False)
        elif name == "sessionkey":
            continue
        assert desk.set(set_config={name: values}) == 0, (name, desk.notices)
        written.append(("config", tag - 1, {name: values}))
    for field in protobuf.fields(MODULE_CONFIG)[:16]:
        values = _fill(field[3], rand) if len(field) > 3 else b"\x08\x05"
        assert desk.set(set_module_config={field[1]: values}) == 0, (field[1], desk.notices)
        written.append(("module_config", field[0] - 1, {field[1]: values}))
    assert len(written) == 25
    for again in (desk, Desk(store=store)):
        again.connect()
        for kind, number, values in written:
            request = {"get_%s_request" % kind: number}
            answer = again.get(**request)["get_%s_response" % kind]
            for name in values:
                for field in values[name] if isinstance(values[name], dict) else ():
                    if values[name][field] not in (b"", False):
                        assert answer[name][field] == values[name][field], (name, field)
                if not isinstance(values[name], dict):
                    assert answer == values
    assert desk.node.config == again.node.config
    config = again.node.config
    assert (config.role, config.rebroadcast_mode, config.node_info_s) == (1, 1, 3600)
    assert (config.preset, config.hop_limit, config.coding_rate, config.power_dbm) == (4, 5, 6, 14)
    assert (config.ignore_incoming, config.override_frequency_hz) == ((7, 9), 869_500_000)
    assert (config.frequency_offset_hz, config.ok_to_mqtt, config.ignore_mqtt) == (500_000, True, True)
    assert (config.admin_keys, config.admin_channel_enabled, config.signature_policy) == (
        (_KEY, bytes(32)),
        True,
        1,
    )
    assert (config.telemetry_s, config.neighbor_info_s, config.neighbor_info_on_air) == (1800, 14_400, True)
    assert len(_kept(store)) < 1200


def test_what_a_client_reads_it_may_write_back_unchanged():
    desk = Desk(channels=(_REGION, Channel(b"Tweede")), public_key=_KEY, private_key=bytes(32))
    desk.connect()
    before = desk.node.config
    for number in range(10):
        if number != 8:
            told = desk.get(get_config_request=number)["get_config_response"]
            assert desk.set(set_config=told) == 0, (number, desk.notices)
            assert desk.get(get_config_request=number)["get_config_response"] == told
    for number in range(16):
        told = desk.get(get_module_config_request=number)["get_module_config_response"]
        assert desk.set(set_module_config=told) == 0, (number, desk.notices)
    for index in range(1, 9):
        assert desk.set(set_channel=desk.get(get_channel_request=index)["get_channel_response"]) == 0
    assert desk.set(set_owner=desk.get(get_owner_request=True)["get_owner_response"]) == 0
    after = desk.node.config
    for name in MeshConfig.__slots__:
        if name == "channels":
            assert [(c.name, c.psk) for c in after.channels] == [(c.name, c.psk) for c in before.channels]
        elif name != "coding_rate":  # 0 and the preset's own are the same
            assert getattr(after, name) == getattr(before, name), name


def test_a_new_name_is_announced_and_each_name_can_be_set_alone():
    desk = Desk()
    desk.connect()
    assert desk.set(set_owner={"long_name": "Steunpunt Zuid ✓".encode(), "short_name": b"SPZ"}) == 0
    assert desk.told == [Configured()]
    assert desk.set(set_owner={"short_name": b"ZD"}) == 0
    assert (desk.node.config.long_name, desk.node.config.short_name) == ("Steunpunt Zuid ✓".encode(), b"ZD")
    desk.tell(heartbeat={"nonce": 1})
    desk.run(9000)
    user = protobuf.decode(USER, desk.on_air(NODEINFO_APP)[-1].payload)
    assert (user["long_name"], user["short_name"]) == ("Steunpunt Zuid ✓".encode(), b"ZD")


def test_a_new_channel_is_used_at_once_and_another_primary_takes_the_place_of_the_first():
    desk = Desk()
    desk.connect()
    settings = {"name": b"Noord", "psk": bytes(range(16)), "module_settings": {"position_precision": 14}}
    assert desk.set(set_channel={"index": 3, "settings": settings, "role": 2}) == 0
    desk.send(TEXT_MESSAGE_APP, b"hoi", channel=3)
    desk.run(5000)
    assert desk.node.counters["sent"] == 1 and desk.on_air(TEXT_MESSAGE_APP) == []
    assert desk.node.config.primary == 0
    assert desk.set(set_channel={"index": 3, "settings": settings, "role": 1}) == 0
    assert desk.node.config.primary == 3
    told = [desk.get(get_channel_request=index)["get_channel_response"] for index in (1, 4, 8)]
    assert [channel.get("role", 0) for channel in told] == [2, 1, 0]
    assert told[1]["settings"] == settings
    assert desk.set(set_channel={"index": 3}) == 0 and desk.node.config.primary == 0
    assert len(desk.node.config.channels) == 1


def test_a_fixed_position_is_told_and_can_be_taken_back():
    desk = Desk()
    desk.connect()
    assert desk.set(set_fixed_position={"altitude": 3}) == ERROR_BAD_REQUEST
    assert desk.set(set_fixed_position={"latitude_i": 520_000_000, "longitude_i": 50_000_000}) == 0
    assert desk.set(set_fixed_position={"altitude": -4}) == 0
    assert desk.node.config.place == Place(520_000_000, 50_000_000, -4)
    assert desk.node.config.position_s == 3600
    own = desk.connect()[2]["node_info"]
    assert own["position"]["latitude_i"] == 520_000_000 and own["position"]["altitude"] == -4
    section = desk.get(get_config_request=preferences.POSITION)["get_config_response"]["position"]
    assert section["fixed_position"] and section["gps_mode"] == 2
    assert desk.set(set_fixed_position={"latitude_i": 910_000_000, "longitude_i": 0}) == ERROR_BAD_REQUEST
    assert b"latitude is 910000000, allowed -900000000 to 900000000" in desk.notices[0]
    assert desk.set(remove_fixed_position=True) == 0
    assert desk.node.config.place is None and desk.node.config.position_s == 0
    assert "position" not in desk.connect()[2]["node_info"]


def test_marks_of_other_nodes_show_and_a_forgotten_node_is_gone():
    desk = Desk()
    desk.connect()
    assert desk.set(set_favorite_node=OTHER) == ERROR_BAD_REQUEST  # not heard yet
    desk.run(70_000)
    desk.hear()
    for order, name in (("set_favorite_node", "is_favorite"), ("set_ignored_node", "is_ignored")):
        assert desk.set(**{order: OTHER}) == 0
        assert desk.connect()[-2]["node_info"][name]
        assert desk.set(**{order.replace("set", "remove"): OTHER}) == 0
        assert name not in desk.connect()[-2]["node_info"]
    for is_muted in (True, False):
        assert desk.set(toggle_muted_node=OTHER) == 0
        assert desk.connect()[-2]["node_info"].get("is_muted", False) == is_muted
    assert desk.set(remove_by_nodenum=OTHER) == 0 and len(desk.node.nodes) == 0
    assert desk.set(remove_by_nodenum=OTHER) == ERROR_BAD_REQUEST


def test_a_contact_is_known_with_its_key_before_it_is_heard():
    desk = Desk()
    desk.connect()
    user = {"long_name": b"Buur", "short_name": b"BU", "public_key": _KEY}
    contact = {"node_num": 77, "user": user, "manually_verified": True}
    assert desk.set(add_contact=contact) == 0
    info = desk.connect()[-2]["node_info"]
    assert (info["num"], info["user"]["public_key"], info["is_key_manually_verified"]) == (77, _KEY, True)
    contact["user"] = dict(user, long_name=bytes(40))
    assert desk.set(add_contact=contact) == ERROR_BAD_REQUEST
    assert desk.set(set_favorite_node=77) == 0
    assert desk.set(add_contact={"node_num": 78, "user": user}) == 0
    assert desk.set(nodedb_reset=True) == 0
    assert [node.num for node in desk.node.nodes] == [77]
    assert desk.set(nodedb_reset=False) == 0 and len(desk.node.nodes) == 0


# What is refused


def test_a_value_out_of_range_is_refused_with_the_value_and_the_limit_and_nothing_changes():
    desk = Desk(channels=(_REGION,), public_key=_KEY, private_key=bytes(range(1, 33)))
    desk.connect()
    before = desk.connect()
    config = desk.node.config
    for words, order in (
        (b"hop limit is 9, allowed 0 to 7", {"set_config": _lora(desk, hop_limit=9)}),
        (b"modem preset is 99", {"set_config": _lora(desk, modem_preset=99)}),
        (b"lora.region is 0", {"set_config": _lora(desk, region=0)}),
        (b"500000 Hz is too wide for EU_868", {"set_config": _lora(desk, modem_preset=8)}),
        (b"lora.bandwidth is 100, allowed 31", {"set_config": _lora(desk, use_preset=False, bandwidth=100)}),
        (b"lora.spread_factor is 13", {"set_config": _lora(desk, use_preset=False, spread_factor=13)}),
        (b"lora.coding_rate is 4", {"set_config": _lora(desk, use_preset=False, coding_rate=4)}),
        (b"lora.tx_power is 99", {"set_config": _lora(desk, tx_power=99)}),
        (b"lora.override_frequency is 2400", {"set_config": _lora(desk, override_frequency=2400.0)}),
        (b"lora.override_frequency is nan", {"set_config": _lora(desk, override_frequency=float("nan"))}),
        (b"number of lora.ignore_incoming is 4", {"set_config": _lora(desk, ignore_incoming=[1, 2, 3, 4])}),
        (b"device.role is 13", {"set_config": {"device": {"role": 13}}}),
        (b"device.rebroadcast_mode is 6", {"set_config": {"device": {"rebroadcast_mode": 6}}}),
        (b"length of a key is 31, allowed 32", {"set_config": {"security": {"admin_key": [bytes(31)]}}}),
        (b"number of admin keys is 4", {"set_config": {"security": {"admin_key": [_KEY] * 4}}}),
        (b"is_managed needs an admin_key", {"set_config": {"security": {"is_managed": True}}}),
        (b"private_key belongs to", {"set_config": {"security": {"private_key": _KEY}}}),
        (b"public_key belongs to", {"set_config": {"security": {"public_key": bytes(32)}}}),
        (b"long_name is 40 bytes, limit 39", {"set_owner": {"long_name": b"x" * 40}}),
        (b"short_name is 5 bytes, limit 4", {"set_owner": {"short_name": b"x" * 5}}),
        (b"long_name is not UTF-8", {"set_owner": {"long_name": b"\xed\xa0\x80"}}),
        (b"is_licensed is on", {"set_owner": {"is_licensed": True}}),
        (b"channel is 8, allowed 0 to 7", {"set_channel": {"index": 8}}),
        (b"channel is -1, allowed 0 to 7", {"set_channel": {"index": -1}}),
        (b"length of a channel name is 12", {"set_channel": {"index": 1, "settings": {"name": b"x" * 12}}}),
        (b"channel key is 33 bytes", {"set_channel": {"index": 1, "settings": {"psk": bytes(33)}}}),
        (b"channel role is 3", {"set_channel": {"index": 1, "role": 3}}),
        (b"no channel is the primary one", {"set_channel": {"index": 0}}),
        (b"device.tzdef is not UTF-8", {"set_config": {"device": {"tzdef": b"\xff"}}}),
        (b"mqtt.root is not UTF-8", {"set_module_config": {"mqtt": {"root": b"\xc0\x80"}}}),
        (
            b"node_filter has a text that is not UTF-8",
            {"store_ui_config": {"node_filter": b"\x0a\x02\xff\xff"}},
        ),
        (b"nothing to set", {"set_config": {"sessionkey": {}}}),
        (b"no section", {"set_config": {}}),
        (b"no section", {"set_module_config": {"mesh_beacon": b""}}),
        (b"delay is 86401 s, limit 86400", {"reboot_seconds": 86_401}),
    ):
        assert desk.set(**order) == ERROR_BAD_REQUEST, order
        assert len(desk.notices) == 1 and words in desk.notices[0], (words, desk.notices)
        assert desk.told == [], order
    assert desk.node.config == config
    assert desk.connect() == before


def test_retired_roles_are_stored_as_client():
    for role in (3, 4):
        desk = Desk()
        desk.connect()
        assert desk.set(set_config={"device": {"role": role, "tzdef": b"CET"}}) == 0
        assert desk.get(get_config_request=0)["get_config_response"]["device"] == {"tzdef": b"CET"}
        assert desk.node.config.role == 0


def test_a_router_has_nobody_who_reads_messages_unless_its_owner_says_so():
    desk = Desk()
    desk.connect()
    assert desk.set(set_config={"device": {"role": 2}}) == 0 and desk.node.config.is_unmessagable
    assert desk.set(set_owner={"is_unmessagable": False}) == 0 and not desk.node.config.is_unmessagable
    assert desk.set(set_config={"device": {}}) == 0 and not desk.node.config.is_unmessagable


def test_a_new_region_brings_its_topic_and_ignores_the_internet():
    desk = Desk()
    desk.connect()
    mqtt = desk.get(get_module_config_request=0)["get_module_config_response"]["mqtt"]
    assert mqtt["root"] == b"msh/EU_868"
    assert desk.set(set_module_config={"mqtt": mqtt}) == 0
    assert desk.set(set_config=_lora(desk, ignore_mqtt=False)) == 0 and not desk.node.config.ignore_mqtt
    assert desk.set(set_config=_lora(desk, region=2)) == 0
    assert desk.node.config.ignore_mqtt and desk.node.config.band().name == "EU_433"
    mqtt = desk.get(get_module_config_request=0)["get_module_config_response"]["mqtt"]
    assert mqtt["root"] == b"msh/EU_433"
    assert desk.set(set_module_config={"mqtt": dict(mqtt, root=b"eigen")}) == 0
    assert desk.set(set_config=_lora(desk, region=3)) == 0
    assert desk.get(get_module_config_request=0)["get_module_config_response"]["mqtt"]["root"] == b"eigen"


def test_all_settings_together_have_a_limit():
    store = MemoryStore()
    desk = Desk(store=store)
    desk.connect()
    text = b"x" * 440
    orders: "list[Any]" = [
        {"set_config": {"network": {"ntp_server": text}}},
        {"set_config": {"device": {"tzdef": text}}},
    ]
    for name, field in (
        ("mqtt", "address"),
        ("canned_message", "allow_input_source"),
        ("detection_sensor", "name"),
        ("statusmessage", "node_status"),
    ):
        orders.append({"set_module_config": {name: {field: text}}})
    orders.append({"set_module_config": {"remote_hardware": {"available_pins": [text]}}})
    orders += [{"set_module_config": {name: text}} for name in ("traffic_management", "tak")]
    orders.append({"store_ui_config": {"calibration_data": text}})
    assert [desk.set(**order) for order in orders] == [0] * 9 + [ERROR_BAD_REQUEST]
    assert b"all settings together are 44" in desk.notices[0] and b"limit 4096" in desk.notices[0]
    assert desk.set(set_config={"power": {"sds_secs": 1}}) == 0
    assert 4000 < len(_kept(store)) <= 4096
    again = Preferences(desk.preferences.base, store)
    assert again.damaged == 0 and again.body(preferences.MODULES) == desk.preferences.body(
        preferences.MODULES
    )


# Editing


def test_changes_between_begin_and_commit_take_effect_together():
    store = MemoryStore()
    desk = Desk(store=store)
    desk.connect()
    assert desk.set(begin_edit_settings=True) == 0
    assert desk.set(set_owner={"long_name": b"Nieuw"}) == 0 and desk.told == []
    assert desk.set(set_config=_lora(desk, hop_limit=6)) == 0 and desk.told == []
    assert desk.get(get_owner_request=True)["get_owner_response"]["long_name"] == b"Nieuw"
    assert desk.node.config.long_name == b"Node 4096" and store.get("preferences") is None
    assert desk.set(commit_edit_settings=True) == 0 and desk.told == [Configured()]
    assert (desk.node.config.long_name, desk.node.config.hop_limit) == (b"Nieuw", 6)
    assert Desk(store=store).node.config == desk.node.config


def test_what_is_not_committed_is_forgotten_with_its_client_or_after_five_minutes():
    for leave in (True, False):
        desk = Desk()
        desk.connect()
        desk.set(begin_edit_settings=True)
        desk.set(set_owner={"long_name": b"Nieuw"})
        if leave:
            desk.tell(disconnect=True)
        else:
            assert desk.api.deadline() == desk.ether.now + 300_000
            desk.run(300_000)
            assert events(desk.api, desk.ether.now) == []
        desk.connect()
        assert desk.get(get_owner_request=True)["get_owner_response"]["long_name"] == b"Node 4096"
        assert desk.api.deadline() is None


# Keeping


def test_the_stored_form_is_the_one_in_the_protocol_document():
    store = MemoryStore()
    settings = Preferences(MeshConfig(OWN, b"Basis", b"B"), store)
    settings.change({preferences.MODULES + 5: b"\x08\x07", preferences.OWNER: b"\x12\x01x"})
    settings.commit()
    assert store.get("preferences") == b"\x01" + b"\x00\x00\x03\x12\x01x" + b"\x25\x00\x02\x08\x07"


def test_settings_on_a_flash_without_room_hold_until_a_restart_and_the_client_hears_it():
    store = BrokenStore()
    desk = Desk(store=store)
    desk.connect()
    assert desk.set(set_owner={"long_name": b"Nieuw"}) == 0
    assert b"no room to keep" in desk.notices[0]
    assert desk.node.config.long_name == b"Nieuw"
    assert Desk(store=store).node.config.long_name == b"Node 4096"
    assert desk.set(backup_preferences=0) == ERROR_BAD_REQUEST


def test_damaged_settings_leave_the_base_and_are_counted():
    store = MemoryStore()
    desk = Desk(store=store)
    desk.connect()
    desk.set(set_owner={"long_name": b"Nieuw"})
    desk.set(set_config=_lora(desk, hop_limit=6))
    good = _kept(store)
    rand = seeded(3)
    damaged = 0
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(1 + rand(3)):
            bad[rand(len(bad))] = rand(256)
        bad = bytes(bad[: len(bad) - rand(3)])
        store.set("preferences", bad)
        found = Preferences(desk.preferences.base, store)
        damaged += found.damaged
        if found.damaged:
            assert found.mesh_config() == desk.preferences.base
        found.mesh_config()
    assert damaged > 100
    for bad in (b"\x02", b"\x01\x00", b"\x01\x00\xff\xff", b"\x01\x15\x00\x02\x40\x09"):
        store.set("preferences", bad)
        assert Preferences(desk.preferences.base, store).damaged == 1, bad


def test_a_copy_of_the_settings_is_taken_back_until_it_is_removed():
    desk = Desk(store=MemoryStore())
    desk.connect()
    assert desk.set(restore_preferences=0) == ERROR_BAD_REQUEST
    desk.set(set_owner={"long_name": b"Eerst"})
    assert desk.set(backup_preferences=0) == 0
    assert desk.set(backup_preferences=1) == ERROR_BAD_REQUEST
    desk.set(set_owner={"long_name": b"Later"})
    assert desk.set(restore_preferences=0) == 0 and desk.node.config.long_name == b"Eerst"
    assert desk.set(remove_backup_preferences=0) == 0
    assert desk.set(restore_preferences=0) == ERROR_BAD_REQUEST


def test_a_factory_reset_leaves_what_was_provisioned():
    for order, known in (("factory_reset_config", 1), ("factory_reset_device", 0)):
        store = MemoryStore()
        desk = Desk(store=store, channels=(_REGION,), public_key=_KEY)
        desk.connect()
        base = desk.node.config
        desk.set(add_contact={"node_num": 77, "user": {}})
        desk.set(set_owner={"long_name": b"Nieuw"})
        desk.set(set_channel={"index": 0, "settings": {"psk": b"\x01"}, "role": 1})
        assert desk.node.config != base
        assert desk.set(**{order: 1}) == 0
        assert desk.node.config == base and len(desk.node.nodes) == known
        assert Desk(store=store, channels=(_REGION,), public_key=_KEY).node.config == base


# The device


def test_restarts_come_out_as_events_and_can_be_taken_back():
    desk = Desk()
    desk.connect()
    now = desk.ether.now
    assert desk.set(reboot_seconds=5) == 0 and desk.told == [Reboot(now + 5000)]
    assert desk.set(reboot_seconds=-1) == 0 and desk.told == [Reboot(None)]
    assert desk.set(shutdown_seconds=2) == 0 and desk.told == [Shutdown(now + 2000)]


def test_the_connection_the_screen_settings_and_what_is_not_here_are_told():
    desk = Desk()
    messages = desk.connect()
    serial = desk.get(get_device_connection_status_request=True)["get_device_connection_status_response"]
    assert serial == protobuf.encode(((4, "serial", "bytes"),), {"serial": b"\x08\x80\x84\x07\x10\x01"})
    assert desk.set(store_ui_config={"screen_brightness": 90, "map_data": b"\x08\x01"}) == 0
    ui = desk.get(get_ui_config_request=True)["get_ui_config_response"]
    assert ui == {"screen_brightness": 90, "map_data": b"\x08\x01"}
    assert desk.connect()[1] == {"deviceuiConfig": ui}
    excluded = messages[3]["metadata"]["excluded_modules"]
    assert kinds(messages)[3] == "metadata"
    assert excluded & (1 | 32 | 512) == 0  # MQTT, telemetry, neighbour info
    assert excluded == 0x7FFF - (1 | 32 | 512)


def test_a_managed_node_takes_only_the_time_from_its_own_client():
    desk = Desk()
    desk.connect()
    assert desk.set(set_config={"security": {"admin_key": [_KEY], "is_managed": True}}) == 0
    assert desk.set(set_owner={"long_name": b"Nieuw"}) == ERROR_NOT_AUTHORIZED
    assert desk.set(get_owner_request=True) == ERROR_NOT_AUTHORIZED
    assert b"is_managed" in desk.notices[0]
    assert desk.set(set_time_only=1_795_000_000) == 0 and desk.told == [SetTime(1_795_000_000)]
    desk.send(TEXT_MESSAGE_APP, b"hoi")
    desk.run(9000)
    assert len(desk.on_air(TEXT_MESSAGE_APP)) == 1


# Whatever comes


def test_whatever_a_client_orders_the_settings_stay_usable():
    """Valid sections with wild values, and admin messages with wild bytes."""
    rand = seeded(17)
    store = MemoryStore()
    desk = Desk(store=store)
    desk.connect()
    tables = (("set_config", protobuf.fields(CONFIG)), ("set_module_config", protobuf.fields(MODULE_CONFIG)))
    done = 0
    for turn in range(250):
        if turn % 3 == 0:
            payload = bytes([rand(256) for _ in range(rand(40))])
            desk.send(0, to=OWN, decoded={"portnum": 6, "payload": payload})
            events(desk.api, desk.ether.now)
            desk.hear()
            continue
        order, table = tables[rand(2)]
        field = table[rand(min(14, len(table)))]
        if field[1] != "sessionkey":
            body = bytes([rand(256) for _ in range(rand(12))])
            if rand(2):
                values = _fill(field[3], rand)
                for name in list(values):
                    if rand(3) == 0:
                        values.pop(name)
                    elif not isinstance(values[name], (bytes, list, dict, float)) and rand(2):
                        values[name] = (0, 1, 3, 5, 9, 250)[rand(6)] if values[name] is not True else True
                body = protobuf.encode(field[3], values)
            wrapped = protobuf.encode(((field[0], "section", "bytes|"),), {"section": body})
            wrapped = protobuf.encode(
                ((34 if order == "set_config" else 35, "order", "bytes|"),), {"order": wrapped}
            )
            desk.send(0, to=OWN, decoded={"portnum": 6, "payload": wrapped})
            done += Configured() in events(desk.api, desk.ether.now)
            desk.hear()
        if turn % 25 == 0:
            again = Preferences(desk.preferences.base, store)
            assert again.damaged == 0 and again.mesh_config() == desk.node.config
            messages = desk.connect()  # every section decodes
            assert messages[-1] == {"config_complete_id": 305419896}
            assert len(store.get("preferences") or b"") <= preferences.MAX_SIZE
    assert done > 20
    assert len(desk.api.preferences.body(preferences.CONFIGS)) < 600
