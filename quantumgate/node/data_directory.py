"""One node's directory: its key, its lock, its state, and writes that a power cut leaves old or new, never half.

Not for: what the state means (``state.py``). Spec: docs/guide/operating.md (the data directory).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from quantumgate.core.online_key import OnlineKeyFile
from quantumgate.crypto.identity import Identity, needs_passphrase
from quantumgate.errors import KeyFileError, LocalError
from quantumgate.store.opening import STORE_FILE

IDENTITY_FILE = "identity.key"
ONLINE_KEY_FILE = "online.key"
STATE_FILE = "state.json"
"""Of before the store."""

LOCK_FILE = "node.lock"
CONTROL_SOCKET = "control.sock"

ROTATE = "make a new one with the root key: qgate id rotate"
SEALED_ADVICE = "write its passphrase into a file and name that file in node.identity_passphrase_file"

T = TypeVar("T")

_BLOCK_BYTES = 65_536
PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


class DirectoryInUse(LocalError):
    """Another node runs on this data directory; the message names its pid."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces ``path`` by ``data`` with mode 0600: a temporary file, fsync, rename, fsync of the directory.

    Raises OSError; then ``path`` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        os.fchmod(descriptor, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def write_new(path: Path, data: bytes) -> None:
    """A file that was not there, mode 0600, on the disk when this returns. Raises OSError, also where there is one;
    then there is not half a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    _sync_directory(path.absolute().parent)


def forget_content(path: Path) -> None:
    """Overwrites a file and removes it: what a disk keeps of it beside that is beyond us. Raises OSError."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for at in range(0, size, _BLOCK_BYTES):
            file.write(bytes(min(_BLOCK_BYTES, size - at)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock_now(descriptor: int, otherwise: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise LocalError(otherwise, advice="wait until the other qgate id is done") from None


class DataDirectory:
    """The directory at ``path``. ``lock()`` before anything else in it is read or written by a node."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made_identity = False
        self._lock: int | None = None

    def file(self, name: str) -> Path:
        """Where a file of that name lies."""
        return self.path / name

    def lock(self) -> None:
        """Makes the directory if need be and takes it for this process. Raises DirectoryInUse or LocalError."""
        try:
            self.path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            descriptor = os.open(self.file(LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise LocalError(f"{self.path}: the data directory cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise DirectoryInUse(
                f"{self.path}: another node runs on this data directory, pid {pid}",
                advice="stop it first, or give this one a directory of its own with --data",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Gives the directory back. The lock file stays: deleting it would race with the next node."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def identity(self, kind: str, passphrase: str | None = None) -> Identity:
        """The identity in the key file; the first time, a new one of that kind, sealed where there is a passphrase.

        Where there is an online key, it speaks for the identity: the root stays as it lies. Raises KeyFileError, also
        for a sealed file without its passphrase.

        A data directory that was used before and has lost its key is an error: a new identity would be a stranger to
        every peer.
        """
        self.made_identity = False
        path = self.file(IDENTITY_FILE)
        if self.has_identity:
            return self.kept_identity(passphrase)
        used = next((file for file in map(self.file, (STORE_FILE, STATE_FILE)) if file.exists()), None)
        if used is not None:
            raise KeyFileError(
                f"{path}: missing, but this data directory was used before",
                advice=f"restore the key from a copy, or delete {used} to start as a new identity",
            )
        made = Identity.generate(kind)
        write_atomically(path, made.to_file_bytes(passphrase))
        self.made_identity = True
        return made

    def kept_identity(self, passphrase: str | None = None) -> Identity:
        """The same where there is one. Raises KeyFileError."""
        if self.file(ONLINE_KEY_FILE).exists():
            return self._online_identity(passphrase)
        return _read_identity(self.file(IDENTITY_FILE), passphrase)

    @contextmanager
    def keys_alone(self) -> Iterator[None]:
        """No two at a time change the keys in it, whether a node runs on it or not. Raises LocalError."""
        try:
            self.path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise LocalError(f"{self.path}: the data directory cannot be used: {error.strerror}") from None
        try:
            _lock_now(descriptor, f"{self.path}: its keys are being changed")
            yield
        finally:
            os.close(descriptor)

    @property
    def has_identity(self) -> bool:
        """Whether there is one, with its root or without."""
        return self.file(IDENTITY_FILE).exists() or self.file(ONLINE_KEY_FILE).exists()

    def forget(self, name: str) -> None:
        """Overwrites a file and removes it, for good as far as a disk can; nothing where there is none."""
        if self.file(name).exists():
            forget_content(self.file(name))

    def online_key(self) -> OnlineKeyFile | None:
        """What the online key's file says openly; None = there is none. Raises KeyFileError."""
        path = self.file(ONLINE_KEY_FILE)
        return _read(path, OnlineKeyFile.decode) if path.exists() else None

    def _online_identity(self, passphrase: str | None) -> Identity:
        path, root = self.file(ONLINE_KEY_FILE), self.file(IDENTITY_FILE)
        opened = _read(path, lambda data: _opened(OnlineKeyFile.decode(data), passphrase))
        beside = _read(root, _plain_fingerprint) if root.exists() else None
        if beside is not None and beside != opened.public.fingerprint:
            raise KeyFileError(f"{path}: of another identity than {root}",
                               advice=f"delete {path} to be the identity in {root.name}, or move {root.name} away")
        return opened


def _read_identity(path: Path, passphrase: str | None) -> Identity:
    return _read(path, lambda data: _opened_root(data, passphrase))


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    """What is in a file that nobody else may read. Raises KeyFileError."""
    try:
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise KeyFileError(f"others can read this key (mode {mode:04o})", advice=f"chmod 600 {path}")
        return parse(path.read_bytes())
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}", advice=error.advice) from None
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None


def _opened_root(data: bytes, passphrase: str | None) -> Identity:
    if passphrase is None and needs_passphrase(data):
        raise KeyFileError("the key file is sealed", advice=SEALED_ADVICE)
    return Identity.from_file_bytes(data, passphrase)


def _opened(file: OnlineKeyFile, passphrase: str | None) -> Identity:
    if passphrase is None and needs_passphrase(file.key_file):
        raise KeyFileError("the key file is sealed", advice=SEALED_ADVICE)
    return file.identity(passphrase)


def _plain_fingerprint(data: bytes) -> bytes | None:
    """Of a root that is not sealed."""
    return None if needs_passphrase(data) else Identity.from_file_bytes(data).public.fingerprint
