"""A gateway alters what it carries: that circuit dies at the next hop, its user is told, and nothing else is harmed.

Seven nodes in namespaces of their own: a client, a hostile gateway (``hostile.py``) and three honest ones, two
destinations. The hostile one stands at each place of a circuit of three in turn and does each of its deeds both ways,
while the same client talks to the other destination through the honest three. Spec: docs/spec/relays.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.hostile import DEEDS, WAYS
from tests.acceptance.netns import EchoServer, Internet, NodeAt, Talk, exposed, listed
from tests.acceptance.processes import staged, until
from tests.acceptance.report import Figure, at_most, exactly, noted
from tests.acceptance.web_service import forward

TOLD_SECONDS, BACK_SECONDS = 5.0, 10.0
SILENCE_SECONDS = 180.0
RAISED = "links_prefix_rate = [10, 100]"
LOG = f'[log]\nlevel = "debug"\n[limits]\n{RAISED}\n'
HOPS = "[privacy]\nhops = 3\n"
ALTERED = "was altered on the way"
TEXT = b"Not A Word Of This Is Changed " * 100


def figures() -> Iterator[Figure]:
    yield from staged(scene)


class HostileNode(NodeAt):
    """A gateway that obeys ``order``."""

    def __init__(self, directory: Path, *more: object, **options: object) -> None:
        super().__init__(directory, *more, **options)  # type: ignore[arg-type]
        self.orders = directory / "orders"
        self.program = ("-m", "tests.acceptance.hostile", str(self.orders))

    def order(self, deed: str, way: str) -> float:
        """When it was obeyed."""
        fresh = self.orders.with_suffix(".new")
        fresh.write_text(f"{deed} {way}", encoding="ascii")
        fresh.rename(self.orders)
        until("the hostile gateway to obey", lambda: not self.orders.exists())
        return time.monotonic()


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world, echo = stack.enter_context(Internet()), stack.enter_context(EchoServer())

    def node(name: str, address: str, more: str = "", **options: bool) -> NodeAt:
        return stack.enter_context(NodeAt(directory, world.place(name, address), name, more + LOG, **options))

    hostile = HostileNode(directory, world.place("hostile", "84.201.7.153"), "hostile", LOG, relay=True)
    stack.enter_context(hostile)
    honest = [node(f"g{at}", f"5{at}.68.93.211", relay=True) for at in (1, 2, 3)]
    ends = [node(name, f"3{at}.120.171.46") for at, name in ((7, "victim"), (8, "other"))]
    named = listed([one.address() for one in (hostile, *honest)])
    client = node("client", "91.37.113.29", f"[relay]\ngateways = {named}\n{HOPS}", listens=False)
    urls = []
    for end, first in zip(ends, ([hostile, *honest[:2]], honest), strict=True):
        end.qgate("access", "allow", client.uuid)
        exposed(directory, end, echo, stack)
        connect(client, end, first)
        urls.append(forward(directory, client, end.uuid, stack, None)[0])
    client.qgate("disconnect", ends[0].uuid)
    other = Talk(urls[1], TEXT)
    stack.callback(other.close)
    other.heard(5)
    yield noted("limits raised: one client asks for a new circuit every few seconds", RAISED)
    for place in range(3):
        path: list[NodeAt] = honest[:2]
        path.insert(place, hostile)
        cases = [Case(deed, way, place, path, client, ends[0]) for deed in DEEDS for way in WAYS]
        yield from judged(place, [(case, case.seen(hostile, urls[0])) for case in cases])
    yield from unharmed(other)
    yield from silence(Case("drop", "forth", 1, [honest[0], hostile, honest[1]], client, ends[0]), hostile, urls[0])


def connect(client: NodeAt, end: NodeAt, path: list[NodeAt]) -> None:
    client.ask("connect", address=end.address(), hops=None, via=[one.uuid for one in path])


@dataclass
class Seen:
    """What one deed led to. ``told``: seconds until the user's connection ended; ``reason``: in ``qgate status``."""

    told: float
    reason: str
    caught_by: str
    wrong: bool
    back: float


@dataclass
class Case:
    """One deed of the hostile gateway at ``place`` of ``path``, and who must notice it."""

    deed: str
    way: str
    place: int
    path: list[NodeAt]
    client: NodeAt
    end: NodeAt

    @property
    def next_hop(self) -> NodeAt:
        """Who opens the layer that is altered: the next one behind, or on the way back the client."""
        return [*self.path, self.end][self.place + 1] if self.way == "forth" else self.client

    def seen(self, hostile: HostileNode, url: str) -> Seen:
        connect(self.client, self.end, self.path)
        talk, everybody = Talk(url, TEXT), (*self.path, self.end, self.client)
        try:
            talk.heard(3)
            before = {one.data.name: len(one.said()) for one in everybody}
            began = time.monotonic()
            hostile.order(self.deed, self.way)
            until("the user's connection to end", lambda: talk.error)
            reason = until("its reason", self._reason, TOLD_SECONDS)
            caught = [one.data.name for one in everybody if ALTERED in one.said()[before[one.data.name] :]]
            until("a new circuit", lambda: any(one["uuid"] == self.end.uuid for one in self.client.ask("peers")))
            back = time.monotonic() - talk.ended_at
        finally:
            talk.close()
        self.client.ask("disconnect", uuid=self.end.uuid)
        return Seen(talk.ended_at - began, reason, " ".join(caught) or "nobody", talk.wrong, back)

    def _reason(self) -> str:
        dials = self.client.ask("status")["connecting"]
        return next((one["reason"] for one in dials if self.end.uuid in one["address"]), "")


def judged(place: int, cases: list[tuple[Case, Seen]]) -> Iterator[Figure]:
    name = f"hostile at hop {place + 1}"
    caught = sum(seen.caught_by == case.next_hop.data.name for case, seen in cases)
    yield exactly(f"{name}: deeds caught by the next hop, and by nobody else", len(DEEDS) * len(WAYS), caught)
    yield exactly(f"{name}: deeds after which the user's connection brought another text", 0,
                  sum(seen.wrong for _, seen in cases))
    yield at_most(f"{name}: longest until the user's connection ended, s", TOLD_SECONDS,
                  max(seen.told for _, seen in cases))
    yield at_most(f"{name}: longest until a new circuit stood, s", BACK_SECONDS, max(seen.back for _, seen in cases))
    for way in WAYS:
        reasons = {_plain(seen.reason) for case, seen in cases if case.way == way}
        yield noted(f"{name}, what goes {way} altered: qgate status", "; ".join(sorted(reasons)))


def _plain(reason: str) -> str:
    """Without the UUID of this run."""
    return re.sub(r": [0-9a-f-]{36}", "", reason)


def unharmed(other: Talk) -> Iterator[Figure]:
    other.heard(3)
    yield exactly("another circuit of the same client, through the honest ones: errors", "", other.error)
    yield exactly("its texts: altered", False, other.wrong)
    yield noted("its texts echoed meanwhile", other.back)


def silence(case: Case, hostile: HostileNode, url: str) -> Iterator[Figure]:
    """A record that is kept back looks like a slow line until something else comes: at the latest a PING."""
    connect(case.client, case.end, case.path)
    talk = Talk(url, TEXT, pause_seconds=2)
    try:
        until("the order to be given in a silence", lambda: talk.back == 1)
        began = time.monotonic()
        hostile.order(case.deed, case.way)
        talk.rest()
        until("the user to be told", lambda: talk.error, SILENCE_SECONDS)
        yield at_most("a record kept back, and nobody says more: seconds until the user is told", SILENCE_SECONDS,
                      talk.ended_at - began)
    finally:
        talk.close()
