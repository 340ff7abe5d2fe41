"""What the control socket says of the key that signs for a node. Not for: the node's other answers (``api.py``)."""

from __future__ import annotations

from msgspec import Struct


class KeyReport(Struct, frozen=True, kw_only=True):
    """``online_key``: its fingerprint, "" = the root itself signs; ``not_after``: unix seconds; ``taken``: it has just
    taken the place of another one."""

    uuid: str
    online_key: str = ""
    serial: int = 0
    not_after: int = 0
    taken: bool = False
