"""A node that nobody can dial is reached by its UUID through its anchor: behind a NAT, behind two, and after mishaps.

Anchor, two gateways, a client and the NATs are on the Internet of ``netns.py``; the NATs are nftables' masquerade,
which lets nothing in unasked. The address is the one that ``qgate`` shows. Spec: docs/spec/relays.md, section 7.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from quantumgate.control.client import NodeRefused
from tests.acceptance.knowledge import Party, Search, known, shown
from tests.acceptance.netns import PORT, EchoServer, Internet, NodeAt, Place, Talk, exposed, listed, run
from tests.acceptance.processes import QgateFailed, staged, until
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.web_service import forward

NAT_ADDRESS, NAT_LATER = "84.201.7.153", "84.201.90.14"
FAIL_SECONDS = 8.0, 12.0
SLACK_SECONDS = 1.0
RESTART_SECONDS, REBOOT_SECONDS, FORGOTTEN_SECONDS = 60.0, 10.0, 150.0
DIAL_SECONDS = 120.0
TRIES = 3
TEXT = b"Who Is There Behind The Router? " * 30


def figures() -> Iterator[Figure]:
    yield from staged(scene)


@dataclass
class Scene:
    """Who is there; ``home`` is behind one NAT, ``deep`` behind two. ``stack`` ends what is started."""

    directory: Path
    stack: ExitStack
    world: Internet
    router: Place
    anchor: NodeAt
    client: NodeAt
    home: NodeAt
    deep: NodeAt

    def echo(self, name: str, node: NodeAt, address: str, hops: int | None) -> Iterator[Figure]:
        """A service of the peer at this address, used by ``node``."""
        began = time.monotonic()
        url, _, _ = forward(self.directory, node, address, self.stack, hops)
        talk = Talk(url, TEXT)
        try:
            talk.heard(1)
            took = time.monotonic() - began
            talk.heard(19)
        finally:
            talk.close()
        yield exactly(f"{name}: texts echoed, altered", (True, False), (talk.back >= 20, talk.wrong))
        yield noted(f"{name}: first echo after the command, s", f"{took:.1f}")

    def path(self, node: NodeAt, to: NodeAt) -> list[str]:
        return next(list(one["path"]) for one in node.ask("peers") if one["uuid"] == to.uuid)


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world, echo = stack.enter_context(Internet()), stack.enter_context(EchoServer())

    def node(name: str, place: Place, more: str = "", **options: bool) -> NodeAt:
        return stack.enter_context(NodeAt(directory, place, name, more, **options))

    anchor = node("anchor", world.place("anchor", "62.141.38.77"), relay=True)
    gateways = [node(f"g{at}", world.place(f"g{at}", f"5{at}.68.93.211"), relay=True) for at in (1, 2)]
    router = world.place("router", NAT_ADDRESS)
    carrier = world.place("carrier", "37.120.171.46")
    second = world.place("second", "100.64.0.2", carrier)
    for one in (router, carrier, second):
        one.masquerade()
    anchors = f"[relay]\nanchors = {listed([anchor.address()])}\n"
    home = node("home", world.place("home", "10.44.0.2", router), anchors)
    named = f"gateways = {listed([one.address() for one in gateways])}\n"
    deep = node("deep", world.place("deep", "10.55.0.2", second), anchors + named)
    client = node("client", world.place("client", "91.37.113.29"), f"[relay]\n{named}", listens=False)
    for hidden in (home, deep):
        anchor.qgate("access", "allow", hidden.uuid)
        hidden.qgate("access", "allow", client.uuid)
        exposed(directory, hidden, echo, stack)
    home.qgate("access", "allow", deep.uuid)
    seen = Scene(directory, stack, world, router, anchor, client, home, deep)
    began = time.monotonic()
    for hidden in (home, deep):
        reserved(hidden)
    yield noted("reservations after the anchor admitted them, s", f"{time.monotonic() - began:.1f}")
    for part in (undialled, hidden_client, reached, alike, restarted, rebooted, forgotten):
        yield from part(seen)


def reserved(node: NodeAt) -> None:
    until("a reservation", lambda: node.ask("relays")["anchors"], RESTART_SECONDS)


def address_of(node: NodeAt) -> str:
    return str(node.ask("relays")["anchored_address"])


def undialled(seen: Scene) -> Iterator[Figure]:
    """The control: whoever dials the node, or its router, gets nowhere."""
    for host in (seen.home.host, NAT_ADDRESS):
        try:
            seen.client.qgate("connect", f"qg://{seen.home.uuid}@{host}:{PORT}")
            yield exactly(f"a direct dial to {host}", "fails", "succeeded")
        except QgateFailed as failure:
            yield exactly(f"a direct dial to {host}", "fails", "fails")
            yield noted(f"a direct dial to {host}: in these words", " ".join(str(failure).split()))


def hidden_client(seen: Scene) -> Iterator[Figure]:
    """Two relays before the anchor; what the anchor then knows."""
    address = address_of(seen.home)
    yield from seen.echo("through two gateways and the anchor", seen.client, address, 3)
    path = seen.path(seen.client, seen.home)
    yield exactly("its path: relays, the last one is the anchor", (3, True), (len(path), path[-1] == seen.anchor.uuid))
    everybody = {"client": seen.client, "anchor": seen.anchor, "home": seen.home}
    parties = []
    for name, node in everybody.items():
        status = node.ask("status")
        host = NAT_ADDRESS if node is seen.home else node.host
        parties.append(Party(name, host, UUID(status["uuid"]), status["fingerprint"]))
    ports = {port for node in everybody.values() for port in node.place.ports()}
    found = Search(parties, {"text": TEXT[:32]}, ports).of_memory(seen.anchor.pid)
    yield exactly("memory of the anchor then: addresses of", shown(("anchor", "home")), known(found, "address"))
    yield exactly("memory of the anchor then: UUIDs of", shown(("anchor", "home")), known(found, "UUID"))
    yield exactly("memory of the anchor then: plain text", "nobody", known(found, "plain text"))
    seen.client.qgate("disconnect", seen.home.uuid)


def reached(seen: Scene) -> Iterator[Figure]:
    yield from seen.echo("through the anchor alone", seen.client, address_of(seen.home), None)
    yield exactly("its path", [seen.anchor.uuid], seen.path(seen.client, seen.home))
    yield from seen.echo("behind two NATs, through the anchor alone", seen.client, address_of(seen.deep), None)
    yield from seen.echo("from behind two NATs to behind one", seen.deep, address_of(seen.home), None)
    yield from seen.echo("the same, two gateways before the anchor", seen.deep, address_of(seen.home), 3)


def alike(seen: Scene) -> Iterator[Figure]:
    """Whoever has no key learns nothing: a wrong key and an unknown UUID are answered alike, and as late."""
    address = address_of(seen.home)
    key = address.partition("key=")[2][:52]
    stranger = str(UUID(int=UUID(seen.home.uuid).int ^ 1))
    asked = {"wrong key": address.replace(key, "a" * 52), "unknown UUID": address.replace(seen.home.uuid, stranger)}
    seen.client.ask("disconnect", uuid=seen.home.uuid)
    with ThreadPoolExecutor(TRIES * len(asked)) as pool:
        tries = {name: [pool.submit(refusal, seen.client, one) for _ in range(TRIES)] for name, one in asked.items()}
        answers = {name: [one.result() for one in several] for name, several in tries.items()}
    words = {name: {said for said, _ in several} for name, several in answers.items()}
    yield exactly("wrong key and unknown UUID: the same reason and words", True, len(set().union(*words.values())) == 1)
    for name, several in answers.items():
        times = [took for _, took in several]
        yield noted(f"{name}: answers", "; ".join(f"{said} after {took:.1f} s" for said, took in several))
        yield at_least(f"{name}: the earliest answer, s", FAIL_SECONDS[0], min(times))
        yield at_most(f"{name}: the latest answer, s", FAIL_SECONDS[1] + SLACK_SECONDS, max(times))


def refusal(node: NodeAt, address: str) -> tuple[str, float]:
    """What the dialler is told, and after how many seconds."""
    began = time.monotonic()
    try:
        node.ask("connect", DIAL_SECONDS, address=address, hops=1, via=[])
    except NodeRefused as error:
        return f"{error.reason}: {error}", time.monotonic() - began
    return "connected", time.monotonic() - began


def restarted(seen: Scene) -> Iterator[Figure]:
    seen.anchor.__exit__()
    until("the home node to notice", lambda: not seen.home.ask("relays")["anchors"])
    yield noted("anchor away: qgate status of the home node", seen.home.ask("status")["reason"])
    began = time.monotonic()
    seen.anchor.__enter__()
    for node in (seen.home, seen.deep):
        reserved(node)
    took = time.monotonic() - began
    yield at_most("anchor started anew: seconds until both have a reservation", RESTART_SECONDS, took)
    yield from seen.echo("after the anchor's restart", seen.client, address_of(seen.home), None)


def rebooted(seen: Scene) -> Iterator[Figure]:
    """The node's machine loses its power: the anchor hears nothing of it, and has a session with nobody."""
    home, place = seen.home, seen.home.place
    seen.client.ask("disconnect", uuid=home.uuid)
    run("ip", "-n", place.name, "link", "del", "eth0")
    os.kill(home.pid, signal.SIGKILL)
    home.place = seen.world.place("home-again", place.address, seen.router)
    home.before = home.place.before
    began = time.monotonic()
    home.__enter__()
    yield noted("power cut: seconds until the node runs again", f"{time.monotonic() - began:.1f}")
    reserved(home)
    said, _ = refusal(seen.client, address_of(home))
    yield exactly("power cut: reached again", "connected", said)
    yield at_most("power cut: seconds from its start until it is reached", REBOOT_SECONDS, time.monotonic() - began)


def forgotten(seen: Scene) -> Iterator[Figure]:
    """The router gets another address, and forgets its connections; nobody is told."""
    name, router = seen.router.name, seen.router
    seen.client.ask("disconnect", uuid=seen.home.uuid)
    run("ip", "-n", name, "addr", "del", f"{NAT_ADDRESS}/16", "dev", "eth0")
    run("ip", "-n", name, "addr", "add", f"{NAT_LATER}/16", "dev", "eth0")
    router.line(up=True)
    began, error = time.monotonic(), ""
    while time.monotonic() - began < FORGOTTEN_SECONDS:
        error, _ = refusal(seen.client, address_of(seen.home))
        if error == "connected":
            break
    yield exactly("the router has another address: reached again", "connected", error)
    yield at_most("the router has another address: seconds until it is reached", FORGOTTEN_SECONDS,
                  time.monotonic() - began)
