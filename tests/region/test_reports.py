"""Emergency reports from the button of a far point to the crisis room and back, over real programs."""

import asyncio
import signal

import pytest
from _brokers import KINDS, BrokerProcess
from _crisis import Crisis
from _gateway import GatewayProcess
from _nodes import MINUTE, SECOND, Cable, Stage, stage
from _region import authority_key, make_region, report_record

from baken.wire import heartbeat, report
from baken.wire.records import HEARTBEAT, REPORT, STATUS, TRUST
from baken_hardware.bench import amend
from baken_hardware.virtual.propagation import Point

LIMIT_S = 200.0
# Each hears its neighbours only: VR00 - OV01 - DH01 - RL1 - OV06, four hops.
CHAIN = ("VR00", "OV01", "DH01", "RL1", "OV06")
APART_KM = 2.3


def chain(*codes: str) -> dict[str, Point]:
    return {code: Point(code, APART_KM * index, 0.0, 3.0) for index, code in enumerate(codes)}


async def until(scene: Stage, condition, what: str) -> None:
    """Virtual time goes by, slowly enough for the processes outside it, until `condition()`."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await scene.run(200)
                scene.assert_healthy()
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"waited {LIMIT_S} s for {what}\n{scene.logs()}")


async def press(scene: Stage, code: str, *lengths: str) -> str:
    for length in lengths:
        scene.ether.press(code, length)
        await scene.run(1 * SECOND)
    return scene.screen(code)


async def to_page(scene: Stage, code: str, title: str) -> None:
    for _ in range(12):
        if scene.screen(code).startswith(title):
            return
        await press(scene, code, "short")
    raise AssertionError(f"no page {title}: {scene.screen(code)}")


async def report_by_button(scene: Stage, code: str) -> None:
    """Ambulance, confirmed."""
    await to_page(scene, code, "NOODMELDING Noodgeval?")
    assert (await press(scene, code, "long")).startswith("NOODMELDING Wat is nodig?")
    assert (await press(scene, code, "short", "long")).startswith("ZEKER?")
    words = await press(scene, code, "short", "long")
    assert words.startswith("NOODMELDING 1 WACHT: nog niet ontvangen."), words


def test_a_report_from_four_hops_away_is_acknowledged_and_answered_on_the_display(tmp_path):
    region = make_region(tmp_path)
    broker = BrokerProcess(KINDS[-1], tmp_path)
    broker.start()
    crisis = Crisis(region, broker, tmp_path)
    number = region.point("OV06").number

    async def playing() -> None:
        async with stage(tmp_path, CHAIN, region=region, places=chain(*CHAIN)) as scene:
            await scene.start()
            gateway = GatewayProcess(region, scene.nodes["VR00"].tty, broker, tmp_path)
            try:
                gateway.start()
                await scene.run(5 * SECOND)
                await report_by_button(scene, "OV06")
                await scene.kill("OV06")  # before anybody can have answered
                await scene.start("OV06")
                await until(
                    scene, lambda: (REPORT, number, 1, 0) in scene.learned("VR00"), "it at the gateway"
                )
                gateway.end(signal.SIGKILL)
                gateway.start()
                assert (await press(scene, "OV06", "short")) and "WACHT" in " ".join(scene.shown("OV06"))
                rows: list[dict] = []
                for _ in range(20):
                    rows = await crisis.reports()
                    if rows:
                        break
                    await scene.run(1 * SECOND)
                (row,) = rows
                assert row["id"] == "OV06/1" and row["received"] is None and row["priority"] == "F"
                assert row["text"] == "MED Ambulance nodig (knop)."
                await crisis.run("answer", "OV06/1")
                await until(scene, lambda: scene.screen("OV06").startswith("ONTVANGEN"), "ONTVANGEN at OV06")
                assert "GECONTROLEERD VR Merenland" in scene.screen("OV06")
                await crisis.run("answer", "OV06/1", "Ambulance komt, 12 min.")
                await until(scene, lambda: "12 min." in scene.screen("OV06"), "the answer at OV06")
                words = await press(scene, "OV06", "long")
                assert words.startswith("GELEZEN"), words
                # Nothing waits any more, at any node, and nothing is repeated.
                read_ms = scene.ether.now_ms
                await scene.run(15 * MINUTE)
                sent_ms = [t_ms for t_ms, _, _ in scene.records_on_air(REPORT, "OV06")]
                assert max(sent_ms) < read_ms, (read_ms, sent_ms)
                for code in CHAIN:
                    assert not [held for held in scene.held(code) if held[0] == REPORT], code
                scene.assert_healthy()
            finally:
                gateway.end(signal.SIGKILL)

    try:
        asyncio.run(playing())
    finally:
        broker.stop()


def test_a_report_over_the_cable_waits_over_a_restart_and_a_second_one_stands_beside_it(tmp_path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            async with Cable(scene, "OV06") as cable:
                cable.session.offer(report.encode_draft("Brand in de kelder.".encode()), scene.ether.now_ms)
                await cable.until(lambda: len(scene.records_on_air(REPORT)) >= 1, "the first on the air")
            await scene.kill("OV06")
            await scene.start("OV06")
            await scene.run(2 * SECOND)
            await report_by_second(scene)
            seqs = {raw[5] for _, _, raw in scene.records_on_air(REPORT)}
            assert seqs == {1, 2}
            shown = " ".join(scene.shown("OV06"))
            assert "Brand in de kelder." in shown and "Ambulance nodig" in shown
            records = {raw for _, _, raw in scene.records_on_air(REPORT)}
            assert len(records) == 2, "a repeated report is the same record"
            scene.assert_healthy()

    async def report_by_second(scene: Stage) -> None:
        await to_page(scene, "OV06", "NOODMELDING Noodgeval?")
        await press(scene, "OV06", "long", "short", "long", "short", "long")
        await scene.run(4 * MINUTE)

    asyncio.run(playing())


def test_a_heartbeat_sets_the_clock_counts_as_contact_and_shows_what_is_missing(tmp_path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            sign = authority_key(scene.region).sign
            time_s = scene.unix_s + 1800
            beat = heartbeat.encode(heartbeat.Heartbeat(1, 1, time_s, 3), scene.region.trust.tag, sign)
            await scene.teach("OV06", beat)
            await scene.run(70 * SECOND)
            words = scene.screen("OV06")
            assert "MIST 1" in words and "12:3" in words and "Laatste contact" in words, words
            assert (HEARTBEAT, 1, 1, 0) in scene.known("OV06")

    asyncio.run(playing())


def test_a_stolen_nodes_key_is_revoked_from_afar_without_touching_the_others(tmp_path):
    region = make_region(tmp_path)
    stolen = region.point("OV06").number

    async def playing() -> None:
        async with stage(tmp_path, ("OV01", "OV06", "DH01"), region=region) as scene:
            await scene.start()
            await scene.run(3 * MINUTE)
            assert (STATUS, stolen, 1, 0) in scene.known("OV01")
            false = report_record(region, "OV06", 5, "Vals.")
            path = amend.revoke(region.folder, "OV06")
            async with Cable(scene, "DH01") as cable:
                cable.publish(path.read_bytes())
                await cable.until(lambda: (TRUST, 0xFFFF, 2, 0) in scene.learned("OV06"), "it at OV06")
            await scene.run(10 * SECOND)
            assert not [held for held in scene.held("OV01") if held[1] == stolen]
            await scene.run(1 * MINUTE)
            assert scene.screen("OV06").startswith("INGETROKKEN")
            before = len(scene.records_on_air(STATUS, "OV06"))
            await scene.say(false)
            assert "unknown-point" in scene.refused("OV01")
            await scene.run(70 * MINUTE)
            later = [raw for _, _, raw in scene.records_on_air(STATUS, "OV06")[before:]]
            assert not [raw for raw in later if raw[1] << 8 | raw[2] == stolen]
            assert [held for held in scene.known("DH01") if held[0] == STATUS and held[1] != stolen]
            scene.assert_healthy()

    asyncio.run(playing())
