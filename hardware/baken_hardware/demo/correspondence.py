"""Emergency reports and answers of the exercise: who calls for help, who answers, and how long each waited.

People at a point hand in their report over the cable; the crisis room sees it in `baken-console reports`, and
answers with `baken-console answer`; somebody at the point reads the answer from the display and confirms it
with the button. An answer to a status belongs to no report and goes to the point alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from baken.wire.records import ANSWER, REPORT
from baken_hardware.bench.report import send_emergency
from baken_hardware.demo.scenario import CRISIS_ROOM, Letter
from baken_hardware.demo.witness import RecordId, Sighting, held_on_flash

if TYPE_CHECKING:
    from baken_hardware.demo.director import Director

WAITS, RECEIVED, WRITTEN, READ = "NOODMELDING", "ONTVANGEN", "ANTWOORD", "GELEZEN"
_BROKER_WAIT_S = 20
_LOOK_MS = 5_000
_LIMIT_MS = 600_000  # so long a record is waited for; the verdict says how long it took


@dataclass
class Called:
    """A report that was handed in: its record, and the rows that the console has shown of it."""

    letter: Letter
    record_id: RecordId
    called_ms: int
    at_gateway_ms: int | None = None
    row: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answered:
    """An answer that was sent: its record once the gateway's node has it, and when the point showed it."""

    letter: Letter
    target: str
    asked_ms: int
    record_id: RecordId | None = None
    shown_ms: int | None = None
    is_read: bool = False


class Correspondence:
    """`call` and `answer` are the steps, told in a sentence; what happened is in `called` and `answered`."""

    def __init__(self, director: Director) -> None:
        self._director = director
        self.called: dict[str, Called] = {}
        self.answered: dict[str, Answered] = {}

    async def call(self, letter: Letter) -> str:
        """Somebody at the point calls for help."""
        director = self._director
        log = director.logs[letter.code]
        before = {item.record_id for item in log.update().learned}
        called_ms = director.stage.ether.now_ms
        tty = director.stage.nodes[letter.code].tty
        await asyncio.to_thread(send_emergency, tty, letter.text, letter.priority.encode(), True)
        number = director.region.point(letter.code).number
        made: set[RecordId] = set()

        def is_made() -> bool:
            new = {item.record_id for item in log.update().learned} - before
            made.update(item for item in new if item[0] == REPORT and item[1] == number)
            return bool(made)

        await director.until(is_made, f"{letter.code} did not sign its emergency report")
        called = self.called[letter.id] = Called(letter, max(made), called_ms)
        gateway = director.logs[CRISIS_ROOM]
        await self._let_travel(lambda: gateway.update().when(called.record_id) is not None)
        learned = gateway.update().when(called.record_id)
        if learned is None:
            return f"{letter.id} NOODMELDING of {letter.code} does not reach the crisis room"
        called.at_gateway_ms = learned.t_ms
        if director.is_outage or director.is_live:
            return f"{letter.id} NOODMELDING of {letter.code}"
        await director.until(
            lambda: called.record_id in director.observer.records, f"{letter.id} did not reach the broker"
        )
        target = f"{letter.code}/{called.record_id[2]}"
        for row in await director.desk.reports(_BROKER_WAIT_S):
            if row["id"] == target:
                called.row = row
        return f"{letter.id} NOODMELDING of {letter.code}, opened in the crisis room as {target}"

    async def answer(self, letter: Letter) -> str:
        """The crisis room answers, and a volunteer reads it."""
        director = self._director
        call = self.called.get(letter.ref)
        target = f"{letter.code}/{call.record_id[2]}" if call else letter.code
        answered = Answered(letter, target, director.stage.ether.now_ms)
        self.answered[letter.id] = answered
        before = self._answers_at_gateway()
        await director.desk.answer(target, letter.text, 0 if director.is_outage else _BROKER_WAIT_S)
        if director.is_outage:
            return f"{letter.id} ANTWOORD to {target} waits in the console for the broker"
        await self._deliver(answered, before)
        return f"{letter.id} ANTWOORD to {target}, {'read there' if answered.is_read else 'not read yet'}"

    async def deliver_kept(self) -> set[RecordId]:
        """After an outage: let the console send what it kept; the records that have now reached the mesh."""
        director, out = self._director, set()
        for answered in self.answered.values():
            if answered.record_id is None:
                before = self._answers_at_gateway(up_to_ms=answered.asked_ms)
                await director.desk.reports(_BROKER_WAIT_S)
                await self._deliver(answered, before)
                if answered.record_id is not None:
                    out.add(answered.record_id)
        return out

    def sighting(self, letter: Letter, title: str) -> Sighting | None:
        """How the addressee's display has shown a letter under that title."""
        return self._director.displays.by_code[letter.code].letters.get((letter.id, title))

    # --- inside

    async def _deliver(self, answered: Answered, before: set[RecordId]) -> None:
        """Wait until the answer is on the display; then somebody there presses long."""
        director, letter = self._director, answered.letter
        await director.until(
            lambda: bool(self._answers_at_gateway() - before), f"{letter.id} did not reach the gateway's node"
        )
        answered.record_id = min(self._answers_at_gateway() - before)
        title = RECEIVED if letter.ref in self.called else WRITTEN

        def is_shown() -> bool:
            sighting = self.sighting(letter, title)
            return sighting is not None and sighting.whole_ms is not None

        await self._let_travel(is_shown)
        sighting = self.sighting(letter, title)
        answered.shown_ms = sighting.whole_ms if sighting is not None else None
        if answered.shown_ms is None:
            return
        await self._let_travel(lambda: self._title(letter.code) == title)
        director.stage.ether.press(letter.code, "long")
        await director.pass_time(_LOOK_MS)
        answered.is_read = self._title(letter.code) == READ

    async def _let_travel(self, has_come) -> None:
        """Time goes by until `has_come`, or for so long that the verdict must call it lost."""
        ether = self._director.stage.ether
        until_ms = ether.now_ms + _LIMIT_MS
        while not has_come() and ether.now_ms < until_ms:
            await self._director.pass_time(_LOOK_MS)

    def _answers_at_gateway(self, up_to_ms: int | None = None) -> set[RecordId]:
        """Ids of the answers that the gateway's node has taken in, all or those up to a time."""
        log = self._director.logs[CRISIS_ROOM].update()
        return {
            item.record_id
            for item in log.learned
            if item.record_id[0] == ANSWER and (up_to_ms is None or item.t_ms <= up_to_ms)
        }

    def _title(self, code: str) -> str:
        picture = self._director.displays.latest.get(code)
        return self._director.displays.eyes.page(picture).title if picture else ""


def open_reports(director: Director) -> list[tuple[str, RecordId]]:
    """Reports that still lie on some node's flash: none, once all of them were answered."""
    found = []
    for code in director.stage.codes:
        held = held_on_flash(director.stage.flash(code))
        found += [(code, record_id) for record_id in sorted(held) if record_id[0] == REPORT]
    return found
