"""Stores provide what their interface says."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.errors import LocalError
from quantumgate.store.interface import DamagedStore, IStore, NotWritten, StoreError
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import Store
from quantumgate.store.thread import Inline


class InterfaceTests(SynchronousTestCase):
    def test_a_store_provides_it(self) -> None:
        self.assertTrue(verifyObject(IStore, Store(MemoryDatabase(), Inline(), Clock())))

    def test_whose_fault_it_is(self) -> None:
        for kind in (DamagedStore, NotWritten):
            self.assertTrue(issubclass(kind, StoreError) and issubclass(kind, LocalError))
