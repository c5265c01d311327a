"""Another implementation of Meshtastic on the ether's UDP ports, made of nothing but wire functions: it keeps
no state beyond what it heard.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from baken.wire import messages, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, channel_hash, crypt
from baken.wire.packet import BROADCAST, Packet, low_byte

LIMIT_S = 60.0
AGAIN_S = 5.0
"""A frame that met a node while it was sending is lost, as on a real channel: it is sent again after this."""
HASH = channel_hash(b"LongFast", DEFAULT_KEY)


class Heard(NamedTuple):
    """One frame of somebody else, and the Data in it; empty where it is of another channel."""

    header: Packet
    data: dict


class ForeignNode:
    """Node `number` on the default channel, a kilometre or less from everybody."""

    def __init__(self, number: int, name: str = "Vreemde") -> None:
        self.number = number
        self.name = name
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

    def frame(self, portnum: int, payload: bytes, to: int = BROADCAST, **data: object) -> bytes:
        """A packet of ours under the default key."""
        self._id += 1
        encoded = protobuf.encode(
            messages.DATA, {"portnum": portnum, "payload": payload, "bitfield": 0, **data}
        )
        sealed = crypt(DEFAULT_KEY, self._id, self.number, encoded)
        header = Packet(
            to, self.number, self._id, sealed, channel_hash=HASH, relay_node=low_byte(self.number)
        )
        return packet.encode(header)

    def node_info(self, to: int = BROADCAST, **data: object) -> bytes:
        """Our NodeInfo."""
        user = {
            "id": b"!%08x" % self.number,
            "long_name": self.name.encode(),
            "short_name": b"VRMD",
            "hw_model": 37,
        }
        return self.frame(messages.NODEINFO_APP, protobuf.encode(messages.USER, user), to, **data)

    def deliver(self, frame: bytes) -> Packet:
        """Send a flood until somebody relays it; the first relayed copy."""
        sent = packet.decode(frame)
        self._send_until(lambda: self.copies(sent.sender, sent.id), frame, f"a relay of {sent}")
        return self.copies(sent.sender, sent.id)[0]

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
            self._listen()

    def copies(self, sender: int, packet_id: int) -> list[Packet]:
        """Every copy of one packet so far."""
        return [h.header for h in self.heard if (h.header.sender, h.header.id) == (sender, packet_id)]

    def _listen(self) -> None:
        try:
            frame = self._socket.recv(512)
        except TimeoutError:
            return
        header = packet.decode(frame)
        data = {}
        if header.channel_hash == HASH:
            plain = crypt(DEFAULT_KEY, header.id, header.sender, header.payload)
            data = protobuf.decode(messages.DATA, plain)
        self.heard.append(Heard(header, data))
