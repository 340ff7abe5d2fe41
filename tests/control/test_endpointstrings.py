"""``qg:`` strings as Twisted's own functions read them, through the plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.attach import AttachedDoor
from quantumgate.control.client import NoNodeRunning
from quantumgate.control.endpointstrings import control_of, parse_client, parse_server
from quantumgate.net.endpoints import ServiceClientEndpoint, ServiceServerEndpoint
from tests.extender.services import Diaries

PEER = "0b51a0f2-3c4d-8100-8888-000000000001"
GATES = ["0b51a0f2-3c4d-8100-8888-00000000000a", "0b51a0f2-3c4d-8100-8888-00000000000b"]


class StringTests(SynchronousTestCase):
    def server(self, text: str) -> Any:
        return serverFromString(Clock(), text)

    def client(self, text: str) -> Any:
        return clientFromString(Clock(), text)

    def test_server(self) -> None:
        endpoint = self.server(f"qg:service=web:to={PEER}:control=/c")
        self.assertIsInstance(endpoint, ServiceServerEndpoint)
        self.assertEqual((endpoint._name, [str(one) for one in endpoint._to]), ("web", [PEER]))
        self.assertIsInstance(endpoint._door, AttachedDoor)
        self.assertEqual(endpoint._door._control(), Path("/c"))

    def test_client(self) -> None:
        endpoint = self.client(f"qg:peer={PEER}:service=web:hops=2")
        self.assertIsInstance(endpoint, ServiceClientEndpoint)
        self.assertEqual((endpoint._peer, endpoint._name, endpoint._hops), (PEER, "web", 2))
        self.assertIsNone(self.client(f"qg:peer={PEER}:service=web")._hops)

    def test_client_with_named_relays(self) -> None:
        for more in ("", ":hops=2"):
            endpoint = self.client(f"qg:peer={PEER}:service=web:via={GATES[0]},{GATES[1]}{more}")
            self.assertEqual(endpoint._via, GATES)
        self.assertEqual(self.client(f"qg:peer={PEER}:service=web")._via, [])
        nine = ",".join(f"{PEER[:-1]}{n}" for n in range(9))
        for via in ("x", f"{GATES[0]}:hops=2", nine, f"{GATES[0]};{GATES[1]}"):
            self.assertRaises(ValueError, self.client, f"qg:peer={PEER}:service=web:via={via}")

    def test_client_with_an_address(self) -> None:
        endpoint = self.client(rf"qg:peer=qg\://{PEER}@192.0.2.1\:9999:service=web")
        self.assertEqual(endpoint._peer, f"qg://{PEER}@192.0.2.1:9999")

    def test_client_of_a_peer_behind_anchors(self) -> None:
        """Found behind a NAT: key and anchors were cut off, and the bare UUID led nowhere."""
        address = f"qg://{PEER}?key={'a' * 52}&anchor={PEER}@192.0.2.1:9999"
        escaped = address.replace(":", r"\:")
        self.assertEqual(self.client(f"qg:peer={escaped}:service=web")._peer, address)

    def test_wrong(self) -> None:
        for text in ("qg:service=Web", "qg:", "qg:service=web:to=nobody"):
            self.assertRaises(ValueError, self.server, text)
        for text in ("qg:service=web", f"qg:peer={PEER}", f"qg:peer={PEER}:service=web:hops=9",
                     f"qg:peer={PEER}:service=web:hops=-1", "qg:peer=x:service=web"):
            self.assertRaises(ValueError, self.client, text)
        self.assertRaises(TypeError, self.server, "qg:service=web:unknown=1")

    def test_no_node_is_said_at_once(self) -> None:
        """So that ``twist`` ends with the reason instead of serving nobody."""
        directory = self.mktemp()
        failure = self.failureResultOf(self.server(f"qg:service=web:data={directory}").listen(Diaries()), NoNodeRunning)
        self.assertIn(directory, str(failure.value))

    def test_which_node(self) -> None:
        self.assertEqual(control_of("/c", "/d")(), Path("/c"))
        self.assertEqual(control_of("", "/d")(), Path("/d/control.sock"))
        self.assertEqual(control_of("", "")().name, "control.sock")

    def test_without_the_plugin(self) -> None:
        """The parsers themselves."""
        self.assertIsInstance(parse_server(Clock(), service="web"), ServiceServerEndpoint)
        self.assertIsInstance(parse_client(Clock(), peer=PEER, service="web"), ServiceClientEndpoint)
