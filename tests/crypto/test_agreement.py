"""Tests of quantumgate.crypto.agreement."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.agreement import PrimaryGroup, primary
from quantumgate.crypto.random import FixedRandom
from quantumgate.errors import BadKeyError, BugError, UnavailableError
from tests.crypto.curves import P448, P521, P521_B, P521_G, P25519, p521_multiply

GROUPS = [primary(id_) for id_ in (1, 2, 3)]


class Scripted(FixedRandom):
    """Luck whose bytes are given in advance."""

    def __init__(self, data: bytes) -> None:
        super().__init__(b"")
        self.data = data

    def bytes(self, n: int) -> bytes:
        """The next n of them."""
        head, self.data = self.data[:n], self.data[n:]
        return head


class ExchangeTests(SynchronousTestCase):
    """Both sides get one secret."""

    def test_agreement(self) -> None:
        """Each group: one secret for two, another for a third."""
        for group, secret_bytes in zip(GROUPS, (32, 56, 66), strict=True):
            a, b, c = group.generate(), group.generate(), group.generate()
            self.assertEqual(len(a.share), group.share_bytes)
            self.assertEqual(len(a.exchange(b.share)), secret_bytes)
            self.assertEqual(a.exchange(b.share), b.exchange(a.share))
            self.assertNotEqual(a.exchange(b.share), a.exchange(c.share))

    def test_from_given_luck(self) -> None:
        """The same luck makes the same key, other luck another; without it keys differ."""
        for group in GROUPS:
            self.assertEqual(group.generate(FixedRandom(b"a")).share, group.generate(FixedRandom(b"a")).share)
            self.assertNotEqual(group.generate(FixedRandom(b"a")).share, group.generate(FixedRandom(b"b")).share)
            self.assertNotEqual(group.generate().share, group.generate().share)

    def test_wipe(self) -> None:
        """A wiped key is of no use, and says so."""
        for group in GROUPS:
            key, other = group.generate(), group.generate()
            key.wipe()
            key.wipe()
            self.assertRaises(BugError, key.exchange, other.share)

    def test_unknown_ids(self) -> None:
        """Ids without a group."""
        for id_ in (0, 4, 65535):
            self.assertRaises(UnavailableError, primary, id_)


class VectorTests(SynchronousTestCase):
    """Published values."""

    def check(self, group: PrimaryGroup, *values: str) -> None:
        """private a, public a, private b, public b, shared, all hexadecimal."""
        private_a, public_a, private_b, public_b, shared = (bytes.fromhex(value) for value in values)
        a, b = group.generate(Scripted(private_a)), group.generate(Scripted(private_b))
        self.assertEqual((a.share, b.share), (public_a, public_b))
        self.assertEqual(a.exchange(public_b).reveal(), shared)
        self.assertEqual(b.exchange(public_a).reveal(), shared)

    def test_x25519(self) -> None:
        """RFC 7748 6.1."""
        self.check(
            primary(1),
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        )

    def test_x448(self) -> None:
        """RFC 7748 6.2."""
        self.check(
            primary(2),
            "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d"
            "d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
            "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c"
            "22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0",
            "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d"
            "6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
            "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430"
            "27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609",
            "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b"
            "b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
        )

    def test_p521(self) -> None:
        """Against plain arithmetic: scalar 1 + (74 bytes modulo order - 1), uncompressed point, x as the secret."""
        order = 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7
        self.assertEqual((P521_G[1] ** 2 - P521_G[0] ** 3 + 3 * P521_G[0] - P521_B) % P521, 0)
        for data_a, data_b in ((bytes(74), b"\1" * 74), (b"\xff" * 74, b"\x80" * 74)):
            group = primary(3)
            a, b = group.generate(Scripted(data_a)), group.generate(Scripted(data_b))
            scalars = [1 + int.from_bytes(data, "big") % (order - 1) for data in (data_a, data_b)]
            for key, scalar in zip((a, b), scalars, strict=True):
                x, y = p521_multiply(scalar, P521_G)
                self.assertEqual(key.share, b"\4" + x.to_bytes(66, "big") + y.to_bytes(66, "big"))
            x, _ = p521_multiply(scalars[0] * scalars[1] % order, P521_G)
            self.assertEqual(a.exchange(b.share).reveal(), x.to_bytes(66, "big"))


class RefusalTests(SynchronousTestCase):
    """Shares that must not be used."""

    def refuse(self, group: PrimaryGroup, share: bytes) -> None:
        """BadKeyError, nothing else."""
        self.assertRaises(BadKeyError, group.generate().exchange, share)

    def test_wrong_lengths(self) -> None:
        """One byte more, one less, nothing, much."""
        for group in GROUPS:
            share = group.generate().share
            for bad in (b"", share[:-1], share[1:], share + b"\0", b"\0" + share, share * 2):
                self.refuse(group, bad)

    def test_x25519_low_order(self) -> None:
        """The points of small order on the curve and its twist (list of cr.yp.to/ecdh.html)."""
        order_8 = (
            325606250916557431795983626356110631294008115727848805560023387167927233504,
            39382357235489614581723060781553021112529911719440698176882885853963445705823,
        )
        for u in (0, 1, *order_8, P25519 - 1):
            self.refuse(primary(1), u.to_bytes(32, "little"))

    def test_x25519_non_canonical(self) -> None:
        """u + p for all 19 of them, and any share with the top bit set."""
        for u in range(19):
            self.refuse(primary(1), (P25519 + u).to_bytes(32, "little"))
        share = primary(1).generate().share
        self.refuse(primary(1), share[:31] + bytes((share[31] | 0x80,)))
        self.assertEqual(len(primary(1).generate().exchange((9).to_bytes(32, "little"))), 32)

    def test_x448_low_order(self) -> None:
        """0, 1 and -1."""
        for u in (0, 1, P448 - 1):
            self.refuse(primary(2), u.to_bytes(56, "little"))

    def test_x448_non_canonical(self) -> None:
        """From p to 2^448 - 1; the edges and some between."""
        for u in (P448, P448 + 1, P448 + 5, P448 + 2**200, 2**448 - 1):
            self.refuse(primary(2), u.to_bytes(56, "little"))
        self.assertEqual(len(primary(2).generate().exchange((5).to_bytes(56, "little"))), 56)

    def test_p521_off_the_curve(self) -> None:
        """y + 1, coordinates not below p, another form's first byte, zeros, the compressed form."""
        x, y = P521_G
        good = b"\4" + x.to_bytes(66, "big") + y.to_bytes(66, "big")
        self.assertEqual(len(primary(3).generate().exchange(good)), 66)
        for bad_x, bad_y in ((x, y + 1), (x + 1, y), (x + P521, y), (x, y + P521), (0, 0), (P521, P521)):
            self.refuse(primary(3), b"\4" + bad_x.to_bytes(66, "big") + bad_y.to_bytes(66, "big"))
        for form in (0, 1, 2, 3, 5, 6, 7):
            self.refuse(primary(3), bytes((form,)) + good[1:])
        self.refuse(primary(3), bytes(133))
        self.refuse(primary(3), bytes((2 + y % 2,)) + x.to_bytes(66, "big"))
