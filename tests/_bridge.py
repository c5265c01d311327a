"""Replicas joined to a broker of a few lines, in which time passes only when it is told to."""

import json

from _region import NOON_S

from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken_gateway.bridge import MqttReplica, Publish

PREFIX = "baken/v1/merenland/"


class Store(MemoryStore):
    """A store in memory that survives as long as the test wants, with acknowledgements."""

    def __init__(self):
        super().__init__()
        self.topics: dict[str, bytes] = {}

    def acknowledged(self):
        return dict(self.topics)

    def use_broker(self, name):
        pass

    def set_acknowledged(self, topic, payload):
        if payload:
            self.topics[topic] = payload
        else:
            self.topics.pop(topic, None)


class Broker:
    """Retained messages and who is connected. Time passes only in `settle`."""

    def __init__(self):
        self.retained: dict[str, bytes] = {}
        self.clients: list[MqttReplica] = []
        self.published: list[Publish] = []
        self.now = 1_000_000
        self.unix_s = NOON_S
        self.is_lossy = False

    def connect(self, joined):
        joined.connected(self.now)
        self.clients.append(joined)
        joined.subscribed(self.now)
        for topic, payload in sorted(self.retained.items()):
            joined.receive(topic, payload, self.unix_s, self.now)
        return joined

    def drop(self, joined):
        self.clients.remove(joined)
        joined.disconnected()
        self.retained[joined.will.topic] = joined.will.payload

    def publish(self, publish):
        self.published.append(publish)
        if publish.retain and publish.payload:
            self.retained[publish.topic] = publish.payload
        elif publish.retain:
            self.retained.pop(publish.topic, None)
        for client in list(self.clients):
            if any(_matches(publish.topic, pattern) for pattern in client.subscriptions):
                client.receive(publish.topic, publish.payload, self.unix_s, self.now)

    def settle(self, wait_ms=2_000):
        """Let everybody publish what they want for a while; their publishes, without echoes and presence."""
        count = len(self.published)
        end = self.now + wait_ms
        while True:
            for client in list(self.clients):
                client.tick(self.unix_s, self.now)
                while (publish := client.next_publish(self.now)) is not None:
                    if self.is_lossy:
                        self.published.append(publish)
                        continue
                    self.publish(publish)
                    client.acknowledged(publish.topic, publish.payload)
                    client.tick(self.unix_s, self.now)
            due = min((client.deadline() for client in self.clients), default=end)
            if due > end:
                self.now = end
                return [p for p in self.published[count:] if not p.topic.endswith(("/echo", "/online"))]
            self.unix_s += max(0, due - self.now) // 1000
            self.now = max(due, self.now + 1)

    def records(self):
        return {topic: payload for topic, payload in self.retained.items() if "/record/" in topic}

    def view(self, topic):
        return json.loads(self.retained[PREFIX + topic])


def _matches(topic, pattern):
    return topic == pattern or pattern.endswith("/#") and topic.startswith(pattern[:-1])


class Party:
    """A replica, its store and its bridge."""

    def __init__(self, region, name="gateway/gw1", store=None, views=True):
        self.store = store or Store()
        self.replica = Replica(region.trust, self.store)
        self.joined = MqttReplica(region, self.replica, self.store, name, views=views)

    def learn(self, *records, unix_s=NOON_S):
        for raw in records:
            assert self.replica.receive_record(raw, unix_s).state == "new"
