"""Bytes as one word of text, behind a scheme: what survives a chat, a mail and a file, and is spelt in one way only.

Not for: what the bytes are. Spec: docs/spec/peer-records.md, 6; docs/spec/identity.md, 8.
"""

from __future__ import annotations

import base64
import binascii

from quantumgate.errors import MalformedError


def letters_for(scheme: str, size_bytes: int) -> int:
    """How long the word of so many bytes is."""
    return len(scheme) + -(-size_bytes * 4 // 3)


def word_of(scheme: str, data: bytes) -> str:
    """base64url without padding (RFC 4648, section 5)."""
    return scheme + base64.urlsafe_b64encode(data).decode().rstrip("=")


def data_of(word: str, scheme: str, letters_max: int, what: str) -> bytes:
    """The bytes of a word; ``what`` names it in errors: "a record". Raises MalformedError."""
    if not word.startswith(scheme) or len(word) > letters_max or not word.isascii():
        raise MalformedError(f"{what}'s text begins with {scheme} and has at most {letters_max} letters")
    letters = word.removeprefix(scheme)
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise MalformedError(f"{what}'s text with other letters than a-z A-Z 0-9 - _, or one that was cut") from None
    if not data or word_of(scheme, data) != word:
        raise MalformedError(f"{what}'s text that was cut, or is spelt in another way")
    return data
