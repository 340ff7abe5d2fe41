"""Ours as a peer: ``run.py --add ours=bench_ours.py[:VARIANT]`` (bench/peers/README.md says what is measured).

Initiator and responder are two processes, each a whole Node with the ``bench`` extender, everything through the
public extender API. Default configuration but compression off; variants, joined by ``-``: ``lz4`` leaves compression
on, ``plain`` switches padding off, ``chacha`` asks for ChaCha20-Poly1305, ``hybrid`` has identities of kind 2, ``5000``
holds that many sessions (e), ``1hop`` and ``3hops`` put gateways into g. d and e lift budgets by named settings
(``LIFTED``). f1, f3, g and h are in ``relayed.py``.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ.get("BENCH_PEERS", str(Path(__file__).resolve().parent / "peers")))

import bench_guest
import common as c
import nodes
import relayed

LIFTED = {"node.handshake_budget": False, "limits.sessions": 16384}
"""Named settings that d and e change: no CPU budget for handshakes, and a larger number of sessions."""


def start(name: str, a: Any, listen: str | None = None, gateways: Sequence[str] = ()) -> nodes.BenchNode:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    named = {**(LIFTED if a.metric in "de" else {}), **relayed.through(gateways)}
    node = nodes.BenchNode(name, a.variant, named, listen)
    node.hops = len(gateways)
    return node


def server(a: Any) -> None:
    bench_guest.Answering.echoing = a.metric == "b"
    node = start("responder", a, "tcp:0:interface=127.0.0.1")
    node.run(lambda: c.say(port=node.port, uuid=str(node.node.uuid)))


def client(a: Any) -> None:
    bench_guest.installed = bench_guest.Driving
    measure = {"a": bulk, "b": echo, "c": bulk, "d": handshakes, "e": memory, "h": handshakes}[a.metric]
    uuid = nodes.told(a.info)["uuid"]
    node = start("initiator", a, gateways=relayed.known(a.dir)["addresses"])
    node.run(lambda: measure(a, node, f"qg://{uuid}@127.0.0.1:{a.port}"))


def bulk(a: Any, node: nodes.BenchNode, address: str) -> None:
    """a and c: messages of one size through ``offer``; the clock stops at the responder's total."""
    size = c.MSG if a.metric == "a" else c.SMALL

    def greeted(peer: Any) -> None:
        meter = c.Meter(client=os.getpid(), server=a.server_pid, **relayed.known(a.dir)["pids"])

        def done(sent: int, counted: int) -> None:
            result = meter.stop(counted)
            if sent != counted:
                node.failed(f"sent {sent} bytes, {counted} arrived")
            else:
                node.finish(result if a.metric == "a" else c.per_message(result, counted, size))

        node.guest.pour(peer, size, a.bytes, a.max_seconds, done)

    node.guest.on_greeting = greeted
    node.connect(address)


def echo(a: Any, node: nodes.BenchNode, address: str) -> None:
    guest = node.guest
    guest.on_greeting = lambda peer: guest.ping_pong(
        peer, c.ECHO, a.count, lambda times: node.finish(c.latency(times))
    )
    node.connect(address)


def handshakes(a: Any, node: nodes.BenchNode, address: str) -> None:
    """d and h: dial, wait for the responder's first byte, close, again; closing (a CLOSE each way) is not counted."""
    times: list[float] = []
    end = time.perf_counter() + 5
    start = 0.0

    def dial(_closed: object = None) -> None:
        nonlocal start
        start = time.perf_counter()
        node.connect(address)

    def greeted(peer: Any) -> None:
        times.append(time.perf_counter() - start)
        if len(times) >= a.count or time.perf_counter() > end:
            node.finish(c.handshakes(times))
        else:
            node.guest.host.disconnect(peer).addBoth(dial)

    node.guest.on_greeting = greeted
    dial()


def memory(a: Any, node: nodes.BenchNode, address: str) -> None:
    """e: growth of the responder from 20 to 20 + n sessions, each of another identity."""
    uuid = nodes.told(a.info)["uuid"]
    count, before = 0, 0

    def one_more() -> None:
        nonlocal count, before
        count += 1
        if count == 20:
            before = c.rss_bytes(a.server_pid)
        if count == a.count + 20:
            node.reactor.callLater(1, lambda: node.finish(c.memory(before, c.rss_bytes(a.server_pid), a.count)))
        else:
            nodes.light_dial(node, uuid, a.port, one_more)

    nodes.light_dial(node, uuid, a.port, one_more)


def run(a: Any) -> dict[str, Any]:
    for metrics, measured in (("f1 f3", relayed.run_messages), ("h", relayed.run_circuits), ("g", relayed.run_proxy)):
        if a.metric in metrics.split():
            return measured(__file__, a)
    many = 5000 if "5000" in a.variant.split("-") else 1000
    size = {"a": 2048 * c.MB, "c": 30 * c.MB}.get(a.metric, 0)
    count = {"b": 10_000, "d": 2000, "e": many}.get(a.metric, 0)
    return c.pair(__file__, a, nbytes=size, count=count, timeout=240 if a.metric == "e" else None)


if __name__ == "__main__":
    relays = {"gateway": relayed.gateway, "near": relayed.near, "far": relayed.far}
    c.main(run, {"server": server, "client": client, **relays})
