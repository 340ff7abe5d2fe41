"""The store in memory keeps the contract."""

from __future__ import annotations

from quantumgate.store import tables
from quantumgate.store.interface import Database, NotWritten
from quantumgate.store.memory import MemoryDatabase
from tests.store.contract import ONE, Contract, StoreCase


class MemoryTests(Contract, StoreCase):
    def made(self) -> Database:
        self.database = MemoryDatabase()
        return self.database

    def again(self) -> Database:
        return self.database

    def test_trouble_can_be_played(self) -> None:
        store = self.store(self.made())
        self.database.trouble = "no room"
        store.put(tables.PINS, {(ONE,): (b"p",)})
        self.assertIn("no room", str(self.failureResultOf(store.flushed(), NotWritten).value))
        self.assertEqual(self.database.transactions, 0)
        self.database.trouble = ""
