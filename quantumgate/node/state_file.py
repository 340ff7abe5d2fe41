"""The state file of before the store: read once, strictly, and kept aside under another name.

Beside a sealed store it would tell what the seal hides: there it is overwritten and removed. Not for: writing it. What
it held: docs/guide/operating.md (the store).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from twisted.internet.defer import Deferred, fail, succeed

from quantumgate import logs
from quantumgate.errors import LocalError
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.data_directory import forget_content
from quantumgate.node.noted import Noted
from quantumgate.node.state_rows import AccessBlock, ScoresBlock, check

if TYPE_CHECKING:
    from quantumgate.node.state import State

FORMAT = 1
ASIDE = ".imported"
UNREAD = ".unread"
TAKEN, ABSENT = "taken over", "there was none"
"""What the store notes of it."""

_log = logs.named("state")
_Times = dict[str, Annotated[int, msgspec.Meta(ge=0)]]


class StateFileError(LocalError):
    """The state file cannot be used as it is. It was not touched."""


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


def take_over(path: Path, state: State) -> Deferred[None]:
    """What ``path`` says becomes part of the state, durably; then the file is kept aside, or forgotten beside a sealed
    store. Once in a store's life.

    Fails with StateFileError for a file that is damaged or cannot be read, and with NotWritten.
    """
    return _taken_over(path, state).addCallback(lambda _: _hide(path, state))


def _taken_over(path: Path, state: State) -> Deferred[None]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if not state.file_seen:
            state.file_seen = ABSENT
        return succeed(None)
    except OSError as error:
        return fail(StateFileError(f"{path}: {error.strerror}"))
    if state.file_seen:
        _log.warn("{path} is not read: what this node remembers is in its store", path=str(path))
        _put_aside(path, UNREAD)
        return succeed(None)
    try:
        _take(state, msgspec.json.decode(data, type=_File))
    except (msgspec.DecodeError, ValueError, LocalError) as error:
        advice = "restore it from a copy; moving it away forgets every pin and every access rule made by hand"
        return fail(StateFileError(f"{path}: damaged: {error}", advice=advice))
    state.file_seen = TAKEN
    return state.save().addCallback(lambda _: _put_aside(path, ASIDE))


def _take(state: State, file: _File) -> None:
    if file.format != FORMAT:
        raise ValueError(f"format {file.format}, this version knows {FORMAT}")
    state.pins = Noted((parse_peer_uuid(uuid), pin) for uuid, pin in file.pins.items())
    state.allow = set(map(parse_peer_uuid, file.allow))
    state.deny = set(map(parse_peer_uuid, file.deny))
    check(file.access, file.scores)
    state.access, state.scores = file.access, file.scores
    state.rendezvous_key = file.rendezvous_key
    state.replay_floor_ms = file.replay_floor_ms
    for name in ("guards", "middles", "dropped"):
        setattr(state, name, {parse_peer_uuid(uuid): until for uuid, until in getattr(file, name).items()})


def _put_aside(path: Path, end: str) -> None:
    """Never over another file that was put aside before."""
    target, number = path.with_name(path.name + end), 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}{end}.{number}")
    os.rename(path, target)
    _log.info("{path} is kept as {target}", path=path.name, target=target.name)


def _hide(path: Path, state: State) -> None:
    """What was taken into a store that is sealed, now or since, does not lie open beside it."""
    aside = path.with_name(path.name + ASIDE)
    if not state.store.sealed or state.file_seen != TAKEN or not aside.exists():
        return
    try:
        forget_content(aside)
        _log.info("{path} was overwritten and removed: the store that has it is sealed", path=aside.name)
    except OSError as error:
        _log.error("{path} lies open beside a sealed store, and cannot be removed: {why}", path=str(aside),
                   why=error.strerror)
