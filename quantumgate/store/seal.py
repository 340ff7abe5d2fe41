"""What a column's value becomes on the disk: itself, or a box that only the store's key opens.

A sealed row's id is a keyed hash of its key, and each box is bound to its table, column and row: nobody who can write
to the file can move one to another place. Not for: where the key comes from (``keys.py``). Spec:
docs/guide/operating.md (the store); docs/adr/0173.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

ID_BYTES = 32


class Seal(Protocol):
    """How rows are named and how secret columns are kept."""

    sealed: bool

    def id_of(self, place: bytes) -> bytes:
        """The 32 bytes by which a row is found."""

    def shut(self, plain: bytes, place: bytes) -> bytes:
        """What is written for ``plain`` at ``place``."""

    def open(self, kept: bytes, place: bytes) -> bytes:
        """What was shut. Raises ValueError where that is not what was written."""


class Unsealed:
    """Without a key: file permissions are all."""

    sealed = False

    def id_of(self, place: bytes) -> bytes:
        """A plain hash: whoever can read the file can read the columns beside it."""
        return hashlib.sha256(place).digest()

    def shut(self, plain: bytes, place: bytes) -> bytes:
        """As it is."""
        return plain

    def open(self, kept: bytes, place: bytes) -> bytes:
        """As it is."""
        return kept
