"""What three gateways know of a circuit that they carry, read from all that they have: memory, logs, files, wires.

Client, gateways and destination each have a network namespace and an address in a /16 of its own. Looked for are the
addresses and UUIDs of all five, in every form that this program knows, and a plain text that goes both ways. What must
be there (each gateway's neighbours; the text at the client) is the control. Spec: docs/spec/relays.md, section 6.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address
from itertools import combinations, pairwise
from pathlib import Path
from uuid import UUID

from quantumgate.crypto.identity import parse_fingerprint
from tests.acceptance.netns import PORT, EchoServer, Internet, NodeAt, Talk, exposed, listed
from tests.acceptance.processes import staged
from tests.acceptance.report import Figure, at_least, exactly, noted
from tests.acceptance.web_service import forward
from tests.acceptance.wiretap import Flow, Wiretap, flows

HOPS = 3
ADDRESSES = {"client": "91.37.113.29", "g0": "84.201.7.153", "g1": "51.68.93.211", "g2": "37.120.171.46",
             "destination": "62.141.38.77"}
LOG = '[log]\nlevel = "debug"\nredact = false\n'
CHUNK_BYTES = 1 << 24
OVERLAP_BYTES = 256
NEAR_BYTES = 12
IDLE_SECONDS = 12.0
RUN_BYTES = 16
KEEP_BYTES = 1 << 20
Found = set[tuple[str, str]]


def figures() -> Iterator[Figure]:
    yield from staged(scene)


# -- what is looked for ----------------------------------------------------------------------------------------------


@dataclass
class Party:
    """One of the five, and every form of its name and address."""

    name: str
    address: str
    uuid: UUID
    fingerprint: str

    @cached_property
    def names(self) -> tuple[bytes, ...]:
        """UUID and key hash: as bytes, in text, and as Python keeps a large number."""
        text, digest = str(self.uuid), parse_fingerprint(self.fingerprint)
        texts = (text, text.upper(), self.uuid.hex, self.uuid.hex.upper(), self.fingerprint, digest.hex())
        return (self.uuid.bytes, self.uuid.bytes_le, _digits(self.uuid.int), digest, *(one.encode() for one in texts))

    @cached_property
    def texts(self) -> bytes:
        return self.address.encode()

    @cached_property
    def packed(self) -> bytes:
        return IPv4Address(self.address).packed

    @cached_property
    def number(self) -> bytes:
        return _digits(int(IPv4Address(self.address)))


def _digits(number: int) -> bytes:
    """The digits of a Python int in memory: 30 bits each, the lowest first."""
    digits = []
    while number:
        digits.append(number & (1 << 30) - 1)
        number >>= 30
    return struct.pack(f"<{len(digits)}I", *digits)


@dataclass
class Search:
    """Who and what is in some bytes. ``ports``: of all connections, to tell an address from four bytes by chance."""

    parties: list[Party]
    plain: dict[str, bytes]
    ports: set[int]
    chance: int = 0
    marks: set[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.marks = {struct.pack(order, port) for port in self.ports for order in ("<H", ">H")}

    def of(self, data: bytes) -> Found:
        found = {(name, "plain text") for name, text in self.plain.items() if text in data}
        for one in self.parties:
            if any(form in data for form in one.names):
                found.add((one.name, "UUID"))
            if one.number in data or self._as_text(one.texts, data) or self._as_bytes(one.packed, data):
                found.add((one.name, "address"))
        return found

    def _as_text(self, text: bytes, data: bytes) -> bool:
        return any(not (data[at - 1 : at].isdigit() or data[at + len(text) : at + len(text) + 1].isdigit())
                   for at in _places(text, data))

    def _as_bytes(self, packed: bytes, data: bytes) -> bool:
        """In network order, in a sockaddr or within a few bytes of a port."""
        for at in _places(packed, data):
            near = data[max(0, at - NEAR_BYTES) : at + 4 + NEAR_BYTES]
            if data[at - 4 : at - 2] == b"\x02\x00" or any(mark in near for mark in self.marks):
                return True
            self.chance += 1
        return False

    def of_memory(self, pid: int) -> Found:
        """Every mapping that can be read, of a process that goes on meanwhile."""
        found: Found = set()
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in maps:
                span, rights, *_ = line.split()
                if "r" in rights and "[v" not in line:
                    first, last = (int(edge, 16) for edge in span.split("-"))
                    found |= self._of_mapping(memory.fileno(), first, last)
        return found

    def _of_mapping(self, memory: int, first: int, last: int) -> Found:
        found: Found = set()
        for start in range(first, last, CHUNK_BYTES):
            size = min(CHUNK_BYTES + OVERLAP_BYTES, last - start)
            try:
                found |= self.of(os.pread(memory, size, start))
            except OSError:  # it was unmapped meanwhile
                continue
        return found

    def of_files(self, paths: Iterable[Path]) -> Found:
        return set().union(*(self.of(path.read_bytes()) for path in paths if path.is_file()))


def _places(form: bytes, data: bytes) -> Iterator[int]:
    at = data.find(form)
    while at >= 0:
        yield at
        at = data.find(form, at + 1)


# -- the run ---------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """The five nodes, nearest first, and the captures of the gateways' interfaces."""

    nodes: list[NodeAt]
    taps: list[Wiretap]
    talk: Talk
    plain: dict[str, bytes]
    ends: tuple[str, ...] = ("client", "first gateway", "middle gateway", "last gateway", "destination")

    def search(self) -> Search:
        parties = []
        for name, node in zip(self.ends, self.nodes, strict=True):
            status = node.status()
            parties.append(Party(name, node.host, UUID(status["uuid"]), status["fingerprint"]))
        return Search(parties, self.plain, {port for node in self.nodes for port in node.place.ports()})

    def flows(self) -> list[Flow]:
        """What the gateways' wires carried , a flow for each connection on each wire."""
        return [flow for tap in self.taps for flow in flows(tap.path, PORT, KEEP_BYTES)]

    @property
    def gateways(self) -> list[tuple[str, NodeAt]]:
        return list(zip(self.ends[1:4], self.nodes[1:4], strict=True))

    def neighbours(self, at: int) -> tuple[str, str]:
        """What gateway ``at`` (1 to 3) must and may know: addresses and UUIDs of itself and of those beside it, but
        not who the client is."""
        here = self.ends[at - 1 : at + 2]
        return shown(here), shown(one for one in here if one != "client")


def shown(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"


def known(found: Found, what: str) -> str:
    return shown(name for name, kind in found if kind == what)


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world = stack.enter_context(Internet())
    gateways = [
        stack.enter_context(NodeAt(directory, world.place(name, ADDRESSES[name]), name, LOG, relay=True))
        for name in ("g0", "g1", "g2")
    ]
    destination = stack.enter_context(
        NodeAt(directory, world.place("destination", ADDRESSES["destination"]), "destination"))
    named = f"[relay]\ngateways = {listed([one.address() for one in gateways])}\n"
    client = stack.enter_context(
        NodeAt(directory, world.place("client", ADDRESSES["client"]), "client", named, listens=False))
    destination.qgate("access", "allow", client.uuid)
    exposed(directory, destination, stack.enter_context(EchoServer()), stack)
    taps = [one.place.tap(directory / f"{one.data.name}.pcap") for one in gateways]
    for tap in taps:
        stack.callback(tap.close)
    secret = f"Attack At Dawn {os.urandom(8).hex()}z".encode()
    plain = {"to the destination": secret, "back": secret.swapcase()}
    url, _, _ = forward(directory, client, destination.address(), stack, HOPS)
    talk = Talk(url, secret * 40)
    stack.callback(talk.close)
    talk.heard(20)
    (circuit,) = client.json("relays")["circuits"]
    order = {one.uuid: number for number, one in enumerate(gateways)}
    path = [order[uuid] for uuid in circuit["path"]]
    seen = Scene([client, *(gateways[at] for at in path), destination], [taps[at] for at in path], talk, plain)
    yield exactly("hops of the circuit", HOPS, len(path))
    yield noted("rules switched off", "none: public addresses, each in its own /16; logs at debug, redact = false")
    yield from told(seen)


def told(seen: Scene) -> Iterator[Figure]:
    search = seen.search()
    yield from of_memory(seen, search, "while it carries")
    seen.talk.heard(1)
    seen.talk.rest()
    time.sleep(IDLE_SECONDS)
    yield from of_memory(seen, search, f"after {IDLE_SECONDS:.0f} s of idleness")
    (peer,) = seen.nodes[0].peers()
    yield exactly("the circuit stands all the while", HOPS, len(peer["path"]))
    yield noted("texts echoed", seen.talk.back)
    for tap in seen.taps:
        tap.close()
    yield from of_records(seen, search)
    yield from of_ciphertexts(seen)
    yield noted("an address's four bytes without a port beside them (chance)", search.chance)


def of_memory(seen: Scene, search: Search, when: str) -> Iterator[Figure]:
    for at, (name, node) in enumerate(seen.gateways, 1):
        found = search.of_memory(node.pid)
        addresses, uuids = seen.neighbours(at)
        yield exactly(f"memory of the {name} {when}: addresses of", addresses, known(found, "address"))
        yield exactly(f"memory of the {name} {when}: UUIDs of", uuids, known(found, "UUID"))
        yield exactly(f"memory of the {name} {when}: plain text", "nobody", known(found, "plain text"))
    if when == "while it carries":
        found = search.of_memory(seen.nodes[0].pid)
        yield exactly("control, memory of the client: plain text", shown(seen.plain), known(found, "plain text"))
        yield exactly("control, memory of the client: UUIDs of", shown(seen.ends), known(found, "UUID"))


def of_records(seen: Scene, search: Search) -> Iterator[Figure]:
    """Logs: no more than the memory may hold. Files: nobody else at all. In the capture, what must be there."""
    for at, ((name, node), tap) in enumerate(zip(seen.gateways, seen.taps, strict=True), 1):
        addresses, uuids = seen.neighbours(at)
        both = (("address", addresses), ("UUID", uuids))
        allowed = {(one, kind) for kind, names in both for one in names.split(", ")}
        found = search.of_files([node.log])
        yield exactly(f"log of the {name}: more than its neighbours", "nobody", _shown(found - allowed))
        yield noted(f"log of the {name}: holds", _shown(found))
        found = search.of_files([*node.data.rglob("*"), node.config])
        own = {(name, "address"), (name, "UUID")}
        yield exactly(f"files of the {name}: control, itself", _shown(own), _shown(found & own))
        yield exactly(f"files of the {name}: anybody else", "nobody", _shown(found - own))
        found = search.of_files([tap.path])
        yield exactly(f"capture at the {name}: addresses of", addresses, known(found, "address"))
        yield exactly(f"capture at the {name}: UUIDs, plain text", "nobody", _shown(
            {one for one in found if one[1] != "address"}))


def _shown(found: Found) -> str:
    return shown(f"{kind} {name}" if kind == "plain text" else f"{kind} of {name}" for name, kind in found)


def of_ciphertexts(seen: Scene) -> Iterator[Figure]:
    """All runs of 16 bytes on each wire, both ways; two wires have none in common."""
    wires: dict[frozenset[str], set[bytes]] = {}
    lengths: dict[frozenset[str], int] = {}
    for flow in seen.flows():
        ends = frozenset(flow.hosts)
        if ends in wires and lengths[ends] >= len(flow.dialler.data) + len(flow.listener.data):
            continue  # the same wire, seen from its other end
        data = [bytes(flow.dialler.data), bytes(flow.listener.data)]
        wires[ends] = {one[at : at + RUN_BYTES] for one in data for at in range(len(one) - RUN_BYTES + 1)}
        lengths[ends] = sum(map(len, data))
    hosts = [node.host for node in seen.nodes]
    hops = [frozenset(pair) for pair in pairwise(hosts)]
    yield exactly("wires seen", len(hops), sum(hop in wires for hop in hops))
    yield at_least("bytes compared on the shortest", 100_000, min(lengths[hop] for hop in hops))
    for one, other in combinations(range(len(hops)), 2):
        same = len(wires[hops[one]] & wires[hops[other]])
        yield exactly(f"runs of {RUN_BYTES} bytes that hops {one + 1} and {other + 1} share", 0, same)


