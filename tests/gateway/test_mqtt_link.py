"""Replicas joined to real brokers, amqtt and Mosquitto."""

import asyncio
import contextlib
from collections import Counter
from pathlib import Path

import pytest
from _brokers import KINDS, LIMIT_S, BrokerProcess, Observer, free_port
from _region import NOON_S, bulletin_parts, make_region, status_record

from baken.noticeboard.replica import Replica
from baken_gateway.bridge import MqttReplica
from baken_gateway.mqtt_link import AddressError, BrokerAddress, MqttTask
from baken_gateway.store import SqliteStore, StoreError

PREFIX = "baken/v1/merenland/"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("mqtt"))


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    process = BrokerProcess(request.param, tmp_path)
    process.start()
    yield process
    process.stop()


class NoonClock:
    def unix_s(self):
        return NOON_S


class Party:
    """A replica in SQLite, joined to a broker."""

    def __init__(self, region, folder: Path, address: BrokerAddress, name="gateway/gw1", views=True):
        folder.mkdir(exist_ok=True)
        self.store = SqliteStore(folder / "replica.db")
        self.replica = Replica(region.trust, self.store)
        self.joined = MqttReplica(region, self.replica, self.store, name, views=views)
        self.new: list[bytes] = []
        self.task = MqttTask(
            self.joined, address, NoonClock(), self.new.append, first_pause_s=0.05, last_pause_s=0.2
        )

    def learn(self, *records):
        for raw in records:
            assert self.replica.receive_record(raw, NOON_S).state == "new"
        self.task.wake()

    @contextlib.asynccontextmanager
    async def running(self):
        running = asyncio.create_task(self.task.run())
        try:
            yield self
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            self.store.close()


async def until(condition, what: str):
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"waited {LIMIT_S:.0f} s for {what}")


def record_topics(observer):
    return {topic.removeprefix(PREFIX + "record/") for topic in observer.retained if "/record/" in topic}


def test_records_go_from_one_to_the_other_and_are_retained(region, broker, tmp_path):
    long = bulletin_parts(region, 2, "Довгеї. " * 30)

    async def scene():
        one = Party(region, tmp_path / "1", broker.address)
        two = Party(region, tmp_path / "2", broker.address, "console/c1", views=False)
        async with one.running(), two.running():
            one.learn(*long, status_record(region, "OV06", 1))
            two.learn(*bulletin_parts(region, 1))
            await until(
                lambda: len(one.replica.records()) == len(two.replica.records()) == 5, "the same five records"
            )
            await until(
                lambda: all(one.joined.is_acknowledged(raw) for raw in one.replica.records()),
                "acknowledgement",
            )
            assert one.new == bulletin_parts(region, 1)
        observer = Observer(broker.port)
        await until(lambda: len(record_topics(observer)) == 5, "five retained records")
        await until(lambda: PREFIX + "status/OV06" in observer.retained, "the view")
        await until(lambda: observer.retained.get(PREFIX + "gateway/gw1/online") == b"0", "goodbye")
        observer.close()

    asyncio.run(scene())


def test_a_replica_that_comes_later_gets_what_is_retained_and_publishes_nothing(region, broker, tmp_path):
    records = [*bulletin_parts(region, 1), *bulletin_parts(region, 2), status_record(region, "OV06", 1)]

    async def scene():
        one = Party(region, tmp_path / "1", broker.address)
        async with one.running():
            one.learn(*records)
            await until(
                lambda: one.joined.is_acknowledged(records[2]) and not one.joined.waiting, "all published"
            )
            observer = Observer(broker.port)
            late = Party(region, tmp_path / "2", broker.address, "gateway/gw2")
            held = Party(region, tmp_path / "3", broker.address, "gateway/gw3")
            held.learn(*records)
            async with late.running(), held.running():
                await until(lambda: late.joined.synced and held.joined.synced, "what the broker holds")
                await until(lambda: len(late.replica.records()) == 3, "three records")
                await until(lambda: not (late.joined.waiting or held.joined.waiting), "quiet")
            live = Counter(topic for topic, _, retain in observer.log if not retain)
            assert not [topic for topic in live if "/record/" in topic], live
            observer.close()

    asyncio.run(scene())


def test_a_broker_that_comes_late_goes_away_and_returns_empty_gets_everything(region, broker, tmp_path):
    async def scene():
        broker.stop()
        one = Party(region, tmp_path / "1", broker.address)
        async with one.running():
            one.learn(*bulletin_parts(region, 1))
            await until(lambda: one.task.problem is not None, "a failed attempt")
            assert not one.joined.is_acknowledged(bulletin_parts(region, 1)[0])
            await asyncio.to_thread(broker.start)
            await until(lambda: one.joined.is_acknowledged(bulletin_parts(region, 1)[0]), "acknowledgement")
            await asyncio.to_thread(broker.stop, True)
            await until(lambda: not one.task.is_connected, "the loss to be seen")
            one.learn(*bulletin_parts(region, 2))
            await asyncio.to_thread(broker.start)
            observer = await asyncio.to_thread(Observer, broker.port)
            await until(lambda: record_topics(observer) == {"bulletin/1/1", "bulletin/1/2"}, "both records")
            await until(lambda: observer.retained.get(PREFIX + "gateway/gw1/online") == b"1", "presence")
            await until(lambda: PREFIX + "bulletin/1/1" in observer.retained, "the view")
            assert one.task.problem is None
            observer.close()

    asyncio.run(scene())


def test_garbage_and_floods_from_others_do_no_harm(region, broker, tmp_path):
    good = bulletin_parts(region, 1)[0]

    async def scene():
        observer = Observer(broker.port)
        observer.publish(PREFIX + "record/bulletin/1/9", b"garbage")
        observer.publish(PREFIX + "record/bulletin/1/8", good)
        observer.publish(PREFIX + "record/bulletin/1/7", bytes(300_000))
        one = Party(region, tmp_path / "1", broker.address)
        async with one.running():
            await until(lambda: one.joined.synced, "what the broker holds")
            for number in range(500):
                observer.publish(f"{PREFIX}record/bulletin/1/{number % 7 + 1}", b"x" * number, retain=False)
            observer.publish(PREFIX + "record/bulletin/1/1", good)
            await until(lambda: one.replica.records() == [good], "the good record")
            assert one.joined.counters["record-long"] >= 1 and one.joined.counters["record-topic"] == 1
            assert one.joined.counters["record-short"] > 50
            assert one.task.is_connected
        observer.close()

    asyncio.run(scene())


def test_a_store_that_fails_leaves_the_message_with_the_broker(region, broker, tmp_path):
    raw = bulletin_parts(region, 1)[0]

    async def scene():
        observer = Observer(broker.port)
        observer.publish(PREFIX + "record/bulletin/1/1", raw)
        one = Party(region, tmp_path / "1", broker.address, "console/c1", views=False)
        failures = [0]
        put = one.store.put

        def failing(raw):
            if failures[0] < 3:
                failures[0] += 1
                raise StoreError("database or disk is full")
            put(raw)

        one.store.put = failing
        async with one.running():
            await until(lambda: one.replica.records() == [raw], "the record in spite of all")
        assert failures[0] == 3
        observer.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mqtt.example", "mqtt.example", 1883),
        ("mqtt.example:1999", "mqtt.example", 1999),
        ("[::1]:1999", "::1", 1999),
        ("[::1]", "::1", 1883),
        ("127.0.0.1:1", "127.0.0.1", 1),
    ],
)
def test_a_brokers_address_is_understood(text, host, port):
    address = BrokerAddress.parse(text)
    assert (address.host, address.port) == (host, port)


def test_with_tls_the_usual_port_is_another():
    assert BrokerAddress.parse("mqtt.example", tls=True).port == 8883


@pytest.mark.parametrize(
    "text", ["", ":1883", "host:", "host:0", "host:65536", "host:x", "host:-1", "host:²"]
)
def test_a_wrong_address_is_refused(text):
    with pytest.raises(AddressError, match="must be HOST or HOST:PORT"):
        BrokerAddress.parse(text)


def test_an_unusable_certificate_file_is_named(region, tmp_path):
    address = BrokerAddress("localhost", free_port(), tls=True, ca_file=tmp_path / "none.pem")
    with pytest.raises(AddressError, match=r"none\.pem cannot be used"):
        Party(region, tmp_path, address)
