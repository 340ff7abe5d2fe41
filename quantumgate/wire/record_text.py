"""Signed peer records as text: one word each, for a line of a chat or a file. Spec: docs/spec/peer-records.md, 6.

Not for: what is in a record (``peer_records.py``), or whether it is true (``core/peer_records.py``).
"""

from __future__ import annotations

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import PEER_RECORD_DELEGATED_BYTES, PEER_RECORD_VIA
from quantumgate.wire.one_word import data_of, letters_for, word_of

SCHEME = "qgr:"
RECORDS_MAX = 1 + PEER_RECORD_VIA
"""Words in one text: a peer's record, and those of its anchors."""

WORD_LETTERS_MAX = letters_for(SCHEME, PEER_RECORD_DELEGATED_BYTES)
TEXT_LETTERS_MAX = RECORDS_MAX * (WORD_LETTERS_MAX + 2)
"""With two blanks or ends of lines behind each."""


def as_text(record: bytes) -> str:
    """The word for a record as it travels."""
    return word_of(SCHEME, record)


def from_text(text: str) -> tuple[bytes, ...]:
    """The records in a text, in their order; nothing in them is looked at. Raises MalformedError."""
    words = text.split()
    if not 0 < len(words) <= RECORDS_MAX:
        raise MalformedError(f"a text holds 1 to {RECORDS_MAX} records, found {len(words)}")
    return tuple(data_of(word, SCHEME, WORD_LETTERS_MAX, "a record") for word in words)
