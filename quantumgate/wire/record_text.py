"""Signed peer records as text: one word each, for a line of a chat or a file. Spec: docs/spec/peer-records.md, 6.

Not for: what is in a record (``peer_records.py``), or whether it is true (``core/peer_records.py``).
"""

from __future__ import annotations

import base64
import binascii

from quantumgate.errors import MalformedError
from quantumgate.wire.limits import PEER_RECORD_HYBRID_BYTES, PEER_RECORD_VIA

SCHEME = "qgr:"
RECORDS_MAX = 1 + PEER_RECORD_VIA
"""Words in one text: a peer's record, and those of its anchors."""

WORD_LETTERS_MAX = len(SCHEME) + -(-PEER_RECORD_HYBRID_BYTES * 4 // 3)
TEXT_LETTERS_MAX = RECORDS_MAX * (WORD_LETTERS_MAX + 2)
"""With two blanks or ends of lines behind each."""


def as_text(record: bytes) -> str:
    """The word for a record as it travels."""
    return SCHEME + base64.urlsafe_b64encode(record).decode().rstrip("=")


def from_text(text: str) -> tuple[bytes, ...]:
    """The records in a text, in their order; nothing in them is looked at. Raises MalformedError."""
    words = text.split()
    if not 0 < len(words) <= RECORDS_MAX:
        raise MalformedError(f"a text holds 1 to {RECORDS_MAX} records, found {len(words)}")
    return tuple(map(_of_word, words))


def _of_word(word: str) -> bytes:
    if not word.startswith(SCHEME) or len(word) > WORD_LETTERS_MAX or not word.isascii():
        raise MalformedError(f"a record's text begins with {SCHEME} and has at most {WORD_LETTERS_MAX} letters")
    letters = word.removeprefix(SCHEME)
    try:
        record = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise MalformedError("a record's text with other letters than a-z A-Z 0-9 - _, or one that was cut") from None
    if not record or as_text(record) != word:
        raise MalformedError("a record's text that was cut, or is spelt in another way")
    return record
