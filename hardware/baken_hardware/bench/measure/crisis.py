"""What one node of the exercise hears in 72 hours, as frames at times: its own neighbour is everybody.

All true bulletins of the exercise and the forged one, each point's own statuses and one every four hours with
pulses at the hours between, heartbeats of every authority, the emergency reports and the answers to them, and
around them a hundred stock nodes on the region's channel that tell who they are twice a day, with texts,
positions and telemetry. What is signed is signed with the region's keys, so the node works as hard as in the
field.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from baken.wire import answer, bulletin, heartbeat, pulse, report, sealed, status
from baken_gateway.region import Region
from baken_hardware.bench import region as bench_region
from baken_hardware.bench.measure.voices import POINT, Frame, Voices
from baken_hardware.demo import scenario

HOURS = 72
_STATUS_H, _HEARTBEAT_H = 4, 1
_PULSES_APART_S = 20


def make_region(folder: Path) -> Region:
    """The exercise's region with all its points and authorities."""
    names = dict.fromkeys(made.authority for made in scenario.load_bulletins() if not made.is_forged)
    settings = bench_region.Settings(name="Merenland", authorities=tuple(names))
    return bench_region.init(folder, scenario.POINTS, settings)


class Crisis(Voices):
    """The frames of one exercise in the region `region`, in order of time."""

    def __init__(self, region: Region) -> None:
        super().__init__(region)
        self._authorities = {entry.name: entry.number for entry in region.authorities}
        self._points = {point.code: point for point in region.points}
        self._told: list[status.Status] = []

    def frames(self) -> list[Frame]:
        """Everything, by time; call it once."""
        made = [*self._bulletins(), *self._statuses(), *self._pulses(), *self._heartbeats(), *self._letters()]
        return sorted([*made, *self.stock(HOURS)])

    def _bulletins(self) -> Iterator[Frame]:
        sent: dict[str, tuple[int, int]] = {}
        areas = {area.code: area.index for area in self.region.areas}
        for made in scenario.load_bulletins():
            authority = self._authorities[scenario.REGION_AUTHORITY if made.is_forged else made.authority]
            seq = 0xF00001 if made.is_forged else self.next_number("bulletin", authority)
            wire = bulletin.Bulletin(authority, seq, made.sent_s, made.expires_s, made.text.encode())
            for field in ("msg_type", "scope", "urgency", "severity", "certainty", "response_type", "event"):
                setattr(wire, field, getattr(made, field).encode())
            wire.status = b"Exercise"
            wire.areas = tuple(areas[code] for code in made.areas)
            if made.msg_type in ("Update", "Cancel"):
                wire.references = tuple(sent[name] for name in made.references if name in sent)
            sent[made.id] = (authority, seq)
            sign = self.sign("point-VR00" if made.is_forged else f"authority-{authority}")
            for raw in bulletin.encode_parts(wire, self.tag, sign):
                yield from self.record(self.at_ms(made.sent_s), raw)

    def _statuses(self) -> Iterator[Frame]:
        told = [(made.sent_s, made.code, made.draft) for made in scenario.load_reports()]
        for hour in range(4, HOURS, _STATUS_H):
            moment_s = self.start_s + hour * 3600
            told += [(moment_s + 20 * index, code, None) for index, code in enumerate(self._points)]
        for moment_s, code, draft in sorted(told, key=lambda one: one[:2]):
            if code == POINT:
                continue
            number = self._points[code].number
            made = status.Status(number, self.next_number("status", number), moment_s, b"OPEN", b"Open.")
            if draft is not None:
                made.take_condition(draft)
            made.exercise = True
            made.seen = tuple(
                status.Seen(authority, max(1, self.last_number("bulletin", authority)), 0xFFFF, 0xFF)
                for authority in list(self._authorities.values())[: status.MAX_SEEN]
            )
            made.text = made.text[: status.text_capacity(len(made.seen), True)]
            made.anchors = tuple(self.chain_value(made, chain, 0) for chain in range(pulse.CHAINS))
            self._told.append(made)
            yield from self.record(
                self.at_ms(moment_s), status.encode(made, self.tag, self.sign(f"point-{code}"))
            )

    def _pulses(self) -> Iterator[Frame]:
        """At each full hour, of all whose STATUS is older: that it holds, and one more received and read."""
        for hour in range(1, HOURS):
            moment_s = self.start_s + hour * 3600
            newest = {made.origin: made for made in self._told if made.time_s <= moment_s}
            steps = [(told, (moment_s - told.time_s) // pulse.PERIOD_S) for _, told in sorted(newest.items())]
            alive = [one for one in steps if 1 <= one[1] <= pulse.LAST_STEP[pulse.ALIVE]]
            shown = (self.pulse_of(told, step, 1, 1) for told, step in alive)
            for turn, payload in enumerate(self.in_frames(shown)):
                yield from self.record(self.at_ms(moment_s + turn * _PULSES_APART_S), payload)

    def _heartbeats(self) -> Iterator[Frame]:
        for hour in range(1, HOURS, _HEARTBEAT_H):
            for authority in self._authorities.values():
                moment_s = self.start_s + hour * 3600 + 60 * authority
                beat = heartbeat.Heartbeat(authority, self.next_number("heartbeat", authority), moment_s, 0)
                raw = heartbeat.encode(beat, self.tag, self.sign(f"authority-{authority}"))
                yield from self.record(self.at_ms(moment_s), raw)

    def _letters(self) -> Iterator[Frame]:
        """The emergency reports; every other one is answered."""
        authority = self._authorities[scenario.REGION_AUTHORITY]
        is_answered = False
        for row in scenario.load_rows("status.jsonl"):
            if row["type"] == "NOODMELDING" and row["from"] != POINT:
                is_answered = not is_answered
                moment_s = scenario.unix_s(row["sent"])
                number = self._points[row["from"]].number
                made = report.Report(
                    number, self.next_number("report", number), moment_s, authority, exercise=True
                )
                key = bytes(32)  # whose it is does not matter to those who pass it on
                text = row["text"].encode()[: report.MAX_TEXT]
                raw = sealed.encode_report(made, text, key, self.tag, self.sign(f"point-{row['from']}"))
                yield from self.record(self.at_ms(moment_s), raw)
                if is_answered:
                    seq, now_s = self.next_number("answer", authority), moment_s + 900
                    reply = answer.Answer(authority, seq, number, made.seq, now_s, now_s + 86_400)
                    sign = self.sign(f"authority-{authority}")
                    raw = sealed.encode_answer(reply, b"Hulp is onderweg.", key, self.tag, sign)
                    yield from self.record(self.at_ms(now_s), raw)
