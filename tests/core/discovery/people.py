"""Records of made-up peers for tests of the book: whose signatures nobody looks at, for that was done before."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from quantumgate.core.delegations import FOR_ALL, Delegation
from quantumgate.core.peer_records import KnownRecord, network_of
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.random import FixedRandom
from quantumgate.ids import PeerUUID
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PUBLIC, PeerRecord, SignedPeerRecord

NOW_S = 1_900_000_000
NETWORK = network_of(b"QuantumGate")


@lru_cache(8192)
def peer(name: object, kind: int = 1) -> PeerIdentity:
    """Always the same one for a name."""
    return Identity.generate(kind, FixedRandom(repr((name, kind)).encode())).public


def uuid(name: object) -> PeerUUID:
    """Its name on the wire."""
    return peer(name).uuid


def by_key(record: KnownRecord, serial: int) -> KnownRecord:
    """The same as if an online key had signed it, of a delegation with this serial."""
    who = record.identity
    return replace(record, delegation=Delegation(who.kind, who.fingerprint, who.bundle, serial, 0, 1, FOR_ALL))


def known(
    name: object, *hosts: str, seq_s: float = NOW_S, life_s: int = 21_600, public: bool = True, port: int = 9999,
    who: PeerIdentity | None = None, **changes: Any,
) -> KnownRecord:
    """A record of ``name`` that listens at ``hosts``, as if it had been verified."""
    identity = who or peer(name)
    record = PeerRecord(
        NETWORK, identity.bundle, int(seq_s * 1000), int(seq_s) + life_s, capabilities=PUBLIC * public,
        endpoints=tuple(LinkEndpoint(host, port) for host in hosts), **changes,
    )
    return KnownRecord(SignedPeerRecord(record, record.encode(), bytes(64)), identity)
