"""The gateway as a process, between a stock radio on TCP and a real broker."""

import base64
import signal

import pytest
from _brokers import KINDS, BrokerProcess, Observer, free_port, wait_for
from _gateway import GatewayProcess
from _radio_server import RadioServer
from _region import bulletin_parts, make_region, status_record
from _stock_radio import BakenEnd, StockEnd, region_channel

from baken.mesh.config import Channel
from baken.mesh.events import Transmit
from baken.wire import packet as air_packet
from baken.wire.channel import crypt, expand_key
from baken.wire.modem import preset_named
from baken_gateway import cli, tcp_link
from baken_gateway.region import load_channel_psk
from baken_hardware.bench.region import copy_public

STOCK_NUM = 0x5EED0001
PREFIX = "baken/v1/merenland/record/"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return make_region(tmp_path_factory.mktemp("tcp"))


def stock_end(region, *channels):
    preset = preset_named(region.channel.preset).number
    return StockEnd(STOCK_NUM, channels or (region_channel(region),), preset)


@pytest.fixture
def radio(region):
    server = RadioServer(stock_end(region))
    yield server
    server.stop()


def frame_with(region, code, raw, now=1_000_000):
    """The frame with which a point's node sends a record, within a minute."""
    end = BakenEnd(region, code, preset_named(region.channel.preset).number, 5, now)
    end.publish(raw, now)
    for at in range(now, now + 60_000, 20):
        end.run(at)
        while (event := end.node.next_event(at)) is not None:
            if isinstance(event, Transmit):
                if holds(region, event.frame, raw):
                    return event.frame
                end.node.transmitted(at)  # its digest; nobody else is on the air
    raise AssertionError("it does not send the record")


def holds(region, frame, raw):
    key = expand_key(load_channel_psk(region.folder))
    header = air_packet.decode(frame)
    return raw in crypt(key, header.id, header.sender, header.payload)


def is_on_air(region, radio, raw):
    """Whether the radio has sent a frame with this record."""
    return any(holds(region, frame, raw) for frame in radio.heard)


def test_records_cross_a_stock_radio_on_tcp_over_kills_and_cut_connections(region, radio, tmp_path):
    broker = BrokerProcess(KINDS[-1], tmp_path)
    broker.start()
    gateway = GatewayProcess(region, radio.place, broker, tmp_path)
    observer = Observer(broker.port)
    try:
        gateway.start()
        wait_for(lambda: "a stock radio" in gateway.log.read_text(), "the radio to be known for what it is")
        status = status_record(region, "OV06", 1)
        radio.inject(frame_with(region, "OV06", status))
        wait_for(lambda: status in observer.retained.values(), "the status at the broker")
        (first,) = bulletin_parts(region, 1)
        observer.publish(PREFIX + "bulletin/1/1", first)
        wait_for(lambda: is_on_air(region, radio, first), "the bulletin on the air")

        radio.drop()
        wait_for(lambda: gateway.log.read_text().count("a stock radio") == 2, "the gateway to come back")
        gateway.end(signal.SIGKILL)
        (second,) = bulletin_parts(region, 2)
        observer.publish(PREFIX + "bulletin/1/2", second)
        gateway.start()
        wait_for(lambda: is_on_air(region, radio, second), "the second bulletin")
        assert gateway.end() == 0
    finally:
        gateway.end(signal.SIGKILL)
        observer.close()
        broker.stop()


def test_check_tells_what_the_device_is_and_whether_it_fits(region, radio, tmp_path, capsys):
    assert cli.main(["--region", str(region.folder), "--port", radio.place, "--check"]) == 0
    out = capsys.readouterr().out
    for words in (
        "stock radio",
        f"!{STOCK_NUM:08x}",
        "2.7.26",
        region.channel.preset,
        "name and key",
        "fits",
    ):
        assert words in out
    key = load_channel_psk(region.folder)
    assert base64.b64encode(key).decode() not in out and key.hex() not in out
    public = tmp_path / "public"
    copy_public(region.folder, public)
    assert cli.main(["--region", str(public), "--port", radio.place, "--check"]) == 0
    assert "name only" in capsys.readouterr().out


def test_check_says_how_to_mend_a_radio_without_the_channel(region, capsys):
    server = RadioServer(stock_end(region, Channel()))
    try:
        assert cli.main(["--region", str(region.folder), "--port", server.place, "--check"]) == 1
    finally:
        server.stop()
    assert "set it with meshtastic --seturl" in capsys.readouterr().out


def test_check_of_a_port_where_nothing_listens_fails_with_a_reason(region, capsys):
    place = f"tcp:127.0.0.1:{free_port()}"
    assert cli.main(["--region", str(region.folder), "--port", place, "--check"]) == 1
    assert "nothing listens there" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/dev/ttyUSB0", None),
        ("tcp:radio.local", ("radio.local", 4403)),
        ("tcp:10.0.0.5:4404", ("10.0.0.5", 4404)),
        ("tcp:[fe80::1]", ("fe80::1", 4403)),
        ("tcp:[fe80::1]:99", ("fe80::1", 99)),
    ],
)
def test_ports_are_read_as_people_write_them(text, place):
    assert tcp_link.parse(text) == place


@pytest.mark.parametrize("text", ["tcp:", "tcp:host:0", "tcp:host:70000", "tcp:host:x", "tcp::4403"])
def test_a_port_that_cannot_be_is_refused_with_its_text(region, text, tmp_path, capsys):
    with pytest.raises(tcp_link.PortError, match="port is"):
        tcp_link.parse(text)
    assert cli.main(["--region", str(region.folder), "--port", text, "--check"]) == 1
    assert text in capsys.readouterr().err
