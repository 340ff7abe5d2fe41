"""Beacons: who can read them, what they look like, and when they are sent."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import pairwise
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.beacon import DATAGRAM_BYTES, Seal, Timetable
from quantumgate.core.schedule import network_secret
from quantumgate.crypto.secret import Secret
from quantumgate.errors import AuthenticationError, MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.beacons import Beacon
from quantumgate.wire.limits import BEACON_ANSWERS, BEACON_PAD_BYTES, DEFAULT_LIMITS

BEACON = Beacon(PeerUUID(UUID("0b51a0f2-3c4d-8100-8888-000000000001")), 9999, 7, 1_800_000_000_000)


def seal(name: bytes = b"QuantumGate", psk: bytes = b"", seed: object = 0) -> Seal:
    return Seal(network_secret(name, Secret(psk) if psk else None), SeededRandom(seed))


class SealTests(SynchronousTestCase):
    def test_the_network_reads_it_and_nobody_else(self) -> None:
        datagram = seal().seal(BEACON)
        self.assertEqual(seal(seed=1).open(datagram), BEACON)
        for other in (seal(b"other"), seal(psk=b"s" * 64)):
            self.assertRaises(AuthenticationError, other.open, datagram)
        secret = seal(psk=b"s" * 64)
        self.assertEqual(seal(psk=b"s" * 64).open(secret.seal(BEACON)), BEACON)

    def test_every_bit_counts(self) -> None:
        datagram = seal().seal(BEACON)
        for at in range(len(datagram)):
            changed = bytearray(datagram)
            changed[at] ^= 1
            self.assertRaises(AuthenticationError, seal().open, bytes(changed))

    def test_lengths(self) -> None:
        """All of them come, and none beyond is even opened."""
        ours = seal()
        lengths = {len(ours.seal(BEACON)) for _ in range(4000)}
        self.assertEqual((min(lengths), max(lengths)), DATAGRAM_BYTES)
        self.assertEqual(len(lengths), BEACON_PAD_BYTES + 1)
        for wrong in (b"", bytes(DATAGRAM_BYTES[0] - 1), bytes(DATAGRAM_BYTES[1] + 1)):
            self.assertRaises(MalformedError, ours.open, wrong)

    def test_nothing_in_it_is_constant(self) -> None:
        ours = seal()
        said = [ours.seal(BEACON) for _ in range(300)]
        for at in range(DATAGRAM_BYTES[0]):
            self.assertGreater(len({one[at] for one in said}), 100, at)

    def test_each_network_has_its_groups(self) -> None:
        groups = {seal(name).groups() for name in (b"QuantumGate", b"other", b"third")}
        self.assertEqual(len(groups), 3)
        for four, six in groups:
            self.assertIn(ip_address(four), ip_network("239.255.0.0/16"))
            self.assertIn(ip_address(six), ip_network("ff12::/16"))
        self.assertEqual(seal().groups(), seal(seed=9).groups())


class TimetableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = Timetable(DEFAULT_LIMITS, SeededRandom(self.id()), 100.0)

    def sent(self, until: float) -> list[float]:
        moments = []
        while (at := self.table.next_at()) <= until:
            moments.append(at)
            self.table.sent(at)
        return moments

    def test_three_at_once_then_now_and_then(self) -> None:
        self.assertEqual(len(self.sent(105.0)), 3)
        moments = self.sent(3_000.0)
        gaps = [later - earlier for earlier, later in pairwise(moments)]
        self.assertTrue(all(15 <= gap < 45 for gap in gaps), gaps)
        self.assertGreater(max(gaps) - min(gaps), 15)

    def test_four_answers_within_a_second_each_and_no_more_in_five(self) -> None:
        self.sent(105.0)
        now = 106.0
        for _ in range(BEACON_ANSWERS):
            for _ in range(50):
                self.table.answer(now)
            first, *more = self.sent(now + 1)
            self.assertEqual(more, [])
            self.assertTrue(now <= first < now + 1, first)
            now = first
        self.table.answer(now + 0.1)
        self.assertGreaterEqual(self.table.next_at(), 106 + 5)
        self.assertLess(self.table.next_at(), now + 6)

    def test_a_flood_of_new_nodes_has_one_answer_in_five_seconds(self) -> None:
        self.sent(105.0)
        now, answers = 105.0, 0
        while now < 165.0:
            self.table.answer(now)
            answers += len(self.sent(now))
            now += 0.1
        self.assertLessEqual(answers, BEACON_ANSWERS + 60 / 5 + 60 / 15 + 1)

    def test_who_comes_one_after_the_other_is_answered_at_once(self) -> None:
        """Five nodes, each two seconds after the one before, where every datagram arrives."""
        tables = [Timetable(DEFAULT_LIMITS, SeededRandom((self.id(), at)), 100.0 + 2 * at) for at in range(5)]
        heard: dict[tuple[int, int], float] = {}
        while len(heard) < 20:
            speaker = min(range(5), key=lambda at: tables[at].next_at())
            now = tables[speaker].next_at()
            tables[speaker].sent(now)
            for at, table in enumerate(tables):
                if at != speaker and now >= 100.0 + 2 * at and (speaker, at) not in heard:
                    heard[speaker, at] = now
                    table.answer(now)
        self.assertLess(max(heard.values()), 108.0 + 2.5)

    def test_a_network_that_comes_later_is_greeted(self) -> None:
        self.sent(200.0)
        self.table.begin(300.0)
        self.assertEqual(len(self.sent(305.0)), 3)
