"""The node program: asyncio around the sans-IO engines, one board's drivers below, one noticeboard above.

    radio ---> MeshNode -Carrier-> Gossip ---> Replica ---> Panel ---> display
                 |                   ^            ^
    serial <-> ClientApi <-----> LinkSession -----+      Reporter: the point's own STATUS
                                                         Letterbox: its emergency reports, the answers

One method, `_run`, moves events between the engines until none is left; each task below it only waits for
one piece of hardware and then calls it. Nothing here decides what is true or what is sent: the engines do.
"""

import asyncio
import gc
import os
import sys

from baken import __version__
from baken.compat import const
from baken.device import reporter, settings, views
from baken.device.carrier import Carrier, gossip_settings
from baken.device.duty import DutyKeeper
from baken.device.flash import FlashStore
from baken.device.nodefile import NodeFile
from baken.device.pages import Screen
from baken.device.panel import Panel
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
from baken.noticeboard import gossip
from baken.noticeboard.gaps import Gaps
from baken.noticeboard.link import LinkSession
from baken.noticeboard.replica import NEW, REFUSED, Replica
from baken.wire import report, status
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import ALERT_APP, LEVEL_ERROR, TEXT_MESSAGE_APP
from baken.wire.packet import BROADCAST
from baken.wire.records import ANSWER, BULLETIN, DRAFT, HEARTBEAT, REPORT, TRUST, decode_header, message_kind

RESTART_STATUS = const(75)  # how the program ends that wants to be started again
_IDLE_MS = const(600000)
_SERIAL_RETRY_MS = const(50)
_SYNC_WORD = const(0x2B)
_PREAMBLE_SYMBOLS = const(16)
_CHIP_POWER_DBM = const(22)  # an SX1262 without an amplifier
_EXPIRE_MS = const(60000)
_SAVE_MS = const(600000)  # what the store lets wait


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
        self._replica = Replica(self._settings.trust, self._store)
        self._settings.check(self._replica.trust)
        if self._replica.newest_sent_s is not None and self._timekeeper.unix_s() is None:
            self._replica.expire(self._replica.newest_sent_s)  # it cannot be earlier than that
        self.counters = {}
        self._preferences = Preferences(self._settings.mesh, self._store)
        self._mesh = MeshNode(self._preferences.mesh_config(), self._rand)
        self._node_file = NodeFile(board.FLASH, self._mesh.nodes)
        self._node_file.load(now, self._timekeeper.unix_s())
        self._duty = DutyKeeper(self._mesh.budget, self._store, now)
        self._gossip = gossip.Gossip(
            self._replica, gossip_settings(self._mesh.config), self._mesh.modem.airtime_ms, self._rand, now
        )
        self._gossip.belong_to(self._settings.number)
        device = DeviceInfo(pio_env=board.NAME.encode())
        self._api = ClientApi(self._mesh, device, self._rand, self._preferences)
        self._carrier = Carrier(self._mesh, self._gossip, self._settings.record_channel, self.counters)
        self._link = LinkSession(self._replica, self._gossip.publish)
        self._link_open = False
        self._for_client = None  # payload that the client's queue had no room for yet
        self._reporter = reporter.Reporter(
            self._settings, self._replica, self._store, self._timekeeper, board.battery, self._rand, now
        )
        self._screen = Screen(board.display)
        self._panel = Panel(
            self._screen,
            self._replica,
            self._settings,
            self._timekeeper,
            lambda: self._reporter.condition,
            self._report,
            self._health,
            self._mark_read,
        )
        self._panel.contact_s = self._replica.newest_sent_s
        self._panel.open_letterbox = self._open_letterbox
        self._panel.gaps = Gaps(self._replica, self._store)
        self._panel.is_trusted = self._is_trusted
        if "texts" in os.listdir(board.FLASH + "/board"):
            self._open_inbox()
        if self._store.get("reports") or self._replica.letters.answers_for(self._settings.number):
            self._open_letterbox()
        self._retune = True  # the radio has other settings than the mesh
        self._end_at = None
        self._end_status = RESTART_STATUS
        self._expire_at = now
        self._save_at = now + _SAVE_MS
        self._frame = b""
        self._transmit_wanted = asyncio.Event()
        self._changed = asyncio.Event()  # something below changed a deadline
        self._redraw = asyncio.Event()
        self._told_full = 0
        self._unsent = b""
        self._writable_at = None
        if self._preferences.damaged or self._store.damaged:
            self._count("settings-damaged")
            self._log("a damaged value on the flash, settings may be those of the provisioning")
        self._configure()

    async def run(self):
        """Until the power fails, or SystemExit: RESTART_STATUS where it is to be started again."""
        gc.collect()
        gc.threshold(gc.mem_free() // 2)  # before what lives long is scattered between garbage
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
            self._panel.press(kind, now)
            self._redraw.set()
            self._run(now)

    async def _show(self):
        while True:
            now = self._now()
            self._panel.turn(now)
            self._panel.draw(now)
            self._redraw.clear()
            await self._board.display.show()
            await _wait_for(self._redraw, self._panel.deadline(self._now()) - self._now())

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
                self._keep_text(event, now)
            self._api.unix_s = self._timekeeper.unix_s()
            self._api.receive_event(event, now)
        return True

    def _run_gossip(self, now):
        event = self._carrier.next_event(now)
        if isinstance(event, gossip.Refused):
            self._log("refused " + event.cause)
        elif isinstance(event, gossip.Learned):
            self._learn(event, now)
        return event is not None

    def _run_client(self, now):
        event = self._api.next_event(now)
        if isinstance(event, ClientRecord):
            self._receive_client_record(event.payload, now)
            return True
        if isinstance(event, ClientText):
            self._keep_text(event, now)
            return True
        if isinstance(event, SetTime):
            if self._timekeeper.set(event.unix_s):
                self._replica.forget_retired()
                self._redraw.set()
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
        if self._link_open and not self._api.client_ready:
            self._link_open = False
            self._for_client = None
            self._link.close()
        if self._link_open and self._for_client is None:
            self._for_client = self._link.next_payload(now)
        if self._for_client is not None and self._api.client_record(self._for_client):
            self._for_client = None
            return True
        return False

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
        self._store.save(self._replica.records)
        self._log("restarts" if self._end_status else "switches off")
        if not self._end_status:
            await _show_message(self._board, b"UIT", b"Uitgeschakeld / switched off")
        raise SystemExit(self._end_status)

    def _receive_client_record(self, payload, now):
        """Our own user over the cable: either a program with a replica, or a person who reports."""
        if message_kind(payload) == DRAFT:
            self._receive_draft(payload, now)
            return
        if not self._link_open:
            self._link_open = True
            self._link.open(now)
        self._carrier.heard_via = 0
        self._carrier.is_live = self._link.in_step  # what comes before that was kept for us
        outcome = self._link.receive(payload, self._timekeeper.unix_s(), now)
        if outcome is not None and outcome.cause:
            self._log("refused " + outcome.cause)

    def _receive_draft(self, payload, now):
        try:
            if report.is_draft(payload):
                text, priority, exercise = report.decode_draft(payload)
                name = self._open_letterbox().write(text, priority, exercise, now)
                if name is None:
                    self._count("reports-full")
                    self._api.notify("te veel noodmeldingen wachten / too many reports wait", LEVEL_ERROR)
                else:
                    self._panel.show_letter(name, now)
                    self._redraw.set()
            else:
                self._reporter.draft(status.decode_draft(payload), now)
        except RemoteProtocolError as error:
            self._count(error.cause)
        self._publish_own(now)

    def _learn(self, event, now):
        kind, origin, seq, _part = event.record_id
        self._log("learned %d-%d-%d-%d" % event.record_id + " via %02x" % self._carrier.heard_via)
        self._link.offer(event.raw)
        if kind == BULLETIN:
            notice = self._replica.notices.get((origin, seq))
            if notice is None:
                return  # a more urgent one has taken its place on a full board
            self._expire_at = now  # it may be the next to expire
            self._hear_authority(notice.meta.sent_s)
            self._panel.show_new(notice.key, now)
            self._redraw.set()
            if notice.complete and not self._settings.is_router:
                self._reporter.seen_changed(now)
        elif kind == HEARTBEAT:
            self._hear_authority(self._replica.heartbeats[origin].time_s)
        elif kind == REPORT or kind == ANSWER:
            self._learn_letter(event.record_id, now)
        elif kind == TRUST:
            self._redraw.set()
        own_seq = reporter.own_number(event.record_id, self._settings)
        if own_seq is not None:
            self._reporter.overtaken(own_seq)

    def _learn_letter(self, record_id, now):
        self._expire_at = now
        held = self._replica.letters.answers.get(record_id[1:3])
        if record_id[0] == ANSWER and held is not None:
            self._hear_authority(held[0].time_s)
        own = self._settings.number
        if record_id[1] == own or (held is not None and held[0].point == own):
            name = self._open_letterbox().learned(record_id)
            if name is not None:
                self._panel.show_letter(name, now)
                self._redraw.set()

    def _hear_authority(self, signed_s):
        """A record of an authority is new here, signed at that moment."""
        is_live = self._carrier.is_live
        self._timekeeper.witness(signed_s, is_live)
        contact_s = self._timekeeper.unix_s() if is_live else signed_s
        self._panel.contact_s = max(contact_s or 0, self._panel.contact_s or 0)
        self._redraw.set()

    def _is_trusted(self):
        return reporter.is_trusted(self._settings, self._replica)

    def _open_letterbox(self):
        """A node without emergency reports and answers does without their code."""
        from baken.device.letterbox import Letterbox

        if self._panel.letterbox is None:
            self._panel.letterbox = Letterbox(
                self._settings, self._replica, self._store, self._timekeeper, self._rand, self._now()
            )
        return self._panel.letterbox

    def _open_inbox(self):
        """A node that has never had a text message does without their code."""
        from baken.device.inbox import Inbox

        self._panel.inbox = Inbox(self._board.FLASH + "/board")
        return self._panel.inbox

    def _keep_text(self, event, now):
        own = self._settings.mesh.node_num
        if event.to not in (BROADCAST, own) and event.sender != own:
            return  # between two others
        unix_s, quality = self._timekeeper.unix_s(), self._timekeeper.quality()
        inbox = self._panel.inbox if self._panel.inbox is not None else self._open_inbox()
        urgency = inbox.take(event, self._mesh, unix_s, quality)
        if self._panel.show_text(urgency, now):
            self._redraw.set()

    def _publish_own(self, now):
        """What this point has to say: its STATUS, and its emergency reports until they are answered."""
        raw = self._reporter.poll(now)
        pulse = self._reporter.pulse(now)
        if pulse is not None:
            self._replica.pulses.receive(pulse)
        if raw is not None and self._publish(raw, now) != NEW:
            self._count("own-status-refused")
        box = self._panel.letterbox
        for raw, is_new in box.poll(now) if box is not None else ():
            if is_new:
                if self._publish(raw, now) == REFUSED:
                    self._count("own-report-refused")
                self._redraw.set()
            else:
                self._gossip.spread(decode_header(raw).record_id, now)

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
            self._store.save(self._replica.records)
        if self._store.full != self._told_full:
            self._told_full = self._store.full
            self._log("flash is full, %d writes had no room" % self._store.full)
        unix_s = self._timekeeper.unix_s()
        if unix_s is None:
            return
        if self._replica.expire(unix_s):
            self._redraw.set()
        if self._panel.letterbox is not None:
            self._panel.letterbox.expire(unix_s)
        next_s = self._replica.next_expiry_s()
        if next_s is not None:  # on the second, or neighbours would go on serving what others refuse
            self._expire_at = min(self._expire_at, now + 1000 * (next_s - unix_s))

    # --- for the panel

    def _report(self, said):
        self._reporter.draft(said, self._now())
        self._changed.set()

    def _mark_read(self, key):
        try:
            self._replica.mark_read(key)
        except OSError:
            pass  # no room on the flash: it is known until the power fails, and told all the same
        self._reporter.seen_changed(self._now())
        self._changed.set()

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

    async def _show_start(self):
        self._screen.draw_start(
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
        due = min(self._gossip.deadline(), self._reporter.deadline(), self._expire_at)
        for other in (
            self._mesh.deadline(),
            self._writable_at,
            self._api.deadline(),
            self._end_at,
            self._link.deadline() if self._link_open else None,
            self._panel.letterbox.deadline() if self._panel.letterbox is not None else None,
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
    try:
        node = Node(board)
    except settings.SettingsError as error:
        sys.stderr.write("baken: %s\n" % error)
        asyncio.run(_show_message(board, b"NIET INGESTELD", str(error).encode()))
        raise SystemExit(1)
    asyncio.run(node.run())


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
