"""A liar with the channel's key: makes frames that every radio of the region decrypts, and no replica may
believe.
"""

from __future__ import annotations

from baken.crypto.signing import AuthorityKey
from baken.wire import bulletin, messages, packet, protobuf
from baken.wire.channel import channel_hash, crypt, expand_key
from baken.wire.packet import BROADCAST, Packet
from baken_gateway.region import Region, load_channel_psk
from baken_hardware.demo.scenario import Bulletin

SEQ = 0xF00001  # far above all true numbers: it must not hide those that follow
_PRIVATE_APP = 256
_NODE_NUM = 0xBADC0DE5
_SEED = b"a key nobody has any trust in..."


def forge(region: Region, source: Bulletin) -> bytes:
    """The record of a false bulletin in the name of the first authority, signed by a key that is not its
    own.
    """
    false = bulletin.Bulletin(
        region.authorities[0].number, SEQ, source.sent_s, source.expires_s, source.text.encode()
    )
    false.status = b"Exercise"
    false.severity = source.severity.encode()
    false.urgency = source.urgency.encode()
    (raw,) = bulletin.encode_parts(false, region.trust.tag, AuthorityKey(_SEED).sign)
    return raw


def frame(region: Region, raw: bytes, packet_id: int) -> bytes:
    """A whole LoRa frame that carries the record on the region's channel."""
    name = region.channel.name.encode()
    key = expand_key(load_channel_psk(region.folder), b"")
    data = protobuf.encode(messages.DATA, {"portnum": _PRIVATE_APP, "payload": raw, "bitfield": 0})
    return packet.encode(
        Packet(
            to=BROADCAST,
            sender=_NODE_NUM,
            id=packet_id,
            hop_limit=3,
            want_ack=False,
            via_mqtt=False,
            hop_start=3,
            channel_hash=channel_hash(name, key),
            next_hop=0,
            relay_node=_NODE_NUM & 0xFF,
            payload=crypt(key, packet_id, _NODE_NUM, data),
        )
    )
