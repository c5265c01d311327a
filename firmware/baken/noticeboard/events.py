"""What Gossip tells its caller. Records: treat them as frozen."""

from baken.compat import const
from baken.wire.record import Record

SERVE_HOP_START = const(1)
"""A served frame, and gossip: hop limit 0 below a hop start of 1 marks it off from a spent flood."""


class Send(Record):
    """Put `payload` on the air. `record_id` names a record, None is gossip; `flood` asks for acknowledged
    flooding; `is_life_saving` for the airtime that is kept for alarms and emergency reports.
    """

    __slots__ = ("flood", "hop_limit", "hop_start", "is_life_saving", "payload", "record_id")

    def __init__(self, payload, hop_limit, hop_start, record_id=None, flood=False, is_life_saving=False):
        self.payload = payload
        self.hop_limit = hop_limit
        self.hop_start = hop_start
        self.record_id = record_id
        self.flood = flood
        self.is_life_saving = is_life_saving


class Refresh(Record):
    """Relay the packet that brought `record_id` again, with its own sender and id and a fresh hop limit."""

    __slots__ = ("hop_limit", "hop_start", "packet", "record_id")

    def __init__(self, packet, record_id, hop_limit, hop_start):
        self.packet = packet
        self.record_id = record_id
        self.hop_limit = hop_limit
        self.hop_start = hop_start


class Withdraw(Record):
    """Drop what of ours still waits in the transmit queue for `record_id`: somebody else was first."""

    __slots__ = ("record_id",)

    def __init__(self, record_id):
        self.record_id = record_id


class Refused(Record):
    """Do not relay the packet that brought this: it is forged, expired or broken (`cause`)."""

    __slots__ = ("cause", "packet")

    def __init__(self, packet, cause):
        self.packet = packet
        self.cause = cause


class HoldBack(Record):
    """Relay the packet that brought this not before `until` (ms), and not at all if another copy is heard."""

    __slots__ = ("packet", "until")

    def __init__(self, packet, until):
        self.packet = packet
        self.until = until


class LeaveOut(Record):
    """Do not relay the packet that brought this: who lacks it here is found out by digest."""

    __slots__ = ("packet",)

    def __init__(self, packet):
        self.packet = packet


class Learned(Record):
    """A record is new here; `packet`: what brought it from the air, None for our own and the cable."""

    __slots__ = ("is_life_saving", "packet", "raw", "record_id")

    def __init__(self, record_id, raw, is_life_saving=False, packet=None):
        self.record_id = record_id
        self.raw = raw
        self.is_life_saving = is_life_saving
        self.packet = packet


class Repeated(Record):
    """A packet brings a report or an answer that is held already, because somebody still waits for the
    answer: it is worth as much as a new one. A Refresh of it comes before this.
    """

    __slots__ = ("packet", "record_id")

    def __init__(self, record_id, packet):
        self.record_id = record_id
        self.packet = packet
