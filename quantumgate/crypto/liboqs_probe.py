"""A child process that finds liboqs, loads it and checks its answers: a bad library kills it and not the node.

Run as a script with ``python -I`` and a JSON list of ``[id, maker, user, key, ciphertext bytes]`` as its argument; it
is never imported by the node, and needs the standard library alone. It looks where liboqs-python will look, in the
same order. Writes one JSON object per line: ``trying`` a path, then ``loaded``, then one ``answer`` per algorithm.
Not for: using liboqs (``kem.py``), nor judging its answers (``liboqs.py``). Spec: docs/spec/crypto.md (backends).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

_SECRET_BYTES = 64
"""Room for any shared secret of liboqs."""


class KemTable(ctypes.Structure):
    """The beginning of OQS_KEM of liboqs 0.16 (oqs/kem.h): names and sizes."""

    _fields_: ClassVar[list[tuple[str, Any]]] = [
        ("method_name", ctypes.c_char_p),
        ("alg_version", ctypes.c_char_p),
        ("claimed_nist_level", ctypes.c_ubyte),
        ("ind_cca", ctypes.c_bool),
        ("length_public_key", ctypes.c_size_t),
        ("length_secret_key", ctypes.c_size_t),
        ("length_ciphertext", ctypes.c_size_t),
        ("length_shared_secret", ctypes.c_size_t),
    ]


_FILL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)


class Stream:
    """Always the same bytes, even as random ones: SHA-512 in counter mode, however the library cuts its requests."""

    def __init__(self, seed: str) -> None:
        self._seed, self._counter, self._rest = seed.encode(), 0, b""

    def draw(self, n: int) -> bytes:
        """The next n bytes."""
        parts, have = [self._rest], len(self._rest)
        while have < n:
            parts.append(hashlib.sha512(self._seed + self._counter.to_bytes(8, "big")).digest())
            self._counter, have = self._counter + 1, have + 64
        data = b"".join(parts)
        self._rest = data[n:]
        return data[:n]


def candidates() -> Iterator[str]:
    """Paths in liboqs-python's order: the system's ``liboqs``, its ``oqs``, then OQS_INSTALL_PATH or ~/_oqs."""
    for name in ("liboqs", "oqs"):
        found = ctypes.util.find_library(name)
        if found:
            yield found
    prefix = Path(os.environ["OQS_INSTALL_PATH"]) if "OQS_INSTALL_PATH" in os.environ else Path.home() / "_oqs"
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    for folder in ("lib", "lib64"):
        path = prefix.absolute() / folder / f"liboqs{suffix}"
        if path.exists():
            yield str(path)


def tell(kind: str, **facts: object) -> None:
    """One line to the parent, at once: what comes next may be the end of this process."""
    sys.stdout.write(json.dumps({"kind": kind, **facts}) + "\n")
    sys.stdout.flush()


def load() -> ctypes.CDLL | None:
    """The first candidate that loads and is liboqs, with its version told."""
    for path in candidates():
        tell("trying", path=path)
        try:
            library = ctypes.CDLL(path)
            library.OQS_version.restype = ctypes.c_char_p
            version = library.OQS_version().decode()
        except (OSError, AttributeError):
            continue
        tell("loaded", path=path, version=version)
        return library
    return None


def answer(library: ctypes.CDLL, maker: str, user: str, sizes: list[int]) -> str:
    """Make a key with one form, encapsulate and open with the other, all from a fixed stream; a digest of all bytes."""
    stream = Stream(f"QuantumGate/1 known answer {user}")
    fill = _FILL(lambda at, n: ctypes.memmove(at, stream.draw(n), n) and None)
    library.OQS_randombytes_custom_algorithm(fill)
    library.OQS_KEM_new.restype = ctypes.POINTER(KemTable)
    make, use = library.OQS_KEM_new(maker.encode()), library.OQS_KEM_new(user.encode())
    if not make or not use:
        raise ValueError("not in this build of liboqs")
    table = use.contents
    found = [table.length_public_key, table.length_ciphertext]
    if found != sizes or make.contents.length_secret_key != table.length_secret_key:
        raise ValueError(f"sizes {found}, expected {sizes}")
    public, private, ciphertext = (
        ctypes.create_string_buffer(n) for n in (table.length_public_key, table.length_secret_key, sizes[1])
    )
    sealed, opened = ctypes.create_string_buffer(_SECRET_BYTES), ctypes.create_string_buffer(_SECRET_BYTES)
    if (
        library.OQS_KEM_keypair(make, public, private)
        or library.OQS_KEM_encaps(use, ciphertext, sealed, public)
        or library.OQS_KEM_decaps(use, opened, ciphertext, private)
        or sealed.raw != opened.raw
    ):
        raise ValueError("a key made, used and opened does not give one secret")
    return hashlib.sha256(public.raw + ciphertext.raw + sealed.raw[: table.length_shared_secret]).hexdigest()


def main(rows: list[tuple[int, str, str, int, int]]) -> None:
    """Find, load, answer."""
    library = load()
    if library is None:
        return
    library.OQS_init()
    for id_, maker, user, *sizes in rows:
        try:
            tell("answer", id=id_, digest=answer(library, maker, user, list(sizes)))
        except (ValueError, AttributeError) as problem:
            tell("answer", id=id_, problem=str(problem))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
