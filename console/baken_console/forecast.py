"""What sending a bulletin costs: bytes, parts and frames exactly, airtime of one sending exactly, of the
region as an estimate.

A flood is relayed by part of the nodes. Measured in simulation, 40 to 100 nodes send 0.35 to 0.65 times their
number for each frame, repair included (`TRANSMISSIONS_PER_NODE`); terrain may make it more or less, so it is
an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from baken.wire.bulletin import FIXED_SIZE as BULLETIN_FIXED_SIZE
from baken.wire.bulletin import REFERENCE_SIZE, Bulletin, pieces_of, text_capacity
from baken.wire.modem import Modem
from baken.wire.records import MAX_PARTS, SIGNATURE_SIZE

FRAME_OVERHEAD = 24  # Meshtastic header 16, port number, payload tag and length, bitfield 8
TRANSMISSIONS_PER_NODE = 0.5


@dataclass(frozen=True)
class Cost:
    """Of one bulletin: text and record bytes, frames of the first sending and their airtime; `region_*` are
    estimates.
    """

    text_bytes: int
    text_limit: int
    record_bytes: int
    parts: int
    airtime_ms: int
    region_transmissions: int
    region_airtime_ms: int

    @property
    def frames(self) -> int:
        """Radio frames of one sending: one for each part."""
        return self.parts

    @property
    def too_long(self) -> bool:
        return self.parts > MAX_PARTS


def cost_of(bulletin: Bulletin, modem: Modem, nodes: int) -> Cost:
    """Cost in a region of `nodes` nodes with this modem setting; also of a text that is empty or too long."""
    capacity = text_capacity(bulletin.areas, bulletin.references)
    _encoding, pieces = pieces_of(bulletin)
    overhead = (
        BULLETIN_FIXED_SIZE + len(bulletin.areas) + REFERENCE_SIZE * len(bulletin.references) + SIGNATURE_SIZE
    )
    sizes = [overhead + len(piece) for piece in pieces]
    airtime_us = sum(modem.airtime_us(size + FRAME_OVERHEAD) for size in sizes)
    sendings = max(1, round(nodes * TRANSMISSIONS_PER_NODE))
    return Cost(
        text_bytes=len(bulletin.text),
        text_limit=capacity * MAX_PARTS,
        record_bytes=sum(sizes),
        parts=len(pieces),
        airtime_ms=(airtime_us + 500) // 1000,
        region_transmissions=sendings * len(pieces),
        region_airtime_ms=sendings * airtime_us // 1000,
    )
