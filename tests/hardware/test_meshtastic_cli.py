"""The unmodified `meshtastic` command against our client API, over a pseudo-terminal like a USB port."""

import os
import re
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from _ether import Ether, everyone, seeded

from baken.mesh.client_api import ClientApi
from baken.mesh.client_config import DeviceInfo
from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import ClientRecord, Received, SetTime
from baken.mesh.node import MeshNode
from baken.wire.messages import TEXT_MESSAGE_APP

_COMMAND = Path(sys.executable).parent / "meshtastic"
_OWN = 0x81F14186
_NEIGHBOUR = 0x1234ABCD
_FACTOR = 10  # mesh milliseconds in a real one, so that a relay does not take seconds
_LIMIT_S = 60

_CHANNELS = (Channel(), Channel(b"Regio", bytes(range(32))))


class Bench:
    """Our node and one neighbour in real time; our node's serial port is a pseudo-terminal."""

    def __init__(self) -> None:
        key = bytes(range(32, 64))
        own = MeshConfig(_OWN, "Steunpunt Noord ✓".encode(), b"SPN", _CHANNELS, hop_limit=4, public_key=key)
        neighbour = MeshConfig(_NEIGHBOUR, b"Buurman", b"BUUR", _CHANNELS)
        nodes = [MeshNode(own, seeded(1)), MeshNode(neighbour, seeded(2))]
        self.ether = Ether(nodes, everyone(2, 6.5))
        self.api = ClientApi(nodes[0], DeviceInfo(device_id=bytes(16)), seeded(3))
        self.api.unix_s = int(time.time())
        self.told: list[object] = []
        self.lock = threading.Lock()
        self._passed = 0
        self._rest = b""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        start = time.monotonic()
        while not self._stopped.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.01)
            data = os.read(self._master, 512) if ready else b""
            with self.lock:
                self.ether.run(max(0, int((time.monotonic() - start) * 1000 * _FACTOR) - self.ether.now))
                if data:
                    self.api.receive_bytes(data, self.ether.now)
                events = self.ether.events[0]
                for event in events[self._passed :]:
                    self.api.receive_event(event, self.ether.now)
                self._passed = len(events)
                while (event := self.api.next_event(self.ether.now)) is not None:
                    self.told.append(event)
                self._write()

    def _write(self) -> None:
        while True:
            self._rest = self._rest or self.api.next_bytes(256)
            if not self._rest:
                return
            try:
                self._rest = self._rest[os.write(self._master, self._rest) :]
            except BlockingIOError:
                return

    def wait_for(self, condition, what: str) -> None:
        """Until a condition on the mesh holds."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with self.lock:
                if condition():
                    return
            time.sleep(0.02)
        raise AssertionError(f"not within 20 s: {what}")

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    with bench.lock:
        bench.ether.nodes[1].announce(bench.ether.now)
    bench.wait_for(lambda: len(bench.ether.nodes[0].nodes) == 1, "the neighbour's NodeInfo")
    yield bench
    bench.close()


def _run(bench: Bench, *arguments: str) -> str:
    done = subprocess.run(
        [_COMMAND, "--port", bench.port, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _texts(bench: Bench) -> list[Received]:
    events = [event for event in bench.ether.events[1] if isinstance(event, Received)]
    return [event for event in events if event.portnum == TEXT_MESSAGE_APP]


def test_info_tells_who_we_are_and_whom_we_hear(bench: Bench):
    output = _run(bench, "--info")
    assert "Owner: Steunpunt Noord ✓ (SPN)" in output
    assert f'"myNodeNum": {_OWN}' in output
    assert '"minAppVersion": 30200' in output
    assert '"id": "!81f14186"' in output
    assert '"longName": "Buurman"' in output
    assert '"hwModel": "PRIVATE_HW"' in output
    assert '"publicKey": "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="' in output
    assert '"firmwareVersion": "2.7.26.' in output
    assert re.search(r'"region": "EU_868"', output)
    assert '"hopLimit": 4' in output
    assert re.search(r"Index 0: PRIMARY psk=default", output)
    assert re.search(r'Index 1: SECONDARY psk=secret .*"name": "Regio"', output)


def test_nodes_lists_us_and_the_neighbour_with_its_signal(bench: Bench):
    output = _run(bench, "--nodes")
    neighbour = next(line for line in output.splitlines() if "!1234abcd" in line)
    assert "Buurman" in neighbour and "6 dB" in neighbour
    assert "!81f14186" in output


def test_a_text_goes_on_the_air(bench: Bench):
    _run(bench, "--sendtext", "Waterpunt open")
    bench.wait_for(lambda: any(t.payload == b"Waterpunt open" for t in _texts(bench)), "the text")
    text = next(t for t in _texts(bench) if t.payload == b"Waterpunt open")
    assert (text.sender, text.channel, text.hop_start) == (_OWN, 0, 4)


def test_a_text_on_a_second_channel_goes_out_under_its_key(bench: Bench):
    _run(bench, "--ch-index", "1", "--sendtext", "Voor de regio")
    bench.wait_for(lambda: any(t.channel == 1 for t in _texts(bench)), "the text")


def test_an_acknowledged_broadcast_is_reported_as_implicit(bench: Bench):
    output = _run(bench, "--sendtext", "Hoort iemand mij", "--ack")
    assert "implicit ACK" in output


def test_an_acknowledged_direct_message_is_reported_as_received(bench: Bench):
    output = _run(bench, "--dest", "!1234abcd", "--sendtext", "Hallo buurman", "--ack")
    assert "Received an ACK" in output
    assert any(t.to == _NEIGHBOUR for t in _texts(bench))


def test_a_text_from_the_mesh_is_shown_to_a_listener(bench: Bench):
    with subprocess.Popen(
        [_COMMAND, "--port", bench.port, "--listen"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as listener:
        try:
            bench.wait_for(lambda: bench.api.client_ready, "the listener's start-up")
            with bench.lock:
                bench.ether.nodes[1].send(TEXT_MESSAGE_APP, b"Brug dicht", bench.ether.now)
            found = b""
            end = time.monotonic() + 20
            assert listener.stdout is not None
            while b"'rxSnr': 6.5" not in found and time.monotonic() < end:
                ready, _, _ = select.select([listener.stdout], [], [], 0.5)
                if ready:
                    found += os.read(listener.stdout.fileno(), 4096)
            assert b"Brug dicht" in found
            assert b"'rxSnr': 6.5" in found
        finally:
            listener.terminate()


def test_settings_can_be_exported(bench: Bench):
    output = _run(bench, "--export-config")
    assert r'owner: "Steunpunt Noord \u2713"' in output
    assert "owner_short: SPN" in output
    assert "region: EU_868" in output
    assert "channel_url: https://meshtastic.org/e/#" in output


def test_one_setting_can_be_read(bench: Bench):
    assert "lora.hop_limit: 4" in _run(bench, "--get", "lora.hop_limit")


def test_metadata_is_answered_by_administration(bench: Bench):
    output = _run(bench, "--device-metadata")
    assert "firmware_version: 2.7.26." in output


def test_the_clock_can_be_set(bench: Bench):
    _run(bench, "--set-time", "1795000000")
    bench.wait_for(lambda: SetTime(1795000000) in bench.told, "the time")


def test_a_setting_that_cannot_be_changed_here_is_refused_and_nobody_hangs(bench: Bench):
    _run(bench, "--set", "lora.hop_limit", "5")
    assert "lora.hop_limit: 4" in _run(bench, "--get", "lora.hop_limit")


def test_the_package_exchanges_records_with_our_replica(bench: Bench):
    """As a gateway does it: PRIVATE_APP to the node's own number, in both directions."""
    from meshtastic.protobuf.portnums_pb2 import PRIVATE_APP
    from meshtastic.serial_interface import SerialInterface
    from pubsub import pub

    heard: list[bytes] = []

    def receive(packet, interface):
        heard.append(packet["decoded"]["payload"])

    pub.subscribe(receive, "meshtastic.receive")
    with SerialInterface(bench.port) as radio:
        frames_before = len(bench.ether.frames)
        record = b"\x11\x94\xc3" + bytes(range(200))
        radio.sendData(record, destinationId=_OWN, portNum=PRIVATE_APP)
        bench.wait_for(lambda: ClientRecord(record) in bench.told, "the record")
        with bench.lock:
            assert bench.api.client_record(record[::-1])
        bench.wait_for(lambda: record[::-1] in heard, "the record on the other side")
        sent = [frame for _, position, frame in bench.ether.frames[frames_before:] if position == 0]
        assert not [frame for frame in sent if len(frame) > 200]
    pub.unsubscribe(receive, "meshtastic.receive")
    bench.wait_for(lambda: not bench.api.client_ready, "the goodbye")
