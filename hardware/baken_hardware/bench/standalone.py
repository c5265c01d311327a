"""Flash folders for virtual nodes that stand alone: a node that meets stock Meshtastic nodes out of the box.

Its primary channel is that of a node fresh from the factory, so both are on one frequency and read each
other; the records of a throw-away region go on the secondary channel at index 1. Beside a flash folder DIR

    DIR.region     the region: keys of root, of an authority and of both points (`baken-bench region`)
    DIR.second     flash of the second node
    DIR.run        serial ports, logs, pictures, lock

A flash folder that is provisioned is left as it is: identity, settings and what was heard survive.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from baken.wire import modem
from baken.wire.errors import LocalProtocolError
from baken_hardware.bench import region
from baken_hardware.virtual.propagation import Point

CODES = ("VN01", "VN02")
DEFAULT_NAME = "Baken virtual node"
DEFAULT_PRESET = "LONG_FAST"
DEFAULT_REGION = "EU_868"
_ANTENNA_M = 10.0
_REGION_CODES = range(64)


class StandaloneError(Exception):
    """The flash folder cannot be what was asked for; the text names folder, value and what helps."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for; None: the default for a new node, whatever there is for an old one."""

    name: str | None = None
    preset: str | None = None
    region: str | None = None


def beside(flash: Path, kind: str) -> Path:
    """The folder that goes with a flash folder; `kind`: region, second, run."""
    return flash.with_name(f"{flash.name}.{kind}")


def points() -> dict[str, Point]:
    """Where the nodes stand: outdoors, a kilometre apart."""
    return {code: Point(code, float(index), 0.0, _ANTENNA_M) for index, code in enumerate(CODES)}


def region_codes() -> dict[str, int]:
    """Meshtastic's RegionCode of every band that the firmware knows, by name."""
    codes = {}
    for code in _REGION_CODES:
        try:
            codes[modem.region(code).name] = code
        except LocalProtocolError:
            continue
    return codes


def provision(flash: Path, second: bool, wanted: Wanted) -> dict[str, Path]:
    """Flash folders by code, provisioned where they are not yet; StandaloneError where they are, and differ
    from what is wanted.
    """
    folders = {CODES[0]: flash}
    if second:
        folders[CODES[1]] = beside(flash, "second")
    for code, folder in folders.items():
        if (folder / "node.json").exists():
            if folder is flash:
                _compare(folder, wanted)
        else:
            _provision(flash, code, folder, wanted)
    return folders


def _provision(flash: Path, code: str, folder: Path, wanted: Wanted) -> None:
    keys = beside(flash, "region")
    is_new = not (keys / "region.toml").exists()
    if is_new or folder is flash:
        keys.mkdir(parents=True, exist_ok=True)
        source = keys / "points-source.csv"
        name = wanted.name or DEFAULT_NAME
        with source.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("code", "name", "gemeente", "kind", "x_km", "y_km", "antenna_m"))
            for number, point in enumerate(points().values(), start=1):
                label = name if number == 1 else f"{name} {number}"
                place = (point.x_km, point.y_km, point.antenna_m)
                writer.writerow((point.code, label, "Virtueel", "virtueel", *place))
        settings = region.Settings(
            name="Virtual node", id="virtual-node", preset=wanted.preset or DEFAULT_PRESET
        )
        region.init(keys, source, settings, force=True)
    band = wanted.region or DEFAULT_REGION
    if folder is not flash:
        band = _values(flash)["band"]
    region.provision(keys, code, folder, {"primary": "default", "region_code": region_codes()[band]})


def _compare(flash: Path, wanted: Wanted) -> None:
    found = _values(flash)
    for option, key, value in (
        ("--name", "name", wanted.name),
        ("--preset", "preset", wanted.preset),
        ("--region-code", "band", wanted.region),
    ):
        if value is not None and value != found[key]:
            raise StandaloneError(
                f"{flash} was made with {found[key]!r}, not {value!r}: another {option} needs another --flash"
            )


def _values(flash: Path) -> dict[str, str]:
    try:
        values = json.loads((flash / "node.json").read_text(encoding="utf-8"))
        names = {code: name for name, code in region_codes().items()}
        band = names[values.get("region_code", region_codes()[DEFAULT_REGION])]
        return {"name": values["name"], "preset": values["preset"], "band": band}
    except (ValueError, KeyError, AttributeError) as error:
        raise StandaloneError(f"{flash / 'node.json'} is no node's ({error!r}); another --flash?") from error
