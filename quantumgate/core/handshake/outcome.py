"""How a handshake ends. Spec: docs/spec/handshake.md sections 11 and 12."""

from __future__ import annotations

from dataclasses import dataclass

from quantumgate.core.delegations import Delegation
from quantumgate.core.requests import Verdict
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import Suite


@dataclass(slots=True)
class Established:
    """Both sides hold ``root``. At the responder ``verdict`` may say no: then the session sends CLOSE and nothing else.

    ``peer`` / ``local`` are None for a side without identity; ``signer`` signs re-keys with the handshake's key, and
    ``peer_delegation`` is whose online key the peer's are signed with, None = its root.
    ``peer_session`` is the value of the initiator's SESSION (empty at the initiator); ``leftover`` holds bytes of
    records that came behind the last message.
    """

    initiator: bool
    role: int
    peer: PeerIdentity | None
    local: PeerIdentity | None
    signer: Identity | None
    suite: Suite
    root: Secret
    sid: bytes
    exporter: Secret
    peer_session: bytes
    leftover: bytes
    shared_secret: bool
    verdict: Verdict
    retried: bool
    peer_delegation: Delegation | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """No session. ``reason`` is a word for programs; ``message`` and ``advice`` are for people.

    ``silent``: a responder that has failed sends nothing more (what ``output`` holds already still goes out), reads on
    and discards until ``deadline()``, or until the peer closes. ``blame`` is "address" where the sender's address may
    pay for it, never a UUID; ``detail`` says more, for a local debug log only, never for the peer.
    """

    reason: str
    message: str
    advice: str = ""
    silent: bool = False
    blame: str = ""
    security_event: bool = False
    detail: str = ""
