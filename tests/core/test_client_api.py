"""The serial client API: a client of a few lines against ClientApi, the mesh behind it."""

from _desk import NONCE, OTHER, OWN, Desk, events, kinds, notices, packets, statuses, verdicts
from _ether import make_node, seeded
from _vectors import from_hex, rows

from baken.mesh.client_api import MAX_PACKETS, MAX_WAITING
from baken.mesh.config import Channel
from baken.mesh.events import ClientRecord, ClientText, KeyConflict, SetTime
from baken.wire import protobuf, stream
from baken.wire.messages import (
    ADMIN_APP,
    ALERT_APP,
    ERROR_BAD_REQUEST,
    ERROR_DUTY_CYCLE_LIMIT,
    ERROR_MAX_RETRANSMIT,
    ERROR_NO_CHANNEL,
    ERROR_NO_RESPONSE,
    ERROR_PKI_SEND_FAIL_PUBLIC_KEY,
    ERROR_RATE_LIMIT_EXCEEDED,
    ERROR_TOO_LARGE,
    FROM_RADIO,
    LEVEL_INFO,
    NODEINFO_APP,
    POSITION_APP,
    PRIVATE_APP,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    TO_RADIO,
    TRACEROUTE_APP,
    USER,
)
from baken.wire.packet import BROADCAST

# The session


def test_it_is_silent_until_the_first_message_of_a_client():
    desk = Desk()
    assert desk.hear() == []
    desk.ether.nodes[1].send(TEXT_MESSAGE_APP, b"gemist", desk.ether.now)
    desk.run(20_000)
    desk.api.receive_bytes(b"\xc3" * 32, desk.ether.now)
    assert desk.hear() == []
    assert not desk.api.client_ready
    kept = packets(desk.connect())
    assert [packet["decoded"]["payload"] for packet in kept] == [b"gemist"]
    assert desk.api.client_ready


def test_while_nobody_is_attached_the_newest_texts_wait_in_a_bounded_memory():
    desk = Desk()
    for i in range(20):
        desk.ether.nodes[1].send(TEXT_MESSAGE_APP, b"%02d" % i + b"." * 150, desk.ether.now, hop_limit=0)
        desk.run(4000)
    kept = [packet["decoded"]["payload"] for packet in packets(desk.connect())]
    assert [int(text[:2]) for text in kept] == list(range(20 - len(kept), 20))
    assert MAX_WAITING // 2 < sum([len(text) for text in kept]) <= MAX_WAITING
    assert desk.api.counters["packets-dropped"] == 20 - len(kept)


def test_the_start_up_sequence_has_the_order_of_the_real_firmware():
    for number, recorded in rows("want_config.txt", "stream"):
        nonce = int(number)
        real = [
            protobuf.decode(FROM_RADIO, payload) for payload in stream.Deframer().receive(from_hex(recorded))
        ]
        not_ours = ("region_presets", "fileInfo")  # of 2.8, and files that a client would fetch
        expected = [kind for kind in kinds(real) if kind not in not_ours]
        desk = Desk()
        desk.ether.run(70_000)  # the neighbour is known now, as one was in the recording
        desk.tell(want_config_id=nonce)
        ours = desk.hear()
        if "moduleConfig" in expected:
            expected.remove("moduleConfig")  # 2.8 has 17, 2.7 has 16
        assert kinds(ours) == expected, nonce
        assert ours[-1] == {"config_complete_id": nonce}


def test_the_start_up_sequence_describes_the_node():
    desk = Desk()
    desk.api.unix_s = 1_795_000_000
    desk.api.battery_percent = 101
    desk.run(70_000)
    messages = desk.connect()
    assert messages[0]["my_info"]["my_node_num"] == OWN
    assert messages[0]["my_info"]["device_id"] == bytes(range(16))
    own = messages[2]["node_info"]
    assert own["user"]["id"] == b"!00001000"
    assert own["device_metrics"]["battery_level"] == 101
    assert "hops_away" not in own
    channels = [message["channel"] for message in messages if "channel" in message]
    assert [channel.get("role", 0) for channel in channels] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert channels[0]["settings"] == {"psk": b"\x01"}
    configs = [message["config"] for message in messages if "config" in message]
    assert [list(config)[0] for config in configs][5:9] == ["lora", "bluetooth", "security", "sessionkey"]
    assert (configs[5]["lora"]["region"], configs[5]["lora"]["hop_limit"]) == (3, 4)
    modules = [message["moduleConfig"] for message in messages if "moduleConfig" in message]
    assert [list(module)[0] for module in modules][:2] == ["mqtt", "serial"]
    assert len(set([list(module)[0] for module in modules])) == 16
    other = messages[-2]["node_info"]
    assert (other["num"], other["user"]["id"], other["snr"], other["hops_away"]) == (
        OTHER,
        b"!00001001",
        5.5,
        0,
    )
    assert desk.api.unix_s - 70 <= other["last_heard"] < desk.api.unix_s


def test_however_the_bytes_are_cut_the_session_is_the_same():
    whole = Desk()
    expected = whole.connect()
    for limit in (1, 7, 512):
        desk = Desk()
        for byte in stream.frame(protobuf.encode(TO_RADIO, {"want_config_id": NONCE})):
            desk.api.receive_bytes(bytes([byte]), desk.ether.now)
        assert desk.hear(limit) == expected


def test_a_new_request_restarts_the_sequence_without_breaking_the_frame_on_the_line():
    desk = Desk()
    desk.tell(want_config_id=1)
    started = desk.api.next_bytes(30)
    desk.tell(want_config_id=2)
    data = started + desk.api.next_bytes(100_000)
    deframer = stream.Deframer()
    messages = [protobuf.decode(FROM_RADIO, payload) for payload in deframer.receive(data)]
    assert deframer.bad_starts == 0
    assert [message.pop("id") for message in messages] == list(range(1, len(messages) + 1))
    assert kinds(messages)[:3] == ["my_info", "my_info", "deviceuiConfig"]
    assert messages[-1] == {"config_complete_id": 2}


def test_a_heartbeat_gets_a_queue_status_or_an_announcement():
    desk = Desk()
    desk.connect()
    desk.tell(heartbeat={})
    assert statuses(desk.hear()) == [{"free": 16, "maxlen": 16}]
    desk.tell(heartbeat={"nonce": 1})
    assert desk.hear() == []
    desk.run(5000)
    assert len(desk.on_air(NODEINFO_APP)) == 1


def test_after_goodbye_and_after_a_quarter_of_an_hour_without_a_word_it_is_silent_again():
    desk = Desk()
    desk.connect()
    desk.tell(disconnect=True)
    assert not desk.api.client_ready
    desk.ether.nodes[1].send(POSITION_APP, b"", desk.ether.now)
    desk.run(9000)
    assert desk.hear() == []
    desk.connect()
    desk.api.next_event(desk.ether.now + 900_000)
    assert desk.api.client_ready
    desk.api.next_event(desk.ether.now + 900_001)
    assert not desk.api.client_ready


def test_noise_on_the_line_is_counted_and_nothing_else():
    desk = Desk()
    rand = seeded(11)
    for i in range(400):
        noise = bytes([rand(256) for _ in range(rand(60))])
        desk.api.receive_bytes(stream.frame(noise) if i % 2 else noise, desk.ether.now)
        desk.hear()
    assert sum(desk.api.counters.values()) > 50
    desk.api.receive_bytes(bytes(600), desk.ether.now)  # whatever length the noise promised is over
    desk.hear()
    assert desk.connect()[-1] == {"config_complete_id": NONCE}


# Packets from the client


def test_a_packet_goes_out_under_our_own_number_and_is_confirmed():
    desk = Desk()
    desk.connect()
    packet_id = desk.send(TEXT_MESSAGE_APP, b"hoi", **{"from": 0xBAD, "next_hop": 9, "relay_node": 9})
    assert statuses(desk.hear()) == [{"free": 15, "maxlen": 16, "mesh_packet_id": packet_id}]
    desk.run(9000)
    (text,) = desk.on_air(TEXT_MESSAGE_APP)
    assert (text.sender, text.packet_id, text.payload, text.hop_start) == (OWN, packet_id, b"hoi", 3)
    assert (text.next_hop, text.relay_node) == (0, 0xFF)


def test_no_hops_means_none_or_with_an_acknowledgement_the_configured_ones():
    desk = Desk()
    desk.connect()
    desk.send(PRIVATE_APP, b"a", hop_limit=0)
    desk.run(5000)
    desk.send(PRIVATE_APP, b"b", hop_limit=0, want_ack=True)
    desk.run(9000)
    assert [(packet.payload, packet.hop_start) for packet in desk.on_air(PRIVATE_APP)] == [
        (b"a", 0),
        (b"b", 4),
    ]


def test_a_relay_that_is_heard_is_reported_as_our_own_routing_packet():
    desk = Desk()
    desk.connect()
    packet_id = desk.send(TEXT_MESSAGE_APP, b"hoi", want_ack=True)
    desk.hear()
    desk.run(20_000)
    assert verdicts(desk.hear()) == [(packet_id, b"\x18\x00")]


def test_a_real_acknowledgement_is_passed_on_from_its_sender_once():
    desk = Desk()
    desk.connect()
    packet_id = desk.send(POSITION_APP, b"", to=OTHER, want_ack=True)
    desk.hear()
    desk.run(30_000)
    answers = [packet for packet in packets(desk.hear()) if packet["decoded"]["portnum"] == ROUTING_APP]
    assert [(packet["from"], packet["decoded"]["payload"]) for packet in answers] == [(OTHER, b"\x18\x00")]
    assert answers[0]["decoded"]["request_id"] == packet_id


def test_a_refusal_of_the_addressee_is_passed_on_once():
    desk = Desk(channels=(Channel(), Channel(b"Regio", bytes(32))))
    desk.connect()
    packet_id = desk.send(POSITION_APP, b"", to=OTHER, want_ack=True, channel=1)
    desk.hear()
    desk.run(30_000)
    answers = [packet for packet in packets(desk.hear()) if packet["decoded"]["portnum"] == ROUTING_APP]
    assert [packet["from"] for packet in answers] == [OTHER]
    assert answers[0]["decoded"]["payload"] == bytes([0x18, ERROR_NO_CHANNEL])
    assert answers[0]["decoded"]["request_id"] == packet_id


def test_a_packet_that_nobody_hears_ends_in_max_retransmit():
    desk = Desk(links={})
    desk.connect()
    packet_id = desk.send(TEXT_MESSAGE_APP, b"hoi", want_ack=True)
    desk.run(30_000)
    assert verdicts(desk.hear()) == [(packet_id, bytes([0x18, ERROR_MAX_RETRANSMIT]))]


def test_a_packet_beyond_the_duty_cycle_is_reported():
    desk = Desk()
    desk.connect()
    desk.node.budget.spend(360_000, desk.ether.now)
    packet_id = desk.send(TEXT_MESSAGE_APP, b"hoi", want_ack=True)
    desk.run(100)
    messages = desk.hear()
    assert verdicts(messages) == [(packet_id, bytes([0x18, ERROR_DUTY_CYCLE_LIMIT]))]
    assert [(told["reply_id"], b"limit 10 %" in told["message"]) for told in notices(messages)] == [
        (packet_id, True)
    ]


def test_what_cannot_be_sent_is_refused_with_its_reason():
    desk = Desk()
    desk.connect()
    refused = (
        (ERROR_TOO_LARGE, desk.send(PRIVATE_APP, bytes(233))),
        (ERROR_NO_CHANNEL, desk.send(PRIVATE_APP, b"x", channel=5)),
        (ERROR_BAD_REQUEST, desk.send(PRIVATE_APP, b"x", to=0)),
        (ERROR_BAD_REQUEST, desk.send(PRIVATE_APP, b"x", hop_limit=9)),
        (ERROR_BAD_REQUEST, desk.send(TRACEROUTE_APP, b"")),
        (ERROR_PKI_SEND_FAIL_PUBLIC_KEY, desk.send(PRIVATE_APP, b"x", to=OTHER, pki_encrypted=True)),
    )
    messages = desk.hear()
    told = {notice["reply_id"]: notice["message"] for notice in notices(messages)}
    assert b"233 bytes, limit 232" not in told[refused[0][1]] and b"limit 239" in told[refused[0][1]]
    assert b"hop limit is 9 of 9, limit 7" in told[refused[3][1]]
    assert [(status["res"], status["mesh_packet_id"]) for status in statuses(messages)] == list(refused)
    assert verdicts(messages) == [(packet_id, bytes([0x18, error])) for error, packet_id in refused]
    desk.tell(packet={"to": BROADCAST, "id": 9, "encrypted": b"x"})
    assert statuses(desk.hear())[0]["res"] == ERROR_BAD_REQUEST
    desk.run(9000)
    assert desk.ether.frames == []


def test_a_text_that_is_too_long_is_refused_with_its_length_and_the_limit():
    desk = Desk()
    desk.connect()
    packet_id = desk.send(TEXT_MESSAGE_APP, bytes(250))
    messages = desk.hear()
    assert statuses(messages)[0]["res"] == ERROR_TOO_LARGE
    assert verdicts(messages) == [(packet_id, bytes([0x18, ERROR_TOO_LARGE]))]
    (notice,) = notices(messages)
    assert notice["message"] == b"tekst is 250 bytes, grens 232 / text is 250 bytes, limit 232"
    assert notice["reply_id"] == packet_id
    desk.run(3000)
    desk.send(TEXT_MESSAGE_APP, bytes(232))
    desk.run(9000)
    assert len(desk.on_air(TEXT_MESSAGE_APP)) == 1


def test_a_packet_that_is_repeated_goes_out_once():
    desk = Desk()
    desk.connect()
    for _ in range(3):
        desk.send(PRIVATE_APP, b"x", id=4711)
    assert len(statuses(desk.hear())) == 3
    desk.run(9000)
    assert len(desk.on_air(PRIVATE_APP)) == 1
    for i in range(20):
        desk.send(POSITION_APP, b"", id=5000 + i)
    desk.send(PRIVATE_APP, b"x", id=4711)  # forgotten after twenty others
    assert desk.api.counters["repeated"] == 2


def test_texts_are_two_seconds_apart():
    desk = Desk()
    desk.connect()
    desk.send(TEXT_MESSAGE_APP, b"een")
    too_soon = desk.send(TEXT_MESSAGE_APP, b"twee")
    messages = desk.hear()
    assert [status.get("res", 0) for status in statuses(messages)] == [0, 0]
    assert verdicts(messages) == [(too_soon, bytes([0x18, ERROR_RATE_LIMIT_EXCEEDED]))]
    desk.run(2000)
    desk.send(TEXT_MESSAGE_APP, b"drie")
    desk.run(20_000)
    assert [text.payload for text in desk.on_air(TEXT_MESSAGE_APP)] == [b"een", b"drie"]


def test_a_client_that_was_told_the_queue_is_full_hears_when_it_is_not():
    desk = Desk()
    desk.connect()
    for i in range(16):
        desk.send(PRIVATE_APP, bytes([i]))
    assert [status.get("free", 0) for status in statuses(desk.hear())] == list(range(15, -1, -1))
    assert desk.hear() == []
    desk.run(3000)
    assert statuses(desk.hear())[0]["free"] > 0


# Packets to the client


def test_a_packet_from_the_mesh_comes_with_how_it_was_heard():
    desk = Desk()
    desk.connect()
    desk.api.unix_s = 1_795_000_000
    packet_id = desk.ether.nodes[1].send(TEXT_MESSAGE_APP, b"hoi", desk.ether.now, reply_id=12)
    desk.run(9000)
    (packet,) = packets(desk.hear())
    assert packet == {
        "from": OTHER,
        "to": BROADCAST,
        "decoded": {"portnum": TEXT_MESSAGE_APP, "payload": b"hoi", "reply_id": 12, "bitfield": 0},
        "id": packet_id,
        "rx_time": 1_795_000_000,
        "rx_snr": 5.5,
        "hop_limit": 4,
        "hop_start": 4,
        "rx_rssi": -100,
        "relay_node": 1,
        "transport_mechanism": 1,
    }


def test_packets_between_others_are_not_passed_on():
    desk = Desk(neighbours=2)
    desk.connect()
    desk.ether.nodes[1].send(POSITION_APP, b"", desk.ether.now, to=OWN + 2)
    desk.run(9000)
    assert packets(desk.hear()) == []


def test_of_a_full_queue_a_text_takes_the_oldest_place_and_others_are_dropped():
    desk = Desk()
    desk.connect()
    now = desk.ether.now
    other = desk.ether.nodes[1]
    for i in range(MAX_PACKETS + 3):
        other.send(POSITION_APP, bytes([i]), desk.ether.now, hop_limit=0)
        desk.run(1500)
    other.send(TEXT_MESSAGE_APP, b"hoi", desk.ether.now, hop_limit=0)
    desk.run(1500)
    assert desk.ether.now > now
    assert not desk.api.client_record(b"no room")
    payloads = [packet["decoded"].get("payload", b"") for packet in packets(desk.hear())]
    payloads = [payload for payload in payloads if len(payload) < 4]  # a NodeInfo may be among them
    assert len(payloads) in (MAX_PACKETS, MAX_PACKETS - 1)
    assert payloads[0] == bytes([1])
    assert payloads[-1] == b"hoi"
    assert desk.api.counters["packets-dropped"] >= 4


def test_a_packet_that_we_cannot_open_goes_up_as_it_was_heard():
    desk = Desk()
    desk.connect()
    other = desk.ether.nodes[1]
    other.configure(make_node(OTHER, channels=(Channel(b"Geheim", bytes(16)),)).config, desk.ether.now)
    packet_id = other.send(TEXT_MESSAGE_APP, b"hoi", desk.ether.now)
    desk.run(9000)
    (packet,) = packets(desk.hear())
    frame = desk.ether.frames[0][2]
    assert (packet["from"], packet["id"], packet["channel"]) == (OTHER, packet_id, frame[13])
    assert packet["encrypted"] == frame[16:]
    assert "decoded" not in packet


def test_a_key_that_does_not_fit_is_told_to_the_user():
    desk = Desk()
    desk.connect()
    desk.api.receive_event(KeyConflict(OTHER), desk.ether.now)
    desk.api.receive_event(KeyConflict(OTHER, own_key=True), desk.ether.now)
    told = [notice["message"] for notice in notices(desk.hear())]
    assert b"!00001001 announces another key" in told[0].replace(b" meldt een andere sleutel /", b"")
    assert b"has our key" in told[1]


def test_packets_to_ourselves_are_answered_and_stay_off_the_air():
    desk = Desk()
    desk.connect()
    asked = {"portnum": NODEINFO_APP, "want_response": True}
    packet_id = desk.send(0, to=OWN, decoded=asked)
    (packet,) = packets(desk.hear())
    assert packet["decoded"]["request_id"] == packet_id
    assert protobuf.decode(USER, packet["decoded"]["payload"])["id"] == b"!00001000"
    packet_id = desk.send(0, to=OWN, decoded={"portnum": POSITION_APP, "want_response": True})
    assert verdicts(desk.hear()) == [(packet_id, bytes([0x18, ERROR_NO_RESPONSE]))]
    packet_id = desk.send(TEXT_MESSAGE_APP, b"memo", to=OWN, want_ack=True)
    assert verdicts(desk.hear()) == [(packet_id, b"\x18\x00")]
    desk.run(9000)
    assert desk.ether.frames == []


def test_a_client_that_goes_on_after_our_restart_is_told_so_once():
    desk = Desk()
    desk.tell(heartbeat={})
    assert desk.hear()[0] == {"rebooted": True}
    desk.tell(heartbeat={})
    assert kinds(desk.hear()) == ["queueStatus"]
    desk.connect()
    desk.tell(heartbeat={})
    assert kinds(desk.hear()) == ["queueStatus"]


def test_a_file_transfer_is_cancelled():
    desk = Desk()
    desk.connect()
    for control, answer in ((1, 24), (2, 24), (4, 24), (24, 6)):
        desk.tell(xmodemPacket=bytes([8, control]))
        assert desk.hear() == [{"xmodemPacket": bytes([8, answer])}]
    desk.tell(xmodemPacket=b"\x08")
    assert desk.hear() == [] and desk.api.counters["protobuf-truncated"] == 1


def test_the_log_goes_to_a_client_that_asked_for_it():
    desk = Desk()
    desk.connect()
    desk.api.log(b"learned")
    assert desk.hear() == []
    desk.administer(set_config={"security": {"debug_log_api_enabled": True}})
    events(desk.api, desk.ether.now)
    desk.hear()
    desk.api.log(b"learned")
    (message,) = desk.hear()
    assert (message["log_record"]["message"], message["log_record"]["level"]) == (b"learned", LEVEL_INFO)


# The link between the client's replica and ours


def test_records_to_our_own_number_come_out_as_events_and_stay_off_the_air():
    desk = Desk()
    desk.connect()
    record = b"\x11" + bytes(range(230))
    packet_id = desk.send(PRIVATE_APP, record, to=OWN, want_ack=True)
    messages = desk.hear()
    assert statuses(messages)[0]["mesh_packet_id"] == packet_id
    assert verdicts(messages) == [(packet_id, b"\x18\x00")]
    assert events(desk.api, desk.ether.now) == [ClientRecord(record)]
    desk.run(20_000)
    assert desk.ether.frames == []


def test_our_records_reach_a_client_that_is_ready_and_no_other():
    desk = Desk()
    assert not desk.api.client_record(b"x")
    desk.tell(want_config_id=NONCE)
    assert not desk.api.client_record(b"x")
    desk.hear()
    assert desk.api.client_record(b"\x11 record")
    (packet,) = packets(desk.hear())
    assert (packet["from"], packet["to"]) == (OWN, OWN)
    assert packet["decoded"] == {"portnum": PRIVATE_APP, "payload": b"\x11 record"}
    assert packet["id"] > 0


# Administration


def test_getters_are_answered_with_a_passkey():
    desk = Desk()
    desk.connect()
    asked = (
        ({"get_owner_request": True}, "get_owner_response"),
        ({"get_channel_request": 1}, "get_channel_response"),
        ({"get_channel_request": 8}, "get_channel_response"),
        ({"get_config_request": 0}, "get_config_response"),
        ({"get_config_request": 8}, "get_config_response"),
        ({"get_module_config_request": 0}, "get_module_config_response"),
        ({"get_module_config_request": 15}, "get_module_config_response"),
        ({"get_device_metadata_request": True}, "get_device_metadata_response"),
        ({"get_canned_message_module_messages_request": True}, "get_canned_message_module_messages_response"),
        ({"get_ringtone_request": True}, "get_ringtone_response"),
    )
    passkeys = []
    for request, name in asked:
        packet_id = desk.administer(**request)
        request_id, answer = desk.answer()
        assert request_id == packet_id
        assert name in answer, request
        passkeys.append(answer["session_passkey"])
    assert len(passkeys[0]) == 8
    assert len(set(passkeys)) == 1
    desk.run(150_001)
    desk.administer(get_owner_request=True)
    assert desk.answer()[1]["session_passkey"] != passkeys[0]


def test_answers_say_what_the_start_up_sequence_said():
    desk = Desk()
    messages = desk.connect()
    configs = [message["config"] for message in messages if "config" in message]
    for number in range(10):
        desk.administer(get_config_request=number)
        assert desk.answer()[1]["get_config_response"] == configs[number], number
    modules = [message["moduleConfig"] for message in messages if "moduleConfig" in message]
    for number in range(16):
        desk.administer(get_module_config_request=number)
        assert desk.answer()[1]["get_module_config_response"] == modules[number], number
    desk.administer(get_channel_request=1)
    assert desk.answer()[1]["get_channel_response"]["settings"] == {"psk": b"\x01"}


def test_the_time_of_a_client_comes_out_as_an_event():
    desk = Desk()
    desk.connect()
    packet_id = desk.administer(set_time_only=1_795_000_000)
    assert verdicts(desk.hear()) == [(packet_id, b"\x18\x00")]
    assert events(desk.api, desk.ether.now) == [SetTime(1_795_000_000)]


def test_what_is_not_here_is_refused_in_words_so_that_nobody_waits():
    desk = Desk()
    desk.connect()
    for request in (
        {"get_config_request": 77},
        {"get_module_config_request": 16},
        {"get_channel_request": 9},
        {"get_channel_request": 0},
        {"enter_dfu_mode_request": True},
        {"delete_file_request": b"x"},
        {"set_scale": 1},
        {"send_input_event": b""},
        {"exit_simulator": True},
        {"reboot_ota_seconds": 1},
        {"ota_request": b""},
        {"sensor_config": b""},
        {"lockdown_auth": b""},
        {"key_verification": b""},
        {"set_ham_mode": {"call_sign": b"PA0X"}},
        {"set_canned_message_module_messages": b"ja|nee"},
        {"set_ringtone_message": b"x"},
        {"get_node_remote_hardware_pins_request": True},
        {},
    ):
        packet_id = desk.administer(**request)
        messages = desk.hear()
        assert verdicts(messages) == [(packet_id, bytes([0x18, ERROR_BAD_REQUEST]))], request
        assert [packet_id] == [told["reply_id"] for told in notices(messages)], request
    packet_id = desk.send(0, to=OWN, decoded={"portnum": ADMIN_APP, "payload": b"\x0a\xff"})
    assert verdicts(desk.hear()) == [(packet_id, bytes([0x18, ERROR_BAD_REQUEST]))]
    desk.run(9000)
    assert desk.ether.frames == []


def test_a_text_that_the_client_sends_is_told_and_one_that_is_refused_is_not():
    desk = Desk()
    desk.connect()
    first = desk.send(TEXT_MESSAGE_APP, b"Hallo allemaal", want_ack=True)
    desk.send(TEXT_MESSAGE_APP, b"te snel")
    second = desk.send(ALERT_APP, b"Brand", to=OTHER, channel=0)
    desk.send(POSITION_APP, b"")
    desk.run(5000)
    desk.send(TEXT_MESSAGE_APP, bytes(300))
    assert [event for event in events(desk.api, desk.ether.now) if isinstance(event, ClientText)] == [
        ClientText(OWN, BROADCAST, first, 0, TEXT_MESSAGE_APP, b"Hallo allemaal"),
        ClientText(OWN, OTHER, second, 0, ALERT_APP, b"Brand"),
    ]
