"""Administration by radio: who may, who may not and hears why, and how answers come back."""

from _desk import NONCE, OTHER, OWN, Desk, events, packets

from baken.crypto.ed25519 import x25519_public
from baken.mesh.config import Channel
from baken.mesh.events import Configured, Reboot, Received
from baken.wire import protobuf
from baken.wire.messages import (
    ADMIN_APP,
    ERROR_ADMIN_BAD_SESSION_KEY,
    ERROR_ADMIN_PUBLIC_KEY_UNAUTHORIZED,
    ERROR_BAD_REQUEST,
    ERROR_NONE,
    ERROR_NOT_AUTHORIZED,
    ROUTING,
    ROUTING_APP,
)
from baken.wire.messages_admin import ADMIN_MESSAGE

_ADMIN = Channel(b"Admin", bytes(range(16)))
_PRIVATE = bytes([21]) * 32
_ADMIN_PRIVATE = bytes([22]) * 32
_KEY = x25519_public(_ADMIN_PRIVATE)
_PLACES = (Channel(), _ADMIN)


class Field(Desk):
    """A neighbour administers our node."""

    def __init__(self, **settings):
        settings.setdefault("admin_channel_enabled", True)
        super().__init__(channels=_PLACES, **settings)
        self.other = self.ether.nodes[1]
        config = self.other.config
        config.channels = _PLACES
        self.other.configure(config, self.ether.now)
        self.passkey = b""

    def order(self, channel=1, passkey=None, pki=None, **message):
        """An AdminMessage over the air; gives (Routing.Error or None, answer or None)."""
        message["session_passkey"] = self.passkey if passkey is None else passkey
        payload = protobuf.encode(ADMIN_MESSAGE, message)
        now = self.ether.now
        packet_id = self.other.send(
            ADMIN_APP, payload, now, to=OWN, channel=channel, want_ack=True, want_response=True, pki=pki
        )
        before = len(self.ether.events[1])
        for _ in range(100):
            self.run(100)
            verdict = self._verdict(packet_id, before)
            if verdict is not None:
                return verdict
        raise AssertionError("no answer")

    def _verdict(self, packet_id, before):
        for event in self.ether.events[1][before:]:
            if event.__class__ is not Received or event.data.get("request_id") != packet_id:
                continue
            if event.portnum == ROUTING_APP:
                return protobuf.decode(ROUTING, event.payload)["error_reason"], None
            answer = protobuf.decode(ADMIN_MESSAGE, event.payload)
            assert event.portnum == ADMIN_APP and event.channel == (0 if event.pki else 1)
            self.passkey = answer["session_passkey"]
            return None, answer
        return None

    def settle(self):
        """What the device is told to do."""
        return events(self.api, self.ether.now)


def test_on_the_admin_channel_a_question_is_answered_and_an_order_with_the_passkey_done():
    field = Field()
    error, answer = field.order(get_config_request=8)
    assert error is None and "sessionkey" in answer["get_config_response"]
    assert len(field.passkey) == 8
    error, _ = field.order(set_owner={"long_name": b"Op afstand"})
    assert error == ERROR_NONE
    assert field.settle() == [] and field.node.config.long_name == b"Node 4096"
    due = field.api.deadline()  # the answer leaves under the old settings
    assert due is not None and due <= field.ether.now + 5000
    field.run(5000)
    assert field.settle() == [Configured()] and field.node.config.long_name == b"Op afstand"
    _, answer = field.order(get_owner_request=True)
    assert answer["get_owner_response"]["long_name"] == b"Op afstand"


def test_without_the_passkey_or_with_an_old_one_an_order_is_refused():
    field = Field()
    assert field.order(set_owner={"long_name": b"x"})[0] == ERROR_ADMIN_BAD_SESSION_KEY
    field.order(get_owner_request=True)
    assert field.order(passkey=bytes(8), reboot_seconds=1)[0] == ERROR_ADMIN_BAD_SESSION_KEY
    field.run(290_000)
    assert field.order(set_owner={"long_name": b"x"})[0] == ERROR_NONE
    field.run(12_000)
    assert field.order(set_owner={"long_name": b"y"})[0] == ERROR_ADMIN_BAD_SESSION_KEY


def test_on_another_channel_or_where_it_is_not_enabled_everything_is_refused():
    field = Field()
    assert field.order(channel=0, get_owner_request=True)[0] == ERROR_NOT_AUTHORIZED
    field = Field(admin_channel_enabled=False)
    assert field.order(get_owner_request=True)[0] == ERROR_NOT_AUTHORIZED
    assert field.order(set_owner={"long_name": b"x"})[0] == ERROR_NOT_AUTHORIZED
    assert field.settle() == []


def test_what_is_not_here_or_out_of_range_is_refused_by_radio_too():
    field = Field()
    field.order(get_owner_request=True)
    assert field.order(enter_dfu_mode_request=True)[0] == ERROR_BAD_REQUEST
    assert field.order(set_config={"device": {"role": 13}})[0] == ERROR_BAD_REQUEST
    assert field.order(get_channel_request=9)[0] == ERROR_BAD_REQUEST


def test_a_restart_by_radio_waits_until_the_answer_has_left():
    field = Field()
    field.order(get_owner_request=True)
    asked_at = field.ether.now
    assert field.order(reboot_seconds=0)[0] == ERROR_NONE
    (event,) = field.settle()
    assert isinstance(event, Reboot) and event.at is not None
    assert asked_at + 5000 <= event.at <= field.ether.now + 5000


def test_a_managed_node_obeys_by_radio():
    field = Field(is_managed=True, admin_keys=(_KEY,))
    field.order(get_owner_request=True)
    assert field.order(set_owner={"long_name": b"Op afstand"})[0] == ERROR_NONE


def test_two_who_edit_do_not_mix():
    field = Field()
    field.connect()
    field.order(get_owner_request=True)
    assert field.order(begin_edit_settings=True)[0] == ERROR_NONE
    assert field.set(set_owner={"short_name": b"LO"}) == ERROR_BAD_REQUEST
    assert b"somebody else is editing" in field.notices[0]
    field.tell(disconnect=True)  # ends nobody else's editing
    assert field.order(set_owner={"short_name": b"VER"})[0] == ERROR_NONE
    assert field.order(commit_edit_settings=True)[0] == ERROR_NONE
    field.run(6000)
    field.settle()
    assert field.node.config.short_name == b"VER"


def test_a_refused_order_that_is_repeated_is_refused_again():
    field = Field(admin_channel_enabled=False)
    assert field.order(set_owner={"long_name": b"x"})[0] == ERROR_NOT_AUTHORIZED
    frame = [frame for frame in field.ether.sent(1) if frame[12] & 8][-1]  # it asked for an answer
    before = len(field.ether.events[1])
    field.node.receive_frame(frame, -90, 5.0, field.ether.now)
    field.run(5000)
    verdicts = [event for event in field.ether.events[1][before:] if event.__class__.__name__ == "GaveUp"]
    assert [event.error for event in verdicts] == [ERROR_NOT_AUTHORIZED]


# Sealed with a key pair


class SealedField(Field):
    """The neighbour seals its orders; both know each other's key, and there is no channel for it."""

    def __init__(self, admin_keys):
        super().__init__(
            private_key=_PRIVATE,
            public_key=x25519_public(_PRIVATE),
            admin_keys=admin_keys,
            admin_channel_enabled=False,
        )
        config = self.other.config
        config.private_key = _ADMIN_PRIVATE
        config.public_key = _KEY
        self.other.configure(config, self.ether.now)
        self.other.nodes.put_contact(OWN, {"public_key": self.node.config.public_key})
        self.node.nodes.put_contact(OTHER, {"public_key": _KEY})

    def seal(self, passkey=None, **message):
        return self.order(0, passkey, True, **message)


def test_only_a_key_that_is_an_admin_key_may():
    stranger = SealedField((bytes(range(1, 33)),))
    assert stranger.seal(get_owner_request=True) == (ERROR_ADMIN_PUBLIC_KEY_UNAUTHORIZED, None)
    field = SealedField((bytes(range(1, 33)), _KEY))
    _, answer = field.seal(get_owner_request=True)
    assert answer["get_owner_response"]["long_name"] == b"Node 4096"
    assert field.seal(passkey=bytes(8), set_owner={"short_name": b"X"}) == (
        ERROR_ADMIN_BAD_SESSION_KEY,
        None,
    )
    assert field.seal(set_owner={"short_name": b"X"}) == (ERROR_NONE, None)
    field.run(5000)
    assert events(field.api, field.ether.now) == [Configured()]
    assert field.node.config.short_name == b"X"
    sealed = [frame for frame in field.ether.sent(0) + field.ether.sent(1) if frame[13] == 0]
    assert len(sealed) >= 4  # orders and answers; acknowledgements go under the channel's key


def test_an_answer_to_our_own_client_goes_up_to_it():
    desk = Desk()
    desk.connect()
    answer = protobuf.encode(ADMIN_MESSAGE, {"get_owner_response": {"long_name": b"Buur"}})
    desk.ether.nodes[1].send(ADMIN_APP, answer, desk.ether.now, to=OWN, request_id=NONCE)
    desk.run(9000)
    (packet,) = packets(desk.hear())
    assert (packet["from"], packet["decoded"]["payload"]) == (OTHER, answer)


def test_our_client_administers_a_neighbour_by_radio():
    desk = Desk(channels=_PLACES)
    desk.connect()
    payload = protobuf.encode(ADMIN_MESSAGE, {"get_owner_request": True})
    data = {"portnum": ADMIN_APP, "payload": payload, "want_response": True}
    desk.send(0, to=OTHER, decoded=data, channel=0, want_ack=True)
    desk.run(9000)
    (asked,) = [event for event in desk.ether.heard(1, ADMIN_APP)]
    assert (asked.payload, asked.data["want_response"], asked.want_ack) == (payload, True, True)
