"""From the cable of one node to the pixels of another; after an absence; and from and to a foreign radio."""

import asyncio
import random
import socket
from pathlib import Path
from typing import Any

from _nodes import HOUR, MINUTE, PRIVATE_APP, SECOND, Cable, Stage, stage
from _region import NOON_S, bulletin_parts, make_region, status_record

from baken.mesh.config import Channel, MeshConfig
from baken.mesh.events import Received, Transmit
from baken.mesh.node import MeshNode
from baken.noticeboard import events, gossip
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire import modem
from baken.wire.records import BULLETIN, STATUS
from baken_gateway.region import load_channel_psk
from baken_hardware.virtual.propagation import Point, links

SEVERE: dict[str, Any] = {
    "event": b"ALARM",
    "severity": b"Severe",
    "urgency": b"Immediate",
    "status": b"Exercise",
}


def test_a_bulletin_from_the_cable_reaches_the_other_nodes_flash_and_display(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            raws = bulletin_parts(
                scene.region, 1, "Kook het water drie minuten.", sent_s=scene.unix_s, areas=(0,), **SEVERE
            )
            async with Cable(scene, "OV01") as cable:
                cable.publish(*raws)
                await cable.until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV06"), "OV06 holds it")
            await scene.run(2 * SECOND)
            assert [scene.raws("OV06")[BULLETIN, 1, 1, 0]] == raws
            for code in ("OV01", "OV06"):
                words = scene.screen(code)
                assert words.startswith("ALARM - ERNSTIG OEFENING Kook het water drie minuten.")
                assert "GECONTROLEERD VR Merenland" in words
                assert "geldig tot di 18:00" in words
                assert f"{code} " in words and "12:00" in words
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_real_bulletin_is_not_marked_as_exercise_and_stays_out_of_other_areas(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01", "DH01")) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(*bulletin_parts(scene.region, 1, "Alleen hier.", areas=(1,)))
            assert {"1-1-1-0"} == {"-".join(map(str, record_id)) for record_id in scene.held("OV01")}
            assert "Alleen hier." in scene.screen("DH01") and "OEFENING" not in scene.screen("DH01")
            await scene.run(5 * MINUTE)
            assert not [words for words in scene.shown("OV01") if "Alleen hier" in words]

    asyncio.run(playing())


def test_a_bulletin_disappears_from_the_display_when_it_expires_and_when_it_is_withdrawn(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV01",)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(*bulletin_parts(scene.region, 1, "Tien minuten geldig.", valid_s=600))
            await scene.say(*bulletin_parts(scene.region, 2, "Wordt ingetrokken.", severity=b"Minor"))
            assert "Wordt ingetrokken." in scene.screen("OV01")
            cancel = {"msg_type": b"Cancel", "references": ((1, 2),), "event": b"INTREKKING"}
            await scene.say(*bulletin_parts(scene.region, 3, "Ingetrokken.", severity=b"Minor", **cancel))
            withdrawn_ms = scene.ether.now_ms
            await scene.run(600 * SECOND - scene.ether.now_ms)
            await scene.run(2 * SECOND)
            expired_ms = scene.ether.now_ms
            await scene.run(10 * MINUTE)
            assert any("Tien minuten geldig." in words for words in scene.shown("OV01", withdrawn_ms))
            assert not any("Wordt ingetrokken." in words for words in scene.shown("OV01", withdrawn_ms))
            assert not any("Tien minuten geldig." in words for words in scene.shown("OV01", expired_ms))
            assert not any("VERLOPEN" in words for words in scene.shown("OV01"))

    asyncio.run(playing())


def test_a_node_that_was_off_catches_up_within_three_minutes(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(2 * MINUTE)
            assert {(STATUS, 1, 1, 0), (STATUS, 2, 1, 0)} <= scene.known("OV06")
            await scene.kill("OV06")
            long = "Довгий текст. " * 14
            missed = [
                *bulletin_parts(scene.region, 1, "Een.", sent_s=scene.unix_s),
                *bulletin_parts(scene.region, 2, long, sent_s=scene.unix_s, origin=2),
                *bulletin_parts(scene.region, 3, "Drie.", sent_s=scene.unix_s),
            ]
            await scene.teach("OV01", *missed)
            # Long enough for the neighbour's digests to have become rare, and for it to have reported again.
            await scene.run(2 * HOUR)
            wanted = {record_id for record_id in scene.held("OV01") if record_id[1:3] != (2, 1)}
            assert len([record_id for record_id in wanted if record_id[0] == BULLETIN]) == len(missed) == 5
            assert max(record_id[2] for record_id in wanted if record_id[0] == STATUS) > 1
            await scene.start("OV06")
            await scene.run_until(
                lambda: wanted <= scene.known("OV06"), 3 * MINUTE, f"OV06 holds {sorted(wanted)}"
            )
            await scene.run(6 * MINUTE)
            shown = " ".join(scene.shown("OV06"))
            assert "Een." in shown and "Drie." in shown and "GECONTROLEERD Gemeente Oosterveen" in shown
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_node_that_has_to_check_what_it_holds_says_so_first(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path, ("OV06",)) as scene:
            scene.add("OV06")
            scene.keep("OV06", *bulletin_parts(scene.region, 1, "Bewaard."))
            await scene.start("OV06")
            await scene.run(MINUTE)
            shown = scene.shown("OV06")
            assert shown[0].startswith("EVEN WACHTEN Dit apparaat controleert eerst wat het bewaart.")
            assert "Bewaard." in shown[-1] and not any("WACHTEN" in words for words in shown[1:])
            await scene.kill("OV06")
            await scene.start("OV06")
            await scene.run(MINUTE)
            again = scene.shown("OV06")[len(shown) :]
            assert again and not any("WACHTEN" in words for words in again), "it was checked when it came"
            scene.assert_healthy()

    asyncio.run(playing())


# Kilometres along a line where each hears only the next one, by 6 dB or more either way.
CHAIN = {"OV06": 0.0, "OV01": 12.0, "VR00": 28.0, "DH01": 56.0, "RL1": 72.0}


def test_a_chain_of_nodes_hands_a_bulletin_on_beyond_the_hop_limit(tmp_path: Path):
    """The flood starts with one hop, and has four to go."""
    places = {code: Point(code, x_km, 0.0, 10.0) for code, x_km in CHAIN.items()}
    codes = list(places)
    within_reach = {frozenset((link.a, link.b)) for link in links(places, 9, 250_000, margin_db=-6)}
    assert within_reach == {frozenset(pair) for pair in zip(codes, codes[1:], strict=False)}

    async def playing() -> None:
        region = make_region(tmp_path, hop_limit=1)
        async with stage(tmp_path, codes, places=places, region=region) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            raws = bulletin_parts(scene.region, 1, "Voor iedereen.", sent_s=scene.unix_s)
            async with Cable(scene, "OV06") as cable:
                cable.publish(*raws)
                await cable.until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV06"), "OV06 holds it")
            await scene.run_until(
                lambda: all((BULLETIN, 1, 1, 0) in scene.held(code) for code in codes),
                MINUTE,
                "all hold the bulletin",
            )
            await scene.run(5 * SECOND)
            assert all("Voor iedereen." in scene.screen(code) for code in codes)
            assert {sender for _, sender, _ in scene.records_on_air(BULLETIN)} >= set(codes[:-1])

    asyncio.run(playing())


class Foreigner:
    """The same protocol in another program, on CPython, that knows the region only by UDP datagrams."""

    def __init__(self, scene: Stage, code: str, port: socket.socket) -> None:
        self.scene = scene
        self._socket = port
        point = scene.region.point(code)
        rand = random.Random(4).randrange
        psk = load_channel_psk(scene.region.folder)
        channels = (Channel(scene.region.channel.name.encode(), psk),)
        preset = modem.preset_named(scene.region.channel.preset)
        config = MeshConfig(
            point.node_num,
            b"Foreign",
            code.encode()[-4:],
            channels,
            preset=preset.number,
            public_key=bytes(32),
        )
        self.mesh = MeshNode(config, rand)
        self.replica = Replica(scene.region.trust, MemoryStore())
        settings = gossip.GossipSettings(8000, 256000, 2, flood_hops=3)
        self.gossip = gossip.Gossip(
            self.replica, settings, self.mesh.modem.airtime_ms, rand, scene.ether.now_ms
        )
        self.refused: list[str] = []
        self._sent_at: int | None = None

    async def run(self, duration_ms: int) -> None:
        """Live with the region, in steps shorter than any frame."""
        end_ms = self.scene.ether.now_ms + duration_ms
        while self.scene.ether.now_ms < end_ms:
            await self.scene.run(20)
            now = self.scene.ether.now_ms
            if self._sent_at is not None and now >= self._sent_at:
                self._sent_at = None
                self.mesh.transmitted(now)
            while True:
                try:
                    self.mesh.receive_frame(self._socket.recv(300), -80, 9.0, now)
                except BlockingIOError:
                    break
            await self._act(now)

    async def _act(self, now: int) -> None:
        while True:
            event = self.mesh.next_event(now)
            if isinstance(event, Transmit):
                await self._transmit(event.frame)
                self._sent_at = now + event.airtime_ms
            elif isinstance(event, Received) and event.portnum == PRIVATE_APP:
                self.gossip.receive(event.payload, event, 20, self.scene.unix_s, now)
            done = self.gossip.next_event(now)
            if isinstance(done, events.Send):
                self.mesh.send(
                    PRIVATE_APP, done.payload, now, hop_limit=done.hop_limit, hop_start=done.hop_start
                )
            elif isinstance(done, events.Refused):
                self.refused.append(done.cause)
            if event is None and done is None:
                return

    async def _transmit(self, frame: bytes) -> None:
        before = self.scene.ether.counters["udp-in"]
        self._socket.sendto(frame, ("127.0.0.1", self.scene.ether.ports.udp_in))
        async with asyncio.timeout(5):
            while self.scene.ether.counters["udp-in"] == before:
                await asyncio.sleep(0)


def test_a_foreign_program_on_the_udp_port_gets_bulletins_and_is_believed_what_it_signs(tmp_path: Path):
    async def playing(port: socket.socket) -> None:
        async with stage(tmp_path, udp=(0, port.getsockname()[1])) as scene:
            await scene.start()
            foreigner = Foreigner(scene, "DH01", port)
            await foreigner.run(3 * SECOND)
            raws = bulletin_parts(scene.region, 1, "Ook voor anderen.", sent_s=scene.unix_s)
            async with Cable(scene, "OV01") as cable:
                cable.publish(*raws)
                await cable.until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV01"), "OV01 holds it")
            await foreigner.run(10 * SECOND)
            assert raws[0] in foreigner.replica.records()
            own = status_record(scene.region, "DH01", 7, "Wij zijn anders.", time_s=scene.unix_s)
            assert foreigner.gossip.publish(own, scene.unix_s, scene.ether.now_ms).state == NEW
            await foreigner.run(10 * SECOND)
            number = scene.region.point("DH01").number
            for code in ("OV01", "OV06"):
                assert (STATUS, number, 7, 0) in scene.known(code)
            await foreigner.run(100 * SECOND)
            assert len(foreigner.replica.statuses) == 3, "the nodes' statuses came too"
            assert not foreigner.refused and not scene.refused("OV01") and not scene.refused("OV06")
            scene.assert_healthy()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        port.setblocking(False)
        asyncio.run(playing(port))


def test_catching_up_does_not_make_an_old_time_look_certain(tmp_path: Path):
    """Bulletins that were signed minutes apart and come from a neighbour much later prove no time of day."""

    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.nodes["OV06"].settings["BAKEN_CLOCK"] = "unset"
            await scene.start("OV01")
            await scene.teach("OV01", *bulletin_parts(scene.region, 1, "Een.", sent_s=NOON_S))
            await scene.run(4 * MINUTE)
            later = bulletin_parts(scene.region, 2, "Twee.", sent_s=NOON_S + 240, severity=b"Severe")
            await scene.teach("OV01", *later)
            await scene.run(40 * MINUTE)
            await scene.start("OV06")
            started_ms = scene.ether.now_ms
            await scene.run(4 * MINUTE)
            assert {(BULLETIN, 1, 1, 0), (BULLETIN, 1, 2, 0)} <= scene.held("OV06")
            for words in scene.shown("OV06", started_ms):
                assert "OV06 --:--" in words or "OV06 ~" in words, words

    asyncio.run(playing())
