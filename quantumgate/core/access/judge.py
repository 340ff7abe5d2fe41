"""The order in which rules, limits and scores count: whoever is judged, the first that fits decides, and says so.

Looks, and changes nothing: asking twice gives the same answer, and ``explain`` asks what the door asks. ``now`` is
monotonic, for scores and attempts; ``wall`` is unix time, for end dates. Not for: what follows from a verdict
(``node/``). Spec: docs/spec/access.md sections 2 to 5.
"""

from __future__ import annotations

from quantumgate.core.access.addresses import Address
from quantumgate.core.access.attempts import PrefixLimit, PrefixLimits
from quantumgate.core.access.decision import BUILT_IN, BY_HAND, CONDUCT, CONFIGURATION, Decision, Rule
from quantumgate.core.access.reputation import Reputation, Standing
from quantumgate.core.access.rules import EVERYTHING, RELAY, RESERVE, Filter, Filters, PeerRule, PeerRules
from quantumgate.ids import PeerUUID
from quantumgate.wire.limits import SCORE_RELAY_SERVICE, Limits

_MAKERS = {CONFIGURATION: "the configuration", BY_HAND: "hand", BUILT_IN: "itself"}
_PAST = {"allow": "allowed", "deny": "denied", "ban": "banned"}
_WHERE = {CONFIGURATION: "node.default_access", BY_HAND: "the default by hand"}
_DEFAULTS = {by: Decision(True, Rule.DEFAULT, f'{where} = "allow" and no rule names it', by)
             for by, where in _WHERE.items()}
_UNDO = {"allow": "remove", "deny": "remove", "ban": "unban"}
_NO_ADDRESS = Decision(True, Rule.NO_ADDRESS, "it has no IP address: only its identity is judged")
_OPEN = Decision(True, Rule.OPEN, "no filter is about it")
_DIALLED = Decision(True, Rule.DIALLED, "dialled by this node")
_CARRIED = Decision(True, Rule.RELAYING, "links are for everybody whom no rule denies")


class Judge:
    """One node's. ``default`` is "allow" or "deny", made by ``default_by``."""

    def __init__(self, limits: Limits, default: str) -> None:
        self.filters = Filters(limits.address_filters)
        self.prefixes = PrefixLimits(limits.prefix_limits, limits.attempt_prefixes, limits.accepts_window_seconds)
        self.rules = PeerRules(limits.peer_rules)
        self.reputation = Reputation(limits)
        self.default, self.default_by = default, CONFIGURATION

    # -- addresses -----------------------------------------------------------------------------------------------

    def knock(self, address: Address | None, now: float, wall: float, *, local: bool = False) -> Decision:
        """Whether a connection from there is taken. ``local``: loopback or a ``lan`` listener: only filters count."""
        filtered = self.filtered(address, wall)
        if not filtered.admitted or address is None or local:
            return filtered
        standing = self.reputation.of_address(address, now)
        if standing.refused_until is not None:
            return _scored(standing, wall + standing.refused_until - now)
        full = self.prefixes.full(address)
        if full is not None:
            what = f"{full.connections} connections at a time from one {full.text}"
            return _limited(Rule.PREFIX_CONNECTIONS, what, full)
        often = self.prefixes.tried_too_often(address, now)
        if often is not None:
            what = f"{often.attempts} attempts in a window from one {often.text}"
            return _limited(Rule.PREFIX_ATTEMPTS, what, often)
        return filtered

    def filtered(self, address: Address | None, wall: float) -> Decision:
        """What the filters say. Who has no IP address (a unix socket, a link) is not filtered."""
        if address is None:
            return _NO_ADDRESS
        blocked = self.blocked(address, wall)
        if blocked is not None:
            return blocked
        allowing = self.filters.allowing(address)
        if allowing is not None:
            why = f"inside {allowing.network}, which is allowed by {_MAKERS[allowing.made_by]}"
            return Decision(True, Rule.ALLOWED, why, allowing.made_by)
        if self.filters.allows:
            return Decision(False, Rule.NOT_ALLOWED, "there are allow filters, and it is inside none of them",
                            advice=f"qgate access filters add allow {address}")
        return _OPEN

    def blocked(self, address: Address, wall: float) -> Decision | None:
        """What forbids every connection with this address, in both directions; None where nothing does."""
        found = self.filters.blocking(address, wall)
        return None if found is None else _blocked(found)

    def links(self, address: Address | None, now: float, wall: float) -> Decision:
        """Whether whoever is at this address may have another link, as far as the address goes."""
        if address is None:
            return Decision(True, Rule.NO_ADDRESS, "it has no IP address")
        standing = self.reputation.of_address(address, now)
        if standing.score < SCORE_RELAY_SERVICE:
            return _scored(standing, None)
        return Decision(True, Rule.RELAYING, "links are carried for everybody whom no rule denies")

    def one_more_link(self, address: Address, now: float) -> Decision | None:
        """Counts a link that is asked for, the one question that is not asked twice; the limit that refuses it."""
        limit = self.prefixes.link(address, now)
        if limit is None:
            return None
        return _limited(Rule.PREFIX_LINKS, f"{limit.links} links a minute for one {limit.text}", limit)

    # -- peers ---------------------------------------------------------------------------------------------------

    def peer(
        self, peer: PeerUUID, about: str, now: float, wall: float, *, dialled: bool = False, standing: bool = False
    ) -> Decision:
        """Whether this peer may do what ``about`` says. ``dialled``: this node opened the connection to it.

        ``standing``: it is there already, or belongs to a session that is; scores end nothing that stands.
        """
        named = self.rules.names(peer)  # hardly anybody is: this is asked several times a handshake
        forbidding = self._forbidding(peer, about, wall) if named else None
        if forbidding is not None:
            return _named(forbidding)
        scored = None if dialled or standing else self._scored(peer, about, now, wall)
        if scored is not None:
            return scored
        allowing = self.rules.find(peer, "allow", about, wall) if named else None
        if allowing is not None:
            return _named(allowing)
        if dialled:
            return _DIALLED
        return _CARRIED if about == RELAY else self._default(peer)

    def _forbidding(self, peer: PeerUUID, about: str, wall: float) -> PeerRule | None:
        return self.rules.find(peer, "ban", about, wall) or self.rules.find(peer, "deny", about, wall)

    def _scored(self, peer: PeerUUID, about: str, now: float, wall: float) -> Decision | None:
        found = self.reputation.of_peer(peer, now)
        if about in (RELAY, RESERVE) and found.score < SCORE_RELAY_SERVICE:
            return _scored(found, None)
        return None if found.refused_until is None else _scored(found, wall + found.refused_until - now)

    def _default(self, peer: PeerUUID) -> Decision:
        if self.default == "allow":
            return _DEFAULTS[self.default_by]
        why = f'{_WHERE[self.default_by]} = "{self.default}" and no rule names it'
        return Decision(False, Rule.DEFAULT, why, self.default_by, advice=f"qgate access allow {peer}")


def _blocked(found: Filter) -> Decision:
    why = f"inside {found.network}, which is blocked by {_MAKERS[found.made_by]}"
    advice = "" if found.made_by == CONFIGURATION else f"qgate access filters remove block {found.network}"
    return Decision(False, Rule.BLOCKED, why, found.made_by, found.until, advice or "edit access.block and restart")


def _scored(standing: Standing, until: float | None) -> Decision:
    why = f"the score of {standing.of} is {standing.score:.0f}"
    return Decision(False, Rule.SCORE, why, CONDUCT, until, f"qgate access reputation reset {standing.of}")


def _limited(rule: Rule, what: str, limit: PrefixLimit) -> Decision:
    by_hand = limit.made_by == BY_HAND
    advice = f"qgate access limits remove {limit.text}" if by_hand else "edit access.limits and restart"
    return Decision(False, rule, f"more than {what} ({_MAKERS[limit.made_by]})", limit.made_by, advice=advice)


def _named(rule: PeerRule) -> Decision:
    configured, admitted = rule.made_by == CONFIGURATION, rule.word == "allow"
    words = f"access.{rule.word} names it" if configured else f"{_PAST[rule.word]} by hand"
    undo = f"edit access.{rule.word} and restart" if configured else f"qgate access {_UNDO[rule.word]} {rule.peer}"
    why = words if rule.about == EVERYTHING else f"{words} for {rule.about}"
    return Decision(admitted, Rule(rule.word), why, rule.made_by, rule.until, "" if admitted else undo)
