"""The same frames through every codec, on whichever runtime runs this: what comes out must be the same
everywhere.

Frames are made from a seed by a generator of our own: a third are random bytes, a third true frames, a
third true frames that were damaged. Each is decoded, shown field by field and encoded again; one line
tells what happened:

    codec index CRC-32-of-the-outcome

`python differential.py` prints all lines; `python differential.py CODEC INDEX` prints that frame and its
whole outcome, to see where two runtimes part. `test_two_runtimes.py` compares. To add a codec, add a line
to CODECS.
"""

import struct
import sys

from baken.compat import crc32
from baken.crypto import signing
from baken.crypto.sha512 import sha512
from baken.crypto.signing import AuthorityKey
from baken.wire import (
    amendment,
    answer,
    bulletin,
    cap,
    channel,
    digest,
    direct,
    heartbeat,
    messages,
    messages_admin,
    messages_config,
    packet,
    phrases,
    protobuf,
    pulse,
    records,
    report,
    sealed,
    squeeze,
    status,
    stream,
    trust,
)
from baken.wire.errors import ProtocolError, RemoteProtocolError

SEED = 20270112
_TAG = b"\x07" * 8
_KEY = bytes(range(32))
_FIELD_PRIME = 2**255 - 19
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_SMALL_ORDER = (
    bytes(32),
    (1).to_bytes(32, "little"),
    (_FIELD_PRIME - 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
)
_X25519_SMALL_ORDER = (
    bytes(32),
    (1).to_bytes(32, "little"),
    (_FIELD_PRIME - 1).to_bytes(32, "little"),
    _FIELD_PRIME.to_bytes(32, "little"),
    (_FIELD_PRIME + 1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
)
_ROOT = AuthorityKey(b"\x01" * 32)
_MAX_DEPTH = 3


class Random:
    """Numbers that are the same on every runtime (a linear congruential generator; its high bits)."""

    def __init__(self, seed):
        self._state = seed & 0xFFFFFFFF

    def below(self, limit):
        """A number from 0 to limit - 1."""
        high = 0
        for _ in range(2):
            self._state = (self._state * 1664525 + 1013904223) & 0xFFFFFFFF
            high = high << 16 | self._state >> 16
        return high % limit

    def pick(self, items):
        return items[self.below(len(items))]

    def bytes(self, count):
        return bytes([self.below(256) for _ in range(count)])

    def text(self, limit):
        """Bytes as texts have them, sometimes cut inside a letter."""
        words = (
            b"water ",
            b"koken",
            "é€".encode(),
            b" ",
            b"\xf0\x9f\x9a\xb0",
            b"A27",
            b"\xed\xa0\x80",
            b"\xc0\x80",
        )
        out = b""
        for _ in range(self.below(40)):
            out += self.pick(words)
        return out[: self.below(limit + 1)]


def damage(random, frame):
    """The frame with one to three mishaps: bytes changed, lost, added, doubled, or the end cut off."""
    frame = bytearray(frame)
    for _ in range(1 + random.below(3)):
        at = random.below(len(frame) + 1)
        kind = random.below(6)
        if kind == 0:
            frame[at:] = b""
        elif kind == 1:
            frame[at : at + 1] = b""
        elif kind == 2:
            frame[at:at] = random.bytes(1 + random.below(4))
        elif kind == 3:
            frame[at:at] = frame[at : at + 8]
        elif at < len(frame):
            frame[at] = random.below(256) if kind == 4 else frame[at] ^ 1 << random.below(8)
    return bytes(frame)


def show(value):
    """A value written the same way on both runtimes, dicts and sets in order."""
    if value is None or value is True or value is False:
        return str(value)
    if isinstance(value, (int, str)):
        return str(value)
    if isinstance(value, float):
        return "nan" if value != value else "f" + struct.pack(">d", value).hex()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "x" + bytes(value).hex() if value else "x"  # MicroPython: b"".hex() is bytes
    if isinstance(value, (list, tuple)):
        return "[" + " ".join([show(item) for item in value]) + "]"
    if isinstance(value, (dict, trust.Points)):
        return "{" + " ".join(sorted([show(key) + ":" + show(item) for key, item in value.items()])) + "}"
    if isinstance(value, (set, frozenset)):
        return "<" + " ".join(sorted([show(item) for item in value])) + ">"
    fields = [name + "=" + show(getattr(value, name)) for name in sorted(value.__slots__) if name[0] != "_"]
    return value.__class__.__name__ + "(" + " ".join(fields) + ")"


def _sign(message):
    return sha512(message)


def _some_packet(random):
    return packet.encode(
        packet.Packet(
            random.pick((packet.BROADCAST, random.below(0x10000), random.below(0xFFFFFFFF))),
            1 + random.below(0xFFFFFFFE),
            random.below(0xFFFFFFFF),
            random.bytes(random.below(packet.MAX_PAYLOAD + 1)),
            random.below(8),
            random.below(8),
            random.below(256),
            bool(random.below(2)),
            bool(random.below(2)),
            random.below(256),
            random.below(256),
        )
    )


def _some_number(random, low, high):
    span = high - low + 1
    return random.pick((low, high, low + random.below(span), max(low, min(high, random.below(200)))))


def _some_scalar(random, kind):
    if kind == "bytes":
        return random.text(30) if random.below(2) else random.bytes(random.below(24))
    if kind == "float":
        return struct.unpack("<f", random.bytes(4))[0] if random.below(2) else random.below(1000) / 8
    if kind == "bool":
        return bool(random.below(2))
    if kind in ("int32", "sint32", "sfixed32", "enum"):
        return _some_number(random, -0x80000000, 0x7FFFFFFF)
    return _some_number(random, 0, 0xFFFFFFFFFFFFFFFF if kind == "uint64" else 0xFFFFFFFF)


def _some_values(random, table, depth):
    """Values for a protobuf table: any subset of its fields, of each oneof at most one member."""
    values = {}
    oneof_left = 1
    for field in protobuf.fields(table):
        kind = field[2].rstrip("?|[]")
        if random.below(3) == 0 or (kind == "message" and depth >= _MAX_DEPTH):
            continue
        if field[2].endswith("|"):
            if not oneof_left or random.below(2):
                continue
            oneof_left = 0
        items = []
        for _ in range(random.below(4) if field[2].endswith("[]") else 1):
            if kind == "message":
                items.append(_some_values(random, field[3], depth + 1))
            else:
                items.append(_some_scalar(random, kind))
        if field[2].endswith("[]"):
            values[field[1]] = items
        elif items:
            values[field[1]] = items[0]
    return values


def _message_codec(name, table, count):
    def sample(random):
        # NaN and values too large for a float are refused: then another draw.
        for _ in range(20):
            try:
                return protobuf.encode(table, _some_values(random, table, 0))
            except ProtocolError:
                continue
        return b""

    def decode(frame):
        return protobuf.decode(table, frame)

    def encode(values):
        return protobuf.encode(table, values)

    return (name, count, sample, decode, encode)


def _some_record_header(random):
    parts = 1 + random.below(records.MAX_PARTS)
    header = records.RecordHeader(
        1 + random.below(6), 1 + random.below(0xFFFF), 1 + random.below(0xFFFFFF), random.below(parts), parts
    )
    return records.encode_header(header) + random.bytes(random.below(160))


def _some_bulletin(random):
    sent_s = 1735689600 + 60 * random.below(1 << 24)
    areas = tuple([random.below(64) for _ in range(random.below(4))])
    references = tuple([(1 + random.below(9), 1 + random.below(0xFFFFFF)) for _ in range(random.below(3))])
    made = bulletin.Bulletin(
        1 + random.below(0xFFFF),
        1 + random.below(0xFFFFFF),
        sent_s,
        sent_s + 300 * (1 + random.below(4095)),
        random.text(400) or b"?",
        areas,
        references,
    )
    for name, words, _shift, _width in cap.FIELDS:
        setattr(made, name, random.pick(words))
    made.language = random.pick(cap.LANGUAGE)
    if made.encoding != b"utf-8":
        made.content = made.content[:60]  # is sent as it is, in one part
    return random.pick(bulletin.encode_parts(made, _TAG, _sign))


def _some_squeezed(random):
    return squeeze.squeeze(b"Het water " + random.text(40))


def _expand(data):
    return squeeze.expand(data, 100)


def _some_phrases(random):
    number = random.pick((3, 11, 53, 67))
    values = {
        3: (),
        11: (random.below(1441),),
        53: ((random.below(65536) - 32768, random.pick(phrases.UNITS)),),
        67: (random.bytes(1 + random.below(16)),),
    }
    return phrases.encode([(number, values[number])])


def _encode_bulletin(decoded):
    return b"".join(bulletin.encode_parts(decoded, _TAG, _sign))


def _some_status(random):
    seen = []
    for _ in range(random.below(status.MAX_SEEN + 1)):
        seen.append(
            status.Seen(
                random.below(65536), random.below(1 << 24), random.below(1 << 32), random.below(1 << 32)
            )
        )
    needs = tuple([need for need in status.NEEDS if not random.below(3)])
    time_s = 1735689600 + 60 * random.below(1 << 24)
    made = status.Status(
        1 + random.below(0xFFFF),
        1 + random.below(0xFFFFFF),
        time_s,
        random.pick(status.STATES),
        b"",
        tuple(seen),
        needs,
    )
    made.text = random.text(status.text_capacity(len(seen)))
    made.priority = random.pick(status.PRIORITIES)
    made.exercise = bool(random.below(2))
    made.people = random.below(65536)
    made.volunteers = random.below(256)
    made.power_hours = random.below(256)
    made.water_l = random.below(65536)
    made.battery_percent = random.below(256)
    return status.encode(made, _TAG, _sign)


def _encode_status(decoded):
    return status.encode(decoded, _TAG, _sign)


def _some_digest(random):
    held = {}
    for _ in range(random.below(5)):
        newest = 1 + random.below(0xFFFF)
        held[random.below(65536)] = set([max(1, newest - random.below(64)) for _ in range(random.below(12))])
    partial = {}
    for _ in range(random.below(4)):
        partial[(random.below(65536), random.below(1 << 24))] = random.below(256)
    beats = {authority: random.below(1 << 24) for authority in sorted(held)}
    return digest.encode_digest(digest.Digest(random.below(1 << 32), held, partial, beats))


def _some_tally(random):
    entries = []
    for _ in range(random.below(100)):
        entries.append((3 + random.below(4), 1 + random.below(0xFFFF), random.below(1 << 24)))
    return random.pick(digest.encode_tally(sorted(entries)))


def _some_pulses(random):
    entries = []
    point = 0
    for _ in range(random.below(6)):
        point += 1 + random.below(9000)
        if random.below(5) == 0:
            entries.append(pulse.Pulse(point, random.below(256), holds_none=bool(random.below(2))))
            continue
        steps = []
        for chain in range(pulse.CHAINS):
            has = random.below(3)
            if has == 2:
                steps.append(
                    (chain, 1 + random.below(pulse.LAST_STEP[chain]), random.bytes(pulse.VALUE_SIZE))
                )
            elif has:
                steps.append((chain, random.below(pulse.LAST_STEP[chain] + 1), b""))
        entries.append(pulse.Pulse(point, random.below(256), tuple(steps)))
    return pulse.encode(entries)


def _some_time(random):
    return 1735689600 + 60 * random.below(1 << 24)


def _some_seq(random):
    return 1 + random.below(1 << 20)


def _some_heartbeat(random):
    made = heartbeat.Heartbeat(1 + random.below(9), _some_seq(random), _some_time(random), _some_seq(random))
    return heartbeat.encode(made, _TAG, _sign)


def _encode_heartbeat(decoded):
    return heartbeat.encode(decoded, _TAG, _sign)


def _some_report(random):
    made = report.Report(1 + random.below(256), _some_seq(random), _some_time(random), 1 + random.below(9))
    made.exercise = random.below(2) == 1
    return sealed.encode_report(made, random.bytes(1 + random.below(report.MAX_TEXT)), _KEY, _TAG, _sign)


def _some_answer(random):
    time_s = _some_time(random)
    made = answer.Answer(1 + random.below(9), _some_seq(random), 1 + random.below(256), 1, time_s, time_s)
    made.ref = _some_seq(random)
    made.expires_s += 300 * (1 + random.below(4095))
    return sealed.encode_answer(made, random.bytes(random.below(answer.MAX_TEXT)), _KEY, _TAG, _sign)


def _open_letter(raw):
    decoded = report.decode(raw) if records.message_kind(raw) == records.REPORT else answer.decode(raw)
    return decoded, sealed.open_text(raw, _KEY)


def _seal_letter(opened):
    decoded, text = opened
    if decoded.__class__ is report.Report:
        return sealed.encode_report(decoded, text, _KEY, _TAG, _sign)
    return sealed.encode_answer(decoded, text, _KEY, _TAG, _sign)


def _some_amendment(random):
    action = 1 + random.below(4)
    number = 1 + random.below(0xFFFF)
    public, name = random.bytes(32), random.bytes(random.below(30))
    entry = None
    if action == amendment.SET_AUTHORITY:
        entry = trust.Authority(number, public, name, random.pick([0, _some_time(random)]))
    elif action == amendment.SET_POINT:
        area = random.pick([None, 3])
        entry = trust.Point(number, random.bytes(4), name, area, random.below(1 << 32), public)
    made = amendment.Amendment(_some_seq(random), action, number, entry)
    return amendment.encode(made, _TAG, _sign)


def _encode_amendment(decoded):
    return amendment.encode(decoded, _TAG, _sign)


def _encode_tally(decoded):
    return b"".join(digest.encode_tally(decoded.entries))


def _some_trust(random):
    """A list whose root signature is true for what it says, damaged or not: so that all of it is read."""
    areas = [(random.text(4), random.text(12)) for _ in range(random.below(4))]
    authorities = [
        trust.Authority(1 + random.below(99), random.bytes(32), random.text(20))
        for _ in range(random.below(3))
    ]
    points = []
    for _ in range(random.below(5)):
        area = random.below(len(areas)) if areas else None
        points.append(
            trust.Point(
                1 + random.below(99),
                random.text(5),
                random.text(20),
                area,
                random.below(1 << 32),
                random.bytes(32),
            )
        )
    made = trust.TrustList(random.below(1 << 32), _ROOT.public, random.text(12), areas, authorities, points)
    signed = []

    def sign(message):
        signed.append(message)
        return bytes(64)

    body = trust.encode(made, sign)[:-64]
    domain = signed[0][: len(signed[0]) - len(body)]
    if random.below(2):
        body = body[:40] + damage(random, body[40:])
    return body + _ROOT.sign(domain + body)


def _decode_trust(frame):
    return trust.decode(frame, _ROOT.public)


def _encode_trust(decoded):
    return trust.encode(decoded, _sign)


def _some_stream(random):
    out = b""
    for _ in range(random.below(6)):
        out += random.text(12) + random.pick((b"", b"\x94", b"\x94\x94", b"\n", b"\x94\xc3\xff\xff"))
        if random.below(3):
            out += stream.frame(random.bytes(random.below(40)))
    return out


def _decode_stream(data):
    """Fed whole and byte by byte, with the same result, which also a third cut must give."""
    results = []
    for size in (len(data) or 1, 1, 7):
        deframer = stream.Deframer(max_lines=8)
        payloads = []
        for at in range(0, len(data), size):
            payloads += deframer.receive(data[at : at + size])
        payloads += deframer.abandon_frame()
        results.append([payloads, deframer.take_lines(), deframer.bad_starts, deframer.lines_lost])
    if results[0] != results[1] or results[0] != results[2]:
        raise AssertionError("the cut of the bytes changes the result: " + show(results))
    return results[0]


def _encode_stream(decoded):
    return b"".join([stream.frame(payload) for payload in decoded[0]])


def _some_signature(random):
    """Public key, signature and message: a third are true, the others lie where verifiers may differ."""
    key = AuthorityKey(random.bytes(1) * 32)
    message = random.bytes(random.below(40))
    public, signature = key.public, key.sign(message)
    kind = random.below(9)
    if kind == 0:  # s + L: the same equation, not the smallest number
        s = int.from_bytes(signature[32:], "little") + _GROUP_ORDER
        signature = signature[:32] + s.to_bytes(32, "little")
    elif kind == 1:  # a key for which nearly everything verifies without strict checks
        public = random.pick(_SMALL_ORDER)
        signature = random.pick(_SMALL_ORDER) + bytes(32)
    elif kind == 2:  # a y that is not reduced
        public = (_FIELD_PRIME + random.below(19)).to_bytes(32, "little")
        signature = public + bytes(32)
    elif kind == 3:  # the other x
        public = public[:31] + bytes((public[31] ^ 0x80,))
    elif kind == 4:
        signature = random.pick(_SMALL_ORDER) + signature[32:]
    elif kind == 5:
        public = random.bytes(32)
    return public + signature + message


def _verify(frame):
    public, signature, message = frame[:32], frame[32:96], frame[96:]
    if not signing.verify(public, message, signature):
        raise RemoteProtocolError("signature is false", "signature")
    return [public, signature, message]


def _some_key(random):
    if random.below(3) == 0:
        return random.pick(_X25519_SMALL_ORDER)
    return random.bytes(random.pick((31, 32, 32, 32, 33)))


def _agree(frame):
    """The key a point shares with the owner of any 32 bytes."""
    return [direct.shared_key(b"\x05" * 32, frame)]


def _some_direct(random):
    return direct.seal(_KEY, 1, 2, random.below(1 << 32), random.bytes(1 + random.below(100)))


def _open_direct(payload):
    return [payload[-4:], direct.open(_KEY, 1, 2, payload)]


def _seal_direct(opened):
    return direct.seal(_KEY, 1, 2, int.from_bytes(opened[0], "little"), opened[1])


def _crypt(data):
    return [channel.crypt(_KEY, len(data), 0xFFFFFFFF - len(data), data)]


def _crypt_back(crypted):
    data = crypted[0]
    return channel.crypt(_KEY, len(data), 0xFFFFFFFF - len(data), data)


# (name, number of frames, a true frame, decode, encode)
CODECS = (
    ("packet", 400, _some_packet, packet.decode, packet.encode),
    _message_codec("data", messages.DATA, 400),
    _message_codec("mesh-packet", messages.MESH_PACKET, 300),
    _message_codec("user", messages.USER, 200),
    _message_codec("position", messages.POSITION, 200),
    _message_codec("routing", messages.ROUTING, 200),
    _message_codec("telemetry", messages.TELEMETRY, 300),
    _message_codec("neighbors", messages.NEIGHBOR_INFO, 200),
    _message_codec("to-radio", messages.TO_RADIO, 300),
    _message_codec("from-radio", messages.FROM_RADIO, 300),
    _message_codec("config", messages_config.CONFIG, 200),
    _message_codec("module-config", messages_config.MODULE_CONFIG, 200),
    _message_codec("admin", messages_admin.ADMIN_MESSAGE, 200),
    ("record-header", 200, _some_record_header, records.decode_header, records.encode_header),
    ("squeeze", 60, _some_squeezed, _expand, squeeze.squeeze),
    ("phrases", 200, _some_phrases, phrases.decode, phrases.encode),
    ("bulletin", 400, _some_bulletin, bulletin.decode_part, _encode_bulletin),
    ("status", 400, _some_status, status.decode, _encode_status),
    ("digest", 400, _some_digest, digest.decode_digest, digest.encode_digest),
    ("tally", 300, _some_tally, digest.decode_tally, _encode_tally),
    ("pulses", 400, _some_pulses, pulse.decode, pulse.encode),
    ("heartbeat", 200, _some_heartbeat, heartbeat.decode, _encode_heartbeat),
    ("report", 200, _some_report, _open_letter, _seal_letter),
    ("answer", 200, _some_answer, _open_letter, _seal_letter),
    ("amendment", 200, _some_amendment, amendment.decode, _encode_amendment),
    ("trust", 60, _some_trust, _decode_trust, _encode_trust),
    ("stream", 300, _some_stream, _decode_stream, _encode_stream),
    ("channel", 200, lambda random: random.bytes(random.below(240)), _crypt, _crypt_back),
    ("direct", 120, _some_direct, _open_direct, _seal_direct),
    ("agreement", 40, _some_key, _agree, b"".join),
    ("signature", 120, _some_signature, _verify, b"".join),
)


# Damage from outside would only ever make the signature false.
_DAMAGED_WHERE_MADE = ("trust", "signature", "agreement")


def frames(codec):
    """The frames for a codec, always the same ones."""
    random = Random(SEED + crc32(codec[0].encode()))
    for index in range(codec[1]):
        if codec[0] in _DAMAGED_WHERE_MADE or index % 3 == 2:
            yield codec[2](random)
        elif index % 3 == 1:
            yield damage(random, codec[2](random))
        else:
            yield random.bytes(random.below(90))


def outcome(codec, frame):
    """What a codec makes of a frame: why it is refused, or what it says and how that is encoded again."""
    try:
        decoded = codec[3](frame)
    except ProtocolError as error:
        return error.__class__.__name__ + " " + error.cause
    said = show(decoded) + " -> "
    try:
        return said + show(codec[4](decoded))
    except ProtocolError as error:
        return said + error.__class__.__name__ + " " + error.cause


def encode_again(codec, frame):
    """What a true frame becomes when it is decoded and encoded."""
    return codec[4](codec[3](frame))


def main(arguments):
    for codec in CODECS:
        if arguments and codec[0] != arguments[0]:
            continue
        for index, frame in enumerate(frames(codec)):
            if not arguments:
                print(codec[0], index, f"{crc32(outcome(codec, frame).encode()):08x}")
            elif index == int(arguments[1]):
                print(codec[0], index, frame.hex())
                print(outcome(codec, frame))


if __name__ == "__main__":
    main(sys.argv[1:])
