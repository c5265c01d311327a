"""Radios on the air that are not boards of this project: whatever sends raw LoRa frames as UDP datagrams.

A datagram is one frame as a modem would hand it over: no preamble, no CRC. Every frame that a board puts on
the air comes out of the port when it ends; a datagram that comes in goes on the air from the foreign point,
tuned as the boards are. Frames from one place wait for each other; too many are dropped, and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from baken_hardware.virtual import link
from baken_hardware.virtual.air import AirError, Modem
from baken_hardware.virtual.propagation import Point

if TYPE_CHECKING:
    from baken_hardware.virtual.ether import Ether

WAITING_LIMIT = 64
PLACES_LIMIT = 64


class ForeignRadio:
    """Sends frames from one or more foreign places, one at a time at each."""

    def __init__(self, ether: Ether, point: Point) -> None:
        self.places: dict[str, Point] = {}
        self._ether = ether
        self._point = point
        self._waiting: dict[str, deque[tuple[bytes, int]]] = {}
        self._sending: set[str] = set()

    def send(self, frame: bytes, point: Point | None = None, power_dbm: int = 22) -> bool:
        """Send now, or after what this place is still sending; False and a count when it cannot."""
        counters = self._ether.counters
        if not 1 <= len(frame) <= link.FRAME_LIMIT or not -9 <= power_dbm <= 30:
            counters["foreign-bad"] += 1
            return False
        if self._ether.region_modem() is None:
            counters["foreign-no-modem"] += 1
            return False
        name = self._place(point or self._point)
        if name is None:
            counters["foreign-places-full"] += 1
            return False
        waiting = self._waiting[name]
        if len(waiting) >= WAITING_LIMIT:
            counters["foreign-queue-full"] += 1
            return False
        waiting.append((frame, power_dbm))
        self._next(name)
        return True

    def finished(self, name: str) -> None:
        """The ether tells that a frame of this place has ended."""
        self._sending.discard(name)
        if self._waiting.get(name):
            self._next(name)

    def _next(self, name: str) -> None:
        if name in self._sending:
            return
        frame, power_dbm = self._waiting[name].popleft()
        region = self._ether.region_modem()
        if region is None:
            self._ether.counters["foreign-no-modem"] += 1
            return
        modem = Modem(
            region.frequency_hz,
            region.bandwidth_hz,
            region.spreading_factor,
            region.coding_rate,
            region.preamble_symbols,
            region.sync_word,
            power_dbm,
        )
        self._ether.air.configure(name, modem)
        try:
            self._ether.transmit(name, frame)
        except AirError:
            self._ether.counters["foreign-bad"] += 1
            return
        self._sending.add(name)
        self._ether.counters["foreign-sent"] += 1

    def _place(self, point: Point) -> str | None:
        name = f"foreign@{point.x_km:.3f},{point.y_km:.3f},{point.antenna_m:.1f}"
        if name not in self.places:
            if len(self.places) >= PLACES_LIMIT:
                return None
            self.places[name] = Point(name, point.x_km, point.y_km, point.antenna_m)
            self._waiting[name] = deque()
            self._ether.air.add(name)
        return name


class UdpPort(asyncio.DatagramProtocol):
    """The datagrams' end of a foreign radio, on loopback."""

    def __init__(self, radio: ForeignRadio, ether: Ether, port_out: int) -> None:
        self.port_in = 0
        self.port_out = port_out
        self._radio = radio
        self._ether = ether
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, radio: ForeignRadio, ether: Ether, port_in: int, port_out: int) -> UdpPort:
        """Listen on `port_in` (0: any free one) and send to `port_out`."""
        loop = asyncio.get_running_loop()
        _, port = await loop.create_datagram_endpoint(
            lambda: cls(radio, ether, port_out), local_addr=("127.0.0.1", port_in)
        )
        return port

    def send(self, frame: bytes) -> None:
        """Give a frame that was on the air to whoever listens."""
        if self._transport is not None:
            self._transport.sendto(frame, ("127.0.0.1", self.port_out))
            self._ether.counters["udp-out"] += 1

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own datagram transports are no DatagramTransport in every version.
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port_in = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._ether.counters["udp-in"] += 1
        if not 1 <= len(data) <= link.FRAME_LIMIT:
            self._ether.counters["udp-bad-size"] += 1
            return
        self._ether.outside_event(lambda: self._radio.send(data))

    def error_received(self, exc: Exception) -> None:
        # Nobody listens on the other port: that is no reason to stop.
        self._ether.counters["udp-errors"] += 1
