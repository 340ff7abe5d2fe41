"""The types by which this floor sees the core fit the core."""

from __future__ import annotations

import inspect
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.channel import Channel
from quantumgate.core.session import Session
from quantumgate.extender.doors import ChannelDoor, SessionDoor
from quantumgate.testing.nodes import pair
from tests.extender.fakes import FakeChannel, FakeSession
from tests.extender.guests import Notes, making


def takes(function: Any) -> list[tuple[str, Any, Any]]:
    """The parameters of a method: name, kind, default."""
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()][1:]


class DoorTests(SynchronousTestCase):
    """The real ones and the fakes."""

    def methods(self, door: type) -> list[str]:
        return [name for name, value in vars(door).items() if inspect.isfunction(value) and not name.startswith("_")]

    def test_methods(self) -> None:
        """Every method is there, and takes the same arguments by the same names."""
        for door, real in ((ChannelDoor, Channel), (SessionDoor, Session)):
            for name in self.methods(door):
                wanted, found = takes(getattr(door, name)), takes(getattr(real, name))
                self.assertEqual([w[1:] for w in wanted], [f[1:] for f in found], f"{real.__name__}.{name}")

    def test_fakes_take_the_same(self) -> None:
        for real, fake, door in ((Channel, FakeChannel, ChannelDoor), (Session, FakeSession, SessionDoor)):
            for name in self.methods(door):
                wanted = [f[1:] for f in takes(getattr(real, name))]
                self.assertEqual([f[1:] for f in takes(getattr(fake, name))], wanted, f"{fake.__name__}.{name}")

    def test_attributes(self) -> None:
        """A live session and channel have every attribute, and the hooks can be set."""
        nodes = pair(making(Notes))
        self.addCleanup(nodes.stop)
        nodes.left.host("notes").offer(nodes.left.peer(), b"x")
        nodes.settle()
        session = nodes.left.contact().session
        (channel,) = session.channels.values()
        hooks = list(ChannelDoor.__annotations__)
        self.assertEqual(len(hooks), 6)
        for name in [*hooks, "extender", "stream", "label", "closed", "queued_bytes"]:
            self.assertTrue(hasattr(channel, name), name)
        for name in hooks:
            setattr(channel, name, getattr(channel, name))
        self.assertTrue(hasattr(session, "peer_extenders"))
