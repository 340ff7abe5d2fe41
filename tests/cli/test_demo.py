"""``make run``: what it writes and shows. The real run is the acceptance point ``make_run``."""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import demo


class DemoNodeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp())
        self.place.mkdir()

    def test_a_configuration_on_loopback_with_the_installed_extenders(self) -> None:
        demo.DemoNode(self.place, "ada", ["echo"])
        text = (self.place / "ada.toml").read_text(encoding="utf-8")
        self.assertEqual(text, '[node]\nlisten = ["tcp:0:interface=127.0.0.1"]\n\n[extenders.echo]\n')

    def test_two_nodes_share_nothing(self) -> None:
        ada, bob = (demo.DemoNode(self.place, name, []) for name in ("ada", "bob"))
        self.assertNotEqual(ada.data, bob.data)
        self.assertNotEqual(ada.log_path, bob.log_path)

    def test_a_node_is_started_as_a_user_would(self) -> None:
        node = demo.DemoNode(self.place, "ada", [])
        self.assertEqual(node.command[0], str(Path(sys.executable).with_name("twistd")))
        self.assertEqual(node.command[1:4], ["--nodaemon", "--pidfile=", "qgnode"])
        self.assertEqual(node.command[-2:], ["--data", str(self.place / "ada")])

    def test_qgate_is_told_which_node(self) -> None:
        node = demo.DemoNode(self.place, "ada", [])
        words = demo.qgate_words(node, "peers", "--json")
        self.assertEqual(words[1:3], ["-m", "quantumgate.cli.main"])
        self.assertEqual(words[3:], ["--data", str(node.data), "peers", "--json"])

    def test_commands_are_shown_so_that_they_can_be_typed(self) -> None:
        node = demo.DemoNode(self.place, "ada", [])
        self.assertTrue(demo.shown(node, "ping", "a b").endswith(f"--data {node.data} ping 'a b'"))

    def test_the_address_comes_from_the_status(self) -> None:
        node = demo.DemoNode(self.place, "ada", [])
        status = {"uuid": "u", "listening": ["tcp:40123:interface=127.0.0.1"]}
        self.patch(node, "ask", lambda *words: status)
        self.assertEqual(demo.address_of(node), ("u", "qg://u@127.0.0.1:40123"))
        status["listening"] = ["unix:here"]
        self.assertRaises(demo.DemoFailed, demo.address_of, node)


class StartTests(SynchronousTestCase):
    def test_a_node_that_cannot_start_is_told_with_its_log(self) -> None:
        """A process that ends at once: its last words are shown, and nothing is left behind."""
        self.patch(demo.DemoNode, "command", [sys.executable, "-c", "import sys; sys.exit('no reactor today')"])
        self.patch(demo, "qgate_words", lambda node, *words: [sys.executable, "-c", "import sys; sys.exit(3)"])
        place = Path(self.mktemp())
        place.mkdir()
        self.patch(demo.tempfile, "mkdtemp", lambda prefix: str(place))
        self.patch(demo.signal, "signal", lambda number, what: None)
        result = CliRunner().invoke(demo.demo, ["--once"])
        self.assertEqual(result.exit_code, 1)
        self.assertIn("node ada ended", result.output)
        self.assertIn("no reactor today", result.output)
        self.assertFalse(place.exists())
