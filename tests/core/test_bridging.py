"""Who had to serve a bulletin after its flood relays the next ones first: others may hear nobody else."""

from _flood import SETTINGS, Member, Packet, airtime_ms
from _small_region import NOON_S, bulletin_parts, random_source

from baken.noticeboard.bridging import FLOODS, SPARSE
from baken.noticeboard.events import HoldBack, LeaveOut, Send
from baken.noticeboard.gossip import GossipSettings
from baken.noticeboard.outbox import FRAME_OVERHEAD
from baken.wire import digest as wire

CLOSE_DB = 30  # so near that our copy would add little: the relay waits longest or is left out
NOTHING = wire.encode_digest(wire.Digest(0, {}, {}))
LATER = 4 * SETTINGS.imin_ms


class _Bottleneck:
    """A node that hears the digests of `neighbours`, and floods from close by."""

    def __init__(self, neighbours, settings=SETTINGS):
        self.member = Member("00", random_source(4), 0, settings=settings)
        self.now = 1
        for sender in range(neighbours):
            self._hear(NOTHING, Packet(sender, 1, NOTHING, 0, 1))

    def _hear(self, payload, packet):
        self.member.gossip.receive(payload, packet, CLOSE_DB, NOON_S, self.now)

    def flood(self, seq):
        """How long the relay of a new bulletin is held back, ms, None when it is not relayed at all."""
        raw = bulletin_parts(seq)[0]
        self._hear(raw, Packet("near", 100 + seq, raw, 2, 3))
        events = [event for _, event in self.member.events(self.now, self.now)]
        held = [event.until - self.now for event in events if isinstance(event, HoldBack)]
        assert len(held) + len([event for event in events if isinstance(event, LeaveOut)]) == 1
        return held[0] if held else None

    def serve(self, seq, after_ms=SETTINGS.imin_ms):
        """A neighbour turns out to lack a bulletin."""
        self.now += after_ms
        self._hear(NOTHING, Packet("far", 1000 + seq, NOTHING, 0, 1))
        until = self.now + SETTINGS.imin_ms
        sent = [event for _, event in self.member.events(self.now, until) if isinstance(event, Send)]
        assert bulletin_parts(seq)[0] in [event.payload for event in sent]
        self.now = until


def _is_first(wait, seq):
    return wait is not None and wait <= airtime_ms(len(bulletin_parts(seq)[0]) + FRAME_OVERHEAD) // 4


def test_who_had_to_serve_what_was_just_flooded_relays_the_next_floods_first():
    node = _Bottleneck(3)
    assert not _is_first(node.flood(1), 1)
    node.serve(1)
    for seq in range(2, 2 + FLOODS):
        assert _is_first(node.flood(seq), seq)
        node.now += LATER
    assert not _is_first(node.flood(2 + FLOODS), 2 + FLOODS)


def test_each_time_that_it_was_needed_counts_anew():
    node = _Bottleneck(3)
    node.flood(1)
    node.serve(1)
    assert _is_first(node.flood(2), 2)
    node.serve(2)
    for seq in range(3, 3 + FLOODS):
        assert _is_first(node.flood(seq), seq)


def test_with_many_neighbours_another_stands_at_the_bottleneck_too():
    for neighbours, goes_first in ((SPARSE - 2, True), (SPARSE - 1, False)):  # who lacks it is one more
        node = _Bottleneck(neighbours)
        node.flood(1)
        node.serve(1)
        assert _is_first(node.flood(2), 2) == goes_first


def test_who_lacks_a_bulletin_long_after_its_flood_was_not_there_then():
    node = _Bottleneck(3)
    node.flood(1)
    node.serve(1, after_ms=5 * SETTINGS.imin_ms)
    assert not _is_first(node.flood(2), 2)


def test_a_bulletin_that_is_served_again_and_again_is_one_sign_only():
    node = _Bottleneck(3)
    bridging = node.member.gossip._bridging
    bridging.flooded("bulletin", 0)
    bridging.served("bulletin", 1)
    left = 0
    while bridging.flooded("another", 2):
        bridging.served("bulletin", 2)
        left += 1
    assert left == FLOODS


def test_a_bridge_never_waits_for_it():
    node = _Bottleneck(3, GossipSettings(10000, 320000, 0, 2, 3))
    raw = bulletin_parts(1)[0]
    node.member.gossip.receive(raw, Packet("near", 1, raw, 2, 3), CLOSE_DB, NOON_S, 1)
    assert not [event for _, event in node.member.events(1, 1) if isinstance(event, HoldBack)]
