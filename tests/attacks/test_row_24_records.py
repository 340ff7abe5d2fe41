"""Row 24: records that lie, lists of them without end, questions that would show a whole book; against real nodes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from quantumgate.core.peer_records import network_of
from quantumgate.crypto import labels
from quantumgate.node.node import Node
from quantumgate.testing.nodes import seeded_identity
from quantumgate.wire import exchange_frames as wire
from quantumgate.wire import frames
from quantumgate.wire.limits import BOOK_QUARTER, PEER_RECORD_ENDPOINTS, PEX_RECORDS, VALIDITY_SLACK_SECONDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PUBLIC, PeerRecord, SignedPeerRecord
from tests.node.test_exchanging import ExchangeCase, made_record

LIAR = "liar"
HOST = "99.9.9.9"


def signed_all_the_same(wish: PeerRecord) -> bytes:
    """A record of the liar that no honest node would sign, signed."""
    body = wish.encode()
    seal = seeded_identity(LIAR).sign(labels.SIGN_PEER_RECORD, hashlib.sha512(body).digest())
    return SignedPeerRecord(wish, body, seal).encode()


def wish_at(at_s: float, **changes: object) -> PeerRecord:
    bundle = seeded_identity(LIAR).public.bundle
    wish = PeerRecord(network_of(b"QuantumGate"), bundle, int(at_s * 1000), int(at_s) + 3600, capabilities=PUBLIC,
                      endpoints=(LinkEndpoint(HOST, 9999),))
    return replace(wish, **changes)  # type: ignore[arg-type]


class LyingCase(ExchangeCase):
    def setUp(self) -> None:
        super().setUp()
        self.left, self.right = self.pair()
        self.now = self.wall(self.left)

    def answered(self, *records: bytes) -> None:
        """The right one asks, and this is the answer."""
        self.answering(self.left, *records)
        self.pass_time(40)

    def paid(self, name: str = "") -> float:
        """The score of who told it, or of this one."""
        who = seeded_identity(name).public.uuid if name else self.left.uuid
        return self.scores(self.right).get(str(who), 0.0)

    def cut_off(self) -> None:
        """The session is over, and it cost what a violation costs; nothing was taken."""
        self.assertEqual([peer.uuid for peer in self.right.peers], [])
        self.assertLess(self.paid(), -150)
        self.assertEqual(len(self.book(self.right)), 1)


class Row24RecordTests(LyingCase):
    """What is told is refused whole, and somebody pays: who told it, or who signed it."""

    def refused(self, record: bytes) -> None:
        """Clocks differ: it costs, but the session stands."""
        self.answered(record)
        self.assertEqual(self.outcomes(self.right)["bad"], 1)
        self.assertEqual(len(self.book(self.right)), 1)
        self.assertTrue(-25 < self.paid() < -15, self.paid())
        self.assertTrue(self.contact(self.right).stands)

    def test_from_the_future(self) -> None:
        self.refused(made_record(LIAR, self.now + VALIDITY_SLACK_SECONDS + 60))

    def test_over(self) -> None:
        self.refused(made_record(LIAR, self.now - 3600 - VALIDITY_SLACK_SECONDS - 60))

    def test_of_another_network(self) -> None:
        self.refused(made_record(LIAR, self.now, network=b"other"))

    def test_a_life_that_is_too_long(self) -> None:
        self.refused(signed_all_the_same(wish_at(self.now, not_after_seconds=int(self.now) + 86_402)))

    def test_nine_endpoints(self) -> None:
        nine = tuple(LinkEndpoint(f"99.9.9.{n}", 9999) for n in range(PEER_RECORD_ENDPOINTS + 1))
        self.answered(signed_all_the_same(wish_at(self.now, endpoints=nine)))
        self.cut_off()

    def test_a_wrong_signature(self) -> None:
        whole = made_record(LIAR, self.now)
        self.answered(whole[:-1] + bytes([whole[-1] ^ 1]))
        self.cut_off()

    def test_what_is_no_record_at_all(self) -> None:
        self.answered(b"nonsense")
        self.cut_off()

    def test_seventy_kibibytes(self) -> None:
        """Longer than any record, and longer than any control message: never put together."""
        long = signed_all_the_same(wish_at(self.now, extras=((0x90, bytes(70 * 1024)),)))
        self.assertGreater(len(long), 70 * 1024)
        contact = self.contact(self.left)
        for at in range(0, len(long), 8192):
            flags = (frames.FIRST if not at else 0) | (frames.LAST if at + 8192 >= len(long) else 0)
            contact.session.outgoing.control(frames.frame(wire.PEX, b"\x02"[at:1] + long[at : at + 8192], 0, flags))
        contact.protocol.wake()
        self.pass_time(1)
        self.assertEqual([peer.uuid for peer in self.right.peers], [])
        self.assertEqual((len(self.book(self.right)), self.outcomes(self.right)["bad"]), (1, 0))

    def test_somebody_elses_record_as_its_own(self) -> None:
        self.tell(self.left, made_record(LIAR, self.now), own=True)
        self.assertEqual((self.outcomes(self.right)["bad"], len(self.book(self.right))), (1, 1))
        self.assertLess(self.paid(), -15)

    def test_equivocation_costs_who_signed_not_who_told(self) -> None:
        self.answered(*(made_record(LIAR, self.now, host) for host in (HOST, "98.8.8.8")))
        self.assertLess(self.paid(LIAR), -150)
        self.assertEqual(self.paid(), 0)
        self.assertTrue(self.book(self.right).entry(seeded_identity(LIAR).public.uuid).two_faced)


class Row24ListTests(LyingCase):
    """Many of one network, what nobody asked for, and asking again and again."""

    def test_a_thousand_of_one_24_are_four(self) -> None:
        for first in range(0, 1000, PEX_RECORDS):
            told = [made_record(f"sybil {n}", self.now, f"99.9.9.{n % 250}") for n in range(first, first + PEX_RECORDS)]
            self.answering(self.left, *told)
            self.ask(self.right)
        self.assertEqual(len(self.book(self.right)), 1 + BOOK_QUARTER)
        self.assertGreater(self.outcomes(self.right)["crowded"], 900)

    def test_an_answer_that_nobody_asked_for(self) -> None:
        self.tell(self.left, made_record(LIAR, self.now))
        self.cut_off()

    def test_a_second_answer(self) -> None:
        self.answered(made_record(LIAR, self.now))
        self.tell(self.left, made_record("another", self.now))
        self.assertEqual([peer.uuid for peer in self.right.peers], [])

    def test_who_has_a_negative_score_is_not_believed(self) -> None:
        self.right.reputation.set(str(self.left.uuid), -50)
        self.answered(made_record(LIAR, self.now))
        self.assertEqual((self.outcomes(self.right)["not believed"], len(self.book(self.right))), (1, 1))

    def test_asking_to_enumerate_shows_the_same_again(self) -> None:
        stranger, heard = self.stranger(), []
        stranger._parts.desk.ears[wire.PEX] = lambda contact, told: heard.append(told)  # type: ignore[union-attr]
        for n in range(200):
            self.learn(self.right, made_record(f"public {n}", self.now, f"{20 + n // 200}.{n}.0.1"), f"4:{n:x}")
        for _ in range(30):
            self.contact(stranger).say(wire.PEX_GET, wire.encode_get(PEX_RECORDS))
            self.pass_time(11)
        self.assertEqual(len(heard), 30)
        self.assertEqual({frozenset(told.records) for told in heard}, {frozenset(heard[0].records)})
        self.assertEqual(len(heard[0].records), PEX_RECORDS)

    def test_asking_too_often_is_a_flood(self) -> None:
        for _ in range(60):
            self.contact(self.left).say(wire.PEX_GET, wire.encode_get(1))
        self.pass_time(2)
        self.assertEqual([peer.uuid for peer in self.right.peers], [])
        self.assertTrue(-60 < self.paid() < -40, self.paid())

    def stranger(self) -> Node:
        """Somebody whom no rule names, in another network."""
        node = self.finder("14.4.0.1", default_access="allow", discovery={"connections": 0})
        self.done(node.connect(self.address(self.right, "12.2.0.1"), keep=False), 1)
        return node
