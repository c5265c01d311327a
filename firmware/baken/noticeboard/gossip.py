"""Spreading the noticeboard over the air: what is heard goes to the replica, and on from here if that helps.

A new record is flooded by Meshtastic's own rules; a node that gets it with its hop limit spent sends it on
with a fresh one. Here it is decided whether and when; `outbox` has what waits for its turn. What a flood
missed is found out by comparing, see `repair`, and served with hop limit 0 after a random delay, if no other
is first. STATUS records, their pulses and the tally of statuses go at their own pace, see `leisure`.

Sans-IO: `receive` takes what the mesh delivered, `next_event` gives what to do, `deadline` says when to ask
again.
"""

from baken.compat import const
from baken.noticeboard import events
from baken.noticeboard.bridging import Bridging
from baken.noticeboard.leisure import Leisure
from baken.noticeboard.lonely import Lonely
from baken.noticeboard.outbox import Outbox
from baken.noticeboard.repair import Repair
from baken.noticeboard.replica import NEW, REFUSED
from baken.noticeboard.waits import adds_little, relay_wait, thanks_wait
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
    decode_header,
    message_kind,
)

_LETTERS = (REPORT, ANSWER)  # a person waits: where a flood has stopped they are flooded on, not only served
_DIGEST_FRAME = const(43)  # bytes on the air, the largest usual digest


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
        self.counters = {}
        self._rand = rand
        self._events = []
        self._lonely = Lonely(settings.imin_ms, settings.imax_ms, rand, now)
        self._bridging = Bridging(self._lonely, settings.imin_ms)
        self._leisure = Leisure(replica, settings.imin_ms, settings.k == 0, rand, now)
        self._outbox = Outbox(replica, self._lonely, settings, airtime_ms, rand, now, self.counters)
        self._repair = Repair(replica, self._outbox, self._lonely, self._leisure, settings, rand, now)

    def belong_to(self, point):
        """This is the node of point number `point`: its pulses are repeated until a neighbour is heard."""
        self._leisure.belong_to(point)

    def configure(self, settings, airtime_ms, now):
        """Go on at another modem setting; intervals that differ begin anew."""
        self._outbox.configure(settings, airtime_ms)
        if settings != self.settings:
            self.settings = settings
            self._leisure.configure(settings.imin_ms, settings.k == 0)
            self._lonely.configure(settings.imin_ms, settings.imax_ms)
            self._bridging.configure(settings.imin_ms)
            self._repair.configure(settings, now)

    # --- input

    def publish(self, raw, unix_s, now):
        """A record made here or brought over a cable: keep it and flood it. Gives the replica's Outcome."""
        self._repair.clock = (unix_s, now)
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
                self._outbox.schedule(record_id, now + wait)
                return
        else:
            self._repair.learned(now)
        self._outbox.flood(record_id)

    def receive(self, payload, packet, margin_db, unix_s, now):
        """A PRIVATE_APP payload from the air.

        `packet`: whatever the mesh knows it by, with `sender`, `hop_limit` and `hop_start`; it comes back in
        Refresh, HoldBack and Refused. `margin_db`: how far above the receiver's limit it was heard.
        """
        kind = message_kind(payload)
        self._repair.clock = (unix_s, now)
        try:
            if kind == DIGEST:
                digest = wire.decode_digest(payload)
                self._repair.receive_digest(packet.sender, digest, margin_db, unix_s, now)
            elif kind == TALLY:
                self._repair.receive_tally(wire.decode_tally(payload), now)
            elif kind == PULSES:
                lacking = self._leisure.receive_pulses(pulse_wire.decode(payload), now)
                self._outbox.serve(lacking, margin_db, now)
            else:
                self._receive_record(payload, packet, margin_db, unix_s, now)
        except RemoteProtocolError as error:
            self.counters[error.cause] = self.counters.get(error.cause, 0) + 1
            self._events.append(events.Refused(packet, error.cause))

    # --- output

    def deadline(self):
        """When `next_event` has something again, ms."""
        due = self._repair.deadline()
        for at in (self._leisure.deadline(), self._outbox.deadline()):
            if at is not None:
                due = min(due, at)
        return due

    def next_event(self, now):
        """Send, Refresh, HoldBack, LeaveOut, Withdraw, Refused, Learned, Repeated or None."""
        if self._events:
            return self._events.pop(0)
        said = self._repair.digests_due(now)
        if not said and self._outbox.is_flood_due(now):
            return self._next_flood(now)
        said = said or self._repair.tally_due(now) or self._leisure.poll(now, self._outbox.airtime)
        if said:
            self._events += [events.Send(payload, 0, events.SERVE_HOP_START) for payload in said]
            return self._events.pop(0)
        self._repair.look_after_lonely(now)
        return self._next_served(now)

    def _next_served(self, now):
        while (due := self._outbox.take_due(now)) is not None:
            record_id, flood = due
            if flood:
                self.spread(record_id, now)
                return self._next_flood(now) if self._outbox.is_flood_due(now) else None
            raw = self.replica.get(record_id)
            if raw is not None:
                self._outbox.remember_served(record_id, now)
                self._bridging.served(record_id, now)
                self._repeat(record_id, now)
                is_life_saving = self._outbox.is_life_saving(record_id)
                return events.Send(raw, 0, events.SERVE_HOP_START, record_id, False, is_life_saving)
        return None

    def _next_flood(self, now):
        send = self._outbox.next_flood(now)
        if send is not None:
            self._repeat(send.record_id, now)
        return send

    def _repeat(self, record_id, now):
        """See to it that an own STATUS goes to the neighbours once more, unless one is heard with it."""
        again = self._leisure.repeat(record_id)
        if again is not None:
            self._outbox.schedule(record_id, now + again)

    # --- records

    def _receive_record(self, payload, packet, margin_db, unix_s, now):
        outcome = self.replica.receive_record(payload, unix_s)
        if outcome.state == REFUSED:
            self._events.append(events.Refused(packet, outcome.cause))
            if outcome.cause == "answered":
                self._answer_again(payload, now)
            return
        record_id = outcome.record_id
        self._leisure.heard(record_id)
        is_flood = packet.hop_start > events.SERVE_HOP_START
        if not self._outbox.drop(record_id, is_flood) and record_id[0] not in _LETTERS:
            self._events.append(events.Withdraw(record_id))
        airtime = self._outbox.airtime(payload)
        if outcome.state != NEW:
            if is_flood:
                self._hear_repeated(record_id, packet, airtime, now)
            elif self._outbox.may_serve(record_id, now):
                self._outbox.remember_served(record_id, now)  # who asks again is not served by each in turn
            return
        is_letter = record_id[0] in _LETTERS
        if is_letter:
            wait = self._rand(4 * airtime) + airtime
        elif self._repair.has_asked(now):
            wait = thanks_wait(airtime, self._rand)
        else:
            wait = relay_wait(airtime, margin_db, self._rand)
        if record_id[0] == STATUS:
            wait = self._leisure.learn(record_id[1], now)
        else:
            self._repair.learned(now)
        if packet.hop_limit == 0 and not is_flood:
            self._outbox.schedule(record_id, now + wait, is_letter)
        elif self._outbox.goes_far(record_id, now):
            self._send_far(record_id, packet, airtime, now)
        elif self.settings.k == 0 or is_letter:  # bridges speak; a letter is insisted on, not left to others
            self._refresh_spent(record_id, packet)
        elif record_id[0] == BULLETIN and self._bridging.flooded(record_id, now):
            self._refresh_spent(record_id, packet)
            self._hold_back(packet, airtime, 0, now)
        elif adds_little(margin_db) and self._is_repaired(record_id, now):
            self._events.append(events.LeaveOut(packet))
        else:
            self._refresh_spent(record_id, packet)
            self._hold_back(packet, airtime, margin_db, now)
        self._learn(record_id, payload, packet)  # after Refresh: it makes that relay urgent too

    def _learn(self, record_id, raw, packet=None):
        is_life_saving = self._outbox.is_life_saving(record_id)
        self._events.append(events.Learned(record_id, bytes(raw), is_life_saving, packet))

    def _is_repaired(self, record_id, now):
        """Whether a bulletin that nobody's life depends on is soon found out to be missing around here."""
        if record_id[0] != BULLETIN or self._outbox.is_life_saving(record_id):
            return False
        return self._lonely.has_company(now)

    def _send_far(self, record_id, packet, airtime, now):
        """Relay with fresh hops, and before stock nodes do: their copy has fewer and would cancel ours."""
        self._refresh(record_id, packet)
        self._hold_back(packet, airtime, 0, now)

    def _hold_back(self, packet, airtime, margin_db, now):
        self._events.append(events.HoldBack(packet, now + relay_wait(airtime, margin_db, self._rand)))

    def _refresh_spent(self, record_id, packet):
        """Where the hops of a flood are spent it goes on with fresh ones."""
        if packet.hop_limit == 0:
            self._refresh(record_id, packet)

    def _refresh(self, record_id, packet):
        hops = self.settings.flood_hops
        self._events.append(events.Refresh(packet, record_id, hops - 1, hops))

    def _hear_repeated(self, record_id, packet, airtime, now):
        """A flood brings a record that is held. Reports are repeated until the answer is back, so these and
        the answers go on over any number of hops each time, as often as they might be served. So does the
        second flood of a source among stock nodes; it ends where digests have repaired the first by now.
        """
        if self._outbox.goes_far(record_id, now) and self._outbox.may_serve(record_id, now):
            self._outbox.remember_served(record_id, now)
            self._send_far(record_id, packet, airtime, now)
        elif self._repair.is_settled() and self._is_repaired(record_id, now):
            self._events.append(events.LeaveOut(packet))
        elif record_id[0] in _LETTERS and self._outbox.may_serve(record_id, now):
            self._outbox.remember_served(record_id, now)
            self._refresh_spent(record_id, packet)
            self._events.append(events.Repeated(record_id, packet))

    def _answer_again(self, payload, now):
        """Flood the answer to a report that is still repeated, unless another is faster."""
        report = decode_header(payload)
        record_id = self.replica.letters.answer_id(report.origin, report.seq)
        raw = self.replica.get(record_id) if record_id is not None else None
        if raw is not None and not self._outbox.is_scheduled(record_id):
            if self._outbox.may_serve(record_id, now):
                airtime = self._outbox.airtime(raw)
                self._outbox.schedule(record_id, now + airtime + self._rand(4 * airtime), flood=True)


def serves(payload):
    """Record id of a payload that is a record, None for gossip and for bytes that are neither."""
    try:
        is_gossip = message_kind(payload) in (DIGEST, TALLY, PULSES)
        return None if is_gossip else decode_header(payload).record_id
    except RemoteProtocolError:
        return None
