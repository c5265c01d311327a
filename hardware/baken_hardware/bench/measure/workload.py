"""What a node's store is given in the 72 hours of the exercise, as lines for a program on MicroPython.

All 28 bulletins, the told statuses, emergency reports and answers of the scenario, an hourly STATUS of every
point and HEARTBEAT of the crisis room, three changes to the trust list, and what the node does itself: it is
VR00, numbers its own statuses, confirms what it has read and saves its airtime. Keys are made of names and
numbers, so the same lines come out each time.

    trust <hex>                  the provisioned trust list, first
    record <unix s> <hex>        a record that came in
    own <unix s> <hex>           a STATUS that the node made: it took a number for it
    read <unix s> <origin> <seq> a person confirmed that bulletin
    airtime <unix s>             the transmit time of the hour is saved
    minute <unix s>              the node looks whether something has expired
"""

from __future__ import annotations

import csv
import functools
import hashlib
import json

from baken.crypto import ed25519
from baken.crypto.signing import AuthorityKey, PointKey
from baken.wire import amendment, answer, bulletin, heartbeat, report, sealed, status, trust
from baken.wire.amendment import Amendment
from baken.wire.trust import Authority, Point, TrustList
from baken_hardware.demo import scenario

HOURS = 72
OWN = scenario.CRISIS_ROOM
_HOUR_S = 3600
_AIRTIME_SAVES = 3  # an hour: 45 statuses, relayed, are 10 to 30 s on the air, and each 10 s are saved
_CHECK_S = 600
_SERIAL = 7
_ROLLED_OVER = "RM05"  # gets a new key on the second day


def lines(status_hours: int = HOURS) -> list[str]:
    """The lines, in time; the hourly statuses end after `status_hours`."""
    return _Workload(status_hours).lines()


class _Workload:
    def __init__(self, status_hours: int) -> None:
        self._start_s = scenario.unix_s(scenario.START)
        self._status_hours = status_hours
        with scenario.POINTS.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self._codes = [row["code"] for row in rows]
        self._areas = sorted(
            {row["code"][:2] for row in rows if row["kind"] not in ("relais", "crisisruimte")}
        )
        self._root = AuthorityKey(_seed("root"))
        self._bulletins = [item for item in scenario.load_bulletins() if not item.is_forged]
        names = sorted({item.authority for item in self._bulletins} - {scenario.REGION_AUTHORITY})
        self._authorities = [scenario.REGION_AUTHORITY, *names]
        self._point_seeds = {code: _seed(code) for code in self._codes}
        self._trust = TrustList(
            _SERIAL,
            self._root.public,
            b"Merenland",
            [(code.encode(), code.encode()) for code in self._areas],
            [
                Authority(number, self._key(number).public, name.encode())
                for number, name in enumerate(self._authorities, 1)
            ],
            [self._point(code, self._point_seeds[code]) for code in self._codes],
        )
        self._lines: list[tuple[int, int, str]] = []
        self._seqs: dict[str, int] = {}

    def lines(self) -> list[str]:
        keys = self._add_bulletins()
        moments = self._add_amendments()
        self._add_statuses(moments)
        self._add_letters(moments)
        for hour in range(HOURS):
            at_s = self._start_s + hour * _HOUR_S
            beat = heartbeat.Heartbeat(
                1, hour + 1, at_s, max((seq for s, seq in keys if s <= at_s), default=0)
            )
            self._record(at_s, heartbeat.encode(beat, self._trust.tag, self._key(1).sign))
            for number in range(_AIRTIME_SAVES):
                self._line(at_s + number * _HOUR_S // _AIRTIME_SAVES, "airtime", "")
            for at in range(at_s, at_s + _HOUR_S, _CHECK_S):
                self._line(at, "minute", "")
        listed = trust.encode(self._trust, self._root.sign).hex()
        return [f"trust {listed}", *(text for _, _, text in sorted(self._lines))]

    # --- what goes in

    def _add_bulletins(self) -> list[tuple[int, int]]:
        """(time, number) of those of the crisis room."""
        keys: dict[str, tuple[int, int]] = {}
        found = []
        for item in self._bulletins:
            origin = self._authorities.index(item.authority) + 1
            seq = self._next(f"bulletin {origin}")
            keys[item.id] = (origin, seq)
            references = tuple(keys[name] for name in item.references if name in keys)
            areas = tuple(self._areas.index(code) for code in item.areas)
            made = bulletin.Bulletin(
                origin, seq, item.sent_s, item.expires_s, item.text.encode(), areas, references
            )
            made.status = b"Exercise"
            for field in (
                "event",
                "msg_type",
                "scope",
                "urgency",
                "severity",
                "certainty",
                "response_type",
            ):
                setattr(made, field, getattr(item, field).encode())
            for raw in bulletin.encode_parts(made, self._trust.tag, self._key(origin).sign):
                self._record(item.sent_s + 20, raw)
            self._line(item.sent_s + 300, "read", f"{origin} {seq}")
            if origin == 1:
                found.append((item.sent_s, seq))
        return found

    def _add_amendments(self) -> dict[str, int]:
        """A guest authority comes and goes, and a stolen point gets a new key; code to when that happens."""
        guest = len(self._authorities) + 1
        added = Amendment(
            _SERIAL + 1,
            amendment.SET_AUTHORITY,
            guest,
            Authority(guest, self._key(guest).public, b"Waterschap"),
        )
        self._amend(10, added)
        made = bulletin.Bulletin(
            guest, 1, self._start_s + 11 * _HOUR_S, self._start_s + 60 * _HOUR_S, b"Peil hoog."
        )
        for raw in bulletin.encode_parts(made, self._trust.tag, self._key(guest).sign):
            self._record(self._start_s + 11 * _HOUR_S, raw)
        self._amend(40, Amendment(_SERIAL + 3, amendment.REVOKE_AUTHORITY, guest))
        new = self._point(_ROLLED_OVER, _seed(f"{_ROLLED_OVER} new"))
        self._amend(30, Amendment(_SERIAL + 2, amendment.SET_POINT, self._number(_ROLLED_OVER), new))
        return {_ROLLED_OVER: self._start_s + 30 * _HOUR_S}

    def _amend(self, hour: int, change: Amendment) -> None:
        at_s = self._start_s + hour * _HOUR_S
        self._record(at_s, amendment.encode(change, self._trust.tag, self._root.sign))

    def _add_statuses(self, moments: dict[str, int]) -> None:
        wanted: list[tuple[int, str, status.Status]] = []
        for told in scenario.load_reports():
            wanted.append((told.sent_s, told.code, told.draft))
        for hour in range(self._status_hours):
            for index, code in enumerate(self._codes):
                at_s = self._start_s + hour * _HOUR_S + index * _HOUR_S // len(self._codes)
                made = status.Status(0, 0, 0, b"OPEN", b"")
                made.exercise = True
                made.people = 7 + index
                wanted.append((at_s, code, made))
        for at_s, code, made in sorted(wanted, key=lambda item: item[:2]):
            made.origin = self._number(code)
            made.time_s = at_s
            made.seq = self._next(f"status {code}")
            made.seen = (status.Seen(1, 1, 1, 1),)
            raw = status.encode(made, self._trust.tag, self._point_key(code, at_s, moments).sign)
            if code == OWN:
                self._line(at_s, "own", raw.hex())
            else:
                self._record(at_s, raw)

    def _add_letters(self, moments: dict[str, int]) -> None:
        box = ed25519.montgomery_public(self._key(1).public)
        private = ed25519.montgomery_private(_seed("authority 1"))
        reports: dict[str, tuple[str, int]] = {}
        told = (scenario.FOLDER / "status.jsonl").read_text(encoding="utf-8")
        for row in map(json.loads, told.splitlines()):
            at_s = scenario.unix_s(row["sent"])
            if row["type"] == "NOODMELDING":
                code = row["from"]
                seq = self._next(f"report {code}")
                reports[row["id"]] = (code, seq)
                made = report.Report(self._number(code), seq, at_s, 1)
                key = sealed.shared_key(self._point_seed(code, at_s, moments), box, self._trust.tag)
                sign = self._point_key(code, at_s, moments).sign
                text = _cut(row["text"], report.MAX_TEXT)
                self._record(at_s, sealed.encode_report(made, text, key, self._trust.tag, sign))
            elif row["type"] == "ANTWOORD":
                code, ref = reports.get(row["ref"], (row["to"], 0))
                seq = self._next("answer")
                said = answer.Answer(1, seq, self._number(code), ref, at_s, at_s + 6 * _HOUR_S)
                public = PointKey(self._point_seed(code, at_s, moments)).public
                key = sealed.shared_key(private, public, self._trust.tag)
                text = _cut(row["text"], answer.MAX_TEXT)
                self._record(at_s, sealed.encode_answer(said, text, key, self._trust.tag, self._key(1).sign))

    # --- names, numbers, keys

    def _number(self, code: str) -> int:
        return self._codes.index(code) + 1

    def _key(self, number: int) -> AuthorityKey:
        return AuthorityKey(_seed(f"authority {number}"))

    def _point(self, code: str, seed: bytes) -> Point:
        area = self._areas.index(code[:2]) if code[:2] in self._areas else None
        number = self._number(code)
        return Point(number, code.encode(), code.encode(), area, 0x1000 + number, PointKey(seed).public)

    def _point_seed(self, code: str, at_s: int, moments: dict[str, int]) -> bytes:
        is_new = code in moments and at_s >= moments[code]
        return _seed(f"{code} new") if is_new else self._point_seeds[code]

    def _point_key(self, code: str, at_s: int, moments: dict[str, int]) -> PointKey:
        return _point_key(self._point_seed(code, at_s, moments))

    def _next(self, counter: str) -> int:
        self._seqs[counter] = self._seqs.get(counter, 0) + 1
        return self._seqs[counter]

    def _record(self, at_s: int, raw: bytes) -> None:
        self._line(at_s, "record", raw.hex())

    def _line(self, at_s: int, kind: str, rest: str) -> None:
        self._lines.append((at_s, len(self._lines), f"{kind} {at_s} {rest}".strip()))


@functools.cache
def _point_key(seed: bytes) -> PointKey:
    return PointKey(seed)


def _seed(name: str) -> bytes:
    return hashlib.sha256(b"baken-workload " + name.encode()).digest()


def _cut(text: str, limit: int) -> bytes:
    """As many whole letters as fit."""
    return text.encode()[:limit].decode(errors="ignore").encode()
