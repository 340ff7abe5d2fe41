"""Bad first flights, compared: 200 kinds on a fake clock with samples enough for a test, 20 against a real node.

KS tests of each kind against all the others, with Holm's correction at 0.01 (``tests/attacks/alike.py``). The node's
limits on half-open and drained connections are raised by name, so that it is the handshake that reacts and not a
limit. Loopback pays no score and is in no count by prefix. Spec: docs/spec/handshake.md section 11.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from quantumgate.core.handshake.settings import DEFAULT_NETWORK, candidate
from quantumgate.ids import parse_peer_uuid
from tests.acceptance.processes import TwistdNode, staged
from tests.acceptance.report import Figure, at_least, exactly, noted
from tests.acceptance.two_nodes import LOOPBACK
from tests.attacks.alike import p_values, told_apart
from tests.attacks.openings import KINDS, Make, kinds
from tests.attacks.probes import reactions
from tests.core.handshake.duel import SeededRandom

SAMPLES = 60
"""Of each kind by each of three deliveries."""
LATER_SECONDS = 11.0
"""What a kind would have to close later, or earlier, to be seen nine times in ten with so many samples."""
TRIALS = 40
REAL_SAMPLES = 100
REAL_LATER_SECONDS = 18.0
PACE_SECONDS = 0.005
FIN_STEP_SECONDS = 0.05
"""Answers to a FIN are compared in such steps: the machine's own delays are not the node's."""
REAL_KINDS = (
    "0 random bytes", "1 random bytes", "63 random bytes", "64 random bytes", "1400 random bytes", "70000 random bytes",
    "TLS 1.3 ClientHello", "HTTP GET", "SSH", "SOCKS 5", "BitTorrent", "for another UUID", "with a shared secret",
    "26 hours and a minute old", "replayed", "cut after 64 bytes", "cut after 200 bytes", "a bit of byte 70 flipped",
    "a token of 47 bytes", "ML-KEM key out of range",
)  # fmt: skip
RAISED = "[limits]\nhalf_open = 8192\nhalf_open_bytes = 1073741824\ndrain_sockets = 8192\n"
Closes = dict[str, list[float]]


def figures() -> Iterator[Figure]:
    yield from on_the_fake_clock()
    yield from staged(against_a_node)


# -- the fake clock ----------------------------------------------------------------------------------------------------


def on_the_fake_clock() -> Iterator[Figure]:
    for fin, name in ((False, "silence"), (True, "FIN")):
        closes: Closes = defaultdict(list)
        said = unclean = 0
        for kind, _, reaction in reactions(SAMPLES, "acceptance", fin=fin):
            said, unclean = said + len(reaction.said), unclean + (not reaction.clean)
            closes[kind].append(reaction.closed_after_seconds)
        yield exactly(f"fake clock, {name}: kinds", KINDS, len(closes))
        yield noted(f"fake clock, {name}: connections", sum(map(len, closes.values())))
        yield exactly(f"fake clock, {name}: bytes that the node sent", 0, said)
        yield exactly(f"fake clock, {name}: closes that were no orderly ones", 0, unclean)
        yield from compared(f"fake clock, {name}", closes)
        if fin:
            yield exactly("fake clock, FIN: slowest close after it, s", 0.0, max(map(max, closes.values())))
        else:
            yield power("fake clock", closes, LATER_SECONDS)


def compared(name: str, closes: Mapping[str, list[float]]) -> Iterator[Figure]:
    chances = p_values(closes)
    least = min(chances, key=lambda kind: chances[kind])
    yield exactly(f"{name}: kinds that KS tests tell apart (Holm, 0.01)", [], told_apart(chances))
    yield noted(f"{name}: least p of {len(chances)}", f"{chances[least]:.3g} ({least})")


def power(name: str, closes: Mapping[str, list[float]], later_seconds: float) -> Figure:
    """Each of some kinds moved by so much, in turn: how often that is seen."""
    names = list(closes)[:: max(1, len(closes) // TRIALS)][:TRIALS]
    seen = 0
    for moved in names:
        changed = {**closes, moved: [seconds + later_seconds for seconds in closes[moved]]}
        seen += moved in told_apart(p_values(changed))
    share = seen / len(names)
    return at_least(f"{name}: share seen of kinds made to close {later_seconds:g} s later", 0.9, share)


# -- a real node -------------------------------------------------------------------------------------------------------


@dataclass
class Caller:
    """One connection to the node. ``closed_after`` in seconds, from the opening or from the FIN."""

    kind: str
    data: bytes
    fin: bool
    socket: socket.socket = field(default_factory=socket.socket)
    began: float = 0.0
    heard_bytes: int = 0
    closed_after: float = -1.0
    close: str = ""

    def dial(self, port: int) -> None:
        self.began = time.monotonic()
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(self.data)
        if self.fin:
            self.began = time.monotonic()
            self.socket.shutdown(socket.SHUT_WR)
        self.socket.setblocking(False)

    def hear(self) -> bool:
        """Whether it is over."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.close = "reset"
        else:
            self.heard_bytes += len(data)
            if data:
                return False
            self.close = "end"
        self.closed_after = time.monotonic() - self.began
        return True

    def look_back(self) -> None:
        """Whether a reset came behind the end."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.close += ", then reset"
        self.socket.close()


def against_a_node(place: Path, stack: ExitStack) -> Iterator[Figure]:
    configuration = f'[node]\nlisten = ["{LOOPBACK}"]\n[log]\nlevel = "warn"\n{RAISED}'
    node = stack.enter_context(TwistdNode(place, "node", configuration))
    victim = candidate(DEFAULT_NETWORK, None, parse_peer_uuid(node.status()["uuid"]).bytes)
    made = kinds(victim, int(time.time()) // 60 * 60_000)
    yield exactly("real node: a good flight is answered, before it is replayed", True, answered(node.port(), made))
    for fin, name in ((True, "FIN"), (False, "silence")):
        callers = call_all(node.port(), callers_of(made, fin))
        yield from judged(f"real node, {name}", callers, fin)


def answered(port: int, made: Mapping[str, Make]) -> bool:
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(made["replayed"](SeededRandom(0)))
        return len(line.recv(65536)) > 0


def callers_of(made: Mapping[str, Make], fin: bool) -> list[Caller]:
    """In an order of luck, so that no kind has the quiet minutes."""
    luck = SeededRandom(("callers", fin))
    callers = [Caller(kind, made[kind](luck), fin) for kind in REAL_KINDS for _ in range(REAL_SAMPLES)]
    return sorted(callers, key=lambda _: luck.uniform(0, 1))


def call_all(port: int, callers: list[Caller]) -> list[Caller]:
    """All of them, one each PACE_SECONDS, each heard until it is over or 120 s have passed since the last."""
    waiting = selectors.DefaultSelector()
    for caller in callers:
        caller.dial(port)
        waiting.register(caller.socket, selectors.EVENT_READ, caller)
        hear_some(waiting, PACE_SECONDS)
    end = time.monotonic() + 120
    while waiting.get_map() and time.monotonic() < end:
        hear_some(waiting, 1)
    time.sleep(0.5)
    for caller in callers:
        caller.look_back()
    return callers


def hear_some(waiting: selectors.BaseSelector, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and waiting.get_map():
        for key, _ in waiting.select(left):
            if key.data.hear():
                waiting.unregister(key.fileobj)


def judged(name: str, callers: list[Caller], fin: bool) -> Iterator[Figure]:
    closes: Closes = defaultdict(list)
    for caller in callers:
        closes[caller.kind].append(caller.closed_after)
    yield exactly(f"{name}: kinds, connections", (len(REAL_KINDS), len(callers)), (len(closes), len(callers)))
    yield exactly(f"{name}: bytes that the node sent", 0, sum(caller.heard_bytes for caller in callers))
    ways = {caller.close for caller in callers}
    yield exactly(f"{name}: ways in which it closed", {"end"}, ways)
    low, high = min(map(min, closes.values())), max(map(max, closes.values()))
    yield noted(f"{name}: closed after, s", f"{low:.4f} to {high:.4f}")
    if not fin:
        yield from compared(name, closes)
        yield power(name, closes, REAL_LATER_SECONDS)
        return
    steps = {kind: [value // FIN_STEP_SECONDS for value in values] for kind, values in closes.items()}
    yield from compared(f"{name}, in steps of {FIN_STEP_SECONDS * 1000:g} ms", steps)
