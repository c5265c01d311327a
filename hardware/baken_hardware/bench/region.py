"""Makes a region folder: keys, trust list, channel; and what one node of the region is provisioned with.

Running `init` again (with `--force`) is how a region grows: points and authorities keep their keys, numbers
and area indexes, new ones are added behind them, the trust list gets a higher serial number. A key file is
never written twice. `baken_gateway.region` reads what is made here.
"""

from __future__ import annotations

import argparse
import base64
import csv
import io
import json
import os
import re
import secrets
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baken.compat import crc32
from baken.crypto.signing import AuthorityKey, PointKey
from baken.device.flash import FlashStore
from baken.mesh.nodedb import SHORT_NAME_SIZE
from baken.wire import amendment, modem, trust
from baken.wire.channel import MAX_NAME
from baken.wire.errors import ProtocolError
from baken_gateway.region import (
    AMENDMENTS,
    CRISIS_ROOM_KIND,
    KEY_SIZE,
    MAX_HOP_LIMIT,
    PSK_SIZE,
    RELAY_KIND,
    Channel,
    Region,
    RegionError,
    everybody,
    load_channel_psk,
    load_key,
    load_region,
    read_amendments,
    read_file,
    read_points,
)

DEFAULT_PRESET = "MEDIUM_FAST"
DEFAULT_HOP_LIMIT = 3  # Meshtastic's own; Baken's relays give a record a fresh one where it is spent
DEFAULT_CHANNEL = "Baken"
TIMEZONE = "Europe/Amsterdam"

_RESERVED_NODE_NUMS = (*range(4), 0xFFFFFFFF)
_LOW_BYTE_TRIES = 64
_MAX_NAME_SIZE = 255
_SOURCE_HEADER = "# Made by baken-bench region init. Do not edit: parts of it are signed in trust.bin.\n"


@dataclass(frozen=True)
class Settings:
    """What `init` was asked for; None keeps what the region has, or the default."""

    name: str | None = None
    id: str | None = None
    authorities: tuple[str, ...] = ()
    channel: str | None = None
    preset: str | None = None
    hop_limit: int | None = None


def init(folder: Path, points_file: Path, settings: Settings = Settings(), force: bool = False) -> Region:
    """Make the region in `folder`, or with `force` bring it up to date; returns it as programs read it."""
    rows = read_points(points_file)
    old = _existing(folder, force)
    name = settings.name or (old.name if old else folder.resolve().name.capitalize())
    region_id = settings.id or (old.id if old else region_id_of(name))
    if old and region_id != old.id:
        raise RegionError(f"region is {old.id} and cannot become {region_id}: make another folder")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", region_id):
        raise RegionError(f"id is {region_id!r}, allowed: 1 to 32 of a-z, 0-9 and -")
    channel = settings.channel or (old.channel.name if old else DEFAULT_CHANNEL)
    preset = settings.preset or (old.channel.preset if old else DEFAULT_PRESET)
    hop_limit = (
        settings.hop_limit
        if settings.hop_limit is not None
        else (old.channel.hop_limit if old else DEFAULT_HOP_LIMIT)
    )
    _check_radio(channel, preset, hop_limit)
    areas = _areas(rows, old)
    wanted_authorities = list(settings.authorities) or ([] if old else [name])
    authority_names = [held.name.decode() for _, held in sorted(old.known.authorities.items())] if old else []
    authority_names += [new for new in wanted_authorities if new not in authority_names]
    _check_counts(len(rows), len(areas), len(authority_names))
    _check_text(name)
    for text in authority_names + [row["name"] for row in rows] + [area_name for _code, area_name in areas]:
        _check_text(text)

    keys = folder / "keys"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    keys.mkdir(exist_ok=True)
    keys.chmod(0o700)
    maker = KeyMaker(keys, region_id)
    root = maker.authority_key("root", 0, "root", "root.key")
    authorities = []
    for number, text in enumerate(authority_names, start=1):
        key = maker.authority_key("authority", number, text, f"authority-{number}.key")
        authorities.append(trust.Authority(number, key.public, text.encode()))
    points = [
        trust.Point(number, row["code"].encode(), row["name"].encode(), area, node_num, public)
        for row, (number, node_num, public), area in zip(
            rows, maker.point_keys([row["code"] for row in rows]), _area_indexes(rows, areas), strict=True
        )
    ]
    psk_path = folder / "channel.psk"
    if not psk_path.exists():
        write_file(psk_path, base64.b64encode(secrets.token_bytes(PSK_SIZE)) + b"\n", secret=True)
    serial = old.serial + 1 if old else 1
    encoded_areas = [(code.encode(), text.encode()) for code, text in areas]
    trusted = trust.TrustList(serial, root.public, name.encode(), encoded_areas, authorities, points)
    write_file(folder / "points.csv", read_file(points_file))
    write_file(folder / "trust.bin", trust.encode(trusted, root.sign))
    radio = Channel(channel, preset, hop_limit)
    write_file(folder / "region.toml", _region_toml(region_id, name, radio, trusted).encode())
    for path in (folder / AMENDMENTS).glob("*.trust"):
        path.unlink()  # the new list contains them
    return load_region(folder)


def provision(folder: Path, code: str, out: Path, extra: Mapping[str, object] | None = None) -> Path:
    """Write the flash folder of the node of point `code` into `out`; the path of its `node.json`.

    `extra` are values of node.json that may be left out (docs/protocol.md, section 11).
    """
    region = load_region(folder)
    point = region.point(code)
    key = load_key(folder / "keys" / f"point-{code}.key", region)
    node = {
        "code": point.code,
        "name": point.name,
        "number": point.number,
        "node_num": point.node_num,
        "private": key.private.hex(),
        "area": point.area,
        "channel": {"name": region.channel.name, "psk": load_channel_psk(folder).hex()},
        "preset": region.channel.preset,
        "hop_limit": region.channel.hop_limit,
        "role": "ROUTER" if point.kind == RELAY_KIND else "CLIENT",
        "root_public": region.root_public.hex(),
        "restricted": point.kind == CRISIS_ROOM_KIND,
        "timezone": region.timezone,
        **(extra or {}),
    }
    out.mkdir(parents=True, exist_ok=True)
    out.chmod(0o700)
    path = out / "node.json"
    write_file(out / "trust.bin", read_file(folder / "trust.bin"))
    if region.amendments:
        store = FlashStore(str(out / "board"), point.number)
        for raw in region.amendments:
            store.put(raw)
        store.save()
    write_file(path, json.dumps(node, indent=1, ensure_ascii=False).encode() + b"\n", secret=True)
    return path


def copy_public(folder: Path, out: Path) -> None:
    """Write into `out` what a gateway or a reading console needs of a region: nothing of it is secret."""
    load_region(folder)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("points.csv", "trust.bin", "region.toml"):
        write_file(out / name, read_file(folder / name))
    for path in sorted((folder / AMENDMENTS).glob("*.trust")):
        (out / AMENDMENTS).mkdir(exist_ok=True)
        write_file(out / AMENDMENTS / path.name, read_file(path))


def append_point(folder: Path, row: dict[str, str]) -> None:
    """Add a row to the region's points file, in its columns."""
    text = read_file(folder / "points.csv").decode("utf-8-sig")
    columns = next(csv.reader(text.splitlines()))
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([row.get(column, "") for column in columns])
    write_file(folder / "points.csv", (text.rstrip("\n") + "\n" + line.getvalue()).encode())


def region_id_of(name: str) -> str:
    """Name for topics: "Veiligheidsregio Súdwest Fryslân" becomes "sudwest-fryslan"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    if len(words) > 1 and words[0] in ("veiligheidsregio", "vr"):
        del words[0]
    return "-".join(words)[:32].rstrip("-") or "region"


class KeyMaker:
    """Takes keys from the folder where they are there, makes and writes them where they are not."""

    def __init__(self, folder: Path, region_id: str) -> None:
        self._folder = folder
        self._region_id = region_id

    def authority_key(self, kind: str, number: int, name: str, file_name: str) -> AuthorityKey:
        path = self._folder / file_name
        if path.exists():
            held = load_key(path)
            if (held.kind, held.region, held.number) != (kind, self._region_id, number):
                raise RegionError(f"{path} is of {held.kind} {held.number} of region {held.region}")
            return AuthorityKey(held.private)
        private = secrets.token_bytes(KEY_SIZE)
        self._write_key(path, kind, number, name, private)
        return AuthorityKey(private)

    def point_keys(self, codes: list[str]) -> list[tuple[int, int, bytes]]:
        """(number, node number, public key) for each code; a number is never given to another point."""
        held = {}
        for path in sorted(self._folder.glob("point-*.key")):
            key = load_key(path)
            if key.region != self._region_id:
                raise RegionError(f"{path} is of region {key.region}, not {self._region_id}")
            held[key.name] = (key.number, crc32(key.public), key.public)
        number = self.next_number([entry[0] for entry in held.values()])
        for code in codes:
            if code not in held:
                held[code] = (number, *self.new_point(code, number, {entry[1] for entry in held.values()}))
                number += 1
        return [held[code] for code in codes]

    def next_number(self, used: Iterable[int]) -> int:
        """A number for a new point: none of `used`, and none that a revoked key had."""
        revoked = [load_key(path).number for path in (self._folder / "revoked").glob("point-*.key")]
        return max([0, *used, *revoked]) + 1

    def new_point(self, code: str, number: int, taken: set[int]) -> tuple[int, bytes]:
        """Make and write the key of a point; its node number, none of `taken`, and public key."""
        private, public = self._new_point_key(taken)
        self._write_key(self._folder / f"point-{code}.key", "point", number, code, private)
        return crc32(public), public

    def _new_point_key(self, taken: set[int]) -> tuple[bytes, bytes]:
        """A key whose node number is free and, where that can be had, whose last byte is free too.

        Meshtastic names relays by the last byte of their number (0 counts as 255).
        """
        low_bytes = {node_num & 0xFF or 0xFF for node_num in taken}
        tries = 0
        while True:
            private = secrets.token_bytes(KEY_SIZE)
            public = PointKey(private).public
            node_num = crc32(public)
            tries += 1
            if node_num in taken or node_num in _RESERVED_NODE_NUMS:
                continue
            if (node_num & 0xFF or 0xFF) not in low_bytes or tries >= _LOW_BYTE_TRIES:
                return private, public

    def _write_key(self, path: Path, kind: str, number: int, name: str, private: bytes) -> None:
        lines = (
            "# Secret. Whoever holds this file can speak in its owner's name.",
            f"kind = {_toml(kind)}",
            f"region = {_toml(self._region_id)}",
            f"number = {number}",
            f"name = {_toml(name)}",
            f"private = {_toml(private.hex())}",
        )
        write_file(path, ("\n".join(lines) + "\n").encode(), secret=True)


@dataclass(frozen=True)
class _Old:
    """What an earlier run has decided. Unlike a Region it may be half way: points.csv does not count here."""

    id: str
    name: str
    channel: Channel
    known: trust.TrustList
    serial: int


def _existing(folder: Path, force: bool) -> _Old | None:
    path = folder / "region.toml"
    if not path.exists():
        return None
    if not force:
        raise RegionError(
            f"{folder} already holds a region; --force makes its lists anew, its keys and numbers stay"
        )
    try:
        data = tomllib.loads(read_file(path).decode())
        radio = data["channel"]
        channel = Channel(radio["name"], radio["preset"], radio["hop_limit"])
        trusted = trust.decode(read_file(folder / "trust.bin"), bytes.fromhex(data["root_public"]))
        amendments = read_amendments(folder, trusted)
        serial = max([trusted.serial, *(amendment.decode(raw).seq for raw in amendments)])
        return _Old(data["id"], data["name"], channel, everybody(trusted, amendments), serial)
    except (ValueError, KeyError, TypeError, ProtocolError) as error:
        raise RegionError(
            f"{folder} cannot be brought up to date: {error}; restore region.toml and trust.bin"
        ) from error


def _areas(rows: list[dict[str, str]], old: _Old | None) -> list[tuple[str, str]]:
    """(code, name) by index: those of the region first, then new ones in order of appearance."""
    areas = {code.decode(): name.decode() for code, name in old.known.areas} if old else {}
    for row in rows:
        code = prefix_of(row)
        if code is None:
            continue
        if not row["gemeente"]:
            raise RegionError(f"point {row['code']} has no gemeente")
        known = areas.setdefault(code, row["gemeente"])
        if known != row["gemeente"]:
            raise RegionError(f"point {row['code']}: {code} stands for {known}, not for {row['gemeente']}")
    return list(areas.items())


def _area_indexes(rows: list[dict[str, str]], areas: list[tuple[str, str]]) -> list[int | None]:
    index = {code: position for position, (code, _name) in enumerate(areas)}
    prefixes = [prefix_of(row) for row in rows]
    return [None if prefix is None else index[prefix] for prefix in prefixes]


def prefix_of(row: dict[str, str]) -> str | None:
    """Letters of the point's code, which name its municipality; None for a point outside every area."""
    match = re.fullmatch(r"([A-Z]+)[0-9]+", row["code"])
    if match is None or len(row["code"]) > SHORT_NAME_SIZE:
        raise RegionError(
            f"point code is {row['code']!r}, allowed: capitals, then digits, {SHORT_NAME_SIZE} in all (OV06)"
        )
    return None if row["kind"] in (RELAY_KIND, CRISIS_ROOM_KIND) else match[1]


def _check_radio(channel: str, preset: str, hop_limit: int) -> None:
    if not 1 <= len(channel.encode()) <= MAX_NAME:
        raise RegionError(f"channel name is {len(channel.encode())} bytes, allowed 1 to {MAX_NAME}")
    _check_text(channel)
    if not 0 <= hop_limit <= MAX_HOP_LIMIT:
        raise RegionError(f"hop limit is {hop_limit}, allowed 0 to {MAX_HOP_LIMIT}")
    try:
        chosen = modem.preset_named(preset)
    except ProtocolError as error:
        raise RegionError(str(error)) from error
    band = modem.region(3)
    if not band.slots(chosen.modem):
        wide_hz, limit_hz = chosen.modem.bandwidth_hz, band.end_hz - band.start_hz
        raise RegionError(f"preset {preset} is {wide_hz} Hz wide, limit {limit_hz} ({band.name})")


def _check_counts(points: int, areas: int, authorities: int) -> None:
    for name, count, limit in (
        ("points", points, trust.MAX_POINTS),
        ("areas", areas, trust.MAX_AREAS),
        ("authorities", authorities, trust.MAX_AUTHORITIES),
    ):
        if count > limit:
            raise RegionError(f"there are {count} {name}, limit {limit}")


def _check_text(text: str) -> None:
    if not 1 <= len(text.encode()) <= _MAX_NAME_SIZE:
        raise RegionError(f"name {text[:40]!r} is {len(text.encode())} bytes, allowed 1 to {_MAX_NAME_SIZE}")
    if any(unicodedata.category(letter) == "Cc" for letter in text):
        raise RegionError(f"name {text!r} has a control character")


def _region_toml(region_id: str, name: str, radio: Channel, trusted: trust.TrustList) -> str:
    lines = [
        _SOURCE_HEADER,
        f"id = {_toml(region_id)}",
        f"name = {_toml(name)}",
        f"timezone = {_toml(TIMEZONE)}",
        f"root_public = {_toml(trusted.root_public.hex())}",
        "\n[channel]",
        f"name = {_toml(radio.name)}",
        f"preset = {_toml(radio.preset)}",
        f"hop_limit = {radio.hop_limit}",
    ]
    for index, (code, text) in enumerate(trusted.areas):
        lines += ["\n[[areas]]", f"index = {index}", f"code = {_toml(code.decode())}"]
        lines.append(f"name = {_toml(text.decode())}")
    for number in sorted(trusted.authorities):
        entry = trusted.authorities[number]
        lines += ["\n[[authorities]]", f"number = {number}", f"name = {_toml(entry.name.decode())}"]
        lines.append(f"public = {_toml(entry.public.hex())}")
    if not trusted.areas:
        lines.insert(1, "areas = []")
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A TOML basic string; its escapes are those of JSON once control characters are excluded."""
    return json.dumps(text, ensure_ascii=False)


def write_file(path: Path, data: bytes, secret: bool = False) -> None:
    """Write whole or not at all; a secret is never readable by others, not even while it is written."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Add `region` and its sub-commands to `baken-bench`; gives what takes more of them."""
    region = commands.add_parser("region", help="make a region's keys and files, provision its nodes")
    steps = region.add_subparsers(required=True, metavar="STEP")

    parser = steps.add_parser(
        "init",
        help="make a region folder from a table of points",
        description="Makes DIR with the region's settings, its channel key, a private key for root, each "
        "authority and every point, and the trust list signed by root. Keep DIR on an encrypted disk and a "
        "copy of keys/root.key in a safe: who holds it decides who may speak in the region.",
        epilog="The points file is CSV with the columns code, name, gemeente, kind, x_km, y_km and, if "
        "known, antenna_m, backup_power_h, second_languages. The letters of a code name the municipality "
        f"(OV06 lies in area OV); kind '{RELAY_KIND}' or '{CRISIS_ROOM_KIND}' lies outside every area. "
        "Example: baken-bench region init merenland --points points.csv --name 'VR Merenland' "
        "--authority 'VR Merenland' --authority 'Gemeente Oosterveen'",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="folder to make")
    parser.add_argument("--points", type=Path, required=True, metavar="FILE", help="CSV table of the points")
    parser.add_argument("--name", help="name of the region as people read it (default: the folder's name)")
    parser.add_argument("--id", help="short name for MQTT topics (default: made from the name)")
    parser.add_argument(
        "--authority",
        action="append",
        default=[],
        metavar="NAME",
        help="who may sign bulletins; may be repeated, numbered in this order (default: the region's name)",
    )
    parser.add_argument(
        "--channel", metavar="NAME", help=f"radio channel, 1 to {MAX_NAME} bytes (default: {DEFAULT_CHANNEL})"
    )
    parser.add_argument("--preset", help=f"modem preset of the channel (default: {DEFAULT_PRESET})")
    parser.add_argument(
        "--hop-limit",
        type=int,
        metavar="N",
        help=f"hop limit of a new record's flood, 0 to {MAX_HOP_LIMIT} (default: {DEFAULT_HOP_LIMIT})",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="bring an existing region up to date: adds points and authorities, never overwrites a key",
    )
    parser.set_defaults(run=_run_init)

    parser = steps.add_parser(
        "node",
        help="write what one node's flash must hold",
        description="Writes node.json (secret: the node's private key and the channel's) and trust.bin into "
        "OUT, to be copied to the flash of that node and nowhere else.",
        epilog="Example: baken-bench region node merenland OV06 /tmp/OV06",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="region folder")
    parser.add_argument("code", metavar="CODE", help="code of the point, as OV06")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.set_defaults(run=_run_node)

    parser = steps.add_parser(
        "public",
        help="copy what a gateway computer needs, without any key",
        description="Writes region.toml, points.csv and trust.bin into OUT: all that baken-gateway needs.",
    )
    parser.add_argument("dir", type=Path, metavar="DIR", help="region folder")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.set_defaults(run=_run_public)
    return steps


def _run_init(arguments: argparse.Namespace) -> int:
    settings = Settings(
        arguments.name,
        arguments.id,
        tuple(arguments.authority),
        arguments.channel,
        arguments.preset,
        arguments.hop_limit,
    )
    region = init(arguments.dir, arguments.points, settings, arguments.force)
    areas = _list(area.code for area in region.areas)
    authorities = _list(f"{entry.number} {entry.name}" for entry in region.authorities)
    print(f"{region.name} ({region.id}) in {arguments.dir}: trust list {region.trust.serial}")
    print(f"  {len(region.points)} points in {len(region.areas)} areas: {areas}")
    print(f"  {len(region.authorities)} authorities: {authorities}")
    print(f"  channel {region.channel.name}, {region.channel.preset}, hop limit {region.channel.hop_limit}")
    unused = {path.name for path in (arguments.dir / "keys").glob("point-*.key")}
    unused -= {f"point-{point.code}.key" for point in region.points}
    if unused:
        print(f"  no longer trusted, key kept: {_list(sorted(unused))}")
    print(
        "Next: baken-bench region node DIR CODE OUT for each node. Secret: keys/; root.key belongs in a safe."
    )
    return 0


def _run_node(arguments: argparse.Namespace) -> int:
    path = provision(arguments.dir, arguments.code, arguments.out)
    print(f"{path} and trust.bin are for the node of {arguments.code} alone; remove them once it has them.")
    return 0


def _run_public(arguments: argparse.Namespace) -> int:
    copy_public(arguments.dir, arguments.out)
    print(f"{arguments.out} holds what baken-gateway --region needs, and nothing secret.")
    return 0


def _list(items: Iterable[str]) -> str:
    return ", ".join(items) or "none"
