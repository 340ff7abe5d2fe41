"""What a node knows before it starts: who it is, and what it remembers. Opens the store, takes the old state file over.

Not for: making anything out of it (``assemble.py``). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from quantumgate.crypto.identity import Identity
from quantumgate.crypto.secret import Secret
from quantumgate.errors import KeyFileError, QuantumGateError
from quantumgate.extender.store import DurableStore
from quantumgate.node.data_directory import IDENTITY_FILE, STATE_FILE, DataDirectory
from quantumgate.node.state import State
from quantumgate.node.state_file import take_over
from quantumgate.node.world import World
from quantumgate.store.interface import IStore

if TYPE_CHECKING:
    from quantumgate.node.assemble import Plan


@dataclass(frozen=True, slots=True)
class Recalled:
    """The identity, the state of an open store, and what is kept of each extender, by its UUID."""

    identity: Identity
    state: State
    spaces: Mapping[UUID, DurableStore]


def recall(plan: Plan, directory: DataDirectory, world: World) -> Deferred[Recalled]:
    """``directory`` is locked. Fails with LocalError or OSError; then the store is closed again."""
    settings = plan.resolved.settings.node
    try:  # the identity first: a store without one says that it was lost
        identity = directory.identity(plan.resolved.identity_kind, revealed(plan.key_passphrase))
        store = world.store(settings.store, directory.path, plan.store_key)
    except (QuantumGateError, OSError):
        return fail()
    found = store.open().addCallback(lambda _: State.load(store))
    found.addCallback(partial(_its_own, directory))
    found.addCallback(lambda state: take_over(directory.file(STATE_FILE), state).addCallback(lambda _: state))
    found.addCallback(lambda state: _spaces(plan, store).addCallback(partial(Recalled, identity, state)))
    return found.addErrback(lambda failure: _closed(store, failure))


def _its_own(directory: DataDirectory, state: State) -> State:
    """A store that was used before, elsewhere or in a server, is not that of an identity made a moment ago."""
    if directory.made_identity and state.file_seen:
        directory.forget(IDENTITY_FILE)
        raise KeyFileError(
            f"{directory.file(IDENTITY_FILE)}: missing, but the store that node.store names was used before",
            advice="restore the key from a copy, or name another store to start as a new identity",
        )
    return state


def _spaces(plan: Plan, store: IStore) -> Deferred[dict[UUID, DurableStore]]:
    """One after the other: each may be several MiB."""
    spaces: dict[UUID, DurableStore] = {}
    waiting = [row.uuid for row in plan.registrations if row.maker is not None and row.uuid is not None]

    def next_one() -> Deferred[dict[UUID, DurableStore]]:
        if not waiting:
            return succeed(spaces)
        guest = waiting.pop()
        return DurableStore.load(store, guest).addCallback(partial(spaces.__setitem__, guest)).addCallback(
            lambda _: next_one())

    return next_one()


def _closed(store: IStore, failure: Failure) -> Any:
    return store.close().addCallback(lambda _: failure)


def revealed(words: Secret | None) -> str | None:
    """A passphrase as text."""
    return None if words is None else words.reveal().decode()
