"""Ten nodes that allow one another, each with one address: they find everybody, and again when the first one is gone.

Each in a network of its own, on the Internet of ``netns.py``. Spec: docs/spec/discovery.md.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import permutations
from pathlib import Path

from quantumgate.control.client import NodeRefused
from tests.acceptance.netns import Internet, NodeAt, listed
from tests.acceptance.processes import staged, until
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted

NODES = 10
SECONDS = 120.0
DIAL_SECONDS = 60.0
AT_ONCE = 6
CONNECTIONS = 2
"""That each makes by itself: so there are pairs that are not connected, and have to be dialled."""


def figures() -> Iterator[Figure]:
    yield from staged(scene)


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world = stack.enter_context(Internet())
    nodes = [NodeAt(directory, world.place(f"n{at}", f"{51 + at}.68.93.{11 + at}"), f"n{at}") for at in range(NODES)]
    for node in nodes:
        node.qgate("init")
    names = [str(node.json("id")["uuid"]) for node in nodes]
    for at, node in enumerate(nodes):
        before = [f"qg://{names[at - 1]}@{nodes[at - 1].host}:9999"] if at else []
        configure(node, names, before)
        stack.enter_context(node)
    began = time.monotonic()
    yield exactly("addresses that each was given", [0] + [1] * (NODES - 1), [node.given for node in map(Given, nodes)])
    yield from found("the chain", nodes, names, began)
    yield from again(nodes, names)


class Given:
    """What a node's configuration says of others."""

    def __init__(self, node: NodeAt) -> None:
        self.given = node.config.read_text(encoding="utf-8").count("qg://")


def configure(node: NodeAt, names: Sequence[str], connect: Sequence[str]) -> None:
    node.config.write_text(
        f'[node]\nlisten = ["tcp:9999:interface={node.host}"]\nconnect = {listed(connect)}\n'
        f"[access]\nallow = {listed(names)}\n"
        f"[discovery]\nexchange = true\nconnections = {CONNECTIONS}\n", encoding="utf-8")


def found(what: str, nodes: Sequence[NodeAt], names: Sequence[str], began: float) -> Iterator[Figure]:
    """Every book holds every other node, and every one dials every other by its UUID alone."""
    for node in nodes:
        left = max(1.0, SECONDS - (time.monotonic() - began))
        until("everybody in every book", lambda node=node: len(node.ask("book")["peers"]) >= len(nodes) - 1, left)
    yield at_most(f"{what}: every book knows all others after, s", SECONDS, time.monotonic() - began)
    there = {(node, one["uuid"]) for node in nodes for one in node.ask("peers")}
    pairs = list(permutations(zip(nodes, names, strict=True), 2))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: dialled(pair[0][0], pair[1][1]), pairs))
    yield exactly(f"{what}: dials by UUID that reached it, of {len(pairs)}", len(pairs), answers.count("connected"))
    if refused := sorted(set(answers) - {"connected"}):
        yield noted(f"{what}: the others were told", "; ".join(refused))
    before = sum((pair[0][0], pair[1][1]) in there for pair in pairs)
    yield at_most(f"{what}: of these, connected before", len(pairs) - 1, before)
    yield at_most(f"{what}: all of it, s", SECONDS, time.monotonic() - began)


def dialled(node: NodeAt, uuid: str) -> str:
    """What the dialler is told."""
    try:
        node.ask("connect", DIAL_SECONDS, address=uuid, hops=None, via=[])
    except NodeRefused as error:
        return f"{error.reason}: {error}"
    return "connected"


def again(nodes: Sequence[NodeAt], names: Sequence[str]) -> Iterator[Figure]:
    """The first one is gone for good; the others start anew, and nobody tells them an address."""
    first, *others = nodes
    os.kill(first.pid, signal.SIGKILL)
    for node in others:
        node.__exit__()
    for node in others:
        configure(node, names, [])
    for node in others:
        node.__enter__()
    began = time.monotonic()
    yield exactly("started again: addresses in their configurations", 0, sum(Given(node).given for node in others))
    until("a connection of each", lambda: all(node.ask("peers") for node in others), SECONDS)
    yield at_most("started again: each is connected with somebody after, s", SECONDS, time.monotonic() - began)
    yield from found("started again without the first", others, names[1:], began)
    yield at_least("started again: connections of the one with fewest", 2, min(len(one.ask("peers")) for one in others))
