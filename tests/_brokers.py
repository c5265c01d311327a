"""MQTT brokers as processes for tests: the demo's own (amqtt), and Mosquitto where it is installed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from baken_gateway.mqtt_link import BrokerAddress

LIMIT_S = 30.0
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
KINDS = ["amqtt", *(["mosquitto"] if MOSQUITTO else [])]


def wait_for(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    """Until `condition()` is true; fails after `limit_s`."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"waited {limit_s:.0f} s for {what}"
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port that nobody uses now, nor is given by the system to a connection while a broker restarts."""
    while True:
        port = random.randrange(20_000, 32_000)  # below the range for connections, which begins at 32768
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class BrokerProcess:
    """A broker on a port of its own, which it keeps over restarts. Its memory is lost when it stops, unless
    `options` (of amqtt's command line) say otherwise.
    """

    def __init__(self, kind: str, folder: Path, *options: str) -> None:
        self.kind = kind
        self.port = free_port()
        self._options = options
        self._folder = folder
        self._process: subprocess.Popen | None = None

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress("127.0.0.1", self.port)

    def start(self) -> None:
        """Start it and wait until it listens."""
        assert self._process is None
        if self.kind == "mosquitto":
            config = self._folder / "mosquitto.conf"
            config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
            command = [str(MOSQUITTO), "-c", str(config)]
        else:
            command = [
                sys.executable,
                "-m",
                "baken_hardware.virtual.broker",
                "--port",
                str(self.port),
                *self._options,
            ]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        log = (self._folder / f"{self.kind}.log").open("ab")
        with log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        wait_for(self._listens, f"{self.kind} to listen")

    def stop(self, kill: bool = False) -> None:
        """End it; with `kill` without warning."""
        if self._process is None:
            return
        if kill:
            self._process.kill()
        else:
            self._process.terminate()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        assert self._process is not None and self._process.poll() is None, f"{self.kind} did not start"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Observer:
    """A client that sees everything: `retained` as the broker has it, `log` of every message as it came."""

    def __init__(self, port: int, client_id: str = "observer") -> None:
        self.retained: dict[str, bytes] = {}
        self.log: list[tuple[str, bytes, bool]] = []
        self._subscribed = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_for(lambda: self._subscribed, "the observer's subscription")

    def publish(self, topic: str, payload: bytes, retain: bool = True) -> None:
        """Publish and wait for the acknowledgement."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(LIMIT_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def _on_connect(self, *_) -> None:
        self._client.subscribe("#", 1)

    def _on_subscribe(self, *_) -> None:
        self._subscribed = True

    def _on_message(self, _client, _userdata, message: paho.MQTTMessage) -> None:
        self.log.append((message.topic, bytes(message.payload), message.retain))
        if message.payload:
            self.retained[message.topic] = bytes(message.payload)
        else:
            self.retained.pop(message.topic, None)
