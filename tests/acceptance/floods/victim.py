"""The guest of the node under attack: the other points' party, which keeps nobody in mind and tells what there is.

Its status collects garbage, and has what is free given back to the system: so it is asked for in quiet only.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

from quantumgate.extender.api import maker
from tests.acceptance.held import inventory
from tests.acceptance.party import UUID, Party
from tests.acceptance.processes import rss_bytes


class Victim(Party):
    """Echoes."""

    def peer_arrived(self, peer: Any) -> None:
        """Thousands come."""

    def status(self) -> dict[str, Any]:
        """``rss_bytes``: of what is held, or lies between what is held."""
        there = inventory()
        ctypes.CDLL(None).malloc_trim(0)
        return there | {"rss_bytes": rss_bytes(os.getpid())}


extender = maker(Victim, name="party", uuid=UUID, summary="echoes under attack")
