"""Everything that was recorded from the real firmware is read, and written back to the same bytes."""

from _ether import seeded
from _vectors import from_hex, rows

from baken.mesh.config import Channel, MeshConfig
from baken.mesh.node import MeshNode
from baken.wire import channel, direct, messages, packet, protobuf, stream
from baken.wire.packet import Packet

_PAYLOADS = {
    messages.POSITION_APP: messages.POSITION,
    messages.NODEINFO_APP: messages.USER,
    messages.ROUTING_APP: messages.ROUTING,
    messages.TELEMETRY_APP: messages.TELEMETRY,
    messages.TRACEROUTE_APP: messages.ROUTE_DISCOVERY,
}


def _header(text):
    columns = text.split(",")
    return [int(column, 16) for column in columns[:3]] + [int(column) for column in columns[3:]]


def _check_frame(header, raw, decrypt, encrypt, data):
    to, sender, id, hop_limit, hop_start, want_ack, via_mqtt, hash_byte, next_hop, relay = _header(header)
    heard = packet.decode(raw)
    flags = (bool(want_ack), bool(via_mqtt))
    assert heard == Packet(to, sender, id, raw[16:], hop_limit, hop_start, hash_byte, *flags, next_hop, relay)
    assert decrypt(heard) == data
    assert encrypt(heard, data) == heard.payload
    assert packet.encode(heard) == raw
    fields = protobuf.decode(messages.DATA, data)
    assert protobuf.encode(messages.DATA, fields) == data
    table = _PAYLOADS.get(fields["portnum"])
    if table is not None:
        payload = fields.get("payload", b"")
        assert protobuf.encode(table, protobuf.decode(table, payload)) == payload
    return fields["portnum"]


def test_recorded_channel_frames_decrypt_decode_and_come_back_the_same():
    ports = []
    for row in rows("meshtastic_frames.txt", "frame"):
        if row[0] != "channel":
            continue
        key = from_hex(row[1])

        def crypt(heard, data, key=key):
            return channel.crypt(key, heard.id, heard.sender, data)

        port = _check_frame(
            row[2], from_hex(row[3]), lambda heard, c=crypt: c(heard, heard.payload), crypt, from_hex(row[4])
        )
        if port not in ports:
            ports.append(port)
    assert sorted(ports) == [1, 3, 4, 5, 67, 70, 256]


def test_recorded_direct_messages_open_and_seal_to_the_same_bytes():
    keys = {}
    count = 0
    for row in rows("meshtastic_frames.txt", "frame"):
        if row[0] != "pki":
            continue
        pair = (row[1], row[2])
        if pair not in keys:
            keys[pair] = direct.shared_key(from_hex(row[1]), from_hex(row[2]))
        key = keys[pair]

        def seal(heard, data, key=key):
            extra_nonce = int.from_bytes(heard.payload[-4:], "little")
            return direct.seal(key, heard.id, heard.sender, extra_nonce, data)

        def unseal(heard, key=key):
            return direct.open(key, heard.id, heard.sender, heard.payload)

        _check_frame(row[3], from_hex(row[4]), unseal, seal, from_hex(row[5]))
        count += 1
    assert count == 9


def test_the_recorded_answers_of_a_client_port_decode_and_come_back_the_same():
    for nonce, data in rows("want_config.txt", "stream"):
        deframer = stream.Deframer(4)
        payloads = deframer.receive(from_hex(data))
        assert b"".join([stream.frame(payload) for payload in payloads]) == from_hex(data)
        members = []
        values = {}
        for payload in payloads:
            values = protobuf.decode(messages.FROM_RADIO, payload)
            assert protobuf.encode(messages.FROM_RADIO, values) == payload
            assert len([name for name in values if name != "id"]) == 1
            members += [name for name in values if name != "id"]
        assert values == {"config_complete_id": int(nonce)}
        if int(nonce) == messages.NONCE_ONLY_NODES:
            assert members == ["node_info", "node_info", "config_complete_id"]
        else:
            assert members.count("channel") == 8 and members.count("moduleConfig") == 17
            assert members[0] == "my_info" and members.count("config") == 10


def test_the_recorded_settings_have_the_values_of_the_recording():
    data = rows("want_config.txt", "stream")[0][1]
    found = {}
    for payload in stream.Deframer().receive(from_hex(data)):
        values = protobuf.decode(messages.FROM_RADIO, payload)
        for name in values:
            found.setdefault(name, values[name])
        if "config" in values and "lora" in values["config"]:
            found["lora"] = values["config"]["lora"]
    assert found["my_info"]["my_node_num"] == 1909462698
    assert found["my_info"]["pio_env"] == b"native"
    assert found["node_info"]["user"]["id"] == b"!71d016aa"
    assert found["node_info"]["user"]["is_unmessagable"] is False
    assert found["node_info"]["position"] == {}
    assert abs(found["node_info"]["device_metrics"]["air_util_tx"] - 0.136722222) < 1e-7
    assert found["metadata"]["firmware_version"] == b"2.8.0.7754068"
    assert found["metadata"]["hasPKC"] is True
    assert found["channel"]["role"] == messages.CHANNEL_PRIMARY
    assert found["channel"]["settings"]["psk"] == channel.DEFAULT_PSK
    assert found["lora"]["region"] == 3 and found["lora"]["hop_limit"] == 3
    assert found["lora"]["use_preset"] is True


def test_our_own_node_sends_the_same_bytes_as_the_real_firmware():
    """What a recorded node sent first-hand and unsigned, sent by ours from the decoded fields."""
    channels = [
        (from_hex(key), Channel(name.encode(), from_hex(psk)))
        for name, psk, key, _ in rows("meshtastic_frames.txt", "channel")
    ]
    ports = []
    for row in rows("meshtastic_frames.txt", "frame"):
        if row[0] != "channel":
            continue
        key, raw = from_hex(row[1]), from_hex(row[3])
        heard = packet.decode(raw)
        data = protobuf.decode(messages.DATA, from_hex(row[4]))
        if heard.hop_limit != heard.hop_start or "xeddsa_signature" in data:
            continue
        channel_of = [made for known, made in channels if known == key]
        node = MeshNode(MeshConfig(heard.sender, b"", b"", channel_of), seeded(1))
        node.nodes.heard(heard.to, 0, 0, 0, 0)
        node.nodes.set_next_hop(heard.to, heard.next_hop)
        node.send(
            data["portnum"],
            data.get("payload", b""),
            0,
            to=heard.to,
            hop_limit=heard.hop_limit,
            want_ack=heard.want_ack,
            request_id=data.get("request_id", 0),
            packet_id=heard.id,
            want_response=data.get("want_response", False),
            reply_id=data.get("reply_id", 0),
            emoji=data.get("emoji", 0),
        )
        waiting = node.access.queue.front(0)
        assert waiting is not None
        assert waiting.frame == raw, row[2]
        ports.append(data["portnum"])
    assert sorted(set(ports)) == [1, 3, 4, 5, 67, 70, 256]
