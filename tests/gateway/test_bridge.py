"""Replicas joined to a broker of a few lines: what is published, cleared, put back."""

from collections import Counter

import pytest
from _bridge import PREFIX, Broker, Party
from _region import NOON_S, bulletin_parts, make_region, status_record

from baken.wire.status import Seen
from baken_gateway import topics
from baken_gateway.bridge import FIRST_HEAL_MS, MAX_IN_FLIGHT, PATIENCE_MS, VIEW_HEAL_MS, Publish

HOUR_S = 3600


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("bridge"))


@pytest.fixture
def broker():
    return Broker()


def test_a_record_is_published_as_its_exact_bytes_under_its_id(region, broker):
    gateway = Party(region)
    short, long = bulletin_parts(region, 5), bulletin_parts(region, 6, "Вода ї. " * 30)
    status = status_record(region, "OV06", 7)
    gateway.learn(*short, *long, status)
    broker.connect(gateway.joined)
    broker.settle()
    assert len(long) == 3
    assert broker.records() == {
        PREFIX + "record/bulletin/1/5": short[0],
        PREFIX + "record/bulletin/1/6.1": long[0],
        PREFIX + "record/bulletin/1/6.2": long[1],
        PREFIX + "record/bulletin/1/6.3": long[2],
        PREFIX + "record/status/2/7": status,
    }
    assert all(gateway.joined.is_acknowledged(raw) for raw in [*short, *long, status])
    assert broker.retained[PREFIX + "gateway/gw1/online"] == b"1"


def test_a_second_gateway_with_the_same_records_publishes_nothing(region, broker):
    records = [*bulletin_parts(region, 5), status_record(region, "OV06", 7)]
    first, second = Party(region), Party(region, "gateway/gw2")
    first.learn(*records)
    second.learn(*records)
    broker.connect(first.joined)
    broker.settle()
    broker.connect(second.joined)
    assert broker.settle(60_000) == []


def test_a_record_that_came_from_the_broker_is_not_sent_back(region, broker):
    first, second = Party(region), Party(region, "gateway/gw2")
    broker.connect(first.joined)
    broker.connect(second.joined)
    broker.settle()
    first.learn(*bulletin_parts(region, 5))
    published = broker.settle()
    assert Counter(publish.topic for publish in published)[PREFIX + "record/bulletin/1/5"] == 1
    assert (1, 5) in second.replica.notices


def test_a_console_sends_records_but_no_views(region, broker):
    console = Party(region, "console/crisis", views=False)
    broker.connect(console.joined)
    console.learn(*bulletin_parts(region, 5))
    published = broker.settle()
    assert [publish.topic for publish in published] == [PREFIX + "record/bulletin/1/5"]


def test_a_new_alarm_does_not_wait_until_the_broker_has_told_all_it_has(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    gateway.joined.connected(broker.now)
    gateway.joined.tick(NOON_S, broker.now + PATIENCE_MS)
    topics_now = []
    while (publish := gateway.joined.next_publish(broker.now)) is not None:
        topics_now.append(publish.topic)
    assert PREFIX + "record/bulletin/1/5" in topics_now


def test_the_most_urgent_bulletin_goes_first(region, broker):
    gateway = Party(region)
    gateway.learn(
        *bulletin_parts(region, 5, severity=b"Minor"), *bulletin_parts(region, 6, severity=b"Extreme")
    )
    gateway.learn(
        *bulletin_parts(region, 7, event=b"ALARM", severity=b"Minor"), status_record(region, "OV06", 1)
    )
    broker.connect(gateway.joined)
    published = [publish.topic for publish in broker.settle() if "/record/" in publish.topic]
    assert [topic.rpartition("/record/")[2] for topic in published] == [
        "bulletin/1/7",
        "bulletin/1/6",
        "bulletin/1/5",
        "status/2/1",
    ]


def test_after_a_reconnect_nothing_is_published_twice(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5), status_record(region, "OV06", 7))
    broker.connect(gateway.joined)
    broker.settle()
    broker.drop(gateway.joined)
    broker.connect(gateway.joined)
    assert broker.settle(120_000) == []


def test_after_a_restart_nothing_is_published_twice(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5), status_record(region, "OV06", 7))
    broker.connect(gateway.joined)
    broker.settle()
    broker.drop(gateway.joined)
    again = Party(region, store=gateway.store)
    broker.connect(again.joined)
    assert broker.settle(120_000) == []


def test_a_broker_that_lost_its_memory_gets_everything_back(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5), status_record(region, "OV06", 7))
    broker.connect(gateway.joined)
    broker.settle()
    before = dict(broker.retained)
    broker.drop(gateway.joined)
    broker.retained.clear()
    broker.connect(gateway.joined)
    broker.settle()
    assert broker.retained == before


def test_what_was_not_acknowledged_is_published_again_on_the_next_connection(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    broker.is_lossy = True
    broker.connect(gateway.joined)
    broker.settle(10_000)
    assert not gateway.joined.is_acknowledged(bulletin_parts(region, 5)[0])
    broker.drop(gateway.joined)
    broker.is_lossy = False
    broker.connect(gateway.joined)
    assert PREFIX + "record/bulletin/1/5" in {publish.topic for publish in broker.settle()}


def test_no_more_is_under_way_than_the_limit(region, broker):
    gateway = Party(region)
    gateway.learn(*[raw for seq in range(1, 31) for raw in bulletin_parts(region, seq)])
    broker.is_lossy = True
    broker.connect(gateway.joined)
    assert len(broker.settle(60_000)) == MAX_IN_FLIGHT


def test_an_expired_bulletin_and_its_view_are_cleared(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5, "Вода ї. " * 20, valid_s=HOUR_S), *bulletin_parts(region, 6))
    broker.connect(gateway.joined)
    broker.settle()
    assert PREFIX + "bulletin/1/5" in broker.retained and PREFIX + "record/bulletin/1/5.2" in broker.retained
    broker.unix_s = NOON_S + HOUR_S
    broker.settle(20_000)
    assert not [topic for topic in broker.retained if "1/5" in topic]
    assert PREFIX + "bulletin/1/6" in broker.retained
    assert not [topic for topic in gateway.store.topics if "1/5" in topic]


def test_what_expired_while_everybody_was_away_is_cleared_by_whoever_comes(region, broker):
    first = Party(region)
    first.learn(*bulletin_parts(region, 5, valid_s=HOUR_S))
    broker.connect(first.joined)
    broker.settle()
    broker.drop(first.joined)
    broker.unix_s = NOON_S + 2 * HOUR_S
    broker.connect(Party(region, "gateway/gw2").joined)
    broker.settle(20_000)
    assert not [topic for topic in broker.retained if "1/5" in topic]


def test_without_a_clock_nothing_is_cleared(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5, valid_s=HOUR_S))
    broker.connect(gateway.joined)
    broker.settle()
    gateway.joined.tick(None, broker.now + 20_000)
    assert gateway.joined.next_publish(broker.now + 20_000) is None


def test_a_withdrawal_that_has_expired_stays_as_long_as_what_it_withdraws(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5, valid_s=10 * HOUR_S))
    gateway.learn(*bulletin_parts(region, 6, valid_s=HOUR_S, msg_type=b"Cancel", references=((1, 5),)))
    broker.connect(gateway.joined)
    broker.unix_s = NOON_S + 2 * HOUR_S
    broker.settle(20_000)
    assert {PREFIX + "record/bulletin/1/5", PREFIX + "record/bulletin/1/6"} <= broker.retained.keys()
    broker.unix_s = NOON_S + 10 * HOUR_S
    broker.settle(20_000)
    assert broker.records() == {}


def test_an_older_status_is_cleared_once_the_broker_has_the_newer_one(region, broker):
    gateway = Party(region)
    gateway.learn(status_record(region, "OV06", 7))
    broker.connect(gateway.joined)
    broker.settle()
    gateway.learn(status_record(region, "OV06", 9, "Vol."))
    records = [publish for publish in broker.settle() if "/record/" in publish.topic]
    steps = [(publish.topic.rpartition("/")[2], bool(publish.payload)) for publish in records]
    assert steps == [
        ("9", True),
        ("7", False),
    ]
    assert list(broker.records()) == [PREFIX + "record/status/2/9"]
    assert broker.view("status/OV06")["text"] == "Vol."


def test_an_older_status_that_somebody_left_at_the_broker_is_cleared(region, broker):
    broker.retained[PREFIX + "record/status/2/3"] = status_record(region, "OV06", 3)
    gateway = Party(region)
    gateway.learn(status_record(region, "OV06", 9))
    broker.connect(gateway.joined)
    broker.settle()
    assert list(broker.records()) == [PREFIX + "record/status/2/9"]


@pytest.mark.parametrize(
    ("topic", "make", "cause"),
    [
        ("record/bulletin/1/5", lambda region: b"garbage", "record-short"),
        ("record/bulletin/1/5", lambda region: bytes(232), "record-long"),
        ("record/bulletin/1/5", lambda region: bytes(1_000_000), "record-long"),
        ("record/bulletin/1/6", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/bulletin/2/5", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/status/1/5", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/bulletin/1/5.1", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/bulletin/01/5", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/bulletin/1/5/6", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/", lambda region: bulletin_parts(region, 5)[0], "record-topic"),
        ("record/bulletin/1/5", lambda region: _flipped(bulletin_parts(region, 5)[0]), "bad-signature"),
        (
            "record/bulletin/9/5",
            lambda region: _with_origin(bulletin_parts(region, 5)[0], 9),
            "unknown-authority",
        ),
        ("record/heartbeat/1/5", lambda region: b"\x12" + bulletin_parts(region, 5)[0][1:], "heartbeat-size"),
    ],
)
def test_a_bad_record_is_refused_counted_and_not_spread(region, broker, topic, make, cause):
    broker.retained[PREFIX + topic] = make(region)
    gateway = Party(region)
    broker.connect(gateway.joined)
    assert broker.settle(60_000) == []
    assert gateway.joined.counters == {cause: 1}
    assert gateway.replica.records() == []
    assert broker.retained[PREFIX + topic] == make(
        region
    )  # not ours to remove: our trust list may be the older one


def _flipped(raw):
    return raw[:-1] + bytes([raw[-1] ^ 1])


def _with_origin(raw, origin):
    return raw[:1] + origin.to_bytes(2, "big") + raw[3:]


def test_garbage_over_a_live_record_is_replaced_by_the_record(region, broker):
    gateway = Party(region)
    raw = bulletin_parts(region, 5)[0]
    gateway.learn(raw)
    broker.connect(gateway.joined)
    broker.settle()
    broker.publish(Publish(PREFIX + "record/bulletin/1/5", b"garbage"))
    assert broker.settle(FIRST_HEAL_MS - 1000) == []
    broker.settle(2000)
    assert broker.retained[PREFIX + "record/bulletin/1/5"] == raw


def test_two_gateways_with_different_clocks_do_not_fight_at_the_speed_of_the_network(region, broker):
    right, wrong = Party(region), Party(region, "gateway/gw2")
    right.learn(*bulletin_parts(region, 5, valid_s=10 * HOUR_S))
    for party in (right, wrong):
        broker.connect(party.joined)
    broker.settle()
    # Every message reaches both, but the second one lives half a day ahead.
    ahead_s = 12 * HOUR_S
    receive, tick = wrong.joined.receive, wrong.joined.tick
    wrong.joined.receive = lambda topic, payload, unix_s, now: receive(
        topic, payload, broker.unix_s + ahead_s, now
    )
    wrong.joined.tick = lambda unix_s, now: tick(broker.unix_s + ahead_s, now)
    records = [publish for publish in broker.settle(HOUR_S * 1000) if "/record/" in publish.topic]
    assert 4 <= len(records) <= 24  # pauses of 5, 10, 20 ... s in an hour


def test_a_conflict_signed_by_the_authority_itself_is_left_alone(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    other = bulletin_parts(region, 5, "Heel iets anders.")[0]
    broker.retained[PREFIX + "record/bulletin/1/5"] = other
    broker.connect(gateway.joined)
    broker.settle(300_000)
    assert broker.retained[PREFIX + "record/bulletin/1/5"] == other
    assert gateway.joined.counters == {"conflict": 1}


def test_a_bulletins_view_tells_in_words_what_it_is_and_who_has_it(region, broker):
    gateway = Party(region)
    text = "Вода брудна. Варіть 3 хв... " * 4
    fields = {"areas": (0,), "severity": b"Severe", "status": b"Exercise", "references": ((1, 4),)}
    parts = bulletin_parts(region, 5, text, event=b"WATER", msg_type=b"Update", **fields)
    gateway.learn(parts[0])
    broker.connect(gateway.joined)
    broker.settle()
    view = broker.view("bulletin/1/5")
    assert (view["state"], view["text"], view["missingParts"]) == ("incomplete", None, [2])
    gateway.learn(parts[1])
    gateway.learn(status_record(region, "OV06", 1, seen=(Seen(1, 5, received=0b1, read=0b1),)))
    gateway.learn(status_record(region, "OV01", 1, seen=(Seen(1, 6, received=0b10),)))
    broker.settle()
    assert broker.view("bulletin/1/5") == {
        "id": "1/5",
        "authority": "VR Merenland",
        "status": "Exercise",
        "msgType": "Update",
        "scope": "Public",
        "category": "Safety",
        "event": "WATER",
        "responseType": "None",
        "urgency": "Unknown",
        "severity": "Severe",
        "certainty": "Unknown",
        "language": "nl",
        "sent": "2027-01-12T12:00:00+01:00",
        "expires": "2027-01-12T18:00:00+01:00",
        "areas": ["OV"],
        "areaDesc": "Oosterveen",
        "references": ["1/4"],
        "text": text,
        "parts": 2,
        "missingParts": [],
        "state": "valid",
        "stateByArea": {"OV": "valid"},
        "pointsMeant": ["OV01", "OV06"],
        "received": ["OV01", "OV06"],
        "read": ["OV06"],
    }


def test_an_update_for_part_of_the_area_shows_in_the_state(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    gateway.learn(*bulletin_parts(region, 6, msg_type=b"Cancel", areas=(1,), references=((1, 5),)))
    broker.connect(gateway.joined)
    broker.settle()
    view = broker.view("bulletin/1/5")
    assert (view["state"], view["stateByArea"]) == ("partly", {"OV": "valid", "DH": "withdrawn"})


def test_the_text_of_a_bulletin_for_staff_is_not_in_its_view(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5, "Alleen voor medewerkers.", scope=b"Restricted"))
    broker.connect(gateway.joined)
    broker.settle()
    assert broker.view("bulletin/1/5")["text"] is None
    assert b"medewerkers" not in broker.retained[PREFIX + "bulletin/1/5"]


def test_who_has_received_a_bulletin_stays_listed_also_after_a_restart(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    gateway.learn(status_record(region, "OV06", 1, seen=(Seen(1, 5, received=1, read=1),)))
    broker.connect(gateway.joined)
    broker.settle()
    gateway.learn(status_record(region, "OV06", 2, seen=(Seen(1, 80, received=1),)))  # 5 is out of its window
    broker.settle()
    broker.drop(gateway.joined)
    again = Party(region, store=gateway.store)
    broker.connect(again.joined)
    broker.settle(60_000)
    assert broker.view("bulletin/1/5")["read"] == ["OV06"]


def test_a_points_view_tells_how_it_is_doing(region, broker):
    gateway = Party(region)
    fields = {"people": 40, "volunteers": 6, "power_hours": 9, "water_l": 200, "battery_percent": 101}
    seen = (Seen(1, 7, received=0b101, read=0b100),)
    gateway.learn(
        status_record(region, "DH01", 3, "Vol, één arts.", needs=(b"MED", b"DEK"), seen=seen, **fields)
    )
    broker.connect(gateway.joined)
    broker.settle()
    assert broker.view("status/DH01") == {
        "point": "DH01",
        "name": "Brandweerkazerne Dijkerhaven",
        "municipality": "Dijkerhaven",
        "seq": 3,
        "time": "2027-01-12T12:00:00+01:00",
        "asOf": "2027-01-12T12:00:00+01:00",
        "exercise": False,
        "state": "OPEN",
        "priority": "R",
        "people": 40,
        "volunteers": 6,
        "powerHours": 9,
        "waterLitres": 200,
        "batteryPercent": None,
        "externalPower": True,
        "needs": ["MED", "DEK"],
        "text": "Vol, één arts.",
        "received": ["1/7", "1/5"],
        "read": ["1/5"],
    }


def test_a_view_is_published_only_when_it_says_something_new(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5), status_record(region, "OV06", 1))
    gateway.joined.set_info({"bulletins": 1})
    broker.connect(gateway.joined)
    broker.settle()
    gateway.joined.set_info({"bulletins": 1})
    assert broker.settle(600_000) == []
    gateway.joined.set_info({"bulletins": 2})
    assert [publish.topic for publish in broker.settle(60_000)] == [PREFIX + "gateway/gw1"]
    assert broker.view("gateway/gw1") == {"id": "gw1", "bulletins": 2}


def test_a_view_that_somebody_else_changed_is_put_right_after_a_while(region, broker):
    gateway = Party(region)
    gateway.learn(status_record(region, "OV06", 1))
    broker.connect(gateway.joined)
    broker.settle()
    good = broker.retained[PREFIX + "status/OV06"]
    broker.publish(Publish(PREFIX + "status/OV06", b'{"state":"DICHT"}'))
    assert broker.settle(VIEW_HEAL_MS // 2) == []
    broker.settle(VIEW_HEAL_MS)
    assert broker.retained[PREFIX + "status/OV06"] == good


def test_who_is_online_is_known(region, broker):
    console, gateway = Party(region, "console/crisis", views=False), Party(region)
    broker.connect(console.joined)
    broker.connect(gateway.joined)
    broker.settle()
    assert console.joined.online["gateway/gw1"] is True
    broker.publish(gateway.joined.will)
    broker.settle(10)
    # It is not gone: that was the will of an earlier connection, and it says so.
    assert console.joined.online["gateway/gw1"] is True
    broker.clients.remove(gateway.joined)
    broker.publish(gateway.joined.will)
    assert console.joined.online["gateway/gw1"] is False


def test_junk_in_the_regions_topics_does_not_pile_up_or_raise(region, broker):
    gateway = Party(region)
    joined = broker.connect(gateway.joined)
    for number in range(200):
        joined.receive(f"{PREFIX}gateway/x{number}/online", b"1", NOON_S, broker.now)
        joined.receive(f"{PREFIX}junk/{number}", b"x", NOON_S, broker.now)
    joined.receive(PREFIX + "gateway/a/b/online", b"1", NOON_S, broker.now)
    joined.receive("elsewhere/record/bulletin/1/5", b"x", NOON_S, broker.now)
    joined.receive("", b"", None, broker.now)
    joined.receive(PREFIX + "gateway/gw1/echo", b"not ours", NOON_S, broker.now)
    assert len(joined.online) <= 64
    assert joined.counters == {"online-topic": 1, "foreign-topic": 2}
    assert broker.settle() == []


def test_a_broker_that_never_gives_the_echo_back_is_believed_after_a_while(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5))
    joined = gateway.joined
    joined.connected(0)
    joined.subscribed(0)
    joined.tick(NOON_S, 0)
    while joined.next_publish(0) is not None:
        pass
    joined.tick(NOON_S, joined.deadline())
    for now in range(0, 20_000, 500):
        joined.tick(NOON_S, now)
    assert joined.synced


@pytest.mark.parametrize(
    "name", ["gateway", "gateway/", "gateway/a/b", "gateway/#", "node/x", "gateway/" + "x" * 33]
)
def test_a_name_that_would_not_be_a_topic_is_refused(region, name):
    with pytest.raises(ValueError, match="allowed: gateway/ID or console/ID"):
        Party(region, name)


def test_a_records_topic_and_its_bytes_belong_together(region):
    for raw in [
        *bulletin_parts(region, 5),
        *bulletin_parts(region, 6, "їх. " * 60),
        status_record(region, "RL1", 9),
    ]:
        kind, origin, seq = topics.record_place(topics.of_record(raw)) or (0, 0, 0)
        assert (raw[0] & 15, int.from_bytes(raw[1:3], "big"), int.from_bytes(raw[3:6], "big")) == (
            kind,
            origin,
            seq,
        )


def test_a_bulletin_that_expires_right_after_its_view_was_made_leaves_no_view(region, broker):
    gateway = Party(region)
    gateway.learn(*bulletin_parts(region, 5, valid_s=HOUR_S))
    broker.connect(gateway.joined)
    broker.settle()
    gateway.learn(status_record(region, "OV06", 1))
    broker.settle(1)  # all views are new now and will not be looked at for a second
    broker.unix_s = NOON_S + HOUR_S
    broker.settle(20_000)
    assert not [topic for topic in broker.retained if "1/5" in topic]


def test_a_view_whose_record_is_gone_is_cleared(region, broker):
    broker.retained[PREFIX + "bulletin/1/5"] = b'{"id":"1/5"}'
    broker.connect(Party(region).joined)
    broker.settle()
    assert PREFIX + "bulletin/1/5" not in broker.retained


def test_a_console_clears_nothing(region, broker):
    broker.retained[PREFIX + "record/bulletin/1/5"] = bulletin_parts(region, 5, valid_s=HOUR_S)[0]
    broker.unix_s = NOON_S + 2 * HOUR_S
    broker.connect(Party(region, "console/c1", views=False).joined)
    assert broker.settle(60_000) == []
