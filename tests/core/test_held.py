"""What one connection holds for its peer, counted from what is there anyway; nothing is left over when it was taken."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.held import held_bytes
from quantumgate.core.session_settings import SessionSettings
from quantumgate.wire import frames, link_frames
from quantumgate.wire.compressed import deflate
from quantumgate.wire.limits import MESSAGE_CREDIT_BYTES, MIB
from tests.core.handshake.duel import Duel
from tests.core.relay.tower import brought
from tests.core.sessions import ECHO, PLAIN, Mallory, Pair

PACKED = SessionSettings(extenders=(ECHO,), padding="off")


class HeldTests(SynchronousTestCase):
    def test_an_idle_session_holds_nothing(self) -> None:
        pair = Pair()
        self.assertEqual([held_bytes(owner.connection) for owner in pair.sides], [0, 0])
        pair.alice.open(stream=True)
        pair.pump()
        self.assertEqual([held_bytes(owner.connection) for owner in pair.sides], [0, 0])

    def test_what_waits_to_be_sent(self) -> None:
        pair = Pair()
        channel = pair.alice.open(stream=True)
        pair.pump()
        channel.write(bytes(MIB))
        self.assertEqual(held_bytes(pair.alice.connection), MIB)
        pair.pump()
        self.assertEqual(held_bytes(pair.alice.connection), 0)

    def test_what_the_transport_does_not_take(self) -> None:
        pair = Pair()
        pair.alice.open(stream=True).write(bytes(50_000))
        self.assertIsNotNone(pair.alice.connection.data_to_send(pair.now))
        self.assertGreaterEqual(held_bytes(pair.alice.connection), 50_000)

    def test_bytes_that_nobody_took(self) -> None:
        mallory = Mallory(accepting=False)
        mallory.open(1, stream=True)
        mallory.say(frames.frame(frames.MSG, bytes(60_000), 1))
        self.assertEqual(held_bytes(mallory.side.connection), 60_000)
        mallory.side.offered[0].accept()
        self.assertEqual(held_bytes(mallory.side.connection), 0)

    def test_messages_that_nobody_took_and_parts_of_one(self) -> None:
        mallory = Mallory(accepting=False)
        mallory.open(1)
        for _ in range(3):
            mallory.say(mallory.message(1, bytes(1000)))
        self.assertEqual(held_bytes(mallory.side.connection), 3 * (1000 + MESSAGE_CREDIT_BYTES))
        mallory.say(frames.frame(frames.MSG, frames.U32.pack(5000) + bytes(2000), 1, frames.FIRST))
        self.assertGreaterEqual(held_bytes(mallory.side.connection), 3 * 1000 + 2000)

    def test_a_message_in_hand_counts_as_it_is_inflated(self) -> None:
        mallory = Mallory(settings=PACKED, block=PACKED.block())
        mallory.side.on_offer = self._holding
        mallory.open(1)
        raw = bytes(200_000)
        packed = deflate(raw)
        assert packed is not None
        mallory.say(mallory.message(1, packed, frames.WHOLE | frames.COMPRESSED))
        self.assertEqual(held_bytes(mallory.side.connection), len(raw))
        mallory.side.offered[0].release()
        self.assertEqual(held_bytes(mallory.side.connection), 0)

    def _holding(self, channel: object) -> None:
        channel.on_message = lambda message: False  # type: ignore[attr-defined]
        channel.accept()  # type: ignore[attr-defined]

    def test_a_record_under_way(self) -> None:
        mallory = Mallory()
        record = mallory.record(frames.frame(frames.PING, bytes(8)))
        mallory.raw(record[:-1])
        self.assertGreater(held_bytes(mallory.side.connection), 0)
        mallory.raw(record[-1:])
        mallory.listen()
        self.assertEqual(held_bytes(mallory.side.connection), 0)

    def test_links(self) -> None:
        mallory, link = brought()
        link.hear(lambda data: None)
        mallory.say(frames.frame(link_frames.LINK_DATA, bytes(700), 1))
        self.assertEqual(held_bytes(mallory.side.connection), 700)
        link.consumed(700)
        self.assertEqual(held_bytes(mallory.side.connection), 0)

    def test_a_session_that_was_ended_holds_nothing(self) -> None:
        mallory = Mallory(accepting=False)
        mallory.open(1, stream=True)
        mallory.say(frames.frame(frames.MSG, bytes(60_000), 1))
        mallory.side.connection.close(8, now=mallory.now, graceful=False)
        mallory.listen()
        self.assertEqual(held_bytes(mallory.side.connection), 0)

    def test_a_handshake_is_counted_elsewhere(self) -> None:
        self.assertIsNone(Duel().responder.outcome)
        self.assertEqual(held_bytes(Pair(PLAIN, PLAIN).bob.connection), 0)
