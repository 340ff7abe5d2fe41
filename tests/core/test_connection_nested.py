"""Connections whose transport is memory: records sealed into another's bytes, and opened where they arrived."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.buffers import BufferPool
from quantumgate.wire.limits import KIB
from tests.core.sessions import PLAIN, START, Owner, Pair

CELLS = PLAIN.in_cells(0)
CELL_BYTES = 16_384
SAID = bytes(range(256)) * 400


def streaming(data: bytes = SAID) -> Pair:
    """Two sessions in cells; alice has something to say on a stream that bob has accepted."""
    pair = Pair(CELLS, CELLS)
    channel = pair.alice.open(stream=True)
    pair.pump()
    channel.write(data)
    return pair


def heard(owner: Owner) -> bytes:
    return b"".join(map(bytes, owner.streamed.values()))


def sealed(owner: Owner) -> bytes:
    """All that it says, one record after the other in a place of its own."""
    said, view = b"", memoryview(bytearray(CELL_BYTES))
    while size := owner.connection.seal_into(view, START):
        said += bytes(view[:size])
    return said


class SealIntoTests(SynchronousTestCase):
    def test_records_are_sealed_where_they_are_to_stand(self) -> None:
        pair = streaming()
        pair.bob.connection.receive(sealed(pair.alice), START)
        self.assertEqual(heard(pair.bob)[: len(SAID)], SAID[: 64 * KIB])
        self.assertIsNone(pair.alice.connection.data_to_send(START))
        self.assertEqual(pair.alice.connection.deadline(), pair.alice.session.deadline(), "nothing stalls")

    def test_a_place_that_is_too_short_for_some_record_gets_none(self) -> None:
        pair = streaming(b"short")
        before = pair.alice.session.records_sealed
        self.assertEqual(pair.alice.connection.seal_into(memoryview(bytearray(CELL_BYTES - 1)), START), 0)
        self.assertEqual(pair.alice.session.records_sealed, before)
        pair.pump()
        self.assertEqual(heard(pair.bob), b"short")

    def test_who_asked_with_too_little_room_is_told_of_the_next_thing(self) -> None:
        """Found with two circuits in one carrier: a PONG was never sent, and its circuit was taken for lost."""
        pair, told = streaming(b""), []
        pair.alice.session.wake()
        self.assertEqual(pair.alice.connection.seal_into(memoryview(bytearray(10)), START), 0)
        self.assertTrue(pair.alice.connection.quiet)
        pair.alice.connection.on_output = lambda: told.append("there is more")
        pair.alice.session.ping(START)
        self.assertEqual(told, ["there is more"])

    def test_what_lies_ready_goes_first(self) -> None:
        pair = streaming(b"first")
        ready = bytes(pair.alice.connection.data_to_send(START) or b"")
        self.assertEqual(sealed(pair.alice), b"")
        pair.alice.connection.taken(len(ready), START)
        pair.bob.connection.receive(ready, START)
        self.assertEqual(heard(pair.bob), b"first")

    def test_the_last_word_ends_it(self) -> None:
        pair = streaming(b"")
        pair.alice.connection.close(now=START, graceful=False)
        pair.bob.connection.receive(sealed(pair.alice), START)
        self.assertEqual((pair.bob.connection.finished, len(sealed(pair.bob))), (False, 1024))
        self.assertEqual((pair.bob.connection.finished, sealed(pair.bob)), (True, b""))


class InPlaceTests(SynchronousTestCase):
    def receive(self, pair: Pair, data: bytes, chunk: int) -> None:
        for at in range(0, len(data), chunk):
            pair.bob.connection.receive_in_place(memoryview(bytearray(data[at : at + chunk])), START)

    def test_whole_records_borrow_no_buffer(self) -> None:
        pair = streaming()
        data, lent = sealed(pair.alice), []
        self.patch(BufferPool, "borrow", lambda *_: lent.append(1))
        self.receive(pair, data, 2 * CELL_BYTES)
        self.assertEqual((heard(pair.bob), lent), (SAID[: 64 * KIB], []))

    def test_every_cut(self) -> None:
        for chunk in (1, 19, 20, 21, 36, 1000, CELL_BYTES - 1, CELL_BYTES + 1, 40_000):
            pair = streaming()
            self.receive(pair, sealed(pair.alice), chunk)
            self.assertEqual(heard(pair.bob), SAID[: 64 * KIB], chunk)

    def test_bytes_that_cannot_be_written_are_copied(self) -> None:
        pair = streaming()
        pair.bob.connection.receive_in_place(memoryview(sealed(pair.alice)), START)
        self.assertEqual(heard(pair.bob), SAID[: 64 * KIB])

    def test_damage_ends_it_and_what_follows_is_not_opened(self) -> None:
        pair = streaming()
        data = bytearray(sealed(pair.alice))
        data[CELL_BYTES + 100] ^= 1
        pair.bob.connection.receive_in_place(memoryview(data), START)
        pair.bob.connection.receive_in_place(memoryview(data[:CELL_BYTES]), START)
        pair.bob.meet()
        self.assertEqual(pair.bob.end.reason if pair.bob.end else "", "damaged")
        self.assertTrue(pair.bob.connection.discarding)
        self.assertLess(len(heard(pair.bob)), CELL_BYTES)
