"""Which key seals the store: its own file, then a credential, then the identity's passphrase."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.crypto.secret import Secret
from quantumgate.errors import ConfigurationError
from quantumgate.node.store_key import CREDENTIAL, CREDENTIALS, store_key_of
from quantumgate.settings.schema import NodeTable, Settings


class KeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir(parents=True)
        self.words = Secret(b"words")
        before = os.environ.pop(CREDENTIALS, None)
        self.addCleanup(lambda: os.environ.pop(CREDENTIALS, None) if before is None else
                        os.environ.__setitem__(CREDENTIALS, before))

    def file(self, data: bytes, name: str = "key", mode: int = 0o600) -> Settings:
        path = self.place / name
        path.write_bytes(data)
        path.chmod(mode)
        return Settings(node=NodeTable(store_key_file=str(path)))

    def credential(self, data: bytes) -> None:
        os.environ[CREDENTIALS] = str(self.place)
        (self.place / CREDENTIAL).write_bytes(data)

    def found(self, settings: Settings, words: Secret | None = None) -> tuple[str, bytes] | None:
        key = store_key_of(settings, "FILE", words)
        return None if key is None else (key.source, key.secret.reveal())

    def test_the_first_of_three(self) -> None:
        self.assertIsNone(self.found(Settings()))
        self.assertEqual(self.found(Settings(), self.words), ("passphrase", b"words"))
        os.environ[CREDENTIALS] = str(self.place)
        self.assertEqual(self.found(Settings(), self.words), ("passphrase", b"words"))
        self.credential(b"c" * 32)
        self.assertEqual(self.found(Settings(), self.words), ("credential", b"c" * 32))
        self.assertEqual(self.found(self.file(b"f" * 40), self.words), ("key file", b"f" * 40))

    def test_what_cannot_be_used_is_told_and_not_passed_over(self) -> None:
        for settings, words in ((self.file(b"f" * 31, "short"), "at least 32 bytes"),
                                (self.file(b"f" * 32, "open", 0o644), "chmod 600"),
                                (Settings(node=NodeTable(store_key_file="/nowhere")), "a readable file")):
            error = self.assertRaises(ConfigurationError, store_key_of, settings, "FILE", None)
            self.assertIn("FILE: node.store_key_file", str(error))
            self.assertIn(words, str(error))
        self.credential(b"short")
        self.assertIn(CREDENTIAL, str(self.assertRaises(ConfigurationError, self.found, Settings(), self.words)))
