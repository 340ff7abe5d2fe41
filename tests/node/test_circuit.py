"""Of a circuit that ended: whose doing it was, and how it is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import Closed
from quantumgate.core.relay.path import Gateway
from quantumgate.ids import PeerUUID
from quantumgate.node.circuit import Circuit, bind, first_lost, nearest_culprit

PATH = tuple(Gateway(PeerUUID(UUID(int=number)), ((f"{number}.1.0.1", 9999),)) for number in (1, 2, 3))


def layers(standing: str) -> Any:
    """A session for each letter: ``s`` stands, ``o`` is over, ``d`` is over and was damaged."""
    return tuple(SimpleNamespace(stands=one == "s", damaged=one == "d") for one in standing)


class BlameTests(SynchronousTestCase):
    def test_the_nearest_that_is_over(self) -> None:
        for standing, position in (("ssss", None), ("sssd", 3), ("sooo", 1), ("oooo", 0), ("ssdo", 2), ("", None)):
            self.assertEqual(first_lost(layers(standing)), position, standing)

    def test_of_a_damaged_one_who_carried_it(self) -> None:
        for standing, position in (("ssss", None), ("ssso", None), ("sssd", 2), ("ssdo", 1), ("sdoo", 0), ("dooo", 0),
                                   ("ssoo", 2), ("soood"[:4], 1), ("oooo", 0)):
            found = nearest_culprit(PATH, layers(standing))
            self.assertEqual(found, None if position is None else PATH[position], standing)

    def test_how_it_is_told(self) -> None:
        lost = Closed("lost", by="transport")
        for standing, reason, place in (("sooo", "relay-lost", "relay 2 of 3 was lost"),
                                        ("sssd", "damaged", "relay 3 of 3 altered what it carries")):
            told = Circuit(cast(Any, None), PATH, layers(standing)).explain(lost)
            self.assertEqual((told.reason, told.text.partition(":")[0]), (reason, place))
        for standing, event in (("ssso", lost), ("oooo", Closed("bye", by="remote")), ("oooo", Closed("bye"))):
            self.assertIs(Circuit(cast(Any, None), PATH, layers(standing)).explain(event), event)


class BindTests(SynchronousTestCase):
    def test_the_layers_end_from_within(self) -> None:
        closed: list[int] = []
        ends: list[Deferred[None]] = [Deferred() for _ in range(3)]
        made: Any = [SimpleNamespace(ended=lambda end=end: end, close=lambda code, at=at: closed.append(at))
                     for at, end in enumerate(ends)]
        bind(made)
        ends[2].callback(None)
        self.assertEqual(closed, [1])
        ends[1].callback(None)
        self.assertEqual(closed, [1, 0])
