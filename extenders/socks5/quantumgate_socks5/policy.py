"""Where an exit lets peers go: rules of networks and ports, and addresses that only a rule naming them opens.

Decides about addresses, never about names: a name is looked up first, and every address it has is asked here.
Not for: looking up or dialling (``dialling.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from .destination import Address

Network = IPv4Network | IPv6Network
LISTABLE: tuple[Network, ...] = tuple(ip_network(text) for text in (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4",
    "::1/128", "64:ff9b::/96", "fc00::/7", "fe80::/10", "ff00::/8", "2001:db8::/32",
))  # fmt: skip
"""Private and special addresses: open only to a rule whose whole network lies inside one of these."""

_GLOBAL_V6 = IPv6Network("2000::/3")
_NEVER_V6: tuple[IPv6Network, ...] = tuple(IPv6Network(text) for text in (
    "2001::/23",  # Teredo and other protocol assignments
    "2002::/16",  # 6to4: an IPv4 address in disguise
    "3fff::/20",
))  # fmt: skip
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


@dataclass(frozen=True)
class Rule:
    """One line of ``allow`` or ``deny``. ``network`` None stands for ``*``; ``ports`` are inclusive ranges."""

    network: Network | None
    ports: tuple[tuple[int, int], ...]

    def covers(self, address: Address, port: int | None) -> bool:
        """Whether it speaks of this address and port; port None = of any port of the address."""
        if self.network is not None and address not in self.network:
            return False
        return port is None or any(low <= port <= high for low, high in self.ports)

    @property
    def names_special(self) -> bool:
        """Whether it was written for private or special addresses, not for the world at large."""
        network = self.network
        return network is not None and any(_inside(network, listable) for listable in LISTABLE)

    @property
    def names_host(self) -> bool:
        """Whether it was written for one single address."""
        return self.network is not None and self.network.prefixlen == self.network.max_prefixlen


def _inside(network: Network, other: Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def parse_rule(text: str) -> Rule:
    """``HOST:PORTS``: host ``*``, an IPv4 network or an IPv6 network in brackets; ports ``*`` or ``80,8000-8100``.

    Raises ValueError, with what is wrong.
    """
    host, colon, ports = text.rpartition(":")
    if not colon:
        raise ValueError(f"a rule is NETWORK:PORTS, found {text!r:.80}")
    try:
        return Rule(_network(host), _ports(ports))
    except ValueError:
        raise ValueError(f"a rule is NETWORK:PORTS, such as *:443 or [2001:db8::]/32:80,8000-8100, found {text!r:.80}"
                         ) from None


def _network(text: str) -> Network | None:
    if text == "*":
        return None
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise ValueError(text)
        return IPv6Network(address + rest)
    return IPv4Network(text)


def _ports(text: str) -> tuple[tuple[int, int], ...]:
    if text == "*":
        return ((1, 65535),)
    ranges = []
    for part in text.split(","):
        low, dash, high = part.partition("-")
        if not (low.isascii() and low.isdigit() and (not dash or (high.isascii() and high.isdigit()))):
            raise ValueError(part)
        ranges.append((int(low), int(high) if dash else int(low)))
        if not 1 <= ranges[-1][0] <= ranges[-1][1] <= 65535:
            raise ValueError(part)
    return tuple(ranges)


def _no_address(_: Address) -> bool:
    return False


class Policy:
    """``is_own(address)`` tells addresses of this machine. A denial wins over every permission."""

    def __init__(
        self, allow: Iterable[str], deny: Iterable[str] = (), is_own: Callable[[Address], bool] = _no_address
    ) -> None:
        self._allow = tuple(parse_rule(text) for text in allow)
        self._deny = tuple(parse_rule(text) for text in deny)
        self._is_own = is_own

    def allows(self, address: Address, port: int) -> bool:
        """Whether peers may go there."""
        return port > 0 and self._judge(address, port)

    def allows_host(self, address: Address) -> bool:
        """Whether some port of this address is allowed: what a BIND asks of those who come to it."""
        return self._judge(address, None)

    def _judge(self, address: Address, port: int | None) -> bool:
        if isinstance(address, IPv6Address):
            if _never(address):
                return False
            hidden = _hidden_ipv4(address)
            if hidden is not None and not self._judge(hidden, port):
                return False
        if any(rule.covers(address, port) for rule in self._deny):
            return False
        rules = [rule for rule in self._allow if rule.covers(address, port)]
        if any(address in network for network in LISTABLE):
            return any(rule.names_special for rule in rules)
        if rules and self._is_own(address):
            return any(rule.names_host for rule in rules)
        return bool(rules)


def _never(address: IPv6Address) -> bool:
    """Notations that no rule opens: IPv4 in disguise, what was never given to anybody."""
    if any(address in network for network in _NEVER_V6):
        return True
    return address not in _GLOBAL_V6 and not any(address in network for network in LISTABLE)


def _hidden_ipv4(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a translator or tunnel on the way would make of it."""
    if address in _NAT64 or (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None
