"""All that one node may be given to hold, in the way that takes the most room: every bound is reached.

A region of 256 points with long names; 64 bulletins in 160 parts, each with 15 areas and 15 references to
bulletins that never come, in squeezed text; between them 64 changes to the trust list; a STATUS with pulses
of each point; 64 open reports, and 64 answers, of which half are for the node's own point; and the stock
nodes around.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from baken.noticeboard import board, keyring, letters
from baken.wire import amendment, answer, bulletin, pulse, report, sealed, status, trust
from baken_gateway.region import Region
from baken_hardware.bench import region as bench_region
from baken_hardware.bench.measure.voices import HOUR_MS, POINT, Frame, Voices
from baken_hardware.demo import scenario

HOURS = 4
_BEGIN_MS = 120_000
_APART_MS = 8_000
_TIMES = 3
_AUTHORITIES = 2
_FIRST_CODE = 40  # of the points that the exercise has not
_NAME = "Steunpunt %d, de sporthal van het dorp aan de overkant van het kanaal"
_NEVER = 0x80_0000  # numbers of bulletins that never come
_DAY_S = 86_400
_SENTENCES = (
    "Kook het water drie minuten voordat u het drinkt. Haal flessen bij de sporthal, neem uw buren mee. "
    "De dijk bij de molen is zwak: ga er niet kijken. Wie hulp nodig heeft, meldt zich bij het steunpunt. "
)
_STATUS_TEXT = (
    b"Alles rustig, tachtig mensen, genoeg water en dekens voor de nacht; de arts komt om tien uur."
)
_LETTER = (
    b"Iemand is onwel geworden, wij hebben een arts nodig bij de ingang aan de achterkant van de school."
)

FULL = {
    "nodes": 100,
    "bulletins": board.MAX_BULLETINS,
    "parts": board.MAX_PARTS,
    "statuses": trust.MAX_POINTS,
    "pulses": trust.MAX_POINTS,
    "reports": letters.MAX_REPORTS,
    "answers": letters.MAX_ANSWERS,
    "amendments": keyring.MAX_AMENDMENTS,
}
"""What a node holds that has heard everything."""


def make_region(folder: Path) -> Region:
    """As many points as a region may have: those of the exercise, and more behind them."""
    with open(scenario.POINTS, encoding="utf-8", newline="") as file:
        known = list(csv.DictReader(file))
    rows = [dict(row) for row in known]
    last: dict[str, int] = {}
    while len(rows) < trust.MAX_POINTS:
        row = dict(known[len(rows) % len(known)])
        prefix = row["code"][:2]
        last[prefix] = last.get(prefix, _FIRST_CODE - 1) + 1
        row["code"] = f"{prefix}{last[prefix]:02d}"
        rows.append(row)
    for number, row in enumerate(rows):
        row["name"] = _NAME % number
    points = folder.with_suffix(".csv")
    with open(points, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(known[0]))
        writer.writeheader()
        writer.writerows(rows)
    names = tuple(f"Veiligheidsregio {number}" for number in range(1, _AUTHORITIES + 1))
    return bench_region.init(folder, points, bench_region.Settings(name="Merenland", authorities=names))


class Brim(Voices):
    """Its frames, in order of time."""

    def frames(self) -> list[Frame]:
        """Everything, by time; call it once."""
        made: list[Frame] = []
        payloads = list(self.payloads())
        # What meets the node while it sends comes once more, much later.
        for payload in payloads * 2:
            made += self.record(_BEGIN_MS + _APART_MS * len(made) // _TIMES, payload, _TIMES)
        stock = list(self.stock(HOURS))
        again = [(at_ms + 2 * HOUR_MS, frame) for at_ms, frame in stock]
        return sorted([*made, *stock, *again])

    def payloads(self) -> Iterator[bytes]:
        """All records, and the pulses; call it once."""
        for change, parts in zip(self._amendments(), self._bulletins(), strict=True):
            yield from (change, *parts)
        told = [self._status(point.number) for point in self.region.points if point.code != POINT]
        for made in told:
            yield status.encode(made, self.tag, self._sign_of(made.origin))
        yield from self.in_frames(self.pulse_of(made, 4, 3, 2) for made in told)
        yield from self._reports()
        yield from self._answers()

    def _sign_of(self, number: int):
        point = self.region.point_by_number(number)
        assert point is not None
        return self.sign(f"point-{point.code}")

    def _amendments(self) -> Iterator[bytes]:
        """Points that are given a longer name, and keep their key."""
        for number, old in list(self.region.trust.points.items())[-keyring.MAX_AMENDMENTS :]:
            entry = trust.Point(
                number, old.code, old.name + b" (tijdelijk)", old.area, old.node_num, old.public
            )
            serial = self.region.trust.serial + self.next_number("amendment", 0)
            yield amendment.encode(
                amendment.Amendment(serial, amendment.SET_POINT, number, entry), self.tag, self.sign("root")
            )

    def _bulletins(self) -> Iterator[list[bytes]]:
        """The parts of each."""
        texts = {parts: self._longest_text(parts) for parts in (2, 3)}
        parts_left = board.MAX_PARTS
        for index in range(board.MAX_BULLETINS):
            count = 2 + index % 2 if parts_left > 2 * (board.MAX_BULLETINS - index) else 2
            parts_left -= count
            made = self._bulletin(1 + index % _AUTHORITIES, texts[count])
            made.seq = self.next_number("bulletin", made.origin)
            yield bulletin.encode_parts(made, self.tag, self.sign(f"authority-{made.origin}"))

    def _longest_text(self, parts: int) -> bytes:
        """The longest that fits so many parts."""
        words = (_SENTENCES * 3).split()
        fits, too_long = 1, len(words)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            made = self._bulletin(1, " ".join(words[:middle]).encode())
            if len(bulletin.pieces_of(made)[1]) > parts:
                too_long = middle
            else:
                fits = middle
        return " ".join(words[:fits]).encode()

    def _bulletin(self, authority: int, text: bytes) -> bulletin.Bulletin:
        sent_s = self.start_s - 3600
        made = bulletin.Bulletin(authority, 1, sent_s, sent_s + 10 * _DAY_S, text)
        made.msg_type, made.status, made.severity = b"Update", b"Exercise", b"Severe"
        made.areas = tuple(range(bulletin.MAX_AREAS))
        made.references = tuple((authority, _NEVER + number) for number in range(bulletin.MAX_REFERENCES))
        return made

    def _status(self, number: int) -> status.Status:
        made = status.Status(number, 1, self.start_s, b"OPEN", b"")
        made.exercise = True
        made.seen = tuple(status.Seen(origin, 32, 0xFFFF_FFFF, 0xFF) for origin in (1, 2))
        made.text = _STATUS_TEXT[: status.text_capacity(len(made.seen), True)]
        made.anchors = tuple(self.chain_value(made, chain, 0) for chain in range(pulse.CHAINS))
        return made

    def _reports(self) -> Iterator[bytes]:
        others = [point.number for point in self.region.points if point.code != POINT]
        for index in range(letters.MAX_REPORTS):
            number = others[index // letters.MAX_REPORTS_OF_POINT]
            made = report.Report(number, self.next_number("report", number), self.start_s, 1, exercise=True)
            yield sealed.encode_report(made, _LETTER, bytes(32), self.tag, self._sign_of(number))

    def _answers(self) -> Iterator[bytes]:
        """To reports that never came, half of them of the node's own point."""
        own = self.region.point(POINT).number
        others = [point.number for point in self.region.points if point.code != POINT]
        for index in range(letters.MAX_ANSWERS):
            to = own if index % 2 else others[-1 - index]
            ends_s = self.start_s + 10 * _DAY_S
            made = answer.Answer(
                1, self.next_number("answer", 1), to, 1000 + index, self.start_s, ends_s, True
            )
            yield sealed.encode_answer(made, _LETTER, bytes(32), self.tag, self.sign("authority-1"))
