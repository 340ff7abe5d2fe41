"""Frames of links: each form back and forth, and each way to get it wrong."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import LINK_ENDPOINTS_MAX, LINK_NAME_BYTES, PEER_RECORD_DELEGATED_BYTES
from quantumgate.wire.link_frames import (
    PROOF_BYTES,
    LinkEndpoint,
    LinkTarget,
    RelayTerms,
    decode_close,
    decode_status,
    encode_status,
)

WHO = PeerUUID(UUID("10111213-1415-8617-9819-1a1b1c1d1e1f"))
V4, V6, NAME = LinkEndpoint("192.0.2.7", 9999), LinkEndpoint("2001:db8::7", 1), LinkEndpoint("gate.example", 65535)


class TargetTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        self.assertEqual(
            LinkTarget(WHO, (V4, V6, NAME)).encode().hex(" "),
            "01 10 11 12 13 14 15 86 17 98 19 1a 1b 1c 1d 1e 1f"
            " 04 c0 00 02 07 27 0f"
            " 06 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 07 00 01"
            " 01 0c 67 61 74 65 2e 65 78 61 6d 70 6c 65 ff ff",
        )

    def test_back_and_forth(self) -> None:
        for endpoints in ((V4,), (V6, NAME), (V4,) * LINK_ENDPOINTS_MAX, (LinkEndpoint("a" * LINK_NAME_BYTES, 1),)):
            target = LinkTarget(WHO, endpoints)
            self.assertEqual(LinkTarget.decode(target.encode()), target)
        self.assertEqual([one.is_name for one in (V4, V6, NAME)], [False, False, True])

    def test_every_cut_and_every_extra_byte(self) -> None:
        whole = LinkTarget(WHO, (V4, V6, NAME)).encode()
        legal = {17 + 7, 17 + 7 + 19, len(whole)}
        for size in range(len(whole)):
            if size not in legal:
                self.assertRaises(MalformedError, LinkTarget.decode, whole[:size])
        for extra in range(256):
            self.assertRaises(MalformedError, LinkTarget.decode, whole + bytes((extra,)))

    def test_what_is_no_target(self) -> None:
        one = LinkTarget(WHO, (V4,)).encode()
        nine = LinkTarget(WHO, (V4,) * LINK_ENDPOINTS_MAX).encode() + V4.encode()
        version4 = one[:7] + b"\x46" + one[8:]
        for data in (b"", one[:17], b"\x04" + one[1:], b"\x03" + one[1:], nine, version4):
            self.assertRaises(MalformedError, LinkTarget.decode, data)

    def test_a_reservation(self) -> None:
        target = LinkTarget(WHO, proof=b"p" * PROOF_BYTES)
        whole = target.encode()
        self.assertEqual(whole, b"\x03" + WHO.bytes + b"p" * PROOF_BYTES)
        self.assertEqual(LinkTarget.decode(whole), target)
        self.assertNotIn("p" * 8, repr(target))
        for data in (whole[:-1], whole + b"p", whole[:17], whole[:7] + b"\x46" + whole[8:]):
            self.assertRaises(MalformedError, LinkTarget.decode, data)

    def test_a_record(self) -> None:
        """As it comes, unread; no more bytes than the largest record has, and one at least."""
        for size in (1, PEER_RECORD_DELEGATED_BYTES):
            target = LinkTarget(WHO, record=b"r" * size)
            whole = target.encode()
            self.assertEqual(whole, b"\x02" + WHO.bytes + b"r" * size)
            self.assertEqual(LinkTarget.decode(whole), target)
            self.assertNotIn("rrr", repr(target))
        for data in (whole + b"r", whole[:17], whole[:7] + b"\x46" + whole[8:]):
            self.assertRaises(MalformedError, LinkTarget.decode, data)

    def test_names_that_are_none(self) -> None:
        head = LinkTarget(WHO, (V4,)).encode()[:17]
        for name in (b"", b"a b", b"a/b", b"a:b", "ä".encode(), b"\x00", b"[::1]", b"a" * 254):
            endpoint = b"\x01" + bytes((len(name),)) + name + b"\x00\x01"
            self.assertRaises(MalformedError, LinkTarget.decode, head + endpoint)
        for host in ("", "a b", "[::1]", "a" * 254):
            self.assertRaises(ValueError, LinkEndpoint(host, 1).encode)

    @given(st.sampled_from(b"\x01\x02\x03"), st.binary(max_size=120))
    def test_anything_is_read_or_malformed(self, form: int, data: bytes) -> None:
        try:
            target = LinkTarget.decode(bytes((form,)) + WHO.bytes + data)
        except MalformedError:
            return
        self.assertEqual(LinkTarget.decode(target.encode()), target)


class StatusTests(SynchronousTestCase):
    def test_back_and_forth(self) -> None:
        terms = RelayTerms(1 << 40, 2 << 30, 86_400)
        self.assertEqual(decode_status(encode_status(1, terms)), (1, terms))
        self.assertEqual(decode_status(encode_status(1)), (1, RelayTerms()))
        for code in (0, 3, 5, 255):
            self.assertEqual(encode_status(code, terms), bytes((code,)))
            self.assertEqual(decode_status(bytes((code,))), (code, None))

    def test_lengths(self) -> None:
        good = encode_status(1)
        for data in (b"", b"\x01", good[:-1], good + b"\x00", b"\x05\x00"):
            self.assertRaises(MalformedError, decode_status, data)

    def test_close(self) -> None:
        self.assertEqual(decode_close(b"\x0a"), 10)
        for data in (b"", b"\x00\x00"):
            self.assertRaises(MalformedError, decode_close, data)
