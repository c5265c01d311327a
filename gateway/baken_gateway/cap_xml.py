"""Bulletins as CAP 1.2 messages (OASIS Common Alerting Protocol), out and in.

What a bulletin carries goes out and comes back without loss:

    identifier    baken.REGION.AUTHORITY.NUMBER, so references lead back to bulletins
    sender        authority-NUMBER@REGION; senderName is the authority's name
    headline      the text where it has at most 160 characters, otherwise its first sentences
    description   the whole text; a bulletin of phrases has an info for each language of the phrasebook
    area          one for each area with geocode baken:area; the whole region has geocode baken:region
    parameter     baken:phrases, the bytes of the phrases; baken:reference, a bulletin that is named but
                  cannot stand in references, because when it was sent is not known here

A message made elsewhere says more than a bulletin can: `Alert.lost` names everything that is left behind.
Messages come from outside: a document type is refused, so there are no entities to blow up, and size, depth
and number of elements are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from xml.parsers import expat
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from baken.noticeboard.notice import Notice
from baken.wire import bulletin, cap, content, phrases
from baken.wire.errors import RemoteProtocolError
from baken_gateway.region import Region

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MAX_BYTES = 262_144
MAX_DEPTH = 8
MAX_ELEMENTS = 4096
MAX_HEADLINE = 160

AREA_CODE = "baken:area"
REGION_CODE = "baken:region"
PHRASES = "baken:phrases"
REFERENCE = "baken:reference"
RESTRICTION = "Alleen voor medewerkers van noodsteunpunten. / Staff of support points only."
ADDRESSES = "noodsteunpunten"

BulletinKey = tuple[int, int]

# Characters that XML 1.0 cannot hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ONCE = ("identifier", "sender", "sent", "status", "msgType", "scope")
_CARRIED = {
    "alert": {*_ONCE, "restriction", "addresses", "references", "info"},
    "info": {
        *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "expires"),
        *("senderName", "headline", "description", "instruction", "parameter", "area"),
    },
    "area": {"areaDesc", "geocode"},
}


class CapError(Exception):
    """No CAP message that can become a bulletin, or no bulletin that can become one; says why."""


@dataclass(frozen=True)
class Alert:
    """A CAP message as far as a bulletin can say it.

    CAP words are text; `areas`: codes, empty = whole region, None = none of them is known here; `expires_s`
    None: the message has none; `phrases`: their bytes, or none; `lost`: what is left behind, a sentence each.
    """

    identifier: str
    sender: str
    sender_name: str
    sent_s: int
    expires_s: int | None
    status: str
    msg_type: str
    scope: str
    category: str
    event: str
    response_type: str
    urgency: str
    severity: str
    certainty: str
    language: str
    areas: tuple[str, ...] | None
    references: tuple[BulletinKey, ...]
    text: str
    phrases: bytes = b""
    lost: tuple[str, ...] = ()


@dataclass
class _Element:
    name: str
    children: list[_Element] = field(default_factory=list)
    text: str = ""

    def all(self, name: str) -> list[_Element]:
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> str:
        for child in self.children:
            if child.name == name:
                return child.text.strip()
        return ""


# --- out


def export(notice: Notice, region: Region, sent_of: Mapping[BulletinKey, int]) -> bytes:
    """The CAP message of a whole bulletin; `sent_of`: when the bulletins that it may name were sent, unix
    seconds. CapError when parts are missing.
    """
    meta, text = notice.meta, notice.text
    if text is None:
        raise CapError(f"bulletin {_key_text(notice.key)} misses {len(notice.missing)} of {meta.parts} parts")
    known = [key for key in meta.references if key in sent_of]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<alert xmlns="{NAMESPACE}">',
        *_tags(
            1,
            ("identifier", _identifier(region, notice.key)),
            ("sender", _sender(region, meta.origin)),
            ("sent", _time(meta.sent_s, region)),
            ("status", meta.status.decode()),
            ("msgType", meta.msg_type.decode()),
            ("scope", meta.scope.decode()),
        ),
    ]
    if meta.scope == b"Restricted":
        lines += _tags(1, ("restriction", RESTRICTION))
    if meta.scope == b"Private":
        lines += _tags(1, ("addresses", ADDRESSES))
    if known:
        named = [
            f"{_sender(region, key[0])},{_identifier(region, key)},{_time(sent_of[key], region)}"
            for key in known
        ]
        lines += _tags(1, ("references", " ".join(named)))
    parameters = [(REFERENCE, _key_text(key)) for key in meta.references if key not in sent_of]
    if meta.encoding == content.PHRASE:
        said = b"".join(bulletin.decode_part(notice.parts[index]).content for index in range(meta.parts))
        parameters.append((PHRASES, said.hex()))
        languages = phrases.LANGUAGES
    else:
        languages = (meta.language,)
    for language in languages:
        lines += _info(notice, region, language, parameters)
    lines.append("</alert>")
    return ("\n".join(lines) + "\n").encode()


def _info(notice: Notice, region: Region, language: bytes, parameters: list[tuple[str, str]]) -> list[str]:
    meta = notice.meta
    text = (notice.text_in(language) or b"").decode(errors="replace")
    authority = region.authority(meta.origin)
    lines = [
        "  <info>",
        *_tags(
            2,
            ("language", language.decode()),
            ("category", meta.category.decode()),
            ("event", meta.event.decode()),
            ("responseType", meta.response_type.decode()),
            ("urgency", meta.urgency.decode()),
            ("severity", meta.severity.decode()),
            ("certainty", meta.certainty.decode()),
            ("expires", _time(meta.expires_s, region)),
            ("senderName", authority.name if authority else f"authority {meta.origin}"),
            ("headline", headline(text)),
            ("description", text),
        ),
    ]
    for name, value in parameters:
        lines += ["    <parameter>", *_tags(3, ("valueName", name), ("value", value)), "    </parameter>"]
    places = [(_area_name(region, index), AREA_CODE, _area_code(region, index)) for index in meta.areas]
    for name, kind, code in places or [(region.name, REGION_CODE, region.id)]:
        lines += ["    <area>", *_tags(3, ("areaDesc", name)), "      <geocode>"]
        lines += [*_tags(4, ("valueName", kind), ("value", code)), "      </geocode>", "    </area>"]
    return [*lines, "  </info>"]


def headline(text: str) -> str:
    """`text` where it is short enough, otherwise as many whole sentences, or words, as fit."""
    if len(text) <= MAX_HEADLINE:
        return text
    head = text[: MAX_HEADLINE - 1]
    sentence = max(head.rfind(mark) for mark in (". ", "! ", "? "))
    if sentence > 0:
        return head[: sentence + 1]
    return head.rpartition(" ")[0] + "…" if " " in head else head + "…"


def _tags(depth: int, *pairs: tuple[str, str]) -> Iterator[str]:
    for name, value in pairs:
        yield f"{'  ' * depth}<{name}>{escape(_NOT_XML.sub(chr(0xFFFD), value))}</{name}>"


def _identifier(region: Region, key: BulletinKey) -> str:
    return f"baken.{region.id}.{key[0]}.{key[1]}"


def _sender(region: Region, origin: int) -> str:
    return f"authority-{origin}@{region.id}"


def _key_text(key: BulletinKey) -> str:
    return f"{key[0]}/{key[1]}"


def _time(unix_s: int, region: Region) -> str:
    return datetime.fromtimestamp(unix_s, ZoneInfo(region.timezone)).isoformat()


def _area_code(region: Region, index: int) -> str:
    return region.areas[index].code if index < len(region.areas) else f"?{index}"


def _area_name(region: Region, index: int) -> str:
    return region.areas[index].name if index < len(region.areas) else f"?{index}"


# --- in


def parse(xml: bytes, region: Region) -> Alert:
    """The message in `xml` for this region; CapError when it is none, or has words that CAP 1.2 lacks."""
    alert = _read(xml)
    lost: list[str] = []
    for name in _ONCE:
        if len(alert.all(name)) != 1 or not alert.first(name):
            raise CapError(f"alert has {len(alert.all(name))} elements {name}, exactly one is needed")
    infos = alert.all("info")
    if not infos:
        raise CapError("alert has no info: nothing to tell")
    info = next((one for one in infos if one.first("language").lower().startswith("nl")), infos[0])
    said = _parameter(info, PHRASES)
    for other in infos:
        if other is not info and not said:
            lost.append(f"info in {other.first('language') or 'en-US'}: a bulletin has one language")
    for element in (alert, info, *info.all("area")):
        for name in dict.fromkeys(child.name for child in element.children):
            if name not in _CARRIED[element.name]:
                lost.append(f"{name}: a bulletin has no place for it")
    for one in info.all("parameter"):
        if one.first("valueName") not in (PHRASES, REFERENCE):
            lost.append(f"parameter {one.first('valueName')!r}: a bulletin has no place for it")
    if alert.first("restriction") not in ("", RESTRICTION):
        lost.append(f"restriction {alert.first('restriction')!r}: staff see it, whoever was meant")
    if alert.first("addresses") not in ("", ADDRESSES):
        lost.append(f"addresses {alert.first('addresses')!r}: staff see it, whoever was meant")
    sent_s = _unix(alert.first("sent"), "sent")
    expires = info.first("expires")
    made = Alert(
        identifier=alert.first("identifier"),
        sender=alert.first("sender"),
        sender_name=info.first("senderName"),
        sent_s=sent_s,
        expires_s=_unix(expires, "expires") if expires else None,
        status=_word("status", cap.STATUS, alert.first("status")),
        msg_type=_word("msgType", cap.MSG_TYPE, alert.first("msgType")),
        scope=_word("scope", cap.SCOPE, alert.first("scope")),
        category=_one_of(info, "category", cap.CATEGORY, lost),
        event=_event(info.first("event"), lost),
        response_type=_one_of(info, "responseType", cap.RESPONSE_TYPE, lost) or "None",
        urgency=_word("urgency", cap.URGENCY, info.first("urgency")),
        severity=_word("severity", cap.SEVERITY, info.first("severity")),
        certainty=_word("certainty", cap.CERTAINTY, info.first("certainty")),
        language=_language(info.first("language"), lost),
        areas=_areas(info, region, lost),
        references=_references(alert, info, region, lost),
        text=_text(info),
        phrases=_phrases(said),
        lost=(),
    )
    if not made.category:
        raise CapError("info has no category")
    if made.expires_s is not None and (made.expires_s - made.sent_s) % bulletin.VALIDITY_UNIT_S:
        lost.append("expires: rounded down to units of five minutes")
    return _with_lost(made, lost)


def _with_lost(alert: Alert, lost: list[str]) -> Alert:
    return Alert(**{**vars(alert), "lost": tuple(dict.fromkeys(lost))})


def _read(xml: bytes) -> _Element:
    if len(xml) > MAX_BYTES:
        raise CapError(f"message is {len(xml)} bytes, limit {MAX_BYTES}")
    top = _Element("")
    stack = [top]
    count = 0

    def start(name: str, _attributes: Mapping[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MAX_ELEMENTS or len(stack) > MAX_DEPTH:
            raise CapError(f"message has over {MAX_ELEMENTS} elements or {MAX_DEPTH} levels")
        space, _, local = name.rpartition(" ")
        if len(stack) == 1 and (space, local) != (NAMESPACE, "alert"):
            raise CapError(f"root is {local!r} in {space!r}, not a CAP 1.2 alert")
        element = _Element(local if space == NAMESPACE else name)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_name: str) -> None:
        stack.pop()

    def characters(text: str) -> None:
        stack[-1].text += text

    def refuse(*_details: object) -> None:
        raise CapError("message has a document type or entities, which CAP does not need")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        raise CapError(f"message is not XML: {error}") from error
    except (LookupError, ValueError) as error:
        raise CapError(f"message is in an encoding that is not known: {error}") from error
    return top.children[0]


def _word(name: str, words: tuple[bytes, ...], value: str) -> str:
    if value.encode() not in words:
        allowed = ", ".join(word.decode() for word in words)
        raise CapError(f"{name} is {value!r}, CAP 1.2 allows: {allowed}")
    return value


def _one_of(info: _Element, name: str, words: tuple[bytes, ...], lost: list[str]) -> str:
    values = [_word(name, words, one.text.strip()) for one in info.all(name)]
    for value in values[1:]:
        lost.append(f"{name} {value}: a bulletin has one, {values[0]}")
    return values[0] if values else ""


def _event(value: str, lost: list[str]) -> str:
    if not value:
        raise CapError("info has no event")
    if value.upper().encode() in cap.EVENT:
        return value.upper()
    lost.append(f"event {value!r}: becomes BERICHT; choose a kind that fits")
    return "BERICHT"


def _language(value: str, lost: list[str]) -> str:
    code = (value or "en-US").lower().partition("-")[0]
    if code.encode() in cap.LANGUAGE:
        return code
    lost.append(f"language {value!r}: not one that nodes know, becomes en")
    return "en"


def _areas(info: _Element, region: Region, lost: list[str]) -> tuple[str, ...] | None:
    codes: list[str] = []
    whole = False
    by_name = {area.name.casefold(): area.code for area in region.areas}
    for area in info.all("area"):
        geocodes = [(one.first("valueName"), one.first("value")) for one in area.all("geocode")]
        known = [value for kind, value in geocodes if kind == AREA_CODE and _is_area(region, value)]
        name = area.first("areaDesc")
        if (REGION_CODE, region.id) in geocodes or name.casefold() == region.name.casefold():
            whole = True
        elif known:
            codes += known
        elif name.casefold() in by_name:
            codes.append(by_name[name.casefold()])
        else:
            lost.append(f"area {name!r}: not one of this region")
        for kind, value in geocodes:
            if kind not in (AREA_CODE, REGION_CODE):
                lost.append(f"geocode {kind} {value}: a bulletin has areas of the region only")
    if whole:
        return ()
    return tuple(dict.fromkeys(codes)) or None


def _is_area(region: Region, code: str) -> bool:
    return any(area.code == code for area in region.areas)


def _references(alert: _Element, info: _Element, region: Region, lost: list[str]) -> tuple[BulletinKey, ...]:
    keys: list[BulletinKey] = []
    for reference in alert.first("references").split():
        sender, _, rest = reference.partition(",")
        match = re.fullmatch(
            rf"baken\.{re.escape(region.id)}\.(\d{{1,5}})\.(\d{{1,8}})", rest.partition(",")[0]
        )
        if match and sender == _sender(region, int(match[1])):
            keys.append((int(match[1]), int(match[2])))
        else:
            lost.append(f"reference {reference}: no bulletin of this region")
    for one in info.all("parameter"):
        match = re.fullmatch(r"(\d{1,5})/(\d{1,8})", one.first("value"))
        if one.first("valueName") == REFERENCE and match:
            keys.append((int(match[1]), int(match[2])))
    return tuple(dict.fromkeys(keys))


def _text(info: _Element) -> str:
    """What is to be read: the headline unless the description begins with it, description, instruction."""
    pieces: list[str] = []
    head, description = info.first("headline"), info.first("description")
    if not description.startswith(head.rstrip("…")):
        pieces.append(head)
    pieces += [description, info.first("instruction")]
    text = " ".join(" ".join(pieces).split())
    if not text:
        raise CapError("info has neither headline, description nor instruction")
    return text


def _parameter(info: _Element, name: str) -> str:
    for one in info.all("parameter"):
        if one.first("valueName") == name:
            return one.first("value")
    return ""


def _phrases(said: str) -> bytes:
    try:
        data = bytes.fromhex(said)
        if data:
            phrases.decode(data)
    except (ValueError, RemoteProtocolError) as error:
        raise CapError(f"{PHRASES} is {said!r}: {error}") from error
    return data


def _unix(value: str, name: str) -> int:
    # CAP 1.2 asks for a numeric offset and writes UTC as -00:00.
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-])(\d\d):(\d\d)", value)
    if match is None:
        raise CapError(f"{name} is {value!r}, CAP 1.2 writes 2027-01-12T07:15:00+01:00")
    offset = timedelta(hours=int(match[3]), minutes=int(match[4]))
    try:
        zone = timezone(-offset if match[2] == "-" else offset)
        return int(datetime.fromisoformat(match[1]).replace(tzinfo=zone).timestamp())
    except (ValueError, OverflowError) as error:
        raise CapError(f"{name} is {value!r}: {error}") from error
