"""Whole nodes on a virtual ether: real MicroPython processes that run the firmware's main.py, and what a test
does with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from _boards import PROGRAMS, ROOT
from _region import NOON_S, POINTS, make_region

from baken.crypto import signing
from baken.device.flash import FlashStore, read_log
from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.receipts import receipts_of
from baken.noticeboard.replica import Replica
from baken.wire import messages, packet, protobuf, pulse, status
from baken.wire.channel import channel_hash, crypt, expand_key
from baken.wire.errors import RemoteProtocolError
from baken.wire.packet import BROADCAST, Packet
from baken.wire.records import (
    HEARTBEAT,
    POINT_KINDS,
    PULSES,
    STATUS,
    TRUST,
    decode_header,
    message_kind,
    signature_of,
    signed_bytes,
)
from baken_gateway.region import Region, load_channel_psk
from baken_gateway.session import READY, NodeSession
from baken_hardware.bench.region import provision
from baken_hardware.virtual.ether import Ether
from baken_hardware.virtual.launcher import VirtualNode, board_command
from baken_hardware.virtual.propagation import Point
from baken_hardware.virtual.reader import Reader

FIRMWARE = ROOT / "firmware"
MAIN = FIRMWARE / "root" / "main.py"
WIDTH, HEIGHT = 250, 122
SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
READ_MS = 10 * MINUTE  # from a person's confirmation to the point's telling of it, and a hop further
PRIVATE_APP = 256
LIAR_NUM = 0xBADC0DE5

RecordId = tuple[int, int, int, int]
_LEARNED = re.compile(r"^(\d+) learned (\d+)-(\d+)-(\d+)-(\d+) via [0-9a-f]{2}$")
_REFUSED = re.compile(r"^\d+ refused ([a-z-]+)$")
_WAIT_LIMIT_S = 20.0

_reader: Reader | None = None


def words_of(picture: bytes) -> str:
    """Everything that can be read on a picture, with single spaces."""
    global _reader
    _reader = _reader or Reader()
    return _reader.words(picture, WIDTH, HEIGHT)


class Stage:
    """A region with nodes at some of its points, all within each other's reach unless `places` says else."""

    def __init__(self, folder: Path, region: Region, ether: Ether) -> None:
        self.folder = folder
        self.region = region
        self.ether = ether
        self.nodes: dict[str, VirtualNode] = {}
        self.pictures: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.frames: list[tuple[int, str, bytes]] = []
        self._key = expand_key(load_channel_psk(region.folder), b"")
        self._words: dict[bytes, str] = {}
        self._packet_id = 1000
        ether.on_picture = lambda t_ms, code, rows: self.pictures[code].append((t_ms, rows))
        ether.on_frame = lambda t_ms, sender, frame: self.frames.append((t_ms, sender, frame))

    # Nodes

    def add(
        self,
        code: str,
        main: str | None = None,
        settings: Mapping[str, str] | None = None,
        flash: Path | None = None,
    ) -> VirtualNode:
        """A provisioned node at `code`, not started; `main`: a program of tests/hardware/programs instead."""
        folder = flash or self.folder / "flash" / code
        if not (folder / "node.json").exists():
            provision(self.region.folder, code, folder)
        argv, environment = board_command(FIRMWARE)
        self.nodes[code] = VirtualNode(
            code,
            ether=self.ether.address,
            flash=folder,
            run_folder=self.folder / "run",
            command=argv,
            environment=environment | {"BAKEN_TEST_FIRMWARE": str(FIRMWARE)},
            main_script=MAIN if main is None else PROGRAMS / f"{main}.py",
            settings=settings,
        )
        return self.nodes[code]

    async def start(self, *codes: str) -> None:
        """Plug nodes in, all of them by default, and wait until they are on the ether."""
        wanted = codes or tuple(self.nodes)
        for code in wanted:
            if code not in self.nodes:
                self.add(code)
            await self.nodes[code].start()
        await self.ether.wait_connected(wanted)
        await self.ether.idle()

    async def kill(self, code: str) -> None:
        """The battery falls out."""
        await self.nodes[code].kill()
        while code in self.ether.connected:
            await asyncio.sleep(0)

    async def run(self, duration_ms: int) -> None:
        """Let virtual time go by."""
        await self.ether.run_until(self.ether.now_ms + duration_ms)

    async def run_until(
        self, condition: Callable[[], object], limit_ms: int, what: str, step_ms: int = 1000
    ) -> int:
        """Let virtual time go by until `condition()`; how long it took, at most `limit_ms`."""
        started_ms = self.ether.now_ms
        while not condition():
            spent_ms = self.ether.now_ms - started_ms
            assert spent_ms < limit_ms, f"after {spent_ms} ms still not: {what}\n{self.logs()}"
            await self.run(min(step_ms, limit_ms - spent_ms))
        return self.ether.now_ms - started_ms

    @property
    def unix_s(self) -> int:
        return self.ether.unix_ms // 1000

    # What can be seen

    def log(self, code: str) -> list[str]:
        """All lines of the node's standard error."""
        path = self.nodes[code].log
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    def logs(self) -> str:
        """The end of every log, for a test that fails."""
        return "\n".join(f"{code}: {line}" for code in self.nodes for line in self.log(code)[-12:])

    def learned(self, code: str) -> list[RecordId]:
        found = (_LEARNED.match(line) for line in self.log(code))
        return [tuple(int(match.group(n)) for n in range(2, 6)) for match in found if match]  # type: ignore[misc]

    def refused(self, code: str) -> list[str]:
        """Causes for which the node refused something, in order."""
        found = (_REFUSED.match(line) for line in self.log(code))
        return [match.group(1) for match in found if match]

    def held(self, code: str) -> set[RecordId]:
        """Ids of the records on the node's flash that are rightly signed."""
        raws = self.raws(code)
        return {record_id for record_id, raw in raws.items() if self._is_signed(record_id, raw)}

    def raws(self, code: str) -> dict[RecordId, bytes]:
        """The records on the node's flash, whatever they are worth."""
        folder = self.nodes[code].flash / "board"
        return read_log(str(folder)) if (folder / "log").exists() else {}

    def keep(self, code: str, *raws: bytes) -> None:
        """Put records on the flash of a node that is off."""
        store = FlashStore(str(self.nodes[code].flash / "board"))
        for raw in raws:
            store.put(raw)
        store.save()

    def known(self, code: str) -> set[RecordId]:
        """What the node holds or has heard: a STATUS or HEARTBEAT of others may wait in memory."""
        return self.held(code) | set(self.learned(code))

    def _is_signed(self, record_id: RecordId, raw: bytes) -> bool:
        kind, origin, _seq, _part = record_id
        trust = self.region.trust
        if kind == TRUST:
            public = trust.root_public
        elif kind in POINT_KINDS:
            public = trust.points[origin].signing_public
        else:
            public = trust.authorities[origin].public
        return signing.verify(public, signed_bytes(raw, trust.tag), signature_of(raw))

    def halves(self, code: str) -> list[str]:
        """Files on the node's flash that were never finished."""
        return sorted(path.name for path in (self.nodes[code].flash / "board").rglob("~*"))

    def shown(self, code: str, since_ms: int = 0) -> list[str]:
        """The words of the node's pictures since then, each different one once, in order."""
        seen: list[str] = []
        for t_ms, picture in self.pictures[code]:
            if t_ms >= since_ms:
                if picture not in self._words:
                    self._words[picture] = words_of(picture)
                if self._words[picture] not in seen:
                    seen.append(self._words[picture])
        return seen

    def screen(self, code: str) -> str:
        """What can be read on the node's display now."""
        picture = self.pictures[code][-1][1]
        if picture not in self._words:
            self._words[picture] = words_of(picture)
        return self._words[picture]

    def assert_healthy(self) -> None:
        """Every node that was not stopped on purpose runs, and none has ever shown a traceback."""
        for code, node in self.nodes.items():
            text = "\n".join(self.log(code))
            assert "Traceback" not in text, f"{code}:\n{text[-2000:]}"

    # The air

    def decrypt(self, frame: bytes) -> tuple[Packet, dict] | None:
        """Header and Data of a frame on the region's channel; None for anything else."""
        try:
            header = packet.decode(frame)
            data = protobuf.decode(messages.DATA, crypt(self._key, header.id, header.sender, header.payload))
        except RemoteProtocolError:
            return None
        return header, data

    def records_on_air(self, kind: int = STATUS, sender: str | None = None) -> list[tuple[int, str, bytes]]:
        """(time, sender, raw record) of each record of that kind that boards have put on the air."""
        out = []
        for t_ms, code, frame in self.frames:
            if code not in self.nodes or (sender is not None and code != sender):
                continue
            opened = self.decrypt(frame)
            if opened is None or opened[1].get("portnum") != PRIVATE_APP:
                continue
            payload = opened[1].get("payload", b"")
            if payload and payload[0] == 0x10 | kind:
                out.append((t_ms, code, payload))
        return out

    def statuses_of(self, code: str) -> list[status.Status]:
        """Every STATUS that the point has made and that was on the air, the oldest first, each once.

        AssertionError when two have the same number, or a number came after a higher one.
        """
        number = self.region.point(code).number
        made: dict[int, bytes] = {}
        for _, _, raw in self.records_on_air(STATUS):
            header = decode_header(raw)
            if header.origin == number:
                if header.seq not in made:
                    assert header.seq > max(made, default=0), f"{code}: {header.seq} after {max(made)}"
                assert made.setdefault(header.seq, raw) == raw, f"{code} made two statuses {header.seq}"
        return [status.decode(raw) for raw in made.values()]

    def overheard(self, sender: str | None = None) -> Replica:
        """What somebody holds who has listened since the start and got every frame (of one sender): statuses
        and the pulses that follow them.
        """
        replica = Replica(self.region.trust, MemoryStore())
        said = [
            (t_ms, raw) for kind in (STATUS, PULSES) for t_ms, _, raw in self.records_on_air(kind, sender)
        ]
        for _, raw in sorted(said, key=lambda one: one[0]):
            if message_kind(raw) == STATUS:
                replica.receive_record(raw, self.unix_s)
            else:
                for one in pulse.decode(raw):
                    replica.pulses.receive(one)
        return replica

    def told(self, code: str, bulletin: tuple[int, int]) -> tuple[bool, bool]:
        """Whether the point has told, in a STATUS or a pulse, that a bulletin was received and read there."""
        found = receipts_of(self.overheard(code), bulletin).get(self.region.point(code).number)
        return (found.received, found.read) if found else (False, False)

    def signs_of_life(self, code: str) -> int:
        """How often the point has said anew that its STATUS holds: by a new one, or by a pulse of ALIVE."""
        number = self.region.point(code).number
        shown = {
            (one.number, step)
            for _, _, raw in self.records_on_air(PULSES, code)
            for one in pulse.decode(raw)
            if one.point == number
            for chain, step, value in one.steps
            if chain == pulse.ALIVE and value
        }
        return len(self.statuses_of(code)) + len(shown)

    def frame(
        self,
        payload: bytes,
        sender: int = LIAR_NUM,
        packet_id: int | None = None,
        hop_limit: int = 0,
        hop_start: int = 1,
        portnum: int = PRIVATE_APP,
    ) -> bytes:
        """A whole LoRa frame of somebody who has the channel's key; by default it asks for no relaying."""
        if packet_id is None:
            self._packet_id += 1
            packet_id = self._packet_id
        name = self.region.channel.name.encode()
        data = protobuf.encode(messages.DATA, {"portnum": portnum, "payload": payload, "bitfield": 0})
        return packet.encode(
            Packet(
                to=BROADCAST,
                sender=sender,
                id=packet_id,
                hop_limit=hop_limit,
                want_ack=False,
                via_mqtt=False,
                hop_start=hop_start,
                channel_hash=channel_hash(name, self._key),
                next_hop=0,
                relay_node=sender & 0xFF,
                payload=crypt(self._key, packet_id, sender, data),
            )
        )

    async def say(self, *payloads: bytes, apart_ms: int = 2500, **fields: int) -> None:
        """A stranger in the middle of the region sends these payloads, one after the other."""
        for payload in payloads:
            self.ether.inject(self.frame(payload, **fields))
            await self.run(apart_ms)

    async def teach(self, code: str, *raws: bytes) -> None:
        """A stranger sends these records until the node holds each: a frame may fall into the node's own."""
        for raw in raws:
            record_id = decode_header(raw).record_id
            for _ in range(8):
                await self.say(raw)
                waits = record_id[0] in (STATUS, HEARTBEAT)
                if record_id in (self.known(code) if waits else self.held(code)):
                    break
            else:
                raise AssertionError(f"{code} does not take {record_id}\n{self.logs()}")


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    codes: Sequence[str] = ("OV01", "OV06"),
    *,
    places: Mapping[str, Point] | None = None,
    region: Region | None = None,
    epoch_unix_s: int = NOON_S,
    points: Sequence[Sequence[str]] = POINTS,
    **options: Any,
) -> AsyncIterator[Stage]:
    """A region with an ether without chance, nodes added for `codes`; everything is stopped at the end."""
    made = region or make_region(folder, points)
    if places is None:
        places = {code: Point(code, 0.7 * index, 0.0, 10.0) for index, code in enumerate(codes)}
    options = {"fading_db": 0.0, "loss": 0.0} | options
    async with Ether(places, epoch_unix_s=epoch_unix_s, **options) as ether:
        scene = Stage(folder, made, ether)
        for code in codes:
            scene.add(code)
        try:
            yield scene
        finally:
            for node in scene.nodes.values():
                await node.stop()


class Cable:
    """A program with a replica of its own on a node's serial port, in virtual time.

    Time goes by in small steps, only while the node has nothing to say.
    """

    def __init__(self, scene: Stage, code: str) -> None:
        self.scene = scene
        self.replica = Replica(scene.region.trust, MemoryStore())
        self.link = LinkSession(self.replica)
        self.session = NodeSession(self.link, random.Random(5).randrange)
        self._port = os.open(scene.nodes[code].tty, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    async def __aenter__(self) -> Cable:
        self.session.open(self.scene.ether.now_ms)
        await self.until(lambda: self.session.state == READY, "the node has told its configuration")
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._port)

    def publish(self, *raws: bytes) -> None:
        """Records made here go to the node."""
        for raw in raws:
            assert self.replica.receive_record(raw, self.scene.unix_s).state == "new"
            self.session.offer(raw, self.scene.ether.now_ms)

    async def write(self, data: bytes) -> None:
        """Raw bytes, whatever they are."""
        deadline_s = time.monotonic() + _WAIT_LIMIT_S
        while data:
            try:
                data = data[os.write(self._port, data) :]
            except BlockingIOError:
                assert time.monotonic() < deadline_s, f"{len(data)} bytes could not be written"
                await self._turn()

    async def until(self, condition: Callable[[], object], what: str, limit_ms: int = 2 * MINUTE) -> None:
        """Let the two talk until `condition()`."""
        end_ms = self.scene.ether.now_ms + limit_ms
        deadline_s = time.monotonic() + _WAIT_LIMIT_S
        while True:
            await self._pump()
            if condition():
                return
            assert self.scene.ether.now_ms < end_ms and time.monotonic() < deadline_s, f"not: {what}"
            await self._turn()

    async def _pump(self) -> None:
        ether = self.scene.ether
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._port, 4096):
                self.session.receive(data, self.scene.unix_s, ether.now_ms)
        while (data := self.session.next_bytes(ether.now_ms)) is not None:
            await self.write(data)

    async def _turn(self) -> None:
        """Wait for bytes from the node; when there are none for a moment, let some virtual time go by."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._port, readable.set)
        try:
            async with asyncio.timeout(0.02):
                await readable.wait()
        except TimeoutError:
            await self.scene.run(50)
        finally:
            loop.remove_reader(self._port)
