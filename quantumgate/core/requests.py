"""What the core needs from outside: keys and solutions that take long to make, a turn, and a word on whom to admit.

Values; whoever drives a Connection answers them with ``answer(request, value, now)``. Not for: what happened
(``events.py``). Spec: docs/spec/handshake.md section 12.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantumgate.crypto.identity import PeerIdentity
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.messages import Puzzle


@dataclass(frozen=True, slots=True, eq=False)
class KeyNeeded:
    """A key pair of a slow secondary group. The answer is a ``crypto.kem.KemKey``, used once."""

    group: int


@dataclass(frozen=True, slots=True, eq=False)
class PeerCheck:
    """Whether to go on with this peer. The answer is a Verdict.

    At the initiator it is asked before anything about ourselves is revealed; at the responder after the third message
    was verified. ``identity`` is None for a peer without one. ``known``: it brought a token that we gave to this very
    identity. ``invitation``: a proof that it shows, over ``transcript``, the hash of all that came before.
    """

    identity: PeerIdentity | None
    role: int
    initiator: bool
    known: bool = False
    invitation: bytes = b""
    transcript: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class PuzzleNeeded:
    """The solution of a puzzle for the salt of our next INIT. The answer is ``core.puzzle.Search``'s bytes."""

    puzzle: Puzzle
    salt: bytes


@dataclass(frozen=True, slots=True, eq=False)
class TurnNeeded:
    """A responder that may not answer at once: it waits in the queue of ``core.overload``. The answer is a Turn.

    ``effort`` is what its dialler's solution was worth, ``cost`` what answering it takes, in answers.
    """

    effort: int
    cost: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a PeerCheck. ``code`` and ``text`` matter only where ``admitted`` is False.

    ``token``: what a responder gives an admitted peer for its next dial, b"" = nothing.
    """

    admitted: bool
    code: CloseCode = CloseCode.ACCESS_DENIED
    text: str = ""
    token: bytes = b""


Request = KeyNeeded | PeerCheck | PuzzleNeeded | TurnNeeded
