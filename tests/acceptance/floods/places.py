"""Where everybody of a flood is: addresses that look like the Internet's, each network routed apart."""

from __future__ import annotations

import random
from ipaddress import IPv4Network

CROWD = IPv4Network("24.0.0.0/8")
"""All of it are attackers' addresses: 65,536 networks of the length that budgets count."""

NEIGHBOURS = IPv4Network("90.0.0.0/8")
"""New honest peers come from here."""


WELL = "62.4.8.2"
"""Where the bare sink is, a service that knows nothing of QuantumGate."""


def anywhere(luck: random.Random, network: IPv4Network = CROWD) -> str:
    """One of its addresses, mostly in a /24 of its own."""
    return str(network[luck.randrange(1, network.num_addresses - 1)])
