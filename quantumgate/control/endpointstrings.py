"""``qg:`` endpoint strings: ``qg:service=NAME`` to listen, ``qg:peer=UUID:service=NAME`` to connect.

To connect also ``hops=N``, over so many relays, or ``via=UUID,UUID``, over these.
Both take ``control=PATH`` or ``data=DIR`` for the node that is meant; without it that of the user's own data directory.
Twisted finds the parsers through ``twisted/plugins/quantumgate_plugins.py``. Not for: endpoints of a node in this
process (``Node.client_endpoint``). Spec: docs/spec/services.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from quantumgate.control.attach import AttachedDoor
from quantumgate.control.paths import find_control
from quantumgate.errors import LocalError
from quantumgate.extender.services import checked_name, stream_address
from quantumgate.ids import QgAddress, parse_peer_uuid
from quantumgate.net.endpoints import ServiceClientEndpoint, ServiceServerEndpoint
from quantumgate.settings.places import default_data_directory

MOST_HOPS = 8


def parse_server(reactor: Any, service: str = "", to: str = "", control: str = "", data: str = "") -> Any:
    """``qg:service=NAME[:to=UUID,UUID...]``. Raises ValueError, as endpoint strings do."""
    try:
        peers = [parse_peer_uuid(one) for one in to.split(",") if one]
        name = checked_name(service)
    except LocalError as error:
        raise ValueError(str(error)) from None
    door = AttachedDoor(reactor, control_of(control, data))
    return ServiceServerEndpoint(door, name, peers, stream_address(None, name))


def parse_client(
    reactor: Any, peer: str = "", service: str = "", hops: str = "", via: str = "", control: str = "", data: str = ""
) -> Any:
    """``peer`` is a UUID, or a qg address whose colons are escaped; ``via`` are UUIDs of relays. Raises ValueError."""
    try:
        address = QgAddress.parse(peer)
        name = checked_name(service)
        relays = [str(parse_peer_uuid(one)) for one in via.split(",") if one]
    except LocalError as error:
        raise ValueError(str(error)) from None
    if hops and not (hops.isascii() and hops.isdigit() and int(hops) <= MOST_HOPS):
        raise ValueError(f"hops is a number from 0 to {MOST_HOPS}, found {hops!r}")
    if len(relays) > MOST_HOPS or (relays and hops and int(hops) != len(relays)):
        raise ValueError(f"via names up to {MOST_HOPS} relays, and hops with it would have to be their number")
    door = AttachedDoor(reactor, control_of(control, data))
    return ServiceClientEndpoint(door, address.to_dial, name, int(hops) if hops else None, relays)


def control_of(control: str, data: str) -> Callable[[], Path]:
    """Where the node's control socket is at that moment: it may move when the node starts anew."""
    if control:
        return lambda: Path(control).expanduser()
    directory = Path(data).expanduser() if data else default_data_directory()
    return lambda: find_control(directory)
