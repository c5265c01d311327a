"""A small region in a temporary folder and records signed in it, for any test that needs them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from baken.crypto.ed25519 import montgomery_public
from baken.wire import bulletin, sealed, status
from baken.wire.report import Report
from baken_gateway.region import Region, load_key
from baken_hardware.bench.region import Settings, init

COLUMNS = (
    "code",
    "name",
    "gemeente",
    "kind",
    "x_km",
    "y_km",
    "antenna_m",
    "backup_power_h",
    "second_languages",
)
POINTS = (
    ("OV01", "Brandweerkazerne Centrum", "Oosterveen", "kazerne", "17.6", "13.2", "14", "72", "en"),
    ("OV06", "Kerk De Bron", "Oosterveen", "gebedshuis", "19.8", "12.9", "12", "12", "uk"),
    ("DH01", "Brandweerkazerne Dijkerhaven", "Dijkerhaven", "kazerne", "29.1", "18.6", "12", "72", "en,pl"),
    ("RL1", "Watertoren", "(relais)", "relais", "18.6", "15.3", "45", "96", ""),
    ("VR00", "Crisisruimte", "Oosterveen", "crisisruimte", "17.5", "13.4", "20", "240", "en"),
)
AUTHORITIES = ("VR Merenland", "Gemeente Oosterveen")


def write_points(path: Path, points: Sequence[Sequence[str]] = POINTS) -> Path:
    """A points file with these rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *points])
    return path


def make_region(folder: Path, points: Sequence[Sequence[str]] | Path = POINTS, **settings) -> Region:
    """The region in `folder`/region, made as a technician would; `settings`: fields of Settings."""
    source = points if isinstance(points, Path) else write_points(folder / "points-source.csv", points)
    wanted = {"name": "Veiligheidsregio Merenland", "authorities": AUTHORITIES, **settings}
    return init(folder / "region", source, Settings(**wanted))


def authority_key(region: Region, number: int = 1):
    """AuthorityKey that signs for authority `number`."""
    return load_key(region.folder / "keys" / f"authority-{number}.key", region).key


def point_key(region: Region, code: str):
    """PointKey of the point `code`."""
    return load_key(region.folder / "keys" / f"point-{code}.key", region).key


NOON_S = 1_799_751_600  # 2027-01-12T12:00:00+01:00


def bulletin_parts(
    region: Region, seq: int, text: str = "Blijf thuis.", origin: int = 1, **fields
) -> list[bytes]:
    """Signed parts of a bulletin; `sent_s`, `valid_s` and any field of Bulletin can be given."""
    sent_s = fields.pop("sent_s", NOON_S)
    made = bulletin.Bulletin(origin, seq, sent_s, sent_s + fields.pop("valid_s", 6 * 3600), text.encode())
    for name, value in fields.items():
        setattr(made, name, value)
    return bulletin.encode_parts(made, region.trust.tag, authority_key(region, origin).sign)


def status_record(region: Region, code: str, seq: int, text: str = "Open.", **fields) -> bytes:
    """The signed STATUS of a point; any field of Status can be given."""
    made = status.Status(region.point(code).number, seq, fields.pop("time_s", NOON_S), b"OPEN", text.encode())
    for name, value in fields.items():
        setattr(made, name, value)
    return status.encode(made, region.trust.tag, point_key(region, code).sign)


def report_record(region: Region, code: str, seq: int, text: str, **fields) -> bytes:
    """The sealed and signed REPORT of a point; `to`, `time_s`, `priority`, `exercise` can be given."""
    private = load_key(region.folder / "keys" / f"point-{code}.key", region)
    to = fields.pop("to", 1)
    made = Report(region.point(code).number, seq, fields.pop("time_s", NOON_S), to, **fields)
    public = montgomery_public(region.trust.authorities[to].public)
    key = sealed.shared_key(private.private, public, region.trust.tag)
    return sealed.encode_report(made, text.encode(), key, region.trust.tag, private.key.sign)
