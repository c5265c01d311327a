"""Airtime as a budget: the duty cycle of one hour, the load of one minute, and a node that keeps to them."""

from _ether import Ether, everyone, make_node, seeded
from _vectors import cause_of

from baken.device.duty import DutyKeeper
from baken.mesh.airtime import DUMP_SIZE, SAVE_STEP_MS, ChannelUtilisation, DutyBudget
from baken.noticeboard.memory import MemoryStore
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import ERROR_DUTY_CYCLE_LIMIT, PRIORITY_ALERT, PRIVATE_APP, ROLE_CLIENT_HIDDEN

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000
_COMMON_MS = 324_000  # of the 360 s; the rest is for what saves lives


def test_ten_percent_of_an_hour_is_360_seconds():
    budget = DutyBudget(100)
    assert budget.limit_ms == 360_000
    assert budget.allow(360_000, 0)
    assert not budget.allow(360_001, 0)
    budget.spend(359_000, 5)
    assert budget.spent_ms(5) == 359_000
    assert budget.allow(1000, 5)
    assert not budget.allow(1001, 5)


def test_airtime_is_forgotten_after_an_hour_minute_by_minute():
    budget = DutyBudget(100)
    start = 7 * _HOUR_MS + 12_345
    budget.spend(1000, start)
    budget.spend(2000, start + _MINUTE_MS)
    assert budget.spent_ms(start + 59 * _MINUTE_MS) == 3000
    assert budget.spent_ms(start + 60 * _MINUTE_MS) == 2000
    assert budget.spent_ms(start + 61 * _MINUTE_MS) == 0


def test_a_long_silence_empties_the_budget_whatever_its_length():
    for silence_ms in (_HOUR_MS, _HOUR_MS + 1, 2 * _HOUR_MS, 1000 * _HOUR_MS + 59 * _MINUTE_MS):
        budget = DutyBudget(100)
        budget.spend(360_000, 10 * _MINUTE_MS)
        assert not budget.allow(1, 10 * _MINUTE_MS)
        assert budget.spent_ms(10 * _MINUTE_MS + silence_ms) == 0, silence_ms


def test_utilisation_is_the_share_of_the_hour():
    budget = DutyBudget(100)
    budget.spend(36_000, 0)
    assert abs(budget.utilisation(0) - 1.0) < 0.001


def test_the_load_of_the_channel_is_that_of_the_last_minute():
    load = ChannelUtilisation()
    assert load.percent(0) == 0
    load.spend(15_000, 1000)
    assert load.percent(2000) == 25
    load.spend(15_000, 31_000)
    assert load.percent(31_000) == 50
    assert load.percent(61_000) == 25
    assert load.percent(91_000) == 0
    load.spend(90_000, 91_000)
    assert load.percent(91_000) == 100


def test_a_node_counts_what_it_hears_and_what_it_sends():
    nodes = [make_node(0x1000), make_node(0x1001)]
    ether = Ether(nodes, everyone(2))
    ether.run(1000)
    nodes[0].send(PRIVATE_APP, bytes(200), ether.now)
    ether.run(9000)
    airtime_ms = sum([nodes[0].modem.airtime_ms(len(frame)) for _, _, frame in ether.frames])
    assert len(ether.frames) == 2  # the packet and its relay
    for node in nodes:
        assert node.utilisation.percent(ether.now) == airtime_ms * 100 // 60_000
        assert node.budget.spent_ms(ether.now) == airtime_ms // 2


def test_a_node_falls_silent_before_ten_percent_and_says_why():
    # Nobody announces itself or has anything to relay: who speaks does not hear.
    nodes = [make_node(number, role=ROLE_CLIENT_HIDDEN) for number in (0x1000, 0x1001)]
    ether = Ether(nodes, {(0, 1): 0})
    ether.run(1000)
    airtime_ms = nodes[0].modem.airtime_ms(16 + 230 + 7)
    ids = []
    for _ in range(360_000 // airtime_ms + 20):
        ids.append(nodes[0].send(PRIVATE_APP, bytes(230), ether.now, hop_limit=0))
        ether.run(4000)
    assert ether.now < _HOUR_MS
    spent_ms = nodes[0].budget.spent_ms(ether.now)
    assert _COMMON_MS - airtime_ms < spent_ms <= _COMMON_MS
    given_up = ether.told(0, "GaveUp")
    assert len(given_up) >= 19
    assert given_up[0].error == ERROR_DUTY_CYCLE_LIMIT
    assert given_up[0].packet_id in ids
    assert nodes[0].counters["duty-cycle"] >= 19
    assert len(ether.heard(1)) == len(ids) - len(given_up)
    ether.run(_HOUR_MS)
    nodes[0].send(PRIVATE_APP, b"again", ether.now, hop_limit=0)
    ether.run(5000)
    assert ether.heard(1)[-1].payload == b"again"


def test_what_was_allowed_when_it_was_queued_is_looked_at_again_before_it_is_sent():
    ether = Ether([make_node(0x1000)], {})
    ether.run(1000)
    node = ether.nodes[0]
    airtime_ms = node.modem.airtime_ms(16 + 7 + 100)
    node.budget.spend(_COMMON_MS - 2 * airtime_ms - 10, ether.now)
    ids = [node.send(PRIVATE_APP, bytes(100), ether.now) for _ in range(4)]
    ether.run(20_000)
    assert len(ether.frames) == 2
    assert [event.packet_id for event in ether.told(0, "GaveUp")] == ids[2:]


def test_the_last_tenth_of_the_hour_is_for_what_saves_lives_and_ends_at_the_limit():
    nodes = [make_node(number, role=ROLE_CLIENT_HIDDEN) for number in (0x1000, 0x1001)]
    ether = Ether(nodes, {(0, 1): 0})
    ether.run(1000)
    nodes[0].budget.spend(_COMMON_MS, ether.now)
    common = nodes[0].send(PRIVATE_APP, b"common", ether.now, hop_limit=0)
    ids = []
    for _ in range(30):
        ids.append(nodes[0].send(PRIVATE_APP, bytes(230), ether.now, hop_limit=0, priority=PRIORITY_ALERT))
        ether.run(4000)
    airtime_ms = nodes[0].modem.airtime_ms(len(ether.sent(0)[0]))
    assert 360_000 - airtime_ms < nodes[0].budget.spent_ms(ether.now) <= 360_000
    assert len(ether.sent(0)) == 36_000 // airtime_ms
    given_up = [event.packet_id for event in ether.told(0, "GaveUp")]
    assert given_up == [common] + ids[36_000 // airtime_ms :]


def test_a_relay_that_turns_out_to_save_lives_goes_out_from_what_is_kept_for_it():
    nodes = [make_node(number) for number in (0x1000, 0x1001, 0x1002)]
    ether = Ether(nodes, {(0, 1): 0, (1, 2): 0})
    ether.run(1000)
    nodes[1].budget.spend(_COMMON_MS, ether.now)
    for urgent in (False, True):
        packet_id = nodes[0].send(PRIVATE_APP, b"help", ether.now)
        while not nodes[1].access.queue:
            ether.run(10)
        if urgent:
            assert nodes[1].hasten_relay(0x1000, packet_id, PRIORITY_ALERT)
        ether.run(9000)
    assert len(ether.heard(2)) == 1
    assert not nodes[1].hasten_relay(0x1000, packet_id, PRIORITY_ALERT)


def test_relays_count_against_the_budget_as_well():
    nodes = [make_node(0x1000), make_node(0x1001)]
    ether = Ether(nodes, {(0, 1): 0})
    ether.run(1000)
    nodes[1].budget.spend(360_000, ether.now)
    nodes[0].send(PRIVATE_APP, b"hallo", ether.now)
    ether.run(5000)
    assert len(ether.heard(1)) == 1
    assert ether.sent(1) == []
    assert nodes[1].counters["duty-cycle"] == 1


def _restarted(budget, at, now=0):
    """The budget of a node that went down at `at` and came up with a clock that says `now`."""
    restored = DutyBudget(100)
    restored.restore(budget.dump(at), now)
    return restored


def test_a_restart_does_not_give_a_new_hour():
    budget = DutyBudget(100)
    start = 5 * _HOUR_MS
    budget.spend(50_001, start)
    budget.spend(60_000, start + 40 * _MINUTE_MS)
    restored = _restarted(budget, start + 40 * _MINUTE_MS, 1234)
    assert restored.spent_ms(1234) == 50_002 + 60_000 + SAVE_STEP_MS
    assert not restored.allow(240_000, 1234)
    assert restored.spent_ms(20 * _MINUTE_MS) == 60_000 + SAVE_STEP_MS  # each minute leaves when it is due
    assert restored.spent_ms(_HOUR_MS) == 0


def test_power_that_fails_at_any_moment_never_lets_a_node_exceed_its_hour():
    for seed in range(1, 30):
        rand = seeded(seed)
        budget = DutyBudget(100)
        saved = budget.dump(0)
        sent = []  # (true time, ms) of what really went out
        true_ms = boot_ms = 0
        writes = 0
        while true_ms < 3 * _HOUR_MS:
            true_ms += rand(8000)
            now = true_ms - boot_ms
            airtime_ms = 200 + rand(2000)
            if budget.allow(airtime_ms, now):
                budget.spend(airtime_ms, now)
                sent.append((true_ms, airtime_ms))
            if budget.should_save(now):
                saved = budget.dump(now)
                writes += 1
            if rand(400) == 0:
                true_ms += rand(30) * _MINUTE_MS
                boot_ms = true_ms
                budget = DutyBudget(100)
                budget.restore(saved, 0)
            within = sum([ms for at, ms in sent if at > true_ms - 59 * _MINUTE_MS])
            assert within <= 360_000, (seed, true_ms)
        assert writes < 3 * 72 + 40, seed


def test_restarts_without_sending_cost_one_margin_only():
    budget = DutyBudget(100)
    budget.spend(50_000, 0)
    saved = budget.dump(0)
    for _ in range(50):
        budget = DutyBudget(100)
        budget.restore(saved, 0)
        assert not budget.should_save(0)
    assert budget.spent_ms(0) == 50_000 + SAVE_STEP_MS
    budget.spend(100, 0)
    assert budget.should_save(0)


def test_an_hour_that_has_passed_is_saved_too_so_that_no_restart_brings_it_back():
    budget = DutyBudget(100)
    budget.spend(300_000, 0)
    budget.dump(0)
    assert not budget.should_save(30 * _MINUTE_MS)
    assert budget.should_save(_HOUR_MS)
    assert _restarted(budget, _HOUR_MS).spent_ms(0) == SAVE_STEP_MS


def test_saved_airtime_of_another_size_is_refused():
    assert cause_of(LocalProtocolError, DutyBudget(100).restore, bytes(119), 0) == "duty-dump"


def test_the_device_keeps_its_hour_on_the_flash():
    store = MemoryStore()
    first = DutyBudget(100)
    keeper = DutyKeeper(first, store, 0)
    assert first.spent_ms(0) == 0  # the very first start
    written = store.get("duty")
    first.spend(SAVE_STEP_MS, 0)
    keeper.keep(0)
    assert store.get("duty") == written
    first.spend(1, 0)
    keeper.keep(0)
    assert store.get("duty") != written
    second = DutyBudget(100)
    assert DutyKeeper(second, store, 0).failed == 0
    assert second.spent_ms(0) == SAVE_STEP_MS + 2 + SAVE_STEP_MS
    store.set("duty", b"short")
    assert DutyKeeper(DutyBudget(100), store, 0).failed == 1
    assert len(store.get("duty") or b"") == DUMP_SIZE


def test_what_nobody_waits_for_keeps_off_a_crowded_channel():
    for load_ms, polite, quiet in ((14_999, True, True), (15_000, False, True), (24_000, False, False)):
        access = make_node(0x1000).access
        access.utilisation.spend(load_ms, 1000)
        assert (access.is_polite(1000), access.is_quiet_enough(1000)) == (polite, quiet), load_ms
        assert access.allows_own_news(1000) == polite


def test_our_own_telemetry_leaves_half_of_the_hour_to_others_packets():
    for spent_ms, allowed in ((179_999, True), (180_000, False)):
        access = make_node(0x1000).access
        access.budget.spend(spent_ms, 0)
        assert access.allows_own_news(0) == allowed
        assert access.is_polite(0)
    free = make_node(0x1000, override_duty_cycle=True).access
    free.budget.spend(1_000_000, 0)
    assert free.allows_own_news(0)


def test_a_narrower_region_has_a_smaller_hour():
    access = make_node(0x1000, region=15).access
    assert access.budget.limit_ms == 36_000
    access.configure(make_node(0x1000).config)
    assert access.budget.limit_ms == 360_000
