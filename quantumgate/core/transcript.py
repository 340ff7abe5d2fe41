"""The transcript: one running SHA-512 over everything that both sides must agree on.

It hashes plaintexts, not boxes: AES-GCM does not commit to its key, so equal boxes would not mean equal contents. Not
for: which values go in at which step (``core/handshake``). Spec: docs/spec/key-schedule.md section 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache

from quantumgate.crypto import labels


class Transcript:
    """TH. ``digest`` may be taken at any step; the hash runs on."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = hashlib.sha512()
        self.add(labels.TAG_PROTOCOL, labels.PROTOCOL)

    def add(self, tag: bytes, value: bytes) -> None:
        """Hash one value under its tag."""
        self._hash.update(b"%b%b%b" % (_head(tag), len(value).to_bytes(4, "big"), value))

    def add_all(self, tags: Iterable[bytes], values: Iterable[bytes]) -> None:
        """Hash several values, one tag each."""
        pairs = zip(tags, values, strict=True)
        self._hash.update(b"".join([b"%b%b%b" % (_head(tag), len(value).to_bytes(4, "big"), value)
                                    for tag, value in pairs]))

    def digest(self) -> bytes:
        """64 bytes: TH after what was added so far."""
        return self._hash.digest()


@cache
def _head(tag: bytes) -> bytes:
    """``lp(tag)``; there are twenty tags."""
    return len(tag).to_bytes(4, "big") + tag
