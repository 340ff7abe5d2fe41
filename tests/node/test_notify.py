"""sd_notify: a socket that takes it, an abstract one, none, and a dead one."""

from __future__ import annotations

import os
import socket
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.notify import READY, notify


class NotifyTests(SynchronousTestCase):
    def listening(self, address: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.bind(address)
        self.addCleanup(made.close)
        return made

    def test_a_path_and_an_abstract_name(self) -> None:
        path = os.path.join(tempfile.mkdtemp(prefix="qg-"), "n")
        for shown, address in ((path, path), (f"@qg-{os.getpid()}", f"\0qg-{os.getpid()}")):
            receiver = self.listening(address)
            self.patch(os, "environ", {"NOTIFY_SOCKET": shown})
            self.assertTrue(notify(READY, "STATUS=x"))
            self.assertEqual(receiver.recv(100), b"READY=1\nSTATUS=x")

    def test_none_and_a_dead_one_are_nobodys_trouble(self) -> None:
        for value in ("", "relative", "/nonexistent/socket"):
            self.patch(os, "environ", {"NOTIFY_SOCKET": value})
            self.assertFalse(notify(READY))
