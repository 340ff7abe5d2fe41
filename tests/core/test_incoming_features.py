"""Frames of types that both sides agreed on: taken where they did, malformed where they did not."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Said
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.exchange_frames import PEX, PEX_GET, Told, encode_get
from quantumgate.wire.features import EXCHANGE
from quantumgate.wire.limits import CONTROL_MESSAGE_BYTES, FLOOD_BURST_FACTOR
from tests.core.sessions import PLAIN, Mallory, replace

AGREED = replace(PLAIN, features=(EXCHANGE, 999))
GET = frames.frame(PEX_GET, encode_get(8))
TOLD = Told((b"abc", b"de"))


def whole(told: Told) -> bytes:
    return frames.frame(PEX, told.encode(), flags=frames.WHOLE)


def mallory(ours: tuple[int, ...] = (EXCHANGE,), theirs: tuple[int, ...] = (EXCHANGE,), **changes: object) -> Mallory:
    """Who names ``theirs`` to a victim that names ``ours``."""
    return Mallory(settings=replace(PLAIN, features=ours), block=replace(PLAIN, features=theirs).block(),
                   **changes)  # type: ignore[arg-type]


class AgreedTests(SynchronousTestCase):
    def test_each_is_heard_with_what_it_says(self) -> None:
        for initiates in (True, False):
            peer = mallory(victim_initiates=initiates)
            peer.say(GET, whole(TOLD))
            self.assertEqual(peer.side.of(Said), [Said(PEX_GET, 8), Said(PEX, TOLD)])

    def test_a_long_one_in_pieces(self) -> None:
        peer, data = mallory(), Told((b"x" * 9000, b"y" * 9000)).encode()
        pieces = [data[:1], data[1:9999], data[9999:]]
        for flags, piece in zip((frames.FIRST, 0, frames.LAST), pieces, strict=True):
            peer.say(frames.frame(PEX, piece, flags=flags), frames.frame(frames.PING, bytes(8)))
        self.assertEqual([said.content for said in peer.side.of(Said)], [Told.decode(data)])

    def test_what_one_side_does_not_name_is_malformed(self) -> None:
        for ours, theirs in (((), (EXCHANGE,)), ((EXCHANGE,), ()), ((EXCHANGE,), (EXCHANGE + 1,)), ((), ())):
            for frame in (GET, whole(TOLD)):
                peer = mallory(ours, theirs)
                peer.say(frame)
                self.assertTrue(peer.side.connection.discarding, (ours, theirs))
                self.assertEqual(peer.side.of(Said), [])

    def test_before_session_it_is_malformed(self) -> None:
        peer = mallory(victim_initiates=True, opened=False)
        peer.say(GET)
        self.assertTrue(peer.side.connection.discarding)

    def test_who_only_carries_links_agrees_on_nothing(self) -> None:
        for role in (2, 3):
            peer = mallory(role=role)
            self.assertEqual(peer.side.session.agreed, frozenset())

    def test_who_has_no_name_agrees_on_nothing_either(self) -> None:
        """Whatever stands in its SESSION: what listens takes for granted that there is a name."""
        for nameless in ({"peer": None}, {"local": None}):
            peer = mallory(**nameless)
            self.assertEqual(peer.side.session.agreed, frozenset())
            peer.say(GET)
            self.assertEqual((peer.side.of(Said), peer.side.connection.discarding), ([], True))

    def test_nothing_is_heard_while_it_closes(self) -> None:
        peer = mallory()
        peer.side.connection.close(now=peer.now)
        peer.say(GET, whole(TOLD))
        self.assertEqual((peer.side.of(Said), peer.side.connection.discarding), ([], False))
        peer = mallory()
        peer.side.connection.close(now=peer.now)
        peer.say(frames.frame(PEX_GET, encode_get(8), channel=1))
        self.assertTrue(peer.side.connection.discarding)

    def test_shapes(self) -> None:
        for wrong in (
            frames.frame(PEX_GET, encode_get(8), channel=1), frames.frame(PEX_GET, encode_get(8), flags=1),
            frames.frame(PEX_GET, b"\0"), frames.frame(PEX_GET), frames.frame(PEX, TOLD.encode(), channel=2, flags=3),
            frames.frame(PEX, TOLD.encode()), frames.frame(PEX, TOLD.encode(), flags=frames.LAST),
            frames.frame(PEX, b"\x09", flags=frames.WHOLE), frames.frame(PEX, TOLD.encode(), flags=7),
        ):  # fmt: skip
            peer = mallory()
            peer.say(wrong)
            self.assertTrue(peer.side.connection.discarding, wrong[:20].hex())

    def test_seventy_kibibytes(self) -> None:
        """Row 24: nothing of that size is ever put together."""
        peer = mallory()
        for n in range(70):
            peer.say(frames.frame(PEX, bytes(1024), flags=0 if n else frames.FIRST))
            if n * 1024 < CONTROL_MESSAGE_BYTES - 1024:
                self.assertFalse(peer.side.connection.discarding, n)
        self.assertTrue(peer.side.connection.discarding)

    def test_each_is_a_control_frame_that_counts(self) -> None:
        burst = int(PLAIN.limits.control_frame_rate[1] * FLOOD_BURST_FACTOR) + 1
        for frame in (GET, whole(Told(()))):
            peer = mallory()
            for _ in range(burst):
                peer.say(frame)
            self.assertEqual(peer.side.end and peer.side.end.code, CloseCode.FLOOD)
