"""Mesh engines joined by an ether in virtual time: half duplex, collisions, carrier sense, seeded loss."""

from baken.mesh.config import MeshConfig
from baken.mesh.events import Transmit
from baken.mesh.node import MeshNode


def seeded(seed):
    """A small generator with the same numbers on both runtimes: rand(n) gives an integer in [0, n)."""
    state = [seed * 2654435761 & 0xFFFFFFFF or 1]

    def rand(n):
        value = state[0]
        value ^= value << 13 & 0xFFFFFFFF
        value ^= value >> 17
        value ^= value << 5 & 0xFFFFFFFF
        state[0] = value
        return value % n

    return rand


def make_node(number, seed=None, **settings):
    """A node with a default LongFast channel."""
    name = b"Node %d" % (number & 0xFFFF)
    config = MeshConfig(number, name, b"N%d" % (number & 0xFF), **settings)
    return MeshNode(config, seeded(number if seed is None else seed))


def line(count):
    """Each node hears only its neighbours."""
    links = {}
    for a in range(count - 1):
        links[(a, a + 1)] = links[(a + 1, a)] = 0
    return links


def everyone(count, snr_db=0.0):
    """Each node hears every other."""
    links = {}
    for a in range(count):
        for b in range(count):
            if a != b:
                links[(a, b)] = snr_db
    return links


class Ether:
    """`links` maps (position of sender, position of receiver) to the SNR in dB; other pairs are deaf."""

    def __init__(self, nodes, links, loss_percent=0, seed=1, start=1000):
        self.nodes = nodes
        self.links = links
        self.loss_percent = loss_percent
        self.now = start
        self.events = [[] for _ in nodes]  # what each node told, Transmit left out
        self.frames = []  # (time it began, position of the sender, frame)
        self._rand = seeded(seed)
        self._flying = []  # [end, position, frame, positions that will miss it]

    def heard(self, position, portnum=None):
        """Packets a node received, without NodeInfo unless asked for."""
        found = []
        for event in self.events[position]:
            if event.__class__.__name__ == "Received":
                if event.portnum == portnum or (portnum is None and event.portnum != 4):
                    found.append(event)
        return found

    def told(self, position, name):
        """Events of one class."""
        return [event for event in self.events[position] if event.__class__.__name__ == name]

    def sent(self, position):
        """Frames a node put on the air."""
        return [frame for _, sender, frame in self.frames if sender == position]

    def run(self, for_ms):
        """Let this much time pass."""
        end = self.now + for_ms
        while True:
            self._serve()
            moments = [flight[0] for flight in self._flying]
            moments += [deadline for node in self.nodes if (deadline := node.deadline()) is not None]
            following = min(moments) if moments else end
            if following >= end:
                self.now = end
                self._land()
                self._serve()
                return
            assert following > self.now or [flight for flight in self._flying if flight[0] <= self.now]
            self.now = max(self.now, following)
            self._land()

    def _serve(self):
        for position, node in enumerate(self.nodes):
            while (event := node.next_event(self.now)) is not None:
                if isinstance(event, Transmit):
                    self._try(position, event)
                else:
                    self.events[position].append(event)

    def _try(self, position, event):
        for _, other, _, _ in self._flying:
            if (other, position) in self.links:
                self.nodes[position].channel_busy(self.now)
                return
        missing = []
        for flight in self._flying:
            flight[3].append(position)  # half duplex: we do not hear what is on the air while we send
            missing.append(flight[1])
            for receiver in range(len(self.nodes)):
                if (position, receiver) in self.links and (flight[1], receiver) in self.links:
                    flight[3].append(receiver)
                    missing.append(receiver)
        self.frames.append((self.now, position, event.frame))
        self._flying.append([self.now + event.airtime_ms, position, event.frame, missing])

    def _land(self):
        landed = [flight for flight in self._flying if flight[0] <= self.now]
        self._flying = [flight for flight in self._flying if flight[0] > self.now]
        for _, sender, frame, missing in landed:
            self.nodes[sender].transmitted(self.now)
            for receiver, node in enumerate(self.nodes):
                snr_db = self.links.get((sender, receiver))
                if snr_db is None or receiver in missing or self._rand(100) < self.loss_percent:
                    continue
                node.receive_frame(frame, -100, snr_db, self.now)
