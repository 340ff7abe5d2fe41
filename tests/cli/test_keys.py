"""Passphrases from files and people, and key files that are not where they should be."""

from __future__ import annotations

from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import keys
from quantumgate.crypto.identity import Identity
from quantumgate.errors import KeyFileError, LocalError
from quantumgate.node.data_directory import DataDirectory, write_atomically
from tests.core.handshake.duel import identity


class KeysTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.file = self.folder / "identity.key"

    def test_a_passphrase_is_the_first_line_of_a_file(self) -> None:
        words = self.folder / "words"
        words.write_text("correct horse\n")
        self.assertEqual(keys.passphrase_of(str(words)), "correct horse")
        words.write_text("\n")
        self.assertIn("empty file", str(self.assertRaises(LocalError, keys.passphrase_of, str(words))))

    def test_a_sealed_root_asks(self) -> None:
        alice = identity("alice")
        write_atomically(self.file, alice.to_file_bytes("correct horse"))
        asked: list[str] = []
        self.patch(click, "prompt", lambda text, **_: (asked.append(text), "correct horse")[1])
        root, opened_with = keys.read_root(self.file)
        self.assertEqual((root.public, opened_with), (alice.public, "correct horse"))
        self.assertEqual(asked, ["Passphrase of identity.key"])
        self.patch(click, "prompt", lambda text, **_: "wrong")
        self.assertRaises(KeyFileError, keys.read_root, self.file)

    def test_an_open_root_does_not(self) -> None:
        write_atomically(self.file, identity("alice").to_file_bytes())
        self.patch(click, "prompt", lambda *_, **__: self.fail("nothing to ask"))
        self.assertIsNone(keys.read_root(self.file)[1])

    def test_no_root(self) -> None:
        self.assertIn("qgate init", self.assertRaises(LocalError, keys.read_root, self.file).advice)
        directory = DataDirectory(self.folder)
        keys.write_online_key(directory, Identity.generate(), 90, None)
        self.assertIn("only an online key", str(self.assertRaises(LocalError, keys.read_root, self.file)))

    def test_each_online_key_has_a_higher_serial(self) -> None:
        directory, root = DataDirectory(self.folder), Identity.generate()
        serials = [keys.write_online_key(directory, root, 90, None).delegation.serial for _ in range(3)]
        self.assertEqual(serials, sorted(set(serials)))
