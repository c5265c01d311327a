"""The air's rules, each with powers and times that can be worked out by hand."""

import math
from typing import Any

import pytest

from baken_hardware.virtual.air import Air, AirError, Modem, Received, Sent

MEDIUM_FAST = Modem(869_525_000, 250_000, 9)
LONG_FAST = Modem(869_525_000, 250_000, 11)
SENSITIVITY_DBM = -126.5
NOISE_DBM = -114.0
# 66 bytes on MediumFast: (28.25 + ceil((528 - 36 + 44) / 36) * 5) symbols of 2.048 ms = 211.5 ms.
FRAME = bytes(66)
AIRTIME_MS = 212


def make_air(powers: dict[tuple[str, str], float], **options: Any) -> Air:
    """Radios A, B, ... with the given mean power from first to second; pairs left out do not hear each
    other.
    """
    air = Air(
        lambda sender, receiver, power_dbm: powers.get((sender, receiver)),
        lambda spreading_factor, bandwidth_hz: SENSITIVITY_DBM,
        lambda bandwidth_hz: NOISE_DBM,
        **options,
    )
    for name in sorted({name for pair in powers for name in pair}):
        air.add(name)
        air.configure(name, MEDIUM_FAST)
    return air


def received(events: list[Sent | Received]) -> list[tuple[str, str]]:
    return [(event.sender, event.receiver) for event in events if isinstance(event, Received)]


def test_airtimes_are_those_of_the_vendor_formula():
    # meshtastic presets, on-air lengths 36, 66, 116, 216, 255 bytes; milliseconds rounded up.
    lengths = (36, 66, 116, 216, 255)
    assert [MEDIUM_FAST.airtime_ms(length) for length in lengths] == [151, 212, 325, 560, 642]
    assert [LONG_FAST.airtime_ms(length) for length in lengths] == [519, 723, 1133, 1870, 2157]
    long_slow = Modem(869_525_000, 125_000, 12, coding_rate=8)
    assert [long_slow.airtime_ms(length) for length in lengths] == [3023, 4596, 7218, 12461, 14296]
    assert (MEDIUM_FAST.slot_ms, LONG_FAST.slot_ms) == (12, 28)


def test_a_frame_arrives_when_it_ends_with_its_strength():
    air = make_air({("A", "B"): -100.0})
    air.transmit("A", FRAME, 1000)
    assert air.deadline() == 1000 + AIRTIME_MS
    assert air.advance(1000 + AIRTIME_MS - 1) == []
    sent, got = air.advance(1000 + AIRTIME_MS)
    assert isinstance(sent, Sent) and sent.sender == "A"
    assert got == Received("B", "A", FRAME, -100.0, 14.0)
    assert air.deadline() is None


def test_a_frame_just_below_sensitivity_is_not_received_and_just_at_it_is():
    air = make_air({("A", "B"): SENSITIVITY_DBM, ("A", "C"): SENSITIVITY_DBM - 0.1})
    air.transmit("A", FRAME, 0)
    assert received(air.advance(AIRTIME_MS)) == [("A", "B")]
    assert air.counters["lost-weak"] == 1


def test_two_frames_within_six_decibels_destroy_each_other():
    air = make_air({("A", "C"): -100.0, ("B", "C"): -105.9})
    air.transmit("A", FRAME, 0)
    air.transmit("B", FRAME, 10)
    assert received(air.advance(1000)) == []
    assert air.counters["lost-collision"] == 2


def test_the_frame_that_came_first_survives_one_six_decibels_weaker():
    air = make_air({("A", "C"): -100.0, ("B", "C"): -106.0})
    air.transmit("A", FRAME, 0)
    air.transmit("B", FRAME, 10)
    assert received(air.advance(1000)) == [("A", "C")]
    assert air.counters["lost-collision"] == 1


def test_a_stronger_frame_that_comes_later_destroys_the_first_and_is_lost_as_well():
    # The receiver is locked on the first one, however weak, until that ends.
    air = make_air({("A", "C"): -120.0, ("B", "C"): -80.0})
    air.transmit("A", FRAME, 0)
    air.transmit("B", FRAME, 10)
    assert received(air.advance(1000)) == []
    assert (air.counters["lost-collision"], air.counters["lost-locked"]) == (1, 1)


def test_a_stronger_frame_is_received_over_one_too_weak_to_lock_on():
    air = make_air({("A", "C"): SENSITIVITY_DBM - 1, ("B", "C"): SENSITIVITY_DBM + 5})
    air.transmit("A", FRAME, 0)
    air.transmit("B", FRAME, 10)
    assert received(air.advance(1000)) == [("B", "C")]


def test_a_frame_too_weak_to_receive_still_destroys_one_less_than_six_decibels_stronger():
    air = make_air({("A", "C"): SENSITIVITY_DBM - 1, ("B", "C"): SENSITIVITY_DBM + 4.9})
    air.transmit("B", FRAME, 0)
    air.transmit("A", FRAME, 10)
    assert received(air.advance(1000)) == []


def test_a_frame_that_ends_when_another_begins_does_not_disturb_it():
    air = make_air({("A", "C"): -100.0, ("B", "C"): -100.0})
    air.transmit("A", FRAME, 0)
    events = air.advance(AIRTIME_MS)
    air.transmit("B", FRAME, AIRTIME_MS)
    events += air.advance(2 * AIRTIME_MS)
    assert received(events) == [("A", "C"), ("B", "C")]


def test_overlap_by_one_millisecond_is_a_collision():
    air = make_air({("A", "C"): -100.0, ("B", "C"): -100.0})
    air.transmit("A", FRAME, 0)
    air.transmit("B", FRAME, AIRTIME_MS - 1)
    assert received(air.advance(1000)) == []


def test_interferers_count_one_by_one_and_are_not_summed():
    # Two at -106 dBm are -103 dBm together: a power sum would destroy the frame.
    air = make_air({("A", "D"): -100.0, ("B", "D"): -106.0, ("C", "D"): -106.0})
    for start_ms, name in enumerate("ABC"):
        air.transmit(name, FRAME, start_ms)
    assert received(air.advance(1000)) == [("A", "D")]


def test_a_radio_that_sends_hears_nothing_of_what_overlaps():
    air = make_air({("A", "B"): -80.0, ("B", "A"): -80.0})
    air.transmit("A", FRAME, 0)
    air.transmit("B", bytes(10), 50)
    assert received(air.advance(1000)) == []
    assert air.counters["lost-half-duplex"] == 2


def test_a_preamble_missed_while_sending_is_a_frame_missed():
    air = make_air({("A", "B"): -80.0, ("B", "C"): -80.0})
    short_ms = air.transmit("B", bytes(1), 0).end_ms
    air.transmit("A", FRAME, short_ms - 1)
    assert received(air.advance(1000)) == [("B", "C")]


def test_a_radio_that_has_sent_is_free_for_a_frame_that_begins_then():
    # B gives up A's frame by sending; what is left of it is weak enough not to disturb C's.
    air = make_air({("A", "B"): -110.0, ("C", "B"): -100.0})
    air.transmit("A", bytes(255), 0)
    end_ms = air.transmit("B", bytes(1), 50).end_ms
    air.advance(end_ms)
    air.transmit("C", bytes(1), end_ms)
    assert received(air.advance(1000)) == [("C", "B")]


def test_a_hidden_node_collides_where_both_are_heard_only():
    powers = {("A", "B"): -100.0, ("C", "B"): -100.0, ("A", "D"): -100.0, ("C", "E"): -100.0}
    air = make_air(powers)
    air.transmit("A", FRAME, 0)
    air.transmit("C", FRAME, 5)
    assert received(air.advance(1000)) == [("A", "D"), ("C", "E")]


@pytest.mark.parametrize(
    "other",
    [
        Modem(869_525_000, 250_000, 11),
        Modem(868_100_000, 250_000, 9),
        Modem(869_525_000, 125_000, 9),
    ],
    ids=["spreading-factor", "frequency", "bandwidth"],
)
def test_radios_tuned_differently_neither_hear_nor_disturb_each_other(other: Modem):
    air = make_air({("A", "B"): -100.0, ("C", "B"): -100.0})
    air.configure("C", other)
    air.transmit("C", FRAME, 0)
    air.transmit("A", FRAME, 1)
    assert received(air.advance(5000)) == [("A", "B")]


def test_a_radio_tuned_too_late_for_a_frame_knows_that_the_channel_is_busy():
    air = make_air({("A", "B"): -100.0, ("C", "B"): -100.0})
    air.configure("B", LONG_FAST)
    air.transmit("A", FRAME, 0)
    air.configure("B", MEDIUM_FAST)
    assert air.channel_busy("B", MEDIUM_FAST.slot_ms + 1)
    # It has missed the preamble, and who comes meanwhile is disturbed.
    air.transmit("C", FRAME, 20)
    assert received(air.advance(1000)) == []
    assert air.counters["lost-no-preamble"] == 1
    air.transmit("C", FRAME, 2000)
    assert received(air.advance(3000)) == [("C", "B")]


def test_another_sync_word_disturbs_but_is_not_received():
    air = make_air({("A", "B"): -100.0, ("C", "B"): -100.0})
    air.configure("C", Modem(869_525_000, 250_000, 9, sync_word=0x12))
    air.transmit("C", FRAME, 0)
    assert received(air.advance(1000)) == []
    air.transmit("C", FRAME, 2000)
    air.transmit("A", FRAME, 2001)
    assert received(air.advance(3000)) == []


def test_another_coding_rate_is_received_because_the_header_names_it():
    air = make_air({("A", "B"): -100.0})
    air.configure("A", Modem(869_525_000, 250_000, 9, coding_rate=8))
    assert air.transmit("A", FRAME, 0).end_ms > AIRTIME_MS
    assert received(air.advance(1000)) == [("A", "B")]


def test_the_channel_is_busy_from_one_slot_after_the_start_to_the_end():
    air = make_air({("A", "B"): -100.0})
    air.transmit("A", FRAME, 100)
    assert not air.channel_busy("B", 100 + MEDIUM_FAST.slot_ms)
    assert air.channel_busy("B", 100 + MEDIUM_FAST.slot_ms + 1)
    assert air.channel_busy("B", 100 + AIRTIME_MS - 1)
    air.advance(100 + AIRTIME_MS)
    assert not air.channel_busy("B", 100 + AIRTIME_MS)


def test_activity_is_detected_three_decibels_below_sensitivity_and_not_below_that():
    air = make_air({("A", "B"): SENSITIVITY_DBM - 3, ("A", "C"): SENSITIVITY_DBM - 3.1})
    air.transmit("A", FRAME, 0)
    assert air.channel_busy("B", 100)
    assert not air.channel_busy("C", 100)


def test_the_channel_is_busy_for_the_sender_itself():
    air = make_air({("A", "B"): -100.0})
    air.transmit("A", FRAME, 0)
    assert air.channel_busy("A", 0)


def test_a_radio_that_is_removed_while_sending_is_received_by_nobody():
    air = make_air({("A", "B"): -100.0, ("B", "A"): -100.0})
    air.transmit("A", FRAME, 0)
    air.remove("A")
    assert air.advance(AIRTIME_MS) == []
    assert air.counters["lost-cut-off"] == 1
    # The same name comes back, and is not told that the old one's frame has ended.
    air.add("A")
    air.configure("A", MEDIUM_FAST)
    air.transmit("B", FRAME, 1000)
    assert received(air.advance(2000)) == [("B", "A")]


def test_a_radio_without_its_antenna_works_but_is_alone():
    air = make_air({("A", "B"): -100.0, ("B", "A"): -100.0})
    air.connect("A", False)
    air.transmit("A", FRAME, 0)
    assert [type(event) for event in air.advance(1000)] == [Sent]
    air.transmit("B", FRAME, 1000)
    assert received(air.advance(2000)) == []
    air.connect("A", True)
    air.transmit("B", FRAME, 2000)
    assert received(air.advance(3000)) == [("B", "A")]


def test_loss_takes_its_part_of_the_frames_and_no_seed_is_like_another():
    outcomes = []
    for seed in (1, 1, 2):
        air = make_air({("A", "B"): -100.0}, seed=seed, loss=0.2)
        got = []
        for number in range(2000):
            air.transmit("A", FRAME, number * 1000)
            got.append(bool(received(air.advance(number * 1000 + 999))))
        # Binomial, 2000 draws at 0.8: four standard deviations are 72.
        assert abs(sum(got) - 1600) < 72
        outcomes.append(got)
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_fading_has_the_deviation_that_was_asked_for():
    air = make_air({("A", "B"): -100.0}, fading_db=2.0)
    powers = []
    for number in range(2000):
        air.transmit("A", FRAME, number * 1000)
        powers += [
            event.power_dbm for event in air.advance(number * 1000 + 999) if isinstance(event, Received)
        ]
    mean = sum(powers) / len(powers)
    deviation = math.sqrt(sum((power - mean) ** 2 for power in powers) / len(powers))
    assert len(powers) == 2000
    assert abs(mean + 100) < 0.2
    assert 1.85 < deviation < 2.15


def test_chance_on_one_link_does_not_depend_on_other_traffic():
    def outcomes(busy: bool) -> list[bool]:
        air = make_air({("A", "B"): -100.0, ("C", "D"): -100.0}, loss=0.5)
        got = []
        for number in range(200):
            if busy:
                air.transmit("C", FRAME, number * 1000)
            air.transmit("A", FRAME, number * 1000)
            got.append(("A", "B") in received(air.advance(number * 1000 + 999)))
        return got

    assert outcomes(busy=False) == outcomes(busy=True)


def test_a_radio_cannot_send_twice_at_once_or_untuned():
    air = make_air({("A", "B"): -100.0})
    air.transmit("A", FRAME, 0)
    with pytest.raises(AirError, match="sending until 212 ms"):
        air.transmit("A", FRAME, 5)
    air.add("C")
    with pytest.raises(AirError, match="C is not configured"):
        air.transmit("C", FRAME, 5)
    with pytest.raises(AirError, match="X is not on the air"):
        air.transmit("X", FRAME, 5)
