"""Reads a region folder: who may speak in a region, where its points lie, how its radios are set.

    region.toml      name, channel, areas, authorities: made by `baken-bench region init`, not by hand
    points.csv       the points with position and kind; the column `code` joins it to the trust list
    trust.bin        the trust list signed by the region's root key (`baken.wire.trust`)
    amendments/*     changes to it since, one TRUST record each (`baken-bench region revoke` and others)
    channel.psk      secret: the channel's key, base64
    keys/*.key       secret: private keys of root, authorities and points

A gateway or console needs the first four only. Secret files must be readable by their owner alone. Whatever
is missing or does not fit together is a RegionError whose text names the file and the value.
"""

from __future__ import annotations

import base64
import csv
import math
import stat
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from baken.crypto import signing
from baken.crypto.signing import AuthorityKey, PointKey
from baken.noticeboard.keyring import Keyring
from baken.wire import amendment, trust
from baken.wire.channel import MAX_NAME
from baken.wire.errors import ProtocolError
from baken.wire.modem import preset_named
from baken.wire.records import decode_header, signature_of, signed_bytes

PSK_SIZE = 32
KEY_SIZE = 32
MAX_HOP_LIMIT = 7
MAX_TEXT_FILE_SIZE = 1 << 20

RELAY_KIND = "relais"
CRISIS_ROOM_KIND = "crisisruimte"
AMENDMENTS = "amendments"
KEY_KINDS = ("root", "authority", "point")
_RUN_AGAIN = "run baken-bench region init --force"


class RegionError(Exception):
    """The folder is incomplete, damaged or badly protected; the text is one sentence for who can mend it."""


@dataclass(frozen=True)
class Channel:
    """The region's radio channel; its secret key is read apart, see `load_channel_psk`."""

    name: str
    preset: str
    hop_limit: int


@dataclass(frozen=True)
class Area:
    """A municipality: `index` is what bulletins carry, `code` the prefix of its points' codes."""

    index: int
    code: str
    name: str


@dataclass(frozen=True)
class AuthorityEntry:
    """Who may sign bulletins."""

    number: int
    name: str
    public: bytes


@dataclass(frozen=True)
class RegionPoint:
    """A place with a node. `area` is None for relays and the crisis room, which lie outside every area."""

    number: int
    code: str
    name: str
    kind: str
    municipality: str
    area: int | None
    node_num: int
    x_km: float
    y_km: float
    antenna_m: float
    backup_power_h: float
    second_languages: tuple[str, ...]

    @property
    def is_support_point(self) -> bool:
        """Where citizens come: neither a relay nor the crisis room."""
        return self.kind not in (RELAY_KIND, CRISIS_ROOM_KIND)


@dataclass(frozen=True)
class Region:
    """A region as its folder describes it; all of it agrees with the trust list that root has signed."""

    folder: Path
    id: str
    name: str
    timezone: str
    root_public: bytes
    channel: Channel
    areas: tuple[Area, ...]
    authorities: tuple[AuthorityEntry, ...]
    points: tuple[RegionPoint, ...]
    trust: trust.TrustList
    amendments: tuple[bytes, ...] = ()

    @cached_property
    def trusted_now(self) -> trust.TrustList:
        """The trust list with the folder's amendments."""
        return _amended(self.trust, self.amendments)

    def point(self, code: str) -> RegionPoint:
        """Point with that code; RegionError lists what there is."""
        for point in self.points:
            if point.code == code:
                return point
        known = ", ".join(point.code for point in self.points)
        raise RegionError(f"region {self.id} has no point {code!r}; known: {known}")

    def point_by_number(self, number: int) -> RegionPoint | None:
        """Point with the number that STATUS records carry, or None."""
        return next((point for point in self.points if point.number == number), None)

    def point_by_node_num(self, node_num: int) -> RegionPoint | None:
        """Point whose node has that Meshtastic number, or None."""
        return next((point for point in self.points if point.node_num == node_num), None)

    def area_by_code(self, code: str) -> Area:
        """Area with that code; RegionError lists what there is."""
        for area in self.areas:
            if area.code == code:
                return area
        known = ", ".join(area.code for area in self.areas)
        raise RegionError(f"region {self.id} has no area {code!r}; known: {known}")

    def authority(self, number: int) -> AuthorityEntry | None:
        """Authority with that number, or None."""
        return next((entry for entry in self.authorities if entry.number == number), None)

    def points_meant(self, areas: tuple[int, ...]) -> tuple[RegionPoint, ...]:
        """Support points for which a bulletin for `areas` (empty: the whole region) is meant."""
        return tuple(p for p in self.points if p.is_support_point and (not areas or p.area in areas))


@dataclass(frozen=True)
class PrivateKey:
    """One key file. `kind`: "root", "authority" or "point"; `name` is a point's code; `key` signs."""

    kind: str
    region: str
    number: int
    name: str
    private: bytes
    key: AuthorityKey | PointKey

    @property
    def public(self) -> bytes:
        return self.key.public


def load_region(folder: str | Path) -> Region:
    """The region in `folder`; RegionError when something is missing, damaged or does not fit together."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RegionError(
            f"{folder} is not a folder; make one: baken-bench region init {folder} --points FILE"
        )
    path = folder / "region.toml"
    data = _Table(path, _read_toml(path))
    channel = data.table("channel")
    root_public = data.key_bytes("root_public")
    trust_path = folder / "trust.bin"
    try:
        trusted = trust.decode(read_file(trust_path), root_public)
    except ProtocolError as error:
        raise RegionError(f"{trust_path}: {error}") from error
    amendments = read_amendments(folder, trusted)
    listed = everybody(trusted, amendments)
    region = Region(
        folder=folder,
        id=data.text("id"),
        name=data.text("name"),
        timezone=_timezone(data),
        root_public=root_public,
        channel=_channel(channel),
        areas=tuple(
            Area(entry.number("index"), entry.text("code"), entry.text("name"))
            for entry in data.tables("areas")
        ),
        authorities=tuple(
            AuthorityEntry(entry.number("number"), entry.text("name"), entry.key_bytes("public"))
            for entry in data.tables("authorities")
        ),
        points=_points(folder / "points.csv", listed),
        trust=trusted,
        amendments=amendments,
    )
    _check_against_trust(region, path)
    authorities = tuple(
        AuthorityEntry(number, listed.authorities[number].name.decode(), listed.authorities[number].public)
        for number in sorted(listed.authorities)
    )
    return replace(region, authorities=authorities)


def read_amendments(folder: Path, trusted: trust.TrustList) -> tuple[bytes, ...]:
    """The folder's TRUST records that `trusted` does not contain, by serial number; RegionError for one that
    root has not signed.
    """
    found: dict[int, bytes] = {}
    for path in sorted((folder / AMENDMENTS).glob("*.trust")):
        raw = read_file(path)
        try:
            seq = amendment.decode(raw).seq
            signed = signing.verify(trusted.root_public, signed_bytes(raw, trusted.tag), signature_of(raw))
        except ProtocolError as error:
            raise RegionError(f"{path}: {error}") from error
        if not signed:
            raise RegionError(f"{path} is not signed by the root of this region")
        if seq > trusted.serial:
            found[seq] = raw
    return tuple(found[seq] for seq in sorted(found))


def everybody(trusted: trust.TrustList, amendments: tuple[bytes, ...]) -> trust.TrustList:
    """Who is or was trusted: those who were revoked with their last key, so that their names are known."""
    now = _amended(trusted, amendments)
    points = {**trusted.points, **now.points}
    authorities = {**trusted.authorities, **now.authorities}
    return trust.TrustList(
        now.serial, now.root_public, now.region, now.areas, list(authorities.values()), list(points.values())
    )


def _amended(trusted: trust.TrustList, amendments: tuple[bytes, ...]) -> trust.TrustList:
    held = {decode_header(raw).record_id: raw for raw in amendments}
    keyring = Keyring(trusted, held.get)
    for raw in amendments:
        try:
            keyring.amend(raw)
        except ProtocolError as error:
            raise RegionError(f"amendment {amendment.decode(raw).seq}: {error}") from error
    return keyring.trust


def load_key(path: str | Path, region: Region | None = None) -> PrivateKey:
    """A private key file; with `region` given, one that the region's trust list knows."""
    path = Path(path)
    check_private(path)
    table = _Table(path, _read_toml(path))
    kind = table.text("kind")
    if kind not in KEY_KINDS:
        raise RegionError(f"{path}: kind is {kind!r}, allowed: {', '.join(KEY_KINDS)}")
    private = table.key_bytes("private")
    key = PointKey(private) if kind == "point" else AuthorityKey(private)
    loaded = PrivateKey(kind, table.text("region"), table.number("number"), table.text("name"), private, key)
    if region is not None:
        _check_key(loaded, path, region)
    return loaded


def load_channel_psk(folder: str | Path) -> bytes:
    """The 32 secret bytes of the region's channel."""
    path = Path(folder) / "channel.psk"
    check_private(path)
    try:
        psk = base64.b64decode(read_file(path).strip(), validate=True)
    except ValueError as error:
        raise RegionError(f"{path} is not base64: {error}") from error
    if len(psk) != PSK_SIZE:
        raise RegionError(f"{path} holds {len(psk)} bytes, a channel key has {PSK_SIZE}")
    return psk


def check_private(path: Path) -> None:
    """RegionError when the secret file `path` is missing or when others than its owner may read it."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise RegionError(f"{path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RegionError(
            f"{path} is secret, but its mode {stat.S_IMODE(mode):04o} lets others in; run: chmod 600 {path}"
        )


def read_file(path: Path) -> bytes:
    """Content of a file of at most 1 MiB; RegionError otherwise."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_FILE_SIZE + 1)
    except OSError as error:
        raise RegionError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_TEXT_FILE_SIZE:
        raise RegionError(f"{path} is larger than the limit of {MAX_TEXT_FILE_SIZE} bytes")
    return data


def read_points(path: Path) -> list[dict[str, str]]:
    """Rows of a points file; RegionError names the line. Needed: code, name, gemeente, kind, x_km, y_km."""
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RegionError(f"{path} is not UTF-8 at byte {error.start}") from error
    reader = csv.DictReader(lines)
    needed = ("code", "name", "gemeente", "kind", "x_km", "y_km")
    absent = [column for column in needed if column not in (reader.fieldnames or ())]
    if absent:
        raise RegionError(f"{path} has no column {', '.join(absent)}; its first line must name the columns")
    rows: list[dict[str, str]] = []
    for row in reader:
        values = {column: (row[column] or "").strip() for column in reader.fieldnames or () if column in row}
        where = f"{path}, line {reader.line_num}"
        if None in row:
            raise RegionError(f"{where}: more values than columns")
        if not values["code"]:
            raise RegionError(f"{where}: no code")
        if any(other["code"] == values["code"] for other in rows):
            raise RegionError(f"{where}: point {values['code']} is there twice")
        for column in ("x_km", "y_km", "antenna_m", "backup_power_h"):
            _check_decimal(where, column, values.get(column, ""), column in needed)
        rows.append(values)
    if not rows:
        raise RegionError(f"{path} has no points")
    return rows


def _points(path: Path, trusted: trust.TrustList) -> tuple[RegionPoint, ...]:
    rows = {row["code"]: row for row in read_points(path)}
    points = []
    for number in sorted(trusted.points):
        entry = trusted.points[number]
        code = entry.code.decode(errors="replace")
        if code not in rows:
            raise RegionError(f"{path} lacks point {code}, which trust.bin has")
        row = rows.pop(code)
        points.append(
            RegionPoint(
                number=number,
                code=code,
                name=entry.name.decode(errors="replace"),
                kind=row["kind"],
                municipality=row["gemeente"],
                area=entry.area,
                node_num=entry.node_num,
                x_km=float(row["x_km"]),
                y_km=float(row["y_km"]),
                antenna_m=float(row.get("antenna_m") or 0),
                backup_power_h=float(row.get("backup_power_h") or 0),
                second_languages=tuple(row.get("second_languages", "").replace(",", " ").split()),
            )
        )
    if rows:
        raise RegionError(f"{path} has point {next(iter(rows))}, which trust.bin lacks; {_RUN_AGAIN}")
    return tuple(points)


def _timezone(table: _Table) -> str:
    name = table.text("timezone")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError) as error:
        raise RegionError(f"{table.path}: timezone is {name!r}, which this computer does not know") from error
    return name


def _channel(table: _Table) -> Channel:
    channel = Channel(table.text("name"), table.text("preset"), table.number("hop_limit"))
    size = len(channel.name.encode())
    if size > MAX_NAME:
        raise RegionError(f"{table.path}: channel name is {size} bytes, limit {MAX_NAME}")
    if not 0 <= channel.hop_limit <= MAX_HOP_LIMIT:
        raise RegionError(f"{table.path}: hop_limit is {channel.hop_limit}, allowed 0 to {MAX_HOP_LIMIT}")
    try:
        preset_named(channel.preset)
    except ProtocolError as error:
        raise RegionError(f"{table.path}: {error}") from error
    return channel


def _check_against_trust(region: Region, path: Path) -> None:
    trusted = region.trust
    areas = [(area.code.encode(), area.name.encode()) for area in region.areas]
    if areas != trusted.areas or [area.index for area in region.areas] != list(range(len(areas))):
        raise RegionError(f"{path}: areas differ from trust.bin; {_RUN_AGAIN}")
    authorities = {entry.number: (entry.name.encode(), entry.public) for entry in region.authorities}
    if authorities != {number: (entry.name, entry.public) for number, entry in trusted.authorities.items()}:
        raise RegionError(f"{path}: authorities differ from trust.bin; {_RUN_AGAIN}")


def _check_key(loaded: PrivateKey, path: Path, region: Region) -> None:
    if loaded.region != region.id:
        raise RegionError(f"{path} is of region {loaded.region}, not {region.id}")
    if loaded.kind == "root":
        known = region.root_public
    else:
        trusted = region.trusted_now
        entries: Any = trusted.points if loaded.kind == "point" else trusted.authorities
        entry = entries.get(loaded.number)
        known = entry.public if entry else None
    if known != loaded.public:
        raise RegionError(f"{path}: the trust list of {region.id} has no such {loaded.kind} {loaded.number}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_file(path).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RegionError(f"{path} is not readable TOML: {error}") from error


def _check_decimal(where: str, column: str, value: str, needed: bool) -> None:
    if not value and not needed:
        return
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RegionError(f"{where}: {column} is {value!r}, not a number")


class _Table:
    """A TOML table whose every reading is checked, and which knows its file for the message."""

    def __init__(self, path: Path, data: dict[str, Any], prefix: str = "") -> None:
        self.path = path
        self._data = data
        self._prefix = prefix

    def text(self, name: str) -> str:
        return self._value(name, str, "a text")

    def number(self, name: str) -> int:
        return self._value(name, int, "a whole number")

    def key_bytes(self, name: str) -> bytes:
        value = self.text(name)
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = b""
        if len(data) != KEY_SIZE:
            raise RegionError(f"{self.path}: {self._prefix}{name} is not {2 * KEY_SIZE} hexadecimal digits")
        return data

    def table(self, name: str) -> _Table:
        return _Table(self.path, self._value(name, dict, "a table"), f"{self._prefix}{name}.")

    def tables(self, name: str) -> list[_Table]:
        entries = self._value(name, list, "a list of tables")
        if not all(isinstance(entry, dict) for entry in entries):
            raise RegionError(f"{self.path}: {self._prefix}{name} is not a list of tables")
        names = [f"{self._prefix}{name}[{index}]." for index in range(len(entries))]
        return [_Table(self.path, entry, prefix) for entry, prefix in zip(entries, names, strict=True)]

    def _value(self, name: str, wanted: type, description: str) -> Any:
        value = self._data.get(name)
        if value is None:
            raise RegionError(f"{self.path}: {self._prefix}{name} is missing")
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise RegionError(f"{self.path}: {self._prefix}{name} is {value!r}, not {description}")
        return value
