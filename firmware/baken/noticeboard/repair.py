"""What floods have missed is found by comparing: digests on a Trickle timer, and tallies.

Each node announces its DIGEST; whoever holds more serves the difference. What is no bulletin is compared by
the checksum in the digest and, where that differs, by TALLY. Whose digest tells that it hears little is
helped without being asked again, see `lonely`.
"""

from baken.compat import const
from baken.noticeboard.outbox import FRAME_OVERHEAD
from baken.noticeboard.trickle import Trickle
from baken.wire import digest as wire

_MIDDLING_DB = const(10)
_TALLY_FRAME = const(128)  # bytes on the air, a middling one
_SETTLED = const(4)  # shortest intervals in the present one


class Repair:
    """`outbox` serves what others lack, `lonely` is told who is around, `leisure` has the statuses;
    `settings` and `rand(n)` are those of Gossip. `clock`: calendar time when it was last told, and when that
    was.
    """

    def __init__(self, replica, outbox, lonely, leisure, settings, rand, now):
        self.clock = (None, now)
        self._replica = replica
        self._outbox = outbox
        self._lonely = lonely
        self._leisure = leisure
        self._rand = rand
        self.configure(settings, now)
        self._trickle.hurry(now)  # who was off has missed things
        self._asked_at = None  # when our digest was last said
        self._tally_at = None
        self._tally_said = None  # (checksum, when we last said our tally, how often before at this checksum)

    def configure(self, settings, now):
        """Begin anew with other intervals."""
        self._settings = settings
        self._trickle = Trickle(
            settings.imin_ms, settings.imax_ms, settings.k, self._rand, now, settings.growth
        )

    def learned(self, now):
        """Something is new here: tell of it soon."""
        self._trickle.reset(now)
        self._lonely.learned(now)

    def is_settled(self):
        """Whether nothing was new or lacking here for three shortest intervals."""
        return self._trickle.interval_ms >= _SETTLED * self._settings.imin_ms

    def has_asked(self, now):
        """Whether our digest was said within the last shortest interval: what comes now was meant for us."""
        return self._asked_at is not None and now - self._asked_at <= self._settings.imin_ms

    # --- what others hold

    def receive_digest(self, sender, peer, margin_db, unix_s, now):
        """Serve what the sender of the Digest `peer` lacks, ask for what it has, or plan a tally."""
        missing = self._replica.inventory.missing_at(peer, unix_s)
        self._lonely.heard(sender, peer, bool(missing), margin_db, now)
        richer = self._replica.inventory.lacks(peer)
        if richer:
            self._trickle.hurry(now)
        mine = self._replica.inventory.tally_crc()
        if self._outbox.serve(missing, margin_db, now) or richer:
            return
        if peer.tally_crc != mine:
            # Also when it took none of what it was served: it may not know the key that signed that.
            self._plan_tally(peer.tally_crc, mine, now)
        elif not missing:
            self._trickle.heard_consistent()

    def receive_tally(self, peer, now):
        """Serve what the Tally page `peer` lacks, and answer with ours if it names what is missing here."""
        self._leisure.receive_tally(peer, now)
        if peer.pages == 1 and wire.tally_crc(peer.entries) == self._replica.inventory.tally_crc():
            self._tally_at = None
            return
        self._outbox.serve(self._replica.inventory.missing_on_page(peer), _MIDDLING_DB, now)
        if self._replica.inventory.lacks_on_page(peer) and self._may_say_tally(now):
            self._tally_at = now + self._rand(4 * self._outbox.airtime_ms(_TALLY_FRAME))

    def look_after_lonely(self, now):
        """Serve again what neighbours that hear little have not told to have."""
        while (digest := self._lonely.next_due(now)) is not None:
            unix_s, told_at = self.clock
            if unix_s is not None:
                unix_s += (now - told_at) // 1000
            self._outbox.serve(self._replica.inventory.missing_at(digest, unix_s), _MIDDLING_DB, now)

    # --- what is held here

    def deadline(self):
        """When there is something to say or to look after, ms."""
        due = self._trickle.deadline()
        for at in (self._tally_at, self._lonely.deadline()):
            if at is not None:
                due = min(due, at)
        return due

    def digests_due(self, now):
        """[our DIGEST] when it is to be said now, else []."""
        if self._trickle.deadline() > now:
            return []
        is_lonely = self._lonely.is_lonely(now)
        self._trickle.k = 0 if is_lonely else self._settings.k
        if not self._trickle.poll(now):
            return []
        self._asked_at = now
        digest = self._replica.inventory.digest()
        digest.lonely = is_lonely
        return [wire.encode_digest(digest)]

    def tally_due(self, now):
        """Pages of our TALLY, statuses apart, when they are to be said now, else none."""
        if self._tally_at is None or self._tally_at > now:
            return []
        self._tally_at = None
        crc = self._replica.inventory.tally_crc()
        said = self._tally_said
        is_again = said is not None and wire.same_letters(said[0], crc)
        self._tally_said = (crc, now, said[2] + 1 if said and is_again else 0)
        return wire.encode_tally(self._replica.inventory.tally(), statuses=False)

    def _plan_tally(self, theirs, mine, now):
        """Say the pages of the tally in which we differ, unless we just have."""
        wait = self._outbox.airtime_ms(FRAME_OVERHEAD)
        wait += self._rand(4 * self._outbox.airtime_ms(_TALLY_FRAME))
        if not wire.same_letters(theirs, mine) and self._may_say_tally(now):
            self._tally_at = now + wait
        if not wire.same_statuses(theirs, mine):
            self._leisure.differ(wait, now)

    def _may_say_tally(self, now):
        """Neither waiting nor said not long ago; each time that this very tally is asked for again takes
        twice as long.
        """
        if self._tally_at is not None:
            return False
        said = self._tally_said
        if said is None or not wire.same_letters(said[0], self._replica.inventory.tally_crc()):
            return True
        return now - said[1] > self._settings.imin_ms << min(said[2], 5)
