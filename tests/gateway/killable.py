"""A gateway between a node and a broker that kills itself: once at each of its steps. Run by `test_kill`.

    python killable.py REGION FOLDER

Node and broker keep their state in files, as the real ones do. Every durable write and every message that
leaves or arrives is a step: the process dies just before it or just after it, is started again, and runs to
its end. FOLDER/0 is left by a run without a kill, FOLDER/<step> by each other one; the last line of stdout is
the number of steps.
"""

import os
import sys
from pathlib import Path

from _region import NOON_S, bulletin_parts, status_record

from baken.noticeboard.link import LinkSession
from baken.noticeboard.replica import NEW, Replica
from baken_gateway.bridge import MqttReplica, Publish
from baken_gateway.region import Region, load_region
from baken_gateway.store import SqliteStore

PREFIX = "baken/v1/merenland/"
ROUNDS = 60


class Fuse:
    """Counts steps, and burns through at one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            os._exit(9)


class FusedStore(SqliteStore):
    """A store before and after each of whose writes the process may die."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        self._fuse = fuse
        super().__init__(path)

    def _write(self, statement: str, values: tuple) -> None:
        self._fuse.step()
        super()._write(statement, values)
        self._fuse.step()


class FileBroker:
    """Retained messages in SQLite, and a log of all that was ever published."""

    def __init__(self, folder: Path, fuse: Fuse) -> None:
        self._store = SqliteStore(folder / "broker.db")
        self._log = folder / "published.txt"
        self._fuse = fuse

    @property
    def retained(self) -> dict[str, bytes]:
        return self._store.acknowledged()

    def publish(self, publish: Publish) -> None:
        self._fuse.step()
        if publish.retain:
            self._store.set_acknowledged(publish.topic, publish.payload)
        with self._log.open("a") as log:
            print(publish.topic, publish.payload.hex() or "-", file=log)
        self._fuse.step()


def begin(region: Region, folder: Path) -> None:
    """What node and broker hold before the gateway is there."""
    node = Replica(region.trust, SqliteStore(folder / "node.db"))
    for raw in (
        *bulletin_parts(region, 1),
        *bulletin_parts(region, 2, "Вод " * 40),
        status_record(region, "OV06", 5),
    ):
        assert node.receive_record(raw, NOON_S).state == NEW
    broker = FileBroker(folder, Fuse(0))
    console = Replica(region.trust, SqliteStore(folder / "console.db"))
    joined = MqttReplica(region, console, SqliteStore(folder / "console.db"), "console/c1")
    for raw in (
        *bulletin_parts(region, 3, "Вод. " * 30),
        status_record(region, "DH01", 2),
        status_record(region, "OV06", 4),
    ):
        assert console.receive_record(raw, NOON_S).state == NEW
    joined.connected(0)
    joined.tick(NOON_S, 10_000)
    while (publish := joined.next_publish(10_000)) is not None:
        broker.publish(publish)


def run(region: Region, folder: Path, fuse: Fuse) -> None:
    """A gateway from its start until nobody has anything to say."""
    node = Replica(region.trust, SqliteStore(folder / "node.db"))
    store = FusedStore(folder / "gateway.db", fuse)
    replica = Replica(region.trust, store)
    joined = MqttReplica(region, replica, store, "gateway/gw1", views=True)
    broker = FileBroker(folder, fuse)
    ends = (LinkSession(replica), LinkSession(node))
    now = 100_000
    for end in ends:
        end.open(now)
    joined.connected(now)
    joined.subscribed(now)
    for topic, payload in sorted(broker.retained.items()):
        receive(joined, ends[0], topic, payload, now)
    for _ in range(ROUNDS):
        now += 500
        for end, other in (ends, ends[::-1]):
            while (payload := end.next_payload(now)) is not None:
                fuse.step()
                other.receive(payload, NOON_S, now)
                fuse.step()
        joined.tick(NOON_S, now)
        while (publish := joined.next_publish(now)) is not None:
            broker.publish(publish)
            receive(joined, ends[0], publish.topic, publish.payload, now)
            joined.acknowledged(publish.topic, publish.payload)
            joined.tick(NOON_S, now)


def receive(joined: MqttReplica, link: LinkSession, topic: str, payload: bytes, now: int) -> None:
    outcome = joined.receive(topic, payload, NOON_S, now)
    if outcome is not None and outcome.state == NEW:
        link.offer(payload)


def in_child(region: Region, folder: Path, step: int) -> int:
    """Exit code of a process that dies at `step`; of one that runs to its end where it is 0."""
    child = os.fork()
    if child == 0:
        run(region, folder, Fuse(step))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(region: Region, folder: Path) -> None:
    step = steps = 0
    while True:
        where = folder / str(step)
        where.mkdir()
        begin(region, where)
        fuse = Fuse(0)
        if step == 0:
            run(region, where, fuse)
            steps = fuse.count
        else:
            assert in_child(region, where, step) == 9, f"no step {step}"
            assert in_child(region, where, 0) == 0, f"not finished after step {step}"
        if step == steps:
            print(steps)
            return
        step += 1


if __name__ == "__main__":
    main(load_region(sys.argv[1]), Path(sys.argv[2]))
