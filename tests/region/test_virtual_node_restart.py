"""What a virtual node knows is there when it runs again: settings, the nodes it has met, texts; after an
orderly end and after a loss of power, also one in the middle of a write.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from _foreign import ForeignNode
from _virtual_node import LIMIT_S, Client, Running, doors, meshtastic, virtual_node, wait_for_nodes
from meshtastic.protobuf import admin_pb2, mesh_pb2

from baken.device.inbox import Inbox
from baken.mesh import nodedump
from baken.mesh.nodedb import NodeDatabase
from baken.wire import messages

FOREIGN = 0x5EED_0042
TEXT = b"Wij zijn met twaalf"
OWNER = "Owner: Gymzaal (GYM)"


@pytest.fixture
def foreign() -> Iterator[ForeignNode]:
    node = ForeignNode(FOREIGN)
    yield node
    node.close()


def texts_kept(folder: Path) -> list[bytes]:
    """What is in the inbox on the flash; of a copy, for who opens an inbox tidies it up."""
    with tempfile.TemporaryDirectory() as copy:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy(folder / "flash" / "board" / "texts", copy)
        return [message.text for message in Inbox(copy).newest()]


def key_kept(folder: Path, number: int) -> bytes:
    """The public key that the flash has for a node."""
    nodes = NodeDatabase()
    with contextlib.suppress(FileNotFoundError), (folder / "flash" / "nodes.bin").open("rb") as file:
        nodedump.load(nodes, file.read, 0, None)
    return nodes.public_key(number)


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {LIMIT_S:.0f} s: {what}"
        time.sleep(0.05)


def end(running: Running, how: str) -> None:
    if how == "an orderly end":
        assert running.end(signal.SIGTERM) == 0
    else:
        running.kill()


@pytest.mark.parametrize("how", ["an orderly end", "a loss of power"])
def test_settings_nodes_and_texts_are_there_after(tmp_path: Path, foreign: ForeignNode, how: str):
    with virtual_node(tmp_path, "--udp-out", str(foreign.port)) as running:
        foreign.join(running.port("udp-in"))
        own = running.number()
        foreign.meet(own)
        text = foreign.frame(messages.TEXT_MESSAGE_APP, TEXT, own, want_ack=True, sealed=True)
        assert foreign.verdict(text, own) == 0
        where = doors(running)[1]
        meshtastic(where, "--set-owner", "Gymzaal", "--set-owner-short", "GYM")
        meshtastic(where, "--set", "lora.hop_limit", "6")
        meshtastic(where, "--ch-add", "Zuid")
        wait_until(lambda: texts_kept(tmp_path) == [TEXT], "the text on the flash")
        wait_until(lambda: key_kept(tmp_path, FOREIGN) == foreign.public_key, "the key on the flash")
        end(running, how)
    with virtual_node(tmp_path, "--udp-out", str(foreign.port)) as running:
        foreign.join(running.port("udp-in"))
        where = doors(running)[1]
        info = meshtastic(where, "--info")
        assert OWNER in info and '"hopLimit": 6' in info and '"name": "Zuid"' in info
        told = wait_for_nodes(where, f"!{FOREIGN:08x}", "VRMD")
        assert "Gymzaal" in told
        assert texts_kept(tmp_path) == [TEXT]
        # The key was kept too: it opens what is sealed now without another introduction.
        client = running.client()
        text = foreign.frame(messages.TEXT_MESSAGE_APP, b"Nu dertien", own, want_ack=True, sealed=True)
        assert foreign.verdict(text, own) == 0
        client.wait_for_text(b"Nu dertien")


def test_a_loss_of_power_while_settings_are_written_leaves_those_before_or_after(tmp_path: Path):
    rand = random.Random(5)
    written = 0
    for _round in range(4):
        with virtual_node(tmp_path, "--factor", "1") as running:
            client = running.client()
            if written:
                found = owner(client, running.number())
                number = int(found.rpartition(" ")[2])
                assert number in (written, written + 1), f"{found} after {written} were acknowledged"
                written = number
            cut = threading.Timer(0.05 + rand.random() * 0.3, running.kill)
            cut.start()
            try:
                while True:
                    user = mesh_pb2.User(long_name=f"Naam {written + 1}", short_name="NAAM")
                    client.order(running.number(), admin_pb2.AdminMessage(set_owner=user))
                    written += 1
            except (OSError, AssertionError):
                pass  # the power is off
            cut.join()
            assert running.process.returncode == -signal.SIGKILL
    assert written > 4


def owner(client: Client, number: int) -> str:
    """The node's long name."""
    answer = client.order(number, admin_pb2.AdminMessage(get_owner_request=True))
    return admin_pb2.AdminMessage.FromString(answer).get_owner_response.long_name
