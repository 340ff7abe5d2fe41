"""Circuits in the course of hours, between whole nodes: successors, what runs on, what is told to whom."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol, connectionDone

from quantumgate.core.relay.lifetime import QUIET_SECONDS
from quantumgate.extender.api import Extender, maker
from quantumgate.node.contact import ROLE_PEER
from quantumgate.node.lifetimes import ROUND_SECONDS, TRY_AGAIN_SECONDS
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.handshake.duel import SeededRandom
from tests.node.circuits import AWAY, CircuitCase
from tests.node.world import as_json

HOUR_SECONDS, DAY_SECONDS = 1200.0, 9600.0
"""Short ones, for nodes have timers of their own; the real ones are in ``core.relay.test_lifetime``."""

LATEST_SECONDS = 1.2 * HOUR_SECONDS + ROUND_SECONDS
UUID = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12"


class Line(Protocol):
    """One end of a stream."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.lost = reason.value


class Talker(Extender):
    """Writes down all that it is told; takes streams."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.got: list[bytes] = []
        self.lines: list[Line] = []

    def peer_arrived(self, peer: Any) -> None:
        self.told.append(("arrived", peer))

    def peer_left(self, peer: Any, reason: str) -> None:
        self.told.append((reason, peer))

    def message_received(self, peer: Any, message: bytes) -> None:
        self.got.append(message)

    def stream_opened(self, peer: Any, label: bytes) -> Line:
        self.lines.append(Line())
        return self.lines[-1]


class LifetimeCase(CircuitCase):
    """A talker at both ends."""

    limits: ClassVar[dict[str, Any]] = {
        "circuit_lifetime_seconds": HOUR_SECONDS, "circuit_end_seconds": DAY_SECONDS,
    }

    def setUp(self) -> None:
        super().setUp()
        self.near, self.far = Talker(), Talker()
        for node in (self.client, self.end):
            self.done(node.stopService(), 40)
            self.nodes.remove(node)
        self.client = self.node("31.3.0.1", maker(lambda: self.near, name="talk", uuid=UUID),
                                settings=self.client.settings)
        self.end = self.node(AWAY, maker(lambda: self.far, name="talk", uuid=UUID), default_access="allow",
                             limits=self.limits)

    def used(self, hops: int = 0, via: Any = None) -> Any:
        """A kept circuit over which something has been said."""
        peer = self.connect(hops, via=via, keep=True)
        self.say(self.near, peer, b"something")
        self.far.got.clear()
        return peer

    @property
    def circuits(self) -> Any:
        return self.client._parts.circuits  # type: ignore[union-attr]

    def paths(self) -> list[list[str]]:
        """Of the circuits that stand, the oldest first, by the gateways' numbers."""
        numbers = {gate.uuid: str(number) for number, gate in enumerate(self.gates)}
        standing = sorted(self.circuits.standing, key=lambda one: one.contact.connected_at)
        return [[numbers[one.uuid] for one in circuit.path] for circuit in standing]

    def say(self, guest: Talker, peer: Any, message: bytes) -> None:
        self.done(guest.host.send(peer, message), 1)

    def until_two(self) -> None:
        """Till a successor stands beside the old circuit."""
        for _ in range(int(LATEST_SECONDS)):
            if len(self.circuits.standing) > 1:
                return
            self.pass_time(1)
        self.fail("no successor")


class SuccessorTests(LifetimeCase):
    """What is used moves to another circuit; nobody is told, for the peer never ceased to be reachable."""

    def test_within_the_hour_over_other_relays_but_the_first(self) -> None:
        peer = self.used(3)
        began = self.clock.seconds()
        self.until_two()
        self.assertTrue(0.8 * HOUR_SECONDS - 60 <= self.clock.seconds() - began <= LATEST_SECONDS)
        old, new = self.paths()
        self.assertEqual((len(new), set(old[1:]) & set(new[1:])), (3, set()))
        self.assertEqual([str(self.gates[int(one)].uuid) for one in new], [str(uuid) for uuid in peer.path])
        self.assertEqual((self.near.told, self.client.peers), ([("arrived", peer)], (peer,)))
        ((word, there),) = self.far.told
        self.assertEqual((word, self.end.peers, there.path), ("arrived", (there,), [peer.path[-1]]))

    def test_both_ends_say_the_next_thing_over_it(self) -> None:
        peer = self.used(3)
        there = self.end.peers[0]
        for guest, to in ((self.near, peer), (self.far, there)):
            self.say(guest, to, b"one")
        self.until_two()
        old, new = sorted(self.circuits.standing, key=lambda one: one.contact.connected_at)
        before = old.contact.session.bytes_sent, old.contact.session.bytes_received
        self.pass_time(5)
        self.assertFalse(old.contact.session.in_use, "messages have moved")
        long = SeededRandom("a message that cannot be compressed").bytes(9000)
        for guest, to in ((self.near, peer), (self.far, there)):
            self.say(guest, to, long)
        self.assertEqual((self.near.got, self.far.got), ([b"one", long],) * 2)
        self.assertGreater(new.contact.session.bytes_sent, 9000)
        self.assertLess(old.contact.session.bytes_sent - before[0], 6000)
        self.assertLess(old.contact.session.bytes_received - before[1], 6000)

    def test_the_old_one_ends_when_it_has_been_quiet_with_the_code_for_that(self) -> None:
        self.used(3)
        self.until_two()
        old = min(self.circuits.standing, key=lambda one: one.contact.connected_at)
        ends: list[Any] = []
        explain = old.contact.explain
        old.contact.explain = lambda event: (ends.append(event.code), explain(event))[1]
        self.pass_time(QUIET_SECONDS - 1)
        self.assertEqual(len(self.circuits.standing), 2)
        self.pass_time(2 * ROUND_SECONDS + 2)
        self.assertEqual((len(self.circuits.standing), old.contact.ending), (1, "its successor stands"))
        self.assertEqual(ends, [CloseCode.REPLACED])
        self.assertEqual((len(self.near.told), len(self.far.told)), (1, 1))
        self.pass_time(10)
        sessions = [one.session for one in self.end._parts.desk.contacts]  # type: ignore[union-attr]
        self.assertEqual([session.role for session in sessions].count(ROLE_PEER), 1)

    def test_an_extenders_own_dial_has_one_as_well(self) -> None:
        """As socks5 keeps its exits: it asked once, and holds the peer."""
        peer = self.done(self.near.host.connect(self.address(self.end, AWAY), hops=3), 1)
        for hour in range(3):
            self.say(self.far, self.end.peers[0], b"%d" % hour)
            self.pass_time(LATEST_SECONDS + 120)
            self.assertEqual((self.near.host.peers(), self.near.told), ([peer], [("arrived", peer)]))
        self.assertEqual(len(self.near.got), 3)

    def test_never_a_moment_without(self) -> None:
        """Every five seconds through six hours, both ways, taken at once and heard in order."""
        peer, count = self.used(3), 0
        seen = set()
        while self.clock.seconds() < 6 * HOUR_SECONDS:
            there = self.end.peers[0]
            said = b"%d" % count
            self.assertTrue(self.near.host.offer(peer, said) and self.far.host.offer(there, said), said)
            count += 1
            seen.add(self.client._parts.desk.table.contact_of(peer))  # type: ignore[union-attr]
            self.pass_time(5)
        self.assertEqual(self.far.got, [b"%d" % number for number in range(count)])
        self.assertEqual(self.near.got, self.far.got)
        self.assertTrue(5 <= len(seen) <= 8, len(seen))
        self.assertEqual((len(self.near.told), len(self.far.told), self.errors()), (1, 1, []))

    def test_a_path_that_was_named_is_taken_again(self) -> None:
        via = [self.gates[2].uuid, self.gates[4].uuid]
        peer = self.used(via=via)
        self.until_two()
        self.assertEqual((self.paths(), peer.path), ([["2", "4"], ["2", "4"]], via))

    def test_operators_see_it(self) -> None:
        self.used(3)
        self.until_two()
        states = [(one["state"], one["path"]) for one in as_json(self.client.relays_snapshot())["circuits"]]
        self.assertEqual([state for state, _ in states], ["running out", "in use"])
        self.assertEqual(states[1][1], as_json(self.client.peers_snapshot())[0]["path"])

    def test_one_that_nobody_uses_ends_as_ever(self) -> None:
        self.connect(3)
        self.pass_time(DEFAULT_LIMITS.idle_seconds + 10)
        self.assertEqual((self.paths(), self.near.told[1][0]), ([], "idle"))


class StreamTests(LifetimeCase):
    """Streams run on where they began, for a day at most."""

    def stream(self, peer: Any) -> tuple[Line, Line]:
        line = Line()
        self.done(self.near.host.open_stream(peer, line), 1)
        return line, self.far.lines[-1]

    def test_they_run_on(self) -> None:
        peer = self.used(3)
        near, far = self.stream(peer)
        self.until_two()
        self.assertTrue(near.transport.superseded and far.transport.superseded)  # type: ignore[union-attr]
        new_near, _ = self.stream(peer)
        self.assertFalse(new_near.transport.superseded)  # type: ignore[union-attr]
        old, new = sorted(self.circuits.standing, key=lambda one: one.contact.connected_at)
        self.assertEqual([sum(one.stream for one in each.contact.session.channels.values()) for each in (old, new)],
                         [1, 1])
        for hour in range(5):
            near.transport.write(b"n" * 1000)  # type: ignore[union-attr]
            far.transport.write(b"f" * 1000)  # type: ignore[union-attr]
            self.pass_time(HOUR_SECONDS)
            self.assertEqual((len(near.heard), len(far.heard)), (1000 * (hour + 1),) * 2)
        near.transport.loseConnection()  # type: ignore[union-attr]
        self.pass_time(2 * QUIET_SECONDS + 2 * ROUND_SECONDS)
        self.assertIsInstance(near.lost, ConnectionDone)
        self.assertIn(old.contact.ending, "its successor stands")
        self.assertEqual((self.near.told, self.client.peers), ([("arrived", peer)], (peer,)))

    def test_for_a_day(self) -> None:
        peer = self.used(3)
        near, far = self.stream(peer)
        self.pass_time(DAY_SECONDS - 60)
        self.assertEqual((near.lost, far.lost), (None, None))
        self.pass_time(60 + 2 * ROUND_SECONDS)
        self.assertEqual((near.lost.code, far.lost.code), (CloseCode.REPLACED, CloseCode.REPLACED))
        self.assertEqual((self.near.told, self.client.peers, len(self.end.peers)), ([("arrived", peer)], (peer,), 1))

    def test_a_lost_old_one_ends_its_streams_and_nothing_else(self) -> None:
        peer = self.used(3)
        near, far = self.stream(peer)
        self.until_two()
        self.cut(0)
        self.assertIsInstance(near.lost, ConnectionLost)
        self.assertIsInstance(far.lost, ConnectionLost)
        self.assertEqual((self.near.told, self.client.peers), ([("arrived", peer)], (peer,)))
        self.say(self.near, peer, b"still here")
        self.assertEqual(self.far.got, [b"still here"])

    def test_a_lost_successor_leaves_the_old_one(self) -> None:
        """It is used again, by both ends, and gets another successor."""
        peer = self.used(3)
        near, far = self.stream(peer)
        self.say(self.near, peer, b"1")
        self.until_two()
        self.say(self.near, peer, b"2")
        (old, _), there = self.paths(), self.end.peers[0]
        self.cut(1)
        self.assertEqual((self.paths(), near.lost, far.lost), ([old], None, None))
        self.assertFalse(near.transport.superseded)  # type: ignore[union-attr]
        self.say(self.near, peer, b"3")
        self.say(self.far, there, b"4")
        self.assertEqual((self.far.got, self.near.got), ([b"1", b"2", b"3"], [b"4"]))
        self.pass_time(2 * ROUND_SECONDS)
        self.assertEqual(len(self.paths()), 2)
        self.assertEqual((self.near.told, self.far.told), ([("arrived", peer)], [("arrived", there)]))

    def cut(self, at: int) -> None:
        """The circuit of this age ends as if its last relay had cut the link."""
        circuit = sorted(self.circuits.standing, key=lambda one: one.contact.connected_at)[at]
        gate = self.gate_of(circuit.path[-1].uuid)
        for carried in list(gate._parts.relays.carried):  # type: ignore[union-attr]
            if carried.target == self.end.uuid:
                carried.close(10)
        self.pass_time(1)


class TroubleTests(LifetimeCase):
    def refuse(self, refusing: bool) -> None:
        for gate in self.gates:
            gate._parts.relays.enabled = not refusing  # type: ignore[union-attr]

    def test_where_no_successor_can_be_built_the_old_one_is_used(self) -> None:
        """Tried again with growing waits; what begins meanwhile begins on the old one."""
        peer = self.used(3)
        self.refuse(True)
        self.pass_time(3 * HOUR_SECONDS)
        self.assertEqual((len(self.paths()), self.near.told), (1, [("arrived", peer)]))
        failed = sum(self.client.relays_snapshot().failed.values())
        self.assertTrue(8 <= failed <= 18, f"{failed} in some forty minutes")
        self.say(self.near, peer, b"on the old one")
        line = Line()
        self.done(self.near.host.open_stream(peer, line), 1)
        self.assertEqual((self.far.got, line.lost), ([b"on the old one"], None))
        self.refuse(False)
        self.pass_time(TRY_AGAIN_SECONDS[1] + ROUND_SECONDS + 5)
        self.assertEqual(len(self.paths()), 2)

    def test_a_day_without_a_successor_is_the_end_all_the_same(self) -> None:
        """A kept one is built anew then, as after any end."""
        self.used(3)
        self.refuse(True)
        self.pass_time(DAY_SECONDS + ROUND_SECONDS + 30)
        self.assertEqual((self.paths(), self.near.told[1][0]), ([], "bye"))
        self.refuse(False)
        self.pass_time(120)
        self.assertEqual((len(self.paths()), len(self.client.peers)), (1, 1))

    def test_one_that_is_lost_takes_the_building_of_its_successor_with_it(self) -> None:
        """What was begun is given up: the keeper builds the next one, and only one."""
        peer = self.used(3)
        mute: list[Any] = []
        for gate in self.gates:
            gate._parts.relays.asked = lambda *_, gate=gate: mute.append(gate)  # type: ignore[union-attr, method-assign]
        while not mute:
            self.pass_time(1)
        for gate in self.gates:
            del gate._parts.relays.asked  # type: ignore[union-attr]
        for contact in list(self.gate_of(peer.path[1])._parts.desk.contacts):  # type: ignore[union-attr]
            contact.drop()
        self.pass_time(10)
        self.assertEqual((len(self.paths()), len(self.client.peers), len(self.end.peers)), (1, 1, 1))
        entries = self.circuits._builder.entries.values()
        self.assertEqual(sum(len(one.session.links.by_id) for one in entries), 1, "no link waits for an answer")

    def test_to_disconnect_is_to_end_both(self) -> None:
        for by in ("peer", "uuid"):
            peer = self.used(3)
            self.until_two()
            self.done(self.client.disconnect(peer if by == "peer" else self.end.uuid), 2)
            self.assertEqual((self.paths(), self.client.peers, self.end.peers), ([], (), ()))
            self.pass_time(100)
            self.assertEqual((self.paths(), self.client.status().connecting), ([], []))

    def test_a_kept_one_is_kept_by_its_successor(self) -> None:
        peer = self.used(3)
        self.until_two()
        self.pass_time(300)
        self.assertEqual(self.client.status().connecting, [])
        for contact in list(self.gate_of(peer.path[1])._parts.desk.contacts):  # type: ignore[union-attr]
            contact.drop()
        self.pass_time(10)
        (again,) = self.client.peers
        self.assertIsNot(again, peer)
        self.assertEqual([word for word, _ in self.near.told], ["arrived", "relay-lost", "arrived"])

    def test_silence_after_a_stop(self) -> None:
        """No timer is left of one that was being succeeded; the case looks at that."""
        self.used(3)
        self.until_two()
        circuits = self.circuits
        self.done(self.client.stopService(), 40)
        self.assertEqual(circuits.standing, set())
