"""Events are values: they compare, they do not change, and an end is not clean unless somebody says so."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import events
from quantumgate.core.events import Closed, Pong, Rekeyed
from quantumgate.node.contact import Contact
from tests.core.sessions import Pair


class EventTests(SynchronousTestCase):
    def test_values(self) -> None:
        self.assertEqual(Rekeyed(1), Rekeyed(1))
        self.assertNotEqual(Pong(1.0), Pong(2.0))
        with self.assertRaises(FrozenInstanceError):
            Rekeyed(1).epoch = 2  # type: ignore[misc]

    def test_an_end_is_lost_unless_said_otherwise(self) -> None:
        end = Closed("lost")
        self.assertEqual((end.clean, end.code, end.by, end.text, end.advice), (False, None, "local", "", ""))

    def test_the_node_knows_them_all(self) -> None:
        """Whoever adds an event adds what the node does about it."""
        self.assertEqual(set(get_args(events.Event)), set(Contact._ways))

    def test_first_and_last_of_a_session(self) -> None:
        pair = Pair()
        pair.alice.connection.close(now=pair.now)
        pair.pump().pump()
        for owner in pair.sides:
            self.assertEqual([type(event) for event in owner.events], [events.Ready, Closed])
