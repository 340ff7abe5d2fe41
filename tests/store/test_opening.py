"""From the text of ``node.store`` to a database."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.store.interface import StoreError
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.opening import STORE_FILE, database_at, sql_database_at, store_at


class OpeningTests(SynchronousTestCase):
    def test_which_it_is(self) -> None:
        here = Path("/somewhere")
        for url, described in (("", "SQLite, store.db"), ("sqlite:////else/where.db", "SQLite, where.db"),
                               ("postgresql://me:hidden@host/nodes", "PostgreSQL, nodes"),
                               ("memory:", MemoryDatabase.described)):
            self.assertEqual(database_at(url, here).described, described)

    def test_a_url_that_is_none(self) -> None:
        self.assertRaises(StoreError, sql_database_at, "postgresql://host:port/db", Path())

    def test_a_store_in_a_thread_of_its_own(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        clock = Clock()
        clock.running = False  # type: ignore[attr-defined]  # as a reactor that has not begun
        store = store_at("", directory, None, clock)
        self.successResultOf(store.open())
        self.successResultOf(store.close())
        self.assertTrue((directory / STORE_FILE).exists())
