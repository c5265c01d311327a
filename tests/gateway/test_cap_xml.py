"""CAP 1.2 out and in: the structure that the standard asks for, nothing lost, nothing dangerous."""

import random
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from typing import Any

import pytest
from _region import NOON_S, authority_key, bulletin_parts, make_region

from baken.noticeboard.notice import Notice
from baken.wire import bulletin, cap, content
from baken.wire.records import decode_header
from baken_gateway import cap_xml
from baken_gateway.cap_xml import CapError, export, parse

# Order and number of elements by the standard's data dictionary (section 3.2): name, least, most (None: any).
STRUCTURE = {
    "alert": (
        *(("identifier", 1, 1), ("sender", 1, 1), ("sent", 1, 1), ("status", 1, 1), ("msgType", 1, 1)),
        *(("source", 0, 1), ("scope", 1, 1), ("restriction", 0, 1), ("addresses", 0, 1), ("code", 0, None)),
        *(("note", 0, 1), ("references", 0, 1), ("incidents", 0, 1), ("info", 0, None)),
    ),
    "info": (
        *(("language", 0, 1), ("category", 1, None), ("event", 1, 1), ("responseType", 0, None)),
        *(("urgency", 1, 1), ("severity", 1, 1), ("certainty", 1, 1), ("audience", 0, 1)),
        *(("eventCode", 0, None), ("effective", 0, 1), ("onset", 0, 1), ("expires", 0, 1)),
        *(("senderName", 0, 1), ("headline", 0, 1), ("description", 0, 1), ("instruction", 0, 1)),
        *(("web", 0, 1), ("contact", 0, 1), ("parameter", 0, None), ("resource", 0, None), ("area", 0, None)),
    ),
    "area": (
        *(("areaDesc", 1, 1), ("polygon", 0, None), ("circle", 0, None), ("geocode", 0, None)),
        *(("altitude", 0, 1), ("ceiling", 0, 1)),
    ),
    "parameter": (("valueName", 1, 1), ("value", 1, 1)),
    "geocode": (("valueName", 1, 1), ("value", 1, 1)),
}
SPACE = "{urn:oasis:names:tc:emergency:cap:1.2}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("cap"))


def notice_of(region, parts):
    held = {decode_header(raw).record_id: raw for raw in parts}
    notice = Notice(parts[0], held.get, lambda: region.trust)
    for raw in parts:
        notice.add(bulletin.decode_part(raw))
    return notice


def check_structure(element, name="alert"):
    """The children of `element` are those of the standard, in its order and number."""
    assert element.tag == SPACE + name
    order = [entry[0] for entry in STRUCTURE[name]]
    tags = [child.tag.removeprefix(SPACE) for child in element]
    assert [order.index(tag) for tag in tags] == sorted(order.index(tag) for tag in tags), tags
    for tag, least, most in STRUCTURE[name]:
        assert least <= tags.count(tag) and (most is None or tags.count(tag) <= most), (name, tag)
    for child in element:
        tag = child.tag.removeprefix(SPACE)
        if tag in STRUCTURE:
            check_structure(child, tag)
        else:
            assert len(child) == 0 and (child.text or "").strip()


def check_message(xml):
    root = ElementTree.fromstring(xml)
    check_structure(root)
    text = {child.tag.removeprefix(SPACE): child.text or "" for child in root}
    for name in ("identifier", "sender"):
        assert not re.search(r"[\s,<&]", text[name])
    assert re.fullmatch(TIME, text["sent"])
    assert ("restriction" in text) == (text["scope"] == "Restricted")
    assert ("addresses" in text) == (text["scope"] == "Private")
    for reference in text.get("references", "").split():
        sender, identifier, sent = reference.split(",")
        assert sender and identifier and re.fullmatch(TIME, sent)
    return root


def test_a_message_has_the_structure_of_the_standard(region):
    xml = export(notice_of(region, bulletin_parts(region, 1)), region, {})
    root = check_message(xml)
    assert root.findtext(f"{SPACE}identifier") == f"baken.{region.id}.1.1"
    assert root.findtext(f"{SPACE}info/{SPACE}headline") == "Blijf thuis."


def test_the_checker_sees_what_is_out_of_order(region):
    xml = export(notice_of(region, bulletin_parts(region, 1)), region, {}).decode()
    for wrong in (
        xml.replace("<scope>Public</scope>", ""),
        xml.replace("<info>", "<info><area><areaDesc>x</areaDesc></area>"),
        xml.replace("<status>", "<status>Actual</status><status>"),
    ):
        with pytest.raises(AssertionError):
            check_message(wrong.encode())


def test_nothing_that_a_bulletin_carries_is_lost(region):
    rand = random.Random(4)
    words = {name: values for name, values, _shift, _width in cap.FIELDS if name != "encoding"}
    for seq in range(1, 60):
        chosen: dict[str, Any] = {name: rand.choice(values) for name, values in words.items()}
        areas = tuple(sorted(rand.sample(range(len(region.areas)), rand.randrange(len(region.areas) + 1))))
        references = tuple((1, 1000 + n) for n in range(rand.randrange(3)))
        text = rand.choice(
            ("Kort & <goed>.", "Zin een. Zin twee! " * 20 + "Eind.", "Кип'ятіть воду.", "а" * 170)
        )
        parts = bulletin_parts(
            region,
            seq,
            text,
            areas=areas,
            references=references,
            language=rand.choice(cap.LANGUAGE),
            valid_s=300 * rand.randrange(1, 4095),
            **chosen,
        )
        notice = notice_of(region, parts)
        xml = export(notice, region, {key: NOON_S - 60 for key in references if key[1] % 2})
        check_message(xml)
        alert = parse(xml, region)
        assert alert.lost == ()
        for name in words:
            assert getattr(alert, name) == chosen[name].decode(), name
        assert alert.areas == tuple(region.areas[index].code for index in areas)
        assert sorted(alert.references) == sorted(references)
        assert (alert.sent_s, alert.expires_s) == (notice.meta.sent_s, notice.meta.expires_s)
        assert alert.text.encode() == notice.text and alert.language == notice.meta.language.decode()
        assert alert.sender_name == region.authority(1).name


def test_an_update_for_part_of_an_area_keeps_that_area_and_what_it_names(region):
    parts = bulletin_parts(
        region, 9, "Weer stroom.", areas=(0,), references=((1, 4),), msg_type=b"Update", status=b"Exercise"
    )
    alert = parse(export(notice_of(region, parts), region, {(1, 4): NOON_S - 3600}), region)
    assert (alert.msg_type, alert.status, alert.references) == ("Update", "Exercise", ((1, 4),))
    assert alert.areas == (region.areas[0].code,)


def test_phrases_go_out_in_every_language_and_come_back_as_phrases(region):
    made = bulletin.Bulletin(1, 3, NOON_S, NOON_S + 3600, b"-", (0,))
    made.say([(36, (0, (3, b"min"))), (11, (600,))])
    raw = bulletin.encode_parts(made, region.trust.tag, authority_key(region).sign)
    xml = export(notice_of(region, raw), region, {})
    root = check_message(xml)
    assert [one.findtext(f"{SPACE}language") for one in root.findall(f"{SPACE}info")] == [
        *("nl", "en", "ar", "tr", "pl", "uk")
    ]
    alert = parse(xml, region)
    assert alert.phrases == made.content and alert.lost == ()
    assert alert.text.encode() == content.unpack(content.PHRASE, made.content, b"nl", region.trust)
    with pytest.raises(CapError, match="baken:phrases"):
        parse(xml.replace(made.content.hex().encode(), b"24"), region)


def test_a_bulletin_with_a_part_missing_is_not_exported(region):
    parts = bulletin_parts(region, 5, "їх. " * 60)
    with pytest.raises(CapError, match=f"misses 1 of {len(parts)} parts"):
        export(notice_of(region, parts[1:]), region, {})


FOREIGN = """<?xml version="1.0" encoding="utf-8"?>
<cap:alert xmlns:cap="urn:oasis:names:tc:emergency:cap:1.2">
  <cap:identifier>X-1</cap:identifier><cap:sender>weer@example</cap:sender>
  <cap:sent>2027-01-12T10:00:00-00:00</cap:sent><cap:status>Actual</cap:status>
  <cap:msgType>Update</cap:msgType><cap:scope>Public</cap:scope><cap:code>P1</cap:code>
  <cap:references>weer@example,X-0,2027-01-12T09:00:00-00:00</cap:references>
  <cap:info><cap:language>en-GB</cap:language><cap:category>Met</cap:category><cap:event>Ice</cap:event>
    <cap:urgency>Future</cap:urgency><cap:severity>Severe</cap:severity><cap:certainty>Likely</cap:certainty>
    <cap:headline>Ice.</cap:headline><cap:area><cap:areaDesc>Nowhere</cap:areaDesc></cap:area></cap:info>
  <cap:info><cap:language>nl-NL</cap:language><cap:category>Met</cap:category><cap:category>Transport</cap:category>
    <cap:event>Gladheid</cap:event><cap:responseType>Prepare</cap:responseType><cap:responseType>Avoid</cap:responseType>
    <cap:urgency>Future</cap:urgency><cap:severity>Severe</cap:severity><cap:certainty>Likely</cap:certainty>
    <cap:expires>2027-01-12T16:02:00-00:00</cap:expires>
    <cap:headline>Gladheid</cap:headline><cap:description>IJzel  vannacht.</cap:description>
    <cap:instruction>Blijf thuis.</cap:instruction><cap:web>http://example/</cap:web>
    <cap:area><cap:areaDesc>AREA</cap:areaDesc><cap:polygon>1,1 2,2 3,3 1,1</cap:polygon></cap:area>
    <cap:area><cap:areaDesc>Nowhere</cap:areaDesc></cap:area></cap:info>
</cap:alert>"""


def test_a_message_made_elsewhere_is_understood_and_what_is_lost_is_named(region):
    alert = parse(FOREIGN.replace("AREA", region.areas[1].name).encode(), region)
    assert (alert.language, alert.category, alert.event, alert.response_type) == (
        "nl",
        "Met",
        "BERICHT",
        "Prepare",
    )
    assert alert.text == "Gladheid IJzel vannacht. Blijf thuis."
    assert alert.areas == (region.areas[1].code,) and alert.references == ()
    assert alert.sent_s == NOON_S - 3600
    told = " | ".join(alert.lost)
    for word in (
        "en-GB",
        "code",
        "web",
        "polygon",
        "Transport",
        "Avoid",
        "Gladheid",
        "X-0",
        "Nowhere",
        "five minutes",
    ):
        assert word in told, word


def test_without_a_known_area_none_is_guessed(region):
    assert parse(FOREIGN.encode(), region).areas is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (('encoding="utf-8"?>', 'encoding="utf-8"?><!DOCTYPE a [<!ENTITY b "c">]>'), "document type"),
        (("cap:1.2", "cap:1.1"), "not a CAP 1.2 alert"),
        (("<cap:status>Actual", "<cap:status>Real"), "Actual, Exercise"),
        (("<cap:msgType>Update</cap:msgType>", ""), "msgType"),
        (("<cap:sender>weer@example</cap:sender>", ""), "sender"),
        (("10:00:00-00:00", "10:00:00Z"), "sent is"),
        (("2027-01-12T10", "2027-13-12T10"), "sent is"),
        (("16:02:00-00:00", "16:02:00-99:00"), "expires is"),
        (("Severe</cap:severity>", "Bad</cap:severity>"), "severity is 'Bad'"),
        (("</cap:alert>", ""), "not XML"),
        (('encoding="utf-8"', 'encoding="klingon"'), "encoding|not XML"),
        (("<cap:code>P1</cap:code>", "<cap:x>" * 12 + "</cap:x>" * 12), "levels"),
        (("<cap:code>P1</cap:code>", "<cap:code/>" * 5000), "elements"),
        (("<cap:code>P1</cap:code>", "<cap:code>" + "x" * 300_000 + "</cap:code>"), "bytes, limit"),
    ],
)
def test_what_is_wrong_or_dangerous_is_refused_with_its_reason(region, change, why):
    assert change[0] in FOREIGN
    with pytest.raises(CapError, match=why):
        parse(FOREIGN.replace(*change).encode(), region)


def test_damaged_messages_are_refused_and_nothing_else(region):
    rand = random.Random(9)
    whole = export(notice_of(region, bulletin_parts(region, 1, areas=(0,))), region, {})
    refused = 0
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(rand.randrange(1, 4)):
            at = rand.randrange(len(damaged))
            damaged[at : at + rand.randrange(3)] = bytes(
                rand.randrange(256) for _ in range(rand.randrange(3))
            )
        try:
            assert isinstance(parse(bytes(damaged), region), cap_xml.Alert)
        except CapError:
            refused += 1
    assert refused > 500


def test_every_field_of_an_alert_is_told():
    assert {field.name for field in fields(cap_xml.Alert)} >= {"identifier", "areas", "phrases", "lost"}


def test_a_headline_ends_with_a_sentence_or_a_word():
    assert cap_xml.headline("Kort.") == "Kort."
    assert cap_xml.headline("Een zin van hier. " * 12) == "Een zin van hier. " * 7 + "Een zin van hier."
    assert cap_xml.headline("woord " * 40).endswith("woord…") and len(cap_xml.headline("x" * 400)) == 160
