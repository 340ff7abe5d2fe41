"""The weather on a memory network: how late, how lossy, how wide. A value that tests may change while things fly.

Not for: moving bytes (``network.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RETRANSMIT_SECONDS = 0.2


@dataclass
class Weather:
    """Applies to each piece of bytes, in each direction. Order is kept, as TCP keeps it.

    ``loss`` is the probability that a piece has to be sent again: each time it comes ``retransmit_seconds`` later.
    ``piece_bytes`` cuts what is written into pieces of at most that many bytes; 1 delivers byte by byte.
    ``rewrite`` is the attacker on the line: it gets each piece and returns what arrives instead of it.
    """

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    loss: float = 0.0
    retransmit_seconds: float = RETRANSMIT_SECONDS
    rate_bytes_per_second: float = float("inf")
    piece_bytes: int = 64 * 1024
    rewrite: Callable[[bytes], bytes] | None = None
