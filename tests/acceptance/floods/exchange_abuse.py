"""Peers that tell of themselves again and again, ask more than there is, and answer what nobody asked. Row 24."""

from __future__ import annotations

import time
from collections.abc import Iterator

from quantumgate.core.handshake.settings import DEFAULT_NETWORK
from quantumgate.core.peer_records import network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.wire import exchange_frames as exchange
from quantumgate.wire import frames
from quantumgate.wire.features import EXCHANGE
from quantumgate.wire.limits import PEX_RECORDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PUBLIC, PeerRecord
from tests.acceptance.floods.attacker import Target
from tests.acceptance.floods.intruder import PURSE, Intruder, Intruders
from tests.acceptance.floods.places import anywhere
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

OWN, QUESTIONS, HELD = 60, 30, 200
FLOOD = Flood("exchange_abuse", f"8 sessions a second at a public node, each with {OWN} PEX of its own record, "
                                f"{QUESTIONS} PEX_GET, and every second one with {PEX_RECORDS} records that nobody "
                                f"asked for; {HELD} held",
              configuration="[discovery]\npublic = true\nconnections = 0\n")


class ExchangeAbuse(Intruders):
    """Everything in one record; the records are good ones, so that each of them has to be verified."""

    per_second = 8.0
    held_most = HELD
    features = (EXCHANGE,)

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._turn = 0
        self._records = {one.public.uuid: self._record(one) for one in PURSE}

    def _record(self, who: Identity) -> bytes:
        now = time.time()
        wish = PeerRecord(network_of(DEFAULT_NETWORK), who.public.bundle, int(now * 1000), int(now) + 3600,
                          capabilities=PUBLIC, endpoints=(LinkEndpoint(anywhere(self.luck), 9999),))
        return sign(who, wish).encode()

    def offend(self, who: Intruder) -> None:
        self._turn += 1
        own = exchange.Told((self._records[who.identity.public.uuid],), own=True)
        said = [frames.frame(exchange.PEX, own.encode(), flags=frames.WHOLE)] * OWN
        said += [frames.frame(exchange.PEX_GET, exchange.encode_get(PEX_RECORDS))] * QUESTIONS
        who.say(*said)
        if self._turn % 2:
            others = exchange.Told(tuple(self._records.values())[:PEX_RECORDS])
            who.say(frames.frame(exchange.PEX, others.encode(), flags=frames.WHOLE))


attack = ExchangeAbuse


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
