"""Pulses over MQTT: retained under their point, joined, put back, and never believed without their STATUS."""

import pytest
from _bridge import PREFIX, Broker, Party
from _region import NOON_S, make_region, status_record

from baken.noticeboard.receipts import receipts_of
from baken.wire import pulse
from baken.wire.status import Seen
from baken_gateway.bridge import FIRST_HEAL_MS, Publish

SECRET = b"the same!!"
HOUR = 3600 // pulse.PERIOD_S


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("pulses"))


@pytest.fixture
def broker():
    return Broker()


def value(region, code, seq, chain, step):
    return pulse.chain_value(SECRET, region.trust.tag, region.point(code).number, seq, chain, step)


def told(region, code="OV06", seq=1):
    """A STATUS that pulses can follow."""
    anchors = tuple(value(region, code, seq, chain, 0) for chain in range(pulse.CHAINS))
    return status_record(region, code, seq, anchors=anchors, seen=(Seen(1, 3, 0b111, 0b001),))


def beat(region, *steps, code="OV06", seq=1):
    """A genuine pulse of (chain, step)."""
    shown = tuple((chain, step, value(region, code, seq, chain, step)) for chain, step in steps)
    return pulse.Pulse(region.point(code).number, seq & 0xFF, shown)


def topic_of(region, code="OV06"):
    return f"{PREFIX}pulse/{region.point(code).number}"


def as_of_s(party, region, code="OV06"):
    return party.replica.pulses.as_of_s(region.point(code).number)


def gateway_with_pulse(region, *steps, name="gateway/gw1"):
    party = Party(region, name)
    party.learn(told(region))
    assert party.replica.pulses.receive(beat(region, *steps)) == "new"
    return party


def test_a_pulse_is_retained_and_tells_a_later_console_until_when_the_status_holds(region, broker):
    gateway = gateway_with_pulse(region, (pulse.ALIVE, HOUR), (pulse.RECEIVED, 2), (pulse.READ, 1))
    broker.connect(gateway.joined)
    broker.settle()
    shown = beat(region, (pulse.ALIVE, HOUR), (pulse.RECEIVED, 2), (pulse.READ, 1))
    assert broker.retained[topic_of(region)] == pulse.encode([shown])
    view = broker.view("status/OV06")
    assert view["time"] == "2027-01-12T12:00:00+01:00" and view["asOf"] == "2027-01-12T13:00:00+01:00"
    assert view["received"] == ["1/5", "1/4", "1/3", "1/2", "1/1"] and view["read"] == ["1/4", "1/3"]
    # Its retained messages come in the order of their topics: the pulse before the STATUS that it follows.
    console = Party(region, "console/k1", views=False)
    broker.connect(console.joined)
    assert broker.settle() == []
    assert as_of_s(console, region) == NOON_S + 3600 and not console.joined.counters
    receipt = receipts_of(console.replica, (1, 4))[region.point("OV06").number]
    assert receipt.received and receipt.read


def test_each_hour_replaces_the_pulse_of_the_hour_before_and_reaches_who_is_connected(region, broker):
    gateway, console = (
        gateway_with_pulse(region, (pulse.ALIVE, HOUR)),
        Party(region, "console/k1", views=False),
    )
    for party in (gateway, console):
        broker.connect(party.joined)
    broker.settle()
    gateway.replica.pulses.receive(beat(region, (pulse.ALIVE, 2 * HOUR)))
    broker.settle()
    assert as_of_s(console, region) == NOON_S + 2 * 3600
    assert [topic for topic in broker.retained if "/pulse/" in topic] == [topic_of(region)]


def test_a_gateway_that_restarts_has_the_pulse_back_and_publishes_nothing(region, broker):
    gateway = gateway_with_pulse(region, (pulse.ALIVE, 5 * HOUR))
    broker.connect(gateway.joined)
    broker.settle()
    broker.drop(gateway.joined)
    again = Party(region, store=gateway.store)
    assert as_of_s(again, region) == NOON_S, "pulses are kept in memory only"
    broker.connect(again.joined)
    assert broker.settle(120_000) == []
    assert as_of_s(again, region) == NOON_S + 5 * 3600
    assert broker.view("status/OV06")["asOf"] == "2027-01-12T17:00:00+01:00"


def test_a_broker_that_lost_its_memory_gets_the_pulses_back(region, broker):
    gateway = gateway_with_pulse(region, (pulse.ALIVE, HOUR))
    broker.connect(gateway.joined)
    broker.settle()
    before = dict(broker.retained)
    broker.drop(gateway.joined)
    broker.retained.clear()
    broker.connect(gateway.joined)
    broker.settle()
    assert broker.retained == before and topic_of(region) in before


def test_what_two_gateways_know_of_one_point_is_joined_without_a_fight(region, broker):
    parties = [
        gateway_with_pulse(region, (pulse.ALIVE, HOUR), name="gateway/gw1"),
        gateway_with_pulse(region, (pulse.RECEIVED, 2), name="gateway/gw2"),
    ]
    for party in parties:
        broker.connect(party.joined)
    broker.settle(60_000)
    joined = beat(region, (pulse.ALIVE, HOUR), (pulse.RECEIVED, 2))
    number = region.point("OV06").number
    assert [party.replica.pulses.get(number) for party in parties] == [joined, joined]
    assert broker.retained[topic_of(region)] == pulse.encode([joined])
    assert broker.settle(600_000) == []


def test_a_pulse_of_the_status_before_counts_no_more_and_its_successor_takes_its_place(region, broker):
    gateway = gateway_with_pulse(region, (pulse.ALIVE, 8 * HOUR))
    broker.connect(gateway.joined)
    broker.settle()
    gateway.learn(told(region, seq=2))
    broker.settle()
    assert as_of_s(gateway, region) == NOON_S
    console = Party(region, "console/k1", views=False)
    broker.connect(console.joined)
    broker.settle()
    assert as_of_s(console, region) == NOON_S and not console.joined.counters
    gateway.replica.pulses.receive(beat(region, (pulse.ALIVE, HOUR), seq=2))
    broker.settle()
    assert as_of_s(console, region) == NOON_S + 3600


def forgeries(region):
    """(payload, cause) of what somebody with the broker's password may put under the topic of OV06."""
    number = region.point("OV06").number
    genuine = value(region, "OV06", 1, pulse.ALIVE, HOUR)
    later = pulse.encode([pulse.Pulse(number, 1, ((pulse.ALIVE, 2 * HOUR, genuine),))])
    beyond = bytearray(pulse.encode([beat(region, (pulse.ALIVE, 96))]))
    beyond[5] = 97
    stranger = beat(region, (pulse.ALIVE, HOUR), code="OV01")
    both = sorted([stranger, beat(region, (pulse.ALIVE, HOUR))], key=lambda one: one.point)
    return [
        (later, "pulse-refused"),
        (pulse.encode([pulse.Pulse(number, 1, ((pulse.ALIVE, 9, bytes(10)),))]), "pulse-refused"),
        (bytes(beyond), "pulses-step"),
        (pulse.encode([stranger]), "pulse-topic"),
        (pulse.encode(both), "pulse-topic"),
        (b"garbage", "pulses-size"),
        (bytes(1_000_000), "pulses-size"),
    ]


@pytest.mark.parametrize("which", range(7))
def test_a_forged_pulse_is_refused_counted_and_replaced(region, broker, which):
    payload, cause = forgeries(region)[which]
    gateway = gateway_with_pulse(region, (pulse.ALIVE, HOUR))
    gateway.learn(told(region, "OV01"))
    broker.connect(gateway.joined)
    broker.settle()
    good = broker.retained[topic_of(region)]
    broker.publish(Publish(topic_of(region), payload))
    assert gateway.joined.counters == {cause: 1}
    assert as_of_s(gateway, region) == NOON_S + 3600 and as_of_s(gateway, region, "OV01") == NOON_S
    broker.settle(FIRST_HEAL_MS + 2000)
    assert broker.retained[topic_of(region)] == good


def test_a_forged_pulse_that_was_there_first_keeps_no_genuine_one_out(region, broker):
    number = region.point("OV06").number
    broker.retained[topic_of(region)] = pulse.encode(
        [pulse.Pulse(number, 200, ((pulse.ALIVE, 90, bytes(10)),))]  # of a STATUS that does not exist
    )
    gateway = gateway_with_pulse(region, (pulse.ALIVE, HOUR))
    broker.connect(gateway.joined)
    broker.settle(FIRST_HEAL_MS + 2000)
    assert as_of_s(gateway, region) == NOON_S + 3600
    assert broker.retained[topic_of(region)] == pulse.encode([beat(region, (pulse.ALIVE, HOUR))])
