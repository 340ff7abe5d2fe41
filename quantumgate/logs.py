"""Named loggers that do not give people away: addresses and identities print as short tags unless a switch is thrown.

A tag is a keyed hash with a key of this process, so lines about one peer can be matched with one another and with
nothing else. Not for: what to log, or where to (twistd's observer). Spec: docs/guide/operating.md (logs).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger, LogLevel, globalLogPublisher

from quantumgate.crypto.random import SystemRandom

_TAG_BYTES = 3
_NAMING = re.compile(
    r"(?P<peer>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<address>\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%\w+)?\](?::\d+)?|\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}\b|(?<![\w:])(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*)?::[0-9a-fA-F:]*)"
)
_LINES_REMEMBERED = 1024
_RANKS = {level: rank for rank, level in enumerate(LogLevel.iterconstants())}
LEVELS = {"debug": LogLevel.debug, "info": LogLevel.info, "warn": LogLevel.warn, "error": LogLevel.error}


class _Switches:
    """This process's log switches; one process has one log."""

    def __init__(self) -> None:
        self.redact = True
        self.least = _RANKS[LogLevel.info]
        self.key = SystemRandom().bytes(16)


_switches = _Switches()


class Hidden:
    """A value that prints as ``kind#tag``; only ``redact = false`` shows it. Log these, never the value itself."""

    __slots__ = ("_kind", "_value")

    def __init__(self, kind: str, value: object) -> None:
        self._kind = kind
        self._value = value

    def __str__(self) -> str:
        if not _switches.redact:
            return str(self._value)
        text = str(self._value).encode("utf-8", "replace")
        return f"{self._kind}#{hashlib.blake2b(text, digest_size=_TAG_BYTES, key=_switches.key).hexdigest()}"

    __repr__ = __str__


class Masked:
    """A sentence whose UUIDs and IP addresses print as tags, the same tags as theirs elsewhere in the log."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return _NAMING.sub(lambda found: str(Hidden(found.lastgroup or "", found[0])), self._text)

    __repr__ = __str__


def words(text: object) -> Masked:
    """What an error or a notice says, for the log: it may name peers and addresses."""
    return Masked(str(text))


def name(text: str) -> Hidden:
    """What a peer is called here, for the log."""
    return Hidden("name", text)


def peer(uuid: object) -> Hidden | str:
    """A peer's UUID for the log; None is an anonymous peer."""
    return "an anonymous peer" if uuid is None else Hidden("peer", uuid)


def place(address: object) -> Hidden:
    """An address, an endpoint string or a host for the log."""
    return Hidden("address", address)


class Named(Logger):
    """A logger that drops what is less important than the switch says before it makes an event of it."""

    def emit(self, level: Any, format: str | None = None, **values: object) -> None:  # noqa: A002 (their name)
        """See Logger."""
        if _RANKS.get(level, _switches.least) >= _switches.least:
            super().emit(level, format, **values)


def named(name: str) -> Named:
    """The logger of one part of the house, ``quantumgate.NAME``."""
    return Named(namespace=f"quantumgate.{name}", observer=globalLogPublisher)


def configure(level: str = "info", *, redact: bool = True) -> None:
    """Throws the switches for the whole process. Showing identities announces itself, at a level nobody filters."""
    _switches.least = _RANKS[LEVELS[level]]
    _switches.redact = redact
    if not redact:
        named("logs").critical(
            "log.redact = false: addresses and identities are written in full. Set it to true when you are done."
        )


class Occasionally:
    """At most one line a second for each key, so that nobody fills the disk by knocking."""

    def __init__(self, seconds: Callable[[], float], *, gap_seconds: float = 1.0) -> None:
        """``seconds`` tells the time."""
        self._seconds = seconds
        self._gap_seconds = gap_seconds
        self._last: dict[object, float] = {}

    def allows(self, key: object) -> bool:
        """True if a line about ``key`` may be written now."""
        now = self._seconds()
        if key in self._last and now - self._last[key] < self._gap_seconds:
            return False
        self._last.pop(key, None)
        self._last[key] = now
        if len(self._last) > _LINES_REMEMBERED:
            del self._last[next(iter(self._last))]
        return True
