"""The node program: asyncio around the sans-IO engines, one board's drivers below, one noticeboard above.

    radio ---> MeshNode -Carrier-> Gossip ---> Replica ---> Point ---> display
                 |                   ^            ^           ^
    serial <-> ClientApi <---Cable---+------------+           +------- button

One method, `_run`, moves events between the engines until none is left; each task below it only waits for
one piece of hardware and then calls it. Nothing here decides what is true or what is sent: the engines do.
"""

import asyncio
import gc
import sys

from baken import __version__
from baken.compat import const
from baken.device import settings, views
from baken.device.cable import Cable
from baken.device.carrier import Carrier, gossip_settings
from baken.device.duty import DutyKeeper
from baken.device.flash import FlashStore
from baken.device.nodefile import NodeFile
from baken.device.pages import Screen
from baken.device.point import Point
from baken.device.timekeeper import Timekeeper
from baken.mesh.client_api import ClientApi, DeviceInfo
from baken.mesh.events import (
    ClientRecord,
    ClientText,
    Configured,
    Reboot,
    Received,
    SetTime,
    Shutdown,
    Transmit,
)
from baken.mesh.node import MeshNode
from baken.mesh.preferences import Preferences, unload_rules
from baken.noticeboard.events import Learned, Refused
from baken.noticeboard.gossip import Gossip
from baken.noticeboard.link import LinkSession
from baken.noticeboard.replica import Replica
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import ALERT_APP, LEVEL_ERROR, TEXT_MESSAGE_APP
from baken.wire.records import DRAFT, message_kind

RESTART_STATUS = const(75)  # how the program ends that wants to be started again
_IDLE_MS = const(600000)
_SERIAL_RETRY_MS = const(50)
_SYNC_WORD = const(0x2B)
_PREAMBLE_SYMBOLS = const(16)
_CHIP_POWER_DBM = const(22)  # an SX1262 without an amplifier
_EXPIRE_MS = const(60000)
_SAVE_MS = const(600000)  # what the store lets wait
_LEAST_GARBAGE = const(8192)  # bytes between two collections


class Node:
    """Everything one node is. `run()` never returns."""

    def __init__(self, board):
        self._board = board
        self._settings = settings.load(board.FLASH)
        now = board.clock.ticks_ms()
        self._rand = _random_source(board.random_bytes)
        self._timekeeper = Timekeeper(board.clock)
        try:
            self._store = FlashStore(board.FLASH + "/board", self._settings.number)
        except OSError as error:
            raise settings.SettingsError("the flash folder cannot be written: %s" % error)
        self._replica = Replica(self._settings.trust, self._store, self._show_checks)
        self._settings.check(self._replica.trust)
        if self._replica.newest_sent_s is not None and self._timekeeper.unix_s() is None:
            self._replica.expire(self._replica.newest_sent_s)  # it cannot be earlier than that
        self.counters = {}
        self._preferences = Preferences(self._settings.mesh, self._store)
        self._mesh = MeshNode(self._preferences.mesh_config(), self._rand)
        self._node_file = NodeFile(board.FLASH, self._mesh.nodes)
        self._node_file.load(now, self._timekeeper.unix_s())
        self._duty = DutyKeeper(self._mesh.budget, self._store, now)
        self._gossip = Gossip(
            self._replica, gossip_settings(self._mesh.config), self._mesh.modem.airtime_ms, self._rand, now
        )
        self._gossip.belong_to(self._settings.number)
        device = DeviceInfo(pio_env=board.NAME.encode())
        self._api = ClientApi(self._mesh, device, self._rand, self._preferences)
        self._carrier = Carrier(self._mesh, self._gossip, self._settings.record_channel, self.counters)
        self._cable = Cable(self._api, LinkSession(self._replica, self._gossip.publish))
        self._point = Point(
            board,
            self._settings,
            self._replica,
            self._store,
            self._timekeeper,
            self._health,
            self._rand,
            now,
        )
        self._retune = True  # the radio has other settings than the mesh
        self._end_at = None
        self._end_status = RESTART_STATUS
        self._expire_at = now
        self._save_at = now + _SAVE_MS
        self._frame = b""
        self._transmit_wanted = asyncio.Event()
        self._changed = asyncio.Event()  # something below changed a deadline
        self._told_full = 0
        self._unsent = b""
        self._writable_at = None
        if self._preferences.damaged or self._store.damaged:
            self._count("settings-damaged")
            self._log("a damaged value on the flash, settings may be those of the provisioning")
        self._configure()

    async def run(self):
        """Until the power fails, or SystemExit: RESTART_STATUS where it is to be started again."""
        _stay_tidy()
        self._tune()
        await self._show_start()
        await asyncio.gather(
            self._receive(), self._send(), self._talk(), self._show(), self._press(), self._wait()
        )

    # --- tasks: each waits for one piece of hardware

    async def _receive(self):
        while True:
            frame, rssi_dbm, snr_db = await self._board.radio.receive()
            now = self._now()
            self._mesh.receive_frame(frame, rssi_dbm, snr_db, now)
            self._run(now)

    async def _send(self):
        radio = self._board.radio
        while True:
            await self._transmit_wanted.wait()
            self._transmit_wanted.clear()
            if self._retune:  # here, because no frame is on its way
                self._tune()
            frame = self._frame
            if not frame:
                continue
            try:
                is_sent = await radio.channel_free()
                if is_sent:
                    await radio.send(frame)
            except OSError as error:
                is_sent = False
                self._count("radio-error")
                self._log("radio error %s" % error)
            self._frame = b""
            if is_sent:
                self._mesh.transmitted(self._now())
                self._duty.keep(self._now())
            else:
                self._mesh.channel_busy(self._now())
            self._run(self._now())

    async def _talk(self):
        while True:
            data = await self._board.serial.read()
            now = self._now()
            self._api.unix_s = self._timekeeper.unix_s()
            self._api.battery_percent = self._board.battery.percent()
            self._api.receive_bytes(data, now)
            self._run(now)

    async def _press(self):
        while True:
            kind = await self._board.button.press()
            now = self._now()
            self._point.panel.press(kind, now)
            self._point.redraw.set()
            self._run(now)

    async def _show(self):
        while True:
            now = self._now()
            self._point.panel.turn(now)
            self._point.panel.draw(now)
            self._point.redraw.clear()
            await self._board.display.show()
            await _wait_for(self._point.redraw, self._point.panel.deadline(self._now()) - self._now())

    async def _wait(self):
        while True:
            now = self._now()
            self._run(now)
            if self._end_at is not None and now >= self._end_at:
                await self._end()
            self._changed.clear()
            await _wait_for(self._changed, self._deadline() - self._now())

    # --- moving events

    def _run(self, now):
        """Let every engine say what it has to, until all are quiet."""
        self._mesh.presence.unix_s = self._timekeeper.unix_s()
        self._expire(now)
        self._publish_own(now)
        busy = True
        while busy:
            busy = self._run_mesh(now)
            while self._run_gossip(now):
                busy = True
            busy = self._run_client(now) or busy
        self._flush_serial(now)
        self._changed.set()

    def _run_mesh(self, now):
        event = self._mesh.next_event(now)
        if event is None:
            return False
        if isinstance(event, Transmit):
            self._frame = event.frame
            self._transmit_wanted.set()
        elif isinstance(event, Received) and self._carrier.carries(event):
            if not self._carrier.receive(event, self._timekeeper.unix_s(), now):
                self._log("refused draft-from-air")
        else:
            if isinstance(event, Received) and event.portnum in (TEXT_MESSAGE_APP, ALERT_APP):
                self._point.keep_text(event, self._mesh, now)
            self._api.unix_s = self._timekeeper.unix_s()
            self._api.receive_event(event, now)
        return True

    def _run_gossip(self, now):
        event = self._carrier.next_event(now)
        if isinstance(event, Refused):
            self._log("refused " + event.cause)
        elif isinstance(event, Learned):
            self._learn(event, now)
        return event is not None

    def _run_client(self, now):
        event = self._api.next_event(now)
        if isinstance(event, ClientRecord):
            self._receive_client_record(event.payload, now)
            return True
        if isinstance(event, ClientText):
            self._point.keep_text(event, self._mesh, now)
            return True
        if isinstance(event, SetTime):
            if self._timekeeper.set(event.unix_s):
                self._replica.forget_retired()
                self._point.redraw.set()
            else:
                self._count("bad-time")
            return True
        if isinstance(event, Configured):
            self._configure()
            return True
        if isinstance(event, (Reboot, Shutdown)):
            self._end_at = event.at
            self._end_status = RESTART_STATUS if isinstance(event, Reboot) else 0
            return True
        return self._cable.run(now)

    def _configure(self):
        """Let what hangs on the mesh's settings follow them."""
        self._carrier.configure(self._now())
        if self._carrier.channel is None:
            self._log("no channel has the region's name and key: records cannot travel")
            name = self._settings.record_channel.name.decode()
            self._api.notify(
                f"kanaal {name} ontbreekt, berichten reizen niet / is missing, records cannot travel",
                LEVEL_ERROR,
            )
        self._retune = True
        self._transmit_wanted.set()
        unload_rules()

    def _tune(self):
        """Give the radio the mesh's settings."""
        self._retune = False
        config = self._mesh.config
        modem = self._mesh.modem
        self._board.radio.configure(
            config.frequency_hz(),
            modem.bandwidth_hz,
            modem.spreading_factor,
            modem.coding_rate,
            _PREAMBLE_SYMBOLS,
            _SYNC_WORD,
            min(config.tx_power_dbm(), _CHIP_POWER_DBM),
        )

    async def _end(self):
        """As a client ordered. What is switched off says so: the display goes on showing what it showed."""
        self._store.save()
        self._log("restarts" if self._end_status else "switches off")
        if not self._end_status:
            await _show_message(self._board, b"UIT", b"Uitgeschakeld / switched off")
        raise SystemExit(self._end_status)

    def _receive_client_record(self, payload, now):
        """Our own user over the cable: either a program with a replica, or a person who reports."""
        if message_kind(payload) == DRAFT:
            self._receive_draft(payload, now)
            return
        self._carrier.heard_via = 0
        self._carrier.is_live = self._cable.is_in_step  # what comes before that was kept for us
        cause = self._cable.receive(payload, self._timekeeper.unix_s(), now)
        if cause:
            self._log("refused " + cause)

    def _receive_draft(self, payload, now):
        try:
            if not self._point.receive_draft(payload, now):
                self._count("reports-full")
                self._api.notify("te veel noodmeldingen wachten / too many reports wait", LEVEL_ERROR)
        except RemoteProtocolError as error:
            self._count(error.cause)
        self._publish_own(now)

    def _learn(self, event, now):
        self._log("learned %d-%d-%d-%d" % event.record_id + " via %02x" % self._carrier.heard_via)
        self._cable.offer(event.raw)
        if self._point.learn(event.record_id, self._carrier.is_live, now):
            self._expire_at = now

    def _publish_own(self, now):
        self._point.publish(self._publish, self._gossip.spread, self._count, now)

    def _publish(self, raw, now):
        self._carrier.heard_via = 0
        self._carrier.is_live = False
        return self._gossip.publish(raw, self._timekeeper.unix_s(), now).state

    def _expire(self, now):
        if now < self._expire_at:
            return
        self._expire_at = now + _EXPIRE_MS
        self._mesh.presence.battery_percent = self._board.battery.percent()
        self._node_file.save(now, self._timekeeper.unix_s())
        self._duty.keep(now)
        if now >= self._save_at:
            self._save_at = now + _SAVE_MS
            self._store.save()
        if self._store.full != self._told_full:
            self._told_full = self._store.full
            self._log("flash is full, %d writes had no room" % self._store.full)
        unix_s = self._timekeeper.unix_s()
        if unix_s is None:
            return
        if self._replica.expire(unix_s):
            self._point.redraw.set()
        self._point.expire(unix_s)
        next_s = self._replica.next_expiry_s()
        if next_s is not None:  # on the second, or neighbours would go on serving what others refuse
            self._expire_at = min(self._expire_at, now + 1000 * (next_s - unix_s))

    def _health(self):
        refused = sum(self._replica.counters.values())
        rows = [] if self._carrier.channel is not None else [(b"Regiokanaal", b"ontbreekt")]
        return rows + [
            (b"Accu", b"%d%%" % self._board.battery.percent()),
            (b"Nodes gehoord", b"%d" % len(self._mesh.nodes)),
            (b"Berichten", b"%d" % len(self._replica.notices)),
            (b"Geweigerd", b"%d" % refused),
            (b"Zendtijd/uur", b"%d s" % (self._mesh.budget.spent_ms(self._now()) // 1000)),
            (b"Geheugen", b"%d kB vrij" % (gc.mem_free() // 1024)),
            (b"Opslag", b"vol" if self._store.full else b"goed"),
        ]

    def _show_checks(self):
        """Before the first turn, so that nobody takes for true what an electronic paper still shows."""
        text = b"Dit apparaat controleert eerst wat het bewaart. Dat kan enkele minuten duren."
        asyncio.run(_show_message(self._board, b"EVEN WACHTEN", text))

    async def _show_start(self):
        self._point.screen.draw_start(
            views.StartView(
                point_name=self._settings.name,
                region_name=self._settings.trust.region,
                version=__version__.encode(),
                point_code=self._settings.code,
                now_s=self._timekeeper.unix_s(),
                clock_quality=self._timekeeper.quality(),
            )
        )
        await self._board.display.show()

    # --- small things

    def _deadline(self):
        due = min(self._gossip.deadline(), self._point.deadline(), self._expire_at)
        for other in (
            self._mesh.deadline(),
            self._writable_at,
            self._api.deadline(),
            self._end_at,
            self._cable.deadline(),
        ):
            if other is not None:
                due = min(due, other)
        return due

    def _flush_serial(self, now):
        """Hand the host what it takes; what is left waits, bounded by the engine's own queues."""
        self._writable_at = None
        while True:
            if not self._unsent:
                self._unsent = self._api.next_bytes(512)
                if not self._unsent:
                    return
            taken = self._board.serial.write(self._unsent)
            self._unsent = self._unsent[taken:]
            if self._unsent:
                self._writable_at = now + _SERIAL_RETRY_MS
                return

    def _count(self, cause):
        self.counters[cause] = self.counters.get(cause, 0) + 1

    def _log(self, text):
        """A line for the technician: virtual boards keep it, others may show it on a console or drop it."""
        line = "%d %s" % (self._now(), text)
        self._board.log(line)
        self._api.log(line.encode())

    def _now(self):
        return self._board.clock.ticks_ms()


def run(board):
    """Start the node on `board`; a node that is not provisioned says so on its display and stops."""
    _stay_tidy()
    try:
        node = Node(board)
    except settings.SettingsError as error:
        sys.stderr.write("baken: %s\n" % error)
        asyncio.run(_show_message(board, b"NIET INGESTELD", str(error).encode()))
        raise SystemExit(1)
    asyncio.run(node.run())


def _stay_tidy():
    """Collect garbage often, or what lives long comes to lie between it, and a small heap ends in pieces.

    Measured with 200 kB in all: after the start the largest free piece was 8 kB of 90 when a collection
    waited for half of what is free, and 82 kB like this.
    """
    gc.collect()
    gc.threshold(max(_LEAST_GARBAGE, gc.mem_free() // 16))


async def _show_message(board, title, text):
    view = views.MessageView(title=title, text=text)
    Screen(board.display).draw_message(view)
    await board.display.show()


async def _wait_for(event, wait_ms):
    if wait_ms > 0:
        try:
            await asyncio.wait_for_ms(event.wait(), min(wait_ms, _IDLE_MS))
        except asyncio.TimeoutError:
            pass
    else:
        await asyncio.sleep_ms(0)


def _random_source(random_bytes):
    def rand(limit):
        """Uniform in [0, limit): four bytes and a remainder, whose bias is below one in a million here."""
        return int.from_bytes(random_bytes(4), "big") % limit

    return rand
