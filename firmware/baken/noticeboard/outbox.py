"""Records that wait for their turn on the air: to be served to a neighbour, or to be flooded.

What a neighbour lacks is served with hop limit 0 after a wait, unless another is heard sending it first, and
then not again for a pause that doubles each time: so a lying digest can cause little. Floods go out one after
the other, the most urgent first.
"""

from baken.compat import const
from baken.noticeboard.events import Send
from baken.noticeboard.waits import serve_wait
from baken.table import Table
from baken.wire.records import ANSWER, BULLETIN, HEADER_SIZE, REPORT, TRUST, pack_id

MAX_SCHEDULED = const(32)  # records waiting to be served or flooded
SERVE_BATCH = const(8)  # records served for one message
SERVED_MEMORY = const(128)
MAX_AGAIN = const(8)  # records waiting for their second flood
FRAME_OVERHEAD = const(24)  # Meshtastic header and Data around a payload
_BEFORE_BULLETINS = (REPORT, TRUST, ANSWER)
_FLOODED_TWICE = (BULLETIN, TRUST)  # by a source that hears few neighbours with a noticeboard
_TWICE_AFTER = const(5)  # shortest intervals
_TIME_SIZE = const(6)  # of milliseconds


class Outbox:
    """`lonely` tells who is around; `airtime_ms(bytes on air)`, `rand(n)` and `settings` are those of Gossip,
    `counters` are its owner's.
    """

    def __init__(self, replica, lonely, settings, airtime_ms, rand, now, counters):
        self.airtime_ms = airtime_ms
        self._replica = replica
        self._lonely = lonely
        self._settings = settings
        self._rand = rand
        self._counters = counters
        self._scheduled = {}  # record id -> due ms
        self._floods_due = set()  # those of them that are to be flooded, not served
        self._floods = []  # record ids waiting to be flooded
        self._flood_at = now
        self._again = []  # (due ms, record id) of what is to be flooded a second time, the first one first
        self._served = _Served()

    def configure(self, settings, airtime_ms):
        """Go on at another modem setting."""
        self._settings = settings
        self.airtime_ms = airtime_ms

    def airtime(self, payload):
        """Time on air of a frame around `payload`, ms."""
        return self.airtime_ms(len(payload) + FRAME_OVERHEAD)

    def deadline(self):
        """When something is due, ms, or None."""
        times = list(self._scheduled.values())
        if self._floods:
            times.append(self._flood_at)
        if self._again:
            times.append(self._again[0][0])
        return min(times) if times else None

    # --- serving

    def serve(self, record_ids, margin_db, now):
        """Plan to serve up to SERVE_BATCH of these to who was heard `margin_db` above the receiver's limit;
        False when none may be served now.
        """
        servable = [record_id for record_id in record_ids if self.may_serve(record_id, now)]
        queued = 0
        for record_id in servable:
            if queued >= SERVE_BATCH:
                break
            if record_id in self._scheduled:
                queued += 1
                continue
            raw = self._replica.get(record_id)
            if raw is None:
                continue  # the flash has lost it
            self.schedule(record_id, now + serve_wait(self.airtime(raw), margin_db, queued, self._rand))
            queued += 1
        return bool(servable)

    def schedule(self, record_id, due, flood=False):
        """Serve a record, or flood it, when it is `due` (ms)."""
        if len(self._scheduled) >= MAX_SCHEDULED:
            self._count("serve-full")
            return
        self._scheduled[record_id] = due
        if flood:
            self._floods_due.add(record_id)

    def is_scheduled(self, record_id):
        """Whether a record is going to be served or flooded after its wait."""
        return record_id in self._scheduled

    def drop(self, record_id, by_flood):
        """Another is heard sending this, `by_flood` or to a neighbour, which replaces no flood. True if it
        waited here as well.
        """
        if not by_flood and record_id in self._floods_due:
            return True
        self._floods_due.discard(record_id)
        return self._scheduled.pop(record_id, None) is not None

    def take_due(self, now):
        """(record id, whether it is to be flooded) of one that is due, or None."""
        for record_id in self._scheduled:
            if self._scheduled[record_id] <= now:
                del self._scheduled[record_id]
                flood = record_id in self._floods_due
                self._floods_due.discard(record_id)
                return record_id, flood
        return None

    def may_serve(self, record_id, now):
        """Bounds what a lying digest can cause: the pause between two servings of one record doubles each
        time, up to Imax; if nobody asks for twice that long, it begins anew.
        """
        last_at, times = self._served.get(record_id)
        if not times:
            return True
        pause = min(self._settings.imin_ms // 4 << min(times - 1, 8), self._settings.imax_ms)
        return now - last_at >= pause

    def remember_served(self, record_id, now):
        """A record goes out, from here or from another who had to serve it as well. Gives how often it had
        before.
        """
        last_at, times = self._served.get(record_id)
        if now - last_at > 2 * self._settings.imax_ms:
            times = 0
        self._served.set(record_id, now, min(times + 1, 255))
        return times

    # --- floods

    def flood(self, record_id):
        """Flood a record when its turn comes."""
        if record_id in self._floods:
            return
        if len(self._floods) < MAX_SCHEDULED:
            self._floods.append(record_id)
        else:
            self._count("flood-full")  # digests will spread it

    def is_flood_due(self, now):
        """Whether `next_flood` is to be asked."""
        if self._again and self._again[0][0] <= now:
            self.flood(self._again.pop(0)[1])
        return bool(self._floods) and self._flood_at <= now

    def next_flood(self, now):
        """The Send of the most urgent one, None when it is not held any more."""
        record_id = min(self._floods, key=self._urgency)
        self._floods.remove(record_id)
        raw = self._replica.get(record_id)
        if raw is None:
            return None
        self._flood_at = now + 3 * self.airtime(raw)  # nodes two hops apart cannot send together
        is_first = self.remember_served(record_id, now) == 0
        if is_first and self.goes_far(record_id, now) and len(self._again) < MAX_AGAIN:
            self._again.append((now + _TWICE_AFTER * self._settings.imin_ms, record_id))
        hops = self._settings.flood_hops
        return Send(raw, hops, hops, record_id, True, self.is_life_saving(record_id))

    def goes_far(self, record_id, now):
        """Whether there is hardly anybody around who would refresh or repair the flood of a record."""
        return record_id[0] in _FLOODED_TWICE and self._lonely.is_lonely(now)

    def is_life_saving(self, record_id):
        """Whether a record may use the airtime that is kept: emergency reports with their answers, changes of
        trust, and bulletins of the kind or severity of an alarm.
        """
        if record_id[0] != BULLETIN:
            return record_id[0] in _BEFORE_BULLETINS
        notice = self._replica.notices.get((record_id[1], record_id[2]))
        return notice is not None and notice.is_life_saving

    def _urgency(self, record_id):
        kind = record_id[0]
        if kind == BULLETIN:
            notice = self._replica.notices.get((record_id[1], record_id[2]))
            return (1, notice.rank if notice else ())
        return (0 if kind in _BEFORE_BULLETINS else 2, ())

    def _count(self, cause):
        self._counters[cause] = self._counters.get(cause, 0) + 1


class _Served:
    """When each record was served last, and how often in a row; of SERVED_MEMORY records."""

    def __init__(self):
        self._table = Table(HEADER_SIZE, _TIME_SIZE + 1)

    def get(self, record_id):
        """(ms, times); (0, 0) of one that was not served."""
        found = self._table.get(pack_id(record_id))
        return (int.from_bytes(found[:_TIME_SIZE], "big"), found[_TIME_SIZE]) if found else (0, 0)

    def set(self, record_id, now, times):
        """The one that was served longest ago makes room."""
        key = pack_id(record_id)
        if len(self._table) >= SERVED_MEMORY and key not in self._table:
            oldest = min(self._table, key=lambda row: row[HEADER_SIZE : HEADER_SIZE + _TIME_SIZE])
            self._table.remove(oldest[:HEADER_SIZE])
        self._table.set(key, now.to_bytes(_TIME_SIZE, "big") + bytes((times,)))
