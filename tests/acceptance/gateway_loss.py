"""A gateway dies in mid transfer, or falls silent: who is told and when, what flows next, and what is left behind.

Five gateways, an exit and a near node with circuits of three; the gateway is one that the transfer really goes through,
as ``qgate relays`` tells. Silence is found by PING: within 80 s on a socket, which every hop is (docs/spec/liveness.md;
ping_after_seconds 30 to 60 and ping_seconds 20); over a whole circuit it would be 140.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from tests.acceptance.processes import TwistdNode, discard, scratch, until
from tests.acceptance.relaynetwork import HOLDS, Near, RelayNetwork
from tests.acceptance.report import Figure, at_most, exactly, noted
from tests.acceptance.socks5 import written

GATEWAYS = 5
PLACES = ("first", "middle", "last")
BIG_BYTES = 1 << 29
TOLD_SECONDS, NEXT_SECONDS, SILENT_SECONDS = 5.0, 10.0, 80.0 + 5.0
KILLS = 20
GROWTH_MIB = 16.0
"""Of the near node over all kills after the first: what its allocator may keep, a tenth of a window for each."""

SLACK = 0.5
"""Deferreds or timers a session more than before: what belongs to no session is shared by fewer or by more of them."""


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            written(place / "big", BIG_BYTES)
            written(place / "small", 20_000)
            network = RelayNetwork(place, stack, GATEWAYS)
            near = network.near("near", rest=HOLDS)
            fetched(near)
            yield from killed(near, network)
            yield from exit_killed(near, network)
            yield from silent(near, network)
    finally:
        discard(place)


class Transfer:
    """curl, with a large file under way; ``circuit`` is the one that carries it."""

    def __init__(self, near: Near) -> None:
        self.near = near
        before = self._received()
        self.curl = subprocess.Popen(near.curl("big", "--limit-rate", "20M", seconds=600), stderr=subprocess.DEVNULL)
        self.circuit: dict[str, Any] = until("the circuit of the transfer", lambda: self._busy(before))

    def _received(self) -> dict[tuple[str, ...], int]:
        return {tuple(one["path"]): one["bytes_received"] for one in self.near.circuits()}

    def _busy(self, before: dict[tuple[str, ...], int]) -> dict[str, Any] | None:
        found = self.near.circuits()
        return next((one for one in found if one["bytes_received"] - before.get(tuple(one["path"]), 0) > 1 << 22), None)

    def told_seconds(self, began: float, most: float) -> float:
        """Until curl ends with a failure."""
        until("curl is told", lambda: self.curl.poll() is not None, most + 30)
        return time.monotonic() - began if self.curl.returncode else float("inf")


class Loss:
    """One, and what came of it: seconds since its beginning."""

    def __init__(self, near: Near, transfer: Transfer, began: float, most: float) -> None:
        self.program = transfer.told_seconds(began, most)
        self.next, self.failed = fetched(near, began)
        path = transfer.circuit["path"]
        ends = until("the extender is told", lambda: _ends(near, path, began), most + 30)
        self.extender = ends[0] - began

    def rows(self, what: str, told_seconds: float) -> Iterator[Figure]:
        yield at_most(f"{what}: seconds until the program is told", told_seconds, self.program)
        yield at_most(f"{what}: seconds until an extender is, 25 Deferreds and a stream", told_seconds, self.extender)


def _ends(near: Near, path: list[str], began: float) -> list[float]:
    return [end["at"] for end in near.figures("held")["ends"] if end["path"] == path and end["at"] > began]


def fetched(near: Near, began: float | None = None) -> tuple[float, int]:
    """A request, again until it is answered: seconds since ``began``, and how many failed."""
    began, failed = time.monotonic() if began is None else began, 0
    while subprocess.run(near.curl("small"), capture_output=True, check=False).returncode:
        failed += 1
        if time.monotonic() - began > 120:
            raise TimeoutError("no request was answered in 120 s")
    return time.monotonic() - began, failed


def quiet(near: Near) -> dict[str, Any]:
    """What the near node has when nothing is under way: calls over, lines closed, every peer's Deferreds in place."""

    def at_rest() -> dict[str, Any] | None:
        proxy, held = near.figures("socks5")["proxy"], near.figures("held")
        busy = proxy["connections"], proxy["lines"], proxy["waiting"], proxy["waiting_for_exit"], held["dials"]
        return held if not any(busy) and held["untold"] == held["peers"] == len(near.circuits()) else None

    return until("the near node is at rest", at_rest, 40)


# -- kill -9 -------------------------------------------------------------------------------------------------------


def killed(near: Near, network: RelayNetwork) -> Iterator[Figure]:
    """Twenty gateways, one after the other, each started again; the first three are looked at more closely."""
    losses, levels = [], []
    for number in range(KILLS):
        transfer = Transfer(near)
        gateway = network.gateways[transfer.circuit["path"][number % 3]]
        began = time.monotonic()
        kill(gateway)
        losses.append(Loss(near, transfer, began, TOLD_SECONDS))
        gateway.__enter__()
        levels.append(quiet(near))
        if number < 3:
            what = f"kill -9 of the {PLACES[number]} gateway"
            yield from losses[-1].rows(what, TOLD_SECONDS)
            yield at_most(f"{what}: seconds until the next request is answered", NEXT_SECONDS, losses[-1].next)
    slowest = max(max(one.program, one.extender) for one in losses)
    yield at_most(f"{KILLS} gateways killed: seconds until somebody is told, slowest", TOLD_SECONDS, slowest)
    yield at_most(f"{KILLS} gateways killed: seconds until a request flows, slowest", NEXT_SECONDS,
                  max(one.next for one in losses))
    yield exactly(f"{KILLS} gateways killed: requests that failed meanwhile", 0, sum(one.failed for one in losses))
    yield from left_over(f"{KILLS} gateways killed", levels)


def left_over(what: str, levels: list[dict[str, Any]]) -> Iterator[Figure]:
    """Of the near node: nothing but what its circuits account for, after the first loss as after the last."""
    first, last = levels[0], levels[-1]
    yield exactly(f"{what}: peers of whose Deferreds some hang", 0, last["untold"] - last["peers"])
    yield noted(f"{what}: circuits after the first and the last", f"{first['peers']} and {last['peers']}")
    for name, seen in unaccounted(last).items():
        yield exactly(f"{what}: {name} that no circuit accounts for", 0, seen)
    for name in ("deferreds", "timers"):
        most = rest(first, name) + SLACK
        yield at_most(f"{what}: {name} a session, beside those held; as after the first", most, rest(last, name))
    growth = (last["rss_bytes"] - first["rss_bytes"]) / 2**20
    yield at_most(f"{what}: growth of the near node since the first, MiB", GROWTH_MIB, growth)


def unaccounted(level: dict[str, Any]) -> dict[str, int]:
    """A circuit of three relays is three links, and as many sessions over them; the first hop is shared."""
    found, circuits = level["objects"], level["peers"]
    over_links = {name: found[name] - 3 * circuits for name in ("Link", "LinkPump")}
    whole = 3 * circuits + found["PeerProtocol"]
    sessions = {name: found[name] - whole for name in ("Connection", "Contact", "Session")}
    return over_links | sessions | {name: found[name] - circuits for name in ("Circuit", "Peer")}


def rest(level: dict[str, Any], name: str) -> float:
    """How many of these there are for a session; Deferreds without those that wait on purpose."""
    held = level["waiting"] if name == "deferreds" else 0
    return round((level[name] - held) / level["objects"]["Session"], 1)


def kill(node: TwistdNode) -> None:
    """kill -9; it is gone when this returns."""
    if node.process is not None:
        node.process.kill()
        node.process.wait(10)


def exit_killed(near: Near, network: RelayNetwork) -> Iterator[Figure]:
    """The one exit. It is started again at once, as whoever watches over it would."""
    transfer = Transfer(near)
    began = time.monotonic()
    kill(network.exit)
    program = transfer.told_seconds(began, TOLD_SECONDS)
    waiting = subprocess.Popen(near.curl("small"), stderr=subprocess.DEVNULL)
    network.exit.__enter__()
    again = time.monotonic()
    yield at_most("kill -9 of the exit: seconds until the program is told", TOLD_SECONDS, program)
    yield exactly("kill -9 of the exit: curl's code of a request that came while it was away", 0, waiting.wait(100))
    yield noted("kill -9 of the exit: it was answered so many seconds after the exit was back",
                round(time.monotonic() - again, 1))
    level = quiet(near)
    yield exactly("kill -9 of the exit: peers of whose Deferreds some hang", 0, level["untold"] - level["peers"])


# -- silence -------------------------------------------------------------------------------------------------------


def silent(near: Near, network: RelayNetwork) -> Iterator[Figure]:
    """SIGSTOP: no socket closes, nothing is refused."""
    for number, place in enumerate(PLACES):
        transfer = Transfer(near)
        gateway = network.gateways[transfer.circuit["path"][number]]
        began = time.monotonic()
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            loss = Loss(near, transfer, began, SILENT_SECONDS)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)
        yield from loss.rows(f"SIGSTOP of the {place} gateway", SILENT_SECONDS)
        later = round(loss.next - loss.program, 1)
        yield noted(f"SIGSTOP of the {place} gateway: seconds from then to an answer", later)
        quiet(near)
