"""The two tables of a book: buckets of slots, and where in them a peer may stand.

A keyed hash decides, so that who brings records cannot choose their places: what one group of networks brings gets to
few buckets of the first table, whoever it is about, and peers of one group get to few of the second. Not for: what is
known of a peer (``book.py``). Spec: docs/spec/discovery.md section 3. After Heilman, Kendler, Zohar and Goldberg, 2015.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from quantumgate.crypto.random import RandomSource
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import BOOK_NEW, BOOK_NEW_LANES, BOOK_TRIED, BOOK_TRIED_LANES

Place = tuple[int, int]
"""Bucket and slot."""


class Places:
    """Where peers stand, by a secret of this book (32 bytes)."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def new(self, uuid: PeerUUID, group: str, source: str) -> Place:
        """Of a peer in ``group`` of which somebody in ``source`` told us; the slot is the first to look at."""
        lane = self._draw(BOOK_NEW_LANES, "new lane", group, source)
        bucket = self._draw(BOOK_NEW[0], "new bucket", source, str(lane))
        return bucket, self._draw(BOOK_NEW[1], "new slot", str(bucket), uuid.hex)

    def tried(self, uuid: PeerUUID, group: str) -> Place:
        """Of a peer that was reached in ``group``: one of BOOK_TRIED_LANES buckets of this group."""
        lane = self._draw(BOOK_TRIED_LANES, "tried lane", uuid.hex)
        bucket = self._draw(BOOK_TRIED[0], "tried bucket", group, str(lane))
        return bucket, self._draw(BOOK_TRIED[1], "tried slot", str(bucket), uuid.hex)

    def _draw(self, below: int, *words: str) -> int:
        """Of a power of two, so that every number is as likely."""
        told = b"".join(len(word.encode()).to_bytes(2, "big") + word.encode() for word in words)
        return int.from_bytes(hashlib.blake2b(told, key=self._secret, digest_size=8).digest(), "big") % below


class Table:
    """Who stands where. Buckets are drawn from evenly, however full they are."""

    __slots__ = ("_buckets", "_count")

    def __init__(self) -> None:
        self._buckets: dict[int, dict[int, PeerUUID]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[PeerUUID]:
        for bucket in self._buckets.values():
            yield from bucket.values()

    def at(self, place: Place) -> PeerUUID | None:
        """Who stands there."""
        return self._buckets.get(place[0], {}).get(place[1])

    def put(self, place: Place, uuid: PeerUUID) -> None:
        """The place is free."""
        self._buckets.setdefault(place[0], {})[place[1]] = uuid
        self._count += 1

    def take(self, place: Place) -> None:
        """Whoever stands there leaves."""
        bucket = self._buckets[place[0]]
        del bucket[place[1]]
        self._count -= 1
        if not bucket:
            del self._buckets[place[0]]

    def drawn(self, luck: RandomSource) -> PeerUUID | None:
        """Somebody: any bucket that is not empty, and any slot of it that is not."""
        if not self._buckets:
            return None
        buckets = list(self._buckets.values())
        standing = list(buckets[luck.below(len(buckets))].values())
        return standing[luck.below(len(standing))]
