"""The extender's own life: what must be over before it has stopped."""

from __future__ import annotations

from typing import Any

from quantumgate_socks5.extender import Socks5
from quantumgate_socks5.settings import Settings
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase


class StopTests(SynchronousTestCase):
    def test_it_waits_for_its_ports(self) -> None:
        """Found by reading: who started it again at once found its port taken."""
        extender, closing = Socks5(Settings(listen="")), list[Deferred[Any]]()

        class Port:
            def stopListening(self) -> Deferred[Any]:
                closing.append(Deferred())
                return closing[-1]

        extender._ports = [Port(), Port()]
        stopped = extender.stop()
        closing[0].callback(None)
        self.assertNoResult(stopped)
        closing[1].callback(None)
        self.successResultOf(stopped)
