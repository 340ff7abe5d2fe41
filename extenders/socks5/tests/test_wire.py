"""The format between the two sides: vectors, every split, and each field malformed (docs/WIRE.md)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st
from quantumgate_socks5 import wire
from quantumgate_socks5.destination import NOWHERE, Destination
from quantumgate_socks5.replies import Code
from quantumgate_socks5.wire import FROM_FAR, FROM_NEAR, FrameReader, Kind, MalformedLine, Offer, frame
from twisted.trial.unittest import SynchronousTestCase


def read(*pieces: bytes, kinds: frozenset[Kind] = FROM_NEAR) -> list[tuple[Kind, bytes]]:
    """What comes out, DATA joined."""
    reader, found = FrameReader(kinds), []
    for piece in pieces:
        for kind, body in reader.feed(piece):
            if kind is Kind.DATA and found and found[-1][0] is Kind.DATA:
                found[-1] = kind, found[-1][1] + body
            else:
                found.append((kind, body))
    return found


class FrameTests(SynchronousTestCase):
    """Frames."""

    def test_vectors(self) -> None:
        """Byte for byte, as a second implementation would find them."""
        name, v4, v6 = Destination("a.example", 443), Destination(IPv4Address("192.0.2.1"), 80), Destination(
            IPv6Address("2001:db8::1"), 8080
        )
        for spelled, found in (
            ("0100000d0309612e6578616d706c6501bb", frame(Kind.CONNECT, name.encode())),
            ("0200000701c00002010050", frame(Kind.BIND, v4.encode())),
            ("03000000", frame(Kind.ASSOCIATE)),
            ("04000014000420010db80000000000000000000000011f90", wire.answer(Code.GRANTED, v6)),
            ("0400000105", wire.answer(Code.REFUSED)),
            ("05000003616263", frame(Kind.DATA, b"abc")),
            ("06000000", frame(Kind.END)),
            ("0700000901c000020100506869", frame(Kind.DATAGRAM, v4.encode() + b"hi")),
            ("01070200", Offer(True, True, True, 512).encode()),
        ):
            self.assertEqual(found.hex(), spelled)

    def test_bounds_of_every_kind(self) -> None:
        """The size in the header is judged before a byte of the body is kept."""
        for kind, (least, most) in wire.SIZES.items():
            for size in (least, most):
                list(FrameReader(Kind).feed(wire.header(kind, size)))
            for size in {least - 1, most + 1, 0xFFFFFF} - {-1}:
                with self.assertRaises(MalformedLine):
                    list(FrameReader(Kind).feed(wire.header(kind, size)))

    def test_unknown_kinds(self) -> None:
        for first in {*range(256)} - {*Kind}:
            with self.assertRaises(MalformedLine):
                read(bytes((first, 0, 0, 1)), kinds=frozenset(Kind))

    def test_kinds_of_the_other_side(self) -> None:
        for kind in {*Kind} - FROM_NEAR:
            with self.assertRaises(MalformedLine):
                read(wire.header(kind, wire.SIZES[kind][0]))
        for kind in {*Kind} - FROM_FAR:
            with self.assertRaises(MalformedLine):
                read(wire.header(kind, wire.SIZES[kind][0]), kinds=FROM_FAR)

    def test_every_split(self) -> None:
        said = frame(Kind.CONNECT, b"\x03\x01a\x00\x50") + frame(Kind.DATA, b"hello") + frame(Kind.END)
        said += frame(Kind.ASSOCIATE) + frame(Kind.DATAGRAM, b"\x01\x01\x02\x03\x04\x00\x35?") + frame(Kind.END)
        whole = read(said)
        self.assertEqual([kind for kind, _ in whole], [1, 5, 6, 3, 7, 6])
        for at in range(len(said)):
            self.assertEqual(read(said[:at], said[at:]), whole)
        self.assertEqual(read(*(said[at : at + 1] for at in range(len(said)))), whole)

    def test_data_is_not_held(self) -> None:
        """A DATA frame is handed on as it comes, however large it will be."""
        reader = FrameReader(FROM_NEAR)
        self.assertEqual(list(reader.feed(wire.header(Kind.DATA, 65_536) + b"x")), [(Kind.DATA, b"x")])
        self.assertEqual(list(reader.feed(b"y" * 65_535)), [(Kind.DATA, b"y" * 65_535)])
        self.assertEqual(list(reader.feed(frame(Kind.END))), [(Kind.END, b"")])

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from(sorted(FROM_NEAR)), st.integers(0, 300)), max_size=8), st.data())
    def test_what_goes_in_comes_out(self, wanted: list[tuple[Kind, int]], data: st.DataObject) -> None:
        """Any frames within their bounds, cut anywhere."""
        frames = []
        for kind, size in wanted:
            least, most = wire.SIZES[kind]
            frames.append((kind, bytes([len(frames)]) * max(least, min(most, size))))
        said = b"".join(frame(kind, body) for kind, body in frames)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=6)))
        pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
        self.assertEqual(read(*pieces), read(said))
        self.assertEqual(
            b"".join(body for _, body in read(*pieces)), b"".join(body for _, body in frames)
        )

    @settings(max_examples=120, deadline=None)
    @given(st.lists(st.binary(max_size=60), max_size=8))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """Nothing raises but MalformedLine, and the pieces make no difference."""
        outcomes = []
        for fed in (pieces, [b"".join(pieces)]):
            try:
                outcomes.append(read(*fed))
            except MalformedLine:
                outcomes.append(None)
        self.assertEqual(outcomes[0] is None, outcomes[1] is None)


class BodyTests(SynchronousTestCase):
    """What stands in the frames."""

    def test_destinations(self) -> None:
        """Every cut, and every byte too many, is malformed; so is every unknown type."""
        for wanted in (NOWHERE, Destination(IPv6Address("::1"), 1), Destination("n" * 255, 65535), Destination("x", 0)):
            spelled = wanted.encode()
            self.assertEqual(wire.destination(spelled), wanted)
            for wrong in (*(spelled[:at] for at in range(len(spelled))), spelled + b"\0"):
                with self.assertRaises(MalformedLine):
                    wire.destination(wrong)
        for kind in {*range(256)} - {1, 3, 4}:
            with self.assertRaises(MalformedLine):
                wire.destination(bytes((kind,)) + NOWHERE.encode()[1:])
        for name in (b"\x00", b"\x02a ", b"\x02a\n", b"\x02a\xe9", b"\x02\x00a"):
            with self.assertRaises(MalformedLine):
                wire.destination(b"\x03" + name + b"\x00\x50")

    def test_answers(self) -> None:
        for code in {*Code} - {Code.GRANTED}:
            self.assertEqual(wire.parse_answer(bytes((code,))), (code, None))
            with self.assertRaises(MalformedLine):
                wire.parse_answer(bytes((code,)) + NOWHERE.encode())
        self.assertEqual(wire.parse_answer(b"\0" + NOWHERE.encode()), (Code.GRANTED, NOWHERE))
        self.assertEqual(wire.parse_answer(b"\xee"), (Code.FAILURE, None))
        long = b"\0" + NOWHERE.encode() + b"\0"
        for wrong in (b"\0", b"\0\x01\0\0\0\0\0", long, b"\0\x03\x01a\0\0", b"\0\x05" + bytes(6)):
            with self.assertRaises(MalformedLine):
                wire.parse_answer(wrong)

    def test_offers(self) -> None:
        for flags in range(8):
            offer = Offer(bool(flags & 1), bool(flags & 2), bool(flags & 4), 7)
            self.assertEqual(wire.parse_message(offer.encode()), offer)
        for kind in range(128, 256):
            self.assertIsNone(wire.parse_message(bytes((kind,)) + b"whatever"))
        sound = Offer(True, False, False, 1).encode()
        wrong = [b"", sound + b"\0", *(sound[:at] for at in range(4))]
        wrong += [bytes((kind,)) + sound[1:] for kind in range(128) if kind != 1]
        wrong += [bytes((1, flags, 0, 1)) for flags in range(8, 256)]
        for message in wrong:
            with self.assertRaises(MalformedLine):
                wire.parse_message(message)
