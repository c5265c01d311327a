"""What a node tells of itself when it is its turn or when it is asked: payloads, made and not kept."""

from baken.compat import const
from baken.mesh.nodedb import VIA_MQTT
from baken.wire import protobuf
from baken.wire.messages import NEIGHBOR_INFO, POSITION, TELEMETRY

TYPE_CHECKING = const(False)
if TYPE_CHECKING:
    from baken.mesh.config import Place
    from baken.mesh.node import MeshNode

MAX_NEIGHBORS = const(10)
_NEIGHBOR_FOR_S = const(7200)
_EXACT_BITS = const(32)
_LOC_MANUAL = const(1)
_EXTERNAL_POWER = const(101)


def truncated(coordinate: int, bits: int) -> int:
    """The middle of the cell that a coordinate lies in when only its highest `bits` (1 to 32) are told."""
    if bits >= _EXACT_BITS:
        return coordinate
    return (coordinate & -(1 << (_EXACT_BITS - bits))) + (1 << (_EXACT_BITS - 1 - bits))


def position(place: "Place", precision: int, unix_s: "int | None") -> bytes:
    """Position of a fixed node, as exact as a channel allows (1 to 32 bits); its height only at 32."""
    values = {
        "latitude_i": truncated(place.latitude_i, precision),
        "longitude_i": truncated(place.longitude_i, precision),
        "location_source": _LOC_MANUAL,
        "precision_bits": precision,
    }
    if precision >= _EXACT_BITS and place.altitude_m:
        values["altitude"] = place.altitude_m
    if unix_s is not None:
        values["time"] = unix_s & 0xFFFFFFFF
    return protobuf.encode(POSITION, values)


def telemetry(node: "MeshNode", now: int, asked: "bytes | None" = None) -> "bytes | None":
    """Telemetry with our DeviceMetrics, or LocalStats where the request asks for those.

    None where the request asks for a sensor that is not here; RemoteProtocolError where it is none.
    """
    question = protobuf.decode(TELEMETRY, asked) if asked else {}
    variant = {}
    if "local_stats" in question:
        variant["local_stats"] = _local_stats(node, now)
    elif "device_metrics" in question or not [name for name in question if name != "time"]:
        variant["device_metrics"] = device_metrics(node, now)
    else:
        return None
    if node.presence.unix_s is not None:
        variant["time"] = node.presence.unix_s & 0xFFFFFFFF
    return protobuf.encode(TELEMETRY, variant)


def device_metrics(node: "MeshNode", now: int) -> dict:
    """DeviceMetrics; battery and voltage only where the owner knows them."""
    metrics = {
        "channel_utilization": float(node.utilisation.percent(now)),
        "air_util_tx": node.budget.utilisation(now),
        "uptime_seconds": now // 1000 & 0xFFFFFFFF,
    }
    battery = node.presence.battery_percent
    if battery is not None:
        metrics["battery_level"] = max(0, min(_EXTERNAL_POWER, battery))
    if node.presence.voltage is not None:
        metrics["voltage"] = float(node.presence.voltage)
    return metrics


def _local_stats(node: "MeshNode", now: int) -> dict:
    count = node.counters.get
    heard = count("received", 0) + count("undecryptable", 0) + count("duplicate", 0)
    return {
        "uptime_seconds": now // 1000 & 0xFFFFFFFF,
        "channel_utilization": float(node.utilisation.percent(now)),
        "air_util_tx": node.budget.utilisation(now),
        "num_packets_tx": count("sent", 0) + count("relayed", 0),
        "num_packets_rx": heard,
        "num_packets_rx_bad": count("packet-size", 0) + count("packet-from", 0),
        "num_online_nodes": node.nodes.online(now) + 1,
        "num_total_nodes": len(node.nodes) + 1,
        "num_rx_dupe": count("duplicate", 0),
        "num_tx_relay": count("relayed", 0),
        "num_tx_relay_canceled": count("relay-cancelled", 0),
        "num_tx_dropped": count("queue-full", 0) + count("duty-cycle", 0),
    }


def neighbor_info(node: "MeshNode", now: int) -> bytes:
    """NeighborInfo: the nodes that were heard without a relay within two hours, the latest ten."""
    oldest_s = now // 1000 - _NEIGHBOR_FOR_S
    latest = []  # (heard_s, num, snr_db), so that sorting is by time
    for known in node.nodes:
        if known.hops_away == 0 and known.heard_s >= oldest_s and not known.marks & VIA_MQTT:
            latest.append((known.heard_s, known.num, known.snr_db))
            latest.sort()
            if len(latest) > MAX_NEIGHBORS:
                latest.pop(0)
    own = node.config.node_num
    return protobuf.encode(
        NEIGHBOR_INFO,
        {
            "node_id": own,
            "last_sent_by_id": own,
            "node_broadcast_interval_secs": min(node.config.neighbor_info_s, 0xFFFFFFFF),
            "neighbors": [{"node_id": num, "snr": snr_db} for _, num, snr_db in reversed(latest)],
        },
    )
