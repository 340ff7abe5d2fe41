"""What ``make run`` prints while it runs: the path of each circuit, and what every gateway knows of it.

Read from the nodes themselves, as ``qgate relays --json`` and ``qgate peers --json`` tell it; short names instead of
UUIDs. Not for: making anything happen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from quantumgate.cli.demonode import DemoNode
from quantumgate.cli.output import bytes_text
from quantumgate.errors import QuantumGateError

Knowledge = dict[str, tuple[str, ...]]
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Watch:
    """Of your node, the gateways and the exit. ``say`` gets one line at a time."""

    def __init__(self, near: DemoNode, gateways: Sequence[DemoNode], far: DemoNode, say: Callable[[str], None]) -> None:
        self._near, self._gateways, self._far, self._say = near, gateways, far, say
        self._names = {node.uuid: node.name for node in (near, *gateways, far)}
        self._circuits: list[str] = []
        self._knowledge: Knowledge = {}

    def look(self) -> None:
        """Says what changed since the last time."""
        circuits = self.circuits()
        knowledge = {node.name: self.known_by(node) for node in self._gateways} | {self._far.name: self.known_by_far()}
        for gone in _more(self._circuits, circuits):
            self._say(f"circuit ended: {gone}")
        for new in _more(circuits, self._circuits):
            self._say(f"circuit: {new}")
        changed = {name: facts for name, facts in knowledge.items() if facts != self._knowledge.get(name)}
        self._circuits, self._knowledge = circuits, knowledge
        for name, facts in changed.items():
            self._say(f"  {name} knows: {'; '.join(facts)}")

    def circuits(self) -> list[str]:
        """``you > g3 > g1 > g4 > exit`` for each."""
        report = _asked(self._near, "relays") or {"circuits": ()}
        paths = ((*one["path"], one["peer"]) for one in report["circuits"])
        return sorted(" > ".join((self._near.name, *map(self._named, path))) for path in paths)

    def known_by(self, gateway: DemoNode) -> tuple[str, ...]:
        """A line for each different pair of neighbours, numbers of links included."""
        report = _asked(gateway, "relays")
        if report is None:
            return ("nothing: it does not answer any more",)
        pairs = [f"from {self._named(one['client'])} to {self._named(one['target'])} at {one['endpoint'] or '...'}"
                 for one in report["carried"]]
        return tuple(f"{pair} ({pairs.count(pair)} links)" if pairs.count(pair) > 1 else pair
                     for pair in sorted(set(pairs))) or ("nothing",)

    def known_by_far(self) -> tuple[str, ...]:
        """Who uses the exit, and from where."""
        peers = _asked(self._far, "peers")
        if peers is None:
            return ("nothing: it does not answer any more",)
        return tuple(sorted({f"peer {self._named(one['uuid'] or 'anonymous')} {self._named(one['endpoint'])}"
                             for one in peers})) or ("nobody",)

    def carried(self) -> str:
        """``g1 12.0 MB, g2 0 B``: what went through each gateway."""
        reports = ((node, _asked(node, "relays")) for node in self._gateways)
        return ", ".join(f"{node.name} {bytes_text(report['carried_bytes'])}" for node, report in reports if report)

    def _named(self, text: str) -> str:
        """UUIDs by their short names."""
        return _UUID.sub(lambda found: self._names.get(found[0], found[0]), text)


def _asked(node: DemoNode, command: str) -> Any:
    """None where the node does not answer."""
    try:
        return node.ask(command)
    except (QuantumGateError, OSError):
        return None


def _more(some: Sequence[str], others: Sequence[str]) -> list[str]:
    """What is in ``some`` more often than in ``others``."""
    left = list(others)
    found = []
    for one in some:
        if one in left:
            left.remove(one)
        else:
            found.append(one)
    return found
