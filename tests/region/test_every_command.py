"""Every command of the unmodified `meshtastic` package that a node's owner uses, on whole virtual nodes: over
the serial port and over TCP, each with its result read back.
"""

from __future__ import annotations

import base64
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _foreign import ForeignNode
from _virtual_node import LIMIT_S, Client, Running, doors, meshtastic, start_meshtastic, virtual_node
from meshtastic.protobuf import apponly_pb2

from baken.wire import messages
from baken.wire.packet import BROADCAST

FOREIGN = 0x5EED_0042
CLOCK_S = 1_900_000_000  # March 2030
NAME = "Baken virtual node"


class Mesh:
    """Two virtual nodes and a foreign one; `run` is the command on the first node's door."""

    def __init__(self, running: Running, foreign: ForeignNode, door: int, folder: Path) -> None:
        self.running = running
        self.foreign = foreign
        self.folder = folder
        self.door = door
        self.own = running.number()
        self.other = running.number("second-node")
        self.dest = ("--dest", f"!{self.other:08x}")

    @property
    def where(self) -> tuple[str, str]:
        return doors(self.running)[self.door]

    def run(self, *arguments: str) -> str:
        said = meshtastic(self.where, *arguments)
        # Over TCP the package may close its socket while it is about to send itself a heartbeat.
        assert "Traceback" not in said or "BrokenPipeError" in said, said
        return said

    def get(self, *names: str) -> str:
        return self.run(*(word for name in names for word in ("--get", name)))

    def on_other(self, *arguments: str) -> str:
        return meshtastic(doors(self.running, "second-")[self.door], *arguments)

    def until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"not within {LIMIT_S:.0f} s: {what}"
            time.sleep(0.1)


@pytest.fixture(scope="module", params=["serial", "tcp"])
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp(request.param)
    foreign = ForeignNode(FOREIGN)
    try:
        with virtual_node(folder, "--second-node", "--udp-out", str(foreign.port)) as running:
            foreign.join(running.port("udp-in"))
            made = Mesh(running, foreign, ("serial", "tcp").index(request.param), folder)
            for number in (made.own, made.other):
                foreign.meet(number)
            made.until(lambda: f"!{made.other:08x}" in made.run("--nodes"), "the second node")
            made.until(lambda: f"!{made.own:08x}" in made.on_other("--nodes"), "the first node")
            yield made
            assert "Traceback" not in Path(running.values["log"]).read_text()
    finally:
        foreign.close()


@pytest.fixture
def listener(mesh: Mesh) -> Iterator[Client]:
    """A client of the second node."""
    client = mesh.running.client("second-tcp")
    yield client
    client.close()


def stop(process: subprocess.Popen[str]) -> str:
    """End a command that would go on; what it has printed."""
    process.terminate()
    return process.communicate(timeout=LIMIT_S)[0]


# Reading


def test_info_and_nodes(mesh: Mesh):
    info = mesh.run("--info")
    assert f"Owner: {NAME} (VN01)" in info and f'"myNodeNum": {mesh.own}' in info
    assert '"region": "EU_868"' in info and "Index 0: PRIMARY psk=default" in info
    nodes = mesh.run("--nodes")
    assert all(f"!{number:08x}" in nodes for number in (mesh.own, mesh.other, FOREIGN))
    assert "VRMD" in nodes and "VN02" in nodes


def test_device_metadata(mesh: Mesh):
    told = mesh.run("--device-metadata")
    assert "firmware_version: 2." in told and "hw_model" in told


def test_qr(mesh: Mesh):
    url = re.search(r"https://meshtastic.org/e/#(\S+)", mesh.run("--qr"))
    assert url is not None
    shared = apponly_pb2.ChannelSet.FromString(base64.urlsafe_b64decode(url.group(1) + "=="))
    assert [channel.psk for channel in shared.settings] == [b"\x01"]
    assert (shared.lora_config.region, shared.lora_config.hop_limit) == (3, 3)


# Texts


def test_sendtext_to_everybody_on_a_channel_and_to_one(mesh: Mesh, listener: Client):
    mesh.run("--sendtext", "Aan allen")
    text = listener.wait_for_text(b"Aan allen")
    assert (getattr(text, "from"), text.to, text.channel) == (mesh.own, BROADCAST, 0)
    mesh.run("--ch-index", "1", "--sendtext", "Op kanaal een")
    assert listener.wait_for_text(b"Op kanaal een").channel == 1
    assert "implicit ACK" in mesh.run("--sendtext", "Wie geeft dit door", "--ack")
    assert "Received an ACK" in mesh.run(*mesh.dest, "--sendtext", "Voor jou", "--ack")
    text = listener.wait_for_text(b"Voor jou")
    assert (text.to, text.pki_encrypted) == (mesh.other, True)


def test_a_direct_text_to_somebody_unknown_is_refused(mesh: Mesh):
    assert "PKI_SEND_FAIL_PUBLIC_KEY" in mesh.run("--dest", "!0badcafe", "--sendtext", "Hallo", "--ack")


def test_listen(mesh: Mesh):
    listening = start_meshtastic(mesh.where, "--listen")
    text = mesh.foreign.frame(messages.TEXT_MESSAGE_APP, b"Brug dicht")
    time.sleep(4)  # until it has connected; a text before that would be told as well
    mesh.foreign.deliver(text)
    time.sleep(1)
    assert "Brug dicht" in stop(listening)


def test_reply(mesh: Mesh):
    replying = start_meshtastic(mesh.where, "--reply")
    try:
        time.sleep(4)
        mesh.foreign.deliver(mesh.foreign.frame(messages.TEXT_MESSAGE_APP, b"Hoor je mij"))

        def replied() -> bool:
            mesh.foreign.listen()
            return any(
                heard.header.sender == mesh.own
                and b"Hoor je mij' with rxSnr" in heard.data.get("payload", b"")
                for heard in mesh.foreign.heard
            )

        mesh.until(replied, "the reply")
    finally:
        stop(replying)


# Questions to another node


def test_traceroute(mesh: Mesh):
    told = mesh.run("--traceroute", f"!{mesh.other:08x}")
    assert re.search(rf"!{mesh.own:08x} --> .*!{mesh.other:08x}", told)
    assert re.search(rf"!{mesh.other:08x} --> .*!{mesh.own:08x}", told)


def test_request_telemetry(mesh: Mesh):
    told = mesh.run(*mesh.dest, "--request-telemetry")
    assert "Telemetry received:" in told and "Uptime:" in told


def test_request_position(mesh: Mesh):
    mesh.on_other("--setlat", "52.5", "--setlon", "5.25", "--setalt", "-4")
    told = mesh.run(*mesh.dest, "--request-position")
    assert "Position received: (52.4" in told or "Position received: (52.5" in told


# Settings


def test_set_owner(mesh: Mesh):
    mesh.run("--set-owner", "Steunpunt Zuid ✓", "--set-owner-short", "SPZ")
    assert "Owner: Steunpunt Zuid ✓ (SPZ)" in mesh.run("--info")
    mesh.run("--set-owner", NAME, "--set-owner-short", "VN01")
    assert f"Owner: {NAME} (VN01)" in mesh.run("--info")


def test_set_and_get(mesh: Mesh):
    mesh.run("--set", "lora.hop_limit", "5")
    assert "lora.hop_limit: 5" in mesh.get("lora.hop_limit")
    mesh.run(
        *("--set", "device.role", "CLIENT_MUTE"),
        *("--set", "display.screen_on_secs", "77"),
        *("--set", "telemetry.device_update_interval", "3600"),
        *("--set", "lora.hop_limit", "3"),
    )
    told = mesh.get("device.role", "display.screen_on_secs", "telemetry.device_update_interval")
    assert "device.role: 1" in told and "screen_on_secs: 77" in told and "update_interval: 3600" in told
    mesh.run("--set", "device.role", "CLIENT")
    mesh.run("--set", "lora.hop_limit", "9")  # refused
    told = mesh.get("device.role", "lora.hop_limit")
    assert "device.role: 0" in told and "lora.hop_limit: 3" in told


def test_a_channel_is_added_set_shared_removed_and_taken_from_a_link(mesh: Mesh):
    mesh.run("--ch-add", "Zuid")
    mesh.run("--ch-index", "2", "--ch-set", "psk", "simple5", "--ch-set", "uplink_enabled", "true")
    with_zuid = r'Index 2: SECONDARY psk=simple5 .*"name": "Zuid"'
    assert re.search(with_zuid, mesh.run("--info"))
    url = re.search(r"https://meshtastic.org/e/#\S+", mesh.run("--qr-all"))
    assert url is not None
    mesh.run("--ch-index", "2", "--ch-del")
    assert "Zuid" not in mesh.run("--info")
    mesh.run("--seturl", url.group())
    assert re.search(with_zuid, mesh.run("--info"))
    mesh.run("--ch-index", "2", "--ch-del")
    info = mesh.run("--info")
    assert "Zuid" not in info and "Index 0: PRIMARY psk=default" in info and '"name": "Baken"' in info


def test_what_is_exported_is_configured_again_after_a_reset(mesh: Mesh):
    mesh.run("--set-owner", "Gymzaal", "--set-owner-short", "GYM")
    mesh.run("--set", "lora.hop_limit", "6", "--set", "display.screen_on_secs", "44")
    saved = mesh.folder / "node.yaml"
    mesh.run("--export-config", str(saved))
    assert "Gymzaal" in saved.read_text()
    mesh.run("--factory-reset-config")
    mesh.until(lambda: f"Owner: {NAME} (VN01)" in mesh.run("--info"), "the reset")
    assert "lora.hop_limit: 3" in mesh.get("lora.hop_limit")
    mesh.run("--configure", str(saved))
    mesh.until(lambda: "Owner: Gymzaal (GYM)" in mesh.run("--info"), "the settings")
    told = mesh.get("lora.hop_limit", "display.screen_on_secs")
    assert "lora.hop_limit: 6" in told and "screen_on_secs: 44" in told
    mesh.run("--factory-reset-config")
    mesh.until(lambda: f"Owner: {NAME} (VN01)" in mesh.run("--info"), "the second reset")


def test_set_time(mesh: Mesh):
    mesh.run("--set-time", str(CLOCK_S))
    client = mesh.running.client()
    mesh.foreign.deliver(mesh.foreign.frame(messages.TEXT_MESSAGE_APP, b"Hoe laat"))
    told = client.wait_for_text(b"Hoe laat")
    client.close()
    assert 0 <= told.rx_time - CLOCK_S < 3600


def test_remove_node(mesh: Mesh):
    mesh.foreign.deliver(mesh.foreign.node_info())
    assert f"!{FOREIGN:08x}" in mesh.run("--nodes")
    mesh.run("--remove-node", f"!{FOREIGN:08x}")
    assert f"!{FOREIGN:08x}" not in mesh.run("--nodes")
    mesh.foreign.deliver(mesh.foreign.node_info())
    assert f"!{FOREIGN:08x}" in mesh.run("--nodes")


def test_reboot(mesh: Mesh):
    mesh.run("--reboot")
    mesh.running.wait_for("restarted: VN01")
    assert f"Owner: {NAME} (VN01)" in mesh.run("--info")


# Administration of the second node by the first one's owner, over the air


def test_another_node_is_administered_with_our_key_only(mesh: Mesh):
    refused = start_meshtastic(mesh.where, *mesh.dest, "--timeout", "20", "--set-owner", "Gekaapt")
    refused.communicate(timeout=LIMIT_S)
    assert "Gekaapt" not in mesh.on_other("--info")
    key = re.search(r"base64:\S+", mesh.get("security.public_key"))
    assert key is not None, mesh.get("security.public_key")
    assert len(base64.b64decode(key.group().removeprefix("base64:"))) == 32
    mesh.on_other("--set", "security.admin_key", key.group())
    assert "hop_limit: 3" in mesh.run(*mesh.dest, "--get", "lora.hop_limit")

    def set_hop_limit() -> bool:
        # The package announces the section that it has asked for just before it copies it: at times it sets
        # the value in the old copy, and sends back what the node has said. A person would try again.
        mesh.run(*mesh.dest, "--set", "lora.hop_limit", "4")
        return "hop_limit: 4" in mesh.on_other("--get", "lora.hop_limit")

    mesh.until(set_hop_limit, "the hop limit")
    assert "hop_limit: 4" in mesh.run(*mesh.dest, "--get", "lora.hop_limit")
    mesh.run(*mesh.dest, "--set-owner", "Op afstand")
    mesh.until(lambda: "Owner: Op afstand" in mesh.on_other("--info"), "the name")
    assert "firmware_version: 2." in mesh.run(*mesh.dest, "--device-metadata")
