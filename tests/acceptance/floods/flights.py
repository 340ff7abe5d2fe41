"""Good first flights by somebody who knows the UUID, at the price of a key for each: shares are made once.

Not for: what is answered (``intruder.py`` completes handshakes).
"""

from __future__ import annotations

import random
import time

from quantumgate.crypto import agreement, kem
from quantumgate.wire.messages import Header, Init, KeyShare, MessageType
from tests.acceptance.floods.attacker import Target
from tests.attacks.mallory import LISTS, MINUTE_MS, seal_init


class Flights:
    """``fresh`` is one that was never sent before."""

    def __init__(self, target: Target, luck: random.Random) -> None:
        self._candidate, self._luck = target.candidate, luck
        primary, secondary = agreement.primary(1).generate(), kem.kem(1).generate()
        self._body = Init(LISTS, KeyShare(1, primary.share), KeyShare(1, secondary.public), bytes(48)).encode(100)

    def fresh(self) -> bytes:
        wall_ms = int(time.time() * 1000)
        header = Header(MessageType.INIT, len(self._body), wall_ms - wall_ms % MINUTE_MS, 1).encode()
        return seal_init(self._candidate, self._luck.randbytes(32), header, self._body)
