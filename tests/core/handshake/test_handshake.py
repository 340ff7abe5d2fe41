"""Both sides together: what they agree on, in every way of meeting, cut into every size of piece."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import schedule
from quantumgate.core.handshake import HandshakeSettings, PeerCheck, Verdict
from quantumgate.core.handshake import initiator as initiator_module
from quantumgate.core.handshake import responder as responder_module
from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.state import (
    INITIATOR,
    INITIATOR_FINAL,
    LEGAL,
    RESPONDER,
    RESPONDER_FINAL,
    InitiatorState,
    ResponderState,
    Step,
)
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import Suite
from quantumgate.errors import BugError, LocalError
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.session_tlvs import SessionBlock, invitation_tlv
from tests.core.handshake.duel import START, Duel, SeededRandom, busy, identity, settings, window

PSK = Secret(b"a shared secret of thirty-two bytes and more")
BLOCK = SessionBlock().encode()


def open_house(name: str = "bob", **changes: object) -> HandshakeSettings:
    """A listener that takes peers without a UUID and without a name."""
    return settings(name, allow_unaddressed=True, require_authentication=False, **changes)


class AgreementTests(SynchronousTestCase):
    """Equal secrets on both sides, and who is who."""

    def check(self, duel: Duel) -> None:
        """Both sides hold the same, and the records of one open at the other."""
        i, r = duel.established
        self.assertEqual((i.root, i.sid, i.exporter), (r.root, r.sid, r.exporter))
        self.assertEqual((i.suite, i.role, i.retried), (r.suite, r.role, r.retried))
        self.assertEqual((i.peer, i.local), (r.local, r.peer))
        self.assertEqual((i.shared_secret, i.initiator, r.initiator), (r.shared_secret, True, False))
        sealed = schedule.record_keys(i.root, i.suite.aead)[0].seal(0, b"hello")
        self.assertEqual(schedule.record_keys(r.root, r.suite.aead)[0].open(0, sealed), b"hello")

    def test_plain(self) -> None:
        duel = Duel(session_tlvs=b"our session").run()
        self.check(duel)
        i, r = duel.established
        self.assertEqual(i.suite, Suite(1, 1, 1))
        self.assertEqual((i.peer, r.peer), (identity("bob").public, identity("alice").public))
        self.assertEqual((r.peer_session, i.peer_session, r.leftover), (b"our session", b"", b""))
        self.assertEqual([sender for sender, _data in duel.wire], ["i", "r", "i"])
        self.assertFalse(i.shared_secret or i.retried)

    def test_every_kind_with_every_kind(self) -> None:
        for kind in (1, 2, 3, 4):
            self.check(Duel(settings("alice", kind), settings("bob", 5 - kind)).run())

    def test_every_built_in_suite(self) -> None:
        for suite in ((1, 1, 1), (2, 2, 2), (3, 1, 2), (1, 2, 1)):
            one = {"primaries": suite[:1], "secondaries": suite[1:2], "aeads": suite[2:]}
            duel = Duel(settings("alice", **one)).run()
            self.check(duel)
            self.assertEqual(duel.established[0].suite, Suite(*suite))

    def test_shared_secret(self) -> None:
        duel = Duel(settings("alice", psk=PSK), settings("bob", psk=PSK)).run()
        self.check(duel)
        self.assertTrue(duel.established[0].shared_secret)

    def test_shared_secret_and_uuid_in_rotation(self) -> None:
        new = Secret(b"n" * 32)
        self.check(Duel(settings("alice", psk=PSK), settings("bob", psk=new, previous_psk=PSK)).run())

    def test_retry_for_either_group_and_both(self) -> None:
        for listener, suite in (((2,), (1,)), ((1,), (2,)), ((3,), (2,))):
            duel = Duel(r=settings("bob", primaries=listener, secondaries=suite)).run()
            self.check(duel)
            self.assertTrue(duel.established[0].retried)
            self.assertEqual(duel.established[0].suite, Suite(listener[0], suite[0], 1))
            self.assertEqual([sender for sender, _data in duel.wire], ["i", "r", "i", "r", "i"])

    def test_a_retry_changes_the_keys_even_with_equal_luck(self) -> None:
        self.assertNotEqual(
            Duel(r=settings("bob", primaries=(2,))).run().established[0].sid,
            Duel(settings("alice", primaries=(2,)), settings("bob", primaries=(2,))).run().established[0].sid,
        )

    def test_unaddressed(self) -> None:
        duel = Duel(r=settings("bob"), r_options={"allow_unaddressed": True}, target=None).run()
        self.check(duel)
        self.assertEqual(duel.established[0].peer, identity("bob").public)

    def test_anonymous(self) -> None:
        duel = Duel(settings("alice", primaries=(3,)), open_house(), anonymous=True).run()
        self.check(duel)
        i, r = duel.established
        self.assertEqual((r.peer, i.local, i.signer, i.suite), (None, None, None, Suite(1, 1, 1)))

    def test_byte_by_byte_and_in_other_pieces(self) -> None:
        for chunk in (1, 7, 63, 64, 65, 4096):
            self.check(Duel(r=settings("bob", primaries=(2, 1))).run(chunk))

    def test_records_behind_the_last_message_are_kept(self) -> None:
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        duel.answer_all()
        duel.responder.receive(duel.flight("i") + b"first ", START)
        duel.responder.receive(b"records", START)
        duel.answer_all()
        self.assertEqual(duel.established[1].leftover, b"first records")

    def test_a_slow_group_is_asked_for(self) -> None:
        """Keys of McEliece need liboqs, so only the question is seen here."""
        alice = settings("alice", secondaries=(32, 1))
        duel = Duel(alice)
        (request,) = duel.initiator.requests
        self.assertEqual((duel.flight("i"), getattr(request, "group", None)), (b"", 32))
        self.assertEqual(duel.initiator.state, InitiatorState.AWAIT_KEY)


class VerdictTests(SynchronousTestCase):
    """Who is asked, and what a no does."""

    def test_both_sides_ask_once(self) -> None:
        duel = Duel().run()
        (i, first), (r, second) = duel.asked
        self.assertEqual((i, r), ("i", "r"))
        self.assertIsInstance(first, PeerCheck)
        self.assertEqual((first.identity, first.initiator), (identity("bob").public, True))
        self.assertEqual((second.identity, second.role, second.initiator), (identity("alice").public, 1, False))

    def test_a_dialler_that_says_no_has_said_nothing(self) -> None:
        duel = Duel()
        duel.verdicts["i"] = Verdict(False, text="another key than last time")
        duel.run()
        failed = duel.failures[0]
        self.assertEqual(failed and (failed.reason, failed.message), ("denied", "another key than last time"))
        self.assertEqual([sender for sender, _data in duel.wire], ["i", "r"])

    def test_a_listener_that_says_no_still_shares_keys(self) -> None:
        duel = Duel()
        duel.verdicts["r"] = no = Verdict(False, CloseCode.ACCESS_DENIED, "not on the list")
        i, r = duel.run().established
        self.assertEqual((r.verdict, i.verdict.admitted, i.root), (no, True, r.root))

    def test_policy_needs_no_question(self) -> None:
        for dial, listener in (
            ({"anonymous": True}, settings("bob")),
        ):
            duel = Duel(r=listener, **dial).run()
            self.assertFalse(duel.established[1].verdict.admitted)
            self.assertEqual([who for who, _request in duel.asked], ["i"])

    def test_who_only_carries_links_is_judged_by_the_node(self) -> None:
        """A relay's client may be nameless even where peers must have names."""
        for dial in ({"anonymous": True, "role": 2}, {"role": 2}, {"role": 3}):
            duel = Duel(r=settings("bob"), **dial).run()
            asked = [(who, request.role) for who, request in duel.asked if isinstance(request, PeerCheck)]
            self.assertEqual(asked, [("i", dial["role"]), ("r", dial["role"])])

    def test_the_end_of_session_is_made_over_what_came_before(self) -> None:
        """Both sides know the same transcript, which is another one in each handshake, and share keys afterwards."""
        hashes: list[bytes] = []

        def end(transcript: bytes) -> bytes:
            hashes.append(transcript)
            return invitation_tlv(transcript + bytes(16))

        for seed, listener in ((1, settings("bob")), (2, settings("bob")), (3, settings("bob", primaries=(2,)))):
            duel = Duel(r=listener, seed=seed, session_tlvs=BLOCK, session_end=end).run()
            i, r = duel.established
            check = duel.asked[-1][1]
            self.assertEqual((check.transcript, check.invitation), (hashes[-1], hashes[-1] + bytes(16)))
            self.assertEqual((i.sid, r.peer_session), (r.sid, BLOCK + invitation_tlv(check.invitation)))
        self.assertEqual(len(set(hashes)), 3)

    def test_who_shows_no_invitation(self) -> None:
        check = Duel(session_tlvs=BLOCK).run().asked[-1][1]
        self.assertEqual((check.invitation, check.transcript), (b"", b""))

    def test_answers_to_nothing(self) -> None:
        duel = Duel()
        request = PeerCheck(None, 1, initiator=True)
        self.assertRaises(BugError, duel.initiator.answer, request, Verdict(True), START)
        duel.run()
        duel.initiator.answer(request, Verdict(True), START)  # too late, dropped


class DiallerSettingsTests(SynchronousTestCase):
    """What a dialler refuses to do at all, and its disguises."""

    def test_own_uuid(self) -> None:
        duel = Duel(settings("bob"))
        failed = duel.failures[0]
        self.assertEqual((failed and failed.reason, failed and failed.message), ("self", "this is me"))
        self.assertEqual((duel.flight("i"), duel.initiator.deadline()), (b"", float("inf")))

    def test_nothing_above_the_floor(self) -> None:
        self.assertRaises(LocalError, Duel, settings("alice", minimum_aeads=frozenset({9})))

    def test_printable_front(self) -> None:
        for seed in range(20):
            salt = Duel(settings("alice", salt_style="printable6"), seed=seed).flight("i")[:32]
            self.assertTrue(all(0x20 <= octet < 0x7F for octet in salt[:6]))
            self.assertTrue(any(not 0x20 <= octet < 0x7F for octet in salt[6:]))

    def test_lengths_on_the_wire(self) -> None:
        seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
        for seed in range(12):
            for kind in (1, 2):
                duel = Duel(settings("alice", kind), settings("bob", kind), seed=seed).run()
                for number, (_sender, data) in enumerate(duel.wire):
                    seen[number].add(len(data))
        self.assertTrue(max(seen[0]) - min(seen[0]) > 300)
        self.assertTrue(all(12_288 <= size <= 14_335 for size in seen[1]) and len(seen[1]) > 9)
        self.assertTrue(all(11_264 <= size <= 13_311 for size in seen[2]) and len(seen[2]) > 9)

    def test_an_answer_is_not_longer_for_a_retry_or_a_refusal(self) -> None:
        for listener in (settings("bob", primaries=(2,)), settings("bob", aeads=(7,))):
            duel = Duel(r=listener).run()
            self.assertTrue(12_288 <= len(duel.wire[1][1]) <= 14_335)


class TableTests(SynchronousTestCase):
    """The tables of core/state.py: closed, complete, and every line of them walked by some scenario."""

    def test_every_pair_of_state_and_step(self) -> None:
        for table, states, final in (
            (INITIATOR, InitiatorState, INITIATOR_FINAL),
            (RESPONDER, ResponderState, RESPONDER_FINAL),
        ):
            for state in states:
                for step in Step:
                    following = table.get((state, step))  # type: ignore[call-overload]
                    self.assertTrue(following is None or (following in states and state not in final))
                always = {Step.DEADLINE, Step.EOF} | ({Step.BAD} if state is not ResponderState.DRAINING else set())
                found = {step for step in Step if (state, step) in table}
                self.assertTrue(state in final or always <= found, state)

    def test_messages_begin_only_where_the_table_says(self) -> None:
        waiting = {state for state in (*InitiatorState, *ResponderState) if state.name.startswith("AWAIT_")}
        silent = {"AWAIT_KEY", "AWAIT_VERDICT", "AWAIT_SOLUTION", "AWAIT_TURN"}
        expected = {state for state in waiting if state.name not in silent and not state.name.endswith("_BODY")}
        self.assertEqual(set(LEGAL), expected)

    def test_every_line_is_walked(self) -> None:
        walked: set[tuple[object, Step]] = set()

        class Noting(dict):  # type: ignore[type-arg]
            """A table that notes what was looked up."""

            def __getitem__(self, key: tuple[object, Step]) -> object:
                walked.add(key)
                return super().__getitem__(key)

        self.patch(initiator_module, "INITIATOR", Noting(INITIATOR))
        self.patch(responder_module, "RESPONDER", Noting(RESPONDER))
        for ending in (Step.BAD, Step.DEADLINE, Step.EOF):
            for party in (*initiators(), *responders()):
                end(party, ending)
        Duel().run()
        Duel(r=settings("bob", primaries=(2,))).run()
        Duel(r=settings("bob", aeads=(7,))).run()
        Duel(anonymous=True).run()
        denied = Duel()
        denied.verdicts["i"] = Verdict(False)
        denied.run()
        slow = Duel(settings("alice", secondaries=(32, 1)))
        slow.initiator.answer(slow.initiator.requests[0], settings("x").keys.secondary(1), START)
        drained = Duel(r=settings("bob", aeads=(7,))).run()
        drained.responder.eof(START)
        drained = Duel(r=settings("bob", aeads=(7,))).run()
        drained.responder.expire(drained.responder.deadline())
        Duel(r_options={"ladder": busy(0.6)}).run()
        Duel(r_options={"ladder": busy(0.9)}).run()
        Duel(r=settings("bob", primaries=(2,)), r_options={"ladder": busy(0.6)}).run()
        retry_slow = {
            (state, Step.RETRY_SLOW) for state in (InitiatorState.AWAIT_ANSWER_BODY, InitiatorState.AWAIT_SOLUTION)
        }  # walked in test_initiator.py
        self.assertEqual(walked | retry_slow, set(INITIATOR) | set(RESPONDER))


def initiators() -> list[Initiator]:
    """One in each state that is not final."""
    key = Duel(settings("alice", secondaries=(32, 1)))
    answer, body, verdict = Duel(), Duel(), Duel()
    body.responder.receive(body.flight("i"), START)
    body.initiator.receive(body.flight("r")[:64], START)
    verdict.responder.receive(verdict.flight("i"), START)
    verdict.initiator.receive(verdict.flight("r"), START)
    puzzled = Duel(r_options={"ladder": busy(0.9)})
    puzzled.responder.receive(puzzled.flight("i"), START)
    puzzled.initiator.receive(puzzled.flight("r"), START)
    return [duel.initiator for duel in (key, answer, body, verdict, puzzled)]


def responders() -> list[responder_module.Responder]:
    """One in each state that is neither final nor draining."""
    made = []
    for retry, flights, last in ((0, 0, 0), (0, 0, 64), (1, 1, 0), (1, 1, 64), (0, 1, 0), (0, 1, 32), (0, 1, 1 << 20)):
        duel = Duel(r=settings("bob", primaries=(2,)) if retry else None, replay=window(), seed=last)
        for _ in range(flights):
            duel.responder.receive(duel.flight("i"), START)
            duel.initiator.receive(duel.flight("r"), START)
            duel.initiator.requests and duel.initiator.answer(duel.initiator.requests[0], Verdict(True), START)
        duel.responder.receive(duel.flight("i")[:last], START)
        made.append(duel.responder)
    queued = Duel(r_options={"ladder": busy(0.6)})
    queued.responder.receive(queued.flight("i"), START)
    return [*made, queued.responder]


def end(party: Initiator | responder_module.Responder, ending: Step) -> None:
    """Bad bytes, time or an end."""
    if ending is Step.EOF:
        party.eof(START)
    elif ending is Step.DEADLINE:
        party.expire(party.deadline())
    else:
        party.receive(SeededRandom("junk").bytes(5 << 20), START)
