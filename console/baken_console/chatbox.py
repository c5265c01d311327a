"""The console's text messages: what the broker holds of them, and what was asked here to be sent.

The same shape as a gateway's `text_desk`, for `bridge.MqttReplica`: no input or output. A request is in the
store before it is published, with the id that it keeps, and it is published again until a gateway has said
what became of it; so it waits through an outage, for an hour at most, and is never sent twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from baken.wire.errors import RemoteProtocolError
from baken_gateway import texts, topics, views
from baken_gateway.region import Region
from baken_gateway.texts import ANY, Fate, Request, Text

OWN_RADIO = "own-radio"  # the "gateway" of a request for the radio on this computer: never published
MAX_OWN = 200  # requests made here that are remembered
MAX_KNOWN = 1024  # of each kind at the broker
MAX_NODES = 64  # of gateways
MAX_PUBLISHED = 3  # times that one request is published in one connection


class ChatError(Exception):
    """A text cannot be sent; one sentence with the value and the limit."""


class Chatbox:
    """`store`: a `SqliteStore`, or anything else: then nothing is kept. `rand(n)`: a number in [0, n).

    `texts`, `fates`, `requests` (by id: gateway, Request) and `own` (ids made here) are for `chat`;
    `revision` goes up when any of them changes.
    """

    def __init__(self, region: Region, store: Any, console: str, rand: Callable[[int], int]) -> None:
        self.region = region
        self.console = console
        self.revision = 0
        self.texts: dict[str, Text] = {}
        self.fates: dict[str, Fate] = {}
        self.requests: dict[str, tuple[str, Request]] = {}
        self.own: set[str] = set()
        self.own_nodes: set[int] = set()
        self.refused = 0
        self.unix_s: int | None = None
        self._rand = rand
        self._keep: Callable[[str, bytes], None] = getattr(store, "set_text", lambda _name, _payload: None)
        self._read: dict[str, int] = {}
        self._at_broker: set[str] = set()
        self._in_flight: set[str] = set()
        self._published: dict[str, int] = {}
        self._queue: list[tuple[str, bytes]] = []
        self._load(store.texts() if hasattr(store, "texts") else {})

    # --- for people

    def send(self, text: str, to: int, now_s: int, channel: int = 0, gateway: str = ANY) -> str:
        """Ask for a text to be sent; the request's id. ChatError when it cannot be."""
        request = Request(text, now_s, to, channel, self.console[:40])
        if request.problem:
            raise ChatError(request.problem)
        if not topics.is_name(gateway):
            raise ChatError(f"gateway is {gateway!r}, must be an {topics.NAME_RULE}")
        request_id = f"{self._rand(1 << 32):08x}{self._rand(1 << 32):08x}"
        self._save(request_id, gateway, request)
        self.requests[request_id] = (gateway, request)
        self.own.add(request_id)
        self._forget_oldest()
        self.revision += 1
        return request_id

    def read_until(self, conversation: str) -> int:
        """Unix time of the last text that was looked at here."""
        return self._read.get(conversation, 0)

    def mark_read(self, conversation: str, time_s: int) -> None:
        """Everything up to then has been looked at."""
        if time_s > self._read.get(conversation, 0):
            self._keep(f"read/{conversation}", str(time_s).encode())
            self._read[conversation] = time_s
            self.revision += 1

    # --- for the bridge

    def connected(self) -> None:
        self.disconnected()

    def disconnected(self) -> None:
        """What is known stays on the screen; what was under way is published again."""
        self._at_broker, self._in_flight, self._published, self._queue = set(), set(), {}, []

    def receive(self, below: str, payload: bytes, now: int) -> bool:
        """A message of the broker; True when it was about texts."""
        if below.startswith("gateway/"):
            self._note_gateway(below, payload)
            return False
        if not below.startswith(tuple(f"{topic}/" for topic in topics.TEXT_TOPICS)):
            return False
        try:
            self._note(below, payload)
        except RemoteProtocolError:
            self.refused += 1
        self.revision += 1
        return True

    def acknowledged(self, below: str, payload: bytes) -> bool:
        """The broker has a request of ours."""
        if below not in self._in_flight:
            return False
        self._in_flight.remove(below)
        self._at_broker.add(below.rpartition("/")[2])
        self.revision += 1
        return True

    def is_at_broker(self, request_id: str) -> bool:
        """The broker has the request, or a gateway has already told its fate."""
        return request_id in self._at_broker or request_id in self.fates

    def tick(self, unix_s: int | None, now: int, synced: bool) -> None:
        """Plan what to publish: requests of ours that neither the broker nor a gateway knows of."""
        self.unix_s = unix_s
        self._queue = []
        if not synced or unix_s is None:
            return
        for request_id in sorted(self.own):
            gateway, request = self.requests[request_id]
            below = f"text-request/{gateway}/{request_id}"
            if (
                gateway != OWN_RADIO
                and not self.is_at_broker(request_id)
                and below not in self._in_flight
                and unix_s - request.time_s <= texts.REQUEST_LIFE_S
                and self._published.get(below, 0) < MAX_PUBLISHED
            ):
                self._queue.append((below, texts.encode_request(request, self.region)))

    def next_publish(self) -> tuple[str, bytes] | None:
        if not self._queue:
            return None
        publish = self._queue.pop(0)
        self._in_flight.add(publish[0])
        self._published[publish[0]] = self._published.get(publish[0], 0) + 1
        return publish

    def deadline(self) -> int | None:
        return None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    # --- inside

    def _note(self, below: str, payload: bytes) -> None:
        key, request_id = texts.key_of_topic(below), texts.fate_of_topic(below)
        place = texts.request_of_topic(below)
        if key is not None:
            self._note_text(key, payload)
        elif request_id is not None:
            if not payload:
                if request_id not in self.own:
                    self.fates.pop(request_id, None)
            elif request_id in self.fates or len(self.fates) < MAX_KNOWN:
                fate = self.fates[request_id] = texts.decode_fate(payload)
                if fate.text:
                    self._note_own_node(int(fate.text[:8], 16))
                if request_id in self.own:
                    self._save(request_id, *self.requests[request_id])
        elif place is not None:
            gateway, name = place
            if not payload:
                self._at_broker.discard(name)
                if name not in self.own:
                    self.requests.pop(name, None)
            elif name in self.own:
                self._at_broker.add(name)
            elif name in self.requests or len(self.requests) < MAX_KNOWN:
                self.requests[name] = (gateway, texts.decode_request(payload))
            else:
                self.refused += 1
        else:
            raise RemoteProtocolError("not a topic of texts", "text-topic")

    def _note_text(self, key: str, payload: bytes) -> None:
        if not payload:
            self._keep(f"text/{key}", b"")
            self.texts.pop(key, None)
        elif key in self.texts or len(self.texts) < MAX_KNOWN:
            text = texts.decode_text(key, payload)
            if self.texts.get(key) != text:
                self._keep(f"text/{key}", payload)
                self.texts[key] = text
        else:
            self.refused += 1

    def _note_gateway(self, below: str, payload: bytes) -> None:
        node = views.decode(payload).get("node") if below.count("/") == 1 else None
        number = texts.node_number(str(node.get("number"))) if isinstance(node, dict) else None
        if number is not None:
            self._note_own_node(number)

    def _note_own_node(self, number: int) -> None:
        """A gateway's node: what it sends is ours."""
        if number not in self.own_nodes and len(self.own_nodes) < MAX_NODES:
            self._keep(f"node/{number:08x}", b"1")
            self.own_nodes.add(number)
            self.revision += 1

    def _save(self, request_id: str, gateway: str, request: Request) -> None:
        said: dict[str, Any] = {
            "gateway": gateway,
            "request": texts.encode_request(request, self.region).decode(),
        }
        if request_id in self.fates:
            said["fate"] = texts.encode_fate(self.fates[request_id], self.region).decode()
        self._keep(f"request/{request_id}", views.encode(said))

    def _forget_oldest(self) -> None:
        while len(self.own) > MAX_OWN:
            oldest = min(self.own, key=lambda one: self.requests[one][1].time_s)
            self.own.remove(oldest)
            del self.requests[oldest]
            self._keep(f"request/{oldest}", b"")

    def _load(self, held: dict[str, bytes]) -> None:
        for name, payload in held.items():
            kind, _, key = name.partition("/")
            try:
                if kind == "text":
                    self.texts[key] = texts.decode_text(key, payload)
                elif kind == "read":
                    self._read[key] = int(payload)
                elif kind == "request":
                    said = json.loads(payload)
                    self.requests[key] = (said["gateway"], texts.decode_request(said["request"].encode()))
                    self.own.add(key)
                    if "fate" in said:
                        self.fates[key] = texts.decode_fate(said["fate"].encode())
                elif kind == "node":
                    self.own_nodes.add(int(key, 16))
            except (RemoteProtocolError, ValueError, KeyError, TypeError):
                self.refused += 1
