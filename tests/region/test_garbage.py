"""Garbage and lies, on the air and on the cable: nodes live on, say why they refuse, and show none of it."""

import asyncio
import random
import socket
from pathlib import Path

import pytest
from _nodes import HOUR, LIAR_NUM, MINUTE, SECOND, Cable, stage
from _region import NOON_S, authority_key, bulletin_parts, status_record
from meshtastic.protobuf import mesh_pb2

from baken.crypto.signing import AuthorityKey
from baken.wire import bulletin, status, stream
from baken.wire.records import BULLETIN, STATUS, region_tag

GOOD = "Dit is waar."
LIE = "Dit is gelogen."


def forged(region, seq: int, origin: int = 1, **fields) -> bytes:
    """A bulletin in an authority's name by somebody with a key of his own."""
    made = bulletin.Bulletin(origin, seq, NOON_S, NOON_S + 6 * 3600, LIE.encode())
    for name, value in fields.items():
        setattr(made, name, value)
    return bulletin.encode_parts(made, region.trust.tag, AuthorityKey(bytes([66]) * 32).sign)[0]


def other_region_record(region) -> bytes:
    """A bulletin that the same authority has signed for another region."""
    made = bulletin.Bulletin(1, 5, NOON_S, NOON_S + 6 * 3600, LIE.encode())
    return bulletin.encode_parts(made, region_tag(bytes(32)), authority_key(region).sign)[0]


def test_what_is_not_signed_rightly_is_never_shown_and_the_log_says_why(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            region = scene.region
            await scene.start()
            await scene.run(5 * SECOND)
            (good,) = bulletin_parts(region, 1, GOOD)
            await scene.teach("OV01", good)
            await scene.run_until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV06"), MINUTE, "both hold it")
            altered = bytearray(bulletin_parts(region, 9, LIE)[0])
            altered[20] ^= 1
            draft = status.Status(0, 0, 0, b"DICHT", LIE.encode())
            lies = [
                ("bad-signature", forged(region, 2)),
                ("bad-signature", forged(region, 0xFFFFFF, event=b"ALARM", severity=b"Extreme")),
                ("bad-signature", bytes(altered)),
                ("bad-signature", other_region_record(region)),
                ("unknown-authority", forged(region, 3, origin=77)),
                ("expired", bulletin_parts(region, 4, LIE, sent_s=NOON_S - 7200, valid_s=3600)[0]),
                ("conflict", bulletin_parts(region, 1, LIE)[0]),
                ("draft-from-air", status.encode_draft(draft)),
                ("record-short", good[:60]),
                ("record-version", b"\x01" + good[1:]),
                ("heartbeat-size", b"\x12" + good[1:]),
                ("record-kind", b"\x16" + good[1:]),
                ("bad-signature", b"\x1b" + good[1:]),
                ("bad-signature", b"\x21" + good[1:]),
            ]
            for cause, lie in lies:
                before = {code: len(scene.refused(code)) for code in scene.nodes}
                told = {}
                for _ in range(4):
                    await scene.say(lie)
                    told = {code: scene.refused(code)[count:] for code, count in before.items()}
                    if all(told.values()):
                        break
                assert {cause} == set().union(*told.values()) and all(told.values()), (cause, told)
            await scene.run(8 * MINUTE)
            for code in scene.nodes:
                assert not [words for words in scene.shown(code) if "gelogen" in words]
                assert GOOD in scene.screen(code)
                assert {record_id for record_id in scene.held(code) if record_id[0] == BULLETIN} == {
                    (BULLETIN, 1, 1, 0)
                }
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_lie_with_hops_left_is_not_relayed_and_a_truth_is(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.say(forged(scene.region, 2), hop_limit=3, hop_start=3, apart_ms=10 * SECOND)
            (good,) = bulletin_parts(scene.region, 1, GOOD)
            await scene.say(good, hop_limit=3, hop_start=3, apart_ms=10 * SECOND)
            relayed = [
                opened[1]["payload"]
                for _, sender, frame in scene.frames
                if sender in scene.nodes and (opened := scene.decrypt(frame)) and opened[0].sender == LIAR_NUM
            ]
            assert set(relayed) == {good}

    asyncio.run(playing())


def test_an_old_status_and_a_status_of_another_points_key_are_refused(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            number = scene.region.point("DH01").number
            await scene.teach("OV01", status_record(scene.region, "DH01", 8))
            await scene.run(30 * SECOND)
            before = len(scene.refused("OV01"))
            as_another = status.Status(number, 9, NOON_S, b"DICHT")
            key = AuthorityKey(bytes([66]) * 32)
            stranger = status.Status(999, 1, NOON_S, b"DICHT")
            for raw in (
                status_record(scene.region, "DH01", 7, "Oud."),
                status.encode(as_another, scene.region.trust.tag, key.sign),
                status.encode(stranger, scene.region.trust.tag, key.sign),
            ):
                said = len(scene.refused("OV01"))
                for _ in range(8):  # a frame may fall into the node's own
                    await scene.say(raw)
                    if len(scene.refused("OV01")) > said:
                        break
            assert scene.refused("OV01")[before:] == ["old-status", "bad-signature", "unknown-point"]
            of_point = [held for held in scene.learned("OV01") if held[:2] == (STATUS, number)]
            assert of_point == [(STATUS, number, 8, 0)]

    asyncio.run(playing())


def test_garbage_on_the_udp_port_and_on_the_air_stops_no_node(tmp_path: Path):
    rand = random.Random(3)

    async def playing() -> None:
        async with stage(tmp_path, udp=(0, 9)) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            (good,) = bulletin_parts(scene.region, 1, GOOD)
            frame = scene.frame(good, hop_limit=0, hop_start=1)
            heads = [frame[:n] for n in (1, 4, 8, 15, 16, 17, 40, len(frame) - 1)]
            random_frames = [rand.randbytes(rand.randrange(1, 256)) for _ in range(20)]
            # Right header and key, and something else than a Data message or a record inside.
            dressed = [scene.frame(rand.randbytes(rand.randrange(0, 200))) for _ in range(10)]
            kinds = [scene.frame(bytes((0x10 | kind,)) + rand.randbytes(90)) for kind in range(16)]
            ports = [scene.frame(rand.randbytes(40), portnum=port) for port in (1, 3, 4, 5, 6, 67, 70, 71)]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
                for number, junk in enumerate(heads + random_frames + dressed + kinds + ports):
                    port.sendto(junk, ("127.0.0.1", scene.ether.ports.udp_in))
                    async with asyncio.timeout(5):
                        while scene.ether.counters["udp-in"] <= number:
                            await asyncio.sleep(0)
                    await scene.run(1500)
            assert scene.ether.connected == set(scene.nodes)
            assert not any(record_id[0] == BULLETIN for code in scene.nodes for record_id in scene.held(code))
            await scene.teach("OV01", good)
            await scene.run_until(lambda: (BULLETIN, 1, 1, 0) in scene.held("OV06"), MINUTE, "both hold it")
            scene.assert_healthy()

    asyncio.run(playing())


@pytest.mark.parametrize("seed", [1, 2])
def test_garbage_on_the_cable_stops_neither_the_node_nor_the_next_program(tmp_path: Path, seed: int):
    rand = random.Random(seed)
    junk = [
        rand.randbytes(3000),
        b"\x94\xc3" * 400,
        b"\x94\xc3\xff\xff" + rand.randbytes(700),
        b"".join(stream.frame(rand.randbytes(rand.randrange(1, 200))) for _ in range(20)),
        b"\x94\xc3\x01\x00half a frame",
    ]

    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            (good,) = bulletin_parts(scene.region, 1, GOOD)
            await scene.teach("OV01", good)
            async with Cable(scene, "OV01") as cable:
                for data in junk:
                    await cable.write(data)
                    await scene.run(100)
                # Truth in a frame of its own, and lies in the same clothes.
                for lie in (b"", b"\x11", forged(scene.region, 2), b"\x1a\x00", rand.randbytes(231)):
                    to_radio = mesh_pb2.ToRadio(packet=cable.session._link_packet(lie))
                    await cable.write(stream.frame(to_radio.SerializeToString()))
                await scene.run(5 * SECOND)
            async with Cable(scene, "OV01") as cable:
                cable.publish(bulletin_parts(scene.region, 3, "Nog een waarheid.")[0])
                await cable.until(lambda: (BULLETIN, 1, 3, 0) in scene.held("OV06"), "the next is taken")
            assert not any("gelogen" in words for words in scene.shown("OV01"))
            scene.assert_healthy()

    asyncio.run(playing())


def heap_of(scene, code: str) -> list[int]:
    """What the node had in use, each time it told."""
    return [int(line.split()[2]) for line in scene.log(code) if " heap " in line]


def test_a_flood_of_garbage_neither_fills_the_memory_nor_stops_a_good_bulletin(tmp_path: Path):
    """Two thousand frames, half of them well dressed; the heap after each five hundred is the same."""
    rand = random.Random(7)

    async def playing() -> None:
        async with stage(tmp_path) as scene:
            scene.add("OV01", "measured_node", {"BAKEN_HEAP_EVERY_MS": str(MINUTE)})
            await scene.start()
            await scene.run(2 * MINUTE)
            (good,) = bulletin_parts(scene.region, 1, GOOD)
            await scene.teach("OV01", good)
            # Tables that are meant to fill (nodes heard, packets seen) do so in the first quarter.
            after = []
            for _quarter in range(4):
                for _ in range(500):
                    junk = rand.randbytes(rand.randrange(1, 60))
                    if rand.random() < 0.5:
                        sender = rand.randrange(4, 1 << 32)
                        junk = scene.frame(junk[:40], sender, portnum=rand.choice((1, 3, 4, 5, 67, 256, 256)))
                    scene.ether.inject(junk)
                    await scene.run(200)
                await scene.run(2 * MINUTE)
                after.append(heap_of(scene, "OV01")[-1])
            assert max(after[1:]) <= after[0] * 1.03, after
            raws = bulletin_parts(scene.region, 2, "Ondanks alles.", sent_s=scene.unix_s, severity=b"Severe")
            for _ in range(30):
                scene.ether.inject(rand.randbytes(50))
            await scene.teach("OV01", *raws)
            await scene.run_until(
                lambda: (BULLETIN, 1, 2, 0) in scene.held("OV06"), 2 * MINUTE, "both hold it"
            )
            await scene.run(3 * SECOND)
            assert "Ondanks alles." in scene.screen("OV06")
            assert len([line for line in scene.log("OV01") if " refused " in line]) > 100
            scene.assert_healthy()

    asyncio.run(playing())


def test_a_recorded_hour_played_again_changes_nothing(tmp_path: Path):
    async def playing() -> None:
        async with stage(tmp_path) as scene:
            await scene.start()
            await scene.run(5 * SECOND)
            await scene.teach("OV01", bulletin_parts(scene.region, 1, GOOD)[0])
            await scene.run(HOUR)
            recorded = [frame for _, sender, frame in scene.frames if sender in scene.nodes][-40:]
            await scene.run(HOUR)
            held = {code: scene.held(code) for code in scene.nodes}
            for frame in recorded:
                scene.ether.inject(frame)
                await scene.run(1000)
            for code in scene.nodes:
                lost = held[code] - scene.held(code)
                assert all(record_id[0] == STATUS for record_id in lost), "bulletins stay"
                newest = {
                    record_id[1]: record_id[2] for record_id in scene.held(code) if record_id[0] == STATUS
                }
                assert all(newest[point] > seq for _, point, seq, _ in lost), (
                    "a status gives way to a newer one"
                )
                assert GOOD in " ".join(scene.shown(code, scene.ether.now_ms - MINUTE))
            scene.assert_healthy()

    asyncio.run(playing())
