"""The router that packets leave by, from tables as Linux writes them."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.net.defaultroute import TABLE_BYTES_MAX, default_router, router_in

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def row(target: str, router: str, *, flags: int = 3, metric: int = 0, mask: str = "0.0.0.0", name: str = "eth0") -> str:
    def number(address: str) -> str:
        return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"

    return f"{name}\t{number(target)}\t{number(router)}\t{flags:04X}\t0\t0\t{metric}\t{number(mask)}\t0\t0\t0\n"


class TableTests(SynchronousTestCase):
    def test_the_way_to_everywhere(self) -> None:
        near = row("192.168.1.0", "0.0.0.0", flags=1, mask="255.255.255.0")
        self.assertEqual(router_in(HEAD + near + row("0.0.0.0", "192.168.1.1")), "192.168.1.1")
        self.assertEqual(router_in(HEAD + near), "")
        self.assertEqual(router_in(HEAD), "")
        self.assertEqual(router_in(""), "")

    def test_the_least_metric_counts(self) -> None:
        rows = row("0.0.0.0", "10.0.0.1", metric=600, name="wlan0") + row("0.0.0.0", "192.168.1.1", metric=100)
        self.assertEqual(router_in(HEAD + rows), "192.168.1.1")

    def test_what_is_down_or_has_no_router_does_not_count(self) -> None:
        for flags in (0, 1, 2):
            self.assertEqual(router_in(HEAD + row("0.0.0.0", "10.0.0.1", flags=flags)), "")
        self.assertEqual(router_in(HEAD + row("0.0.0.0", "10.0.0.1", mask="128.0.0.0")), "")

    def test_lines_that_are_none(self) -> None:
        good = row("0.0.0.0", "192.168.1.1")
        for line in ("", "eth0", "eth0\tx\ty\tz\t0\t0\t0\t0", good.replace("\t0003\t", "\t-\t"),
                     good.replace("0101A8C0", "FF0101A8C0"), good.replace("0101A8C0", "-101A8C0")):
            self.assertEqual(router_in(f"{HEAD}{line}\n"), "", line)
            self.assertEqual(router_in(f"{HEAD}{line}\n{good}"), "192.168.1.1", line)

    def test_files(self) -> None:
        table = Path(self.mktemp())
        self.assertEqual(default_router(table), "")
        table.write_text(HEAD + row("0.0.0.0", "192.168.1.1"))
        self.assertEqual(default_router(table), "192.168.1.1")
        table.write_text(HEAD + "x" * TABLE_BYTES_MAX + "\n" + row("0.0.0.0", "192.168.1.1"))
        self.assertEqual(default_router(table), "", "no more than so much is read")
