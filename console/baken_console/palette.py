"""Colours of the screen.

Colour only repeats what a word or sign already says, so nothing is lost without it.
"""

from __future__ import annotations

from textual.theme import Theme

INK = "#e8eaed"
PAPER = "#101418"
AMBER = "#ffb627"
RED = "#ff7066"
GREEN = "#7fd18b"
BLUE = "#82b7ff"
GREY = "#98a2ad"

ALERT = f"bold {RED}"
WARN = AMBER
GOOD = GREEN
MUTED = GREY
STRONG = "bold"

SEVERITY_STYLE = {"Extreme": ALERT, "Severe": f"bold {AMBER}", "Moderate": "", "Minor": "", "Unknown": ""}
SEVERITY_SIGN = {"Extreme": "!!", "Severe": "!"}
STATE_STYLE = {"OPEN": GOOD, "BEPERKT": WARN, "VOL": f"bold {AMBER}", "DICHT": MUTED, "ONBEKEND": MUTED}
LIVENESS_STYLE = {"fresh": "", "late": WARN, "silent": ALERT, "never": MUTED}
FINDING_STYLE = {"error": ALERT, "warning": f"bold {AMBER}", "hint": MUTED}

THEME = Theme(
    name="baken",
    primary=BLUE,
    secondary=BLUE,
    accent=AMBER,
    foreground=INK,
    background=PAPER,
    surface=PAPER,
    panel="#1d242c",
    success=GREEN,
    warning=AMBER,
    error=RED,
    dark=True,
    variables={
        "block-cursor-background": BLUE,
        "block-cursor-foreground": PAPER,
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#2b3540",
        "block-cursor-blurred-foreground": INK,
        "block-cursor-blurred-text-style": "none",
        "border-blurred": "#3a4652",
        "border": BLUE,
        "footer-key-foreground": AMBER,
        "footer-background": "#1d242c",
        "footer-description-foreground": INK,
    },
)
