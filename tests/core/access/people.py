"""Peers, networks and moments that the tests of access share."""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID

from quantumgate.core.access.addresses import Address, Network, network_of_text
from quantumgate.ids import PeerUUID

WALL = 1_800_000_000.0
"""Unix seconds at the fake clock's 0."""

ECHO, FILES = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12", "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e13"


def peer(number: int) -> PeerUUID:
    """One of many."""
    return PeerUUID(UUID(f"c0ffee00-1234-8abc-9def-{number:012x}"))


def at(text: str) -> Address:
    return ip_address(text)


def net(text: str) -> Network:
    return network_of_text(text)
