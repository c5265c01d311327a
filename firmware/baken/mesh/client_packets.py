"""FromRadio messages for a client: packets as the mesh heard them, and sentences for its user."""

from baken.compat import const
from baken.mesh.events import Received
from baken.wire import protobuf, stream
from baken.wire.messages import FROM_RADIO, LEVEL_INFO, TRANSPORT_LORA, TRANSPORT_MQTT

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.events import Undecryptable

MAX_NOTICE = const(200)
# XModem.Control
_ACK = const(6)
_CANCEL = const(24)
_XMODEM = ((1, "control", "enum"),)
_XMODEM_PACKET = ((12, "xmodemPacket", "message|", _XMODEM),)


def heard(event: "Received | Undecryptable", unix_s: int, public_key: bytes = b"") -> bytes:
    """A packet with how it was heard; one that we cannot open keeps its channel hash and its bytes.

    `public_key`: whose key opened a sealed one, so that a client can hold it against the one it knows.
    """
    if isinstance(event, Received):
        header = event
        packet = {
            "decoded": event.data,
            "channel": event.channel,
            "id": event.packet_id,
            "pki_encrypted": event.pki,
            "public_key": public_key,
            "xeddsa_signed": event.signed,
        }
    else:
        header = event.header
        packet = {"encrypted": bytes(header.payload), "channel": header.channel_hash, "id": header.id}
    packet["from"] = header.sender
    packet["to"] = header.to
    packet["rx_time"] = unix_s
    packet["rx_snr"] = event.snr_db
    packet["rx_rssi"] = event.rssi_dbm
    packet["hop_limit"] = header.hop_limit
    packet["hop_start"] = header.hop_start
    packet["want_ack"] = header.want_ack
    packet["via_mqtt"] = header.via_mqtt
    packet["next_hop"] = header.next_hop
    packet["relay_node"] = header.relay_node
    # Without a signal strength it has not been heard.
    packet["transport_mechanism"] = TRANSPORT_LORA if event.rssi_dbm else TRANSPORT_MQTT
    return protobuf.encode(FROM_RADIO, {"packet": packet})


def notification(text: str, level: int, unix_s: int, reply_id: int = 0) -> bytes:
    """A ClientNotification: a sentence, Dutch first, cut to MAX_NOTICE bytes; `reply_id`: of which packet."""
    from baken.wire.utf8 import shorten

    told = {"time": unix_s, "level": level, "message": shorten(text.encode(), MAX_NOTICE)}
    if reply_id:
        told["reply_id"] = reply_id
    return protobuf.encode(FROM_RADIO, {"clientNotification": told})


def log_record(line: bytes, unix_s: int) -> bytes:
    """A line of the device's log."""
    record = {"message": line[:MAX_NOTICE], "time": unix_s, "source": b"baken", "level": LEVEL_INFO}
    return protobuf.encode(FROM_RADIO, {"log_record": record})


def no_files(xmodem: bytes) -> bytes:
    """The answer to a file transfer: there are no files here, so it is cancelled, or its end confirmed."""
    control = protobuf.decode(_XMODEM, xmodem).get("control", 0)
    answer = {"xmodemPacket": {"control": _ACK if control == _CANCEL else _CANCEL}}
    return protobuf.encode(_XMODEM_PACKET, answer)


def line_frame(message: bytes, number: int) -> bytes:
    """A FromRadio with FromRadio.id in front, framed for the line."""
    out = bytearray((0x08,))
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    out.extend(message)
    return stream.frame(bytes(out))
