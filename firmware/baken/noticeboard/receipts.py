"""What points have told of a bulletin: asked of a replica where somebody waits for it, in a crisis room."""

from baken.wire.record import Record


class Receipt(Record):
    """What a point has told of a bulletin: `received`, `read`, and the unix seconds `as_of_s` at which this
    last held.
    """

    __slots__ = ("as_of_s", "read", "received")

    def __init__(self, received, read, as_of_s):
        self.received = received
        self.read = read
        self.as_of_s = as_of_s


def receipts_of(replica, key):
    """{point number: Receipt} of every point that has told about bulletin `key`."""
    out = {}
    for number, told in replica.statuses.items():
        seen = told.seen_of(key[0])
        if seen is not None:
            read = seen.has_read(key[1]) and is_for(replica, number, key)
            out[number] = Receipt(seen.has_received(key[1]), read, replica.pulses.as_of_s(number))
    return out


def is_for(replica, point, key):
    """Whether bulletin `key` is meant for the place of a point; True when that is not known here. What is
    not counts as read by a pulse, so that what comes behind it can.
    """
    notice = replica.notices.get(key)
    place = replica.trust.points.get(point)
    return notice is None or place is None or notice.applies_to(place.area)
