"""What the display shows and what the button does.

By itself the display walks through emergency reports that wait and answers that nobody has read, all pages of
the bulletins that are valid here, the most urgent first, and their list. A new bulletin or answer is shown at
once. Short press: next page. Long press on a bulletin or answer: "read"; on the status page: choose another
state; on the page before it: make an emergency report.

Text messages, which nobody verifies, are behind the bulletins and only come by the button; one for this node
comes up once by itself, after any bulletin that is being announced.
"""

from baken.compat import const
from baken.device import views
from baken.device.views import FOR_US, OLD

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from typing import Any

TURN_MS = const(60000)
THANKS_MS = const(6000)
MENU_MS = const(60000)  # an open menu closes by itself

_MAX_TEXTS = const(3000)  # bytes of texts kept: of one bulletin, or the pages of a list

_LIST = "list"
_EMPTY = "empty"
_TEXTS = "texts"
_ASK = "ask"
_STATUS = "status"
_HEALTH = "health"
_REVOKED = "revoked"

_THANKS = b"Dank u. De crisisruimte krijgt bericht dat dit gelezen is."
_NOTED = b"Dank u. Gelezen."


def _always() -> bool:
    return True


class Panel:
    """State of the display. `draw(now)` draws; `turn`, `press` and `show_new` move; `deadline` says when to
    turn.

    `status_of()` gives the Status last reported here, `set_status(status)` takes a new one, `health()` gives
    [(label, value)] for the technician. `letterbox` has this point's emergency reports and answers, None
    while there is none; `open_letterbox()` makes it. `gaps` tells what is missing. `is_trusted()`: whether
    the point's own key still counts.
    """

    letterbox: "Any" = None
    open_letterbox: "Any" = None
    gaps: "Any" = None

    def __init__(self, screen, replica, settings, timekeeper, status_of, set_status, health, mark_read):
        self._screen = screen
        self._replica = replica
        self._settings = settings
        self._timekeeper = timekeeper
        self._status_of = status_of
        self._set_status = set_status
        self._health = health
        self._mark_read = mark_read
        self._place = _EMPTY  # a notice's key or one of the names above
        self._page = 0
        self._pages = 1
        self._thanks = None  # MessageView that stands for a moment
        self._menu: "Any" = None
        self._choice = 0
        self._empty_since_s = None
        self._was_empty = True
        self._turn_at = 0
        self._announced_until = 0
        self._text_waits = False
        self._now = 0
        self._texts = {}  # key -> text, of the revision `_texts_of`
        self._texts_of = None
        self.is_trusted = _always
        self.inbox: "Any" = None  # device.inbox.Inbox of a node that has had text messages
        self.contact_s: "int | None" = None

    def draw(self, now):
        """Draw what is to be seen now into the display's buffer."""
        notices = self._current()
        self._note_empty(notices)
        letter = self._letter(self._place)
        if self._menu is not None:
            self._screen.draw_menu(self._menu_view())
        elif self._thanks is not None:
            self._screen.draw_message(self._thanks)
        elif letter is not None or self._place in (_ASK, _REVOKED):
            self._pages = self._screen.draw_message(self._letter_view(letter), self._page)
        elif self._place == _TEXTS:
            self._pages = self._screen.draw_texts(self._texts_view(), self._page)
        elif self._place == _STATUS:
            self._pages = self._screen.draw_health(self._status_view(), self._page)
        elif self._place == _HEALTH:
            self._pages = self._screen.draw_health(
                views.TableView(rows=self._health(), **self._shared()), self._page
            )
        else:
            self._draw_board(notices)
        if self._turn_at <= now:
            self._turn_at = now + TURN_MS

    def deadline(self, now):
        """When the picture has to change by itself: at the next turn, or when a bulletin expires."""
        due = self._turn_at
        unix_s = self._timekeeper.unix_s()
        if unix_s is not None:
            for notice in self._replica.notices.values():
                left_s = notice.expires_s - unix_s
                if 0 < left_s * 1000 < due - now:
                    due = now + left_s * 1000
        return due

    def turn(self, now):
        """Time has passed: close what was open, show the next page."""
        if now < self._turn_at:
            return
        if self._menu is not None or self._thanks is not None:
            self._menu = None
            self._thanks = None
        elif self._text_waits:
            self._show_texts()
        elif self._place in (_STATUS, _HEALTH, _TEXTS, _ASK):
            self._place = _EMPTY
        else:
            self._next(self._walk())
        self._turn_at = now + TURN_MS

    def show_letter(self, name, now):
        """An answer has just come in, or a report was handed in: show it, unless somebody is choosing."""
        if self._menu is None:
            self._thanks = None
            self._place = name
            self._page = 0
            self._turn_at = now + TURN_MS
            self._announced_until = self._turn_at

    def show_new(self, key, now):
        """Bulletin `key` has just become whole or changed: show it, if it is meant for here."""
        if key in [notice.key for notice in self._current()] and self._menu is None:
            self._thanks = None
            self._place = key
            self._page = 0
            self._turn_at = now + TURN_MS
            self._announced_until = self._turn_at

    def show_text(self, urgency, now):
        """A text message was kept (`device.views`: OLD, NEW or FOR_US); True when the picture has changed."""
        if urgency == OLD:
            return False
        if urgency == FOR_US:
            self._text_waits = True
            if now >= self._announced_until and self._menu is None and self._thanks is None:
                self._show_texts()
                self._turn_at = now + TURN_MS
        return self._place == _TEXTS

    def press(self, kind, now):
        """A press of the button, "short" or "long"."""
        self._turn_at = now + TURN_MS
        self._now = now
        letter = self._letter(self._place)
        if self._thanks is not None:
            self._thanks = None
        elif self._menu is not None:
            self._press_menu(kind)
        elif kind == "short":
            texts = [_TEXTS] if self.inbox else []
            ask = [_ASK] if self.open_letterbox is not None and self.is_trusted() else []
            self._next(self._walk(True) + texts + ask + [_STATUS, _HEALTH])
            if self._place == _TEXTS:
                self._text_waits = False
        elif self._place in (_STATUS, _ASK):
            from baken.device import menus  # few presses need it, and not for long

            if self._place == _ASK:
                self._open_menu(menus.ReportMenu(self._send_report))
            else:
                self._open_menu(menus.StateMenu(self._status_of(), self._set_status))
        elif letter is not None:
            if self.letterbox.mark_read(letter.name):
                self._thank(_NOTED)
        elif isinstance(self._place, tuple):
            notice = self._replica.notices.get(self._place)
            if notice and notice.complete:
                self._mark_read(self._place)
                self._thank(_THANKS)

    # --- inside

    def _current(self):
        return self._replica.current(
            self._settings.area, self._timekeeper.unix_s(), self._settings.restricted
        )

    def _letters(self):
        return self.letterbox.letters() if self.letterbox is not None else []

    def _letter(self, place):
        if not isinstance(place, str):
            return None
        for letter in self._letters():
            if letter.name == place:
                return letter
        return None

    def _letter_view(self, letter):
        from baken.device import letter_pages  # most nodes never show one

        if letter is not None:
            return letter_pages.letter_view(letter, self._replica.trust.authorities, self._shared())
        if self._place == _ASK:
            return letter_pages.ask_view(self._shared())
        return letter_pages.revoked_view(self._shared())

    def _walk(self, by_button=False):
        """What the display goes through by itself; letters that were read come only by the button."""
        letters = [one.name for one in self._letters() if by_button or one.unread or one.waits]
        revoked = [] if self.is_trusted() else [_REVOKED]
        places = self._board_places()
        if letters and places == [_EMPTY] and not by_button:
            places = []
        return revoked + letters + places

    def _board_places(self):
        keys = [notice.key for notice in self._current()]
        if not keys:
            return [_EMPTY]
        return keys + [_LIST] if len(keys) > 1 else keys

    def _next(self, places):
        if self._page + 1 < self._pages:
            self._page += 1
            return
        at = places.index(self._place) if self._place in places else -1
        self._place = places[(at + 1) % len(places)]
        self._page = 0

    def _show_texts(self):
        self._text_waits = False
        self._place = _TEXTS
        self._page = 0

    def _thank(self, text):
        self._thanks = views.MessageView(title=b"GELEZEN", text=text, **self._shared())
        self._turn_at = self._now + THANKS_MS

    def _open_menu(self, menu):
        self._menu = menu
        self._choice = 0
        self._page = 0  # afterwards the new state is to be seen
        self._turn_at = self._now + MENU_MS

    def _send_report(self, text):
        """Somebody has confirmed an emergency report: it comes on the display."""
        if self.letterbox is None:
            self.letterbox = self.open_letterbox()
        exercise = any([notice.is_exercise for notice in self._replica.notices.values()])
        name = self.letterbox.write(text, b"F", exercise, self._now)
        if name is None:
            from baken.device.letter_pages import full_view

            self._thanks = full_view(self._shared())
        else:
            self._place = name

    def _draw_board(self, notices):
        if not notices:
            self._place = _EMPTY
            self._pages = 1
            view = views.EmptyView(since_s=self._empty_since_s, contact_s=self.contact_s, **self._shared())
            self._screen.draw_empty(view)
            return
        if self._place == _LIST:
            self._pages = self._screen.draw_list(self._list_view(notices), self._page)
            return
        shown = None
        for notice in notices:
            if notice.key == self._place:
                shown = notice
        if shown is None:
            shown = notices[0]
            self._place = shown.key
            self._page = 0
        self._pages = self._screen.draw_bulletin(self._notice_view(shown), self._page)

    def _note_empty(self, notices):
        """Remember since when nothing has been valid."""
        if notices:
            self._was_empty = False
        elif not self._was_empty:
            self._was_empty = True
            self._empty_since_s = self._timekeeper.unix_s()

    def _shared(self, exercise=False):
        return {
            "point_code": self._settings.code,
            "now_s": self._timekeeper.unix_s(),
            "clock_quality": self._timekeeper.quality(),
            "exercise": exercise,
            "missing": len(self.gaps.missing()) if self.gaps is not None else 0,
        }

    def _notice_view(self, notice):
        meta = notice.meta
        authority = self._replica.trust.authorities[meta.origin].name
        return views.NoticeView(
            kind=meta.event,
            severity=meta.severity,
            text=self._text(notice),
            authority=authority,
            sent_s=meta.sent_s,
            expires_s=meta.expires_s,
            missing_parts=[index + 1 for index in notice.missing],
            parts=meta.parts,
            **self._shared(notice.is_exercise),
        )

    def _texts_view(self):
        return views.TextsView(texts=self.inbox.newest(), count=len(self.inbox), **self._shared())

    def _list_view(self, notices):
        exercise = all([notice.is_exercise for notice in notices])
        entries = _Entries(notices, self._list_entry)
        return views.ListView(entries=entries, contact_s=self.contact_s, **self._shared(exercise))

    def _list_entry(self, notice):
        meta = notice.meta
        return views.ListEntry(
            kind=meta.event,
            severity=meta.severity,
            text=self._text(notice),
            sent_s=meta.sent_s,
            read=self._replica.is_read(notice.key),
            complete=notice.complete,
        )

    def _text(self, notice):
        """The text of a notice, b"" while parts are missing. Those on the display are kept, or each time
        that it is drawn they would be expanded anew.
        """
        if self._texts_of != self._replica.revision:
            self._texts = {}
            self._texts_of = self._replica.revision
        text = self._texts.get(notice.key)
        if text is None:
            text = notice.text_in(b"nl") or b""
            if sum([len(kept) for kept in self._texts.values()]) + len(text) > _MAX_TEXTS:
                self._texts = {}
            self._texts[notice.key] = text
        return text

    def _status_view(self):
        said = self._status_of()
        rows = [
            (b"Toestand", said.state),
            (b"Mensen", b"%d" % said.people),
            (b"Vrijwilligers", b"%d" % said.volunteers),
            (b"Stroom", b"onbekend" if said.power_hours is None else b"%d uur" % said.power_hours),
            (b"Water", b"%d liter" % said.water_l),
        ]
        if said.needs:
            rows.append((b"Nodig", b" ".join(said.needs)))
        return views.TableView(title=b"MIJN STATUS", rows=rows, **self._shared(said.exercise))

    def _menu_view(self):
        return views.MenuView(
            title=self._menu.title,
            question=self._menu.question,
            choices=self._menu.choices,
            selected=self._choice,
            **self._shared(),
        )

    def _press_menu(self, kind):
        if kind == "short":
            self._choice = (self._choice + 1) % len(self._menu.choices)
            self._turn_at = self._now + MENU_MS
            return
        following = self._menu.choose(self._choice)
        self._menu = None
        if following is not None:
            self._open_menu(following)


class _Entries:
    """The entries of a list, each made when it is drawn: all texts at once would not fit the memory."""

    def __init__(self, notices, make):
        self._notices = notices
        self._make = make

    def __len__(self):
        return len(self._notices)

    def __getitem__(self, index):
        return self._make(self._notices[index])
