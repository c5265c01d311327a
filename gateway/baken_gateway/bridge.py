"""A replica joined to an MQTT broker: records travel as retained messages, whoever publishes them.

    joined = MqttReplica(region, replica, store, "gateway/gw1", views=True)     a gateway
    joined = MqttReplica(region, replica, store, "console/crisis1")     a console: sends, clears nothing

No input or output here. Whoever owns it (`mqtt_link.MqttTask` for both programs) does this:

    joined.connected(now)                    then subscribes to joined.subscriptions
    joined.subscribed(now)                   the broker has granted them
    joined.receive(topic, payload, unix_s, now) -> Outcome of a record, or None
    joined.acknowledged(topic, payload)      the broker has confirmed a publish
    joined.disconnected()
    joined.tick(unix_s, now)                 after anything above, and after every change of the replica
    while (publish := joined.next_publish(now)) is not None: ...
    joined.deadline()                        when to call tick again, ms

`now` is in monotonic milliseconds, `unix_s` calendar time or None. To send a bulletin a console gives its
signed parts to `replica.receive_record` and lets `tick` find them; `is_acknowledged(raw)` tells when the
broker has them.

What is published: every live record (and view) of which the broker is not known to hold exactly these
bytes. Known is what it has acknowledged, also before a restart (the store remembers). After each connection
it is known better: the broker has sent its retained messages, and an echo marks their end. So a broker that
lost its memory gets everything back, one that did not gets nothing twice, and two gateways never publish
one record in turns.

Pulses (see `baken.wire.pulse`) are published in the same way under their point's topic; what several programs
know of one point is joined.

What is cleared: a bulletin that says itself that it has expired and that is not held here any more, a record
of which the broker holds a later one, a report of which it holds the answer, an answer whose time is over.
Bytes that cannot be verified are counted and left alone: another gateway may have a newer trust list. A live
record that somebody else cleared or overwrote is put back after a pause that doubles each time, so that two
programs with different clocks cannot fight at the speed of the network.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Protocol

from baken.noticeboard import pulses
from baken.noticeboard.replica import OVER, REFUSED, Outcome, Replica
from baken.wire import answer, bulletin, pulse
from baken.wire.errors import RemoteProtocolError
from baken.wire.records import ANSWER, BULLETIN, MAX_PAYLOAD
from baken_gateway import topics, views
from baken_gateway.region import Region

MAX_IN_FLIGHT = 16
MAX_TOPICS = 8192  # at the broker; what is beyond is counted and not remembered
MAX_PEERS = 64
QUIET_MS = 500  # without a retained message, after the echo: the broker has sent all it has
SYNC_LIMIT_MS = 15_000  # for a broker that never gives the echo back
PATIENCE_MS = (
    3_000  # then what is not acknowledged is published even if the broker is still telling what it has
)
TICK_MS = 10_000
FIRST_HEAL_MS = 5_000
LAST_HEAL_MS = 3_600_000
VIEW_HEAL_MS = 600_000  # a view that another gateway sees differently is left to it for so long
VIEWS_PERIOD_MS = 1_000  # the least time between two looks at all views
INFO_PERIOD_MS = 2_000  # the least time between two versions of our own view
MAX_CONFLICTS = 256
_OF_RECORDS = ("record/", "pulse/")  # what replicas exchange; all else is for people
_MAX_LOG_LINES = 20  # about refused messages, per connection; all are counted

_log = logging.getLogger(__name__)


class Acknowledgements(Protocol):
    """The part of `store.SqliteStore` that is used here."""

    def acknowledged(self) -> dict[str, bytes]: ...

    def set_acknowledged(self, topic: str, payload: bytes) -> None: ...

    def use_broker(self, name: str) -> None: ...


@dataclass(frozen=True)
class Publish:
    """To be published at QoS 1 under the full `topic`; an empty retained payload clears it."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass
class _Disturbance:
    """Somebody else cleared or overwrote a topic of ours: put back at `due`; `pause_ms` doubles each time."""

    due: int
    pause_ms: int


class TextBoard(Protocol):
    """What carries text messages over the same connection; topics are below the prefix."""

    def connected(self) -> None: ...

    def disconnected(self) -> None: ...

    def receive(self, below: str, payload: bytes, now: int) -> bool: ...

    def acknowledged(self, below: str, payload: bytes) -> bool: ...

    def tick(self, unix_s: int | None, now: int, synced: bool) -> None: ...

    def next_publish(self) -> tuple[str, bytes] | None: ...

    def deadline(self) -> int | None: ...

    @property
    def waiting(self) -> int: ...


class MqttReplica:
    """See the module. `counters`: {cause: count} of refused messages; `online`: {"gateway/gw1": True}.

    `synced`: the broker's retained records are all known here and what it lacked is being published.
    """

    def __init__(
        self,
        region: Region,
        replica: Replica,
        store: Acknowledgements,
        name: str,
        *,
        views: bool = False,
        texts: TextBoard | None = None,
    ) -> None:
        role, _, own_id = name.partition("/")
        if role not in ("gateway", "console") or not topics.is_name(own_id):
            raise ValueError(f"name is {name!r}, allowed: gateway/ID or console/ID, {topics.NAME_RULE}")
        self.region = region
        self.replica = replica
        self.name = name
        self.prefix = topics.prefix(region.id)
        self.subscriptions = (self.prefix + ("#" if views else "record/#"),)
        if not views:
            self.subscriptions += (self.prefix + "pulse/#", self.prefix + "gateway/#")
            self.subscriptions += (self.prefix + f"{name}/echo",)
            if texts is not None:
                self.subscriptions += tuple(f"{self.prefix}{one}/#" for one in topics.TEXT_TOPICS)
        self.will = Publish(self.prefix + f"{name}/online", b"0")
        self.is_connected = False
        self.synced = False
        self.counters: dict[str, int] = {}
        self.online: dict[str, bool] = {}
        self._views = views
        self._texts = texts
        self._store = store
        self._acknowledged = store.acknowledged()
        self._broker: dict[str, bytes] = {}
        self._early: dict[int, pulse.Pulse] = {}  # of a STATUS that has not come yet
        self._in_flight: dict[str, bytes] = {}
        self._wanted: dict[str, bytes] = {}
        self._queue: list[Publish] = []
        self._before = dict(self._acknowledged)
        self._conflicts: set[str] = set()
        self._disturbed: dict[str, _Disturbance] = {}
        self._own_info: dict | None = None
        self._own_info_at: int | None = None
        self._wanted_of: tuple | None = None
        self._views_of: tuple | None = None
        self._views_at = 0
        self._replan = True
        self._echo = b""
        self._connections = 0
        self._patient_until = 0
        self._sync_until: int | None = None
        self._quiet_at: int | None = None
        self._log_lines = 0
        self._ticked_at = 0

    # --- the connection

    def use_broker(self, name: str) -> None:
        """From here on it is broker `name`: what another one has acknowledged does not count."""
        self._store.use_broker(name)
        self._acknowledged = self._store.acknowledged()

    def connected(self, now: int) -> None:
        """A new connection; nothing of the old one counts, except what was acknowledged."""
        self.disconnected()
        self.is_connected = True
        self._connections += 1
        self._log_lines = 0
        self._sync_until = now + SYNC_LIMIT_MS
        self._patient_until = now + PATIENCE_MS
        self._queue.append(Publish(self.will.topic, b"1"))
        if self._texts:
            self._texts.connected()

    def subscribed(self, now: int) -> None:
        """The broker has granted the subscriptions and is sending what it has; ask for an echo behind it."""
        self._sync_until = now + SYNC_LIMIT_MS
        self._echo = b"%d-%d" % (self._connections, now)
        self._queue.append(Publish(self.prefix + f"{self.name}/echo", self._echo, retain=False))

    def disconnected(self) -> None:
        """The connection is gone."""
        self.is_connected = self.synced = False
        self._broker, self._in_flight, self._queue, self.online = {}, {}, [], {}
        self._conflicts = set()
        self._sync_until = self._quiet_at = None
        self._replan = True
        if self._texts:
            self._texts.disconnected()

    def receive(self, topic: str, payload: bytes, unix_s: int | None, now: int) -> Outcome | None:
        """A message came; the Outcome of a record, None for all else. Never raises for its content."""
        if not topic.startswith(self.prefix):
            return self._refuse(topic, "foreign-topic", "not of this region")
        below = topic[len(self.prefix) :]
        if below == f"{self.name}/echo":
            if payload == self._echo:
                self._quiet_at = now + QUIET_MS
            return None
        if self._quiet_at is not None:
            self._quiet_at = now + QUIET_MS
        if below.startswith("record/"):
            return self._receive_record(below, payload, unix_s, now)
        if below.startswith("pulse/"):
            self._receive_pulse(below, payload, now)
            return None
        if self._texts and self._texts.receive(below, payload, now):
            return None
        if below.endswith("/online"):
            self._receive_online(below, payload)
        elif below == self.name or below.startswith(("bulletin/", "status/")):
            self._note(below, payload, now)
        return None

    def acknowledged(self, topic: str, payload: bytes) -> None:
        """The broker has confirmed a publish of ours."""
        below = topic[len(self.prefix) :]
        if below in (f"{self.name}/echo", f"{self.name}/online"):
            return
        self._in_flight.pop(below, None)
        if self._texts and self._texts.acknowledged(below, payload):
            return
        self._replan = True
        if payload:
            self._broker[below] = _mark(payload)
            self._acknowledged[below] = payload
        else:
            self._broker.pop(below, None)
            self._acknowledged.pop(below, None)
        self._store.set_acknowledged(below, payload)

    # --- our side

    def set_info(self, info: dict) -> None:
        """What our own view tells besides its id; published when it has changed, but not too often."""
        self._own_info = info

    def tick(self, unix_s: int | None, now: int) -> list[tuple[int, int, int, int]]:
        """Let time pass and look what is to be published; the ids of records that have expired."""
        gone = self.replica.expire(unix_s) if unix_s is not None else []
        if any(due is not None and now >= due for due in (self._quiet_at, self._sync_until)):
            self._finish_sync()
        due = [self._patient_until, *[disturbance.due for disturbance in self._disturbed.values()]]
        if any(self._ticked_at < time <= now for time in due):
            self._replan = True
        self._ticked_at = now
        self._want(unix_s, now)
        if self._replan and self.is_connected:
            self._replan = False
            self._plan(unix_s, now)
        if self._texts:
            self._texts.tick(unix_s, now, self.is_connected and self.synced)
        return gone

    def next_publish(self, now: int) -> Publish | None:
        """What is to be published now; `acknowledged` must follow. None: nothing, or enough is under way."""
        if not self.is_connected or len(self._in_flight) >= MAX_IN_FLIGHT:
            return None
        if self._queue:
            publish = self._queue.pop(0)
        else:
            text = self._texts.next_publish() if self._texts else None
            if text is None:
                return None
            publish = Publish(self.prefix + text[0], text[1])
        below = publish.topic[len(self.prefix) :]
        if below not in (f"{self.name}/echo", f"{self.name}/online"):
            self._in_flight[below] = publish.payload
        return publish

    def deadline(self) -> int:
        """When `tick` has something to do though nothing happened, ms."""
        due = [self._ticked_at + TICK_MS]
        due += [time for time in (self._quiet_at, self._sync_until) if time is not None]
        if self._views and self._views_of != self._wanted_of:
            due.append(self._views_at + VIEWS_PERIOD_MS)
        if self.is_connected:
            text_due = self._texts.deadline() if self._texts else None
            if text_due is not None:
                due.append(text_due)
            times = [self._patient_until, *[entry.due for entry in self._disturbed.values()]]
            due += [time for time in times if time > self._ticked_at]
        return min(due)

    def is_acknowledged(self, raw: bytes) -> bool:
        """True when the broker has confirmed this record, or has sent it itself."""
        topic = topics.of_record(raw)
        return self._broker.get(topic) == raw or self._acknowledged.get(topic) == raw

    @property
    def waiting(self) -> int:
        """Messages that the broker has not confirmed yet."""
        return len(self._queue) + len(self._in_flight) + (self._texts.waiting if self._texts else 0)

    # --- taking in

    def _receive_record(self, topic: str, payload: bytes, unix_s: int | None, now: int) -> Outcome | None:
        place = topics.record_place(topic)
        if place is None:
            return self._refuse(topic, "record-topic", "not the topic of a record")
        self._note(topic, payload, now)
        if not payload:
            return None
        if len(payload) > MAX_PAYLOAD:
            return self._refuse(topic, "record-long", f"{len(payload)} bytes, limit {MAX_PAYLOAD}")
        try:
            true_topic = topics.of_record(payload)
        except RemoteProtocolError as error:
            return self._refuse(topic, error.cause, str(error))
        if true_topic != topic:
            return self._refuse(topic, "record-topic", f"its bytes belong to {true_topic}")
        outcome = self.replica.receive_record(payload, unix_s)
        if outcome.state == REFUSED and outcome.cause not in OVER:
            self._refuse(topic, outcome.cause, "refused by the replica")
        if outcome.cause == "conflict" and len(self._conflicts) < MAX_CONFLICTS:
            # Signed by the right key, yet not our record: which of them is right is not ours to decide.
            self._conflicts.add(topic)
        return outcome

    def _receive_pulse(self, topic: str, payload: bytes, now: int) -> None:
        self._note(topic, payload, now)
        if not payload:
            return
        try:
            found = pulse.decode(payload)
        except RemoteProtocolError as error:
            self._refuse(topic, error.cause, str(error))
            return
        if len(found) != 1 or topics.pulse(found[0].point) != topic:
            self._refuse(topic, "pulse-topic", "not the topic of this pulse")
            return
        state = self.replica.pulses.receive(found[0])
        if state == pulses.LATER:
            self._early[found[0].point] = found[0]
        elif state == pulses.REFUSED:
            self._refuse(topic, "pulse-refused", "refused by the replica")

    def _take_early(self) -> None:
        """Retained messages come in any order: now the STATUS of a pulse may be here."""
        for point, one in list(self._early.items()):
            if self.replica.pulses.receive(one) != pulses.LATER:
                del self._early[point]

    def _receive_online(self, topic: str, payload: bytes) -> None:
        name = topic[: -len("/online")]
        role, _, peer = name.partition("/")
        if role not in ("gateway", "console") or not topics.is_name(peer):
            self._refuse(topic, "online-topic", "not the name of a gateway or console")
        elif name in self.online or len(self.online) < MAX_PEERS:
            self.online[name] = payload == b"1"
            if name == self.name and payload != b"1" and self.is_connected:
                # The will of our own earlier connection came late.
                self._queue.append(Publish(self.will.topic, b"1"))

    def _note(self, topic: str, payload: bytes, now: int) -> None:
        """Remember what the broker holds; what was ours and is not any more is put back, but not at once."""
        if payload and topic not in self._broker and len(self._broker) >= MAX_TOPICS:
            self._count("topics-full")
            return
        if payload:
            self._broker[topic] = _mark(payload)
        else:
            self._broker.pop(topic, None)
        self._replan = True
        wanted = self._wanted.get(topic)
        ours = (wanted, self._in_flight.get(topic), self._acknowledged.get(topic))
        if wanted is None or not self.synced or payload in ours:
            return
        if not topic.startswith(_OF_RECORDS):
            self._disturbed[topic] = _Disturbance(now + VIEW_HEAL_MS, VIEW_HEAL_MS)
            return
        before = self._disturbed.get(topic)
        pause_ms = min(2 * before.pause_ms, LAST_HEAL_MS) if before else FIRST_HEAL_MS
        self._disturbed[topic] = _Disturbance(now + pause_ms, pause_ms)

    def _refuse(self, topic: str, cause: str, reason: str) -> None:
        self._count(cause)
        self._log_lines += 1
        if self._log_lines <= _MAX_LOG_LINES:
            _log.warning("refused %s (%s): %s", topic[:120], cause, reason)

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1

    def _finish_sync(self) -> None:
        """All retained messages of the broker are here: what it does not hold now it does not hold."""
        self._sync_until = self._quiet_at = None
        self.synced = self._replan = True
        for topic in [
            topic for topic in self._acknowledged if self._covers(topic) and topic not in self._broker
        ]:
            del self._acknowledged[topic]
            if topic not in self._wanted:
                self._store.set_acknowledged(topic, b"")

    def _covers(self, topic: str) -> bool:
        """True for a topic whose retained message we would have been sent."""
        return self._views or topic.startswith(_OF_RECORDS)

    # --- what the broker is to hold

    def _want(self, unix_s: int | None, now: int) -> None:
        """Bring `_wanted` up to date: everything live, the most urgent first; records, then views."""
        self._take_early()
        state = (
            self.replica.revision,
            self.replica.pulses.revision,
            unix_s // 60 if unix_s is not None else None,
        )
        if state != self._wanted_of:
            self._wanted_of = state
            kept = {
                topic: held for topic, held in self._wanted.items() if self._is_view_of_what_is_held(topic)
            }
            self._wanted = {**self._wanted_records(), **kept}
            self._replan = True
        if (
            self._views
            and self._views_of != state
            and (self._views_of is None or now >= self._views_at + VIEWS_PERIOD_MS)
        ):
            self._views_of, self._views_at = state, now
            kept = {topic: held for topic, held in self._wanted.items() if topic.startswith(_OF_RECORDS)}
            if self.name in self._wanted:
                kept[self.name] = self._wanted[self.name]
            self._wanted = {**kept, **self._wanted_views(unix_s)}
            self._replan = True
        if self._own_info is not None and (
            self._own_info_at is None or now >= self._own_info_at + INFO_PERIOD_MS
        ):
            self._own_info_at = now
            self._wanted[self.name] = views.encode({"id": self.name.partition("/")[2], **self._own_info})
            self._replan = True

    def _is_view_of_what_is_held(self, topic: str) -> bool:
        key = topics.bulletin_of_view(topic)
        return not topic.startswith(_OF_RECORDS) and (key is None or key in self.replica.notices)

    def _wanted_records(self) -> dict[str, bytes]:
        wanted: dict[str, bytes] = {}
        for notice in sorted(self.replica.notices.values(), key=lambda notice: notice.rank):
            for index in sorted(notice.parts):
                wanted[topics.of_record(notice.parts[index])] = notice.parts[index]
        for raw in self.replica.records():
            wanted.setdefault(topics.of_record(raw), raw)
        for one in self.replica.pulses.all():
            wanted[topics.pulse(one.point)] = pulse.encode([one])
        return wanted

    def _wanted_views(self, unix_s: int | None) -> dict[str, bytes]:
        wanted: dict[str, bytes] = {}
        for notice in self.replica.notices.values():
            topic = topics.bulletin_view(*notice.key)
            before = views.decode(self._wanted.get(topic) or self._before.get(topic))
            wanted[topic] = views.encode(
                views.bulletin_view(self.region, self.replica, notice, unix_s, before)
            )
        for status in self.replica.statuses.values():
            view = views.status_view(self.region, self.replica, status)
            wanted[topics.status_view(view["point"])] = views.encode(view)
        return wanted

    def _plan(self, unix_s: int | None, now: int) -> None:
        """Fill the queue with the difference between what the broker holds and what it is to hold."""
        for topic, entry in list(self._disturbed.items()):
            if topic not in self._wanted or now > entry.due + 2 * entry.pause_ms:
                del self._disturbed[topic]
        planned = [publish for publish in self._queue if publish.topic.endswith(("/online", "/echo"))]
        for topic, payload in self._wanted.items():
            if self._is_needed(topic, payload, now):
                planned.append(Publish(self.prefix + topic, payload))
        if self.synced and self._views:
            planned += [Publish(self.prefix + topic, b"") for topic in self._to_clear(unix_s)]
        self._queue = planned

    def _is_needed(self, topic: str, payload: bytes, now: int) -> bool:
        """True when the broker is to be sent this payload now."""
        if topic in self._in_flight or topic in self._conflicts:
            return False
        held = self._broker.get(topic)
        if held == _mark(payload):
            return False
        ours = self._acknowledged.get(topic)
        if held is None and not (self.synced and self._covers(topic)):
            # It has not told yet. What it acknowledged before counts, and news does not wait for long.
            return ours != payload and now >= self._patient_until
        entry = self._disturbed.get(topic)
        if entry is not None and now < entry.due:
            return ours != payload and not topic.startswith("record/")  # what we have to say has changed
        return True

    def _to_clear(self, unix_s: int | None) -> list[str]:
        """Topics whose time has passed. A view goes when no record of its bulletin is left."""
        out = []
        bulletins = set(self.replica.notices)
        for topic, payload in self._broker.items():
            place = topics.record_place(topic)
            if place is None:
                continue
            kind, origin, seq = place
            if kind == BULLETIN:
                bulletins.add((origin, seq))
            if topic in self._wanted or topic in self._in_flight:
                continue
            if kind == BULLETIN:
                if unix_s is not None and self._has_expired(payload, unix_s):
                    out.append(topic)
            elif self._is_over(kind, origin, seq, payload, unix_s):
                out.append(topic)
        for topic in self._broker:
            key = topics.bulletin_of_view(topic)
            if key is not None and key not in bulletins and topic not in self._in_flight:
                out.append(topic)
        return out

    def _is_over(self, kind: int, origin: int, seq: int, payload: bytes, unix_s: int | None) -> bool:
        """True for a record, not held here, that nobody needs: a later one or its answer is at the broker."""
        by = self.replica.replaced_by(kind, origin, seq)
        if by is not None:
            return self._broker.get(topics.of_record(by)) == by
        if kind == ANSWER and unix_s is not None:
            try:
                return unix_s >= self.replica.letters.keep_until(answer.decode(payload))
            except RemoteProtocolError:
                return False
        return False

    def _has_expired(self, payload: bytes, unix_s: int) -> bool:
        try:
            part = bulletin.decode_part(payload)
        except RemoteProtocolError:
            return False
        # One that withdraws a bulletin which still lives is needed as long as that.
        return unix_s >= part.expires_s and not any(key in self.replica.notices for key in part.references)


def _mark(payload: bytes) -> bytes:
    """What is remembered of a payload: a record itself, a digest of anything longer."""
    return payload if len(payload) <= MAX_PAYLOAD else hashlib.sha256(payload).digest()
