"""What a configuration comes to: its level applied, names turned into numbers, limits built, unbuilt parts refused.

Not for: reading files (``loader.py``). Libraries that build ``Settings`` in code come here too. Spec:
docs/guide/configuration.md; levels: reference of the original, 1.10, each of ours at least as strict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Literal

from quantumgate.core.access.addresses import Network, network_of_text
from quantumgate.core.access.attempts import PrefixLimit, family_of_text
from quantumgate.core.access.decision import CONFIGURATION
from quantumgate.core.access.rules import EVERYTHING, Filter, PeerRule
from quantumgate.crypto import suites
from quantumgate.errors import LocalError
from quantumgate.ids import QgAddress, parse_peer_uuid
from quantumgate.settings.ranges import check_together, checked_limits
from quantumgate.settings.schema import Listen, Settings
from quantumgate.settings.wording import Path, Problem, found_text, pair_text
from quantumgate.wire.limits import DEFAULT_LIMITS, REKEY_VOLUME_BYTES, Limits

Offerable = Callable[[Iterable[int]], tuple[int, ...]]
"""Of these ids of secondary algorithms, those that an installed library provides."""

PLAIN_KIND = "ed25519"
HYBRID_KIND = "ed25519+mldsa65"


@dataclass(frozen=True, slots=True)
class Preset:
    """A security level. ``handshake_delay_seconds`` and ``noise`` are reserved: asked for, not built yet."""

    handshake_seconds: float
    handshake_delay_seconds: float
    rekey_seconds: tuple[float, float]
    rekey_volume_bytes: int
    rekey_stop_seconds: float
    noise: str = "idle"
    padding: str = "padme"
    identity_kind: str = PLAIN_KIND
    middle_guards: bool = False


LEVEL_PRESETS: Mapping[str, Preset] = {
    "one": Preset(30, 0, (300, 1200), REKEY_VOLUME_BYTES[0], 240, noise="off"),
    "two": Preset(20, 3, (300, 1200), REKEY_VOLUME_BYTES[1], 240),
    "three": Preset(20, 4.5, (300, 600), REKEY_VOLUME_BYTES[2], 120),
    "four": Preset(20, 6, (300, 600), REKEY_VOLUME_BYTES[3], 120, identity_kind=HYBRID_KIND, middle_guards=True),
    "five": Preset(20, 8, (300, 600), REKEY_VOLUME_BYTES[4], 120, identity_kind=HYBRID_KIND, middle_guards=True),
}
LEVEL_LIMITS = ("handshake_seconds", "rekey_seconds", "rekey_volume_bytes", "rekey_stop_seconds")
"""Numbers of a level that are limits too; a file may give each in one of the two tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Everything that the node needs from a configuration, checked. Algorithms are ids in order of preference."""

    settings: Settings
    limits: Limits
    primaries: tuple[int, ...]
    secondaries: tuple[int, ...]
    aeads: tuple[int, ...]
    minimum_primaries: frozenset[int]
    minimum_secondaries: frozenset[int]
    minimum_aeads: frozenset[int]
    compression: bool
    padding: str
    middle_guards: bool
    identity_kind: str
    listen: tuple[Listen, ...]
    rules: tuple[PeerRule, ...]
    """What they are about is as written: connect, relay, reserve, or an extender by name or UUID."""
    filters: tuple[Filter, ...]
    prefix_limits: tuple[PrefixLimit, ...]


def resolve(settings: Settings, file: str = "settings", offerable: Offerable | None = None) -> Resolved:
    """Raises ConfigurationError, worded for ``file``. ``offerable`` defaults to what is installed here."""
    try:
        return _resolve(settings, offerable or _installed)
    except Problem as problem:
        raise problem.error(file) from None


def _installed(ids: Iterable[int]) -> tuple[int, ...]:
    from quantumgate.crypto.kem import offerable  # loads the crypto libraries: not before they are needed

    return offerable(ids)


def _resolve(settings: Settings, offerable: Offerable) -> Resolved:
    _refuse_unbuilt(settings)
    _check_secrets(settings)
    _check_store(settings.node.store)
    _check_anchors(settings)
    _check_mapping(settings)
    for number, address in enumerate(settings.node.connect):
        _check_target(("node", "connect", number), address, settings.privacy.hops)
    preset, privacy = _preset(settings), settings.privacy
    rules = (*_rules("allow", settings), *_rules("deny", settings))
    _check_rules(rules)
    primaries, secondaries, aeads = _algorithms(settings, offerable)
    return Resolved(
        settings=settings,
        limits=_limits(settings, preset),
        primaries=primaries,
        secondaries=secondaries,
        aeads=aeads,
        minimum_primaries=_minimum(settings, "primary", primaries),
        minimum_secondaries=_minimum(settings, "secondary", secondaries),
        minimum_aeads=_minimum(settings, "symmetric", aeads),
        compression=bool(settings.algorithms.compression),
        padding=privacy.padding or preset.padding,
        middle_guards=preset.middle_guards if privacy.middle_guards is None else privacy.middle_guards,
        identity_kind=preset.identity_kind,
        listen=tuple(Listen(endpoint=one) if isinstance(one, str) else one for one in settings.node.listen),
        rules=rules,
        filters=(*_filters("allow_from", settings), *_filters("block", settings)),
        prefix_limits=_prefix_limits(settings),
    )


# -- what is not built yet ---------------------------------------------------------------------------------------

def _refuse_unbuilt(settings: Settings) -> None:
    if settings.privacy.padding in {"cells", "random"}:
        raise Problem(("privacy", "padding"), '"off" or "padme" (the others are not built yet)',
                      found_text(settings.privacy.padding))
    if settings.privacy.noise not in {None, "off"}:
        raise Problem(("privacy", "noise"), '"off" (cover traffic is not built yet)',
                      found_text(settings.privacy.noise))
    if settings.security.handshake_delay_seconds:
        raise Problem(("security", "handshake_delay_seconds"), "0 (handshake delay is not built yet)",
                      found_text(settings.security.handshake_delay_seconds))


# -- levels and limits -------------------------------------------------------------------------------------------


def _preset(settings: Settings) -> Preset:
    """The level with what the file overrides. A part of it that is not built must be waived in so many words."""
    level = settings.security.level
    if level == "custom":
        return _custom(settings)
    preset = LEVEL_PRESETS[level]
    waivers = []
    if preset.noise != "off" and settings.privacy.noise is None:
        waivers.append('privacy.noise = "off"')
    if preset.handshake_delay_seconds and settings.security.handshake_delay_seconds is None:
        waivers.append("security.handshake_delay_seconds = 0")
    if waivers:
        raise Problem(("security", "level"), f'{" and ".join(waivers)} beside this level (it asks for them, and they '
                      "are not built yet)", found_text(level))
    return preset


def _custom(settings: Settings) -> Preset:
    security = settings.security
    for table, name in (*(("security", key) for key in (*LEVEL_LIMITS, "handshake_delay_seconds")),
                        ("privacy", "padding"), ("privacy", "noise")):
        if getattr(getattr(settings, table), name) is None:
            raise Problem((table, name), "a value (level custom sets none)", "nothing")
    values = {name: getattr(security, name) for name in (*LEVEL_LIMITS, "handshake_delay_seconds")}
    return Preset(**values, noise=str(settings.privacy.noise), padding=str(settings.privacy.padding))


def _limits(settings: Settings, preset: Preset) -> Limits:
    own = checked_limits(settings.limits)
    level = {}
    for name in LEVEL_LIMITS:
        given = getattr(settings.security, name)
        if given is not None and name in own:
            raise Problem(("limits", name), f"this number once (security.{name} is set too)", found_text(own[name]))
        level[name] = getattr(preset, name) if given is None else given
    low, high = level["rekey_seconds"]
    if low > high:
        raise Problem(("security", "rekey_seconds"), "a pair of seconds, the smaller first", pair_text(low, high))
    limits = replace(DEFAULT_LIMITS, **{**level, **own})
    check_together(limits)
    return limits


# -- algorithms --------------------------------------------------------------------------------------------------


def _algorithms(settings: Settings, offerable: Offerable) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    own = settings.algorithms
    primaries = _ids(("algorithms", "primary"), own.primary, _names(suites.PRIMARIES))
    secondaries = _ids(("algorithms", "secondary"), own.secondary, _names(suites.SECONDARIES))
    aeads = _ids(("algorithms", "symmetric"), own.symmetric, _names(suites.AEADS))
    for number, id_ in enumerate(secondaries):
        if suites.SECONDARIES[id_].backend != suites.CRYPTOGRAPHY and not offerable((id_,)):
            raise Problem(("algorithms", "secondary", number),
                          "an algorithm that is installed here (this one needs liboqs; qgate doctor says more)",
                          found_text(own.secondary[number]))
    return (primaries or suites.DEFAULT_PRIMARIES, secondaries or offerable(suites.DEFAULT_SECONDARIES),
            aeads or suites.DEFAULT_AEADS)


def _names(table: Mapping[int, suites.PrimaryRow | suites.SecondaryRow | suites.AeadRow]) -> dict[int, str]:
    return {id_: row.name for id_, row in table.items()}


def _ids(path: Path, wanted: tuple[str | int, ...], names: dict[int, str]) -> tuple[int, ...]:
    by_name = {name.lower(): id_ for id_, name in names.items()}
    ids: list[int] = []
    for number, one in enumerate(wanted):
        id_ = by_name.get(one.lower()) if isinstance(one, str) else one if one in names else None
        if id_ is None:
            raise Problem((*path, number), f"one of {', '.join(names.values())}", found_text(one))
        if id_ in ids:
            raise Problem((*path, number), "each algorithm once", found_text(one))
        ids.append(id_)
    return tuple(ids)


def _minimum(settings: Settings, name: str, offered: tuple[int, ...]) -> frozenset[int]:
    names = {"primary": _names(suites.PRIMARIES), "secondary": _names(suites.SECONDARIES),
             "symmetric": _names(suites.AEADS)}[name]
    path = ("algorithms", "minimum", name)
    floor = frozenset(_ids(path, getattr(settings.algorithms.minimum, name), names))
    if floor and not floor & set(offered):
        raise Problem(path, f"at least one of {', '.join(names[id_] for id_ in offered)}", "none of them")
    return floor or frozenset(offered)


# -- peers and files ---------------------------------------------------------------------------------------------


def _rules(word: Literal["allow", "deny"], settings: Settings) -> tuple[PeerRule, ...]:
    """One for each peer and each thing that the rule is about."""
    rules = []
    for number, one in enumerate(getattr(settings.access, word)):
        path: Path = ("access", word, number) if isinstance(one, str) else ("access", word, number, "peer")
        text = one if isinstance(one, str) else one.peer
        try:
            peer = parse_peer_uuid(text)
        except LocalError:
            raise Problem(path, "a peer UUID", found_text(text)) from None
        abouts = (EVERYTHING,) if isinstance(one, str) else one.only
        rules += [PeerRule(peer, word, about, CONFIGURATION) for about in abouts]
    return tuple(rules)


def _check_rules(rules: tuple[PeerRule, ...]) -> None:
    allowed = {(rule.peer, rule.about) for rule in rules if rule.word == "allow"}
    both = sorted(str(rule.peer) for rule in rules if rule.word == "deny" and (rule.peer, rule.about) in allowed)
    if both:
        raise Problem(("access", "deny"), "no peer of access.allow", found_text(both[0]))


def _filters(name: str, settings: Settings) -> tuple[Filter, ...]:
    found: dict[Network, Filter] = {}
    for number, text in enumerate(getattr(settings.access, name)):
        path = ("access", name, number)
        try:
            network = network_of_text(text)
        except LocalError as error:
            hint = f" ({error.advice})" if error.advice else ""
            raise Problem(path, f"an IP address or ADDRESS/LENGTH{hint}", found_text(text)) from None
        if network in found:
            raise Problem(path, "each network once", found_text(text))
        found[network] = Filter(network, name == "block", CONFIGURATION)
    return tuple(found.values())


def _prefix_limits(settings: Settings) -> tuple[PrefixLimit, ...]:
    found: dict[tuple[int, int], PrefixLimit] = {}
    for number, one in enumerate(settings.access.limits):
        path = ("access", "limits", number, "prefix")
        try:
            family = family_of_text(one.prefix)
        except LocalError:
            raise Problem(path, '"ipv4/0" to "ipv4/32" or "ipv6/0" to "ipv6/128"', found_text(one.prefix)) from None
        if family in found:
            raise Problem(path, "each prefix once", found_text(one.prefix))
        found[family] = PrefixLimit(*family, one.connections, one.attempts, one.links, CONFIGURATION)
    return tuple(found.values())


def _check_target(path: Path, text: str, hops: int) -> None:
    """A qg address or bare UUID is checked here; an endpoint string by its shape, the rest by Twisted at the dial."""
    if hops and not (text.startswith("qg://") and "@" in text):
        raise Problem(path, f"qg://UUID@host:port (privacy.hops = {hops}: relays need both)", found_text(text))
    if text.startswith("qg://"):
        try:
            QgAddress.parse(text)
        except LocalError:
            raise Problem(path, "qg://UUID@host:port", found_text(text)) from None
        return
    try:
        parse_peer_uuid(text)
    except LocalError:
        kind, colon, rest = text.partition(":")
        if not (colon and rest and kind.isascii() and kind.isidentifier()):
            raise Problem(path, "a qg address or a Twisted endpoint string", found_text(text)) from None


def _check_anchors(settings: Settings) -> None:
    """Anchors bring links; who takes none is not reached through them. A relay takes links in any case."""
    relay = settings.relay
    if relay.anchors and not relay.accept_relayed and not settings.node.relay:
        raise Problem(("relay", "accept_relayed"), "true where relay.anchors names any", found_text(False))


STORES = '"" (SQLite in the data directory), "sqlite:////PATH", "postgresql://..." or "memory:"'


def _check_store(text: str) -> None:
    """Its kind; a URL may hold a password, so it is not repeated."""
    known = text in ("", "memory:") or text.startswith(("sqlite:////", "postgresql://", "postgresql+psycopg://"))
    if not known:
        raise Problem(("node", "store"), STORES, found_text(text, ("store",)))


def _check_mapping(settings: Settings) -> None:
    """What a router says is dialled back before anybody hears of it."""
    if settings.discovery.port_mapping and not settings.discovery.reachability:
        raise Problem(("discovery", "reachability"), "true where discovery.port_mapping is", found_text(False))
    router = settings.discovery.router
    try:
        IPv4Address(router or "0.0.0.0")
    except ValueError:
        raise Problem(("discovery", "router"), "an IPv4 address", found_text(router)) from None


def _check_secrets(settings: Settings) -> None:
    node = settings.node
    if node.shared_secret_file and node.shared_passphrase_file:
        raise Problem(("node", "shared_passphrase_file"), "one of shared_secret_file and shared_passphrase_file",
                      "both set")
