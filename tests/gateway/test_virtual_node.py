"""The whole chain: bulletins from a broker over the gateway to nodes under MicroPython, statuses back."""

import asyncio
import json
import signal

import pytest
from _brokers import KINDS, BrokerProcess, Observer
from _gateway import GatewayProcess
from _nodes import stage
from _region import bulletin_parts, make_region

PREFIX = "baken/v1/merenland/"
LIMIT_S = 120


async def until(scene, condition, what):
    """Virtual time goes by, slowly enough for the processes outside it, until `condition()`."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await scene.run(200)
                scene.assert_healthy()
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"waited {LIMIT_S} s for {what}\n{scene.logs()}")


def test_a_bulletin_is_shown_and_its_receipt_comes_back(tmp_path):
    region = make_region(tmp_path)
    broker = BrokerProcess(KINDS[-1], tmp_path)
    broker.start()

    async def scene_of(gateway_of):
        async with stage(tmp_path, ("VR00", "OV06"), region=region) as scene:
            await scene.start()
            gateway = gateway_of(scene.nodes["VR00"].tty)
            observer = Observer(broker.port)
            try:
                gateway.start()
                await play(scene, gateway, observer)
            finally:
                observer.close()
                gateway.end(signal.SIGKILL)
            scene.assert_healthy()

    async def play(scene, gateway, observer):
        parts = bulletin_parts(region, 1, "Варіть воду 3 хв " * 8)
        for index, raw in enumerate(parts):
            observer.publish(f"{PREFIX}record/bulletin/1/1.{index + 1}", raw)

        def view():
            return json.loads(observer.retained.get(PREFIX + "bulletin/1/1", b"{}"))

        await until(
            scene, lambda: len(scene.held("OV06") & {(1, 1, 1, 0), (1, 1, 1, 1)}) == 2, "both parts at OV06"
        )
        await until(scene, lambda: "OV06" in view().get("received", ()), "the receipt of OV06 at the broker")
        await until(scene, lambda: PREFIX + "status/OV06" in observer.retained, "the status of OV06 there")
        assert view()["state"] == "valid"
        # A node that restarts, and a gateway that is killed meanwhile, miss nothing.
        await scene.kill("VR00")
        gateway.end(signal.SIGKILL)
        observer.publish(PREFIX + "record/bulletin/1/2", bulletin_parts(region, 2)[0])
        gateway.start()
        await scene.start("VR00")
        await until(scene, lambda: (1, 1, 2, 0) in scene.held("OV06"), "the second bulletin at OV06")

    try:
        asyncio.run(scene_of(lambda port: GatewayProcess(region, port, broker, tmp_path)))
    finally:
        broker.stop()
