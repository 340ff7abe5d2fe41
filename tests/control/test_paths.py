"""Where the socket goes when its path is too long."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control import paths
from quantumgate.control.paths import control_path, find_control, write_pointer
from quantumgate.errors import LocalError


class PathTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.data = Path(self.mktemp())
        self.data.mkdir()

    def runtime(self, value: str) -> None:
        self.patch(os, "environ", {**os.environ, "XDG_RUNTIME_DIR": value})

    def test_usual_place(self) -> None:
        self.assertEqual(control_path(Path("/d")), Path("/d/control.sock"))

    def test_configured(self) -> None:
        self.assertEqual(control_path(Path("/d"), "/run/qg/c.sock"), Path("/run/qg/c.sock"))

    def test_107_bytes_stay(self) -> None:
        path = "/" + "x" * (paths.MAX_SOCKET_PATH_BYTES - 1)
        self.assertEqual(control_path(Path("/d"), path), Path(path))

    def test_108_bytes_move(self) -> None:
        self.runtime("/run/user/7")
        moved = control_path(Path("/d"), "/" + "x" * paths.MAX_SOCKET_PATH_BYTES)
        self.assertEqual(moved.parent, Path("/run/user/7"))
        self.assertNotEqual(moved, control_path(Path("/d"), "/" + "y" * paths.MAX_SOCKET_PATH_BYTES))

    def test_bytes_not_characters(self) -> None:
        self.runtime("/run/user/7")
        self.assertEqual(control_path(Path("/" + "ä" * 60)).parent, Path("/run/user/7"))

    def test_nowhere_to_move(self) -> None:
        for value in ("", "relative", "/" + "r" * 100):
            self.runtime(value)
            error = self.assertRaises(LocalError, control_path, Path("/" + "x" * 120))
            self.assertIn("XDG_RUNTIME_DIR", error.advice)

    def test_word_is_left_and_taken_back(self) -> None:
        write_pointer(self.data, Path("/run/elsewhere.sock"))
        self.assertEqual(find_control(self.data), Path("/run/elsewhere.sock"))
        self.assertEqual((self.data / paths.POINTER_NAME).stat().st_mode & 0o777, 0o600)
        write_pointer(self.data, self.data / paths.SOCKET_NAME)
        self.assertEqual(find_control(self.data), self.data / "control.sock")

    def test_no_data_directory(self) -> None:
        self.assertEqual(find_control(Path("/nonexistent")), Path("/nonexistent/control.sock"))

    def test_a_data_directory_of_somebody_else(self) -> None:
        """Root may read everything, so that the refusal is played."""
        error = self.assertRaises(LocalError, find_control, Foreign(self.data))
        self.assertEqual(str(error), f"{self.data}: permission denied")
        self.assertIn("as the user that runs the node", error.advice)


class Foreign(type(Path())):  # type: ignore[misc]
    """A path that we may not read."""

    def open(self, *arguments: object, **more: object) -> object:
        raise PermissionError(13, "Permission denied")
