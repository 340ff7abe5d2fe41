"""Gateways, an exit and a web server as processes that can be killed, stopped and started again at their places.

Not for: ``make run`` (``demonetwork.py``), what is done through it (``gateway_loss.py``, ``stuck_reader.py``).
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.installed import pretend_installed
from quantumgate.control.client import ControlClient
from quantumgate.control.paths import find_control
from tests.acceptance.installed import free_port
from tests.acceptance.processes import TwistdNode, end, start, until
from tests.acceptance.report import ROOT

GATEWAY = """
[node]
listen = ["tcp:PORT:interface=127.0.0.1"]
relay = true
[relay]
allow_private = true
"""
EXIT = """
[node]
listen = ["tcp:PORT:interface=127.0.0.1"]
default_access = "allow"
[relay]
allow_private = true
[extenders.held]
[extenders.socks5]
listen = ""
[extenders.socks5.exit]
enabled = true
allow = ["127.0.0.0/8:*"]
"""
NEAR = """
[node]
listen = []
default_access = "allow"
[privacy]
hops = 3
[relay]
allow_private = true
gateways = GATEWAYS
[extenders.socks5]
listen = "tcp:PORT:interface=127.0.0.1"
exits = ["EXIT"]
line_idle_seconds = 2
"""
HOLDS = """
[extenders.held]
dial = "EXIT"
[limits]
queue_pause_bytes = 262144
"""


def asked(data: Path, what: str) -> Any:
    """What the node with this data directory answers over its control socket."""
    with ControlClient(find_control(data), 20) as client:
        return client.call(what)


class RelayNetwork:
    """So many gateways, an exit that is a party, too, a web server of ``place``; ``near`` adds a node with a proxy."""

    def __init__(self, place: Path, stack: ExitStack, gateways: int) -> None:
        self.place, self._stack = place, stack
        texts = [GATEWAY.replace("PORT", str(free_port())) for _ in range(gateways)]
        made = [TwistdNode(place, f"g{number}", text) for number, text in enumerate(texts)]
        self.gateways = {str(asked(stack.enter_context(one).data, "status")["uuid"]): one for one in made}
        self._addresses = [one.address() for one in made]
        self._guests = pretend_installed(place / "installed", "held = tests.acceptance.held:extender")
        self.exit = stack.enter_context(self._node("exit", EXIT.replace("PORT", str(free_port()))))
        log = place / "server"
        server = start([sys.executable, "-m", "tests.acceptance.fileserver", str(place)], log)
        stack.callback(end, server)
        self.server = server.pid
        self.web = int(until("the web server's port", lambda: log.read_text().strip()))

    def near(self, name: str, more: str = "", rest: str = "") -> Near:
        """A node with a proxy of its own, three hops from the exit. ``more`` lines of the proxy's table, ``rest``."""
        port = free_port()
        named = "[" + ", ".join(f'"{one}"' for one in self._addresses) + "]"
        text = (NEAR + more + rest).replace("PORT", str(port)).replace("GATEWAYS", named)
        text = text.replace("EXIT", self.exit.address())
        return Near(self._stack.enter_context(self._node(name, text)), self.web, port)

    def _node(self, name: str, text: str) -> TwistdNode:
        return TwistdNode(self.place, name, text, PYTHONPATH=f"{self._guests}:{ROOT}")


class Near:
    """A near node: its process, its proxy, what it says of itself."""

    def __init__(self, node: TwistdNode, web: int, port: int) -> None:
        self.node, self.web, self.port = node, web, port

    def circuits(self) -> list[dict[str, Any]]:
        """``qgate relays``: those of its own."""
        found: list[dict[str, Any]] = asked(self.node.data, "relays")["circuits"]
        return found

    def figures(self, extender: str) -> dict[str, Any]:
        """What an extender says of itself."""
        return next(row["status"] for row in asked(self.node.data, "extenders") if row["name"] == extender)

    def curl(self, name: str, *more: str, seconds: int = 120) -> list[str]:
        """The command that fetches ``name`` through the proxy."""
        url = f"http://127.0.0.1:{self.web}/{name}"
        words = ["curl", "-sS", "-f", "-m", str(seconds), "-o", "/dev/null", *more]
        return [*words, "-x", f"socks5h://127.0.0.1:{self.port}", url]
