"""Rows 9 to 13 of docs/attacks.md: keys, signatures, who is who, reflection, misbinding, RETRY out of turn."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import mldsa

from quantumgate.core import schedule
from quantumgate.core.handshake import Established, Failed
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, uuid_of
from quantumgate.crypto.kdf import hmac_sha512
from quantumgate.crypto.signatures import signature_input
from quantumgate.wire.messages import (
    IN_FIN_NAMED,
    Header,
    Init,
    KeyShare,
    Lists,
    MessageType,
    Proof,
    Refuse,
    Retry,
    Select,
    Tlv,
    parse_tlvs,
)
from quantumgate.wire.writer import tlv
from tests.attacks.mallory import SALT_R, Dialler, Listener, mallory, open_init, seal_init
from tests.attacks.test_rows_01_13_exchange import ReactionTestCase
from tests.core.handshake.duel import START, Duel, SeededRandom, identity, settings, window

BOB = settings("bob")
SALT_2 = b"another" * 4 + b"salt"
P25519 = 2**255 - 19
ORDER_25519 = 2**252 + 27742317777372353535851937790883648493
ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
SMALL_ORDER = [
    (y | sign << 255).to_bytes(32, "little") for y in (0, 1, P25519 - 1, ORDER_8, P25519 - ORDER_8) for sign in (0, 1)
]
NON_CANONICAL = [(y | sign << 255).to_bytes(32, "little") for y in (P25519, P25519 + 1, 2**255 - 1) for sign in (0, 1)]
UNIVERSAL = SMALL_ORDER[2] + bytes(32)
"""R = identity, S = 0: with the key ``identity`` it is valid for every message."""


class IdentityTestCase(ReactionTestCase):
    """Mallory as the dialler of bob, with a message 3 of her own."""

    def met(self, bob_kind: int = 1, seed: int = 0) -> tuple[Duel, Dialler]:
        """Bob waits for message 3."""
        duel = Duel(r=settings("bob", bob_kind), seed=seed)
        dialler = Dialler(duel.r_settings)
        duel.responder.receive(dialler.init(), START)
        dialler.read(duel.flight("r"))
        return duel, dialler

    def fin_drains(self, data: bytes, duel: Duel, what: object = None) -> None:
        """Bob gets this message 3 and must drain."""
        duel.responder.receive(data, START)
        self.assert_responder_drains(duel.responder, what)

    def accepted(self, duel: Duel) -> bool:
        """Whether bob would admit somebody now."""
        return bool(duel.responder.requests) or isinstance(duel.responder.outcome, Established)


class Row9Tests(IdentityTestCase):
    """Public keys and signatures that must not count."""

    def test_mallory_can_be_honest(self) -> None:
        """The tools below make valid messages, so what fails fails for the reason that is tested."""
        for kind in (1, 2):
            duel, dialler = self.met(kind)
            duel.responder.receive(dialler.fin(identity("mallory", kind)), START)
            self.assertTrue(self.accepted(duel))
            duel = Duel(r=settings("bob", kind))
            trap = Listener(settings("bob", kind))
            trap.read(duel.flight("i"))
            duel.initiator.receive(trap.resp(identity("bob", kind)), START)
            self.assertEqual(len(duel.initiator.requests), 1)

    def test_small_order_and_non_canonical_keys_at_the_listener(self) -> None:
        for raw in SMALL_ORDER + NON_CANONICAL:
            for rest in (UNIVERSAL, bytes(64)):
                duel, dialler = self.met()
                self.fin_drains(dialler.fin(mallory(), bundle=b"\1" + raw, signature=rest), duel, raw.hex())

    def test_small_order_keys_at_the_dialler(self) -> None:
        """A UUID can be computed for such a key, so it could be dialled: the bundle is refused before its signature."""
        for raw in SMALL_ORDER + NON_CANONICAL:
            bundle = b"\1" + raw
            duel = Duel(target=uuid_of(bundle))
            trap = Listener(settings("bob"))
            trap.candidate = settings("alice").dial_candidate(uuid_of(bundle))
            trap.read(duel.flight("i"))
            self.to_initiator(trap.resp(identity("bob"), bundle=bundle, signature=UNIVERSAL), duel)

    def test_bundles_of_wrong_kind_or_length(self) -> None:
        good = mallory().public.bundle
        for bundle in (b"\0" + good[1:], b"\5" + good[1:], b"\2" + good[1:], good[:-1], good + b"\0", b"\1", b"\xff"):
            duel, dialler = self.met()
            self.fin_drains(dialler.fin(mallory(), bundle=bundle), duel, bundle.hex())

    def signed(self, dialler: Dialler, who: Identity) -> bytes:
        """What ``who`` would sign in this handshake; the transcript stays where it was."""
        before = dialler.transcript._hash.copy()
        data = dialler.fin(who)
        dialler.transcript._hash = before
        assert dialler.keys is not None
        return parse_tlvs(dialler.keys.hi.open(1, data[32:], data[:32]), IN_FIN_NAMED).values[Tlv.SIGNATURE]

    def test_signatures_changed_malleated_or_of_another_length(self) -> None:
        for number in range(6):
            duel, dialler = self.met()
            right = self.signed(dialler, mallory())
            s = int.from_bytes(right[32:], "little") + ORDER_25519
            wrong = (
                right[:32] + s.to_bytes(32, "little"),
                right[::-1],
                bytes(64),
                right[:-1],
                right + b"\0",
                UNIVERSAL,
            )[number]
            self.fin_drains(dialler.fin(mallory(), signature=wrong), duel, number)

    def test_hybrids_need_both_halves(self) -> None:
        who = identity("mallory", 2)
        for cut in (slice(0, 64), slice(64, None)):
            duel, dialler = self.met()
            wrong = bytearray(self.signed(dialler, who))
            wrong[cut] = bytes(len(wrong[cut]))
            self.fin_drains(dialler.fin(who, signature=bytes(wrong)), duel, cut)

    def test_a_hybrid_stripped_to_its_classical_half(self) -> None:
        who = identity("mallory", 2)
        duel, dialler = self.met()
        classical = b"\1" + who.public.bundle[1:33]
        half = self.signed(dialler, who)[:64]
        self.fin_drains(dialler.fin(who, bundle=classical, signature=half), duel)

    def test_mldsa_under_another_context(self) -> None:
        """The Edwards half is right; the ML-DSA half is right but for its context string."""
        seed = SeededRandom("ml-dsa").bytes(32)
        key = mldsa.MLDSA65PrivateKey.from_seed_bytes(seed)
        half = identity("mallory", 1)
        bundle = b"\2" + half.public.bundle[1:] + key.public_key().public_bytes_raw()
        for context, expected in ((labels.PROTOCOL, True), (b"", False), (b"QuantumGate/2", False)):
            duel, dialler = self.met()
            th = dialler.transcript._hash.copy()
            for tag, value in ((labels.TAG_IDENTITY, bundle), (labels.TAG_OTHERS, bytes.fromhex("0b00000101"))):
                dialler.transcript.add(tag, value)
            message = signature_input(2, labels.SIGN_INITIATOR, dialler.transcript.digest())
            dialler.transcript._hash = th
            signature = half._edwards.sign(message) + key.sign(message, context)  # type: ignore[attr-defined]
            duel.responder.receive(dialler.fin(half, bundle=bundle, signature=signature), START)
            self.assertEqual(self.accepted(duel), expected, context)


class Row10Tests(IdentityTestCase):
    """R is somebody else than the one dialled, or the same name with another key."""

    def test_another_identity_than_the_one_dialled(self) -> None:
        duel, trap = self.victim()
        self.to_initiator(trap.resp(mallory()), duel)

    def test_the_right_name_without_its_key(self) -> None:
        duel, trap = self.victim()
        self.to_initiator(trap.resp(mallory(), bundle=identity("bob").public.bundle), duel)

    def test_pin(self) -> None:
        right = identity("bob").public.fingerprint
        Duel(pin=right).run().established
        duel = Duel(pin=right[:-1] + bytes([right[-1] ^ 1])).run()
        failed = duel.failures[0]
        self.assertEqual(failed and (failed.reason, failed.security_event), ("pin", True))
        self.assertEqual([sender for sender, _data in duel.wire], ["i", "r"])
        self.assertEqual(duel.asked, [])

    def test_an_unaddressed_dial_asks_before_it_tells(self) -> None:
        duel = Duel(target=None, r_options={"allow_unaddressed": True})
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        (request,) = duel.initiator.requests
        self.assertEqual(getattr(request, "identity", None), identity("bob").public)
        self.assertEqual(duel.flight("i"), b"")


class Row11Tests(IdentityTestCase):
    """Reflection."""

    def test_our_own_message_sent_back(self) -> None:
        duel = Duel()
        first = duel.flight("i")
        self.to_initiator(first.ljust(20_000, b"\0"), duel)
        self.assertIn("salt", duel.failures[0].detail if duel.failures[0] else "")

    def test_our_own_salt_in_an_answer(self) -> None:
        duel, trap = self.victim()
        assert trap.opened is not None
        self.to_initiator(trap.plain(MessageType.REFUSE, Refuse(1, 0, 0).encode(100), salt=trap.opened.salt), duel)

    def test_somebody_with_our_keys_dials_us(self) -> None:
        duel, dialler = self.met()
        self.fin_drains(dialler.fin(identity("bob")), duel)
        failed = duel.failures[1]
        self.assertEqual(failed and (failed.reason, failed.security_event), ("twin", True))

    def test_an_unaddressed_dial_that_comes_back_to_us(self) -> None:
        duel = Duel(settings("bob"), settings("bob"), target=None, r_options={"allow_unaddressed": True}).run()
        self.assertEqual(duel.failures[0] and duel.failures[0].message, "this is me")
        self.assertEqual([sender for sender, _data in duel.wire], ["i", "r"])

    def test_proofs_of_one_side_are_nothing_at_the_other(self) -> None:
        """Bob's own signature and confirmation, sent back to him as message 3."""
        duel, dialler = self.met()
        proof = dialler.proof
        assert proof is not None
        data = dialler.fin(mallory(), bundle=proof.bundle, signature=proof.signature, confirm=proof.confirm)
        self.fin_drains(data, duel)


class Row12Tests(IdentityTestCase):
    """Identities bound to the wrong handshake."""

    def test_own_identity_put_into_somebody_elses_handshake(self) -> None:
        """Mallory passes messages 1 and 2 on; without their keys nothing she seals opens."""
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        _other, dialler = self.met()
        self.fin_drains(dialler.fin(mallory()), duel)

    def test_confirmation_that_does_not_fit(self) -> None:
        """All right but CONFIRM: of other contents, of the other direction, of another handshake, or nothing."""
        _other, elsewhere = self.met(seed=1)
        assert elsewhere.keys is not None
        for number in range(4):
            duel, dialler = self.met()
            keys, th = dialler.keys, dialler.transcript
            assert keys is not None
            wrong = (
                hmac_sha512(keys.fin_i, th.digest()),
                hmac_sha512(keys.fin_r, th.digest()),
                hmac_sha512(elsewhere.keys.fin_i, th.digest()),
                bytes(64),
            )[number]
            self.fin_drains(dialler.fin(mallory(), confirm=wrong), duel, number)

    def test_a_responders_confirmation_that_does_not_fit(self) -> None:
        duel, trap = self.victim()
        self.to_initiator(trap.resp(identity("bob"), confirm=bytes(64)), duel)

    def test_signature_of_bob_carried_into_another_exchange(self) -> None:
        """M1 of the model. Bob gets alice's salt with Mallory's shares; alice gets bob's signature."""
        duel = Duel()
        trap = Listener(settings("bob"))
        opened = trap.read(duel.flight("i"))
        dialler = Dialler(settings("bob"), salt=opened.salt)
        bob = Duel(replay=window())
        bob.responder.receive(dialler.init(), START)
        proof = dialler.read(bob.flight("r"))
        answer = trap.resp(identity("mallory"), bundle=proof.bundle, signature=proof.signature)
        self.to_initiator(answer, duel)

    def test_signature_of_alice_carried_to_bob(self) -> None:
        """M2 of the model. Alice dials Mallory, who then dials bob as alice with what alice signed."""
        duel = Duel(r=settings("mallory"))
        trap = Listener(settings("mallory"))
        trap.read(duel.flight("i"))
        duel.initiator.receive(trap.resp(mallory()), START)
        duel.answer_all()
        fin = trap.read_fin(duel.flight("i"))
        self.assertEqual(fin.bundle, identity("alice").public.bundle)
        bob, dialler = self.met()
        self.fin_drains(dialler.fin(mallory(), bundle=fin.bundle, signature=fin.signature), bob)

    def test_the_session_depends_on_who_dialled(self) -> None:
        """One key = one (I, R, offer): equal luck and equal exchanges, other identities, other secrets."""
        secrets = set()
        for prk1, th in ((b"1" * 64, b"a" * 64), (b"1" * 64, b"b" * 64)):
            made = schedule.session_secrets(schedule.Secret(prk1), th)
            secrets |= {made.sid, made.root.reveal(), made.exporter.reveal()}
        self.assertEqual(len(secrets), 6)

    def test_roles_that_are_not_there(self) -> None:
        for role in (0, 4, 255):
            duel, dialler = self.met()
            self.fin_drains(dialler.fin(mallory(), role=role), duel, role)

    def test_carriers_are_never_anonymous(self) -> None:
        duel = Duel(anonymous=True, role=3).run()
        self.assert_responder_drains(duel.responder)

    def test_delegation_is_refused_until_it_is_built(self) -> None:
        duel, dialler = self.met()
        body = bytearray(tlv(0x0B, b"\1") + tlv(0x20, mallory().public.bundle) + tlv(0x21, bytes(200)))
        body += tlv(0x22, bytes(64)) + tlv(0x23, bytes(64)) + tlv(0x30, b"")
        self.fin_drains(dialler.fin(mallory(), raw_body=bytes(body)), duel)
        duel, trap = self.victim()
        proof = tlv(0x20, identity("bob").public.bundle) + tlv(0x21, bytes(200)) + tlv(0x22, bytes(64))
        self.to_initiator(trap.resp(identity("bob"), raw_b=proof + tlv(0x23, bytes(64))), duel)


class Row13Tests(IdentityTestCase):
    """RETRY: once, for something that was offered, and nothing behind it."""

    def retry(self, select: Select) -> bytes:
        """The body of a RETRY."""
        return Retry(select).encode(300)

    def test_bad_retries(self) -> None:
        alice = settings("alice", primaries=(1, 2), minimum_secondaries=frozenset({1, 2}))
        for select in (
            Select(3, 1, 1),
            Select(1, 16, 1),
            Select(1, 1, 1),
            Select(2, 1, 3),
            Select(2, 1, 1, version=2),
            Select(0, 0, 0),
        ):
            duel, trap = self.victim(i=alice)
            self.to_initiator(trap.plain(MessageType.RETRY, self.retry(select)), duel, select)

    def test_below_the_floor(self) -> None:
        """An anonymous dialler offers what everybody offers; its floor still holds."""
        alice = settings("alice", minimum_primaries=frozenset({1, 3}))
        duel, trap = self.victim(i=alice, anonymous=True)
        self.to_initiator(trap.plain(MessageType.RETRY, self.retry(Select(2, 1, 1))), duel)

    def test_torn_puzzles_and_cookies(self) -> None:
        for kind, value in ((Tlv.POW, bytes(32) + b"\0"), (Tlv.POW, bytes(32)), (Tlv.POW, bytes(34)), (Tlv.POW, b""),
                            (Tlv.COOKIE, bytes(16))):  # fmt: skip
            for select in (Select(2, 1, 1), Select(1, 1, 1)):
                duel, trap = self.victim()
                self.to_initiator(trap.plain(MessageType.RETRY, tlv(kind, value) + self.retry(select)), duel)

    def test_a_second_retry(self) -> None:
        duel, trap = self.victim()
        duel.initiator.receive(trap.plain(MessageType.RETRY, self.retry(Select(2, 1, 1))), START)
        trap.read(duel.flight("i"))
        self.to_initiator(trap.plain(MessageType.RETRY, self.retry(Select(3, 1, 1)), salt=SALT_2), duel)

    def test_bytes_behind_a_retry_and_behind_an_answer(self) -> None:
        duel, trap = self.victim()
        self.to_initiator(trap.plain(MessageType.RETRY, self.retry(Select(2, 1, 1))) + b"\0", duel)
        duel, trap = self.victim()
        retry = trap.plain(MessageType.RETRY, self.retry(Select(2, 1, 1)), salt=SALT_2)
        self.to_initiator(trap.resp(identity("bob")) + retry, duel)

    def test_after_message_2(self) -> None:
        duel, trap = self.victim()
        duel.initiator.receive(trap.resp(identity("bob")), START)
        duel.initiator.requests.clear()
        duel.initiator.receive(trap.plain(MessageType.RETRY, self.retry(Select(2, 1, 1))), START)
        self.assert_initiator_fails(duel.initiator)

    def test_a_retry_that_was_never_sent_is_in_nobodys_transcript(self) -> None:
        """R answers a second INIT as if there had been no RETRY (or another): the signature tells."""
        duel, trap = self.victim()
        body = self.retry(Select(2, 1, 1))
        opened = trap.opened
        assert opened is not None
        duel.initiator.receive(trap.plain(MessageType.RETRY, body), START)
        header = Header(MessageType.RETRY, len(body)).encode()
        first = (opened.salt, opened.header, opened.body, SALT_R, header, body)
        second = duel.flight("i")
        for retried, fine in ((first, True), ((), False), ((*first[:5], body + b"\0"), False)):
            again = Listener(settings("bob"))
            again.read(second)
            answer = again.resp(identity("bob"), groups=(2, 1), retried=retried)
            if not fine:
                probe, trap = self.victim()
                probe.initiator.receive(trap.plain(MessageType.RETRY, body), START)
                later = Listener(settings("bob"))
                later.read(probe.flight("i"))
                self.to_initiator(later.resp(identity("bob"), groups=(2, 1), retried=retried), probe)
            else:
                duel.initiator.receive(answer, START)
                self.assertEqual(len(duel.initiator.requests), 1)

    def test_another_choice_than_in_the_retry(self) -> None:
        for select, fine in ((Select(2, 1, 1), True), (Select(2, 1, 2), False)):
            duel, trap = self.victim()
            opened, body = trap.opened, self.retry(Select(2, 1, 1))
            assert opened is not None
            duel.initiator.receive(trap.plain(MessageType.RETRY, body), START)
            header = Header(MessageType.RETRY, len(body)).encode()
            first = (opened.salt, opened.header, opened.body, SALT_R, header, body)
            again = Listener(settings("bob"))
            again.read(duel.flight("i"))
            answer = again.resp(identity("bob"), groups=(2, 1), select=select, retried=first)
            duel.initiator.receive(answer, START)
            self.assertEqual(duel.initiator.outcome is None, fine)

    def second(self, **changes: object) -> Duel:
        """Bob asked for group 2 and gets a second INIT that is wrong somewhere."""
        bob = settings("bob", primaries=(2,))
        duel = Duel(r=bob)
        duel.responder.receive(duel.flight("i"), START)
        first_salt = duel.wire[0][1][:32]
        duel.initiator.receive(duel.flight("r"), START)
        opened = open_init(bob.candidates[0], duel.flight("i"))
        init = replace(opened.init, **{key: value for key, value in changes.items() if key in Init.__slots__})  # type: ignore[arg-type]
        body = init.encode(7)
        header = replace(Header.parse(opened.header), body_bytes=len(body))
        header = replace(header, **changes.get("header", {}))  # type: ignore[arg-type]
        salt = first_salt if changes.get("used_salt") else opened.salt
        duel.responder.receive(seal_init(bob.candidates[0], salt, header.encode(), body), START)
        return duel

    def test_second_inits(self) -> None:
        self.assertGreater(len(self.second().flight("r")), 12_000)
        for changes in (
            {"used_salt": True},
            {"lists": Lists((2, 1, 3), (1, 2, 16, 17, 18), (1, 2))},
            {"lists": Lists((2,), (1,), (1,))},
            {"versions": (1, 2)},
            {"primary": KeyShare(1, b"\x09" * 32)},
            {"header": {"version": 2}},
            {"header": {"a": 0}},
            {"header": {"flags": 0}},
            {"header": {"type": MessageType.FIN, "flags": 0, "a": 0}},
        ):
            duel = self.second(**changes)
            self.assert_responder_drains(duel.responder, changes)

    def test_the_second_init_is_due_in_twenty_seconds(self) -> None:
        duel = Duel(r=settings("bob", primaries=(2,)))
        duel.responder.receive(duel.flight("i"), START)
        duel.flight("r")
        self.assertEqual(duel.responder.deadline(), START + 20)
        duel.responder.expire(START + 20)
        self.assert_responder_drains(duel.responder)

    def test_solutions_of_no_puzzle(self) -> None:
        offer = Dialler(BOB).offer.encode(0)
        cut = offer.index(tlv(0x0A, bytes(48)))
        self.to_responder(Dialler(BOB).init(body=offer[:cut] + tlv(Tlv.POW, bytes(128)) + offer[cut:]))


class RefuseTests(IdentityTestCase):
    """REFUSE is a hint, and only a hint."""

    def test_words(self) -> None:
        for code, words in ((1, "no common suite"), (2, "version"), (3, "busy"), (4, "unknown reason 4")):
            duel, trap = self.victim()
            refuse = Refuse(code, 30, int(START + 1_700_000_000) + 90)
            duel.initiator.receive(trap.plain(MessageType.REFUSE, refuse.encode(2000)), START)
            failed = duel.failures[0]
            self.assertEqual(failed and (failed.reason, failed.message), ("refused", f"refused: {words}"))
            self.assertEqual(failed and failed.advice, "its clock is 90 s ahead of ours; try again in 30 s")

    def test_malformed(self) -> None:
        good = Refuse(1, 0, 0).encode(2000)
        for body in (good[:11], good[:-1] + b"\1"):
            duel, trap = self.victim()
            self.to_initiator(trap.plain(MessageType.REFUSE, body), duel)

    def test_headers_of_answers(self) -> None:
        body = Refuse(1, 0, 0).encode(100)
        for header in ({"a": 1}, {"flags": 1}, {"version": 2}, {"type": MessageType.INIT}, {"type": MessageType.FIN}):
            duel, trap = self.victim()
            self.to_initiator(trap.plain(MessageType.REFUSE, body, **header), duel, header)
        duel, trap = self.victim()
        self.to_initiator(trap.plain(MessageType.REFUSE, body, body_bytes=65_536 - 79), duel)

    def test_bodies_that_do_not_belong(self) -> None:
        for raw in (b"", tlv(0x20, b"x"), Proof(b"b", b"s", bytes(64)).encode(0) + tlv(0x30, b"")):
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), raw_b=raw), duel)
            duel, trap = self.victim()
            self.to_initiator(trap.resp(identity("bob"), raw_a=raw), duel)

    def test_one_error_for_everything(self) -> None:
        digests = set()
        for change in ({"signature": bytes(64)}, {"confirm": bytes(64)}, {"raw_b": b""}, {"bundle": b"\1" + bytes(32)}):
            duel, trap = self.victim()
            duel.initiator.receive(trap.resp(identity("bob"), **change), START)
            outcome = duel.initiator.outcome
            assert isinstance(outcome, Failed)
            shown = repr(replace(outcome, detail=""))
            digests.add(hashlib.sha256(shown.encode()).digest())
        self.assertEqual(len(digests), 1)
