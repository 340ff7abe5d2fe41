"""Which node is meant."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli.place import Place
from quantumgate.control.paths import write_pointer


class PlaceTests(SynchronousTestCase):
    def test_by_data_directory(self) -> None:
        self.assertEqual(Place(data_option="/d").control, Path("/d/control.sock"))

    def test_by_the_word_that_the_node_left(self) -> None:
        data = Path(self.mktemp())
        data.mkdir()
        write_pointer(data, Path("/run/x.sock"))
        self.assertEqual(Place(data_option=str(data)).control, Path("/run/x.sock"))

    def test_control_wins(self) -> None:
        self.assertEqual(Place(data_option="/d", control_option="/c").control, Path("/c"))

    def test_default(self) -> None:
        self.patch(__import__("os"), "environ", {"XDG_DATA_HOME": "/x"})
        self.assertEqual(Place().data, Path("/x/quantumgate"))
