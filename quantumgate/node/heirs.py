"""Who takes the place of a peer whose root was replaced: looked at, and taken where somebody here wants it.

The heir gets the pin, the name and the rules by hand of the old identity, which keeps nothing of them. Not for: what a
succession is (``core/successions.py``). Spec: docs/spec/identity.md, section 8.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from twisted.internet.defer import Deferred

from quantumgate.control.api import SuccessionReport
from quantumgate.core.access.decision import BY_HAND, CONFIGURATION
from quantumgate.core.successions import Succession, judge
from quantumgate.errors import CryptoError, LocalError, RemoteProtocolError
from quantumgate.node.access import Access
from quantumgate.node.state import State

_ADVICE = "ask whoever gave it to you for it again, and whether its fingerprint is right"


class Heirs:
    """One node's. ``notice(kind, text)`` is told of each that was taken, and of one that contradicts a pin."""

    def __init__(
        self, state: State, access: Access, wall_seconds: Callable[[], float], notice: Callable[[str, str], object]
    ) -> None:
        self._state, self._access, self._wall_seconds, self._notice = state, access, wall_seconds, notice

    def look(self, text: str) -> SuccessionReport:
        """What a succession says, verified, and what it would mean here. Raises LocalError where it cannot be taken."""
        found = self._judged(text)
        self._check_pin(found)
        rules = [rule.made_by for rule in self._access.judge.rules.of(found.old.uuid)]
        report = SuccessionReport(
            old_uuid=str(found.old.uuid), old_fingerprint=found.old.fingerprint_text, old_kind=found.old.kind_name,
            new_uuid=str(found.new.uuid), new_fingerprint=found.new.fingerprint_text, new_kind=found.new.kind_name,
            not_after=found.not_after_seconds, pinned=found.old.uuid in self._state.pins,
            name=self._state.names.get(found.old.uuid, ""), rules=rules.count(BY_HAND),
            configured=CONFIGURATION in rules, taken=False,
        )
        if not report.pinned and not rules and not report.name:
            raise LocalError(f"nothing here is about {found.old.uuid}: there is nothing to inherit",
                             advice="a peer that was never met is simply allowed: qgate access allow")
        return report

    def take(self, text: str) -> Deferred[SuccessionReport]:
        """From now on the new identity stands where the old one stood; fires when a restart would know."""
        report, found = self.look(text), self._judged(text)
        old, new, state = found.old.uuid, found.new.uuid, self._state
        state.pins.pop(old, None)
        state.serials.pop(old, None)
        state.pins[new] = found.new.fingerprint_text
        if report.name:
            state.names[new] = state.names.pop(old)
        kept = self._access.pass_on(old, new)  # saves, all of it in one transaction
        self._notice("succession", f"{old} is succeeded by {new}, by hand")
        done = msgspec.structs.replace(report, taken=True)
        return kept.addCallback(lambda _: done)

    def _judged(self, text: str) -> Succession:
        try:
            return judge(text, now_ms=int(self._wall_seconds() * 1000))
        except (RemoteProtocolError, CryptoError) as error:
            raise LocalError(f"this succession cannot be used: {error}", advice=_ADVICE) from None

    def _check_pin(self, found: Succession) -> None:
        for identity, whose in ((found.old, "old"), (found.new, "new")):
            pin = self._state.pins.get(identity.uuid)
            if pin is not None and pin != identity.fingerprint_text:
                self._notice("pin", f"a succession names another key than the pinned one of {identity.uuid}")
                raise LocalError(f"the {whose} identity in it has another key than the one pinned here", advice=_ADVICE)
