"""Text messages between nodes and a broker: gateways with a broker in memory, killed at any write."""

import itertools
import random

import pytest
from _region import NOON_S, make_region
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire.errors import RemoteProtocolError
from baken.wire.packet import BROADCAST
from baken.wire.stream import frame
from baken_gateway import texts, views
from baken_gateway.session import STARTING, NodeSession
from baken_gateway.text_desk import ANSWER_MS, OUTCOME_MS, TextDesk
from baken_gateway.texts import Fate, Request, Text

OWN = 0x4D656401
OTHER = 0x12345678
TEXT = portnums_pb2.PortNum.TEXT_MESSAGE_APP


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("texts"))


class Killed(BaseException):
    """The process dies at a write; nothing may catch it."""


class Store:
    """What SqliteStore does with texts; dies before or after the write number `kill_at`."""

    def __init__(self):
        self.held = {}
        self.writes = 0
        self.kill_at = -1

    def texts(self):
        return dict(self.held)

    def step(self):
        self.writes += 1
        if self.writes == self.kill_at:
            raise Killed

    def set_text(self, name, payload):
        self.step()
        if payload:
            self.held[name] = payload
        else:
            self.held.pop(name, None)
        self.step()


class Radio:
    """A node's client API as far as texts go: it sends a packet id once, and drops it when it comes again."""

    def __init__(self, num):
        self.num = num
        self.ids = []
        self.on_air = []
        self.is_open = True
        self.error = 0
        self.outcome = "delivered"
        self.is_mute = False
        self.handed = []

    def take(self, packet):
        self.handed.append(packet.id)
        if packet.id not in self.ids:
            self.ids.append(packet.id)
            if not self.error:
                self.on_air.append((packet.to, packet.decoded.payload.decode()))
        return self.error

    def routing(self, packet):
        answer = mesh_pb2.MeshPacket(to=self.num, id=99)
        direct = self.outcome == "delivered" and packet.to != BROADCAST
        setattr(answer, "from", packet.to if direct else self.num)
        answer.decoded.portnum = portnums_pb2.PortNum.ROUTING_APP
        answer.decoded.request_id = packet.id
        error = mesh_pb2.Routing.MAX_RETRANSMIT if self.outcome == "failed" else mesh_pb2.Routing.NONE
        answer.decoded.payload = mesh_pb2.Routing(error_reason=error).SerializeToString()
        return answer


class Broker:
    """Retained messages, handed to every gateway in one order; `log` of all that was published."""

    def __init__(self, region):
        self.region = region
        self.retained = {}
        self.log = []
        self.gateways = []

    def publish(self, below, payload):
        self.log.append((below, payload))
        if payload:
            self.retained[below] = payload
        else:
            self.retained.pop(below, None)
        for gateway in self.gateways:
            gateway.inbox.append((below, payload))

    def request(self, request_id, text="Hallo", to=BROADCAST, gateway="any", time_s=NOON_S):
        payload = texts.encode_request(Request(text, time_s, to), self.region)
        self.publish(f"text-request/{gateway}/{request_id}", payload)

    def fate(self, request_id):
        payload = self.retained.get(f"text-fate/{request_id}")
        return texts.decode_fate(payload) if payload else None

    def texts(self):
        return [
            texts.decode_text(below.removeprefix("text/"), payload)
            for below, payload in sorted(self.retained.items())
            if below.startswith("text/")
        ]


class Gateway:
    """A TextDesk with its store and radio; `start` again after a kill."""

    def __init__(self, broker, name="gw1", num=OWN):
        self.broker = broker
        self.name = name
        self.store = Store()
        self.radio = Radio(num)
        self.late = []
        self.unix_s = NOON_S
        self.start()

    def start(self, now=0):
        self.desk = TextDesk(
            self.broker.region, self.store, self.name, random.Random(self.name + str(now)).randrange
        )
        self.desk.receive_channel(0, "Baken")
        self.inbox = list(self.broker.retained.items())
        self.desk.connected()
        if self not in self.broker.gateways:
            self.broker.gateways.append(self)
        self.broker.publish(f"gateway/{self.name}/online", b"1")
        self.broker.publish(f"gateway/{self.name}", views.encode({"serial": "ready"}))

    def stop(self):
        self.broker.gateways.remove(self)
        self.desk.disconnected()
        self.broker.publish(f"gateway/{self.name}/online", b"0")

    def hear(self, text, sender=OTHER, packet_id=7, to=BROADCAST, **fields):
        packet = mesh_pb2.MeshPacket(to=to, id=packet_id, rx_time=NOON_S, **fields)
        setattr(packet, "from", sender)
        packet.decoded.portnum = TEXT
        packet.decoded.payload = text if isinstance(text, bytes) else text.encode()
        self.desk.receive_packet(packet, self.radio.num, {}, self.unix_s, 0)

    def turn(self, now):
        desk = self.desk
        messages, self.inbox = self.inbox, []
        for below, payload in messages:
            desk.receive(below, payload, now)
        desk.tick(self.unix_s, now, True)
        while (publish := desk.next_publish()) is not None:
            self.broker.publish(*publish)
            desk.acknowledged(*publish)
        if self.radio.is_open:
            due = desk.node_deadline()
            packet = desk.next_packet(self.unix_s, now)
            assert packet is None or (due is not None and due <= now)
            if packet is not None:
                error = self.radio.take(packet)
                if self.radio.is_mute:
                    return
                desk.receive_queue_status(packet.id, error, self.radio.num, self.unix_s, now)
                if not error and self.radio.outcome:
                    desk.receive_packet(self.radio.routing(packet), self.radio.num, {}, self.unix_s, now)


def run(*gateways, ms=30_000, start=0, step=500):
    for now in range(start, start + ms, step):
        for gateway in gateways:
            gateway.turn(now)
    return start + ms


def test_a_text_that_two_gateways_hear_is_one_topic_with_what_both_know(region):
    broker = Broker(region)
    one, two = Gateway(broker), Gateway(broker, "gw2", 0x99)
    one.hear("Hallo €\x1b[2J")
    two.unix_s = NOON_S - 5
    two.hear("Hallo €\x1b[2J")
    run(one, two)
    (text,) = broker.texts()
    assert (text.key, text.text, text.channel_name) == ("12345678-00000007", "Hallo € [2J", "Baken")
    assert (text.heard_by, text.time_s) == (("gw1", "gw2"), NOON_S - 5)
    published = [below for below, payload in broker.log if below.startswith("text/")]
    assert len(published) <= 3
    run(one, two, start=30_000)
    assert [below for below, _ in broker.log if below.startswith("text/")] == published


def test_joining_does_not_depend_on_who_hears_of_whom_first():
    made = [
        Text(OTHER, 7, BROADCAST, "x", NOON_S + 5, 1, "Baken", heard_by=("gw2",)),
        Text(OTHER, 7, BROADCAST, "x", NOON_S, 0, "", "Kerk", "OV06", sealed=True, heard_by=("gw1",)),
        Text(OTHER, 7, BROADCAST, "x", NOON_S + 9, 2, "Alle", "Kerk De Bron", heard_by=("gw3", "gw1")),
    ]
    results = set()
    for order in itertools.permutations(made):
        joined = order[0]
        for other in (*order[1:], *order):
            joined = texts.join(joined, other)
            assert joined is not None
        results.add(joined)
    assert len(results) == 1 and results.pop().heard_by == ("gw1", "gw2", "gw3")
    assert texts.join(made[0], Text(OTHER, 7, BROADCAST, "y", NOON_S)) is None


def test_the_newest_two_hundred_stay_and_two_gateways_agree_which(region):
    broker = Broker(region)
    one, two = Gateway(broker), Gateway(broker, "gw2", 0x99)
    for number in range(1, 261):
        for gateway in (one, two):
            gateway.unix_s = NOON_S + number
            if number % 3 or gateway is one:
                gateway.hear(f"Tekst {number}", packet_id=number)
    run(one, two)
    assert [text.packet_id for text in broker.texts()] == list(range(61, 261))
    assert len([name for name in one.store.held if name.startswith("text/")]) == texts.MAX_TEXTS
    before = len(broker.log)
    run(one, two, start=30_000)
    assert len(broker.log) == before


@pytest.mark.parametrize(
    ("to", "outcome", "state", "final"),
    [
        (BROADCAST, "relayed", texts.RELAYED, True),
        (OTHER, "relayed", texts.RELAYED, False),
        (OTHER, "delivered", texts.DELIVERED, True),
        (OTHER, "failed", texts.FAILED, True),
        (OTHER, "", texts.SENT, False),
    ],
)
def test_a_request_is_sent_once_and_its_fate_is_told(region, to, outcome, state, final):
    broker = Broker(region)
    one = Gateway(broker)
    one.radio.outcome = outcome
    run(one, ms=5_000)
    broker.request("c1-1", "Dekens over?", to=to)
    now = run(one, start=5_000)
    fate = broker.fate("c1-1")
    assert fate and (fate.state, fate.final, fate.gateway) == (state, final, "gw1")
    assert one.radio.on_air == [(to, "Dekens over?")]
    assert fate.by == (OTHER if state == texts.DELIVERED else None)
    assert fate.reason == ("MAX_RETRANSMIT" if state == texts.FAILED else "")
    (text,) = broker.texts()
    assert (text.key, text.sender, text.to) == (fate.text, OWN, to)
    run(one, start=now, ms=OUTCOME_MS + 1000)
    fate = broker.fate("c1-1")
    assert fate and fate.final and fate.state == state
    assert not [below for below in broker.retained if below.startswith("text-request/")]


@pytest.mark.parametrize(
    ("text", "to", "reason"),
    [
        ("é" * 117, BROADCAST, "text is 234 bytes, limit 232"),
        ("x" * 221, OTHER, "text is 221 bytes, limit 220"),
        ("  ", OTHER, "text is empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_size_and_limit(region, text, to, reason):
    broker = Broker(region)
    one = Gateway(broker)
    run(one, ms=5_000)
    broker.request("c1", text, to=to, gateway="gw1")
    run(one, start=5_000)
    fate = broker.fate("c1")
    assert fate and (fate.state, fate.reason, fate.final) == (texts.REFUSED, reason, True)
    assert not one.radio.on_air and "text-request/gw1/c1" not in broker.retained


def test_a_text_at_the_limit_goes(region):
    broker = Broker(region)
    one = Gateway(broker)
    broker.request("c1", "é" * 116)
    broker.request("c2", "x" * 220, to=OTHER)
    run(one)
    assert sorted(len(text.encode()) for _, text in one.radio.on_air) == [220, 232]


def test_a_node_that_refuses_is_told_by_the_name_of_its_error(region):
    broker = Broker(region)
    one = Gateway(broker)
    one.radio.error = 9
    broker.request("c1")
    run(one)
    fate = broker.fate("c1")
    assert fate and (fate.state, fate.reason) == (texts.FAILED, "DUTY_CYCLE_LIMIT")


def test_any_is_sent_by_the_first_that_is_online_with_a_node_and_by_one_alone(region):
    broker = Broker(region)
    gateways = [Gateway(broker, f"gw{number}", number) for number in (3, 1, 2)]
    broker.publish("gateway/gw1", views.encode({"serial": "starting"}))
    now = run(*gateways, ms=5_000)
    broker.request("c1")
    now = run(*gateways, start=now)
    assert [len(gateway.radio.on_air) for gateway in gateways] == [0, 0, 1]
    gateways[2].stop()
    broker.request("c2")
    now = run(*gateways[:2], start=now)
    assert [len(gateway.radio.on_air) for gateway in gateways] == [1, 0, 1]
    broker.request("c3", gateway="gw1")
    run(*gateways[:2], start=now)
    assert len(gateways[1].radio.on_air) == 1


def test_of_two_claims_the_one_that_came_to_the_broker_first_holds(region):
    broker = Broker(region)
    one, two = Gateway(broker), Gateway(broker, "gw2", 0x99)
    # Neither knows of the other, as right after a connection was cut.
    for gateway, stranger in ((one, "gw2"), (two, "gw1")):
        gateway.inbox = [entry for entry in gateway.inbox if stranger not in entry[0]]
    now = run(one, two, ms=5_000)
    broker.request("c1")
    run(one, two, start=now)
    fate = broker.fate("c1")
    assert len(one.radio.on_air) + len(two.radio.on_air) == 1
    assert fate and fate.final and fate.state == texts.RELAYED or fate and fate.state == texts.DELIVERED


def test_what_is_older_than_an_hour_is_refused_not_sent_late(region):
    broker = Broker(region)
    one = Gateway(broker)
    one.radio.is_open = False
    broker.request("old", time_s=NOON_S - 3601)
    broker.request("waits")
    broker.request("gone", gateway="gw9", time_s=NOON_S - 3600)
    now = run(one)
    old, waits = broker.fate("old"), broker.fate("waits")
    assert old and (old.state, old.reason) == (texts.REFUSED, "EXPIRED")
    assert waits and waits.state == texts.TAKEN and broker.fate("gone") is None
    one.unix_s = NOON_S + 3601
    one.radio.is_open = True
    run(one, start=now)
    waits, gone = broker.fate("waits"), broker.fate("gone")
    assert waits and (waits.state, waits.reason) == (texts.REFUSED, "EXPIRED")
    assert gone and gone.reason == "EXPIRED" and not one.radio.on_air
    assert not [below for below in broker.retained if below.startswith("text-request/")]


def test_a_node_that_never_answers_is_asked_with_the_same_packet_and_then_given_up(region):
    broker = Broker(region)
    one = Gateway(broker)
    broker.request("c1")
    one.radio.is_mute = True
    run(one, ms=5 * ANSWER_MS)
    fate = broker.fate("c1")
    assert fate and (fate.state, fate.reason) == (texts.FAILED, "NO_ANSWER")
    assert len(one.radio.handed) == 3 and len(set(one.radio.handed)) == 1


def test_a_kill_at_any_write_loses_no_text_and_sends_no_request_twice(region):
    kill_at = 0
    while True:
        kill_at += 1
        broker = Broker(region)
        one = Gateway(broker)
        now = run(one, ms=5_000)
        broker.request("c1", "Een")
        broker.request("c2", "Twee", to=OTHER)
        one.store.kill_at = kill_at
        heard = False
        killed = False
        try:
            one.hear("Gehoord")
            heard = True
            now = run(one, start=now)
        except Killed:
            killed = True
            one.stop()
            one.start(kill_at)
        if not heard:
            one.hear("Gehoord")  # the node had not been told that we have it
        run(one, start=now, ms=OUTCOME_MS + 40_000)
        assert sorted(text for _, text in one.radio.on_air) == ["Een", "Twee"], kill_at
        assert sorted(text.text for text in broker.texts()) == ["Een", "Gehoord", "Twee"], kill_at
        for request_id in ("c1", "c2"):
            fate = broker.fate(request_id)
            assert fate and fate.final and fate.state in (texts.SENT, texts.RELAYED, texts.DELIVERED), kill_at
        assert not [below for below in broker.retained if below.startswith("text-request/")]
        if not killed:
            break
    assert kill_at > 15


def test_a_text_that_a_radio_hands_out_before_it_is_asked_is_kept(region):
    """It kept it for a client that went without a word, and takes the next one for that client."""
    desk = TextDesk(region, Store(), "gw1", random.Random(1).randrange)
    replica = Replica(region.trust, MemoryStore())
    session = NodeSession(LinkSession(replica), random.Random(2).randrange, texts=desk)
    session.open(0)
    said = mesh_pb2.FromRadio()
    setattr(said.packet, "from", OTHER)
    said.packet.to, said.packet.id, said.packet.rx_time = BROADCAST, 7, NOON_S
    said.packet.decoded.portnum, said.packet.decoded.payload = TEXT, b"Wij zijn met zes"
    assert session.receive(frame(said.SerializeToString()), NOON_S, 10) == []
    assert session.state == STARTING
    desk.tick(NOON_S, 20, True)
    publish = desk.next_publish()
    assert publish is not None
    below, payload = publish
    kept = texts.decode_text(below.removeprefix("text/"), payload)
    assert (kept.sender, kept.text, kept.time_s) == (OTHER, "Wij zijn met zes", NOON_S)


def test_a_broker_that_has_lost_its_memory_gets_texts_and_fates_back(region):
    broker = Broker(region)
    one = Gateway(broker)
    one.hear("Hallo")
    broker.request("c1")
    run(one)
    before = {below: held for below, held in broker.retained.items() if below.startswith("text")}
    broker.retained = {}
    one.start()
    run(one)
    assert {below: held for below, held in broker.retained.items() if below.startswith("text")} == before
    assert len(before) == 3 and len(one.radio.on_air) == 1


def test_garbage_and_a_stranger_who_undoes_everything_do_no_harm(region):
    broker = Broker(region)
    one = Gateway(broker)
    one.hear("Hallo")
    rand = random.Random(4)
    for number in range(300):
        for below in (
            "text/x",
            "text/12345678-00000001",
            "text-fate/a/b",
            "text-request/any/q",
            "text-request/x",
        ):
            one.inbox.append((below + "z" * (number % 2), rand.randbytes(number)))
            one.inbox.append((below, b'{"from": 3, "to": [], "time": "x", "state": 1}'))
    run(one)
    assert one.desk.counters["text-json"] > 100 and one.desk.counters["text-topic"] > 100
    for now in range(30_000, 60_000, 500):
        broker.publish("text/12345678-00000007", b"")
        one.turn(now)
    assert len([below for below, held in broker.log if below.startswith("text/") and held]) <= 3


def test_requests_and_texts_read_back_and_say_what_is_wrong(region):
    request = Request("Hallo €", NOON_S, OTHER, 1, "c1")
    assert texts.decode_request(texts.encode_request(request, region)) == request
    fate = Fate(texts.DELIVERED, "gw1", NOON_S, True, "4d656401-00000007", OTHER, "")
    assert texts.decode_fate(texts.encode_fate(fate, region)) == fate
    text = Text(OTHER, 7, OWN, "x", NOON_S, 1, "B", "Kerk", "OV06", True, True, ("gw1",))
    assert texts.decode_text(text.key, texts.encode_text(text, region)) == text
    for payload in (b"[]", b"{", b"\xff", b"{}", b"[" * 5000, b"x" * 5000, b'{"text": "\\ud800"}'):
        for decode in (
            texts.decode_request,
            texts.decode_fate,
            lambda held: texts.decode_text(text.key, held),
        ):
            with pytest.raises(RemoteProtocolError):
                decode(payload)
