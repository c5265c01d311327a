"""Heartbeats, reports, answers, amendments of the trust list, and kinds of a later version: what a replica
takes, keeps, lets go of and passes on.
"""

from _flood import Member, Net, Packet, line
from _small_region import (
    NOON_S,
    POINT_KEYS,
    REGION_KEY,
    ROOT,
    STRANGER_KEY,
    TOWN_KEY,
    TRUST,
    beat,
    cause_of,
    fresh,
    random_source,
    status_record,
    take,
)

from baken.crypto import ed25519
from baken.noticeboard.events import Send
from baken.noticeboard.letters import MAX_ANSWERS, MAX_REPORTS, MAX_REPORTS_OF_POINT, Letters
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.registers import MAX_CARRIED_OF_ORIGIN
from baken.noticeboard.replica import KNOWN, NEW, REFUSED
from baken.wire import amendment, answer, records, report, sealed
from baken.wire.digest import decode_tally, encode_tally
from baken.wire.records import ANSWER, HEARTBEAT, REPORT, STATUS

MINUTE = 60000
REGION_PRIVATE = ed25519.montgomery_private(bytes([2]) * 32)
REGION_BOX = ed25519.montgomery_public(REGION_KEY.public)


def point_private(point):
    return bytes([9 + point]) * 32


def key_at_point(point):
    return sealed.shared_key(point_private(point), REGION_BOX, TRUST.tag)


def key_at_desk(point):
    return sealed.shared_key(REGION_PRIVATE, POINT_KEYS[point - 1].public, TRUST.tag)


def report_record(point, seq, text=b"Zuurstof nodig.", time_s=NOON_S, key=None):
    made = report.Report(point, seq, time_s, 1)
    key = key or POINT_KEYS[point - 1]
    return sealed.encode_report(made, text, key_at_point(point), TRUST.tag, key.sign)


def answer_record(seq, point, ref, text=b"", time_s=NOON_S, valid_s=3600, key=REGION_KEY):
    made = answer.Answer(1, seq, point, ref, time_s, time_s + valid_s)
    return sealed.encode_answer(made, text, key_at_desk(point), TRUST.tag, key.sign)


# Heartbeat


def test_a_heartbeat_replaces_the_one_before_and_an_old_one_is_refused():
    replica = fresh()
    assert take(replica, beat(2, newest=7), beat(2, newest=7), beat(1), beat(3)) == [NEW, KNOWN, REFUSED, NEW]
    assert replica.heartbeats[1].seq == 3 and replica.counters == {"old": 1}
    assert replica.newest_sent_s == NOON_S and replica.inventory.digest().beats == {1: 3}
    assert replica.records() == [beat(3)] and list(replica.inventory.tally()) == []


def test_a_forged_heartbeat_with_a_huge_number_hides_nothing():
    replica = fresh()
    assert take(replica, beat(0xFFFFFF, key=TOWN_KEY), beat(1)) == [REFUSED, NEW]
    assert replica.counters == {"bad-signature": 1}


def test_a_heartbeat_reaches_a_node_that_was_off_without_waking_the_others():
    net = Net(line(4))
    net.members["03"].on = False
    net.publish("00", beat(5, newest=2))
    net.run(10 * MINUTE)
    assert len(net.holders((HEARTBEAT, 1, 5, 0))) == 3
    net.members["03"].on = True
    net.run(net.now + 20 * MINUTE)
    assert len(net.holders((HEARTBEAT, 1, 5, 0))) == 4


# Reports and answers


def test_a_report_can_be_read_by_its_authority_and_its_point_only():
    raw = report_record(2, 1, b"Twee gewonden, trap 3.")
    assert sealed.open_text(raw, key_at_desk(2)) == b"Twee gewonden, trap 3."
    assert sealed.open_text(raw, key_at_point(2)) == b"Twee gewonden, trap 3."
    assert b"gewonden" not in raw
    assert cause_of(sealed.open_text, raw, key_at_desk(1)) == "seal-tag"
    moved = raw[:5] + b"\x02" + raw[6:]  # the same text under another number
    assert cause_of(sealed.open_text, moved, key_at_desk(2)) == "seal-tag"
    longest = report_record(2, 1, b"x" * report.MAX_TEXT)
    assert len(longest) == records.MAX_PAYLOAD
    assert cause_of(report_record, 2, 1, b"x" * (report.MAX_TEXT + 1)) == "report-text"


def test_an_answer_can_be_as_long_as_a_frame_and_no_longer():
    raw = answer_record(1, 2, 0, b"x" * answer.MAX_TEXT)
    assert len(raw) == records.MAX_PAYLOAD and answer.decode(raw).has_text
    assert cause_of(answer_record, 1, 2, 0, b"x" * (answer.MAX_TEXT + 1)) == "answer-text"
    assert cause_of(answer_record, 1, 2, 0) == "answer-text"  # says nothing at all
    assert not answer.decode(answer_record(1, 2, 9)).has_text


def test_a_second_report_stands_beside_the_first():
    replica = fresh()
    assert take(replica, report_record(1, 2), report_record(1, 1), report_record(2, 1)) == [NEW, NEW, NEW]
    assert list(replica.inventory.tally()) == [(REPORT, 1, 1), (REPORT, 1, 2), (REPORT, 2, 1)]


def test_an_answer_lets_go_of_the_report_it_names_and_of_no_other():
    replica = fresh()
    take(replica, report_record(1, 1), report_record(1, 2))
    assert take(replica, answer_record(1, 1, 1, b"Ambulance komt.")) == [NEW]
    assert list(replica.inventory.tally()) == [(REPORT, 1, 2), (ANSWER, 1, 1)]
    assert take(replica, report_record(1, 1)) == [REFUSED] and replica.counters == {"answered": 1}


def test_an_answer_stays_as_long_as_its_report_could_come_back():
    replica = fresh()
    take(replica, answer_record(1, 1, 1, valid_s=600))
    assert replica.expire(NOON_S + 601) == []
    assert take(replica, report_record(1, 1), unix_s=NOON_S + 700) == [REFUSED]
    end_s = NOON_S + report.LIFE_S
    assert replica.next_expiry_s() == end_s and replica.expire(end_s) == [(ANSWER, 1, 1, 0)]
    assert take(replica, report_record(1, 1), unix_s=end_s) == [REFUSED]  # expired by itself


def test_a_forged_answer_makes_no_report_disappear():
    replica = fresh()
    take(replica, report_record(1, 1))
    assert take(replica, answer_record(1, 1, 1, key=STRANGER_KEY)) == [REFUSED]
    assert list(replica.inventory.tally()) == [(REPORT, 1, 1)]


def test_one_point_cannot_take_all_places_for_reports():
    replica = fresh()
    outcomes = take(replica, *[report_record(1, seq) for seq in range(1, MAX_REPORTS_OF_POINT + 2)])
    assert outcomes == [NEW] * MAX_REPORTS_OF_POINT + [REFUSED] and replica.counters == {"full": 1}
    assert take(replica, report_record(2, 1)) == [NEW]


def test_of_too_many_reports_the_new_one_is_refused_until_one_is_answered_or_has_expired():
    held = Letters()
    numbers = range(MAX_REPORTS + 1)
    made = [report.Report(1 + n // MAX_REPORTS_OF_POINT, 1 + n, NOON_S + n, 1) for n in numbers]
    for one in made[:MAX_REPORTS]:
        held.check_report(one, NOON_S)
        held.add_report(one)
    last = made[MAX_REPORTS]
    assert cause_of(held.check_report, last, NOON_S) == "full"
    assert cause_of(held.check_report, last, None) == "full", "nor does one go without a clock"
    assert len(held.reports) == MAX_REPORTS
    assert held.expire(NOON_S + report.LIFE_S - 1) == [], "an open report stays until its own end"
    reply = answer.Answer(1, 1, 1, 1, NOON_S, NOON_S + 3600)
    assert held.add_answer(reply) == [(REPORT, 1, 1, 0)]
    held.check_report(last, NOON_S)
    held.add_report(last)
    assert len(held.reports) == MAX_REPORTS
    assert (REPORT, 1, 2, 0) in held.expire(NOON_S + 1 + report.LIFE_S)
    assert len(held.reports) < MAX_REPORTS


def test_of_too_many_answers_the_oldest_goes_and_an_older_one_is_refused():
    replica = fresh()
    raws = [answer_record(seq, 2, seq, time_s=NOON_S + 60 * seq) for seq in range(1, MAX_ANSWERS + 2)]
    assert take(replica, *raws[1:]) == [NEW] * MAX_ANSWERS
    assert take(replica, raws[0]) == [REFUSED] and replica.counters == {"full": 1}
    late = answer_record(99, 2, 99, time_s=NOON_S + 9000)
    assert take(replica, late) == [NEW] and len(replica.letters.answers) == MAX_ANSWERS
    assert replica.get((ANSWER, 1, 2, 0)) is None


def test_a_restart_between_answer_and_removal_brings_no_report_back():
    store = MemoryStore()
    take(fresh(store), report_record(1, 1), answer_record(1, 1, 1))
    store.put(report_record(1, 1))  # as if the power had gone before its removal
    replica = fresh(store)
    assert list(replica.inventory.tally()) == [(ANSWER, 1, 1)]
    assert sorted(store.load()) == [answer_record(1, 1, 1)]


def test_a_report_crosses_a_lossy_line_and_its_answer_comes_back():
    for seed in (1, 2, 3):
        net = Net(line(6), seed, loss_percent=30)
        net.publish("05", report_record(1, 1))
        net.run(40 * MINUTE)  # nobody insists in this net: a lost flood waits for digests
        assert len(net.holders((REPORT, 1, 1, 0))) == 6
        net.publish("00", answer_record(1, 1, 1, b"Gezien."))
        net.run(net.now + 20 * MINUTE)
        assert len(net.holders((ANSWER, 1, 1, 0))) == 6 and net.holders((REPORT, 1, 1, 0)) == []


def test_a_node_that_slept_through_the_answer_lets_go_of_its_report_too():
    net = Net(line(3))
    net.publish("02", report_record(1, 1))
    net.run(2 * MINUTE)
    net.members["02"].on = False
    net.publish("00", answer_record(1, 1, 1))
    net.run(12 * MINUTE)
    assert net.holders((REPORT, 1, 1, 0)) == ["02"]
    net.members["02"].on = True
    net.run(net.now + 25 * MINUTE)
    assert net.holders((REPORT, 1, 1, 0)) == [] and len(net.holders((ANSWER, 1, 1, 0))) == 3


# Kinds and versions to come


def unknown(first_byte, origin, seq, key, body=b"later"):
    header = records.encode_header(records.RecordHeader(STATUS, origin, seq))
    return records.seal(bytes((first_byte,)) + header[1:] + body, TRUST.tag, key.sign)


def test_kinds_and_versions_to_come_are_checked_and_carried():
    replica = fresh()
    good = [
        unknown(0x1B, 1, 1, REGION_KEY),
        unknown(0x1C, 2, 1, POINT_KEYS[1]),
        unknown(0x23, 3, 1, POINT_KEYS[2]),
        unknown(0x1E, amendment.ROOT_ORIGIN, 1, ROOT),
    ]
    assert take(replica, *good) == [NEW] * 4 and sorted(replica.records()) == sorted(good)
    bad = [unknown(0x1B, 1, 2, STRANGER_KEY), unknown(0x1E, 1, 2, ROOT), unknown(0x18, 1, 1, REGION_KEY)]
    assert take(replica, *bad) == [REFUSED] * 3
    assert take(replica, unknown(0x1B, 1, 2, REGION_KEY, b"newer")) == [NEW]
    assert replica.get((0x0B, 1, 1, 0)) is None and not replica.notices and not replica.statuses


def test_one_origin_cannot_fill_the_places_for_carried_records():
    replica = fresh()
    kinds = [0x1C, 0x1D, 0x23, 0x33]
    outcomes = take(replica, *[unknown(kind, 2, 1, POINT_KEYS[1]) for kind in kinds])
    assert outcomes == [NEW] * MAX_CARRIED_OF_ORIGIN + [REFUSED] * (len(kinds) - MAX_CARRIED_OF_ORIGIN)


def test_a_carried_record_spreads_and_survives_a_restart():
    net = Net(line(3))
    raw = unknown(0x23, 3, 1, POINT_KEYS[2])
    net.publish("00", raw)
    net.run(10 * MINUTE)
    assert len(net.holders((0x23, 3, 1, 0))) == 3
    store = MemoryStore()
    take(fresh(store), raw)
    assert fresh(store).records() == [raw]


# Tally pages


def test_what_lies_between_two_pages_is_not_lost():
    mine = fresh()
    raws = [report_record(point, seq, time_s=NOON_S) for point in (1, 2, 3) for seq in range(1, 9)]
    take(mine, *raws)
    theirs = list(mine.inventory.tally())
    for lacking in range(len(theirs)):
        pages = [decode_tally(raw) for raw in encode_tally(theirs[:lacking] + theirs[lacking + 1 :])]
        missing = []
        for page in pages:
            missing += mine.inventory.missing_on_page(page)
        assert missing == [theirs[lacking] + (0,)]
    assert not mine.inventory.lacks_on_page(decode_tally(encode_tally(theirs)[0]))
    assert fresh().inventory.lacks_on_page(decode_tally(encode_tally(theirs)[0]))


def events_of(member, raw, packet_id, hops, now):
    """What a member's gossip says at once to a record from the air with these (hop limit, hop start)."""
    member.gossip.receive(raw, Packet("99", packet_id, raw, *hops), 10, NOON_S, now)
    return next_events(member, now)


def next_events(member, now):
    found = []
    while (event := member.gossip.next_event(now)) is not None:
        found.append(event)
    return found


def kinds_of(events):
    return [event.__class__.__name__ for event in events]


def test_a_repeated_report_goes_on_with_fresh_hops_as_often_as_it_may_be_served():
    member = Member("00", random_source(3), 0)
    raw = report_record(1, 1)
    assert kinds_of(events_of(member, raw, 1, (0, 3), 10)) == ["Refresh", "Learned"]
    assert kinds_of(events_of(member, raw, 2, (0, 3), 2000)) == ["Refresh", "Repeated"]
    assert kinds_of(events_of(member, raw, 3, (0, 3), 3000)) == [], "a flood of copies is not multiplied"
    repeated = events_of(member, raw, 4, (2, 3), 2 * MINUTE)
    assert "Repeated" in kinds_of(repeated) and "Refresh" not in kinds_of(repeated)
    status = status_record(2, 1)
    events_of(member, status, 5, (0, 3), 2 * MINUTE)
    assert kinds_of(events_of(member, status, 6, (0, 3), 2 * MINUTE)) == ["Withdraw"]


def test_who_repeats_an_answered_report_gets_the_answer_in_a_flood():
    member = Member("00", random_source(3), 0)
    raw = report_record(1, 1)
    events_of(member, raw, 1, (0, 3), 10)
    answered = answer_record(1, 1, 1)
    events_of(member, answered, 2, (0, 3), 20)
    assert "Refused" in kinds_of(events_of(member, raw, 3, (2, 3), MINUTE))
    (flood,) = [one for one in next_events(member, MINUTE + 5000) if one.__class__ is Send and one.record_id]
    assert (flood.payload, flood.flood, flood.is_life_saving) == (answered, True, True)
    events_of(member, raw, 4, (2, 3), MINUTE + 5000)
    assert not [one for one in next_events(member, MINUTE + 7000) if one.__class__ is Send and one.record_id]


def test_an_answer_that_a_neighbour_served_is_flooded_on_and_only_a_flood_makes_that_needless():
    for again, floods in (((0, 1), 1), ((2, 3), 0)):
        member = Member("00", random_source(3), 0)
        raw = answer_record(1, 1, 1)
        assert kinds_of(events_of(member, raw, 1, (0, 1), 10)) == ["Learned"]
        events_of(member, raw, 2, again, 20)
        sent = [one for one in next_events(member, 5000) if one.__class__ is Send and one.record_id]
        assert len(sent) == floods and all([one.flood for one in sent])
