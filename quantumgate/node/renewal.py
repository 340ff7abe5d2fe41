"""Another key in a running node: what lies in its data directory now signs from here on, without a restart.

Sessions that stand keep the key that they began with; peers hear the higher serial in the next handshake and in our
record. Not for: making keys (``core/online_key.py``, ``cli/rotation.py``). Spec: docs/spec/identity.md, 7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.control.key_reports import KeyReport
from quantumgate.core.delegations import FOR_HANDSHAKE, check_terms, own_delegation
from quantumgate.crypto.identity import Identity
from quantumgate.errors import LocalError, ViolationError
from quantumgate.node.data_directory import ROTATE
from quantumgate.node.world import World

if TYPE_CHECKING:
    from quantumgate.node.assemble import Parts

_log = logs.named("identity")


class Renewal:
    """One running node's. ``running()`` = it still is."""

    def __init__(self, parts: Parts, world: World, passphrase: str | None, running: Callable[[], bool]) -> None:
        self._parts, self._world, self._passphrase, self._running = parts, world, passphrase, running

    def look(self) -> Deferred[KeyReport]:
        """Takes up what lies there now. Fails with LocalError where that cannot be; then nothing has changed."""
        found = self._world.elsewhere(self._parts.directory.kept_identity, self._passphrase)  # argon2id takes a while
        return found.addCallback(self._found)

    def _found(self, found: Identity) -> KeyReport:
        if not self._running():
            raise LocalError("the node is stopping")
        present = self._parts.identity
        if found.own == present.own and found.delegation == present.delegation:
            return report_of(present, taken=False)
        check_follows(present, found, self._world.wall_seconds())
        self._take(found)
        return report_of(found, taken=True)

    def _take(self, identity: Identity) -> None:
        parts = self._parts
        parts.identity = identity
        parts.connections.sign_as(identity)
        parts.author.sign_as(identity)
        parts.desk.key_life.sign_as(identity)
        parts.relays.anchorage.sign_as(identity, parts.desk.key_life.replaced)
        _log.info("another key signs for this identity from now on, serial {serial}", serial=report_of(identity).serial)


def check_follows(present: Identity, found: Identity, wall_seconds: float) -> None:
    """Raises LocalError where ``found`` cannot take the place of ``present`` while that is in use."""
    if found.public != present.public:
        raise LocalError(f"the identity that lies in the data directory is {found.public.uuid}, this one is "
                         f"{present.public.uuid}", advice="another identity needs a restart")
    now, before = own_delegation(found), own_delegation(present)
    if now is None:
        return
    if before is not None and now.serial <= before.serial:
        raise LocalError(f"the online key in the data directory is older than the one in use (serial {now.serial}, in "
                         f"use is {before.serial})", advice=ROTATE)
    try:
        check_terms(now, usage=FOR_HANDSHAKE, now_ms=int(wall_seconds * 1000))
    except ViolationError as error:
        raise LocalError(f"no peer would take the online key in the data directory: {error}", advice=ROTATE) from None


def report_of(identity: Identity, *, taken: bool = False) -> KeyReport:
    """What signs for an identity of ours."""
    one = own_delegation(identity)
    if one is None:
        return KeyReport(uuid=str(identity.public.uuid), taken=taken)
    return KeyReport(
        uuid=str(identity.public.uuid), online_key=identity.own.fingerprint_text, serial=one.serial,
        not_after=one.not_after_seconds, taken=taken,
    )
