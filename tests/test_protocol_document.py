"""docs/protocol.md says what the code does: its hex, tables and files are read out of it and held against it.

A block whose fence names it (```hex bulletin) is data: each line is a group of bytes, two spaces, the field's
name and what it means here.
"""

import ast
import csv
import functools
import hashlib
import importlib
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import pytest
import upy_process
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from meshtastic.protobuf import mesh_pb2

from baken.crypto import ed25519
from baken.crypto.signing import AuthorityKey, PointKey
from baken.device import flash, settings
from baken.device.flash import FlashStore, read_log
from baken.mesh import inbox, nodedb, nodedump
from baken.noticeboard import (
    board,
    events,
    gossip,
    keyring,
    letters,
    link,
    lonely,
    outbox,
    registers,
    replica,
    trickle,
    waits,
)
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken.wire import (
    amendment,
    answer,
    bulletin,
    cap,
    content,
    digest,
    heartbeat,
    messages,
    packet,
    phrases,
    phrases_nl,
    protobuf,
    pulse,
    records,
    report,
    sealed,
    squeeze,
    squeeze_model,
    status,
    stream,
    trust,
)
from baken.wire.channel import channel_hash, crypt, expand_key
from baken.wire.errors import RemoteProtocolError
from baken.wire.modem import preset_named
from baken.wire.records import REPORT, STATUS
from baken_gateway import bridge, text_desk, texts, topics, views
from baken_gateway.clock import ExerciseClock, SystemClock
from baken_gateway.mqtt_link import BrokerAddress
from baken_gateway.region import Region, load_key, load_region
from baken_gateway.service import Gateway
from baken_gateway.store import open_gateway_store

_DOCUMENT = (upy_process.ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(\w+) ([a-z-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_GROUP = re.compile(r"((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  +(\S.*))?")


# --- reading the document


def _blocks(kind: str) -> dict[str, str]:
    found = [(name, text) for language, name, text in _FENCE.findall(_DOCUMENT) if language == kind]
    assert len(dict(found)) == len(found), "two blocks have one name"
    return dict(found)


@functools.cache
def _groups(name: str) -> list[tuple[str, bytes]]:
    """(field, bytes) of a hex block; a line without a field continues the one above."""
    groups: list[tuple[str, bytes]] = []
    for line in _blocks("hex")[name].splitlines():
        match = _GROUP.fullmatch(line)
        assert match, f"{name}: not a group of bytes: {line!r}"
        data = bytes.fromhex(match[1])
        if match[2] is None:
            groups[-1] = (groups[-1][0], groups[-1][1] + data)
        else:
            groups.append((match[2].partition(":")[0], data))
    return groups


def _hex(name: str) -> bytes:
    return b"".join(data for _, data in _groups(name))


def _table(heading: str, first_column: str) -> list[list[str]]:
    """Rows of the first table below the heading (or bold word) whose first column has that name."""
    start = _DOCUMENT.index(f"\n{heading}")
    start = _DOCUMENT.index(f"\n| {first_column} |", start) + 1
    lines = _DOCUMENT[start : _DOCUMENT.index("\n\n", start)].splitlines()
    return [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines[2:]]


def _codes(text: str) -> list[bytes]:
    """The words of "0 Actual, 1 Exercise", whose numbers must be their positions."""
    words = [entry.split(" ") for entry in text.split(", ")]
    assert [int(number) for number, _ in words] == list(range(len(words))), text
    return [word.encode() for _, word in words]


def _key_table() -> dict[str, list[str]]:
    return {row[0]: [cell.strip("` ") for cell in row[1:]] for row in _table("## 1 ", "key")}


def _seed(name: str) -> bytes:
    byte = re.fullmatch(r"([0-9a-f]{2})` x 32", _key_table()[name][0])
    assert byte, name
    return bytes.fromhex(byte[1]) * 32


@functools.cache
def _trust() -> trust.TrustList:
    return trust.decode(_hex("trust"))


@pytest.fixture
def region(tmp_path: Path) -> Region:
    """The region folder that section 11 shows."""
    (tmp_path / "region.toml").write_text(_blocks("toml")["region"], encoding="utf-8")
    (tmp_path / "points.csv").write_text(_blocks("csv")["points"], encoding="utf-8")
    (tmp_path / "trust.bin").write_bytes(_hex("trust"))
    return load_region(tmp_path)


# --- names, keys, bounds


def test_the_public_keys_follow_from_the_seeds():
    keys = _key_table()
    point = PointKey(_seed("point 6, X25519"))
    assert keys["root"][1] == AuthorityKey(_seed("root")).public.hex()
    assert keys["authority 1"][1] == AuthorityKey(_seed("authority 1")).public.hex()
    assert keys["point 6, X25519"][1] == point.public.hex()
    assert keys["point 6, Edwards form"][1] == point.signing_public.hex()


def test_the_prefix_of_signed_records_is_domain_and_region_tag():
    (_, domain), (_, tag) = _groups("signed-prefix")
    assert tag == records.region_tag(AuthorityKey(_seed("root")).public) == _trust().tag
    assert domain + tag + b"body" == records.signed_bytes(b"body" + bytes(64), tag)
    assert f"domain `{domain.decode()}`" in _DOCUMENT


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("bulletin", "authority 1"),
        ("status", "point 6, Edwards form"),
        ("heartbeat", "authority 1"),
        ("report", "point 6, Edwards form"),
        ("answer", "authority 1"),
        ("amendment", "root"),
    ],
)
def test_the_signatures_verify_with_a_library_that_is_not_ours(name, origin):
    raw = _hex(name)
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(_key_table()[origin][1]))
    public.verify(raw[-64:], _hex("signed-prefix") + raw[:-64])


def test_the_signature_of_the_trust_list_verifies_with_a_library_that_is_not_ours():
    raw = _hex("trust")
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(_key_table()["root"][1]))
    public.verify(raw[-64:], b"baken-trust-1" + raw[:-64])
    assert "domain `baken-trust-1`" in _DOCUMENT


def test_the_kinds_are_those_of_the_code():
    rows = _table("## 2 ", "kind")
    assert {
        int(number): name.lower() for number, name, what in rows if "gossip" not in what and name != "DRAFT"
    } == (records.KIND_NAMES)
    assert all(getattr(records, name) == int(number) for number, name, _ in rows)
    taken = {int(number) for number, _, what in rows if what.startswith("record:")}
    assert taken == set(records.KIND_NAMES)


def test_who_signs_a_kind_is_as_the_document_says():
    said = _flat()
    assert "an authority for 1, 2, 5 and 11, a point for 3, 4, 12 and 13, root (origin `ffff`)" in said
    assert sorted(records.AUTHORITY_KINDS) == [1, 2, 5, 11] and sorted(records.POINT_KINDS) == [
        3,
        4,
        12,
        13,
    ]
    assert sorted(records.ROOT_KINDS) == [6, 14, 15] and amendment.ROOT_ORIGIN == 0xFFFF


@pytest.mark.parametrize("row", _table("## 2 ", "bound"), ids=lambda row: row[0].strip("`"))
def test_a_bound_is_that_of_the_code(row):
    module, _, name = row[0].strip("`").rpartition(".")
    assert getattr(importlib.import_module(module), name) == int(row[1])


def test_minutes_count_from_the_time_that_the_document_names():
    (epoch,) = re.findall(r"2025-01-01 00:00 UTC \(unix (\d+)\)", _DOCUMENT)
    assert records.encode_minutes(int(epoch) + 119) == b"\x00\x00\x01"
    assert records.decode_minutes(b"\x00\x00\x00", 0) == int(epoch)


# --- code lists


def test_the_cap_word_has_the_fields_bits_and_codes_of_the_table():
    rows = _table("## 3 ", "field")
    assert [row[0] for row in rows] == [field[0] for field in cap.FIELDS]
    for (_, bits, codes), (_, words, shift, width) in zip(rows, cap.FIELDS, strict=True):
        high, low = (int(bit) for bit in bits.split("-"))
        assert (low, high - low + 1) == (shift, width)
        assert tuple(_codes(codes)) == words


def test_languages_states_priorities_and_needs_are_those_of_the_code():
    assert tuple(_codes(_table("## 3 ", "list")[0][1])) == cap.LANGUAGE
    lists = {name: tuple(_codes(codes)) for name, codes in _table("## 4 ", "list")}
    assert lists == {"state": status.STATES, "priority": status.PRIORITIES, "needs, by bit": status.NEEDS}


# --- examples


@pytest.mark.parametrize(
    ("example", "heading"),
    [
        ("bulletin", "## 3 "),
        ("status", "## 4 "),
        ("draft", "**DRAFT**"),
        ("heartbeat", "**HEARTBEAT**"),
        ("report", "**REPORT**"),
        ("emergency", "A point's node makes the record"),
        ("answer", "**ANSWER**"),
        ("amendment", "**TRUST**"),
        ("digest", "**DIGEST**"),
        ("tally", "**TALLY**"),
        ("tally-end", "**TALLY**"),
        ("trust", "**Trust list**"),
        ("nodes", "**Heard nodes**"),
    ],
)
def test_the_groups_of_an_example_follow_its_table(example, heading):
    rows = _table(heading, "offset")
    groups = _groups(example)
    sizes = {row[2]: row[1] for row in rows}
    assert [name for name, _ in groups] == [row[2] for row in rows]
    at = 0
    for (name, data), row in zip(groups, rows, strict=True):
        if sizes[name].isdigit():
            assert len(data) == int(sizes[name]), name
        if row[0].isdigit():
            assert at == int(row[0]), name
        at += len(data)


def test_the_bulletin_is_what_its_annotations_say():
    raw = _hex("bulletin")
    part = bulletin.decode_part(raw)
    said = _blocks("hex")["bulletin"]
    words = re.search(r"CAP word: (.*)", said)
    assert words and [getattr(part, field[0]).decode() for field in cap.FIELDS] == words[1].split()
    assert (part.origin, part.seq, part.part, part.parts) == (1, 5, 0, 1)
    assert (part.areas, part.references, part.language) == ((0,), ((1, 4),), b"nl")
    assert f"sent: {(part.sent_s - 1735689600) // 60} minutes = 2027-01-12T11:00Z" in said
    assert part.sent_s == 1799751600 and part.expires_s - part.sent_s == 72 * 300
    assert f"text: {part.text.decode()}" in said
    assert bulletin.encode_parts(part, _trust().tag, AuthorityKey(_seed("authority 1")).sign) == [raw]


def test_the_model_of_squeezed_texts_is_the_one_of_this_protocol():
    held = hashlib.sha256(squeeze_model.TREE + b"".join(squeeze_model.PAGES)).hexdigest()
    assert _blocks("text")["squeeze-model"].strip() == held, "another model needs another encoding"


def test_the_bounds_of_squeezed_texts_are_those_of_the_document():
    assert f"expands a part to at most {content.MAX_PIECE} bytes" in _flat()
    (squeezed,) = [data for field, data in _groups("bulletin") if field == "text"]
    assert squeeze.squeeze(b"Blijf binnen. Sluit ramen en deuren.") == squeezed
    assert bytes(squeeze.ALPHABET[36:55]) == b" .,:;?!-'()/%+\"&\xc3\xa9\xab"
    assert "`` .,:;?!-'()/%+\"&``" in _DOCUMENT


def test_the_phrases_are_those_of_the_document():
    rows = {row[0]: (row[1], row[2].partition(":")[0]) for row in _table("**Phrases.**", "type")}
    assert {kind: int(size) for kind, (size, _) in rows.items() if size != "1+n"} == phrases._SIZES
    (_, units), *_ = _table("**Phrases.**", "units")
    assert tuple(_codes(units)) == phrases.UNITS
    assert f"at most {phrases.MAX_SIZE} bytes together" in _flat()
    assert f"length n, 1 to {phrases.MAX_WORD}" in _flat()
    said = [(36, (0, (3, b"min"))), (11, (600,))]
    assert phrases.decode(_hex("phrases")) == said and phrases.encode(said) == _hex("phrases")


def test_the_book_of_phrases_is_listed_number_by_number():
    listed = (upy_process.ROOT / "docs" / "phrases.md").read_text(encoding="utf-8")
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in listed.splitlines() if line.startswith("| ")]
    wanted = [
        [str(number), " ".join(types) or "-", words]
        for number, (types, words) in enumerate(zip(phrases.TYPES, phrases_nl.PHRASES, strict=True))
    ]
    assert rows[1:] == wanted


def test_a_part_holds_as_much_text_as_the_document_says():
    assert bulletin.text_capacity((), ()) == 150
    assert bulletin.text_capacity((0,), ()) == 149
    assert bulletin.text_capacity((), ((1, 4),)) == 145
    assert "holds 150 bytes of text less one for each area and five for each reference" in _flat()


def test_the_status_is_what_its_annotations_say():
    raw = _hex("status")
    told = status.decode(raw)
    assert (told.origin, told.seq, told.time_s) == (6, 3, 1799751600 + 600)
    assert (told.state, told.priority, told.exercise) == (b"OPEN", b"I", True)
    assert (told.people, told.volunteers, told.power_hours, told.water_l) == (33, 4, 12, 60)
    assert (told.battery_percent, told.needs, told.text) == (87, (b"MED", b"WAT"), b"Zuurstof nodig.")
    assert told.anchors == tuple(
        pulse.chain_value(bytes((0x0B + chain,)) * 10, _trust().tag, 6, 3, chain, 0) for chain in range(3)
    )
    (seen,) = told.seen
    assert [seq for seq in range(9) if seen.has_received(seq)] == [1, 2, 4, 5]
    assert [seq for seq in range(9) if seen.has_read(seq)] == [1]
    assert status.encode(told, _trust().tag, PointKey(_seed("point 6, X25519")).sign) == raw


def test_the_draft_is_the_condition_of_the_status():
    told = status.decode(_hex("status"))
    assert status.encode_draft(told) == _hex("draft")
    assert status.decode_draft(_hex("draft")).text == told.text
    assert status.text_capacity(status.MAX_SEEN) == 94
    assert _table("**DRAFT**", "offset")[-1][3] == "at most 94 bytes"


def test_the_draft_of_a_report_is_what_its_annotations_say():
    assert report.decode_draft(_hex("emergency")) == (b"Twee gewonden bij trap 3.", b"F", True)
    assert report.encode_draft(b"Twee gewonden bij trap 3.", b"F", True) == _hex("emergency")
    assert _table("A point's node makes the record", "offset")[-1][3] == f"1 to {report.MAX_TEXT} bytes"


def test_the_heartbeat_is_what_its_annotations_say():
    beat = heartbeat.decode(_hex("heartbeat"))
    assert beat == heartbeat.Heartbeat(1, 9, 1799751600 + 1830, 5, 60)
    assert f"time: {beat.time_s - 1735689600} s = 2027-01-12T11:30:30Z" in _blocks("hex")["heartbeat"]
    assert heartbeat.encode(beat, _trust().tag, AuthorityKey(_seed("authority 1")).sign) == _hex("heartbeat")


def test_the_sealed_letters_are_what_their_annotations_say():
    public, key = re.findall(r"`([0-9a-f]{64})`", _DOCUMENT.partition("**Sealing.**")[2])[:2]
    seed = _seed("authority 1")
    assert ed25519.montgomery_public(AuthorityKey(seed).public).hex() == public
    tag = _trust().tag
    assert sealed.shared_key(_seed("point 6, X25519"), bytes.fromhex(public), tag).hex() == key
    point = PointKey(_seed("point 6, X25519"))
    assert sealed.shared_key(ed25519.montgomery_private(seed), point.public, tag).hex() == key
    shared = bytes.fromhex(key)
    for name, codec, sign in (
        ("report", report.decode, point.sign),
        ("answer", answer.decode, AuthorityKey(seed).sign),
    ):
        raw = _hex(name)
        text = sealed.open_text(raw, shared)
        assert f"sealed: {text.decode()}" in _blocks("hex")[name]
        encode = sealed.encode_report if name == "report" else sealed.encode_answer
        assert encode(codec(raw), text, shared, tag, sign) == raw
    said = report.decode(_hex("report"))
    assert (said.to, said.priority, said.exercise, said.time_s) == (1, b"F", True, 1799751600 + 1200)
    told = answer.decode(_hex("answer"))
    assert (told.point, told.ref, told.exercise, told.expires_s - told.time_s) == (6, 1, True, 24 * 300)


def test_the_amendment_is_what_its_annotations_say():
    change = amendment.decode(_hex("amendment"))
    assert change == amendment.Amendment(8, amendment.REVOKE_POINT, 7)
    names = {int(number): name for number, name, _ in _table("**TRUST**", "action")}
    assert {number: getattr(amendment, name) for number, name in names.items()} == {n: n for n in names}
    assert amendment.encode(change, _trust().tag, AuthorityKey(_seed("root")).sign) == _hex("amendment")


def test_the_digest_and_the_tally_are_what_their_annotations_say():
    entries = [(records.STATUS, 6, 3), (records.REPORT, 6, 1)]
    pages = [_hex("tally"), _hex("tally-end")]
    held = digest.decode_digest(_hex("digest"))
    assert digest.decode_tally(pages[0]) == digest.Tally(entries[:1], 0, 2)
    assert digest.decode_tally(pages[1]) == digest.Tally(entries, 1, 2)
    assert held == digest.Digest(digest.tally_crc(entries), {1: {5, 4, 2}}, {(1, 3): 0b11}, {1: 9})
    assert digest.encode_digest(held) == _hex("digest")
    assert digest.encode_tally(entries) == pages
    assert digest.encode_tally(entries, letters=False) == pages[:1]
    assert digest.encode_tally(entries, statuses=False) == pages[1:]
    assert digest.encode_tally([]) == [b"\x19\x00"]


def test_the_pulses_are_what_their_annotations_say():
    values = [
        pulse.chain_value(bytes((0x0B + chain,)) * 10, _trust().tag, 6, 3, chain, step)
        for chain, step in ((pulse.ALIVE, 4), (pulse.RECEIVED, 1))
    ]
    steps = ((pulse.ALIVE, 4, values[0]), (pulse.RECEIVED, 1, values[1]), (pulse.READ, 0, b""))
    entries = [pulse.Pulse(6, 3, steps), pulse.Pulse(7, 0, holds_none=True)]
    assert pulse.decode(_hex("pulses")) == entries and pulse.encode(entries) == _hex("pulses")
    # One step by hand.
    before = b"baken-pulse-1" + _trust().tag + bytes.fromhex("0006 000003 00 04") + values[0]
    after = pulse.forward(values[0], _trust().tag, 6, 3, pulse.ALIVE, 4, 3)
    assert hashlib.sha256(before).digest()[:10] == after


def test_the_chains_are_those_of_the_document():
    rows = _table("**PULSES**", "chain")
    names = {name: int(number) for number, name in (row[0].split(" ") for row in rows)}
    assert names == {"ALIVE": pulse.ALIVE, "RECEIVED": pulse.RECEIVED, "READ": pulse.READ}
    assert [row[2] for row in rows] == [f"1 to {last}" for last in pulse.LAST_STEP]
    assert f"i x {pulse.PERIOD_S} s after the time" in rows[0][1]


def test_the_trust_list_is_what_its_annotations_say():
    held = _trust()
    assert (held.serial, held.region, held.areas) == (7, b"Merenland", [(b"OV", b"Oosterveen")])
    assert held.authorities == {
        1: trust.Authority(1, AuthorityKey(_seed("authority 1")).public, b"VR Merenland")
    }
    assert held.points[6].public == PointKey(_seed("point 6, X25519")).public
    assert (held.points[6].code, held.points[6].area, held.points[6].name) == (b"OV06", 0, b"Kerk De Bron")
    assert trust.encode(held, AuthorityKey(_seed("root")).sign) == _hex("trust")


# --- air and cable


def _channel() -> tuple[bytes, bytes]:
    channel = json.loads(_blocks("json")["node"])["channel"]
    return channel["name"].encode(), expand_key(bytes.fromhex(channel["psk"]))


def test_the_data_message_has_the_fields_of_the_table_in_their_order():
    data = protobuf.decode(messages.DATA, _hex("data"))
    assert data == {"portnum": messages.PRIVATE_APP, "payload": _hex("digest"), "bitfield": 0}
    assert protobuf.encode(messages.DATA, data) == _hex("data")
    numbers = {field[1]: field[0] for field in messages.DATA}
    rows = _table("## 7 ", "field")
    assert [(row[0], int(row[1])) for row in rows] == [
        (name, numbers[name]) for name in ("portnum", "payload", "bitfield")
    ]
    theirs = mesh_pb2.Data.FromString(_hex("data"))
    assert (theirs.portnum, theirs.payload, theirs.HasField("bitfield")) == (256, _hex("digest"), True)


def test_the_frame_carries_the_data_message_on_the_regions_channel():
    name, key = _channel()
    frame = packet.decode(_hex("frame"))
    node_num = _trust().points[6].node_num
    assert (frame.to, frame.sender, frame.id) == (packet.BROADCAST, node_num, 0x0BADCAFE)
    assert (frame.hop_limit, frame.hop_start, frame.want_ack, frame.via_mqtt) == (0, 1, False, False)
    assert (frame.channel_hash, frame.next_hop) == (channel_hash(name, key), 0)
    assert frame.relay_node == packet.low_byte(node_num)
    assert crypt(key, frame.id, frame.sender, frame.payload) == _hex("data")
    assert packet.encode(frame) == _hex("frame")
    assert f"(node number `{node_num:08x}`)" in _flat()


def test_a_full_payload_fills_the_longest_frame():
    largest = {"portnum": messages.PRIVATE_APP, "payload": bytes(records.MAX_PAYLOAD), "bitfield": 0}
    assert packet.HEADER_SIZE + len(protobuf.encode(messages.DATA, largest)) == packet.MAX_FRAME


class _Heard:
    """What the mesh knows a packet by."""

    def __init__(self, hop_limit: int, hop_start: int) -> None:
        self.sender = 0x4D656401
        self.hop_limit = hop_limit
        self.hop_start = hop_start


def _gossip(flood_hops: int) -> Any:
    settings_ = gossip.GossipSettings(9600, 307200, 2, 2, flood_hops)
    return gossip.Gossip(Replica(_trust(), MemoryStore()), settings_, lambda size: size, lambda limit: 0, 0)


def _events(engine: Any, now: int) -> list:
    return list(iter(lambda: engine.next_event(now), None))


def test_hop_limit_and_hop_start_are_those_of_the_table():
    raw, hops = _hex("bulletin"), 3
    rows = {row[0].split(",")[0].split(" ")[0]: (row[1], row[2]) for row in _table("## 7 ", "what")}
    assert rows == {"new": ("F", "F"), "flood": ("F-1", "F"), "DIGEST": ("0", "1")}
    source = _gossip(hops)
    source.publish(raw, None, 0)
    (flood,) = [event for event in _events(source, 0) if isinstance(event, events.Send)]
    assert (flood.hop_limit, flood.hop_start, flood.flood) == (hops, hops, True)
    far = _gossip(hops)
    far.receive(raw, _Heard(0, hops), 10, None, 0)
    (refresh,) = [event for event in _events(far, 0) if isinstance(event, events.Refresh)]
    assert (refresh.hop_limit, refresh.hop_start) == (hops - 1, hops)
    served = _gossip(hops)
    served.receive(raw, _Heard(0, 1), 10, None, 0)
    assert not [event for event in _events(served, 0) if isinstance(event, events.Refresh | events.Send)]
    airtime = len(raw) + outbox.FRAME_OVERHEAD  # a millisecond a byte
    wait = airtime * 10 * (10 + 5) // 25  # of a relay, for a copy 10 dB above the limit
    assert served.deadline() == wait
    (again,) = [event for event in _events(served, wait) if isinstance(event, events.Send)]
    assert (again.payload, again.hop_limit, again.hop_start) == (raw, 0, 1)
    said = [event for event in _events(served, 9600) if isinstance(event, events.Send)]
    assert [(event.hop_limit, event.hop_start, event.record_id) for event in said] == [(0, 1, None)]


def test_the_trickle_times_are_those_of_the_node_program():
    """Asked of the node program itself, which runs on MicroPython only."""
    rows = _table("## 8 ", "preset")
    program = (
        "from baken.device.app import gossip_settings\nfrom baken.mesh.config import MeshConfig\n"
        "from baken.wire.modem import preset_named\n"
        f"for name in {[row[0] for row in rows]!r}:\n"
        "    for role in (0, 2):\n"
        "        config = MeshConfig(4, b'', b'', preset=preset_named(name).number, role=role)\n"
        "        g = gossip_settings(config); print(name, g.imin_ms, g.imax_ms, g.k, g.growth)\n"
    )
    done = upy_process.run(64, "-c", program)
    told = [line.split() for line in done.stdout.splitlines()]
    wanted = [[row[0], row[2], row[3], k, "2"] for row in rows for k in ("2", "0")]
    assert told == wanted, done.stdout
    for name, airtime_ms, imin_ms, imax_ms in rows:
        assert preset_named(name).modem.airtime_ms(43) == int(airtime_ms)
        assert (60 * int(airtime_ms), 2160 * int(airtime_ms)) == (int(imin_ms), int(imax_ms))


def _serving_wait(margin_db: int, others: int) -> int:
    """When the last of the records that a digest lacks is served, airtime a millisecond a byte, rand 0."""
    engine = _gossip(3)
    made = bulletin.decode_part(_hex("bulletin"))
    made.areas, made.references = (), ()
    key = AuthorityKey(_seed("authority 1"))
    raw = b""
    for seq in range(1, others + 2):
        made.seq = seq
        (raw,) = bulletin.encode_parts(made, _trust().tag, key.sign)
        engine.replica.receive_record(raw, None)
    engine.receive(digest.encode_digest(digest.Digest(0, {}, {})), _Heard(0, 1), margin_db, None, 0)
    times = sorted(engine._outbox._scheduled.values())
    assert len(times) == min(others + 1, outbox.SERVE_BATCH)
    planned = [engine.replica.get(record_id) for record_id in engine._outbox._scheduled]
    assert {engine._outbox.airtime(record) for record in planned} == {len(raw) + 24}
    return times[-1]


def test_the_wait_before_serving_is_that_of_the_formula():
    assert "wait = rand(3 A) + 8 A w / 20 + 6 A q / 5" in _DOCUMENT
    airtime = len(_hex("bulletin")) - 6 + 24  # without area and reference
    for margin_db, w in ((-3, 20), (0, 20), (5, 15), (20, 0), (40, 0)):
        for q in (0, 1, 3):
            assert _serving_wait(margin_db, q) == 8 * airtime * w // 20 + 6 * airtime * q // 5


def test_the_wait_before_a_relay_is_that_of_the_formula():
    assert "wait = d - rand(d / 2 + 1) + rand(A / 4 + 1)" in _flat()
    assert "d = A s (s + 5) / 25" in _flat()
    for margin_db, s in ((-3, 0), (0, 0), (1, 1), (7, 7), (15, 15), (40, 15)):
        assert waits.relay_wait(1000, margin_db, lambda limit: 0) == 1000 * s * (s + 5) // 25


def test_the_pauses_between_servings_double_up_to_imax():
    assert "waits Imin/4 x 2^n, at most Imax" in _flat()
    engine, raw = _gossip(3), _hex("bulletin")
    lacking = digest.encode_digest(digest.Digest(0, {}, {}))
    engine.replica.receive_record(raw, None)
    served, step = [], 300
    for now in range(0, 400 * 9600 // 4, step):
        engine.receive(lacking, _Heard(0, 1), 20, None, now)
        for event in _events(engine, now):
            if isinstance(event, events.Send) and event.record_id is not None:
                served.append(now)
    pauses = [later - earlier for earlier, later in zip(served, served[1:], strict=False)]
    wanted = [min(9600 // 4 << n, 307200) for n in range(len(pauses))]
    assert len(pauses) >= 8 and wanted[:8] == [2400, 4800, 9600, 19200, 38400, 76800, 153600, 307200]
    for pause, least in zip(pauses[:8], wanted[:8], strict=True):
        assert least <= pause <= least + 2 * step


def test_numbers_in_the_text_are_those_of_the_code():
    flat = _flat()
    for sentence in (
        f"plans up to {outbox.SERVE_BATCH} records for it",
        f"It goes to Imin/{trickle.HURRY} when a heard digest",
        f"if it has heard digests of {lonely.COMPANY} neighbours or more",
        f"Who has heard digests of fewer than {lonely.FEW} neighbours",
        f"At most {outbox.MAX_SCHEDULED} records are planned",
        f"every {link.PERIOD_MS // 1000} s, 0.2 s after",
        f"answered with up to {link.BATCH} records",
        f"{bridge.QUIET_MS} ms after the last message behind the echo",
        f"or {bridge.SYNC_LIMIT_MS // 1000} s after subscribing",
        f"at most {bridge.MAX_IN_FLIGHT} unacknowledged",
        f"after {bridge.PATIENCE_MS // 1000} s in any case",
        f"put back after {bridge.FIRST_HEAL_MS // 1000} s, doubling each time up to an hour",
        f"left alone for {bridge.VIEW_HEAL_MS // 60_000} minutes",
    ):
        assert sentence in flat
    assert bridge.LAST_HEAL_MS == 3_600_000


def _flat() -> str:
    return " ".join(_DOCUMENT.split())


def test_the_cable_example_is_a_packet_to_the_node_itself():
    payloads = stream.Deframer().receive(_hex("cable"))
    assert len(payloads) == 1 and stream.frame(payloads[0]) == _hex("cable")
    message = mesh_pb2.ToRadio.FromString(payloads[0])
    assert message.packet.to == _trust().points[6].node_num
    assert (message.packet.decoded.portnum, message.packet.decoded.payload) == (256, _hex("draft"))
    assert (message.packet.id, message.packet.want_ack) == (0x1001, True)
    ours = protobuf.decode(messages.TO_RADIO, payloads[0])
    assert ours["packet"]["decoded"]["payload"] == _hex("draft")


# --- refusals and MQTT


def test_every_cause_of_the_table_exists_in_the_core_and_none_is_missing():
    listed = {cause for row in _table("## 5 ", "cause") for cause in re.findall(r"`([a-z-]+)`", row[0])}
    raised = set()
    wire = (records, bulletin, status, cap, heartbeat, report, answer, amendment)
    for module in wire + (replica, board, letters, registers, keyring):
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RemoteProtocolError":
                cause = node.args[1]
                choices = [cause.body, cause.orelse] if isinstance(cause, ast.IfExp) else [cause]
                raised |= {choice.value for choice in choices if isinstance(choice, ast.Constant)}
    raised -= {"untrusted"}  # of a record on the own flash
    raised -= {"draft", "status-text", "report-text"}  # of a draft, which is no record
    assert listed == raised


def test_the_causes_of_refused_records_are_what_a_replica_counts():
    fresh = Replica(_trust(), MemoryStore())
    raw = _hex("bulletin")
    forged = raw[:-1] + bytes([raw[-1] ^ 1])
    stranger = records.seal(raw[:1] + b"\x00\x09" + raw[3:-64], _trust().tag, AuthorityKey(bytes(32)).sign)
    assert fresh.receive_record(raw[:70], None).cause == "record-short"
    assert fresh.receive_record(forged, None).cause == "bad-signature"
    assert fresh.receive_record(stranger, None).cause == "unknown-authority"
    assert fresh.receive_record(raw, 1799751600 + 15 * 86400).cause == "expired"
    assert fresh.receive_record(raw, None).cause == "expired", "a retired number stays retired"
    with pytest.raises(RemoteProtocolError):
        records.decode_header(b"\x01" + raw[1:])


def test_the_topics_are_those_of_the_code():
    prefix = re.search(r"below `(baken/v1/)<region id>/`", _flat())
    assert prefix and topics.prefix("merenland") == prefix[1] + "merenland/"
    examples = [row[1].strip("`") for row in _table("## 10 ", "example")]
    assert examples == [
        topics.of_record(_hex("bulletin")),
        topics.of_header(records.RecordHeader(records.BULLETIN, 1, 6, 1, 3)),
        topics.of_record(_hex("status")),
    ]
    assert topics.bulletin_view(1, 5) == "bulletin/1/5" and topics.status_view("OV06") == "status/OV06"
    listed = [name for row in _table("## 10 ", "topic") for name in re.findall(r"`([^`]+)`", row[0])]
    assert listed == [
        "record/<kind>/<origin>/<seq>",
        "record/<kind>/<origin>/<seq>.<part>",
        "pulse/<point number>",
        "bulletin/<authority>/<seq>",
        "status/<point code>",
        "gateway/<id>",
        "gateway/<id>/online",
        "console/<id>/online",
        "text/<sender>-<packet id>",
        "text-request/<gateway or any>/<id>",
        "text-fate/<id>",
        "gateway/<id>/echo",
        "console/<id>/echo",
    ]


def test_a_gateway_publishes_the_views_that_the_document_shows(region: Region):
    held = Replica(region.trust, MemoryStore())
    now_s = 1799751600 + 1200
    for name in ("bulletin", "status"):
        assert held.receive_record(_hex(name), now_s).state == replica.NEW
    bulletin_view = views.bulletin_view(region, held, held.notices[(1, 5)], now_s, {})
    shown = _blocks("json")
    assert views.encode(bulletin_view) == views.encode(json.loads(shown["bulletin-view"]))
    assert views.encode(views.status_view(region, held, held.statuses[6])) == views.encode(
        json.loads(shown["status-view"])
    )


def test_texts_requests_and_fates_are_what_the_document_shows(region: Region):
    shown = {name: json.loads(block) for name, block in _blocks("json").items()}
    payload = views.encode(shown["text-view"])
    text = texts.decode_text("12345678-00001267", payload)
    assert texts.encode_text(text, region) == payload and texts.key_of_topic(f"text/{text.key}") == text.key
    payload = views.encode(shown["text-request"])
    assert texts.encode_request(texts.decode_request(payload), region) == payload
    payload = views.encode(shown["text-fate"])
    assert texts.encode_fate(texts.decode_fate(payload), region) == payload
    assert (texts.CHANNEL_LIMIT, texts.DIRECT_LIMIT, texts.REQUEST_LIFE_S) == (232, 220, 3600)
    assert (texts.MAX_TEXTS, texts.MAX_FATES, texts.MAX_HEARD_BY) == (200, 200, 16)
    assert (text_desk.SETTLE_MS, text_desk.OUTCOME_MS, text_desk.GRACE_S) == (3000, 180_000, 300)
    assert text_desk.MAX_PUBLISHED == 3 and set(texts.STATES) <= set(re.findall(r"`(\w+)`", _flat()))


def test_a_gateway_tells_of_itself_what_the_document_shows(region: Region, tmp_path: Path):
    store, damage = open_gateway_store(tmp_path / "data" / "gateway.db", region, 0)
    try:
        assert not damage
        gateway = Gateway(region, store, "/dev/null", BrokerAddress("localhost", 1883), SystemClock(), "gw1")
        for name in ("bulletin", "status"):
            gateway.replica.receive_record(_hex(name), 1799751600 + 1200)
        gateway.session.open(0)
        gateway.session.receive(_client_start(region), None, 0)
        gateway.session.state = "ready"
        told = {"id": "gw1", **gateway.info()}
    finally:
        store.close()
    shown = json.loads(_blocks("json")["gateway-view"])
    assert list(told) == list(shown)
    told["version"] = shown["version"]
    assert told == shown
    assert gateway.joined.will.topic == "baken/v1/merenland/gateway/gw1/online"


def _client_start(region: Region) -> bytes:
    """What the node of point 6 says first to a client."""
    from baken.mesh.client_api import DeviceInfo

    firmware = DeviceInfo().firmware_version.decode()
    my_info = mesh_pb2.FromRadio(my_info=mesh_pb2.MyNodeInfo(my_node_num=region.points[0].node_num))
    metadata = mesh_pb2.FromRadio(metadata=mesh_pb2.DeviceMetadata(firmware_version=firmware))
    return stream.frame(my_info.SerializeToString()) + stream.frame(metadata.SerializeToString())


# --- files


def test_a_program_reads_the_region_folder_that_the_document_shows(region: Region):
    assert (region.id, region.name, region.timezone) == ("merenland", "Merenland", "Europe/Amsterdam")
    assert (region.channel.name, region.channel.preset, region.channel.hop_limit) == (
        "Baken",
        "MEDIUM_FAST",
        3,
    )
    assert region.point("OV06").node_num == int("4d656401", 16)


@pytest.mark.parametrize("column", ["antenna_m", "backup_power_h", "second_languages"])
def test_the_columns_that_may_be_left_out_may_be_left_out(column: str, region: Region):
    rows = list(csv.DictReader(io.StringIO(_blocks("csv")["points"])))
    kept = [name for name in rows[0] if name != column]
    with (region.folder / "points.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, kept, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    assert load_region(region.folder).point("OV06")
    assert f"`{column}`" in _flat()


def test_a_program_reads_the_key_file_that_the_document_shows(region: Region):
    path = region.folder / "authority-1.key"
    path.write_text(_blocks("toml")["key"], encoding="utf-8")
    path.chmod(0o600)
    held = load_key(path, region)
    assert (held.kind, held.number, held.private) == ("authority", 1, _seed("authority 1"))


def test_a_node_starts_from_the_flash_that_the_document_shows(tmp_path: Path):
    (tmp_path / "node.json").write_text(_blocks("json")["node"], encoding="utf-8")
    (tmp_path / "trust.bin").write_bytes(_hex("trust"))
    held = settings.load(str(tmp_path))
    assert (held.code, held.number, held.area, held.hop_limit) == (b"OV06", 6, 0, 3)
    assert (held.mesh.node_num, held.is_router, held.restricted) == (
        _trust().points[6].node_num,
        False,
        False,
    )
    assert held.key.public == _trust().points[6].public


def test_the_file_of_heard_nodes_is_what_its_annotations_say():
    nodes = nodedb.NodeDatabase()
    assert nodedump.load(nodes, io.BytesIO(_hex("nodes")).read, 100_000, None) == 0
    point = _trust().points[6]
    assert list(nodes) == [
        nodedb.Node(
            point.node_num,
            40,
            -7.25,
            0,
            0,
            {
                "long_name": point.name,
                "short_name": point.code,
                "hw_model": messages.HARDWARE_PRIVATE,
                "role": messages.ROLE_CLIENT,
                "public_key": point.public,
            },
            nodedb.FAVORITE,
        )
    ]
    assert b"".join(nodedump.dump(nodes, 100_000, 1799751600)) == _hex("nodes")
    marks = (
        (nodedb.FAVORITE, "favourite"),
        (nodedb.IGNORED, "ignored"),
        (nodedb.MUTED, "muted"),
        (nodedb.KEY_CONFLICT, "key conflict"),
        (nodedb.KEY_VERIFIED, "key verified"),
        (nodedb.SIGNS, "signs"),
        (nodedb.VIA_MQTT, "heard over the internet"),
    )
    (told,) = [row[3] for row in _table("**Heard nodes**", "offset") if row[2] == "marks"]
    assert told == ", ".join(f"{mark} {name}" for mark, name in marks)


def test_the_text_entry_is_what_its_annotations_say():
    entry = inbox.Message(
        0x4D656401, 4711, packet.BROADCAST, 1799751600, inbox.ROUGH_CLOCK, 0, b"OV06", b"Baken", b"Hallo"
    )
    assert inbox.encode(entry) == _hex("text-entry") and inbox.decode(_hex("text-entry")) == entry
    assert (inbox.MAX_MESSAGES, inbox.RESERVED) == (32, 16)
    assert (inbox.MAX_SHORT_NAME, inbox.MAX_CHANNEL_NAME, inbox.MAX_TEXT) == (4, 11, 237)
    flags = (inbox.ALERT, inbox.SEALED, inbox.TO_US, inbox.FROM_US, inbox.ROUGH_CLOCK)
    assert flags == (1, 2, 4, 8, 16)


def test_the_log_batch_is_what_a_node_writes(tmp_path: Path):
    store = FlashStore(str(tmp_path))
    raw = _hex("status")
    gone = ((STATUS, 6, 2, 0), (REPORT, 6, 1, 0))
    for kind, origin, seq, _part in gone:
        store.put(bytes((0x10 | kind, 0, origin, 0, 0, seq)) + raw[6:])
    store.save()
    size = (tmp_path / "log").stat().st_size
    for record_id in gone:
        store.remove(record_id)
    store.save()
    assert (tmp_path / "log").read_bytes()[size:] == _hex("log-batch")
    store.put(raw)
    store.save()
    batch = (tmp_path / "log").read_bytes()[size + len(_hex("log-batch")) :]
    assert batch[:5] == b"\xb7\x42" + (len(raw) + 1).to_bytes(2, "big") + bytes((len(raw),))
    assert batch[5:-4] == raw and read_log(str(tmp_path)) == {(STATUS, 6, 3, 0): raw}
    assert (flash.MAX_WAITING, flash.LEAST_LOG) == (16, 32768)


def test_the_exercise_clock_reads_as_annotated(tmp_path: Path):
    (tmp_path / "clock").write_bytes(_hex("clock"))
    assert ExerciseClock(tmp_path / "clock").unix_s() == 1799751600
    assert struct.unpack(">QQ", _hex("clock")) == (1799751600_000, 6000)
