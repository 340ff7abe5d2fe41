"""Files: the exact line for each broken one, secrets, paths, sizes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import ConfigurationError
from quantumgate.settings import loader
from quantumgate.settings.loader import load, loads, read_shared_secret
from quantumgate.settings.schema import Settings

BROKEN = Path(__file__).parent / "broken"
MARK = "# expected: "


def mlkem_only(ids: Iterable[int]) -> tuple[int, ...]:
    """A machine without liboqs."""
    return tuple(id_ for id_ in ids if id_ < 16)


def parse(text: str) -> Settings:
    return loads(text, "FILE", extenders=("echo", "socks5"), offerable=mlkem_only)


class NumberTests(SynchronousTestCase):
    def test_thousands_of_digits(self) -> None:
        """Found by fuzzing: tomllib lets the error of int() through."""
        error = self.assertRaises(ConfigurationError, parse, "a = " + "1" * 5000)
        self.assertEqual(str(error), "FILE: expected TOML, found: a number of thousands of digits")


class BrokenFileTests(SynchronousTestCase):
    """Needs table row 9: about forty broken configurations, each with its exact message."""

    def test_each(self) -> None:
        files = sorted(BROKEN.glob("*.toml"))
        self.assertGreater(len(files), 40)
        for file in files:
            text = file.read_text()
            expected = text.partition("\n")[0].removeprefix(MARK)
            error = self.assertRaises(ConfigurationError, parse, text)
            self.assertEqual(str(error), expected, file.name)
            self.assertNotIn("\n", str(error))

    def test_each_is_right_without_its_fault(self) -> None:
        """The first line alone (a comment) loads: it is the rest that is refused."""
        for file in BROKEN.glob("*.toml"):
            self.assertIsInstance(parse(file.read_text().partition("\n")[0]), Settings)


class TextTests(SynchronousTestCase):
    def test_empty_is_the_defaults(self) -> None:
        self.assertEqual(parse(""), Settings())

    def test_the_page(self) -> None:
        """A file with something in every table."""
        settings = parse(
            '[node]\nnetwork = "QuantumGate"\nlisten = ["tcp:9999", {endpoint = "tcp:9998", lan = true}]\n'
            'connect = []\nrelay = false\n'
            'default_access = "deny"\nrequire_authentication = true\nshared_secret_file = ""\n'
            'shared_passphrase_file = ""\nstore = ""\ncontrol = ""\n[security]\nlevel = "one"\n[algorithms]\n[access]\n'
            "[limits]\nsessions = 8192\nmemory_bytes = 268435456\n[relay]\n[discovery]\n[privacy]\n[log]\n"
            '[extenders.socks5]\nlisten = "tcp:1080:interface=127.0.0.1"\n'
        )
        self.assertEqual(settings.extenders, {"socks5": {"listen": "tcp:1080:interface=127.0.0.1"}})
        self.assertEqual(settings.limits["sessions"], 8192)

    def test_hundreds_of_levels(self) -> None:
        error = self.assertRaises(ConfigurationError, parse, "x = " + "[" * 20_000)
        self.assertIn("FILE", str(error))

    def test_no_extender_installed(self) -> None:
        error = self.assertRaises(ConfigurationError, loads, "[extenders.echo]", "F", extenders=())
        self.assertEqual(
            str(error), "F: extenders.echo: expected the name of an installed extender (none is installed), found echo"
        )

    def test_no_extender_close(self) -> None:
        error = self.assertRaises(ConfigurationError, loads, "[extenders.xyz]", "F", extenders=("echo", "chat"))
        self.assertIn("(chat, echo)", str(error))


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "quantumgate.toml"

    def error_of(self, data: bytes) -> str:
        self.file.write_bytes(data)
        return str(self.assertRaises(ConfigurationError, load, self.file))

    def test_missing(self) -> None:
        error = self.assertRaises(ConfigurationError, load, self.file)
        self.assertEqual(str(error), f"{self.file}: expected a readable file, found no such file or directory")

    def test_a_directory(self) -> None:
        error = self.assertRaises(ConfigurationError, load, self.folder)
        self.assertEqual(str(error), f"{self.folder}: expected a readable file, found is a directory")

    def test_not_utf8(self) -> None:
        self.assertEqual(self.error_of(b"[node]\nnetwork = \"\xff\""), f"{self.file}:2:12: expected UTF-8 text, found "
                         "byte 0xff")

    def test_too_large(self) -> None:
        self.assertIn("at most 1048576 bytes", self.error_of(b"#" * (loader.MAX_FILE_BYTES + 1)))

    def test_largest(self) -> None:
        self.file.write_bytes(b"#" * loader.MAX_FILE_BYTES)
        self.assertEqual(load(self.file), Settings())

    def test_relative_paths_start_at_the_file(self) -> None:
        self.file.write_text('[node]\nshared_secret_file = "secret"\ncontrol = "/run/qg.sock"\n')
        node = load(self.file).node
        self.assertEqual(node.shared_secret_file, str(self.folder.absolute() / "secret"))
        self.assertEqual(node.control, "/run/qg.sock")
        self.assertEqual(node.shared_passphrase_file, "")


class SecretTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def settings(self, data: bytes, name: str = "shared_secret_file", mode: int = 0o600) -> Settings:
        self.path.write_bytes(data)
        os.chmod(self.path, mode)
        return parse(f'[node]\n{name} = "{self.path}"')

    def refused(self, settings: Settings) -> str:
        return str(self.assertRaises(ConfigurationError, read_shared_secret, settings, "F"))

    def test_none(self) -> None:
        self.assertIsNone(read_shared_secret(Settings()))

    def test_exact_bytes(self) -> None:
        self.assertEqual(read_shared_secret(self.settings(b"s" * 31 + b"\n")), b"s" * 31 + b"\n")

    def test_too_short(self) -> None:
        text = self.refused(self.settings(b"s" * 31))
        self.assertEqual(text, f"F: node.shared_secret_file: expected at least 32 bytes, found 31 in {self.path}")

    def test_too_long(self) -> None:
        self.assertIn("at most 1048576 bytes", self.refused(self.settings(b"s" * (loader.MAX_SECRET_BYTES + 1))))

    def test_readable_by_others(self) -> None:
        for mode in (0o640, 0o604, 0o620, 0o601):
            text = self.refused(self.settings(b"s" * 32, mode=mode))
            self.assertEqual(
                text, "F: node.shared_secret_file: expected a file that only its owner can read (chmod 600), found "
                f"{self.path} with mode {mode:04o}"
            )

    def test_missing(self) -> None:
        settings = parse('[node]\nshared_secret_file = "/nonexistent/secret"')
        self.assertEqual(self.refused(settings), "F: node.shared_secret_file: expected a readable file, found "
                         "/nonexistent/secret: no such file or directory")

    def test_passphrase_loses_one_newline(self) -> None:
        for data, text in ((b"correct horse\n", "correct horse"), (b"x\n\n", "x\n"), ("ä".encode(), "ä")):
            self.assertEqual(read_shared_secret(self.settings(data, "shared_passphrase_file")), text)

    def test_passphrase_not_text(self) -> None:
        self.assertIn("expected UTF-8 text", self.refused(self.settings(b"\xff", "shared_passphrase_file")))

    def test_passphrase_empty(self) -> None:
        self.assertIn("found an empty file", self.refused(self.settings(b"\n", "shared_passphrase_file")))
