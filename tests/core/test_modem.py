"""Presets, airtime and frequencies against Meshtastic's published values."""

import math

from _vectors import cause_of

from baken.mesh.config import MeshConfig
from baken.wire import modem
from baken.wire.channel import DEFAULT_KEY, channel_hash
from baken.wire.errors import LocalProtocolError
from baken.wire.messages import ROLE_ROUTER
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
    assert sorted(_AIRTIME_MS) == [preset.number for preset in modem.presets() if preset.number < 10]
    for number in _AIRTIME_MS:
        preset = modem.preset(number)
        times = tuple([preset.modem.airtime_ms(length) for length in (36, 66, 116, 216, 255)])
        assert times == _AIRTIME_MS[preset.number], preset.name


def test_the_presets_of_newer_firmware_have_its_figures_and_its_channel_hashes():
    for number, bandwidth_hz, factor, rate, hash_byte in (
        (modem.LITE_FAST, 125000, 9, 5, 0x16),
        (modem.LITE_SLOW, 125000, 10, 5, 0x11),
        (modem.NARROW_FAST, 62500, 7, 6, 0x15),
        (modem.NARROW_SLOW, 62500, 8, 6, 0x12),
        (modem.MEDIUM_TURBO, 500000, 9, 5, 0x61),
    ):
        preset = modem.preset(number)
        assert preset.modem == Modem(bandwidth_hz, factor, rate)
        assert channel_hash(preset.channel_name, DEFAULT_KEY) == hash_byte


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
    assert cause_of(LocalProtocolError, modem.preset, 14) == "modem"
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
    assert cause_of(LocalProtocolError, modem.region, 4) == "region"


def _config(**settings):
    return MeshConfig(0x1000, b"Node", b"N", **settings)


def test_narrow_regions_lay_out_their_channels_with_padding_and_gaps():
    for region, preset, frequencies in (
        (29, modem.LITE_FAST, (865700000, 866300000, 866900000, 867500000)),
        (32, modem.NARROW_SLOW, (869441650, 869524950, 869608250)),
        (15, modem.LONG_FAST, (868125000, 868375000)),
    ):
        made = modem.preset(preset).modem
        band = modem.region(region)
        assert band.slots(made) == len(frequencies)
        for slot, frequency_hz in enumerate(frequencies):
            config = _config(region=region, preset=preset, channel_num=slot + 1)
            assert config.frequency_hz() == frequency_hz
        beyond = _config(region=region, preset=preset, channel_num=len(frequencies) + 1)
        assert beyond.frequency_hz() == frequencies[0]
    assert _config(region=32, preset=modem.NARROW_FAST).frequency_hz() == 869441650  # whatever its name


def test_america_spreads_channels_by_name_over_104_slots():
    config = _config(region=1)
    assert modem.region(1).slots(config.modem()) == 104
    assert config.frequency_hz() == 902125000 + 130429955 % 104 * 250000 == 906875000


def test_what_does_not_fit_the_band_gives_way_to_its_default_in_modem_name_and_frequency():
    for region, preset, used in (
        (3, modem.SHORT_TURBO, modem.LONG_FAST),
        (3, modem.MEDIUM_TURBO, modem.LONG_FAST),
        (29, modem.LONG_FAST, modem.LITE_FAST),
        (32, modem.LONG_FAST, modem.NARROW_SLOW),
    ):
        wide = _config(region=region, preset=preset)
        fitting = _config(region=region, preset=used)
        assert wide.modem() == fitting.modem() == modem.preset(used).modem
        assert wide.frequency_hz() == fitting.frequency_hz()
        assert wide.secrets() == fitting.secrets()
    assert _config(region=2, preset=modem.SHORT_TURBO).modem().bandwidth_hz == 500000
    too_wide = _config(custom_modem=modem.custom_modem(500, 8, 5))
    assert too_wide.modem() == _config().modem()
    assert too_wide.secrets() == _config().secrets()


def test_a_modem_of_ones_own_takes_the_presets_place_and_its_name():
    config = _config(custom_modem=modem.custom_modem(125, 9, 6))
    assert config.modem() == Modem(125000, 9, 6)
    assert config.secrets()[0].name == b"Custom"
    assert config.secrets()[0].hash == 0x31
    assert config.frequency_hz() == modem.region(3).frequency_hz(Modem(125000, 9, 6), b"Custom")


def test_a_coding_rate_can_be_made_stronger_and_not_weaker():
    assert _config(coding_rate=8).modem() == Modem(250000, 11, 8)
    assert _config(coding_rate=5, preset=modem.LONG_SLOW).modem() == Modem(125000, 12, 8)
    assert _config(coding_rate=8).secrets() == _config().secrets()


def test_a_frequency_of_ones_own_is_shifted_by_the_offset_as_any_other():
    assert _config(frequency_offset_hz=-1500).frequency_hz() == 869523500
    assert _config(override_frequency_hz=869618000, frequency_offset_hz=250).frequency_hz() == 869618250


def test_power_is_the_regions_limit_unless_less_is_asked_for():
    assert [_config(power_dbm=dbm).tx_power_dbm() for dbm in (0, 14, 27, 30)] == [27, 14, 27, 27]
    assert _config(region=2).tx_power_dbm() == 10


def test_the_duty_cycle_is_that_of_the_region_and_the_role():
    assert _config().duty_permille() == 100
    assert _config(region=15).duty_permille() == 10
    assert _config(region=29, preset=modem.LITE_FAST).duty_permille() == 25
    assert _config(region=29, preset=modem.LITE_FAST, role=ROLE_ROUTER).duty_permille() == 100
    assert _config(region=15, override_duty_cycle=True).duty_permille() == 1000


def test_manual_bandwidths_have_codes_for_their_fractions():
    for code, bandwidth_hz in ((31, 31250), (62, 62500), (125, 125000), (250, 250000), (200, 203125)):
        assert modem.custom_modem(code, 9, 5) == Modem(bandwidth_hz, 9, 5)


def test_settings_that_no_chip_knows_are_refused():
    for arguments in ((250000, 4, 5), (250000, 13, 5), (250000, 9, 4), (250000, 9, 9), (0, 9, 5)):
        assert cause_of(LocalProtocolError, Modem, *arguments) == "modem"
