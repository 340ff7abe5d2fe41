"""Row 20 of docs/attacks.md: re-keys out of turn, unsigned, replayed, of other groups, too soon, or never finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quantumgate.core.events import Rekeyed
from quantumgate.crypto import labels
from quantumgate.crypto.suites import Suite
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import MIB
from quantumgate.wire.rekey_messages import RekeyRequest
from tests.attacks.reactions import SessionReactionTestCase
from tests.core.handshake.duel import identity
from tests.core.sessions import PLAIN, Mallory, Pair, limited, replace, tuned

SWITCH = frames.frame(frames.KEY_SWITCH)
NOTHING = b"\0"
Maker = Callable[[Mallory], bytes]
"""Makes a payload that is wrong somewhere."""


def waited(**options: Any) -> Mallory:
    """A victim whose keys are old enough to be renewed."""
    mallory = Mallory(**options)
    mallory.wait(80)
    return mallory


class Row20AskingTests(SessionReactionTestCase):
    """Mallory asks; the victim answers or is dead."""

    def ask(self, mallory: Mallory, payload: bytes, *, chunk: int = 1 << 30) -> None:
        """A REKEY_REQ."""
        mallory.say(mallory.long(frames.REKEY_REQ, payload), chunk=chunk)

    def renewed(self, mallory: Mallory) -> None:
        """An honest re-key that Mallory began, to its end."""
        self.ask(mallory, mallory.request())
        mallory.listen_rekey()
        mallory.say(SWITCH)
        mallory.switch_sending()
        mallory.settled()

    def test_an_honest_one_beside_the_others(self) -> None:
        mallory = RekeyMallory()
        mallory.wait(80)
        for epoch in (1, 2):
            self.renewed(mallory)
            self.assertEqual(mallory.side.session.key_epoch, epoch)
            mallory.say(frames.frame(frames.PING, bytes(8)))
            self.assertEqual(mallory.listen()[-1][0], frames.PONG)
            mallory.wait(61)

    def test_wrong_fields(self) -> None:
        """Epoch, groups, lengths of shares, keys that must not be used: properly signed and wrong."""
        for changes in (
            {"epoch": 0}, {"epoch": 2}, {"epoch": (1 << 64) - 1}, {"primary": 2}, {"primary": 3}, {"secondary": 2},
            {"secondary": 32}, {"primary": 0}, {"share": bytes(32)}, {"share": bytes(31)}, {"share": b"\x09" * 33},
            {"key": bytes(1183)}, {"key": bytes(1185)}, {"key": b"\xff" * 1184}, {"key": b""},
        ):  # fmt: skip
            mallory = waited()
            self.ask(mallory, mallory.request(**changes))
            self.assertEqual(mallory.heard(frames.REKEY_RSP), [], changes)
            self.dead(mallory, changes)

    def test_other_aead_and_groups_of_the_session_hold(self) -> None:
        mallory = waited(suite=Suite(2, 1, 2))
        self.ask(mallory, mallory.request(primary=1))
        self.dead(mallory)
        mallory = waited(suite=Suite(2, 1, 2))
        self.ask(mallory, mallory.request())
        self.assertEqual(len(mallory.heard(frames.REKEY_RSP)), 1)

    def test_unsigned_and_wrongly_signed_by_an_authenticated_peer(self) -> None:
        def signed(name: str, asks: bool, who: str = "", epoch: int = 0, hashed: bytes = b"") -> Maker:
            def sign(mallory: Mallory) -> bytes:
                part = RekeyRequest.decode(mallory.request()).signed_part()
                mallory.epoch += epoch
                if who:
                    mallory.identity = identity(who)
                return part + lp(mallory.sign(name, part, asks=asks, request_hash=hashed))

            return sign

        right = labels.SIGN_REKEY_REQUEST
        wrong: list[Maker] = [
            lambda m: m.request(signature=b""),
            lambda m: m.request(signature=bytes(64)),
            lambda m: m.request(signature=b"x"),
            signed(labels.SIGN_REKEY_RESPONSE, True),
            signed(labels.SIGN_INITIATOR, True),
            signed(right, False),
            signed(right, True, who="carol"),
            signed(right, True, epoch=1),
            signed(right, True, hashed=bytes(64)),
        ]
        for number, make in enumerate(wrong):
            mallory = waited()
            self.ask(mallory, make(mallory))
            self.assertEqual(mallory.heard(frames.REKEY_RSP), [], number)
            self.dead(mallory, number)
        mallory = waited()
        self.ask(mallory, signed(right, True)(mallory))
        self.assertEqual(len(mallory.heard(frames.REKEY_RSP)), 1)

    def test_a_signature_is_for_one_session_and_one_root(self) -> None:
        """A request recorded elsewhere, between the same two identities."""
        for changes in ({"sid": bytes(32)}, {"root": None}):
            mallory = waited(**{key: value for key, value in changes.items() if value})
            if "root" in changes:
                mallory.root = type(mallory.root)(bytes(64))
            self.ask(mallory, mallory.request())
            self.dead(mallory, changes)

    def test_from_a_nameless_side(self) -> None:
        """It signs nothing, and a signature where nobody can have signed is malformed."""
        for signature, fine in ((bytes(64), False), (b"", True)):
            mallory = waited()
            mallory.side.session.peer = None
            self.ask(mallory, mallory.request(signature=signature))
            if fine:
                self.assertEqual(len(mallory.heard(frames.REKEY_RSP)), 1)
            else:
                self.dead(mallory)

    def test_malformed(self) -> None:
        good = waited().request()
        for payload in (b"", good[:11], good[:-1], good + b"\0", good[:12] + b"\xff\xff\xff\xff" + good[16:]):
            for chunk in (1 << 30, 100):
                mallory = waited()
                self.ask(mallory, payload, chunk=chunk)
                self.dead(mallory, payload[:20].hex())

    def test_too_soon(self) -> None:
        """Less than 60 s and less than 256 MiB after the last switch, from the first key on."""
        for seconds, moved, fine in ((0, 0, False), (59.9, 0, False), (60, 0, True), (1, 64, True), (1, 62, False)):
            settings = tuned(rekey_floor_bytes=64 * 1024) if moved else PLAIN
            mallory = Mallory(settings=settings)
            mallory.wait(seconds)
            for _ in range(moved):
                mallory.say(bytes(1024 - 36))
            self.ask(mallory, mallory.request())
            self.assertEqual(mallory.side.end is None, fine, (seconds, moved))
        mallory = RekeyMallory()
        mallory.wait(80)
        self.renewed(mallory)
        self.ask(mallory, mallory.request())
        self.dead(mallory)
        self.assertEqual(PLAIN.limits.rekey_floor_bytes, 256 * MIB)

    def test_replayed(self) -> None:
        """The same request again: before the switch, after it, and after a pause; also in the record of the first."""
        for pause in (None, 0, 100):
            mallory = RekeyMallory()
            mallory.wait(80)
            payload = mallory.request()
            self.ask(mallory, payload)
            if pause is not None:
                mallory.listen_rekey()
                mallory.say(SWITCH)
                mallory.switch_sending()
                mallory.settled()
                mallory.wait(pause)
            mallory.listen()
            answers = len(mallory.seen_kind(frames.REKEY_RSP))
            self.ask(mallory, payload)
            self.assertEqual((answers, len(mallory.seen_kind(frames.REKEY_RSP))), (1, 1))
            self.dead(mallory, pause)

    def test_another_request_before_both_have_switched(self) -> None:
        mallory = waited()
        self.ask(mallory, mallory.request())
        self.ask(mallory, mallory.request())
        self.dead(mallory)
        mallory = RekeyMallory()
        mallory.wait(80)
        self.ask(mallory, mallory.request())
        mallory.listen_rekey()
        self.ask(mallory, mallory.request(epoch=2))
        self.dead(mallory)


def lp(value: bytes) -> bytes:
    """u32 length, then the value."""
    return len(value).to_bytes(4, "big") + value


class RekeyMallory(Mallory):
    """Hears the victim's KEY_SWITCH in time: what follows it is under other keys."""

    def listen_rekey(self) -> None:
        """The victim's REKEY_RSP and KEY_SWITCH, record by record."""
        connection = self.side.connection
        while (data := connection.data_to_send(self.now)) is not None:
            whole = bytearray(data)
            connection.taken(len(data), self.now)
            view = memoryview(whole)
            self.opener.body_bytes(view[:20], 1 << 20)
            new = self._frames(bytes(self.opener.open_body(view[:20], view[20:])))
            self.seen += new
            if frames.KEY_SWITCH in [kind for kind, *_ in new]:
                self.take_answer()
                self.switch_hearing()
        self.side.meet()

    def seen_kind(self, kind: int) -> list[int]:
        """The frames of that type that were heard so far."""
        return [one for one, *_ in self.seen if one == kind]


class Row20SwitchTests(SessionReactionTestCase):
    """KEY_SWITCH: in turn, last in its record, once."""

    def asked(self) -> RekeyMallory:
        """The victim has asked, and Mallory has its request."""
        mallory = RekeyMallory()
        mallory.wait(80)
        mallory.open(1)
        mallory.side.session.rekey.request(mallory.now)
        mallory.listen()
        return mallory

    def request_of(self, mallory: Mallory) -> bytes:
        """The payload of the victim's REKEY_REQ."""
        return next(data for kind, data in mallory.long_seen if kind == frames.REKEY_REQ)

    def test_before_any_request(self) -> None:
        mallory = waited()
        mallory.say(SWITCH)
        self.dead(mallory)

    def test_before_the_response(self) -> None:
        mallory = self.asked()
        mallory.say(SWITCH)
        self.dead(mallory)

    def test_by_the_requester_before_it_can_have_the_response(self) -> None:
        mallory = waited()
        mallory.raw(mallory.record(mallory.long(frames.REKEY_REQ, mallory.request())) + mallory.record(SWITCH))
        self.dead(mallory)

    def test_a_good_response_and_switch(self) -> None:
        mallory = self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory))), SWITCH)
        mallory.switch_sending()
        mallory.say(mallory.message(1, b"under the next key"))
        self.assertEqual(mallory.side.messages, [b"under the next key"])
        self.assertEqual(mallory.listen()[-1][0], frames.KEY_SWITCH)
        self.assertEqual([event.epoch for event in mallory.side.of(Rekeyed)], [1])

    def test_twice(self) -> None:
        mallory = self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory))), SWITCH)
        mallory.switch_sending()
        mallory.say(SWITCH)
        self.dead(mallory)

    def test_not_last_in_its_record(self) -> None:
        """Padding may follow, nothing else; whatever would follow is not delivered."""
        mallory = self.asked()
        response = mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory)))
        mallory.say(response, SWITCH, mallory.message(1, b"behind it"))
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)
        mallory = self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory))), SWITCH, b"\0\xff\xff")
        self.assertIsNone(mallory.side.end)

    def test_not_empty(self) -> None:
        mallory = self.asked()
        response = mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory)))
        mallory.say(response, frames.frame(frames.KEY_SWITCH, b"\0"))
        self.dead(mallory)

    def test_records_under_the_old_key_after_it_and_under_the_next_before_it(self) -> None:
        mallory = self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory))), SWITCH)
        mallory.say(mallory.message(1, b"old key"))
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)
        mallory = self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory))))
        mallory.switch_sending()
        mallory.say(mallory.message(1, b"next key"))
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)

    def test_responses(self) -> None:
        """Without a request, twice, of another epoch, unsigned, signed as a request, over another request, bad keys."""
        mallory = waited()
        mallory.request()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(mallory.request_bytes)))
        self.dead(mallory)
        for changes in (
            {"epoch": 0}, {"epoch": 2}, {"signature": b""}, {"signature": bytes(64)}, {"share": bytes(32)},
            {"share": bytes(31)}, {"ciphertext": bytes(1087)}, {"ciphertext": bytes(1089)}, {"ciphertext": b""},
        ):  # fmt: skip
            mallory = self.asked()
            answer = mallory.answer(self.request_of(mallory), **changes)
            mallory.say(mallory.long(frames.REKEY_RSP, answer))
            self.assertEqual(mallory.listen(), [], changes)
            self.dead(mallory, changes)
        mallory = self.asked()
        answer = mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(mallory)))
        mallory.say(answer, answer)
        self.dead(mallory)

    def test_a_response_to_another_request(self) -> None:
        mallory, other = self.asked(), self.asked()
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(self.request_of(other))))
        self.assertEqual(mallory.listen(), [])
        self.dead(mallory)

    def test_a_replaced_ciphertext_gives_other_keys_and_no_plaintext(self) -> None:
        """Implicit rejection, properly signed: the switch happens, and the next record does not open."""
        mallory = self.asked()
        answer = mallory.answer(self.request_of(mallory), ciphertext=bytes(1088))
        mallory.say(mallory.long(frames.REKEY_RSP, answer), SWITCH)
        mallory.switch_sending()
        mallory.listen()
        mallory.say(mallory.message(1, b"?"))
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)


class Row20CrossingTests(SessionReactionTestCase):
    """Both ask at once: the session initiator's request stands, the other is dropped without answer."""

    def test_two_honest_sides(self) -> None:
        for chunk in (1 << 30, 1):
            pair = Pair().advance(100)
            for owner in pair.sides:
                owner.session.rekey.request(pair.now)
            pair.pump(chunk)
            self.assertEqual([owner.session.key_epoch for owner in pair.sides], [1, 1])
            self.assertEqual([owner.end for owner in pair.sides], [None, None])

    def crossed(self, *, victim_initiates: bool) -> RekeyMallory:
        """The victim has asked, and Mallory's own request arrives."""
        mallory = RekeyMallory(victim_initiates=victim_initiates)
        mallory.wait(80)
        mallory.side.session.rekey.request(mallory.now)
        mallory.listen()
        mallory.say(mallory.long(frames.REKEY_REQ, mallory.request()))
        return mallory

    def test_the_initiator_gives_no_answer(self) -> None:
        mallory = self.crossed(victim_initiates=True)
        self.assertEqual((mallory.listen(), mallory.side.end), ([], None))
        mallory.say(mallory.long(frames.REKEY_REQ, mallory.request()))
        self.dead(mallory, "once is a crossing, twice is not")

    def test_the_responder_drops_its_own(self) -> None:
        mallory = self.crossed(victim_initiates=False)
        request = next(data for kind, data in mallory.long_seen if kind == frames.REKEY_REQ)
        mallory.listen_rekey()
        self.assertEqual(len(mallory.seen_kind(frames.REKEY_RSP)), 1)
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(request)))
        self.dead(mallory, "an answer to the request that was dropped")

    def test_a_crossing_request_is_checked_where_it_stands(self) -> None:
        """At the responder it is answered, so it must be signed."""
        mallory = RekeyMallory()
        mallory.wait(80)
        mallory.side.session.rekey.request(mallory.now)
        mallory.listen()
        mallory.say(mallory.long(frames.REKEY_REQ, mallory.request(signature=bytes(64))))
        self.dead(mallory)


class Row20HardStopTests(SessionReactionTestCase):
    """A re-key that does not complete, and keys that have served their time: CLOSE(rekey failed)."""

    def kept_alive(self, mallory: Mallory, most_seconds: int) -> float:
        """Mallory says empty records until an end; how long that took."""
        begun = mallory.now
        for _ in range(most_seconds):
            if mallory.side.end is not None:
                break
            mallory.say(NOTHING)
            mallory.wait(1)
            if not mallory.side.session.rekey._switch_sent:
                mallory.listen()
        return mallory.now - begun

    def test_a_response_that_is_withheld(self) -> None:
        mallory = waited()
        mallory.side.session.rekey.request(mallory.now)
        self.assertEqual(self.kept_alive(mallory, 300), 240)
        self.closed(mallory, CloseCode.REKEY_FAILED)

    def test_a_switch_that_is_withheld(self) -> None:
        """Of either side: after the response to Mallory's request, and after hers to the victim's."""
        mallory = waited()
        mallory.say(mallory.long(frames.REKEY_REQ, mallory.request()))
        self.assertEqual(self.kept_alive(mallory, 300), 240)
        end = mallory.side.end
        self.assertEqual(end and end.code, CloseCode.REKEY_FAILED)
        mallory = waited()
        mallory.side.session.rekey.request(mallory.now)
        mallory.listen()
        request = next(data for kind, data in mallory.long_seen if kind == frames.REKEY_REQ)
        mallory.say(mallory.long(frames.REKEY_RSP, mallory.answer(request)))
        self.assertEqual(self.kept_alive(mallory, 300), 240)
        end = mallory.side.end
        self.assertEqual(end and end.code, CloseCode.REKEY_FAILED)

    def test_a_peer_that_is_not_alive_is_lost_long_before(self) -> None:
        mallory = waited()
        mallory.side.session.rekey.request(mallory.now)
        begun = mallory.now
        while mallory.side.end is None:
            mallory.listen()
            mallory.wait(1)
        self.assertLessEqual(mallory.now - begun, 81)
        self.assertEqual(mallory.side.end.reason, "path-lost")

    def test_bytes_under_one_key(self) -> None:
        """64 GiB, here 100,000 bytes: in either direction, while the re-key that was asked for is withheld."""
        worn = limited(rekey_volume_bytes=20_000, key_bytes_max=100_000)
        for receiving in (True, False):
            mallory = Mallory(settings=replace(PLAIN, limits=worn))
            mallory.open(1, stream=True)
            (channel,) = mallory.side.offered
            for _ in range(200):
                if mallory.side.end is not None:
                    break
                if receiving:
                    mallory.say(bytes(1000 - 36))
                else:
                    channel.write(bytes(900))
                    limit = frames.U64.pack(channel.sent_bytes + 100_000)
                    mallory.say(frames.frame(frames.WINDOW, limit, 1))
                mallory.listen()
            self.closed(mallory, CloseCode.REKEY_FAILED, receiving)
            session = mallory.side.session
            most = session._opener.opened_bytes if receiving else session._sealer.sealed_bytes
            self.assertTrue(100_000 <= most < 102_000, most)
            self.assertEqual(len([kind for kind, _ in mallory.long_seen if kind == frames.REKEY_REQ]), 1)

    def test_records_under_one_key(self) -> None:
        """2^32 of them, here 100."""
        worn = limited(rekey_volume_bytes=1000, key_records_max=100)
        mallory = Mallory(settings=replace(PLAIN, limits=worn))
        said = 0
        while mallory.side.end is None and said < 200:
            said += 1
            mallory.say(NOTHING)
            mallory.listen()
        self.assertEqual(said, 100)
        self.closed(mallory, CloseCode.REKEY_FAILED)

    def test_a_re_key_begins_the_count_again(self) -> None:
        often = limited(rekey_volume_bytes=20_000, key_bytes_max=100_000, rekey_floor_bytes=10_000)
        pair = Pair(replace(PLAIN, limits=often), replace(PLAIN, limits=often))
        channel = pair.alice.open(stream=True)
        for _ in range(1000):
            channel.write(bytes(1000))
            pair.pump()
        self.assertEqual([owner.end for owner in pair.sides], [None, None])
        self.assertGreater(pair.alice.session.key_epoch, 20)

    def test_the_numbers(self) -> None:
        limits = PLAIN.limits
        self.assertEqual((limits.key_bytes_max, limits.key_records_max), (64 << 30, 1 << 32))
        self.assertEqual((limits.rekey_stop_seconds, limits.rekey_floor_seconds), (240, 60))
