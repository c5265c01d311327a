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

from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.config import Channel, MeshConfig, Place
from baken.mesh.events import ClientRecord, Configured, Reboot, Received, SetTime, Shutdown
from baken.mesh.node import MeshNode
from baken.mesh.nodedb import FAVORITE, IGNORED
from baken.mesh.preferences import Preferences
from baken.noticeboard.memory import MemoryStore
from baken.wire import protobuf, stream
from baken.wire.messages import POSITION_APP, TELEMETRY_APP, TEXT_MESSAGE_APP, TO_RADIO

_COMMAND = Path(sys.executable).parent / "meshtastic"
_OWN = 0x81F14186
_NEIGHBOUR = 0x1234ABCD
_FACTOR = 10  # mesh milliseconds in a real one, so that a relay does not take seconds
_LIMIT_S = 60

_CHANNELS = (Channel(), Channel(b"Regio", bytes(range(32))))
_KEY = bytes(range(32, 64))


class Bench:
    """Our node and one neighbour in real time; our node's serial port is a pseudo-terminal."""

    def __init__(self) -> None:
        own = MeshConfig(_OWN, "Steunpunt Noord ✓".encode(), b"SPN", _CHANNELS, hop_limit=4, public_key=_KEY)
        neighbour = MeshConfig(_NEIGHBOUR, b"Buurman", b"BUUR", _CHANNELS)
        nodes = [MeshNode(own, seeded(1)), MeshNode(neighbour, seeded(2))]
        self.ether = Ether(nodes, everyone(2, 6.5))
        self.store = MemoryStore()
        self.preferences = Preferences(own, self.store)
        self.api = ClientApi(nodes[0], DeviceInfo(device_id=bytes(16)), seeded(3), self.preferences)
        self.remote = ClientApi(nodes[1], DeviceInfo(device_id=bytes(16)), seeded(4))
        self.api.unix_s = int(time.time())
        self.told: list[object] = []
        self.home = Path("/nonexistent")
        self.lock = threading.Lock()
        self._passed = [0, 0]
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
                for position, api in enumerate((self.api, self.remote)):
                    events = self.ether.events[position]
                    for event in events[self._passed[position] :]:
                        api.receive_event(event, self.ether.now)
                    self._passed[position] = len(events)
                    while (event := api.next_event(self.ether.now)) is not None:
                        if api is self.api:
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

    def hang_up(self) -> None:
        """Forget a client that was ended without a goodbye, so that the next one's start-up can be seen."""
        with self.lock:
            goodbye = protobuf.encode(TO_RADIO, {"disconnect": True})
            self.api.receive_bytes(stream.frame(goodbye), self.ether.now)

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's home folder, so that none of it ends in the user's."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def bench(home: Path) -> Iterator[Bench]:
    bench = Bench()
    bench.home = home
    with bench.lock:
        bench.ether.nodes[1].announce(bench.ether.now)
    bench.wait_for(lambda: len(bench.ether.nodes[0].nodes) == 1, "the neighbour's NodeInfo")
    yield bench
    bench.close()


def _run(bench: Bench, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [_COMMAND, "--port", bench.port, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        env=os.environ | {"HOME": str(bench.home)},
    )
    assert done.returncode == status, done.stdout
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
    bench.hang_up()
    with subprocess.Popen(
        [_COMMAND, "--port", bench.port, "--listen"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"HOME": str(bench.home)},
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


def test_a_text_from_the_mesh_is_replied_to(bench: Bench):
    bench.hang_up()
    with subprocess.Popen(
        [_COMMAND, "--port", bench.port, "--reply"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"HOME": str(bench.home)},
    ) as replier:
        try:
            bench.wait_for(lambda: bench.api.client_ready, "the start-up")
            with bench.lock:
                bench.ether.nodes[1].send(TEXT_MESSAGE_APP, b"Hoor je mij", bench.ether.now)
            bench.wait_for(
                lambda: any(b"Hoor je mij' with rxSnr: 6.5" in text.payload for text in _texts(bench)),
                "the reply",
            )
        finally:
            replier.terminate()


def test_the_nodes_can_be_left_out(bench: Bench):
    output = _run(bench, "--info", "--no-nodes")
    assert '"!81f14186"' in output and "!1234abcd" not in output


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


# Settings, each read back by a second run of the command or from the engine


def test_the_owners_names_are_set_and_read_back(bench: Bench):
    _run(bench, "--set-owner", "Steunpunt Zuid ✓", "--set-owner-short", "SPZ")
    assert "Owner: Steunpunt Zuid ✓ (SPZ)" in _run(bench, "--info")
    assert bench.ether.nodes[0].config.short_name == b"SPZ"


def test_one_setting_is_set_and_read_back(bench: Bench):
    _run(bench, "--set", "lora.hop_limit", "5")
    assert "lora.hop_limit: 5" in _run(bench, "--get", "lora.hop_limit")
    assert bench.ether.nodes[0].config.hop_limit == 5


def test_settings_of_several_sections_are_set_together_and_read_back(bench: Bench):
    configured = bench.told.count(Configured())
    _run(
        bench,
        *("--set", "device.role", "CLIENT_MUTE"),
        *("--set", "display.screen_on_secs", "77"),
        *("--set", "telemetry.device_update_interval", "3600"),
        *("--set", "telemetry.device_telemetry_enabled", "true"),
        *("--set", "neighbor_info.enabled", "true"),
        *("--set", "mqtt.address", "broker.example"),
    )
    bench.wait_for(lambda: bench.told.count(Configured()) > configured, "the commit")
    output = _run(
        bench,
        *("--get", "device.role"),
        *("--get", "display.screen_on_secs"),
        *("--get", "telemetry.device_update_interval"),
        *("--get", "neighbor_info.enabled"),
        *("--get", "mqtt.address"),
    )
    assert "device.role: 1" in output and "display.screen_on_secs: 77" in output
    assert "telemetry.device_update_interval: 3600" in output
    assert "neighbor_info.enabled: True" in output and "mqtt.address: broker.example" in output
    config = bench.ether.nodes[0].config
    assert (config.role, config.telemetry_s, config.neighbor_info_s) == (1, 3600, 21_600)
    assert bench.told.count(Configured()) == configured + 1


def test_a_value_out_of_range_is_refused_and_nobody_hangs(bench: Bench):
    _run(bench, "--set", "lora.hop_limit", "9")
    _run(bench, "--set", "lora.region", "UNSET")
    output = _run(bench, "--get", "lora.hop_limit", "--get", "lora.region")
    assert "lora.hop_limit: 5" in output and "lora.region: 3" in output


def test_channels_are_added_set_shown_and_removed(bench: Bench):
    _run(bench, "--ch-add", "Zuid")
    _run(bench, "--ch-index", "2", "--ch-set", "psk", "simple5", "--ch-set", "uplink_enabled", "true")
    assert re.search(r"Index 2: SECONDARY psk=simple5 .*\"name\": \"Zuid\"", _run(bench, "--info"))
    channel = bench.ether.nodes[0].config.channels[2]
    assert (channel.name, channel.psk, channel.uplink) == (b"Zuid", bytes([6]), True)
    url = re.search(r"https://meshtastic.org/e/#\S+", _run(bench, "--qr-all"))
    assert url is not None
    _run(bench, "--ch-index", "2", "--ch-del")
    assert len(bench.ether.nodes[0].config.channels) == 2
    _run(bench, "--seturl", url.group())
    channels = bench.ether.nodes[0].config.channels
    assert [each.name for each in channels] == [b"", b"Regio", b"Zuid"]
    assert bench.ether.nodes[0].config.hop_limit == 5
    _run(bench, "--ch-index", "2", "--ch-del")


def test_what_is_exported_is_configured_again_on_a_reset_node(bench: Bench):
    _run(bench, "--setlat", "52.5", "--setlon", "5.25", "--setalt", "-3")
    assert bench.ether.nodes[0].config.place == Place(525_000_000, 52_500_000, -3)
    assert '"latitudeI": 525000000' in _run(bench, "--info")
    before = bench.ether.nodes[0].config
    saved = bench.home / "node.yaml"
    _run(bench, "--export-config", str(saved))
    assert "hop_limit: 5" in saved.read_text() or "hopLimit: 5" in saved.read_text()
    _run(bench, "--factory-reset")
    bench.wait_for(lambda: bench.ether.nodes[0].config == bench.preferences.base, "the reset")
    _run(bench, "--configure", str(saved))
    bench.wait_for(lambda: bench.ether.nodes[0].config.long_name == before.long_name, "the settings")
    after = bench.ether.nodes[0].config
    for name in MeshConfig.__slots__:
        if name == "channels":
            assert [(each.name, each.psk) for each in after.channels] == [
                (each.name, each.psk) for each in before.channels
            ]
        else:
            assert getattr(after, name) == getattr(before, name), name
    again = Preferences(bench.preferences.base, bench.store)  # as after a loss of power
    assert again.damaged == 0 and again.mesh_config() == after
    _run(bench, "--remove-position")
    assert bench.ether.nodes[0].config.place is None
    assert '"latitudeI": 525000000' not in _run(bench, "--info")


def test_other_nodes_are_marked_and_forgotten(bench: Bench):
    nodes = bench.ether.nodes[0].nodes
    _run(bench, "--set-favorite-node", "!1234abcd")
    assert nodes.has(_NEIGHBOUR, FAVORITE)
    _run(bench, "--set-ignored-node", "!1234abcd")
    assert nodes.has(_NEIGHBOUR, IGNORED)
    output = _run(bench, "--info")
    assert output.count('"isFavorite": true') == 2  # we are one ourselves
    assert output.count('"isIgnored": true') == 1
    _run(bench, "--remove-favorite-node", "!1234abcd")
    _run(bench, "--remove-ignored-node", "!1234abcd")
    assert not nodes.has(_NEIGHBOUR, FAVORITE)
    assert not nodes.has(_NEIGHBOUR, IGNORED)
    _run(bench, "--remove-node", "!1234abcd")
    assert nodes.get(_NEIGHBOUR) is None
    with bench.lock:
        nodes.put_contact(77, {"long_name": b"Oud"}, False)
    _run(bench, "--reset-nodedb")
    assert nodes.get(77) is None
    with bench.lock:
        bench.ether.nodes[1].announce(bench.ether.now)
    bench.wait_for(lambda: nodes.get(_NEIGHBOUR) is not None, "the neighbour")


def test_a_restart_and_the_end_come_out_as_orders(bench: Bench):
    _run(bench, "--reboot")
    bench.wait_for(lambda: any(isinstance(event, Reboot) for event in bench.told), "the restart")
    _run(bench, "--shutdown")
    bench.wait_for(lambda: any(isinstance(event, Shutdown) for event in bench.told), "the end")


def test_requests_to_a_neighbour_go_on_the_air(bench: Bench):
    _run(bench, "--dest", "!1234abcd", "--request-position", "--timeout", "3", status=1)
    assert bench.ether.heard(1, POSITION_APP)[-1].data["want_response"]
    output = _run(bench, "--dest", "!1234abcd", "--request-telemetry", "--timeout", "30")
    assert bench.ether.heard(1, TELEMETRY_APP)[-1].data["want_response"]
    assert "Telemetry received:" in output and "Uptime:" in output


# Administration of the neighbour, over the air on a channel named admin


@pytest.fixture(scope="module")
def remote(bench: Bench) -> Bench:
    channels = (*_CHANNELS, Channel(b"admin", bytes(range(16))))
    with bench.lock:
        for node in bench.ether.nodes:
            config = node.config
            values = {name: getattr(config, name) for name in MeshConfig.__slots__ if name != "primary"}
            values.update(channels=channels, admin_channel_enabled=True)
            node.configure(MeshConfig(**values), bench.ether.now)
        for api in (bench.api, bench.remote):
            api.preferences.base = api.node.config
    return bench


def test_a_neighbour_is_administered_over_the_air(remote: Bench):
    output = _run(remote, "--dest", "!1234abcd", "--device-metadata")
    assert "firmware_version: 2.7.26." in output
    _run(remote, "--dest", "!1234abcd", "--set-owner", "Op afstand")
    remote.wait_for(lambda: remote.ether.nodes[1].config.long_name == b"Op afstand", "the name")
    assert "hop_limit: 3" in _run(remote, "--dest", "!1234abcd", "--get", "lora.hop_limit")
    for _ in range(3):
        # Again as in tests/region/test_every_command.py: at times the package sends back the old value.
        _run(remote, "--dest", "!1234abcd", "--set", "lora.hop_limit", "6")
        if remote.ether.nodes[1].config.hop_limit == 6:
            break
    remote.wait_for(lambda: remote.ether.nodes[1].config.hop_limit == 6, "the hop limit")
    assert "hop_limit: 6" in _run(remote, "--dest", "!1234abcd", "--get", "lora.hop_limit")


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
