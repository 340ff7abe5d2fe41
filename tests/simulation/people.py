"""Who there is: identities, their addresses in networks, and their signed records.

Identities are made once for all seeds; what is drawn anew for each is who has which address, and who is an attacker.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from quantumgate.core.peer_records import KnownRecord, extender_hash, network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import CAPABLE_OF_RELAY, PUBLIC, PeerRecord

NETWORK = network_of(b"simulated")
PORT = 9999
EXTENDER = UUID("5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12")
"""What some of them run and tell."""


@cache
def identity(number: int) -> Identity:
    """The same for the same number, in every run."""
    return Identity.generate(1, SeededRandom(("simulated", number)))


def record_of(
    number: int, host: str, wall_seconds: float, *, keeper: bool, extender: UUID | None = None
) -> KnownRecord:
    """Signed now, as the node itself would: good for six hours."""
    who = identity(number)
    names = () if extender is None else (extender_hash(NETWORK, who.public.uuid, extender),)
    record = PeerRecord(
        NETWORK, who.public.bundle, int(wall_seconds * 1000), int(wall_seconds) + 6 * 3600,
        (CAPABLE_OF_RELAY | PUBLIC) if keeper else 0, (LinkEndpoint(host, PORT),),
        extenders=names,
    )
    return KnownRecord(sign(who, record), who.public)


@dataclass(slots=True)
class Addresses:
    """IPv4 networks (/16) in which nodes are, some with many, most with few, and addresses in them, each once."""

    luck: random.Random
    networks: list[int]
    attackers: list[int]

    @classmethod
    def drawn(cls, luck: random.Random, networks: int, attackers: float) -> Addresses:
        """``attackers``: the share of networks that is all theirs."""
        all_of_them = luck.sample(range(256, 57_344), networks)
        theirs = round(networks * attackers)
        return cls(luck, all_of_them[theirs:], all_of_them[:theirs])

    def honest(self) -> str:
        """As weighted: the n-th network has nodes in proportion to 1/sqrt(n)."""
        place = int(self.luck.random() ** 2 * len(self.networks))
        return self.at(self.networks[place])

    def attacking(self) -> str:
        """Evenly."""
        return self.at(self.luck.choice(self.attackers))

    def at(self, network: int) -> str:
        """Some address of it."""
        low = self.luck.randrange(1, 65_535)
        return f"{network >> 8}.{network & 255}.{low >> 8}.{low & 255}"
