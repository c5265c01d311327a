"""Packets to other meshes over MQTT and back, which the client carries: the rules of uplink and downlink."""

from _ether import Ether, everyone, make_node

from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.config import Channel, MqttSettings
from baken.mesh.envelope import MAX_UPLINKS, SERVICE_ENVELOPE
from baken.mesh.events import Transmit
from baken.wire import messages, packet, protobuf, stream
from baken.wire.channel import crypt
from baken.wire.messages import ADMIN_APP, DATA, OK_TO_MQTT, TEXT_MESSAGE_APP
from baken.wire.packet import BROADCAST, Packet

A, B, FAR = 0x1001, 0x1002, 0x9009
NAME, PSK = b"Straat", bytes(range(32))
OTHER = Channel(b"Dicht", bytes([9]) * 16)
ON = MqttSettings(True, True)


def _channel(uplink=True, downlink=True):
    return Channel(NAME, PSK, uplink=uplink, downlink=downlink)


def _node(number, settings=ON, channel=None, **config):
    node = make_node(number, channels=(channel or _channel(), OTHER), **config)
    node.use_mqtt(settings)
    return node


def _uplinks(node):
    out = []
    while (message := node.envelopes.next_uplink()) is not None:
        out.append(message)
    return out


def _opened(message):
    return protobuf.decode(SERVICE_ENVELOPE, message[1])


def _frame(node, data=None, index=0, sender=FAR, id=77, hops=(3, 3), to=BROADCAST, via_mqtt=False):
    """A frame of another node on one of this node's channels."""
    secret = node.config.secrets()[index]
    fields = {"portnum": TEXT_MESSAGE_APP, "payload": b"hallo", "bitfield": OK_TO_MQTT}
    fields.update(data or {})
    payload = crypt(secret.key, id, sender, protobuf.encode(DATA, fields))
    return packet.encode(Packet(to, sender, id, payload, hops[0], hops[1], secret.hash, False, via_mqtt))


def _envelope(node, gateway=b"!0000abcd", name=NAME, data=None, index=0, sender=FAR, **changes):
    """(topic, payload) of the same packet as another gateway would publish it."""
    header = packet.decode(_frame(node, data, index))
    message = {
        "from": sender,
        "to": header.to,
        "id": header.id,
        "channel": header.channel_hash,
        "encrypted": header.payload,
        "hop_limit": 3,
        "hop_start": 3,
    }
    message.update(changes)
    if message["encrypted"] is None:
        del message["encrypted"]
    body = {"packet": message, "channel_id": name, "gateway_id": gateway}
    return b"msh/EU_868/2/e/" + name + b"/" + gateway, protobuf.encode(SERVICE_ENVELOPE, body)


def _events(node, now=1000):
    out = []
    for step in range(0, 20000, 50):
        while (event := node.next_event(now + step)) is not None:
            out.append(event)
            if event.__class__.__name__ == "Transmit":
                node.transmitted(now + step)
    return out


def _received(events):
    return [event for event in events if event.__class__.__name__ == "Received"]


def _relayed(events):
    """Headers of what a node put on the air for others."""
    frames = [packet.decode(event.frame) for event in events if event.__class__.__name__ == "Transmit"]
    return [header for header in frames if header.sender == FAR]


def test_nothing_is_loaded_or_said_unless_both_switches_are_on():
    for settings in (MqttSettings(), MqttSettings(True, False), MqttSettings(False, True)):
        assert _node(A, settings).envelopes is None
    node = _node(A)
    node.use_mqtt(None)
    assert node.envelopes is None


def test_our_own_packet_goes_up_as_it_goes_on_the_air():
    node = _node(A)
    packet_id = node.send(TEXT_MESSAGE_APP, b"hallo", 0)
    (message,) = _uplinks(node)
    assert message[0] == b"msh/EU_868/2/e/Straat/!00001001"
    envelope = _opened(message)
    assert (envelope["channel_id"], envelope["gateway_id"]) == (NAME, b"!00001001")
    sent = envelope["packet"]
    assert (sent["from"], sent["id"], sent["channel"]) == (A, packet_id, node.config.secrets()[0].hash)
    data = protobuf.decode(DATA, crypt(PSK, packet_id, A, sent["encrypted"]))
    assert data["payload"] == b"hallo" and "decoded" not in sent


def test_a_root_of_ones_own_takes_the_place_of_the_usual_one():
    node = _node(A, MqttSettings(True, True, root=b"msh/NL"))
    node.send(TEXT_MESSAGE_APP, b"hallo", 0)
    assert _uplinks(node)[0][0] == b"msh/NL/2/e/Straat/!00001001"


def test_without_encryption_the_content_goes_up_in_the_clear():
    node = _node(A, MqttSettings(True, True, encryption_enabled=False))
    node.send(TEXT_MESSAGE_APP, b"hallo", 0)
    sent = _opened(_uplinks(node)[0])["packet"]
    assert sent["decoded"]["payload"] == b"hallo" and "encrypted" not in sent and not sent.get("channel")


def test_only_channels_with_uplink_go_up():
    node = _node(A)
    node.send(TEXT_MESSAGE_APP, b"hallo", 0, channel=1)
    node.receive_frame(_frame(node, index=1), -90, 5.0, 0)
    closed = _node(B, channel=_channel(uplink=False))
    closed.send(TEXT_MESSAGE_APP, b"hallo", 0)
    assert _uplinks(node) == _uplinks(closed) == []


def test_packets_of_others_go_up_only_if_they_ask_for_it_and_once():
    node = _node(A)
    node.receive_frame(_frame(node), -90, 5.0, 0)
    node.receive_frame(_frame(node, hops=(2, 3)), -90, 5.0, 10)
    (message,) = _uplinks(node)
    assert _opened(message)["packet"]["from"] == FAR and _opened(message)["packet"]["rx_rssi"] == -90
    node.receive_frame(_frame(node, {"bitfield": 0}, id=78), -90, 5.0, 20)
    assert _uplinks(node) == []


def test_what_came_over_mqtt_never_goes_up_again():
    node = _node(A, ignore_mqtt=False)
    node.receive_frame(_frame(node, via_mqtt=True), -90, 5.0, 0)
    node.envelopes.downlink(*_envelope(node, id=80), 0)
    assert len(_received(_events(node))) >= 1 and _uplinks(node) == []


def test_a_sealed_packet_for_others_goes_up_under_pki_and_only_encrypted():
    sealed = packet.encode(Packet(B, FAR, 5, bytes(40), 3, 3, 0))
    node = _node(A)
    node.receive_frame(sealed, -90, 5.0, 0)
    (message,) = _uplinks(node)
    assert message[0] == b"msh/EU_868/2/e/PKI/!00001001" and _opened(message)["channel_id"] == b"PKI"
    for quiet in (_node(A, MqttSettings(True, True, False)), _node(A, channel=_channel(uplink=False))):
        quiet.receive_frame(sealed, -90, 5.0, 0)
        assert _uplinks(quiet) == []


def test_frames_under_foreign_channel_keys_stay_on_the_air():
    node = _node(A)
    node.receive_frame(packet.encode(Packet(BROADCAST, FAR, 5, bytes(40), 3, 3, 0x5A)), -90, 5.0, 0)
    assert _uplinks(node) == []


def test_uplinks_wait_for_the_client_within_a_bound_and_the_oldest_goes():
    node = _node(A)
    ids = [node.send(TEXT_MESSAGE_APP, b"%d" % n, 0) for n in range(MAX_UPLINKS + 3)]
    kept = [_opened(message)["packet"]["id"] for message in _uplinks(node)]
    assert kept == ids[3:] and node.counters["mqtt-full"] == 3


def test_a_downlinked_packet_is_received_and_relayed_marked_and_with_a_hop_less():
    node = _node(A)
    node.envelopes.downlink(*_envelope(node), 0)
    events = _events(node)
    (received,) = _received(events)
    assert (received.payload, received.sender, received.via_mqtt) == (b"hallo", FAR, True)
    (relayed,) = _relayed(events)
    assert (relayed.hop_limit, relayed.hop_start, relayed.via_mqtt) == (2, 3, True)


def test_a_packet_with_hop_limit_zero_stays_here():
    node = _node(A)
    node.envelopes.downlink(*_envelope(node, hop_limit=0), 0)
    events = _events(node)
    assert len(_received(events)) == 1 and _relayed(events) == []


def test_the_same_packet_through_two_gateways_and_the_air_is_received_once():
    node = _node(A)
    node.envelopes.downlink(*_envelope(node), 0)
    node.envelopes.downlink(*_envelope(node, gateway=b"!0000dcba"), 10)
    node.receive_frame(_frame(node, hops=(2, 3)), -90, 5.0, 20)
    assert len(_received(_events(node))) == 1


def test_what_the_rules_forbid_does_not_come_down():
    node = _node(A)
    clear: dict = {"encrypted": None, "decoded": {"portnum": TEXT_MESSAGE_APP, "payload": b"x"}}
    forbidden = [
        _envelope(node, hop_limit=8),
        _envelope(node, hop_start=9),
        _envelope(node, data={"portnum": ADMIN_APP}),
        _envelope(node, **clear),
        _envelope(node, name=b"Dicht"),  # not the channel that its key opens
        _envelope(node, name=b"Dicht", index=1),  # no downlink there
        _envelope(node, index=1),
        _envelope(node, channel=0x1FF),
        _envelope(node, encrypted=bytes(240)),
        _envelope(node, encrypted=bytes(30)),
        _envelope(node, id=0),
        _envelope(node, sender=0),
        _envelope(node, sender=A),
        _envelope(node, name=b"PKI"),
    ]
    for topic, payload in forbidden:
        node.envelopes.downlink(topic, payload, 0)
    topic, payload = _envelope(node)
    node.envelopes.downlink(b"elders/2/e/Straat/!0000abcd", payload, 0)
    node.envelopes.downlink(topic, payload[:-3], 0)
    node.envelopes.downlink(topic + bytes(60), payload, 0)
    node.envelopes.downlink(topic, bytes(436), 0)
    node.envelopes.downlink(topic, b"", 0)
    assert _received(_events(node)) == []
    assert node.counters["mqtt-refused"] == len(forbidden) + 1
    assert (node.counters["mqtt-size"], node.counters["mqtt-topic"]) == (2, 1)
    node.envelopes.downlink(topic, payload, 0)
    assert len(_received(_events(node))) == 1


def test_a_clear_packet_comes_down_where_encryption_is_off_and_goes_on_encrypted():
    node = _node(A, MqttSettings(True, True, False))
    data = {"portnum": TEXT_MESSAGE_APP, "payload": b"open"}
    node.envelopes.downlink(*_envelope(node, encrypted=None, decoded=data), 0)
    data = {"portnum": ADMIN_APP, "payload": b"open"}
    node.envelopes.downlink(*_envelope(node, encrypted=None, decoded=data, id=78), 0)
    events = _events(node)
    assert [received.payload for received in _received(events)] == [b"open"]
    (relayed,) = _relayed(events)
    assert b"open" not in relayed.payload


def test_sealed_packets_come_down_for_us_and_between_nodes_we_know():
    node = _node(A)
    for_us = _envelope(node, name=b"PKI", channel=0, encrypted=bytes(40), to=A)
    between = _envelope(node, name=b"PKI", channel=0, encrypted=bytes(40), to=B, id=90)
    node.envelopes.downlink(*for_us, 0)
    node.envelopes.downlink(*between, 0)
    assert node.counters["mqtt-down"] == 1 and _relayed(_events(node)) == []
    for number in (B, FAR):
        node.nodes.heard(number, 5.0, 0, 0, 0)
    node.envelopes.downlink(*between, 0)
    assert [header.id for header in _relayed(_events(node))] == [90]


def test_our_own_message_coming_back_acknowledges_it_and_stops_no_retry():
    node = _node(A)
    packet_id = node.send(TEXT_MESSAGE_APP, b"hallo", 0, to=B, want_ack=True)
    (message,) = _uplinks(node)
    node.envelopes.downlink(message[0], message[1], 0)
    told = []
    sent = 0
    for now in range(0, 60000, 50):
        while (event := node.next_event(now)) is not None:
            told.append(event)
            if isinstance(event, Transmit):
                sent += packet.decode(event.frame).id == packet_id
                node.transmitted(now)
    acknowledged = [event for event in told if event.__class__.__name__ == "Acknowledged"]
    assert [(event.packet_id, event.by) for event in acknowledged] == [(packet_id, A)]
    assert sent == 3 and node.counters["mqtt-echo"] == 1


def test_neighbours_in_europe_drop_what_was_relayed_from_mqtt():
    gateway, neighbour = _node(A), make_node(B, channels=(_channel(),))
    ether = Ether([gateway, neighbour], everyone(2))
    gateway.envelopes.downlink(*_envelope(gateway), ether.now)
    ether.run(20000)
    assert ether.heard(1, TEXT_MESSAGE_APP) == [] and neighbour.counters["via-mqtt"] == 1


def test_the_client_carries_envelopes_both_ways():
    node = _node(A)
    api = ClientApi(node, DeviceInfo(bytes(16)), lambda n: 0)
    api.receive_bytes(stream.frame(protobuf.encode(messages.TO_RADIO, {"want_config_id": 5})), 0)
    while api.next_bytes(512):
        pass
    node.send(TEXT_MESSAGE_APP, b"hallo", 0)
    (payload,) = stream.Deframer().receive(api.next_bytes(4096))
    proxied = protobuf.decode(messages.FROM_RADIO, payload)["mqttClientProxyMessage"]
    assert proxied["topic"] == b"msh/EU_868/2/e/Straat/!00001001"
    topic, data = _envelope(node)
    message = {"mqttClientProxyMessage": {"topic": topic, "data": data}}
    api.receive_bytes(stream.frame(protobuf.encode(messages.TO_RADIO, message)), 0)
    (received,) = _received(_events(node))
    api.receive_event(received, 0)
    (payload,) = stream.Deframer().receive(api.next_bytes(4096))
    told = protobuf.decode(messages.FROM_RADIO, payload)["packet"]
    assert told["via_mqtt"] and told["transport_mechanism"] == messages.TRANSPORT_MQTT
