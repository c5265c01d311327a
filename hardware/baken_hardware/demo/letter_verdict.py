"""Holds what was seen of emergency reports, answers and heartbeats against what should have been."""

from __future__ import annotations

from typing import Any

from baken_hardware.demo.correspondence import RECEIVED, WAITS, WRITTEN, Answered, Called, open_reports
from baken_hardware.demo.director import Director
from baken_hardware.demo.scenario import CRISIS_ROOM, Letter
from baken_hardware.demo.witness import held_on_flash

REQUIRED_S = 90.0  # from the call to the crisis room, and from its answer to the display


class LetterVerdict:
    """`summary(rows)` gives the figures; every difference is a sentence in `failures`. `rows`: what
    `baken-console reports --json` tells at the end.
    """

    def __init__(self, director: Director, failures: list[str]) -> None:
        self._director = director
        self._letters = director.letters
        self.failures = failures

    def summary(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Reports, answers and heartbeats."""
        by_target = {row["id"]: row for row in rows}
        calls = [self._call(called, by_target) for called in self._letters.called.values()]
        answers = [self._answer(answered, by_target) for answered in self._letters.answered.values()]
        for code, record_id in open_reports(self._director):
            if any(
                called.record_id == record_id and self._is_answered(called.letter)
                for called in self._letters.called.values()
            ):
                self.failures.append(f"{code} still holds the answered report {record_id[1]}/{record_id[2]}")
        self._check_secrecy()
        return {"reports": calls, "answers": answers, "heartbeats": self._heartbeats()}

    # --- one by one

    def _call(self, called: Called, by_target: dict[str, dict[str, Any]]) -> dict[str, Any]:
        letter = called.letter
        name = f"{letter.id} of {letter.code}"
        seconds = _seconds(called.called_ms, called.at_gateway_ms)
        if seconds is None or seconds > REQUIRED_S:
            self.failures.append(f"{name} took {seconds} s to the crisis room")
        if called.record_id not in self._director.observer.records:
            self.failures.append(f"{name} never reached the broker")
        row = called.row
        expected = (letter.text, letter.priority, True, None)
        if (row.get("text"), row.get("priority"), row.get("exercise"), row.get("received")) != expected:
            self.failures.append(f"the console did not show {name} as it was made and as waiting: {row}")
        waited = self._letters.sighting(letter, WAITS)
        if waited is None:
            self.failures.append(f"the display of {letter.code} never said that {letter.id} waits")
        last = by_target.get(f"{letter.code}/{called.record_id[2]}", {})
        if self._is_answered(letter) and not last.get("received"):
            self.failures.append(f"the console does not know at the end that {name} was received")
        return {"id": letter.id, "point": letter.code, "seconds_to_crisis_room": seconds}

    def _answer(self, answered: Answered, by_target: dict[str, dict[str, Any]]) -> dict[str, Any]:
        letter, director = answered.letter, self._director
        name = f"{letter.id} to {answered.target}"
        call = self._letters.called.get(letter.ref)
        learned = director.logs[CRISIS_ROOM].when(answered.record_id) if answered.record_id else None
        seconds = _seconds(learned.t_ms if learned else None, answered.shown_ms)
        if seconds is None or seconds > REQUIRED_S:
            self.failures.append(f"{name} was on the display after {seconds} s")
        sighting = self._letters.sighting(letter, RECEIVED if call else WRITTEN)
        if sighting is not None and not sighting.is_checked:
            self.failures.append(f"{letter.code} showed {letter.id} without GECONTROLEERD and its authority")
        if sighting is not None and not sighting.is_marked:
            self.failures.append(f"{letter.code} showed {letter.id} without the mark of an exercise")
        if not answered.is_read:
            self.failures.append(f"{name} could not be confirmed with the button")
        if answered.record_id not in director.observer.records:
            self.failures.append(f"{name} never reached the broker")
        if call:
            told = [one["text"] for one in by_target.get(answered.target, {}).get("answers", [])]
            if letter.text not in told:
                self.failures.append(f"the console does not list {name}: {told}")
        return {
            "id": letter.id,
            "to": answered.target,
            "seconds_to_display": seconds,
            "read": answered.is_read,
        }

    def _check_secrecy(self) -> None:
        """A sealed text is on the display of its point and nowhere else."""
        owners = {one.letter.id: one.letter.code for one in self._letters.called.values()}
        owners |= {one.letter.id: one.letter.code for one in self._letters.answered.values()}
        for code, display in self._director.displays.by_code.items():
            for name, title in display.letters:
                if owners.get(name) != code:
                    self.failures.append(
                        f"{code} showed {name} under {title}: it is sealed for {owners.get(name)}"
                    )

    def _heartbeats(self) -> dict[str, int]:
        """Everybody holds the newest, and no display says that something is missing that is not."""
        director = self._director
        if not director.beats:
            return {"sent": 0, "held": 0}
        newest, held = max(director.beats), 0
        for code in director.stage.codes:
            if newest in held_on_flash(director.stage.flash(code)):
                held += 1
            else:
                self.failures.append(f"{code} does not hold heartbeat {newest[2]}, the newest")
            picture = director.displays.latest.get(code)
            if picture is not None and "MIST" in director.displays.eyes.words(picture).split():
                self.failures.append(f"{code} says at the end that bulletins are missing")
        return {"sent": len(director.beats), "held": held}

    def _is_answered(self, letter: Letter) -> bool:
        return any(one.letter.ref == letter.id for one in self._letters.answered.values())


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    return None if start_ms is None or end_ms is None else round((end_ms - start_ms) / 1000, 1)
