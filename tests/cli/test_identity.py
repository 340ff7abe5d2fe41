"""init, and an identity on its way from one data directory to another."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.data_directory import DataDirectory
from quantumgate.settings.loader import load
from quantumgate.settings.schema import Settings
from tests.cli.tool import Outcome, qgate
from tests.crypto.cheap import cheapen


class InitCase(SynchronousTestCase):
    def setUp(self) -> None:
        cheapen(self)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.config, self.data = self.folder / "q.toml", self.folder / "data"

    def qgate(self, *arguments: str, code: int = 0) -> Outcome:
        outcome = qgate("--data", str(self.data), *arguments)
        self.assertEqual(outcome.code, code, outcome)
        return outcome

    def init(self, *arguments: str, code: int = 0) -> Outcome:
        return self.qgate("init", "--config", str(self.config), *arguments, code=code)


class InitTests(InitCase):
    def test_init_makes_both(self) -> None:
        report = self.init("--json").json
        self.assertEqual((report["made"], report["kind"]), (["config", "identity"], "ed25519"))
        self.assertEqual(load(self.config), Settings())
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.data / "identity.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.qgate("id", "--json").json["uuid"], report["uuid"])

    def test_init_again_changes_nothing(self) -> None:
        first = self.init("--json").json
        self.config.write_text("[node]\nlisten = []\n")
        again = self.init("--json").json
        self.assertEqual((again["made"], again["uuid"]), ([], first["uuid"]))
        self.assertEqual(self.config.read_text(), "[node]\nlisten = []\n")

    def test_each_kind(self) -> None:
        for kind in ("ed25519", "ed25519+mldsa65", "ed448", "ed448+mldsa87"):
            self.data = self.folder / kind
            self.assertEqual(self.init("--kind", kind, "--json").json["kind"], kind)

    def test_kind_by_level(self) -> None:
        self.config.write_text('[security]\nlevel = "four"\nhandshake_delay_seconds = 0\n[privacy]\nnoise = "off"\n')
        self.assertEqual(self.init("--json").json["kind"], "ed25519+mldsa65")

    def test_another_kind_is_there(self) -> None:
        self.init()
        self.assertIn("holds an identity of kind ed25519 already", self.init("--kind", "ed448", code=1).err)

    def test_bad_configuration_makes_no_identity(self) -> None:
        self.config.write_text("nonsense = 1")
        self.assertIn("q.toml: nonsense: expected", self.init(code=1).err)
        self.assertFalse((self.data / "identity.key").exists())

    def test_init_beside_a_running_node(self) -> None:
        directory = DataDirectory(self.data)
        directory.lock()
        self.addCleanup(directory.unlock)
        self.assertIn(f"pid {os.getpid()}", self.init(code=1).err)

    def test_next_step_names_what_is_not_usual(self) -> None:
        self.assertIn(f"next: twistd -n qgnode --config {self.config} --data {self.data}\n", self.init().out)

    def test_no_identity_yet(self) -> None:
        self.assertIn("qgate init makes one", self.qgate("id", code=1).err)


class MoveTests(InitCase):
    def setUp(self) -> None:
        super().setUp()
        self.uuid = self.init("--json").json["uuid"]
        self.backup = self.folder / "backup.key"
        self.words = self.folder / "words"
        self.words.write_text("correct horse\n")

    def test_sealed_round_trip(self) -> None:
        self.qgate("id", "export", str(self.backup), "--passphrase-file", str(self.words))
        self.assertEqual(self.backup.stat().st_mode & 0o777, 0o600)
        self.data = self.folder / "elsewhere"
        report = self.qgate("id", "import", str(self.backup), "--passphrase-file", str(self.words), "--json").json
        self.assertEqual(report["uuid"], self.uuid)
        self.assertEqual(self.qgate("id", "--json").json["uuid"], self.uuid)

    def test_kept_sealed(self) -> None:
        self.qgate("id", "export", str(self.backup), "--passphrase-file", str(self.words))
        self.data = self.folder / "elsewhere"
        command = ("id", "import", str(self.backup), "--passphrase-file", str(self.words), "--sealed")
        self.qgate(*command)
        self.assertEqual((self.data / "identity.key").read_bytes(), self.backup.read_bytes())
        self.words.chmod(0o600)
        self.config.write_text('[node]\nidentity_passphrase_file = "words"\n')
        self.assertEqual(self.init("--json").json["uuid"], self.uuid)

    def test_only_a_sealed_one_can_be_kept_sealed(self) -> None:
        self.qgate("id", "export", str(self.backup), "--no-passphrase")
        self.data = self.folder / "elsewhere"
        self.assertIn("is not sealed", self.qgate("id", "import", str(self.backup), "--sealed", code=1).err)
        self.assertFalse((self.data / "identity.key").exists())

    def test_init_seals_under_the_configured_passphrase(self) -> None:
        self.words.chmod(0o600)
        self.data = self.folder / "fresh"
        self.config.write_text('[node]\nidentity_passphrase_file = "words"\n')
        made = self.init("--json").json["uuid"]
        self.assertEqual((self.data / "identity.key").read_bytes()[1], 1)
        self.assertEqual(self.init("--json").json["uuid"], made)

    def test_wrong_passphrase(self) -> None:
        self.qgate("id", "export", str(self.backup), "--passphrase-file", str(self.words))
        self.words.write_text("wrong\n")
        self.data = self.folder / "elsewhere"
        self.assertIn("passphrase", self.qgate("id", "import", str(self.backup), "--passphrase-file", str(self.words),
                                               code=1).err)
        self.assertFalse((self.data / "identity.key").exists())

    def test_unsealed(self) -> None:
        self.qgate("id", "export", str(self.backup), "--no-passphrase")
        self.data = self.folder / "elsewhere"
        self.assertIn(self.uuid, self.qgate("id", "import", str(self.backup)).out)

    def test_never_over_a_file(self) -> None:
        self.backup.write_text("mine")
        self.qgate("id", "export", str(self.backup), "--no-passphrase", code=1)
        self.assertEqual(self.backup.read_text(), "mine")

    def test_never_over_an_identity(self) -> None:
        self.qgate("id", "export", str(self.backup), "--no-passphrase")
        self.assertIn("there is an identity already", self.qgate("id", "import", str(self.backup), code=1).err)

    def test_damaged(self) -> None:
        self.backup.write_bytes(b"\x00" * 20)
        self.data = self.folder / "elsewhere"
        self.assertIn("not a key file", self.qgate("id", "import", str(self.backup), code=1).err)

    def test_options_that_exclude_each_other(self) -> None:
        self.qgate("id", "export", str(self.backup), "--no-passphrase", "--passphrase-file", "x", code=2)
