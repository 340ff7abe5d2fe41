"""A relay asked for links by nameless clients from everywhere: inside, to itself, to services that are none of ours, to
a node behind it, whose links are then filled and never read; and clients that ask for a thousand at once. Row 21."""

from __future__ import annotations

from collections.abc import Iterator

from quantumgate.ids import PeerUUID
from quantumgate.wire import frames, link_frames
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from tests.acceptance.floods.attacker import Target
from tests.acceptance.floods.intruder import Intruder, Intruders
from tests.acceptance.floods.places import WELL
from tests.acceptance.floods.stage import Flood, flooded
from tests.acceptance.netns import PORT
from tests.acceptance.report import Figure

HELD = 150
ASKED = 1000
"""By every tenth client, at once."""

FLOOD = Flood("relay_abuse", "8 clients a second at a relay, each asking for 6 links: to three addresses inside, to "
                             f"itself, to another service and to a node, whose link is filled with 64 KiB; every tenth "
                             f"for {ASKED} at once; {HELD} clients held, none reads",
              relay=True, bystander=True)
INSIDE = ("127.0.0.1", "10.1.2.3", "169.254.169.254")


def _link(number: int, uuid: PeerUUID, host: str, port: int) -> bytes:
    target = LinkTarget(uuid, (LinkEndpoint(host, port),))
    return frames.frame(link_frames.LINK_CREATE, target.encode(), number)


class RelayAbuse(Intruders):
    """A client each time."""

    per_second = 8.0
    held_most = HELD
    role = 2

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._turn = 0
        if target.bystander is None:
            raise ValueError("no bystander")
        self._bystander = target.bystander

    def offend(self, who: Intruder) -> None:
        self._turn += 1
        if self._turn % 10:
            self._ask(who)
        else:
            who.say(*[_link(2 * one + 1, self.target.uuid, WELL, PORT) for one in range(ASKED)])

    def _ask(self, who: Intruder) -> None:
        uuid, host, port = self._bystander
        places = [(one, 22) for one in INSIDE] + [(self.target.host, self.target.port), (WELL, PORT)]
        wanted = [_link(2 * number + 1, uuid, *place) for number, place in enumerate(places)]
        last = 2 * len(places) + 1
        who.say(*wanted, _link(last, uuid, host, port))
        data = frames.frame(link_frames.LINK_DATA, bytes(DEFAULT_LIMITS.link_window_bytes // 8), last)
        who.say(*[data] * 8)


attack = RelayAbuse


def figures() -> Iterator[Figure]:
    yield from flooded(FLOOD)
