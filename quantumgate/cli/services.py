"""The commands that tie TCP programs to services: expose and forward. They run until they are interrupted.

Not for: how a service is offered (``control/attach.py``) or how bytes go through (``net/forwarding.py``). Spec:
docs/guide/exposing-a-service.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.node import HOPS, ONE_RELAY, PEER, VIA, named_relays
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

FORWARD_INTERFACE = "127.0.0.1"


class HostPort(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """``HOST:PORT`` or ``[IPV6]:PORT``."""

    name = "host:port"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        bare = host.strip("[]")
        if not bare or not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            self.fail(f"expected HOST:PORT, found {value!r}", parameter, context)
        return bare, int(port)


class RemoteService(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """``UUID:NAME``, ``PEER:NAME`` by the name of a peer, or ``qg://UUID@host:port:NAME``."""

    name = "uuid:name"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[str, str]:
        from quantumgate.core.petnames import is_name
        from quantumgate.extender.services import checked_name
        from quantumgate.ids import QgAddress

        if isinstance(value, tuple):
            return value
        address, _, name = str(value).rpartition(":")
        try:
            if is_name(address):
                return address.lower(), checked_name(name)
            parsed = QgAddress.parse(address)
            return parsed.to_dial, checked_name(name)
        except LocalError as error:
            self.fail(f"{error} (expected UUID:NAME, found {value!r})", parameter, context)


@click.command(short_help="Offer a TCP service of this machine to peers.")
@click.argument("name")
@click.argument("target", metavar="HOST:PORT", type=HostPort())
@click.option("--to", "peers", metavar="UUID", type=PEER, multiple=True,
              help="Only this peer may use it; may be given several times. Without it every admitted peer may.")
@click.option("--proxy-protocol", is_flag=True,
              help="Begin each connection with a PROXY header, version 2, that holds the peer's UUID.")
@place.options
@place.passed
def expose(where: Place, name: str, target: tuple[str, int], peers: tuple[str, ...], proxy_protocol: bool) -> None:
    """Offer what listens at HOST:PORT as the service NAME, for as long as this command runs.

    \b
    Example:
      qgate expose web 127.0.0.1:8080
      qgate expose web 127.0.0.1:8080 --to 0b51a0f2-3c4d-8100-8888-000000000001
    """
    from twisted.internet import reactor
    from twisted.internet.endpoints import HostnameEndpoint

    from quantumgate.core.petnames import is_name
    from quantumgate.net.endpoints import ServiceServerEndpoint
    from quantumgate.net.forwarding import First, ForwardingFactory, nothing_first
    from quantumgate.net.proxyheader import proxy_header

    host, port = target
    if any(map(is_name, peers)):
        peers = tuple(where.ask("name.find", peers=list(peers)))
    inward: Any = HostnameEndpoint(reactor, host, port)
    first: First = nothing_first
    if proxy_protocol:
        first = lambda address, transport: proxy_header(  # noqa: E731 - one line of glue
            address.uuid, name, transport.getHost(), transport.getPeer())
    factory = ForwardingFactory(inward, lambda error: _complain(f"{host}:{port}: {error}"), first)
    door = _door(where, reactor)
    endpoint = ServiceServerEndpoint(door, name, peers)
    shown = {"service": name, "target": f"{host}:{port}", "to": list(peers)}
    _run(reactor, lambda: endpoint.listen(factory), lambda _: _show(
        where, shown, f"service {name} is offered to {', '.join(peers) or 'every admitted peer'}; "
        f"connections go to {host}:{port}. Ctrl-C ends it."))


@click.command(short_help="Reach a peer's service at a local TCP port.")
@click.argument("port", type=click.IntRange(0, 65535))
@click.argument("service", metavar="UUID:NAME", type=RemoteService())
@click.option("--hops", type=HOPS, default=None,
              help="Over exactly so many relays. Without it over the session that stands, or as configured.")
@VIA
@place.options
@place.passed
def forward(where: Place, port: int, service: tuple[str, str], hops: int | None, via: str | None) -> None:
    """Listen on 127.0.0.1:PORT (0 = any free port); every connection goes to the service NAME of the peer UUID.

    Where your node has not met the peer yet, give its address, qg://UUID@host:port:NAME, or make it known with qgate
    connect, which takes a record, too.

    \b
    Example:
      qgate forward 8000 0b51a0f2-3c4d-8100-8888-000000000001:web
      curl http://127.0.0.1:8000/
    """
    relays = named_relays(hops, via)
    from twisted.internet import reactor
    from twisted.internet.endpoints import TCP4ServerEndpoint

    from quantumgate.net.endpoints import ServiceClientEndpoint
    from quantumgate.net.forwarding import ForwardingFactory

    address, name = service
    door = _door(where, reactor)
    door.probe()
    outward = ServiceClientEndpoint(door, address, name, hops, relays)
    factory = ForwardingFactory(outward, lambda error: _complain(str(error), getattr(error, "advice", "")))
    listener: Any = TCP4ServerEndpoint(  # type: ignore[no-untyped-call]
        reactor, port, interface=FORWARD_INTERFACE)

    def ready(bound: Any) -> None:
        here = f"{FORWARD_INTERFACE}:{bound.getHost().port}"
        _show(where, {"listening": here, "peer": address, "service": name, "hops": hops, "via": relays},
              f"{here} leads to service {name} of {address}. Ctrl-C ends it."
              + (f" Note: {ONE_RELAY}." if hops == 1 or len(relays) == 1 else ""))

    _run(reactor, lambda: listener.listen(factory), ready)


def _door(where: Place, reactor: Any) -> Any:
    from quantumgate.control.attach import AttachedDoor

    return AttachedDoor(reactor, lambda: where.control)


def _show(where: Place, facts: dict[str, Any], line: str) -> None:
    if where.json:
        output.as_json(facts)
    else:
        click.echo(line)


def _complain(line: str, advice: str = "") -> None:
    click.echo(f"qgate: {output.printable(line)}" + (f" (try: {output.printable(advice)})" if advice else ""), err=True)


def _run(reactor: Any, begin: Callable[[], Any], ready: Callable[[Any], None]) -> None:
    """Until Ctrl-C. Raises what ``begin`` fails with."""
    from twisted.internet.defer import maybeDeferred
    from twisted.internet.error import CannotListenError
    from twisted.logger import formatEvent, globalLogBeginner

    observer: Any = _observer(formatEvent)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
    broken: list[Any] = []

    def failed(failure: Any) -> None:
        broken.append(failure.value)
        reactor.callWhenRunning(reactor.stop)

    maybeDeferred(begin).addCallback(ready).addErrback(failed)
    reactor.run()
    if broken and isinstance(broken[0], CannotListenError):
        raise LocalError(f"the port cannot be taken: {broken[0].socketError}")
    if broken:
        raise broken[0]


def _observer(words: Callable[[Any], str | None]) -> Callable[[Any], None]:
    """Our own lines, to stderr."""
    def observe(event: Any) -> None:
        if str(event.get("log_namespace", "")).startswith("quantumgate."):
            _complain(words(event) or "")

    return observe
