"""Nodes on one cable find each other by beacons: listed, connected, apart from other networks, and nothing to be seen.

Network namespaces on one bridge, with multicast as a switch has it. Spec: docs/spec/discovery.md, the local network.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from quantumgate.wire.limits import HEARD_PER_HOST
from tests.acceptance.netns import COMMAND_SECONDS, INTERFACE, Internet, Place, run
from tests.acceptance.processes import TwistdNode, staged, start, until
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.wiretap import Wiretap

SECONDS = 10.0
LATER_SECONDS = 20.0
NODES = 5
ONLY_LAN = "[discovery]\nlan = true\n"
OPEN = f'[node]\ndefault_access = "allow"\n{ONLY_LAN}'
SHORTEST_BYTES = 67
COMMON_BYTES = 6
BEACONS_LEAST = 60
NOISE = 10_000

_SAY = """
import socket, struct, sys, time
own, group, port, many = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
lines = [bytes.fromhex(line) for line in sys.stdin.read().split()]
for at in range(many):
    out.sendto(lines[at % len(lines)], (group, port))
    if at % 50 == 49:
        time.sleep(0.01)
"""


class Cable:
    """A bridge in a namespace; whoever is plugged in hears all multicast."""

    def __init__(self, world: Internet) -> None:
        self._world, self._plugs = world, 0
        self.bridge = Place(f"{world.prefix}-cable", "")
        run("ip", "-n", self.bridge.name, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        run("ip", "-n", self.bridge.name, "link", "set", "br0", "up")

    def place(self, name: str, address: str, *, six: bool = False, up: bool = True) -> Place:
        """A namespace on it, with an IPv4 address, or with IPv6 alone."""
        made = Place(f"{self._world.prefix}-{name}", address)
        self._plugs += 1
        there = f"to{self._plugs}"
        run("ip", "link", "add", INTERFACE, "netns", made.name, "type", "veth", "peer", "name", there, "netns",
            self.bridge.name)
        run("ip", "-n", self.bridge.name, "link", "set", there, "master", "br0", "up")
        if six:
            for setting in ("all", "default", INTERFACE):
                run(*made.before, "sysctl", "-qw", f"net.ipv6.conf.{setting}.disable_ipv6=0")
            run(*made.before, "sysctl", "-qw", f"net.ipv6.conf.{INTERFACE}.accept_dad=0")
        else:
            run("ip", "-n", made.name, "addr", "add", f"{address}/24", "dev", INTERFACE)
        if up:
            run("ip", "-n", made.name, "link", "set", INTERFACE, "up")
        return made


class Neighbour(TwistdNode):
    """A node in a namespace, with this configuration and nothing else."""

    def __init__(self, directory: Path, place: Place, name: str, configuration: str) -> None:
        super().__init__(directory, name, configuration)
        self.before, self.place = place.before, place

    def ask(self, command: str) -> Any:
        """What ``qgate COMMAND --json`` shows, at once."""
        with ControlClient(find_control(self.data), COMMAND_SECONDS) as client:
            return client.call(command)

    def heard(self) -> set[str]:
        return {one["uuid"] for one in self.ask("lan")["heard"]}

    def connected(self) -> set[str]:
        return {one["uuid"] for one in self.ask("peers")}


def figures() -> Iterator[Figure]:
    yield from staged(scene)


@contextmanager
def together(directory: Path, cable: Cable, name: str, first: int, configurations: Sequence[str]) -> Iterator[Any]:
    """One node for each configuration, started at once; with the moment at which the last one was ready."""
    with ExitStack() as stack:
        nodes = [Neighbour(directory, cable.place(f"{name}{at}", f"192.168.7.{first + at}"), f"{name}{at}", text)
                 for at, text in enumerate(configurations)]
        for node in nodes:
            stack.enter_context(node)
        yield nodes, time.monotonic()


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world = stack.enter_context(Internet())
    cable = Cable(world)
    tap = Wiretap(directory / "cable.pcap", "udp port 9999", "br0", cable.bridge.before)
    yield from listing(directory, cable)
    yield from connecting(directory, cable)
    yield from apart(directory, cable)
    yield from later(directory, cable)
    yield from over_six(directory, cable)
    tap.close()
    said = [data for _, data in datagrams(tap.path)]
    yield from nothing_constant(said)
    yield from hostile(directory, cable, tap.path)


def names(nodes: Sequence[Neighbour]) -> list[str]:
    return [str(node.ask("status")["uuid"]) for node in nodes]


def listing(directory: Path, cable: Cable) -> Iterator[Figure]:
    with together(directory, cable, "fresh", 1, [ONLY_LAN] * NODES) as (nodes, began):
        uuids = set(names(nodes))
        until("all list each other", lambda: all(node.heard() >= uuids - {uuid} for node, uuid in
                                                 zip(nodes, names(nodes), strict=True)), SECONDS * 3)
        yield at_most(f"{NODES} fresh nodes list each other, s after the last is ready", SECONDS,
                      time.monotonic() - began)
        why = {one["why"] for node in nodes for one in node.ask("lan")["heard"]}
        yield exactly("none of them is connected under default_access = deny", [0] * NODES,
                      [len(node.connected()) for node in nodes])
        yield noted("why", "; ".join(sorted(why)))
        nodes[0].__exit__()
        yield noted("one left; listed by the others for, s", "150 (limits.heard_seconds)")


def connecting(directory: Path, cable: Cable) -> Iterator[Figure]:
    with together(directory, cable, "open", 21, [OPEN] * NODES) as (nodes, began):
        uuids = set(names(nodes))
        until("all are connected", lambda: all(node.connected() >= uuids - {uuid} for node, uuid in
                                               zip(nodes, names(nodes), strict=True)), SECONDS * 3)
        yield at_most(f"{NODES} fresh nodes with default_access = allow are connected, s", SECONDS,
                      time.monotonic() - began)
        words = {one["why"] for node in nodes for one in node.ask("peers") if one["direction"] == "outbound"}
        yield exactly("why, as qgate peers says", {"heard on the local network, kept"}, words)
        yield exactly("sessions of each", [NODES - 1] * NODES, [len(node.ask("peers")) for node in nodes])


def apart(directory: Path, cable: Cable) -> Iterator[Figure]:
    secret = directory / "secret"
    secret.write_bytes(os.urandom(64))
    secret.chmod(0o600)
    kinds = {"another name": OPEN.replace("[node]\n", '[node]\nnetwork = "other"\n'),
             "a secret": OPEN.replace("[node]\n", f'[node]\nshared_secret_file = "{secret}"\n')}
    configurations = [OPEN, OPEN, *(text for text in kinds.values() for _ in range(2))]
    with together(directory, cable, "apart", 41, configurations) as (nodes, began):
        pairs = [set(names(nodes[at : at + 2])) for at in (0, 2, 4)]
        until("each pair finds itself", lambda: all(len(node.connected()) == 1 for node in nodes), SECONDS * 3)
        yield at_most("three networks on one cable: each pair is connected, s", SECONDS, time.monotonic() - began)
        time.sleep(SECONDS)
        own = [pairs[at // 2] for at in range(6)]
        mixed = [(node.heard() | node.connected()) - pair for node, pair in zip(nodes, own, strict=True)]
        yield exactly("nodes of another network listed or connected, 10 s later", [set()] * 6, mixed)
        yield exactly("datagrams of others dropped unread where all share a group, or never heard", True,
                      all(set(node.ask("lan")["dropped"]) <= {"not ours"} for node in nodes))


def later(directory: Path, cable: Cable) -> Iterator[Figure]:
    late = cable.place("late", "192.168.7.62", up=False)
    with together(directory, cable, "early", 61, [OPEN]) as ((early,), _), \
            Neighbour(directory, late, "late", OPEN) as node:
        yield exactly("before its cable is plugged in a node hears nobody", set(), node.heard())
        run("ip", "-n", late.name, "link", "set", INTERFACE, "up")
        began = time.monotonic()
        until("it is found", lambda: node.connected() and early.connected(), LATER_SECONDS * 3)
        yield at_most("cable plugged in to connected, s", LATER_SECONDS, time.monotonic() - began)


def over_six(directory: Path, cable: Cable) -> Iterator[Figure]:
    text = OPEN.replace("[node]\n", '[node]\nlisten = ["tcp6:9999"]\n')
    with ExitStack() as stack:
        nodes = [stack.enter_context(Neighbour(directory, cable.place(f"six{at}", "", six=True), f"six{at}", text))
                 for at in range(2)]
        began = time.monotonic()
        until("both are connected", lambda: all(node.connected() for node in nodes), SECONDS * 3)
        yield at_most("two nodes with IPv6 alone, of link-local addresses: connected, s", SECONDS,
                      time.monotonic() - began)


# -- what the cable shows ----------------------------------------------------------------------------------------


def datagrams(path: Path) -> list[tuple[str, bytes]]:
    """The group and payload of each UDP datagram in a capture of Ethernet."""
    found, data, at = [], path.read_bytes(), 24
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        if packet[12:14] == b"\x08\x00":
            begin = 14 + (packet[14] & 15) * 4
            group = socket.inet_ntop(socket.AF_INET, packet[30:34])
        else:
            begin, group = 54, socket.inet_ntop(socket.AF_INET6, packet[38:54])
        length = int.from_bytes(packet[begin + 4 : begin + 6], "big")
        found.append((group, packet[begin + 8 : begin + length]))
    return found


def nothing_constant(said: Sequence[bytes]) -> Iterator[Figure]:
    said = list(dict.fromkeys(said))  # the bridge shows each once; a repeated one would be a finding of its own
    yield at_least("beacons captured, no two alike", BEACONS_LEAST, len(said))
    least = min(len({one[at] for one in said}) for at in range(SHORTEST_BYTES))
    yield at_least("different values at the poorest byte position", BEACONS_LEAST // 2, least)
    yield at_least("different lengths", BEACONS_LEAST // 3, len({len(one) for one in said}))
    pieces: dict[bytes, int] = {}
    shared = set()
    for number, one in enumerate(said):
        for at in range(len(one) - COMMON_BYTES + 1):
            piece = one[at : at + COMMON_BYTES]
            if pieces.setdefault(piece, number) != number:
                shared.add(piece)
    yield exactly(f"runs of {COMMON_BYTES} bytes that two beacons share", 0, len(shared))


def say(place: Place, group: str, datagrams_said: Sequence[bytes], many: int, log: Path) -> None:
    """Datagrams to the group from that place, as fast as 5,000 a second."""
    words = [*place.before, sys.executable, "-c", _SAY, place.address, group, "9999", str(many)]
    source = log.with_suffix(".hex")
    source.write_text("\n".join(one.hex() for one in datagrams_said), encoding="ascii")
    child = start(["sh", "-c", 'exec "$@" < "$0"', str(source), *words], log)
    if child.wait(120):
        raise RuntimeError(log.read_text())


def hostile(directory: Path, cable: Cable, capture: Path) -> Iterator[Figure]:
    """Somebody on the cable who is not of the network: noise, and everything that was ever said on it, again."""
    four = [(group, data) for group, data in datagrams(capture) if group.startswith("239.")]
    group, rogue = four[0][0], cable.place("rogue", "192.168.7.99")
    with together(directory, cable, "calm", 81, [OPEN] * 2) as (nodes, _):
        until("both are connected, and have heard one another", lambda: all(
            node.connected() and node.heard() for node in nodes), SECONDS * 3)
        before = [node.heard() for node in nodes]
        tap = Wiretap(directory / "calm.pcap", "udp port 9999", "br0", cable.bridge.before)
        say(rogue, group, [os.urandom(200) for _ in range(100)], NOISE, directory / "rogue.log")
        yield exactly(f"{NOISE} random datagrams in a few seconds: listed as before", before,
                      [node.heard() for node in nodes])
        yield at_least("dropped by each", NOISE // 2, min(sum(node.ask("lan")["dropped"].values()) for node in nodes))
        tap.close()
        yield at_most("beacons that answer them", 6, len(datagrams(tap.path)) - NOISE)
        say(rogue, group, [data for where, data in four if where == group], 500, directory / "replay.log")
        yield at_most("all beacons of before, replayed from one address: listed of those that left",
                      HEARD_PER_HOST, max(len(node.heard() - one) for node, one in zip(nodes, before, strict=True)))
        yield exactly("sessions stand", [1, 1], [len(node.connected()) for node in nodes])
