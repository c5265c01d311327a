"""Signs of life: the newest pulse of each point, and which of them a node passes on when.

`PulseBook` belongs to a replica: it checks a pulse against the STATUS held here and keeps the newest one of
each point, in memory only. Replayed or shown early a pulse never makes a point look more alive than it was:
it tells of the moment that its index names.

`PulseRounds` is the air side. Points speak at about the same time, once an hour, and everybody waits for half
a window or more before sending on what is new, so pulses of many points share a frame. What two others have
been heard sending is left out; bridges leave nothing out. A pulse that gets lost is made good by the next
hour's. The frames also show who holds which STATUS: who has a later one serves it, and who hears of a later
one asks for it.
"""

from baken.compat import const
from baken.table import Table
from baken.wire import pulse as wire
from baken.wire.records import MAX_PAYLOAD, STATUS

NEW = "new"
KNOWN = "known"
BEHIND = "behind"  # who sent it knows less of this STATUS than is known here
AHEAD = "ahead"  # who sent it knows more, and has not shown it
OLDER = "older"  # of an earlier STATUS than the one held here
LATER = "later"  # of a later one, or of a point whose STATUS is not held here
REFUSED = "refused"

ENOUGH_HEARD = const(2)
OWN_REPEATS = const(2)  # of an own pulse that nobody is heard sending on
MAX_ASKED = const(32)  # points asked about in one frame
_NUMBER_SIZE = const(3)
_STEPS_AT = (3, 14, 25)  # behind the number, step and value of each chain
_STEP_BITS = const(7)
_STEP_MASK = const(0x7F)
_ASK_PAUSE_WINDOWS = const(4)
_SHOW_PAUSE_WINDOWS = const(4)
_SHOW_DOUBLINGS = const(4)


class PulseBook:
    """`statuses`: the `registers.Statuses` of the replica, which asks for the receipts; `counters`: {cause:
    count of refusals}; `revision` grows with each new pulse.
    """

    def __init__(self, statuses, trusted, tag):
        """`trusted()` gives the points of the trust list, `tag` is the region's."""
        self.counters = {}
        self.revision = 0
        self._statuses = statuses
        self._trusted = trusted
        self._tag = tag
        # By point: STATUS number, then step and value of each chain.
        self._held = Table(2, _NUMBER_SIZE + wire.CHAINS * wire.STEP_SIZE)
        statuses.receipts = self.receipts

    def receive(self, pulse):
        """What became of a wire.Pulse: NEW, KNOWN, BEHIND, AHEAD, OLDER, LATER or REFUSED; a value is kept
        only when it leads to what is known. Costs at most the sum of wire.LAST_STEP hashes.
        """
        told = self._statuses.get(pulse.point)
        if told is None:
            if pulse.point not in self._trusted():
                return self._refuse("pulse-unknown-point")
            return KNOWN if pulse.holds_none else LATER
        ahead = (pulse.number - told.seq) & 0xFF
        if pulse.holds_none or ahead >= 0x80:
            return OLDER
        if ahead:
            return LATER
        if told.anchors == wire.NO_ANCHORS:
            return self._refuse("pulse-anchors") if pulse.steps else KNOWN
        state = KNOWN
        for chain, step, value in pulse.steps:
            chains = self._of(told)
            known_step, known = chains[chain]
            if not value:
                if step != known_step and state == KNOWN:
                    state = BEHIND if step < known_step else AHEAD
                continue
            if step < known_step or (step == known_step and value == known):
                continue
            if wire.forward(value, self._tag, told.origin, told.seq, chain, step, known_step) != known:
                return self._refuse("pulse-value")
            self._keep(told, chain, step, value)
            state = NEW
        return state

    def get(self, point):
        """The wire.Pulse with the newest step of each chain of a point's newest STATUS, or None."""
        told = self._statuses.get(point)
        if told is None or told.anchors == wire.NO_ANCHORS:
            return None
        chains = self._of(told)
        steps = [(chain,) + chains[chain] for chain in range(wire.CHAINS) if chains[chain][0]]
        return wire.Pulse(point, told.seq & 0xFF, tuple(steps)) if steps else None

    def all(self):
        """The newest Pulse of every point that has one, one after the other."""
        for point in self.points():
            pulse = self.get(point)
            if pulse is not None:
                yield pulse

    def points(self):
        """Of which something was shown, one after the other, in no promised order."""
        for row in self._held:
            yield int.from_bytes(row[:2], "big")

    def reach(self, point):
        """How far `get` would be, as `_reach` of a Pulse; 0 where there is none."""
        number = self._statuses.number(point)
        held = self._following(point, number) if number else None
        return _packed(number & 0xFF, [held[at] for at in _STEPS_AT]) if held else 0

    def receipts(self, point, number):
        """(bulletins received, read) since STATUS `number` of a point, of which pulses have told."""
        held = self._following(point, number)
        return (held[_STEPS_AT[wire.RECEIVED]], held[_STEPS_AT[wire.READ]]) if held else (0, 0)

    def as_of_s(self, point):
        """Unix seconds until which a point is known to have stood behind its newest STATUS; None without
        one.
        """
        told = self._statuses.get(point)
        if told is None or told.anchors == wire.NO_ANCHORS:
            return told and told.time_s
        return told.time_s + wire.PERIOD_S * self._of(told)[wire.ALIVE][0]

    def question(self, point):
        """The Pulse that asks for a later STATUS of `point` than the one held here."""
        told = self._statuses.get(point)
        if told is None:
            return wire.Pulse(point, 0, holds_none=True)
        return wire.Pulse(point, told.seq & 0xFF)

    def forget(self, point):
        """The STATUS of `point` is held no more; another with its number may be of another key."""
        self._held.remove(point.to_bytes(2, "big"))

    def _following(self, point, number):
        """What is held of a point behind STATUS `number`, or None."""
        held = self._held.get(point.to_bytes(2, "big"))
        if held is None or int.from_bytes(held[:_NUMBER_SIZE], "big") != number:
            return None
        return held

    def _of(self, told):
        held = self._following(told.origin, told.seq)
        if held is not None:
            return [(held[at], held[at + 1 : at + 1 + wire.VALUE_SIZE]) for at in _STEPS_AT]
        return [(0, anchor) for anchor in told.anchors]

    def _keep(self, told, chain, step, value):
        chains = self._of(told)
        chains[chain] = (step, value)
        packed = told.seq.to_bytes(_NUMBER_SIZE, "big")
        for known_step, known in chains:
            packed += bytes((known_step,)) + known
        self._held.set(told.origin.to_bytes(2, "big"), packed)
        self.revision += 1

    def _refuse(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1
        return REFUSED


class PulseFeed:
    """What one listener has not been told yet of a PulseBook."""

    def __init__(self, book):
        self._book = book
        self._revision = 0
        self._told = _Reaches()

    def has_news(self):
        return self._book.revision != self._revision

    def take(self):
        """The points whose pulse is new since, one after the other."""
        self._revision = self._book.revision
        for point in self._book.points():
            reach = self._book.reach(point)
            if _is_further(reach, self._told.get(point)):
                self._told.set(point, reach)
                yield point

    def mark(self, pulse):
        """The listener has this one: it told us."""
        self._told.set(pulse.point, _reach(pulse))

    def forget(self, point=None):
        """Tell the pulse of `point` (None: of all) again."""
        self._revision = -1
        if point is None:
            self._told = _Reaches()
        else:
            self._told.forget(point)


class PulseRounds:
    """What goes on the air: `tell(point, now)` for a pulse that is new here (a PulseFeed says which),
    `receive` for those heard, `poll(now)` when `deadline()` (ms, None: nothing waits) has come.

    `own_point`: number of the point whose node this is, None: of none. `window_ms`: from the first news to
    the frame that carries it at most; `rand` as for Gossip.
    """

    def __init__(self, book, window_ms, is_bridge, rand):
        self.window_ms = window_ms
        self.is_bridge = is_bridge
        self.own_point = None
        self._own_repeats = 0
        self._book = book
        self._rand = rand
        self._said = _Reaches()  # what was sent from here, or close by
        self._waiting = {}  # point -> how often others were heard sending this pulse
        self._questions = set()
        self._asked_at = {}  # point -> ms of the last time
        self._shown_again = {}  # point -> (ms of the last time, how often in a row)
        self._due = None

    def tell(self, point, now):
        """The newest pulse of `point` is to be sent with the next frame."""
        self._waiting[point] = 0
        if point == self.own_point:
            self._own_repeats = OWN_REPEATS
        self._questions.discard(point)
        self._plan(now)

    def ask(self, point, now):
        """A later STATUS of `point` exists than the one held here: ask for it, but not without end."""
        if point in self._questions or len(self._questions) >= MAX_ASKED:
            return
        last = self._asked_at.get(point)
        if last is None or now - last >= _ASK_PAUSE_WINDOWS * self.window_ms:
            self._questions.add(point)
            self._waiting.pop(point, None)  # it shows no more than the question does
            self._plan(now)

    def answered(self, point):
        """A STATUS of `point` has come that is new here."""
        self._questions.discard(point)
        self._asked_at.pop(point, None)
        self._waiting.pop(point, None)  # its pulse was of the STATUS before

    def receive(self, pulses, now):
        """Take the pulses of a frame heard; the ids of the STATUS records that its sender lacks."""
        lacking = []
        for pulse in pulses:
            point = pulse.point
            state = self._book.receive(pulse)
            if state == LATER:
                self.ask(point, now)
            elif state == OLDER:
                lacking.append((STATUS, point))
            elif state == BEHIND:
                self._show_again(point, now)
            elif state == AHEAD:
                self.tell(point, now)
                self._waiting[point] = -MAX_ASKED  # so that it shows what is not known here
            elif state == KNOWN and not pulse.steps:
                self._questions.discard(point)  # another asks the same
            elif state == KNOWN and point in self._waiting:
                self._hear_again(point, pulse)
        return lacking

    def deadline(self):
        """When `poll` has something to do, ms, or None."""
        return self._due

    def poll(self, now):
        """A PULSES message to send now, or None."""
        if self._due is None or now < self._due:
            return None
        out = []
        size = 1
        is_full = False
        for point in sorted(self._waiting):
            entry = self._news(point)
            if entry is not None:
                is_full = size + entry.size > MAX_PAYLOAD
                if is_full:
                    break
                out.append(entry)
                size += entry.size
            if point == self.own_point and self._own_repeats and entry is not None:
                self._own_repeats -= 1
                self._waiting[point] = ENOUGH_HEARD - 1
            else:
                self._done(point, entry)
        for point in sorted(self._questions):
            if size + wire.HEAD_SIZE > MAX_PAYLOAD:
                break
            self._questions.discard(point)
            self._asked_at[point] = now
            out.append(self._book.question(point))
            size += wire.HEAD_SIZE
        self._due = None
        if is_full or self._questions:  # did not fit: not yet, the frame before is still on the air
            pause = self.window_ms // 16
            self._due = now + pause + self._rand(pause)
        elif self._waiting:
            self._plan(now)
        return wire.encode(sorted(out, key=lambda pulse: pulse.point)) if out else None

    def _news(self, point):
        """The Pulse that is to be sent of `point`, or None: steps that were not sent yet, and with a sign of
        life how far the receipts are known.
        """
        held = self._book.get(point)
        if held is None:
            return None
        said = self._said.get(point)
        steps = {step[0]: step for step in held.steps if step[1] > _step_of(said, held.number, step[0])}
        is_sign = wire.ALIVE in steps
        if is_sign:
            known = {step[0]: step[1] for step in held.steps}
            for chain in (wire.RECEIVED, wire.READ):
                steps.setdefault(chain, (chain, known.get(chain, 0), b""))
        return (
            wire.Pulse(point, held.number, tuple([steps[chain] for chain in sorted(steps)]))
            if steps
            else None
        )

    def _done(self, point, entry):
        """We, or others, have sent this of `point`."""
        del self._waiting[point]
        held = self._book.get(point)
        if entry is not None and held is not None:
            self._said.set(point, _reach(held))

    def _show_again(self, point, now):
        """All steps that we have of `point` go out once more. Anybody can say to be behind, so the pause
        doubles each time that it is said again; if nobody says so for twice that, it begins anew.
        """
        last, times = self._shown_again.get(point, (None, 0))
        if last is not None:
            pause = _SHOW_PAUSE_WINDOWS * self.window_ms << min(times, _SHOW_DOUBLINGS)
            if now - last < pause:
                return
            times = times + 1 if now - last < 2 * pause else 0
        self._shown_again[point] = (now, times)
        self._said.forget(point)
        self.tell(point, now)

    def _hear_again(self, point, pulse):
        entry = self._news(point)
        if entry is None or (self.is_bridge and point != self.own_point):
            return
        if all([step in pulse.steps for step in entry.steps if step[2]]):
            self._waiting[point] += 1
            if self._waiting[point] >= ENOUGH_HEARD:
                self._done(point, entry)

    def _plan(self, now):
        if self._due is None:
            half = self.window_ms // 2
            self._due = now + half + self._rand(self.window_ms - half)


class _Reaches:
    """How far somebody knows the pulses of each point, see `_reach`; 0: not at all."""

    def __init__(self):
        self._table = Table(2, 4)

    def get(self, point):
        found = self._table.get(point.to_bytes(2, "big"))
        return int.from_bytes(found, "big") if found else 0

    def set(self, point, reach):
        self._table.set(point.to_bytes(2, "big"), reach.to_bytes(4, "big"))

    def forget(self, point):
        self._table.remove(point.to_bytes(2, "big"))


def _reach(pulse):
    """How far a Pulse shows its chains, in 29 bits: behind the low byte of the STATUS number the step of each
    chain. Of one STATUS a step has one value.
    """
    steps = [0] * wire.CHAINS
    for chain, step, value in pulse.steps:
        if value:
            steps[chain] = step
    return _packed(pulse.number, steps)


def _packed(number, steps):
    packed = number
    for step in steps:
        packed = packed << _STEP_BITS | step
    return packed


def _step_of(reach, number, chain):
    """The step of a chain in what `_reach` gave, 0 when that is of another STATUS."""
    if reach >> wire.CHAINS * _STEP_BITS != number:
        return 0
    return reach >> (wire.CHAINS - 1 - chain) * _STEP_BITS & _STEP_MASK


def _is_further(reach, told):
    """Whether `reach` shows more than `told`."""
    number = reach >> wire.CHAINS * _STEP_BITS
    for chain in range(wire.CHAINS):
        if _step_of(reach, number, chain) > _step_of(told, number, chain):
            return True
    return False
