"""Traceroute: a packet that collects the nodes on its way there and back, and how well each heard the last.

The payload is a RouteDiscovery. On the way there every relay that can read it appends its number to `route`
and its SNR to `snr_towards`, on the way back (an answer: request_id is set) to `route_back` and `snr_back`;
the ends append their SNR only. SNR is in quarters of a dB, -128 is unknown. Relays that could not read the
packet are filled in as node 0xFFFFFFFF, from the number of hops it has used. No list grows beyond eight.
"""

from baken.compat import const
from baken.mesh.events import hops_away
from baken.wire import protobuf
from baken.wire.channel import crypt
from baken.wire.errors import RemoteProtocolError
from baken.wire.messages import DATA, ROUTE_DISCOVERY
from baken.wire.packet import HEADER_SIZE, MAX_PAYLOAD

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.opening import Opened, Opener
    from baken.wire.packet import Packet

MAX_ROUTE = const(8)
UNKNOWN_NODE = 0xFFFFFFFF
UNKNOWN_SNR = const(-128)


def extend(packet: "Packet", data: dict, node_num: "int | None", snr_db: float) -> bytes:
    """The payload with what we know of the way: our SNR, and our number unless we are an end (None).

    RemoteProtocolError where the payload is no RouteDiscovery or has a list of more than eight.
    """
    route = protobuf.decode(ROUTE_DISCOVERY, data.get("payload", b""))
    for name in route:
        if len(route[name]) > MAX_ROUTE:
            raise RemoteProtocolError(
                f"{name} has {len(route[name])} entries, limit {MAX_ROUTE}", "bad-route"
            )
    names = ("route_back", "snr_back") if data.get("request_id") else ("route", "snr_towards")
    nodes, snrs = [list(route.get(name, ())) for name in names]
    used = hops_away(packet, data)
    while len(nodes) < min(used or 0, MAX_ROUTE):
        nodes.append(UNKNOWN_NODE)
    while len(snrs) < len(nodes):
        snrs.append(UNKNOWN_SNR)
    if len(snrs) < MAX_ROUTE:
        snrs.append(max(-127, min(127, int(snr_db * 4))))
    if node_num is not None and len(nodes) < MAX_ROUTE:
        nodes.append(node_num)
    route[names[0]] = nodes
    route[names[1]] = snrs
    return protobuf.encode(ROUTE_DISCOVERY, route)


def sign_in(
    packet: "Packet", frame: bytes, opened: "Opened", opener: "Opener", node_num: int, snr_db: float
) -> bytes:
    """The frame with us on its route; as it came where it cannot be read, is signed, or has no room."""
    data = opened.data
    secret = opener.secrets[opened.channel]
    if opened.pki or secret is None or data.get("xeddsa_signature"):
        return frame
    try:
        payload = extend(packet, data, node_num, snr_db)
    except RemoteProtocolError:
        return frame
    data = dict(data)
    data["payload"] = payload
    encoded = protobuf.encode(DATA, data)
    if len(encoded) > MAX_PAYLOAD:
        return frame
    return bytes(frame[:HEADER_SIZE]) + crypt(secret.key, packet.id, packet.sender, encoded)
