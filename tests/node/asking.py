"""A client that asks its first gateway for links by hand: what it asks for, what it hears and when, who is dialled."""

from __future__ import annotations

from typing import Any

from quantumgate.core.relay.links import RELAY_CLIENT
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.core.relay.tower import Outlet
from tests.node.circuits import GATES, CircuitCase

SECRET = b"what the client says to whom it believes to reach"


class AskingCase(CircuitCase):
    """``gate`` has a client, ``relays`` are its thoughts of it, ``dialled`` is where it opened a socket."""

    def setUp(self) -> None:
        super().setUp()
        self.gate = self.gates[0]
        self.connect(via=self.gate.uuid)
        assert self.gate._parts is not None
        self.relays = self.gate._parts.relays
        self.dialled: list[tuple[str, int]] = []
        dial = self.network.dial

        def watched(here: str, there: Any, factory: Any) -> Any:
            if here == GATES[0]:
                self.dialled.append((there.host, there.port))
            return dial(here, there, factory)

        self.network.dial = watched  # type: ignore[method-assign]

    @property
    def entry(self) -> Any:
        """The client's session with the gate."""
        contacts = self.client._parts.desk.contacts  # type: ignore[union-attr]
        return next(one for one in contacts if one.session is not None and one.session.role == RELAY_CLIENT)

    def ask(self, *endpoints: tuple[str, int], uuid: Any = None) -> tuple[Outlet, list[float]]:
        """See ``ask_for``."""
        return self.ask_for(LinkTarget(uuid or self.gates[4].uuid, tuple(LinkEndpoint(*one) for one in endpoints)))

    def ask_for(self, target: LinkTarget) -> tuple[Outlet, list[float]]:
        """An outlet that would say the secret as soon as it may, and when it was answered."""
        entry = self.entry
        outlet = Outlet(entry.session.all_links.ask(target), SECRET * 100)
        answered, began = outlet.link.on_answer, self.clock.seconds()
        times: list[float] = []

        def noted(code: int, terms: Any) -> None:
            answered(code, terms)
            times.append(self.clock.seconds() - began)

        outlet.link.on_answer = noted
        entry.protocol.wake()
        return outlet, times
