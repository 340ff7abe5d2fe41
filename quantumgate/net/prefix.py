"""Which network a transport's address belongs to, for limits per prefix; and whether it is this machine.

Not for: reputation (``core/access``) or text of qg addresses (``ids.py``). Spec: docs/spec/limits.md.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from quantumgate.core.access.addresses import ADDRESSES_REMEMBERED, Address, address_of

LOCAL = "local"
"""The prefix of loopback, unix sockets and whatever has no IP address."""


def ip_of(address: Any) -> Address | None:
    """The IP of a Twisted address object, in its one form; None for a unix socket, a pipe or a name."""
    host = getattr(address, "host", None)
    return address_of(host) if isinstance(host, str) else None


def is_loopback(address: Any) -> bool:
    """True for 127.0.0.0/8, ::1 and addresses that have no network at all (unix sockets, memory)."""
    host = getattr(address, "host", None)
    return _is_loopback_host(host) if isinstance(host, str) else True


@lru_cache(ADDRESSES_REMEMBERED)
def _is_loopback_host(host: str) -> bool:
    found = address_of(host)
    return found is None or found.is_loopback


def network_of(address: Any, bits4: int, bits6: int) -> str:
    """The text of the address's /bits4 or /bits6 network, or ``LOCAL``."""
    host = getattr(address, "host", None)
    return _network_text(host, bits4, bits6) if isinstance(host, str) else LOCAL


@lru_cache(ADDRESSES_REMEMBERED)
def _network_text(host: str, bits4: int, bits6: int) -> str:
    found = address_of(host)
    if found is None or found.is_loopback:
        return LOCAL
    bits = bits4 if isinstance(found, IPv4Address) else bits6
    kept = int(found) >> (found.max_prefixlen - bits)
    return f"{found.version}:{kept:x}/{bits}"
