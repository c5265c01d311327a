"""Presets, airtime and frequencies against Meshtastic's published values."""

import math

from _vectors import cause_of

from baken.wire import modem
from baken.wire.errors import LocalProtocolError
from baken.wire.modem import Modem

# Milliseconds on air of frames of 36, 66, 116, 216 and 255 bytes.
_AIRTIME_MS = {
    modem.SHORT_TURBO: (21, 33, 51, 88, 102),
    modem.SHORT_FAST: (43, 66, 102, 176, 204),
    modem.SHORT_SLOW: (80, 116, 183, 311, 362),
    modem.MEDIUM_FAST: (150, 211, 324, 560, 642),
    modem.MEDIUM_SLOW: (280, 402, 607, 1017, 1181),
    modem.LONG_TURBO: (345, 509, 837, 1426, 1656),
    modem.LONG_FAST: (518, 723, 1133, 1870, 2157),
    modem.LONG_MODERATE: (1511, 2429, 3871, 6754, 7934),
    modem.LONG_SLOW: (3023, 4596, 7217, 12460, 14295),
}


def test_airtime_of_every_preset_matches_the_table():
    assert len(modem.presets()) == len(_AIRTIME_MS)
    for preset in modem.presets():
        times = tuple([preset.modem.airtime_ms(length) for length in (36, 66, 116, 216, 255)])
        assert times == _AIRTIME_MS[preset.number], preset.name


def test_airtime_in_microseconds_follows_the_data_sheet():
    # LongFast, 16 bytes: 16 + 4.25 + 8 + ceil((128 + 16 - 44 + 28) / 44) * 5 symbols of 8.192 ms.
    assert modem.preset(modem.LONG_FAST).modem.airtime_us(16) == (16 + 8 + 15) * 8192 + 8192 * 17 // 4
    # SF12 at 125 kHz: symbols of 32.768 ms, so the low data rate optimisation takes two bits from each.
    slow = Modem(125000, 12, 8)
    assert slow.airtime_us(16) == (4 * (16 + 8 + -(-(128 + 16 - 48 + 28) // 40) * 8) + 17) * 8192


def test_airtime_grows_with_length_and_coding_rate():
    for preset in modem.presets():
        times = [preset.modem.airtime_us(length) for length in range(256)]
        assert times == sorted(times)
    fast = modem.preset(modem.LONG_FAST).modem
    assert Modem(250000, 11, 8).airtime_us(100) > fast.airtime_us(100)


def test_a_frame_longer_than_the_radio_takes_has_no_airtime():
    fast = modem.preset(modem.LONG_FAST).modem
    assert cause_of(LocalProtocolError, fast.airtime_us, 256) == "frame-size"
    assert cause_of(LocalProtocolError, fast.airtime_us, -1) == "frame-size"


def test_sensitivity_is_the_noise_floor_and_the_demodulator_limit():
    limits = {7: -7.5, 8: -10.0, 9: -12.5, 10: -15.0, 11: -17.5, 12: -20.0}
    for preset in modem.presets():
        noise_dbm = -174 + 10 * math.log(preset.modem.bandwidth_hz) / math.log(10) + 6
        expected_dbm = noise_dbm + limits[preset.modem.spreading_factor]
        assert abs(expected_dbm - preset.sensitivity_dbm) < 0.6, preset.name


def test_presets_are_found_by_number_and_by_name():
    for preset in modem.presets():
        assert modem.preset_named(preset.name) == preset == modem.preset(preset.number)
    assert modem.preset(2) == modem.preset(modem.LONG_FAST)
    assert cause_of(LocalProtocolError, modem.preset, 10) == "modem"
    assert cause_of(LocalProtocolError, modem.preset_named, "FAST") == "modem"


def test_channel_names_hash_to_the_known_numbers():
    for name, value in (
        (b"LongFast", 130429955),
        (b"LongMod", 3908476213),
        (b"LongSlow", 130908986),
        (b"MediumFast", 1461075348),
        (b"ShortFast", 603668899),
        (b"", 5381),
    ):
        assert modem.djb2(name) == value


def test_every_quarter_megahertz_preset_in_europe_shares_one_frequency():
    europe = modem.region(3)
    for preset in modem.presets():
        if preset.modem.bandwidth_hz == 250000:
            for name in (preset.channel_name, b"Noodnet", b""):
                for number in (0, 1, 5):
                    assert europe.frequency_hz(preset.modem, name, number) == 869525000


def test_narrow_presets_choose_their_half_of_the_band_by_name():
    europe = modem.region(3)
    moderate = modem.preset(modem.LONG_MODERATE)
    slow = modem.preset(modem.LONG_SLOW)
    assert europe.frequency_hz(moderate.modem, moderate.channel_name) == 869587500
    assert europe.frequency_hz(slow.modem, slow.channel_name) == 869462500
    assert europe.frequency_hz(slow.modem, slow.channel_name, 2) == 869587500
    assert europe.frequency_hz(slow.modem, slow.channel_name, 3) == 869462500


def test_a_bandwidth_wider_than_the_band_is_refused():
    europe = modem.region(3)
    for number in (modem.SHORT_TURBO, modem.LONG_TURBO):
        wide = modem.preset(number).modem
        assert europe.slots(wide) == 0
        assert cause_of(LocalProtocolError, europe.frequency_hz, wide, b"x") == "modem"
        assert modem.region(2).slots(wide) == 2
    assert cause_of(LocalProtocolError, modem.region, 0) == "region"


def test_manual_bandwidths_have_codes_for_their_fractions():
    for code, bandwidth_hz in ((31, 31250), (62, 62500), (125, 125000), (250, 250000), (200, 203125)):
        assert modem.custom_modem(code, 9, 5) == Modem(bandwidth_hz, 9, 5)


def test_settings_that_no_chip_knows_are_refused():
    for arguments in ((250000, 4, 5), (250000, 13, 5), (250000, 9, 4), (250000, 9, 9), (0, 9, 5)):
        assert cause_of(LocalProtocolError, Modem, *arguments) == "modem"
