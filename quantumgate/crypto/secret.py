"""Secrets: kept in memory that is locked against swapping and core dumps, wiped after use, never shown.

All secrets share one arena of mapped chunks cut into slots, because locking each one would cost a page (4 KiB) per
secret and a node holds several per session. Not for: key schedules inside the crypto library, nor the copies that
``reveal`` hands out: Python cannot promise to erase those. Spec: docs/spec/crypto.md (secrets).
"""

from __future__ import annotations

import ctypes
import errno
import hmac
import mmap
import os
import threading
from dataclasses import dataclass
from typing import NoReturn

from quantumgate.errors import BugError, LocalError

CHUNK_BYTES = 65_536
_CHUNK_BITS = CHUNK_BYTES.bit_length() - 1
_SMALLEST_SLOT_BITS = 4
_SHORT_BITS = tuple(max((size - 1).bit_length(), _SMALLEST_SLOT_BITS) for size in range(257))
"""``slot_bits`` of the sizes that nearly every secret has: a handshake takes some fifty slots."""

_OFFSET_MASK = CHUNK_BYTES - 1
_WIPED = -1
_USED_AFTER_WIPE = "a secret was used after it was wiped"


@dataclass(frozen=True, slots=True)
class ArenaStatus:
    """How well secrets are kept: bytes of the arena that are locked, that are not, and why not ("" = all is well)."""

    locked_bytes: int
    unlocked_bytes: int
    reason: str


class _Arena:
    """Chunks of mapped memory and the free slots in them, one list for each power of two.

    A slot's address is ``chunk number << 16 | offset``. Taking and giving back are single list operations, atomic under
    the interpreter's lock: ``give`` runs from ``__del__`` at any moment, so it must never wait for ``_growing``.
    """

    def __init__(self) -> None:
        self.chunks: list[mmap.mmap] = []
        self.free: dict[int, list[int]] = {}
        self.unlocked_bytes = 0
        self.reason = ""
        self._growing = threading.Lock()

    def take(self, size: int) -> int:
        bits = _SHORT_BITS[size] if size <= 256 else slot_bits(size)
        while True:
            try:
                return self.free[bits].pop()
            except (KeyError, IndexError):
                with self._growing:
                    self._grow(bits)

    def give(self, at: int, size: int) -> None:
        chunk, start = self.chunks[at >> _CHUNK_BITS], at & _OFFSET_MASK
        chunk[start : start + size] = bytes(size)
        self.free[_SHORT_BITS[size] if size <= 256 else slot_bits(size)].append(at)

    def _grow(self, bits: int) -> None:
        chunk = mmap.mmap(-1, max(CHUNK_BYTES, 1 << bits), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._protect(chunk)
        self.chunks.append(chunk)
        base = (len(self.chunks) - 1) << _CHUNK_BITS
        step = 1 << bits
        self.free.setdefault(bits, []).extend(range(base + len(chunk) - step, base - 1, -step))

    def _protect(self, chunk: mmap.mmap) -> None:
        if hasattr(mmap, "MADV_DONTDUMP"):
            chunk.madvise(mmap.MADV_DONTDUMP)
        problem = _lock_memory(chunk)
        if problem:
            self.reason = problem
            self.unlocked_bytes += len(chunk)

    def protect_again(self) -> None:
        """After a fork: a child inherits the pages but not their locks, and twistd forks to become a daemon."""
        self._growing = threading.Lock()
        self.unlocked_bytes, self.reason = 0, ""
        for chunk in self.chunks:
            self._protect(chunk)

    def status(self) -> ArenaStatus:
        total = sum(len(chunk) for chunk in self.chunks)
        return ArenaStatus(total - self.unlocked_bytes, self.unlocked_bytes, self.reason)


def slot_bits(size: int) -> int:
    """The slot that holds ``size`` bytes has ``1 << slot_bits(size)``."""
    return _SHORT_BITS[size] if size <= 256 else (size - 1).bit_length()


def _lock_memory(chunk: mmap.mmap) -> str:
    """Keep a chunk out of swap. Returns "" or why it could not be done: a node must run without, and say so."""
    try:
        lock = ctypes.CDLL(None, use_errno=True).mlock
    except (AttributeError, OSError, TypeError):
        return "this system cannot lock memory"
    pinned = ctypes.c_char.from_buffer(chunk)
    if lock(ctypes.c_void_p(ctypes.addressof(pinned)), ctypes.c_size_t(len(chunk))) == 0:
        return ""
    number = ctypes.get_errno()
    advice = "; raise RLIMIT_MEMLOCK (ulimit -l)" if number in (errno.ENOMEM, errno.EPERM, errno.EAGAIN) else ""
    return f"mlock: {os.strerror(number)}{advice}"


_ARENA = _Arena()
_CHUNKS, _take, _give = _ARENA.chunks, _ARENA.take, _ARENA.give
os.register_at_fork(after_in_child=_ARENA.protect_again)


def arena_status() -> ArenaStatus:
    """What ``qgate doctor`` reports about locked memory. Makes sure that there is a chunk to judge by."""
    if not _ARENA.chunks:
        Secret(b"\0").wipe()
    return _ARENA.status()


class Secret:
    """Bytes that only ``reveal`` and ``borrow`` show. Equality takes constant time; there is no hash and no pickle."""

    __slots__ = ("_at", "_size")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        """Copies data (1 byte or more) into locked memory; wiping the source is the caller's."""
        self._at = _WIPED
        self._size = size = len(data)
        if not size:
            raise LocalError("a secret cannot be empty")
        self._at = at = _take(size)
        start = at & _OFFSET_MASK
        _CHUNKS[at >> _CHUNK_BITS][start : start + size] = data

    @classmethod
    def blank(cls, size: int) -> Secret:
        """A secret of ``size`` zero bytes, to be filled through ``fill_view``."""
        made = cls.__new__(cls)
        made._size = size
        made._at = _take(size)
        return made

    def reveal(self) -> bytes:
        """A copy in ordinary memory. Named so that a search finds every place where a secret leaves its lock."""
        if self._at < 0:
            raise BugError(_USED_AFTER_WIPE)
        start = self._at & _OFFSET_MASK
        return _ARENA.chunks[self._at >> _CHUNK_BITS][start : start + self._size]

    def borrow(self) -> memoryview:
        """The locked bytes themselves, read only, for one call into the crypto library. Never keep it."""
        at = self._at
        if at < 0:
            raise BugError(_USED_AFTER_WIPE)
        start = at & _OFFSET_MASK
        return memoryview(_CHUNKS[at >> _CHUNK_BITS])[start : start + self._size].toreadonly()

    def fill_view(self) -> memoryview:
        """The locked bytes, writable, for a library that can write its result in place. Never keep it."""
        at = self._at
        if at < 0:
            raise BugError(_USED_AFTER_WIPE)
        start = at & _OFFSET_MASK
        return memoryview(_CHUNKS[at >> _CHUNK_BITS])[start : start + self._size]

    def wipe(self) -> None:
        """Zero the bytes and give the slot back. Using the secret afterwards is a bug; wiping again is nothing."""
        at, self._at = self._at, _WIPED
        if at >= 0:
            _give(at, self._size)

    def __del__(self) -> None:
        if self._at >= 0:
            self.wipe()

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.fill_view(), other.fill_view())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Secret {self._size} bytes{', wiped' if self._at < 0 else ''}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")
