"""Nodes with a defence taken out break the bound that is there for it: the stage sees what it is to see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.acceptance.floods import connect_close, half_handshakes, never_reading
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.report import Figure

WITHOUT: tuple[tuple[str, Flood, float, str], ...] = (
    ("gives_way", half_handshakes.FLOOD, 20.0, "new peers that were not connected within 5 s"),
    ("quiet_log", connect_close.FLOOD, 20.0, "log lines a second of one source"),
    ("memory_watch", never_reading.FLOOD, 55.0, "memory: MiB more than before, at most"),
)
"""What is taken out, the flood, for how long, and the bound that has to break."""


def figures() -> Iterator[Figure]:
    for defence, flood, seconds, bound in WITHOUT:
        seen = list(flooded(replace(flood, without=defence, seconds=seconds)))
        broken = [one for one in seen if not one.holds]
        told = "; ".join(f"{one.name}: {one.seen} ({one.bound})" for one in broken) or "none"
        holds = any(one.name.startswith(bound) for one in broken)
        yield Figure(f"{flood.module} at a node without {defence}: bounds that break", f"with: {bound}", told, holds)
