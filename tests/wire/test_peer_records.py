"""Peer records as bytes: one spelling each, and every other one malformed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire import limits
from quantumgate.wire import peer_records as records
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import Anchor, PeerRecord, SignedPeerRecord
from quantumgate.wire.writer import tlv


def name(number: int) -> PeerUUID:
    """A peer's UUID."""
    return PeerUUID(UUID(int=8 << 76 | 2 << 62 | number))


V4, V6, HOST = LinkEndpoint("192.0.2.7", 9999), LinkEndpoint("2001:db8::7", 1), LinkEndpoint("gate.example", 65535)
PLAIN = PeerRecord(bytes(32), b"\x01" * 33, 1_900_000_000_000, 1_900_010_000)
FULL = replace(
    PLAIN,
    capabilities=records.CAPABLE_OF_RELAY,
    endpoints=(V4, V6, HOST),
    via=(Anchor(name(1), b"f" * 32, b"voucher"), Anchor(name(2), b"g" * 32)),
    rendezvous=b"k" * 32,
    family="Möwe e.V.",
    extenders=(b"a" * 16, b"b" * 16),
    extras=((0x80, b""), (0xFE, b"later")),
)


def spelt(record: PeerRecord) -> dict[int, bytes]:
    """The TLVs of a record."""
    return dict(records._split(record.encode()))


def joined(values: dict[int, bytes]) -> bytes:
    """A record of these TLVs, in this order."""
    return b"\x01" + b"".join(tlv(kind, value) for kind, value in values.items())


class BodyTests(SynchronousTestCase):
    def test_byte_by_byte(self) -> None:
        self.assertEqual(
            PLAIN.encode().hex(),
            "01 01000020".replace(" ", "") + "00" * 32 + "02000021" + "01" * 33
            + "04000008 000001ba60d33800 05000008 00000000713fda10 06000002 0000".replace(" ", ""),
        )

    def test_back_and_forth(self) -> None:
        for record in (PLAIN, FULL, replace(PLAIN, endpoints=(V4,)), replace(PLAIN, capabilities=0xFFFF)):
            self.assertEqual(PeerRecord.decode(record.encode()), record)
        self.assertEqual((PLAIN.relay, FULL.relay), (False, True))

    def test_each_needed_part_is_needed(self) -> None:
        for kind in (records.NETWORK, records.BUNDLE, records.SEQ, records.NOT_AFTER, records.CAPABILITIES):
            values = spelt(FULL)
            del values[kind]
            self.assertRaises(MalformedError, PeerRecord.decode, joined(values))

    def test_each_exact_length_is_exact(self) -> None:
        for kind in (records.NETWORK, records.SEQ, records.NOT_AFTER, records.CAPABILITIES, records.RENDEZVOUS):
            for value in (spelt(FULL)[kind][1:], spelt(FULL)[kind] + b"\0", b""):
                self.assertRaises(MalformedError, PeerRecord.decode, joined({**spelt(FULL), kind: value}))

    def test_an_empty_part_is_another_spelling(self) -> None:
        for kind in (records.ENDPOINTS, records.VIA, records.FAMILY, records.EXTENDERS):
            self.assertRaises(MalformedError, PeerRecord.decode, joined({**spelt(FULL), kind: b""}))

    def test_order_doubles_and_unknown_types(self) -> None:
        whole = PLAIN.encode()
        for more in (tlv(records.CAPABILITIES, b"\0\0"), tlv(records.SEQ, bytes(8)), tlv(0x0C, b""), tlv(0x7F, b"x"),
                     tlv(0xFF, b"x"), tlv(0x80, b"") * 2, tlv(0x81, b"") + tlv(0x80, b"")):
            self.assertRaises(MalformedError, PeerRecord.decode, whole + more)

    def test_a_delegation_stands_behind_the_bundle(self) -> None:
        """Any bytes here: what they say is for the judge. An empty one is another spelling of none."""
        delegated = replace(FULL, delegation=b"said by the root")
        self.assertEqual(PeerRecord.decode(delegated.encode()), delegated)
        self.assertEqual(joined(dict(sorted({**spelt(PLAIN), records.DELEGATION: b"x"}.items()))),
                         replace(PLAIN, delegation=b"x").encode())
        behind = joined(spelt(PLAIN)) + tlv(records.DELEGATION, b"x")
        for data in (behind, joined(dict(sorted({**spelt(PLAIN), records.DELEGATION: b""}.items())))):
            self.assertRaises(MalformedError, PeerRecord.decode, data)

    def test_formats(self) -> None:
        for first in (b"", b"\x00", b"\x02"):
            self.assertRaises(MalformedError, PeerRecord.decode, first + PLAIN.encode()[1:] if first else b"")

    def test_counts(self) -> None:
        """Each list to its last element and one further."""
        addresses = [LinkEndpoint(f"192.0.2.{n}", 9999) for n in range(limits.PEER_RECORD_ENDPOINTS + 1)]
        anchors = [Anchor(name(n), bytes(32)) for n in range(limits.PEER_RECORD_VIA + 1)]
        hashes = [bytes([n]) * 16 for n in range(limits.PEER_RECORD_EXTENDERS + 1)]
        family = "f" * (limits.PEER_RECORD_FAMILY_BYTES + 1)
        many: dict[str, Any] = {"endpoints": tuple(addresses), "via": tuple(anchors), "extenders": tuple(hashes),
                                "family": family}
        for field, value in many.items():
            fits = replace(PLAIN, **{field: value[:-1]})
            self.assertEqual(PeerRecord.decode(fits.encode()), fits, field)
            self.assertRaises(MalformedError, PeerRecord.decode, replace(PLAIN, **{field: value}).encode())

    def test_what_says_one_thing_twice(self) -> None:
        for change in ({"endpoints": (V4, V4)}, {"via": (FULL.via[0], replace(FULL.via[0], voucher=b""))},
                       {"extenders": (b"b" * 16, b"a" * 16)}, {"extenders": (b"a" * 16,) * 2}):
            self.assertRaises(MalformedError, PeerRecord.decode, replace(PLAIN, **change).encode())

    def test_endpoints_have_one_spelling(self) -> None:
        """An address in the clothes of a name would be a second spelling of it; port 0 is no place."""
        as_name = b"\x01\x09192.0.2.7\x27\x0f"
        for value in (as_name, b"\x04\xc0\x00\x02\x07\x00\x00", b"\x05" + bytes(6)):
            values = sorted({**spelt(PLAIN), records.ENDPOINTS: value}.items())
            self.assertRaises(MalformedError, PeerRecord.decode, joined(dict(values)))

    def test_families_and_anchors(self) -> None:
        for kind, value in ((records.FAMILY, b"\xff"), (records.FAMILY, b"a\nb"),
                            (records.VIA, UUID(int=4 << 76 | 2 << 62).bytes + bytes(34))):
            values = sorted({**spelt(PLAIN), kind: value}.items())
            self.assertRaises(MalformedError, PeerRecord.decode, joined(dict(values)))

    def test_every_cut_is_malformed(self) -> None:
        whole = FULL.encode()
        legal = {len(replace(FULL, **change).encode()) for change in (
            {"extras": ()}, {"extras": FULL.extras[:1]}, {"extras": (), "extenders": ()},
            {"extras": (), "extenders": (), "family": ""},
            {"extras": (), "extenders": (), "family": "", "rendezvous": b""},
            {"extras": (), "extenders": (), "family": "", "rendezvous": b"", "via": ()},
            {"extras": (), "extenders": (), "family": "", "rendezvous": b"", "via": (), "endpoints": ()},
        )}
        for size in set(range(len(whole))) - legal:
            self.assertRaises(MalformedError, PeerRecord.decode, whole[:size])


class SignedTests(SynchronousTestCase):
    SIGNED = SignedPeerRecord(FULL, FULL.encode(), b"s" * 64)

    def test_back_and_forth(self) -> None:
        self.assertEqual(SignedPeerRecord.decode(self.SIGNED.encode()), self.SIGNED)

    def test_every_cut_and_an_extra_byte(self) -> None:
        whole = self.SIGNED.encode()
        for size in range(len(whole)):
            self.assertRaises(MalformedError, SignedPeerRecord.decode, whole[:size])
        self.assertRaises(MalformedError, SignedPeerRecord.decode, whole + b"\0")
        self.assertRaises(MalformedError, SignedPeerRecord.decode, FULL.encode() + tlv(0xFF, b""))
        self.assertRaises(MalformedError, SignedPeerRecord.decode, FULL.encode() + tlv(0xFF, b"s") * 2)

    def test_sixteen_kib_and_not_a_byte_more(self) -> None:
        most = limits.PEER_RECORD_DELEGATED_BYTES - len(FULL.encode()) - 4
        for extra in (0, 1, 70 * limits.KIB):
            data = FULL.encode() + tlv(0xFF, b"s" * (most + extra))
            if extra:
                self.assertRaises(MalformedError, SignedPeerRecord.decode, data)
            else:
                self.assertEqual(len(SignedPeerRecord.decode(data).encode()), limits.PEER_RECORD_DELEGATED_BYTES)

    @given(st.integers(0, len(SIGNED.encode()) - 1), st.binary(max_size=6), st.integers(0, 40))
    def test_whatever_is_read_is_spelt_the_same(self, at: int, put: bytes, gone: int) -> None:
        whole = self.SIGNED.encode()
        data = whole[:at] + put + whole[at + gone :]
        try:
            read = SignedPeerRecord.decode(data)
        except MalformedError:
            return
        self.assertEqual((read.encode(), read.record.encode()), (data, read.body))

    @given(st.binary(max_size=300))
    def test_anything_is_read_or_malformed(self, data: bytes) -> None:
        try:
            read = SignedPeerRecord.decode(b"\x01" + data)
        except MalformedError:
            return
        self.assertEqual(read.encode(), b"\x01" + data)
