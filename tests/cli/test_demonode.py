"""One node of ``make run``: how it is started, shown and asked; and what is said when it does not come up."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import demonode
from quantumgate.cli.demonode import DemoFailed, DemoNode
from quantumgate.control.client import NoNodeRunning


class DemoNodeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.place = Path(self.mktemp())
        self.place.mkdir()
        self.patch(demonode.signal, "signal", lambda number, what: None)

    def test_two_nodes_share_nothing(self) -> None:
        one, two = (DemoNode(self.place, name, f"# {name}\n") for name in ("g1", "g2"))
        self.assertNotEqual((one.data, one.log_path), (two.data, two.log_path))
        self.assertEqual((self.place / "g2.toml").read_text(encoding="utf-8"), "# g2\n")

    def test_a_node_is_started_as_a_user_would(self) -> None:
        node = DemoNode(self.place, "g1", "")
        self.assertEqual(node.command[0], str(Path(sys.executable).with_name("twistd")))
        self.assertEqual(node.command[1:4], ["--nodaemon", "--pidfile=", "qgnode"])
        self.assertEqual(node.command[-2:], ["--data", str(self.place / "g1")])

    def test_commands_are_shown_so_that_they_can_be_typed(self) -> None:
        node = DemoNode(self.place, "g1", "")
        self.assertTrue(node.shown("ping", "a b").endswith(f"--data {node.data} ping 'a b'"))

    def test_the_address_comes_from_the_status(self) -> None:
        status = {"uuid": "u", "listening": ["tcp:40123:interface=127.0.0.1"]}
        self.assertEqual(demonode.qg_address(status), "qg://u@127.0.0.1:40123")
        self.assertEqual(demonode.qg_address({"uuid": "u", "listening": []}), "")

    def test_a_node_that_is_not_there_answers_nothing(self) -> None:
        self.assertRaises(NoNodeRunning, DemoNode(self.place, "g1", "").ask, "status")

    def test_one_that_cannot_start_is_told_with_its_log_and_the_others_are_ended(self) -> None:
        patient, broken = DemoNode(self.place, "g1", ""), DemoNode(self.place, "g2", "")
        code = {patient.data: "import time; time.sleep(60)", broken.data: "import sys; sys.exit('no reactor today')"}
        self.patch(DemoNode, "command", property(lambda node: [sys.executable, "-c", code[node.data]]))
        self.patch(DemoNode, "_is_ready", lambda node: node is patient)
        with self.assertRaises(DemoFailed) as caught, demonode.running([patient, broken]):
            self.fail("it is not running")  # type: ignore[no-untyped-call]
        self.assertIn("node g2 ended", str(caught.exception))
        self.assertIn("no reactor today", str(caught.exception))
        assert patient._process is not None
        self.assertEqual(patient._process.poll(), -15)
