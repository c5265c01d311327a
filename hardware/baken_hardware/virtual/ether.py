"""The ether: virtual time and the air for any number of virtual boards, in one asyncio loop.

Time is lockstep. A board runs between RUN and IDLE while virtual time stands still (`link` has the messages).
When every connected board is idle, what they asked for happens, in order of their codes, and time moves to
the next event: the end of a frame, a timer, or the earliest time that a board asked for. What comes of it
therefore depends on the seed and on the programs, never on how fast this machine is; and a quiet hour costs
as many turns as the boards ask for.

Time may be held (`timekeeper`). With a `factor` it moves at most that many virtual seconds per wall second
(1: real time); without one it jumps from event to event.

A board that does not become idle within `hang_timeout_s` wall seconds is cut off, and a board whose process
dies is gone at once: no board can stop the region.
"""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from baken_hardware.virtual import link, png, propagation
from baken_hardware.virtual.air import Air, AirError, Modem, Received, Sent, Transmission
from baken_hardware.virtual.boards import Boards, EtherError
from baken_hardware.virtual.clockfile import ClockFile
from baken_hardware.virtual.connection import BoardConnection
from baken_hardware.virtual.foreign import ForeignRadio, UdpPort
from baken_hardware.virtual.pictures import PictureFiles
from baken_hardware.virtual.propagation import Point
from baken_hardware.virtual.timekeeper import Timekeeper

log = logging.getLogger("baken.ether")

_RSSI_RANGE_DBM = (-200, 20)
_SNR_RANGE_DB = (-32, 12)


class Ports(NamedTuple):
    """Where the ether listens on loopback; the UDP ports are 0 when there is no foreign radio."""

    boards: int
    udp_in: int
    udp_out: int


class Ether:
    """A region's air and time. Starts held; `resume` or `run_until` lets time go.

    `points` are the places by code: a board connects under the code of one. `epoch_unix_s` is the calendar
    time at virtual time 0. `folder` receives the clock file `clock` and the pictures `<code>.png` and
    `<code>-3x.png`. With `seed` None a run is not repeatable. `udp` is (in, out): one raw LoRa frame per
    datagram. `serial_grace_s`: after bytes went over a board's serial port virtual time waits that many wall
    seconds, so that a program on the other end can answer at the same virtual time.
    """

    def __init__(
        self,
        points: Mapping[str, Point],
        *,
        epoch_unix_s: int,
        factor: float | None = None,
        seed: int | None = 0,
        link_seed: int = 0,
        fading_db: float = 2.0,
        loss: float = 0.02,
        folder: str | Path | None = None,
        port: int = 0,
        udp: tuple[int, int] | None = None,
        foreign_point: Point | None = None,
        refresh_ms: int = 400,
        hang_timeout_s: float = 20.0,
        serial_grace_s: float = 0.0,
    ) -> None:
        self.points = dict(points)
        self.epoch_ms = epoch_unix_s * 1000
        self.counters: Counter[str] = Counter()
        self.on_picture: Callable[[int, str, bytes], None] | None = None
        self.on_frame: Callable[[int, str, bytes], None] | None = None
        self.on_gone: Callable[[int, str, str], None] | None = None
        self.air = Air(
            self._mean_power_dbm,
            propagation.sensitivity_dbm,
            propagation.noise_floor_dbm,
            seed=link_seed if seed is None else seed,
            fading_db=fading_db,
            loss=loss,
        )
        self.foreign: ForeignRadio | None = None
        self._link_seed = link_seed
        self._folder = Path(folder) if folder is not None else None
        self._pictures = PictureFiles(self._folder) if self._folder is not None else None
        self._port = port
        self._udp = udp
        self._foreign_point = foreign_point
        self._refresh_ms = refresh_ms
        self._radio_off: set[str] = set()
        self._time = Timekeeper(self, factor)
        self._boards = Boards(
            self.points.keys(),
            self._time,
            self.counters,
            epoch_ms=self.epoch_ms,
            seed=seed,
            hang_timeout_s=hang_timeout_s,
            serial_grace_s=serial_grace_s,
            arrived=self._board_arrived,
            left=self._board_left,
        )
        self._udp_port: UdpPort | None = None
        self._clock_file: ClockFile | None = None

    # Start and stop.

    async def start(self) -> None:
        """Open the ports on loopback, and the clock file."""
        await self._boards.open(self._port)
        if self._udp is not None:
            place = self._foreign_point or _beside(next(iter(self.points.values())))
            self.foreign = ForeignRadio(self, place)
            self._udp_port = await UdpPort.open(self.foreign, self, *self._udp)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._clock_file = ClockFile(self._folder / "clock", self.unix_ms)
        self._time.open()

    async def stop(self) -> None:
        """Hang up on every board (their processes end) and close everything."""
        self._time.close()
        await self._boards.close()
        self._save_pictures()
        if self._udp_port is not None:
            self._udp_port.close()
        if self._clock_file is not None:
            self._clock_file.close()

    async def __aenter__(self) -> Ether:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def ports(self) -> Ports:
        """The open ports; EtherError before `start`."""
        udp_in, udp_out = (self._udp_port.port_in, self._udp_port.port_out) if self._udp_port else (0, 0)
        return Ports(self._boards.port, udp_in, udp_out)

    @property
    def address(self) -> str:
        """What a board needs as BAKEN_ETHER."""
        return f"127.0.0.1:{self.ports.boards}"

    # Time.

    @property
    def unix_ms(self) -> int:
        """Calendar time."""
        return self.epoch_ms + self.now_ms

    @property
    def now_ms(self) -> int:
        """Virtual time."""
        return self._time.now_ms

    @property
    def held(self) -> bool:
        """True while time may not move."""
        return self._time.held

    @property
    def factor(self) -> float | None:
        """Virtual seconds per wall second at most; None: no limit."""
        return self._time.pace.factor

    @factor.setter
    def factor(self, factor: float | None) -> None:
        self._time.set_factor(factor)

    def hold(self) -> None:
        """Stop time where it is. Boards still finish what is to be done at this time, and answer their serial
        ports.
        """
        self._time.hold()

    def resume(self) -> None:
        """Let time go."""
        self._time.resume()

    async def run_until(self, t_ms: int) -> None:
        """Let time go up to `t_ms`, finish everything that is to be done then, and hold."""
        await self._time.run_until(t_ms)
        self._save_pictures()

    async def idle(self) -> None:
        """Wait until every board is idle and nothing is left to do at the present time."""
        await self._time.idle()
        self._save_pictures()

    def call_at(self, t_ms: int, action: Callable[[], object]) -> None:
        """Call `action` at a virtual time, before boards run at that time."""
        self._time.call_at(t_ms, action)

    # Boards.

    @property
    def connected(self) -> frozenset[str]:
        """Codes of the boards that are there."""
        return self._boards.codes

    async def wait_connected(self, codes: Iterable[str], timeout_s: float = 30.0) -> None:
        """Wait until these boards have said hello; EtherError names those that did not in time."""
        await self._boards.wait_connected(codes, timeout_s)

    def press(self, code: str, length: str = "short") -> None:
        """Press a board's button: "short" or "long"."""
        if length not in ("short", "long"):
            raise EtherError(f"a press is short or long, not {length!r}")
        self._boards.tell(
            code, link.BUTTON, bytes((link.LONG_PRESS if length == "long" else link.SHORT_PRESS,))
        )

    def set_battery(self, code: str, percent: int) -> None:
        """Set what a board's battery shows."""
        if not 0 <= percent <= 100:
            raise EtherError(f"battery is {percent} %, limits 0..100")
        self._boards.tell(code, link.BATTERY, bytes((percent,)))

    def set_radio(self, code: str, on: bool) -> None:
        """Connect or disconnect the antenna at a point; holds for a board that comes there later as well."""
        if code not in self.points:
            raise EtherError(f"there is no point {code}")
        self._time.catch_up()
        (self._radio_off.discard if on else self._radio_off.add)(code)
        if code in self._boards.codes:
            self.air.connect(code, on)
        self._time.step()

    def inject(
        self, frame: bytes, *, at_ms: int | None = None, point: Point | None = None, power_dbm: int = 22
    ) -> bool:
        """Put a foreign frame on the air, by default now and from the foreign point; False when it was
        dropped.
        """
        if self.foreign is None:
            self.foreign = ForeignRadio(
                self, self._foreign_point or _beside(next(iter(self.points.values())))
            )
        foreign = self.foreign
        if at_ms is None:
            self._time.catch_up()
            accepted = foreign.send(frame, point, power_dbm)
            self._time.step()
            return accepted
        self.call_at(at_ms, lambda: foreign.send(frame, point, power_dbm))
        return True

    def stats(self) -> dict[str, object]:
        """Counts so far, for logs and checks."""
        return {
            "now_ms": self.now_ms,
            "lags": self._time.pace.lags,
            "boards": sorted(self._boards.codes),
            "air": dict(self.air.counters),
            "ether": dict(self.counters),
        }

    # What the foreign radio uses.

    def region_modem(self) -> Modem | None:
        """How the first tuned board (by code) is tuned: what a foreign radio uses as well."""
        for code in sorted(self._boards.codes):
            modem = self.air.modem(code)
            if modem is not None:
                return modem
        return None

    def transmit(self, sender: str, frame: bytes) -> Transmission:
        """Start a frame now and tell `on_frame`."""
        transmission = self.air.transmit(sender, frame, self.now_ms)
        if self.on_frame is not None:
            self._call_back(self.on_frame, self.now_ms, sender, frame)
        return transmission

    def outside_event(self, action: Callable[[], object]) -> None:
        """Do something that came from outside virtual time, at the virtual time that it is now."""
        self._time.catch_up()
        action()
        self._time.step()

    # What lives in virtual time (timekeeper.World).

    def is_running(self) -> bool:
        return self._boards.are_running

    def settle(self) -> bool:
        """Do what the boards asked for in their last turn, and end the frames that are over."""
        requests = self._boards.take_requests()
        for board, asked in requests:
            try:
                for kind, body in asked:
                    self._handle(board, kind, body)
            except (AirError, link.LinkError) as error:
                self._boards.cut_off(board, str(error))
        events = self.air.advance(self.now_ms)
        for event in events:
            if isinstance(event, Received):
                self._hand_over(event)
            else:
                self._finish_sending(event)
        return bool(requests or events)

    def start_turns(self) -> bool:
        return self._boards.start_turns(self.now_ms)

    def next_event_ms(self) -> int | None:
        times = (self._boards.next_deadline_ms(), self.air.deadline())
        return min((t_ms for t_ms in times if t_ms is not None), default=None)

    def time_moved(self) -> None:
        if self._clock_file is not None:
            self._clock_file.write(self.unix_ms, self._time.speed)

    # Requests of boards and events of the air.

    def _handle(self, board: BoardConnection, kind: int, body: bytes) -> None:
        if kind == link.CONFIGURE:
            self.air.configure(board.code, _modem(body))
        elif kind == link.TRANSMIT:
            self.transmit(board.code, body)
        elif kind == link.LISTEN:
            modem = self.air.modem(board.code)
            if modem is None:
                raise link.LinkError("listens before it is configured")
            self.call_at(self.now_ms + modem.detection_ms, lambda: self._finish_listening(board))
        elif kind == link.PICTURE:
            width, height = struct.unpack_from(link.PICTURE_HEAD, body)
            rows = body[struct.calcsize(link.PICTURE_HEAD) :]
            if (width, height) != (board.width, board.height) or len(rows) != png.stride_bytes(
                width
            ) * height:
                raise link.LinkError(f"a picture of {width} x {height} in {len(rows)} bytes")
            self.call_at(self.now_ms + self._refresh_ms, lambda: self._finish_showing(board, rows))

    def _board_arrived(self, code: str) -> None:
        self.air.add(code)
        self.air.connect(code, code not in self._radio_off)

    def _board_left(self, code: str, reason: str) -> None:
        self.air.remove(code)
        if self.on_gone is not None:
            self._call_back(self.on_gone, self.now_ms, code, reason)

    def _finish_listening(self, board: BoardConnection) -> None:
        if self._boards.is_here(board):
            free = not self.air.channel_busy(board.code, self.now_ms)
            board.events.append(link.message(link.CHANNEL, bytes((free,))))

    def _finish_showing(self, board: BoardConnection, rows: bytes) -> None:
        if not self._boards.is_here(board):
            return
        self.counters["pictures"] += 1
        if self._pictures is not None:
            self._pictures.put(board.code, board.width, board.height, rows)
        if self.on_picture is not None:
            self._call_back(self.on_picture, self.now_ms, board.code, rows)
        board.events.append(link.message(link.SHOWN))

    def _finish_sending(self, event: Sent) -> None:
        board = self._boards.get(event.sender)
        if board is not None:
            board.events.append(link.message(link.SENT))
        elif self.foreign is not None:
            self.foreign.finished(event.sender)
        if self._udp_port is not None and board is not None and not event.transmission.cut_off:
            self._udp_port.send(event.transmission.frame)

    def _hand_over(self, event: Received) -> None:
        board = self._boards.get(event.receiver)
        if board is not None:
            rssi_dbm = _clamped(event.power_dbm, *_RSSI_RANGE_DBM)
            snr_db = _clamped(event.snr_db, *_SNR_RANGE_DB)
            head = struct.pack(link.RECEIVED_HEAD, rssi_dbm, snr_db)
            board.events.append(link.message(link.RECEIVED, head + event.frame))

    def _save_pictures(self) -> None:
        if self._pictures is not None:
            self._pictures.flush()

    def _mean_power_dbm(self, sender: str, receiver: str, power_dbm: int) -> float | None:
        sending = self.points.get(sender) or (self.foreign.places.get(sender) if self.foreign else None)
        receiving = self.points.get(receiver)
        if sending is None or receiving is None:
            return None
        return propagation.received_power_dbm(sending, receiving, power_dbm, self._link_seed)

    def _call_back(self, function: Callable[..., None], *arguments: object) -> None:
        """A listener's mistake must not stop time: it is logged and counted."""
        try:
            function(*arguments)
        except Exception:
            self.counters["callback-errors"] += 1
            log.exception("a listener of the ether failed")


def _clamped(value: float, lowest: int, highest: int) -> int:
    return round(min(max(value, lowest), highest))


def _modem(body: bytes) -> Modem:
    """The settings in CONFIGURE; LinkError outside what the air can compute with."""
    values = struct.unpack(link.CONFIGURE_BODY, body)
    modem = Modem(*values)
    if not (5 <= modem.spreading_factor <= 12 and 5 <= modem.coding_rate <= 8 and modem.bandwidth_hz >= 7800):
        raise link.LinkError(f"settings {values} are no LoRa modem's")
    if modem.frequency_hz < 1_000_000:
        raise link.LinkError(f"frequency is {modem.frequency_hz} Hz")
    return modem


def _beside(point: Point) -> Point:
    return Point("foreign", point.x_km + 0.1, point.y_km, 10.0)


if __name__ == "__main__":
    import sys

    from baken_hardware.virtual import ether_cli

    sys.exit(ether_cli.main())
