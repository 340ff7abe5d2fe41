"""What can be fuzzed: the session behind a handshake, the handshake, peer records; every other parser. A corpus each.

Not for: how (``guide.py``), with which command (``__main__.py``).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from pathlib import Path

from tests.fuzz import handshake, peer_record, target
from tests.fuzz.guide import KEYED_PARTS, Guide, Maker
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
    kinds: type[IntEnum]
    seeds: Callable[[], list[Script]]
    parts: tuple[str, ...] = KEYED_PARTS
    """Files that it is about: what guides it, and whose branches are counted."""

    @property
    def corpus(self) -> Path:
        return CORPUS / f"{self.name}.txt"

    def guide(self, seed: int) -> Guide:
        luck = random.Random(seed)
        return Guide(luck, self.maker(luck), self.run, self.parts)


def _session_maker(luck: random.Random) -> Maker:
    return Mutator(luck, target.THEIRS_BYTES)


KEYED = {
    "session": Target("session", target.run_script, _session_maker, Kind, session_seeds),
    "handshake": Target("handshake", handshake.run_script, HandshakeMutator, handshake.Act, handshake_seeds),
    "record": Target("record", peer_record.run_script, peer_record.RecordMutator, peer_record.Say, peer_record.seeds),
}


def _parser(name: str, *parts: str) -> Target:
    module = import_module(f"tests.fuzz.parsers.{name}")
    return Target(name, module.run_script, module.LORE.maker(), module.LORE.kinds, module.LORE.seeds, parts)


_CONTROL = "quantumgate/control/"
_ACCESS = "quantumgate/core/access/"
_SOCKS5 = "extenders/socks5/quantumgate_socks5/"
PARSERS = {
    target.name: target
    for target in (
        _parser("configuration", *(f"quantumgate/settings/{name}.py" for name in (
            "loader", "ranges", "resolve", "wording"))),
        _parser("control", *(f"{_CONTROL}{name}.py" for name in ("messages", "commands", "server"))),
        _parser("streams", *(f"{_CONTROL}{name}.py" for name in ("streamframes", "streamline", "streamsocket"))),
        _parser("addresses", "quantumgate/ids.py", "quantumgate/wire/record_text.py"),
        _parser("identities", *(f"quantumgate/core/{name}.py" for name in (
            "delegations", "successions", "online_key"))),
        _parser("invitations", "quantumgate/wire/invitation_text.py", "quantumgate/core/petnames.py"),
        _parser("directory", "quantumgate/wire/directory_frames.py", "quantumgate/core/discovery/directory.py",
                "quantumgate/core/discovery/positions.py", "quantumgate/core/discovery/sampling.py"),
        _parser("networks", f"{_ACCESS}addresses.py", f"{_ACCESS}attempts.py"),
        _parser("messages", *(f"quantumgate/wire/{name}.py" for name in (
            "messages", "session_tlvs", "link_frames", "reservation_frames", "peer_records"))),
        _parser("router", "quantumgate/wire/port_maps.py", "quantumgate/net/defaultroute.py"),
        _parser("socks5_program", *(f"{_SOCKS5}{name}.py" for name in ("negotiation", "destination", "datagrams"))),
        _parser("socks5_line", *(f"{_SOCKS5}{name}.py" for name in ("wire", "line", "farline", "nearline"))),
    )
}
TARGETS = {**KEYED, **PARSERS}
