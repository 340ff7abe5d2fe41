"""PostgreSQL as a store: the contract, one node at a time, a server that goes away and comes again.

Needs PostgreSQL's programs (postgres.py says which package).
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.store import postgresql, tables
from quantumgate.store.interface import StoreError
from quantumgate.store.migrations import NEWEST
from quantumgate.store.postgresql import PostgresqlServer
from quantumgate.store.sql import SqlDatabase
from tests.store import postgres
from tests.store.contract import ONE, TWO, Contract, OnServer, StoreCase


class PostgresqlTests(OnServer, Contract, StoreCase):
    skip = postgres.skipped()  # runs where pg_ctl is found: apt install postgresql

    def test_the_schema_is_the_newest(self) -> None:
        database = SqlDatabase(PostgresqlServer(postgres.server().space()))
        self.addCleanup(database.close)
        database.open()
        self.assertEqual(database.check(), {table.name: 0 for table in tables.TABLES})
        with database._connection().begin():
            found = database._connection().exec_driver_sql("SELECT value FROM meta WHERE name = 'schema'").scalar()
        self.assertEqual(bytes(found), b"%d" % NEWEST)


class ServerTests(SynchronousTestCase):
    skip = postgres.skipped()  # runs where pg_ctl is found: apt install postgresql

    def setUp(self) -> None:
        self.url = postgres.server().space()

    def opened(self, *, alone: bool = True) -> SqlDatabase:
        database = SqlDatabase(PostgresqlServer(self.url, alone=alone))
        self.addCleanup(database.close)
        database.open()
        return database

    def test_a_second_node_is_refused_and_a_backup_is_not(self) -> None:
        self.patch(postgresql, "OWN_SECONDS", 0.05)
        first = self.opened()
        error = self.assertRaises(StoreError, self.opened)
        self.assertIn("another node uses it", str(error))
        self.opened(alone=False)
        first.close()
        self.opened()

    def test_two_schemas_are_two_stores(self) -> None:
        first = self.opened()
        self.url = postgres.server().space()
        self.opened().write({(tables.PINS, (ONE,)): (b"p",)})
        self.assertEqual(first.load(tables.PINS, {}), {})

    def test_after_a_crash_of_the_server(self) -> None:
        """What was committed is there, and the next write finds the server again."""
        database = self.opened()
        database.write({(tables.PINS, (ONE,)): (b"p",)})
        postgres.server().stop("immediate")
        error = self.assertRaises(StoreError, database.write, {(tables.PINS, (TWO,)): (b"p",)})
        self.assertTrue(error.advice)
        self.assertIn("cannot be reached", str(self.assertRaises(StoreError, database.load, tables.PINS, {})))
        postgres.server().start()
        database.write({(tables.PINS, (TWO,)): (b"p",)})
        self.assertEqual(set(database.load(tables.PINS, {})), {(ONE,), (TWO,)})

    def test_a_database_that_takes_no_writes(self) -> None:
        database = self.opened()
        with database._connection().begin():
            database._connection().exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        error = self.assertRaises(StoreError, database.write, {(tables.PINS, (ONE,)): (b"p",)})
        self.assertIn("takes no writes", error.advice)

    def test_a_database_that_is_not_there(self) -> None:
        url = self.url.replace("/postgres?", "/nowhere?")
        error = self.assertRaises(StoreError, SqlDatabase(PostgresqlServer(url)).open)
        self.assertIn("nowhere", str(error))


class WordsTests(SynchronousTestCase):
    """Without a server."""

    def test_nobody_there(self) -> None:
        url = "postgresql://me:hidden@/db?host=/nonexistent"
        error = self.assertRaises(StoreError, SqlDatabase(PostgresqlServer(url)).open)
        self.assertIn("cannot be reached", str(error))
        self.assertNotIn("hidden", str(error) + error.advice)
        self.assertNotIn("hidden", PostgresqlServer(url).described)

    def test_no_url(self) -> None:
        self.assertRaises(StoreError, PostgresqlServer, "postgresql://host:port/db")

    def test_without_the_library(self) -> None:
        self.patch(postgresql, "find_spec", lambda name: None)
        error = self.assertRaises(StoreError, PostgresqlServer, "postgresql://x/y")
        self.assertIn("pip install", error.advice)
