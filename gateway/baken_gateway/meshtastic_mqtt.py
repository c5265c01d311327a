"""The radio's own MQTT messages, which it has no network for: we are the client proxy of its MQTT module.

With mqtt.proxy_to_client_enabled a radio hands us what it would publish and takes from us what it would have
subscribed to. The rules of uplink and downlink (which channels, whose packets, no loops) are the radio's;
here topics are kept below its root, sizes and queues are bounded, and what we published is not handed back.

No input or output here: `MqttProxy` stands between `session.NodeSession` and `proxy_link.ProxyTask`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass

from meshtastic.protobuf import mesh_pb2

from baken_gateway.stock_radio import RadioSettings

MAX_QUEUE = 16  # messages in each direction, as a stock radio keeps while its broker is away
MAX_TOPIC = 60
MAX_DATA = 435
MAX_ECHOES = 64  # published messages of ours that the broker may send back
DEFAULT_ROOT = "msh"


@dataclass(frozen=True)
class Message:
    """To be published at QoS 1."""

    topic: str
    payload: bytes
    retain: bool


class MqttProxy:
    """`allow_retained`: publish retained what the radio wants so. `counters`: {cause: count}.

    `subscriptions` follow from the radio's settings and are empty while there is no radio, or while its MQTT
    module is not enabled with proxy_to_client_enabled; `revision` goes up when they may have changed.
    """

    def __init__(self, allow_retained: bool = False) -> None:
        self.counters: dict[str, int] = {}
        self.subscriptions: tuple[str, ...] = ()
        self.revision = 0
        self.problem: str | None = None
        self._allow_retained = allow_retained
        self._root = DEFAULT_ROOT
        self._gateway = ""
        self._is_open = False
        self._up: deque[Message] = deque()
        self._down: deque[mesh_pb2.MqttClientProxyMessage] = deque()
        self._echoes: deque[bytes] = deque(maxlen=MAX_ECHOES)

    def open(self, settings: RadioSettings, node_num: int) -> None:
        """The radio has told its settings."""
        mqtt = settings.mqtt
        self._gateway = f"!{node_num:08x}"
        self._root = mqtt.root.strip("/") or DEFAULT_ROOT
        self._is_open = mqtt.enabled and mqtt.proxy_to_client_enabled and not set(self._root) & set("+#\0")
        self.problem = None
        if not self._is_open:
            self.problem = (
                "the radio's MQTT module is not set to use this computer: meshtastic --set mqtt.enabled true "
                "--set mqtt.proxy_to_client_enabled true"
            )
        channels = [entry for entry in settings.used() if entry.settings.downlink_enabled]
        names = [name for entry in channels if is_level(name := settings.name_of(entry))]
        if names and self._is_open:
            names.append("PKI")
        wanted = tuple(f"{self._root}/2/e/{name}/+" for name in names) if self._is_open else ()
        if wanted != self.subscriptions:
            self.subscriptions = wanted
            self.revision += 1

    def close(self) -> None:
        """The radio is gone; what it said is still published, what was for it is of no use any more."""
        self._is_open = False
        self._down.clear()

    def from_radio(self, message: mesh_pb2.MqttClientProxyMessage) -> None:
        """The radio wants this published."""
        topic = message.topic
        payload = message.data if message.WhichOneof("payload_variant") == "data" else message.text.encode()
        if not self._is_open:
            self._count("proxy-off")
        elif len(topic.encode()) > MAX_TOPIC or len(payload) > MAX_DATA:
            self._count("proxy-size")
        elif not topic.startswith(f"{self._root}/2/") or set(topic) & set("+#\0"):
            self._count("proxy-topic")
        else:
            if len(self._up) >= MAX_QUEUE:
                self._up.popleft()
                self._count("proxy-up-full")
            self._up.append(Message(topic, payload, message.retained and self._allow_retained))

    def from_broker(self, topic: str, payload: bytes, retained: bool = False) -> None:
        """The broker has this for the radio."""
        mark = _mark(topic, payload)
        if mark in self._echoes:
            # The radio wants its echo: for it, that is the proof that the broker has its packet.
            self._echoes.remove(mark)
        elif topic.endswith(f"/{self._gateway}"):
            self._count("proxy-late-echo")
            return
        if retained:
            self._count("proxy-old")  # a message of another day must not go on the air again
        elif not self._is_open:
            self._count("proxy-off")
        elif len(topic.encode()) > MAX_TOPIC or len(payload) > MAX_DATA:
            self._count("proxy-size")
        elif not topic.startswith(f"{self._root}/2/e/"):
            self._count("proxy-topic")
        else:
            if len(self._down) >= MAX_QUEUE:
                self._down.popleft()
                self._count("proxy-down-full")
            self._down.append(mesh_pb2.MqttClientProxyMessage(topic=topic, data=payload))

    def next_publish(self) -> Message | None:
        """What is to be published now."""
        if not self._up:
            return None
        message = self._up.popleft()
        self._echoes.append(_mark(message.topic, message.payload))
        return message

    @property
    def has_for_radio(self) -> bool:
        return bool(self._down)

    def next_for_radio(self) -> mesh_pb2.MqttClientProxyMessage | None:
        """What is to be handed to the radio now."""
        return self._down.popleft() if self._down else None

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1


def is_level(name: str) -> bool:
    """Whether a channel's name can be one level of a topic."""
    return bool(name) and not set(name) & set("/+#\0")


def _mark(topic: str, payload: bytes) -> bytes:
    return hashlib.sha256(topic.encode() + b"\0" + payload).digest()[:16]
