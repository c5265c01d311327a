"""`baken-bench region revoke`, `rollover`, `add`: changes to the trust list that reach nodes over the air.

Each writes one TRUST record, signed by root, into the region's folder `amendments`. Gateways and consoles
that work with the folder take it in at their next start and spread it; `baken-console publish FILE` spreads
it at once and from anywhere. Keys that count no more are moved into `keys/revoked`, never deleted.
`region init --force` puts all changes into a new trust list.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from baken.wire import amendment, trust
from baken.wire.amendment import Amendment
from baken.wire.errors import ProtocolError
from baken_gateway.region import AMENDMENTS, Region, RegionError, load_key, load_region, read_points
from baken_hardware.bench import region as region_files

_AUTHORITY = re.compile(r"authority-([1-9][0-9]{0,4})")


def revoke(folder: Path, who: str) -> Path:
    """Nothing that `who` (a point's code or authority-N) signs counts any more; the record's file."""
    region = load_region(folder)
    number, entry = _find(region, who)
    action = amendment.REVOKE_AUTHORITY if isinstance(entry, trust.Authority) else amendment.REVOKE_POINT
    path = _write(region, action, number, None)
    _put_away(folder, who, path)
    return path


def rollover(folder: Path, who: str) -> Path:
    """Give `who` a new key under the same number: what the old one signed counts no more."""
    region = load_region(folder)
    number, entry = _find(region, who)
    keys = folder / "keys"
    maker = region_files.KeyMaker(keys, region.id)
    held = keys / f"point-{who}.key" if isinstance(entry, trust.Point) else keys / f"{who}.key"
    put_away = _put_away(folder, who, folder / AMENDMENTS / f"{_next_serial(region)}.trust")
    try:
        if isinstance(entry, trust.Authority):
            public = maker.authority_key("authority", number, entry.name.decode(), held.name).public
            new = trust.Authority(number, public, entry.name, entry.expires_s)
            return _write(region, amendment.SET_AUTHORITY, number, new)
        taken = {point.node_num for point in region.points}
        node_num, public = maker.new_point(who, number, taken)
        point = trust.Point(number, entry.code, entry.name, entry.area, node_num, public)
        return _write(region, amendment.SET_POINT, number, point)
    except BaseException:
        held.unlink(missing_ok=True)
        if put_away is not None:
            put_away.rename(held)
        raise


def add_points(folder: Path, points_file: Path) -> list[Path]:
    """Trust the points of `points_file` that the region has not yet; a file of a record for each."""
    region = load_region(folder)
    known = {point.code for point in region.points}
    areas = {area.code: area.index for area in region.areas}
    rows = [row for row in read_points(points_file) if row["code"] not in known]
    if not rows:
        raise RegionError(f"{points_file} has no point that {region.id} lacks")
    prefixes = {row["code"]: region_files.prefix_of(row) for row in rows}
    strange = sorted({prefix for prefix in prefixes.values() if prefix is not None and prefix not in areas})
    if strange:
        raise RegionError(
            f"area {', '.join(strange)} is new, which needs a new trust list: baken-bench region init --force"
        )
    maker = region_files.KeyMaker(folder / "keys", region.id)
    paths = []
    for row in rows:
        code = row["code"]
        number = maker.next_number([point.number for point in region.points])
        node_num, public = maker.new_point(code, number, {point.node_num for point in region.points})
        prefix = prefixes[code]
        area = None if prefix is None else areas[prefix]
        entry = trust.Point(number, code.encode(), row["name"].encode(), area, node_num, public)
        region_files.append_point(folder, row)
        paths.append(_write(region, amendment.SET_POINT, number, entry))
        region = load_region(folder)
    return paths


def add_authority(folder: Path, name: str) -> Path:
    """Trust one more authority."""
    region = load_region(folder)
    if name in [entry.name for entry in region.authorities]:
        raise RegionError(f"there is an authority {name!r} already")
    number = max([entry.number for entry in region.authorities], default=0) + 1
    maker = region_files.KeyMaker(folder / "keys", region.id)
    public = maker.authority_key("authority", number, name, f"authority-{number}.key").public
    return _write(region, amendment.SET_AUTHORITY, number, trust.Authority(number, public, name.encode()))


def _find(region: Region, who: str) -> tuple[int, trust.Authority | trust.Point]:
    """Number and entry of a point's code or authority-N that is trusted now."""
    match = _AUTHORITY.fullmatch(who)
    entries = region.trusted_now.authorities if match else region.trusted_now.points
    number = int(match[1]) if match else region.point(who).number
    if number not in entries:
        raise RegionError(f"{who} is not trusted in {region.id} (any more)")
    return number, entries[number]


def _next_serial(region: Region) -> int:
    serials = [amendment.decode(raw).seq for raw in region.amendments]
    return max([region.trust.serial, *serials]) + 1


def _write(region: Region, action: int, number: int, entry: object) -> Path:
    root = load_key(region.folder / "keys" / "root.key", region)
    serial = _next_serial(region)
    try:
        raw = amendment.encode(Amendment(serial, action, number, entry), region.trust.tag, root.key.sign)
    except ProtocolError as error:
        raise RegionError(str(error)) from error
    folder = region.folder / AMENDMENTS
    folder.mkdir(exist_ok=True)
    path = folder / f"{serial}.trust"
    region_files.write_file(path, raw)
    return path


def _put_away(folder: Path, who: str, change: Path) -> Path | None:
    """Move the key file of `who` out of the way; where it is now, None when it was not here."""
    name = f"{who}.key" if _AUTHORITY.fullmatch(who) else f"point-{who}.key"
    path = folder / "keys" / name
    if not path.exists():
        return None
    revoked = folder / "keys" / "revoked"
    revoked.mkdir(exist_ok=True)
    revoked.chmod(0o700)
    return path.rename(revoked / f"{path.stem}-{change.stem}.key")


def add_commands(steps: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the three to `baken-bench region`."""
    next_step = (
        "Needs keys/root.key. Then: baken-console publish DIR/amendments/N.trust, which spreads it over the "
        "broker or a radio."
    )
    for name, what, run in (
        ("revoke", "take a stolen or lost key out of trust, from afar", _run_revoke),
        ("rollover", "give a point or authority a new key, from afar", _run_rollover),
    ):
        parser = steps.add_parser(
            name,
            help=what,
            description=f"{what[:1].upper()}{what[1:]}. Touches nobody else.",
            epilog=next_step,
        )
        parser.add_argument("dir", type=Path, metavar="DIR", help="region folder")
        parser.add_argument("who", metavar="WHO", help="code of a point, as OV06, or authority-N")
        parser.set_defaults(run=run)
    parser = steps.add_parser(
        "add",
        help="trust new points or an authority, from afar",
        description="Trust the points of a points file that the region lacks, or a new authority.",
        epilog=next_step,
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="region folder")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--points", type=Path, metavar="FILE", help="points file with the new points in it")
    what.add_argument("--authority", metavar="NAME", help="name of the new authority")
    parser.set_defaults(run=_run_add)


def _run_revoke(arguments: argparse.Namespace) -> int:
    return _tell([revoke(arguments.dir, arguments.who)])


def _run_rollover(arguments: argparse.Namespace) -> int:
    code = _tell([rollover(arguments.dir, arguments.who)])
    if not _AUTHORITY.fullmatch(arguments.who):
        print(f"Then provision its node anew: baken-bench region node {arguments.dir} {arguments.who} OUT")
    return code


def _run_add(arguments: argparse.Namespace) -> int:
    if arguments.authority is not None:
        return _tell([add_authority(arguments.dir, arguments.authority)])
    return _tell(add_points(arguments.dir, arguments.points))


def _tell(paths: list[Path]) -> int:
    for path in paths:
        print(f"{path}")
    print(f"Next: baken-console publish {' '.join(map(str, paths))}")
    return 0
