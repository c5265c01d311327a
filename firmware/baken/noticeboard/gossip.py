"""Spreading the noticeboard over the air: flood, hop refresh, Trickle digests, serving with suppression.

A new record is flooded by Meshtastic's own rules; a node that gets it with its hop limit spent sends it on
with a fresh one. What a flood missed is repaired: each node announces its DIGEST on a Trickle timer, whoever
holds more serves the difference with hop limit 0 after a random delay, and keeps silent when another was
first. What is no bulletin is compared by the checksum in the digest and, where that differs, by TALLY.

STATUS records, their pulses and the tally of statuses go at their own pace, see `leisure`.

Sans-IO: `receive` takes what the mesh delivered, `next_event` gives what to do, `deadline` says when to ask
again.
"""

from baken.compat import const
from baken.noticeboard.leisure import Leisure
from baken.noticeboard.lonely import Lonely
from baken.noticeboard.replica import NEW, REFUSED
from baken.noticeboard.trickle import Trickle
from baken.noticeboard.waits import adds_little, relay_wait, serve_wait, thanks_wait
from baken.wire import digest as wire
from baken.wire import pulse as pulse_wire
from baken.wire.errors import RemoteProtocolError
from baken.wire.record import Record
from baken.wire.records import (
    ANSWER,
    BULLETIN,
    DIGEST,
    PULSES,
    REPORT,
    STATUS,
    TALLY,
    TRUST,
    decode_header,
    message_kind,
)

MAX_SCHEDULED = const(32)  # records waiting to be served or flooded
SERVE_BATCH = const(8)  # records served for one digest
SERVED_MEMORY = const(128)
_BEFORE_BULLETINS = (REPORT, TRUST, ANSWER)
_LETTERS = (REPORT, ANSWER)  # a person waits: where a flood has stopped they are flooded on, not only served
_FLOODED_TWICE = (BULLETIN, TRUST)  # by a source that hears few neighbours with a noticeboard
_TWICE_AFTER = const(5)  # shortest intervals
_SETTLED = const(4)  # of them in the present one
MAX_AGAIN = const(8)  # records waiting for their second flood
_MIDDLING_DB = const(10)
_DIGEST_FRAME = const(43)  # bytes on the air, the largest usual digest
FRAME_OVERHEAD = const(24)  # Meshtastic header and Data around a payload
SERVE_HOP_START = const(
    1
)  # a served frame: hop limit 0 below a hop start of 1 marks it off from a spent flood


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


class GossipSettings(Record):
    """Times in ms. `k` 0 for bridges (towers, routers); `flood_hops`: hop limit of a flood (1 to 7)."""

    __slots__ = ("flood_hops", "growth", "imax_ms", "imin_ms", "k")

    def __init__(self, imin_ms=32000, imax_ms=1024000, k=2, growth=2, flood_hops=3):
        self.imin_ms = imin_ms
        self.imax_ms = imax_ms
        self.k = k
        self.growth = growth
        self.flood_hops = flood_hops


def settings_for(airtime_ms, flood_hops, is_bridge=False):
    """Trickle intervals that follow from the airtime of a digest: RFC 6206 terms, figures in
    docs/protocol.md.
    """
    digest_ms = airtime_ms(_DIGEST_FRAME)
    return GossipSettings(60 * digest_ms, 2160 * digest_ms, 0 if is_bridge else 2, flood_hops=flood_hops)


class Gossip:
    """The air side of a replica.

    `airtime_ms(bytes on air)`: how long a frame lasts at the modem setting in use; `rand(n)`: int in [0, n).
    """

    def __init__(self, replica, settings, airtime_ms, rand, now):
        self.replica = replica
        self.settings = settings
        self._airtime_ms = airtime_ms
        self._rand = rand
        self._trickle = Trickle(settings.imin_ms, settings.imax_ms, settings.k, rand, now, settings.growth)
        self._trickle.hurry(now)  # who was off has missed things
        self._events = []
        self._scheduled = {}  # record id -> due ms
        self._floods_due = set()  # those of them that are to be flooded, not served
        self._floods = []  # record ids waiting to be flooded, most urgent first
        self._flood_at = now
        self._again = []  # (due ms, record id) of what is to be flooded a second time, the first one first
        self._served = {}  # record id -> (last ms, times)
        self._lonely = Lonely(settings.imin_ms, settings.imax_ms, rand, now)
        self._clock = (None, now)  # calendar time when it was last told, and when that was
        self._asked_at = None  # when our digest was last said
        self._tally_at = None
        self._tally_said = None  # (checksum, when we last said our tally, how often before at this checksum)
        self._leisure = Leisure(replica, settings.imin_ms, settings.k == 0, rand, now)
        self.counters = {}

    def belong_to(self, point):
        """This is the node of point number `point`: its pulses are repeated until a neighbour is heard."""
        self._leisure.belong_to(point)

    def configure(self, settings, airtime_ms, now):
        """Go on at another modem setting; intervals that differ begin anew."""
        self._airtime_ms = airtime_ms
        if settings != self.settings:
            self.settings = settings
            self._leisure.configure(settings.imin_ms, settings.k == 0)
            self._lonely.configure(settings.imin_ms, settings.imax_ms)
            self._trickle = Trickle(
                settings.imin_ms, settings.imax_ms, settings.k, self._rand, now, settings.growth
            )

    # --- input

    def publish(self, raw, unix_s, now):
        """A record made here or brought over a cable: keep it and flood it. Gives the replica's Outcome."""
        self._clock = (unix_s, now)
        outcome = self.replica.receive_record(raw, unix_s)
        if outcome.state == NEW:
            self._learn(outcome.record_id, raw)
            self.spread(outcome.record_id, now)
        return outcome

    def spread(self, record_id, now):
        """Send on a record that is held here and came by another way than the air: a STATUS that is not
        urgent to the neighbours, who will do the same, anything else as a flood.
        """
        if record_id[0] == STATUS:
            wait = self._leisure.spread(record_id)
            if wait is not None:
                self._schedule(record_id, now + wait)
                return
        else:
            self._trickle.reset(now)
            self._lonely.learned(now)
        self._queue_flood(record_id)

    def _queue_flood(self, record_id):
        """Flood a record when its turn comes."""
        if record_id in self._floods:
            return
        if len(self._floods) < MAX_SCHEDULED:
            self._floods.append(record_id)
        else:
            self._count("flood-full")  # digests will spread it

    def receive(self, payload, packet, margin_db, unix_s, now):
        """A PRIVATE_APP payload from the air.

        `packet`: whatever the mesh knows it by, with `sender`, `hop_limit` and `hop_start`; it comes back in
        Refresh, HoldBack and Refused. `margin_db`: how far above the receiver's limit it was heard.
        """
        kind = message_kind(payload)
        self._clock = (unix_s, now)
        try:
            if kind == DIGEST:
                self._receive_digest(packet.sender, wire.decode_digest(payload), margin_db, unix_s, now)
            elif kind == TALLY:
                self._receive_tally(wire.decode_tally(payload), now)
            elif kind == PULSES:
                self._receive_pulses(pulse_wire.decode(payload), margin_db, now)
            else:
                self._receive_record(payload, packet, margin_db, unix_s, now)
        except RemoteProtocolError as error:
            self._count(error.cause)
            self._events.append(Refused(packet, error.cause))

    # --- output

    def deadline(self):
        """When `next_event` has something again, ms."""
        due = self._trickle.deadline()
        for at in (self._tally_at, self._lonely.deadline(), self._leisure.deadline()):
            if at is not None:
                due = min(due, at)
        if self._floods:
            due = min(due, self._flood_at)
        if self._again:
            due = min(due, self._again[0][0])
        for at in self._scheduled.values():
            due = min(due, at)
        return due

    def next_event(self, now):
        """Send, Refresh, HoldBack, LeaveOut, Withdraw, Refused, Learned, Repeated or None."""
        if self._events:
            return self._events.pop(0)
        if self._trickle.deadline() <= now:
            is_lonely = self._lonely.is_lonely(now)
            self._trickle.k = 0 if is_lonely else self.settings.k
            if self._trickle.poll(now):
                self._asked_at = now
                digest = self.replica.digest()
                digest.lonely = is_lonely
                return Send(wire.encode_digest(digest), 0, SERVE_HOP_START)
        if self._again and self._again[0][0] <= now:
            self._queue_flood(self._again.pop(0)[1])
        if self._floods and self._flood_at <= now:
            return self._flood(now)
        if self._tally_at is not None and self._tally_at <= now:
            self._say_tally(now)
            return self._events.pop(0) if self._events else None
        said = self._leisure.poll(now, self._airtime)
        if said:
            self._events += [Send(payload, 0, SERVE_HOP_START) for payload in said]
            return self._events.pop(0)
        self._look_after_lonely(now)
        for record_id in list(self._scheduled):
            if self._scheduled[record_id] <= now:
                del self._scheduled[record_id]
                if record_id in self._floods_due:
                    self._floods_due.discard(record_id)
                    self.spread(record_id, now)
                    return self._flood(now) if self._flood_at <= now else None
                raw = self.replica.get(record_id)
                if raw is not None:
                    self._remember_served(record_id, now)
                    again = self._leisure.repeat(record_id)
                    if again is not None:
                        self._schedule(record_id, now + again)
                    return Send(raw, 0, SERVE_HOP_START, record_id, False, self._is_life_saving(record_id))
        return None

    # --- records

    def _receive_record(self, payload, packet, margin_db, unix_s, now):
        outcome = self.replica.receive_record(payload, unix_s)
        if outcome.state == REFUSED:
            self._events.append(Refused(packet, outcome.cause))
            if outcome.cause == "answered":
                self._answer_again(payload, now)
            return
        record_id = outcome.record_id
        self._leisure.heard(record_id)
        is_flood = packet.hop_start > SERVE_HOP_START
        if is_flood or record_id not in self._floods_due:
            self._floods_due.discard(record_id)
            if self._scheduled.pop(record_id, None) is None and record_id[0] not in _LETTERS:
                self._events.append(Withdraw(record_id))
        if outcome.state != NEW:
            if is_flood:
                self._hear_repeated(record_id, packet, now)
            elif self._may_serve(record_id, now):
                self._remember_served(record_id, now)  # who asks again is not served by each of us in turn
            return
        airtime = self._airtime(payload)
        is_letter = record_id[0] in _LETTERS
        if is_letter:
            wait = self._rand(4 * airtime) + airtime
        else:
            wait = self._pass_on_wait(airtime, margin_db, now)
        if record_id[0] == STATUS:
            wait = self._leisure.learn(record_id[1], now)
        else:
            self._trickle.reset(now)
            self._lonely.learned(now)
        if packet.hop_limit == 0 and not is_flood:
            if is_letter:
                self._floods_due.add(record_id)
            self._schedule(record_id, now + wait)
        elif self._goes_far(record_id, now):
            self._send_far(record_id, packet, now)
        elif self.settings.k == 0 or is_letter:  # bridges speak; a letter is insisted on, not left to others
            self._refresh_spent(record_id, packet)
        elif adds_little(margin_db) and self._is_repaired(record_id, now):
            self._events.append(LeaveOut(packet))
        else:
            self._refresh_spent(record_id, packet)
            self._events.append(HoldBack(packet, now + relay_wait(airtime, margin_db, self._rand)))
        self._learn(record_id, payload, packet)  # after Refresh: it makes that relay urgent too

    def _pass_on_wait(self, airtime, margin_db, now):
        """How long what was served here waits to be served on."""
        if self._asked_at is not None and now - self._asked_at <= self.settings.imin_ms:
            return thanks_wait(airtime, self._rand)
        return relay_wait(airtime, margin_db, self._rand)

    def _is_settled(self):
        """Whether nothing was new or lacking here for three shortest intervals."""
        return self._trickle.interval_ms >= _SETTLED * self.settings.imin_ms

    def _is_repaired(self, record_id, now):
        """Whether a bulletin that nobody's life depends on is soon found out to be missing around here."""
        if record_id[0] != BULLETIN or self._is_life_saving(record_id):
            return False
        return self._lonely.has_company(now)

    def _goes_far(self, record_id, now):
        """Whether there is hardly anybody around who would refresh or repair the flood of a record."""
        return record_id[0] in _FLOODED_TWICE and self._lonely.is_lonely(now)

    def _send_far(self, record_id, packet, now):
        """Relay with fresh hops, and before stock nodes do: their copy has fewer and would cancel ours."""
        self._refresh(record_id, packet)
        self._events.append(HoldBack(packet, now + relay_wait(self._airtime(packet.payload), 0, self._rand)))

    def _refresh_spent(self, record_id, packet):
        """Where the hops of a flood are spent it goes on with fresh ones."""
        if packet.hop_limit == 0:
            self._refresh(record_id, packet)

    def _refresh(self, record_id, packet):
        hops = self.settings.flood_hops
        self._events.append(Refresh(packet, record_id, hops - 1, hops))

    def _hear_repeated(self, record_id, packet, now):
        """A flood brings a record that is held. Reports are repeated until the answer is back, so these and
        the answers go on over any number of hops each time, as often as they might be served. So does the
        second flood of a source among stock nodes; it ends where digests have repaired the first by now.
        """
        if self._goes_far(record_id, now) and self._may_serve(record_id, now):
            self._remember_served(record_id, now)
            self._send_far(record_id, packet, now)
        elif self._is_settled() and self._is_repaired(record_id, now):
            self._events.append(LeaveOut(packet))
        elif record_id[0] in _LETTERS and self._may_serve(record_id, now):
            self._remember_served(record_id, now)
            self._refresh_spent(record_id, packet)
            self._events.append(Repeated(record_id, packet))

    def _answer_again(self, payload, now):
        """Flood the answer to a report that is still repeated, unless another is faster."""
        report = decode_header(payload)
        record_id = self.replica.letters.answer_id(report.origin, report.seq)
        raw = self.replica.get(record_id) if record_id is not None else None
        if raw is not None and record_id not in self._scheduled and self._may_serve(record_id, now):
            airtime = self._airtime(raw)
            self._schedule(record_id, now + airtime + self._rand(4 * airtime))
            self._floods_due.add(record_id)

    def _flood(self, now):
        record_id = min(self._floods, key=self._urgency)
        self._floods.remove(record_id)
        raw = self.replica.get(record_id)
        if raw is None:
            return None
        self._flood_at = now + 3 * self._airtime(raw)  # nodes two hops apart cannot send together
        self._remember_served(record_id, now)
        is_first = self._served[record_id][1] == 0
        if is_first and self._goes_far(record_id, now) and len(self._again) < MAX_AGAIN:
            self._again.append((now + _TWICE_AFTER * self.settings.imin_ms, record_id))
        hops = self.settings.flood_hops
        return Send(raw, hops, hops, record_id, True, self._is_life_saving(record_id))

    def _learn(self, record_id, raw, packet=None):
        self._events.append(Learned(record_id, bytes(raw), self._is_life_saving(record_id), packet))

    def _is_life_saving(self, record_id):
        """Whether a record may use the airtime that is kept: emergency reports with their answers, changes of
        trust, and bulletins of the kind or severity of an alarm.
        """
        if record_id[0] != BULLETIN:
            return record_id[0] in _BEFORE_BULLETINS
        notice = self.replica.notices.get((record_id[1], record_id[2]))
        return notice is not None and notice.is_life_saving

    def _urgency(self, record_id):
        kind = record_id[0]
        if kind == BULLETIN:
            notice = self.replica.notices.get((record_id[1], record_id[2]))
            return (1, notice.rank if notice else ())
        return (0 if kind in _BEFORE_BULLETINS else 2, ())

    # --- repair

    def _receive_digest(self, sender, peer, margin_db, unix_s, now):
        missing = self.replica.missing_at(peer, unix_s)
        self._lonely.heard(sender, peer, bool(missing), margin_db, now)
        richer = self.replica.lacks(peer)
        if richer:
            self._trickle.hurry(now)
        servable = [record_id for record_id in missing if self._may_serve(record_id, now)]
        mine = self.replica.tally_crc()
        if servable:
            self._serve(servable, margin_db, now)
        elif richer:
            pass
        elif peer.tally_crc != mine:
            # Also when it took none of what it was served: it may not know the key that signed that.
            self._plan_tally(peer.tally_crc, mine, now)
        elif not missing:
            self._trickle.heard_consistent()

    def _plan_tally(self, theirs, mine, now):
        """Say the pages of the tally in which we differ, unless we just have."""
        wait = self._airtime_ms(FRAME_OVERHEAD) + self._rand(4 * self._airtime_ms(128))
        if not wire.same_letters(theirs, mine) and self._tally_at is None and not self._tally_is_fresh(now):
            self._tally_at = now + wait
        if not wire.same_statuses(theirs, mine):
            self._leisure.differ(wait, now)

    def _receive_pulses(self, pulses, margin_db, now):
        lacking = self._leisure.receive_pulses(pulses, now)
        self._serve([record_id for record_id in lacking if self._may_serve(record_id, now)], margin_db, now)

    def _receive_tally(self, peer, now):
        mine = self.replica.tally()
        self._leisure.receive_tally(peer, now)
        if peer.pages == 1 and peer.entries == mine:
            self._tally_at = None
            return
        newer = self.replica.missing_on_page(peer)
        self._serve([record_id for record_id in newer if self._may_serve(record_id, now)], _MIDDLING_DB, now)
        if self.replica.lacks_on_page(peer) and self._tally_at is None and not self._tally_is_fresh(now):
            self._tally_at = now + self._rand(4 * self._airtime_ms(128))

    def _look_after_lonely(self, now):
        """Serve again what neighbours that hear little have not told to have."""
        while (digest := self._lonely.next_due(now)) is not None:
            unix_s, told_at = self._clock
            if unix_s is not None:
                unix_s += (now - told_at) // 1000
            missing = self.replica.missing_at(digest, unix_s)
            self._serve([entry for entry in missing if self._may_serve(entry, now)], _MIDDLING_DB, now)

    def _serve(self, record_ids, margin_db, now):
        """Schedule up to SERVE_BATCH records."""
        queued = 0
        for record_id in record_ids:
            if queued >= SERVE_BATCH:
                break
            if record_id in self._scheduled:
                queued += 1
                continue
            raw = self.replica.get(record_id)
            if raw is None:
                continue  # the flash has lost it
            airtime = self._airtime(raw)
            self._schedule(record_id, now + serve_wait(airtime, margin_db, queued, self._rand))
            queued += 1

    def _schedule(self, record_id, due):
        if len(self._scheduled) >= MAX_SCHEDULED:
            self._count("serve-full")
        else:
            self._scheduled[record_id] = due

    def _may_serve(self, record_id, now):
        """Bounds what a lying digest can cause: the pause between two servings of one record doubles each
        time, up to Imax; if nobody asks for twice that long, it begins anew.
        """
        last = self._served.get(record_id)
        if last is None:
            return True
        pause = min(self.settings.imin_ms // 4 << min(last[1], 8), self.settings.imax_ms)
        return now - last[0] >= pause

    def _remember_served(self, record_id, now):
        last = self._served.pop(record_id, None)
        times = last[1] + 1 if last and now - last[0] <= 2 * self.settings.imax_ms else 0
        while len(self._served) >= SERVED_MEMORY:
            del self._served[min(self._served, key=lambda old: self._served[old][0])]
        self._served[record_id] = (now, times)

    def _say_tally(self, now):
        self._tally_at = None
        crc = self.replica.tally_crc()
        said = self._tally_said
        is_again = said is not None and wire.same_letters(said[0], crc)
        self._tally_said = (crc, now, said[2] + 1 if said and is_again else 0)
        for page in wire.encode_tally(self.replica.tally(), statuses=False):
            self._events.append(Send(page, 0, SERVE_HOP_START))

    def _tally_is_fresh(self, now):
        """We said this very tally not long ago; each time that it is asked for again takes twice as long."""
        said = self._tally_said
        if said is None or not wire.same_letters(said[0], self.replica.tally_crc()):
            return False
        return now - said[1] <= self.settings.imin_ms << min(said[2], 5)

    def _airtime(self, raw):
        return self._airtime_ms(len(raw) + FRAME_OVERHEAD)

    def _count(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1


def serves(payload):
    """Record id of a payload that is a record, None for gossip and for bytes that are neither."""
    try:
        is_gossip = message_kind(payload) in (DIGEST, TALLY, PULSES)
        return None if is_gossip else decode_header(payload).record_id
    except RemoteProtocolError:
        return None
