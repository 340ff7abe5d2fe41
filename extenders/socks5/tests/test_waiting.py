"""Requests at the instant of a loss: they wait for an exit that is on its way, and for nothing else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate_socks5.exits import EXPECTED, Exits
from quantumgate_socks5.paths import Paths
from quantumgate_socks5.replies import Code
from quantumgate_socks5.settings import Settings
from quantumgate_socks5.waiting import WaitingRoom
from quantumgate_socks5.wire import Kind, Offer
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.api import ConnectFailed

from .stage import Ear, NearStage
from .test_exits import ALL, Host, Peer, address, uuid
from .test_near import GRANTED, NAME, NearCase, failure

SOON = 1000.0
UNREACHABLE = ConnectFailed("unreachable", "a relay could not reach it")


class LossCase(NearCase):
    """An exit that is lost, and may come back."""

    def loses(self, near: NearStage, name: str = "right") -> None:
        near.nodes[name].contact(near.nodes.left).close(graceful=False)
        near.nodes.advance(0.1)

    def comes_back(self, near: NearStage, name: str = "right") -> None:
        near.nodes.connect(near.nodes.left, near.nodes[name])
        near.offers(name)

    def asked(self, near: NearStage, command: int = 1) -> Ear:
        program = near.program()
        near.asks(program, NAME, command)
        return program


class LossTests(LossCase):
    """One exit, connected by the node; it is expected back for ``exit_return_seconds``."""

    def test_after_the_loss(self) -> None:
        """A request, and what the program says behind it, wait; it goes out once, when an offer covers it."""
        near = self.stage()
        self.loses(near)
        program = self.asked(near)
        program.transport.write(b"hello")
        near.nodes.advance(3)
        self.assertEqual((bytes(program.data), self.status()["waiting_for_exit"]), (b"", 1))
        near.nodes.connect(near.nodes.left, near.nodes["right"])
        self.assertEqual((near.exits["right"].lines, self.status()["waiting_for_exit"]), ([], 1))
        near.offers()
        line = near.line()
        self.assertEqual(line.hears(), [(Kind.CONNECT, NAME.encode()), (Kind.DATA, b"hello")])
        self.grants(line)
        self.assertEqual((bytes(program.data), self.status()["waiting_for_exit"]), (GRANTED, 0))

    def test_unanswered_at_the_loss(self) -> None:
        """A bare request is asked again; nobody had a byte of it."""
        near = self.stage()
        program = self.asked(near)
        self.assertEqual(near.line().hears(), [(Kind.CONNECT, NAME.encode())])
        self.loses(near)
        self.assertEqual(bytes(program.data), b"")
        self.comes_back(near)
        self.assertEqual(near.line().hears(), [(Kind.CONNECT, NAME.encode())])
        self.grants(near.line())
        self.assertEqual(bytes(program.data), GRANTED)

    def test_what_may_have_had_an_effect(self) -> None:
        """Data that the exit may have passed on is not sent twice, so the program is told at once."""
        near = self.stage()
        program = self.asked(near)
        program.transport.write(b"POST")
        self.assertEqual(near.line().hears()[-1], (Kind.DATA, b"POST"))
        self.loses(near)
        self.assertEqual(bytes(program.data), failure(1))
        self.comes_back(near)
        self.assertEqual(len(near.exits["right"].lines), 1)

    def test_no_more_often_than_so(self) -> None:
        near = self.stage()
        program = self.asked(near)
        for _ in range(2):
            self.loses(near)
            self.assertEqual(bytes(program.data), b"")
            self.comes_back(near)
        self.assertEqual(len(near.exits["right"].lines), 3)
        self.loses(near)
        self.assertEqual(bytes(program.data), failure(1))

    def test_nobody_comes_back(self) -> None:
        """Told when it is no longer expected; from then on at once."""
        near = self.stage(exit_return_seconds=5)
        self.loses(near)
        program = self.asked(near)
        near.nodes.advance(4.7)
        self.assertEqual(bytes(program.data), b"")
        near.nodes.advance(0.4)
        self.assertEqual(bytes(program.data), failure(3))
        self.assertEqual(bytes(self.asked(near).data), failure(3))
        self.assertEqual(self.status()["failures"], {"no_exit": 2})

    def test_deadline(self) -> None:
        """Its own time, ``connect_seconds``, holds while it waits, too."""
        near = self.stage(connect_seconds=2)
        self.loses(near)
        program = self.asked(near)
        near.nodes.advance(1.9)
        self.assertEqual(bytes(program.data), b"")
        near.nodes.advance(0.2)
        self.assertEqual((bytes(program.data), self.status()["waiting_for_exit"]), (failure(3), 0))

    def test_only_for_who_did_it(self) -> None:
        """An exit that never offered UDP is not waited for by who wants it."""
        near = self.stage()
        near.offers(udp=False)
        self.loses(near)
        self.assertEqual((bytes(self.asked(near, 3).data), bytes(self.asked(near, 1).data)), (failure(3), b""))

    def test_calls_waiting(self) -> None:
        """So many wait; one more is told at once, and one that leaves makes room."""
        near = self.stage(calls_waiting=2)
        self.loses(near)
        programs = [self.asked(near) for _ in range(3)]
        self.assertEqual([bytes(program.data) for program in programs], [b"", b"", failure(1)])
        self.assertEqual(self.status()["failures"], {"limit": 1})
        programs[0].transport.abortConnection()
        near.nodes.settle()
        self.assertEqual((bytes(self.asked(near).data), self.status()["waiting_for_exit"]), (b"", 2))

    def test_a_program_that_leaves(self) -> None:
        near = self.stage()
        self.loses(near)
        program = self.asked(near)
        program.transport.abortConnection()
        near.nodes.settle()
        self.assertEqual(self.status()["waiting_for_exit"], 0)
        self.comes_back(near)
        self.assertEqual(near.exits["right"].lines, [])

    def test_stop(self) -> None:
        near = self.stage()
        self.loses(near)
        program = self.asked(near)
        near.near.near.stop()
        near.nodes.settle()
        self.assertIsNotNone(program.lost)
        self.assertEqual(len(near.near.near.exits.waiting), 0)


class OtherExitTests(LossCase):
    """Two exits: what one does while the other is away."""

    def test_the_other_one(self) -> None:
        """It is asked at once, also for what the lost one had not answered."""
        near = self.stage("one", "two")
        program = self.asked(near)
        first = next(name for name, guest in near.exits.items() if guest.lines)
        self.loses(near, first)
        other = {"one": "two", "two": "one"}[first]
        self.assertEqual(near.line(other).hears(), [(Kind.CONNECT, NAME.encode())])
        self.grants(near.line(other))
        self.assertEqual(bytes(program.data), GRANTED)

    def test_three_of_four(self) -> None:
        """A fourth is not asked."""
        near = self.stage("one", "two", "three", "four")
        program = self.asked(near)
        for _ in range(3):
            (line,) = [line for guest in near.exits.values() for line in guest.lines if line.lost is None]
            line.transport.abortConnection()
            near.nodes.advance(0.1)
        self.assertEqual(bytes(program.data), failure(1))
        self.assertEqual(sum(len(guest.lines) for guest in near.exits.values()), 3)

    def test_one_that_refused(self) -> None:
        """That says no, and the other one is gone: waits for the other one, and is not heard a second time."""
        near = self.stage("one", "two", exit_return_seconds=5)
        self.loses(near, "two")
        program = self.asked(near)
        near.line("one").says(Kind.ANSWER, bytes((Code.LIMIT,)))
        near.nodes.advance(2)
        self.assertEqual((bytes(program.data), self.status()["waiting_for_exit"]), (b"", 1))
        self.comes_back(near, "two")
        self.assertEqual([len(near.exits[name].lines) for name in ("one", "two")], [1, 1])
        self.loses(near, "two")
        near.nodes.advance(5)
        self.assertEqual(bytes(program.data), failure(1))


class CircuitTests(NearCase):
    """The exit is there, and the way to it is not."""

    def setUp(self) -> None:
        self.near = near = self.stage()
        self.ways: list[Any] = []
        self.asked_at: list[float] = []

        def reach(peer: Any, key: bytes) -> Deferred[Any]:
            self.asked_at.append(near.nodes.clock.seconds())
            found: Deferred[Any] = self.ways.pop(0)(peer)
            return found

        self.patch(near.near.near, "reach", reach)

    def asked(self) -> Ear:
        program = self.near.program()
        self.near.asks(program, NAME)
        return program

    def test_tried_again(self) -> None:
        """When the back-off of the exit is over."""
        self.ways = [lambda _: fail(UNREACHABLE), lambda _: fail(UNREACHABLE), succeed]
        program = self.asked()
        self.assertEqual((bytes(program.data), self.status()["waiting_for_exit"]), (b"", 1))
        self.near.nodes.advance(3.2)
        self.assertEqual([round(at - self.asked_at[0]) for at in self.asked_at], [0, 1, 3])
        self.assertEqual(self.near.line().hears(), [(Kind.CONNECT, NAME.encode())])
        self.assertEqual(bytes(program.data), b"")

    def test_one_failure_of_many(self) -> None:
        """Calls that shared a circuit that could not be made count as one failure, or its back-off were minutes."""
        way: Deferred[Any] = Deferred()
        self.ways = [lambda _: _branch(way) for _ in range(20)]
        for _ in range(20):
            self.asked()
        way.errback(UNREACHABLE)
        way.addErrback(lambda _: None)
        (row,) = self.status()["exits"]
        self.assertEqual((row["failures"], row["retry_seconds"], self.status()["waiting_for_exit"]), (1, 1.0, 20))

    def test_hopeless(self) -> None:
        """No path at all: told at once."""
        self.ways = [lambda _: fail(ConnectFailed("no-path", "no gateway is known"))]
        self.assertEqual(bytes(self.asked().data), failure(3))


class PathsTests(SynchronousTestCase):
    """What is kept of a circuit."""

    def test_nothing_of_a_lost_one(self) -> None:
        host = Host()
        paths, circuits = Paths(host, 3, ""), [Peer(1), Peer(1), Peer(2)]
        host.answer = lambda: succeed(circuits[len(host.dials) - 1])
        for number, peer in enumerate(circuits):
            self.successResultOf(paths.reach(peer, b"%d" % number))  # type: ignore[arg-type]
        paths.left(circuits[0])  # type: ignore[arg-type]
        self.assertEqual(list(paths._circuits), [(b"1", uuid(1)), (b"2", uuid(2))])
        self.assertEqual(len(paths), 2)


class ComingTests(SynchronousTestCase):
    """Whether an exit may come."""

    def exits(self, *names: str, **table: Any) -> Exits:
        self.host = Host()
        settings = Settings(exits=names, **table)
        made = Exits(self.host, settings, Paths(self.host, settings.hops, settings.via))
        self.addCleanup(made.stop)
        return made

    def coming(self, exits: Exits, by: float = SOON, kind: Kind = Kind.CONNECT, refused: tuple[UUID, ...] = ()) -> bool:
        return exits.coming(kind, refused, by)

    def test_none_known(self) -> None:
        self.assertFalse(self.coming(self.exits()))

    def test_while_it_is_dialled(self) -> None:
        exits, dial = self.exits(address(0)), Deferred[Any]()
        self.host.answer = lambda: dial
        exits.keep_warm()
        self.assertTrue(self.coming(exits, by=0.1))
        self.assertFalse(self.coming(exits, refused=(uuid(0),)))
        dial.errback(UNREACHABLE)
        self.assertEqual([self.coming(exits, by) for by in (0.5, 1.5)], [False, True])

    def test_hopeless(self) -> None:
        exits = self.exits(address(0))
        self.host.answer = lambda: fail(ConnectFailed("no-path", "no gateway is known"))
        exits.keep_warm()
        self.assertFalse(self.coming(exits))
        self.host.answer = lambda: fail(UNREACHABLE)
        self.host.clock.advance(1.1)
        self.assertTrue(self.coming(exits))

    def test_not_wanted(self) -> None:
        """Those that are not dialled, because enough are there, do not come."""
        exits = self.exits(address(0), address(1), exits_warm=1)
        exits.offered(Peer(0), ALL)
        exits.keep_warm()
        self.assertFalse(self.coming(exits, refused=(uuid(0),)))

    def test_bare_uuid(self) -> None:
        """At the start the node may still be connecting it; later only when it was there."""
        exits = self.exits(str(uuid(0)))
        self.assertTrue(self.coming(exits))
        self.host.clock.advance(31)
        self.assertFalse(self.coming(exits))
        exits.offered(Peer(0), Offer(True, False, False, 1))
        self.assertTrue(self.coming(exits))
        for kind in (Kind.BIND, Kind.ASSOCIATE):
            self.assertFalse(self.coming(exits, kind=kind))

    def test_those_that_left_are_few(self) -> None:
        """A stranger under ever new names does not fill the memory."""
        exits = self.exits()
        for number in range(EXPECTED + 10):
            peer = Peer(number)
            exits.offered(peer, ALL)
            exits.left(peer)
        self.assertEqual((len(exits._expected), list(exits)), (EXPECTED, []))
        self.host.clock.advance(31)
        last = Peer(9999)
        exits.offered(last, ALL)
        exits.left(last)
        self.assertEqual(list(exits._expected), [uuid(9999)])

    def test_after_the_stop(self) -> None:
        exits = self.exits(address(0))
        exits.keep_warm()
        exits.stop()
        self.assertFalse(self.coming(exits))


class RoomTests(SynchronousTestCase):
    """The queue."""

    def test_order_and_leaving(self) -> None:
        room, seen = WaitingRoom(3), []

        class Caller:
            def __init__(self, name: str) -> None:
                self.name = name

            def look_again(self) -> None:
                seen.append(self.name)
                if self.name == "a":
                    room.leave(callers[1])

        callers = [Caller(name) for name in "abcd"]
        self.assertEqual([room.enter(each) for each in callers], [True, True, True, False])
        self.assertTrue(room.enter(callers[2]))
        room.look()
        self.assertEqual((seen, len(room)), (["a", "c"], 2))
        self.assertTrue(room.enter(callers[3]))


def _branch(way: Deferred[Any]) -> Deferred[Any]:
    branch: Deferred[Any] = Deferred()

    def failed(failure: Failure) -> Failure:
        branch.errback(failure.value)
        return failure

    way.addErrback(failed)
    return branch
