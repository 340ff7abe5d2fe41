"""qgate expose and forward: what is wrong use, what is no node; the whole of them runs in test_services_process.py."""

from __future__ import annotations

from pathlib import Path

import click
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.services import RemoteService
from tests.cli.tool import qgate

UUID = "0b51a0f2-3c4d-8100-8888-000000000001"


class RemoteTests(SynchronousTestCase):
    def test_a_peer_by_its_uuid_its_name_or_its_address(self) -> None:
        for text, found in ((f"{UUID}:web", (UUID, "web")), ("Bob:web", ("bob", "web")),
                            (f"qg://{UUID}@h:1:web", (f"qg://{UUID}@h:1", "web"))):
            self.assertEqual(RemoteService().convert(text, None, None), found)
        for text in ("bob", "b!b:web", ":web"):
            self.assertRaises(click.UsageError, RemoteService().convert, text, None, None)


class UseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.nowhere = ("--data", str(Path(self.mktemp()).absolute()))

    def test_wrong_use(self) -> None:
        for words in (
            ("expose",), ("expose", "web"), ("expose", "web", "127.0.0.1"), ("expose", "web", "127.0.0.1:0"),
            ("expose", "web", ":80"), ("expose", "web", "127.0.0.1:80", "--to", "me"),
            ("forward", "80"), ("forward", "80", UUID), ("forward", "80", f"{UUID}:Web"),
            ("forward", "80", f"qg://{UUID}@h:9999"), ("forward", "65536", f"{UUID}:web"),
            ("forward", "80", f"{UUID}:web", "--hops", "9"), ("forward", "80", f"{UUID}:web", "--via", "x!"),
            ("forward", "80", f"{UUID}:web", "--via", f"{UUID},{UUID}", "--hops", "1"),
        ):
            self.assertEqual(qgate(*self.nowhere, *words).code, 2, words)
        self.assertIn("begins with a letter", qgate(*self.nowhere, "forward", "80", f"{UUID}:Web").err)
        self.assertIn("expected HOST:PORT, found '127.0.0.1'", qgate(*self.nowhere, "expose", "web", "127.0.0.1").err)

    def test_where_a_service_is(self) -> None:
        """Of a peer behind anchors all of the address, which says how it is reached."""
        for address in (UUID, f"qg://{UUID}@h:1", f"qg://{UUID}.{'a' * 52}",
                        f"qg://{UUID}?key={'a' * 52}&anchor={UUID}@h:1"):
            self.assertEqual(RemoteService().convert(f"{address}:web", None, None), (address, "web"))

    def test_no_node(self) -> None:
        """Also where the data directory's path is too long for a socket in it."""
        for where in (self.nowhere, ("--data", str(Path(self.mktemp()).absolute() / ("deep" * 20)))):
            shown = qgate(*where, "forward", "0", f"{UUID}:web")
            self.assertEqual((shown.code, shown.out), (3, ""))
            self.assertIn("no node is running", shown.err)
