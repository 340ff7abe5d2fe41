"""Tokens of docs/spec/overload.md section 1: what is known again, for how long, how often, and within what bounds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.tokens import Holder, TokenMint, TokenPurse, Tokens
from quantumgate.wire.limits import DEFAULT_LIMITS, TOKEN_BYTES, TOKENS_KEPT, TOKENS_USED_MAX
from tests.core.handshake.duel import START, SeededRandom, identity

WEEK_SECONDS = DEFAULT_LIMITS.token_seconds
ALICE, BOB = identity("alice").public.uuid, identity("bob").public.uuid


def mint(seed: object = "mint", now: float = START, **bounds: int) -> TokenMint:
    """A listener's."""
    return TokenMint(SeededRandom(seed), now, life_seconds=WEEK_SECONDS, **bounds)


class MintCase(SynchronousTestCase):
    def held(self, made: TokenMint, token: bytes, now: float) -> Holder:
        """Whose it is; fails where it is nobody's."""
        holder = made.holder(token, now)
        assert holder is not None
        return holder


class MintTests(MintCase):
    def test_a_token_tells_its_maker_for_whom_it_was(self) -> None:
        made = mint()
        for uuid in (ALICE, BOB):
            token = made.issue(uuid, START)
            self.assertEqual(len(token), TOKEN_BYTES)
            self.assertEqual(self.held(made, token, START).uuid, uuid)

    def test_it_has_no_trait_that_others_could_see(self) -> None:
        made = mint()
        tokens = [made.issue(ALICE, START) for _ in range(200)]
        self.assertEqual(len({token[:12] for token in tokens}), 200)
        for column in zip(*tokens, strict=True):
            self.assertGreater(len(set(column)), 80)

    def test_random_bytes_and_damaged_tokens_are_nobodys(self) -> None:
        made = mint()
        token = made.issue(ALICE, START)
        self.assertIsNone(made.holder(SeededRandom("forger").bytes(TOKEN_BYTES), START))
        for at in range(TOKEN_BYTES):
            self.assertIsNone(made.holder(token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :], START), at)

    def test_another_listener_knows_nothing_of_it(self) -> None:
        self.assertIsNone(mint("another").holder(mint().issue(ALICE, START), START))

    def test_asking_uses_nothing_and_once_is_all(self) -> None:
        made = mint()
        token, other = made.issue(ALICE, START), made.issue(ALICE, START)
        self.held(made, token, START)
        made.spend(self.held(made, token, START))
        self.assertIsNone(made.holder(token, START))
        self.held(made, other, START)

    def test_seven_days_to_the_second(self) -> None:
        for issued in (START, START + 1000.0, START + WEEK_SECONDS - 1):
            made = mint()
            token = made.issue(ALICE, issued)
            self.held(made, token, issued + WEEK_SECONDS)
            self.assertIsNone(made.holder(token, issued + WEEK_SECONDS + 1))

    def test_a_used_one_is_remembered_as_long_as_it_would_live(self) -> None:
        made = mint()
        token = made.issue(ALICE, START + WEEK_SECONDS - 1)
        made.spend(self.held(made, token, START + WEEK_SECONDS - 1))
        made.issue(BOB, START + WEEK_SECONDS)
        self.assertIsNone(made.holder(token, START + 2 * WEEK_SECONDS - 2))


class KeyTests(MintCase):
    """A key makes tokens for a week and opens them for another; then it is gone, with what was used."""

    def test_two_keys_at_most(self) -> None:
        made = mint()
        for week in range(4):
            made.issue(ALICE, START + week * WEEK_SECONDS)
            self.assertLessEqual(len(made._batches), 2)

    def test_the_key_changes_also_where_nothing_is_made(self) -> None:
        made = mint()
        first = made._batches[0]
        made.holder(bytes(TOKEN_BYTES), START + WEEK_SECONDS)
        made.holder(bytes(TOKEN_BYTES), START + 2 * WEEK_SECONDS)
        self.assertNotIn(first, made._batches)

    def test_a_key_with_too_many_used_tokens_goes_and_its_tokens_are_nothing(self) -> None:
        made = mint(used_max=3)
        tokens = [made.issue(ALICE, START) for _ in range(4)]
        for token in tokens[:3]:
            made.spend(self.held(made, token, START))
        self.assertEqual([made.holder(token, START) for token in tokens], [None] * 4)
        self.held(made, made.issue(ALICE, START), START)

    def test_two_that_were_looked_up_before_either_was_used(self) -> None:
        made = mint(used_max=1)
        first, second = (self.held(made, made.issue(ALICE, START), START) for _ in range(2))
        made.spend(first)
        made.spend(second)
        self.held(made, made.issue(ALICE, START), START)

    def test_the_bound(self) -> None:
        self.assertEqual(mint()._used_max, TOKENS_USED_MAX)


class PurseTests(SynchronousTestCase):
    def test_the_newest_of_each_peer_once(self) -> None:
        purse = TokenPurse(life_seconds=WEEK_SECONDS)
        purse.put(ALICE, b"old", START)
        purse.put(ALICE, b"new", START)
        purse.put(BOB, b"bob's", START)
        self.assertEqual([purse.take(uuid, START) for uuid in (ALICE, ALICE, BOB)], [b"new", b"", b"bob's"])

    def test_an_old_one_is_not_worth_sending(self) -> None:
        purse = TokenPurse(life_seconds=WEEK_SECONDS)
        for age_seconds, expected in ((WEEK_SECONDS, b"token"), (WEEK_SECONDS + 1, b"")):
            purse.put(ALICE, b"token", START)
            self.assertEqual(purse.take(ALICE, START + age_seconds), expected)

    def test_no_more_peers_than_a_number(self) -> None:
        purse = Tokens(SeededRandom(0), START, WEEK_SECONDS).purse
        for number in range(TOKENS_KEPT + 3):
            purse.put(number, b"token", START)  # type: ignore[arg-type]
        self.assertEqual(len(purse), TOKENS_KEPT)
        self.assertEqual([purse.take(number, START) for number in (2, 3)], [b"", b"token"])  # type: ignore[arg-type]
