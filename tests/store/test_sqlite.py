"""SQLite as a store: the contract, the file's mode, durability as it is set, damage, disks that take nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

from quantumgate.store import tables
from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import WAY_BACK, SqliteFile, copy
from tests.store.contract import EXAMPLES, ONE, Contract, OnDisk, StoreCase
from tests.store.test_sql import SqlCase


class SqliteTests(OnDisk, Contract, StoreCase):
    """The contract, and nothing else."""


class FileTests(SqlCase):
    def test_every_file_is_private(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.opened().write({(tables.PINS, (ONE,)): (b"p",)})
        modes = {path.name: path.stat().st_mode & 0o777 for path in self.path.parent.iterdir()}
        self.assertEqual(modes, {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600})

    def test_a_commit_is_synced_and_deleted_rows_are_overwritten(self) -> None:
        database = self.opened()
        with database._connection().begin():
            found = [database._connection().exec_driver_sql(f"PRAGMA {name}").scalar()
                     for name in ("journal_mode", "synchronous", "secure_delete")]
        self.assertEqual(found, ["wal", 2, 1])

    def test_a_directory_that_is_not_there(self) -> None:
        self.path = self.path.parent / "none" / "store.db"
        error = self.assertRaises(StoreError, self.opened)
        self.assertIn("No such file", str(error))
        self.assertIn("make its directory", error.advice)


class DamageTests(SqlCase):
    def setUp(self) -> None:
        super().setUp()
        database = self.opened()
        database.write({(tables.SETTINGS, (f"{number}",)): (bytes(100),) for number in range(500)})
        database.close()

    def refused(self) -> None:
        before = self.path.read_bytes()
        error = self.assertRaises(DamagedStore, self.opened)
        self.assertEqual(error.advice, WAY_BACK)
        self.assertIn(str(self.path), str(error))
        self.assertEqual(self.path.read_bytes(), before)

    def test_another_file(self) -> None:
        self.path.write_bytes(b"{" * 5000)
        self.refused()

    def test_a_page_of_noise(self) -> None:
        whole = bytearray(self.path.read_bytes())
        whole[4096 * 12 : 4096 * 14] = b"\xa5" * 8192
        self.path.write_bytes(whole)
        self.refused()

    def test_half_a_file(self) -> None:
        whole = self.path.read_bytes()
        self.path.write_bytes(whole[: len(whole) // 2])
        self.refused()


class CopyTests(SqlCase):
    def test_a_copy_while_somebody_writes(self) -> None:
        database = self.opened()
        database.write({(table, key): row for table, rows in EXAMPLES.items() for key, row in rows})
        target = self.path.with_name("copy.db")
        copy(self.path, target)
        database.write({(tables.PINS, (ONE,)): None})
        self.assertEqual(target.stat().st_mode & 0o777, 0o600)
        copied = SqlDatabase(SqliteFile(target))
        self.addCleanup(copied.close)
        copied.open()
        self.assertEqual(copied.load(tables.PINS, {}), dict(EXAMPLES[tables.PINS]))

    def test_a_guessed_name_leads_nowhere(self) -> None:
        """In a directory where others can write, /tmp for example."""
        self.opened().write({(tables.PINS, (ONE,)): (b"p",)})
        target, theirs = self.path.with_name("copy.db"), self.path.with_name("theirs")
        half = self.path.with_name(f".copy.db.{os.getpid()}.new")
        theirs.write_bytes(b"theirs")
        for lead in (os.symlink, os.link):
            lead(theirs.absolute(), half)
            copy(self.path, target)
            self.assertEqual((theirs.read_bytes(), target.is_symlink()), (b"theirs", False))
            self.assertEqual((target.stat().st_mode & 0o777, target.stat().st_nlink), (0o600, 1))

    def test_nothing_is_left_of_a_copy_that_failed(self) -> None:
        self.path.write_bytes(b"no database" * 100)
        self.assertRaises(sqlite3.DatabaseError, copy, self.path, self.path.with_name("copy.db"))
        self.assertEqual([path.name for path in self.path.parent.iterdir()], ["store.db"])


class TroubleTests(SqlCase):
    """What stands in the way of writing is told with what to do about it."""

    def test_a_file_that_another_program_holds(self) -> None:
        self.patch(SqliteFile, "busy_seconds", 0.01)
        database = self.opened()
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            error = self.assertRaises(StoreError, database.write, {(tables.PINS, (ONE,)): (b"p",)})
            self.assertIn("another program", error.advice)
            other.execute("ROLLBACK")
        database.write({(tables.PINS, (ONE,)): (b"p",)})

    def test_a_full_disk(self) -> None:
        database = self.opened()
        with database._connection().begin():
            database._connection().exec_driver_sql("PRAGMA max_page_count = 1")
        error = self.assertRaises(StoreError, database.write, {(tables.SETTINGS, ("x",)): (bytes(1 << 20),)})
        self.assertEqual(error.advice, "the disk is full: make room")
        database.write({(tables.SETTINGS, ("x",)): (bytes(1 << 20),)})
