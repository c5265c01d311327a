"""Administration of a Meshtastic node over its client port or from afar: the table for `protobuf`.

Getters and setters are members of one oneof. `get_channel_request` is the channel's index + 1,
`get_config_request` n asks for field n + 1 of Config, and likewise for ModuleConfig.
Messages that nothing here looks into are "bytes": their encoding is kept as it came.
"""

from baken.compat import const
from baken.wire.messages import CHANNEL, DEVICE_METADATA, POSITION, USER
from baken.wire.messages_config import CONFIG, DEVICE_UI_CONFIG, MODULE_CONFIG
from baken.wire.protobuf import compact

# AdminMessage.ConfigType: what a client asks for before a setter, to learn the session's passkey.
SESSIONKEY_CONFIG = const(8)

HAM_PARAMETERS = compact(
    "1 call_sign bytes, 2 tx_power int32, 3 frequency float, 4 short_name bytes, 5 long_name bytes"
)

SHARED_CONTACT = compact(
    "1 node_num uint32, 2 user message, 3 should_ignore bool, 4 manually_verified bool",
    {"user": USER},
)

ADMIN_MESSAGE = compact(
    "1 get_channel_request uint32|, 2 get_channel_response message|, 3 get_owner_request bool|, "
    "4 get_owner_response message|, 5 get_config_request enum|, 6 get_config_response message|, "
    "7 get_module_config_request enum|, 8 get_module_config_response message|, "
    "10 get_canned_message_module_messages_request bool|, "
    "11 get_canned_message_module_messages_response bytes|, 12 get_device_metadata_request bool|, "
    "13 get_device_metadata_response message|, 14 get_ringtone_request bool|, "
    "15 get_ringtone_response bytes|, 16 get_device_connection_status_request bool|, "
    "17 get_device_connection_status_response bytes|, 18 set_ham_mode message|, "
    "19 get_node_remote_hardware_pins_request bool|, 20 get_node_remote_hardware_pins_response bytes|, "
    "21 enter_dfu_mode_request bool|, 22 delete_file_request bytes|, 23 set_scale uint32|, "
    "24 backup_preferences enum|, 25 restore_preferences enum|, 26 remove_backup_preferences enum|, "
    "27 send_input_event bytes|, 32 set_owner message|, 33 set_channel message|, 34 set_config message|, "
    "35 set_module_config message|, 36 set_canned_message_module_messages bytes|, "
    "37 set_ringtone_message bytes|, 38 remove_by_nodenum uint32|, 39 set_favorite_node uint32|, "
    "40 remove_favorite_node uint32|, 41 set_fixed_position message|, 42 remove_fixed_position bool|, "
    "43 set_time_only fixed32|, 44 get_ui_config_request bool|, 45 get_ui_config_response message|, "
    "46 store_ui_config message|, 47 set_ignored_node uint32|, 48 remove_ignored_node uint32|, "
    "49 toggle_muted_node uint32|, 64 begin_edit_settings bool|, 65 commit_edit_settings bool|, "
    "66 add_contact message|, 67 key_verification bytes|, 94 factory_reset_device int32|, "
    "95 reboot_ota_seconds int32|, 96 exit_simulator bool|, 97 reboot_seconds int32|, "
    "98 shutdown_seconds int32|, 99 factory_reset_config int32|, 100 nodedb_reset bool|, "
    "101 session_passkey bytes, 102 ota_request bytes|, 103 sensor_config bytes|, "
    "104 lockdown_auth bytes|",
    {
        "get_channel_response": CHANNEL,
        "get_owner_response": USER,
        "get_config_response": CONFIG,
        "get_module_config_response": MODULE_CONFIG,
        "get_device_metadata_response": DEVICE_METADATA,
        "set_ham_mode": HAM_PARAMETERS,
        "set_owner": USER,
        "set_channel": CHANNEL,
        "set_config": CONFIG,
        "set_module_config": MODULE_CONFIG,
        "set_fixed_position": POSITION,
        "get_ui_config_response": DEVICE_UI_CONFIG,
        "store_ui_config": DEVICE_UI_CONFIG,
        "add_contact": SHARED_CONTACT,
    },
)
