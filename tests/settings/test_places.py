"""The XDG directories."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.settings.places import default_config_file, default_data_directory


class PlaceTests(SynchronousTestCase):
    def test_by_variable(self) -> None:
        self.patch(__import__("os"), "environ", {"XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d"})
        self.assertEqual(default_config_file(), Path("/c/quantumgate/quantumgate.toml"))
        self.assertEqual(default_data_directory(), Path("/d/quantumgate"))

    def test_relative_ones_are_ignored(self) -> None:
        self.patch(__import__("os"), "environ", {"XDG_CONFIG_HOME": "c", "HOME": "/home/u"})
        self.assertEqual(default_config_file(), Path("/home/u/.config/quantumgate/quantumgate.toml"))
        self.assertEqual(default_data_directory(), Path("/home/u/.local/share/quantumgate"))
