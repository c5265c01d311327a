"""Our side of a node's serial API against the node's side: bytes in, bytes out, time as a number."""

import random
from collections.abc import Callable

import pytest
from _region import NOON_S, bulletin_parts, make_region, status_record
from _serial_node import NodeEnd
from hypothesis import given
from hypothesis import strategies as st
from meshtastic.protobuf import mesh_pb2

from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire.stream import frame
from baken.wire.trust import TrustList
from baken_gateway.session import (
    ANSWER_LIMIT_MS,
    CLOSED,
    HEARTBEAT_MS,
    LINK_LIMIT_MS,
    PRIVATE_APP,
    READY,
    START_ATTEMPTS,
    START_PERIOD_MS,
    STARTING,
    WAKE,
    NodeSession,
)

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("session"))


class Cable:
    """A gateway's session and a node; `run` lets time pass. `spoil(data)` may change what the node says."""

    def __init__(self, region, seed=1):
        self.replica = Replica(region.trust, MemoryStore())
        self.random = random.Random(seed)
        self.session = NodeSession(LinkSession(self.replica), self.random.randrange)
        self.node = NodeEnd(region, "VR00", seed)
        self.now = 5_000
        self.new = []
        self.piece = 512
        self.to_node = bytearray()
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self.lose: Callable[[bytes], bool] = lambda data: False

    def learn(self, *records):
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == NEW
            self.session.offer(raw, self.now)

    def run(self, ms=MINUTE_MS, step_ms=20):
        end = self.now + ms
        while self.now < end:
            while (data := self.session.next_bytes(self.now)) is not None:
                self.to_node += data
                if not self.lose(data):
                    self.node.receive(data, self.now)
            due = self.session.deadline()
            assert due is None or due > self.now or self.session.is_dead(self.now)
            while data := self.node.next_bytes(self.now):
                data = self.spoil(data)
                for at in range(0, len(data), self.piece):
                    self.new += self.session.receive(data[at : at + self.piece], NOON_S, self.now)
            self.now += step_ms

    def is_in_step(self):
        return sorted(self.replica.records()) == sorted(self.node.replica.records()) != []


def test_a_session_begins_with_wake_bytes_and_asks_who_the_node_is(region):
    cable = Cable(region)
    assert cable.session.state == CLOSED and cable.session.deadline() is None
    cable.session.open(cable.now)
    assert cable.session.state == STARTING
    assert cable.session.next_bytes(cable.now) == WAKE
    assert cable.session.next_bytes(cable.now) is None
    cable.run(1_000)
    assert cable.session.state == READY
    assert cable.session.node_num == region.point("VR00").node_num
    assert cable.session.nodes[region.point("VR00").node_num].short_name == "VR00"
    assert cable.session.firmware


@pytest.mark.parametrize("piece", [1, 7, 512])
def test_both_ends_get_what_they_lack_however_the_bytes_are_cut(region, piece):
    cable = Cable(region)
    cable.piece = piece
    long = bulletin_parts(region, 2, "Довгеї. " * 60)
    cable.node.learn(*bulletin_parts(region, 1), status_record(region, "OV06", 5))
    cable.learn(*long, status_record(region, "DH01", 3))
    cable.session.open(cable.now)
    cable.run(5_000)
    assert cable.is_in_step() and cable.session.link.in_step
    assert sorted(cable.new) == sorted([*bulletin_parts(region, 1), status_record(region, "OV06", 5)])


def test_news_on_either_side_crosses_at_once(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(1_000)
    cable.node.learn(*bulletin_parts(region, 1))
    cable.run(40)
    cable.learn(*bulletin_parts(region, 2))
    cable.run(40)
    assert cable.is_in_step()


def test_a_full_board_crosses_in_spite_of_the_nodes_short_queue(region):
    cable = Cable(region)
    for seq in range(1, 31):
        cable.node.learn(*bulletin_parts(region, seq, "Довгеї. " * 30))
        cable.learn(*bulletin_parts(region, seq, origin=2))
    cable.session.open(cable.now)
    cable.run(10 * MINUTE_MS, step_ms=100)
    assert len(cable.replica.records()) == 120 and cable.is_in_step()


def test_the_start_is_tried_again_until_the_node_hears(region):
    cable = Cable(region)
    cable.node.learn(*bulletin_parts(region, 1))
    deaf_until = cable.now + 2 * START_PERIOD_MS
    cable.lose = lambda data: cable.now < deaf_until
    cable.session.open(cable.now)
    cable.run(2 * START_PERIOD_MS - 100)
    assert cable.session.state == STARTING and not cable.session.is_dead(cable.now)
    cable.run(START_PERIOD_MS)
    assert cable.session.state == READY and cable.is_in_step()


def test_a_port_with_nobody_behind_it_is_given_up_in_the_end(region):
    cable = Cable(region)
    cable.lose = lambda data: True
    cable.session.open(cable.now)
    cable.run(START_ATTEMPTS * START_PERIOD_MS + 1_000)
    assert cable.session.is_dead(cable.now)


def test_a_node_that_falls_silent_is_noticed_and_one_that_has_nothing_to_say_is_not_blamed(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(30 * MINUTE_MS, step_ms=200)
    assert cable.session.state == READY and not cable.session.is_dead(cable.now)
    cable.node.silent = True
    since = cable.now
    while not cable.session.is_dead(cable.now):
        cable.run(1_000)
    assert cable.now - since <= HEARTBEAT_MS + ANSWER_LIMIT_MS + 1_000
    cable.node.silent = False
    cable.session.open(cable.now)
    cable.run(2_000)
    assert cable.session.state == READY and not cable.session.is_dead(cable.now)


def test_a_node_that_reboots_is_asked_again_and_gets_what_it_missed(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(1_000)
    cable.node.boot()
    cable.learn(*bulletin_parts(region, 1))
    rebooted = frame(mesh_pb2.FromRadio(rebooted=True).SerializeToString())
    cable.session.receive(rebooted, NOON_S, cable.now)
    assert cable.session.state == STARTING and cable.session.counters == {"rebooted": 1}
    cable.run(3_000)
    assert cable.session.state == READY and cable.is_in_step()


def test_a_reboot_that_nobody_announces_is_repaired(region):
    cable = Cable(region)
    cable.node.learn(*bulletin_parts(region, 1))
    cable.session.open(cable.now)
    cable.run(1_000)
    cable.node.boot()
    cable.node.api._greeted = True  # so that it does not announce it, as if that had got lost
    cable.node.learn(*bulletin_parts(region, 2))
    cable.run(LINK_LIMIT_MS + 5_000, step_ms=200)
    assert cable.session.counters == {"link-lost": 1}
    assert cable.is_in_step()


def test_text_between_frames_does_no_harm(region):
    cable = Cable(region)
    cable.spoil = lambda data: b"INFO | ready \r\n" + data if cable.random.randrange(3) == 0 else data
    cable.node.learn(*bulletin_parts(region, 1), status_record(region, "OV06", 1))
    cable.session.open(cable.now)
    cable.run(5_000)
    assert cable.session.state == READY


@pytest.mark.parametrize("seed", range(6))
def test_a_line_that_spoils_and_loses_bytes_gets_there_in_the_end(region, seed):
    cable = Cable(region, seed)

    def spoil(data):
        data = bytearray(data)
        for at in range(len(data)):
            if cable.random.randrange(2_000) == 0:
                data[at] = cable.random.randrange(256)
        if cable.random.randrange(50) == 0:
            del data[: cable.random.randrange(5)]
        return bytes(data)

    cable.spoil = spoil
    cable.lose = lambda data: cable.random.randrange(30) == 0
    for seq in range(1, 9):
        cable.node.learn(*bulletin_parts(region, seq))
        cable.learn(*bulletin_parts(region, seq, origin=2))
    cable.session.open(cable.now)
    for _ in range(60):
        cable.run(MINUTE_MS, step_ms=100)
        if cable.session.is_dead(cable.now):
            cable.session.open(cable.now)
        if cable.is_in_step():
            break
    assert cable.is_in_step() and len(cable.replica.records()) == 16


def test_records_of_other_regions_and_bad_signatures_from_the_node_are_refused(region, tmp_path):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(1_000)
    foreign = bulletin_parts(make_region(tmp_path), 1)[0]
    bad = bytearray(bulletin_parts(region, 1)[0])
    bad[20] ^= 1
    for raw in (foreign, bytes(bad), b"", b"\x11", bytes(300)):
        assert cable.node.api.client_record(raw)
    cable.run(1_000)
    assert cable.replica.records() == []
    assert cable.replica.counters["bad-signature"] == 2


def test_what_the_node_relays_from_others_is_not_mistaken_for_the_link(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(1_000)
    message = mesh_pb2.FromRadio()
    setattr(message.packet, "from", 0x1234)
    message.packet.to = cable.session.node_num or 0
    message.packet.decoded.portnum = PRIVATE_APP
    message.packet.decoded.payload = bulletin_parts(region, 1)[0]
    assert cable.session.receive(frame(message.SerializeToString()), NOON_S, cable.now) == []
    assert cable.replica.records() == []


def test_a_node_that_reports_a_full_queue_is_not_pressed(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    cable.run(1_000)
    full = mesh_pb2.FromRadio(queueStatus=mesh_pb2.QueueStatus(free=0, maxlen=16))
    cable.session.receive(frame(full.SerializeToString()), NOON_S, cable.now)
    cable.learn(*bulletin_parts(region, 1))
    assert cable.session.next_bytes(cable.now) is None
    due = cable.session.deadline()
    assert due is not None and due > cable.now
    room = mesh_pb2.FromRadio(queueStatus=mesh_pb2.QueueStatus(free=3, maxlen=16))
    cable.session.receive(frame(room.SerializeToString()), NOON_S, cable.now)
    assert cable.session.next_bytes(cable.now) is not None


def test_nothing_is_kept_of_more_nodes_than_the_limit(region):
    cable = Cable(region)
    cable.session.open(cable.now)
    for num in range(4, 1000):
        message = mesh_pb2.FromRadio(node_info=mesh_pb2.NodeInfo(num=num, last_heard=num))
        cable.session.receive(frame(message.SerializeToString()), NOON_S, cable.now)
    assert (
        len(cable.session.nodes) == 250
        and max(cable.session.nodes) == 999
        and min(cable.session.nodes) == 750
    )


@given(st.lists(st.binary(max_size=600), max_size=8))
def test_any_bytes_from_the_port_are_survived(pieces):
    session = NodeSession(LinkSession(Replica(_NO_TRUST, MemoryStore())), random.Random(1).randrange)
    session.open(0)
    for index, piece in enumerate(pieces):
        assert session.receive(piece, None, index * 100) == []
        assert session.receive(frame(piece[:512]), NOON_S, index * 100 + 50) == []
        while session.next_bytes(index * 100 + 50) is not None:
            pass
        assert session.deadline() is not None


_NO_TRUST = TrustList(1, bytes(32), b"", [], [], [])
