"""Another implementation of Meshtastic on the ether's UDP ports, made of nothing but wire functions: it keeps
no state beyond what it heard. Direct messages are sealed and opened with an independent library.
"""

from __future__ import annotations

import hashlib
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from baken.wire import messages, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, channel_hash, crypt
from baken.wire.errors import ProtocolError
from baken.wire.packet import BROADCAST, Packet, low_byte

LIMIT_S = 60.0
AGAIN_S = 5.0
"""A frame that met a node while it was sending is lost, as on a real channel: it is sent again after this."""
HASH = channel_hash(b"LongFast", DEFAULT_KEY)
_TAG_SIZE = 8


class Heard(NamedTuple):
    """One frame of somebody else, and the Data in it; empty where it cannot be opened. `sealed`: it came
    between key pairs.
    """

    header: Packet
    data: dict
    sealed: bool = False


class ForeignNode:
    """Node `number` on the default channel, a kilometre or less from everybody."""

    def __init__(self, number: int, name: str = "Vreemde", short_name: str = "VRMD") -> None:
        self.number = number
        self.name = name
        self.short_name = short_name
        self._private = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % number).digest())
        self.public_key = self._private.public_key().public_bytes_raw()
        self.peers: dict[int, bytes] = {}
        """Public keys of others, as their NodeInfo told."""
        self.heard: list[Heard] = []
        self._id = number & 0xFFFF
        self._udp_in = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        """Where it listens: the ether's --udp-out."""

    def join(self, udp_in: int) -> None:
        """From now on it can send."""
        self._udp_in = udp_in

    def close(self) -> None:
        self._socket.close()

    def send_raw(self, frame: bytes) -> None:
        self._socket.sendto(frame, ("127.0.0.1", self._udp_in))

    def frame(
        self,
        portnum: int,
        payload: bytes,
        to: int = BROADCAST,
        *,
        want_ack: bool = False,
        sealed: bool = False,
        **data: object,
    ) -> bytes:
        """A packet of ours under the default key, or sealed to a peer."""
        self._id += 1
        encoded = protobuf.encode(
            messages.DATA, {"portnum": portnum, "payload": payload, "bitfield": 0, **data}
        )
        if sealed:
            extra = os.urandom(4)
            locked = self._lock(to).encrypt(_nonce(self._id, extra, self.number), encoded, None) + extra
        else:
            locked = crypt(DEFAULT_KEY, self._id, self.number, encoded)
        header = Packet(
            to,
            self.number,
            self._id,
            locked,
            channel_hash=0 if sealed else HASH,
            want_ack=want_ack,
            relay_node=low_byte(self.number),
        )
        return packet.encode(header)

    def acknowledge(self, heard: Heard, error: int = 0) -> None:
        """Tell the sender of a packet to us that it has arrived."""
        routing = protobuf.encode(messages.ROUTING, {"error_reason": error})
        header = heard.header
        self.send_raw(self.frame(messages.ROUTING_APP, routing, header.sender, request_id=header.id))

    def verdict(self, question: bytes, sender: int) -> int:
        """Send a packet that wants an acknowledgement until it is there; its Routing.Error."""
        asked = packet.decode(question).id
        heard = self.wait_for(messages.ROUTING_APP, sender, question, request_id=asked)
        assert not heard.sealed
        return protobuf.decode(messages.ROUTING, heard.data["payload"])["error_reason"]

    def meet(self, number: int) -> None:
        """Exchange NodeInfo with a node: afterwards both have each other's public key."""
        question = self.node_info(to=number, want_response=True)
        answer = self.wait_for(messages.NODEINFO_APP, number, question, request_id=packet.decode(question).id)
        user = protobuf.decode(messages.USER, answer.data["payload"])
        self.peers[number] = user["public_key"]

    def node_info(self, to: int = BROADCAST, **data: Any) -> bytes:
        """Our NodeInfo."""
        user = {
            "id": b"!%08x" % self.number,
            "long_name": self.name.encode(),
            "short_name": self.short_name.encode(),
            "hw_model": 37,
            "public_key": self.public_key,
        }
        return self.frame(messages.NODEINFO_APP, protobuf.encode(messages.USER, user), to, **data)

    def deliver(self, frame: bytes) -> Packet:
        """Send a flood until somebody relays it; the first relayed copy."""
        sent = packet.decode(frame)
        return self.hear(sent.sender, sent.id, frame)

    def hear(self, sender: int, packet_id: int, again: bytes = b"") -> Packet:
        """The first copy of one packet, heard already or still to come."""
        self._send_until(lambda: self.copies(sender, packet_id), again, f"{packet_id:08x} of {sender:08x}")
        return self.copies(sender, packet_id)[0]

    def wait_for(self, portnum: int, sender: int, again: bytes = b"", **data: object) -> Heard:
        """The first packet, heard already or still to come, with this port, sender and `data`; `again` is
        what it answers.
        """

        def found() -> list[Heard]:
            wanted = {"portnum": portnum, **data}
            return [
                heard
                for heard in self.heard
                if heard.header.sender == sender
                and all(heard.data.get(name) == value for name, value in wanted.items())
            ]

        self._send_until(found, again, f"port {portnum} of {sender:08x} with {data}")
        return found()[0]

    def _send_until(self, is_done: Callable[[], object], frame: bytes, what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        send_at = time.monotonic()
        while not is_done():
            assert time.monotonic() < deadline, f"not within {LIMIT_S:.0f} s: {what}; heard {self.heard}"
            if frame and time.monotonic() >= send_at:
                self.send_raw(frame)
                send_at = time.monotonic() + AGAIN_S
            self.listen()

    def copies(self, sender: int, packet_id: int) -> list[Packet]:
        """Every copy of one packet so far."""
        return [h.header for h in self.heard if (h.header.sender, h.header.id) == (sender, packet_id)]

    def listen(self) -> None:
        """Take one frame, or none within a moment."""
        try:
            frame = self._socket.recv(512)
        except TimeoutError:
            return
        header = packet.decode(frame)
        if header.channel_hash == HASH:
            plain = crypt(DEFAULT_KEY, header.id, header.sender, header.payload)
            try:
                self.heard.append(Heard(header, protobuf.decode(messages.DATA, plain)))
            except ProtocolError:  # another channel whose hash is the same, one in 256
                self.heard.append(Heard(header, {}))
        else:
            opened = self._open(header)
            data = {} if opened is None else protobuf.decode(messages.DATA, opened)
            self.heard.append(Heard(header, data, opened is not None))

    def _open(self, header: Packet) -> bytes | None:
        """What a peer has sealed to us."""
        if header.channel_hash or header.to != self.number or header.sender not in self.peers:
            return None
        locked, extra = header.payload[:-4], header.payload[-4:]
        try:
            return self._lock(header.sender).decrypt(_nonce(header.id, extra, header.sender), locked, None)
        except InvalidTag:
            return None

    def _lock(self, number: int) -> AESCCM:
        """The cipher that we share with a peer."""
        public = X25519PublicKey.from_public_bytes(self.peers[number])
        return AESCCM(hashlib.sha256(self._private.exchange(public)).digest(), _TAG_SIZE)


def _nonce(packet_id: int, extra: bytes, sender: int) -> bytes:
    return struct.pack("<I4sIx", packet_id, extra, sender)
