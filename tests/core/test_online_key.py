"""The file of an online key: written, read, damaged, exchanged."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.delegations import FOR_HANDSHAKE, judge
from quantumgate.core.online_key import OnlineKeyFile, make
from quantumgate.crypto.identity import Identity
from quantumgate.errors import KeyFileError
from quantumgate.wire.limits import ONLINE_KEY_FILE_BYTES
from tests.core.handshake.duel import SeededRandom, identity
from tests.core.test_delegations import DAY, NOW


def made(kind: int = 1, **changes: object) -> OnlineKeyFile:
    """Alice's, good for a month."""
    values = {"now_seconds": NOW, "life_seconds": 30 * DAY, "random": SeededRandom("online")} | changes
    return make(identity("alice", kind), **values)  # type: ignore[arg-type]


class OnlineKeyTests(SynchronousTestCase):
    def test_it_speaks_for_its_root(self) -> None:
        for kind in (1, 2):
            root = identity("alice", kind).public
            online = OnlineKeyFile.decode(made(kind).encode()).identity()
            self.assertEqual(online.public, root)
            self.assertNotEqual(online.own, root)
            one = judge(online.delegation, root, usage=FOR_HANDSHAKE, now_ms=NOW * 1000)
            self.assertEqual(one.online_bundle, online.own.bundle)

    def test_its_own_key_file_is_its_own(self) -> None:
        """What an online key writes of itself is the online key, never a file that claims to be the root."""
        online = made().identity()
        again = Identity.from_file_bytes(online.to_file_bytes())
        self.assertEqual((again.public, again.delegation), (online.own, b""))

    def test_its_repr_keeps_the_key_for_itself(self) -> None:
        one = made()
        self.assertNotIn(repr(one.key_file)[2:40], repr(one))
        self.assertIn(str(one.root.uuid), repr(one))

    def test_serials_only_grow(self) -> None:
        self.assertEqual(made().delegation.serial, NOW * 1000)
        self.assertEqual(made(last_serial=NOW * 1000).delegation.serial, NOW * 1000 + 1)
        self.assertEqual(made(last_serial=1 << 50).delegation.serial, (1 << 50) + 1)

    def test_sealed(self) -> None:
        data = made(passphrase="correct horse").encode()
        opened = OnlineKeyFile.decode(data)
        self.assertEqual(opened.delegation.serial, NOW * 1000)  # what is open can be read without it
        self.assertEqual(opened.identity("correct horse").public, identity("alice").public)
        for wrong in (None, "wrong"):
            self.assertRaises(KeyFileError, opened.identity, wrong)

    def test_damage(self) -> None:
        whole = made().encode()
        for at in range(len(whole)):
            damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            error = self.assertRaises(KeyFileError, lambda data: OnlineKeyFile.decode(data).identity(), damaged)
            self.assertTrue(str(error))
        for data in (b"", whole[:40], b"\x01\x00", whole + bytes(ONLINE_KEY_FILE_BYTES)):
            self.assertRaises(KeyFileError, OnlineKeyFile.decode, data)

    def test_the_key_of_somebody_else(self) -> None:
        other = replace(made(), key_file=identity("mallory").to_file_bytes())
        error = self.assertRaises(KeyFileError, OnlineKeyFile.decode(other.encode()).identity)
        self.assertIn("another key", str(error))
