"""Settings of a Meshtastic node as a client reads and writes them: tables for `protobuf`.

Kept whole, also where Baken does not act on a field, because a client writes back complete sections.
Messages that nothing here looks into are "bytes": their encoding is kept as it came.
"""

from baken.wire.protobuf import compact

DEVICE_CONFIG = compact(
    "1 role enum, 2 serial_enabled bool, 4 button_gpio uint32, 5 buzzer_gpio uint32, "
    "6 rebroadcast_mode enum, 7 node_info_broadcast_secs uint32, 8 double_tap_as_button_press bool, "
    "9 is_managed bool, 10 disable_triple_click bool, 11 tzdef bytes, 12 led_heartbeat_disabled bool, "
    "13 buzzer_mode enum"
)

POSITION_CONFIG = compact(
    "1 position_broadcast_secs uint32, 2 position_broadcast_smart_enabled bool, 3 fixed_position bool, "
    "4 gps_enabled bool, 5 gps_update_interval uint32, 6 gps_attempt_time uint32, "
    "7 position_flags uint32, 8 rx_gpio uint32, 9 tx_gpio uint32, "
    "10 broadcast_smart_minimum_distance uint32, 11 broadcast_smart_minimum_interval_secs uint32, "
    "12 gps_en_gpio uint32, 13 gps_mode enum"
)

POWER_CONFIG = compact(
    "1 is_power_saving bool, 2 on_battery_shutdown_after_secs uint32, 3 adc_multiplier_override float, "
    "4 wait_bluetooth_secs uint32, 6 sds_secs uint32, 7 ls_secs uint32, 8 min_wake_secs uint32, "
    "9 device_battery_ina_address uint32, 32 powermon_enables uint64"
)

IPV4_CONFIG = compact("1 ip fixed32, 2 gateway fixed32, 3 subnet fixed32, 4 dns fixed32")

NETWORK_CONFIG = compact(
    "1 wifi_enabled bool, 3 wifi_ssid bytes, 4 wifi_psk bytes, 5 ntp_server bytes, 6 eth_enabled bool, "
    "7 address_mode enum, 8 ipv4_config message, 9 rsyslog_server bytes, 10 enabled_protocols uint32, "
    "11 ipv6_enabled bool",
    {"ipv4_config": IPV4_CONFIG},
)

DISPLAY_CONFIG = compact(
    "1 screen_on_secs uint32, 2 gps_format enum, 3 auto_screen_carousel_secs uint32, "
    "4 compass_north_top bool, 5 flip_screen bool, 6 units enum, 7 oled enum, 8 displaymode enum, "
    "9 heading_bold bool, 10 wake_on_tap_or_motion bool, 11 compass_orientation enum, "
    "12 use_12h_clock bool, 13 use_long_node_name bool, 14 enable_message_bubbles bool"
)

LORA_CONFIG = compact(
    "1 use_preset bool, 2 modem_preset enum, 3 bandwidth uint32, 4 spread_factor uint32, "
    "5 coding_rate uint32, 6 frequency_offset float, 7 region enum, 8 hop_limit uint32, "
    "9 tx_enabled bool, 10 tx_power int32, 11 channel_num uint32, 12 override_duty_cycle bool, "
    "13 sx126x_rx_boosted_gain bool, 14 override_frequency float, 15 pa_fan_disabled bool, "
    "103 ignore_incoming uint32[], 104 ignore_mqtt bool, 105 config_ok_to_mqtt bool, "
    "106 fem_lna_mode enum, 107 serial_hal_only bool"
)

BLUETOOTH_CONFIG = compact("1 enabled bool, 2 mode enum, 3 fixed_pin uint32")

SECURITY_CONFIG = compact(
    "1 public_key bytes, 2 private_key bytes, 3 admin_key bytes[], 4 is_managed bool, "
    "5 serial_enabled bool, 6 debug_log_api_enabled bool, 8 admin_channel_enabled bool, "
    "9 packet_signature_policy enum"
)

SESSIONKEY_CONFIG = compact("")

DEVICE_UI_CONFIG = compact(
    "1 version uint32, 2 screen_brightness uint32, 3 screen_timeout uint32, 4 screen_lock bool, "
    "5 settings_lock bool, 6 pin_code uint32, 7 theme enum, 8 alert_enabled bool, 9 banner_enabled bool, "
    "10 ring_tone_id uint32, 11 language enum, 12 node_filter bytes, 13 node_highlight bytes, "
    "14 calibration_data bytes, 15 map_data bytes, 16 compass_mode enum, 17 screen_rgb_color uint32, "
    "18 is_clockface_analog bool, 19 gps_format enum"
)

CONFIG = compact(
    "1 device message|, 2 position message|, 3 power message|, 4 network message|, 5 display message|, "
    "6 lora message|, 7 bluetooth message|, 8 security message|, 9 sessionkey message|, "
    "10 device_ui message|",
    {
        "device": DEVICE_CONFIG,
        "position": POSITION_CONFIG,
        "power": POWER_CONFIG,
        "network": NETWORK_CONFIG,
        "display": DISPLAY_CONFIG,
        "lora": LORA_CONFIG,
        "bluetooth": BLUETOOTH_CONFIG,
        "security": SECURITY_CONFIG,
        "sessionkey": SESSIONKEY_CONFIG,
        "device_ui": DEVICE_UI_CONFIG,
    },
)

MAP_REPORT_SETTINGS = compact(
    "1 publish_interval_secs uint32, 2 position_precision uint32, 3 should_report_location bool"
)

MQTT_CONFIG = compact(
    "1 enabled bool, 2 address bytes, 3 username bytes, 4 password bytes, 5 encryption_enabled bool, "
    "6 json_enabled bool, 7 tls_enabled bool, 8 root bytes, 9 proxy_to_client_enabled bool, "
    "10 map_reporting_enabled bool, 11 map_report_settings message",
    {"map_report_settings": MAP_REPORT_SETTINGS},
)

SERIAL_CONFIG = compact(
    "1 enabled bool, 2 echo bool, 3 rxd uint32, 4 txd uint32, 5 baud enum, 6 timeout uint32, "
    "7 mode enum, 8 override_console_serial_port bool"
)

EXTERNAL_NOTIFICATION_CONFIG = compact(
    "1 enabled bool, 2 output_ms uint32, 3 output uint32, 4 active bool, 5 alert_message bool, "
    "6 alert_bell bool, 7 use_pwm bool, 8 output_vibra uint32, 9 output_buzzer uint32, "
    "10 alert_message_vibra bool, 11 alert_message_buzzer bool, 12 alert_bell_vibra bool, "
    "13 alert_bell_buzzer bool, 14 nag_timeout uint32, 15 use_i2s_as_buzzer bool"
)

STORE_FORWARD_CONFIG = compact(
    "1 enabled bool, 2 heartbeat bool, 3 records uint32, 4 history_return_max uint32, "
    "5 history_return_window uint32, 6 is_server bool"
)

RANGE_TEST_CONFIG = compact("1 enabled bool, 2 sender uint32, 3 save bool, 4 clear_on_reboot bool")

TELEMETRY_CONFIG = compact(
    "1 device_update_interval uint32, 2 environment_update_interval uint32, "
    "3 environment_measurement_enabled bool, 4 environment_screen_enabled bool, "
    "5 environment_display_fahrenheit bool, 6 air_quality_enabled bool, 7 air_quality_interval uint32, "
    "8 power_measurement_enabled bool, 9 power_update_interval uint32, 10 power_screen_enabled bool, "
    "11 health_measurement_enabled bool, 12 health_update_interval uint32, "
    "13 health_screen_enabled bool, 14 device_telemetry_enabled bool, 15 air_quality_screen_enabled bool"
)

CANNED_MESSAGE_CONFIG = compact(
    "1 rotary1_enabled bool, 2 inputbroker_pin_a uint32, 3 inputbroker_pin_b uint32, "
    "4 inputbroker_pin_press uint32, 5 inputbroker_event_cw enum, 6 inputbroker_event_ccw enum, "
    "7 inputbroker_event_press enum, 8 updown1_enabled bool, 9 enabled bool, "
    "10 allow_input_source bytes, 11 send_bell bool"
)

AUDIO_CONFIG = compact(
    "1 codec2_enabled bool, 2 ptt_pin uint32, 3 bitrate enum, 4 i2s_ws uint32, 5 i2s_sd uint32, "
    "6 i2s_din uint32, 7 i2s_sck uint32"
)

REMOTE_HARDWARE_CONFIG = compact(
    "1 enabled bool, 2 allow_undefined_pin_access bool, 3 available_pins bytes[]"
)

NEIGHBOR_INFO_CONFIG = compact("1 enabled bool, 2 update_interval uint32, 3 transmit_over_lora bool")

AMBIENT_LIGHTING_CONFIG = compact(
    "1 led_state bool, 2 current uint32, 3 red uint32, 4 green uint32, 5 blue uint32"
)

DETECTION_SENSOR_CONFIG = compact(
    "1 enabled bool, 2 minimum_broadcast_secs uint32, 3 state_broadcast_secs uint32, 4 send_bell bool, "
    "5 name bytes, 6 monitor_pin uint32, 7 detection_trigger_type enum, 8 use_pullup bool"
)

PAXCOUNTER_CONFIG = compact(
    "1 enabled bool, 2 paxcounter_update_interval uint32, 3 wifi_threshold int32, 4 ble_threshold int32"
)

STATUS_MESSAGE_CONFIG = compact("1 node_status bytes")

MODULE_CONFIG = compact(
    "1 mqtt message|, 2 serial message|, 3 external_notification message|, 4 store_forward message|, "
    "5 range_test message|, 6 telemetry message|, 7 canned_message message|, 8 audio message|, "
    "9 remote_hardware message|, 10 neighbor_info message|, 11 ambient_lighting message|, "
    "12 detection_sensor message|, 13 paxcounter message|, 14 statusmessage message|, "
    "15 traffic_management bytes|, 16 tak bytes|, 17 mesh_beacon bytes|",
    {
        "mqtt": MQTT_CONFIG,
        "serial": SERIAL_CONFIG,
        "external_notification": EXTERNAL_NOTIFICATION_CONFIG,
        "store_forward": STORE_FORWARD_CONFIG,
        "range_test": RANGE_TEST_CONFIG,
        "telemetry": TELEMETRY_CONFIG,
        "canned_message": CANNED_MESSAGE_CONFIG,
        "audio": AUDIO_CONFIG,
        "remote_hardware": REMOTE_HARDWARE_CONFIG,
        "neighbor_info": NEIGHBOR_INFO_CONFIG,
        "ambient_lighting": AMBIENT_LIGHTING_CONFIG,
        "detection_sensor": DETECTION_SENSOR_CONFIG,
        "paxcounter": PAXCOUNTER_CONFIG,
        "statusmessage": STATUS_MESSAGE_CONFIG,
    },
)
