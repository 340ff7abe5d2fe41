"""REACH_ASK, REACH_ANSWER and PLACES: byte by byte, and each way to get them wrong."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import PLACES_MAX
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.reach_frames import (
    REACHED,
    ReachAnswer,
    decode_ask,
    decode_places,
    encode_ask,
    encode_places,
)

FOUR, SIX = LinkEndpoint("84.20.7.153", 9999), LinkEndpoint("2600:3c01::7", 40_000)


class ReachFramesTests(SynchronousTestCase):
    def test_ask(self) -> None:
        self.assertEqual(encode_ask(9999), bytes.fromhex("270f"))
        self.assertEqual([decode_ask(encode_ask(port)) for port in (0, 9999, 65_535)], [0, 9999, 65_535])
        for wrong in (b"", b"\x01", b"\x00\x01\x02"):
            self.assertRaises(MalformedError, decode_ask, wrong)

    def test_answer(self) -> None:
        answer = ReachAnswer(REACHED, 9999, FOUR)
        self.assertEqual(answer.encode(), bytes.fromhex("01 270f 04 54140799 270f"))
        for each in (answer, ReachAnswer(3, 0, SIX)):
            self.assertEqual(ReachAnswer.decode(each.encode()), each)
        good = answer.encode()
        named = good[:3] + LinkEndpoint("h.example", 1).encode()
        for wrong in (b"", good[:-1], good[:3], b"\x04" + good[1:], good + FOUR.encode(), named):
            self.assertRaises((MalformedError, ValueError), ReachAnswer.decode, wrong)

    def test_places(self) -> None:
        for places in ((), (FOUR, SIX), (FOUR,) * PLACES_MAX):
            self.assertEqual(decode_places(encode_places(places)), places)
        for wrong in ((FOUR,) * (PLACES_MAX + 1), (LinkEndpoint("h.example", 1),)):
            self.assertRaises(MalformedError, decode_places, encode_places(wrong))
        self.assertRaises(MalformedError, decode_places, encode_places((FOUR,))[:-1])
