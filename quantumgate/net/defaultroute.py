"""The router that packets to everywhere go to, as Linux's routing table says. Nothing is sent to find out.

Other systems have no file to be read for it: there its address has to be named (``discovery.router``). Not for: our own
addresses (``ownaddresses.py``). Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

TABLE = Path("/proc/net/route")
TABLE_BYTES_MAX = 64 * 1024
"""Of a table that is longer the rest is not read: the way to everywhere stands in front."""

_UP_AND_ROUTER = 0x1 | 0x2


def default_router(table: Path = TABLE) -> str:
    """Its IPv4 address; "" where there is no such table, or no way out."""
    try:
        with table.open("rb") as file:
            return router_in(file.read(TABLE_BYTES_MAX).decode("ascii", "replace"))
    except OSError:
        return ""


def router_in(table: str) -> str:
    """That of the way to everywhere with the least metric. The numbers in the file are as the machine stores them."""
    found: list[tuple[int, str]] = []
    for line in table.splitlines()[1:]:
        words = line.split()
        try:
            target, router, flags, metric, mask = (int(words[at], base) for at, base in (
                (1, 16), (2, 16), (3, 16), (6, 10), (7, 16)))
            address = socket.inet_ntoa(router.to_bytes(4, sys.byteorder))
        except (ValueError, IndexError, OverflowError):
            continue
        if not target and not mask and flags & _UP_AND_ROUTER == _UP_AND_ROUTER:
            found.append((metric, address))
    return min(found)[1] if found else ""
