"""A small exercise for the console's tests: real records, signed with the region's own keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from _region import make_region

from baken.noticeboard.memory import MemoryStore
from baken.wire import status as status_wire
from baken.wire.bulletin import encode_parts
from baken_console.desk import Desk
from baken_console.draft import Draft, to_bulletin
from baken_console.ledger import Ledger
from baken_gateway.region import Region, load_key

T0 = 1799732400  # Tuesday 12 January 2027 06:40 in Amsterdam
MINUTE = 60
HOUR = 3600

POINTS = (
    ("OV01", "Brandweerkazerne Centrum", "Oosterveen", "kazerne", "17.6", "13.2", "14", "72", "en"),
    ("OV04", "Moskee Al Noor", "Oosterveen", "gebedshuis", "16.8", "12.3", "10", "12", "ar,tr"),
    ("OV06", "Kerk De Bron", "Oosterveen", "gebedshuis", "19.8", "12.9", "12", "12", "uk"),
    ("OV10", "Wijkcentrum Zuid", "Oosterveen", "buurthuis", "16.9", "10.9", "8", "0", "tr"),
    ("DH01", "Brandweerkazerne Dijkerhaven", "Dijkerhaven", "kazerne", "29.1", "18.6", "12", "72", "en"),
    ("DH02", "Sporthal De Sluis", "Dijkerhaven", "sporthal", "30.2", "19.7", "9", "36", "pl"),
    ("PZ01", "Brandweerkazerne Polderzijl", "Polderzijl", "kazerne", "33.3", "10.2", "12", "72", ""),
    ("RM05", "Dorpshuis Achtermeer", "Ruigenmeer", "dorpshuis", "10.1", "7.0", "6", "8", ""),
    ("RL1", "Watertoren Oosterveen", "(relais)", "relais", "18.6", "15.3", "45", "96", ""),
    ("VR00", "Crisisruimte", "Oosterveen", "crisisruimte", "17.5", "13.4", "20", "240", "en"),
)
ALARM = Draft(
    event="ALARM",
    status="Exercise",
    severity="Extreme",
    urgency="Immediate",
    valid_s=6 * HOUR,
    text="Telefoon en mobiel werken niet meer. Hulp nodig? Ga naar een noodsteunpunt.",
)


class ManualClock:
    """Calendar time that moves only when the test says so."""

    is_exercise = False
    stopped = False

    def __init__(self, now_s: int = T0) -> None:
        self.now_s = now_s

    def unix_s(self) -> int:
        return self.now_s


class Exercise:
    """A region with its keys, a desk, and points that report what the test wants them to."""

    def __init__(self, folder: Path, points: Any = POINTS, key: bool = True, store: Any = None) -> None:
        self.region: Region = make_region(folder, points)
        self.clock = ManualClock()
        self.store = MemoryStore() if store is None else store
        self.ledger = Ledger(None)
        self.key = load_key(self.region.folder / "keys" / "authority-1.key", self.region)
        self.desk = Desk(self.region, self.store, self.ledger, self.key if key else None)
        self.desk.is_sent = lambda _key: True
        self._seqs: dict[int, int] = {}
        self._seen: dict[str, list[tuple[int, int, int, int]]] = {}

    def send(self, draft: Draft = ALARM, **changes: Any) -> Any:
        """The desk makes this bulletin now."""
        return self.desk.make(replace(draft, **changes), self.clock.now_s)

    def records_of(self, seq: int, draft: Draft = ALARM, authority: int = 1, **changes: Any) -> list[bytes]:
        """Signed parts of a bulletin that another console made, with a number of its own."""
        key = load_key(self.region.folder / "keys" / f"authority-{authority}.key", self.region)
        made = to_bulletin(replace(draft, **changes), self.region, authority, seq, self.clock.now_s)
        return encode_parts(made, self.region.trust.tag, key.key.sign)

    def status_of(self, code: str, received: Any = (), read: Any = (), **fields: Any) -> bytes:
        """A signed STATUS of a point now; `received`, `read`: sequence numbers of authority 1."""
        point = self.region.point(code)
        seq = self._seqs[point.number] = self._seqs.get(point.number, 0) + 1
        numbers = set(received) | set(read)
        seen = ()
        if numbers:
            newest = max(numbers)
            seen = (
                status_wire.Seen(
                    1, newest, sum(1 << newest - n for n in numbers), sum(1 << newest - n for n in set(read))
                ),
            )
        made = status_wire.Status(point.number, seq, self.clock.now_s, b"OPEN", seen=seen)
        made.exercise = True
        made.power_hours = 24
        made.battery_percent = 90
        for name, value in fields.items():
            setattr(made, name, value)
        key: Any = load_key(self.region.folder / "keys" / f"point-{code}.key", self.region).key
        return status_wire.encode(made, self.region.trust.tag, key.sign)

    def report(self, code: str, received: Any = (), read: Any = (), **fields: Any) -> None:
        """That STATUS arrives here."""
        self.take(self.status_of(code, received, read, **fields))

    def take(self, *records: bytes) -> list[Any]:
        """Records arrive from anywhere."""
        outcomes = [self.desk.replica.receive_record(raw, self.clock.now_s) for raw in records]
        self.desk.absorb(self.clock.now_s)
        return outcomes

    def board(self) -> Any:
        self.desk.absorb(self.clock.now_s)
        return self.desk.board(self.clock.now_s)

    def later(self, seconds: int) -> None:
        self.clock.now_s += seconds
