"""Nodes whose root is elsewhere: an online key in the data directory, good from the network's time on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from quantumgate.core.online_key import OnlineKeyFile, make
from quantumgate.core.peer_records import network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.ids import PeerUUID
from quantumgate.node.data_directory import ONLINE_KEY_FILE, write_atomically
from quantumgate.node.node import Node
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PUBLIC, Anchor, PeerRecord
from tests.node.world import BEGINNING_SECONDS, NodeCase

DAY = 86_400


def online_record(
    root: Identity, at_s: float, *places: tuple[str, int], later_serial: int = 0, public: bool = False, fill: int = 0
) -> tuple[bytes, int]:
    """A record of ``root``, signed by an online key, and the serial of its delegation; several at a moment differ.

    ``fill``: a voucher makes it so long, in bytes.
    """
    now = int(at_s)
    online = make(root, now_seconds=now, life_seconds=DAY, last_serial=now * 1000 + later_serial - 1).identity()
    wish = PeerRecord(
        network_of(b"QuantumGate"), root.public.bundle, now * 1000, now + 3600, capabilities=PUBLIC * public,
        endpoints=tuple(LinkEndpoint(*place) for place in places), delegation=online.delegation,
    )
    whole = sign(online, wish).encode()
    if fill:
        anchor = Anchor(PeerUUID(root.public.uuid), bytes(32))
        room = fill - len(sign(online, replace(wish, via=(anchor,), rendezvous=bytes(32))).encode())
        full = replace(wish, via=(replace(anchor, voucher=bytes(room)),), rendezvous=bytes(32))
        whole = sign(online, full).encode()
    return whole, now * 1000 + later_serial


class DelegatedCase(NodeCase):
    def setUp(self) -> None:
        super().setUp()
        self.roots: dict[Path, Identity] = {}

    def delegated(self, place: str, *, days: float = 30, root: Identity | None = None, kind: int = 1,
                  **more: Any) -> Node:
        """A node with an online key for ``root``, or for a new one."""
        data = Path(self.mktemp()).absolute()
        data.mkdir(parents=True, mode=0o700)
        self.roots[data] = root or Identity.generate(kind)
        self.put_key(data, days)
        return self.node(place, data=data, **more)

    def put_key(self, data: Path, days: float, last_serial: int = 0) -> None:
        """A fresh online key."""
        now = int(BEGINNING_SECONDS + self.clock.seconds())
        made = make(self.roots[data], now_seconds=now, life_seconds=int(days * DAY), last_serial=last_serial)
        write_atomically(data / ONLINE_KEY_FILE, made.encode())

    def stop(self, node: Node) -> None:
        """All the way."""
        stopping = node.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)

    def rotate(self, node: Node, days: float = 30) -> None:
        """What ``qgate id rotate`` does between a stop and a start."""
        self.stop(node)
        data = node._directory.path
        former = OnlineKeyFile.decode((data / ONLINE_KEY_FILE).read_bytes())
        self.put_key(data, days, former.delegation.serial)
        node.startService()
        self.settle()
