"""What the draft costs and what the rules say about it, while it is being written."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from baken_console.draft import ERROR, WARNING, Finding
from baken_console.forecast import Cost
from baken_console.palette import ALERT, FINDING_STYLE, GOOD, MUTED
from baken_console.words import Words

METER_CELLS = 16


class CostView(Static):
    """A meter of the bytes, the airtime, the estimate for the region, then the findings, errors first."""

    def show(self, cost: Cost, findings: tuple[Finding, ...], words: Words, problem: str = "") -> None:
        """`problem`: something in the form that cannot be understood at all, such as an unknown area."""
        out = Text()
        filled = (
            min(round(METER_CELLS * cost.text_bytes / cost.text_limit), METER_CELLS) if cost.text_limit else 0
        )
        out.append(f"{'█' * filled}{'░' * (METER_CELLS - filled)} ", ALERT if cost.too_long else GOOD)
        out.append(cost_line(cost, words), ALERT if cost.too_long else "")
        out.append("\n")
        out.append(region_line(cost, words), MUTED)
        if problem:
            out.append(f"\n{words('finding-error')}: {problem}", FINDING_STYLE[ERROR])
        for finding in findings:
            out.append(
                f"\n{words(f'finding-{finding.level}')}: {words.finding(finding)}",
                FINDING_STYLE[finding.level],
            )
        self.update(out)
        self.set_class(any(finding.level in (ERROR, WARNING) for finding in findings), "-problem")


def cost_line(cost: Cost, words: Words) -> str:
    """87 van 1120 bytes, 1 deel, 0,6 s zenden"""
    return words(
        "cost-line",
        bytes=cost.text_bytes,
        limit=cost.text_limit,
        parts=words.parts(cost.parts),
        airtime=words.seconds(cost.airtime_ms),
    )


def region_line(cost: Cost, words: Words) -> str:
    """schatting hele regio: 23 uitzendingen, 13 s"""
    seconds = words.seconds(cost.region_airtime_ms)
    return words("cost-region", transmissions=cost.region_transmissions, seconds=seconds)
