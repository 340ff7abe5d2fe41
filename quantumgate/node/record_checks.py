"""Records of peers that clients hand to this relay: read and verified in another thread, so many for each client.

A signature costs up to a millisecond and a half, and whoever sends a record chooses how long it takes. Not for: our own
record, or those that our operator gives us (``own_record.py``, ``given_records.py``). Spec: docs/spec/relays.md, 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from quantumgate.core.budget import TokenBucket
from quantumgate.core.peer_records import judge, network_of
from quantumgate.errors import ConnectFailed, CryptoError, RemoteProtocolError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.node.contact import Contact
from quantumgate.node.world import World
from quantumgate.wire.limits import Limits
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget

CHECKS_MAX = 4
"""Records that are looked at at a time: each holds one of the process's threads."""


class RecordRefused(ConnectFailed):
    """A record by which no relay dials: forged, over, from the future, of another peer or another network."""

    def __init__(self, why: str) -> None:
        super().__init__("record", f"the record is not valid here: {why}")


class RecordChecks:
    """One relay's."""

    def __init__(self, world: World, limits: Limits, network_id: bytes) -> None:
        self._world, self._limits, self._network = world, limits, network_of(network_id)
        self._budgets: dict[Contact, TokenBucket] = {}
        self._under_way = 0
        self.least_serial: Callable[[PeerUUID], int] = lambda uuid: 0
        """Of the newest delegation that is known of a peer."""

    def endpoints(self, target: LinkTarget, client: Contact) -> Deferred[tuple[LinkEndpoint, ...]]:
        """Where the record of ``target`` says that its peer listens. Fails with RecordRefused, or ConnectFailed."""
        if not self._budget(client).take(self._world.now()):
            return fail(ConnectFailed("link_record_rate", "too many records of this client"))
        if self._under_way >= CHECKS_MAX:
            return fail(ConnectFailed("limit", "too many records are being looked at"))
        self._under_way += 1
        answer: Deferred[tuple[LinkEndpoint, ...]] = Deferred()
        now_ms = int(self._world.wall_seconds() * 1000)
        least = self.least_serial(target.uuid)
        checking = self._world.elsewhere(_endpoints_of, target.record, target.uuid, self._network, now_ms, least)
        checking.addBoth(self._over).chainDeferred(answer)
        return answer

    def _budget(self, client: Contact) -> TokenBucket:
        """Each session has one: a new session costs us more than the records it may bring at once."""
        if client not in self._budgets:
            self._budgets[client] = TokenBucket(*self._limits.link_record_rate, self._world.now())
            client.ended().addCallback(lambda _: self._budgets.pop(client, None))
        return self._budgets[client]

    def _over(self, result: Any) -> Any:
        self._under_way -= 1
        if isinstance(result, Failure) and isinstance(result.value, RemoteProtocolError | CryptoError):
            raise RecordRefused(str(result.value))
        return result


def _endpoints_of(
    record: bytes, uuid: PeerUUID, network: bytes, now_ms: int, least_serial: int
) -> tuple[LinkEndpoint, ...]:
    """Off the reactor thread. Raises what ``judge`` raises."""
    known = judge(record, network=network, now_ms=now_ms, least_serial=lambda _: least_serial)
    if known.identity.uuid != uuid:
        raise ViolationError("a record of another peer")
    return known.record.endpoints
