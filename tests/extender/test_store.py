"""A guest's key-value space: a mapping of str to bytes that cannot grow without bound."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LimitError, LocalError
from quantumgate.extender.store import ENTRY_OVERHEAD_BYTES, KEY_CHARACTERS, DurableStore, MemoryStore
from quantumgate.store.interface import NotWritten
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import Store
from quantumgate.store.thread import Inline

ONE, OTHER = UUID(int=1), UUID(int=2)


class MemoryStoreTests(SynchronousTestCase):
    """As a mapping, and at its bounds."""

    def test_mapping(self) -> None:
        store = MemoryStore()
        store["a"] = b"1"
        store.update(b=b"2")
        self.assertEqual((dict(store), len(store), store.get("c")), ({"a": b"1", "b": b"2"}, 2, None))
        del store["a"]
        self.assertRaises(KeyError, store.__getitem__, "a")
        self.assertRaises(KeyError, store.__delitem__, "a")

    def test_wrong_kinds(self) -> None:
        store = MemoryStore()
        for key, value in ((1, b""), ("", b""), ("k" * (KEY_CHARACTERS + 1), b""), ("k", "text"), ("k", bytearray())):
            self.assertRaises(LocalError, store.__setitem__, key, value)
        self.assertEqual(len(store), 0)

    def test_full(self) -> None:
        """What does not fit changes nothing; what is freed can be used again."""
        store = MemoryStore(ENTRY_OVERHEAD_BYTES + 11)
        store["k"] = b"0123456789"
        error = self.assertRaises(LimitError, store.__setitem__, "k", b"0123456789a")
        self.assertEqual((error.name, store["k"]), ("store_bytes", b"0123456789"))
        self.assertRaises(LimitError, store.__setitem__, "l", b"")
        del store["k"]
        store["l"] = b"0123456789"

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.binary(max_size=40)))))
    def test_account(self, steps: list[tuple[str, bytes | None]]) -> None:
        """However it is used, the account is the sum of what is there, and never over the bound."""
        store, plain = MemoryStore(2 * ENTRY_OVERHEAD_BYTES + 60), {}
        for key, value in steps:
            if value is None:
                store.pop(key, None)
                plain.pop(key, None)
                continue
            try:
                store[key] = value
                plain[key] = value
            except LimitError:
                pass
        self.assertEqual(dict(store), plain)
        self.assertEqual(store.used_bytes, sum(len(k) + len(v) + ENTRY_OVERHEAD_BYTES for k, v in plain.items()))
        self.assertLessEqual(store.used_bytes, store.capacity_bytes)


class DurableStoreTests(SynchronousTestCase):
    """Over the store of a node."""

    def setUp(self) -> None:
        self.database, self.clock = MemoryDatabase(), Clock()
        self.store = Store(self.database, Inline(), self.clock)

    def space(self, guest: UUID = ONE) -> DurableStore:
        """As the next start finds it."""
        store = Store(self.database, Inline(), Clock())
        return self.successResultOf(DurableStore.load(store, guest))

    def test_what_is_flushed_is_there_after_a_kill(self) -> None:
        mine = DurableStore(self.store, ONE, {})
        mine["a"], mine["b"] = b"1", b"2"
        self.assertEqual(dict(self.space()), {})
        self.successResultOf(mine.flushed())
        self.assertEqual((dict(self.space()), dict(self.space(OTHER))), ({"a": b"1", "b": b"2"}, {}))
        del mine["a"]
        mine["b"] = b"3"
        self.successResultOf(mine.flushed())
        again = self.space()
        self.assertEqual((dict(again), again.used_bytes), ({"b": b"3"}, mine.used_bytes))

    def test_one_turn_is_written_together_without_a_word(self) -> None:
        mine = DurableStore(self.store, ONE, {})
        mine.update(a=b"1", b=b"2")
        self.clock.advance(0)
        self.assertEqual((dict(self.space()), self.database.transactions), ({"a": b"1", "b": b"2"}, 1))

    def test_what_is_refused_is_not_kept(self) -> None:
        mine = DurableStore(self.store, ONE, {})
        self.assertRaises(LocalError, mine.__setitem__, "", b"")
        self.assertRaises(KeyError, mine.__delitem__, "never")
        self.clock.advance(0)
        self.assertEqual(self.database.transactions, 0)

    def test_a_full_disk_loses_nothing(self) -> None:
        mine = DurableStore(self.store, ONE, {})
        self.database.trouble = "the disk is full"
        mine["a"] = b"1"
        self.failureResultOf(mine.flushed(), NotWritten)
        self.assertEqual(mine["a"], b"1")
        self.database.trouble = ""
        self.clock.advance(1)
        self.assertEqual(dict(self.space()), {"a": b"1"})

    def test_more_than_today_is_allowed_is_kept(self) -> None:
        mine = DurableStore(self.store, ONE, {"a": bytes(9 << 20)})
        self.assertRaises(LimitError, mine.__setitem__, "b", b"")
        del mine["a"]
        mine["b"] = b""
        self.assertEqual(mine.used_bytes, 1 + ENTRY_OVERHEAD_BYTES)
