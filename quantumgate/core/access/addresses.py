"""One spelling for every IP address and network, so that none gets past a filter under another name.

An IPv4 address that comes inside an IPv6 one (mapped, or the well-known prefix of NAT64) is that IPv4 address. Forms
that only hint at one (6to4, Teredo, compatible) stay what they are, but a block of the hinted address holds for them
too. Not for: rules (``rules.py``). Spec: docs/spec/access.md section 2.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from quantumgate.errors import LocalError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

ADDRESSES_REMEMBERED = 1024
NARROW_BITS: dict[int, int] = {4: 32, 6: 128}
WIDE_BITS: dict[int, int] = {4: 24, 6: 56}
"""The two prefixes that scores are kept for: an address, and the network that one customer or one office has."""

MAPPED_BITS = 96
_LOW = 0xFFFFFFFF
_SAME = frozenset(int(IPv6Address(text)) >> 32 for text in ("::ffff:0:0", "64:ff9b::"))
_SIX_TO_FOUR, _TEREDO = 0x2002, 0x2001_0000


def canonical(address: Address) -> Address:
    """The one form in which an address is filtered and counted: no zone, and IPv4 as IPv4."""
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    return IPv4Address(number & _LOW) if number >> 32 in _SAME else IPv6Address(number)


@lru_cache(ADDRESSES_REMEMBERED)
def address_of(text: str) -> Address | None:
    """What a transport calls its other end; None for a name, a path, anything that is no IP address."""
    try:
        return canonical(ip_address(text.partition("%")[0]))
    except ValueError:
        return None


def hinted(address: Address) -> tuple[Address, ...]:
    """The address itself, and IPv4 addresses that its bits name."""
    if isinstance(address, IPv4Address):
        return (address,)
    number = int(address)
    if number >> 112 == _SIX_TO_FOUR:
        return (address, IPv4Address(number >> 80 & _LOW))
    if number >> 96 == _TEREDO:
        return (address, IPv4Address(~number & _LOW))
    return (address, IPv4Address(number)) if _LOW >= number > 0xFFFF else (address,)


def network_of_text(text: str) -> Network:
    """``192.0.2.0/24``, ``2001:db8::/32``, or one address. Raises LocalError with what was expected and found."""
    host, slash, length = text.partition("/")
    try:
        address = ip_address(host)
    except ValueError:
        raise _no_network(text) from None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise LocalError(f"a filter has no zone, found {text!r}", advice=f"leave {'%' + address.scope_id!r} out")
    bits: int = address.max_prefixlen
    if slash:
        if not length.isascii() or not length.isdigit() or len(length) > 3 or int(length) > bits:
            raise _no_network(text)
        bits = int(length)
    return _canonical_network(address, bits, text)


def _canonical_network(address: Address, bits: int, text: str) -> Network:
    same = canonical(address)
    if same.version != address.version:
        if bits < MAPPED_BITS:
            raise LocalError(f"a network of IPv4 addresses in IPv6 form has /{MAPPED_BITS} or more, found {text!r}",
                             advice="write it as IPv4")
        bits -= MAPPED_BITS
    found = ip_network((int(same) if same.version == 4 else same.packed, bits), strict=False)
    if found.network_address != same:
        raise LocalError(f"{text} has bits beyond its length", advice=f"did you mean {found}?")
    return found


def _no_network(text: str) -> LocalError:
    return LocalError(f"expected an IP address or ADDRESS/LENGTH, found {text!r:.60}")


@lru_cache(ADDRESSES_REMEMBERED)
def within(address: Address, bits: int) -> Network:
    """The network of that length around a canonical address."""
    beyond = address.max_prefixlen - bits
    start = int(address) >> beyond << beyond
    return IPv4Network((start, bits)) if isinstance(address, IPv4Address) else IPv6Network((start, bits))


def narrow(address: Address) -> Network:
    """The first prefix of a score: the address."""
    return within(address, NARROW_BITS[address.version])


def wide(address: Address) -> Network:
    """The second: its /24 or /56."""
    return within(address, WIDE_BITS[address.version])
