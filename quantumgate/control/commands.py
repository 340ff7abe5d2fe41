"""What each request of the control socket does with the node. Arguments are checked before anything happens.

Not for: bytes and connections (``server.py``). Spec: docs/guide/operating.md (the control socket).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct
from twisted.internet import task
from twisted.internet.interfaces import IReactorTime

from quantumgate.control.api import ControlledNode, PingSummary
from quantumgate.control.messages import ErrorBody, RequestError
from quantumgate.errors import ConnectFailed, LimitError, LocalError, QuantumGateError, SessionClosed
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.wire.limits import PEER_RECORD_ENDPOINTS
from quantumgate.wire.record_text import TEXT_LETTERS_MAX

Emit = Callable[[Any], None]
"""Sends one item of an answer in several parts."""


class NoArguments(Struct, forbid_unknown_fields=True, frozen=True):
    pass


class ConnectArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """An address or records: four of the largest are longer than any address."""

    address: Annotated[str, Meta(min_length=1, max_length=TEXT_LETTERS_MAX)]
    hops: Annotated[int, Meta(ge=0, le=8)] | None = None
    via: Annotated[list[str], Meta(max_length=8)] = []


class RecordArguments(Struct, forbid_unknown_fields=True, frozen=True):
    endpoints: Annotated[list[str], Meta(max_length=PEER_RECORD_ENDPOINTS)] = []


class PeerArgument(Struct, forbid_unknown_fields=True, frozen=True):
    uuid: str

    def parsed(self) -> PeerUUID:
        return parse_peer_uuid(self.uuid)


class PingArguments(Struct, forbid_unknown_fields=True, frozen=True):
    target: Annotated[str, Meta(min_length=1, max_length=4096)]
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 4
    interval_seconds: Annotated[float, Meta(ge=0, le=3600)] = 1.0


class Errand(NamedTuple):
    """What a command gets: the node, its clock, and a way to send parts of the answer early."""

    node: ControlledNode
    clock: IReactorTime
    emit: Emit


async def status(errand: Errand, _: NoArguments) -> Any:
    return errand.node.status()


async def peers(errand: Errand, _: NoArguments) -> Any:
    return errand.node.peers_snapshot()


async def extenders(errand: Errand, _: NoArguments) -> Any:
    return errand.node.extenders_snapshot()


async def relays(errand: Errand, _: NoArguments) -> Any:
    return errand.node.relays_snapshot()


async def record(errand: Errand, arguments: RecordArguments) -> Any:
    return errand.node.own_record(arguments.endpoints)


async def connect(errand: Errand, arguments: ConnectArguments) -> Any:
    """The peer's report; the newest of its sessions where it has several. It is kept until ``disconnect``."""
    peer = await errand.node.connect(arguments.address, arguments.hops, arguments.via, keep=True)
    name = None if peer.uuid is None else str(peer.uuid)
    reports = [report for report in errand.node.peers_snapshot() if report.uuid == name]
    if not reports:
        raise ConnectFailed("lost", "the session ended right after it was made")
    return min(reports, key=lambda report: report.connected_seconds)


async def disconnect(errand: Errand, arguments: PeerArgument) -> Any:
    await errand.node.disconnect(arguments.parsed())
    return {"uuid": arguments.uuid}


async def ping(errand: Errand, arguments: PingArguments) -> Any:
    """One item a round trip, answered or not; then the sums. A target that is no address fails as a whole."""
    times: list[float] = []
    relayed = False
    for sequence in range(1, arguments.count + 1):
        try:
            report = await errand.node.ping(arguments.target)
        except ConnectFailed as error:
            if error.reason == "bad-address":
                raise
            errand.emit({"sequence": sequence, "error": error_body(error)})
        else:
            times.append(report.rtt_seconds)
            relayed = report.relayed
            errand.emit({"sequence": sequence, **msgspec.to_builtins(report)})
        if sequence < arguments.count:
            await task.deferLater(errand.clock, arguments.interval_seconds)
    return PingSummary.of(arguments.target, arguments.count, times, relayed)


async def access_list(errand: Errand, _: NoArguments) -> Any:
    return errand.node.access.list()


async def access_allow(errand: Errand, arguments: PeerArgument) -> Any:
    await errand.node.access.allow(arguments.parsed())
    return errand.node.access.list()


async def access_deny(errand: Errand, arguments: PeerArgument) -> Any:
    await errand.node.access.deny(arguments.parsed())
    return errand.node.access.list()


async def access_remove(errand: Errand, arguments: PeerArgument) -> Any:
    await errand.node.access.remove(arguments.parsed())
    return errand.node.access.list()


async def streams(errand: Errand, _: NoArguments) -> Any:
    """Where the second socket is, for programs that serve and use services."""
    path = errand.node.streams_socket
    if not path:
        raise LocalError("this node has no socket for streams", advice="run it as `twistd -n qgnode`")
    return {"path": path}


COMMANDS: dict[str, tuple[type[Struct], Callable[[Errand, Any], Coroutine[Any, Any, Any]]]] = {
    "status": (NoArguments, status),
    "peers": (NoArguments, peers),
    "extenders": (NoArguments, extenders),
    "relays": (NoArguments, relays),
    "record": (RecordArguments, record),
    "connect": (ConnectArguments, connect),
    "disconnect": (PeerArgument, disconnect),
    "ping": (PingArguments, ping),
    "streams": (NoArguments, streams),
    "access.list": (NoArguments, access_list),
    "access.allow": (PeerArgument, access_allow),
    "access.deny": (PeerArgument, access_deny),
    "access.remove": (PeerArgument, access_remove),
}


def run(errand: Errand, command: str, arguments: dict[str, Any]) -> Awaitable[Any]:
    """Starts a command. Raises RequestError for one that is not known or has wrong arguments."""
    if command not in COMMANDS:
        raise RequestError("unknown-command", f"this node does not know the command {command[:64]!r}")
    kind, do = COMMANDS[command]
    try:
        checked = msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise RequestError("wrong-arguments", f"{command}: {error}") from None
    return do(errand, checked)


_WORDS: tuple[tuple[type[QuantumGateError], str], ...] = (
    (LimitError, "limit"), (SessionClosed, "closed"), (LocalError, "refused"),
)


def error_body(error: BaseException | None) -> ErrorBody:
    """An error as the operator sees it. What is not ours is a bug: named, without its inside."""
    if isinstance(error, ConnectFailed | RequestError):
        return ErrorBody(reason=error.reason, message=str(error), advice=error.advice)
    if isinstance(error, QuantumGateError):
        word = next((word for kind, word in _WORDS if isinstance(error, kind)), "failed")
        return ErrorBody(reason=word, message=str(error), advice=error.advice)
    return ErrorBody(reason="bug", message=f"the node met an unexpected {type(error).__name__}",
                     advice="its log has the details; please report it")
