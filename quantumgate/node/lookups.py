"""Look-ups: where a peer is of which only the UUID is known, or who runs an extender; and being found ourselves.

Runs searches (``core/discovery/search.py``) over questions (``asking.py``), verifies what comes, and once an hour
leaves our record with its keepers. Not for: answering others (``keeping.py``). Spec: docs/spec/discovery.md, 8 and 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.core.discovery.directory import Acquaintances
from quantumgate.core.discovery.positions import Charts, Located, day_of, position_of
from quantumgate.core.discovery.sampling import providers
from quantumgate.core.discovery.search import KEEPERS, End, Search
from quantumgate.core.peer_records import KnownRecord, judge
from quantumgate.core.places import bare_address
from quantumgate.errors import ConnectFailed, CryptoError, QuantumGateError, RemoteProtocolError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.node.asking import Asking
from quantumgate.node.world import World
from quantumgate.wire.directory_frames import Found, Kind, LeftAnswer
from quantumgate.wire.limits import DIRECTORY_TO_MEET, Limits
from quantumgate.wire.peer_records import SignedPeerRecord

FIRST_SECONDS = (20.0, 40.0)
AGAIN_SECONDS = (480.0, 720.0)
HOURLY_SECONDS = (2880.0, 4320.0)
EVE_SECONDS = 7200.0
"""So long before midnight our record is left where tomorrow's searches will look, too."""

_ADVICE = {
    End.FOUND: "",
    End.NOBODY: "it is offline, not findable ([discovery] findable), or the UUID is not right; ask its owner for an "
                "address or a record",
    End.TOO_FEW: "this node knows too few relays: name some in [relay] gateways, or let it exchange",
    End.WITHHELD: "try again; relays near it are gone, or keep it from being found",
}
NO_PROVIDER = "nobody who runs it lets itself be found by it now ([extenders.NAME] findable), or the UUID is not right"
Belongs = Callable[[KnownRecord], bool]
"""Whether a record is about what was asked for."""

_log = logs.named("discovery")


LeastSerial = Callable[[PeerUUID], int]


class Run:
    """One search, from its first question to its end."""

    def __init__(self, lookups: LookUps, search: Search, day: int, belongs: Belongs) -> None:
        self._lookups, self.search, self.day, self._belongs = lookups, search, day, belongs
        self._asked: set[Deferred[Any]] = set()
        self._timer: Any = None
        self._over = False
        self.result: Deferred[Search] = Deferred(self._cancel)

    def go_on(self) -> None:
        """After each answer, and when patience ends."""
        world = self._lookups.world
        if self._over:
            return
        self._disarm()
        for node in self.search.next_questions(world.now()):
            self._ask(node)
        if self.search.over(world.now()):
            self._end()
            self.result.callback(self.search)
        else:
            wait_seconds = max(0.0, self.search.deadline(world.now()) - world.now())
            self._timer = world.clock.callLater(wait_seconds, self.go_on)

    def _ask(self, node: Located) -> None:
        asked = self._lookups.asking.find(node, self.day, self.search.key)
        self._asked.add(asked)
        asked.addCallback(self._lookups.read)
        asked.addCallbacks(partial(self._answered, node), partial(self._failed, node))
        asked.addBoth(lambda _: self._asked.discard(asked))
        asked.addCallback(lambda _: self.go_on())

    def _answered(self, node: Located, answer: tuple[list[KnownRecord], list[KnownRecord]]) -> None:
        records, nodes = answer
        if not self._over:
            self._lookups.met(node, self.day)
            nearer = (self._lookups.charts.locate(one, self.day) for one in nodes)
            mine = [one for one in records if self._belongs(one)]
            self.search.answered(node.uuid, mine, [one for one in nearer if one is not None])

    def _failed(self, node: Located, failure: Failure) -> None:
        if not isinstance(failure.value, QuantumGateError | CancelledError):
            _log.failure("a mistake in a search", failure=failure)
        if not self._over:
            self._lookups.acquaintances.lost(node.uuid)
            self.search.failed(node.uuid)

    def _cancel(self, _: Deferred[Search]) -> None:
        self._end()
        self.result.errback(ConnectFailed("cancelled", "the search was given up"))

    def _end(self) -> None:
        self._over = True
        self._disarm()
        for asked in list(self._asked):
            asked.cancel()

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


class LookUps:
    """One node's. ``known()``: nodes that may keep records, from the book and the configuration, met or not.

    ``own_record()`` is b"" where there is none to give away; ``findable``: it is left with keepers, those of our UUID
    and of the ``extenders()`` by which we are found.
    """

    def __init__(
        self, own: PeerUUID, world: World, limits: Limits, network: bytes, charts: Charts,
        acquaintances: Acquaintances, asking: Asking, known: Callable[[int], Iterable[Located]],
        own_record: Callable[[], bytes], *, findable: bool, keeps: bool,
    ) -> None:
        self._own, self.world, self._limits, self._network, self.charts = own, world, limits, network, charts
        self.acquaintances, self.asking, self._known, self._own_record = acquaintances, asking, known, own_record
        self._findable, self._keeps = findable, keeps
        self.extenders: Callable[[], Iterable[UUID]] = tuple
        self.least_serial: LeastSerial = lambda uuid: 0
        """Of the newest delegation that is known of a peer."""
        self._runs: set[Run] = set()
        self._to_meet: dict[PeerUUID, KnownRecord] = {}
        self._timer: Any = None
        self._stopped = False
        self.left: Counter[str] = Counter()

    # -- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Where we want to be found, or keep records, we say so now and then."""
        if self._findable or self._keeps:
            self._again(FIRST_SECONDS, self._first)

    def _again(self, seconds: tuple[float, float], call: Callable[[], None]) -> None:
        self._timer = self.world.clock.callLater(self.world.random.uniform(*seconds), call)

    def _first(self) -> None:
        self._again(AGAIN_SECONDS, self._hourly)
        self.visit()

    def _hourly(self) -> None:
        self._again(HOURLY_SECONDS, self._hourly)
        self.visit()

    def stop(self) -> None:
        """Every search ends."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.asking.stop()
        for run in list(self._runs):
            run.result.addErrback(lambda _: None)
            run.result.cancel()

    def visit(self) -> None:
        """Meet the neighbours, tell them that we are here, and leave our record with its keepers."""
        wall, record = self.world.wall_seconds(), self._own_record()
        if not record:
            return
        self.acquaintances.own_host = _first_host(record)
        days = tuple(dict.fromkeys((day_of(wall), day_of(wall + EVE_SECONDS))))
        for day in days:
            if self._keeps and self.acquaintances.own_host:
                at = self.acquaintances.own_position(day).to_bytes(8, "big") + bytes(24)
                self._leave_after(self.search(at, day, wanted=False), Kind.NODE)
            if self._findable:
                key = self.charts.chart(day).peer(self._own)
                self._leave_after(self.search(key, day, wanted=False), Kind.PEER)
        if self._findable:
            self._leave_one_by_one(iter([(day, one) for one in self.extenders() for day in days]))

    def _leave_one_by_one(self, left: Iterator[tuple[int, UUID]]) -> None:
        """With the keepers of each extender, and then of the next: not everybody at once."""
        day, extender = next(left, (0, None))
        if extender is None or self._stopped:
            return
        run = self.search(self.charts.chart(day).extender(extender), day, wanted=False)
        self._leave_after(run, Kind.EXTENDER)
        run.result.addBoth(lambda _: self._leave_one_by_one(left))

    def _leave_after(self, run: Run, kind: Kind) -> None:
        run.result.addCallbacks(partial(self._leave, run.day, kind), lambda _: None)

    def _leave(self, day: int, kind: Kind, search: Search) -> None:
        record = self._own_record()
        if not record or self._stopped:
            return
        for node in search.keepers:
            leaving = self.asking.leave(node, day, kind, search.key, record)
            leaving.addCallbacks(self._count, lambda failure: failure.trap(QuantumGateError))

    def _count(self, answer: LeftAnswer) -> None:
        self.left[answer.code.name.lower()] += 1

    # -- searches ------------------------------------------------------------------------------------------------

    def find(self, uuid: PeerUUID) -> Deferred[Search]:
        """The end of a search for this peer; its record, where there is one, is in ``records``. Cancelling gives up."""
        day = day_of(self.world.wall_seconds())
        return self.search(self.charts.chart(day).peer(uuid), day).result

    def find_providers(self, extender: UUID) -> Deferred[Search]:
        """The end of a search for peers that run this extender; ``drawn`` has them. Cancelling gives up."""
        day = day_of(self.world.wall_seconds())
        key = self.charts.chart(day).extender(extender)
        return self.search(key, day, several=True, belongs=lambda known: known.runs(extender)).result

    def drawn(self, search: Search) -> list[KnownRecord]:
        """The others that it found, in an order of luck of which the first are a fair sample."""
        return [one for one in providers(search.told, self.world.random) if one.identity.uuid != self._own]

    def search(
        self, key: bytes, day: int, *, wanted: bool = True, several: bool = False, belongs: Belongs | None = None
    ) -> Run:
        """Begin one. ``belongs``: of records that answer it; None = the one of the peer whose key it is."""
        search = Search(key, self._start(key, day), self.world.now(), wanted=wanted, several=several, own=self._own)
        run = Run(self, search, day, belongs or partial(self.belongs, key=key, day=day))
        self._runs.add(run)
        run.result.addBoth(self._over, run)
        self.world.clock.callLater(0, run.go_on)
        return run

    def _over(self, result: Any, run: Run) -> Any:
        self._runs.discard(run)
        return result

    def _start(self, key: bytes, day: int) -> list[Located]:
        """The nearest that we have met, and the nearest that we were told of."""
        target = position_of(key)
        met = self.acquaintances.ring(day).nearest(target, KEEPERS)
        known = sorted(self._known(day), key=lambda one: one.distance(target))
        return met + known[: max(KEEPERS - len(met), KEEPERS // 2)]

    def read(self, found: Found) -> Deferred[tuple[list[KnownRecord], list[KnownRecord]]]:
        """What is in an answer, verified off the reactor thread. Fails with what one false record raises."""
        now_ms = int(self.world.wall_seconds() * 1000)
        return self.world.elsewhere(_read, found, self._network, now_ms, self.least_serial)

    def belongs(self, known: KnownRecord, key: bytes, day: int) -> bool:
        """Whether a record is about what was asked for."""
        return self.charts.chart(day).peer(known.identity.uuid) == key

    # -- whom we met ---------------------------------------------------------------------------------------------

    def met(self, node: Located, day: int) -> None:
        """It answered at its address."""
        if node.known is not None:
            self.acquaintances.met(node.known, day)

    def meet(self, known: KnownRecord) -> None:
        """Somebody says that it is near us: it is asked something, once, to see whether it is there."""
        day = day_of(self.world.wall_seconds())
        node = self.charts.locate(known, day)
        if node is None or node.uuid in self._to_meet or len(self._to_meet) >= DIRECTORY_TO_MEET or self._stopped:
            return
        self._to_meet[node.uuid] = known
        asked = self.asking.find(node, day, self.world.random.bytes(32))
        asked.addCallbacks(lambda _: self.met(node, day), lambda failure: failure.trap(QuantumGateError))
        asked.addBoth(lambda result: self._to_meet.pop(node.uuid, None) and None)

    def advice(self, search: Search, nobody: str = _ADVICE[End.NOBODY]) -> str:
        """What to do about its end, "" = nothing; ``nobody``: where nobody knows it."""
        return nobody if search.end is End.NOBODY else _ADVICE[search.end]

    def why(self, uuid: PeerUUID, search: Search) -> ConnectFailed:
        """What a search that found nothing is worth to whoever dialled."""
        asked = f"{search.questions} relays asked, {search.answers} answered"
        reason = {End.NOBODY: "not-found", End.TOO_FEW: "too-few", End.WITHHELD: "withheld"}[search.end]
        return ConnectFailed(reason, f"{uuid} was not found: {search.end.value} ({asked})", advice=self.advice(search))


def _first_host(record: bytes) -> str:
    """Of our own."""
    endpoints = SignedPeerRecord.decode(record).record.endpoints
    return next((one.host for one in endpoints if bare_address(one.host) is not None), "")


def _read(
    found: Found, network: bytes, now_ms: int, least_serial: LeastSerial
) -> tuple[list[KnownRecord], list[KnownRecord]]:
    """Records that are over are left out, for clocks differ, and so are replaced delegations; a false one raises."""
    records, nodes = (_judged(some, network, now_ms, least_serial) for some in (found.records, found.nodes))
    return records, nodes


def _judged(
    records: Iterable[bytes], network: bytes, now_ms: int, least_serial: LeastSerial
) -> list[KnownRecord]:
    known: list[KnownRecord] = []
    for record in records:
        try:
            known.append(judge(record, network=network, now_ms=now_ms, least_serial=least_serial))
        except ViolationError:
            continue
        except (RemoteProtocolError, CryptoError) as error:
            raise ConnectFailed("bad-record", f"an answer with a record that does not hold: {error}") from None
    return known
