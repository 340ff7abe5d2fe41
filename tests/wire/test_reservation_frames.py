"""RESERVE and RESERVED: byte by byte, and each way to get them wrong."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.signatures import KINDS
from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import RENDEZVOUS_KEY_BYTES
from quantumgate.wire.link_frames import RelayTerms
from quantumgate.wire.reservation_frames import SIGNATURE_BYTES_MAX, Grant, decode_reserve, voucher_content

GRANT = Grant(0x6B49D200, RelayTerms(1, 2, 3), b"s" * 64)


class ReservationFrameTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        head = "00 00 00 00 6b 49 d2 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 03"
        self.assertEqual(GRANT.encode(), bytes.fromhex(head.replace(" ", "")) + b"s" * 64)
        self.assertEqual(Grant(0).encode(), bytes(28))

    def test_back_and_forth(self) -> None:
        for grant in (GRANT, Grant(0), Grant(1, RelayTerms(), b"s" * SIGNATURE_BYTES_MAX)):
            self.assertEqual(Grant.decode(grant.encode()), grant)
        self.assertEqual(decode_reserve(b"k" * RENDEZVOUS_KEY_BYTES), b"k" * RENDEZVOUS_KEY_BYTES)

    def test_what_is_none(self) -> None:
        for size in (0, RENDEZVOUS_KEY_BYTES - 1, RENDEZVOUS_KEY_BYTES + 1):
            self.assertRaises(MalformedError, decode_reserve, bytes(size))
        whole = GRANT.encode()
        for data in (b"", whole[:27], whole[:28], bytes(28) + b"s", bytes(27) + b"\x01",
                     whole + b"s" * (SIGNATURE_BYTES_MAX - 63)):
            self.assertRaises(MalformedError, Grant.decode, data)

    def test_every_signature_fits(self) -> None:
        self.assertEqual(max(kind.signature_bytes for kind in KINDS.values()), SIGNATURE_BYTES_MAX)

    def test_a_voucher_names_both_and_the_terms(self) -> None:
        one, other = PeerUUID(UUID(int=1)), PeerUUID(UUID(int=2))
        self.assertEqual(voucher_content(one, other, GRANT), one.bytes + other.bytes + GRANT.encode()[:28])

    @given(st.binary(max_size=120))
    def test_anything_is_read_or_malformed(self, data: bytes) -> None:
        try:
            grant = Grant.decode(data)
        except MalformedError:
            return
        self.assertEqual(grant.encode(), data)
