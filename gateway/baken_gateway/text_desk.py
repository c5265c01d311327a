"""A gateway's text messages: between its node's client API on one side and the broker on the other.

No input or output. The session hands it what the node says (`receive_packet`, `receive_queue_status`,
`receive_channel`) and asks for what to send (`next_packet`); the bridge hands it messages of the broker
(`receive`, `acknowledged`) and asks for what to publish (`next_publish`). Both sides may come and go.

A text is in the store before anybody is told of it. A request that is taken is in the store with the packet's
id before its claim is published, and it is handed to the node only when the broker has acknowledged the claim
and no other gateway's claim came first. After a restart it goes on from there: handed over again it is the
same packet, which the node drops when it had it.

Who takes a request: the gateway that it names; for `any` the first, by the alphabet, of those that are online
with a working node, once that has been so for SETTLE_MS. A request that nobody has sent within an hour is
refused by the first that is online.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from meshtastic.protobuf import mesh_pb2, portnums_pb2

from baken.wire.errors import RemoteProtocolError
from baken.wire.packet import BROADCAST
from baken_gateway import texts, topics, views
from baken_gateway.region import Region
from baken_gateway.texts import Fate, Request, Text

SETTLE_MS = 3_000
PACE_MS = 2_500  # a stock node takes one text in two seconds
ANSWER_MS = 10_000  # from handing over to the node's word that it has it
MAX_ATTEMPTS = 3
OUTCOME_MS = 180_000  # a fate that nobody has told by then is not told any more
GRACE_S = 300  # after its hour, before another gateway than the one that took it declares it dead
MAX_SKEW_S = 3600
MAX_OPEN = 32  # requests that wait here
MAX_REQUESTS = 256  # remembered of those at the broker
MAX_REMEMBERED = 1024  # texts and fates at the broker
MAX_PUBLISHED = 3  # times that one topic is put right in one connection
MAX_CHANNELS = 8
OLDEST_RX_S = 7 * 86400
NO_ANSWER = "NO_ANSWER"
EXPIRED = "EXPIRED"

_TEXT_PORTS = (portnums_pb2.PortNum.TEXT_MESSAGE_APP, portnums_pb2.PortNum.ALERT_APP)
_LOST_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF}

_log = logging.getLogger(__name__)


class TextStore(Protocol):
    """The part of `store.SqliteStore` that is used here."""

    def texts(self) -> dict[str, bytes]: ...

    def set_text(self, name: str, payload: bytes) -> None: ...


class Named(Protocol):
    """What the session knows of a node."""

    @property
    def long_name(self) -> str: ...

    @property
    def short_name(self) -> str: ...


@dataclass
class _Job:
    """A request that we have taken. `claimed`: the broker has our claim; `handed`: the node may have it."""

    id: str
    request: Request
    packet_id: int
    fate: Fate
    handed: bool = False
    claimed: bool = False
    attempts: int = 0
    handed_at: int | None = None
    outcome_by: int | None = None


@dataclass
class _Broker:
    """What the broker is known to hold, by key or id."""

    texts: dict[str, Text] = field(default_factory=dict)
    fates: dict[str, Fate] = field(default_factory=dict)
    requests: dict[str, tuple[str, bytes, int]] = field(default_factory=dict)  # gateway, payload, seen at
    ready: dict[str, bool] = field(default_factory=dict)
    online: dict[str, bool] = field(default_factory=dict)


class TextDesk:
    """See the module. `rand(n)`: a number in [0, n). `on_broker()`, `on_node()`: there may be something to
    publish, or to hand to the node.

    `node_ready` is set by the session. `counters`: {cause: count} of what was refused.
    """

    def __init__(
        self,
        region: Region,
        store: TextStore,
        gateway: str,
        rand: Callable[[int], int],
        on_broker: Callable[[], None] = lambda: None,
        on_node: Callable[[], None] = lambda: None,
    ) -> None:
        self.region = region
        self.gateway = gateway
        self.counters: dict[str, int] = {}
        self.on_broker = on_broker
        self.on_node = on_node
        self._store = store
        self._rand = rand
        self._own: dict[str, Text] = {}
        self._jobs: dict[str, _Job] = {}
        self._broker = _Broker()
        self._in_flight: dict[str, bytes] = {}
        self._published: dict[str, int] = {}
        self._queue: list[tuple[str, bytes]] = []
        self._channels: dict[int, str] = {}
        self._synced = False
        self._leader: str | None = None
        self._leader_since = 0
        self._next_hand_at = 0
        self._ticked_at = 0
        self._load()

    # --- the node's side

    def receive_channel(self, index: int, name: str) -> None:
        """The node tells the name of one of its channels."""
        if 0 <= index < MAX_CHANNELS:
            self._channels[index] = _clean(name)[:40]

    def receive_packet(
        self,
        packet: mesh_pb2.MeshPacket,
        node_num: int,
        nodes: Mapping[int, Named],
        unix_s: int | None,
        now: int,
    ) -> None:
        """A packet from the node: a text is kept, an acknowledgement of ours noted, all else ignored."""
        decoded = packet.decoded
        if decoded.portnum in _TEXT_PORTS:
            self._hear(packet, nodes, unix_s)
        elif decoded.portnum == portnums_pb2.PortNum.ROUTING_APP and decoded.request_id:
            job = self._job_of(decoded.request_id)
            if job is not None:
                self._receive_routing(job, packet, node_num, unix_s, now)

    def receive_queue_status(
        self, packet_id: int, error: int, node_num: int, unix_s: int | None, now: int
    ) -> None:
        """The node says whether it has taken a packet."""
        job = self._job_of(packet_id)
        if job is None or job.fate.final or job.fate.state != texts.TAKEN:
            return
        if error:
            self._end(job, texts.FAILED, _error_name(error), unix_s)
            return
        text = self._text_of(job, node_num, unix_s)
        self._keep(text)
        job.outcome_by = now + OUTCOME_MS
        self._tell(job, replace(job.fate, state=texts.SENT, text=text.key, time_s=self._time(job, unix_s)))

    def next_packet(self, unix_s: int | None, now: int) -> mesh_pb2.MeshPacket | None:
        """The next text for the node, or None."""
        if now < self._next_hand_at:
            return None
        for job in list(self._jobs.values()):
            if job.fate.state != texts.TAKEN or not (job.claimed or job.handed):
                continue
            if job.handed_at is not None and now - job.handed_at < ANSWER_MS:
                continue
            if unix_s is not None and unix_s - job.request.time_s > texts.REQUEST_LIFE_S:
                self._end(job, texts.FAILED if job.handed else texts.REFUSED, EXPIRED, unix_s)
                continue
            if job.attempts >= MAX_ATTEMPTS:
                self._end(job, texts.FAILED, NO_ANSWER, unix_s)
                continue
            if not job.handed:
                job.handed = True
                self._save(job)
            job.attempts += 1
            job.handed_at = now
            self._next_hand_at = now + PACE_MS
            return _packet_of(job)
        return None

    def node_deadline(self) -> int | None:
        """When `next_packet` may have one, ms; None: not before something happens."""
        due = [
            max(self._next_hand_at, 0 if job.handed_at is None else job.handed_at + ANSWER_MS)
            for job in self._jobs.values()
            if job.fate.state == texts.TAKEN and (job.claimed or job.handed)
        ]
        return min(due, default=None)

    def node_opened(self) -> None:
        """The node begins anew: what it was handed without a word from it is handed over again."""
        for job in self._jobs.values():
            job.handed_at = None

    # --- the broker's side

    def connected(self) -> None:
        """A new connection: what was published in the old one and not acknowledged is published again."""
        self.disconnected()

    def disconnected(self) -> None:
        self._broker = _Broker()
        self._in_flight, self._published, self._queue = {}, {}, []
        self._synced = False
        self._leader = None

    def receive(self, below: str, payload: bytes, now: int) -> bool:
        """A message of the broker, its topic below the prefix; True when it was ours to look at."""
        if below.startswith("gateway/"):
            self._note_gateway(below, payload)
            return False
        try:
            if below.startswith("text/"):
                self._note_text(below, payload)
            elif below.startswith("text-fate/"):
                self._note_fate(below, payload)
            elif below.startswith("text-request/"):
                self._note_request(below, payload, now)
            else:
                return False
        except RemoteProtocolError as error:
            self._count(error.cause)
            _log.warning("refused %s: %s", below[:120], error)
        return True

    def acknowledged(self, below: str, payload: bytes) -> bool:
        """The broker has confirmed a publish; True when it was of ours."""
        if below not in self._in_flight:
            return False
        del self._in_flight[below]
        request_id = texts.fate_of_topic(below)
        key = texts.key_of_topic(below)
        request = texts.request_of_topic(below)
        if request_id is not None:
            if not payload:
                self._broker.fates.pop(request_id, None)
            else:
                fate = texts.decode_fate(payload)
                self._broker.fates[request_id] = fate
                job = self._jobs.get(request_id)
                if job is not None and not job.claimed:
                    job.claimed = True
                    self.on_node()
        elif key is not None:
            if payload:
                self._broker.texts[key] = texts.decode_text(key, payload)
            else:
                self._broker.texts.pop(key, None)
        elif request is not None:
            self._broker.requests.pop(request[1], None)
        return True

    def tick(self, unix_s: int | None, now: int, synced: bool) -> None:
        """Let time pass: take requests, end what has waited too long, plan what to publish."""
        self._ticked_at = now
        self._synced = synced
        for job in self._jobs.values():
            if job.outcome_by is not None and now >= job.outcome_by and not job.fate.final:
                self._tell(job, replace(job.fate, final=True))
            elif job.fate.state in (texts.SENT, texts.RELAYED) and job.outcome_by is None:
                job.outcome_by = now + OUTCOME_MS
        if not synced:
            return
        self._elect(now)
        if unix_s is not None:
            for request_id, (gateway, payload, seen_at) in sorted(self._broker.requests.items()):
                self._consider(request_id, gateway, payload, seen_at, unix_s, now)
        self._queue = self._plan()

    def next_publish(self) -> tuple[str, bytes] | None:
        """(topic below the prefix, payload) to be published retained; `acknowledged` must follow."""
        if not self._queue:
            return None
        below, payload = self._queue.pop(0)
        self._in_flight[below] = payload
        self._published[below] = self._published.get(below, 0) + 1
        return below, payload

    def deadline(self) -> int | None:
        """When `tick` has something to do though nothing happened, ms."""
        due = [job.outcome_by for job in self._jobs.values() if job.outcome_by and not job.fate.final]
        if self._synced and any(
            request_id not in self._jobs and request_id not in self._broker.fates
            for request_id in self._broker.requests
        ):
            settled = self._leader_since + SETTLE_MS
            due += [max(settled, seen + SETTLE_MS) for _, _, seen in self._broker.requests.values()]
        due = [time for time in due if time > self._ticked_at]
        return min(due, default=None)

    @property
    def waiting(self) -> int:
        """What is still to be published."""
        return len(self._queue)

    # --- hearing

    def _hear(self, packet: mesh_pb2.MeshPacket, nodes: Mapping[int, Named], unix_s: int | None) -> None:
        sender = getattr(packet, "from")
        text = _clean(packet.decoded.payload.decode(errors="replace"))
        if not text or not packet.id or sender in (0, BROADCAST):
            self._count("text-empty" if not text else "text-number")
            return
        heard_s = packet.rx_time
        if unix_s is not None and not unix_s - OLDEST_RX_S <= heard_s <= unix_s:
            heard_s = unix_s
        if not heard_s:
            self._count("text-without-time")
            return
        node = nodes.get(sender)
        self._keep(
            Text(
                sender,
                packet.id,
                packet.to,
                text,
                heard_s,
                min(packet.channel, texts.MAX_CHANNEL),
                self._channels.get(packet.channel, ""),
                _clean(node.long_name) if node else "",
                _clean(node.short_name) if node else "",
                packet.decoded.portnum == portnums_pb2.PortNum.ALERT_APP,
                packet.pki_encrypted,
                (self.gateway,),
            )
        )

    def _keep(self, text: Text) -> None:
        before = self._own.get(text.key)
        if before is not None:
            self._count("text-again")
            return
        self._store.set_text(f"text/{text.key}", texts.encode_text(text, self.region))
        self._own[text.key] = text
        while len(self._own) > texts.MAX_TEXTS:
            oldest = min(self._own.values(), key=_age)
            self._store.set_text(f"text/{oldest.key}", b"")
            del self._own[oldest.key]
        self.on_broker()

    def _text_of(self, job: _Job, node_num: int, unix_s: int | None) -> Text:
        point = self.region.point_by_node_num(node_num)
        request = job.request
        return Text(
            node_num,
            job.packet_id,
            request.to,
            _clean(request.text),
            self._time(job, unix_s),
            request.channel,
            self._channels.get(request.channel, ""),
            point.name[:40] if point else "",
            point.code[-4:] if point else "",
            heard_by=(self.gateway,),
        )

    def _receive_routing(
        self, job: _Job, packet: mesh_pb2.MeshPacket, node_num: int, unix_s: int | None, now: int
    ) -> None:
        if job.fate.final:
            return
        try:
            error = mesh_pb2.Routing.FromString(packet.decoded.payload).error_reason
        except ValueError:
            self._count("bad-routing")
            return
        if job.fate.state == texts.TAKEN:  # its queueStatus was lost
            self.receive_queue_status(job.packet_id, 0, node_num, unix_s, now)
        sender = getattr(packet, "from")
        if error:
            self._end(job, texts.FAILED, _error_name(error), unix_s)
        elif job.request.to == BROADCAST or sender != job.request.to:
            final = job.request.to == BROADCAST
            self._tell(
                job, replace(job.fate, state=texts.RELAYED, final=final, time_s=self._time(job, unix_s))
            )
        else:
            time_s = self._time(job, unix_s)
            self._tell(job, replace(job.fate, state=texts.DELIVERED, final=True, by=sender, time_s=time_s))

    # --- requests

    def _elect(self, now: int) -> None:
        """Who answers for `any`: the first that is online, those with a working node before those without."""
        online = sorted(name for name, is_on in self._broker.online.items() if is_on)
        ready = [name for name in online if self._broker.ready.get(name)]
        leader = (ready or online or [None])[0]
        if leader != self._leader:
            self._leader, self._leader_since = leader, now

    def _leads(self, seen_at: int, now: int) -> bool:
        return self._leader == self.gateway and now - max(self._leader_since, seen_at) >= SETTLE_MS

    def _consider(
        self, request_id: str, gateway: str, payload: bytes, seen_at: int, unix_s: int, now: int
    ) -> None:
        """Take a request, or declare it dead, or leave it to another gateway."""
        if request_id in self._jobs:
            return
        fate = self._broker.fates.get(request_id)
        try:
            request = texts.decode_request(payload)
        except RemoteProtocolError as error:
            if self._leads(seen_at, now) or gateway == self.gateway:
                self._refuse(request_id, Request("", unix_s), str(error)[:80], unix_s)
            return
        age_s = unix_s - request.time_s
        if fate is not None:
            is_dead = not fate.final and age_s > texts.REQUEST_LIFE_S + GRACE_S
            if self._leads(seen_at, now) and (fate.final or is_dead):
                self._refuse(request_id, request, EXPIRED, unix_s, fate)
            return
        for_us = gateway == self.gateway or (gateway == texts.ANY and self._leads(seen_at, now))
        if age_s > texts.REQUEST_LIFE_S:
            if for_us or (self._leads(seen_at, now) and age_s > texts.REQUEST_LIFE_S + GRACE_S):
                self._refuse(request_id, request, EXPIRED, unix_s)
            return
        if not for_us:
            return
        if age_s < -MAX_SKEW_S:
            self._refuse(request_id, request, f"time is {-age_s} s ahead, limit {MAX_SKEW_S}", unix_s)
        elif request.problem:
            self._refuse(request_id, request, request.problem, unix_s)
        elif sum(not job.fate.final for job in self._jobs.values()) >= MAX_OPEN:
            self._refuse(request_id, request, f"{MAX_OPEN} texts wait already", unix_s)
        else:
            taken = Fate(texts.TAKEN, self.gateway, unix_s)
            self._take(_Job(request_id, request, 1 + self._rand(0xFFFFFFFE), taken))

    def _refuse(
        self, request_id: str, request: Request, reason: str, unix_s: int, before: Fate | None = None
    ) -> None:
        """End a request that was never ours to send; a final fate that another gateway told stays."""
        fate = before
        if fate is None or not fate.final:
            state = texts.REFUSED if before is None else texts.FAILED
            fate = Fate(state, self.gateway, unix_s, True, before.text if before else "", None, reason)
        self._take(_Job(request_id, request, 0, fate))

    def _take(self, job: _Job) -> None:
        self._save(job)
        self._jobs[job.id] = job
        done = sorted((one for one in self._jobs.values() if one.fate.final), key=_job_age)
        for old in done[: max(0, len(done) - texts.MAX_FATES)]:
            self._forget(old.id)

    def _end(self, job: _Job, state: str, reason: str, unix_s: int | None) -> None:
        time_s = self._time(job, unix_s)
        self._tell(job, replace(job.fate, state=state, final=True, reason=reason, time_s=time_s))

    def _tell(self, job: _Job, fate: Fate) -> None:
        job.fate = fate
        self._save(job)
        self.on_broker()

    def _time(self, job: _Job, unix_s: int | None) -> int:
        return max(job.fate.time_s, job.request.time_s) if unix_s is None else unix_s

    def _job_of(self, packet_id: int) -> _Job | None:
        for job in self._jobs.values():
            if job.packet_id == packet_id and packet_id and job.handed:
                return job
        return None

    # --- the store

    def _save(self, job: _Job) -> None:
        said = {
            "request": texts.encode_request(job.request, self.region).decode(),
            "packetId": job.packet_id,
            "handed": job.handed,
            "fate": texts.encode_fate(job.fate, self.region).decode(),
        }
        self._store.set_text(f"job/{job.id}", views.encode(said))

    def _forget(self, request_id: str) -> None:
        self._store.set_text(f"job/{request_id}", b"")
        self._jobs.pop(request_id, None)

    def _load(self) -> None:
        for name, payload in self._store.texts().items():
            kind, _, key = name.partition("/")
            try:
                if kind == "text":
                    self._own[key] = texts.decode_text(key, payload)
                elif kind == "job":
                    self._jobs[key] = _job(key, json.loads(payload))
            except (RemoteProtocolError, ValueError, KeyError, TypeError):
                self._count("stored-text")

    # --- what the broker holds

    def _note_gateway(self, below: str, payload: bytes) -> None:
        name, _, rest = below.removeprefix("gateway/").partition("/")
        known = self._broker.online.keys() | self._broker.ready.keys()
        if not topics.is_name(name) or (name not in known and len(known) >= 64):
            return
        if rest == "online":
            self._broker.online[name] = payload == b"1"
        elif not rest:
            self._broker.ready[name] = views.decode(payload).get("serial") == "ready"

    def _note_text(self, below: str, payload: bytes) -> None:
        key = texts.key_of_topic(below)
        if key is None:
            raise RemoteProtocolError("not the topic of a text", "text-topic")
        if not payload:
            self._broker.texts.pop(key, None)
        elif key in self._broker.texts or len(self._broker.texts) < MAX_REMEMBERED:
            self._broker.texts[key] = texts.decode_text(key, payload)
        else:
            self._count("texts-full")

    def _note_fate(self, below: str, payload: bytes) -> None:
        request_id = texts.fate_of_topic(below)
        if request_id is None:
            raise RemoteProtocolError("not the topic of a fate", "text-topic")
        if not payload:
            self._broker.fates.pop(request_id, None)
            return
        fate = texts.decode_fate(payload)
        job = self._jobs.get(request_id)
        if fate.gateway == self.gateway and job is not None and not job.claimed:
            job.claimed = True  # our claim came to the broker first, its acknowledgement may come later
            self.on_node()
        if (
            fate.gateway != self.gateway
            and job is not None
            and not (job.claimed or job.handed or job.fate.final)
        ):
            # Another gateway's claim reached the broker before ours.
            self._forget(request_id)
        if request_id in self._broker.fates or len(self._broker.fates) < MAX_REMEMBERED:
            self._broker.fates[request_id] = fate
        else:
            self._count("fates-full")

    def _note_request(self, below: str, payload: bytes, now: int) -> None:
        place = texts.request_of_topic(below)
        if place is None:
            raise RemoteProtocolError("not the topic of a request", "text-topic")
        gateway, request_id = place
        if not payload:
            self._broker.requests.pop(request_id, None)
        elif request_id not in self._broker.requests:
            if len(self._broker.requests) < MAX_REQUESTS:
                self._broker.requests[request_id] = (gateway, payload[: texts.MAX_JSON + 1], now)
            else:
                self._count("requests-full")

    # --- what the broker is to hold

    def _plan(self) -> list[tuple[str, bytes]]:
        broker = self._broker
        wanted: list[tuple[str, bytes]] = []
        for job in self._jobs.values():
            there = broker.fates.get(job.id)
            if there == job.fate:
                if job.fate.final and job.id in broker.requests:
                    wanted.append((f"text-request/{broker.requests[job.id][0]}/{job.id}", b""))
                if not job.claimed:
                    job.claimed = True  # it was acknowledged before a restart
                    self.on_node()
            elif there is None or there.gateway == self.gateway or job.handed or job.fate.final:
                wanted.append((f"text-fate/{job.id}", texts.encode_fate(job.fate, self.region)))
        union = {**broker.texts, **{key: text for key, text in self._own.items() if key not in broker.texts}}
        newest = set(sorted(union, key=lambda key: _age(union[key]))[-texts.MAX_TEXTS :])
        for key, text in sorted(self._own.items(), key=lambda item: _age(item[1])):
            there = broker.texts.get(key)
            both = text if there is None else texts.join(there, text)
            if key in newest and both is not None and both != there:
                wanted.append((f"text/{key}", texts.encode_text(both, self.region)))
        wanted += [(f"text/{key}", b"") for key in broker.texts if key not in newest]
        fates = sorted(broker.fates, key=lambda one: (broker.fates[one].time_s, one))
        for request_id in fates[: max(0, len(fates) - texts.MAX_FATES)]:
            if broker.fates[request_id].final:
                wanted.append((f"text-fate/{request_id}", b""))
                if request_id in self._jobs:
                    self._forget(request_id)
        return [one for one in wanted if self._may_publish(*one)]

    def _may_publish(self, below: str, payload: bytes) -> bool:
        """Not while it is under way, and not again and again when somebody else keeps undoing it."""
        limit = MAX_PUBLISHED * (4 if below.startswith("text-fate/") else 1)
        return below not in self._in_flight and self._published.get(below, 0) < limit

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1


def _job(request_id: str, said: Mapping[str, Any]) -> _Job:
    fate = texts.decode_fate(said["fate"].encode())
    request = texts.decode_request(said["request"].encode())
    return _Job(request_id, request, int(said["packetId"]), fate, bool(said["handed"]))


def _packet_of(job: _Job) -> mesh_pb2.MeshPacket:
    request = job.request
    packet = mesh_pb2.MeshPacket(to=request.to, id=job.packet_id, channel=request.channel, want_ack=True)
    packet.decoded.portnum = portnums_pb2.PortNum.TEXT_MESSAGE_APP
    packet.decoded.payload = request.text.encode()
    return packet


def _error_name(error: int) -> str:
    try:
        return mesh_pb2.Routing.Error.Name(error)  # type: ignore[arg-type]
    except ValueError:
        return f"ERROR_{error}"


def _clean(text: str) -> str:
    """Without control characters (a new line stays) and what turns the direction of writing."""
    kept = [
        letter if letter == "\n" or not (ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0) else " "
        for letter in text
        if ord(letter) not in _LOST_DIRECTIONS
    ]
    return "".join(kept).strip()


def _age(text: Text) -> tuple[int, str]:
    return text.time_s, text.key


def _job_age(job: _Job) -> tuple[int, str]:
    return job.fate.time_s, job.id
