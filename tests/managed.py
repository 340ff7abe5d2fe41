"""Processes under a service manager that is the test: where they live, and what they tell it."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PATIENCE_SECONDS = 60


class ManagedCase(SynchronousTestCase):
    """``place`` is a directory of its own; processes with NOTIFY_SOCKET = ``notify_name`` are heard by ``told``."""

    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="qg-"))  # short: the path of a unix socket holds 107 bytes
        self.addCleanup(shutil.rmtree, self.place)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.settimeout(PATIENCE_SECONDS)
        self.notify_name = f"@qg-test-{os.getpid()}-{id(self):x}"
        self.manager.bind("\0" + self.notify_name[1:])

    def told(self) -> str:
        """The next words to the service manager."""
        return self.manager.recv(4096).decode()
