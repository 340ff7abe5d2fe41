"""The handshake of QG/1, both sides, without I/O: bytes in, bytes out, an outcome. Spec: docs/spec/handshake.md."""

from __future__ import annotations

from quantumgate.core.handshake.initiator import Initiator
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.handshake.responder import Responder
from quantumgate.core.handshake.settings import HandshakeSettings
from quantumgate.core.requests import KeyNeeded, PeerCheck, Verdict

__all__ = ["Established", "Failed", "HandshakeSettings", "Initiator", "KeyNeeded", "PeerCheck", "Responder", "Verdict"]
