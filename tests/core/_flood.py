"""A few replicas joined by a lossy ether with Meshtastic-like flooding: time only moves when something is
due.
"""

from _small_region import NOON_S, TRUST, random_source

from baken.noticeboard.events import Refresh, Refused, Send
from baken.noticeboard.gossip import Gossip, GossipSettings
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica

SETTINGS = GossipSettings(10000, 320000, 2, 2, 3)
LATENCY_MS = 600


def airtime_ms(size):
    return 60 + 2 * size


class Packet:
    def __init__(self, sender, packet_id, payload, hop_limit, hop_start):
        self.sender = sender
        self.packet_id = packet_id
        self.payload = payload
        self.hop_limit = hop_limit
        self.hop_start = hop_start


class Member:
    def __init__(self, name, rand, now, store=None, settings=SETTINGS):
        self.name = name
        self.replica = Replica(TRUST, store or MemoryStore())
        self.gossip = Gossip(self.replica, settings, airtime_ms, rand, now)
        self.heard = set()
        self.refused = set()
        self.on = True

    def events(self, now, until):
        """(when, event) of all that this member alone wants from `now` to `until`."""
        found = []
        while now <= until:
            event = self.gossip.next_event(now)
            if event is None:
                now = max(self.gossip.deadline(), now + 1)
            else:
                found.append((now, event))
        return found


class Net:
    """`links`: {name: names that hear it}; `loss_percent` of all receptions fail."""

    def __init__(self, links, seed=1, loss_percent=0):
        self.links = links
        self.rand = random_source(seed)
        self.loss_percent = loss_percent
        self.now = 0
        self.members = {name: Member(name, self.rand, 0) for name in sorted(links)}
        self.air = []  # (due ms, order, from name, packet)
        self.sent = {}
        self._ids = 0

    def unix_s(self):
        return NOON_S + self.now // 1000

    def publish(self, name, *raws):
        for raw in raws:
            self.members[name].gossip.publish(raw, self.unix_s(), self.now)

    def run(self, until_ms):
        while True:
            for name in sorted(self.members):
                self._pump(name)
            due = [self.members[name].gossip.deadline() for name in self.members if self.members[name].on]
            due += [item[0] for item in self.air]
            if min(due) > until_ms:
                self.now = until_ms
                return
            self.now = max(self.now, min(due))
            for item in [item for item in self.air if item[0] <= self.now]:
                self.air.remove(item)
                self._deliver(item[2], item[3])

    def holders(self, record_id):
        return sorted([name for name, member in self.members.items() if member.replica.get(record_id)])

    def _pump(self, name):
        member = self.members[name]
        while member.on:
            event = member.gossip.next_event(self.now)
            if event is None:
                return
            if isinstance(event, Send):
                self._ids += 1
                packet = Packet(name, self._ids, event.payload, event.hop_limit, event.hop_start)
                member.heard.add((name, self._ids))
                self._transmit(name, packet)
            elif isinstance(event, Refresh):
                p = event.packet
                self._transmit(
                    name, Packet(p.sender, p.packet_id, p.payload, event.hop_limit, event.hop_start)
                )
            elif isinstance(event, Refused):
                member.refused.add((event.packet.sender, event.packet.packet_id))

    def _transmit(self, name, packet):
        self.sent[name] = self.sent.get(name, 0) + 1
        self.air.append((self.now + LATENCY_MS + self.rand(400), len(self.air), name, packet))

    def _deliver(self, name, packet):
        for other in self.links[name]:
            member = self.members[other]
            key = (packet.sender, packet.packet_id)
            if not member.on or key in member.heard or self.rand(100) < self.loss_percent:
                continue
            member.heard.add(key)
            member.gossip.receive(packet.payload, packet, 10, self.unix_s(), self.now)
            self._pump(other)
            if packet.hop_limit > 0 and key not in member.refused:
                self._transmit(
                    other,
                    Packet(
                        packet.sender,
                        packet.packet_id,
                        packet.payload,
                        packet.hop_limit - 1,
                        packet.hop_start,
                    ),
                )


def line(count):
    """Links of nodes "00", "01", ... in a row."""
    names = ["%02d" % index for index in range(count)]
    links = {}
    for index, name in enumerate(names):
        links[name] = names[max(0, index - 1) : index] + names[index + 1 : index + 2]
    return links
