"""What keepers and those who ask them send: FIND, FOUND, LEAVE and LEFT, and a directory that is left all of it.

Each is understood or MalformedError, in one spelling; whatever is left, the directory keeps its bounds and answers.
Spec: docs/spec/discovery.md section 8.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any

from quantumgate.core.discovery.directory import Acquaintances, Directory
from quantumgate.core.discovery.positions import Charts, day_of
from quantumgate.core.peer_records import KnownRecord
from quantumgate.errors import MalformedError
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.directory_frames import Find, Found, Kind, Leave, Left, LeftAnswer
from quantumgate.wire.limits import ANSWER_RECORDS, DIRECTORY_OF_A_KEY, DIRECTORY_RECORDS
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken
from tests.simulation.people import EXTENDER, NETWORK, record_of

WALL_SECONDS = 1_700_000_000.0
DAY = day_of(WALL_SECONDS)
RECORD = record_of(1, "198.51.100.7", WALL_SECONDS, keeper=True, extender=EXTENDER)
NAMELESS = record_of(2, "node.example", WALL_SECONDS, keeper=False)
KEY = Charts(NETWORK).chart(DAY).peer(RECORD.identity.uuid)
SHARED = Charts(NETWORK).chart(DAY).extender(EXTENDER)
CROWD_MOST = 256


@cache
def one_of_many(number: int) -> KnownRecord:
    """A peer with the extender."""
    return record_of(1000 + number, "198.51.100.7", WALL_SECONDS, keeper=False, extender=EXTENDER)


class Said(IntEnum):
    FIND = 0
    FOUND = 1
    LEAVE = 2
    LEFT = 3
    CROWD = 4  # each octet of data = a peer that leaves its record under an extender's key; a = from how many networks


class Keeper:
    """One directory for a whole script."""

    def __init__(self) -> None:
        charts = Charts(NETWORK)
        self.directory = Directory(charts, Acquaintances(charts, "198.51.100.9"), SeededRandom(1), lambda known: None)

    def find(self, data: bytes) -> Any:
        find = _one_spelling(Find, data)
        if find is not None:
            self.directory.find(find.day, find.key, WALL_SECONDS)
        return find

    def leave(self, data: bytes) -> Any:
        """The record in it is not looked at: one of ours stands for it, by the first octet."""
        leave = _one_spelling(Leave, data)
        if leave is None:
            return None
        known = RECORD if leave.record[0] % 2 else NAMELESS
        code = self.directory.leave(leave.kind, leave.day, leave.key, known, f"4:{leave.record[0]:x}", WALL_SECONDS)
        if code is Left.KEPT and leave.kind is Kind.PEER:
            self._check_key(leave, known)
        self._check_bounds()
        return leave

    def crowd(self, step: Step) -> Any:
        """Many peers with one extender, from few networks or many, and what is told of them then."""
        for number in step.data[:CROWD_MOST]:
            source = f"4:{number % (1 + step.a % 97):x}"
            self.directory.leave(Kind.EXTENDER, DAY, SHARED, one_of_many(number), source, WALL_SECONDS)
        self._check_bounds()
        told = [known.identity.uuid for known in self.directory.find(DAY, SHARED, WALL_SECONDS).records]
        if len(told) > ANSWER_RECORDS or len(set(told)) < len(told) or bool(told) < bool(step.data):
            raise Broken("an answer that tells of too many, of somebody twice, or of nobody")
        return told or None

    def _check_bounds(self) -> None:
        directory = self.directory
        shelves, sources = directory._kept.values(), directory._by_source.values()
        held = sum(one.bytes_held for there in shelves for one in there.values())
        if directory.bytes_held != held or not len(directory) == sum(map(len, shelves)) == sum(map(len, sources)):
            raise Broken("a directory that has lost count")
        if len(directory) > DIRECTORY_RECORDS or max(map(len, shelves), default=0) > DIRECTORY_OF_A_KEY:
            raise Broken("a directory beyond its bounds")

    def _check_key(self, leave: Leave, known: Any) -> None:
        if Charts(NETWORK).chart(leave.day).peer(known.identity.uuid) != leave.key:
            raise Broken("a record under a key that is not its owner's")


def _one_spelling(kind: Any, data: bytes) -> Any:
    try:
        found = kind.decode(data)
    except MalformedError:
        return None
    if found.encode() != data:
        raise Broken(f"{kind.__name__} in two spellings")
    return found


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped."""
    keeper = Keeper()
    read: dict[Said, Callable[[Step], Any]] = {
        Said.FIND: lambda step: keeper.find(step.data), Said.FOUND: lambda step: _one_spelling(Found, step.data),
        Said.LEAVE: lambda step: keeper.leave(step.data), Said.LEFT: lambda step: _one_spelling(LeftAnswer, step.data),
        Said.CROWD: keeper.crowd,
    }
    return [found for step in script if (found := read[Said(step.kind % len(Said))](step)) is not None]


_WHOLE = RECORD.signed.encode()
LORE = Lore(
    Said,
    (
        Step(Said.FIND, data=Find(1, DAY, KEY).encode()),
        Step(Said.FOUND, data=Found(1, (_WHOLE,), (_WHOLE, _WHOLE)).encode()),
        *(Step(Said.LEAVE, data=Leave(2, DAY, kind, KEY, b"\x01record").encode()) for kind in Kind),
        Step(Said.LEAVE, data=Leave(2, DAY + 1, Kind.PEER, KEY, b"\x01record").encode()),
        Step(Said.LEFT, data=LeftAnswer(2, Left.FAR).encode()),
        *(Step(Said.CROWD, networks, data=bytes(range(90))) for networks in (0, 1, 5, 96)),
        Step(Said.FIND, data=Find(1, DAY, SHARED).encode()),
    ),
    (b"\x00" * 4, b"\xff" * 4, b"\x00\x00", b"\x00\x01", b"\x08", b"\x09", b"\x01", b"\x02", b"\x03", b"\x04",
     DAY.to_bytes(4, "big"), (DAY + 1).to_bytes(4, "big"), (DAY - 2).to_bytes(4, "big"), KEY, bytes(32)),
)
