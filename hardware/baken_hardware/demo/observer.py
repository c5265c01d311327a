"""Listens at the broker: which records came, whether any came twice in different bytes, and until when points
have told that their status holds.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from datetime import datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from baken.wire.errors import RemoteProtocolError
from baken.wire.records import decode_header
from baken_hardware.demo.witness import RecordId


class Observer:
    """An ordinary MQTT client subscribed to everything of the region; it comes back by itself after an
    outage.
    """

    def __init__(self, port: int, region_id: str) -> None:
        self._prefix = f"baken/v1/{region_id}/"
        self._lock = threading.Lock()
        self._records: dict[RecordId, set[bytes]] = defaultdict(set)
        self._topics: dict[RecordId, set[str]] = defaultdict(set)
        self._signs: dict[str, int] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="baken-demo-observer")
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.connect_async("127.0.0.1", port, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_message = None

    def publish(self, topic: str, payload: bytes) -> None:
        """Say something at the broker, as anybody with an account there can."""
        self._client.publish(self._prefix + topic, payload, qos=1, retain=True)

    @property
    def records(self) -> set[RecordId]:
        """Ids of all records that were ever there."""
        with self._lock:
            return set(self._records)

    @property
    def twice(self) -> list[RecordId]:
        """Records that came in two versions or under two topics: there must be none."""
        with self._lock:
            several = {key for key, versions in self._records.items() if len(versions) > 1}
            return sorted(several | {key for key, topics in self._topics.items() if len(topics) > 1})

    @property
    def signs_of_life(self) -> dict[str, int]:
        """Point code to the unix seconds until which its status holds, as dashboards see it."""
        with self._lock:
            return dict(self._signs)

    def _subscribe(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self._prefix + "#", qos=1)

    def _take(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        topic = message.topic.removeprefix(self._prefix)
        if topic.startswith("status/") and message.payload:
            self._take_view(message.payload)
            return
        if not topic.startswith("record/") or not message.payload:
            return
        try:
            record_id = decode_header(message.payload).record_id
        except RemoteProtocolError:
            return
        with self._lock:
            self._records[record_id].add(bytes(message.payload))
            self._topics[record_id].add(topic)

    def _take_view(self, payload: bytes) -> None:
        try:
            view = json.loads(payload)
            code, as_of_s = str(view["point"]), int(datetime.fromisoformat(view["asOf"]).timestamp())
        except (ValueError, KeyError, TypeError):
            return
        with self._lock:
            self._signs[code] = as_of_s
