"""One dial: from a client endpoint to a transport with its pump, within a time, and failures in people's words.

Not for: racing several (``racing.py``), trying again (``backoff.py``), or the handshake's own failures (the roof words
those). Spec: docs/spec/dialling.md.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import error as net_errors
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from quantumgate.errors import ConnectFailed
from quantumgate.net.doorway import Doorway, DoorwayFactory, Meet

_SILENT = (CancelledError, DeferredTimeout, net_errors.TCPTimedOutError, net_errors.TimeoutError)


def dial(
    endpoint: IStreamClientEndpoint,
    meet: Meet,
    *,
    clock: IReactorTime,
    seconds: float,
) -> Deferred[Any]:
    """Connects within ``seconds`` and gives the transport to ``meet``. Fires with the Doorway.

    Fails with what Twisted says of the endpoint; ``unreachable`` words it. Cancelling gives up.
    """
    meets = [meet]  # a client transport, its connector and the factory are a circle of Twisted's: nothing hangs on it
    factory = DoorwayFactory(lambda _: Doorway(meets.pop()) if meets else None)

    def settled(result: Any) -> Any:
        meets.clear()
        return result

    return maybeDeferred(endpoint.connect, factory).addTimeout(seconds, clock).addBoth(settled)


def unreachable(failure: Failure, host: str, silence: str) -> ConnectFailed:
    """What a failed dial tells the user. ``silence`` is the sentence for a host that does not answer at all."""
    error = failure.value
    if isinstance(error, ConnectFailed):
        return error
    if isinstance(error, _SILENT):
        return ConnectFailed("no-answer", silence,
                             advice="check the address, and that the node there runs and is not behind a firewall")
    if isinstance(error, net_errors.ConnectionRefusedError):
        return ConnectFailed("unreachable", f"{host} refused the connection: nothing listens there",
                             advice="check the port, and that the node runs")
    if isinstance(error, net_errors.DNSLookupError):
        return ConnectFailed("unreachable", f"{host} cannot be found: no such name",
                             advice="check the spelling, or give an IP address")
    if isinstance(error, net_errors.NoRouteError | net_errors.ConnectBindError) or _turned_back(error):
        return ConnectFailed("unreachable", f"there is no way to {host} from here",
                             advice="check this machine's network; an address like 10.x or 192.168.x leads somewhere "
                             "only inside the network that it belongs to: from outside a node is reached through its "
                             "anchors")
    why = " ".join(str(getattr(error, "osError", None) or error).split()) or type(error).__name__
    return ConnectFailed("unreachable", f"{host} cannot be reached: {why}")


def _turned_back(error: BaseException | None) -> bool:
    """A router said that it knows no way: epoll reports a mere hang-up, and Twisted wraps that in a ConnectError."""
    return type(error) is net_errors.ConnectError and any(isinstance(each, Failure) for each in error.args)
