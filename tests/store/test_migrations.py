"""Each past schema becomes the newest one with every row that it had; the newest one is what ``tables.py`` says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from quantumgate.store import tables
from quantumgate.store.migrations import NEWEST, migrate
from quantumgate.store.sql import SqlDatabase, sql_table
from tests.store.contract import EXAMPLES
from tests.store.test_sql import SqlCase

SCHEMAS = Path(__file__).parent / "schemas"
"""One dump for each schema that was ever released, written by ``sqlite3 .dump`` from a store with rows in it."""


class PastSchemasTests(SqlCase):
    def restored(self, number: int) -> SqlDatabase:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript((SCHEMAS / f"schema_{number}.sql").read_text(encoding="utf-8"))
        return self.opened()

    def test_there_is_a_dump_of_each(self) -> None:
        self.assertEqual(sorted(path.name for path in SCHEMAS.iterdir()),
                         [f"schema_{number}.sql" for number in range(1, NEWEST + 1)])

    def test_every_row_comes_along(self) -> None:
        for number in range(1, NEWEST + 1):
            self.path = self.path.with_name(f"from-{number}.db")
            database = self.restored(number)
            found = {table: database.load(table, {}) for table in tables.TABLES}
            for table, rows in found.items():
                self.assertEqual(rows, dict(EXAMPLES[table]) if rows else {}, (number, table.name))
            self.assertEqual(found[tables.PINS], dict(EXAMPLES[tables.PINS]), number)

    def test_a_copy_of_the_older_one_is_kept(self) -> None:
        for number in range(1, NEWEST):
            self.path = self.path.with_name(f"from-{number}.db")
            self.restored(number)
            with closing(sqlite3.connect(f"{self.path}.schema-{number}")) as kept:
                self.assertEqual(kept.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone(),
                                 (b"%d" % number,))


class NewestTests(SqlCase):
    def test_it_is_what_the_tables_say(self) -> None:
        database = self.opened()
        with database._connection().begin():
            there = sa.inspect(database._connection())
            self.assertEqual(set(there.get_table_names()), {"meta", *(table.name for table in tables.TABLES)})
            for table in tables.TABLES:
                found = {column["name"]: (column["type"]._type_affinity, column["nullable"])
                         for column in there.get_columns(table.name)}
                wanted = {column.name: (column.type._type_affinity, column.nullable)
                          for column in sql_table(table).columns}
                self.assertEqual(found, wanted, table.name)

    def test_there_is_nothing_to_do_twice(self) -> None:
        database = self.opened()
        with database._connection().begin():
            self.assertEqual(migrate(database._connection()), 0)

    def test_a_step_that_fails_leaves_the_schema_before_it(self) -> None:
        def broken(connection: sa.Connection) -> None:
            connection.exec_driver_sql("CREATE TABLE half (x)")
            raise RuntimeError("in the middle")

        database = self.opened()
        with self.assertRaises(RuntimeError), database._connection().begin():
            broken(database._connection())
        self.assertEqual(database.check(), {table.name: 0 for table in tables.TABLES})
