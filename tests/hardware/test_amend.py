"""Changes to the trust list from the bench: revoke, rollover, add; and what reads them."""

import pytest
from _region import POINTS, bulletin_parts, make_region, point_key, status_record, write_points

from baken.device.flash import read_log
from baken.noticeboard.memory import MemoryStore
from baken.noticeboard.replica import NEW, REFUSED, Replica
from baken_gateway.region import RegionError, load_key, load_region
from baken_hardware.bench import cli
from baken_hardware.bench.amend import add_authority, add_points, revoke, rollover
from baken_hardware.bench.region import Settings, copy_public, init, provision


def replica_of(region, *paths):
    """A replica that was provisioned before the changes, and has taken them in."""
    replica = Replica(region.trust, MemoryStore())
    for path in paths:
        assert replica.receive_record(path.read_bytes(), None).state == NEW
    return replica


def test_a_revoked_point_is_refused_and_nobody_else_is_touched(tmp_path):
    region = make_region(tmp_path)
    said = {code: status_record(region, code, 1) for code in ("OV06", "OV01")}
    path = revoke(region.folder, "OV06")
    replica = replica_of(region, path)
    assert replica.receive_record(said["OV06"], None).state == REFUSED
    assert replica.receive_record(said["OV01"], None).state == NEW
    assert replica.receive_record(bulletin_parts(region, 1)[0], None).state == NEW
    again = load_region(region.folder)
    assert again.point("OV06").name == "Kerk De Bron", "who was revoked keeps a name on the screens"
    assert region.point("OV06").number not in again.trusted_now.points
    with pytest.raises(RegionError, match="not trusted in merenland"):
        revoke(region.folder, "OV06")
    assert not (region.folder / "keys" / "point-OV06.key").exists()
    assert list((region.folder / "keys" / "revoked").glob("point-OV06-2.key"))


def test_a_rolled_over_point_keeps_its_number_and_only_its_new_key_counts(tmp_path):
    region = make_region(tmp_path)
    old = status_record(region, "OV06", 1)
    path = rollover(region.folder, "OV06")
    again = load_region(region.folder)
    assert again.point("OV06").number == region.point("OV06").number
    assert again.point("OV06").node_num != region.point("OV06").node_num
    replica = replica_of(region, path)
    assert replica.receive_record(old, None).state == REFUSED
    assert replica.receive_record(status_record(again, "OV06", 1), None).state == NEW
    folder = tmp_path / "flash"
    provision(region.folder, "OV06", folder)
    assert list(read_log(str(folder / "board")).values()) == [path.read_bytes()]


def test_an_authority_is_revoked_rolled_over_and_added(tmp_path):
    region = make_region(tmp_path)
    first = bulletin_parts(region, 1)[0]
    paths = [rollover(region.folder, "authority-1"), revoke(region.folder, "authority-2")]
    paths.append(add_authority(region.folder, "Waterschap"))
    again = load_region(region.folder)
    assert [(entry.number, entry.name) for entry in again.authorities] == [
        (1, "VR Merenland"),
        (2, "Gemeente Oosterveen"),
        (3, "Waterschap"),
    ]
    replica = replica_of(region, *paths)
    assert replica.receive_record(first, None).state == REFUSED
    assert replica.receive_record(bulletin_parts(again, 2)[0], None).state == NEW
    assert replica.receive_record(bulletin_parts(again, 1, origin=3)[0], None).state == NEW
    assert sorted(replica.trust.authorities) == [1, 3]


def test_new_points_are_trusted_under_new_numbers_and_a_new_area_is_refused(tmp_path):
    region = make_region(tmp_path)
    revoke(region.folder, "VR00")
    rows = [*POINTS, ("OV07", "Buurthuis", "Oosterveen", "buurthuis", "18.0", "12.0", "9", "12", "")]
    source = write_points(tmp_path / "more.csv", rows)
    (path,) = add_points(region.folder, source)
    again = load_region(region.folder)
    assert (again.point("OV07").number, again.point("OV07").area) == (6, 0)
    assert again.trusted_now.points[6].public == point_key(again, "OV07").public
    assert replica_of(region, path).receive_record(status_record(again, "OV07", 1), None).state == NEW
    strange = write_points(
        tmp_path / "strange.csv", [*rows, ("PZ01", "P", "Polderzijl", "school", "1", "1", "", "", "")]
    )
    with pytest.raises(RegionError, match="area PZ is new"):
        add_points(region.folder, strange)
    with pytest.raises(RegionError, match="no point that merenland lacks"):
        add_points(region.folder, source)


def test_a_new_list_contains_the_changes_and_goes_on_behind_them(tmp_path):
    region = make_region(tmp_path)
    revoke(region.folder, "OV06")
    add_authority(region.folder, "Waterschap")
    points = [row for row in POINTS if row[0] != "OV06"]
    made = init(region.folder, write_points(tmp_path / "fewer.csv", points), Settings(), force=True)
    assert made.trust.serial == 4 and made.amendments == ()
    assert [entry.name for entry in made.authorities][-1] == "Waterschap"
    assert region.point("OV06").number not in made.trust.points


def test_copies_for_gateways_have_the_changes_and_a_foreign_one_is_refused(tmp_path):
    region = make_region(tmp_path)
    path = revoke(region.folder, "OV06")
    copy_public(region.folder, tmp_path / "public")
    assert load_region(tmp_path / "public").amendments == (path.read_bytes(),)
    (tmp_path / "other").mkdir()
    other = make_region(tmp_path / "other")
    (other.folder / "amendments").mkdir()
    (other.folder / "amendments" / "9.trust").write_bytes(path.read_bytes())
    with pytest.raises(RegionError, match="not signed by the root"):
        load_region(other.folder)


def test_the_commands_say_what_comes_next(tmp_path, capsys):
    region = make_region(tmp_path)
    assert cli.main(["region", "rollover", str(region.folder), "OV06"]) == 0
    out = capsys.readouterr().out
    assert "baken-console publish" in out and "region node" in out
    assert cli.main(["region", "revoke", str(region.folder), "XX"]) == 1
    assert "no point 'XX'" in capsys.readouterr().err
    assert cli.main(["region", "add", str(region.folder), "--authority", "Waterschap"]) == 0
    assert load_key(region.folder / "keys" / "authority-3.key", load_region(region.folder)).number == 3
