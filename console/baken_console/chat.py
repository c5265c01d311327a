"""Text messages as conversations: pure functions from what a `Chatbox` knows to what the screen shows."""

from __future__ import annotations

from dataclasses import dataclass

from baken.wire.packet import BROADCAST
from baken_console import model
from baken_console.chatbox import OWN_RADIO, Chatbox
from baken_console.privacy import Sighting, sightings
from baken_gateway import texts
from baken_gateway.region import Region
from baken_gateway.texts import Fate, Request, Text

CHANNEL = "channel"
WAITING = "waiting"  # no gateway has taken it yet
WAITING_HERE = "waiting-radio"  # the radio on this computer has not
TAKEN_HERE = "taken-radio"  # it is about to
LATE = "late"  # nor will one: it is older than an hour
HEARD = ""  # not sent from here


@dataclass(frozen=True)
class Line:
    """One text. `state`: HEARD, WAITING, WAITING_HERE, TAKEN_HERE, LATE or one of `texts.STATES`; `by`: who
    acknowledged it.
    """

    time_s: int
    sender: str
    text: str
    ours: bool = False
    alert: bool = False
    state: str = HEARD
    reason: str = ""
    by: str = ""


@dataclass(frozen=True)
class Conversation:
    """`name`: "channel" or "channel-2" for everybody, otherwise the other's node number as !4d656401."""

    name: str
    title: str
    to: int
    channel: int
    lines: tuple[Line, ...]
    unread: int

    @property
    def last_s(self) -> int:
        return self.lines[-1].time_s if self.lines else 0

    @property
    def direct(self) -> bool:
        return self.to != BROADCAST


def conversations(box: Chatbox, now_s: int) -> tuple[Conversation, ...]:
    """The first channel, then the others, the one with the latest text first."""
    found: dict[str, list[Line]] = {CHANNEL: []}
    about: dict[str, tuple[int, int]] = {CHANNEL: (BROADCAST, 0)}
    titles: dict[str, str] = {}
    fate_of = {fate.text: fate for fate in box.fates.values() if fate.text}
    for text in box.texts.values():
        name, to, channel = _place(text, box)
        about.setdefault(name, (to, channel))
        if not text.direct and text.channel_name:
            titles[name] = f"#{plain(text.channel_name)}"
        found.setdefault(name, []).append(_heard(text, fate_of.get(text.key), box))
    for request_id, (gateway, request) in box.requests.items():
        fate = box.fates.get(request_id)
        if fate is not None and fate.text in box.texts:
            continue
        name = conversation_name(request.to, request.channel)
        about.setdefault(name, (request.to, request.channel))
        found.setdefault(name, []).append(_asked(request, gateway == OWN_RADIO, fate, now_s))
    made = []
    for name, lines in found.items():
        to, channel = about[name]
        lines.sort(key=lambda line: line.time_s)
        unread = sum(not line.ours and line.time_s > box.read_until(name) for line in lines)
        title = titles.get(name) or (f"#{channel}" if to == BROADCAST else node_title(to, box))
        made.append(Conversation(name, title, to, channel, tuple(lines), unread))
    return tuple(sorted(made, key=lambda one: (one.name != CHANNEL, -one.last_s, one.name)))


def unread_count(found: tuple[Conversation, ...]) -> int:
    return sum(one.unread for one in found)


def node_title(num: int, box: Chatbox) -> str:
    """Code and name of a point; otherwise what the node calls itself, or its number."""
    point = box.region.point_by_node_num(num)
    if point is not None:
        return f"{point.code} {point.name}"
    latest = [
        text for text in box.texts.values() if text.sender == num and (text.long_name or text.short_name)
    ]
    if latest:
        text = max(latest, key=lambda one: one.time_s)
        return f"{plain(text.long_name or text.short_name)} {texts.node_name(num)}"
    return texts.node_name(num)


def node_label(num: int, box: Chatbox) -> str:
    """The same in a few letters."""
    point = box.region.point_by_node_num(num)
    if point is not None:
        return point.code
    for text in box.texts.values():
        if text.sender == num and text.short_name:
            return plain(text.short_name)
    return texts.node_name(num)


def addressee(said: str, region: Region) -> int | None:
    """Node number for a point's code, !4d656401 or "channel"; None when it is none of these."""
    if said.lower() in ("channel", "kanaal"):
        return BROADCAST
    number = texts.node_number(said.lower())
    if number is not None:
        return number if 0 < number < BROADCAST else None
    return next((point.node_num for point in region.points if point.code.lower() == said.lower()), None)


def private_sightings(text: str, region: Region) -> tuple[Sighting, ...]:
    """What in a text looks like personal data; everybody on the channel can read it."""
    names = tuple(point.name for point in region.points) + tuple(area.name for area in region.areas)
    return sightings(text, names)


def conversation_name(to: int, channel: int = 0) -> str:
    """Name of the conversation with a node, or with everybody on a channel."""
    if to != BROADCAST:
        return texts.node_name(to)
    return f"{CHANNEL}-{channel}" if channel else CHANNEL


def _place(text: Text, box: Chatbox) -> tuple[str, int, int]:
    """(name of the conversation, to, channel): with whom, seen from our gateways' nodes."""
    to = text.to if not text.direct or text.sender in box.own_nodes else text.sender
    return conversation_name(to, text.channel), to, text.channel


def plain(text: str) -> str:
    """As it may stand on a terminal."""
    return model.plain(text.encode(errors="replace")).strip()


def _heard(text: Text, fate: Fate | None, box: Chatbox) -> Line:
    ours = fate is not None or text.sender in box.own_nodes
    return Line(
        text.time_s,
        node_label(text.sender, box),
        plain(text.text),
        ours,
        text.alert,
        fate.state if fate else HEARD,
        plain(fate.reason) if fate else "",
        node_label(fate.by, box) if fate and fate.by is not None else "",
    )


def _asked(request: Request, here: bool, fate: Fate | None, now_s: int) -> Line:
    """A request that is no text yet; `here`: the radio on this computer is to send it."""
    late = now_s - request.time_s > texts.REQUEST_LIFE_S
    state = fate.state if fate else LATE if late else WAITING
    if here:
        state = {WAITING: WAITING_HERE, texts.TAKEN: TAKEN_HERE}.get(state, state)
    reason = plain(fate.reason) if fate else ""
    return Line(request.time_s, plain(request.console), plain(request.text), True, False, state, reason)
