"""`qgate bench`: two nodes on loopback, in two processes: rate, latency, handshakes. About three times --seconds.

Through the public extender API and the default configuration, with what a user would get on this machine. Not for:
comparing with other software (``bench/`` in the repository does).
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError, QuantumGateError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from quantumgate.cli.benchguest import Bench
    from quantumgate.node.node import Node

T = TypeVar("T")
START_SECONDS, STEP_SECONDS, STOP_SECONDS = 30.0, 20.0, 5.0
"""No wait for the other process, for one step of the measurement or for the end takes longer; then it says so."""
LARGE_BYTES, SMALL_BYTES = 64 * 1024, 100
HANDSHAKES, ECHOES, WARM_UP = 20, 500, 20


@click.command(short_help="Two nodes on loopback: rate, latency, handshakes.")
@click.option("--seconds", default=2.0, show_default=True, type=click.FloatRange(0.1, 60),
              help="How long each of the two rates is measured.")
@place.options
@place.passed
def bench(where: Place, seconds: float) -> None:
    """Measure this machine: two nodes of their own on loopback, with fresh identities and the built-in defaults.

    No running node is touched, and nothing is left behind.

    \b
    Example:
      qgate bench --seconds 5
    """
    with tempfile.TemporaryDirectory(prefix="qgate-bench-") as folder, _listener(Path(folder) / "a") as address:
        report = _measured(Path(folder) / "b", address, seconds)
    if where.json:
        output.as_json(report)
    else:
        _show(report)


@contextmanager
def _listener(data: Path) -> Iterator[str]:
    """The listening process, from ready to gone; gives its address."""
    package = str(Path(__file__).parent.parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "quantumgate.cli.benchguest", str(data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        try:
            yield _address(process)
        finally:
            if process.stdin:
                process.stdin.close()
            try:
                process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[bytes]) -> str:
    """Where it listens: its first line, within START_SECONDS."""
    outputs = [process.stdout] if process.stdout else []
    ready = select.select(outputs, [], [], START_SECONDS)[0]
    line = ready[0].readline() if ready else b""
    if not line:
        why = "ended before it listened" if ready else f"did not listen within {START_SECONDS:g} s"
        raise LocalError(f"the listening node {why}", advice="qgate doctor")
    return str(json.loads(line)["address"])


def _measured(data: Path, address: str, seconds: float) -> dict[str, Any]:
    """Runs the reactor of this process until everything is measured."""
    from twisted.internet import reactor as real
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from quantumgate.cli import benchguest

    reactor: Any = real
    node = benchguest.bench_node(benchguest.DRIVER, data)
    outcome: list[Any] = []

    def start() -> None:
        done = Deferred.fromCoroutine(_measure(node, address, seconds))
        done.addBoth(outcome.append)
        done.addCallback(lambda _: node.stopService().addTimeout(STOP_SECONDS, reactor))
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    result = outcome[0] if outcome else None
    if isinstance(result, Failure):
        if isinstance(result.value, QuantumGateError):
            raise result.value
        raise LocalError(f"the measurement ended early: {result.getErrorMessage()}", advice="qgate doctor")
    if not isinstance(result, dict):
        raise LocalError("the measurement was interrupted")
    return result


async def _measure(node: Node, address: str, seconds: float) -> dict[str, Any]:
    from quantumgate.cli.benchguest import made

    node.startService()
    await _within(node, "binding", node.when_ready())
    handshakes = await _handshakes(node, address)
    peer = await _meet(node, made[-1], address)
    used = node.peers_snapshot()[0].algorithms
    return {
        "algorithms": {"primary": used.primary, "secondary": used.secondary, "symmetric": used.symmetric,
                       "signature": used.signature, "compression": used.compression},
        "handshake": handshakes,
        "latency": await _latency(node, made[-1], peer),
        "large": await _rate(node, made[-1], peer, LARGE_BYTES, seconds),
        "small": await _rate(node, made[-1], peer, SMALL_BYTES, seconds),
    }


async def _within(node: Node, what: str, waiting: Deferred[T], more_seconds: float = 0) -> T:
    """What it fires with. LocalError, naming the step, where it takes longer than STEP_SECONDS and ``more_seconds``."""
    from twisted.internet.defer import TimeoutError as TooLate

    seconds = STEP_SECONDS + more_seconds
    try:
        return await waiting.addTimeout(seconds, node.clock)
    except TooLate:
        raise LocalError(f"the measurement stopped: {what} took more than {seconds:g} s",
                         advice="try again when this machine is less busy; qgate doctor") from None


async def _meet(node: Node, guest: Bench, address: str) -> Any:
    """Connect, and wait until the guest has met its counterpart."""
    from twisted.internet.defer import Deferred

    arrived: Deferred[Any] = Deferred()
    guest.arrived = arrived
    await _within(node, "a dial", node.connect(address))
    return await _within(node, "the guests' meeting", arrived)


async def _handshakes(node: Node, address: str) -> dict[str, Any]:
    """One after the other, each with its dial; the sessions' ends are not counted."""
    times = []
    for _ in range(HANDSHAKES):
        start = node.clock.seconds()
        peer = await _within(node, "a dial", node.connect(address))
        times.append(node.clock.seconds() - start)
        await _within(node, "a good-bye", node.disconnect(peer))
    return {"count": HANDSHAKES, "median_seconds": median(times), "per_second": len(times) / sum(times)}


async def _asked(node: Node, guest: Bench, peer: Any, message: bytes) -> bytes:
    from twisted.internet.defer import Deferred

    return await _within(node, "an answer", Deferred.fromCoroutine(guest.ask(peer, message)))


async def _latency(node: Node, guest: Bench, peer: Any) -> dict[str, Any]:
    from quantumgate.cli.benchguest import ECHO
    from quantumgate.crypto.random import SystemRandom

    message, times = ECHO + SystemRandom().bytes(SMALL_BYTES - 1), []
    seconds = guest.host.clock.seconds
    for _ in range(ECHOES + WARM_UP):
        start = seconds()
        await _asked(node, guest, peer, message)
        times.append(seconds() - start)
    ordered = sorted(times[WARM_UP:])
    return {"message_bytes": SMALL_BYTES, "count": ECHOES, "median_seconds": median(ordered),
            "p99_seconds": ordered[int(len(ordered) * 0.99)]}


async def _rate(node: Node, guest: Bench, peer: Any, message_bytes: int, seconds: float) -> dict[str, Any]:
    """Counted by the receiver, up to the moment its count arrives."""
    from quantumgate.cli.benchguest import COUNT, TOTAL
    from quantumgate.crypto.random import SystemRandom

    clock = guest.host.clock.seconds
    await _asked(node, guest, peer, TOTAL)
    start = clock()
    pouring = guest.pour(peer, COUNT + SystemRandom().bytes(message_bytes - 1), start + seconds)
    await _within(node, "sending", pouring, seconds)
    messages, received = json.loads(await _asked(node, guest, peer, TOTAL))
    took = clock() - start
    return {"message_bytes": message_bytes, "seconds": took, "messages_per_second": messages / took,
            "bytes_per_second": received / took}


def _show(report: dict[str, Any]) -> None:
    used, handshake, latency = report["algorithms"], report["handshake"], report["latency"]
    output.facts({
        "session": f"{used['primary']} + {used['secondary']}, {used['symmetric']}, {used['signature']}",
        "handshake": f"{output.milliseconds_text(handshake['median_seconds'])} (median of {handshake['count']}, "
        f"one after the other; {handshake['per_second']:.0f} a second)",
        "round trip": f"{output.milliseconds_text(latency['median_seconds'])} (median of {latency['count']} echoes of "
        f"{latency['message_bytes']} B; 1 in 100 above {output.milliseconds_text(latency['p99_seconds'])})",
        "64 KiB messages": f"{output.bytes_text(report['large']['bytes_per_second'])}/s",
        "100 B messages": f"{report['small']['messages_per_second']:,.0f} a second",
    })
