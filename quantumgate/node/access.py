"""Who may come in, and do what: the judge of ``core/access`` with this node's configuration, rules by hand and scores.

A change is kept, and told through ``changed`` to whoever has sessions to look at again. Not for: what follows from a
verdict (``enforcement.py``), scores (``conduct.py``), pins. Spec: docs/spec/access.md [A43], docs/guide/access.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred

from quantumgate.control.api import AccessExplanation, AccessReport
from quantumgate.core.access.addresses import Address, network_of_text
from quantumgate.core.access.attempts import PrefixLimit, family_of_text
from quantumgate.core.access.decision import BY_HAND, CONFIGURATION, Decision, Rule
from quantumgate.core.access.judge import Judge
from quantumgate.core.access.rules import CAPABILITIES, CONNECT, EVERYTHING, RELAY, Filter, PeerRule, Word
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node import access_reports
from quantumgate.node.state import State
from quantumgate.node.state_rows import AccessBlock, FilterRow, LimitRow, RuleRow
from quantumgate.wire.limits import Limits


class Times(Protocol):
    """The part of ``world.World`` that verdicts need: ``now`` for scores, ``wall_seconds`` for end dates."""

    @property
    def now(self) -> Callable[[], float]: ...
    @property
    def wall_seconds(self) -> Callable[[], float]: ...


def about_of(text: str, extenders: Mapping[str, UUID]) -> str:
    """What a rule is about, from what people write: a capability, or an extender by name or UUID. LocalError."""
    if text in (EVERYTHING, *CAPABILITIES):
        return text
    if text in extenders:
        return str(extenders[text])
    try:
        return str(UUID(text))
    except ValueError:
        known = ", ".join((*CAPABILITIES, *sorted(extenders)))
        raise LocalError(f"there is no extender {text!r:.60} here", advice=f"one of {known}; or an extender's UUID"
                         ) from None


class Access:
    """The rules of one node. What stands here below is set by whoever assembles it."""

    extenders: Callable[[], Mapping[str, UUID]] = dict
    """Names of the enabled extenders."""
    standing: Callable[[], Iterable[Address]] = tuple
    """The addresses of all connections there are, as far as prefixes count them."""
    relaying: Callable[[], bool] = bool
    full: Callable[[Address], str] = staticmethod(lambda address: "")
    """The name of the limit that leaves no room for a connection from there now, "" = there is room."""

    def __init__(
        self,
        state: State,
        times: Times,
        limits: Limits,
        *,
        default: str,
        rules: Collection[PeerRule] = (),
        filters: Collection[Filter] = (),
        prefix_limits: Collection[PrefixLimit] = (),
    ) -> None:
        """The configuration's. ``changed(uuid)`` is called for each change by hand; None = whoever it may concern."""
        self._state, self._times = state, times
        self.judge = Judge(limits, default)
        self._configured_default = default
        self.changed: Callable[[PeerUUID | None], object] = _nobody
        for rule in rules:
            self.judge.rules.restore(rule)
        for one in filters:
            self.judge.filters.add(one)
        for limit in prefix_limits:
            self.judge.prefixes.put(limit)
        self._remember()

    def _remember(self) -> None:
        """What was made by hand before this start. Where the configuration says the same by now, that is enough."""
        judge, kept = self.judge, self._state.access
        for word, peers in (("allow", self._state.allow), ("deny", self._state.deny)):
            for peer in peers:
                judge.rules.restore(PeerRule(peer, word))  # type: ignore[arg-type]  # the literals above
        for row in kept.rules:
            judge.rules.restore(row.rule())
        configured = {(one.network, one.block) for one in judge.filters}
        for one in (row.filter() for row in kept.filters):
            if (one.network, one.block) not in configured:
                judge.filters.add(one)
        lengths = {(limit.version, limit.bits) for limit in judge.prefixes}
        for limit in (row.limit() for row in kept.limits):
            if (limit.version, limit.bits) not in lengths:
                judge.prefixes.put(limit)
        if kept.default:
            judge.default, judge.default_by = kept.default, BY_HAND

    # -- verdicts ------------------------------------------------------------------------------------------------

    def decide(
        self, uuid: PeerUUID, about: str = CONNECT, *, dialled: bool = False, standing: bool = False
    ) -> Decision:
        """``dialled``: this node opened the connection and named the peer, which admits it unless a rule denies.

        ``standing``: its session is there already.
        """
        now, wall = self._times.now(), self._times.wall_seconds()
        return self.judge.peer(uuid, about, now, wall, dialled=dialled, standing=standing)

    def knock(self, address: Address | None, *, local: bool = False) -> Decision:
        """Whether a connection from this address is taken."""
        return self.judge.knock(address, self._times.now(), self._times.wall_seconds(), local=local)

    def filtered(self, address: Address | None, *, outbound: bool) -> Decision | None:
        """The filter that forbids a connection with this address; only blocks count for what we dialled."""
        wall = self._times.wall_seconds()
        if address is None:
            return None
        if outbound:
            return self.judge.blocked(address, wall)
        decision = self.judge.filtered(address, wall)
        return None if decision.admitted else decision

    def links(self, address: Address | None) -> Decision:
        """Whether this address may have another link, by its score."""
        return self.judge.links(address, self._times.now(), self._times.wall_seconds())

    def one_more_link(self, address: Address) -> Decision | None:
        """Counts a link that is asked for; the limit per prefix that it is too many for."""
        return self.judge.one_more_link(address, self._times.now())

    def names(self, uuid: PeerUUID) -> bool:
        """Whether a rule admits this peer by name: whoever made it trusts the peer more than any stranger."""
        return self.decide(uuid).rule is Rule.ALLOW

    def explain(self, subject: str, about: str = EVERYTHING) -> Decision:
        """The verdict that an address or a peer would get now. Raises LocalError for what is neither."""
        if not _is_peer(subject):
            network = network_of_text(subject)
            if network.num_addresses != 1 or about:
                raise LocalError("expected one address, or a peer's UUID and an extender")
            return self._explain_address(network.network_address)
        what = about_of(about, self.extenders()) or CONNECT
        decision = self.decide(parse_peer_uuid(subject), what)
        if what == RELAY and decision.admitted and not self.relaying():
            return Decision(False, Rule.RELAYING, "this node carries no traffic for others (node.relay = false)",
                            CONFIGURATION, advice="set node.relay = true and restart")
        return decision

    def _explain_address(self, address: Address) -> Decision:
        decision = self.knock(address, local=address.is_loopback)
        limit = self.full(address) if decision.admitted else ""
        if not limit:
            return decision
        return Decision(False, Rule.COUNT, f"limits.{limit} is reached at the moment",
                        advice=f"wait, or raise limits.{limit} and restart")

    # -- peers by hand -------------------------------------------------------------------------------------------

    def allow(self, uuid: UUID, only: Collection[str] = ()) -> Deferred[None]:
        """Admits this peer for good, or to what ``only`` names; fires when the rule is on the disk."""
        return self._put("allow", uuid, only)

    def deny(self, uuid: UUID, only: Collection[str] = ()) -> Deferred[None]:
        """Never admits this peer, or not to what ``only`` names, and ends what it has now."""
        return self._put("deny", uuid, only)

    def ban(self, subject: UUID | str, until: float | None = None, only: Collection[str] = ()) -> Deferred[None]:
        """Stands above every other rule until ``until`` (unix seconds), or until ``unban``. A peer, or a network."""
        if until is not None and until <= self._times.wall_seconds():
            raise LocalError("this end date is over", advice="give a later one, or --for")
        if isinstance(subject, str) and not _is_peer(subject):
            if only:
                raise LocalError("a network is banned from everything")
            return self.add_filter(subject, block=True, until=until)
        return self._put("ban", subject, only, until)

    def unban(self, subject: UUID | str) -> Deferred[None]:
        """Raises LocalError where there is no ban."""
        if isinstance(subject, str) and not _is_peer(subject):
            return self.remove_filter(subject, block=True)
        name = parse_peer_uuid(str(subject))
        self.judge.rules.remove(name, bans=True)
        return self._keep(name)

    def remove(self, uuid: UUID, only: Collection[str] = ()) -> Deferred[None]:
        """Forgets rules by hand, all or those about what ``only`` names. Raises LocalError where there is none."""
        name = parse_peer_uuid(str(uuid))
        for about in self.abouts(only) if only else [None]:
            self.judge.rules.remove(name, about)
        return self._keep(name)

    def pass_on(self, old: PeerUUID, new: PeerUUID) -> Deferred[None]:
        """Rules by hand about ``old`` are about ``new`` from now on; bans stay where they are as well."""
        rules, wall = self.judge.rules, self._times.wall_seconds()
        for rule in [rule for rule in rules.of(old) if rule.made_by == BY_HAND]:
            rules.restore(replace(rule, peer=new))
            if rule.word != "ban":
                rules.remove(old, rule.about)
        rules.prune(wall)
        self.changed(new)
        return self._keep(old)

    def _put(
        self, word: Word, uuid: UUID | str, only: Collection[str], until: float | None = None
    ) -> Deferred[None]:
        name = parse_peer_uuid(str(uuid))
        for about in self.abouts(only):
            self.judge.rules.put(PeerRule(name, word, about, until=until), self._times.wall_seconds())
        return self._keep(name)

    def abouts(self, only: Collection[str]) -> list[str]:
        """What rules are about that name all of these; LocalError for what is not here."""
        return [about_of(text, self.extenders()) for text in only] or [EVERYTHING]

    def set_default(self, word: str) -> Deferred[None]:
        """What happens to peers that no rule names; "" = as the configuration says."""
        if word not in ("", "allow", "deny"):
            raise LocalError(f"expected allow or deny, found {word!r:.40}")
        self.judge.default = word or self._configured_default
        self.judge.default_by = BY_HAND if word else CONFIGURATION
        return self._keep(None)

    # -- addresses by hand ---------------------------------------------------------------------------------------

    def add_filter(self, network: str, *, block: bool, until: float | None = None) -> Deferred[None]:
        """See ``core/access/rules.Filters.add``."""
        self.judge.filters.prune(self._times.wall_seconds())
        self.judge.filters.add(Filter(network_of_text(network), block, until=until))
        return self._keep(None)

    def remove_filter(self, network: str, *, block: bool) -> Deferred[None]:
        """See ``core/access/rules.Filters.remove``."""
        self.judge.filters.remove(network_of_text(network), block=block)
        return self._keep(None)

    def set_limit(self, prefix: str, connections: int = 0, attempts: int = 0, links: int = 0) -> Deferred[None]:
        """For every network of this length by itself; 0 = not limited. What is beyond it now is closed."""
        if not connections and not attempts and not links:
            raise LocalError("a limit limits something", advice="give --connections, --attempts or --links")
        limit = PrefixLimit(*family_of_text(prefix), connections, attempts, links)
        self.judge.prefixes.put(limit, self.standing())
        return self._keep(None)

    def remove_limit(self, prefix: str) -> Deferred[None]:
        """Raises LocalError where there is none by hand."""
        self.judge.prefixes.remove(*family_of_text(prefix))
        return self._keep(None)

    # -- reports -------------------------------------------------------------------------------------------------

    def list(self) -> AccessReport:
        """All rules, the configuration's and those by hand."""
        return access_reports.whole(self.judge, self.extenders())

    def explained(self, subject: str, about: str = EVERYTHING) -> AccessExplanation:
        """``explain`` with the score that goes with it."""
        decision, now, reputation = self.explain(subject, about), self._times.now(), self.judge.reputation
        if _is_peer(subject):
            standing = reputation.of_peer(parse_peer_uuid(subject), now)
        else:
            standing = reputation.of_address(network_of_text(subject).network_address, now)
        return access_reports.explanation(subject, about or CONNECT, decision, standing.score)

    # -- keeping -------------------------------------------------------------------------------------------------

    def _keep(self, name: PeerUUID | None) -> Deferred[None]:
        self.changed(name)
        return self._save()

    def _save(self) -> Deferred[None]:
        judge, state, wall = self.judge, self._state, self._times.wall_seconds()
        judge.rules.prune(wall)
        judge.filters.prune(wall)
        by_hand = [rule for rule in judge.rules if rule.made_by == BY_HAND]
        plain = [rule for rule in by_hand if rule.about == EVERYTHING and rule.word != "ban"]
        state.allow = {rule.peer for rule in plain if rule.word == "allow"}
        state.deny = {rule.peer for rule in plain if rule.word == "deny"}
        state.access = AccessBlock(
            default=judge.default if judge.default_by == BY_HAND else "",  # type: ignore[arg-type]  # checked when set
            rules=_sorted(RuleRow.of(rule) for rule in by_hand if rule not in plain),
            filters=_sorted(FilterRow.of(one) for one in judge.filters if one.made_by == BY_HAND),
            limits=_sorted(LimitRow.of(limit) for limit in judge.prefixes if limit.made_by == BY_HAND),
        )
        return state.save()


def _is_peer(text: object) -> bool:
    return isinstance(text, UUID) or (isinstance(text, str) and text.count("-") == 4)


def _sorted(rows: Iterable[Any]) -> tuple[Any, ...]:
    """In an order that does not depend on when they were made."""
    return tuple(sorted(rows, key=repr))


def _nobody(uuid: PeerUUID | None) -> None:
    """Until somebody wants to know."""
