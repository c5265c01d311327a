"""A gateway whose radio is a stock Meshtastic device, on the air with Baken nodes; time is a number."""

import random

import pytest
from _region import NOON_S, bulletin_parts, make_region, status_record
from _stock_radio import Air, BakenEnd, StockEnd, region_channel

from baken.mesh.config import Channel
from baken.mesh.events import Transmit
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import packet as air_packet
from baken.wire.messages import ERROR_DUTY_CYCLE_LIMIT, ERROR_NO_INTERFACE
from baken.wire.modem import preset_named
from baken_gateway.session import (
    BAKEN,
    MAX_UNANSWERED_ON_AIR,
    PROBING,
    READY,
    STOCK,
    STOCK_AFTER_MS,
    NodeSession,
)
from baken_gateway.stock_radio import (
    FIRST_DUTY_PAUSE_MS,
    FULL_PAUSE_MS,
    MAX_OUTBOX,
    RegionChannel,
    StockRadio,
)

MINUTE_MS = 60_000
STOCK_NUM = 0x5EED0001


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("stock"))


def preset_of(region):
    return preset_named(region.channel.preset).number


def stock_end(region, number=STOCK_NUM, seed=1, channels=None):
    return StockEnd(number, channels or (region_channel(region),), preset_of(region), seed)


class Gateway:
    """A replica whose session is on a cable to `end`."""

    def __init__(self, region, end, seed=1, channel=None):
        self.end = end
        self.replica = Replica(region.trust, MemoryStore())
        rand = random.Random(seed).randrange
        self.air = StockRadio(self.replica, channel or RegionChannel.of(region), rand)
        self.session = NodeSession(LinkSession(self.replica), rand, air=self.air)
        self.new = []
        self.plugged = False
        self.most_unanswered = 0

    def plug(self, now):
        self.plugged = True
        self.session.open(now)

    def pull(self):
        self.plugged = False
        self.session.close()

    def learn(self, now, *records):
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == NEW
            self.session.offer(raw, now)

    def run(self, now):
        if not self.plugged:
            return
        while (data := self.session.next_bytes(now)) is not None:
            self.end.receive(data, now)
            self.most_unanswered = max(self.most_unanswered, self.session._unanswered)
        due = self.session.deadline()
        assert due is None or due > now or self.session.is_dead(now)
        while data := self.end.next_bytes(now):
            self.new += self.session.receive(data, NOON_S, now)


class Scene:
    """Gateways and ends on one air."""

    def __init__(self, ends, gateways):
        self.air = Air(ends)
        self.gateways = gateways
        for gateway in gateways:
            gateway.plug(self.air.now)

    def run(self, ms, step_ms=20):
        end = self.air.now + ms
        while self.air.now < end:
            for gateway in self.gateways:
                gateway.run(self.air.now)
            self.air.step(step_ms)

    def run_until(self, condition, limit_ms, what):
        end = self.air.now + limit_ms
        while not condition():
            assert self.air.now < end, f"after {limit_ms} ms still not: {what}"
            self.run(200)


def baken_end(region, code, seed):
    return BakenEnd(region, code, preset_of(region), seed, 1_000_000)


def stock_scene(region, codes=("OV06", "DH01"), seed=1):
    radio = stock_end(region, seed=seed)
    gateway = Gateway(region, radio, seed)
    nodes = [baken_end(region, code, seed * 10 + at) for at, code in enumerate(codes)]
    return Scene([radio, *nodes], [gateway]), gateway, radio, nodes


@pytest.mark.parametrize("loops_back", [True, False])
def test_a_radio_that_answers_no_link_digest_is_a_stock_one(region, loops_back):
    scene, gateway, radio, _ = stock_scene(region)
    radio.loops_back = loops_back
    scene.run(STOCK_AFTER_MS // 2)
    assert (gateway.session.state, gateway.session.device) == (READY, PROBING)
    scene.run(STOCK_AFTER_MS)
    assert (gateway.session.device, gateway.air.problem) == (STOCK, None)
    assert ("link-echo" in gateway.session.counters) == loops_back
    assert not gateway.session.link.in_step


def test_a_baken_node_is_told_by_its_answer_and_nothing_is_gossiped_over_it(region):
    node = baken_end(region, "VR00", 1)
    gateway = Gateway(region, node)
    scene = Scene([node, baken_end(region, "OV06", 2)], [gateway])
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(MINUTE_MS)
    assert gateway.session.device == BAKEN and not gateway.air.is_open
    assert gateway.air.counters == {}
    assert scene.air.ends[1].replica.records() == bulletin_parts(region, 1)


def test_a_baken_node_that_answers_late_is_believed_and_no_record_is_lost(region):
    node = baken_end(region, "VR00", 1)
    gateway = Gateway(region, node)
    scene = Scene([node], [gateway])
    real = node.link.next_payload
    node.link.next_payload = lambda now: None  # its replica is busy with the flash
    scene.run(40_000)
    assert gateway.session.device == STOCK
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(2_000)
    node.link.next_payload = real
    scene.run_until(lambda: gateway.session.device == BAKEN, 5 * MINUTE_MS, "the late answer")
    scene.run_until(lambda: node.replica.records() == bulletin_parts(region, 1), 5 * MINUTE_MS, "the record")


def test_records_flow_both_ways_over_a_stock_radio(region):
    scene, gateway, _, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    long = bulletin_parts(region, 2, "Lang bericht. " * 40)
    gateway.learn(scene.air.now, *long)
    nodes[0].publish(status_record(region, "OV06", 5), scene.air.now)
    wanted = sorted([*long, status_record(region, "OV06", 5)])
    scene.run_until(
        lambda: all(sorted(end.replica.records()) == wanted for end in (gateway, *nodes)),
        5 * MINUTE_MS,
        "everybody to have everything",
    )
    assert gateway.new == [status_record(region, "OV06", 5)]
    assert gateway.most_unanswered <= MAX_UNANSWERED_ON_AIR


def test_a_flood_leaves_with_the_regions_hops_and_a_served_record_with_none(region):
    scene, gateway, radio, _ = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(10 * MINUTE_MS)
    floods = [packet for packet in radio.asked if packet.get("hop_limit")]
    rest = [packet for packet in radio.asked if not packet.get("hop_limit")]
    assert [packet["decoded"]["payload"] for packet in floods] == bulletin_parts(region, 1)
    assert floods[0]["hop_limit"] == region.channel.hop_limit and floods[0]["want_ack"]
    assert rest and not any(packet.get("want_ack") for packet in rest)
    own = [air_packet.decode(sent) for sent in scene.air.sent(0)]
    assert {(header.hop_limit, header.hop_start) for header in own if header.sender == STOCK_NUM} == {
        (0, 0),
        (region.channel.hop_limit, region.channel.hop_limit),
    } | {(3, 3)}  # the last is its own NodeInfo


def test_a_record_that_a_stock_radio_serves_is_served_on_not_flooded(region):
    scene, gateway, _, nodes = stock_scene(region)
    scene.air.deaf = {(0, 2), (2, 0)}  # DH01 hears OV06 only
    for raw in bulletin_parts(region, 1):
        gateway.replica.receive_record(raw, NOON_S)  # held before the radio came: nobody floods it
    scene.run_until(
        lambda: all(end.replica.records() == bulletin_parts(region, 1) for end in nodes),
        60 * MINUTE_MS,
        "the record two hops away",
    )
    assert 0 in nodes[0].served_heard
    headers = [air_packet.decode(sent) for _, _, sent in scene.air.frames]
    payload = [header for header in headers if len(header.payload) > 80]
    assert payload and all(header.hop_limit == 0 and header.hop_start <= 1 for header in payload)


def test_what_was_learned_during_an_outage_of_the_radio_goes_out_when_it_is_back(region):
    scene, gateway, radio, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    gateway.pull()
    gateway.learn(scene.air.now, *bulletin_parts(region, 1), *bulletin_parts(region, 2))
    nodes[1].publish(bulletin_parts(region, 3, origin=2)[0], scene.air.now)
    scene.run(10 * MINUTE_MS, step_ms=50)
    assert len(gateway.replica.records()) == 2
    radio.boot()
    gateway.plug(scene.air.now)
    scene.run_until(
        lambda: all(len(end.replica.records()) == 3 for end in (gateway, *nodes)),
        60 * MINUTE_MS,
        "all three everywhere",
    )


def test_a_reboot_in_the_middle_of_a_flood_loses_nothing(region):
    scene, gateway, radio, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    records = bulletin_parts(region, 1, "Lang bericht. " * 60)
    gateway.learn(scene.air.now, *records)
    scene.run(1_000)
    radio.boot(tell=True)
    scene.run(1_000)
    assert gateway.session.counters["rebooted"] == 1
    scene.run_until(
        lambda: all(sorted(end.replica.records()) == sorted(records) for end in nodes),
        30 * MINUTE_MS,
        "every part",
    )


def test_a_radio_at_its_duty_limit_is_left_alone_for_ever_longer_and_then_gets_the_record(region):
    scene, gateway, radio, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    radio.refuse = ERROR_DUTY_CYCLE_LIMIT
    radio.asked.clear()  # the first digest has been sent
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(10 * FIRST_DUTY_PAUSE_MS, step_ms=100)
    assert 2 <= len(radio.asked) <= 8
    assert gateway.air.counters["duty-cycle"] == len(radio.asked)
    radio.refuse = 0
    scene.run_until(
        lambda: all(end.replica.records() == bulletin_parts(region, 1) for end in nodes),
        20 * MINUTE_MS,
        "the record after all",
    )


def test_a_full_radio_is_tried_again_and_not_pressed(region):
    scene, gateway, radio, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    radio.refuse = ERROR_NO_INTERFACE
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(MINUTE_MS)
    most = MAX_UNANSWERED_ON_AIR * (1 + MINUTE_MS // FULL_PAUSE_MS)
    assert 2 <= len(radio.asked) <= most
    radio.refuse = 0
    radio.free = 0
    before = len(radio.asked)
    scene.run(MINUTE_MS)
    assert len(radio.asked) - before <= most
    scene.run_until(
        lambda: all(end.replica.records() == bulletin_parts(region, 1) for end in nodes),
        5 * MINUTE_MS,
        "the record",
    )


def test_two_gateways_one_on_a_baken_node_and_one_on_a_stock_radio_agree(region):
    radio, node = stock_end(region), baken_end(region, "VR00", 3)
    first, second = Gateway(region, radio, 1), Gateway(region, node, 2)
    scene = Scene([radio, node, baken_end(region, "OV06", 4)], [first, second])
    scene.run(STOCK_AFTER_MS + 2_000)
    for seq in range(1, 5):
        first.learn(scene.air.now, *bulletin_parts(region, seq))
        second.learn(scene.air.now, *bulletin_parts(region, seq, origin=2))
    scene.run_until(
        lambda: all(len(end.replica.records()) == 8 for end in (first, second, scene.air.ends[2])),
        20 * MINUTE_MS,
        "all eight everywhere",
    )
    before = len(scene.air.frames)
    scene.run(30 * MINUTE_MS, step_ms=100)
    assert len(scene.air.frames) - before < 120  # idle, they speak of little but digests and NodeInfo


def test_a_spent_flood_is_seldom_sent_on_by_both_of_two_stock_gateways(region):
    """They heard it equally well: chance decides who waits less, and whether the other hears that in time."""
    by_both = 0
    for seed in range(6):
        radios = [stock_end(region, STOCK_NUM + at, seed=10 * seed + at + 1) for at in range(2)]
        gateways = [Gateway(region, radio, 10 * seed + at + 1) for at, radio in enumerate(radios)]
        scene = Scene([*radios, baken_end(region, "OV06", 9 + seed)], gateways)
        scene.run(STOCK_AFTER_MS + 2_000)
        before = len(scene.air.frames)
        (raw,) = bulletin_parts(region, 1)
        spent = air_packet.decode(make_flood(region, raw, scene.air.now))
        for radio in radios:
            radio.node.receive_frame(air_packet.encode(spent.relayed(0, 0x77)), -90, 5.0, scene.air.now)
        scene.run(2 * MINUTE_MS)
        assert [gateway.replica.records() for gateway in gateways] == [[raw], [raw]]
        assert scene.air.ends[2].replica.records() == [raw]
        by_both += sum(any("hop_limit" in packet for packet in radio.asked) for radio in radios) == 2
        carried = [sent for _, _, sent in scene.air.frames[before:] if len(sent) > len(raw)]
        assert 1 <= len(carried) <= 6  # the flood, a relay by each of the others, and hardly more
    assert by_both <= 2  # of 30 played 2


def make_flood(region, raw, now):
    """The frame with which a far node began to flood this record."""
    end = BakenEnd(region, "RL1", preset_of(region), 5, now)
    end.publish(raw, now)
    for at in range(now, now + 10_000, 20):
        end.run(at)
        while (event := end.node.next_event(at)) is not None:
            if isinstance(event, Transmit):
                return event.frame
    raise AssertionError("no flood")


def test_a_radio_without_the_regions_channel_is_told_what_to_do(region):
    for channels in ((Channel(),), (Channel(region.channel.name.encode(), bytes(32)),)):
        radio = stock_end(region, channels=channels)
        gateway = Gateway(region, radio)
        scene = Scene([radio], [gateway])
        gateway.learn(scene.air.now, *bulletin_parts(region, 1))
        scene.run(MINUTE_MS)
        problem = gateway.air.problem or ""
        assert f'no channel "{region.channel.name}" with this region\'s key' in problem
        assert "--seturl" in problem
        assert radio.asked == []


def test_without_the_key_the_channels_name_has_to_do(region):
    known = RegionChannel.of(region)
    by_name = RegionChannel(known.name, None, known.preset, known.hop_limit)
    radio = stock_end(region, channels=(Channel(region.channel.name.encode(), bytes(32)),))
    gateway = Gateway(region, radio, channel=by_name)
    Scene([radio], [gateway]).run(STOCK_AFTER_MS + 2_000)
    assert gateway.air.problem is None and gateway.air.is_open


def test_the_channel_may_be_a_secondary_one(region):
    channels = (Channel(b"Anders", bytes([7]) * 16), region_channel(region))
    radio = stock_end(region, channels=channels)
    gateway = Gateway(region, radio)
    scene = Scene([radio], [gateway])
    scene.run(STOCK_AFTER_MS + 2_000)
    gateway.learn(scene.air.now, *bulletin_parts(region, 1))
    scene.run(MINUTE_MS)
    assert radio.asked and {packet.get("channel", 0) for packet in radio.asked} == {1}


def test_a_radio_with_another_modem_preset_is_told_so(region):
    other = 0 if preset_of(region) else 4
    radio = StockEnd(STOCK_NUM, (region_channel(region),), other)
    gateway = Gateway(region, radio)
    Scene([radio], [gateway]).run(STOCK_AFTER_MS + 2_000)
    assert "lora.modem_preset" in (gateway.air.problem or "") and radio.asked == []


def test_forged_and_broken_payloads_from_the_air_are_counted_and_kept_out(region):
    scene, gateway, _, nodes = stock_scene(region)
    scene.run(STOCK_AFTER_MS + 2_000)
    bad = bytearray(bulletin_parts(region, 1)[0])
    bad[20] ^= 1
    for payload in (bytes(bad), b"\x11", b"\xff" * 40):
        nodes[0].node.send(256, payload, scene.air.now)
    scene.run(MINUTE_MS)
    assert gateway.replica.records() == []
    assert gateway.air.counters["air-bad-signature"] == 1
    assert sum(count for cause, count in gateway.air.counters.items() if cause.startswith("air-")) == 3


def test_more_records_than_the_radio_can_take_wait_within_the_bound(region):
    scene, gateway, radio, nodes = stock_scene(region, seed=3)
    radio.free = 0
    scene.run(STOCK_AFTER_MS + 2_000)
    for seq in range(1, 25):
        gateway.learn(scene.air.now, *bulletin_parts(region, seq))
    scene.run(30_000)
    assert len(gateway.air._outbox) <= MAX_OUTBOX
    radio.free = None
    scene.run_until(
        lambda: all(len(end.replica.records()) == 24 for end in nodes), 90 * MINUTE_MS, "all of them"
    )
