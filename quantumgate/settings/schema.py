"""Every key of quantumgate.toml: its type, default, unit and reason. Floor 0.

``loader.py`` checks a file against it and words the errors, ``sample.py`` writes ``conf/`` from it. Not for: the names
and ranges of ``[limits]`` (``loader.py`` takes them from ``wire/limits.py``) or the tables of extenders (each extender
brings its own Struct). Spec: docs/guide/configuration.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct


def key(expected: str, reason: str, unit: str = "", **bounds: Any) -> Meta:
    """What a key must hold, in the words of its error; why it exists; its unit. ``bounds`` are msgspec's."""
    return Meta(description=reason, extra={"expected": expected, "unit": unit}, **bounds)


ENDPOINT = "a Twisted endpoint string"
SECRET_HIDDEN_KEYS = frozenset({"store"})
"""Keys whose value may hold a password: errors do not repeat it."""

ALGORITHM = Annotated[str | int, key("a name or a number", "one algorithm")]

Level = Literal["one", "two", "three", "four", "five", "custom"]
LEVELS: tuple[Level, ...] = ("one", "two", "three", "four", "five", "custom")
Padding = Literal["off", "padme", "cells", "random"]
Noise = Literal["off", "idle", "poisson", "front", "constant"]


class Listen(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One listener with its options; a bare string is the same with the defaults."""

    endpoint: Annotated[str, key(ENDPOINT, "where to listen, as in listen = [\"tcp:9999\"]")]
    lan: Annotated[
        bool, key("true or false", "peers here may dial without knowing the UUID (a trusted local network)")
    ] = False


class NodeTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    network: Annotated[
        str,
        key("a name of 1 to 64 characters", "nodes of different networks do not see each other",
            min_length=1, max_length=64),
    ] = "QuantumGate"
    listen: Annotated[
        tuple[Annotated[str | Listen, key(ENDPOINT, "one listener")], ...],
        key("an array of Twisted endpoint strings",
            'Twisted server endpoint strings, or {endpoint = "tcp:9998", lan = true}; [] = dial only'),
    ] = ("tcp:9999",)
    connect: Annotated[
        tuple[Annotated[str, key("a qg address or a Twisted endpoint string", "one peer")], ...],
        key("an array of qg addresses or Twisted endpoint strings", "peers kept connected, with back-off"),
    ] = ()
    relay: Annotated[bool, key("true or false", "carry traffic for others (never an exit)")] = False
    default_access: Annotated[
        Literal["deny", "allow"], key('"deny" or "allow"', "what happens to peers that no rule names")
    ] = "deny"
    require_authentication: Annotated[
        bool, key("true or false", "false lets nameless peers in, to extenders that are marked anonymous only")
    ] = True
    shared_secret_file: Annotated[
        str,
        key("a path", "global shared secret: the file's exact bytes, at least 32; mode 0600. Relative paths start at "
            "this file's directory"),
    ] = ""
    shared_passphrase_file: Annotated[
        str, key("a path", "instead of a secret: UTF-8 text, one final newline dropped, stretched; both set = error")
    ] = ""
    identity_passphrase_file: Annotated[
        str, key("a path", "the passphrase of a sealed key file, as UTF-8 text; mode 0600. A new identity is sealed "
                 "under it, too")
    ] = ""
    handshake_budget: Annotated[
        bool,
        key("true or false", "answer dials with at most limits.cpu_share of a core; false answers every good one, "
            "whatever CPU that takes (measuring, or a network of friends)"),
    ] = True
    store_key_file: Annotated[
        str, key("a path", "seals the store: a file's exact bytes, at least 32; mode 0600. \"\" = the identity's "
                 "passphrase does, where there is one")
    ] = ""
    store: Annotated[
        str, key("a SQLAlchemy URL", '"" = SQLite in the data directory; or sqlite:////PATH, '
                 "postgresql://USER@HOST/DATABASE, memory: (remembers nothing)")
    ] = ""
    control: Annotated[str, key("a path", '"" = a unix socket in the data directory')] = ""


_SECONDS_PAIR = Annotated[float, key("a number of seconds", "one end of a range", ge=0, le=86_400)]


class SecurityTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The level sets what is not given here. ``custom`` sets nothing: every other key must be given."""

    level: Annotated[
        Level, key('"one", "two", "three", "four", "five" or "custom"', "a preset of the keys below and of [privacy]")
    ] = "one"
    handshake_seconds: Annotated[
        float, key("seconds from 1 to 600", "from accept to the end of the handshake", "seconds", ge=1, le=600)
    ] | None = None
    handshake_delay_seconds: Annotated[
        float,
        key("seconds from 0 to 60", "random delays spread over the handshake, at most this together", "seconds",
            ge=0, le=60),
    ] | None = None
    rekey_seconds: Annotated[
        tuple[_SECONDS_PAIR, _SECONDS_PAIR] | None,
        key("a pair of seconds, the smaller first", "new session keys after a random time between the two", "seconds"),
    ] = None
    rekey_volume_bytes: Annotated[
        int,
        key("bytes from 10485760 to 64000000000", "new session keys after this much traffic, both ways", "bytes",
            ge=10_485_760, le=64_000_000_000),
    ] | None = None
    rekey_stop_seconds: Annotated[
        float,
        key("seconds from 1 to 3600", "a renewal of keys that takes longer ends the session", "seconds", ge=1, le=3600),
    ] | None = None


class MinimumTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Algorithms that are good enough, whatever a peer prefers. Empty = all that the list beside it names."""

    primary: Annotated[tuple[ALGORITHM, ...], key("an array of names or numbers", "acceptable primary exchanges")] = ()
    secondary: Annotated[
        tuple[ALGORITHM, ...], key("an array of names or numbers", "acceptable secondary exchanges")
    ] = ()
    symmetric: Annotated[tuple[ALGORITHM, ...], key("an array of names or numbers", "acceptable ciphers")] = ()


class AlgorithmsTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Lists in order of preference, by name or number; empty = the built-in order of what is installed."""

    primary: Annotated[
        tuple[ALGORITHM, ...], key("an array of names or numbers", "classical key exchange: X25519, X448, P-521")
    ] = ()
    secondary: Annotated[
        tuple[ALGORITHM, ...],
        key("an array of names or numbers", "post-quantum key exchange: ML-KEM-768, ML-KEM-1024; more with liboqs"),
    ] = ()
    symmetric: Annotated[
        tuple[ALGORITHM, ...], key("an array of names or numbers", "AES-256-GCM, ChaCha20-Poly1305")
    ] = ()
    compression: Annotated[
        tuple[Annotated[Literal["lz4"], key('"lz4"', "one method")], ...],
        key('an array that holds "lz4" or nothing', "per message; [] = off")
    ] = ("lz4",)
    minimum: Annotated[
        MinimumTable, key("a table of primary, secondary, symmetric", "the floor: no session below it, by either side")
    ] = MinimumTable()


class PeerRule(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A peer and what the rule is about; a bare UUID is about everything."""

    peer: Annotated[str, key("a peer UUID", "whom the rule is about")]
    only: Annotated[
        tuple[Annotated[str, key("connect, relay, reserve or an extender", "one thing")], ...],
        key('an array of "connect", "relay", "reserve" and extenders (name or UUID)',
            "what the rule is about", min_length=1),
    ]


class PrefixLimit(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Numbers for each network of one length; what is not given is not limited."""

    prefix: Annotated[str, key('"ipv4/LENGTH" or "ipv6/LENGTH"', "for each network of this length by itself")]
    connections: Annotated[
        int, key("a whole number from 0 to 1000000", "at a time, both ways; 0 = no limit", ge=0, le=1_000_000)
    ] = 0
    attempts: Annotated[
        int, key("a whole number from 0 to 1000000", "to connect, in limits.accepts_window_seconds; 0 = no limit",
                 ge=0, le=1_000_000)
    ] = 0
    links: Annotated[
        int, key("a whole number from 0 to 1000000", "links asked for in a minute; 0 = no limit", ge=0, le=1_000_000)
    ] = 0


_NETWORK = Annotated[str, key("an IP address or ADDRESS/LENGTH", "one network")]
_PEER = Annotated[str | PeerRule, key("a peer UUID", "one peer")]


class AccessTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    allow: Annotated[
        tuple[_PEER, ...],
        key("an array of peer UUIDs",
            'admitted whatever default_access says; {peer = "UUID", only = ["echo"]} for some things only'),
    ] = ()
    deny: Annotated[
        tuple[_PEER, ...], key("an array of peer UUIDs", "never admitted, or never to what only names")
    ] = ()
    allow_from: Annotated[
        tuple[_NETWORK, ...],
        key("an array of IP networks", "only these may dial this node; [] = every network"),
    ] = ()
    block: Annotated[
        tuple[_NETWORK, ...],
        key("an array of IP networks", "no connection with these, in either direction, whatever allow_from says"),
    ] = ()
    limits: Annotated[
        tuple[PrefixLimit, ...],
        key("an array of limits per prefix", 'as in {prefix = "ipv4/24", connections = 16, attempts = 40, links = 8}'),
    ] = ()


class RelayTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    gateways: Annotated[
        tuple[Annotated[str, key("a qg address", "one gateway")], ...],
        key("an array of qg addresses", "gateways that relayed connections may use"),
    ] = ()
    anchors: Annotated[
        tuple[Annotated[str, key("a qg address", "one anchor")], ...],
        key("an array of at most 3 qg addresses", "relays that keep a way to a node that cannot be dialled",
            max_length=3),
    ] = ()
    rate_bytes_per_second: Annotated[
        int, key("bytes per second, 0 or more", "all relayed traffic together; 0 = no limit", "bytes/s", ge=0)
    ] = 0
    allow_private: Annotated[bool, key("true or false", "links to loopback and private addresses")] = False
    accept_relayed: Annotated[bool, key("true or false", "be reached through relays")] = True
    automatic_anchors: Annotated[
        bool,
        key("true or false", "where nobody can dial this node and no anchors are named, ask peers that relay to keep a "
            "way to it"),
    ] = True


class DiscoveryTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    lan: Annotated[bool, key("true or false", "find and be found on the local network")] = False
    port_mapping: Annotated[
        bool,
        key("true or false", "ask the router for a port that leads here: by PCP or NAT-PMP, else by UPnP where the "
            "package miniupnpc is installed; needs reachability"),
    ] = False
    router: Annotated[
        str,
        key("an IPv4 address", "the router to be asked by PCP and NAT-PMP; \"\" = the one that packets leave by, as "
            "Linux says; other systems have to be told"),
    ] = ""
    reachability: Annotated[
        bool,
        key("true or false", "find out where peers see this node and whether they can dial it, do the same for them, "
            "and leave relays for a direct way"),
    ] = True
    exchange: Annotated[
        bool | Literal["auto"],
        key('true, false or "auto"', "tell peers where others are, and ask them; auto = as public"),
    ] = "auto"
    public: Annotated[
        bool | Literal["auto"],
        key('true, false or "auto"', "let anybody be told where this node is; auto = only where relay = true"),
    ] = "auto"
    lookup: Annotated[
        bool,
        key("true or false", "an exchanging node asks relays where a peer is whose UUID is all that is known"),
    ] = True
    findable: Annotated[
        bool | Literal["auto"],
        key('true, false or "auto"', "let whoever knows this UUID look up where the node is; auto = as public"),
    ] = "auto"
    connections: Annotated[
        int,
        key("a number from 0 to 64", "made by an exchanging node itself, to peers that access admits",
            "connections", ge=0, le=64),
    ] = 8


class ExtenderTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Keys of the node's own that each ``[extenders.NAME]`` may have, beside those of the extender."""

    findable: Annotated[
        bool,
        key("true or false", "let whoever knows this extender's UUID find this node by it; needs discovery.findable"),
    ] = False


class PrivacyTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is not given here comes from the security level."""

    padding: Annotated[
        Padding | None, key('"off" or "padme"', "hides the exact lengths of records; padme costs at most 12 %")
    ] = None
    noise: Annotated[Noise | None, key('"off"', "cover traffic")] = None
    hops: Annotated[
        int,
        key("a number from 0 to 8", "relays between this node and the peers it dials; 0 = none", "relays", ge=0, le=8),
    ] = 0
    middle_guards: Annotated[
        bool | None,
        key("true or false", "keep second hops for days, too; a node with anchors or services always does"),
    ] = None


class LogTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    level: Annotated[
        Literal["debug", "info", "warn", "error"],
        key('"debug", "info", "warn" or "error"', "the least important lines that are written"),
    ] = "info"
    redact: Annotated[
        bool, key("true or false", "hide addresses and identities at info and above; false shows them in full")
    ] = True


class Settings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A whole configuration. ``Settings()`` is the built-in defaults."""

    node: Annotated[NodeTable, key("a table", "this node and its place in the network")] = NodeTable()
    security: Annotated[SecurityTable, key("a table", "how much is spent on protection")] = SecurityTable()
    algorithms: Annotated[AlgorithmsTable, key("a table", "what a session may be built from")] = AlgorithmsTable()
    access: Annotated[AccessTable, key("a table", "who may come in")] = AccessTable()
    limits: Annotated[dict[str, Any], key("a table", "numbers that a peer can run into, by name")] = {}
    relay: Annotated[RelayTable, key("a table", "relayed connections")] = RelayTable()
    discovery: Annotated[DiscoveryTable, key("a table", "finding peers")] = DiscoveryTable()
    privacy: Annotated[PrivacyTable, key("a table", "what an observer may learn")] = PrivacyTable()
    log: Annotated[LogTable, key("a table", "what is written down")] = LogTable()
    extenders: Annotated[
        dict[str, dict[str, Any]], key("a table for each extender", "one table per enabled extender, [extenders.NAME]")
    ] = {}
