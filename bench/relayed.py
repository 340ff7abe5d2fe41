"""Ours through gateways: f1, f3 (messages), h (a circuit comes up) and g (curl through SOCKS5). See peers/README.md.

Every gateway, and for g the node with the proxy and the exit, is a process of its own. Beside what ``nodes.py`` has,
one machine needs ``relay.allow_private`` (gateways on loopback), and the exit a rule that allows loopback.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common as c
import nodes

HOPS = {"f1": 1, "f3": 3, "h": 3}
BULK_BYTES = {"f1": 1024 * c.MB, "f3": 512 * c.MB}
ECHOES = 2000
CIRCUITS = 20
"""No more, one after the other: a gateway takes a burst of 32 LINK_CREATEs."""

PRIVATE = {"relay.allow_private": True}
LISTEN = "tcp:0:interface=127.0.0.1"


def gateway(a: Any) -> None:
    """A dedicated gateway: no extender of any kind."""
    node = nodes.BenchNode(a.dir, a.variant, {"node.relay": True, **PRIVATE}, LISTEN, guest=False)
    node.run(lambda: c.say(port=node.port, address=node.address))


class Gateways:
    """So many of them; ``place`` holds what ``known`` reads in the process that uses them."""

    def __init__(self, script: str, a: Any, count: int) -> None:
        self._children = [
            c.me(script, "--role", "gateway", "--variant", a.variant, "--dir", f"g{number}", name=f"g{number}")
            for number in range(count)
        ]
        self.addresses = [child.get(20, "address")["address"] for child in self._children]
        self.pids = {child.name: child.pid for child in self._children}
        self.place = c.tmpdir() if count else ""
        if count:
            told = {"addresses": self.addresses, "pids": self.pids}
            (Path(self.place) / "gateways.json").write_text(json.dumps(told), encoding="utf-8")


def known(place: str) -> dict[str, Any]:
    """The gateways that ``place`` tells of: addresses and pids."""
    if not place:
        return {"addresses": [], "pids": {}}
    told: dict[str, Any] = json.loads((Path(place) / "gateways.json").read_text(encoding="utf-8"))
    return told


def through(addresses: Sequence[str]) -> dict[str, Any]:
    """Settings of a node whose circuits take these gateways."""
    return {"relay.gateways": list(addresses), **PRIVATE} if addresses else {}


def run_messages(script: str, a: Any) -> dict[str, Any]:
    """f1 and f3: as a and b, but through gateways; b once more without any, for what each of them adds."""
    hops = HOPS[a.metric]
    gateways = Gateways(script, a, hops)
    result = c.pair(script, _as("a", a), nbytes=BULK_BYTES[a.metric], d=gateways.place)
    result |= {f"rtt_{key}": value for key, value in _echo(script, a, gateways.place).items()}
    result["direct_p50_us"] = _echo(script, a, "")["p50_us"]
    result["gateway_us"] = (result["rtt_p50_us"] - result["direct_p50_us"]) / hops
    return result


def _echo(script: str, a: Any, place: str) -> dict[str, Any]:
    found: dict[str, Any] = c.pair(script, _as("b", a), count=ECHOES, d=place)
    return found


def _as(metric: str, a: Any) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(a), "metric": metric})


def run_circuits(script: str, a: Any) -> dict[str, Any]:
    """h: from ``connect`` to the peer's first byte, through three gateways; the first in fresh processes."""
    return c.pair(script, a, count=CIRCUITS, d=Gateways(script, a, HOPS["h"]).place)


# -- g -----------------------------------------------------------------------------------------------------------------


def far(a: Any) -> None:
    """The exit."""
    named = {"extenders.socks5.listen": "", "extenders.socks5.exit.enabled": True}
    named["extenders.socks5.exit.allow"] = ["127.0.0.0/8:*"]
    node = nodes.BenchNode("exit", a.variant, named, LISTEN, guest=False)
    node.run(lambda: c.say(port=node.port, address=node.address))


def near(a: Any) -> None:
    """The node with the proxy."""
    gateways = known(a.dir)["addresses"]
    named = {"extenders.socks5.listen": f"tcp:{a.port}:interface=127.0.0.1", "extenders.socks5.exits": [a.info]}
    named |= {"extenders.socks5.hops": len(gateways), **through(gateways)}
    node = nodes.BenchNode("near", a.variant, named, guest=False)
    node.run(lambda: c.say(port=a.port))


def run_proxy(script: str, a: Any) -> dict[str, Any]:
    """g: variants ``1hop`` and ``3hops`` have so many gateways between the two nodes, else there is none."""
    hops = next((int(word[0]) for word in a.variant.split("-") if word[1:] in ("hop", "hops")), 0)
    gateways = Gateways(script, a, hops)
    exit_node = c.me(script, "--role", "far", "--variant", a.variant, name="exit")
    address = exit_node.get(20, "address")["address"]
    (port,) = c.free_ports()
    words = ("--role", "near", "--variant", a.variant, "--port", port, "--info", address, "--dir", gateways.place)
    proxy = c.me(script, *words, name="near")
    proxy.get(20, "port")
    web = c.Nginx()
    c.Socks5Stream(port, "127.0.0.1", web.port).s.close()  # the session with the exit stands, as ssh's does
    return c.curl(web.url, port, pids={"near": proxy.pid, "exit": exit_node.pid, **gateways.pids})
