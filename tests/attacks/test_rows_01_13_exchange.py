"""Rows 5 to 8 of docs/attacks.md: messages changed on the way, offers edited, keys that are not what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import schedule
from quantumgate.core.handshake import Failed, Initiator, Responder
from quantumgate.core.handshake.party import GENERIC
from quantumgate.core.state import ResponderState
from quantumgate.crypto import kem
from quantumgate.wire.messages import Exchange, Header, KeyShare, Lists, Select, Tlv
from quantumgate.wire.writer import tlv
from tests.attacks.mallory import Dialler, Listener, open_init, seal_init
from tests.core.handshake.duel import START, Duel, identity, settings

BOB = settings("bob")
X25519_LOW_ORDER = tuple(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""RFC 7748 section 6.1: shares that force the result to zero, in their canonical and other spellings."""


class ReactionTestCase(SynchronousTestCase):
    """What each side may do about it: R drains, I fails with one generic error."""

    def assert_responder_drains(self, party: Responder, what: object = None) -> None:
        """Nothing said, nobody asked."""
        outcome = party.outcome
        self.assertTrue(isinstance(outcome, Failed) and outcome.silent, what)
        self.assertEqual((party.state, party.output(), party.requests), (ResponderState.DRAINING, b"", []), what)

    def assert_initiator_fails(self, party: Initiator, what: object = None) -> None:
        """One error for everything, before anything about us was said."""
        outcome = party.outcome
        self.assertIsInstance(outcome, Failed, what)
        self.assertEqual((outcome.reason, outcome.message, outcome.advice), ("authentication", GENERIC, ""))  # type: ignore[union-attr]
        self.assertEqual((party.output(), party.requests), (b"", []), what)

    def victim(self, target: str = "bob", **options: Any) -> tuple[Duel, Listener]:
        """Alice dials bob and reaches Mallory, who knows bob's UUID."""
        duel = Duel(r=settings(target), **options)
        trap = Listener(settings(target))
        trap.read(duel.flight("i"))
        return duel, trap

    def to_initiator(self, answer: bytes, duel: Duel, what: object = None) -> None:
        """Alice gets this answer and must fail."""
        duel.initiator.receive(answer, START)
        self.assert_initiator_fails(duel.initiator, what)

    def to_responder(self, first_flight: bytes, what: object = None) -> Responder:
        """Bob gets this first flight and must drain."""
        party = Duel().responder
        party.receive(first_flight, START)
        self.assert_responder_drains(party, what)
        return party


class Row5Tests(ReactionTestCase):
    """Bits flipped, bytes put in, taken out, swapped across messages."""

    def flights(self) -> tuple[bytes, bytes, bytes]:
        """An honest handshake's three messages; the same every time up to the keys of both sides."""
        duel = Duel().run()
        first, second, third = (data for _sender, data in duel.wire)
        return first, second, third

    def bits(self, length: int, step: int) -> list[tuple[int, int]]:
        """(byte, bit): all of the first 64 bytes, then one bit of every ``step``-th byte and of the last 16."""
        bits = [(at, bit) for at in range(64) for bit in range(8)]
        return bits + [(at, at // step % 8) for at in (*range(64, length, step), *range(length - 16, length))]

    def test_first_message(self) -> None:
        first = self.flights()[0]
        for at, bit in self.bits(len(first), 1):
            self.to_responder(flipped(first, at, bit), (at, bit))

    def test_second_message(self) -> None:
        for at, bit in self.bits(len(self.flights()[1]), 31):
            duel = Duel()
            duel.responder.receive(duel.flight("i"), START)
            self.to_initiator(flipped(duel.flight("r"), at, bit), duel, (at, bit))

    def test_third_message(self) -> None:
        for at, bit in self.bits(len(self.flights()[2]), 61):
            duel = self.until_fin()
            duel.responder.receive(flipped(duel.flight("i"), at, bit), START)
            self.assert_responder_drains(duel.responder, (at, bit))

    def until_fin(self) -> Duel:
        """Alice is about to send the third message."""
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        duel.answer_all()
        return duel

    def test_inserted_deleted_and_swapped(self) -> None:
        first, second, third = self.flights()
        for data in (first[:40] + b"\0" + first[40:], first[:40] + first[41:] + b"\0", second, third, third + first):
            self.to_responder(data.ljust(len(first) + 16, b"\0"))
        for count in (0, 70, 5000):
            for change in (inserted, deleted):
                duel = Duel()
                duel.responder.receive(duel.flight("i"), START)
                self.to_initiator(change(duel.flight("r"), count), duel)
                duel = self.until_fin()
                duel.responder.receive(change(duel.flight("i"), count).ljust(15_000, b"\0"), START)
                self.assert_responder_drains(duel.responder)
        for answer in (first.ljust(20_000, b"\0"), third, second):
            duel = Duel()
            duel.flight("i")
            self.to_initiator(answer, duel)
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.flight("r")
        duel.responder.receive(second, START)
        self.assert_responder_drains(duel.responder)

    def test_cut_short(self) -> None:
        """Nothing is decided on half a message; the end of the connection is not a session."""
        duel = self.until_fin()
        data = duel.flight("i")
        for at in range(0, len(data), 997):
            duel.responder.receive(data[at : at + 997][:-1], START)
        self.assertNotEqual(duel.responder.state, ResponderState.ESTABLISHED)
        duel = self.until_fin()
        duel.responder.receive(duel.flight("i")[:-1], START)
        duel.responder.eof(START)
        outcome = duel.responder.outcome
        self.assertEqual(isinstance(outcome, Failed) and (outcome.reason, outcome.silent), ("lost", False))


class Row6Tests(ReactionTestCase):
    """Downgrade by somebody who knows the UUID, and choices that were not offered."""

    def in_the_middle(self, lists: Lists) -> Duel:
        """Alice's INIT reaches bob with other lists, re-sealed under the same salt; every length stays the same."""
        duel = Duel(r=settings("bob"))
        candidate = duel.r_settings.candidates[0]
        opened = open_init(candidate, duel.flight("i"))
        bare = replace(opened.init, lists=lists)
        body = bare.encode(len(opened.body) - len(bare.encode(0)))
        self.assertEqual(len(body), len(opened.body))
        duel.responder.receive(seal_init(candidate, opened.salt, opened.header, body), START)
        return duel

    def test_offer_edited_on_the_way(self) -> None:
        for lists in (
            Lists((1,), (1,), (1, 2)),
            Lists((1, 2, 3), (1, 2), (2,)),
            Lists((1, 2, 3), (1,), (1, 2)),
            Lists((1, 3, 2), (1, 2), (1, 2)),
            Lists((1, 2, 3), (1, 2), (2, 1)),
        ):
            duel = self.in_the_middle(lists)
            answer = duel.flight("r")
            self.assertGreater(len(answer), 12_000)  # bob cannot know
            self.to_initiator(answer, duel, lists)

    def test_edited_so_that_bob_asks_for_another_group(self) -> None:
        """The RETRY is believed, for nothing can be checked yet; what follows is not."""
        duel = self.in_the_middle(Lists((2, 1, 3), (1, 2), (1, 2)))
        duel.initiator.receive(duel.flight("r"), START)
        second = open_init(duel.r_settings.candidates[0], duel.flight("i"))
        self.assertEqual(second.init.primary.group, 2)
        bare = replace(second.init, lists=Lists((2, 1, 3), (1, 2), (1, 2)))
        body = bare.encode(len(second.body) - len(bare.encode(0)))
        candidate = duel.r_settings.candidates[0]
        duel.responder.receive(seal_init(candidate, second.salt, second.header, body), START)
        answer = duel.flight("r")
        self.assertGreater(len(answer), 12_000)
        self.to_initiator(answer, duel)

    def test_choice_edited_on_the_way(self) -> None:
        """SELECT in message 2 names another AEAD that was offered too; all boxes are sealed again as they were."""
        duel = Duel(r=settings("bob"))
        candidate = duel.r_settings.candidates[0]
        first = duel.flight("i")
        duel.responder.receive(first, START)
        answer = duel.flight("r")
        salt, box = answer[:32], answer[32:64]
        key = schedule.answer_key(candidate.obf, first[:32], salt)
        header = key.open(0, box, salt)
        stop = 64 + Header.parse(header).body_bytes + 16
        body = key.open(1, answer[64:stop], box)
        for aead, fine in ((1, True), (2, False)):
            exchange = Exchange.parse(body)
            edited = replace(exchange, select=replace(exchange.select, aead=aead)).encode()
            self.assertEqual((len(edited), edited == body), (len(body), fine))
            changed = salt + box + key.seal(1, edited, box) + answer[stop:]
            self.assertEqual(changed == answer, fine)
        self.to_initiator(changed, duel)

    def test_nothing_above_bobs_floor_is_refused_with_words(self) -> None:
        bob = settings("bob", minimum_secondaries=frozenset({2}))
        duel = Duel(settings("alice", secondaries=(1,)), bob).run()
        failed = duel.failures[0]
        self.assertEqual(failed and (failed.reason, failed.message), ("refused", "refused: no common suite"))
        self.assertIn("its clock is 0 s", failed.advice if failed else "")
        self.assertEqual(duel.failures[1] and duel.failures[1].silent, True)

    def test_choices_below_the_diallers_floor_or_not_offered(self) -> None:
        alice = settings("alice", aeads=(1, 2), minimum_aeads=frozenset({1}))
        for select in (Select(1, 1, 2), Select(1, 1, 3), Select(1, 1, 1, version=2), Select(1, 1, 0)):
            duel, trap = self.victim(i=alice)
            self.to_initiator(trap.resp(identity("bob"), select=select), duel, select)

    def test_groups_other_than_those_of_the_shares(self) -> None:
        for groups in ((2, 1), (1, 2), (7, 1)):
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), groups=groups), duel, groups)
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), groups=groups, select=Select(1, 1, 1)), duel, groups)

    def test_a_share_for_a_group_that_is_not_offered(self) -> None:
        dialler = Dialler(BOB)
        for change in (
            {"primary": KeyShare(2, bytes(56)), "lists": Lists((1, 3), (1, 2), (1, 2))},
            {"secondary": KeyShare(2, bytes(1568)), "lists": Lists((1, 2, 3), (1,), (1,))},
        ):
            self.to_responder(dialler.init(**change))

    def test_versions(self) -> None:
        for changes in ({"versions": (2, 3)}, {"header": {"version": 2}}):
            duel = Duel()
            dialler = Dialler(BOB)
            duel.responder.receive(dialler.init(**changes), START)
            trap = Listener(BOB)
            trap.opened = replace(open_init(BOB.candidates[0], Dialler(BOB).init()), salt=dialler.salt)
            answer = duel.flight("r")
            self.assertTrue(12_288 <= len(answer) <= 14_335)
            self.assertEqual(duel.failures[1] and duel.failures[1].message, "refused: version")


class Row7Tests(ReactionTestCase):
    """Shares and keys that must not be used."""

    def test_low_order_and_non_canonical_shares_at_the_listener(self) -> None:
        for share in X25519_LOW_ORDER:
            self.to_responder(Dialler(BOB).init(primary=KeyShare(1, share)), share.hex())

    def test_low_order_and_non_canonical_shares_at_the_dialler(self) -> None:
        for share in X25519_LOW_ORDER:
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), share=share), duel, share.hex())

    def test_x448_and_p521(self) -> None:
        bob = settings("bob", primaries=(1, 2, 3))
        p448 = (1 << 448) - (1 << 224) - 1
        low = [(2, value.to_bytes(56, "little")) for value in (0, 1, p448 - 1, p448, p448 + 1)]
        off_the_curve = [(3, b"\4" + bytes(132)), (3, b"\4" + b"\xff" * 132), (3, b"\0" * 133), (3, b"\2" + bytes(132))]
        for group, share in low + off_the_curve:
            lists = Lists((group,), (1,), (1,))
            party = Duel(r=bob).responder
            party.receive(Dialler(bob).init(lists=lists, primary=KeyShare(group, share)), START)
            self.assert_responder_drains(party, (group, share.hex()))

    def test_mlkem_key_that_fails_the_modulus_check(self) -> None:
        self.to_responder(Dialler(BOB).init(secondary=KeyShare(1, b"\xff" * 1184)))

    def test_all_zero_mlkem_key_is_legal_and_harmless(self) -> None:
        duel = Duel()
        duel.responder.receive(Dialler(BOB).init(secondary=KeyShare(1, bytes(1184))), START)
        self.assertGreater(len(duel.flight("r")), 12_000)

    def test_wrong_lengths_by_one(self) -> None:
        dialler = Dialler(BOB)
        for change in (-1, 1):
            for kind, right in (("primary", 32), ("secondary", 1184)):
                self.to_responder(dialler.init(**{kind: KeyShare(1, b"\x09" * (right + change))}))
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), share=b"\x09" * (32 + change)), duel)
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), ciphertext=bytes(1088 + change)), duel)

    def test_reserved_tlvs(self) -> None:
        plain = Dialler(BOB).offer.encode(0)
        parts = [(plain[at], plain[at:stop]) for at, stop in spans(plain)]
        for kind in (Tlv.COOKIE, Tlv.POW, Tlv.DELEGATION, 0x04, 0x05, 0x7F):
            body = b"".join(part for _kind, part in sorted([*parts, (kind, tlv(kind, bytes(48)))]))
            self.to_responder(Dialler(BOB).init(body=body), kind)


class Row8Tests(ReactionTestCase):
    """Ciphertexts replaced: implicit rejection gives other keys, and that is all."""

    def test_replaced_or_encapsulated_to_another_key(self) -> None:
        other = kem.kem(1).generate()
        details = set()
        for ciphertext in (bytes(1088), b"\xff" * 1088, kem.kem(1).encapsulate(other.public)[0]):
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), ciphertext=ciphertext), duel)
            details.add(duel.failures[0] and duel.failures[0].detail)
        self.assertEqual(len(details), 1)

    def test_encapsulated_again_by_somebody_in_the_middle(self) -> None:
        """Mallory gives bob her own KEM key and could read the secret: alice never takes part."""
        duel = Duel()
        candidate = duel.r_settings.candidates[0]
        opened = open_init(candidate, duel.flight("i"))
        hers = kem.kem(1).generate()
        init = replace(opened.init, secondary=KeyShare(1, hers.public))
        body = init.encode(len(opened.body) - len(init.encode(0)))
        duel.responder.receive(seal_init(candidate, opened.salt, opened.header, body), START)
        self.to_initiator(duel.flight("r"), duel)


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """One bit changed."""
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def inserted(data: bytes, at: int) -> bytes:
    """One byte put in."""
    return data[:at] + b"\0" + data[at:]


def deleted(data: bytes, at: int) -> bytes:
    """One byte taken out, so that the length stays."""
    return data[:at] + data[at + 1 :] + b"\0"


def spans(body: bytes) -> list[tuple[int, int]]:
    """Where each TLV of a body begins and ends."""
    found, at = [], 0
    while at < len(body):
        stop = at + 4 + int.from_bytes(body[at + 1 : at + 4], "big")
        found.append((at, stop))
        at = stop
    return found


