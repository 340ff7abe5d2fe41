"""Two real nodes with each key exchange that needs liboqs: do they meet, and how long does the reactor stand still?

What the bound is for: a node that makes, sends, reads and hashes a megabyte must not keep its other peers waiting.
Measured inside both processes by ``party.TurnWatch``; time in which other processes of the machine had the processor is
not the node's and is left out. Needs liboqs 0.16 and liboqs-python; without them one row says so.
Spec: docs/spec/handshake.md section 4, docs/spec/crypto.md (algorithms).
"""

from __future__ import annotations

from collections.abc import Iterator

from quantumgate.crypto import liboqs
from quantumgate.crypto.suites import SECONDARIES
from tests.acceptance.echo import parties
from tests.acceptance.report import Figure, at_most, exactly, noted

TURN_MS = 50.0
DIALS = 5
"""So many pairs of processes for each group; the worst turn of all counts."""


def figures() -> Iterator[Figure]:
    found = liboqs.find()
    if found.module is None:
        yield noted("skipped", f"{found.reason}; {liboqs.ADVICE}, and liboqs-python of the same version")
        return
    yield noted("liboqs", found.version)
    for row in liboqs.rows():
        if not found.offers(row.id):
            yield Figure(f"{row.name}: usable", "yes", found.problems.get(row.id, "not offered"), False)
            continue
        yield from group(row.id)


def group(id_: int) -> Iterator[Figure]:
    """Dials in this group, and only this."""
    name = SECONDARIES[id_].name
    seen = [dial(name) for _ in range(DIALS)]
    yield exactly(f"{name}: dials that met in it", DIALS, sum(one["met"] for one in seen))
    for side in ("dialler", "listener"):
        most = max(one[f"{side}_busy"] for one in seen) * 1e3
        yield at_most(f"{name}: longest reactor turn of the {side}, ms", TURN_MS, most)
        every = " ".join(f"{one[side] * 1e3:.0f}" for one in seen)
        yield noted(f"{name}: the {side}'s by the clock, other processes included, ms", every)
    yield noted(f"{name}: seconds to dial", " ".join(f"{one['seconds']:.2f}" for one in seen))


def dial(name: str) -> dict[str, float]:
    with parties("meet", more=f'[algorithms]\nsecondary = ["{name}"]') as (answering, driving):
        said = driving.get("suite", 60)
        theirs = answering.get("longest_here", 20)
    return {
        "met": said["suite"][1] == name and not said["wrong"],
        "dialler": said["longest"], "dialler_busy": said["busiest"],
        "listener": theirs["longest_here"], "listener_busy": theirs["busiest_here"], "seconds": said["dial"],
    }  # fmt: skip
