"""`baken-gateway --check`: what is on the port, and whether it can serve the region."""

from __future__ import annotations

import asyncio
import random
import time

from meshtastic.protobuf import config_pb2, mesh_pb2

from baken.noticeboard.link import LinkSession
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import Replica
from baken_gateway.clock import SystemClock
from baken_gateway.radio_link import RadioTask
from baken_gateway.region import Region
from baken_gateway.session import BAKEN, PROBING, READY, STOCK, NodeSession
from baken_gateway.stock_radio import RegionChannel, StockRadio

OPEN_LIMIT_S = 3.0
LIMIT_S = 45.0  # a configuration of many nodes, and the patience with a Baken node

_DEVICES = {PROBING: "not known", BAKEN: "Baken node, keeps the records itself", STOCK: "stock radio"}


def check(region: Region, port: str) -> int:
    """Print it; 0 when the device can serve, 1 when not."""
    channel = RegionChannel.of(region)
    air = StockRadio(Replica(region.trust, MemoryStore()), channel, random.randrange)
    session = NodeSession(LinkSession(air.replica), random.randrange, air=air)
    task = RadioTask(session, port, SystemClock(), lambda raw: None)
    code, lines = asyncio.run(_look(session, task, region))
    print("\n".join([f"{port}:", *lines]))
    return code


def describe(session: NodeSession, region: Region) -> list[str]:
    """Lines about the device; keys are not told."""
    settings, air = session.radio, session.air
    own = session.nodes.get(session.node_num or 0)
    point = region.point_by_node_num(session.node_num or 0)
    names = [settings.name_of(entry) for entry in settings.used()]
    lora = settings.lora
    lines = [
        f"  device    {_DEVICES[session.device]}",
        f"  number    !{session.node_num or 0:08x}" + (f", point {point.code}" if point else ""),
        f"  name      {own.long_name if own else '?'}",
        f"  hardware  {_name(mesh_pb2.HardwareModel, session.hw_model)}, firmware {session.firmware or '?'}",
        f"  radio     {_name(config_pb2.Config.LoRaConfig.RegionCode, lora.region)}, "
        + (
            _name(config_pb2.Config.LoRaConfig.ModemPreset, lora.modem_preset)
            if lora.use_preset
            else "own modem"
        ),
        f"  channels  {', '.join(names) or 'none'}",
    ]
    if air is not None and session.device == STOCK:
        known = "name and key" if air.channel.psk is not None else "name only, this folder has no channel.psk"
        lines.append(f'  region    channel "{air.channel.name}" compared by {known}')
        lines.append(f"  verdict   {air.problem or 'fits'}")
    return lines


async def _look(session: NodeSession, task: RadioTask, region: Region) -> tuple[int, list[str]]:
    """Wait until it is known what the device is; (exit code, lines)."""
    running = asyncio.create_task(task.run())
    begin_s = time.monotonic()
    while session.device == PROBING and time.monotonic() - begin_s < LIMIT_S and not running.done():
        if task.problem is not None and time.monotonic() - begin_s > OPEN_LIMIT_S:
            break
        await asyncio.sleep(0.05)
    try:
        if session.state != READY:
            return 1, [f"  {task.problem or 'no answer; is this a Meshtastic device?'}"]
        fits = session.device == BAKEN or (
            session.device == STOCK and not (session.air and session.air.problem)
        )
        return 0 if fits else 1, describe(session, region)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _name(enum, number: int) -> str:
    try:
        return enum.Name(number)
    except ValueError:
        return str(number)
