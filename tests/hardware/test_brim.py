"""Everything that one node may hold fits into a replica at once: no bound stands in the way of another."""

import pytest

from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, Replica
from baken.wire.records import PULSES, message_kind
from baken_hardware.bench.measure import MeasureError, bounds, brim
from baken_hardware.bench.measure.life import Sample
from baken_hardware.demo import scenario


def test_a_replica_takes_all_that_its_bounds_allow(tmp_path):
    region = brim.make_region(tmp_path / "region")
    replica = Replica(region.trust, MemoryStore())
    noon_s = scenario.unix_s(scenario.START) + 3600
    for payload in brim.Brim(region).payloads():
        if message_kind(payload) != PULSES:  # kept apart from records, for points with a STATUS
            assert replica.receive_record(payload, noon_s).state == NEW
    whole = [notice for notice in replica.notices.values() if notice.complete]
    assert len(whole) == len(replica.notices) == brim.FULL["bulletins"]
    assert sum(notice.count for notice in whole) == brim.FULL["parts"]
    assert len(replica.letters.reports) == brim.FULL["reports"]
    assert len(replica.letters.answers) == brim.FULL["answers"]
    assert len(replica.keyring) == brim.FULL["amendments"]
    assert len(replica.statuses) == brim.FULL["statuses"] - 1  # its own point has not spoken


@pytest.mark.parametrize(
    ("changed", "cause"),
    [({}, None), ({"bulletins": 63}, "bulletins"), ({"refused-full": 1}, "refused-full")],
)
def test_figures_of_a_node_that_lacks_or_refused_something_are_an_error(changed, cause):
    sample = Sample(0, 1, brim.FULL | changed)
    if cause is None:
        bounds.check(sample)
    else:
        with pytest.raises(MeasureError, match=cause):
            bounds.check(sample)
