"""What a stream says when it is asked as a TCP transport."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.tcplike import TcpLike


class TcpLikeTests(SynchronousTestCase):
    def test_switches_stay_as_they_are(self) -> None:
        one = TcpLike()
        for switch in (one.setTcpNoDelay, one.setTcpKeepAlive):
            switch(False)
        self.assertEqual((one.getTcpNoDelay(), one.getTcpKeepAlive()), (True, True))

    def test_addresses(self) -> None:
        one = TcpLike()
        self.assertEqual((one.getHost(), one.getPeer()), (None, None))
        one._addresses = "here", "there"
        self.assertEqual((one.getHost(), one.getPeer()), ("here", "there"))
