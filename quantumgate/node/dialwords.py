"""What the dialler says, word for word as the specification has it: reasons for programs, sentences for people.

Not for: the transport's own failures (``net/dialer.py``). Spec: docs/spec/dialling.md section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quantumgate.core.events import Closed
from quantumgate.errors import ConnectFailed
from quantumgate.wire.codes import CloseCode

TELLING_CLOCK_SECONDS = 2
"""Below this, a peer's opinion of our clock is only the way the message took."""

_TELLING = (
    "self", "pin", "delegation", "denied", "invitation-expired", "invitation-revoked", "invitation-used",
    "access-denied", "refused", "puzzle", "authentication", "not-accepted", "no-answer",
    "lost",
)  # fmt: skip
"""Of several failures of one dial the one that tells most; what is not here tells least."""

_INVITATIONS = {
    CloseCode.INVITATION_EXPIRED: "this invitation has expired",
    CloseCode.INVITATION_USED: "this invitation was used by somebody else already",
    CloseCode.INVITATION_REVOKED: "this invitation was taken back",
}


def silence(host: str, clock_off_seconds: float | None) -> str:
    """The sentence for a host that does not answer; ``clock_off_seconds`` is what peers say of this node's clock."""
    text = (
        f"no answer from {host}: it may be off, not QuantumGate, or not recognise us: "
        "check UUID, shared secret, network name, and this clock"
    )
    if clock_off_seconds is None or abs(clock_off_seconds) < TELLING_CLOCK_SECONDS:
        return text
    return f"{text} (peers say {round(abs(clock_off_seconds))} s off)"


def closed_during_dial(host: str, event: Closed, clock_off_seconds: float | None) -> ConnectFailed:
    """Why a connection that we dialled ended before there was a session."""
    reason, advice = event.reason, event.advice
    if event.code == CloseCode.ACCESS_DENIED and event.by == "remote":
        return ConnectFailed("access-denied", f"{host} does not admit this identity",
                             advice="its operator can admit it: qgate access allow with this node's UUID (qgate id)")
    if event.code in _INVITATIONS and event.by == "remote":
        return ConnectFailed(reason, f"{host}: {_INVITATIONS[CloseCode(event.code)]}", advice="ask for a new one")
    if event.code is not None and event.by == "remote":
        return ConnectFailed(reason, f"{host} closed the session: {event.text or reason}", advice=advice)
    sentences = {
        "no-answer": silence(host, clock_off_seconds),
        "not-accepted": f"{host}: not accepted",
        "self": "this is me",
        "lost": f"{host} closed the connection before it answered",
        "refused": f"{host} {event.text}",
        "unreachable": f"{host} {event.text}",
        "policy": f"{host} {event.text}",
        "busy": f"{host} {event.text}",
        "puzzle": f"{host} {event.text}",
        "delegation": f"{host}: {event.text}",
        "pin": f"{host} shows another key than the one that is pinned for this UUID",
        "denied": event.text,
        "cancelled": f"the dial to {host} was given up",
        "deadline": f"{host} took too long over the handshake",
    }
    if reason == "no-answer":
        advice = "look at qgate id there and here, and at node.network and the shared secret in both configurations"
    return ConnectFailed(reason, sentences.get(reason, f"the handshake with {host} failed"), advice=advice)


def most_telling(errors: Sequence[ConnectFailed]) -> ConnectFailed:
    """One error for a dial that failed at several addresses."""
    first = min(errors, key=lambda error: _rank(error.reason))
    if len(errors) == 1:
        return first
    others = "; ".join(_distinct(str(error) for error in errors if error is not first))
    return ConnectFailed(first.reason, f"{first} (also: {others})", advice=first.advice)


def _rank(reason: str) -> int:
    return _TELLING.index(reason) if reason in _TELLING else len(_TELLING)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
