"""Path bias: whom the deaths of circuits are charged to. Half of it is who is *not* charged."""

from __future__ import annotations

from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.bias import PASSAGES_KEPT, SETTLED_SECONDS, PathBias, suspects
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.core.handshake.duel import SeededRandom


def peer(number: int) -> PeerUUID:
    return PeerUUID(UUID(int=number))


G1, G2, M, N, Q, P = (peer(number) for number in range(1, 7))
ENDS = [peer(number) for number in range(100, 200)]
END = ENDS[0]


class SuspectsTests(SynchronousTestCase):
    """Of a path of three, to END."""

    def test_who_could_have_done_it(self) -> None:
        path = (G1, M, N)
        for reached, lost, accused, others in (
            (0, None, (), ()),
            (1, 0, (), ()),
            (3, 0, (), ()),
            (1, None, (G1,), (M,)),
            (2, None, (M,), (N,)),
            (3, None, (N,), (END,)),
            (2, 1, (G1, M), ()),
            (3, 2, (M, N), ()),
        ):
            self.assertEqual(suspects(path, END, reached, lost), (accused, others), (reached, lost))

    def test_a_relay_that_owes_an_answer_has_no_excuse_but_the_network(self) -> None:
        self.assertEqual(suspects((G1, M), END, 1, None, silent=True), ((G1,), ()))


class BiasCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.bias, self.now = PathBias(DEFAULT_LIMITS), 0.0

    def lives(self, *path: PeerUUID, end: PeerUUID = END) -> None:
        self.now += 60
        self.bias.ended(self.bias.begin((*path, end)), self.now)

    def dies(self, *path: PeerUUID, lost: int | None = None, reached: int | None = None, end: PeerUUID = END,
             after: float = 60.0) -> None:
        self.now += after
        passage = self.bias.begin(path[: len(path) if reached is None else reached])
        accused, others = suspects(path, end, len(path) if reached is None else reached, lost)
        self.bias.died(passage, self.now, accused, others)

    def over(self, later: float = SETTLED_SECONDS) -> list[PeerUUID]:
        return self.bias.excessive(self.now + later)


class DroppedTests(BiasCase):
    def test_the_fourth_death_in_an_hour(self) -> None:
        for number in range(4):
            self.assertEqual(self.over(), [], number)
            self.dies((G1, G2)[number % 2], M, (N, Q)[number % 2], lost=1)
            self.lives((G1, G2)[number % 2], N, Q)
        self.assertEqual(self.over(), [M])
        self.assertEqual(self.bias.charges(self.now + SETTLED_SECONDS), {M: 4.0})

    def test_not_before_it_has_settled(self) -> None:
        for number in range(4):
            self.dies((G1, G2)[number % 2], M, N, lost=1)
            self.lives((G1, G2)[number % 2], N, Q)
        self.assertEqual(self.over(SETTLED_SECONDS - 61), [])
        self.assertEqual(self.over(SETTLED_SECONDS - 59), [M])

    def test_four_in_more_than_an_hour_are_none(self) -> None:
        for number in range(12):
            self.dies((G1, G2)[number % 2], M, N, lost=1, after=1300)
            self.lives((G1, G2)[number % 2], N, Q)
        self.assertEqual(self.over(), [])

    def test_a_first_hop_that_cuts_behind_itself(self) -> None:
        for middle in (M, N, Q, P):
            self.dies(G1, middle, peer(9), lost=1)
            self.lives(G2, middle, peer(9))
        self.assertEqual(self.over(), [G1])

    def test_a_last_hop_that_reaches_only_its_friends(self) -> None:
        for number in range(4):
            self.dies((G1, G2)[number % 2], N, M, end=ENDS[number % 2])
            self.lives((G1, G2)[number % 2], N, Q, end=ENDS[number % 2])
        self.assertEqual(self.over(), [M])

    def test_a_relay_that_reaches_only_its_friends_while_circuits_are_built(self) -> None:
        for following in (N, Q, P, N):
            self.dies(G1, M, following, reached=2)
            self.lives(G2, following, peer(9))
        self.assertEqual(self.over(), [M])

    def test_half_of_them_is_enough(self) -> None:
        for number in range(4):
            self.dies((G1, G2)[number % 2], M, (N, Q, P)[number % 3], lost=1)
            self.lives((G1, G2)[number % 2], M, (N, Q, P)[number % 3])
            for _ in range(2):
                self.lives((G1, G2)[number % 2], (N, Q)[number % 2], P)
        self.assertEqual(self.over(), [M])

    def test_once_judged_the_same_deaths_do_not_count_again(self) -> None:
        self.test_the_fourth_death_in_an_hour()
        self.bias.forget(M)
        self.assertEqual(self.over(), [])


class InnocentTests(BiasCase):
    def test_a_target_that_is_down(self) -> None:
        """Twenty circuits to it fail behind whichever relay is last; others live."""
        for number in range(20):
            self.dies((G1, G2)[number % 2], M, (N, Q, P)[number % 3], end=ENDS[1])
            self.lives((G1, G2)[number % 2], (N, Q, P)[number % 3], M, end=ENDS[2])
        self.assertEqual(self.over(), [])

    def test_a_target_that_is_down_and_nothing_else_to_compare(self) -> None:
        for number in range(20):
            self.dies(G1, M, N, end=ENDS[number % 2])
        self.assertEqual(self.over(), [])

    def test_a_relay_that_nobody_reaches_takes_nobody_with_it(self) -> None:
        """Nor is it dropped: being off is not bias."""
        for number in range(20):
            self.dies((G1, G2)[number % 2], (N, Q)[number % 2], M, reached=2)
            self.lives((G1, G2)[number % 2], (N, Q)[number % 2], P)
        self.assertEqual(self.over(), [])

    def test_our_own_network(self) -> None:
        """All circuits die within two minutes, and no first hop is reached for half an hour."""
        for number in range(12):
            self.lives((G1, G2)[number % 2], (M, N)[number % 2], (Q, P)[number % 2])
        for number in range(12):
            self.dies((G1, G2)[number % 2], (M, N)[number % 2], (Q, P)[number % 2], end=ENDS[number], after=11)
            self.dies((G1, G2)[number % 2], (M, N)[number % 2], lost=1, after=11)
        for number in range(60):
            self.dies((G1, G2)[number % 2], M, N, reached=0, after=30)
        self.assertEqual(self.over(), [])

    def test_everything_at_once_through_one_relay_is_one_death(self) -> None:
        """It was started anew."""
        for number in range(10):
            self.dies((G1, G2)[number % 2], M, N, lost=1, after=0.1)
        for _ in range(10):
            self.lives(G1, N, Q)
        self.assertEqual(self.over(0), [])
        self.assertEqual(self.bias.charges(self.now + SETTLED_SECONDS), {M: 1.0})

    def test_what_befalls_all_alike_is_nobodys_doing(self) -> None:
        """One in ten dies anywhere, four hundred an hour: nobody stands out."""
        luck = SeededRandom("weather")
        relays = [G1, G2, M, N, Q, P]
        for _ in range(400):
            path = [relays[luck.below(2)], relays[2 + luck.below(2)], relays[4 + luck.below(2)]]
            if luck.below(10) == 0:
                self.dies(*path, lost=1 + luck.below(2), after=9)
            else:
                self.now += 9
                self.bias.ended(self.bias.begin((*path, END)), self.now)
        self.assertEqual(self.over(), [])

    def test_two_that_are_as_likely_share_it(self) -> None:
        for _ in range(6):
            self.dies(G1, M, N, lost=1)
        for _ in range(12):
            self.lives(G2, Q, P)
        self.assertEqual(self.bias.charges(self.now + SETTLED_SECONDS), {G1: 3.0, M: 3.0})
        self.assertEqual(self.over(), [])

    def test_the_first_hop_is_not_charged_with_its_socket(self) -> None:
        """Whoever is on the wire can cut it, and could so choose our first hops for us."""
        for _ in range(20):
            self.dies(G1, M, N, lost=0)
            self.lives(G2, M, N)
        self.assertEqual(self.over(), [])


class MemoryTests(BiasCase):
    def test_an_hour_is_all_that_is_kept_and_so_many(self) -> None:
        for _ in range(PASSAGES_KEPT + 100):
            self.bias.ended(self.bias.begin((G1,)), self.now)
        self.assertEqual(len(self.bias._ended), PASSAGES_KEPT)
        self.bias.charges(self.now + DEFAULT_LIMITS.relay_deaths_seconds + 1)
        self.assertEqual((len(self.bias._ended), len(self.bias._standing)), (0, 0))

    def test_it_ends_once(self) -> None:
        passage = self.bias.begin((G1,))
        self.bias.ended(passage, 1.0)
        self.bias.died(passage, 2.0, (G1,), ())
        self.assertEqual((passage.died, len(self.bias._ended)), (False, 1))
