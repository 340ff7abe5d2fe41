"""Messages and streams through two real processes: whole, in order, in bounded memory, stopped by who does not read.

Spec: docs/spec/channels.md. The parties are ``party.py``, what they do ``scenarios.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.processes import MemoryWatch, PartyProcess, discard, scratch
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.two_nodes import LOOPBACK

MIB = 1 << 20
STREAM_BYTES = 2 << 30
GROWTH_BYTES = 64 * MIB
STREAMS = 1000
RAISED = f"[limits]\nmax_channels = 1100\ninitial_windows_sum_bytes = {128 * MIB}\n"
"""The named limits that let 1,000 echo streams be open at once; both sides set it."""


def configuration(listen: bool, more: str = "") -> str:
    shown = f'["{LOOPBACK}"]' if listen else "[]"
    return f'[node]\nlisten = {shown}\ndefault_access = "allow"\n[log]\nlevel = "warn"\n{more}\n[extenders.party]\n'


@contextmanager
def parties(scenario: str, *numbers: str, more: str = "") -> Iterator[tuple[PartyProcess, PartyProcess]]:
    """An answering process and a driving one that plays ``scenario``."""
    place: Path = scratch()
    try:
        with PartyProcess(place, "b", configuration(True, more), "answer") as answering:
            driver = ("a", configuration(False, more), scenario, answering.address, *numbers)
            with PartyProcess(place, *driver) as driving:
                driving.get("address")
                yield answering, driving
    finally:
        discard(place)


def figures() -> Iterator[Figure]:
    yield from interleaved(f"{STREAMS:,} echo streams, max_channels = 1100", RAISED, STREAMS)
    yield from interleaved(f"{STREAMS:,} echo streams, default limits", "", STREAMS)
    yield from large_stream()
    yield from stuck_reader()


def interleaved(name: str, more: str, streams: int) -> Iterator[Figure]:
    with parties("interleaved", str(streams), more=more) as (_, driving):
        said = driving.get("messages", 240)
    yield at_least(f"{name}: messages of 0 B to 1 MiB echoed meanwhile", 60, said["messages"])
    yield exactly(f"{name}: messages changed or out of order", 0, said["wrong"])
    yield exactly(f"{name}: streams that came back whole", streams, said["streams_whole"])
    yield exactly(f"{name}: streams refused or lost", 0, said["streams_failed"])
    if more:
        yield at_least(f"{name}: most open at once", streams // 2, said["most_open"])
    else:
        yield at_most(f"{name}: most open at once (the rest wait)", 512 + 4, said["most_open"])


def large_stream() -> Iterator[Figure]:
    with parties("pour", str(STREAM_BYTES)) as (answering, driving):
        watch = MemoryWatch(answering.process.pid, driving.process.pid)
        said = driving.get("count", 600)
        watch.close()
        growth = watch.growth_bytes()
    yield exactly("2 GiB stream: bytes that arrived", STREAM_BYTES, said["count"])
    yield exactly("2 GiB stream: same checksum", True, said["whole"])
    for name, party in (("reader", answering), ("writer", driving)):
        yield at_most(f"2 GiB stream: growth of the {name}, MiB", GROWTH_BYTES / MIB, growth[party.process.pid] / MIB)
    yield noted("2 GiB stream: MB/s", f"{STREAM_BYTES / said['seconds'] / 1e6:,.0f}")


def stuck_reader() -> Iterator[Figure]:
    with parties("stuck") as (_, driving):
        said, after = driving.get("went_on", 120), driving.get("whole_after", 120)
    yield at_most("stuck reader: MiB written before the writer stopped", 32.0, said["written_while_stuck"] / MIB)
    yield exactly("stuck reader: bytes written while it was stuck", 0, said["went_on"])
    yield at_least("stuck reader: messages echoed meanwhile", 18, said["messages"])
    yield exactly("stuck reader: messages changed or out of order", 0, said["wrong"])
    yield exactly("stuck reader: another stream meanwhile, whole", True, said["other_whole"])
    yield exactly("stuck reader: whole after it read on", True, after["whole_after"])
