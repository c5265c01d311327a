"""Plays the plan on the stage, and waits after each step until it can be seen to have worked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from baken.wire.records import BULLETIN, HEARTBEAT
from baken_hardware.bench.report import ReportError
from baken_hardware.bench.report import send as send_report
from baken_hardware.demo import forger, scenario
from baken_hardware.demo.correspondence import Correspondence
from baken_hardware.demo.desk import Desk, DeskError
from baken_hardware.demo.observer import Observer
from baken_hardware.demo.plan import (
    BEAT_HOURS,
    Answer,
    Beat,
    Call,
    Confirm,
    Forge,
    Outage,
    Send,
    Step,
    SwitchOff,
    SwitchOn,
    Tell,
)
from baken_hardware.demo.scenario import CRISIS_ROOM, Bulletin
from baken_hardware.demo.stage import Stage
from baken_hardware.demo.witness import Displays, NodeLog, RecordId, held_on_flash
from baken_hardware.virtual.propagation import Point

EFFECT_TIMEOUT_S = 40.0  # wall time within which a program must have done what it was asked
BROKER_WAIT_S = 20
_POLL_S = 0.02
_FORGERS_HEIGHT_M = 3.0
_FORGERS_PAUSE_MS = 5_000
_FORGERS_ATTEMPTS = 20  # a tower that hears everybody once missed five in a row
_SETTLE_MS = 120_000
_LOOK_S = 0.2
_LOOKS = 40
_STATUS_TRAVELS_MS = 60_000
_STATUS_LATEST_MS = 15 * 60_000  # one that nobody near could hear is repeated in pauses of minutes
_LOOK_MS = 20_000


class PlayError(Exception):
    """A step had no effect in time; the text says which."""


@dataclass
class Sent:
    """A bulletin that was sent: its number, when the gateway's node had it, and who held it when that was
    checked.
    """

    bulletin: Bulletin
    key: tuple[int, int]
    parts: int
    asked_ms: int
    on_air_ms: int | None = None
    held: set[str] = field(default_factory=set)

    @property
    def record_ids(self) -> set[RecordId]:
        return {(BULLETIN, *self.key, part) for part in range(self.parts)}


class Director:
    """`play(steps, say)` carries the steps out; what happened is in the public fields and in the
    witnesses.
    """

    def __init__(self, stage: Stage, displays: Displays) -> None:
        self.stage = stage
        self.displays = displays
        self.desk = Desk(stage)
        self.region = stage.region()
        self.logs = {code: NodeLog(node.log) for code, node in stage.nodes.items()}
        self.sent: dict[str, Sent] = {}
        self.on_since_ms = dict.fromkeys(stage.codes, 0)
        self.told: dict[RecordId, str] = {}  # STATUS that people told, and the exercise's name for it
        self.told_at_console: set[RecordId] = set()
        self.confirmed: list[tuple[str, str]] = []
        self.outage_records: set[RecordId] = set()
        self.outage_signs: set[str] = set()  # points that told meanwhile, as came to the broker
        self.forged_at: set[str] = set()
        self.observer = Observer(stage.broker_port, self.region.id)
        self.beats: set[RecordId] = set()
        self.is_live = False
        self._outage_from: set[RecordId] | None = None
        self._outage_from_s = 0
        self._to_follow: list[RecordId] = []  # STATUS told while the broker was down
        self._packet_id = 1000
        self.letters = Correspondence(self)

    def close(self) -> None:
        self.observer.close()

    @property
    def is_outage(self) -> bool:
        """Whether the broker is down."""
        return self._outage_from is not None

    async def play(self, steps: list[Step], say: Callable[[int, str], None]) -> None:
        """Carry out the steps in order of time."""
        for step in steps:
            await self.run_until(self._ms(step.at_s))
            say(step.at_s, await self._act(step))
            self._check_alive()

    async def perform(self, steps: list[Step]) -> None:
        """Carry the steps out while time goes by itself, for somebody who watches; a step that fails is
        left.
        """
        self.is_live = True
        for step in steps:
            while self.stage.ether.now_ms < self._ms(step.at_s):
                await asyncio.sleep(_LOOK_S)
            with contextlib.suppress(PlayError, DeskError, ReportError):
                await self._act(step)

    async def run_until(self, t_ms: int) -> None:
        """Let time go; looks at every node's flash on the way, so that nothing held for a while is
        overlooked.
        """
        ether = self.stage.ether
        while ether.now_ms < t_ms:
            await ether.run_until(min(t_ms, ether.now_ms + 600_000))
            self._note_held()
            self._check_alive()

    async def settle(self) -> None:
        """At the end: let the last frames and cables finish."""
        await self.run_until(self.stage.ether.now_ms + _SETTLE_MS)
        await self.until(
            lambda: not self.missing_at_broker(), "the broker lacks records that the gateway's node holds"
        )

    def missing_at_broker(self) -> set[RecordId]:
        """Records on the gateway node's flash that the broker has never shown."""
        return held_on_flash(self.stage.flash(CRISIS_ROOM)) - self.observer.records

    # --- steps

    async def _act(self, step: Step) -> str:
        if isinstance(step, Send):
            return await self._send(step.bulletin)
        if isinstance(step, Tell):
            return await self._tell(step)
        if isinstance(step, Call):
            return await self.letters.call(step.letter)
        if isinstance(step, Answer):
            return await self.letters.answer(step.letter)
        if isinstance(step, Beat):
            return await self._beat()
        if isinstance(step, Confirm):
            return await self._confirm(step)
        if isinstance(step, Forge):
            return await self._forge(step.bulletin)
        if isinstance(step, SwitchOff):
            await self.stage.switch_off(step.code)
            return f"{step.code} is off: its battery is empty"
        if isinstance(step, SwitchOn):
            self.on_since_ms[step.code] = self.stage.ether.now_ms
            await self.stage.switch_on(step.code)
            return f"{step.code} is back with a new battery"
        if isinstance(step, Outage):
            await self.stage.broker.stop()
            self._outage_from = held_on_flash(self.stage.flash(CRISIS_ROOM))
            self._outage_from_s = self.stage.ether.unix_ms // 1000
            return "power outage in the data centre: the broker is down"
        return await self._restore()

    async def _send(self, bulletin: Bulletin) -> str:
        now_ms = self.stage.ether.now_ms
        key = await self.desk.send(bulletin, 0 if self.is_outage else BROKER_WAIT_S)
        self.sent[bulletin.id] = Sent(bulletin, key, self.desk.parts(bulletin), now_ms)
        made = f"{bulletin.id} {bulletin.event} signed as {key[0]}/{key[1]} by {bulletin.authority}"
        if self.is_outage:
            return f"{made}, waits in the console for the broker"
        await self._wait_on_air(self.sent[bulletin.id])
        return f"{made} and sent"

    async def _wait_on_air(self, sent: Sent) -> None:
        await self.until(
            lambda: sent.record_ids <= held_on_flash(self.stage.flash(CRISIS_ROOM)),
            f"{sent.bulletin.id} did not reach the gateway's node",
        )
        sent.on_air_ms = self.stage.ether.now_ms

    async def _tell(self, step: Tell) -> str:
        report = step.report
        if not self.stage.nodes[report.code].running:
            return f"{report.id} from {report.code} not told: the node is off"
        log = self.logs[report.code]
        before = log.update().statuses()
        await asyncio.to_thread(send_report, self.stage.nodes[report.code].tty, report.draft)
        number = self.region.point(report.code).number
        signed: set[RecordId] = set()

        def is_signed() -> bool:
            signed.update(item for item in log.update().statuses() - before if item[1] == number)
            return bool(signed)

        await self.until(is_signed, f"{report.code} did not sign its status")
        self.told[max(signed)] = report.id
        minutes = await self._travel(max(signed))
        if self.is_outage:
            self._to_follow.append(max(signed))
        elif not self.is_live:
            await self._follow(max(signed))
        state, people = report.draft.state.decode(), report.draft.people
        late = f", after {minutes} minutes" if minutes > 1 else ""
        return f"{report.id} STATUS of {report.code}: {state}, {people} people{late}"

    async def _travel(self, record_id: RecordId) -> int:
        """Let time go by until the crisis room's node has a STATUS; in minutes, begun ones count."""
        log = self.logs[CRISIS_ROOM]
        for minutes in range(1, _STATUS_LATEST_MS // _STATUS_TRAVELS_MS + 1):
            await self.pass_time(_STATUS_TRAVELS_MS)
            if self.is_live or record_id in log.update().statuses():
                return minutes
        limit = _STATUS_LATEST_MS // 60_000
        raise PlayError(f"{self.told[record_id]} did not reach {CRISIS_ROOM} within {limit} minutes")

    async def _follow(self, record_id: RecordId) -> None:
        """Wait until a STATUS is at the broker, and look whether the console shows it."""
        name = self.told[record_id]
        await self.until(lambda: record_id in self.observer.records, f"{name} did not reach the broker")
        listing = await self.desk.list(wait_s=BROKER_WAIT_S)
        code = self.region.point_by_number(record_id[1])
        for row in listing["points"]:
            if code is not None and row["code"] == code.code and (row["seq"] or 0) >= record_id[2]:
                self.told_at_console.add(record_id)

    async def _beat(self) -> str:
        """The open console sends heartbeats by itself."""
        if self.is_live:
            return "the console sends a heartbeat"
        log = self.logs[CRISIS_ROOM]
        before = {item.record_id for item in log.update().learned}
        await self.desk.beat(60 * BEAT_HOURS, BROKER_WAIT_S)
        new: set[RecordId] = set()

        def is_there() -> bool:
            learned = {item.record_id for item in log.update().learned} - before
            new.update(item for item in learned if item[0] == HEARTBEAT)
            return bool(new)

        await self.until(is_there, "the heartbeat did not reach the gateway's node")
        self.beats |= new
        return f"heartbeat {max(new)[2]}"

    async def _confirm(self, step: Confirm) -> str:
        """The volunteer waits until the bulletin is on the display, and presses long."""
        for _ in range(_LOOKS):
            picture = self.displays.latest.get(step.code)
            seen = self.displays.eyes.see(self.displays.eyes.page(picture)) if picture else None
            if seen is not None and seen[0].id == step.bulletin.id:
                self.stage.ether.press(step.code, "long")
                self.confirmed.append((step.code, step.bulletin.id))
                return f"{step.bulletin.id} read and confirmed by the volunteer of {step.code}"
            await self.pass_time(_LOOK_MS)
        raise PlayError(f"{step.bulletin.id} was not on the display of {step.code}")

    async def _forge(self, bulletin: Bulletin) -> str:
        raw = forger.forge(self.region, bulletin)
        for code in self.stage.codes:
            if self.stage.nodes[code].running and await self._lie_to(code, raw):
                self.forged_at.add(code)
        self.observer.publish(f"record/bulletin/{self.region.authorities[0].number}/{forger.SEQ}", raw)
        return f"{bulletin.id} forged near every node and on MQTT: refused by {len(self.forged_at)} nodes"

    async def _lie_to(self, code: str, raw: bytes) -> bool:
        """Send a forgery from beside a node, again when the air loses it; whether the node refused it."""
        log, place = self.logs[code], self.stage.points[code]
        before = sum(log.update().refused.values())
        near = Point(f"liar-{code}", place.x_km + 0.05, place.y_km, _FORGERS_HEIGHT_M)
        for _ in range(_FORGERS_ATTEMPTS):
            self._packet_id += 1
            self.stage.ether.inject(forger.frame(self.region, raw, self._packet_id), point=near)
            await self.pass_time(_FORGERS_PAUSE_MS)
            if sum(log.update().refused.values()) > before:
                return True
        return False

    async def _restore(self) -> str:
        during = held_on_flash(self.stage.flash(CRISIS_ROOM)) - (self._outage_from or set())
        self._outage_from = None
        await self.stage.start_broker()
        for sent in self.sent.values():
            if sent.on_air_ms is None:
                await self.desk.run(sent.bulletin.authority, ["list", "--json", "--wait", str(BROKER_WAIT_S)])
                await self._wait_on_air(sent)
                during |= sent.record_ids
        during |= await self.letters.deliver_kept()
        await self.until(
            lambda: during <= self.observer.records, "records made during the outage are not at the broker"
        )
        await self.until(
            lambda: bool(self._told_since(self._outage_from_s)),
            "no sign of life of the outage is at the broker",
        )
        self.outage_signs = self._told_since(self._outage_from_s)
        while self._to_follow and not self.is_live:
            await self._follow(self._to_follow.pop(0))
        self.outage_records = during
        return f"the broker is back: {len(during)} records made meanwhile have reached it"

    # --- inside

    def _told_since(self, unix_s: int) -> set[str]:
        signs = self.observer.signs_of_life
        return {code for code, as_of_s in signs.items() if as_of_s >= unix_s}

    async def pass_time(self, time_ms: int) -> None:
        """Let so much virtual time go by."""
        until_ms = self.stage.ether.now_ms + time_ms
        if not self.is_live:
            await self.stage.ether.run_until(until_ms)
        while self.stage.ether.now_ms < until_ms:
            await asyncio.sleep(_POLL_S)

    def _note_held(self) -> None:
        for code in self.stage.codes:
            held = held_on_flash(self.stage.flash(code))
            for sent in self.sent.values():
                if sent.record_ids <= held:
                    sent.held.add(code)

    async def until(self, condition: Callable[[], bool], complaint: str) -> None:
        """Wait, in wall time, for a program outside virtual time; time may go on a little for cables and
        timers.
        """
        deadline = time.monotonic() + EFFECT_TIMEOUT_S
        while not condition():
            self._check_alive()
            if time.monotonic() > deadline:
                raise PlayError(f"{complaint} within {EFFECT_TIMEOUT_S:.0f} s")
            await asyncio.sleep(_POLL_S)

    def _check_alive(self) -> None:
        self.stage.check()
        for code, node in self.stage.nodes.items():
            if not node.running and node.exit_status not in (None, -9):
                raise PlayError(f"the program of {code} ended with status {node.exit_status}, see {node.log}")

    def _ms(self, unix_s: int) -> int:
        return (unix_s - scenario.unix_s(scenario.START)) * 1000
