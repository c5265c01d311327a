"""Text messages on whole nodes: kept over power cuts, shown as not verified, behind bulletins."""

import asyncio
from pathlib import Path

from _nodes import LIAR_NUM, MINUTE, SECOND, Cable, stage
from _region import bulletin_parts
from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.device.inbox import Inbox
from baken.wire import stream
from baken.wire.messages import ALERT_APP, TEXT_MESSAGE_APP


def texts_on_flash(scene, code: str) -> list[bytes]:
    """Newest first, as the node would read them."""
    folder = scene.nodes[code].flash / "board"
    return [message.text for message in Inbox(str(folder)).newest()] if (folder / "texts").exists() else []


def test_texts_are_kept_over_a_power_cut_and_found_with_the_button(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(b"Hoort iemand mij?", portnum=TEXT_MESSAGE_APP, packet_id=77)
            await scene.say(b"Hoort iemand mij?", portnum=TEXT_MESSAGE_APP, packet_id=77)
            assert "niet gecontroleerd" not in " ".join(scene.shown("OV06"))
            await scene.kill("OV06")
            await scene.start("OV06")
            await scene.run(5 * SECOND)
            assert texts_on_flash(scene, "OV06") == [b"Hoort iemand mij?"]
            scene.ether.press("OV06")
            await scene.run(3 * SECOND)
            assert "TEKST - niet gecontroleerd" in scene.screen("OV06")
            assert f"!{LIAR_NUM:08x}" in scene.screen("OV06") and "Hoort iemand mij?" in scene.screen("OV06")
            scene.assert_healthy()

    asyncio.run(playing())


def test_an_alert_comes_up_by_itself_but_a_bulletin_takes_its_place(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(b"Brand in de kelder\x1b[2J\xff", portnum=ALERT_APP)
            await scene.run(3 * SECOND)
            assert "LET OP" in scene.screen("OV06") and "niet gecontroleerd" in scene.screen("OV06")
            await scene.teach("OV06", *bulletin_parts(scene.region, 1, "Sluit ramen."))
            await scene.run(3 * SECOND)
            assert "GECONTROLEERD VR Merenland" in scene.screen("OV06")
            await scene.say(b"Nog een keer", portnum=ALERT_APP)
            await scene.run(3 * SECOND)
            assert "GECONTROLEERD VR Merenland" in scene.screen("OV06")
            await scene.run_until(
                lambda: "niet gecontroleerd" in scene.screen("OV06"), 2 * MINUTE, "the text's turn"
            )
            assert "Nog een keer" in scene.screen("OV06")
            await scene.run_until(
                lambda: "GECONTROLEERD VR" in scene.screen("OV06"), 2 * MINUTE, "the bulletin again"
            )
            assert texts_on_flash(scene, "OV06")[1].startswith(b"Brand in de kelder [2J")
            scene.assert_healthy()

    asyncio.run(playing())


def test_what_a_client_sends_is_kept_here_and_what_is_addressed_to_another_only_there(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01", "OV06", "DH01")) as scene:
            await scene.start()
            await scene.run(70 * SECOND)
            text = "Dekens over? €".encode()
            packet = mesh_pb2.MeshPacket(to=scene.region.point("OV06").node_num, want_ack=True)
            packet.decoded.portnum = portnums_pb2.PortNum.TEXT_MESSAGE_APP
            packet.decoded.payload = text
            async with Cable(scene, "OV01") as cable:
                for packet.id in (4711, 4712, 4713):  # refused while a lost introduction is made good
                    await cable.write(stream.frame(mesh_pb2.ToRadio(packet=packet).SerializeToString()))
                    await scene.run(20 * SECOND)
                    if texts_on_flash(scene, "OV06"):
                        break
            assert set(texts_on_flash(scene, "OV01")) == {text} and texts_on_flash(scene, "OV06") == [text]
            assert texts_on_flash(scene, "DH01") == []
            (message,) = Inbox(str(scene.nodes["OV06"].flash / "board")).newest()
            assert message.direct and message.sender == scene.region.point("OV01").node_num
            scene.assert_healthy()

    asyncio.run(playing())
