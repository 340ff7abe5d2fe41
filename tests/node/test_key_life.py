"""Online keys that run out: what is said before, and what ends when."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.online_key import make
from quantumgate.errors import LocalError
from quantumgate.node.key_life import WARN_SECONDS, KeyLife
from quantumgate.testing.network import MemoryNetwork
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import EXPIRY_DRAIN_SECONDS, VALIDITY_SLACK_SECONDS
from tests.core.handshake.duel import SeededRandom, identity
from tests.core.sessions import ECHO
from tests.node.circuits import AWAY, HOME
from tests.node.delegated import DAY, DelegatedCase
from tests.node.world import BEGINNING_SECONDS, Drift, memory_world

HOUR = 3600


class WarningTests(SynchronousTestCase):
    """What is said of our own key; time passes without a node."""

    def setUp(self) -> None:
        self.network = MemoryNetwork(seed=self.id())
        self.drift = Drift()
        self.told: list[str] = []
        globalLogPublisher.addObserver(self._note)
        self.addCleanup(globalLogPublisher.removeObserver, self._note)

    def _note(self, event: Any) -> None:
        if str(event.get("log_namespace", "")).endswith("identity"):
            self.told.append(formatEvent(event))

    def life(self, days: float | None) -> KeyLife:
        alice = identity("alice")
        if days is not None:
            now = int(BEGINNING_SECONDS)
            made = make(alice, now_seconds=now, life_seconds=int(days * DAY), random=SeededRandom("life"))
            alice = made.identity()
        return KeyLife(alice, memory_world(self.network, HOME, self.drift))

    def test_nothing_runs_out_where_the_root_signs(self) -> None:
        life = self.life(None)
        life.start()
        self.assertEqual((life.seconds_left, life.warning()), (None, ("", "")))
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_two_weeks_before_and_every_day(self) -> None:
        life = self.life(16)
        life.start()
        self.assertEqual((life.warning(), self.told), (("", ""), []))
        for _ in range(4):
            self.network.clock.advance(DAY)
        self.assertEqual([line.rpartition("in ")[2] for line in self.told], ["14 days", "13 days", "12 days"])
        self.assertIn("qgate id rotate", life.warning()[1])
        life.stop()
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_the_last_day_and_after(self) -> None:
        life = self.life(1.5)
        for seconds, words in ((0, "in 1 day"), (DAY, "in less than a day"), (2 * DAY, "has run out")):
            self.drift.seconds = seconds
            self.assertIn(words, life.warning()[0])
        self.assertEqual(WARN_SECONDS, 14 * DAY)


class StatusTests(DelegatedCase):
    def test_the_operator_is_told(self) -> None:
        node = self.delegated(HOME, days=1)
        status = node.status()
        self.assertIn("; the online key of this identity runs out in", status.reason)
        self.assertTrue(status.advice.startswith("make a new one with the root key: qgate id rotate; "))
        self.drifts[node].seconds = DAY + 1
        self.assertIn("has run out", node.status().reason)
        self.assertRaises(LocalError, node.own_record)


class SessionTests(DelegatedCase):
    """Peers that are connected when a delegation ends."""

    def connected(self, *, mine: bool) -> None:
        """The listener has an online key, or the dialler."""
        self.near = self.delegated(HOME, days=HOUR / DAY, listen=()) if mine else self.node(HOME, listen=())
        self.far = self.node(AWAY, default_access="allow") if mine else self.delegated(
            AWAY, days=HOUR / DAY, default_access="allow")
        self.done(self.near.connect(self.address(self.far, AWAY)))
        self.contact = next(iter(self.near._parts.desk.table))  # type: ignore[union-attr]
        for node in (self.near, self.far):
            next(iter(node._parts.desk.table)).session.keep = True
        self.ended: Deferred[None] = self.contact.ended()
        self.patch(type(self.far._parts.desk), "channel_offered", lambda desk, contact, channel: channel.accept())

    def test_our_own_ends_it_on_time(self) -> None:
        self.connected( mine=True)
        self.pass_time(HOUR - 2)
        self.assertNoResult(self.ended)
        self.pass_time(4)
        self.successResultOf(self.ended)
        self.assertIn("online key has run out", self.contact.ending)
        self.assertEqual(len(self.far.peers), 0)

    def test_a_peers_after_the_tolerance_where_it_does_not_end_it_itself(self) -> None:
        self.connected( mine=False)
        theirs = self.far._parts.desk.key_life  # type: ignore[union-attr]
        for timer in theirs._timers.values():
            timer.cancel()
        theirs._timers.clear()
        self.pass_time(HOUR + VALIDITY_SLACK_SECONDS - 2)
        self.assertNoResult(self.ended)
        self.pass_time(4)
        self.successResultOf(self.ended)

    def test_a_minute_at_most(self) -> None:
        """Channels have the time to end, and no more."""
        self.connected( mine=True)
        codes: list[int] = []
        close = self.contact.close
        self.patch(type(self.contact), "close", lambda contact, code, *more, **names: (
            codes.append(code), close(code, *more, **names))[1])
        self.contact.session.open_channel(ECHO, stream=True)
        self.pass_time(HOUR + EXPIRY_DRAIN_SECONDS - 2)
        self.assertEqual(codes, [])
        self.pass_time(4)
        self.assertEqual(codes[:1], [CloseCode.IDENTITY_EXPIRED])

    def test_as_soon_as_the_last_channel_is_closed(self) -> None:
        self.connected( mine=True)
        channel = self.contact.session.open_channel(ECHO, stream=True)
        self.pass_time(HOUR + 10)
        self.assertNoResult(self.ended)
        channel.reset()
        self.pass_time(3)
        self.successResultOf(self.ended)

    def test_re_keys_are_signed_by_online_keys(self) -> None:
        self.connected(mine=True)
        self.pass_time(80)
        for asker in (self.near, self.far):
            contact = next(iter(asker._parts.desk.table))
            contact.session.rekey.request(self.clock.seconds())
            contact.protocol.wake()
            self.pass_time(80)
        self.assertEqual(self.contact.session.key_epoch, 2)

    def test_a_session_that_ends_before_leaves_no_timer(self) -> None:
        self.connected( mine=True)
        life = self.near._parts.desk.key_life  # type: ignore[union-attr]
        self.assertEqual(len(life._timers), 1)
        self.done(self.near.disconnect(self.far.uuid), 5)
        self.assertEqual(life._timers, {})
