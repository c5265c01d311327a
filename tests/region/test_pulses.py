"""Signs of life of a far point, over whole nodes, gateway, broker and console."""

import asyncio
import json
import signal
from datetime import datetime
from pathlib import Path

import pytest
from _brokers import KINDS, BrokerProcess, Observer
from _crisis import Crisis
from _gateway import GatewayProcess
from _nodes import HOUR, MINUTE, Stage, stage
from _region import NOON_S, make_region

from baken.wire import pulse
from baken.wire.records import PULSES
from baken_hardware.virtual.propagation import Point

PREFIX = "baken/v1/merenland/"
LIMIT_S = 120.0
# Each hears its neighbours only, and the last one only the one before it.
CHAIN = ("VR00", "OV01", "DH01", "OV06")
APART_KM = 2.3
UNDER_WAY_MS = 15 * MINUTE  # three hops of a window each


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


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


def test_hours_later_the_console_knows_that_a_far_points_only_status_still_holds(tmp_path: Path):
    region = make_region(tmp_path)
    broker = BrokerProcess(KINDS[-1], tmp_path)
    broker.start()
    crisis = Crisis(region, broker, tmp_path)

    async def listed() -> dict:
        rows = json.loads(await crisis.run("list", "--points", "--json"))["points"]
        return {row["code"]: row for row in rows}["OV06"]

    async def playing() -> None:
        places = {code: Point(code, APART_KM * index, 0.0, 3.0) for index, code in enumerate(CHAIN)}
        async with stage(tmp_path, CHAIN, region=region, places=places) as scene:
            await scene.start()
            gateway = GatewayProcess(region, scene.nodes["VR00"].tty, broker, tmp_path)
            observer = Observer(broker.port)

            def as_of_s() -> int:
                view = json.loads(observer.retained.get(PREFIX + "status/OV06", b"{}"))
                return seconds(view["asOf"]) if "asOf" in view else 0

            try:
                # Two hours without anybody at the cable; the last of the pulses is under way for minutes.
                await scene.run(2 * HOUR + UNDER_WAY_MS)
                (told,) = scene.statuses_of("OV06")
                assert told.time_s < NOON_S + 120
                gateway.set_clock(scene.unix_s)
                gateway.start()
                await until(scene, lambda: as_of_s() > NOON_S + 6300, "the sign of life of two o'clock")
                assert as_of_s() <= NOON_S + 7200 and (as_of_s() - told.time_s) % pulse.PERIOD_S == 0
                row = await listed()
                assert (row["seq"], row["liveness"], seconds(row["heard"])) == (told.seq, "fresh", as_of_s())
                # The point falls silent: what is played again claims nothing newer, and it goes stale.
                before_s = as_of_s()
                old = [raw for _, _, raw in scene.records_on_air(PULSES)]
                await scene.kill("OV06")
                await scene.run(3 * HOUR)
                await scene.say(*old[-20:])
                gateway.set_clock(scene.unix_s)
                await scene.run(UNDER_WAY_MS)
                row = await listed()
                assert (row["liveness"], seconds(row["heard"]), as_of_s()) == ("late", before_s, before_s)
                scene.assert_healthy()
            finally:
                observer.close()
                gateway.end(signal.SIGKILL)

    try:
        asyncio.run(playing())
    finally:
        broker.stop()
