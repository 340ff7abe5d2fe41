"""Notations of addresses in rules: what a rule takes, and what it then is, against the standard library's ipaddress.

Spec: docs/spec/access.md section 2.
"""

from __future__ import annotations

import re
from contextlib import suppress
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from quantumgate.core.access.addresses import address_of, canonical, hinted, narrow, network_of_text, wide, within
from quantumgate.core.access.attempts import family_of_text
from quantumgate.errors import LocalError
from tests.fuzz.parsers.plain import Lore
from tests.fuzz.script import Script, Step
from tests.fuzz.target import Broken

MAPPED, NAT64 = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")


class Rule(IntEnum):
    NETWORK = 0  # of a filter
    ADDRESS = 1  # what a transport calls its other end
    FAMILY = 2  # of a limit per prefix


def run_script(script: Script) -> list[Any]:
    """What was understood. Raises Broken, or whatever escaped a parser."""
    judges = {Rule.NETWORK: _network, Rule.ADDRESS: _address, Rule.FAMILY: _family}
    texts = ((judges[Rule(step.kind % 3)], step.data.decode("utf-8", "surrogateescape")) for step in script)
    return [found for judge, text in texts if (found := judge(text)) is not None]


def _network(text: str) -> Any:
    try:
        found = network_of_text(text)
    except LocalError:
        found = None
    if found != (expected := expected_network(text)):
        raise Broken(f"{text[:80]!r} is {found}, and {expected} for the oracle")
    return found


def expected_network(text: str) -> IPv4Network | IPv6Network | None:
    """None = refused: zones, masks in place of lengths, bits beyond the length, IPv4 in IPv6 with less than 96."""
    if "%" in text or not re.fullmatch(r"[^/]+(/[0-9]{1,3})?", text):
        return None
    with suppress(ValueError):
        found = ip_network(text)
        if isinstance(found, IPv4Network) or not any(_holds(one, found.network_address) for one in (MAPPED, NAT64)):
            return found
        if found.prefixlen >= 96:
            return IPv4Network((found.network_address.packed[12:], found.prefixlen - 96))
    return None


def _holds(network: IPv6Network, address: IPv6Address) -> bool:
    return address in network


def _address(text: str) -> Any:
    found = address_of(text)
    try:
        plain = ip_address(text.partition("%")[0])
    except ValueError:
        plain = None
    if (found is None) != (plain is None):
        raise Broken(f"{text[:80]!r} is {found}")
    if found is None or plain is None:
        return None
    inside = isinstance(plain, IPv6Address) and any(_holds(one, plain) for one in (MAPPED, NAT64))
    if found.packed != plain.packed[12 * inside :] or canonical(found) != found:
        raise Broken(f"{text[:80]!r} is {found}")
    for network in (narrow(found), wide(found), within(found, 0)):
        if found not in network or found not in hinted(found):
            raise Broken(f"{found} is not in {network}")
    return found


def _family(text: str) -> Any:
    try:
        found = family_of_text(text)
    except LocalError:
        found = None
    match = re.fullmatch(r"ipv([46])/([0-9]{1,3})", text)
    expected = (int(match[1]), int(match[2])) if match and int(match[2]) <= {"4": 32, "6": 128}[match[1]] else None
    if found != expected:
        raise Broken(f"{text[:80]!r} is {found}, and {expected} for the oracle")
    return found


TEXTS = ("192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::1", "::ffff:192.0.2.1/120", "::ffff:0:0/96", "64:ff9b::/96",
         "64:ff9b::c000:201", "2002:c000:201::/48", "2001:0:53aa:64c:0:fbff:3fff:fdfe", "fe80::1%eth0", "0.0.0.0/0",
         "::/0", "::192.0.2.1", "10.0.0.0/255.0.0.0", "1:2:3:4:5:6:7:8/128")  # fmt: skip
LORE = Lore(
    Rule,
    (*(Step(kind, data=text.encode()) for kind in (Rule.NETWORK, Rule.ADDRESS) for text in TEXTS),
     Step(Rule.FAMILY, data=b"ipv4/24"), Step(Rule.FAMILY, data=b"ipv6/56")),
    (*(text.encode() for text in TEXTS), b"/", b":", b"::", b".", b"%", b"0", b"00", b"1", b"255", b"256",
     b"ffff", b"-1",
     b"/32", b"/33", b"/95", b"/96", b"/128", b"/129", b"0x1", b" ", b"\n", b"\x00", b"_", "\u0661".encode(), b"\xff",
     "\uff11".encode(), b"ipv4/", b"ipv6/", b"[", b"]", b"ipv"),
)  # fmt: skip
