"""Which stations the demo can be asked to play with."""

import argparse

import pytest

from baken_hardware.demo import plan, scenario


def test_all_stations_and_those_that_are_named():
    assert len(plan.stations("all")) == 45
    assert plan.stations("vr00,ov06,DH04,OV06") == ("VR00", "OV06", "DH04")
    assert plan.stations(",".join(plan.NODES)) == plan.NODES


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("VR00,OV06,XX1,DH04", "no station XX1"),
        ("OV06,DH04", "VR00, the crisis room, must be among them"),
        ("VR00,OV06,OV01,RL1", "two municipalities at least"),
        ("VR00", "two municipalities at least"),
        ("", "no station"),
    ],
)
def test_what_cannot_be_played_is_said(which: str, words: str):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        plan.stations(which)


def test_relays_and_the_crisis_room_lie_in_no_area():
    areas = scenario.load_areas()
    assert len(areas) == 40 and set(areas.values()) == {"OV", "DH", "MW", "ZL", "RM", "PZ", "EH"}
    assert not [code for code in areas if code.startswith(("RL", "VR"))]
