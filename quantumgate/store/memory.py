"""A store in memory: for tests, and for nodes that shall forget. The same rows, the same checks, no file.

Not for: anything that must outlive the process. Rows pass through the codec: what a disk would refuse is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantumgate.store.codec import ID, decoded, encoded, id_of, wanted
from quantumgate.store.interface import StoreError
from quantumgate.store.seal import Unsealed
from quantumgate.store.tables import TABLES, Key, Row, Table


class MemoryDatabase:
    """``trouble``: while a test has set it, writes fail with these words."""

    described = "memory: forgotten at the stop"
    sealed = False

    def __init__(self) -> None:
        self.trouble = ""
        self.transactions = 0
        self._seal = Unsealed()
        self._kept: dict[str, dict[bytes, dict[str, Any]]] = {table.name: {} for table in TABLES}

    def open(self) -> None:
        """Nothing to check."""

    def load(self, table: Table, where: Mapping[str, Any]) -> dict[Key, Row]:
        """See Database."""
        found, fitting = self._kept[table.name].values(), wanted(table, where).items()
        return dict(decoded(table, kept, self._seal) for kept in found
                    if all(kept[name] == value for name, value in fitting))

    def write(self, changes: Mapping[tuple[Table, Key], Row | None]) -> None:
        """See Database."""
        if self.trouble:
            raise StoreError(self.trouble)
        made = [(table, id_of(table, key, self._seal), None if row is None else encoded(table, key, row, self._seal))
                for (table, key), row in changes.items()]
        for table, name, kept in made:
            if kept is None:
                self._kept[table.name].pop(name, None)
            else:
                self._kept[table.name][kept[ID]] = kept
        self.transactions += 1

    def close(self) -> None:
        """Kept for the next opening of this very object."""
