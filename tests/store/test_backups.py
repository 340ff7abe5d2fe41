"""Backups: while somebody writes, sealed or not, from one kind of database into another; and back, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from quantumgate.store import tables
from quantumgate.store.backups import back_up, lies_open, restore
from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.postgresql import PostgresqlServer
from quantumgate.store.sealed import StoreKey
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile
from tests.store import postgres
from tests.store.contract import EXAMPLES, ONE
from tests.store.test_sealed import FILE, OTHER_FILE
from tests.store.test_sql import SqlCase

ROWS = {(table, key): row for table, rows in EXAMPLES.items() for key, row in rows}
COUNTS = {table.name: len(rows) for table, rows in EXAMPLES.items()}


class BackupCase(SqlCase):
    def setUp(self) -> None:
        super().setUp()
        self.backup = self.path.with_name("backup.db")

    def filled(self, key: StoreKey | None = None) -> SqlDatabase:
        database = self.database(key)
        database.open()
        database.write(ROWS)
        return database

    def database(self, key: StoreKey | None = None) -> SqlDatabase:
        made = SqlDatabase(SqliteFile(self.path), key)
        self.addCleanup(made.close)
        return made

    def content(self, database: SqlDatabase) -> object:
        return {(table, key): row for table in tables.TABLES for key, row in database.load(table, {}).items()}

    def there(self) -> set[str]:
        return {path.name for path in self.path.parent.iterdir()}


class FileTests(BackupCase):
    def test_there_and_back(self) -> None:
        for key in (None, FILE):
            self.path = self.path.with_name(f"{key is None}.db")
            self.backup = self.path.with_name(f"{key is None}.backup")
            running = self.filled(key)
            back_up(self.database(), self.backup)
            running.write({(tables.PINS, (ONE,)): None})
            running.close()
            self.assertEqual(self.backup.stat().st_mode & 0o777, 0o600)
            self.assertEqual(restore(self.database(), self.backup, key), COUNTS)
            again = self.database(key)
            again.open()
            self.assertEqual(self.content(again), ROWS)
            again.close()

    def test_what_was_there_stays_beside_it(self) -> None:
        self.filled().close()
        back_up(self.database(), self.backup)
        for expected in ("store.db.replaced", "store.db.replaced.2"):
            restore(self.database(), self.backup, None)
            self.assertIn(expected, self.there())
        self.assertEqual(self.there(), {"store.db", "backup.db", "store.db.replaced", "store.db.replaced.2"})

    def test_a_damaged_store_gives_way_with_its_log(self) -> None:
        self.filled().close()
        back_up(self.database(), self.backup)
        self.path.write_bytes(b"{" * 9000)
        restore(self.database(), self.backup, None)
        self.assertEqual(self.path.with_name("store.db.replaced").read_bytes(), b"{" * 9000)
        again = self.database()
        again.open()
        self.assertEqual(self.content(again), ROWS)

    def test_where_there_was_none(self) -> None:
        self.filled().close()
        back_up(self.database(), self.backup)
        self.path = self.path.with_name("other.db")
        restore(self.database(), self.backup, None)
        self.assertEqual(self.database().check(), COUNTS)

    def test_a_bad_backup_changes_nothing(self) -> None:
        self.filled(FILE).close()
        back_up(self.database(), self.backup)
        before = self.path.read_bytes()
        with closing(sqlite3.connect(self.backup)) as connection, connection:
            connection.execute("UPDATE pins SET fingerprint = x'00'")
        self.assertRaises(DamagedStore, restore, self.database(), self.backup, FILE)
        self.backup.write_bytes(b"{" * 9000)
        self.assertRaises(StoreError, restore, self.database(), self.backup, FILE)
        self.assertRaises(StoreError, restore, self.database(), self.backup.with_name("none"), FILE)
        self.assertEqual((self.path.read_bytes(), self.there()), (before, {"store.db", "backup.db"}))

    def test_whether_a_copy_lies_open(self) -> None:
        for key, expected in ((None, True), (FILE, False)):
            self.path = self.path.with_name(f"{expected}.db")
            self.filled(key).close()
            before = self.there()
            self.assertIs(lies_open(self.path), expected)
            self.assertEqual(self.there(), before)
        self.assertFalse(lies_open(self.path.with_name("none")))
        self.backup.write_bytes(b"{" * 9000)
        self.assertFalse(lies_open(self.backup))

    def test_a_backup_of_another_key(self) -> None:
        self.filled(FILE).close()
        back_up(self.database(), self.backup)
        self.assertRaises(StoreError, restore, self.database(), self.backup, OTHER_FILE)
        self.assertEqual(self.there(), {"store.db", "backup.db"})

    def test_never_over_a_file(self) -> None:
        self.filled().close()
        self.backup.write_bytes(b"mine")
        self.assertRaises(StoreError, back_up, self.database(), self.backup)
        self.assertEqual(self.backup.read_bytes(), b"mine")

    def test_of_nothing(self) -> None:
        self.assertIn("no store yet", str(self.assertRaises(StoreError, back_up, self.database(), self.backup)))
        self.assertEqual(self.there(), set())

    def test_an_older_backup_is_brought_up_to_date(self) -> None:
        schema = Path(__file__).parent / "schemas" / "schema_1.sql"
        with closing(sqlite3.connect(self.backup)) as connection:
            connection.executescript(schema.read_text(encoding="utf-8"))
        rows = restore(self.database(), self.backup, None)
        self.assertEqual((rows["pins"], rows["book"]), (COUNTS["pins"], 0))


class ServerTests(BackupCase):
    """From SQLite to PostgreSQL and back."""

    skip = postgres.skipped()  # runs where pg_ctl is found: apt install postgresql

    def test_there_and_back(self) -> None:
        for key in (None, FILE):
            self.path = self.path.with_name(f"{key is None}.db")
            self.filled(key).close()
            url = postgres.server().space()
            restore(SqlDatabase(PostgresqlServer(url)), self.path, key)
            running = SqlDatabase(PostgresqlServer(url), key)
            running.open()
            self.assertEqual(self.content(running), ROWS)
            self.backup = self.path.with_name(f"{key is None}.backup")
            back_up(SqlDatabase(PostgresqlServer(url, alone=False)), self.backup)
            running.close()
            copied = SqlDatabase(SqliteFile(self.backup), key)
            self.addCleanup(copied.close)
            self.assertEqual(copied.check(), COUNTS)
            self.assertEqual(self.content(copied), ROWS)
