"""What a node remembers over a restart: pins, rules by hand, scores, the replay floor, guards, relays it dropped.

Reading is strict: a damaged file stops the node, for a forgotten pin or rule would open a door. Not for: deciding
(``pins.py``, ``access.py``). Spec: docs/guide/operating.md (the data directory).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from quantumgate import logs
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.data_directory import write_atomically
from quantumgate.node.state_rows import AccessBlock, ScoresBlock, check

FORMAT = 1
_TIMES = ("guards", "middles", "dropped")
_log = logs.named("state")


class StateFileError(LocalError):
    """The state file cannot be used as it is. It was not touched."""


_Times = dict[str, Annotated[int, msgspec.Meta(ge=0)]]


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The file, as JSON."""

    format: int
    pins: dict[str, Annotated[str, msgspec.Meta(pattern="^[a-z2-7]{52}$")]]
    allow: list[str]
    deny: list[str]
    rendezvous_key: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""
    replay_floor_ms: Annotated[int, msgspec.Meta(ge=0)]
    guards: _Times = msgspec.field(default_factory=dict)
    middles: _Times = msgspec.field(default_factory=dict)
    dropped: _Times = msgspec.field(default_factory=dict)
    access: AccessBlock = AccessBlock()
    scores: ScoresBlock = ScoresBlock()


class State:
    """The state in memory; ``save()`` writes it. ``pins`` maps a UUID to the text of its fingerprint; ``guards``,
    ``middles`` and ``dropped`` one to a unix time: until then it is a first hop of ours, a second, or none.
    ``allow`` and ``deny`` are the rules by hand about everything, ``access`` holds the others.
    """

    def __init__(self, path: Path, elsewhere: Callable[..., Deferred[Any]]) -> None:
        """``elsewhere(function, *arguments)`` runs a write off the reactor thread (``threads.deferToThread``)."""
        self.path = path
        self.pins: dict[PeerUUID, str] = {}
        self.allow: set[PeerUUID] = set()
        self.deny: set[PeerUUID] = set()
        self.access, self.scores = AccessBlock(), ScoresBlock()
        self.rendezvous_key = ""
        self.replay_floor_ms = 0
        self.guards: dict[PeerUUID, int] = {}
        self.middles: dict[PeerUUID, int] = {}
        self.dropped: dict[PeerUUID, int] = {}
        self._elsewhere = elsewhere
        self._writing: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    @classmethod
    def load(cls, path: Path, elsewhere: Callable[..., Deferred[Any]]) -> State:
        """Raises StateFileError for a file that is damaged or cannot be read; a missing one is an empty state."""
        state = cls(path, elsewhere)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return state
        except OSError as error:
            raise StateFileError(f"{path}: {error.strerror}") from None
        try:
            state._take(msgspec.json.decode(data, type=_File))
        except (msgspec.DecodeError, ValueError, LocalError) as error:
            raise StateFileError(
                f"{path}: damaged: {error}",
                advice="restore it from a copy; moving it away forgets every pin and every access rule made by hand",
            ) from None
        return state

    def _take(self, file: _File) -> None:
        if file.format != FORMAT:
            raise ValueError(f"format {file.format}, this version knows {FORMAT}")
        self.pins = {parse_peer_uuid(uuid): pin for uuid, pin in file.pins.items()}
        self.allow = set(map(parse_peer_uuid, file.allow))
        self.deny = set(map(parse_peer_uuid, file.deny))
        self.access, self.scores = file.access, file.scores
        check(file.access, file.scores)
        self.rendezvous_key = file.rendezvous_key
        self.replay_floor_ms = file.replay_floor_ms
        for name in _TIMES:
            setattr(self, name, {parse_peer_uuid(uuid): until for uuid, until in getattr(file, name).items()})

    def encoded(self) -> bytes:
        """The file's bytes."""
        return msgspec.json.format(
            msgspec.json.encode(
                {
                    "format": FORMAT,
                    "pins": {str(uuid): pin for uuid, pin in sorted(self.pins.items(), key=str)},
                    "allow": sorted(map(str, self.allow)),
                    "deny": sorted(map(str, self.deny)),
                    **({"rendezvous_key": self.rendezvous_key} if self.rendezvous_key else {}),
                    "replay_floor_ms": self.replay_floor_ms,
                    **{name: _times_text(getattr(self, name)) for name in _TIMES},
                    **({"access": self.access} if self.access != AccessBlock() else {}),
                    **({"scores": self.scores} if self.scores.rows else {}),
                }
            ),
            indent=1,
        )

    def save(self) -> Deferred[None]:
        """Writes the present state; one write at a time, and one is enough for all who asked meanwhile.

        Fails with LocalError where the file cannot be written; nothing in memory is lost then.
        """
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if self._writing is None:
            self._write()
        return done

    def save_in_background(self) -> None:
        """Like ``save``, for changes that nobody waits for: a failure goes to the log."""
        self.save().addErrback(_complain)

    def flushed(self) -> Deferred[None]:
        """Fires when no write is under way."""
        return self.save().addErrback(_complain) if self._writing is not None else succeed(None)

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._writing = maybeDeferred(self._elsewhere, write_atomically, self.path, self.encoded())
        self._writing.addBoth(self._written, waiting)

    def _written(self, result: Any, waiting: list[Deferred[None]]) -> None:
        self._writing = None
        if self._waiting:
            self._write()
        for done in waiting:
            if isinstance(result, Failure):
                done.errback(LocalError(f"{self.path}: cannot be written: {result.getErrorMessage()}"))
            else:
                done.callback(None)


def _times_text(times: dict[PeerUUID, int]) -> dict[str, int]:
    return {str(uuid): until for uuid, until in sorted(times.items(), key=str)}


def _complain(failure: Failure) -> None:
    _log.error("the state was not saved: {why}", why=failure.getErrorMessage())
