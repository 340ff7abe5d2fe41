"""What can be fuzzed: the session behind a handshake, the handshake, and peer records. One corpus each.

Not for: how (``guide.py``), with which command (``__main__.py``).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import handshake, peer_record, target
from tests.fuzz.guide import Guide, Maker
from tests.fuzz.handshake_mutation import HandshakeMutator
from tests.fuzz.mutation import Mutator
from tests.fuzz.script import Kind, Script
from tests.fuzz.seeds import handshake_seeds, session_seeds

CORPUS = Path(__file__).resolve().parent / "corpus"


@dataclass(frozen=True)
class Target:
    """``run`` plays one script and raises what it finds; ``maker`` makes scripts from luck."""

    name: str
    run: Callable[[Script], object]
    maker: Callable[[random.Random], Maker]
    kinds: type[Kind] | type[handshake.Act] | type[peer_record.Say]
    seeds: Callable[[], list[Script]]

    @property
    def corpus(self) -> Path:
        return CORPUS / f"{self.name}.txt"

    def guide(self, seed: int) -> Guide:
        luck = random.Random(seed)
        return Guide(luck, self.maker(luck), self.run)



def _session_maker(luck: random.Random) -> Maker:
    return Mutator(luck, target.THEIRS_BYTES)


TARGETS = {
    "session": Target("session", target.run_script, _session_maker, Kind, session_seeds),
    "handshake": Target("handshake", handshake.run_script, HandshakeMutator, handshake.Act, handshake_seeds),
    "record": Target("record", peer_record.run_script, peer_record.RecordMutator, peer_record.Say, peer_record.seeds),
}
