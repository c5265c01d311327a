"""How strongly one antenna hears another: positions, heights and frequency to decibels. Pure functions.

Path loss is Okumura-Hata (M. Hata, "Empirical formula for propagation loss in land mobile radio services",
IEEE Transactions on Vehicular Technology 29, 1980; parameters as in ITU-R P.529), a mix in decibels of its
suburban and its open-country form: villages with polder between them. The formula was fitted for a base
antenna of 30..200 m, a mobile antenna of 1..10 m and 1..20 km. Here the higher antenna of a link is the base
and the lower one the mobile; outside those limits:
  - the base height is clamped to 5..200 m: below 30 m this is an extrapolation,
  - the mobile height is clamped to 1..10 m: two towers hear each other better than this says,
  - the distance is not clamped above 20 km (extrapolation); below 1 km the slope of Hata is kept,
  - the loss is never less than in free space.
A support point's node stands indoors behind a window at its antenna height, and pays the median building
entry loss of a traditional building (ITU-R P.2109 at 0.87 GHz); relays and the crisis room have an outdoor
antenna. Other buildings and terrain are one number per link: a normally distributed shadowing, the same in
both directions, drawn from the seed and the two names, so a link is the same in every run and whatever other
points there are. No diffraction over the horizon and no foliage: figures are for comparing lay-outs, not a
site survey.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baken.wire.modem import snr_limit_db

TRANSMIT_POWER_DBM = 22
"""What an SX1262 gives; EU868 would allow 27 dBm ERP (29.15 dBm EIRP) in 869.4-869.65 MHz."""
ANTENNA_GAIN_DBI = 2.0
"""A quarter-wave or short collinear antenna, as sold with the boards."""
CABLE_LOSS_DB = 2.0
"""Per end: some metres of thin cable and connectors."""
NOISE_FIGURE_DB = 6.0
SHADOWING_DB = 6.0
"""Standard deviation over links; 6-8 dB is usual for suburban macro cells."""
OPEN_SHARE = 0.25
"""Part of the mix that is open country."""
BUILDING_ENTRY_LOSS_DB = 12.4
"""12.64 + 3.72 lg(f / GHz) + 0.96 lg(f / GHz)^2: ITU-R P.2109, traditional buildings, median."""
OUTDOOR_KINDS = ("relais", "crisisruimte")
FREQUENCY_HZ = 869_525_000

_BASE_HEIGHT_M = (5.0, 200.0)
_MOBILE_HEIGHT_M = (1.0, 10.0)
_SHORTEST_KM = 0.001


@dataclass(frozen=True)
class Point:
    """A place with an antenna. Position in kilometres on a flat local grid."""

    code: str
    x_km: float
    y_km: float
    antenna_m: float
    name: str = ""
    municipality: str = ""
    kind: str = ""
    second_languages: tuple[str, ...] = ()
    backup_power_h: float = 0.0

    @property
    def entry_loss_db(self) -> float:
        """What the walls around the node cost: 0 outdoors (also for a point of unknown kind)."""
        return 0.0 if not self.kind or self.kind in OUTDOOR_KINDS else BUILDING_ENTRY_LOSS_DB


def load_points(path: str | Path) -> dict[str, Point]:
    """Points of a region by code, in the file's order; ValueError names the line that does not make sense."""
    points: dict[str, Point] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            try:
                point = Point(
                    code=row["code"],
                    x_km=float(row["x_km"]),
                    y_km=float(row["y_km"]),
                    antenna_m=float(row["antenna_m"]),
                    name=row.get("name") or "",
                    municipality=row.get("gemeente") or "",
                    kind=row.get("kind") or "",
                    second_languages=tuple(
                        word for word in (row.get("second_languages") or "").split(",") if word
                    ),
                    backup_power_h=float(row.get("backup_power_h") or 0),
                )
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, line {number}: {error!r}") from error
            if (
                not point.code
                or not math.isfinite(point.x_km + point.y_km)
                or not 0 < point.antenna_m <= 1000
            ):
                raise ValueError(
                    f"{path}, line {number}: point {point.code!r} has no place or antenna height"
                )
            if point.code in points:
                raise ValueError(f"{path}, line {number}: point {point.code} is there twice")
            points[point.code] = point
    return points


def distance_km(a: Point, b: Point) -> float:
    """Distance over the ground."""
    return math.hypot(a.x_km - b.x_km, a.y_km - b.y_km)


def free_space_loss_db(distance_km: float, frequency_mhz: float) -> float:
    """ITU-R P.525."""
    return 32.45 + 20 * math.log10(frequency_mhz) + 20 * math.log10(distance_km)


def hata_loss_db(
    distance_km: float, base_m: float, mobile_m: float, frequency_mhz: float, open_share: float = OPEN_SHARE
) -> float:
    """Median path loss; `open_share` 0 is suburban, 1 open country. Heights are clamped as the module
    says.
    """
    base_m = min(max(base_m, _BASE_HEIGHT_M[0]), _BASE_HEIGHT_M[1])
    mobile_m = min(max(mobile_m, _MOBILE_HEIGHT_M[0]), _MOBILE_HEIGHT_M[1])
    distance_km = max(distance_km, _SHORTEST_KM)
    lg_f = math.log10(frequency_mhz)
    lg_base = math.log10(base_m)
    mobile_gain = (1.1 * lg_f - 0.7) * mobile_m - (1.56 * lg_f - 0.8)
    urban = 69.55 + 26.16 * lg_f - 13.82 * lg_base - mobile_gain
    urban += (44.9 - 6.55 * lg_base) * math.log10(distance_km)
    suburban = urban - 2 * math.log10(frequency_mhz / 28) ** 2 - 5.4
    open_country = urban - 4.78 * lg_f**2 + 18.33 * lg_f - 40.94
    loss = (1 - open_share) * suburban + open_share * open_country
    return max(loss, free_space_loss_db(distance_km, frequency_mhz))


def shadowing_db(a: str, b: str, seed: int = 0, deviation_db: float = SHADOWING_DB) -> float:
    """The extra loss (negative: gain) of the link between two named antennas, at most 2.5 deviations."""
    low, high = sorted((a, b))
    digest = hashlib.sha256(f"shadowing {seed} {low} {high}".encode()).digest()
    draw = random.Random(int.from_bytes(digest[:8], "big")).gauss(0.0, 1.0)
    return deviation_db * min(max(draw, -2.5), 2.5)


def path_loss_db(a: Point, b: Point, seed: int = 0, frequency_hz: int = FREQUENCY_HZ) -> float:
    """Loss between the antennas of two points, walls and shadowing included."""
    base_m, mobile_m = max(a.antenna_m, b.antenna_m), min(a.antenna_m, b.antenna_m)
    loss = hata_loss_db(distance_km(a, b), base_m, mobile_m, frequency_hz / 1e6)
    return loss + a.entry_loss_db + b.entry_loss_db + shadowing_db(a.code, b.code, seed)


def received_power_dbm(
    a: Point, b: Point, power_dbm: float = TRANSMIT_POWER_DBM, seed: int = 0, frequency_hz: int = FREQUENCY_HZ
) -> float:
    """Mean power at the receiver of `b` when the modem of `a` puts out `power_dbm`."""
    ends_db = 2 * (ANTENNA_GAIN_DBI - CABLE_LOSS_DB)
    return power_dbm + ends_db - path_loss_db(a, b, seed, frequency_hz)


def noise_floor_dbm(bandwidth_hz: float) -> float:
    """Thermal noise in the receiver's bandwidth plus its noise figure."""
    return -174 + 10 * math.log10(bandwidth_hz) + NOISE_FIGURE_DB


def sensitivity_dbm(spreading_factor: int, bandwidth_hz: float) -> float:
    """Weakest mean power that is still received: LongFast -131.5, MediumFast -126.5 dBm to within 0.1."""
    return noise_floor_dbm(bandwidth_hz) + snr_limit_db(spreading_factor)


# Links and hops: what a region looks like to a preset.


@dataclass(frozen=True)
class Link:
    """One usable link: mean power at the weaker end and what is left above sensitivity."""

    a: str
    b: str
    distance_km: float
    power_dbm: float
    margin_db: float


def links(
    points: Mapping[str, Point],
    spreading_factor: int,
    bandwidth_hz: float,
    margin_db: float = 3.0,
    seed: int = 0,
    power_dbm: float = TRANSMIT_POWER_DBM,
) -> list[Link]:
    """All links with at least `margin_db` above sensitivity, strongest first."""
    floor_dbm = sensitivity_dbm(spreading_factor, bandwidth_hz)
    codes = list(points)
    found = []
    for index, a in enumerate(codes):
        for b in codes[index + 1 :]:
            power = received_power_dbm(points[a], points[b], power_dbm, seed)
            if power - floor_dbm >= margin_db:
                found.append(Link(a, b, distance_km(points[a], points[b]), power, power - floor_dbm))
    return sorted(found, key=lambda link: -link.margin_db)


def neighbours(usable: Iterable[Link]) -> dict[str, set[str]]:
    """Who hears whom."""
    table: dict[str, set[str]] = {}
    for link in usable:
        table.setdefault(link.a, set()).add(link.b)
        table.setdefault(link.b, set()).add(link.a)
    return table


def hop_counts(usable: Iterable[Link], start: str) -> dict[str, int]:
    """Fewest hops from `start` to every point that can be reached (`start` itself: 0)."""
    table = neighbours(usable)
    hops = {start: 0}
    waiting = deque([start])
    while waiting:
        code = waiting.popleft()
        for other in sorted(table.get(code, ())):
            if other not in hops:
                hops[other] = hops[code] + 1
                waiting.append(other)
    return hops


def single_points_of_failure(usable: Iterable[Link], start: str) -> set[str]:
    """Points (not `start`) without which somebody else loses its last path to `start`."""
    usable = list(usable)
    everyone = set(hop_counts(usable, start))
    critical = set()
    for code in everyone - {start}:
        rest = [link for link in usable if code not in (link.a, link.b)]
        if set(hop_counts(rest, start)) != everyone - {code}:
            critical.add(code)
    return critical
