"""Relays and the proxy beside the peers, in one run, as the ratios that must hold (bench/ratios.py); about six minutes.

Needs tor, sshd, nginx and curl, and the peers' packages as ``bench`` does (libp2p among them).
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance.bench import compared
from tests.acceptance.report import Figure

MEASURED = ("ours", "ours-1hop", "ours-3hops")
NOTED = (
    ("f1", "MBps", "through 1, MB/s"),
    ("f1", "cpu_s_per_GB", "through 1, CPU s/GB"),
    ("f1", "rtt_p50_us", "through 1, round trip, median us"),
    ("f3", "MBps", "through 3, MB/s"),
    ("f3", "cpu_s_per_GB", "through 3, CPU s/GB"),
    ("f3", "rtt_p50_us", "through 3, round trip, median us"),
    ("g", "MBps", "SOCKS5 download, MB/s"),
    ("g", "cpu_s_per_GB", "SOCKS5 download, CPU s/GB"),
    ("h", "first_ms", "first circuit of 3, ms"),
    ("h", "p50_ms", "later circuits of 3, median ms"),
)


def figures() -> Iterator[Figure]:
    yield from compared(("f1", "f3", "g", "h"), MEASURED, NOTED)
