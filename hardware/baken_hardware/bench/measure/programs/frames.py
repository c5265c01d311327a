"""How fast a node deals with frames, and what they cost in memory; runs on MicroPython.

    micropython frames.py channel|opaque FRAMES ROUND WARM_UP

A stock-tuned node hears FRAMES frames from 500 senders in turn and relays them as a node would: each frame is
taken in and everything that follows from it is done before the next. Frames are made in rounds of ROUND
outside the timed part; the first WARM_UP frames are not timed. Prints, a line each:

    round <frames> <microseconds> <bytes allocated>
    heap <frames heard> <bytes in use after a collection>
    count <name> <value>
"""

import gc
import sys
import time

from baken.mesh.config import MeshConfig
from baken.mesh.events import Transmit
from baken.mesh.node import MeshNode
from baken.wire import messages, packet, protobuf
from baken.wire.channel import DEFAULT_KEY, channel_hash, crypt
from baken.wire.packet import BROADCAST, Packet, low_byte

SENDERS = 500
HEAP_EVERY = 2000
# Time between frames: a relay is on the air before the next one comes.
STEP_MS = 20000
HASH = channel_hash(b"LongFast", DEFAULT_KEY)
OPAQUE_HASH = HASH ^ 0x55

_state = [2463534242]


def rand(limit):
    """xorshift: the same frames in every run and on every runtime."""
    value = _state[0]
    value ^= value << 13 & 0xFFFFFFFF
    value ^= value >> 17
    value ^= value << 5 & 0xFFFFFFFF
    _state[0] = value
    return value % limit


def make_frame(number, opaque):
    """Frame `number`: a NodeInfo of each sender first, then texts, positions, telemetry and records."""
    sender = 0x10000 + 0x9E37 * (number % SENDERS)
    packet_id = number + 1
    kind = 0 if number < SENDERS else 1 + rand(9)
    if kind == 0:
        user = {
            "id": b"!%08x" % sender,
            "long_name": b"Sender %d" % (number % SENDERS),
            "short_name": b"S%03d" % (number % SENDERS),
            "hw_model": 43,
            "public_key": bytes([(number + index) & 0xFF for index in range(32)]),
        }
        portnum, payload = messages.NODEINFO_APP, protobuf.encode(messages.USER, user)
    elif kind <= 4:
        portnum, payload = messages.TEXT_MESSAGE_APP, b"abcdefgh " * (1 + rand(22))
    elif kind <= 6:
        position = {"latitude_i": 520000000 + rand(1000000), "longitude_i": 50000000 + rand(1000000)}
        portnum, payload = messages.POSITION_APP, protobuf.encode(messages.POSITION, position)
    elif kind <= 8:
        metrics = {"battery_level": rand(101), "uptime_seconds": rand(1000000)}
        telemetry = {"time": 1800000000 + number, "device_metrics": metrics}
        portnum, payload = messages.TELEMETRY_APP, protobuf.encode(messages.TELEMETRY, telemetry)
    else:
        portnum, payload = 256, bytes([rand(256) for _ in range(120)])
    data = protobuf.encode(messages.DATA, {"portnum": portnum, "payload": payload, "bitfield": 0})
    sealed = crypt(DEFAULT_KEY, packet_id, sender, data)
    hash_byte = OPAQUE_HASH if opaque else HASH
    header = Packet(
        BROADCAST, sender, packet_id, sealed, 2, 3, hash_byte, relay_node=low_byte(0x200 + number % 7)
    )
    return packet.encode(header)


def settle(node, now, end):
    """Do everything that is due until `end`; how many frames the node sent."""
    sent = 0
    while True:
        event = node.next_event(now)
        if event is None:
            due = node.deadline()
            if due is None or due >= end:
                return sent
            now = max(due, now + 1)
        elif isinstance(event, Transmit):
            now += event.airtime_ms
            node.transmitted(now)
            sent += 1


def main(kind, total, per_round, warm_up):
    config = MeshConfig(0x7F8933E0, b"Measured", b"MEAS", override_duty_cycle=True)
    node = MeshNode(config, rand)
    now = 1000
    number = sent = 0
    while number < total:
        frames = [make_frame(number + index, kind == "opaque") for index in range(per_round)]
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        started = time.ticks_us()
        for frame in frames:
            node.receive_frame(frame, -90, 5.0, now)
            sent += settle(node, now, now + STEP_MS)
            now += STEP_MS
        spent = time.ticks_diff(time.ticks_us(), started)
        allocated = gc.mem_alloc() - before
        gc.enable()
        number += per_round
        if number > warm_up:
            print("round", per_round, spent, allocated)
        if number % HEAP_EVERY == 0:
            frames = frame = None
            gc.collect()
            print("heap", number, gc.mem_alloc())
    print("count", "sent", sent)
    for name in sorted(node.counters):
        print("count", name, node.counters[name])


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
