"""Records that an operator gives us: verified, and made into what can be dialled. Spec: docs/spec/peer-records.md.

A text holds the record of a peer and, behind it, those of its anchors where we do not know them. Not for: our own
record (``own_record.py``), or those that strangers give a relay (``record_checks.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from quantumgate.core.delegations import Delegation
from quantumgate.core.peer_records import KnownRecord, judge, network_of
from quantumgate.core.places import LOWEST_PORT
from quantumgate.core.relay.path import Gateway
from quantumgate.core.relay.reservations import check_grant
from quantumgate.crypto.identity import PeerIdentity
from quantumgate.errors import (
    AuthenticationError,
    ConnectFailed,
    CryptoError,
    MalformedError,
    RemoteProtocolError,
    ViolationError,
)
from quantumgate.ids import PeerUUID, QgAddress, host_text, parse_host
from quantumgate.node.dialling import Route, Target, through_an_anchor, ways_to
from quantumgate.node.pins import Pins
from quantumgate.node.world import World
from quantumgate.wire.limits import VALIDITY_SLACK_SECONDS
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import Anchor, PeerRecord
from quantumgate.wire.record_text import SCHEME, from_text
from quantumgate.wire.reservation_frames import Grant

_ADVICE: tuple[tuple[type[Exception], str], ...] = (
    (MalformedError, "copy it whole: one word that begins with qgr:, as qgate id record prints it"),
    (AuthenticationError, "ask its owner for it again: this one was changed on the way, or made up"),
    (ViolationError, "ask its owner for a fresh one, and look at node.network and at this clock"),
)


class GivenRecords:
    """One node's. ``gateway(uuid)`` is a relay whose address is known, or None."""

    def __init__(
        self, world: World, network_id: bytes, gateway: Callable[[PeerUUID], Gateway | None], pins: Pins
    ) -> None:
        self._world, self._network, self._gateway = world, network_of(network_id), gateway
        self._pins = pins

    def target(self, text: str, route: Route) -> Target:
        """The peer of the first record: at its endpoints, or else through its anchors. Raises ConnectFailed."""
        peer, *others = self.read(text)
        return self.by_record(peer, others, route)

    def by_record(self, peer: KnownRecord, others: Sequence[KnownRecord], route: Route) -> Target:
        """The same for a record that was verified, with those of its anchors that are known. Raises ConnectFailed."""
        behind = self._behind(peer, others, route)
        if behind is not None and route.via and route.via[-1] in {one.uuid for one in behind.anchors}:
            return behind
        if peer.record.endpoints:
            return replace(self.at_endpoints(peer, route), otherwise=behind)
        if behind is None:
            raise self._no_way(peer)
        return behind

    def read(self, text: str) -> tuple[KnownRecord, ...]:
        """The records of a text, each verified. Raises ConnectFailed, which says what is wrong with which."""
        now_ms = int(self._world.wall_seconds() * 1000)
        found: list[KnownRecord] = []
        try:
            for one in from_text(text):
                known = judge(one, network=self._network, now_ms=now_ms, least_serial=self._pins.least_serial)
                self._pins.heard(known.identity, known.delegation)
                found.append(known)
        except (RemoteProtocolError, CryptoError) as error:
            which = f"record {len(found) + 1}" if found else "the record"
            damaged = "it is damaged: " if isinstance(error, MalformedError) else ""
            advice = next((words for kind, words in _ADVICE if isinstance(error, kind)), "")
            raise ConnectFailed("bad-record", f"{which} cannot be used: {damaged}{error}", advice=advice) from None
        return tuple(found)

    def at_endpoints(self, peer: KnownRecord, route: Route) -> Target:
        """Where it says that it listens, and nowhere else."""
        endpoints, identity = peer.record.endpoints, peer.identity
        hosts = _hosts(endpoints)
        low = any(one.port < LOWEST_PORT for one in endpoints)  # no relay dials those unless it has the record
        return Target(
            str(QgAddress(identity.uuid, hosts, identity.fingerprint_text)), identity.uuid, identity.fingerprint,
            ways_to(self._world, hosts), hosts, route, record=peer.signed.encode() if low else b"",
        )

    def _behind(self, peer: KnownRecord, others: Sequence[KnownRecord], route: Route) -> Target | None:
        """Through its anchors; None where it has none, or we know the address of none."""
        record, identity = peer.record, peer.identity
        vouchers = tuple((one.uuid, _voucher(one, record)) for one in record.via if one.voucher)
        found = (self._anchor(one, others) for one in record.via)
        anchors = tuple(one for one in found if one is not None)
        if not anchors or not record.rendezvous:
            return None
        shown = str(QgAddress(identity.uuid, (), identity.fingerprint_text))
        return Target(shown, identity.uuid, identity.fingerprint, (), (), through_an_anchor(route), anchors,
                      record.rendezvous, vouchers=vouchers)

    def _anchor(self, named: Anchor, others: Sequence[KnownRecord]) -> Gateway | None:
        """Where an anchor is: by its own record, or as a gateway that we know; under the key that the peer names."""
        for one in others:
            if one.identity.fingerprint == named.fingerprint and one.record.endpoints:
                return Gateway(named.uuid, _hosts(one.record.endpoints), named.fingerprint)
        known = self._gateway(named.uuid)
        if known is None or known.fingerprint not in (None, named.fingerprint):
            return None
        return replace(known, fingerprint=named.fingerprint)

    def _no_way(self, peer: KnownRecord) -> ConnectFailed:
        uuid, via = peer.identity.uuid, peer.record.via
        if not via:
            return ConnectFailed("no-address", f"the record of {uuid} names no way to it",
                                 advice="its owner can say one: qgate id record --endpoint HOST:PORT")
        names = ", ".join(str(one.uuid) for one in via)
        return ConnectFailed(
            "no-address", f"{uuid} is reached through {names}, and this node knows the address of none of them",
            advice="put their records behind it, or name one in [relay] gateways",
        )


def is_record_text(address: str) -> bool:
    """Whether this is meant as records, and not as an address or an endpoint string."""
    return address.startswith(SCHEME)


def check_voucher(target: Target, anchor: PeerIdentity, delegation: Delegation | None = None) -> None:
    """That this anchor, which has proved its key, does keep a way to ``target``. Raises ConnectFailed.

    Who could put others' relays into a record could send everybody there who looks for him.
    """
    voucher = dict(target.vouchers).get(anchor.uuid)
    if voucher is None or target.uuid is None:
        return
    try:
        check_grant(voucher, anchor, target.uuid, delegation)
    except (AuthenticationError, ViolationError):
        raise ConnectFailed("bad-record", f"the record names {anchor.uuid} as an anchor, with a voucher that this one "
                            "has not signed", advice="ask its owner for a fresh record") from None


def _hosts(endpoints: Sequence[LinkEndpoint]) -> tuple[tuple[str, int], ...]:
    """As addresses have them: IPv6 in brackets."""
    return tuple(parse_host(host_text(one.host, one.port)) for one in endpoints)


def _voucher(anchor: Anchor, record: PeerRecord) -> Grant:
    """What RESERVED held; it has to be good for some time after the record was made."""
    try:
        voucher = Grant.decode(anchor.voucher)
    except MalformedError:
        voucher = Grant(0)
    if (voucher.expiry_seconds + VALIDITY_SLACK_SECONDS) * 1000 >= record.seq_ms:
        return voucher
    why = f"the record's voucher of {anchor.uuid} is none, or was over before the record was made"
    raise ConnectFailed("bad-record", why, advice="ask its owner for a fresh record")
