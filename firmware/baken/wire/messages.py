"""The messages of Meshtastic that a node handles every day, as tables for `protobuf`.

Settings are in `messages_config`, which is loaded when one is met, administration in `messages_admin`.
Numbers are those of the public definitions (firmware 2.6 to 2.8).
"""

from baken.compat import const
from baken.wire.protobuf import compact

# PortNum: what a Data's payload is.
TEXT_MESSAGE_APP = const(1)
POSITION_APP = const(3)
NODEINFO_APP = const(4)
ROUTING_APP = const(5)
ADMIN_APP = const(6)
WAYPOINT_APP = const(8)
DETECTION_SENSOR_APP = const(10)
ALERT_APP = const(11)
KEY_VERIFICATION_APP = const(12)
REPLY_APP = const(32)
PAXCOUNTER_APP = const(34)
STORE_FORWARD_APP = const(65)
RANGE_TEST_APP = const(66)
TELEMETRY_APP = const(67)
TRACEROUTE_APP = const(70)
NEIGHBORINFO_APP = const(71)
PRIVATE_APP = const(256)
MAX_PORT = const(511)

# Bits of Data.bitfield.
OK_TO_MQTT = const(1)
WANT_RESPONSE = const(2)

# Routing.Error
ERROR_NONE = const(0)
ERROR_NO_ROUTE = const(1)
ERROR_GOT_NAK = const(2)
ERROR_TIMEOUT = const(3)
ERROR_NO_INTERFACE = const(4)
ERROR_MAX_RETRANSMIT = const(5)
ERROR_NO_CHANNEL = const(6)
ERROR_TOO_LARGE = const(7)
ERROR_NO_RESPONSE = const(8)
ERROR_DUTY_CYCLE_LIMIT = const(9)
ERROR_BAD_REQUEST = const(32)
ERROR_NOT_AUTHORIZED = const(33)
ERROR_PKI_FAILED = const(34)
ERROR_PKI_UNKNOWN_PUBKEY = const(35)
ERROR_ADMIN_BAD_SESSION_KEY = const(36)
ERROR_ADMIN_PUBLIC_KEY_UNAUTHORIZED = const(37)
ERROR_RATE_LIMIT_EXCEEDED = const(38)
ERROR_PKI_SEND_FAIL_PUBLIC_KEY = const(39)

# MeshPacket.Priority
PRIORITY_MIN = const(1)
PRIORITY_BACKGROUND = const(10)
PRIORITY_DEFAULT = const(64)
PRIORITY_RELIABLE = const(70)
PRIORITY_RESPONSE = const(80)
PRIORITY_HIGH = const(100)
PRIORITY_ALERT = const(110)
PRIORITY_ACK = const(120)
PRIORITY_MAX = const(127)

# MeshPacket.TransportMechanism
TRANSPORT_INTERNAL = const(0)
TRANSPORT_LORA = const(1)
TRANSPORT_MQTT = const(5)
TRANSPORT_API = const(7)

# Channel.Role
CHANNEL_DISABLED = const(0)
CHANNEL_PRIMARY = const(1)
CHANNEL_SECONDARY = const(2)

# Config.DeviceConfig.Role
ROLE_CLIENT = const(0)
ROLE_CLIENT_MUTE = const(1)
ROLE_ROUTER = const(2)
ROLE_ROUTER_CLIENT = const(3)
ROLE_REPEATER = const(4)
ROLE_TRACKER = const(5)
ROLE_SENSOR = const(6)
ROLE_TAK = const(7)
ROLE_CLIENT_HIDDEN = const(8)
ROLE_LOST_AND_FOUND = const(9)
ROLE_TAK_TRACKER = const(10)
ROLE_ROUTER_LATE = const(11)
ROLE_CLIENT_BASE = const(12)

# Config.DeviceConfig.RebroadcastMode
REBROADCAST_ALL = const(0)
REBROADCAST_ALL_SKIP_DECODING = const(1)
REBROADCAST_LOCAL_ONLY = const(2)
REBROADCAST_KNOWN_ONLY = const(3)
REBROADCAST_NONE = const(4)
REBROADCAST_CORE_PORTNUMS_ONLY = const(5)

# Config.SecurityConfig.PacketSignaturePolicy
SIGNATURES_COMPATIBLE = const(0)
SIGNATURES_BALANCED = const(1)
SIGNATURES_STRICT = const(2)

# HardwareModel
HARDWARE_PORTDUINO = const(37)
HARDWARE_PRIVATE = const(255)

# LogRecord.Level
LEVEL_CRITICAL = const(50)
LEVEL_ERROR = const(40)
LEVEL_WARNING = const(30)
LEVEL_INFO = const(20)
LEVEL_DEBUG = const(10)

# want_config_id with a meaning of its own.
NONCE_WITHOUT_NODES = const(69420)
NONCE_ONLY_NODES = const(69421)


def _config():
    from baken.wire.messages_config import CONFIG

    return CONFIG


def _module_config():
    from baken.wire.messages_config import MODULE_CONFIG

    return MODULE_CONFIG


def _device_ui():
    from baken.wire.messages_config import DEVICE_UI_CONFIG

    return DEVICE_UI_CONFIG


# ---------------------------------------------------------------------------- on the air

DATA = (
    (1, "portnum", "enum"),
    (2, "payload", "bytes"),
    (3, "want_response", "bool"),
    (4, "dest", "fixed32"),
    (5, "source", "fixed32"),
    (6, "request_id", "fixed32"),
    (7, "reply_id", "fixed32"),
    (8, "emoji", "fixed32"),
    (9, "bitfield", "uint32?"),
    (10, "xeddsa_signature", "bytes"),
)

USER = compact(
    "1 id bytes, 2 long_name bytes, 3 short_name bytes, 4 macaddr bytes, 5 hw_model enum, "
    "6 is_licensed bool, 7 role enum, 8 public_key bytes, 9 is_unmessagable bool?"
)

POSITION = compact(
    "1 latitude_i sfixed32?, 2 longitude_i sfixed32?, 3 altitude int32?, 4 time fixed32, "
    "5 location_source enum, 6 altitude_source enum, 7 timestamp fixed32, "
    "8 timestamp_millis_adjust int32, 9 altitude_hae sint32?, 10 altitude_geoidal_separation sint32?, "
    "11 PDOP uint32, 12 HDOP uint32, 13 VDOP uint32, 14 gps_accuracy uint32, 15 ground_speed uint32?, "
    "16 ground_track uint32?, 17 fix_quality uint32, 18 fix_type uint32, 19 sats_in_view uint32, "
    "20 sensor_id uint32, 21 next_update uint32, 22 seq_number uint32, 23 precision_bits uint32"
)

ROUTE_DISCOVERY = compact(
    "1 route fixed32[], 2 snr_towards int32[], 3 route_back fixed32[], 4 snr_back int32[]"
)

ROUTING = compact(
    "1 route_request message|, 2 route_reply message|, 3 error_reason enum|",
    {"route_request": ROUTE_DISCOVERY, "route_reply": ROUTE_DISCOVERY},
)

NEIGHBOR = compact(
    "1 node_id uint32, 2 snr float, 3 last_rx_time fixed32, 4 node_broadcast_interval_secs uint32"
)

NEIGHBOR_INFO = compact(
    "1 node_id uint32, 2 last_sent_by_id uint32, 3 node_broadcast_interval_secs uint32, "
    "4 neighbors message[]",
    {"neighbors": NEIGHBOR},
)

DEVICE_METRICS = compact(
    "1 battery_level uint32?, 2 voltage float?, 3 channel_utilization float?, 4 air_util_tx float?, "
    "5 uptime_seconds uint32?"
)

LOCAL_STATS = compact(
    "1 uptime_seconds uint32, 2 channel_utilization float, 3 air_util_tx float, 4 num_packets_tx uint32, "
    "5 num_packets_rx uint32, 6 num_packets_rx_bad uint32, 7 num_online_nodes uint32, "
    "8 num_total_nodes uint32, 9 num_rx_dupe uint32, 10 num_tx_relay uint32, "
    "11 num_tx_relay_canceled uint32, 12 heap_total_bytes uint32, 13 heap_free_bytes uint32, "
    "14 num_tx_dropped uint32, 15 noise_floor int32"
)

# Of other nodes' sensors only the fact is kept: the undecoded bytes.
TELEMETRY = compact(
    "1 time fixed32, 2 device_metrics message|, 3 environment_metrics bytes|, "
    "4 air_quality_metrics bytes|, 5 power_metrics bytes|, 6 local_stats message|, "
    "7 health_metrics bytes|, 8 host_metrics bytes|, 9 traffic_management_stats bytes|",
    {"device_metrics": DEVICE_METRICS, "local_stats": LOCAL_STATS},
)

# ---------------------------------------------------------------------------- to and from a client

MESH_PACKET = compact(
    "1 from fixed32, 2 to fixed32, 3 channel uint32, 4 decoded message|, 5 encrypted bytes|, "
    "6 id fixed32, 7 rx_time fixed32, 8 rx_snr float, 9 hop_limit uint32, 10 want_ack bool, "
    "11 priority enum, 12 rx_rssi int32, 13 delayed enum, 14 via_mqtt bool, 15 hop_start uint32, "
    "16 public_key bytes, 17 pki_encrypted bool, 18 next_hop uint32, 19 relay_node uint32, "
    "20 tx_after uint32, 21 transport_mechanism enum, 22 xeddsa_signed bool",
    {"decoded": DATA},
)

HEARTBEAT = ((1, "nonce", "uint32"),)

QUEUE_STATUS = compact("1 res int32, 2 free uint32, 3 maxlen uint32, 4 mesh_packet_id uint32")

LOG_RECORD = compact("1 message bytes, 2 time fixed32, 3 source bytes, 4 level enum")

CLIENT_NOTIFICATION = compact("1 reply_id uint32?, 2 time fixed32, 3 level enum, 4 message bytes")

FILE_INFO = compact("1 file_name bytes, 2 size_bytes uint32")

MY_NODE_INFO = compact(
    "1 my_node_num uint32, 8 reboot_count uint32, 11 min_app_version uint32, 12 device_id bytes, "
    "13 pio_env bytes, 14 firmware_edition enum, 15 nodedb_count uint32"
)

NODE_INFO = compact(
    "1 num uint32, 2 user message, 3 position message, 4 snr float, 5 last_heard fixed32, "
    "6 device_metrics message, 7 channel uint32, 8 via_mqtt bool, 9 hops_away uint32?, "
    "10 is_favorite bool, 11 is_ignored bool, 12 is_key_manually_verified bool, 13 is_muted bool, "
    "14 has_xeddsa_signed bool",
    {"user": USER, "position": POSITION, "device_metrics": DEVICE_METRICS},
)

DEVICE_METADATA = compact(
    "1 firmware_version bytes, 2 device_state_version uint32, 3 canShutdown bool, 4 hasWifi bool, "
    "5 hasBluetooth bool, 6 hasEthernet bool, 7 role enum, 8 position_flags uint32, 9 hw_model enum, "
    "10 hasRemoteHardware bool, 11 hasPKC bool, 12 excluded_modules uint32, 14 has_xeddsa bool"
)

MODULE_SETTINGS = compact("1 position_precision uint32, 2 is_muted bool")

CHANNEL_SETTINGS = compact(
    "1 channel_num uint32, 2 psk bytes, 3 name bytes, 4 id fixed32, 5 uplink_enabled bool, "
    "6 downlink_enabled bool, 7 module_settings message",
    {"module_settings": MODULE_SETTINGS},
)

CHANNEL = compact(
    "1 index int32, 2 settings message, 3 role enum",
    {"settings": CHANNEL_SETTINGS},
)

MQTT_CLIENT_PROXY_MESSAGE = compact("1 topic bytes, 2 data bytes|, 3 text bytes|, 4 retained bool")

TO_RADIO = compact(
    "1 packet message|, 3 want_config_id uint32|, 4 disconnect bool|, 5 xmodemPacket bytes|, "
    "6 mqttClientProxyMessage message|, 7 heartbeat message|",
    {
        "packet": MESH_PACKET,
        "mqttClientProxyMessage": MQTT_CLIENT_PROXY_MESSAGE,
        "heartbeat": HEARTBEAT,
    },
)

FROM_RADIO = compact(
    "1 id uint32, 2 packet message|, 3 my_info message|, 4 node_info message|, 5 config message|, "
    "6 log_record message|, 7 config_complete_id uint32|, 8 rebooted bool|, 9 moduleConfig message|, "
    "10 channel message|, 11 queueStatus message|, 12 xmodemPacket bytes|, 13 metadata message|, "
    "14 mqttClientProxyMessage message|, 15 fileInfo message|, 16 clientNotification message|, "
    "17 deviceuiConfig message|, 18 lockdown_status bytes|, 19 region_presets bytes|",
    {
        "packet": MESH_PACKET,
        "my_info": MY_NODE_INFO,
        "node_info": NODE_INFO,
        "config": _config,
        "log_record": LOG_RECORD,
        "moduleConfig": _module_config,
        "channel": CHANNEL,
        "queueStatus": QUEUE_STATUS,
        "metadata": DEVICE_METADATA,
        "mqttClientProxyMessage": MQTT_CLIENT_PROXY_MESSAGE,
        "fileInfo": FILE_INFO,
        "clientNotification": CLIENT_NOTIFICATION,
        "deviceuiConfig": _device_ui,
    },
)
