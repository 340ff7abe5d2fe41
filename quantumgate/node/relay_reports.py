"""What a node says of relaying: the links it carries for others, its own circuits, what was refused and why.

An operator sees what the node knows, no more: of a link its two neighbours, never its ends. Not for: the log, which
shortens all of it. Told in docs/guide/relays.md.
"""

from __future__ import annotations

from collections import Counter

from quantumgate.control.api import CarriedReport, CircuitReport, GatewayReport, RelayReport, RelaysReport
from quantumgate.core.relay.path import Gateway
from quantumgate.node.blame import Blame
from quantumgate.node.circuit import Circuit
from quantumgate.node.circuits import Circuits
from quantumgate.node.relays import Carried, Relays


def brief(relays: Relays | None, enabled: bool) -> RelayReport:
    """For ``status``; of a node that does not run, what its configuration says."""
    if relays is None:
        return RelayReport(enabled=enabled)
    refused = sum(_refused(relays).values())
    return RelayReport(enabled=relays.enabled, links=len(relays.carried), bytes=_moved_bytes(relays), refused=refused)


def whole(relays: Relays, circuits: Circuits, now: float) -> RelaysReport:
    """Everything, at this moment."""
    return RelaysReport(
        enabled=relays.enabled,
        accepting=relays.accepting,
        carried=[_carried(one, now) for one in sorted(relays.carried, key=lambda one: one.began_at)],
        carried_bytes=_moved_bytes(relays),
        refused=dict(_refused(relays)),
        circuits=[
            _circuit(one, circuits, now) for one in sorted(circuits.standing, key=lambda one: one.contact.connected_at)
        ],
        failed=dict(circuits.failures),
        gateways=[_gateway(one, circuits.blame) for one in circuits.known()],
        reserved_here=sorted(map(str, relays.anchorage.reservations.names(now))),
    )


def _moved_bytes(relays: Relays) -> int:
    return relays.moved_bytes + sum(one.moved_bytes for one in relays.carried)


def _refused(relays: Relays) -> Counter[str]:
    """By reason; a quota by the name of its limit."""
    refused = relays.refused + relays.quota.refused
    refused.pop("quota", None)
    return refused


def _carried(one: Carried, now: float) -> CarriedReport:
    return CarriedReport(
        client=one.client.where,
        target=str(one.target),
        endpoint=one.carrier.where if one.carrier is not None else "",
        state="carrying" if one.pipes else "reaching",
        seconds=round(now - one.began_at, 3),
        bytes=one.moved_bytes,
    )


def _gateway(one: Gateway, blame: Blame) -> GatewayReport:
    deaths, dropped_seconds = blame.deaths(one.uuid), blame.dropped_seconds(one.uuid)
    return GatewayReport(
        uuid=str(one.uuid),
        hosts=[f"{host}:{port}" for host, port in one.hosts],
        avoided_seconds=round(blame.bad_seconds(one.uuid), 1),
        deaths=deaths,
        dropped_seconds=round(dropped_seconds, 1),
        why=blame.why_dropped if dropped_seconds else "",
    )


def _circuit(one: Circuit, circuits: Circuits, now: float) -> CircuitReport:
    contact, session = one.contact, one.contact.session
    return CircuitReport(
        peer=str(contact.peer.uuid),
        path=[str(relay.uuid) for relay in one.path],
        endpoint=one.layers[0].where,
        state="running out" if circuits.lifetimes.running_out(one) else "in use",
        why=contact.why,
        seconds=round(now - contact.connected_at, 3),
        rtt_seconds=session.rtt_seconds,
        bytes_sent=session.bytes_sent,
        bytes_received=session.bytes_received,
    )
