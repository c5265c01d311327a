"""Our node with a client on its serial port: a client of a few lines, the mesh behind it."""

from _ether import Ether, everyone, make_node, seeded

from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.preferences import Preferences
from baken.wire import protobuf, stream
from baken.wire.messages import ADMIN_APP, FROM_RADIO, ROUTING_APP, TO_RADIO
from baken.wire.messages_admin import ADMIN_MESSAGE
from baken.wire.packet import BROADCAST

OWN = 0x1000
OTHER = 0x1001
NONCE = 305419896


class Desk:
    """Our node with a client on its serial port, and some neighbours; `store` keeps its settings."""

    def __init__(self, neighbours=1, links=None, store=None, **settings):
        nodes = [make_node(OWN, hop_limit=4, **settings)]
        nodes += [make_node(OTHER + i, hop_limit=4) for i in range(neighbours)]
        self.ether = Ether(nodes, everyone(neighbours + 1, 5.5) if links is None else links)
        self.node = nodes[0]
        self.preferences = Preferences(self.node.config, store)
        self.node.configure(self.preferences.mesh_config(), 0)
        device = DeviceInfo(device_id=bytes(range(16)))
        self.api = ClientApi(self.node, device, seeded(7), self.preferences)
        self._deframer = stream.Deframer()
        self._passed = 0
        self._number = 0
        self._packet_id = 100
        self.run(1000)

    def run(self, for_ms):
        """Let time pass; the device hands the node's events to the client API."""
        self.ether.run(for_ms)
        events = self.ether.events[0]
        for event in events[self._passed :]:
            self.api.receive_event(event, self.ether.now)
        self._passed = len(events)

    def tell(self, **message):
        """The client sends one ToRadio."""
        self.api.receive_bytes(stream.frame(protobuf.encode(TO_RADIO, message)), self.ether.now)

    def hear(self, limit=64):
        """All FromRadio messages that wait for the client."""
        found = []
        while data := self.api.next_bytes(limit):
            assert len(data) <= limit
            found += [protobuf.decode(FROM_RADIO, payload) for payload in self._deframer.receive(data)]
        for message in found:
            self._number += 1
            assert message.pop("id") == self._number
        return found

    def connect(self):
        """Start a session and read the start-up sequence."""
        self.tell(want_config_id=NONCE)
        return self.hear()

    def send(self, portnum, payload=b"", to=BROADCAST, **fields):
        """The client sends a packet; gives its id."""
        self._packet_id += 1
        packet = {
            "to": to,
            "decoded": {"portnum": portnum, "payload": payload},
            "id": self._packet_id,
            "hop_limit": 3,
        }
        packet.update(fields)
        self.tell(packet=packet)
        return self._packet_id

    def administer(self, **message):
        """The client sends an AdminMessage to our own node."""
        data = {
            "portnum": ADMIN_APP,
            "payload": protobuf.encode(ADMIN_MESSAGE, message),
            "want_response": True,
        }
        return self.send(0, to=OWN, decoded=data, want_ack=True, pki_encrypted=True)

    def answer(self):
        """The AdminMessage among what waits for the client."""
        for packet in packets(self.hear()):
            if packet["decoded"]["portnum"] == ADMIN_APP:
                assert (packet["from"], packet["to"]) == (OWN, OWN)
                return packet["decoded"]["request_id"], protobuf.decode(
                    ADMIN_MESSAGE, packet["decoded"]["payload"]
                )
        raise AssertionError("no answer")

    def set(self, **message):
        """The client sets something and the device does what comes of it; gives the Routing.Error."""
        packet_id = self.administer(**message)
        self.told = events(self.api, self.ether.now)
        messages = self.hear()
        self.notices = [told["message"] for told in notices(messages)]
        ((request_id, payload),) = verdicts(messages)
        assert request_id == packet_id and payload[0] == 0x18
        return payload[1]

    def get(self, **message):
        """The client asks something; gives the answer."""
        packet_id = self.administer(**message)
        request_id, answer = self.answer()
        assert request_id == packet_id
        return answer

    def on_air(self, portnum):
        """Packets of this port that the neighbour received from us."""
        return self.ether.heard(1, portnum)


def packets(messages):
    return [message["packet"] for message in messages if "packet" in message]


def verdicts(messages):
    """(request id, payload) of ROUTING packets from ourselves."""
    found = []
    for packet in packets(messages):
        data = packet["decoded"]
        if data["portnum"] == ROUTING_APP and packet["from"] == OWN:
            assert packet["to"] == OWN
            found.append((data["request_id"], data["payload"]))
    return found


def statuses(messages):
    return [message["queueStatus"] for message in messages if "queueStatus" in message]


def kinds(messages):
    return [sorted(message)[0] for message in messages]


def events(api, now):
    events = []
    while (event := api.next_event(now)) is not None:
        events.append(event)
    return events


def notices(messages):
    """ClientNotifications."""
    return [message["clientNotification"] for message in messages if "clientNotification" in message]
