"""The serial port of a node: a pseudo-terminal that comes and goes, babbles and falls silent."""

import asyncio
import contextlib
import logging
import os
import random
import tty

import pytest
from _region import NOON_S, bulletin_parts, make_region, status_record
from _serial_node import NodeEnd, SerialNode

from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken_gateway.radio_link import RadioTask
from baken_gateway.session import CLOSED, READY, NodeSession

LIMIT_S = 30


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("serial"))


@pytest.fixture
def node(region, tmp_path):
    serial_node = SerialNode(NodeEnd(region, "VR00"), tmp_path)
    yield serial_node
    serial_node.pull()


class NoonClock:
    def unix_s(self):
        return NOON_S


class Gateway:
    """A replica with a serial port and nothing else."""

    def __init__(self, region, port):
        self.replica = Replica(region.trust, MemoryStore())
        self.new = []
        self.session = NodeSession(LinkSession(self.replica), random.Random(1).randrange)
        self.task = RadioTask(self.session, str(port), NoonClock(), self.new.append, first_pause_s=0.05)

    def learn(self, *records):
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == "new"
            self.task.offer(raw)

    @contextlib.asynccontextmanager
    async def running(self):
        running = asyncio.create_task(self.task.run())
        try:
            yield self
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


async def until(condition, what):
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"waited {LIMIT_S} s for {what}")


def test_records_cross_the_cable_both_ways(region, node):
    long = bulletin_parts(region, 2, "Довгеї. " * 60)
    node.learn(*bulletin_parts(region, 1), status_record(region, "OV06", 1))
    node.plug()

    async def scene():
        gateway = Gateway(region, node.port)
        gateway.learn(*long)
        async with gateway.running():
            await until(
                lambda: len(gateway.replica.records()) == len(node.records()) == 2 + len(long), "all records"
            )
            assert gateway.session.state == READY and gateway.task.problem is None
            node.learn(*bulletin_parts(region, 3))
            gateway.learn(*bulletin_parts(region, 4))
            await until(lambda: sorted(gateway.replica.records()) == sorted(node.records()), "news")
            from_node = [
                *bulletin_parts(region, 1),
                *bulletin_parts(region, 3),
                status_record(region, "OV06", 1),
            ]
            assert sorted(gateway.new) == sorted(from_node)
        assert gateway.session.state == CLOSED

    asyncio.run(scene())


def test_a_port_that_comes_late_is_pulled_out_and_comes_back_is_used(region, node, caplog):
    caplog.set_level(logging.INFO, "baken_gateway")

    async def scene():
        gateway = Gateway(region, node.port)
        async with gateway.running():
            await until(lambda: gateway.task.problem == "there is no such port", "a failed attempt")
            node.plug()
            await until(lambda: gateway.session.state == READY, "the node")
            for seq in (1, 2):
                await asyncio.to_thread(node.pull)
                await until(lambda: gateway.session.state == CLOSED, "the loss to be seen")
                node.learn(*bulletin_parts(region, seq))
                gateway.learn(*bulletin_parts(region, seq, origin=2))
                node.plug()
                count = 2 * seq
                await until(lambda n=count: len(gateway.replica.records()) == n, "what the gateway missed")
                await until(lambda n=count: len(node.records()) == n, "what the node missed")
        lines = [record.message for record in caplog.records if "no such port" in record.message]
        assert len(lines) <= 3  # said once each time, not at every attempt

    asyncio.run(scene())


def test_an_idle_port_is_not_taken_for_one_that_has_gone(region, node):
    node.plug()

    async def scene():
        gateway = Gateway(region, node.port)
        async with gateway.running():
            await until(lambda: gateway.session.state == READY, "the node")
            await until(lambda: gateway.session.link.in_step, "nothing left to exchange")
            for _ in range(20):
                gateway.task.offer(bulletin_parts(region, 1)[0])  # wakes the task though nothing came
                await asyncio.sleep(0.01)
            assert gateway.task.problem is None and gateway.session.state == READY

    asyncio.run(scene())


def test_garbage_on_the_line_does_not_stop_the_exchange(region, node):
    node.plug()

    async def scene():
        gateway = Gateway(region, node.port)
        async with gateway.running():
            await until(lambda: gateway.session.state == READY, "the node")
            for seq in range(1, 6):
                node.babble(b"\x94\xc3\xff\xff" + bytes(range(256)) + b"boot: ready\r\n\x94")
                node.babble(b"\x94\xc3\x00\x05\xff\xff\xff\xff\xff")
                node.learn(*bulletin_parts(region, seq))
                await until(lambda seq=seq: len(gateway.replica.records()) == seq, "the record")
            assert gateway.session.counters["bad-start"] > 0 and gateway.session.counters["bad-protobuf"] > 0

    asyncio.run(scene())


def test_a_node_that_does_not_read_does_not_block_the_gateway(region, tmp_path):
    master, slave = os.openpty()
    tty.setraw(slave)
    try:

        async def scene():
            gateway = Gateway(region, os.ttyname(slave))
            async with gateway.running():
                await until(lambda: gateway.task.problem is None, "the port")
                gateway.session._out.extend([bytes(500)] * 200)  # far more than a terminal holds
                gateway.task.offer(b"")
                ticks = 0
                for _ in range(50):
                    await asyncio.sleep(0.005)
                    ticks += 1
                assert ticks == 50 and gateway.session._out  # the loop turns, the bytes wait

        asyncio.run(scene())
    finally:
        os.close(master)
        os.close(slave)


def test_a_port_in_use_by_another_program_is_named_so(region, node):
    node.plug()

    async def scene():
        first, second = Gateway(region, node.port), Gateway(region, node.port)
        async with first.running():
            await until(lambda: first.session.state == READY, "the node")
            async with second.running():
                await until(lambda: "in use" in (second.task.problem or ""), "the refusal")
            assert first.session.state == READY

    asyncio.run(scene())
