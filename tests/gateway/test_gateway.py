"""The gateway as a process, between a node on a pseudo-terminal and a real broker."""

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from _brokers import KINDS, BrokerProcess, Observer, free_port, wait_for
from _gateway import GatewayProcess
from _region import NOON_S, bulletin_parts, make_region, status_record
from _serial_node import NodeEnd, SerialNode

from baken_gateway import cli

PREFIX = "baken/v1/merenland/"
UNIT = Path(__file__).resolve().parents[2] / "gateway/baken-gateway.service"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("gateway"))


@pytest.fixture(params=KINDS)
def broker(request, tmp_path):
    process = BrokerProcess(request.param, tmp_path)
    yield process
    process.stop()


@pytest.fixture
def node(region, tmp_path):
    serial_node = SerialNode(NodeEnd(region, "VR00"), tmp_path)
    yield serial_node
    serial_node.pull()


@pytest.fixture
def observers():
    opened = []

    def observe(broker):
        opened.append(Observer(broker.port, f"observer-{len(opened)}"))
        return opened[-1]

    yield observe
    for observer in opened:
        observer.close()


@pytest.fixture
def gateway(region, node, broker, tmp_path):
    process = GatewayProcess(region, node.port, broker, tmp_path)
    yield process
    process.end(signal.SIGKILL)


def records(observer):
    begin = PREFIX + "record/"
    return {
        topic.removeprefix(begin): raw for topic, raw in observer.retained.items() if topic.startswith(begin)
    }


def is_online(observer, name="gw1"):
    return observer.retained.get(f"{PREFIX}gateway/{name}/online")


def test_node_and_broker_come_late_go_away_and_come_back(region, node, broker, gateway, observers):
    gateway.start()
    wait_for(lambda: "no such port" in gateway.log.read_text(), "the gateway to look for its node")
    wait_for(lambda: "no connection" in gateway.log.read_text(), "the gateway to look for its broker")
    node.learn(*bulletin_parts(region, 1), status_record(region, "OV06", 1))
    node.plug()
    broker.start()
    observer = observers(broker)
    wait_for(lambda: len(records(observer)) == 2, "the node's records at the broker")
    console = bulletin_parts(region, 2)[0]
    observer.publish(PREFIX + "record/bulletin/1/2", console)
    wait_for(lambda: console in node.records(), "the broker's record at the node")

    node.pull()
    third = bulletin_parts(region, 3)[0]
    observer.publish(PREFIX + "record/bulletin/1/3", third)
    wait_for(lambda: b'"bulletins":3' in observer.retained[PREFIX + "gateway/gw1"], "the gateway's own view")
    node.plug()
    wait_for(lambda: third in node.records(), "what came while the node was away")

    broker.stop(kill=True)
    fourth = bulletin_parts(region, 4)[0]
    node.learn(fourth)
    broker.start()  # with nothing in its memory
    again = observers(broker)
    wait_for(lambda: len(records(again)) == 5, "everything at the broker that had lost all")
    assert records(again)["bulletin/1/4"] == fourth
    wait_for(lambda: is_online(again) == b"1", "presence")
    wait_for(lambda: PREFIX + "status/OV06" in again.retained, "the view")


def test_a_bulletin_that_expires_is_cleared_and_the_node_keeps_up(region, node, broker, gateway, observers):
    broker.start()
    node.learn(*bulletin_parts(region, 1, valid_s=3600), *bulletin_parts(region, 2))
    node.plug()
    gateway.start()
    observer = observers(broker)
    wait_for(
        lambda: len(records(observer)) == 2 and PREFIX + "bulletin/1/1" in observer.retained, "both records"
    )
    gateway.set_clock(NOON_S + 3600)
    wait_for(lambda: list(records(observer)) == ["bulletin/1/2"], "the expired one to be cleared")
    wait_for(lambda: PREFIX + "bulletin/1/1" not in observer.retained, "its view to be cleared")


def test_a_killed_gateway_is_seen_to_be_gone_and_repeats_nothing(region, node, broker, gateway, observers):
    broker.start()
    observer = observers(broker)
    node.learn(*bulletin_parts(region, 1, "їх. " * 60), status_record(region, "OV06", 1))
    node.plug()
    gateway.start()
    wait_for(lambda: len(records(observer)) == 4, "four records")
    wait_for(lambda: PREFIX + "status/OV06" in observer.retained, "the view")
    assert gateway.end(signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: is_online(observer) == b"0", "the will")
    seen = len(observer.log)
    gateway.start()
    wait_for(lambda: is_online(observer) == b"1", "the gateway again")
    node.learn(*bulletin_parts(region, 2))
    wait_for(lambda: "bulletin/1/2" in records(observer), "news after the restart")
    wait_for(lambda: PREFIX + "bulletin/1/2" in observer.retained, "its view")
    times = Counter(topic.removeprefix(PREFIX) for topic, _, _ in observer.log[seen:])
    old = [
        topic
        for topic in times
        if topic.startswith(("record/", "bulletin/", "status/")) and "1/2" not in topic
    ]
    assert old == []
    assert times["record/bulletin/1/2"] == 1


def test_kills_at_any_time_lose_nothing(region, node, broker, gateway, observers):
    broker.start()
    observer = observers(broker)
    node.plug()
    sent = {}
    for seq in range(1, 9):
        gateway.start()
        from_mesh, from_console = bulletin_parts(region, seq)[0], bulletin_parts(region, seq, origin=2)[0]
        node.learn(from_mesh)
        observer.publish(f"{PREFIX}record/bulletin/2/{seq}", from_console)
        sent |= {f"bulletin/1/{seq}": from_mesh, f"bulletin/2/{seq}": from_console}
        time.sleep(
            0.3 + 0.08 * seq
        )  # somewhere between the start of the interpreter and the end of the exchange
        gateway.end(signal.SIGKILL)
    gateway.start()
    wait_for(lambda: records(observer) == sent, "all records at the broker")
    wait_for(lambda: sorted(node.records()) == sorted(sent.values()), "all records at the node")
    published = {(topic, payload) for topic, payload, _ in observer.log if "/record/" in topic}
    assert {topic.removeprefix(PREFIX + "record/"): payload for topic, payload in published} == sent
    assert len(published) == len(sent)  # never other bytes under the same topic


def test_two_gateways_on_one_broker_do_not_publish_in_turns(
    region, node, broker, gateway, observers, tmp_path
):
    broker.start()
    observer = observers(broker)
    (tmp_path / "second").mkdir()
    other_node = SerialNode(NodeEnd(region, "RL1", seed=2), tmp_path / "second")
    other = GatewayProcess(region, other_node.port, broker, tmp_path / "second", "gw2")
    try:
        node.plug()
        other_node.plug()
        gateway.start()
        other.start()
        wait_for(lambda: is_online(observer) == is_online(observer, "gw2") == b"1", "both gateways")
        for seq in range(1, 6):
            node.learn(*bulletin_parts(region, seq))
            other_node.learn(status_record(region, "OV06", seq))
        last = [bulletin_parts(region, 5)[0], status_record(region, "OV06", 5)]
        wait_for(
            lambda: all(raw in node.records() and raw in other_node.records() for raw in last), "both nodes"
        )
        wait_for(lambda: len(records(observer)) == 6, "one status and five bulletins")
        expected = {bulletin_parts(region, seq)[0] for seq in range(1, 6)} | {
            status_record(region, "OV06", 5)
        }
        assert set(records(observer).values()) == expected
        times = Counter(topic for topic, payload, _ in observer.log if "/record/bulletin/" in topic)
        assert max(times.values()) == 1
    finally:
        other.end()
        other_node.pull()


def test_garbage_on_both_sides_is_counted_and_not_spread(region, node, broker, gateway, observers):
    broker.start()
    observer = observers(broker)
    node.plug()
    gateway.start()
    wait_for(lambda: is_online(observer) == b"1", "the gateway")
    observer.publish(PREFIX + "record/bulletin/1/9", b"garbage")
    observer.publish(PREFIX + "record/bulletin/1/8", bulletin_parts(region, 1)[0])
    observer.publish(PREFIX + "record/bulletin/1/7", bytes(5000))
    node.babble(b"\x94\xc3\x00\x03\xff\xff\xff" + b"panic: reboot\r\n" * 20)
    node.learn(*bulletin_parts(region, 2))
    wait_for(lambda: "bulletin/1/2" in records(observer), "the good record")
    view = PREFIX + "gateway/gw1"
    wait_for(lambda: b'"record-long":1' in observer.retained.get(view, b""), "the counters")
    assert b'"record-short":1' in observer.retained[view] and b'"record-topic":1' in observer.retained[view]
    assert b'"bad-protobuf":' in observer.retained[view]
    assert node.records() == bulletin_parts(region, 2)
    log = gateway.log.read_text()
    assert "refused record/bulletin/1/7 (record-long): 5000 bytes, limit 231" in log
    assert "refused record/bulletin/1/8 (record-topic): its bytes belong to record/bulletin/1/1" in log


def test_sigterm_ends_it_cleanly_whatever_is_there(region, node, broker, gateway, observers):
    gateway.start()
    wait_for(lambda: "no connection" in gateway.log.read_text(), "the gateway to look for its broker")
    assert gateway.end() == 0
    broker.start()
    node.plug()
    observer = observers(broker)
    gateway.start()
    wait_for(lambda: is_online(observer) == b"1", "the gateway")
    assert gateway.end() == 0
    wait_for(lambda: is_online(observer) == b"0", "goodbye")
    assert "Traceback" not in gateway.log.read_text()


def arguments(region, tmp_path, **changes):
    values = {
        "--region": region.folder,
        "--port": tmp_path / "none",
        "--broker": f"127.0.0.1:{free_port()}",
        "--data": tmp_path / "data",
        **changes,
    }
    return [str(word) for pair in values.items() for word in pair]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"--region": "/nowhere"}, "/nowhere is not a folder; make one: baken-bench region init"),
        ({"--broker": "host:99999"}, "broker is 'host:99999', must be HOST or HOST:PORT"),
        (
            {"--exercise-clock": "/nowhere/clock"},
            "exercise clock /nowhere/clock cannot be read: No such file",
        ),
        ({"--exercise-clock": "/dev/null"}, "exercise clock /dev/null is 0 bytes, must be 16"),
        ({"--data": "/dev/null/x"}, "data folder /dev/null/x cannot be used: Not a directory"),
        ({"--password-file": "/nowhere/password"}, "/nowhere/password cannot be read"),
        ({"--ca-file": "/nowhere/ca.pem", "--tls": ""}, "certificate file /nowhere/ca.pem cannot be used"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(region, tmp_path, capsys, changes, complaint):
    words = [word for word in arguments(region, tmp_path, **changes) if word]
    assert cli.main(words) == 1
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


def test_a_wrong_id_is_a_wrong_command_line(region, tmp_path, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments(region, tmp_path, **{"--id": "a/b"}))
    assert caught.value.code == 2
    assert "--id is 'a/b', allowed: ID of 1 to 32 letters" in capsys.readouterr().err


def test_two_gateways_cannot_use_one_data_folder(region, node, tmp_path, capsys):
    broker = BrokerProcess("amqtt", tmp_path)  # not started
    first = GatewayProcess(region, node.port, broker, tmp_path)
    first.start()
    try:
        wait_for(lambda: "no such port" in first.log.read_text(), "the first one to run")
        assert cli.main(arguments(region, tmp_path, **{"--data": tmp_path / "gw1"})) == 1
        assert "gw1 is in use by another gateway" in capsys.readouterr().err
    finally:
        first.end()


def test_the_help_teaches(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert "Example: baken-gateway --region" in text and "--exercise-clock" in text


def test_the_systemd_unit_starts_what_the_command_line_understands(region, tmp_path):
    unit = UNIT.read_text()
    command = (
        next(line for line in unit.splitlines() if line.startswith("ExecStart=")).partition("=")[2].split()
    )
    parsed = cli.build_parser().parse_args(command[1:])
    assert command[0].endswith("/baken-gateway")
    assert (parsed.port, parsed.broker) == ("${BAKEN_PORT}", "${BAKEN_BROKER}")
    assert f"StateDirectory={parsed.data.name}" in unit
