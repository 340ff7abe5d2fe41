"""Row 14 of docs/attacks.md: records changed, repeated, left out, moved or cut by somebody on the way."""

from __future__ import annotations

from quantumgate.wire.limits import RECORD_HEADER_BYTES
from tests.attacks.reactions import CHUNKS, WHOLE, SessionReactionTestCase
from tests.core.sessions import Mallory, Pair


def met() -> Mallory:
    """A victim with channel 1 open."""
    mallory = Mallory()
    mallory.open(1)
    mallory.listen()
    return mallory


class Row14Tests(SessionReactionTestCase):
    """No plaintext is released from the bad record on, and the end is never called clean."""

    def test_every_bit_of_a_record(self) -> None:
        size = len(met().record(bytes(12) + b"x"))
        for number in range(8 * size):
            mallory = met()
            record = bytearray(mallory.record(mallory.message(1, b"x")))
            self.assertEqual(len(record), size)
            record[number // 8] ^= 1 << number % 8
            mallory.raw(bytes(record), CHUNKS[number % 2])
            self.assertEqual(mallory.side.messages, [], number)
            self.dead(mallory, number)

    def test_a_bad_header_is_noticed_before_its_body_came(self) -> None:
        mallory = met()
        record = bytearray(mallory.record(bytes(10_000)))
        record[3] ^= 1
        mallory.raw(bytes(record[:RECORD_HEADER_BYTES]))
        self.dead(mallory)

    def test_twice(self) -> None:
        for chunk in CHUNKS:
            mallory = met()
            record = mallory.record(mallory.message(1, b"once"))
            mallory.raw(record + record, chunk)
            self.assertEqual(mallory.side.messages, [b"once"])
            self.dead(mallory)

    def test_left_out(self) -> None:
        mallory = met()
        mallory.record(mallory.message(1, b"dropped on the way"))
        mallory.raw(mallory.record(mallory.message(1, b"after it")))
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)

    def test_in_another_order(self) -> None:
        mallory = met()
        first, second, third = (mallory.record(mallory.message(1, bytes([n]))) for n in range(3))
        mallory.raw(first + third + second)
        self.assertEqual(mallory.side.messages, [b"\0"])
        self.dead(mallory)

    def test_header_and_body_of_different_records(self) -> None:
        mallory = met()
        first, second = (mallory.record(mallory.message(1, text)) for text in (b"one", b"two"))
        mallory.raw(first[:RECORD_HEADER_BYTES] + second[RECORD_HEADER_BYTES:])
        self.assertEqual(mallory.side.messages, [])
        self.dead(mallory)

    def test_sent_back_to_where_it_came_from(self) -> None:
        pair = Pair()
        pair.alice.session.ping(pair.now)
        data = pair.alice.connection.data_to_send(pair.now)
        assert data is not None
        pair.alice.connection.receive(bytes(data), pair.now)
        pair.alice.meet()
        end = pair.alice.end
        self.assertEqual(end and (end.reason, end.clean), ("damaged", False))

    def test_bytes_put_in_and_taken_out(self) -> None:
        for at in (0, 19, 20, 21, 40):
            for change in (lambda r, at: r[:at] + b"\0" + r[at:], lambda r, at: r[:at] + r[at + 1 :]):
                mallory = met()
                record = mallory.record(mallory.message(1, bytes(50)))
                mallory.raw(change(record, at) + mallory.record(mallory.message(1, bytes(500))))
                self.assertEqual(mallory.side.messages, [], at)
                self.dead(mallory, at)

    def test_what_stood_before_the_bad_record_is_delivered_and_nothing_behind_it(self) -> None:
        for chunk in CHUNKS:
            mallory = met()
            good, bad, late = (bytearray(mallory.record(mallory.message(1, text))) for text in (b"1", b"2", b"3"))
            bad[25] ^= 1
            mallory.raw(bytes(good + bad + late), chunk)
            self.assertEqual(mallory.side.messages, [b"1"])
            self.dead(mallory)

    def test_cut_at_any_byte(self) -> None:
        size = len(met().record(bytes(12) + b"half"))
        for at in range(size + 1):
            mallory = met()
            mallory.raw(mallory.record(mallory.message(1, b"half"))[:at])
            mallory.side.connection.eof(mallory.now)
            mallory.side.meet()
            end = mallory.side.end
            self.assertEqual(end and (end.reason, end.clean, end.by), ("lost", False, "transport"), at)
            self.assertEqual(mallory.side.messages, [b"half"] if at == size else [], at)
            self.assertTrue(mallory.side.connection.finished)

    def test_the_end_of_the_transport_without_close(self) -> None:
        """Also where channels are at rest, and where this side had begun to close and heard no answer."""
        mallory = met()
        (channel,) = mallory.side.offered
        mallory.side.connection.eof(mallory.now)
        mallory.side.meet()
        (reason,) = mallory.side.ends[id(channel)]
        self.assertEqual((type(reason).__name__, reason.code), ("SessionClosed", None))
        mallory = met()
        channel = mallory.side.open(stream=True)
        channel.write(bytes(200_000))
        mallory.listen()
        mallory.side.connection.close(now=mallory.now)
        mallory.side.connection.eof(mallory.now)
        mallory.side.meet()
        end = mallory.side.end
        self.assertEqual(end and (end.reason, end.clean), ("lost", False))

    def test_dead_is_dead(self) -> None:
        """Nothing is sent any more, whatever the own side wants; the peer's FIN ends the wait."""
        mallory = met()
        (offered,) = mallory.side.offered
        ours = mallory.side.open(stream=True)
        ours.write(b"never sent")
        mallory.raw(bytes(RECORD_HEADER_BYTES))
        self.assertEqual([len(mallory.side.ends[id(one)]) for one in (offered, ours)], [1, 1])
        session, connection = mallory.side.session, mallory.side.connection
        session.ping(mallory.now)
        session.set_extenders(())
        connection.close(now=mallory.now)
        self.assertEqual((mallory.listen(), session.channels, connection.finished), ([], {}, False))
        connection.eof(mallory.now)
        self.assertTrue(connection.finished)

    def test_how_long_a_dead_one_reads_on_does_not_tell_what_was_wrong(self) -> None:
        """The moment is drawn; with the same luck it is the same, whatever came and wherever it was cut."""
        deadlines = set()
        for at in (0, 20, 40):
            for chunk in CHUNKS:
                mallory = met()
                record = bytearray(mallory.record(mallory.message(1, bytes(100))))
                record[at] ^= 1
                mallory.raw(bytes(record), chunk)
                deadlines.add(mallory.side.connection.deadline())
        mallory = met()
        mallory.say(b"\x7f" + bytes(7), chunk=WHOLE)
        deadlines.add(mallory.side.connection.deadline())
        self.assertEqual(len(deadlines), 1)
