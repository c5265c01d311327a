"""What a node was provisioned with: `node.json` and `trust.bin` in its flash folder, made by `baken-bench
region node`.

node.json: code, name, number, node_num, private (hex), area (index or null), channel {name, psk (hex)},
preset, hop_limit, role (CLIENT or ROUTER), root_public (hex), restricted (a screen for staff), timezone; and
where it has them primary ("default": the channel of a node fresh from the factory comes first), region_code
(a Meshtastic RegionCode), sign_broadcasts and reports_to (number of the authority that reads its emergency
reports; the lowest one where it is missing).
"""

import json
import os
from binascii import unhexlify

from baken.compat import const
from baken.crypto.signing import PointKey
from baken.mesh.config import Channel, MeshConfig
from baken.wire import modem, trust
from baken.wire.errors import ProtocolError
from baken.wire.messages import ROLE_CLIENT, ROLE_ROUTER
from baken.wire.utf8 import shorten

_DEFAULT_PRECISION = const(13)  # bits of a position that the channel fresh from the factory tells


class SettingsError(Exception):
    """The flash folder does not make a node; the text says which file or value, for the technician."""


class Settings:
    """Settings of one node: `trust`, `key` (PointKey), `mesh` (MeshConfig), `record_channel` (the region's
    Channel), `code`, `name`, `number`, `area`, ...
    """

    def __init__(self, values, trust_list):
        self.trust = trust_list
        self.code = values["code"].encode()
        self.name = values["name"].encode()
        self.number = values["number"]
        self.area = values["area"]
        self.restricted = bool(values["restricted"])
        self.is_router = values["role"] == "ROUTER"
        self.hop_limit = values["hop_limit"]
        self.reports_to = values.get("reports_to")
        self.key = PointKey(unhexlify(values["private"]))
        self._node_num = values["node_num"]
        if not isinstance(self.number, int):
            raise ValueError("number is %r, not a number" % (self.number,))
        channel = values["channel"]
        channels = (Channel(channel["name"].encode(), unhexlify(channel["psk"])),)
        primary = values.get("primary", "region")
        if primary == "default":
            channels = (Channel(position_precision=_DEFAULT_PRECISION),) + channels
        elif primary != "region":
            raise SettingsError("primary of node.json is %r, allowed: region, default" % (primary,))
        self.record_channel = channels[-1]
        self.preset = modem.preset_named(values["preset"])
        self.mesh = MeshConfig(
            values["node_num"],
            shorten(self.name, 39),
            self.code[-4:],
            channels,
            role=ROLE_ROUTER if self.is_router else ROLE_CLIENT,
            region=values.get("region_code", modem.EU_868),
            preset=self.preset.number,
            hop_limit=self.hop_limit,
            public_key=self.key.public,
            private_key=unhexlify(values["private"]),
            is_unmessagable=self.is_router,
            sign_broadcasts=bool(values.get("sign_broadcasts", False)),
        )
        self.mesh.secrets()  # the keys are of a right length, or it raises
        if self.mesh.modem() != self.preset.modem:
            raise ValueError("preset %s is too wide for the region" % self.preset.name)

    def check(self, trusted_now):
        """SettingsError when neither the provisioned list nor `trusted_now`, with the amendments that came
        since, knows this point by its key. One whose key was revoked after it was provisioned goes on.
        """
        point = None
        for trust_list in (trusted_now, self.trust):
            held = trust_list.points.get(self.number)
            if point is None and held is not None and held.public == self.key.public:
                point = held
        if point is None:
            raise SettingsError("trust.bin does not know point %s with the key of node.json" % self.number)
        if (point.code, point.area, point.node_num) != (self.code, self.area, self._node_num):
            raise SettingsError("code, area or node_num of node.json are not those of point %d" % self.number)


def load(path):
    """Settings from the flash folder `path`; SettingsError in one sentence when something is missing or
    wrong.
    """
    try:
        with open(path + "/node.json") as file:
            values = _json(file)
        listed = _OnFlash(path + "/trust.bin")
        trust_list = trust.read(listed.read, listed.size(), unhexlify(values["root_public"]))
        return Settings(values, trust_list)
    except OSError as error:
        raise SettingsError("node is not provisioned: node.json or trust.bin cannot be read (%s)" % error)
    except KeyError as error:
        raise SettingsError("node.json lacks the value %s" % error)
    except (ProtocolError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError("node.json or trust.bin is wrong: %s" % error)


def _json(file):
    try:
        return json.load(file)
    except ValueError as error:
        raise SettingsError("node.json is damaged: %s" % error)


class _OnFlash:
    """The trust list where it lies: a long one is a sixth of a board's memory."""

    def __init__(self, path):
        self._path = path

    def size(self):
        return os.stat(self._path)[6]

    def read(self, at, size):
        with open(self._path, "rb") as file:
            file.seek(at)
            return file.read(size)
