"""Where things lie in the checkout that the tools work on."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
"""The source root of what nodes run: package `baken`, and `root/` for the top of a board's flash."""

HARDWARE = ROOT / "hardware"
FONTS = FIRMWARE / "baken" / "device" / "fonts"
