"""Sizes on the wire: at least 256 bytes, PADME above, the three sizes of bulk as they are, never above max_record."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.padding import padded_body_bytes
from quantumgate.wire.limits import BULK_WIRE_BYTES, PADME_FLOOR_BYTES, RECORD_OVERHEAD_BYTES
from quantumgate.wire.padme import padme
from tests.core.sessions import PLAIN, Pair, replace

MOST = 1 << 20
PADDED = replace(PLAIN, padding="padme")


def wire(body: int, most: int = MOST) -> int:
    """The whole record."""
    return padded_body_bytes(body, most) + RECORD_OVERHEAD_BYTES


class SizeTests(SynchronousTestCase):
    """docs/spec/records.md, section 5."""

    def test_floor(self) -> None:
        floor = PADME_FLOOR_BYTES - RECORD_OVERHEAD_BYTES
        self.assertEqual([wire(n) for n in (1, floor - 1, floor)], [PADME_FLOOR_BYTES] * 3)
        self.assertEqual(wire(floor + 1), padme(PADME_FLOOR_BYTES + 1))

    def test_bulk_stays(self) -> None:
        for size in BULK_WIRE_BYTES:
            self.assertEqual(wire(size - RECORD_OVERHEAD_BYTES), size)

    def test_every_size_is_a_bucket_or_the_most(self) -> None:
        most = 16_384 - RECORD_OVERHEAD_BYTES
        for body in range(1, most + 1, 7):
            size = wire(body, most)
            self.assertTrue(size == padme(size) or size == most + RECORD_OVERHEAD_BYTES, body)
            self.assertTrue(body + RECORD_OVERHEAD_BYTES <= size <= 16_384, body)

    def test_never_above_the_most_nor_below_what_there_is(self) -> None:
        self.assertEqual(padded_body_bytes(100, 150), 150)
        self.assertEqual(padded_body_bytes(1000, 1001), 1001)
        self.assertEqual(padded_body_bytes(1000, 1000), 1000)


class OnTheWireTests(SynchronousTestCase):
    """What a session with padding sends."""

    def test_records_of_small_messages_have_one_length(self) -> None:
        pair = Pair(PADDED, PADDED)
        channel = pair.alice.open()
        sizes = set()
        for size in (0, 1, 10, 100):
            channel.send(bytes(size))
            data = pair.alice.connection.data_to_send(pair.now)
            assert data is not None
            sizes.add(len(data))
            pair.pump()
        self.assertEqual(sizes, {PADME_FLOOR_BYTES})
        self.assertEqual([len(m) for m in pair.bob.messages], [0, 1, 10, 100])

    def test_the_padding_of_a_used_buffer_is_zero(self) -> None:
        """Nothing of an earlier record goes out as padding."""
        pair = Pair(PADDED, PADDED)
        channel = pair.alice.open(stream=True)
        channel.write(b"\xaa" * 60_000)
        pair.pump()
        bodies: list[bytes] = []
        process = pair.bob.session.incoming.process
        pair.bob.session.incoming = Listening(process, bodies)  # type: ignore[assignment]
        channel.write(b"b" * 300)
        pair.pump()
        self.assertTrue(bodies and bodies[0][8:308] == b"b" * 300)
        self.assertEqual(set(bodies[0][308:]), {0})


class Listening:
    """Keeps bodies on their way."""

    def __init__(self, process: object, bodies: list[bytes]) -> None:
        self._process, self._bodies = process, bodies

    def process(self, body: memoryview) -> None:
        self._bodies.append(bytes(body))
        self._process(body)  # type: ignore[operator]
