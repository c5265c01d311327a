"""The questions that the display asks: short press moves on, long press chooses.

A menu has `title`, `question`, `choices` (the first one is marked when it opens) and `choose(index)`, which
gives the menu that follows, or None when it is done.
"""

from baken.wire.status import STATES, Status

_BACK = b"Terug / back"
_STATE_NAMES = (b"Open", b"Beperkt open", b"Vol", b"Dicht")

# What a report from the button says. The crisis room reads the Dutch text; the need's code comes first, as in
# STATUS, so that it can be sorted by machines.
REPORT_KINDS = (
    (b"Ambulance / medical", b"MED Ambulance nodig (knop)."),
    (b"Brandweer / fire", b"BRW Brandweer nodig (knop)."),
    (b"Politie / police", b"POL Politie nodig (knop)."),
    (b"Anders / other", b"Andere hulp nodig (knop)."),
)


class StateMenu:
    """Which state the point is in; `status` is what was said last, `say(Status)` takes the new one."""

    title = b"STATUS"
    question = b"Hoe is dit punt?"
    choices = _STATE_NAMES + (_BACK,)

    def __init__(self, status, say):
        self._status = status
        self._say = say

    def choose(self, index):
        if index < len(_STATE_NAMES):
            new = Status(0, 0, 0)
            new.take_condition(self._status)
            new.state = STATES[index]
            self._say(new)
        return None


class ReportMenu:
    """Which emergency it is; `send(text)` makes the report. "Back" comes first: nothing is sent by holding
    the button down.
    """

    title = b"NOODMELDING"
    question = b"Wat is nodig? / Need?"
    choices = (_BACK,) + tuple([name for name, _ in REPORT_KINDS])

    def __init__(self, send):
        self._send = send

    def choose(self, index):
        return ConfirmMenu(REPORT_KINDS[index - 1], self._send) if index else None


class ConfirmMenu:
    """The second question before a report goes."""

    title = b"ZEKER? / SURE?"
    choices = (b"Nee, terug / no", b"JA, VERSTUUR / SEND")

    def __init__(self, kind, send):
        self.question = kind[0]
        self._text = kind[1]
        self._send = send

    def choose(self, index):
        if index == 1:
            self._send(self._text)
        return None
