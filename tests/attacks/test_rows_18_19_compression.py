"""Rows 18 and 19 of docs/attacks.md: compressed messages that lie, and lengths that tell a secret."""

from __future__ import annotations

import math
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable

import lz4.block

from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import DEFAULT_LIMITS, KIB, MIB
from quantumgate.wire.padme import padme
from tests.attacks.reactions import SessionReactionTestCase
from tests.core.sessions import PLAIN, Mallory, Pair, replace

SQUEEZING = replace(PLAIN, compression=True)
COMPRESSED = frames.WHOLE | frames.COMPRESSED
BOMB = bytes(255 * KIB)
"""LZ4 makes about one KiB of it."""


def spelled(raw_bytes: int, block: bytes, block_bytes: int | None = None, wire_bytes: int | None = None) -> bytes:
    """A compressed message that says these lengths."""
    told = len(block) if block_bytes is None else block_bytes
    head = frames.U32.pack(raw_bytes) + frames.U32.pack(told)
    return (head + block).ljust(padme(8 + told) if wire_bytes is None else wire_bytes, b"\0")


def packed(message: bytes) -> bytes:
    """An LZ4 block without a length of its own."""
    block: bytes = lz4.block.compress(message, store_size=False)
    return block


class Row18Tests(SessionReactionTestCase):
    """Refused with CLOSE(violation), before anything is allocated for what was only claimed."""

    def said(self, wire: bytes, settings: object = SQUEEZING, flags: int = COMPRESSED) -> tuple[Mallory, int]:
        """A victim that was sent this form of a message; how many bytes it had allocated at most."""
        mallory = Mallory(settings=settings)  # type: ignore[arg-type]
        mallory.open(1)
        mallory.listen()
        record = mallory.record(mallory.message(1, wire, flags))
        tracemalloc.start()
        try:
            mallory.raw(record)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        return mallory, peak

    def refused(self, wire: bytes, most_bytes: int = 64 * KIB, settings: object = SQUEEZING) -> None:
        """Not delivered, closed for it, and no more than ``most_bytes`` beside the record were ever needed."""
        mallory, peak = self.said(wire, settings)
        self.assertEqual(mallory.side.messages, [], wire[:16].hex())
        self.assertLess(peak, most_bytes + 4 * len(wire))
        self.closed(mallory, CloseCode.VIOLATION, wire[:16].hex())

    def test_what_is_legal_beside_all_that_is_not(self) -> None:
        for message in (b"x" * 128, b"", bytes(range(256)) * 40):
            mallory, _peak = self.said(spelled(len(message), packed(message)))
            self.assertEqual(mallory.side.messages, [message])
            self.alive(mallory)

    def test_one_kib_becomes_255(self) -> None:
        """Ratio 255, but under a MiB: legal, and it costs what it says, once more in the decoder, and no more."""
        block = packed(BOMB)
        self.assertLess(len(block), 1100)
        mallory, peak = self.said(spelled(len(BOMB), block))
        self.assertEqual(mallory.side.messages, [BOMB])
        self.assertLess(peak, 2 * len(BOMB) + 64 * KIB)

    def test_a_claim_of_one_gib(self) -> None:
        for claim in (1 << 30, (1 << 32) - 1, DEFAULT_LIMITS.max_message_bytes + 1):
            self.refused(spelled(claim, packed(BOMB)))

    def test_a_ratio_over_64_above_one_mib(self) -> None:
        large = replace(SQUEEZING, limits=replace(DEFAULT_LIMITS, max_message_bytes=4 * MIB))
        for size, fine in ((MIB, True), (MIB + 1, False), (4 * MIB, False)):
            wire = spelled(size, packed(bytes(size)))
            if fine:
                self.assertEqual(len(self.said(wire, large)[0].side.messages), 1)
            else:
                self.refused(wire, settings=large)
        noise = random.Random(1).randbytes(40_000)
        self.assertEqual(len(self.said(spelled(2_000_000, packed(noise * 50)), large)[0].side.messages), 1)

    def test_wrong_declared_sizes(self) -> None:
        message = b"the quick brown fox " * 20
        block = packed(message)
        for change in (-len(message), -1, 1, 1000):
            self.refused(spelled(len(message) + change, block))
        for told in (0, len(block) - 1, len(block) + 1, 1 << 31, (1 << 32) - 1):
            self.refused(spelled(len(message), block, told, padme(8 + len(block))))
        for wire_bytes in (8 + len(block), padme(8 + len(block)) + 1, padme(8 + len(block)) + 1000):
            if wire_bytes != padme(8 + len(block)):
                self.refused(spelled(len(message), block, wire_bytes=wire_bytes))

    def test_torn_and_damaged_blocks(self) -> None:
        message = random.Random(2).randbytes(300) * 3
        block = packed(message)
        for at in (0, 1, len(block) // 2, len(block) - 1):
            self.refused(spelled(len(message), block[:at]))
        self.refused(spelled(len(message), b"\xff" * len(block)))
        for head in range(8):
            self.refused(bytes(head))

    def test_padding_that_is_not_zero(self) -> None:
        message = random.Random(3).randbytes(149) * 2
        block = packed(message)
        wire = spelled(len(message), block)
        padding = len(wire) - 8 - len(block)
        self.assertGreater(padding, 1)
        for at in (1, padding):
            self.refused(wire[: len(wire) - at] + b"\1" + wire[len(wire) - at + 1 :])

    def test_a_channel_that_takes_none(self) -> None:
        """Where the session agreed on none, and where the channel alone says ``never``."""
        wire = spelled(200, packed(bytes(200)))
        self.refused(wire, settings=PLAIN)
        for flags in ((COMPRESSED,), (frames.FIRST | frames.COMPRESSED, frames.LAST)):
            mallory = Mallory(settings=SQUEEZING, accepting=False)
            mallory.open(1)
            (channel,) = mallory.side.offered
            channel.allow_compressed = False
            channel.accept()
            half = len(wire) // len(flags)
            mallory.say(frames.frame(frames.MSG, frames.U32.pack(len(wire)) + wire[:half], 1, flags[0]))
            if len(flags) == 2:
                mallory.say(frames.frame(frames.MSG, wire[half:], 1, flags[1]))
            self.assertEqual(mallory.side.messages, [])
            self.closed(mallory, CloseCode.VIOLATION)

    def test_never_on_a_stream(self) -> None:
        mallory = Mallory(settings=SQUEEZING)
        mallory.open(1, stream=True)
        mallory.listen()
        mallory.say(frames.frame(frames.MSG, b"x", 1, frames.COMPRESSED))
        self.dead(mallory)

    def test_bombs_wait_unopened(self) -> None:
        """Guests that are busy: what is inflated at once stays under the cap and one message more. [A21]"""
        limits = replace(DEFAULT_LIMITS, inflated_peer_bytes=1 * MIB)
        mallory = Mallory(settings=replace(SQUEEZING, limits=limits))
        mallory.side.on_offer = lambda channel: (setattr(channel, "on_message", lambda m: False), channel.accept())
        wire = spelled(len(BOMB), packed(BOMB))
        tracemalloc.start()
        try:
            for number in range(1, 201, 2):
                mallory.open(number)
                for _ in range(10):
                    mallory.say(mallory.message(number, wire, COMPRESSED))
                mallory.now += 0.01
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        self.assertLessEqual(mallory.side.session.in_hands_bytes, limits.inflated_peer_bytes + len(BOMB))
        self.assertGreater(mallory.side.session.in_hands_bytes, MIB // 2)
        self.assertLess(peak, 16 * MIB)  # 1000 of them opened would be 255 MiB
        self.assertIsNone(mallory.side.end)


SECRET = "8f14e45fceea167a5a36dedd"


def guesses(count: int) -> Iterable[tuple[int, bytes]]:
    """(how much of the secret a guess has right, a request with the guess and the secret in it), all of one length."""
    luck = random.Random(19)
    for _ in range(count):
        right = luck.randrange(len(SECRET) + 1)
        wrong = "".join(luck.choice("ghijklmnopqrstuv") for _ in range(len(SECRET) - right))
        yield right, f"GET /?q=token={SECRET[:right]}{wrong} {'-' * 200} Cookie: token={SECRET}\r\n".encode()


def mutual_information_bits(pairs: Iterable[tuple[int, int]]) -> float:
    """How many bits each half tells about the other."""
    seen = Counter(pairs)
    total = seen.total()
    left: Counter[int] = Counter()
    right: Counter[int] = Counter()
    for (a, b), count in seen.items():
        left[a] += count
        right[b] += count
    return sum(n / total * math.log2(n * total / (left[a] * right[b])) for (a, b), n in seen.items())


class Row19Tests(SessionReactionTestCase):
    """An attacker chooses a part of each message, sees the lengths of records, and guesses 10,000 times."""

    def told_bits(self, count: int, send: Callable[[Pair, bytes], bool], settings: object = SQUEEZING) -> float:
        """What the lengths on the wire tell about how good a guess was."""
        pair = Pair(settings, settings)  # type: ignore[arg-type]
        seen = []
        self.channel = pair.alice.open()
        pair.pump()
        for right, message in guesses(count):
            self.assertTrue(send(pair, message))
            seen.append((right, pair.move(pair.alice, pair.bob, 1 << 30)))
            pair.move(pair.bob, pair.alice, 1 << 30)
        self.assertEqual(len(pair.bob.messages), count)
        return mutual_information_bits(seen)

    def test_never_tells_nothing(self) -> None:
        told = self.told_bits(10_000, lambda pair, message: self.channel.send(message, compress=False))
        self.assertEqual(told, 0)

    def test_nor_does_a_session_without_compression(self) -> None:
        self.assertEqual(self.told_bits(1000, lambda pair, message: self.channel.send(message), PLAIN), 0)

    def test_auto_tells_much_as_the_page_says(self) -> None:
        """The measure sees what there is to see; PADME, on the block and on the record, coarsens it only."""
        padme_too = replace(SQUEEZING, padding="padme")
        told = self.told_bits(1000, lambda pair, message: self.channel.send(message))
        padded = self.told_bits(1000, lambda pair, message: self.channel.send(message), padme_too)
        self.assertGreater(told, 0.3)
        self.assertLessEqual(padded, told)

    def test_streams_are_never_compressed(self) -> None:
        def send(pair: Pair, message: bytes) -> bool:
            return self.stream.write(message)

        pair = Pair(SQUEEZING, SQUEEZING)
        self.stream = pair.alice.open(stream=True)
        pair.pump()
        seen = []
        for right, message in guesses(500):
            self.assertTrue(send(pair, message))
            seen.append((right, pair.move(pair.alice, pair.bob, 1 << 30)))
            pair.move(pair.bob, pair.alice, 1 << 30)
        self.assertEqual(mutual_information_bits(seen), 0)
