"""Whom a node knows, on whole nodes: kept over a power cut, whatever is on the flash afterwards."""

import asyncio
import json
from pathlib import Path

from _nodes import MINUTE, SECOND, Cable, stage
from _region import point_key
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.mesh import nodedump
from baken.mesh.nodedb import NodeDatabase
from baken.wire import direct, messages, packet, protobuf, stream


def kept(flash: Path) -> NodeDatabase:
    """What the node's file of heard nodes holds."""
    nodes = NodeDatabase()
    with (flash / "nodes.bin").open("rb") as file:
        assert nodedump.load(nodes, file.read, 0, None) == 0
    return nodes


def direct_text(node_num: int, text: str, packet_id: int) -> bytes:
    """What a stock Meshtastic client writes to send a direct message."""
    message = mesh_pb2.MeshPacket(to=node_num, id=packet_id, want_ack=True)
    message.decoded.portnum = portnums_pb2.PortNum.TEXT_MESSAGE_APP
    message.decoded.payload = text.encode()
    return stream.frame(mesh_pb2.ToRadio(packet=message).SerializeToString())


def point_private(scene, code: str) -> str:
    """The private key in a node's settings."""
    return json.loads((scene.nodes[code].flash / "node.json").read_text(encoding="utf-8"))["private"]


def test_after_a_power_cut_a_node_seals_a_message_to_whom_it_knew_before(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01", "OV06")) as scene:
            await scene.start()
            await scene.run(4 * MINUTE)
            other = scene.region.point("OV06")
            flash = scene.nodes["OV01"].flash
            assert kept(flash).public_key(other.node_num) == point_key(scene.region, "OV06").public
            await scene.kill("OV01")
            await scene.kill("OV06")  # so that it cannot introduce itself again
            await scene.start("OV01")
            await scene.run(5 * SECOND)
            started_ms = scene.ether.now_ms
            async with Cable(scene, "OV01") as cable:
                await cable.write(direct_text(other.node_num, "Zijn jullie er?", 4711))
                await scene.run(10 * SECOND)
            private = bytes.fromhex(point_private(scene, "OV06"))
            key = direct.shared_key(private, point_key(scene.region, "OV01").public)
            texts = []
            for t_ms, _, frame in scene.frames:
                header = packet.decode(frame)
                if t_ms >= started_ms and header.to == other.node_num and header.channel_hash == 0:
                    data = direct.open(key, header.id, header.sender, header.payload)
                    texts.append(protobuf.decode(messages.DATA, data)["payload"].decode())
            assert texts and set(texts) == {"Zijn jullie er?"}
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_node_starts_and_learns_anew_with_garbage_in_place_of_its_file(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01", "OV06")) as scene:
            flash = scene.nodes["OV01"].flash
            (flash / "nodes.bin").write_bytes(b"BKN1" + bytes(range(256)) * 40)
            (flash / "~nodes.bin").write_bytes(b"half")
            await scene.start()
            await scene.run(4 * MINUTE)
            assert [node.num for node in kept(flash)] == [scene.region.point("OV06").node_num]
            assert not (flash / "~nodes.bin").exists()
            scene.assert_healthy()

    asyncio.run(playing())
