"""What a MeshNode and a ClientApi tell their caller. Records: treat them as frozen."""

from baken.compat import const
from baken.wire.record import Record

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.wire.packet import Packet


def hops_away(packet: "Packet | Received", data: dict) -> "int | None":
    """Relays that a packet has passed, or None where its sender does not tell: before firmware 2.6 hop_start
    was 0, which from newer ones, known by the bitfield in their Data, means a packet without hops.
    """
    if packet.hop_start < packet.hop_limit:
        return None
    if packet.hop_start == 0 and "bitfield" not in data:
        return None
    return packet.hop_start - packet.hop_limit


class Transmit(Record):
    """Check the channel once and put `frame` on the air; answer `transmitted` or `channel_busy`."""

    __slots__ = ("frame", "packet_id", "airtime_ms")

    def __init__(self, frame: bytes, packet_id: int, airtime_ms: int) -> None:
        self.frame = frame
        self.packet_id = packet_id
        self.airtime_ms = airtime_ms


class Received(Record):
    """A packet that decoded under one of our keys, once for each (sender, packet_id).

    `channel` is our channel index, `data` the whole decoded Data message by field name, `portnum` and
    `payload` its two most used fields. `frame` is the frame as it was heard, for `MeshNode.relay_again`.
    `pki` and `signed` as in `opening.Opened`.
    """

    __slots__ = (
        "sender",
        "to",
        "packet_id",
        "channel",
        "portnum",
        "payload",
        "data",
        "hop_limit",
        "hop_start",
        "want_ack",
        "via_mqtt",
        "next_hop",
        "relay_node",
        "rssi_dbm",
        "snr_db",
        "frame",
        "pki",
        "signed",
    )

    def __init__(
        self,
        header: "Packet",
        channel: int,
        data: dict,
        rssi_dbm: int,
        snr_db: float,
        frame: bytes,
        pki: bool = False,
        signed: bool = False,
    ) -> None:
        self.sender = header.sender
        self.to = header.to
        self.packet_id = header.id
        self.channel = channel
        self.portnum = data["portnum"]
        self.payload = data.get("payload", b"")
        self.data = data
        self.hop_limit = header.hop_limit
        self.hop_start = header.hop_start
        self.want_ack = header.want_ack
        self.via_mqtt = header.via_mqtt
        self.next_hop = header.next_hop
        self.relay_node = header.relay_node
        self.rssi_dbm = rssi_dbm
        self.snr_db = snr_db
        self.frame = frame
        self.pki = pki
        self.signed = signed

    @property
    def hops_away(self) -> "int | None":
        """Relays between the sender and us, or None where the sender does not tell."""
        return hops_away(self, self.data)


class Acknowledged(Record):
    """Our packet got through to `by`: its addressee, or our own number when a relay of it was heard."""

    __slots__ = ("packet_id", "by")

    def __init__(self, packet_id: int, by: int) -> None:
        self.packet_id = packet_id
        self.by = by


class GaveUp(Record):
    """Our packet was not sent, or not acknowledged. `error` is a Routing.Error value."""

    __slots__ = ("packet_id", "error")

    def __init__(self, packet_id: int, error: int) -> None:
        self.packet_id = packet_id
        self.error = error


class NodeSeen(Record):
    """A node was heard for the first time, or told a new name, role or key: see `MeshNode.nodes`."""

    __slots__ = ("num",)

    def __init__(self, num: int) -> None:
        self.num = num


class KeyConflict(Record):
    """Node `num`, or somebody in its name, announced another key than the one we keep for it, or none.

    With `own_key` it announced ours: two nodes have one key pair, and each can read what is for the other.
    """

    __slots__ = ("num", "own_key")

    def __init__(self, num: int, own_key: bool = False) -> None:
        self.num = num
        self.own_key = own_key


class Undecryptable(Record):
    """A packet that none of our keys opens; a client may have the key. `header` is its packet.Packet."""

    __slots__ = ("header", "rssi_dbm", "snr_db")

    def __init__(self, header: "Packet", rssi_dbm: int, snr_db: float) -> None:
        self.header = header
        self.rssi_dbm = rssi_dbm
        self.snr_db = snr_db


class ClientRecord(Record):
    """The attached client handed one record to our own replica: PRIVATE_APP to our own number."""

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class SetTime(Record):
    """The attached client tells the calendar time, in seconds since 1970 UTC."""

    __slots__ = ("unix_s",)

    def __init__(self, unix_s: int) -> None:
        self.unix_s = unix_s


class ClientText(Record):
    """The attached client has sent this text from our node; names as in `Received`."""

    __slots__ = ("sender", "to", "packet_id", "channel", "portnum", "payload", "pki")

    def __init__(
        self, sender: int, to: int, packet_id: int, channel: int, portnum: int, payload: bytes
    ) -> None:
        self.sender = sender
        self.to = to
        self.packet_id = packet_id
        self.channel = channel
        self.portnum = portnum
        self.payload = payload
        self.pki = False


class Configured(Record):
    """Other settings hold from now on: see `MeshNode.config`. Tune the radio."""

    __slots__ = ()


class Reboot(Record):
    """Start anew at this time in ms; None takes that back."""

    __slots__ = ("at",)

    def __init__(self, at: "int | None") -> None:
        self.at = at


class Shutdown(Record):
    """Switch off at this time in ms; None takes that back."""

    __slots__ = ("at",)

    def __init__(self, at: "int | None") -> None:
        self.at = at


if TYPE_CHECKING:
    # What `ClientApi.next_event` gives.
    Event = ClientRecord | ClientText | Configured | Reboot | SetTime | Shutdown
