"""`baken-bench virtual-node` as a user starts it: the unmodified `meshtastic` command over serial port and
TCP, and another implementation of Meshtastic on its UDP ports.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial
from _brokers import free_port
from _foreign import ForeignNode
from _region import make_region
from _vectors import from_hex, rows
from _virtual_node import (
    BIN,
    LIMIT_S,
    Client,
    NotInTimeError,
    doors,
    meshtastic,
    virtual_node,
    wait_for_nodes,
)
from meshtastic.protobuf import admin_pb2

from baken.wire import messages, modem, protobuf
from baken.wire.channel import DEFAULT_KEY, channel_hash
from baken.wire.packet import BROADCAST, low_byte

FOREIGN = 0x5EED_0042


@pytest.fixture
def foreign() -> Iterator[ForeignNode]:
    node = ForeignNode(FOREIGN)
    yield node
    node.close()


def test_the_meshtastic_command_knows_the_node_over_its_serial_port_and_over_tcp(
    tmp_path: Path, foreign: ForeignNode
):
    link = tmp_path / "dev" / "ttyNode"
    options = ("--udp-out", str(foreign.port), "--pty-link", str(link), "--name", "Kerk De Bron")
    with virtual_node(tmp_path, *options) as running:
        assert running.values["serial"] == str(link) and link.is_symlink()
        own = running.number()
        for where in doors(running):
            info = meshtastic(where, "--info")
            assert "Owner: Kerk De Bron (VN01)" in info and f'"myNodeNum": {own}' in info
            assert '"region": "EU_868"' in info and '"hopLimit": 3' in info
            assert "Index 0: PRIMARY psk=default" in info
            assert "Index 1: SECONDARY psk=secret" in info and '"name": "Baken"' in info
            nodes = meshtastic(where, "--nodes")
            assert f"!{own:08x}" in nodes and "Kerk De Bron" in nodes
        for number, where in enumerate(doors(running), start=1):
            text = f"Waterpunt {number} open"
            assert "Sending text message" in meshtastic(where, "--sendtext", text)
            heard = foreign.wait_for(messages.TEXT_MESSAGE_APP, own, payload=text.encode())
            header, data = heard.header, heard.data
            assert (header.to, header.hop_limit, header.hop_start) == (BROADCAST, 3, 3)
            assert (header.relay_node, header.next_hop) == (low_byte(own), 0)
            assert not header.via_mqtt and header.id and "bitfield" in data
        announced = foreign.wait_for(messages.NODEINFO_APP, own)
        user = protobuf.decode(messages.USER, announced.data["payload"])
        assert user["id"] == b"!%08x" % own and user["long_name"] == b"Kerk De Bron"
        assert len(user["public_key"]) == 32 and "bitfield" in announced.data
        assert running.end(signal.SIGINT) == 0
    assert not link.is_symlink()


def test_frames_recorded_from_the_real_firmware_are_taken_in(tmp_path: Path):
    infos, texts = {}, {}
    for kind, _key, *columns in rows("meshtastic_frames.txt", "frame"):
        if kind != "channel":
            continue
        header, raw, data = columns[:3]
        to, _from, _id, hop_limit = header.split(",")[:4]
        if to != "ffffffff" or hop_limit == "0":
            continue
        fields = protobuf.decode(messages.DATA, from_hex(data))
        sender = int(header.split(",")[1], 16)
        if fields["portnum"] == messages.NODEINFO_APP:
            infos.setdefault(sender, (from_hex(raw), protobuf.decode(messages.USER, fields["payload"])))
        elif fields["portnum"] == messages.TEXT_MESSAGE_APP:
            texts.setdefault(sender, (from_hex(raw), fields["payload"]))
    assert len(infos) >= 3 and set(texts) & set(infos)
    foreign = ForeignNode(FOREIGN)
    try:
        with virtual_node(tmp_path, "--udp-out", str(foreign.port)) as running:
            foreign.join(running.port("udp-in"))
            for frame, _user in infos.values():
                foreign.deliver(frame)
            wanted = [user["long_name"].decode() for _frame, user in infos.values()]
            wanted += [f"!{sender:08x}" for sender in infos]
            wait_for_nodes(("--host", running.values["tcp"]), *wanted)
            client = running.client()
            sender = sorted(set(texts) & set(infos))[0]
            frame, text = texts[sender]
            foreign.deliver(frame)
            told = client.wait_for_text(text)
            assert (getattr(told, "from"), told.to, told.channel) == (sender, BROADCAST, 0)
            assert told.id == int.from_bytes(frame[8:12], "little") and told.rx_snr
    finally:
        foreign.close()


def test_two_nodes_and_another_implementation_exchange_node_infos_and_texts(
    tmp_path: Path, foreign: ForeignNode
):
    tcp, udp_in = free_port(), free_port()
    ports = ("--tcp", str(tcp), "--udp-in", str(udp_in), "--udp-out", str(foreign.port))
    with virtual_node(tmp_path, "--second-node", *ports) as running:
        assert [running.port(name) for name in ("tcp", "udp-in", "udp-out")] == [tcp, udp_in, foreign.port]
        foreign.join(udp_in)
        first, second = running.number(), running.number("second-node")
        assert first != second
        foreign.deliver(foreign.node_info())
        everybody = {first: "VN01", second: "VN02", FOREIGN: "VRMD"}
        for where in (doors(running)[1], doors(running, "second-")[1]):
            wait_for_nodes(where, *everybody.values(), *[f"!{number:08x}" for number in everybody])
        for number in (first, second):
            foreign.wait_for(messages.NODEINFO_APP, number)

        clients = [running.client(), running.client("second-tcp")]
        copy = foreign.deliver(foreign.frame(messages.TEXT_MESSAGE_APP, b"Brug dicht"))
        assert (copy.hop_limit, copy.hop_start) == (2, 3)
        assert copy.relay_node in (low_byte(first), low_byte(second))
        for client in clients:
            told = client.wait_for_text(b"Brug dicht")
            assert (getattr(told, "from"), told.id, told.hop_start) == (FOREIGN, copy.id, 3)

        clients[0].close()
        meshtastic(("--host", running.values["tcp"]), "--sendtext", "Wij zijn er")
        assert getattr(clients[1].wait_for_text(b"Wij zijn er"), "from") == first
        foreign.wait_for(messages.TEXT_MESSAGE_APP, first, payload=b"Wij zijn er")


def tune(client: Client, number: int, preset: int) -> None:
    """Choose a modem preset, as an app does: the section is read, changed and written."""
    question = admin_pb2.AdminMessage(get_config_request=admin_pb2.AdminMessage.LORA_CONFIG)
    config = admin_pb2.AdminMessage.FromString(client.order(number, question)).get_config_response
    config.lora.modem_preset = preset  # type: ignore[assignment]
    client.order(number, admin_pb2.AdminMessage(set_config=config))


def tell(sender: Client, receiver: Client, text: bytes) -> None:
    """Say a text until it is heard: a node that begins a frame of its own in the same slot misses it, and a
    plain broadcast is not repeated.
    """
    for _try in range(4):
        sender.say(text)
        try:
            receiver.wait_for_text(text, 10.0)
        except NotInTimeError:
            continue
        return
    pytest.fail(f"said four times and not heard: {text!r}")


def test_two_nodes_hear_each_other_on_every_preset_of_the_band_and_on_no_other(
    tmp_path: Path, foreign: ForeignNode
):
    slow = (modem.LONG_MODERATE, modem.LONG_SLOW)
    quick = (modem.MEDIUM_SLOW, modem.MEDIUM_FAST, modem.SHORT_SLOW, modem.SHORT_FAST)
    with virtual_node(tmp_path, "--second-node", "--udp-out", str(foreign.port)) as running:
        foreign.join(running.port("udp-in"))
        first, second = running.number(), running.number("second-node")
        clients = [running.client(), running.client("second-tcp")]
        for number in (*slow, *quick, modem.LONG_FAST):
            preset = modem.preset(number)
            tune(clients[0], first, number)
            alone = foreign.hear(first, clients[0].say(b"Alleen"))
            assert alone.channel_hash == channel_hash(preset.channel_name, DEFAULT_KEY)
            tune(clients[1], second, number)
            tell(clients[1], clients[0], f"Samen op {preset.name}".encode())
        assert clients[1].texts == []


def test_a_request_for_node_info_is_answered_to_whoever_asks(tmp_path: Path, foreign: ForeignNode):
    with virtual_node(tmp_path, "--udp-out", str(foreign.port)) as running:
        foreign.join(running.port("udp-in"))
        own = running.number()
        question = foreign.node_info(to=own, want_response=True)
        asked = int.from_bytes(question[8:12], "little")
        answer = foreign.wait_for(messages.NODEINFO_APP, own, question, request_id=asked)
        assert answer.header.to == FOREIGN
        assert protobuf.decode(messages.USER, answer.data["payload"])["id"] == b"!%08x" % own


def test_damaged_and_foreign_frames_do_no_harm(tmp_path: Path, foreign: ForeignNode):
    with virtual_node(tmp_path, "--udp-out", str(foreign.port)) as running:
        foreign.join(running.port("udp-in"))
        for frame in (b"", b"x", bytes(16), bytes(300), b"\xff" * 255, random.Random(7).randbytes(200)):
            foreign.send_raw(frame)
        client = running.client()
        foreign.deliver(foreign.frame(messages.TEXT_MESSAGE_APP, b"Nog steeds hier"))
        client.wait_for_text(b"Nog steeds hier")
        assert "Traceback" not in Path(running.values["log"]).read_text()


def test_the_next_run_is_the_same_node_and_another_radio_needs_another_flash(tmp_path: Path):
    with virtual_node(tmp_path) as running:
        told = running.values["node"]
        assert running.end() == 0
        assert not Path(running.values["serial"]).is_symlink()
    with virtual_node(tmp_path, "--name", "Baken virtual node", "--preset", "LONG_FAST") as running:
        assert running.values["node"] == told
        again = subprocess.run(
            [BIN / "baken-bench", "virtual-node", "--flash", tmp_path / "flash"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert again.returncode == 1 and "is in use by another virtual node" in again.stderr
    refused = subprocess.run(
        [BIN / "baken-bench", "virtual-node", "--flash", tmp_path / "flash", "--preset", "SHORT_FAST"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert refused.returncode == 1 and "was made with 'LONG_FAST', not 'SHORT_FAST'" in refused.stderr


def test_a_node_of_a_region_has_the_regions_channel_alone(tmp_path: Path):
    region = make_region(tmp_path)
    with virtual_node(tmp_path, "--region", str(region.folder), "--node", "OV06") as running:
        assert running.number() == region.point("OV06").node_num
        info = meshtastic(("--port", running.values["serial"]), "--info")
        assert "Index 0: PRIMARY psk=secret" in info and "Index 1" not in info
        assert "Owner: Kerk De Bron (OV06)" in info


def test_serial_port_and_tcp_take_turns(tmp_path: Path):
    with virtual_node(tmp_path) as running:
        client = running.client()
        with pytest.raises(serial.SerialException, match="lock"):
            serial.Serial(running.values["serial"], exclusive=True)
        newer = running.client()
        newer.close()
        client.close()
        assert "Connected to radio" in meshtastic(("--port", running.values["serial"]), "--nodes")


def test_a_board_that_dies_ends_the_command_with_an_error(tmp_path: Path):
    with virtual_node(tmp_path) as running:
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
        (board,) = children.split()
        os.kill(int(board), signal.SIGKILL)
        assert running.process.wait(LIMIT_S) == 1
    assert not Path(running.values["serial"]).is_symlink()
