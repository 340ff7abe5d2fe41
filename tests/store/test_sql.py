"""SQL as a store keeps it: what is refused, what is damaged, and what happens to a connection that failed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.store import tables
from quantumgate.store.interface import DamagedStore, StoreError
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile
from tests.store.contract import EXAMPLES, ONE, TWO


class SqlCase(SynchronousTestCase):
    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.path = directory / "store.db"

    def opened(self) -> SqlDatabase:
        database = SqlDatabase(SqliteFile(self.path))
        self.addCleanup(database.close)
        database.open()
        return database

    def by_hand(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)


class ReadingTests(SqlCase):
    def setUp(self) -> None:
        super().setUp()
        database = self.opened()
        database.write({(table, key): row for table, rows in EXAMPLES.items() for key, row in rows})
        self.database = database

    def refused(self, table: tables.Table) -> str:
        return str(self.assertRaises(DamagedStore, self.database.load, table, {}))

    def test_a_value_of_another_kind(self) -> None:
        self.by_hand("UPDATE guards SET until = 'soon'")
        self.assertIn("guards", self.refused(tables.GUARDS))

    def test_a_uuid_of_another_length(self) -> None:
        self.by_hand("UPDATE pins SET peer = x'00'")
        self.assertIn("pins", self.refused(tables.PINS))

    def test_a_row_under_another_rows_id(self) -> None:
        self.by_hand("UPDATE pins SET peer = ? WHERE peer = ?", bytes(16), ONE.bytes)
        self.assertIn("another row's id", self.refused(tables.PINS))

    def test_a_check_counts_the_rows(self) -> None:
        self.assertEqual(self.database.check(), {table.name: len(EXAMPLES[table]) for table in tables.TABLES})

    def test_and_sees_what_a_load_would(self) -> None:
        self.by_hand("UPDATE guards SET until = 'soon'")
        self.assertRaises(DamagedStore, self.database.check)


class OpeningTests(SqlCase):
    def test_a_database_of_another_program_is_left_alone(self) -> None:
        self.by_hand("CREATE TABLE theirs (x)")
        error = self.assertRaises(StoreError, self.opened)
        self.assertIn("another program", str(error))

    def test_a_newer_schema_is_left_alone(self) -> None:
        self.opened().close()
        self.by_hand("UPDATE meta SET value = ? WHERE name = 'schema'", b"99")
        error = self.assertRaises(StoreError, self.opened)
        self.assertIn("schema 99", str(error))
        self.assertTrue(error.advice)

    def test_no_schema_at_all(self) -> None:
        self.opened().close()
        self.by_hand("DELETE FROM meta")
        self.assertIn("which schema", str(self.assertRaises(StoreError, self.opened)))


class ConnectionTests(SqlCase):
    def test_after_a_failure_comes_another_connection(self) -> None:
        database = self.opened()
        self.by_hand("ALTER TABLE pins RENAME TO away")
        self.assertRaises(StoreError, database.write, {(tables.PINS, (ONE,)): (b"p",)})
        self.by_hand("ALTER TABLE away RENAME TO pins")
        database.write({(tables.PINS, (TWO,)): (b"p",)})
        self.assertEqual(database.load(tables.PINS, {}), {(TWO,): (b"p",)})

    def test_a_failed_group_leaves_nothing(self) -> None:
        database = self.opened()
        self.by_hand("ALTER TABLE rules RENAME TO away")
        self.assertRaises(StoreError, database.write,
                          {(tables.PINS, (ONE,)): (b"p",), (tables.RULES, (ONE, "", "deny")): (None,)})
        self.assertEqual(database.load(tables.PINS, {}), {})
