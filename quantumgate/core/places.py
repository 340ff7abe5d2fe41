"""Where an address is, as far as it matters who is near whom: its group, and its quarter.

A group is what one operator of networks gives out (an IPv4 /16, an IPv6 /32), a quarter what one customer has (a /24, a
/56). Whoever wants to be many in one group has to pay for one customer after another. And whether what others say may
lead there at all. Not for: rules about addresses (``core/access/addresses.py``). Spec: docs/spec/relays.md sections 5
and 6, docs/spec/discovery.md section 3.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

GROUP_BITS = (16, 32)
"""Of IPv4 and IPv6. No two hops of a circuit, nor a hop and either end, are in one group."""

QUARTER_BITS = (24, 56)
PLACES_REMEMBERED = 4096
BY_NAME = "by name"
"""The group of all host names."""

LOWEST_PORT = 1024
"""Ports below it are other services': no link leads there unless a signed record of the target names it."""

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"),
               IPv6Network("2001::/32"), IPv6Network("::/96"))


def bare_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address behind a text, a mapped IPv4 one as what it is; None for a name or a scoped address."""
    try:
        found = ip_address(host)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return None if found.scope_id else found.ipv4_mapped or found
    return found


@lru_cache(PLACES_REMEMBERED)
def network_of(host: str) -> str:
    """The network that counts for diversity, "" for a name."""
    return _prefix(host, GROUP_BITS)


def group_of(host: str) -> str:
    """The same, and all names are one: names cost nothing, and nobody knows where one leads."""
    return network_of(host) or BY_NAME


@lru_cache(PLACES_REMEMBERED)
def quarter_of(host: str) -> str:
    """The network of one customer; a name is one of its own."""
    return _prefix(host, QUARTER_BITS) or f"name:{host.lower()}"


def _prefix(host: str, lengths: tuple[int, int]) -> str:
    address = bare_address(host.strip("[]"))
    if address is None:
        return ""
    bits = lengths[0] if isinstance(address, IPv4Address) else lengths[1]
    return f"{address.version}:{int(address) >> (address.max_prefixlen - bits):x}"


def may_lead_to(
    host: str, port: int, *, allow_private: bool, own: frozenset[str] = frozenset(), signed: bool = False
) -> bool:
    """Whether a relay opens a socket there. IPv6 forms that hide an IPv4 address lead nowhere.

    ``signed``: a valid record of the peer that is to be reached names this port.
    """
    address = bare_address(host)
    if address is None or not 0 < port < 65536 or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, IPv6Address) and any(address in network for network in _TRANSLATED) and not (
        allow_private and address.is_loopback
    ):
        return False
    if allow_private:
        return True
    outside = address.is_global and not address.is_reserved and str(address) not in own
    return outside and (signed or port >= LOWEST_PORT)
