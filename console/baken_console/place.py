"""Opens what a console works with: region, key, data folder, clock, broker. Every failure is one sentence."""

from __future__ import annotations

import os
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from baken_console.desk import Desk, DeskError
from baken_console.ledger import Ledger, LedgerError
from baken_console.moments import MomentError, SteadyClock
from baken_gateway import tcp_link
from baken_gateway.clock import ClockError
from baken_gateway.mqtt_link import AddressError, BrokerAddress
from baken_gateway.region import PrivateKey, Region, RegionError, load_key, load_region
from baken_gateway.store import SqliteStore, StoreError, open_store
from baken_gateway.tcp_link import PortError

REPLICA_FILE = "replica.db"
LEDGER_FILE = "ledger.db"
_PROBLEMS = (
    RegionError,
    DeskError,
    LedgerError,
    StoreError,
    MomentError,
    ClockError,
    AddressError,
    PortError,
)


class PlaceError(Exception):
    """Something a console needs is missing; one sentence that names it and says what to do."""


@dataclass(frozen=True)
class Place:
    """An opened desk with its store and clock; `broker` and `port` None: work without either."""

    desk: Desk
    store: SqliteStore
    clock: SteadyClock
    broker: BrokerAddress | None
    data: Path
    port: str | None = None

    @property
    def is_joined(self) -> bool:
        """Whether there is anything to join: a broker, a radio or both."""
        return self.broker is not None or self.port is not None

    def close(self) -> None:
        self.store.close()
        self.desk.ledger.close()


def open_place(arguments: Namespace) -> Place:
    """Open what the command line names; PlaceError when something is missing."""
    if arguments.region is None:
        raise PlaceError(
            "no region: say --region DIR, or set BAKEN_REGION (baken-bench region init makes one)"
        )
    try:
        region = load_region(arguments.region)
        key = load_authority_key(arguments.key, region) if arguments.key else None
        clock = SteadyClock(arguments.exercise_clock)
        broker = _broker(arguments)
        port = arguments.port or None
        if port is not None:
            tcp_link.parse(port)
        data = arguments.data or default_data(region.id)
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = open_store(data / REPLICA_FILE, region)
        return Place(Desk(region, store, Ledger(data / LEDGER_FILE), key), store, clock, broker, data, port)
    except _PROBLEMS as error:
        raise PlaceError(str(error)) from error
    except OSError as error:
        raise PlaceError(f"data folder {error.filename or ''} cannot be used: {error.strerror}") from error


def load_authority_key(path: Path, region: Region) -> PrivateKey:
    """The key that signs bulletins."""
    key = load_key(path, region)
    if key.kind != "authority":
        raise PlaceError(
            f"{path} is the key of {key.kind} {key.name or key.number}; bulletins need an authority's key"
        )
    return key


def default_data(region_id: str) -> Path:
    """$XDG_STATE_HOME/baken-console/REGION, by default below ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "baken-console" / region_id


def _broker(arguments: Namespace) -> BrokerAddress | None:
    if not arguments.broker:
        return None
    password = None
    if arguments.password_file:
        password = arguments.password_file.read_text(encoding="utf-8").strip()
    return BrokerAddress.parse(
        arguments.broker,
        username=arguments.username,
        password=password,
        tls=arguments.tls or arguments.ca_file is not None,
        ca_file=arguments.ca_file,
    )
