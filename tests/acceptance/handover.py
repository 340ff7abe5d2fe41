"""A transfer that is under way while its two ends stop needing a relay: on it goes, over the relay, until it is over.

One end is public, the other behind a NAT; the direct way is barred until the transfer runs. What begins later goes
directly. On the Internet of ``netns.py``. Spec: docs/spec/discovery.md section 7.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.acceptance.nat_matrix import FOUND_SECONDS, OPEN, RELAYS, masquerade
from tests.acceptance.netns import PORT, EchoServer, Internet, NodeAt, Talk, exposed, listed, run
from tests.acceptance.processes import staged, until
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.web_service import forward

PUBLIC, OUTSIDE, INSIDE = "91.37.113.29", "84.20.7.153", "10.20.0.2"
TEXT = b"Who Is There Behind The Router? " * 512
MOVED_SECONDS, OVER_SECONDS = 60.0, 15.0
MORE = 400
"""Texts of 16 KiB that the transfer goes on for, when the direct session stands."""


def figures() -> Iterator[Figure]:
    yield from staged(scene)


@dataclass
class Pair:
    """The two ends; ``sessions``: as ``qgate peers`` of the first shows them, the relayed one and the direct one."""

    client: NodeAt
    home: NodeAt

    def sessions(self) -> dict[bool, dict[str, Any]]:
        return {row["relayed"]: row for row in self.client.ask("peers") if row["uuid"] == self.home.uuid}

    def streams(self) -> dict[str, int]:
        return {"relayed" if relayed else "direct": row["streams"] for relayed, row in self.sessions().items()}


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world, echo = stack.enter_context(Internet()), stack.enter_context(EchoServer())
    relays = [stack.enter_context(NodeAt(directory, world.place(f"r{at}", address), f"r{at}", OPEN, relay=True))
              for at, address in enumerate(RELAYS)]
    connect = f"{OPEN}connect = {listed([one.address() for one in relays])}\n"
    router = world.place("router", OUTSIDE)
    masquerade(router, "", "")
    client = stack.enter_context(NodeAt(directory, world.place("client", PUBLIC), "client", connect))
    home = stack.enter_context(NodeAt(directory, world.place("home", INSIDE, router), "home", connect))
    exposed(directory, home, echo, stack)
    until("both know how they are reached", lambda: client.ask("status")["public_endpoints"]
          and home.ask("status")["anchors"]["open"], FOUND_SECONDS)
    yield from moved(directory, stack, Pair(client, home))


def barred(client: NodeAt, bar: bool) -> None:
    """Whether what comes from behind the NAT is dropped at the public end's door."""
    rules = ("add table ip bar; add chain ip bar in { type filter hook input priority 0; }; "
             f"add rule ip bar in ip saddr {OUTSIDE} tcp dport {PORT} drop") if bar else "delete table ip bar"
    run(*client.before, "nft", rules)


def moved(directory: Path, stack: ExitStack, pair: Pair) -> Iterator[Figure]:
    barred(pair.client, True)
    record = pair.home.ask("record", endpoints=[])["record"]
    pair.client.qgate("connect", record, seconds=60)
    began = time.monotonic()
    url, _, _ = forward(directory, pair.client, pair.home.uuid, stack, None)
    talk = Talk(url, TEXT, pause_seconds=0.005)
    stack.callback(talk.close)
    talk.heard(50)
    yield exactly("before: streams of the client's sessions", {"relayed": 1}, pair.streams())
    barred(pair.client, False)
    opened = time.monotonic()
    until("a direct session", lambda: False in pair.sessions(), MOVED_SECONDS)
    direct, before = time.monotonic(), talk.back
    yield at_most("the way is free: a direct session stands after, s", MOVED_SECONDS, direct - opened)
    talk.heard(MORE)
    later = Talk(url, TEXT)
    later.heard(5)
    yield exactly("meanwhile: streams, the transfer and one that began later", {"relayed": 1, "direct": 1},
                  pair.streams())
    later.close()
    yield from ended(pair, talk, before, began, direct)


def ended(pair: Pair, talk: Talk, before: int, began: float, direct: float) -> Iterator[Figure]:
    """The transfer says what it has to say, and hears all of it; then the relayed session ends."""
    talk.rest()
    until("everything is back", lambda: talk.back >= talk.said or talk.error)
    yield exactly("the transfer: texts of 16 KiB said and not back, back and altered, error", (0, False, ""),
                  (talk.said - talk.back, talk.wrong, talk.error))
    yield at_least("the transfer: texts that came back before and after the direct session", 50, min(
        before, talk.back - before))
    talk.close()
    closed = time.monotonic()
    until("the relayed session is gone", lambda: set(pair.sessions()) == {False})
    yield at_most("the transfer is over: the relayed session is closed after, s", OVER_SECONDS,
                  time.monotonic() - closed)
    yield noted("the relayed session stood for, s", f"{time.monotonic() - began:.1f}")
    yield noted("both stood side by side for, s", f"{time.monotonic() - direct:.1f}")
    yield noted("bytes that crossed the move, each way", f"{talk.back * len(TEXT):,}")
