"""Who may come in: one verdict with its reason, from the configuration, the rules made by hand, and who dialled.

Not for: pins (``pins.py``), limits on strangers (``net/intake.py``) or reputation. Spec: docs/spec/access.md [A43].
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate.control.api import AccessReport
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.state import State


@dataclass(frozen=True, slots=True)
class Decision:
    """``why`` is for our own log and ``qgate access``; the peer only learns that it is not admitted."""

    admitted: bool
    why: str


class Access:
    """The rules of one node. A denial wins over a permission, a rule over the default."""

    def __init__(
        self,
        state: State,
        *,
        default: str,
        allow: Collection[PeerUUID] = (),
        deny: Collection[PeerUUID] = (),
    ) -> None:
        """``allow`` and ``deny`` are the configuration's; ``changed(uuid)`` is called for each change by hand."""
        self._state = state
        self._default = default
        self._allow = frozenset(allow)
        self._deny = frozenset(deny)
        self.changed: Callable[[PeerUUID], object] = _nobody

    def decide(self, uuid: PeerUUID, *, dialled: bool) -> Decision:
        """``dialled``: this node opened the connection and named the peer, which admits it unless a rule denies."""
        if self._deny and uuid in self._deny:
            return Decision(False, "access.deny names it")
        if self._state.deny and uuid in self._state.deny:
            return Decision(False, "denied by hand")
        if self._allow and uuid in self._allow:
            return Decision(True, "access.allow names it")
        if self._state.allow and uuid in self._state.allow:
            return Decision(True, "allowed by hand")
        if dialled:
            return Decision(True, "dialled by this node")
        return Decision(self._default == "allow", f'node.default_access = "{self._default}" and no rule names it')

    def names(self, uuid: PeerUUID) -> bool:
        """Whether a rule admits this peer by name: whoever made it trusts the peer more than any stranger."""
        return uuid in self._allow | self._state.allow and self.decide(uuid, dialled=False).admitted

    def allow(self, uuid: UUID) -> Deferred[None]:
        """Admits this peer for good; fires when the rule is on the disk."""
        name = parse_peer_uuid(str(uuid))
        if name in self._deny:
            raise LocalError(f"{name} is denied by the configuration", advice="take it out of access.deny and restart")
        self._state.deny.discard(name)
        self._state.allow.add(name)
        return self._keep(name)

    def deny(self, uuid: UUID) -> Deferred[None]:
        """Never admits this peer, and ends a session that it has now."""
        name = parse_peer_uuid(str(uuid))
        self._state.allow.discard(name)
        self._state.deny.add(name)
        return self._keep(name)

    def remove(self, uuid: UUID) -> Deferred[None]:
        """Forgets the rule by hand. Raises LocalError where there is none."""
        name = parse_peer_uuid(str(uuid))
        if name not in self._state.allow | self._state.deny:
            advice = "edit [access] and restart" if name in self._allow | self._deny else ""
            raise LocalError(f"there is no rule by hand for {name}", advice=advice)
        self._state.allow.discard(name)
        self._state.deny.discard(name)
        return self._keep(name)

    def _keep(self, name: PeerUUID) -> Deferred[None]:
        self.changed(name)
        return self._state.save()

    def list(self) -> AccessReport:
        """All rules, the configuration's and those by hand."""
        return AccessReport(
            default=self._default,
            allow=sorted(map(str, self._allow | self._state.allow)),
            deny=sorted(map(str, self._deny | self._state.deny)),
        )


def _nobody(uuid: PeerUUID) -> None:
    """Until somebody wants to know."""
