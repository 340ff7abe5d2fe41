"""This node's own record: what it says of itself for others to pass on. Spec: docs/spec/peer-records.md. [A18]

It names what strangers can dial, the anchors that keep a way open at the moment, extenders by which the operator wants
to be found, and nothing else: no name. Not for: others' records (``given_records.py``), or how a record travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from uuid import UUID

from quantumgate.control.api import RecordReport
from quantumgate.core.delegations import own_delegation
from quantumgate.core.peer_records import extender_hash, fits, life_seconds, network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.errors import LocalError
from quantumgate.ids import PeerUUID, host_text, parse_host
from quantumgate.node.anchors import Anchors
from quantumgate.node.announced import own_endpoints
from quantumgate.node.data_directory import ROTATE
from quantumgate.node.world import World
from quantumgate.wire.limits import PEER_RECORD_ENDPOINTS, VALIDITY_SLACK_SECONDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import CAPABLE_OF_RELAY, PUBLIC, PeerRecord, SignedPeerRecord
from quantumgate.wire.record_text import as_text

_NEVER_SECONDS = 1 << 62


class RecordAuthor:
    """One node's. ``relay``: it carries links for others; ``public``: anybody may be told of it; ``allow_private``: in
    a network of its own."""

    def __init__(
        self, identity: Identity, world: World, network_id: bytes, anchors: Anchors, *, relay: bool,
        allow_private: bool, public: bool = False,
    ) -> None:
        self._identity, self._world, self._anchors = identity, world, anchors
        self._network, self._allow_private = network_of(network_id), allow_private
        self._capabilities = CAPABLE_OF_RELAY * relay | PUBLIC * public
        self._written: tuple[PeerRecord, SignedPeerRecord] | None = None
        self._last_seq_ms, self._began_ms = 0, int(world.wall_seconds() * 1000)
        self.public_endpoints: Callable[[], Iterable[str]] = tuple
        """Where strangers can dial this node, as peers that did have confirmed: ``host:port``."""

        self.extenders: Callable[[], Iterable[UUID]] = tuple
        """Those that run and by which this node may be found."""
        self._key_ends = _end_of(identity)

    def sign_as(self, identity: Identity) -> None:
        """Another key of ours signs from now on: the next record that is asked for is a fresh one."""
        self._identity, self._key_ends = identity, _end_of(identity)

    def write(self, listening: Iterable[str], more: Iterable[str] = ()) -> SignedPeerRecord:
        """A fresh one. ``listening``: bound endpoint strings; ``more``: ``host:port``, of which the operator knows.

        Raises LocalError for what is no such place, or more of them than a record holds.
        """
        return self._signed(self._draft(listening, more))

    def current(self, listening: Iterable[str]) -> SignedPeerRecord:
        """The one that others have by now: a fresh one where it says something else, or after half its life."""
        draft = self._draft(listening, ())
        if self._written is None or self._written[0] != draft or self._half_over(self._written[1].record):
            self._written = draft, self._signed(draft)
        return self._written[1]

    def wrote(self, record: PeerRecord) -> bool:
        """Whether a record of ours may be one of this node, and not of another one with its key: since the start it has
        written none that is newer than its last."""
        return record.seq_ms <= max(self._last_seq_ms, self._began_ms)

    def _half_over(self, record: PeerRecord) -> bool:
        middle = (record.seq_ms / 1000 + record.not_after_seconds) / 2
        return not record.seq_ms / 1000 <= self._world.wall_seconds() + VALIDITY_SLACK_SECONDS <= (
            middle + VALIDITY_SLACK_SECONDS)

    def _draft(self, listening: Iterable[str], more: Iterable[str]) -> PeerRecord:
        """Without its times."""
        via = self._anchors.via()
        return PeerRecord(
            self._network, self._identity.public.bundle, 0, 0, capabilities=self._capabilities,
            endpoints=self._endpoints(listening, more), via=via,
            rendezvous=self._anchors.rendezvous_key if via else b"", delegation=self._identity.delegation,
            extenders=self._extender_hashes(),
        )

    def _extender_hashes(self) -> tuple[bytes, ...]:
        owner = self._identity.public.uuid
        return tuple(sorted(extender_hash(self._network, owner, one) for one in self.extenders()))

    def _signed(self, draft: PeerRecord) -> SignedPeerRecord:
        seq_ms = max(int(self._world.wall_seconds() * 1000), self._last_seq_ms + 1)
        self._last_seq_ms = seq_ms  # two bodies with one seq would look as if we told people different things
        record = replace(draft, seq_ms=seq_ms)
        return sign(self._identity, self._fitting(replace(record, not_after_seconds=self._end(record))))

    def _end(self, record: PeerRecord) -> int:
        """No record outlives the online key that signs it."""
        start = record.seq_ms // 1000
        end = min(start + life_seconds(record), self._key_ends)
        if end <= start:
            raise LocalError("the online key of this identity has run out", advice=ROTATE)
        return end

    def _endpoints(self, listening: Iterable[str], more: Iterable[str]) -> tuple[LinkEndpoint, ...]:
        """The operator's first: of too many of our own the last ones are left out."""
        told = tuple(dict.fromkeys(map(_endpoint, more)))
        if len(told) > PEER_RECORD_ENDPOINTS:
            raise LocalError(f"a record names at most {PEER_RECORD_ENDPOINTS} endpoints, found {len(told)}")
        own, confirmed = _listening(tuple(listening), self._allow_private), map(_endpoint, self.public_endpoints())
        return tuple(dict.fromkeys((*told, *own, *confirmed)))[:PEER_RECORD_ENDPOINTS]

    def _fitting(self, record: PeerRecord) -> PeerRecord:
        """Without the vouchers that do not fit, the longest first; then without extenders."""
        while not fits(self._identity.public, record) and any(one.voucher for one in record.via):
            longest = max(record.via, key=lambda one: len(one.voucher))
            via = tuple(replace(one, voucher=b"") if one is longest else one for one in record.via)
            record = replace(record, via=via)
        while not fits(self._identity.public, record) and record.extenders:
            record = replace(record, extenders=record.extenders[:-1])
        return record


def _end_of(identity: Identity) -> int:
    delegated = own_delegation(identity)
    return _NEVER_SECONDS if delegated is None else delegated.not_after_seconds


def report_of(signed: SignedPeerRecord, uuid: PeerUUID) -> RecordReport:
    """A record of this UUID as an operator sees it."""
    record = signed.record
    return RecordReport(
        uuid=str(uuid),
        record=as_text(signed.encode()),
        not_after=record.not_after_seconds,
        endpoints=[host_text(one.host, one.port) for one in record.endpoints],
        anchors=[str(one.uuid) for one in record.via],
        relay=record.relay,
    )


@lru_cache(16)
def _listening(bound: tuple[str, ...], allow_private: bool) -> tuple[LinkEndpoint, ...]:
    """Kept: it is asked for every few seconds, and listeners come and go with the node."""
    return tuple(map(_endpoint, own_endpoints(bound, allow_private=allow_private, signed=True)))


def _endpoint(text: str) -> LinkEndpoint:
    host, port = parse_host(text)
    if "%" in host:
        raise LocalError(f"{text}: an address with a zone means something on this machine alone")
    endpoint = LinkEndpoint(host.strip("[]"), port)
    try:
        endpoint.encode()
    except ValueError as error:
        raise LocalError(f"{text}: {error}") from None
    return endpoint
