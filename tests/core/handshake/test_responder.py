"""The listener alone: deadlines, progress, what is kept and dropped. Attacks are in tests/attacks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.handshake import Established, Failed, Verdict
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.state import ResponderState
from quantumgate.crypto.secret import Secret
from quantumgate.wire.limits import EARLY_RECORDS_BYTES, FIRST_FLIGHT_BYTES
from quantumgate.wire.messages import Header, MessageType
from tests.attacks.mallory import Dialler, open_init, seal_init
from tests.core.handshake.duel import START, Duel, identity, settings


def with_fin(**options: object) -> tuple[Duel, bytes]:
    """A listener that waits for the third message, and that message."""
    duel = Duel(**options)  # type: ignore[arg-type]
    retried = duel.r_settings.primaries[0] != 1
    for _ in range(2 if retried else 1):
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
    duel.answer_all()
    return duel, duel.flight("i")


class DeadlineTests(SynchronousTestCase):
    """docs/spec/handshake.md section 12."""

    def reason(self, party: Responder) -> tuple[str, bool]:
        """Of the failure."""
        outcome = party.outcome
        assert isinstance(outcome, Failed)
        return outcome.reason, outcome.silent

    def test_the_first_flight_has_ten_seconds(self) -> None:
        duel = Duel()
        data = duel.flight("i")
        duel.responder.receive(data[:-1], START + 9)
        self.assertEqual(duel.responder.deadline(), START + 10)
        duel.responder.expire(START + 9.99)
        self.assertIs(duel.responder.outcome, None)
        duel.responder.expire(START + 10)
        self.assertEqual(self.reason(duel.responder), ("deadline", True))
        self.assertEqual(duel.responder.output(), b"")

    def test_the_third_message_has_thirty_from_accept(self) -> None:
        duel, _fin = with_fin()
        self.assertEqual(duel.responder.deadline(), START + 30)
        duel.responder.expire(START + 30)
        self.assertEqual(self.reason(duel.responder), ("deadline", True))

    def test_a_retry_adds_twenty_to_both_timers(self) -> None:
        plain = Duel().responder
        plain.receive(bytes(64), START)
        duel, _fin = with_fin(r=settings("bob", primaries=(2,)))
        self.assertEqual(duel.responder.deadline(), START + 50)
        duel.responder.receive(bytes(32), START)
        self.assertEqual(duel.responder.deadline(), plain.deadline() + 20)

    def test_one_byte_every_nine_seconds(self) -> None:
        """Progress: ten seconds for a body, and one more for each KiB of it that came."""
        duel, fin = with_fin()
        party, now = duel.responder, START + 1
        party.receive(fin[:32], now)
        self.assertEqual(party.deadline(), now + 10)
        party.receive(fin[32:33], now + 9)
        self.assertEqual(party.deadline(), now + 10 + 1 / 1024)
        party.receive(fin[33 : 33 + 4095], now + 9.5)
        self.assertEqual(party.deadline(), now + 14)
        party.expire(now + 14)
        self.assertEqual(self.reason(party), ("deadline", True))

    def test_progress_never_moves_the_end(self) -> None:
        duel, fin = with_fin()
        duel.responder.receive(fin[:-1], START + 25)
        self.assertEqual(duel.responder.deadline(), START + 30)
        duel.responder.receive(fin[-1:], START + 29)
        self.assertEqual(len(duel.responder.requests), 1)
        self.assertEqual(duel.responder.deadline(), START + 30)

    def test_a_verdict_that_does_not_come(self) -> None:
        duel, fin = with_fin()
        duel.responder.receive(fin, START)
        (request,) = duel.responder.requests
        duel.responder.expire(START + 30)
        self.assertEqual(self.reason(duel.responder), ("deadline", True))
        duel.responder.answer(request, Verdict(True), START + 31)
        self.assertIsInstance(duel.responder.outcome, Failed)

    def test_a_verdict_has_until_the_end_however_slowly_its_message_came(self) -> None:
        duel, fin = with_fin()
        duel.responder.receive(fin[:32], START + 1)
        self.assertEqual(duel.responder.deadline(), START + 11)
        duel.responder.receive(fin[32:], START + 2)
        self.assertEqual((len(duel.responder.requests), duel.responder.deadline()), (1, START + 30))

    def test_the_end_of_the_peer(self) -> None:
        duel, fin = with_fin()
        duel.responder.receive(fin, START)
        duel.responder.eof(START)
        self.assertEqual(self.reason(duel.responder), ("lost", False))
        duel = Duel()
        duel.responder.receive(duel.flight("i"), START)
        duel.responder.eof(START)
        self.assertEqual((self.reason(duel.responder), duel.responder.output()), (("lost", False), b""))


class KeepingTests(SynchronousTestCase):
    """What is held, and that it ends."""

    def test_nothing_of_the_handshake_outlives_it(self) -> None:
        duel, fin = with_fin()
        keys = duel.responder._keys
        assert keys is not None
        duel.responder.receive(fin, START)
        duel.answer_all()
        self.assertIsInstance(duel.responder.outcome, Established)
        self.assertEqual(repr(keys.prk1), "<Secret 64 bytes, wiped>")
        for party in (duel.responder, duel.initiator):
            names = ("_keys", "_opening", "_attempt", "_answer", "_proved")
            held = [name for name in names if getattr(party, name, None)]
            self.assertEqual((held, party._in, party.requests, party.deadline()), ([], b"", [], float("inf")))

    def test_records_before_the_verdict_are_bounded(self) -> None:
        for extra, fine in ((0, True), (1, False)):
            duel, fin = with_fin()
            duel.responder.receive(fin, START)
            duel.responder.receive(bytes(EARLY_RECORDS_BYTES + extra), START)
            self.assertEqual(duel.responder.outcome is None, fine)

    def test_a_third_message_over_the_cap_or_of_another_version(self) -> None:
        for header in (
            {"body_bytes": FIRST_FLIGHT_BYTES - 47},
            {"version": 2},
            {"type": MessageType.INIT},
            {"type": MessageType.RETRY},
        ):
            duel = Duel()
            dialler = Dialler(duel.r_settings)
            duel.responder.receive(dialler.init(), START)
            dialler.read(duel.flight("r"))
            duel.responder.receive(dialler.fin(identity("mallory"), header=header)[:32], START)
            self.assertIs(duel.responder.state, ResponderState.DRAINING, header)

    def test_large_first_flights_where_mceliece_is_enabled(self) -> None:
        bob = settings("bob", secondaries=(1, 32))
        duel = Duel(r=bob)
        header = Header(MessageType.INIT, 600_000, a=int(START + 1_700_000_000) // 60 * 60_000, flags=1)
        data = seal_init(bob.candidates[0], bytes(32), header.encode(), b"")
        duel.responder.receive(data[:64], START)
        duel.responder.receive(bytes(500_000), START)
        self.assertIs(duel.responder.outcome, None)

    def test_the_second_init_comes_under_the_key_of_the_first(self) -> None:
        """Somebody who knows us by two names may not change between them."""
        old = Secret(b"o" * 32)
        bob = settings("bob", psk=Secret(b"n" * 32), previous_psk=old, primaries=(2,))
        duel = Duel(settings("alice", psk=old), bob)
        duel.responder.receive(duel.flight("i"), START)
        duel.initiator.receive(duel.flight("r"), START)
        second = open_init(bob.candidates[-1], duel.flight("i"))
        self.assertEqual(second.init.primary.group, 2)
        duel.responder.receive(seal_init(bob.candidates[0], second.salt, second.header, second.body), START)
        self.assertIs(duel.responder.state, ResponderState.DRAINING)

    def test_giving_way_is_silence_in_every_state_and_nobodys_fault(self) -> None:
        for flights in range(3):
            duel = Duel()
            for _ in range(flights):
                duel.responder.receive(duel.flight("i"), START)
                duel.initiator.receive(duel.flight("r"), START)
                duel.answer_all()
            party = duel.responder
            end, over = party._drain_at, party.outcome
            party.give_way(START + 1)
            if over is not None:
                self.assertIs(party.outcome, over)
                continue
            assert isinstance(party.outcome, Failed)
            found = party.outcome
            self.assertEqual((found.reason, found.silent, found.blame, party.output()), ("busy", True, "", b""))
            self.assertEqual((party.state, party.deadline()), (ResponderState.DRAINING, end))

    def test_blame(self) -> None:
        """The address pays for what it sent, not for being slow or for leaving; a UUID never pays here."""
        garbage = Duel().responder
        garbage.receive(bytes(64), START)
        slow, gone = Duel().responder, Duel().responder
        slow.expire(START + 10)
        gone.eof(START)
        blames = [party.outcome.blame for party in (garbage, slow, gone) if isinstance(party.outcome, Failed)]
        self.assertEqual(blames, ["address", "", ""])
