"""The network interfaces of this machine that others on the same cable can be reached by. Asked again now and then.

Linux is read exactly; elsewhere the one interface is that which packets to anywhere leave by. Not for: what the rest of
the world sees (``ownaddresses.py``). Spec: docs/spec/discovery.md, the local network.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quantumgate.net.ownaddresses import own_addresses

_SIOCGIFFLAGS, _SIOCGIFADDR = 0x8913, 0x8915
_UP, _LOOPBACK, _MULTICAST = 0x1, 0x8, 0x1000
_REQUEST = struct.Struct("16s240x")
_IPV6_TABLE = Path("/proc/net/if_inet6")
_LINK_SCOPE = 0x20


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of one interface. ``index`` 0 = whatever the system takes; IPv6 has its zone in ``address``."""

    index: int
    name: str
    address: str

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET


def interfaces() -> frozenset[Interface]:
    """Those that are up and carry multicast, loopback not among them: an IPv4 address and a link-local IPv6 one of
    each, where it has them."""
    if not sys.platform.startswith("linux"):
        return frozenset(Interface(0, "", address) for address in own_addresses() if ":" not in address)
    return frozenset(_of_linux())


def _of_linux() -> Iterator[Interface]:
    six = _link_local()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for index, name in socket.if_nameindex():
            if not _carries_multicast(asker, name):
                continue
            four = _asked(asker, _SIOCGIFADDR, name)
            if four is not None:
                yield Interface(index, name, socket.inet_ntoa(four[20:24]))
            if name in six:
                yield Interface(index, name, f"{six[name]}%{name}")


def _carries_multicast(asker: socket.socket, name: str) -> bool:
    found = _asked(asker, _SIOCGIFFLAGS, name)
    flags = 0 if found is None else struct.unpack_from("=H", found, 16)[0]
    return bool(flags & _UP and flags & _MULTICAST and not flags & _LOOPBACK)


def _asked(asker: socket.socket, what: int, name: str) -> bytes | None:
    """What the kernel says of an interface; None where it has nothing to say, or the interface is gone."""
    import fcntl

    try:
        return fcntl.ioctl(asker.fileno(), what, _REQUEST.pack(name.encode()[:15]))
    except OSError:
        return None


def _link_local() -> dict[str, str]:
    """The link-local IPv6 address of each interface that has one."""
    try:
        rows = [line.split() for line in _IPV6_TABLE.read_text(encoding="ascii").splitlines()]
    except OSError:
        return {}
    return {row[5]: socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[0])) for row in rows
            if len(row) == 6 and int(row[3], 16) & 0xF0 == _LINK_SCOPE}
