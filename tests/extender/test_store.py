"""A guest's key-value space: a mapping of str to bytes that cannot grow without bound."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LimitError, LocalError
from quantumgate.extender.store import ENTRY_OVERHEAD_BYTES, KEY_CHARACTERS, MemoryStore


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
