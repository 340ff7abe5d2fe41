"""The guest of the node under attack: the other points' party, which keeps nobody in mind and tells what there is.

Its status collects garbage first, so it is asked for in quiet only.
"""

from __future__ import annotations

from typing import Any

from quantumgate.extender.api import maker
from tests.acceptance.held import inventory
from tests.acceptance.party import UUID, Party


class Victim(Party):
    """Echoes."""

    def peer_arrived(self, peer: Any) -> None:
        """Thousands come."""

    def status(self) -> dict[str, Any]:
        return inventory()


extender = maker(Victim, name="party", uuid=UUID, summary="echoes under attack")
