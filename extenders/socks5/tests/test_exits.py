"""Which exits are kept connected, when a failed one is tried again, and where hops and via are handed on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

from quantumgate_socks5.exits import BackOff, Exits
from quantumgate_socks5.paths import CIRCUITS, CIRCUITS_IN_USE, Paths
from quantumgate_socks5.settings import Settings
from quantumgate_socks5.wire import Kind, Offer
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.api import ConnectFailed

ALL = Offer(True, True, True, 100)


def uuid(number: int) -> UUID:
    return UUID(int=number)


def address(number: int) -> str:
    return f"qg://{uuid(number)}@exit{number}.example:9999"


class Peer:
    """A session to somebody."""

    def __init__(self, number: int, *, relayed: bool = False, direction: str = "outbound") -> None:
        self.uuid, self.relayed, self.direction = uuid(number), relayed, direction


class Host:
    """What Exits and Paths need of a host: a clock, peers, and dials whose answers the test gives."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.dials: list[tuple[str, int | None, Any]] = []
        self.answer: Any = lambda: fail(ConnectFailed("no-answer", "nobody"))
        self.there: list[Any] = []

    def connect(self, where: str, hops: int | None = None, via: Any = None) -> Deferred[Any]:
        self.dials.append((where, hops, via))
        answer: Deferred[Any] = self.answer()
        return answer

    def peers(self) -> list[Any]:
        return self.there


class BackOffTests(SynchronousTestCase):
    """Doubled up to the most, forgotten at the first success."""

    def test_schedule(self) -> None:
        back_off = BackOff(1, 300)
        self.assertEqual([back_off.failed(0) for _ in range(11)], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
        back_off.worked()
        self.assertEqual((back_off.failed(50), back_off.until), (1, 51))


class WarmTests(SynchronousTestCase):
    """Several are kept connected."""

    def exits(self, count: int, **table: Any) -> Exits:
        self.host = Host()
        settings = Settings(exits=tuple(address(number) for number in range(count)), **table)
        made = Exits(self.host, settings, Paths(self.host, settings.hops, settings.via))
        self.addCleanup(made.stop)
        return made

    def test_as_many_as_wanted(self) -> None:
        """The first ones are dialled, the others wait until one of those is not to be had."""
        exits = self.exits(5, exits_warm=2)
        answers: list[Deferred[Any]] = []

        def answer() -> Deferred[Any]:
            answers.append(Deferred())
            return answers[-1]

        self.host.answer = answer
        exits.keep_warm()
        self.assertEqual([where for where, _, _ in self.host.dials], [address(0), address(1)])
        exits.offered(Peer(0), ALL)
        answers[0].callback(Peer(0))
        answers[1].errback(ConnectFailed("no-answer", "nobody"))
        self.host.clock.advance(0.02)
        self.assertEqual(self.host.dials[-1][0], address(2))

    def test_redial_backs_off(self) -> None:
        exits = self.exits(1)
        moments: list[float] = []

        def answer() -> Deferred[Any]:
            moments.append(self.host.clock.seconds())
            return fail(ConnectFailed("no-answer", "nobody"))

        self.host.answer = answer
        exits.keep_warm()
        self.host.clock.pump([0.05] * 20_000)
        gaps = [round(later - earlier) for earlier, later in pairwise(moments)]
        self.assertEqual(gaps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300])

    def test_one_that_left_is_dialled_again(self) -> None:
        exits = self.exits(1)
        peer = Peer(0)
        exits.offered(peer, ALL)
        exits.left(peer)
        self.assertEqual(len(self.host.dials), 1)
        self.assertEqual([row["state"] for row in exits.status()], ["not connected"])

    def test_after_the_stop(self) -> None:
        exits = self.exits(1)
        exits.keep_warm()
        exits.stop()
        self.host.clock.advance(1000)
        self.assertEqual((len(self.host.dials), self.host.clock.getDelayedCalls()), (1, []))

    def test_bare_uuids_are_not_dialled(self) -> None:
        self.host = Host()
        settings = Settings(exits=(str(uuid(1)),))
        exits = Exits(self.host, settings, Paths(self.host, 0, ""))
        exits.keep_warm()
        self.assertEqual(self.host.dials, [])


class ChoiceTests(SynchronousTestCase):
    """A key keeps its exit while that works."""

    def setUp(self) -> None:
        self.host = Host()
        self.exits = Exits(self.host, Settings(), Paths(self.host, 0, ""))
        self.peers = [Peer(number) for number in range(4)]
        for peer in self.peers:
            self.exits.offered(peer, ALL)  # type: ignore[arg-type]

    def chosen(self, key: bytes, tried: tuple[UUID, ...] = (), kind: Kind = Kind.CONNECT) -> Any:
        found = self.exits.choose(key, kind, tried)
        return None if found is None else found[0]

    def test_failed_ones_come_last(self) -> None:
        """Until their back-off is over; and even then they are better than none."""
        first = self.chosen(b"key")
        self.exits.failed(first)
        second = self.chosen(b"key")
        self.assertIsNot(second, first)
        self.host.clock.advance(1.01)
        self.assertIs(self.chosen(b"key"), first)
        for known in self.exits:
            self.exits.failed(known)
        self.assertIsNotNone(self.chosen(b"key"))
        self.exits.worked(second)
        self.assertIs(self.chosen(b"key"), second)

    def test_tried_ones_are_out(self) -> None:
        tried: tuple[UUID, ...] = ()
        for _ in range(4):
            tried += (self.chosen(b"key", tried).uuid,)
        self.assertEqual((len(set(tried)), self.chosen(b"key", tried)), (4, None))

    def test_only_those_who_do_it(self) -> None:
        for number, peer in enumerate(self.peers):
            self.exits.offered(peer, Offer(number != 2, number == 1, number == 2, 1))  # type: ignore[arg-type]
        self.assertEqual(self.chosen(b"key", kind=Kind.BIND).uuid, uuid(1))
        self.assertEqual(self.chosen(b"key", kind=Kind.ASSOCIATE).uuid, uuid(2))
        for peer in self.peers:
            self.exits.offered(peer, Offer(False, False, False, 1))  # type: ignore[arg-type]
        self.assertIsNone(self.chosen(b"key", kind=Kind.BIND))

    def test_two_sessions_of_one_exit(self) -> None:
        """The newest is taken; the older one stays where that leaves."""
        old, new = Peer(7), Peer(7)
        exits = Exits(self.host, Settings(), Paths(self.host, 0, ""))
        exits.offered(old, ALL)  # type: ignore[arg-type]
        exits.offered(new, ALL)  # type: ignore[arg-type]
        self.assertIs(exits.choose(b"", Kind.CONNECT, ())[1], new)  # type: ignore[index]
        exits.left(new)  # type: ignore[arg-type]
        self.assertIs(exits.choose(b"", Kind.CONNECT, ())[1], old)  # type: ignore[index]


class PathTests(SynchronousTestCase):
    """The one place where hops and via go to the node."""

    def setUp(self) -> None:
        self.host = Host()

    def connected(self) -> Deferred[Any]:
        self.host.there.append(Peer(len(self.host.there)))
        return succeed(self.host.there[-1])

    def test_direct(self) -> None:
        """All keys share the session that is there; nothing is dialled."""
        paths, peer = Paths(self.host, 0, ""), Peer(1)
        for key in (b"a", b"b"):
            self.assertIs(self.successResultOf(paths.reach(peer, key)), peer)  # type: ignore[arg-type]
        self.assertEqual(self.host.dials, [])

    def test_relayed(self) -> None:
        """Each key has a session of its own, made once, and again when it is lost."""
        self.host.answer = self.connected
        paths, peer = Paths(self.host, 3, "gateway"), Peer(1)
        one = self.successResultOf(paths.reach(peer, b"a"))  # type: ignore[arg-type]
        self.assertIs(self.successResultOf(paths.reach(peer, b"a")), one)  # type: ignore[arg-type]
        self.assertIsNot(self.successResultOf(paths.reach(peer, b"b")), one)  # type: ignore[arg-type]
        self.assertEqual(self.host.dials, [(str(uuid(1)), 3, "gateway")] * 2)
        self.host.there.remove(one)
        self.assertIsNot(self.successResultOf(paths.reach(peer, b"a")), one)  # type: ignore[arg-type]

    def test_as_the_node_is_told(self) -> None:
        """Without ``hops`` a circuit that the node chose is nobody else's; a direct session is for all."""
        self.host.answer = self.connected
        paths = Paths(self.host, None, "")
        direct, relayed, visitor = Peer(1), Peer(2, relayed=True), Peer(3, relayed=True, direction="inbound")
        for peer in (direct, visitor):
            self.assertIs(self.successResultOf(paths.reach(peer, b"a")), peer)  # type: ignore[arg-type]
        self.assertEqual(self.host.dials, [])
        self.assertIsNot(self.successResultOf(paths.reach(relayed, b"a")), relayed)  # type: ignore[arg-type]
        self.assertEqual(self.host.dials, [(str(uuid(2)), None, None)])

    def test_no_more_than_so_many(self) -> None:
        self.host.answer = self.connected
        paths, peer = Paths(self.host, 1, ""), Peer(1)
        for number in range(CIRCUITS + 5):
            self.successResultOf(paths.reach(peer, b"%d" % number))  # type: ignore[arg-type]
        self.assertEqual(len(paths._circuits), CIRCUITS)

    def paths(self) -> Paths:
        """Through one relay, over sessions of which ``used`` are in use; ``gone`` are those that gave way."""
        test = self
        self.used: list[Any] = []
        self.gone: list[Any] = []

        class Known:
            def in_use(self, peer: Any) -> bool:
                return peer in test.used

            def give_up(self, peer: Any) -> None:
                test.gone.append(peer)

        return Paths(self.host, 1, "", Known())

    def test_one_that_gives_way_is_closed(self) -> None:
        """The one that was used longest ago; one that never stood is nothing to close."""
        answers = [fail(ConnectFailed("no-answer", "nobody"))]
        self.host.answer = lambda: answers.pop(0) if answers else self.connected()
        paths, peer = self.paths(), Peer(1)
        self.failureResultOf(paths.reach(peer, b"fails"), ConnectFailed)  # type: ignore[arg-type]
        for number in range(CIRCUITS):
            self.successResultOf(paths.reach(peer, b"%d" % number))  # type: ignore[arg-type]
        self.successResultOf(paths.reach(peer, b"0"))  # type: ignore[arg-type]
        self.assertEqual(self.gone, [])
        self.successResultOf(paths.reach(peer, b"new"))  # type: ignore[arg-type]
        self.assertEqual((self.gone, len(paths)), ([self.host.there[1]], CIRCUITS))

    def one_is_slow(self, more: int) -> tuple[Paths, Peer, Deferred[Any], Deferred[Any]]:
        """The first circuit is still being built, until the third of these fires; ``more`` stand and are in use."""
        slow: Deferred[Any] = Deferred()
        answers = [slow]
        self.host.answer = lambda: answers.pop(0) if answers else self.connected()
        paths, peer = self.paths(), Peer(1)
        waiting = paths.reach(peer, b"slow")  # type: ignore[arg-type]
        for number in range(more):
            self.used.append(self.successResultOf(paths.reach(peer, b"%d" % number)))  # type: ignore[arg-type]
        return paths, peer, slow, waiting

    def test_one_in_use_gives_way_to_nobody(self) -> None:
        """Thirty log-ins in turn had a circuit built for every request; there are more for a while instead."""
        paths, peer, _, waiting = self.one_is_slow(CIRCUITS + 10)
        self.assertEqual((self.gone, len(paths), len(self.host.dials)), ([], CIRCUITS + 11, CIRCUITS + 11))
        self.assertNoResult(waiting)
        first, second = self.used[:2]
        self.used[:2] = []
        self.successResultOf(paths.reach(peer, b"new"))  # type: ignore[arg-type]
        self.assertEqual(self.gone, [first, second])
        self.used.clear()
        self.successResultOf(paths.reach(peer, b"new"))  # type: ignore[arg-type]
        self.assertEqual((len(self.gone), len(paths)), (12, CIRCUITS))

    def test_far_too_many_in_use(self) -> None:
        """The oldest gives way, and is closed when its calls are over; one that is being built, when it stands."""
        paths, _, slow, waiting = self.one_is_slow(CIRCUITS_IN_USE + 1)
        self.assertEqual((self.gone, len(paths)), (self.used[:1], CIRCUITS_IN_USE))
        late = Peer(77)
        slow.callback(late)
        self.assertEqual((self.successResultOf(waiting), self.gone[1:]), (late, [late]))

    def test_failure(self) -> None:
        """Told to everybody who waits, and tried again by the next."""
        paths, peer = Paths(self.host, 1, ""), Peer(1)
        for _ in range(2):
            self.failureResultOf(paths.reach(peer, b"a"), ConnectFailed)  # type: ignore[arg-type]
        self.assertEqual(len(self.host.dials), 2)
