"""Holds what was seen against what should have been, and writes `summary.json`: every difference is one
sentence.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from baken.wire.records import BULLETIN, STATUS
from baken_hardware.demo import scenario
from baken_hardware.demo.director import Director, Sent
from baken_hardware.demo.letter_verdict import LetterVerdict
from baken_hardware.demo.plan import NODES, Forge, Restore, Step
from baken_hardware.demo.scenario import CRISIS_ROOM
from baken_hardware.demo.witness import Learned, RecordId, held_on_flash

REQUIRED_HOPS = 3  # where the stations are those of the plan, or more
_SPEAKS_WITHIN_MS = 300_000  # a node that has just come back
_SIGN_OF_LIFE_S = 2 * 3600 + 900  # hourly: one may be lost, and it names the quarter before
_LATE_MS = 240_000  # a picture may stand this long after its bulletin has expired or was withdrawn


@dataclass
class Delivery:
    """One bulletin: every node should hold it, those it is meant for should show it.

    Times in seconds since it was on the air.
    """

    intended: list[str]
    to_show: list[str]
    held: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Verdict:
    """`summary()` after the play of `steps`. `listing` and `reports`: what the console lists at the end."""

    def __init__(
        self,
        director: Director,
        steps: list[Step],
        listing: dict[str, Any],
        reports: list[dict[str, Any]],
    ) -> None:
        self._director = director
        self._played = {type(step) for step in steps}
        self._stage = director.stage
        self._listing = listing
        self._reports = reports
        self._areas = {point.code: point.area for point in director.region.points}
        self._area_codes = {area.index: area.code for area in director.region.areas}
        self.failures: list[str] = []
        for log in director.logs.values():
            log.update()

    def summary(self) -> dict[str, Any]:
        """The whole result; `ok` is true only when `failures` is empty."""
        bulletins = [self._bulletin(sent) for sent in self._director.sent.values()]
        hops = self._hops()
        required = REQUIRED_HOPS if set(NODES) <= set(self._stage.codes) else 1
        self._expect(max(hops.values()) >= required, f"the farthest node is {max(hops.values())} hops away")
        summary = {
            "ok": False,
            "nodes": len(self._stage.codes),
            "node_codes": self._stage.codes,
            "max_hops": max(hops.values()),
            "hops": hops,
            "bulletins": bulletins,
            "refused": self._refused(),
            "duplicates": self._duplicates(),
            "statuses": self._statuses(),
            "outage": self._outage(),
            "seconds_since_sign_of_life": self._signs_of_life(),
            "displays": {code: display.pictures for code, display in self._director.displays.by_code.items()},
            "airtime_s": round(self._stage.ether.air.counters["airtime_ms"] / 1000, 1),
            "frames": self._stage.ether.air.counters["transmitted"],
            "virtual_hours": round(self._stage.ether.now_ms / 3_600_000, 2),
        }
        summary["read"] = self._read()
        summary |= LetterVerdict(self._director, self.failures).summary(self._reports)
        self._check_displays()
        self._check_logs()
        summary["failures"] = self.failures
        summary["ok"] = not self.failures
        return summary

    # --- bulletins

    def _bulletin(self, sent: Sent) -> dict[str, Any]:
        delivery = self._deliver(sent)
        name = sent.bulletin.id
        for code in sorted(set(delivery.intended) - set(delivery.held)):
            self.failures.append(f"{name} is not held by {code}")
        for code in sorted(set(delivery.to_show) - set(delivery.shown)):
            self.failures.append(f"{name} was not shown by {code}")
        return {
            "id": name,
            "number": "{}/{}".format(*sent.key),
            "parts": sent.parts,
            "intended": len(delivery.to_show),
            "held": len(set(delivery.held) & set(delivery.to_show)),
            "shown": len(delivery.shown),
            "replicas": len(delivery.held),
            "seconds_median": round(statistics.median(delivery.seconds), 1) if delivery.seconds else None,
            "seconds_max": round(max(delivery.seconds), 1) if delivery.seconds else None,
        }

    def _deliver(self, sent: Sent) -> Delivery:
        """Who should hold and show a bulletin, and who did. A node that was off is given time from its
        return.
        """
        director = self._director
        delivery = Delivery(intended=list(self._stage.codes), to_show=self._to_show(sent))
        for code in delivery.intended:
            learned = [director.logs[code].when(record_id) for record_id in sorted(sent.record_ids)]
            moments = [item.t_ms for item in learned if item is not None]
            if code in sent.held and len(moments) == sent.parts:
                delivery.held.append(code)
                start_ms = max(sent.on_air_ms or sent.asked_ms, self._return_ms(code, sent))
                delivery.seconds.append(max(0, max(moments) - start_ms) / 1000)
            if sent.bulletin.id in director.displays.by_code[code].shown_ms:
                delivery.shown.append(code)
        delivery.shown = [code for code in delivery.shown if code in delivery.to_show]
        return delivery

    def _return_ms(self, code: str, sent: Sent) -> int:
        """When a node that was off while the bulletin was sent came back, else 0."""
        since_ms = self._director.on_since_ms[code]
        return since_ms if since_ms > sent.asked_ms else 0

    def _to_show(self, sent: Sent) -> list[str]:
        bulletin = sent.bulletin
        codes = [code for code in self._stage.codes if bulletin.is_for(self._municipality(code))]
        return [code for code in codes if bulletin.scope == "Public" or code == CRISIS_ROOM]

    def _municipality(self, code: str) -> str | None:
        area = self._areas[code]
        return None if area is None else self._area_codes[area]

    def _hops(self) -> dict[str, int]:
        """Hops from the crisis room to each node: the longest way by which a bulletin first came there."""
        low_bytes = {point.code: point.node_num & 0xFF or 0xFF for point in self._director.region.points}
        hops = dict.fromkeys(self._stage.codes, 0)
        for sent in self._director.sent.values():
            for record_id in sent.record_ids:
                for code, count in self._hops_of(record_id, low_bytes).items():
                    hops[code] = max(hops[code], count)
        return hops

    def _hops_of(self, record_id: RecordId, low_bytes: dict[str, int]) -> dict[str, int]:
        """By the byte of the relay that each node heard it from, in order of time."""
        heard: list[tuple[Learned, str]] = []
        for code in self._stage.codes:
            learned = self._director.logs[code].when(record_id)
            if learned is not None and code != CRISIS_ROOM:
                heard.append((learned, code))
        count = {CRISIS_ROOM: 0}
        for learned, code in sorted(heard, key=lambda item: item[0].t_ms):
            parents = [other for other in count if low_bytes[other] == learned.via]
            if parents:
                count[code] = min(count[parent] for parent in parents) + 1
        return count

    # --- what must not happen

    def _refused(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for log in self._director.logs.values():
            for cause, count in log.refused.items():
                counts[cause] = counts.get(cause, 0) + count
        if Forge in self._played:
            for code in sorted(set(self._stage.codes) - self._director.forged_at):
                self.failures.append(f"{scenario.FORGED} was not refused by {code}")
        return counts

    def _duplicates(self) -> int:
        """Records that a node learned twice, or that the broker got in two versions or under two topics."""
        twice = 0
        for code, log in self._director.logs.items():
            ids = [item.record_id for item in log.learned]
            for record_id in sorted({item for item in ids if ids.count(item) > 1}):
                twice += 1
                self.failures.append(f"{code} took {_name(record_id)} in twice")
        for record_id in self._director.observer.twice:
            twice += 1
            self.failures.append(f"{_name(record_id)} is at the broker in two versions")
        rows = [row["id"] for row in self._listing.get("bulletins", [])]
        for number in sorted({row for row in rows if rows.count(row) > 1}):
            twice += 1
            self.failures.append(f"the console lists bulletin {number} twice")
        return twice

    def _check_displays(self) -> None:
        """Nothing false, expired, withdrawn, foreign or for staff only was ever on a display, and all was
        marked.
        """
        for code, display in self._director.displays.by_code.items():
            for name in sorted(display.unchecked):
                self.failures.append(f"{code} showed {name} without GECONTROLEERD and its authority")
            for name in sorted(display.unmarked):
                self.failures.append(f"{code} showed {name} without the mark of an exercise")
            for name, last_ms in display.last_ms.items():
                self._check_display(code, name, last_ms)

    def _check_display(self, code: str, name: str, last_ms: int) -> None:
        sent = self._director.sent.get(name)
        if sent is None:
            self.failures.append(f"{code} showed {name}, which nobody sent")
            return
        if code not in self._to_show(sent):
            self.failures.append(f"{code} showed {name}, which is not meant for it")
        expires_ms = (sent.bulletin.expires_s - scenario.unix_s(scenario.START)) * 1000
        if last_ms > expires_ms + _LATE_MS:
            self.failures.append(
                f"{code} still showed {name} {(last_ms - expires_ms) // 1000} s after its expiry"
            )
        for other in self._director.sent.values():
            if name in other.bulletin.references and other.bulletin.msg_type == "Cancel":
                there = self._director.displays.by_code[code].shown_ms.get(other.bulletin.id)
                if there is not None and last_ms > there + _LATE_MS:
                    self.failures.append(
                        f"{code} still showed {name} after its withdrawal by {other.bulletin.id}"
                    )

    def _check_logs(self) -> None:
        for code, log in self._director.logs.items():
            for line in log.other:
                self.failures.append(f"the program of {code} wrote: {line}")

    # --- statuses, outage

    def _statuses(self) -> dict[str, Any]:
        made = set()
        for code, log in self._director.logs.items():
            number = self._director.region.point(code).number
            made |= {record_id for record_id in log.statuses() if record_id[1] == number}
        at_broker = made & self._director.observer.records
        newest = {record_id for record_id in made if not _has_later(record_id, made)}
        for record_id in sorted(newest - at_broker):
            self.failures.append(f"{_name(record_id)}, the newest, is not at the broker")
        listed = {
            (STATUS, self._director.region.point(row["code"]).number, row["seq"], 0)
            for row in self._listing.get("points", [])
            if row.get("seq")
        }
        for record_id in sorted(newest - listed):
            self.failures.append(f"{_name(record_id)}, the newest, is not in the console")
        # Those of others may wait in memory for a few minutes before they are on the flash.
        there = held_on_flash(self._stage.flash(CRISIS_ROOM)) | self._director.logs[CRISIS_ROOM].statuses()
        for record_id in sorted(newest - there):
            self.failures.append(f"{_name(record_id)}, the newest, is not at the gateway's node")
        told = set(self._director.told)
        for record_id in sorted(told - self._director.observer.records):
            self.failures.append(
                f"{self._director.told[record_id]}, {_name(record_id)}, never reached the broker"
            )
        for record_id in sorted(told - self._director.told_at_console):
            self.failures.append(
                f"{self._director.told[record_id]}, {_name(record_id)}, was not in the console"
            )
        return {
            "sent": len(told),
            "at_broker": len(told & self._director.observer.records),
            "at_console": len(self._director.told_at_console),
            "made_by_nodes": len(made),
            "made_at_broker": len(at_broker),
            "points": len(newest),
            "newest_at_broker": len(newest & at_broker),
            "newest_at_console": len(newest & listed),
        }

    def _outage(self) -> dict[str, int]:
        records = self._director.outage_records
        there = records & self._director.observer.records
        for record_id in sorted(records - there):
            self.failures.append(
                f"{_name(record_id)} was made during the outage and never reached the broker"
            )
        if Restore in self._played:
            self._expect(
                bool(self._director.outage_signs), "no sign of life of the outage came to the broker"
            )
        return {
            "records_during": len(records),
            "at_broker_afterwards": len(there),
            "points_with_a_sign_of_life": len(self._director.outage_signs),
        }

    def _signs_of_life(self) -> dict[str, int]:
        """Seconds since the last sign of life that the console lists, of each point whose node runs."""
        ages: dict[str, int] = {}
        now_ms = self._stage.ether.now_ms
        heard = {row["code"]: row["heard"] for row in self._listing.get("points", [])}
        for code in self._stage.codes:
            back_ms = self._director.on_since_ms[code]
            if not self._stage.nodes[code].running or now_ms - back_ms < _SPEAKS_WITHIN_MS:
                continue
            if heard.get(code) is None:
                self.failures.append(f"the console has never heard of {code}")
                continue
            ages[code] = self._stage.ether.unix_ms // 1000 - int(
                datetime.fromisoformat(heard[code]).timestamp()
            )
            self._expect(
                ages[code] <= _SIGN_OF_LIFE_S, f"the last sign of life of {code} is {ages[code]} s old"
            )
        return ages

    def _read(self) -> dict[str, int]:
        """Bulletins that a volunteer confirmed, and of how many of them the console knows it."""
        told = {row["id"]: row["readBy"] for row in self._listing.get("bulletins", [])}
        known = 0
        for code, name in self._director.confirmed:
            if code in told.get("{}/{}".format(*self._director.sent[name].key), []):
                known += 1
            else:
                self.failures.append(f"the console does not know that {name} was read by {code}")
        return {"confirmed": len(self._director.confirmed), "at_console": known}

    def _expect(self, condition: bool, sentence: str) -> None:
        if not condition:
            self.failures.append(sentence)


def _has_later(record_id: RecordId, records: set[RecordId]) -> bool:
    return any(
        other[1] == record_id[1] and other[2] > record_id[2] for other in records if other[0] == STATUS
    )


def _name(record_id: RecordId) -> str:
    kind = {BULLETIN: "bulletin", STATUS: "status"}.get(record_id[0], f"record of kind {record_id[0]}")
    part = f" part {record_id[3] + 1}" if record_id[3] else ""
    return f"{kind} {record_id[1]}/{record_id[2]}{part}"
