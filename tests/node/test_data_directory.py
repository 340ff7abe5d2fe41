"""The data directory: atomic writes, the lock that names a pid, the first identity and the lost one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import KeyFileError, LocalError
from quantumgate.node.data_directory import (
    IDENTITY_FILE,
    STATE_FILE,
    DataDirectory,
    DirectoryInUse,
    write_atomically,
    write_new,
)
from quantumgate.store.opening import STORE_FILE

HOLD = """
import sys
from pathlib import Path
from quantumgate.node.data_directory import DataDirectory
DataDirectory(Path(sys.argv[1])).lock()
print("held", flush=True)
sys.stdin.read()
"""


class DirectoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.path.mkdir(parents=True)


class WriteTests(DirectoryCase):
    def test_replaces_whole_and_private(self) -> None:
        target = self.path / "file"
        target.write_bytes(b"old, and longer than the new")
        target.chmod(0o644)
        write_atomically(target, b"new")
        self.assertEqual(target.read_bytes(), b"new")
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        self.assertEqual(list(self.path.iterdir()), [target])

    def test_a_failed_write_leaves_the_old_file_and_no_litter(self) -> None:
        target = self.path / "file"
        target.mkdir()
        with self.assertRaises(OSError):
            write_atomically(target, b"new")
        self.assertEqual(list(self.path.iterdir()), [target])


    def test_a_guessed_name_leads_nowhere(self) -> None:
        target, theirs = self.path / "file", self.path / "theirs"
        theirs.write_bytes(b"theirs")
        for lead in (os.symlink, os.link):
            lead(theirs.absolute(), self.path / f".file.{os.getpid()}.new")
            write_atomically(target, b"new")
            self.assertEqual((theirs.read_bytes(), target.read_bytes()), (b"theirs", b"new"))

    def test_a_disk_that_fills_up_leaves_no_half_of_a_new_file(self) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "fsync", full)
        with self.assertRaises(OSError):
            write_new(self.path / "file", b"key")
        self.assertEqual(list(self.path.iterdir()), [])


class LockTests(DirectoryCase):
    def test_a_second_process_is_told_the_pid(self) -> None:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(self.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self.addCleanup(holder.wait, 20)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.stdin.close)
        self.assertEqual(holder.stdout.readline(), b"held\n")
        with self.assertRaises(DirectoryInUse) as caught:
            DataDirectory(self.path).lock()
        self.assertIn(f"pid {holder.pid}", str(caught.exception))
        self.assertIn("--data", caught.exception.advice)

    def test_free_again_after_unlock(self) -> None:
        first = DataDirectory(self.path / "made" / "deep")
        first.lock()
        self.assertEqual(first.path.stat().st_mode & 0o777, 0o700)
        first.unlock()
        second = DataDirectory(first.path)
        second.lock()
        second.unlock()

    def test_an_impossible_place_is_one_line(self) -> None:
        (self.path / "file").write_text("")
        with self.assertRaises(LocalError) as caught:
            DataDirectory(self.path / "file" / "below").lock()
        self.assertNotIn("\n", str(caught.exception))


class IdentityTests(DirectoryCase):
    def test_the_first_start_makes_one_and_the_next_finds_it(self) -> None:
        first = DataDirectory(self.path)
        made = first.identity("ed25519+mldsa65")
        self.assertTrue(first.made_identity)
        self.assertEqual((self.path / IDENTITY_FILE).stat().st_mode & 0o777, 0o600)
        second = DataDirectory(self.path)
        self.assertEqual(second.identity("ed25519").public, made.public)
        self.assertFalse(second.made_identity)
        self.assertEqual((first.identity("ed25519").public, first.made_identity), (made.public, False))

    def test_a_used_directory_without_its_key_makes_no_stranger(self) -> None:
        for used in (STATE_FILE, STORE_FILE):
            (self.path / used).write_text("{}")
            with self.assertRaises(KeyFileError) as caught:
                DataDirectory(self.path).identity("ed25519")
            self.assertIn("restore", caught.exception.advice)
            self.assertIn(str(self.path / used), caught.exception.advice)
            self.assertFalse((self.path / IDENTITY_FILE).exists())
            (self.path / used).unlink()

    def test_a_key_that_others_can_read_is_refused(self) -> None:
        DataDirectory(self.path).identity("ed25519")
        (self.path / IDENTITY_FILE).chmod(0o640)
        with self.assertRaises(KeyFileError) as caught:
            DataDirectory(self.path).identity("ed25519")
        self.assertIn("chmod 600", caught.exception.advice)

    def test_a_damaged_key_is_an_error_that_names_the_file_and_stays(self) -> None:
        DataDirectory(self.path).identity("ed25519")
        file = self.path / IDENTITY_FILE
        file.write_bytes(file.read_bytes()[:-1])
        with self.assertRaises(KeyFileError) as caught:
            DataDirectory(self.path).identity("ed25519")
        self.assertIn(str(file), str(caught.exception))

    def test_a_sealed_key_opens_with_its_passphrase_alone(self) -> None:
        made = DataDirectory(self.path).identity("ed25519", "correct horse")
        data = (self.path / IDENTITY_FILE).read_bytes()
        self.assertEqual(data[1], 1)
        self.assertEqual(DataDirectory(self.path).identity("ed25519", "correct horse").public, made.public)
        for passphrase, words in (("wrong", "a wrong passphrase"), (None, "the key file is sealed")):
            with self.assertRaises(KeyFileError) as caught:
                DataDirectory(self.path).identity("ed25519", passphrase)
            self.assertTrue(str(caught.exception).startswith(f"{self.path / IDENTITY_FILE}: {words}"))
        self.assertIn("node.identity_passphrase_file", caught.exception.advice)
        self.assertEqual((self.path / IDENTITY_FILE).read_bytes(), data)
