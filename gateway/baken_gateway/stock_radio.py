"""The air side of a replica whose radio is any Meshtastic device: gossip as packets of its client API.

A Baken node gossips by itself and needs none of this. A stock radio only carries packets, so here the engine
of the nodes (`baken.noticeboard.gossip`) runs over it: broadcasts of PRIVATE_APP on the region's channel go
in, what it wants to send goes out on that channel. What a client cannot order from a radio is done otherwise:

    serve with hop limit 0 of 1       hop limit 0 of 0: receivers treat both as served
    relay a spent flood again         a flood of our own, after a pause in which somebody else may be first
    drop a relay of a forged record   nothing: receivers refuse it themselves

No input or output here; `session.NodeSession` owns the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshtastic.protobuf import channel_pb2, config_pb2, mesh_pb2, module_config_pb2, portnums_pb2

from baken.noticeboard import events, gossip
from baken.noticeboard.replica import Replica
from baken.wire.channel import effective_name, expand_key
from baken.wire.errors import LocalProtocolError, RemoteProtocolError
from baken.wire.messages import ERROR_DUTY_CYCLE_LIMIT, ERROR_NO_INTERFACE, ERROR_RATE_LIMIT_EXCEEDED
from baken.wire.modem import preset, preset_named, snr_limit_db
from baken.wire.packet import BROADCAST
from baken.wire.records import decode_header
from baken_gateway.region import Region, RegionError, load_channel_psk

MAX_OUTBOX = 16  # packets that wait for the radio
MAX_KEPT = 32  # records to be flooded once the radio is there
MAX_AGAIN = 8  # spent floods that we send on
MAX_SENT = 16  # packets whose fate may still be told
FIRST_DUTY_PAUSE_MS = 60_000
LAST_DUTY_PAUSE_MS = 960_000
FULL_PAUSE_MS = 5_000
_TRY_AGAIN = (ERROR_NO_INTERFACE, ERROR_RATE_LIMIT_EXCEEDED)
_LONGEST_FRAME = 255


@dataclass(frozen=True)
class RegionChannel:
    """The region's channel as a radio must have it; `psk` None: its key is not known here."""

    name: str
    psk: bytes | None = field(repr=False)
    preset: str
    hop_limit: int

    @classmethod
    def of(cls, region: Region) -> RegionChannel:
        """From the region's folder; a gateway's copy of it has no key, and then the name has to do."""
        psk = None
        if (region.folder / "channel.psk").exists():
            try:
                psk = load_channel_psk(region.folder)
            except RegionError:
                psk = None  # kept from this user, who needs it for nothing else
        return cls(region.channel.name, psk, region.channel.preset, region.channel.hop_limit)


class RadioSettings:
    """What a radio told about itself after want_config: `channels` by index, `lora`, `mqtt`."""

    def __init__(self) -> None:
        self.channels: dict[int, channel_pb2.Channel] = {}
        self.lora = config_pb2.Config.LoRaConfig()
        self.mqtt = module_config_pb2.ModuleConfig.MQTTConfig()

    def learn(self, message: mesh_pb2.FromRadio) -> None:
        """Take one message of the start-up sequence."""
        if message.HasField("channel") and 0 <= message.channel.index < 8:
            self.channels[message.channel.index] = message.channel
        elif message.HasField("config") and message.config.HasField("lora"):
            self.lora = message.config.lora
        elif message.HasField("moduleConfig") and message.moduleConfig.HasField("mqtt"):
            self.mqtt = message.moduleConfig.mqtt

    def used(self) -> list[channel_pb2.Channel]:
        """The channels that are in use, by index."""
        return [
            self.channels[index]
            for index in sorted(self.channels)
            if self.channels[index].role != channel_pb2.Channel.Role.DISABLED
        ]

    def name_of(self, channel: channel_pb2.Channel) -> str:
        """The name that counts: one without a name is called after the modem preset."""
        default = b"Custom"
        if self.lora.use_preset:
            try:
                default = preset(self.lora.modem_preset).channel_name
            except LocalProtocolError:
                default = b""
        return effective_name(channel.settings.name.encode(), default).decode()

    def find(self, wanted: RegionChannel) -> int | None:
        """Index of the region's channel, or None."""
        primary = next(
            (entry for entry in self.used() if entry.role == channel_pb2.Channel.Role.PRIMARY), None
        )
        primary_key = expand_key(primary.settings.psk[:32]) if primary else b""
        for channel in self.used():
            if self.name_of(channel) == wanted.name and (
                wanted.psk is None
                or expand_key(channel.settings.psk[:32], primary_key) == expand_key(wanted.psk)
            ):
                return channel.index
        return None


@dataclass(frozen=True)
class _Heard:
    """A packet as the gossip engine wants to know it."""

    sender: int
    hop_limit: int
    hop_start: int


class StockRadio:
    """See the module. `rand(n)`: a number in [0, n).

    `problem`: why nothing can be sent, for people; None when all is well. `counters`: {cause: count}.
    """

    def __init__(self, replica: Replica, channel: RegionChannel, rand: Callable[[int], int]) -> None:
        self.replica = replica
        self.channel = channel
        self.counters: dict[str, int] = {}
        self.problem: str | None = None
        self._rand = rand
        self._gossip: gossip.Gossip | None = None
        self._index = 0
        self._own_num = 0
        self._snr_limit_db = 0.0
        self._airtime_ms: Callable[[int], int] = lambda size: size
        self._kept: list[tuple] = []
        self._outbox: list[events.Send] = []
        self._again: dict[tuple, int] = {}
        self._again_at = 0
        self._sent: dict[int, events.Send] = {}
        self._learned: list[bytes] = []
        self._quiet_until = 0
        self._duty_pause_ms = FIRST_DUTY_PAUSE_MS

    @property
    def is_open(self) -> bool:
        """Whether gossip runs over the radio."""
        return self._gossip is not None

    def open(self, settings: RadioSettings, own_num: int, now: int) -> None:
        """A stock radio is there: begin, or set `problem`."""
        self.close()
        index = settings.find(self.channel)
        self.problem = self._problem_of(settings, index)
        if self.problem is not None or index is None:
            return
        modem = preset_named(self.channel.preset).modem
        self._index, self._own_num = index, own_num
        self._snr_limit_db = snr_limit_db(modem.spreading_factor)
        self._airtime_ms = modem.airtime_ms
        hops = max(1, self.channel.hop_limit)
        self._gossip = gossip.Gossip(
            self.replica, gossip.settings_for(modem.airtime_ms, hops), modem.airtime_ms, self._rand, now
        )
        kept, self._kept = self._kept, []
        for record_id in kept:
            self._gossip.spread(record_id, now)

    def close(self) -> None:
        """The radio is gone. What was not yet handed to it is kept for the next time."""
        for send in [*self._sent.values(), *self._outbox]:
            if send.record_id is not None and send.flood:
                self._keep(send.record_id)
        self._gossip = None
        self._outbox, self._sent, self._again = [], {}, {}

    def offer(self, raw: bytes, now: int) -> None:
        """A record that is new here from elsewhere, and held: flood it, now or when the radio is there."""
        try:
            record_id = decode_header(raw).record_id
        except RemoteProtocolError:
            return
        if self._gossip is None:
            self._keep(record_id)
        else:
            self._gossip.spread(record_id, now)

    def forget_kept(self) -> None:
        """It is a Baken node after all, whose link brings it everything."""
        self._kept = []

    # --- from the radio

    def receive(self, packet: mesh_pb2.MeshPacket, unix_s: int | None, now: int) -> None:
        """A PRIVATE_APP packet that the radio has heard; never raises for what it holds."""
        sender = getattr(packet, "from")
        if self._gossip is None or packet.to != BROADCAST or sender in (0, self._own_num):
            return
        if packet.channel != self._index or packet.pki_encrypted:
            self._count("other-channel")
            return
        heard = _Heard(sender, packet.hop_limit, packet.hop_start)
        margin_db = max(-100.0, min(packet.rx_snr, 100.0)) - self._snr_limit_db if packet.rx_snr else 0.0
        self._gossip.receive(packet.decoded.payload, heard, margin_db, unix_s, now)
        self._run(now)

    def answered(self, packet_id: int, error: int, now: int) -> None:
        """The radio tells what became of a packet: a Routing.Error, 0 when it has taken it."""
        send = self._sent.get(packet_id)
        if send is None:
            return
        if error == 0:
            if not send.flood:
                del self._sent[packet_id]
            return
        del self._sent[packet_id]
        if error == ERROR_DUTY_CYCLE_LIMIT:
            self._count("duty-cycle")
            self._quiet_until = now + self._duty_pause_ms
            self._duty_pause_ms = min(2 * self._duty_pause_ms, LAST_DUTY_PAUSE_MS)
            # A digest would be out of date by then; Trickle makes a new one.
            self._outbox = [waiting for waiting in self._outbox if waiting.record_id is not None]
        elif error in _TRY_AGAIN:
            self._count("radio-full")
            self._quiet_until = max(self._quiet_until, now + FULL_PAUSE_MS)
        else:
            self._count(f"radio-error-{error}")
            return
        if send.record_id is not None and len(self._outbox) < MAX_OUTBOX:
            self._outbox.insert(0, send)

    def confirmed(self, packet_id: int) -> None:
        """The radio heard a relay of a flood, or gave up waiting for one: it has left the antenna."""
        if self._sent.pop(packet_id, None) is not None:
            self._duty_pause_ms = FIRST_DUTY_PAUSE_MS

    def take_learned(self) -> list[bytes]:
        """Records that were new here since the last call."""
        learned, self._learned = self._learned, []
        return learned

    # --- to the radio

    def deadline(self) -> int | None:
        """When `next_packet` has something, ms; None while closed."""
        if self._gossip is None:
            return None
        if len(self._outbox) >= MAX_OUTBOX:
            return self._quiet_until
        due = [self._gossip.deadline(), *[max(at, self._again_at) for at in self._again.values()]]
        if self._outbox:
            due.append(self._quiet_until)
        return min(due)

    def next_packet(self, now: int) -> mesh_pb2.MeshPacket | None:
        """What the radio is to send now, or None."""
        if self._gossip is None:
            return None
        self._run(now)
        while self._outbox and now >= self._quiet_until:
            send = self._outbox.pop(0)
            if send.record_id is not None and self.replica.get(send.record_id) is None:
                continue  # it has expired meanwhile
            return self._packet(send)
        return None

    def _packet(self, send: events.Send) -> mesh_pb2.MeshPacket:
        packet = mesh_pb2.MeshPacket(to=BROADCAST, channel=self._index, id=1 + self._rand(0xFFFFFFFE))
        packet.hop_limit = min(send.hop_limit, self.channel.hop_limit)
        # With want_ack a radio would take hop limit 0 for its own default.
        packet.want_ack = send.flood and packet.hop_limit > 0
        packet.decoded.portnum = portnums_pb2.PortNum.PRIVATE_APP
        packet.decoded.payload = send.payload
        if send.is_life_saving:
            packet.priority = mesh_pb2.MeshPacket.Priority.ALERT
        while len(self._sent) >= MAX_SENT:
            del self._sent[next(iter(self._sent))]
        self._sent[packet.id] = send
        self._count("sent")
        return packet

    # --- inside

    def _run(self, now: int) -> None:
        """Take what the engine says, as long as there is room for it."""
        assert self._gossip is not None
        while len(self._outbox) < MAX_OUTBOX:
            event = self._gossip.next_event(now)
            if event is None:
                break
            if isinstance(event, events.Send):
                self._send(event, now)
            elif isinstance(event, events.Refresh):
                self._send_on(event.record_id, now)
            elif isinstance(event, events.Withdraw):
                self._again.pop(event.record_id, None)
                self._outbox = [send for send in self._outbox if send.record_id != event.record_id]
            elif isinstance(event, events.Learned):
                self._learned.append(event.raw)
            elif isinstance(event, events.Refused):
                self._count(f"air-{event.cause}")
        for record_id in [known for known, at in self._again.items() if at <= now]:
            if now < self._again_at or len(self._outbox) >= MAX_OUTBOX:
                break
            del self._again[record_id]
            raw = self.replica.get(record_id)
            if raw is not None:
                self._again_at = now + 3 * self._airtime_ms(_LONGEST_FRAME)
                self._count("sent-on")
                hops = self.channel.hop_limit
                self._outbox.append(events.Send(raw, hops, hops, record_id, True))

    def _send(self, send: events.Send, now: int) -> None:
        if send.record_id is None and now < self._quiet_until:
            self._count("held-back")
            return
        self._outbox.append(send)

    def _send_on(self, record_id: tuple, now: int) -> None:
        """A flood arrived here with its last hop. Each record is new here once, so it is sent on once."""
        if len(self._again) >= MAX_AGAIN:
            self._count("again-full")  # digests will spread it
            return
        airtime_ms = self._airtime_ms(_LONGEST_FRAME)
        self._again[record_id] = now + 2 * airtime_ms + self._rand(8 * airtime_ms)

    def _keep(self, record_id: tuple) -> None:
        if record_id in self._kept:
            return
        if len(self._kept) >= MAX_KEPT:
            self._kept.pop(0)
            self._count("kept-full")  # digests will spread it
        self._kept.append(record_id)

    def _problem_of(self, settings: RadioSettings, index: int | None) -> str | None:
        wanted = self.channel
        if settings.lora.use_preset and settings.lora.modem_preset != preset_named(wanted.preset).number:
            return (
                f"the radio's modem preset is {_preset_name(settings.lora.modem_preset)}, the region's is "
                f"{wanted.preset}: meshtastic --set lora.modem_preset {wanted.preset}"
            )
        if not settings.lora.use_preset:
            return (
                f"the radio has a modem setting of its own, the region's is {wanted.preset}: "
                "meshtastic --set lora.use_preset true"
            )
        if index is None:
            key = "" if wanted.psk is None else " with this region's key"
            return (
                f'the radio has no channel "{wanted.name}"{key}: set it with meshtastic --seturl and the '
                "region's channel URL"
            )
        return None

    def _count(self, cause: str) -> None:
        self.counters[cause] = self.counters.get(cause, 0) + 1


def _preset_name(number: int) -> str:
    try:
        return preset(number).name
    except LocalProtocolError:
        return str(number)
