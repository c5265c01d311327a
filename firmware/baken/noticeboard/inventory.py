"""What a replica holds, told in digests and tallies, and compared with what a peer tells of itself."""

from baken.wire import amendment
from baken.wire.digest import Digest, tally_crc
from baken.wire.records import ANSWER, HEARTBEAT, REPORT, STATUS, TRUST

# Kinds of which every record counts, not just the newest of an origin.
_SINGLE = (REPORT, ANSWER, TRUST)
_URGENT_FIRST = (TRUST, REPORT, ANSWER, STATUS)


class Inventory:
    """Of the parts of one replica. `changed()` is to be called when anything but a bulletin comes or goes."""

    def __init__(self, board, letters, registers, keyring):
        self._board = board
        self._letters = letters
        self._registers = registers
        self._keyring = keyring
        self._tally = None

    def changed(self):
        """The tally is another one now."""
        self._tally = None

    def tally(self):
        """(kind, origin, seq) of all that is held besides bulletins and heartbeats, in order, one after the
        other.
        """
        for kind in sorted(self._registers.kinds() | set(_SINGLE)):
            if kind == TRUST:
                numbers = [(amendment.ROOT_ORIGIN, seq) for seq in self._keyring.numbers()]
            elif kind == REPORT or kind == ANSWER:
                numbers = sorted(self._letters.held(kind))
            else:
                numbers = self._registers.numbers(kind) if kind != HEARTBEAT else ()
            for origin, seq in numbers:
                yield kind, origin, seq

    def tally_crc(self):
        """Checksum of the tally, worked out once for each change."""
        if self._tally is None:
            self._tally = tally_crc(self.tally())
        return self._tally

    def digest(self):
        """Digest of what this replica holds."""
        held, partial = self._board.held()
        beats = {origin: beat.seq for origin, beat in self._registers.heartbeats.items()}
        return Digest(self.tally_crc(), held, partial, beats)

    def missing_at(self, peer, unix_s):
        """Ids of bulletin parts that are here and that the sender of the Digest `peer` lacks, the most
        urgent first, then of newer heartbeats.
        """
        out = self._board.missing_at(peer, unix_s)
        for origin, beat in self._registers.heartbeats.items():
            if beat.seq > peer.beats.get(origin, 0):
                out.append((HEARTBEAT, origin, beat.seq, 0))
        return out

    def lacks(self, peer):
        """True when the sender of the Digest `peer` has a bulletin or part that is missing here and not
        retired.
        """
        return self._board.lacks(peer, self._keyring.trust.authorities)

    def missing_on_page(self, peer):
        """Ids of records of the tally that the sender of the Tally page `peer` lacks, the most urgent kinds
        first.
        """
        newest, single = _sort_entries(peer.entries)
        low = peer.entries[0][:2] if peer.page and peer.entries else (0, 0)
        last = peer.page == peer.pages - 1 or not peer.entries
        high = (0xFF, 0xFFFF) if last else peer.entries[-1][:2]
        out = []
        for entry in self.tally():
            if not low <= entry[:2] <= high:
                continue
            if entry[0] in _SINGLE:
                # A page may end between two reports of one point: the next one names the rest.
                beyond = (peer.page and entry < peer.entries[0]) or (not last and entry > peer.entries[-1])
                if entry not in single and not beyond:
                    out.append(entry + (0,))
            elif entry[2] > newest.get(entry[:2], 0):
                out.append(entry + (0,))
        return sorted(out, key=_kind_urgency)

    def statuses_lacked_on_page(self, peer):
        """Points of which the Tally page `peer` names a later STATUS than the one held here."""
        return [
            origin
            for kind, origin, seq in peer.entries
            if kind == STATUS
            and self._keyring.knows(kind, origin)
            and seq > self._registers.seq(kind, origin)
        ]

    def lacks_on_page(self, peer):
        """True when the Tally page `peer` names a record that is missing here, of somebody trusted; statuses
        apart.
        """
        for kind, origin, seq in peer.entries:
            if kind == STATUS:
                continue
            if kind == TRUST:
                if self._keyring.wants(seq):
                    return True
            elif not self._keyring.knows(kind, origin):
                continue
            elif kind == REPORT:
                known = (kind, origin, seq, 0) in self._letters or self._letters.acknowledging(origin, seq)
                if not known:
                    return True
            elif kind == ANSWER:
                if (kind, origin, seq, 0) not in self._letters:
                    return True
            elif seq > self._registers.seq(kind, origin):
                return True
        return False


def _kind_urgency(record_id):
    kind = record_id[0]
    rank = _URGENT_FIRST.index(kind) if kind in _URGENT_FIRST else len(_URGENT_FIRST)
    return (rank, record_id)


def _sort_entries(entries):
    """({(kind, origin): newest number}, {entries of which each counts}) of a Tally page."""
    newest = {}
    single = set()
    for entry in entries:
        if entry[0] in _SINGLE:
            single.add(entry)
        else:
            newest[entry[:2]] = max(entry[2], newest.get(entry[:2], 0))
    return newest, single
