"""Nodes in memory: real sessions, time that only tests move, the same seed for the same story."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed
from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.extender.api import Extender, maker
from quantumgate.testing.nodes import START_SECONDS, MemoryNodes, pair, seeded_identity
from quantumgate.testing.weather import Weather

UUID = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11"


class Diary(Extender):
    """Writes down what happens."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def peer_arrived(self, peer: Any) -> None:
        self.lines.append("arrived")

    def peer_left(self, peer: Any, reason: str) -> None:
        self.lines.append(f"left: {reason}")

    def message_received(self, peer: Any, message: bytes) -> None:
        self.lines.append(message)


DIARY = maker(Diary, name="diary", uuid=UUID)


class PairTests(SynchronousTestCase):
    """Two of them."""

    def pair(self, *makers: Any, **more: Any) -> MemoryNodes:
        nodes = pair(*(makers or (DIARY,)), **more)
        self.addCleanup(nodes.stop)
        return nodes

    def test_real_sessions(self) -> None:
        """Authenticated, with the default suite, and each knows the other's extenders."""
        nodes = self.pair()
        session = nodes.left.contact(nodes.right).session
        self.assertEqual(session.suite.names(), ("X25519", "ML-KEM-768", "AES-256-GCM"))
        self.assertEqual(session.peer.uuid, nodes.right.uuid)
        self.assertEqual(nodes.right.peer().uuid, nodes.left.uuid)
        self.assertEqual((nodes.left.peer().direction, nodes.right.peer().direction), ("outbound", "inbound"))
        self.assertEqual(nodes.left.guest("diary").lines, ["arrived"])

    def test_message(self) -> None:
        nodes = self.pair()
        nodes.result(nodes.left.host("diary").send(nodes.left.peer(), b"hello"))
        nodes.settle()
        self.assertEqual(nodes.right.guest("diary").lines, ["arrived", b"hello"])

    def test_time(self) -> None:
        """It passes only where the test says so, and every call comes at its own moment."""
        nodes = self.pair()
        self.assertEqual(nodes.clock.seconds(), START_SECONDS)
        moments: list[float] = []
        clock = nodes.left.host("diary").clock

        def tick() -> None:
            moments.append(clock.seconds() - START_SECONDS)
            clock.callLater(1, tick)

        tick()
        nodes.advance(3.5)
        self.assertEqual((moments, nodes.clock.seconds() - START_SECONDS), ([0, 1, 2, 3], 3.5))

    def test_latency(self) -> None:
        """The handshake and the message take their round trips."""
        nodes = self.pair(weather=Weather(latency_seconds=0.25))
        self.assertGreaterEqual(nodes.clock.seconds() - START_SECONDS, 0.75)
        before = nodes.clock.seconds()
        nodes.left.host("diary").offer(nodes.left.peer(), b"x")
        nodes.settle()
        self.assertIn(b"x", nodes.right.guest("diary").lines)
        self.assertLess(nodes.clock.seconds() - before, 1)

    def test_same_seed_same_story(self) -> None:
        """With loss and jitter, every event comes at the same moment again; with another seed, at others."""
        stories = [self.story(seed) for seed in (1, 1, 2)]
        self.assertEqual(stories[0], stories[1])
        self.assertNotEqual(stories[0], stories[2])

    def story(self, seed: int) -> list[Any]:
        nodes = self.pair(weather=Weather(latency_seconds=0.1, jitter_seconds=0.2, loss=0.3), seed=seed)
        lines = []
        for number in range(20):
            nodes.left.host("diary").offer(nodes.left.peer(), b"%d" % number)
            nodes.settle()
            lines.append(nodes.clock.seconds())
        return lines

    def test_closed_by_the_peer(self) -> None:
        nodes = self.pair()
        nodes.left.host("diary").disconnect(nodes.left.peer())
        nodes.settle()
        self.assertEqual(nodes.right.guest("diary").lines, ["arrived", "left: bye"])
        self.assertRaises(LocalError, nodes.left.peer)

    def test_cut(self) -> None:
        """A cut line is reported as lost, on both sides."""
        nodes = self.pair()
        nodes.network.cut()
        self.assertEqual(nodes.left.guest("diary").lines, ["arrived", "left: lost"])
        (closed,) = [event for event in nodes.right.events if isinstance(event, Closed)]
        self.assertEqual((closed.reason, closed.clean), ("lost", False))

    def test_dead_line(self) -> None:
        """A partition is noticed by the session itself, within minutes of the fake clock."""
        nodes = self.pair()
        nodes.network.part(["left"], ["right"])
        nodes.left.host("diary").offer(nodes.left.peer(), b"x")
        nodes.advance(300)
        self.assertEqual(nodes.left.guest("diary").lines[-1], "left: path-lost")
        (closed,) = [event for event in nodes.left.events if isinstance(event, Closed)]
        self.assertRegex(closed.text, "^path lost: no answer for [0-9]+ s$")
        self.assertEqual((closed.reason, closed.clean, closed.by), ("path-lost", False, "transport"))

    def test_different_extenders(self) -> None:
        """One side may run other things, with their settings."""
        other = maker(Diary, name="other", uuid="6f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11")
        nodes = self.pair(makers_of={"left": [DIARY, other], "right": [other]})
        self.assertEqual(nodes.left.guest("diary").lines, [])
        self.assertEqual(nodes.left.guest("other").lines, ["arrived"])

    def test_switched_off_and_on(self) -> None:
        """The list of extenders goes over the wire, at most once a second."""
        nodes = self.pair()
        nodes.result(nodes.right.extenders.stop_guest("diary"))
        nodes.advance(2)
        nodes.result(nodes.right.extenders.start_guest("diary"))
        nodes.advance(2)
        self.assertEqual(nodes.left.guest("diary").lines, ["arrived", "left: switched off there", "arrived"])

    def test_anonymous(self) -> None:
        """A node without identity is met by extenders that are for such."""
        open_door = maker(Diary, name="diary", uuid=UUID, anonymous=True)
        nodes = self.pair(open_door, anonymous=["left"])
        self.assertIsNone(nodes.right.peer().uuid)
        self.assertEqual(nodes.right.guest("diary").lines, [])
        nodes.left.host("diary").offer(nodes.left.peer(), b"x")
        nodes.settle()
        self.assertEqual(nodes.right.guest("diary").lines, ["arrived", b"x"])

    def test_data_directory(self) -> None:
        """Only where the test gave one."""
        nodes = self.pair(directory=self.mktemp())
        self.assertTrue(nodes.left.host("diary").data_directory.is_dir())
        self.assertNotEqual(nodes.left.host("diary").data_directory, nodes.right.host("diary").data_directory)
        self.assertRaises(LocalError, lambda: self.pair().left.host("diary").data_directory)

    def test_report(self) -> None:
        nodes = self.pair()
        nodes.left.host("diary").report(nodes.left.peer(), "nonsense")
        self.assertEqual(nodes.left.reports, [(nodes.left.peer(), "diary", "nonsense")])

    def test_result(self) -> None:
        """What it fires with, raises, or an AssertionError that says how long it waited."""
        nodes = self.pair()
        later: Deferred[str] = Deferred()
        nodes.clock.callLater(5, later.callback, "done")
        self.assertEqual(nodes.result(later), "done")
        self.assertRaises(KeyError, nodes.result, fail(KeyError()))
        error = self.assertRaises(AssertionError, nodes.result, Deferred(), 3)
        self.assertIn("after 3 seconds", str(error))

    def test_guest_that_does_not_run(self) -> None:
        """The reason is in the error."""

        def broken() -> Any:
            raise ValueError("no luck")

        nodes = self.pair(maker(broken, name="diary", uuid=UUID))
        error = self.assertRaises(LocalError, nodes.left.guest, "diary")
        self.assertIn("failed ValueError: no luck", str(error))
        self.flushLoggedErrors(ValueError)

    def test_nothing_is_left(self) -> None:
        """After ``stop`` no delayed call of the nodes waits."""
        nodes = pair(DIARY)
        nodes.stop()
        self.assertEqual(nodes.clock.getDelayedCalls(), [])


class ManyTests(SynchronousTestCase):
    """More than two."""

    def test_ring(self) -> None:
        """Ten nodes in a ring, each hears its two neighbours."""
        names = [f"node{number}" for number in range(10)]
        nodes = MemoryNodes(DIARY, names=names)
        self.addCleanup(nodes.stop)
        for at, name in enumerate(names):
            nodes.connect(nodes[name], nodes[names[(at + 1) % 10]])
        for node in nodes.all:
            for peer in node.host("diary").peers():
                node.host("diary").offer(peer, node.name.encode())
        nodes.settle()
        heard = [line for line in nodes["node0"].guest("diary").lines if isinstance(line, bytes)]
        self.assertEqual(sorted(heard), [b"node1", b"node9"])

    def test_guests_connect(self) -> None:
        """By address or UUID; a second time it is the peer that is there; a stranger's UUID fails."""
        nodes = MemoryNodes(DIARY)
        self.addCleanup(nodes.stop)
        host = nodes.left.host("diary")
        peer = nodes.result(host.connect(nodes.right.address))
        self.assertIs(nodes.result(host.connect(str(nodes.right.uuid))), peer)
        self.assertRaises(ConnectFailed, nodes.result, host.connect(str(seeded_identity("stranger").public.uuid)))

    def test_a_guest_finds_others_that_run_it(self) -> None:
        nodes = MemoryNodes(DIARY, names=["one", "other", "idle"])
        self.addCleanup(nodes.stop)
        nodes["idle"].extenders.stop_guest("diary")
        host = nodes["one"].host("diary")
        (found,) = nodes.result(host.find_providers())
        self.assertEqual(found.uuid, nodes["other"].uuid)
        self.assertEqual(nodes.result(host.connect(found.address)).uuid, nodes["other"].uuid)

    def test_dial_through_a_partition(self) -> None:
        """It fails with a reason, within the limits of a handshake."""
        nodes = MemoryNodes(DIARY)
        self.addCleanup(nodes.stop)
        nodes.network.part(["left"], ["right"])
        error = self.assertRaises(ConnectFailed, nodes.connect, nodes.left, nodes.right)
        self.assertTrue(error.reason)
