"""A guest's key-value space, in memory: strings to bytes, bounded. It lives as long as the node.

Not for: what must survive a restart of the node; the guest's ``data_directory`` is for that.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from quantumgate.errors import LimitError, LocalError
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

    def __delitem__(self, key: str) -> None:
        cost = self._cost(key)
        del self._entries[key]
        self.used_bytes -= cost

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _cost(self, key: str) -> int:
        return _cost(key, self._entries[key]) if key in self._entries else 0


def _cost(key: str, value: bytes) -> int:
    return len(key.encode("utf-8", "surrogatepass")) + len(value) + ENTRY_OVERHEAD_BYTES
