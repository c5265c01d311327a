"""The demo's broker: what others rely on, and what was made good of the library under it."""

import re
import socket
import subprocess
import sys

import paho.mqtt.client as paho
import pytest
from _brokers import BrokerProcess, Observer, wait_for
from paho.mqtt.enums import CallbackAPIVersion

from baken_hardware.virtual import broker as module


@pytest.fixture
def broker(tmp_path):
    process = BrokerProcess("amqtt", tmp_path, "--data", str(tmp_path / "data"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def observe(broker):
    opened = []

    def open_one():
        opened.append(Observer(broker.port, f"observer-{len(opened)}"))
        return opened[-1]

    yield open_one
    for observer in opened:
        observer.close()


@pytest.mark.parametrize("kill", [False, True], ids=["terminated", "killed"])
def test_retained_messages_survive_a_restart_and_cleared_ones_stay_cleared(broker, observe, kill):
    first = observe()
    first.publish("a/kept", b"one")
    first.publish("a/replaced", b"one")
    first.publish("a/replaced", b"two")
    first.publish("a/cleared", b"one")
    first.publish("a/cleared", b"")
    first.publish("a/passing", b"one", retain=False)
    wait_for(lambda: ("a/passing", b"one", False) in first.log, "the last message")
    broker.stop(kill)
    broker.start()
    second = observe()
    wait_for(lambda: len(second.retained) == 2, "what was retained")
    assert second.retained == {"a/kept": b"one", "a/replaced": b"two"}


def test_the_last_will_of_a_lost_connection_is_published_and_retained(broker, observe):
    observer = observe()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="doomed", protocol=paho.MQTTv311)
    client.will_set("online/doomed", b"0", qos=1, retain=True)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.publish("online/doomed", b"1", qos=1, retain=True).wait_for_publish(10)
    wait_for(lambda: observer.retained.get("online/doomed") == b"1", "presence")
    wire = client.socket()
    assert isinstance(wire, socket.socket)
    client.reconnect_delay_set(60, 60)
    wire.shutdown(socket.SHUT_RDWR)
    wait_for(lambda: observer.retained.get("online/doomed") == b"0", "the will")
    client.loop_stop()
    late = observe()
    wait_for(lambda: late.retained.get("online/doomed") == b"0", "the retained will")


def test_a_client_is_sent_only_what_it_has_subscribed_to(broker, observe):
    observer = observe()
    for number in range(20):
        observer.publish(f"a/{number}", b"x")
    got = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="narrow", protocol=paho.MQTTv311)
    client.on_message = lambda _client, _userdata, message: got.append(message.topic)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    wait_for(client.is_connected, "the connection")
    client.subscribe("a/7", 1)
    wait_for(lambda: got, "the one message")
    client.publish("a/7", b"again", qos=1).wait_for_publish(10)
    wait_for(lambda: len(got) == 2, "its successor")
    client.disconnect()
    client.loop_stop()
    assert got == ["a/7", "a/7"]


def test_it_says_when_it_is_ready_and_ends_on_sigterm_with_clients_connected():
    command = [sys.executable, "-m", "baken_hardware.virtual.broker", "--port", "0"]
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        match = re.fullmatch(r"broker ready on 127\.0\.0\.1:(\d+)\n", process.stdout.readline())
        assert match
        observer = Observer(int(match[1]))
        process.terminate()
        assert process.wait(10) == 0
        observer.close()
        out, err = process.communicate()
        assert (out, err) == ("", "")
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_one_sentence(broker, capsys):
    assert module.main(["--port", str(broker.port)]) == 1
    assert re.fullmatch(r"broker: .*address already in use.*\n", capsys.readouterr().err)


def test_an_impossible_port_is_a_wrong_command_line(capsys):
    with pytest.raises(SystemExit):
        module.main(["--port", "70000"])
    assert "port is 70000, allowed 0 to 65535" in capsys.readouterr().err
