"""What nodes with no clock, a slow one or a fast one show, and what they never show."""

import asyncio
from pathlib import Path

import pytest
from _nodes import MINUTE, SECOND, Cable, stage
from _region import NOON_S, bulletin_parts
from meshtastic.protobuf import admin_pb2, mesh_pb2, portnums_pb2

from baken.wire import stream
from baken.wire.records import BULLETIN, STATUS

FLOOD = {"hop_limit": 3, "hop_start": 3}


def set_time(node_num: int, unix_s: int, packet_id: int) -> bytes:
    """What a stock Meshtastic client writes to set the clock of the node it is connected to."""
    packet = mesh_pb2.MeshPacket(to=node_num, id=packet_id, want_ack=True)
    packet.decoded.portnum = portnums_pb2.PortNum.ADMIN_APP
    packet.decoded.payload = admin_pb2.AdminMessage(set_time_only=unix_s).SerializeToString()
    return stream.frame(mesh_pb2.ToRadio(packet=packet).SerializeToString())


def clock_of(scene, code: str) -> str:
    """The last word on the display."""
    return scene.screen(code).split()[-1]


@pytest.mark.parametrize(
    "unset", [{"BAKEN_CLOCK": "unset"}, {"BAKEN_CLOCK_OFFSET_S": str(946684800 - NOON_S)}]
)
def test_a_node_without_a_clock_says_so_and_takes_the_time_from_a_bulletin(
    tmp_path: Path, unset: dict[str, str]
):
    """Never set, or at the start of 2000, where a clock chip without a battery begins."""

    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            node = scene.nodes["OV01"]
            node.settings.update(unset)
            await scene.start()
            await scene.run(3 * MINUTE)
            assert clock_of(scene, "OV01") == "--:--"
            assert not scene.records_on_air(STATUS), "a status needs a time"
            sent_s = scene.unix_s
            await scene.teach("OV01", *bulletin_parts(scene.region, 1, "Hoe laat is het?", sent_s=sent_s))
            await scene.run(2 * SECOND)
            assert clock_of(scene, "OV01") == "~12:03"
            await scene.run(2 * MINUTE)
            assert scene.records_on_air(STATUS)
            # A bulletin that is being spread right now, and agrees: now the time is certain.
            await scene.say(*bulletin_parts(scene.region, 2, "Nu.", sent_s=scene.unix_s), **FLOOD)
            await scene.run(2 * SECOND)
            assert clock_of(scene, "OV01") == "12:05"
            await scene.run(25 * MINUTE)
            # After a restart it knows no time again; what it holds is still valid, and shown with the date.
            await scene.kill("OV01")
            await scene.start()
            await scene.run(5 * SECOND)
            words = scene.screen("OV01")
            assert clock_of(scene, "OV01") == "--:--" and "GECONTROLEERD" in words
            assert "geldig tot di 12 jan 18:0" in words
            scene.assert_healthy()

    asyncio.run(playing())


def test_without_a_clock_a_node_forgets_what_had_expired_when_its_newest_bulletin_was_signed(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            scene.nodes["OV01"].settings["BAKEN_CLOCK_OFFSET_S"] = "-7200"
            await scene.start()
            await scene.run(SECOND)
            await scene.teach(
                "OV01", *bulletin_parts(scene.region, 1, "Kort geldig.", sent_s=NOON_S - 3600, valid_s=1800)
            )
            short = scene.raws("OV01")[BULLETIN, 1, 1, 0]
            await scene.teach("OV01", *bulletin_parts(scene.region, 2, "Lang geldig."))
            await scene.kill("OV01")
            scene.keep("OV01", short)  # as if the power had failed before it was forgotten
            scene.nodes["OV01"].settings = {"BAKEN_CLOCK": "unset"}
            await scene.start()
            started_ms = scene.ether.now_ms
            await scene.run(4 * MINUTE)
            shown = " ".join(scene.shown("OV01", started_ms))
            assert "Lang geldig." in shown and "Kort geldig." not in shown
            assert "--:--" in shown

    asyncio.run(playing())


def test_a_clock_that_is_an_hour_behind_is_moved_forward_by_a_bulletin(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            scene.nodes["OV01"].settings["BAKEN_CLOCK_OFFSET_S"] = "-3600"
            await scene.start()
            await scene.run(2 * SECOND)
            assert clock_of(scene, "OV01") == "~11:00"
            await scene.say(
                *bulletin_parts(scene.region, 1, "Ja.", sent_s=NOON_S - 3000, valid_s=3600), **FLOOD
            )
            await scene.say(*bulletin_parts(scene.region, 2, "Nu.", sent_s=NOON_S), **FLOOD)
            await scene.run(2 * SECOND)
            assert clock_of(scene, "OV01") == "~12:00"
            # By the true time it is over in ten minutes, not in seventy.
            await scene.run(11 * MINUTE)
            over_ms = scene.ether.now_ms
            await scene.run(10 * MINUTE)
            shown = " ".join(scene.shown("OV01", over_ms))
            assert "Nu." in shown and "Ja." not in shown
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_clock_that_is_a_day_ahead_hides_true_bulletins_until_a_person_sets_it(tmp_path: Path):
    """Nothing heard moves a clock backward, or a recording of last week could. So a fast clock takes what is
    valid for what has expired: nothing false is shown, but what is true is missing, and the time is marked
    uncertain. Setting the clock over the cable and starting again mends it.
    """

    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.nodes["OV06"].settings["BAKEN_CLOCK_OFFSET_S"] = "86400"
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(*bulletin_parts(scene.region, 1, "Kook het water."), **FLOOD)
            await scene.run(2 * MINUTE)
            assert (BULLETIN, 1, 1, 0) in scene.held("OV01")
            assert "expired" in scene.refused("OV06") and (BULLETIN, 1, 1, 0) not in scene.held("OV06")
            assert not any("Kook het water." in words for words in scene.shown("OV06"))
            assert "Geen geldige berichten" in scene.screen("OV06") and clock_of(scene, "OV06").startswith(
                "~12:0"
            )
            # Its refusal does not keep the bulletin from others.
            assert "Kook het water." in scene.screen("OV01")
            scene.nodes["OV06"].settings["BAKEN_CLOCK_OFFSET_S"] = "0"
            async with Cable(scene, "OV06") as cable:
                await cable.write(set_time(cable.session.node_num or 0, scene.unix_s, 77))
                await cable.until(lambda: not clock_of(scene, "OV06").startswith("~"), "the clock is certain")
            await scene.kill("OV06")
            await scene.start("OV06")
            await scene.run_until(
                lambda: (BULLETIN, 1, 1, 0) in scene.held("OV06"), 3 * MINUTE, "it has the bulletin"
            )
            await scene.run(2 * SECOND)
            assert "Kook het water." in scene.screen("OV06")
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_node_with_a_fast_clock_relays_nothing_that_it_takes_for_expired(tmp_path: Path):
    """A known limit: others must be reached past it."""

    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            scene.nodes["OV01"].settings["BAKEN_CLOCK_OFFSET_S"] = "86400"
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(*bulletin_parts(scene.region, 1, "Kook het water."), **FLOOD)
            await scene.run(MINUTE)
            assert not scene.records_on_air(BULLETIN)

    asyncio.run(playing())


@pytest.mark.parametrize("unix_s", [5, 1_700_000_000, 4_000_000_000])
def test_a_time_that_cannot_be_is_not_taken_from_the_cable(tmp_path: Path, unix_s: int):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            async with Cable(scene, "OV01") as cable:
                await cable.write(set_time(cable.session.node_num or 0, unix_s, 77))
                # What comes behind it on the cable has been taken, so this was too.
                cable.publish(*bulletin_parts(scene.region, 1))
                await cable.until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV01"), "the next is taken")
            await scene.run(3 * MINUTE)
            assert clock_of(scene, "OV01").lstrip("~").startswith("12:0")
            assert scene.records_on_air(STATUS)
            scene.assert_healthy()

    asyncio.run(playing())
