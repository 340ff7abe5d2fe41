"""One search on the ring: whom to ask next, what to make of the answers, when to stop, and what the end means.

Branches that share no node each go their own way towards the target, so that a node that lies spoils one of them.
Only who answered at its own address counts as near: addresses that others made up cost time, and then the one who
named them. Not for: carrying questions (``node/finding.py``). Spec: docs/spec/discovery.md section 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from quantumgate.core.discovery.positions import Located, position_of
from quantumgate.core.peer_records import KnownRecord, supersedes
from quantumgate.errors import BugError
from quantumgate.ids import PeerUUID

KEEPERS = 8
"""Networks in which a record is kept, a node in each."""

BRANCHES = 4
AGREEING = 2
"""Keepers that have the same record, or an older one: then nobody else is asked."""

ENOUGH = KEEPERS // 2
"""Answers from the nearest networks with which "nobody knows it" is said."""

QUESTIONS_MAX = 48
SEARCH_SECONDS = 30.0
PATIENCE_SECONDS = 1.5
"""A branch asks somebody else, too, while one has not answered for so long."""

FAILURES_MAX = 3
"""Names of one node that led nowhere, more than led somewhere: what else it named is forgotten."""

_Distance = tuple[int, int]


class End(Enum):
    """What a search came to."""

    FOUND = "found"
    NOBODY = "nobody knows it"
    TOO_FEW = "not enough nodes answered"
    WITHHELD = "answers were withheld"


@dataclass(slots=True)
class _Branch:
    """Candidates, nearest first, each with who named it; and whom it waits for, since when."""

    candidates: list[tuple[_Distance, int, Located, PeerUUID | None]] = field(default_factory=list)
    waiting: dict[PeerUUID, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Asked:
    branch: _Branch
    node: Located
    named_by: PeerUUID | None


class Search:
    """``key`` is looked for; ``wanted`` False = only its keepers are. ``several``: there are many records, and none is
    the right one: it goes on to the eight nearest that answer, and what those said, by who said it, is ``told``.

    ``own`` is never asked. Times are the caller's monotonic seconds.
    """

    def __init__(
        self, key: bytes, start: Iterable[Located], now: float, *, wanted: bool = True, several: bool = False,
        own: PeerUUID | None = None,
    ) -> None:
        self.key, self.target = key, position_of(key)
        self._wanted, self._several, self._until = wanted, several, now + SEARCH_SECONDS
        self._branches = [_Branch() for _ in range(BRANCHES)]
        self._asked: dict[PeerUUID, _Asked | None] = {} if own is None else {own: None}
        self._led_nowhere: dict[PeerUUID, int] = {}
        self._answered: list[tuple[_Distance, Located]] = []
        self._networks: set[int] = set()
        self._missed: list[_Distance] = []
        self._holders: list[tuple[PeerUUID, int]] = []
        self._told: dict[PeerUUID, list[KnownRecord]] = {}
        self.records: dict[PeerUUID, KnownRecord] = {}
        self.questions = self.failures = self._named = 0
        for number, node in enumerate(sorted(start, key=lambda one: one.distance(self.target))):
            self._add(self._branches[number % BRANCHES], node, None)

    # -- asking --------------------------------------------------------------------------------------------------

    def next_questions(self, now: float) -> list[Located]:
        """Whom to ask now, each once; to be called after each answer and at ``deadline``."""
        chosen: list[Located] = []
        if self.over(now):
            return chosen
        for branch in self._branches:
            if self.questions < QUESTIONS_MAX and self._may_ask(branch, now):
                node = self._choose(branch, now)
                if node is not None:
                    chosen.append(node)
        return chosen

    def deadline(self, now: float) -> float:
        """When to come back, answers or not: it lies ahead of a ``now`` at which nothing is left to be asked."""
        impatient = (max(one.waiting.values()) + PATIENCE_SECONDS for one in self._branches if one.waiting)
        return min([self._until, *(moment for moment in impatient if moment > now)])

    def _may_ask(self, branch: _Branch, now: float) -> bool:
        return all(now - since >= PATIENCE_SECONDS for since in branch.waiting.values())

    def _choose(self, branch: _Branch, now: float) -> Located | None:
        """The nearest of this branch that could still be one of the keepers."""
        while branch.candidates:
            distance, _, node, named_by = branch.candidates[0]
            if self._is_far(distance):
                return None
            heappop(branch.candidates)
            if not self._is_idle(node, named_by):
                self._asked[node.uuid] = _Asked(branch, node, named_by)
                branch.waiting[node.uuid] = now
                self.questions += 1
                return node
        return None

    def _is_idle(self, node: Located, named_by: PeerUUID | None) -> bool:
        """Whether asking it would be of no use."""
        return node.uuid in self._asked or node.at in self._networks or self._distrusted(named_by)

    def _is_far(self, distance: _Distance) -> bool:
        return len(self._answered) >= KEEPERS and distance > self._answered[KEEPERS - 1][0]

    def _distrusted(self, named_by: PeerUUID | None) -> bool:
        return named_by is not None and self._led_nowhere.get(named_by, 0) >= FAILURES_MAX

    def _add(self, branch: _Branch, node: Located, named_by: PeerUUID | None) -> None:
        if node.uuid not in self._asked and node.at not in self._networks:
            self._named += 1
            heappush(branch.candidates, (node.distance(self.target), self._named, node, named_by))

    # -- answers -------------------------------------------------------------------------------------------------

    def answered(self, uuid: PeerUUID, records: Sequence[KnownRecord], nearer: Iterable[Located]) -> None:
        """What a node said: records that belong to the key (the caller saw to it), and nodes that it knows."""
        asked = self._back(uuid)
        if asked is None:
            return
        self._trust(asked.named_by, -1)
        self._answered.append((asked.node.distance(self.target), asked.node))
        self._answered.sort(key=lambda one: one[0])
        self._networks.add(asked.node.at)
        for node in nearer:
            self._add(asked.branch, node, uuid)
        for known in records:
            self._take(known, uuid)

    def failed(self, uuid: PeerUUID) -> None:
        """It was not there, or said nothing, or what it said does not check."""
        asked = self._back(uuid)
        if asked is not None:
            self.failures += 1
            self._missed.append(asked.node.distance(self.target))
            self._trust(asked.named_by, 1)

    def _back(self, uuid: PeerUUID) -> _Asked | None:
        asked = self._asked.get(uuid)
        if asked is None:
            raise BugError("an answer of somebody who was not asked")
        return asked if asked.branch.waiting.pop(uuid, None) is not None else None

    def _trust(self, named_by: PeerUUID | None, failures: int) -> None:
        if named_by is not None:
            self._led_nowhere[named_by] = self._led_nowhere.get(named_by, 0) + failures

    def _take(self, known: KnownRecord, holder: PeerUUID) -> None:
        uuid, seq_ms = known.identity.uuid, known.record.seq_ms
        before = self.records.get(uuid)
        if before is None or supersedes(known, before):
            self.records[uuid] = known
        self._holders.append((holder, seq_ms))
        if self._several:
            self._told.setdefault(holder, []).append(known)

    # -- the end -------------------------------------------------------------------------------------------------

    def over(self, now: float) -> bool:
        """Whether nothing is to be asked or awaited any more."""
        if now >= self._until or self._agreed():
            return True
        return not any(one.waiting or self._has_candidate(one) for one in self._branches)

    def _agreed(self) -> bool:
        return self._wanted and not self._several and len(self._holders) >= AGREEING

    def _has_candidate(self, branch: _Branch) -> bool:
        """Whether this branch would ask somebody. What is of no use is dropped on the way."""
        heap = branch.candidates
        while heap and self._is_idle(heap[0][2], heap[0][3]):
            heappop(heap)
        return bool(heap) and self.questions < QUESTIONS_MAX and not self._is_far(heap[0][0])

    @property
    def keepers(self) -> list[Located]:
        """The nearest that answered, one of each network, the nearest first."""
        return [node for _, node in self._answered[:KEEPERS]]

    @property
    def told(self) -> dict[PeerUUID, list[KnownRecord]]:
        """What each of ``keepers`` had, where several are looked for: so no network has more than its turn in it."""
        return {node.uuid: self._told[node.uuid] for node in self.keepers if node.uuid in self._told}

    @property
    def answers(self) -> int:
        """How many answered."""
        return len(self._answered)

    @property
    def end(self) -> End:
        """What it came to, for people; of a search that is over."""
        if self.told if self._several else self.records:
            return End.FOUND
        near = self._answered[:KEEPERS]
        full = len(near) == KEEPERS
        missed = sum(distance < near[-1][0] for distance in self._missed) if full else len(self._missed)
        if missed > len(near):
            return End.WITHHELD
        return End.NOBODY if len(near) >= ENOUGH else End.TOO_FEW
