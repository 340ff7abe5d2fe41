"""Every kind of line with every other: public, mapped, behind a NAT of four kinds; who connects how, and why.

The NATs: one that changes nothing, one that changes ports, two behind one another, one that is asked for a port (by
NAT-PMP on one side of a pair, by PCP on the other). Nodes name three relays and nothing else. Each finds out for itself
where it can be dialled, its record says so, and a record is all that the others get. On the Internet of ``netns.py``.
Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import combinations_with_replacement
from pathlib import Path

from tests.acceptance.netns import INTERFACE, PORT, Internet, NodeAt, Place, listed, router_of, run
from tests.acceptance.processes import QgateFailed, end, staged, start, until
from tests.acceptance.report import Figure, at_most, exactly, noted
from tests.net.mapping_router import NAT_PMP, PCP

SECONDS = 15.0
FOUND_SECONDS = 60.0
KINDS = ("public", "mapped", "NAT", "NAT that changes ports", "two NATs", "NAT that gives ports")
DIALLED = frozenset({"public", "mapped", "NAT that gives ports"})
SPEAKS = ((NAT_PMP, "NAT-PMP"), (PCP, "PCP"))
OPEN = 'default_access = "allow"\n'
RELAYS = ("62.141.38.77", "51.68.93.211", "37.120.171.46")


@dataclass
class Line:
    """One node and what is in front of it. ``outside``: the address that others see; ``router``: who gives ports."""

    kind: str
    node: NodeAt
    outside: str
    router: Place | None = None

    @property
    def dialled(self) -> bool:
        return self.kind in DIALLED


def figures() -> Iterator[Figure]:
    yield from staged(scene)


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world = stack.enter_context(Internet())
    relays = []
    for at, address in enumerate(RELAYS):
        place = world.place(f"r{at}", address)
        relays.append(stack.enter_context(NodeAt(directory, place, f"r{at}", OPEN, relay=True)))
    connect = f"{OPEN}connect = {listed([one.address() for one in relays])}\n"
    lines = [line for at in range(2) for line in built(directory, stack, world, connect, at)]
    yield from found_out(lines)
    yield from asked_for(lines)
    yield from paired(lines)
    yield from given_back(lines)


def built(directory: Path, stack: ExitStack, world: Internet, connect: str, at: int) -> Iterator[Line]:
    """One line of each kind, with addresses of its own."""

    def line(number: int, place: Place, outside: str, host: str, more: str = "") -> Line:
        text = connect.replace(OPEN, f'listen = ["tcp:{PORT}"]\n{OPEN}') + more
        node = NodeAt(directory, place, f"n{number}{at}", text, listens=False)
        node.config.write_text(f"[node]\n{text}", encoding="utf-8")
        node.host = host
        return Line(KINDS[number], stack.enter_context(node), outside)

    public = f"9{at + 1}.37.113.29"
    yield line(0, world.place(f"public{at}", public), public, public)
    for number, nft in ((1, ""), (2, ""), (3, " fully-random")):
        outside, inside = f"8{at + 4}.{number}0.7.153", f"10.{number}{at}.0.2"
        router = world.place(f"router{number}{at}", outside)
        masquerade(router, nft, inside if number == 1 else "")
        yield line(number, world.place(f"home{number}{at}", inside, router), outside, inside)
    outside, between, inside = f"8{at + 4}.90.7.153", f"100.6{at + 4}.0.2", f"10.9{at}.0.2"
    carrier = world.place(f"carrier{at}", outside)
    router = world.place(f"second{at}", between, carrier)
    masquerade(carrier, "", "")
    masquerade(router, "", "")
    yield line(4, world.place(f"deep{at}", inside, router), outside, inside)
    outside, inside = f"8{at + 4}.50.7.153", f"10.5{at}.0.2"
    router = world.place(f"giver{at}", outside)
    masquerade(router, "", "")
    home = world.place(f"asker{at}", inside, router)
    gives_ports(directory, stack, router, inside, SPEAKS[at][0])
    giver = line(5, home, outside, inside, "[discovery]\nport_mapping = true\n")
    giver.router = router
    yield giver


def gives_ports(directory: Path, stack: ExitStack, router: Place, inside: str, version: int) -> None:
    """The router before that address leads its ports to whoever asks, by NAT-PMP or PCP."""
    run(*router.before, "nft", "add chain ip nat in { type nat hook prerouting priority -100; }")
    words = [*router.before, sys.executable, "-m", "tests.acceptance.routerd", router_of(inside), router.address]
    stack.callback(end, start([*words, str(version)], directory / f"{router.name}.log"))


def masquerade(router: Place, more: str, mapped: str) -> None:
    """A home router; with a port map to the node behind it, or with other ports for whatever leaves."""
    router.forward_packets()
    rules = [
        "add table ip nat",
        "add chain ip nat out { type nat hook postrouting priority 100; }",
        f"add rule ip nat out oifname {INTERFACE} masquerade{more}",
        "add table ip filter",
        "add chain ip filter in { type filter hook forward priority 0; }",
        "add rule ip filter in ct status dnat accept",
        f"add rule ip filter in iifname {INTERFACE} ct state != {{ established, related }} drop",
    ]
    if mapped:
        rules += ["add chain ip nat in { type nat hook prerouting priority -100; }",
                  f"add rule ip nat in iifname {INTERFACE} tcp dport {PORT} dnat to {mapped}"]
    run(*router.before, "nft", "; ".join(rules))


def found_out(lines: list[Line]) -> Iterator[Figure]:
    """Each knows by itself whether it can be dialled; who cannot has anchors that nobody named."""
    began = time.monotonic()

    def known(line: Line) -> bool:
        status = line.node.ask("status")
        return bool(status["public_endpoints"] if line.dialled else status["anchors"]["open"])

    until("every node knows how it is reached", lambda: all(map(known, lines)), FOUND_SECONDS)
    yield at_most("all know how they are reached, s after the last start", FOUND_SECONDS / 2, time.monotonic() - began)
    for line in lines[: len(KINDS)]:
        status = line.node.ask("status")
        wanted = [f"{line.outside}:{PORT}"] if line.dialled else []
        yield exactly(f"{line.kind}: public_endpoints", wanted, status["public_endpoints"])
        yield noted(f"{line.kind}: says", status["reachability"] or "-")
        record = line.node.ask("record", endpoints=[])
        yield exactly(f"{line.kind}: its record names", wanted, record["endpoints"])
        yield exactly(f"{line.kind}: anchors in its record", not line.dialled, bool(record["anchors"]))
    told = [place for line in lines for place in line.node.ask("record", endpoints=[])["endpoints"]]
    private = [one for one in told if ip_address(one.split(":")[0]).is_private]
    yield exactly("private addresses in any record", [], private)


def asked_for(lines: list[Line]) -> Iterator[Figure]:
    """What the node says of its router, and of what came of it."""
    for line, (_, name) in zip([one for one in lines if one.router is not None], SPEAKS, strict=True):
        told = line.node.ask("status")["port_mapping"]
        yield exactly(f"{line.kind}: protocol, ports given, places by which somebody came in",
                      (name, [PORT], [f"{line.outside}:{PORT}"]),
                      (told["protocol"], list(told["ports"]), list(told["confirmed"])))
        rows = line.node.json("doctor", "--config", str(line.node.config))
        yield noted(f"{line.kind}: qgate doctor", next(one["found"] for one in rows if one["name"] == "port mapping"))


def given_back(lines: list[Line]) -> Iterator[Figure]:
    """The nodes stop: nothing leads in any more."""
    for line in lines:
        if line.router is not None:
            rules = run(*line.router.before, "nft", "list", "chain", "ip", "nat", "in")
            line.node.__exit__()
            left = run(*line.router.before, "nft", "list", "chain", "ip", "nat", "in")
            yield exactly(f"{line.kind}: rules that lead in before and after the stop", (1, 0),
                          (rules.count("dnat"), left.count("dnat")))


def paired(lines: list[Line]) -> Iterator[Figure]:
    """Each kind with each, both ways around: one gets the other's record, and that is all it gets."""
    longest, wrong = 0.0, []
    for one, other in combinations_with_replacement(range(len(KINDS)), 2):
        left, right = lines[one], lines[len(KINDS) + other]
        for dialler, peer in ((left, right), (right, left)):
            direct = left.dialled or right.dialled
            took, words = joined(dialler, peer, direct=direct)
            longest = max(longest, took)
            way = "direct" if direct else "through a relay"
            yield at_most(f"{dialler.kind} to {peer.kind}: {way}, s", SECONDS, took)
            if words:
                yield noted(f"{dialler.kind} to {peer.kind}: why", words)
            wrong += apart(dialler, peer)
    yield exactly("sessions left over between two connections", [], wrong)


def joined(dialler: Line, peer: Line, *, direct: bool) -> tuple[float, str]:
    """Until both have a session of the wanted kind, in seconds, and what ``qgate peers`` says of it."""
    record = peer.node.ask("record", endpoints=[])["record"]
    began = time.monotonic()
    dialler.node.qgate("connect", record, seconds=60)

    def there() -> str:
        rows = [row for row in dialler.node.ask("peers") if row["uuid"] == peer.node.uuid]
        return next((row["why"] for row in rows if row["relayed"] is not direct), "")

    why = until("a session of that kind", there, SECONDS * 2)
    return time.monotonic() - began, why


def apart(dialler: Line, peer: Line) -> list[str]:
    """The session is over; what is left of it after a while."""
    try:
        dialler.node.qgate("disconnect", peer.node.uuid)
    except QgateFailed as failed:
        return [str(failed)]

    def gone() -> bool:
        return not any(row["uuid"] == there.node.uuid for here, there in ((dialler, peer), (peer, dialler))
                       for row in here.node.ask("peers"))

    try:
        until("both are apart", gone, 20)
    except TimeoutError:
        return [f"{dialler.kind} and {peer.kind} are still connected"]
    return []

