"""Words of the pages about emergency reports and answers, for `Screen.draw_message`."""

from .localtime import moment_text
from .views import MessageView

ASK_TITLE = b"NOODMELDING"
_ASK = b"Noodgeval? Druk lang om hulp te vragen.\nEmergency? Press long to call for help."
_WAITS = b"WACHT: nog niet ontvangen. / Not received yet."
_NO_CLOCK = b"NIET VERZONDEN: klok onbekend. / Not sent: no clock."
_RECEIVED = b"Uw noodmelding is ontvangen. / Report received."
_HOLD = b"lang: gelezen / read"
_FULL = b"NIET VERZONDEN: te veel noodmeldingen wachten. / Not sent: too many are waiting."
_REVOKED = (
    b"Dit punt mag niet meer melden: status en noodmeldingen gaan niet weg. Bel de beheerder. / "
    b"This point's key was revoked."
)


def ask_view(shared):
    """The page from which a report is made."""
    return MessageView(title=ASK_TITLE, text=_ASK, **shared)


def full_view(shared):
    """A report was not taken."""
    return MessageView(title=ASK_TITLE, text=_FULL, **shared)


def revoked_view(shared):
    """The node's own key is worth nothing any more."""
    return MessageView(title=b"INGETROKKEN", text=_REVOKED, **shared)


def letter_view(letter, authorities, shared):
    """One report with what came back, or an answer by itself."""
    now_s = shared["now_s"]
    shared = dict(shared)
    shared["exercise"] = letter.exercise
    number = b" %d" % letter.seq if letter.seq else b""
    said = letter.text
    if letter.sent_s is not None and said:
        said = moment_text(letter.sent_s, now_s) + b" " + said
    if letter.waits:
        text = _WAITS if letter.seq else _NO_CLOCK
        return MessageView(title=b"NOODMELDING" + number, text=text + b"\n" + said, **shared)
    authority = authorities.get(letter.authority)
    signed_by = authority.name if authority else b""
    title = b"ONTVANGEN" if letter.seq else b"ANTWOORD"
    lines = [moment_text(letter.answered_s or letter.received_s, now_s) + b" " + (letter.answer or _RECEIVED)]
    if said:
        lines.append(b"Melding" + number + b": " + said)
    hint = _HOLD if letter.unread else b""
    return MessageView(title=title, text=b"\n".join(lines), signed_by=signed_by, hint=hint, **shared)
