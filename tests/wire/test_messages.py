"""Handshake messages as plaintext: whole, cut at every byte, with trailing bytes, every rule of TLVs broken once."""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire.messages import (
    IN_PROOF,
    Exchange,
    Fin,
    Header,
    Init,
    KeyShare,
    Lists,
    MessageType,
    Proof,
    Refuse,
    Retry,
    Select,
    Tlv,
    pad,
    parse_tlvs,
)
from quantumgate.wire.writer import tlv

INIT = Init(Lists((1, 2), (1,), (1, 2)), KeyShare(1, b"p" * 32), KeyShare(1, b"k" * 40), b"t" * 48)
EXCHANGE = Exchange(KeyShare(1, b"p" * 32), KeyShare(2, b"c" * 40), Select(1, 2, 1))
PROOF = Proof(b"\x01bundle", b"s" * 64, b"c" * 64)
FIN = Fin(1, b"\x01bundle", b"s" * 64, b"c" * 64, b"session", ext=bytes.fromhex("0b00000101"))
NOBODY = Fin(2, b"", b"", b"c" * 64, b"", ext=bytes.fromhex("0b00000102"))
RETRY = Retry(Select(2, 1, 1))
BODIES: tuple[tuple[object, bytes, Callable[[bytes], object]], ...] = (
    (INIT, INIT.encode(-1), Init.parse),
    (EXCHANGE, EXCHANGE.encode(), Exchange.parse),
    (PROOF, PROOF.encode(-1), Proof.parse),
    (FIN, FIN.encode(-1), Fin.parse),
    (NOBODY, NOBODY.encode(-1), Fin.parse),
    (RETRY, RETRY.encode(-1), Retry.parse),
)


class HeaderTests(SynchronousTestCase):
    """16 bytes, every undefined bit refused."""

    def test_layout(self) -> None:
        header = Header(MessageType.INIT, 0x01020304, a=0x1112131415161718, flags=1)
        self.assertEqual(header.encode().hex(), "01010100" + "1112131415161718" + "01020304")
        self.assertEqual(Header.parse(header.encode()), header)

    def test_every_undefined_bit_is_refused(self) -> None:
        for kind in MessageType:
            data = Header(kind, 5).encode()
            allowed = set(range(8, 16)) | set(range(96, 128))  # version, body_len
            allowed |= set(range(32, 96)) if kind in {MessageType.INIT, MessageType.RESP} else set()
            allowed |= {23} if kind == MessageType.INIT else set()
            for bit in set(range(8, 128)) - allowed:
                broken = bytearray(data)
                broken[bit // 8] ^= 0x80 >> bit % 8
                self.assertRaises(MalformedError, Header.parse, bytes(broken))

    def test_unknown_types_and_lengths(self) -> None:
        for kind in (0, 6, 255):
            self.assertRaises(MalformedError, Header.parse, bytes([kind, 1]) + bytes(14))
        for count in (0, 15, 17):
            self.assertRaises(MalformedError, Header.parse, bytes([1, 1]).ljust(count, b"\0")[:count])


class BodyTests(SynchronousTestCase):
    """Each body: whole, every cut, trailing bytes, PAD, a reserved TLV in it."""

    def test_round_trip_with_and_without_pad(self) -> None:
        for value, data, parse in BODIES:
            self.assertEqual(parse(data), value)
            self.assertEqual(parse(data + pad(0)), value)
            self.assertEqual(parse(data + pad(2047)), value)

    def test_every_cut_and_any_trailing_byte_is_refused(self) -> None:
        for _value, data, parse in BODIES:
            for count in range(len(data)):
                self.assertRaises(MalformedError, parse, data[:count])
            self.assertRaises(MalformedError, parse, data + b"\0")
            self.assertRaises(MalformedError, parse, data + pad(0) + b"\0")

    def test_reserved_tlvs_are_refused_everywhere(self) -> None:
        for kind in (0x00, 0x04, 0x05, Tlv.COOKIE, Tlv.POW, 0x25, 0x7F):
            for _value, data, parse in BODIES:
                self.assertRaises(MalformedError, parse, insert(data, tlv(kind, b"x")))

    def test_every_tlv_once_and_ascending(self) -> None:
        for _value, data, parse in BODIES:
            parts = split(data)
            for index, part in enumerate(parts):
                self.assertRaises(MalformedError, parse, b"".join(parts[:index] + parts[index + 1 :]))
                self.assertRaises(MalformedError, parse, b"".join([*parts[:index], part, *parts[index:]]))
                if index:
                    swapped = [*parts[: index - 1], part, parts[index - 1], *parts[index + 1 :]]
                    self.assertRaises(MalformedError, parse, b"".join(swapped))

    def test_tlvs_from_0x81_are_ignored_and_hashed(self) -> None:
        extra = tlv(0x81, b"new") + tlv(0x81, b"twice") + tlv(0xFF, b"")
        tlvs = parse_tlvs(PROOF.encode(-1) + extra + pad(3), IN_PROOF)
        self.assertEqual(tlvs.ext, extra)
        self.assertEqual(Proof.parse(PROOF.encode(-1) + extra).bundle, PROOF.bundle)
        for late in (pad(1) + tlv(0x81, b""), pad(1) + pad(1), tlv(0x82, b"") + tlv(0x81, b"")):
            self.assertRaises(MalformedError, Proof.parse, PROOF.encode(-1) + late)


class FieldTests(SynchronousTestCase):
    """Values that are too long, too short, double or for something that was not offered."""

    def test_lists(self) -> None:
        for value in ("", "00", "0001000200", "00010001", "0001" * 33):
            body = INIT.encode(-1).replace(bytes.fromhex("0100000400010002"), tlv(1, bytes.fromhex(value)))
            self.assertRaises(MalformedError, Init.parse, body)
        longest = Lists((1, *range(100, 131)), (1,), (1,))
        init = Init(longest, INIT.primary, INIT.secondary, INIT.token)
        self.assertEqual(Init.parse(init.encode(0)), init)

    def test_shares_for_groups_that_are_not_offered(self) -> None:
        for primary, secondary in ((3, 1), (1, 2)):
            init = Init(INIT.lists, KeyShare(primary, b""), KeyShare(secondary, b""), INIT.token)
            self.assertRaises(MalformedError, Init.parse, init.encode(0))

    def test_token_and_versions(self) -> None:
        for token, versions in ((b"t" * 47, (1,)), (b"t" * 49, (1,)), (b"t" * 48, ()), (b"t" * 48, (1, 1))):
            body = Init(INIT.lists, INIT.primary, INIT.secondary, token, versions).encode(0)
            self.assertRaises(MalformedError, Init.parse, body)

    def test_selected_groups_must_be_those_of_the_shares(self) -> None:
        for select in (Select(2, 2, 1), Select(1, 1, 1)):
            body = Exchange(EXCHANGE.primary, EXCHANGE.secondary, select).encode()
            self.assertRaises(MalformedError, Exchange.parse, body)

    def test_select_has_seven_octets(self) -> None:
        self.assertEqual(Select(1, 2, 3).encode().hex(), "11000007" + "01000100020003")
        for count in (0, 6, 8):
            self.assertRaises(MalformedError, Select.parse, bytes(count))

    def test_confirm_role_and_anonymous_lengths(self) -> None:
        for confirm in (b"c" * 63, b"c" * 65, b""):
            self.assertRaises(MalformedError, Proof.parse, Proof(b"b", b"s", confirm).encode(0))
        both = tlv(0x0B, b"\1") + tlv(0x20, b"b") + tlv(0x22, b"s") + tlv(0x23, b"c" * 64)
        self.assertRaises(MalformedError, Fin.parse, both + tlv(0x24, b"") + tlv(0x30, b""))
        nobody = tlv(0x23, b"c" * 64)
        self.assertRaises(MalformedError, Fin.parse, tlv(0x0B, b"") + nobody + tlv(0x24, b"") + tlv(0x30, b""))
        self.assertRaises(MalformedError, Fin.parse, tlv(0x0B, b"\1") + nobody + tlv(0x24, b"x") + tlv(0x30, b""))
        empty = tlv(0x0B, b"\1") + tlv(0x20, b"") + tlv(0x22, b"") + nobody + tlv(0x30, b"")
        self.assertRaises(MalformedError, Fin.parse, empty)

    def test_refuse_is_filled_with_zeros(self) -> None:
        refuse = Refuse(1, 2, 3)
        self.assertEqual(refuse.encode(20).hex(), "0001" + "0002" + "0000000000000003" + "00" * 8)
        self.assertEqual(Refuse.parse(refuse.encode(20)), refuse)
        self.assertEqual(Refuse.parse(refuse.encode(0)), refuse)
        for body in (refuse.encode(12)[:11], refuse.encode(20)[:-1] + b"\1"):
            self.assertRaises(MalformedError, Refuse.parse, body)


def split(body: bytes) -> list[bytes]:
    """The TLVs of a body."""
    parts = []
    while body:
        stop = 4 + int.from_bytes(body[1:4], "big")
        parts.append(body[:stop])
        body = body[stop:]
    return parts


def insert(body: bytes, part: bytes) -> bytes:
    """A TLV put where its type belongs."""
    parts = [*split(body), part]
    return b"".join(sorted(parts, key=lambda one: one[0]))
