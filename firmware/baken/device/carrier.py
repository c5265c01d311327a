"""The joint between mesh and noticeboard: what gossip wants on the air becomes packets of the mesh, and what
the mesh received on the region's channel goes to gossip.
"""

from baken.compat import const
from baken.noticeboard import events
from baken.noticeboard.gossip import settings_for
from baken.wire import answer
from baken.wire.channel import expand_key
from baken.wire.errors import ProtocolError
from baken.wire.messages import CHANNEL_DISABLED, PRIORITY_ALERT, PRIVATE_APP, ROLE_ROUTER, ROLE_ROUTER_LATE
from baken.wire.modem import snr_limit_db
from baken.wire.records import ANSWER, DRAFT, REPORT, message_kind

_MAX_QUEUED_RECORDS = const(32)


class Carrier:
    """Joins a MeshNode and a Gossip. `counters` is the owner's.

    `heard_via` and `is_live` say of the records being learned who relayed them (0: our own, or the cable) and
    whether they are being spread now, not kept by a neighbour or a program.
    """

    def __init__(self, mesh, board, record_channel, counters):
        self.mesh = mesh
        self.gossip = board
        self.counters = counters
        self.channel = None  # index of the channel with the region's name and key
        self.heard_via = 0
        self.is_live = False
        self._wanted = record_channel
        self._snr_limit_db = 0
        self._queued = {}  # record id -> packet id of our own transmission that may still wait
        self._relayed = {}  # record id of a report -> (sender, packet id) of the relay that we insist on

    def configure(self, now):
        """Follow the mesh's settings."""
        config = self.mesh.config
        self.gossip.configure(gossip_settings(config), self.mesh.modem.airtime_ms, now)
        self._snr_limit_db = snr_limit_db(self.mesh.modem.spreading_factor)
        self.channel = _find_channel(config.channels, self._wanted)

    def carries(self, event):
        """Whether a Received of the mesh is for the noticeboard."""
        return event.portnum == PRIVATE_APP and event.channel == self.channel

    def receive(self, event, unix_s, now):
        """Take such a Received; False for what may never come from the air."""
        if message_kind(event.payload) == DRAFT:
            self.count("draft-from-air")
            self.mesh.drop_relay(event.sender, event.packet_id)
            return False
        self.heard_via = event.relay_node
        self.is_live = event.hop_start > events.SERVE_HOP_START
        self.gossip.receive(event.payload, event, event.snr_db - self._snr_limit_db, unix_s, now)
        return True

    def next_event(self, now):
        """Do the next thing that gossip wants and give it; the owner sees to Learned and Refused."""
        event = self.gossip.next_event(now)
        if isinstance(event, events.Send):
            self._send(event, now)
        elif isinstance(event, events.Refresh):
            self.mesh.relay_again(event.packet, event.hop_limit, event.hop_start, now)
        elif isinstance(event, events.HoldBack):
            self.mesh.hold_relay(event.packet.sender, event.packet.packet_id, event.until, now)
        elif isinstance(event, events.Withdraw):
            self._withdraw(event.record_id)
        elif isinstance(event, events.Learned):
            self._learn(event)
        elif isinstance(event, events.Repeated):
            self._insist(event.record_id, event.packet)
        elif isinstance(event, (events.Refused, events.LeaveOut)):
            self.mesh.drop_relay(event.packet.sender, event.packet.packet_id)
        return event

    def count(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1

    def _learn(self, event):
        """See to the relay of a record that was just taken in."""
        packet = event.packet
        if event.is_life_saving and packet is not None:
            if event.record_id[0] in (REPORT, ANSWER):
                self._insist(event.record_id, packet)
            else:
                self.mesh.hasten_relay(packet.sender, packet.packet_id, PRIORITY_ALERT)
        if event.record_id[0] == ANSWER:  # what is answered needs no more sending
            told = answer.decode(event.raw)
            report_id = (REPORT, told.point, told.ref, 0)
            self._withdraw(report_id)
            if report_id in self._relayed:
                self.mesh.desist(*self._relayed.pop(report_id))

    def _insist(self, record_id, packet):
        """Emergency reports and answers are relayed until somebody is heard to have them."""
        self.mesh.hasten_relay(packet.sender, packet.packet_id, PRIORITY_ALERT)
        if self.mesh.insist(packet.sender, packet.packet_id, packet.relay_node) and record_id[0] == REPORT:
            if len(self._relayed) >= _MAX_QUEUED_RECORDS:
                self._relayed.clear()
            self._relayed[record_id] = (packet.sender, packet.packet_id)

    def _withdraw(self, record_id):
        packet_id = self._queued.pop(record_id, None)
        if packet_id is not None:
            self.mesh.cancel(packet_id)

    def _send(self, event, now):
        if self.channel is None:
            self.count("no-record-channel")
            return
        try:
            packet_id = self.mesh.send(
                PRIVATE_APP,
                event.payload,
                now,
                channel=self.channel,
                hop_limit=event.hop_limit,
                hop_start=event.hop_start,
                want_ack=event.flood,
                priority=PRIORITY_ALERT if event.is_life_saving else None,
            )
        except ProtocolError as error:
            self.count(error.cause)
            return
        if event.flood and event.record_id[0] in (REPORT, ANSWER):
            self.mesh.insist(self.mesh.config.node_num, packet_id)
        if event.record_id is not None:
            if len(self._queued) >= _MAX_QUEUED_RECORDS:
                self._queued.clear()  # only the chance to withdraw is lost
            self._queued[event.record_id] = packet_id


def gossip_settings(config):
    """How often a node with this MeshConfig speaks of what it holds."""
    is_bridge = config.role in (ROLE_ROUTER, ROLE_ROUTER_LATE)
    return settings_for(config.modem().airtime_ms, max(1, config.hop_limit), is_bridge)


def _find_channel(channels, wanted):
    """Index of the channel with the same name and key, wherever it sits; None: there is none."""
    for index in range(len(channels)):
        channel = channels[index]
        if channel.role != CHANNEL_DISABLED and channel.name == wanted.name:
            if expand_key(channel.psk) == expand_key(wanted.psk):
                return index
    return None
