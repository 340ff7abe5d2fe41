"""PROXY headers, read by Twisted's own parser and byte by byte."""

from __future__ import annotations

from ipaddress import ip_address
from uuid import UUID

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.proxyheader import proxy_header

PEER = UUID("0b51a0f2-3c4d-8100-8888-000000000001")


def tlvs(header: bytes, addresses: int) -> dict[int, bytes]:
    rest, found = header[16 + addresses :], {}
    while rest:
        length = int.from_bytes(rest[1:3], "big")
        found[rest[0]] = rest[3 : 3 + length]
        rest = rest[3 + length :]
    return found


class HeaderTests(SynchronousTestCase):
    def test_every_byte(self) -> None:
        """The fixed part and the addresses as section 2.2 of proxy-protocol.txt lays them out."""
        header = proxy_header(
            PEER, "web", IPv4Address("TCP", "127.0.0.1", 40000), IPv4Address("TCP", "127.0.0.2", 8080)
        )
        tlv = b"\x02\x00\x03web" + b"\xe0\x00\x24" + str(PEER).encode()
        length = (12 + len(tlv)).to_bytes(2, "big")
        addresses = bytes.fromhex("7f000001 7f000002 9c40 1f90")
        self.assertEqual(header, bytes.fromhex("0d0a0d0a000d0a515549540a 21 11") + length + addresses + tlv)

    def test_another_parser_reads_it(self) -> None:
        for host in ("127.0.0.1", "::1"):
            kind = IPv6Address if ":" in host else IPv4Address
            header = proxy_header(PEER, "web", kind("TCP", host, 40000), kind("TCP", host, 8080))
            info, rest = V2Parser().feed(header + b"GET /")  # type: ignore[no-untyped-call]
            self.assertEqual(ip_address(info.source.host), ip_address(host))
            self.assertEqual((info.source.port, info.destination.port), (40000, 8080))
            self.assertEqual(rest, b"GET /")
            self.assertEqual(tlvs(header, 36 if ":" in host else 12), {2: b"web", 0xE0: str(PEER).encode()})

    def test_without_addresses(self) -> None:
        for source, destination in (
            (UNIXAddress(b"/a"), UNIXAddress(b"/b")),
            (IPv4Address("TCP", "127.0.0.1", 1), IPv6Address("TCP", "::1", 1)),
        ):
            header = proxy_header(PEER, "web", source, destination)
            self.assertEqual(header[13], 0)
            self.assertEqual(tlvs(header, 0)[0xE0], str(PEER).encode())

    def test_without_a_peer(self) -> None:
        self.assertEqual(tlvs(proxy_header(None, "web", None, None), 0), {2: b"web"})
