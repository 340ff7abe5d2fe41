"""10,000 dials between two real nodes, as somebody on the wire sees them: even bytes, no name, varying lengths.

Captured with dumpcap on loopback. Judged: each byte position of both sides' first flights by chi-square, with
Bonferroni's correction over all positions of both; tshark and ndpiReader, which must name no more of them than of
random bytes; the five published rules against fully encrypted traffic, whose share docs/attacks.md states: they do flag
random bytes. QG_UNIFORM_DIALS shortens a run for a look at it. Spec: docs/spec/handshake.md section 9.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.acceptance.echo import configuration
from tests.acceptance.processes import PartyProcess, discard, scratch
from tests.acceptance.report import ROOT, Figure, at_least, exactly, noted
from tests.acceptance.uniformity import exempt_from_blocking, position_p_values
from tests.acceptance.wiretap import Direction, Wiretap, flows, with_random_payload

DIALS = int(os.environ.get("QG_UNIFORM_DIALS", "10000"))
POSITIONS = 1301
ERROR_RATE = 0.01
"""That any position of either side is called uneven although all are even."""
PLAIN = ("eth", "ethertype", "ip", "tcp", "data")
"""What tshark calls a TCP segment with bytes that it has no name for."""
NEEDED = ("dumpcap", "tshark", "ndpiReader")
PACKAGES = "Debian's wireshark-common, tshark and libndpi-bin"


def figures() -> Iterator[Figure]:
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        yield Figure("dumpcap, tshark and ndpiReader on the PATH", "yes", f"{missing} missing: {PACKAGES}", False)
        return
    place = scratch()
    try:
        yield from captured(place / "dials.pcap")
    finally:
        discard(place)


def captured(path: Path) -> Iterator[Figure]:
    port = dial_and_capture(path)
    seen = [flow for flow in flows(path, port, 1 << 14) if flow.dialler.data]
    yield exactly("dials captured whole on lo", DIALS, len(seen))
    sides = {"dialler": [flow.dialler for flow in seen], "listener": [flow.listener for flow in seen]}
    for side, directions in sides.items():
        yield from lengths(side, directions)
    yield from even(sides)
    yield from rules([bytes(one.data[: one.first_bytes]) for one in sides["dialler"]])
    yield from names(path, len({flow.port for flow in seen}))


def dial_and_capture(path: Path) -> int:
    """The port that was dialled."""
    place = path.parent
    with PartyProcess(place, "b", configuration(True), "answer") as answering:
        address = answering.address
        port = int(address.rsplit(":", 1)[1])
        tap = Wiretap(path, f"tcp port {port}")
        try:
            driver = ("a", configuration(False), "redial", address, str(DIALS))
            with PartyProcess(place, *driver) as driving:
                driving.get("dials", 120 + DIALS / 10)
        finally:
            said = tap.close()
    counts = re.search(r": (\d+)/(\d+) \(", said)
    if counts is None or int(counts[2]):
        raise RuntimeError(f"dumpcap lost packets: {said}")
    return port


def lengths(side: str, directions: Sequence[Direction]) -> Iterator[Figure]:
    """Of the first segment, which holds the first flight: how many there are, and where they lie."""
    sizes = sorted(one.first_bytes for one in directions)
    tenths = [sizes[len(sizes) * n // 10] for n in range(1, 10)]
    commonest = Counter(sizes).most_common(1)[0][1]
    yield at_least(f"first flight of the {side}: different lengths", min(1000, DIALS // 4), len(set(sizes)))
    yield noted(f"first flight of the {side}: bytes, least, tenths, most", f"{sizes[0]} | {tenths} | {sizes[-1]}")
    yield noted(f"first flight of the {side}: dials that share the commonest length", commonest)


def even(sides: dict[str, list[Direction]]) -> Iterator[Figure]:
    bound = ERROR_RATE / (POSITIONS * len(sides))
    for side, directions in sides.items():
        starts = [bytes(one.data[:POSITIONS]) for one in directions]
        yield at_least(f"first flight of the {side}: shortest, bytes", POSITIONS, min(map(len, starts)))
        values = position_p_values(starts, POSITIONS)
        worst = min(range(POSITIONS), key=values.__getitem__)
        uneven = sum(value < bound for value in values)
        yield exactly(f"first flight of the {side}: positions 0 to {POSITIONS - 1} that are not even", 0, uneven)
        least = f"{values[worst]:.2g} at {worst}; below {bound:.1g} would fail"
        yield noted(f"first flight of the {side}: least p of a position", least)
        low = sum(value < 0.05 for value in values) / POSITIONS
        yield noted(f"first flight of the {side}: share of positions with p < 0.05", f"{low:.3f}")
        yield exactly(f"first flight of the {side}: the same twice", 0, len(starts) - len(set(starts)))


def rules(first_payloads: Sequence[bytes]) -> Iterator[Figure]:
    blocked = sum(not exempt_from_blocking(payload) for payload in first_payloads)
    page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
    yield noted("first flights flagged by the five published rules", f"{blocked:,} of {len(first_payloads):,}")
    if stated := re.search(r"of ([\d,]+) of our first flights ([\d,]+) are\s+flagged", page):
        total, flagged = (int(number.replace(",", "")) for number in stated.groups())
        apart = abs(flagged / total - blocked / len(first_payloads))
        yield Figure("docs/attacks.md states that share", "within 0.3 %", f"{flagged:,} of {total:,}", apart < 0.003)
    else:
        yield exactly("docs/attacks.md states that share", True, False)


def names(path: Path, dialler_ports: int) -> Iterator[Figure]:
    """Random bytes look like something once in a thousand connections, to tools that guess from two of them.

    So the same capture with payloads of the system's random bytes is the control (docs/adr/0070).
    """
    control = path.with_name("control.pcap")
    with_random_payload(path, control)
    for tool, ask, flows_wanted in (("tshark -r", tshark, DIALS), ("ndpiReader -i", ndpi, dialler_ports)):
        (flow_count, ours), (_, chance) = ask(path), ask(control)
        yield exactly(f"{tool}: connections (ndpiReader: distinct ports)", flows_wanted, flow_count)
        named, by_chance = sum(ours.values()), sum(chance.values())
        seen = f"{named} {dict(ours) or ''}".strip()
        bound = f"no more than of random bytes: {by_chance} {dict(chance) or ''}".strip()
        yield Figure(f"{tool}: connections with a protocol named", bound, seen, not_more(named, by_chance))


def not_more(ours: int, control: int) -> bool:
    """Whether ``ours`` may be drawn as often as ``control``: the upper tail of an even binomial, at ERROR_RATE."""
    total = ours + control
    tail: int = sum(math.comb(total, n) for n in range(ours, total + 1))
    return bool(tail > ERROR_RATE * 2**total)


def tshark(path: Path) -> tuple[int, Counter[str]]:
    """(TCP streams, how many of them by each name): a stream counts once, under what it is called most often."""
    words = ["tshark", "-r", str(path), "-T", "fields", "-e", "tcp.stream", "-e", "frame.protocols"]
    named: dict[str, Counter[str]] = {}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        for line in child.stdout or ():
            stream, _, protocols = line.strip().partition("\t")
            found = named.setdefault(stream, Counter())
            found.update(name for name in protocols.split(":") if name not in PLAIN)
    return len(named), Counter(found.most_common(1)[0][0] for found in named.values() if found)


def ndpi(path: Path) -> tuple[int, Counter[str]]:
    """(flows, how many of them by each name)."""
    done = subprocess.run(["ndpiReader", "-i", str(path)], capture_output=True, text=True, timeout=900, check=False)
    section = done.stdout.partition("Detected protocols:")[2].partition("\n\n")[0]
    counted = re.findall(r"^\s*(\S.*?)\s+packets:\s*\d+.*?flows:\s*(\d+)", section, re.MULTILINE)
    found = Counter({name: int(count) for name, count in counted})
    flow_count = sum(found.values())
    del found["Unknown"]
    return flow_count, found
