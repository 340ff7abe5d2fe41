"""The SESSION block: each field comes back, numbers out of range are refused, what is unknown is passed over."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire import session_tlvs as tlvs
from quantumgate.wire.limits import KIB, MAX_RECORD_RANGE_BYTES, MIB
from quantumgate.wire.session_tlvs import SessionBlock

FULL = SessionBlock(
    max_record=16 * KIB, initial_window=128 * KIB, max_channels=33, max_message=1, compression=(1, 7), padding=0,
    version=2, features=(3, 4), extenders=frozenset({UUID(int=1), UUID(int=2)}), endpoints=("a:1", "ü" * 100),
    relay=True, clock_ms=1 << 40, instance=(1 << 64) - 1, replaces=bytes(32),
    token=bytes(range(48)),
)  # fmt: skip


def tlv(kind: int, value: bytes) -> bytes:
    """One entry."""
    return bytes([kind]) + len(value).to_bytes(3, "big") + value


class SessionBlockTests(SynchronousTestCase):
    """docs/spec/session.md, section 1."""

    def refused(self, data: bytes) -> None:
        self.assertRaises(MalformedError, SessionBlock.decode, data)

    def test_comes_back(self) -> None:
        bare = replace(FULL, relay=False, instance=None, clock_ms=None, replaces=b"", token=b"")
        for block in (SessionBlock(), FULL, bare):
            self.assertEqual(SessionBlock.decode(block.encode()), block)

    def test_nothing_means_the_defaults_without_lists(self) -> None:
        self.assertEqual(SessionBlock.decode(b""), SessionBlock(compression=(), padding=0))

    def test_unknown_types_are_ignored_at_every_number(self) -> None:
        known = {
            value for name, value in vars(tlvs).items()
            if name.isupper() and isinstance(value, int) and 0x41 <= value <= 0x52
        }  # fmt: skip
        self.assertEqual(len(known), 18)
        for kind in set(range(256)) - known | {tlvs.NOISE, tlvs.RESUME}:
            self.assertEqual(SessionBlock.decode(tlv(kind, b"whatever")), SessionBlock.decode(b""))

    def test_every_cut(self) -> None:
        data = FULL.encode()
        whole = {0}
        at = 0
        while at < len(data):
            at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
            whole.add(at)
        for size in range(len(data)):
            if size not in whole:
                self.refused(data[:size])

    def test_order_and_repetition(self) -> None:
        one, two = tlv(tlvs.PADDING, b"\1"), tlv(tlvs.VERSION, b"\1")
        SessionBlock.decode(one + two)
        self.refused(two + one)
        self.refused(one + one)

    def test_fixed_lengths(self) -> None:
        sizes = dict.fromkeys(range(0x41, 0x45), 4) | {
            tlvs.PADDING: 1, tlvs.VERSION: 1, tlvs.RELAY: 1, tlvs.CLOCK: 8, tlvs.INSTANCE: 8, tlvs.REPLACES: 32,
            tlvs.TOKEN: 48, tlvs.INVITATION: 80,
        }  # fmt: skip
        for kind, size in sizes.items():
            for wrong in (0, size - 1, size + 1):
                self.refused(tlv(kind, bytes(wrong)))

    def test_ranges_are_exact(self) -> None:
        low, high = MAX_RECORD_RANGE_BYTES
        for name, value, legal in (
            ("max_record", low - 1, False), ("max_record", low, True), ("max_record", high, True),
            ("max_record", high + 1, False), ("max_message", 0, False), ("max_message", 1, True),
            ("max_message", 8 * MIB, True), ("max_message", 8 * MIB + 1, False),
            ("initial_window", 64 * KIB - 1, False), ("initial_window", 64 * KIB, True),
            ("max_channels", 31, False), ("max_channels", 32, True), ("max_channels", (1 << 32) - 1, True),
        ):  # fmt: skip
            data = replace(SessionBlock(), **{name: value}).encode()
            if legal:
                self.assertEqual(getattr(SessionBlock.decode(data), name), value)
            else:
                self.refused(data)

    def test_lists(self) -> None:
        self.refused(tlv(tlvs.COMPRESSION, bytes(3)))
        self.refused(tlv(tlvs.FEATURES, bytes(1)))
        self.refused(tlv(tlvs.EXTENDERS, bytes(15)))
        self.refused(tlv(tlvs.EXTENDERS, bytes(32)))

    def test_endpoints(self) -> None:
        most = SessionBlock(endpoints=("x",) * tlvs.ENDPOINTS_MAX)
        self.assertEqual(SessionBlock.decode(most.encode()), most)
        self.refused(SessionBlock(endpoints=("x",) * (tlvs.ENDPOINTS_MAX + 1)).encode())
        longest = "x" * tlvs.ENDPOINT_BYTES
        self.assertEqual(SessionBlock.decode(SessionBlock(endpoints=(longest,)).encode()).endpoints, (longest,))
        for torn in (b"\x02a", b"\x01", b"\x01\xff"):
            self.refused(tlv(tlvs.ENDPOINTS, torn))

    def test_an_invitation_is_found_behind_a_whole_block(self) -> None:
        proof = bytes(range(80))
        block = FULL.encode() + tlvs.invitation_tlv(proof)
        self.assertEqual(tlvs.invitation_in(block), proof)
        self.assertEqual(SessionBlock.decode(block), FULL)
        self.assertEqual(tlvs.invitation_in(block + tlv(0x90, b"of a later version")), proof)

    def test_no_invitation_where_there_is_none_or_the_block_is_torn(self) -> None:
        end = tlvs.invitation_tlv(bytes(80))
        for block in (b"", FULL.encode(), FULL.encode() + end[:-1], end + end, end[:-80]):
            self.assertEqual(tlvs.invitation_in(block), b"")
        self.assertEqual(tlvs.invitation_in(tlv(tlvs.EXTENDERS, end)), b"", "inside another value")

    def test_a_relay_says_one(self) -> None:
        for value, relay in ((0, False), (1, True), (2, False)):
            self.assertEqual(SessionBlock.decode(tlv(tlvs.RELAY, bytes([value]))).relay, relay)

    def test_a_repr_keeps_the_old_session_to_itself(self) -> None:
        self.assertNotIn("replaces", repr(FULL))
