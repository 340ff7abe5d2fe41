"""Conduct: what each end of a connection costs, what sessions earn, what extenders say, what a restart remembers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.reputation import Reputation
from quantumgate.core.events import Closed
from quantumgate.errors import LocalError
from quantumgate.node.conduct import SAVE_AFTER_SECONDS, USEFUL_SECONDS, Conduct
from quantumgate.store.memory import MemoryDatabase
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import DEFAULT_LIMITS, Limits
from tests.core.access.people import WALL, at, net, peer
from tests.node.remembering import recalled

HERE = at("192.0.2.7")


class ConductCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.database, self.clock, self.drift = MemoryDatabase(), Clock(), 0.0
        self.conduct = self.made()

    def made(self, limits: Limits = DEFAULT_LIMITS) -> Conduct:
        """One that reads the store as it is."""
        world: Any = SimpleNamespace(
            clock=self.clock, now=self.clock.seconds, wall_seconds=lambda: WALL + self.clock.seconds() + self.drift)
        self.state = recalled(self.database)
        self.reputation = Reputation(limits)
        return Conduct(self.reputation, self.state, world, limits)

    @property
    def writes(self) -> int:
        return self.database.transactions

    def contact(self, number: int | None = 1, *, path: Any = None, **more: Any) -> Any:
        """A connection with an authenticated peer, nameless for None, with no session for -1."""
        session = None
        if number != -1:
            identity = None if number is None else SimpleNamespace(uuid=peer(number))
            session = SimpleNamespace(peer=identity, bytes_sent=0, bytes_received=0)
        return Contact(address=more.get("address", HERE), local=more.get("local", False),
                       outbound=more.get("outbound", False), path=path, session=session)

    def paid(self, contact: Any, event: Closed) -> tuple[float, float]:
        """By the address and by the peer."""
        self.reputation.addresses.clear()
        self.reputation.peers.clear()
        self.conduct.closed(contact, event)
        now = self.clock.seconds()
        return self.address_score(), self.reputation.of_peer(peer(1), now).score

    def address_score(self) -> float:
        """Without its network's."""
        return self.reputation.addresses.score(net("192.0.2.7"), self.clock.seconds())


class Contact(SimpleNamespace):
    __hash__ = object.__hash__


def ended(reason: str, code: int | None = None, by: str = "transport") -> Closed:
    return Closed(reason, code=code, by=by)


class BlameTests(ConductCase):
    def tearDown(self) -> None:
        self.conduct.stop()

    def test_what_each_end_costs(self) -> None:
        for event, wanted in (
            (ended("damaged"), (-5, 0)),
            (ended("violation", CloseCode.VIOLATION, "local"), (-200, -200)),
            (ended("flood", CloseCode.FLOOD, "local"), (-50, -50)),
            (ended("violation", CloseCode.VIOLATION, "remote"), (0, 0)),
            (ended("flood", CloseCode.FLOOD, "remote"), (0, 0)),
            (ended("lost"), (0, 0)),
            (ended("path-lost"), (0, 0)),
            (ended("bye", CloseCode.BYE, "local"), (0, 0)),
            (ended("bye", CloseCode.BYE, "remote"), (0, 0)),
        ):
            self.assertEqual(self.paid(self.contact(), event), wanted, event)

    def test_before_there_is_a_session(self) -> None:
        for reason, wanted in (("unrecognised", -5), ("authentication", -5), ("deadline", -5), ("lost", 0),
                               ("refused", 0), ("self", 0)):
            event = ended(reason, by="handshake")
            self.assertEqual(self.paid(self.contact(-1), event), (wanted, 0), reason)
            self.assertEqual(self.paid(self.contact(-1, outbound=True), event), (0, 0), reason)

    def test_over_a_link_nobody_between_pays(self) -> None:
        event = ended("violation", CloseCode.VIOLATION, "local")
        for path in ((), (peer(9),)):
            self.assertEqual(self.paid(self.contact(path=path), event), (0, -200))
        self.assertEqual(self.reputation.of_peer(peer(9), 0.0).score, 0)
        self.assertEqual(self.paid(self.contact(-1, path=()), ended("unrecognised", by="handshake")), (0, 0))

    def test_here_and_on_a_trusted_network(self) -> None:
        event = ended("violation", CloseCode.VIOLATION, "local")
        self.assertEqual(self.paid(self.contact(local=True), event), (0, -200))
        self.assertEqual(self.paid(self.contact(None), event), (-200, 0))
        self.assertEqual(self.paid(self.contact(address=None), event), (0, -200))

    def test_a_known_relay(self) -> None:
        self.conduct.known_relay = lambda address: address == HERE
        for _ in range(10):
            self.conduct.closed(self.contact(), ended("violation", CloseCode.VIOLATION, "local"))
        self.assertEqual(self.address_score(), -500)

    def test_coming_too_often(self) -> None:
        self.conduct.attempt(HERE)
        self.assertEqual(self.address_score(), -10)


class ReportTests(ConductCase):
    def tearDown(self) -> None:
        self.conduct.stop()

    def reported(self, *offences: str, extender: str = "echo") -> float:
        for offence in offences:
            self.conduct.reported(self.contact(), extender, offence)
        return self.reputation.of_peer(peer(1), self.clock.seconds()).score

    def test_the_first_word_decides(self) -> None:
        self.assertEqual(self.reported("what is this?"), -20)
        self.assertEqual(self.reported("flood: 1000 a second"), -70)
        self.assertEqual(self.reported("Abuse: spam"), -270)
        self.assertEqual(self.reported("abused"), -290)

    def test_so_many_count(self) -> None:
        """An extender that does not understand a newer one of its kind reports every message."""
        self.assertEqual(self.reported(*["?"] * 50), -200)
        self.assertEqual(self.reported("?", extender="files"), -220)
        self.clock.advance(60)
        before = self.reported()
        self.assertAlmostEqual(self.reported("?", "?"), before - 20, places=6)


class EarningTests(ConductCase):
    def test_ten_minutes_that_carried_something(self) -> None:
        good, idle, late = self.contact(1), self.contact(2), self.contact(3)
        nameless, dialling = self.contact(None, address=at("198.51.100.1")), self.contact(-1)
        contacts = [good, idle, nameless, dialling]
        self.conduct.start(lambda: contacts)
        self.clock.advance(USEFUL_SECONDS)
        contacts.append(late)
        for each in (good, nameless):
            each.session.bytes_sent = 5000
        idle.session.bytes_received = 100
        late.session.bytes_sent = 1_000_000
        self.clock.advance(USEFUL_SECONDS)
        scores = [self.reputation.of_peer(peer(number), self.clock.seconds()).score for number in (1, 2, 3)]
        self.assertEqual(scores, [1, 0, 0])
        self.assertEqual(self.address_score(), 1)
        self.conduct.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


    def test_who_has_left_is_not_held(self) -> None:
        here, gone = self.contact(1), self.contact(2)
        self.conduct.start(lambda: [here, gone])
        self.clock.advance(USEFUL_SECONDS)
        self.conduct.closed(gone, ended("bye", CloseCode.BYE, "remote"))
        self.assertEqual(list(self.conduct._moved_bytes), [here])
        self.conduct.stop()


class KeepingTests(ConductCase):
    def test_a_restart_forgets_nothing_and_time_goes_on(self) -> None:
        for _ in range(6):
            self.conduct.closed(self.contact(), ended("violation", CloseCode.VIOLATION, "local"))
        before = self.reputation.of_address(HERE, 0.0).refused_until
        self.clock.advance(SAVE_AFTER_SECONDS)
        self.assertEqual(self.writes, 1)
        self.drift = 600.0  # since then
        self.clock = Clock()
        self.conduct = self.made()
        standing = self.reputation.of_address(HERE, 0.0)
        self.assertAlmostEqual(standing.score, -1200 * 0.5 ** (600 / 3600), places=0)
        self.assertAlmostEqual((standing.refused_until or 0) + 600, before or 0, places=-1)
        self.assertLess(self.reputation.of_peer(peer(1), 0.0).score, -1000)
        self.assertLess(self.reputation.networks.score(net("192.0.2.0/24"), 0.0), -200)

    def test_many_changes_are_one_write(self) -> None:
        for _ in range(1000):
            self.conduct.attempt(HERE)
        self.assertEqual(self.writes, 0)
        self.clock.advance(SAVE_AFTER_SECONDS)
        self.assertEqual(self.writes, 1)
        self.clock.advance(10 * SAVE_AFTER_SECONDS)
        self.assertEqual((self.writes, self.clock.getDelayedCalls()), (1, []))

    def test_only_the_scores_that_say_most_are_kept(self) -> None:
        conduct = self.made(Limits(scores_saved=10))
        for number in range(100):
            self.reputation.peers.put(peer(number), -number, 0.0)
        conduct.stop()
        self.assertEqual(sorted(row.score for row in self.state.scores.rows), [-99.0 + n for n in range(10)])

    def test_a_clock_that_was_set_back_makes_nobody_worse(self) -> None:
        self.conduct.set("192.0.2.7", -800)
        self.conduct.stop()
        self.successResultOf(self.state.save())
        self.drift = -86_400.0
        self.made()
        self.assertEqual(self.reputation.of_address(HERE, 0.0).score, -800)


class ByHandTests(ConductCase):
    def tearDown(self) -> None:
        self.conduct.stop()

    def test_set_list_and_reset(self) -> None:
        for subject, score in ((str(peer(1)), 50), ("192.0.2.7", -1500), ("192.0.2.0/24", -10),
                               ("2001:db8::/56", -20)):
            self.conduct.set(subject, score)
        self.assertEqual([(one.of, one.score) for one in self.conduct.list()],
                         [("192.0.2.7/32", -1500), ("2001:db8::/56", -20), ("192.0.2.0/24", -10), (str(peer(1)), 50)])
        self.conduct.reset("::ffff:192.0.2.7")
        self.assertEqual(len(self.conduct.list()), 3)
        self.conduct.reset("")
        self.assertEqual(list(self.conduct.list()), [])

    def test_what_cannot_be(self) -> None:
        for subject, score in (("192.0.2.0/25", 1), ("2001:db8::/64", 1), ("me", 1), (str(peer(1)), 101),
                               (str(peer(1)), -3001), (str(peer(1)), float("nan"))):
            self.assertRaises(LocalError, self.conduct.set, subject, score)
        with self.assertRaises(LocalError) as caught:
            self.conduct.reset(str(peer(1)))
        self.assertIn("reputation list", caught.exception.advice)
