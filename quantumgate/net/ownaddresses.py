"""The addresses that this machine's packets leave from, as its routing table says. Nothing is sent to find out.

Behind address translation they are private ones, and say nothing of where the rest of the world sees us. Not for:
what listeners are bound to. Spec: docs/spec/relays.md, 6.
"""

from __future__ import annotations

import socket

_FAR_AWAY = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses of documents, where nobody is; the way to them is the way to everywhere."""

_PORT = 9


def own_addresses() -> tuple[str, ...]:
    """One for each family that has a way out."""
    return tuple(found for family, address in _FAR_AWAY if (found := _source(family, address)))


def _source(family: socket.AddressFamily, address: str) -> str:
    """What a datagram to there would have as its own address; "" where there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as outlet:
            outlet.connect((address, _PORT))
            return str(outlet.getsockname()[0])
    except OSError:
        return ""
