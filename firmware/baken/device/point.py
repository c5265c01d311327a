"""The people's side of a node: what is learned reaches their display, what they do there becomes records.

             learn                       Panel ---> display, button
Replica --------------->  Point  ---+--- Reporter   the point's own STATUS, and pulses
             publish                |--- Letterbox  its emergency reports, and the answers
        <---------------            +--- Inbox      text messages of the mesh
"""

import asyncio
import os

from baken.device import reporter
from baken.device.pages import Screen
from baken.device.panel import Panel
from baken.noticeboard.gaps import Gaps
from baken.noticeboard.replica import NEW, REFUSED
from baken.wire import report, status
from baken.wire.packet import BROADCAST
from baken.wire.records import ANSWER, BULLETIN, HEARTBEAT, REPORT, TRUST, decode_header


class Point:
    """What a node is to its place. `panel` is the state of the display; `redraw` is set when that changed.

    `health()` gives the technician's [(label, value)]. The owner moves what is due: it calls `publish` when
    `deadline()` is over, and hands in whatever was heard or learned.
    """

    def __init__(self, board, settings, replica, store, timekeeper, health, rand, now):
        self.redraw = asyncio.Event()
        self._clock = board.clock
        self._texts = board.FLASH + "/board"
        self._settings = settings
        self._replica = replica
        self._store = store
        self._timekeeper = timekeeper
        self._rand = rand
        self._reporter = reporter.Reporter(settings, replica, store, timekeeper, board.battery, rand, now)
        self.screen = Screen(board.display)
        self.panel = Panel(
            self.screen,
            replica,
            settings,
            timekeeper,
            lambda: self._reporter.condition,
            self._report,
            health,
            self._mark_read,
        )
        self.panel.contact_s = replica.newest_sent_s
        self.panel.open_letterbox = self._open_letterbox
        self.panel.gaps = Gaps(replica, store)
        self.panel.is_trusted = self._is_trusted
        if "texts" in os.listdir(self._texts):
            self._open_inbox()
        if store.get("reports") or replica.letters.answers_for(settings.number):
            self._open_letterbox()

    # --- what comes in

    def learn(self, record_id, is_live, now):
        """A record is new here; True when it may be the next to expire. `is_live`: it is being spread now,
        not kept by a neighbour or a program.
        """
        expires = False
        kind, origin, seq, _part = record_id
        if kind == BULLETIN:
            expires = self._learn_bulletin(origin, seq, is_live, now)
        elif kind == HEARTBEAT:
            self._hear_authority(self._replica.heartbeats[origin].time_s, is_live)
        elif kind == REPORT or kind == ANSWER:
            self._learn_letter(record_id, is_live, now)
            expires = True
        elif kind == TRUST:
            self.redraw.set()
        own_seq = reporter.own_number(record_id, self._settings)
        if own_seq is not None:
            self._reporter.overtaken(own_seq)
        return expires

    def receive_draft(self, payload, now):
        """What a person says over the cable: how the point is, or an emergency report; False when too many
        of these wait. RemoteProtocolError when it is neither.
        """
        if not report.is_draft(payload):
            self._reporter.draft(status.decode_draft(payload), now)
            return True
        text, priority, exercise = report.decode_draft(payload)
        name = self._open_letterbox().write(text, priority, exercise, now)
        if name is not None:
            self._show_letter(name, now)
        return name is not None

    def keep_text(self, event, mesh, now):
        """A text message of the mesh, heard or sent from here."""
        own = self._settings.mesh.node_num
        if event.to not in (BROADCAST, own) and event.sender != own:
            return  # between two others
        unix_s, quality = self._timekeeper.unix_s(), self._timekeeper.quality()
        inbox = self.panel.inbox if self.panel.inbox is not None else self._open_inbox()
        urgency = inbox.take(event, mesh, unix_s, quality)
        if self.panel.show_text(urgency, now):
            self.redraw.set()

    def expire(self, unix_s):
        """Drop the emergency reports and answers whose time is over."""
        if self.panel.letterbox is not None:
            self.panel.letterbox.expire(unix_s)

    # --- what goes out

    def publish(self, publish, spread, count, now):
        """Hand over what this point has to say: its STATUS and pulses, and its emergency reports until they
        are answered.

        `publish(raw, now)` makes a record known and gives its state, `spread(record_id, now)` floods one
        again, `count(cause)` counts.
        """
        raw = self._reporter.poll(now)
        pulse = self._reporter.pulse(now)
        if pulse is not None:
            self._replica.pulses.receive(pulse)
        if raw is not None and publish(raw, now) != NEW:
            count("own-status-refused")
        box = self.panel.letterbox
        for raw, is_new in box.poll(now) if box is not None else ():
            if is_new:
                if publish(raw, now) == REFUSED:
                    count("own-report-refused")
                self.redraw.set()
            else:
                spread(decode_header(raw).record_id, now)

    def deadline(self):
        """When `publish` may have something."""
        due = self._reporter.deadline()
        other = self.panel.letterbox.deadline() if self.panel.letterbox is not None else None
        return due if other is None else min(due, other)

    # --- inside

    def _learn_bulletin(self, origin, seq, is_live, now):
        notice = self._replica.notices.get((origin, seq))
        if notice is None:
            return False  # a more urgent one has taken its place on a full board
        self._hear_authority(notice.sent_s, is_live)
        self.panel.show_new(notice.key, now)
        if notice.complete and not self._settings.is_router:
            self._reporter.seen_changed(now)
        return True

    def _learn_letter(self, record_id, is_live, now):
        held = self._replica.letters.answers.get(record_id[1:3])
        if record_id[0] == ANSWER and held is not None:
            self._hear_authority(held.time_s, is_live)
        own = self._settings.number
        if record_id[1] == own or (held is not None and held.point == own):
            name = self._open_letterbox().learned(record_id)
            if name is not None:
                self._show_letter(name, now)

    def _hear_authority(self, signed_s, is_live):
        """A record of an authority is new here, signed at that moment."""
        self._timekeeper.witness(signed_s, is_live)
        contact_s = self._timekeeper.unix_s() if is_live else signed_s
        self.panel.contact_s = max(contact_s or 0, self.panel.contact_s or 0)
        self.redraw.set()

    def _show_letter(self, name, now):
        self.panel.show_letter(name, now)
        self.redraw.set()

    def _report(self, said):
        self._reporter.draft(said, self._clock.ticks_ms())

    def _mark_read(self, key):
        try:
            self._replica.mark_read(key)
        except OSError:
            pass  # no room on the flash: it is known until the power fails, and told all the same
        self._reporter.seen_changed(self._clock.ticks_ms())

    def _is_trusted(self):
        return reporter.is_trusted(self._settings, self._replica)

    def _open_letterbox(self):
        """A node without emergency reports and answers does without their code."""
        from baken.device.letterbox import Letterbox

        if self.panel.letterbox is None:
            self.panel.letterbox = Letterbox(
                self._settings,
                self._replica,
                self._store,
                self._timekeeper,
                self._rand,
                self._clock.ticks_ms(),
            )
        return self.panel.letterbox

    def _open_inbox(self):
        """A node that has never had a text message does without their code."""
        from baken.device.inbox import Inbox

        self.panel.inbox = Inbox(self._texts)
        return self.panel.inbox
