"""Pictures of simulations, as SVG: delivery over time, airtime by kind, and the map of the first run."""

from __future__ import annotations

import math
from collections import defaultdict
from html import escape

from baken_hardware.simulate.results import Run

_WIDTH, _HEIGHT = 720, 440
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 36, 150, 52
_COLOURS = {
    "flood": "#1f5fa8",
    "served": "#d98310",
    "digest": "#3c8d40",
    "tally": "#8a5fb0",
    "background": "#909090",
    "lies": "#b3261e",
}
_QUICK, _SLOW = (31, 95, 168), (217, 131, 16)


def pictures(runs: list[Run]) -> dict[str, str]:
    """SVG text by file name. A picture for which there are no figures is left out."""
    found = {"map.svg": mesh(runs[0])}
    if any(one.times for one in runs):
        found["delivery.svg"] = delivery(runs)
    if any(one.by_minute_ms for one in runs):
        found["airtime.svg"] = airtime(runs)
    return found


def delivery(runs: list[Run]) -> str:
    """Share of nodes that have a bulletin against time since it was sent: a thin line for each, a thick one
    for all together.
    """
    longest = max((wait for one in runs for times in one.times for wait in times.values()), default=1.0)
    frame = _Frame("Delivery", "seconds since sending (logarithmic)", "nodes that have it, %")
    scale = math.log10(max(longest, 10.0))

    def x(wait: float) -> float:
        return max(math.log10(max(wait, 1.0)) / scale, 0.0)

    for exponent in range(int(scale) + 1):
        frame.tick_x(exponent / scale, f"{10**exponent}")
    for share in range(0, 101, 20):
        frame.tick_y(share / 100, str(share))
    everything: list[float] = []
    wanted_of_all = 0
    for one in runs:
        for times, wanted in zip(one.times, one.wanted, strict=True):
            waits = sorted(times.values())
            everything += waits
            wanted_of_all += wanted
            frame.line(_steps(waits, wanted, x), "#9db7d6", 0.8)
    frame.line(_steps(sorted(everything), wanted_of_all, x), "#12365f", 2.5)
    return frame.svg()


def _steps(waits: list[float], wanted: int, x) -> list[tuple[float, float]]:
    points = [(0.0, 0.0)]
    every = max(len(waits) // 400, 1)
    for index, wait in enumerate(waits):
        if index % every == 0 or index == len(waits) - 1:
            points.append((x(wait), (index + 1) / wanted))
    points.append((1.0, len(waits) / max(wanted, 1)))
    return points


def airtime(runs: list[Run]) -> str:
    """Airtime of all nodes together in each minute of the counted time, by kind; mean of the runs."""
    by_kind: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for one in runs:
        for minute, kind, spent_ms in one.by_minute_ms:
            by_kind[kind][minute] += spent_ms / 1000 / len(runs)
    last = max(minute for minutes in by_kind.values() for minute in minutes) + 1
    highest = max(value for minutes in by_kind.values() for value in minutes.values()) * 1.05
    frame = _Frame("Airtime", "minutes", "seconds on the air in a minute, all nodes")
    for part in range(5):
        frame.tick_x(part / 4, f"{last * part / 4:.0f}")
        frame.tick_y(part / 4, f"{highest * part / 4:.0f}")
    for kind in sorted(by_kind):
        minutes = by_kind[kind]
        points = [(minute / last, minutes.get(minute, 0.0) / highest) for minute in range(last)]
        frame.line(points, _COLOURS.get(kind, "#000000"), 1.4)
        frame.legend(kind, _COLOURS.get(kind, "#000000"))
    return frame.svg()


def mesh(run: Run) -> str:
    """Nodes and links of a run; a node's colour tells how long it waited for its slowest bulletin."""
    xs, ys = [place[0] for place in run.places], [place[1] for place in run.places]
    span = max(max(xs) - min(xs), max(ys) - min(ys), 0.001)
    size = 640

    def at(node: int) -> tuple[float, float]:
        x, y = run.places[node]
        return 30 + size * (x - min(xs)) / span, 50 + size * (max(ys) - y) / span

    slowest: dict[int, float] = {}
    for times in run.times:
        for node, wait in times.items():
            slowest[node] = max(slowest.get(node, 0.0), wait)
    longest = max(slowest.values(), default=1.0)
    parts = [
        f'<text x="30" y="24" font-size="15">{len(run.places)} nodes over {span:.1f} km; '
        f"blue: at once, orange: after {longest:.0f} s, white: not asked or never</text>"
    ]
    for i, j in run.links:
        (x1, y1), (x2, y2) = at(i), at(j)
        parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d5d9de" '
            'stroke-width="0.6"/>'
        )
    towers = set(run.towers)
    for node in range(len(run.places)):
        x, y = at(node)
        colour = "#ffffff" if node not in slowest else _mix(math.log1p(slowest[node]) / math.log1p(longest))
        if node == run.source:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="none" stroke="#b3261e"/>')
        if node in towers:
            parts.append(
                f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}" stroke="#222"/>'
            )
        else:
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}" '
                'stroke="#222" stroke-width="0.5"/>'
            )
        if run.names:
            parts.append(
                f'<text x="{x + 5:.1f}" y="{y - 4:.1f}" font-size="9">{escape(run.names[node])}</text>'
            )
    return _document(size + 60, size + 80, parts)


def _mix(share: float) -> str:
    return "#" + "".join(
        f"{round(quick + (slow - quick) * share):02x}" for quick, slow in zip(_QUICK, _SLOW, strict=True)
    )


class _Frame:
    """Two axes from 0 to 1, and what is drawn between them."""

    def __init__(self, title: str, x_name: str, y_name: str) -> None:
        self._across = _WIDTH - _LEFT - _RIGHT
        self._up = _HEIGHT - _TOP - _BOTTOM
        self._named = 0
        middle = _TOP + self._up / 2
        self._parts = [
            f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
            f'<rect x="{_LEFT}" y="{_TOP}" width="{self._across}" height="{self._up}" '
            'fill="none" stroke="#444"/>',
            f'<text x="{_LEFT + self._across / 2}" y="{_HEIGHT - 10}" text-anchor="middle" font-size="12">'
            f"{escape(x_name)}</text>",
            f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle" font-size="12">'
            f"{escape(y_name)}</text>",
        ]

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return _LEFT + self._across * x, _TOP + self._up * (1 - y)

    def tick_x(self, x: float, text: str) -> None:
        left, bottom = self._at(x, 0)
        self._parts.append(
            f'<text x="{left:.1f}" y="{bottom + 16:.1f}" text-anchor="middle" font-size="11">{text}</text>'
        )

    def tick_y(self, y: float, text: str) -> None:
        left, middle = self._at(0, y)
        self._parts.append(
            f'<text x="{left - 6:.1f}" y="{middle + 4:.1f}" text-anchor="end" font-size="11">{text}</text>'
        )

    def line(self, points: list[tuple[float, float]], colour: str, width: float) -> None:
        drawn = " ".join("{:.1f},{:.1f}".format(*self._at(x, y)) for x, y in points)
        self._parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        )

    def legend(self, text: str, colour: str) -> None:
        top = _TOP + 14 + 18 * self._named
        left = _WIDTH - _RIGHT + 14
        self._named += 1
        self._parts.append(f'<rect x="{left}" y="{top - 9}" width="12" height="10" fill="{colour}"/>')
        self._parts.append(f'<text x="{left + 18}" y="{top}" font-size="12">{escape(text)}</text>')

    def svg(self) -> str:
        return _document(_WIDTH, _HEIGHT, self._parts)


def _document(width: int, height: int, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif">'
    )
    return (
        "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *parts, "</svg>"])
        + "\n"
    )
