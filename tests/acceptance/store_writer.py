"""A node that writes as fast as it is allowed to, and says what is durable: the child of ``store_kill``.

``python -m tests.acceptance.store_writer`` reads lines ``CONFIG DATA SEED OUT ERRORS``, answers each with the pid of a
fresh process that runs such a node, and with ``ended`` when that is gone: modules are loaded once, not 600 times. The
node says one JSON line with everything that it remembers, then a word and a number a line for each thing that it was
told is on the disk, all in OUT. It ends only when somebody kills it.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.defer import Deferred, ensureDeferred

from quantumgate.extender.api import Extender, maker
from quantumgate.extender.registry import Registry, registered
from quantumgate.ids import PeerUUID
from quantumgate.node.node import Node
from quantumgate.settings.loader import load

KEYS, PEERS, WRITERS = 60, 1000, 4
WRITER = UUID("77777777-0000-4000-8000-000000000001")


def some_peer(number: int) -> PeerUUID:
    """A UUID that a peer could have."""
    return PeerUUID(UUID(f"00000000-0000-8000-8000-{number:012x}"))


class Given(Registry):
    """One extender, installed nowhere."""

    def __init__(self) -> None:
        super().__init__({})
        self._result = (registered(maker(Extender, name="writer", uuid=WRITER)),)


class Load:
    """Values, rules and pins, each told when it is durable."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node, self.luck = node, random.Random(seed)
        self.state: Any = node._parts.state  # type: ignore[union-attr]
        self.space = node.guests.guest_host("writer").store
        self.next = 1 + max((int(value) for value in self.space.values()), default=0)

    def remembered(self) -> dict[str, Any]:
        return {
            "uuid": str(self.node.uuid), "values": {key: int(value) for key, value in self.space.items()},
            "rules": [uuid.int & 0xFFFF_FFFF for uuid in self.state.allow],
            "pins": [uuid.int & 0xFFFF_FFFF for uuid in self.state.pins],
        }

    async def write(self) -> None:
        while True:
            number, self.next = self.next, self.next + 1
            what = self.luck.random()
            if what < 0.1:
                await self.node.access.allow(some_peer(number % PEERS))
                say("rule", number % PEERS)
            elif what < 0.2:
                self.state.pins[some_peer(number % PEERS)] = "a" * 52
                await self.state.save()
                say("pin", number % PEERS)
            else:
                self.space[f"key {number % KEYS}"] = b"%d" % number
                await self.space.flushed()
                say("value", number)


def say(word: str, number: int) -> None:
    """One write, of less than a pipe takes at once: never half a line."""
    sys.stdout.write(f"{word} {number}\n")
    sys.stdout.flush()


async def run(config: str, data: str, seed: int) -> None:
    node = Node(load(Path(config)), data, registry=Given())
    node.startService()
    await node.when_ready()
    load_ = Load(node, seed)
    print(json.dumps(load_.remembered()), flush=True)
    for _ in range(WRITERS):
        ensureDeferred(load_.write()).addErrback(failed)


def failed(failure: Any) -> None:
    """Nothing of this may fail."""
    failure.printTraceback()
    sys.stderr.flush()
    os._exit(1)


def live(config: str, data: str, seed: str, out: str, errors: str) -> None:
    """A node in this process, which was just born."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    for path, number in ((out, 1), (errors, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    from twisted.internet import reactor  # not before the fork: it makes descriptors of its own

    started: Deferred[None] = Deferred()
    started.addCallback(lambda _: ensureDeferred(run(config, data, int(seed)))).addErrback(failed)
    reactor.callWhenRunning(started.callback, None)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


def main() -> None:
    import psycopg  # noqa: F401

    import quantumgate.store.postgresql
    import quantumgate.store.sqlite  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                live(*line.split("\t")[:-1])
            finally:
                os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
