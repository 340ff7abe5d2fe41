"""The header of the PROXY protocol, version 2, that tells a service which peer is at the other end.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. The addresses are those of the TCP connection it
stands in front of; the peer's UUID is in a TLV of the custom range, as 36 ASCII characters, for a peer has no address
that means anything here. Not for: reading such headers. Spec: docs/spec/services.md.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any
from uuid import UUID

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
VERSION_2_PROXY = 0x21
TCP_OVER_IPV4, TCP_OVER_IPV6, UNSPECIFIED = 0x11, 0x21, 0x00
TLV_AUTHORITY = 0x02
"""The service's name, as a client would name it."""
TLV_PEER_UUID = 0xE0
"""First of the types that are left to applications."""


def proxy_header(uuid: UUID | None, service: str, source: Any, destination: Any) -> bytes:
    """``source`` and ``destination`` are the addresses of the TCP connection to the service; others are left out."""
    family, addresses = _addresses(source, destination)
    body = addresses + _tlv(TLV_AUTHORITY, service.encode())
    if uuid is not None:
        body += _tlv(TLV_PEER_UUID, str(uuid).encode())
    return SIGNATURE + struct.pack(">BBH", VERSION_2_PROXY, family, len(body)) + body


def _addresses(source: Any, destination: Any) -> tuple[int, bytes]:
    try:
        here, there = ip_address(source.host), ip_address(destination.host)
    except (AttributeError, ValueError):
        return UNSPECIFIED, b""
    if here.version != there.version:
        return UNSPECIFIED, b""
    family = TCP_OVER_IPV4 if here.version == 4 else TCP_OVER_IPV6
    return family, here.packed + there.packed + struct.pack(">HH", source.port, destination.port)


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack(">BH", kind, len(value)) + value
