"""Settings of a whole node over its serial port: they hold at once, outlive the power, and records go on."""

import asyncio
import itertools
import os
from pathlib import Path
from typing import Any

from _nodes import MINUTE, SECOND, Cable, Stage, stage
from _region import bulletin_parts

from baken.wire import protobuf, stream
from baken.wire.messages import ADMIN_APP, FROM_RADIO, ROUTING_APP, TO_RADIO
from baken.wire.messages_admin import ADMIN_MESSAGE
from baken.wire.records import BULLETIN
from baken_gateway.region import load_channel_psk

RESTART_STATUS = 75

_packet_ids = itertools.count(7000)


class Client:
    """A technician's program on a node's port, in virtual time."""

    def __init__(self, scene: Stage, code: str) -> None:
        self.scene = scene
        self.num = scene.region.point(code).node_num
        self.port = os.open(scene.nodes[code].tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.notices: list[str] = []
        self._deframer = stream.Deframer()
        self._heard: list[dict[str, Any]] = []

    async def __aenter__(self) -> "Client":
        await self.ask(want_config_id=1)
        await self.until(lambda message: "config_complete_id" in message)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ask(disconnect=True)
        os.close(self.port)

    async def ask(self, **message: Any) -> None:
        data = stream.frame(protobuf.encode(TO_RADIO, message))
        while data:
            try:
                data = data[os.write(self.port, data) :]
            except BlockingIOError:
                await self.scene.run(10)

    async def until(self, condition: Any) -> dict[str, Any]:
        """The first message of the node for which this holds."""
        for _ in range(500):
            while self._heard:
                message = self._heard.pop(0)
                if "clientNotification" in message:
                    self.notices.append(message["clientNotification"]["message"].decode())
                if condition(message):
                    return message
            try:
                data = os.read(self.port, 4096)
            except BlockingIOError:
                await asyncio.sleep(0.01)  # the board looks at its port in real time
                await self.scene.run(20)
                continue
            self._heard += [protobuf.decode(FROM_RADIO, payload) for payload in self._deframer.receive(data)]
        raise AssertionError(f"{self.scene.ether.now_ms} the node does not answer\n{self.scene.logs()}")

    async def order(self, **message: Any) -> Any:
        """An AdminMessage to the node; gives the answer, or the Routing.Error."""
        packet_id = next(_packet_ids)
        payload = protobuf.encode(ADMIN_MESSAGE, message)
        decoded = {"portnum": ADMIN_APP, "payload": payload, "want_response": True}
        await self.ask(packet={"to": self.num, "decoded": decoded, "id": packet_id, "want_ack": True})
        answer = await self.until(
            lambda told: told.get("packet", {}).get("decoded", {}).get("request_id") == packet_id
        )
        data = answer["packet"]["decoded"]
        if data["portnum"] == ROUTING_APP:
            return data["payload"][1]
        return protobuf.decode(ADMIN_MESSAGE, data["payload"])


async def hop_limit(client: Client) -> int:
    return (await client.order(get_config_request=5))["get_config_response"]["lora"]["hop_limit"]


def test_settings_hold_at_once_and_after_a_loss_of_power(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            async with Client(scene, "OV06") as client:
                assert await client.order(set_owner={"long_name": b"Kerk", "short_name": b"KERK"}) == 0
                lora = (await client.order(get_config_request=5))["get_config_response"]["lora"]
                assert await client.order(set_config={"lora": lora | {"hop_limit": 6}}) == 0
                assert await client.order(set_config={"lora": lora | {"hop_limit": 8}}) == 32
                assert client.notices[-1].endswith("hop limit is 8, allowed 0 to 7")
                assert await hop_limit(client) == 6
            await scene.kill("OV06")
            await scene.start("OV06")
            async with Client(scene, "OV06") as client:
                assert await hop_limit(client) == 6
                owner = (await client.order(get_owner_request=True))["get_owner_response"]
                assert owner["long_name"] == b"Kerk"
                assert await client.order(factory_reset_config=1) == 0
                assert await hop_limit(client) == scene.region.channel.hop_limit
            scene.assert_healthy()

    asyncio.run(playing())


def test_damaged_settings_leave_the_provisioned_ones_and_a_line_in_the_log(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            async with Client(scene, "OV06") as client:
                assert await client.order(set_owner={"long_name": b"Kerk"}) == 0
            await scene.kill("OV06")
            kept = scene.nodes["OV06"].flash / "board" / "values" / "preferences"
            damaged = bytearray(kept.read_bytes())
            damaged[9] ^= 1
            kept.write_bytes(damaged)
            await scene.start("OV06")
            async with Client(scene, "OV06") as client:
                owner = (await client.order(get_owner_request=True))["get_owner_response"]
                assert owner["long_name"] == scene.region.point("OV06").name.encode()
            assert any("a damaged value on the flash" in line for line in scene.log("OV06"))

    asyncio.run(playing())


def test_a_restart_and_the_end_are_told_by_the_exit_status(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            node = scene.nodes["OV06"]
            for order, status in (({"reboot_seconds": 2}, RESTART_STATUS), ({"shutdown_seconds": 1}, 0)):
                async with Client(scene, "OV06") as client:
                    assert await client.order(**order) == 0
                    await scene.run(500)
                    assert node.running
                await scene.run(3 * SECOND)
                await node.wait()
                assert node.exit_status == status
                if status:
                    await scene.start("OV06")
            assert "UIT" in scene.screen("OV06")
            scene.assert_healthy()

    asyncio.run(playing())


def test_records_follow_the_regions_channel_and_its_loss_is_told(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            name, psk = scene.region.channel.name.encode(), load_channel_psk(scene.region.folder)
            async with Client(scene, "OV06") as client:
                await client.order(begin_edit_settings=True)
                region = {"index": 3, "settings": {"name": name, "psk": psk}, "role": 2}
                public = {"index": 0, "settings": {"psk": b"\x01"}, "role": 1}
                assert await client.order(set_channel=region) == 0
                assert await client.order(set_channel=public) == 0
                assert await client.order(commit_edit_settings=True) == 0
            await scene.teach("OV01", bulletin_parts(scene.region, 1, "Naar het vierde kanaal.")[0])
            there = (BULLETIN, 1, 1, 0)
            await scene.run_until(lambda: there in scene.held("OV06"), 2 * MINUTE, "it came over the air")
            await scene.run(2 * MINUTE)
            async with Cable(scene, "OV06") as cable:
                cable.publish(bulletin_parts(scene.region, 2, "Van het vierde kanaal.")[0])
                there = (BULLETIN, 1, 2, 0)
                await cable.until(lambda: there in scene.held("OV01"), "it went over the air")
            async with Client(scene, "OV06") as client:
                assert await client.order(set_channel={"index": 3}) == 0
                await client.ask(heartbeat={})
                await client.until(lambda message: "queueStatus" in message)
                assert any("records cannot travel" in notice for notice in client.notices), client.notices
            assert any("records cannot travel" in line for line in scene.log("OV06"))
            scene.assert_healthy()

    asyncio.run(playing())


def test_setting_everything_takes_little_memory(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.add("OV06", "measured_node", {"BAKEN_HEAP_EVERY_MS": str(MINUTE)})
            await scene.start()
            await scene.run(61 * SECOND)
            async with Client(scene, "OV06") as client:
                for number in range(10):
                    if number != 8:
                        told = (await client.order(get_config_request=number))["get_config_response"]
                        assert await client.order(set_config=told) == 0
                for number in range(16):
                    told = await client.order(get_module_config_request=number)
                    assert await client.order(set_module_config=told["get_module_config_response"]) == 0
            await scene.run(2 * MINUTE)
            heap = [int(line.split()[2]) for line in scene.log("OV06") if " heap " in line]
            assert len(heap) >= 3
            assert heap[-1] - heap[0] < 40_000, heap  # what serves a client, in 64 bits
            scene.assert_healthy()

    asyncio.run(playing())
