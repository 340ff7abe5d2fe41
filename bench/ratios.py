"""What the benchmarks must show, as ratios between peers of one run, and whether they do.

Input: the ``runs`` of run.py's JSON, {peer: {metric: [result, ...]}}; medians are taken. Not for: measuring.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

Runs = dict[str, dict[str, list[dict[str, Any]]]]
OURS = "ours"
TOR = "tor/tor-vanilla"


@dataclass(frozen=True)
class Bound:
    """``metric``'s ``key`` of ours, over that of ``peer``: ``least`` or ``most``.

    ``peer``: empty = ours alone; several, with a ``/`` between them = the one that makes the bound hardest.
    """

    name: str
    metric: str
    key: str
    peer: str = ""
    least: float | None = None
    most: float | None = None
    ours: str = OURS

    def text(self) -> str:
        number, sign = (self.least, "≥") if self.least is not None else (self.most, "≤")
        return f"{sign} {number:,g}" + (f" x {self.peer}" if self.peer else "")


BOUNDS = (
    Bound("bulk rate against raw Twisted TCP", "a", "MBps", "twisted-tcp", least=0.5),
    Bound("bulk rate against Twisted TLS", "a", "MBps", "twisted-tls", least=1.3),
    Bound("bulk rate against ZeroMQ CURVE", "a", "MBps", "zeromq-curve", least=1.0),
    Bound("CPU s/GB against Twisted TLS", "a", "cpu_s_per_GB", "twisted-tls", most=1.0),
    Bound("CPU s/GB against ZeroMQ CURVE", "a", "cpu_s_per_GB", "zeromq-curve", most=1.0),
    Bound("echo round trip, median, against Twisted TLS", "b", "p50_us", "twisted-tls", most=1.0),
    Bound("100-byte messages a second", "c", "msgs_per_s", least=200_000),
    Bound("handshakes a second against mutual Twisted TLS", "d", "per_s", "twisted-tls", least=1.0),
    Bound("through 1 gateway, MB/s, against py-libp2p's relay", "f1", "MBps", "libp2p", least=5.0),
    Bound("through 3 gateways, MB/s", "f3", "MBps", least=100.0),
    Bound("through 3 gateways, MB/s, against Tor", "f3", "MBps", TOR, least=4.0),
    Bound("through 3 gateways, CPU s/GB, against Tor", "f3", "cpu_s_per_GB", TOR, most=0.5),
    Bound("round trip that the gateway adds, of 1, us", "f1", "gateway_us", most=1000.0),
    Bound("round trip that each gateway adds, of 3, us", "f3", "gateway_us", most=1000.0),
    Bound("first circuit of 3 up, ms", "h", "first_ms", most=100.0),
    Bound("later circuits of 3 up, median, ms", "h", "p50_ms", most=100.0),
    Bound("SOCKS5 download without a gateway, MB/s, against ssh -D", "g", "MBps", "ssh-D", least=1.0),
    Bound("responder's bytes per idle session at 5,000 (KiB)", "e", "KiB", most=40.0, ours="ours-5000"),
)


@dataclass(frozen=True)
class Verdict:
    bound: Bound
    ratio: float | None
    """None where a side has no result."""
    ours: float | None
    theirs: float | None
    failure: str = ""

    @property
    def holds(self) -> bool:
        if self.ratio is None:
            return False
        return (self.bound.least is None or self.ratio >= self.bound.least) and (
            self.bound.most is None or self.ratio <= self.bound.most
        )

    def text(self) -> str:
        if self.ratio is None:
            return f"no figure: {self.failure}"
        if self.theirs is None:
            return f"{self.ours:,.1f}"
        return f"{self.ratio:.2f} ({self.ours:,.1f} / {self.theirs:,.1f})"


def median(runs: Runs, peer: str, metric: str, key: str) -> float | None:
    good = [run for run in runs.get(peer, {}).get(metric, []) if "failed" not in run]
    if key == "KiB":
        good, key = [{"KiB": run["kB_per_conn"] * 1000 / 1024} for run in good], "KiB"
    return statistics.median(run[key] for run in good) if good else None


def hardest(runs: Runs, bound: Bound) -> float | None:
    """The figure that ours is held against, None where there is none."""
    found = [median(runs, peer, bound.metric, bound.key) for peer in bound.peer.split("/")]
    known = [figure for figure in found if figure is not None]
    return (max(known) if bound.least is not None else min(known)) if known else None


def verdicts(runs: Runs, metrics: Collection[str] | None = None) -> Iterator[Verdict]:
    """Of these metrics, None = all."""
    for bound in BOUNDS:
        if metrics is not None and bound.metric not in metrics:
            continue
        ours = median(runs, bound.ours, bound.metric, bound.key)
        theirs = hardest(runs, bound)
        if ours is None or (bound.peer and theirs is None):
            lacking = bound.ours if ours is None else bound.peer.partition("/")[0]
            results = runs.get(lacking, {}).get(bound.metric, [])
            yield Verdict(bound, None, ours, theirs, f"{lacking}: {results[-1]['failed'] if results else 'not run'}")
        else:
            yield Verdict(bound, ours / theirs if theirs else ours, ours, theirs)
