"""Listeners that take their time to bind: ready when they are, failed when they fail, gone when stopped meanwhile."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError

from quantumgate.errors import LocalError
from quantumgate.net.listener import ListenFailed
from quantumgate.node.node import Node
from tests.node.world import NodeCase


class Late:
    """An endpoint that binds when the test says so."""

    def __init__(self) -> None:
        self.bound: Deferred[Any] = Deferred()
        self.stopped = 0

    def listen(self, factory: Any) -> Deferred[Any]:
        return self.bound

    def stopListening(self) -> None:
        self.stopped += 1

    def getHost(self) -> Any:
        return None


class LateTests(NodeCase):
    def late(self) -> tuple[Node, Late]:
        node, endpoint = self.node(start=False), Late()
        object.__setattr__(node._plan, "endpoints", (endpoint,))
        node.startService()
        return node, endpoint

    def test_ready_when_bound(self) -> None:
        node, endpoint = self.late()
        ready = node.when_ready()
        self.assertNoResult(ready)
        self.assertEqual((node.status().phase, node.status().reason), ("starting", "binding its listeners"))
        self.failed(node.connect("tcp:127.0.0.1:1"), LocalError)
        endpoint.bound.callback(endpoint)
        self.assertIsNone(self.successResultOf(ready))
        self.assertEqual(node.status().phase, "waiting")

    def test_failed_when_it_fails_and_the_directory_is_free(self) -> None:
        node, endpoint = self.late()
        ready = node.when_ready()
        endpoint.bound.errback(CannotListenError("", 1, OSError(98, "Address already in use")))
        self.failureResultOf(ready, ListenFailed)
        status = node.status()
        self.assertEqual((status.phase, status.reason), ("failed", "cannot listen on tcp:9999: address already in use"))
        self.assertEqual(status.advice, "free the port, or change node.listen")
        self.failureResultOf(node.when_ready(), ListenFailed)
        self.node(data=node.data_directory)

    def test_stopped_meanwhile_it_does_not_come_to_life(self) -> None:
        node, endpoint = self.late()
        ready, stopped = node.when_ready(), node.stopService()
        self.failureResultOf(ready, LocalError)
        self.done(stopped, 1)
        endpoint.bound.callback(endpoint)
        self.assertEqual((node.status().phase, endpoint.stopped, node.listening), ("stopped", 1, []))
        self.assertFalse([line for line in self.lines() if "is ready" in line])
        self.node(data=node.data_directory)
