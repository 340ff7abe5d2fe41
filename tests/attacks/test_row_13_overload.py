"""Row 13 of docs/attacks.md, its part about overload: tokens that are stolen, made up or kept too long.

A token is a hint for whom to serve first. None of these dials fails for its token; it only counts for nothing.
"""

from __future__ import annotations

from quantumgate.core.requests import PeerCheck
from quantumgate.core.tokens import TokenMint
from quantumgate.wire.limits import DEFAULT_LIMITS, TOKEN_BYTES
from tests.attacks.mallory import open_init
from tests.attacks.test_rows_01_13_first_flight import SilenceTestCase
from tests.core.handshake.duel import START, Duel, SeededRandom, identity, settings

WEEK_SECONDS = DEFAULT_LIMITS.token_seconds


class Row13TokenTests(SilenceTestCase):
    """What each kind of false token is taken for."""

    def setUp(self) -> None:
        self.mint = TokenMint(SeededRandom("bob's"), START, life_seconds=WEEK_SECONDS)

    def dial(self, token: bytes, who: str = "alice", now: float = START, seed: object = 0) -> Duel:
        """A whole handshake with bob, with this token in its INIT."""
        return Duel(settings(who), now=now, seed=seed, token=token, r_options={"mint": self.mint}).run()

    def known(self, duel: Duel) -> bool:
        """Whether bob took the dialler for somebody he had met; the session stands in any case."""
        self.assertIsNotNone(duel.established)
        (check,) = (request for who, request in duel.asked if who == "r")
        assert isinstance(check, PeerCheck)
        return check.known

    def test_an_honest_one_counts_once(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        first = self.dial(token)
        sent = open_init(first.r_settings.candidates[0], first.wire[0][1]).init.token
        self.assertEqual((sent, self.known(first)), (token, True))
        self.assertFalse(self.known(self.dial(token, seed=1)))

    def test_read_on_the_way_and_sent_by_another(self) -> None:
        """Who knows bob's UUID can read first flights to him: the token of alice makes nobody else alice."""
        token = self.mint.issue(identity("alice").public.uuid, START)
        self.assertFalse(self.known(self.dial(token, "mallory")))
        self.assertFalse(self.known(self.dial(token, seed=1)))

    def test_made_up(self) -> None:
        forger = TokenMint(SeededRandom("forger"), START, life_seconds=WEEK_SECONDS)
        for token in (forger.issue(identity("alice").public.uuid, START), bytes(TOKEN_BYTES), b"\xff" * TOKEN_BYTES):
            self.assertFalse(self.known(self.dial(token)))

    def test_a_second_too_old(self) -> None:
        for age_seconds, fresh in ((WEEK_SECONDS, True), (WEEK_SECONDS + 1, False)):
            self.setUp()
            token = self.mint.issue(identity("alice").public.uuid, START)
            self.assertEqual(self.known(self.dial(token, now=START + age_seconds)), fresh)

    def test_a_nameless_dialler_sends_none_and_is_nobody(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        open_house = settings("bob", require_authentication=False)
        duel = Duel(r=open_house, anonymous=True, token=token, r_options={"mint": self.mint}).run()
        sent = open_init(open_house.candidates[0], duel.wire[0][1]).init.token
        self.assertNotEqual(sent, token)
        self.assertEqual((len(sent), self.known(duel)), (TOKEN_BYTES, False))

    def test_a_flight_that_is_not_answered_uses_no_token(self) -> None:
        """Else anybody could use up alice's by sending on what he saw: with a share that is none, for example."""
        token = self.mint.issue(identity("alice").public.uuid, START)
        duel = Duel(token=token, r_options={"mint": self.mint})
        duel.replay._answers, duel.replay._at = 0.0, START
        duel.responder.receive(duel.flight("i"), START)
        self.assert_drains(duel.responder)
        self.assertTrue(self.known(self.dial(token, seed=1)))

    def test_the_second_flight_after_a_retry_carries_none_and_is_known_all_the_same(self) -> None:
        token = self.mint.issue(identity("alice").public.uuid, START)
        bob = settings("bob", primaries=(2,))
        duel = Duel(r=bob, token=token, r_options={"mint": self.mint}).run()
        inits = [data for who, data in duel.wire if who == "i"][:2]
        first, second = (open_init(bob.candidates[0], data).init.token for data in inits)
        self.assertEqual((first, second == token, self.known(duel)), (token, False, True))
