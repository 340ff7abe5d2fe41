"""What each request of the control socket does with the node. Arguments are checked before anything happens.

Not for: bytes and connections (``server.py``). Spec: docs/guide/operating.md (the control socket).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta, Struct, structs
from twisted.internet import task
from twisted.internet.interfaces import IReactorTime

from quantumgate.control.api import AccessReport, ControlledNode, JoinReport, PeerReport, PingSummary
from quantumgate.control.messages import ErrorBody, RequestError
from quantumgate.core.petnames import is_name
from quantumgate.core.successions import TEXT_LETTERS_MAX as SUCCESSION_LETTERS_MAX
from quantumgate.errors import ConnectFailed, LimitError, LocalError, QuantumGateError, SessionClosed
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.wire.invitation_text import TEXT_LETTERS_MAX as INVITATION_LETTERS_MAX
from quantumgate.wire.limits import INVITATION_USES, PEER_RECORD_ENDPOINTS
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


class SuccessionArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """``take`` False only looks."""

    text: Annotated[str, Meta(min_length=1, max_length=SUCCESSION_LETTERS_MAX)]
    take: bool = False


class PeerArgument(Struct, forbid_unknown_fields=True, frozen=True):
    """A UUID, or the name of a peer; so it is for ``uuid`` and ``subject`` everywhere here."""

    uuid: str


ONLY_MAX = 64
_ONLY = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=ONLY_MAX)]
_SUBJECT = Annotated[str, Meta(min_length=1, max_length=64)]
_NAME = Annotated[str, Meta(max_length=64)]
_COUNT = Annotated[int, Meta(ge=0, le=1_000_000)]


class RuleArguments(Struct, forbid_unknown_fields=True, frozen=True):
    uuid: str
    only: _ONLY = []


class BanArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """``until`` in unix seconds, or ``seconds`` from now on; neither = until it is taken back."""

    subject: _SUBJECT
    until: Annotated[float, Meta(ge=0, le=1e11)] | None = None
    seconds: Annotated[float, Meta(gt=0, le=1e10)] | None = None
    only: _ONLY = []


class SubjectArgument(Struct, forbid_unknown_fields=True, frozen=True):
    subject: _SUBJECT


class DefaultArgument(Struct, forbid_unknown_fields=True, frozen=True):
    word: Annotated[str, Meta(pattern="^(|allow|deny)$")]


class FilterArguments(Struct, forbid_unknown_fields=True, frozen=True):
    network: _SUBJECT
    kind: Annotated[str, Meta(pattern="^(allow|block)$")]


class LimitArguments(Struct, forbid_unknown_fields=True, frozen=True):
    prefix: _SUBJECT
    connections: _COUNT = 0
    attempts: _COUNT = 0
    links: _COUNT = 0


class PrefixArgument(Struct, forbid_unknown_fields=True, frozen=True):
    prefix: _SUBJECT


class ScoreArguments(Struct, forbid_unknown_fields=True, frozen=True):
    subject: _SUBJECT
    score: Annotated[float, Meta(ge=-1e6, le=1e6)]


class ResetArguments(Struct, forbid_unknown_fields=True, frozen=True):
    subject: Annotated[str, Meta(max_length=64)] = ""


class ExplainArguments(Struct, forbid_unknown_fields=True, frozen=True):
    subject: _SUBJECT
    about: Annotated[str, Meta(max_length=64)] = ""


class BookArguments(Struct, forbid_unknown_fields=True, frozen=True):
    peer: Annotated[str, Meta(max_length=64)] = ""


class FindArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """One of the two."""

    peer: Annotated[str, Meta(max_length=64)] = ""
    extender: Annotated[str, Meta(max_length=64)] = ""


class PingArguments(Struct, forbid_unknown_fields=True, frozen=True):
    target: Annotated[str, Meta(min_length=1, max_length=4096)]
    count: Annotated[int, Meta(ge=1, le=1_000_000)] = 4
    interval_seconds: Annotated[float, Meta(ge=0, le=3600)] = 1.0


class InviteArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """``name``: what who comes by it is called here; ``proposed``: what this node would like to be called."""

    endpoints: Annotated[list[str], Meta(max_length=PEER_RECORD_ENDPOINTS)] = []
    uses: Annotated[int, Meta(ge=1, le=INVITATION_USES)] = 1
    seconds: Annotated[float, Meta(gt=0, le=1e10)] = 86_400
    only: _ONLY = []
    name: _NAME = ""
    proposed: _NAME = ""


class RevokeArguments(Struct, forbid_unknown_fields=True, frozen=True):
    id: _SUBJECT


class JoinArguments(Struct, forbid_unknown_fields=True, frozen=True):
    """``take_name``: the inviter is called what it proposes."""

    invitation: Annotated[str, Meta(min_length=1, max_length=INVITATION_LETTERS_MAX)]
    name: _NAME = ""
    take_name: bool = False
    hops: Annotated[int, Meta(ge=0, le=8)] | None = None
    via: Annotated[list[str], Meta(max_length=8)] = []


class NameArguments(Struct, forbid_unknown_fields=True, frozen=True):
    peer: _SUBJECT
    name: _NAME


class NamesArguments(Struct, forbid_unknown_fields=True, frozen=True):
    peers: Annotated[list[_SUBJECT], Meta(max_length=256)]


class Errand(NamedTuple):
    """What a command gets: the node, its clock, and a way to send parts of the answer early."""

    node: ControlledNode
    clock: IReactorTime
    emit: Emit

    def peer(self, text: str) -> PeerUUID:
        """Who is meant by a UUID or a name. Raises LocalError."""
        return self.node.pairing.names.peer(text)

    def subject(self, text: str) -> str:
        """The same where an address or a network may be meant, too."""
        return str(self.peer(text)) if is_name(text) else text

    def name_of(self, text: str) -> str:
        """What the peer of this UUID is called; "" for all else."""
        return self.node.pairing.names.of(parse_peer_uuid(text)) if text.count("-") == 4 else ""

    def rules(self) -> AccessReport:
        """All rules, with the names of the peers that they are about."""
        report = self.node.access.list()
        named = [structs.replace(rule, name=self.name_of(rule.peer)) for rule in report.rules]
        return structs.replace(report, rules=named)


async def status(errand: Errand, _: NoArguments) -> Any:
    return errand.node.status()


async def peers(errand: Errand, _: NoArguments) -> Any:
    return errand.node.peers_snapshot()


async def extenders(errand: Errand, _: NoArguments) -> Any:
    return errand.node.extenders_snapshot()


async def book(errand: Errand, arguments: BookArguments) -> Any:
    """The address book, or what it holds of one peer."""
    return errand.node.book_snapshot(errand.peer(arguments.peer) if arguments.peer else None)


async def find(errand: Errand, arguments: FindArguments) -> Any:
    """Asks relays where a peer is, or peers that run an extender."""
    if arguments.extender and not arguments.peer:
        return await errand.node.find_providers(_extender_uuid(errand, arguments.extender))
    return await errand.node.find(parse_peer_uuid(arguments.peer))


def _extender_uuid(errand: Errand, text: str) -> UUID:
    """Of an extender that is installed here, by its name, or of any by its UUID. Raises LocalError."""
    for row in errand.node.extenders_snapshot():
        if row.name == text and row.uuid:
            return UUID(row.uuid)
    try:
        return UUID(text)
    except ValueError:
        raise LocalError(f"neither the UUID of an extender nor the name of one that runs here: {text!r}") from None


async def relays(errand: Errand, _: NoArguments) -> Any:
    return errand.node.relays_snapshot()


async def lan(errand: Errand, _: NoArguments) -> Any:
    return errand.node.lan_snapshot()


async def record(errand: Errand, arguments: RecordArguments) -> Any:
    return errand.node.own_record(arguments.endpoints)


async def succession(errand: Errand, arguments: SuccessionArguments) -> Any:
    heirs = errand.node.pairing.heirs
    return await heirs.take(arguments.text) if arguments.take else heirs.look(arguments.text)


async def renew_key(errand: Errand, _: NoArguments) -> Any:
    """Another online key lies in the data directory."""
    return await errand.node.pairing.renewal.look()


async def connect(errand: Errand, arguments: ConnectArguments) -> Any:
    """The peer's report; the newest of its sessions where it has several. It is kept until ``disconnect``."""
    peer = await errand.node.connect(arguments.address, arguments.hops, arguments.via, keep=True)
    return _newest(errand, None if peer.uuid is None else str(peer.uuid))


def _newest(errand: Errand, uuid: str | None) -> PeerReport:
    reports = [report for report in errand.node.peers_snapshot() if report.uuid == uuid]
    if not reports:
        raise ConnectFailed("lost", "the session ended right after it was made")
    return min(reports, key=lambda report: report.connected_seconds)


async def disconnect(errand: Errand, arguments: PeerArgument) -> Any:
    uuid = errand.peer(arguments.uuid)
    await errand.node.disconnect(uuid)
    return {"uuid": str(uuid)}


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
            named = structs.replace(report, name=errand.name_of(report.uuid))
            errand.emit({"sequence": sequence, **msgspec.to_builtins(named)})
        if sequence < arguments.count:
            await task.deferLater(errand.clock, arguments.interval_seconds)
    return PingSummary.of(arguments.target, arguments.count, times, relayed)


async def access_list(errand: Errand, _: NoArguments) -> Any:
    return errand.rules()


async def access_allow(errand: Errand, arguments: RuleArguments) -> Any:
    await errand.node.access.allow(errand.peer(arguments.uuid), arguments.only)
    return errand.rules()


async def access_deny(errand: Errand, arguments: RuleArguments) -> Any:
    await errand.node.access.deny(errand.peer(arguments.uuid), arguments.only)
    return errand.rules()


async def access_remove(errand: Errand, arguments: RuleArguments) -> Any:
    await errand.node.access.remove(errand.peer(arguments.uuid), arguments.only)
    return errand.rules()


async def access_ban(errand: Errand, arguments: BanArguments) -> Any:
    """The node's own clock counts, not the one of whoever asks."""
    until = arguments.until
    if arguments.seconds is not None:
        until = errand.node.wall_seconds() + arguments.seconds
    await errand.node.access.ban(errand.subject(arguments.subject), until, arguments.only)
    return errand.rules()


async def access_unban(errand: Errand, arguments: SubjectArgument) -> Any:
    await errand.node.access.unban(errand.subject(arguments.subject))
    return errand.rules()


async def access_default(errand: Errand, arguments: DefaultArgument) -> Any:
    await errand.node.access.set_default(arguments.word)
    return errand.rules()


async def filter_add(errand: Errand, arguments: FilterArguments) -> Any:
    await errand.node.access.add_filter(arguments.network, block=arguments.kind == "block")
    return errand.rules()


async def filter_remove(errand: Errand, arguments: FilterArguments) -> Any:
    await errand.node.access.remove_filter(arguments.network, block=arguments.kind == "block")
    return errand.rules()


async def limit_set(errand: Errand, arguments: LimitArguments) -> Any:
    numbers = (arguments.connections, arguments.attempts, arguments.links)
    await errand.node.access.set_limit(arguments.prefix, *numbers)
    return errand.rules()


async def limit_remove(errand: Errand, arguments: PrefixArgument) -> Any:
    await errand.node.access.remove_limit(arguments.prefix)
    return errand.rules()


async def access_explain(errand: Errand, arguments: ExplainArguments) -> Any:
    found = errand.node.access.explained(errand.subject(arguments.subject), arguments.about)
    return structs.replace(found, name=errand.name_of(found.subject))


async def reputation_list(errand: Errand, _: NoArguments) -> Any:
    return errand.node.reputation.list()


async def reputation_set(errand: Errand, arguments: ScoreArguments) -> Any:
    errand.node.reputation.set(errand.subject(arguments.subject), arguments.score)
    return errand.node.reputation.list()


async def reputation_reset(errand: Errand, arguments: ResetArguments) -> Any:
    errand.node.reputation.reset(errand.subject(arguments.subject))
    return errand.node.reputation.list()


async def invite(errand: Errand, arguments: InviteArguments) -> Any:
    return await errand.node.pairing.invite(
        arguments.endpoints, uses=arguments.uses, seconds=arguments.seconds, only=arguments.only,
        name=arguments.name, proposed=arguments.proposed,
    )


async def invite_list(errand: Errand, _: NoArguments) -> Any:
    return errand.node.pairing.invitations()


async def invite_revoke(errand: Errand, arguments: RevokeArguments) -> Any:
    return await errand.node.pairing.revoke(arguments.id)


async def join(errand: Errand, arguments: JoinArguments) -> Any:
    joined = await errand.node.pairing.join(
        arguments.invitation, arguments.hops, arguments.via, name=arguments.name, take_name=arguments.take_name)
    peer = _newest(errand, str(joined.uuid))
    return JoinReport(uuid=str(joined.uuid), name=joined.name, proposed_name=joined.proposed, peer=peer)


async def name_list(errand: Errand, _: NoArguments) -> Any:
    return errand.node.pairing.names.report()


async def name_put(errand: Errand, arguments: NameArguments) -> Any:
    await errand.node.pairing.names.put(errand.peer(arguments.peer), arguments.name)
    return errand.node.pairing.names.report()


async def name_forget(errand: Errand, arguments: SubjectArgument) -> Any:
    await errand.node.pairing.names.forget(arguments.subject)
    return errand.node.pairing.names.report()


async def name_find(errand: Errand, arguments: NamesArguments) -> Any:
    """UUIDs of peers, for programs that keep them."""
    return [str(errand.peer(one)) for one in arguments.peers]


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
    "book": (BookArguments, book),
    "find": (FindArguments, find),
    "lan": (NoArguments, lan),
    "record": (RecordArguments, record),
    "succession": (SuccessionArguments, succession),
    "key.renew": (NoArguments, renew_key),
    "connect": (ConnectArguments, connect),
    "disconnect": (PeerArgument, disconnect),
    "ping": (PingArguments, ping),
    "streams": (NoArguments, streams),
    "invite": (InviteArguments, invite),
    "invite.list": (NoArguments, invite_list),
    "invite.revoke": (RevokeArguments, invite_revoke),
    "join": (JoinArguments, join),
    "name.list": (NoArguments, name_list),
    "name.put": (NameArguments, name_put),
    "name.forget": (SubjectArgument, name_forget),
    "name.find": (NamesArguments, name_find),
    "access.list": (NoArguments, access_list),
    "access.allow": (RuleArguments, access_allow),
    "access.deny": (RuleArguments, access_deny),
    "access.remove": (RuleArguments, access_remove),
    "access.ban": (BanArguments, access_ban),
    "access.unban": (SubjectArgument, access_unban),
    "access.default": (DefaultArgument, access_default),
    "access.filters.add": (FilterArguments, filter_add),
    "access.filters.remove": (FilterArguments, filter_remove),
    "access.limits.set": (LimitArguments, limit_set),
    "access.limits.remove": (PrefixArgument, limit_remove),
    "access.explain": (ExplainArguments, access_explain),
    "reputation.list": (NoArguments, reputation_list),
    "reputation.set": (ScoreArguments, reputation_set),
    "reputation.reset": (ResetArguments, reputation_reset),
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
