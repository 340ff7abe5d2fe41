"""A guest's key-value space: strings to bytes, bounded, whole in memory, and kept by the node's store.

``MemoryStore`` is the mapping; ``DurableStore`` puts what changes into the store and says when that is durable. Not
for: large files (the guest's ``data_directory`` is). Contract: docs/guide/extender-host.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from uuid import UUID

from twisted.internet.defer import Deferred, succeed

from quantumgate.errors import LimitError, LocalError
from quantumgate.store.interface import IStore
from quantumgate.store.tables import GUEST_VALUES
from quantumgate.wire.limits import MIB

KEY_CHARACTERS = 256
STORE_BYTES = 8 * MIB
ENTRY_OVERHEAD_BYTES = 128
"""What an entry counts beyond its key and value, so that a million empty values are not free."""


class MemoryStore(MutableMapping[str, bytes]):
    """Keys are str of 1 to 256 characters, values are bytes; the sum of both is at most ``capacity_bytes``.

    Raises KeyError for a missing key, LocalError for a wrong type, LimitError when full (nothing is changed then).
    """

    def __init__(self, capacity_bytes: int = STORE_BYTES) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self._entries: dict[str, bytes] = {}

    def __getitem__(self, key: str) -> bytes:
        return self._entries[key]

    def __setitem__(self, key: str, value: bytes) -> None:
        if not isinstance(key, str) or not 1 <= len(key) <= KEY_CHARACTERS:
            raise LocalError(f"a key is a str of 1 to {KEY_CHARACTERS} characters, found {key!r:.80}")
        if not isinstance(value, bytes):
            raise LocalError(f"a value is bytes, found {type(value).__name__}")
        used = self.used_bytes - self._cost(key) + _cost(key, value)
        if used > self.capacity_bytes:
            raise LimitError("store_bytes", self.capacity_bytes, "none: it is fixed")
        self._entries[key] = value
        self.used_bytes = used
        self._changed(key, value)

    def __delitem__(self, key: str) -> None:
        cost = self._cost(key)
        del self._entries[key]
        self.used_bytes -= cost
        self._changed(key, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def flushed(self) -> Deferred[None]:
        """Fires when everything that was set or deleted so far is as durable as it will be."""
        return succeed(None)

    def _changed(self, key: str, value: bytes | None) -> None:
        """``key`` has this value now; None = it is gone."""

    def _cost(self, key: str) -> int:
        return _cost(key, self._entries[key]) if key in self._entries else 0


class DurableStore(MemoryStore):
    """The same, kept for the guest of this UUID. What is set in one turn of the reactor is written together or not."""

    def __init__(self, store: IStore, guest: UUID, entries: Mapping[str, bytes]) -> None:
        """``entries`` are what ``store`` has of this guest, whatever the bounds were when it was written."""
        super().__init__()
        self._store, self._guest = store, guest
        self._entries = dict(entries)
        self.used_bytes = sum(map(self._cost, self._entries))

    @classmethod
    def load(cls, store: IStore, guest: UUID) -> Deferred[DurableStore]:
        """This guest's. Fails with DamagedStore."""
        rows = store.load(GUEST_VALUES, guest=guest)
        return rows.addCallback(
            lambda found: cls(store, guest, {name: value for (_, name), (value,) in found.items()}))

    def flushed(self) -> Deferred[None]:
        """Fires when everything that was set or deleted so far outlives a power cut.

        Fails with LocalError where it cannot be written now: nothing is lost then, and it is tried again.
        """
        return self._store.flushed()

    def _changed(self, key: str, value: bytes | None) -> None:
        self._store.put(GUEST_VALUES, {(self._guest, key): None if value is None else (value,)})


def _cost(key: str, value: bytes) -> int:
    return len(key.encode("utf-8", "surrogatepass")) + len(value) + ENTRY_OVERHEAD_BYTES
