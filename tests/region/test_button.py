"""The one button: walking through the pages, confirming a bulletin, changing the point's state."""

import asyncio
from pathlib import Path

from _nodes import MINUTE, READ_MS, SECOND, Cable, Stage, stage
from _region import bulletin_parts, status_record

from baken.noticeboard.receipts import receipts_of
from baken.wire.records import BULLETIN, STATUS


async def press(scene: Stage, code: str, length: str = "short") -> str:
    """Press, wait for the display; what it shows."""
    scene.ether.press(code, length)
    await scene.run(1 * SECOND)
    return scene.screen(code)


def test_short_presses_walk_through_all_pages_and_come_back(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            long = "Een lange tekst die niet op een pagina past, met veel woorden. " * 6 + "Einde."
            await scene.teach("OV06", *bulletin_parts(scene.region, 1, "Kort.", severity=b"Severe"))
            await scene.teach("OV06", *bulletin_parts(scene.region, 2, long, severity=b"Minor"))
            await scene.run(2 * MINUTE)
            for _ in range(8):
                if "Kort." in (await press(scene, "OV06")) and "BERICHTEN" not in scene.screen("OV06"):
                    break
            pages = [await press(scene, "OV06") for _ in range(10)]
            for number in range(4):
                assert pages[number].startswith("BERICHT - GERING") and f"{number + 1}/4" in pages[number]
            assert "Einde. GECONTROLEERD VR Merenland" in pages[3]
            assert pages[4].startswith("BERICHTEN (2)") and "Kort." in pages[4]
            assert pages[5].startswith("NOODMELDING Noodgeval? Druk lang om hulp te vragen.")
            assert pages[6].startswith("MIJN STATUS Toestand ONBEKEND")
            assert pages[7].startswith("TOESTAND Accu 100% Nodes gehoord 2 Berichten 2") and "1/2" in pages[7]
            assert "kB vrij" in pages[8] and "Opslag goed" in pages[8] and "2/2" in pages[8]
            assert pages[9].startswith("BERICHT - ERNSTIG Kort. GECONTROLEERD VR Merenland")
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_long_press_on_a_bulletin_says_read_within_minutes_and_after_a_restart(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.teach("OV06", *bulletin_parts(scene.region, 1, "Lees mij."))
            await scene.run(2 * MINUTE)
            said = scene.statuses_of("OV06")[-1]
            assert said.seen_of(1).has_received(1) and not said.seen_of(1).has_read(1)
            words = await press(scene, "OV06", "long")
            assert (
                words.startswith("GELEZEN") and "De crisisruimte krijgt bericht dat dit gelezen is." in words
            )
            await scene.run(10 * SECOND)
            assert "Lees mij." in scene.screen("OV06"), "the thanks go by themselves"
            number = scene.region.point("OV06").number
            async with Cable(scene, "OV01") as cable:

                def knows() -> bool:
                    found = receipts_of(cable.replica, (1, 1)).get(number)
                    return found is not None and found.read

                assert not knows()
                pressed_ms = scene.ether.now_ms
                await scene.run_until(lambda: scene.told("OV06", (1, 1)) == (True, True), READ_MS, "told")
                limit_ms = READ_MS - (scene.ether.now_ms - pressed_ms)
                await cable.until(knows, "who is attached to the neighbour knows", limit_ms)
            newest = scene.statuses_of("OV06")[-1]
            await scene.kill("OV06")
            await scene.start("OV06")
            await scene.run(2 * MINUTE)
            assert scene.statuses_of("OV06")[-1].seq > newest.seq
            assert scene.statuses_of("OV06")[-1].seen_of(1).has_read(1)
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_bulletin_that_is_not_whole_cannot_be_marked_as_read(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            parts = bulletin_parts(scene.region, 1, "Довгий текст. " * 14)
            await scene.teach("OV06", parts[0])
            assert "NIET COMPLEET" in await press(scene, "OV06", "long")
            await scene.run(2 * MINUTE)
            assert not scene.statuses_of("OV06")[-1].seen_of(1).has_read(1)
            assert not scene.statuses_of("OV06")[-1].seen_of(1).has_received(1)
            assert (BULLETIN, 1, 1, 0) in scene.held("OV06")

    asyncio.run(playing())


def test_the_menu_changes_the_state_and_keeps_what_else_was_reported(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            # What the point last reported, before its node lost its flash: a neighbour's copy brings nothing
            # back by itself, so it lies on the node's own flash here.
            record = status_record(
                scene.region,
                "OV06",
                40,
                "Wachten.",
                people=31,
                needs=(b"WAT", b"MED"),
                priority=b"F",
                water_l=90,
            )
            scene.keep("OV06", record)
            await scene.start()
            await scene.run(2 * MINUTE)
            before = scene.statuses_of("OV06")[-1]
            assert before.seq == 41 and before.people == 31
            await press(scene, "OV06")
            words = await press(scene, "OV06")
            assert words.startswith("MIJN STATUS Toestand OPEN Mensen 31")
            assert "Nodig MED WAT" in await press(scene, "OV06")
            words = await press(scene, "OV06", "long")
            assert words.startswith("STATUS Hoe is dit punt?") and "Beperkt open" in words
            await press(scene, "OV06")
            await press(scene, "OV06")
            pressed_ms = scene.ether.now_ms
            words = await press(scene, "OV06", "long")
            assert "VOL" in words
            await scene.run(20 * SECOND)
            said = scene.statuses_of("OV06")[-1]
            assert (said.seq, said.state, said.people, said.water_l) == (42, b"VOL", 31, 90)
            assert (said.needs, said.priority, said.text) == (before.needs, b"F", b"Wachten.")
            sent_ms = min(t_ms for t_ms, _, raw in scene.records_on_air(STATUS, "OV06") if raw[5] == 42)
            assert sent_ms - pressed_ms < 10 * SECOND
            assert (STATUS, said.origin, 42, 0) in scene.known("OV01")
            scene.assert_healthy()

    asyncio.run(playing())


def test_an_open_menu_closes_by_itself_and_back_changes_nothing(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            await scene.start()
            await scene.run(2 * MINUTE)
            reports = scene.statuses_of("OV06")
            await press(scene, "OV06")
            await press(scene, "OV06")
            assert (await press(scene, "OV06", "long")).startswith("STATUS Hoe")
            for _ in range(4):
                await press(scene, "OV06")
            assert not (await press(scene, "OV06", "long")).startswith("STATUS Hoe")
            assert (await press(scene, "OV06", "long")).startswith("STATUS Hoe")
            await scene.run(70 * SECOND)
            assert not scene.screen("OV06").startswith("STATUS Hoe")
            await scene.run(2 * MINUTE)
            assert scene.screen("OV06").startswith("BAKEN Geen geldige berichten")
            assert len(reports) == 1 and scene.statuses_of("OV06") == reports

    asyncio.run(playing())


def test_a_hundred_presses_at_once_stop_nothing(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            for number in range(100):
                scene.ether.press("OV06", "long" if number % 7 == 3 else "short")
            await scene.run(10 * SECOND)
            await scene.teach("OV06", *bulletin_parts(scene.region, 1, "Nog steeds.", severity=b"Severe"))
            await scene.run(3 * MINUTE)
            assert "Nog steeds." in scene.screen("OV06")
            scene.assert_healthy()

    asyncio.run(playing())
