"""Making a region folder and reading it back."""

import base64
import json
import stat
from pathlib import Path

import pytest
from _region import POINTS, authority_key, make_region, write_points

from baken.compat import crc32
from baken.crypto.signing import PointKey
from baken.wire import trust
from baken_gateway.region import RegionError, load_channel_psk, load_key, load_region
from baken_hardware.bench import cli
from baken_hardware.bench.region import Settings, init, provision, region_id_of


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_a_region_reads_back_as_it_was_made(tmp_path):
    region = make_region(tmp_path, preset="LONG_FAST", hop_limit=5, channel="Oefening")
    assert (region.id, region.name) == ("merenland", "Veiligheidsregio Merenland")
    assert (region.channel.name, region.channel.preset, region.channel.hop_limit) == (
        "Oefening",
        "LONG_FAST",
        5,
    )
    assert [(area.code, area.name) for area in region.areas] == [("OV", "Oosterveen"), ("DH", "Dijkerhaven")]
    assert [point.code for point in region.points] == [row[0] for row in POINTS]
    assert [point.number for point in region.points] == [1, 2, 3, 4, 5]
    assert [point.area for point in region.points] == [0, 0, 1, None, None]
    assert [entry.name for entry in region.authorities] == ["VR Merenland", "Gemeente Oosterveen"]
    church = region.point("OV06")
    assert (church.x_km, church.kind, church.second_languages) == (19.8, "gebedshuis", ("uk",))
    assert region.point("DH01").second_languages == ("en", "pl")
    assert [point.code for point in region.points_meant((1,))] == ["DH01"]
    assert [point.code for point in region.points_meant(())] == ["OV01", "OV06", "DH01"]


def test_the_trust_list_is_signed_by_root_and_names_nodes_by_their_key(tmp_path):
    region = make_region(tmp_path)
    read = trust.decode((region.folder / "trust.bin").read_bytes(), region.root_public)
    assert read.serial == 1 and read.region == b"Veiligheidsregio Merenland"
    for point in region.points:
        key = load_key(region.folder / "keys" / f"point-{point.code}.key", region)
        assert isinstance(key.key, PointKey)
        assert read.points[point.number].public == key.public
        assert point.node_num == crc32(key.public)
    assert authority_key(region, 2).public == region.authorities[1].public


def test_node_numbers_and_their_last_bytes_are_all_different(tmp_path):
    rows = [
        (f"OV{n:02}", f"Punt {n}", "Oosterveen", "school", str(n), "0", "8", "12", "") for n in range(1, 61)
    ]
    region = make_region(tmp_path, rows)
    assert len({point.node_num & 0xFF or 0xFF for point in region.points}) == 60


def test_secret_files_are_for_their_owner_alone(tmp_path):
    folder = make_region(tmp_path).folder
    assert mode(folder) == mode(folder / "keys") == 0o700
    secret = [folder / "channel.psk", *(folder / "keys").iterdir()]
    assert len(secret) == 1 + 1 + 2 + 5
    assert {mode(path) for path in secret} == {0o600}
    assert not list(folder.glob("**/.*.new"))


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    folder = make_region(tmp_path).folder
    (folder / "keys/authority-1.key").chmod(0o640)
    with pytest.raises(RegionError, match=r"mode 0640 lets others in; run: chmod 600"):
        load_key(folder / "keys/authority-1.key")
    (folder / "channel.psk").chmod(0o604)
    with pytest.raises(RegionError, match=r"channel\.psk is secret, but its mode 0604"):
        load_channel_psk(folder)
    load_region(folder)  # needs no secret


def test_making_a_region_twice_is_refused_and_changes_nothing(tmp_path, capsys):
    folder = make_region(tmp_path).folder
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert run("region", "init", folder, "--points", folder / "points.csv") == 1
    assert "already holds a region" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_force_adds_points_and_authorities_and_keeps_every_key_and_number(tmp_path):
    old = make_region(tmp_path)
    keys = {path.name: path.read_bytes() for path in (old.folder / "keys").iterdir()}
    psk = load_channel_psk(old.folder)
    # A new point in front, one gone, a new municipality.
    new_point = ("PZ02", "Dorpshuis De Terp", "Polderzijl", "dorpshuis", "35", "11.4", "7", "12", "")
    rows = [new_point, *[row for row in POINTS if row[0] != "OV01"]]
    init(
        old.folder,
        write_points(tmp_path / "new.csv", rows),
        Settings(authorities=("Waterschap",)),
        force=True,
    )
    new = load_region(old.folder)
    assert new.trust.serial == 2
    assert {point.code: point.number for point in new.points} == {
        "OV06": 2,
        "DH01": 3,
        "RL1": 4,
        "VR00": 5,
        "PZ02": 6,
    }
    assert [area.code for area in new.areas] == ["OV", "DH", "PZ"]
    assert [(a.number, a.name) for a in new.authorities][2:] == [(3, "Waterschap")]
    assert new.point("OV06").node_num == old.point("OV06").node_num
    assert load_channel_psk(new.folder) == psk
    assert {name: (new.folder / "keys" / name).read_bytes() for name in keys} == keys
    # The number of the point that went is not given to another one.
    init(new.folder, write_points(tmp_path / "again.csv", POINTS), force=True)
    assert load_region(old.folder).point("OV01").number == 1


def test_an_update_that_was_cut_off_is_finished_by_running_it_again(tmp_path):
    region = make_region(tmp_path)
    rows = [*POINTS, ("PZ02", "Dorpshuis", "Polderzijl", "dorpshuis", "35", "11", "7", "12", "")]
    write_points(region.folder / "points.csv", rows)  # the first file that an update writes
    with pytest.raises(
        RegionError, match=r"has point PZ02, which trust.bin lacks; run baken-bench region init --force"
    ):
        load_region(region.folder)
    assert init(region.folder, region.folder / "points.csv", force=True).point("PZ02").number == 6


@pytest.mark.parametrize(
    ("code", "role", "area", "restricted"),
    [("OV06", "CLIENT", 0, False), ("RL1", "ROUTER", None, False), ("VR00", "CLIENT", None, True)],
)
def test_a_node_gets_all_it_needs_and_only_its_own_secrets(tmp_path, code, role, area, restricted):
    region = make_region(tmp_path)
    out = tmp_path / "flash"
    assert run("region", "node", region.folder, code, out) == 0
    node = json.loads((out / "node.json").read_text())
    point = region.point(code)
    assert node == {
        "code": code,
        "name": point.name,
        "number": point.number,
        "node_num": point.node_num,
        "private": load_key(region.folder / "keys" / f"point-{code}.key").private.hex(),
        "area": area,
        "channel": {"name": "Baken", "psk": load_channel_psk(region.folder).hex()},
        "preset": "MEDIUM_FAST",
        "hop_limit": 3,
        "role": role,
        "root_public": region.root_public.hex(),
        "restricted": restricted,
        "timezone": "Europe/Amsterdam",
    }
    assert (mode(out), mode(out / "node.json")) == (0o700, 0o600)
    assert (out / "trust.bin").read_bytes() == (region.folder / "trust.bin").read_bytes()
    for other in (region.folder / "keys").iterdir():
        if other.name != f"point-{code}.key":
            assert load_key(other).private.hex() not in (out / "node.json").read_text()


def test_what_a_gateway_gets_is_a_region_without_any_secret(tmp_path):
    region = make_region(tmp_path)
    out = tmp_path / "public"
    assert run("region", "public", region.folder, out) == 0
    assert sorted(path.name for path in out.iterdir()) == ["points.csv", "region.toml", "trust.bin"]
    assert load_region(out).trust == region.trust
    content = b"".join(path.read_bytes() for path in out.iterdir())
    assert base64.b64encode(load_channel_psk(region.folder)) not in content


def test_an_unknown_point_is_named_with_those_that_exist(tmp_path, capsys):
    region = make_region(tmp_path)
    assert run("region", "node", region.folder, "OV99", tmp_path / "flash") == 1
    assert "no point 'OV99'; known: OV01, OV06, DH01, RL1, VR00" in capsys.readouterr().err
    with pytest.raises(RegionError, match="no point"):
        provision(region.folder, "../OV06", tmp_path / "flash")


@pytest.mark.parametrize("name", ["region.toml", "points.csv", "trust.bin"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = make_region(tmp_path).folder
    (folder / name).unlink()
    with pytest.raises(RegionError, match=f"{name} cannot be read: No such file"):
        load_region(folder)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('timezone = "', 'zone = "', "timezone is missing"),
        (
            "Europe/Amsterdam",
            "Europe/Amsterdan",
            "timezone is 'Europe/Amsterdan', which this computer does not know",
        ),
        ("hop_limit = 3", "hop_limit = 8", "hop_limit is 8, allowed 0 to 7"),
        ("hop_limit = 3", 'hop_limit = "3"', r"channel.hop_limit is '3', not a whole number"),
        ('preset = "MEDIUM_FAST"', 'preset = "FAST"', "modem preset is 'FAST', allowed: LONG_FAST"),
        ('name = "Baken"', 'name = "TwelveLetters"', "channel name is 13 bytes, limit 11"),
        ('name = "Oosterveen"', 'name = "Elders"', "areas differ from trust.bin"),
        ("number = 2", "number = 9", "authorities differ from trust.bin"),
        ("[channel]", "[channel", "not readable TOML"),
        ('root_public = "', 'root_public = "zz', "root_public is not 64 hexadecimal digits"),
    ],
)
def test_a_damaged_region_file_says_what_is_wrong(tmp_path, old, new, complaint):
    path = make_region(tmp_path).folder / "region.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RegionError, match=complaint):
        load_region(path.parent)


def test_a_changed_or_foreign_trust_list_is_refused(tmp_path):
    folder = make_region(tmp_path).folder
    (tmp_path / "other").mkdir()
    other = make_region(tmp_path / "other").folder
    data = bytearray((folder / "trust.bin").read_bytes())
    data[60] ^= 1
    (folder / "trust.bin").write_bytes(data)
    with pytest.raises(RegionError, match="root signature of the trust list is wrong"):
        load_region(folder)
    (folder / "trust.bin").write_bytes((other / "trust.bin").read_bytes())
    with pytest.raises(RegionError, match="another region's root key"):
        load_region(folder)
    with pytest.raises(RegionError, match="has no such authority 1"):
        load_key(folder / "keys/authority-1.key", load_region(other))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("ov06", "x", "Oosterveen", "school", "1", "1"), "point code is 'ov06'"),
        (("OV006", "x", "Oosterveen", "school", "1", "1"), "4 in all"),
        (("OV06", "x", "Oosterveen", "school", "1", "1"), "line 7: point OV06 is there twice"),
        (("OV09", "x", "Oosterveen", "school", "one", "1"), "line 7: x_km is 'one', not a number"),
        (("OV09", "x", "Oosterveen", "school", "inf", "1"), "x_km is 'inf', not a number"),
        (("OV09", "x", "Dijkerhaven", "school", "1", "1"), "OV stands for Oosterveen, not for Dijkerhaven"),
        (("OV09", "x", "", "school", "1", "1"), "point OV09 has no gemeente"),
        (("OV09", "", "Oosterveen", "school", "1", "1"), "is 0 bytes, allowed 1 to 255"),
        (("", "x", "Oosterveen", "school", "1", "1"), "line 7: no code"),
    ],
)
def test_a_points_file_with_a_mistake_makes_nothing(tmp_path, row, complaint):
    row = (*row, "8", "12", "")
    with pytest.raises(RegionError, match=complaint):
        make_region(tmp_path, [*POINTS, row])
    assert not (tmp_path / "region" / "region.toml").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hop-limit", "8"], "hop limit is 8, allowed 0 to 7"),
        (["--preset", "SHORT_TURBO"], "preset SHORT_TURBO is 500000 Hz wide, limit 250000"),
        (["--preset", "QUICK"], "modem preset is 'QUICK'"),
        (["--channel", "TwelveLetters"], "channel name is 13 bytes, allowed 1 to 11"),
        (["--id", "Meren land"], "id is 'Meren land'"),
        (["--authority", "x" * 256], "is 256 bytes, allowed 1 to 255"),
        (
            [word for n in range(33) for word in ("--authority", f"A{n}")],
            "there are 33 authorities, limit 32",
        ),
    ],
)
def test_a_wrong_option_names_value_and_limit(tmp_path, capsys, options, complaint):
    points = write_points(tmp_path / "points.csv")
    assert run("region", "init", tmp_path / "region", "--points", points, *options) == 1
    assert complaint in capsys.readouterr().err


def test_region_names_become_topics():
    assert region_id_of("Veiligheidsregio Merenland") == "merenland"
    assert region_id_of("VR Súdwest-Fryslân") == "sudwest-fryslan"
    assert region_id_of("Oefening") == "oefening"
    assert region_id_of("東京") == "region"
