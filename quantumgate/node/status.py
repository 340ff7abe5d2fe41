"""What a node says of itself: a phase, why it is in it, what to do about it. Frozen values, never a secret.

The field names are a contract with users (``control/api.py``). Not for: changing anything. Told in
docs/guide/operating.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from quantumgate.control.api import AlgorithmsReport, AnchorsBrief, DialReport, ExtenderReport, PeerReport
from quantumgate.crypto.suites import AEADS, PRIMARIES, SECONDARIES
from quantumgate.node.contact import Contact
from quantumgate.node.reaching import Reaching

PROTOCOL = 1
JOIN_ADVICE = "use an invitation: qgate join INVITATION"
UNDIALLED_ADVICE = "on one local network nodes find each other with discovery.lan = true"
NO_ANCHORS = AnchorsBrief()
ANCHOR_ADVICE = "qgate relays shows each; an anchor has node.relay = true, and room (limits.reservations)"


class Phase(Enum):
    """What a node is doing, in one word."""

    STOPPED = "stopped"
    STARTING = "starting"
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the phase is judged by. ``invitation`` is an address that others can dial, "" where nothing listens."""

    life: Phase
    peers: int
    kept: int
    down: Sequence[DialReport]
    invitation: str
    admits_strangers: bool
    blocker: str = ""
    blocker_advice: str = ""
    anchors: AnchorsBrief = NO_ANCHORS
    relay_links: int | None = None
    """Links that it carries for others; None = it is no relay."""
    warnings: Sequence[tuple[str, str]] = ()
    """(what else an operator is to be told, advice)."""


def judge(now: Situation) -> tuple[Phase, str, str]:
    """(phase, reason, advice). The advice is empty only where there is nothing to do."""
    phase, reason, advice = _phase(now)
    for text, more in now.warnings:
        reason, advice = f"{reason}; {text}", f"{more}; {advice}" if advice else more
    return phase, reason, advice


def _phase(now: Situation) -> tuple[Phase, str, str]:
    if now.life is not Phase.CONNECTED:
        return now.life, now.blocker or now.life.value, now.blocker_advice
    if now.peers:
        return _connected(now)
    if now.down:
        first = now.down[0]
        more = f" (and {len(now.down) - 1} more)" if len(now.down) > 1 else ""
        return Phase.CONNECTING, f"{first.address}: {first.reason}{more}", first.advice or "wait, it is tried again"
    return _waiting(now)


def _connected(now: Situation) -> tuple[Phase, str, str]:
    reason = f"{now.peers} peer{'s' if now.peers > 1 else ''}"
    if not now.down and now.anchors.named and not now.anchors.open:
        return Phase.CONNECTED, f"{reason}; no anchor keeps a way to this node open", ANCHOR_ADVICE
    if not now.down:
        return Phase.CONNECTED, reason, ""
    first = now.down[0]
    reason += f"; {len(now.down)} of {now.kept} kept connections are down: {first.address}: {first.reason}"
    return Phase.CONNECTED, reason, first.advice or "wait, it is tried again"


def _waiting(now: Situation) -> tuple[Phase, str, str]:
    if not now.invitation:
        advice = f'{JOIN_ADVICE}, or connect to one: qgate connect "qg://UUID@host:port"; {UNDIALLED_ADVICE}'
        return Phase.WAITING, "no peer known yet, and nothing listens", advice
    if now.relay_links is not None:
        links = f"{now.relay_links} link{'' if now.relay_links == 1 else 's'} of others"
        reason = f"no peer of its own; as a relay it carries {links}"
        return Phase.WAITING, reason, f"its address for others: {now.invitation}"
    admit = "" if now.admits_strangers else "; admit it here with: qgate access allow ITS-UUID"
    advice = (f'invite somebody: qgate invite; {JOIN_ADVICE}; or connect to a peer: qgate connect '
              f'"qg://UUID@host:port", or let one dial {now.invitation}{admit}')
    return Phase.WAITING, "no peer known yet", f"{advice}; {UNDIALLED_ADVICE}"


def invitation(uuid: object, listening: Sequence[str]) -> str:
    """An address that a peer on this machine could dial now; the host is for people to replace."""
    for text in listening:
        kind, _, rest = text.partition(":")
        port, _, options = rest.partition(":")
        if kind in ("tcp", "tcp6") and port.isdigit():
            host = options.removeprefix("interface=") if options.startswith("interface=") else "THIS-HOST"
            return f"qg://{uuid}@{host}:{port}"
    return listening[0] if listening else ""


def reach_facts(reaching: Reaching | None) -> dict[str, Any]:
    """What a StatusReport says of how the node is reached; ``reaching`` is None where that is nobody's business."""
    if reaching is None:
        return {"public_endpoints": []}
    return {"public_endpoints": list(reaching.endpoints()), "reachability": reaching.reach.words(),
            "port_mapping": reaching.port_mapping()}


def peer_reports(contacts: Iterable[Contact], now: float) -> list[PeerReport]:
    """One report for each announced session."""
    return [_peer_report(contact, now) for contact in contacts]


def _peer_report(contact: Contact, now: float) -> PeerReport:
    peer, session = contact.peer, contact.session
    return PeerReport(
        uuid=None if peer.uuid is None else str(peer.uuid),
        name=peer.name,
        endpoint=peer.endpoint,
        direction="outbound" if contact.outbound else "inbound",
        authenticated=peer.authenticated,
        relayed=peer.relayed,
        path=[str(hop) for hop in peer.path],
        algorithms=_algorithms(session),
        shared_secret=session.shared_secret,
        extenders=sorted(str(uuid) for uuid in session.peer_extenders),
        connected_seconds=round(now - contact.connected_at, 3),
        rtt_seconds=session.rtt_seconds,
        bytes_sent=session.bytes_sent,
        bytes_received=session.bytes_received,
        key_epoch=session.key_epoch,
        streams=sum(1 for channel in session.channels.values() if channel.stream),
        fingerprint=session.peer.fingerprint_text if session.peer is not None else "",
        why=_why(contact),
    )


def _why(contact: Contact) -> str:
    """Why this peer is here by this path, in a few words."""
    if not contact.outbound:
        came = "it dialled us" if contact.path is None else "it reached us through relays"
        return "; ".join(filter(None, (came, contact.why)))
    return (contact.why or "we dialled it") + (", kept" if contact.session.keep else "")


def _algorithms(session: Any) -> AlgorithmsReport:
    suite, signer = session.suite, session.peer or session.local
    return AlgorithmsReport(
        primary=PRIMARIES[suite.primary].name,
        secondary=SECONDARIES[suite.secondary].name,
        symmetric=AEADS[suite.aead].name,
        hash="SHA-512",
        compression="lz4" if session.compressing else "none",
        signature=signer.kind_name,
    )


def extender_reports(rows: Iterable[Any]) -> list[ExtenderReport]:
    """Rows of ``extender.host.ExtenderHost.snapshot`` as operators see them."""
    return [
        ExtenderReport(
            name=row.name,
            uuid=row.uuid,
            version=row.version,
            summary=row.summary,
            state=row.state,
            reason=row.reason,
            distribution=row.distribution,
            failures=row.failures,
            peers=row.peers,
            status=row.status,
        )
        for row in rows
    ]
