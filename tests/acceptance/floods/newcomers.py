"""New honest peers, one every few seconds, each with a new identity and from another network: how long a dial takes.

    python -m tests.acceptance.floods.newcomers DIRECTORY ADDRESS

Runs in a namespace that has all addresses of NEIGHBOURS. Whoever is turned away tries again, as people do. Prints a
JSON line for each.
"""

from __future__ import annotations

import random
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet import task
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint

from quantumgate.errors import ConnectFailed
from quantumgate.node.node import Node
from quantumgate.node.world import World, real_world
from quantumgate.settings.loader import loads
from tests.acceptance.floods.places import NEIGHBOURS, anywhere
from tests.acceptance.party import say

EVERY_SECONDS = 4.0
GIVE_UP_SECONDS = 12.0
AGAIN_SECONDS = 0.5
CONFIGURATION = '[node]\nlisten = []\ndefault_access = "allow"\n[log]\nlevel = "error"\n'
reactor: Any = _reactor


def from_somewhere(luck: random.Random) -> World:
    """The world as it is for a node with another address."""
    address = anywhere(luck, NEIGHBOURS)

    def endpoint(host: str, port: int) -> TCP4ClientEndpoint:
        return TCP4ClientEndpoint(reactor, host, port, timeout=None, bindAddress=(address, 0))  # type: ignore[arg-type]

    return replace(real_world(), host=endpoint)


async def one(directory: Path, address: str, world: World) -> None:
    """Dial until there is a session, and use it."""
    node = Node(loads(CONFIGURATION, "newcomer"), directory, world=world)
    node.startService()
    await node.when_ready()
    began, tries, error = time.monotonic(), 0, "not tried"
    while error and time.monotonic() - began < GIVE_UP_SECONDS:
        tries += 1
        try:
            await node.connect(address, keep=False)
            await node.ping(address)
            error = ""
        except ConnectFailed as failed:
            error = str(failed)
            await task.deferLater(reactor, AGAIN_SECONDS, lambda: None)
    say(newcomer=time.monotonic() - began, tries=tries, failed=error, at=began)
    await node.stopService()
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    directory, address = Path(sys.argv[1]), sys.argv[2]
    luck = random.Random(11)

    async def next_one() -> None:
        try:
            await one(directory / f"newcomer{time.monotonic_ns()}", address, from_somewhere(luck))
        except Exception as error:
            say(error=f"{type(error).__name__}: {error}")

    def come() -> None:
        ensureDeferred(next_one())

    reactor.callWhenRunning(task.LoopingCall(come).start, EVERY_SECONDS)
    reactor.run()


if __name__ == "__main__":
    main()
