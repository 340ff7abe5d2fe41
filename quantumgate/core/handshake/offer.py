"""Choosing among offers, and checking that a choice was allowed. Spec: docs/spec/handshake.md section 5.

Not for: what is offered (``settings.py``).
"""

from __future__ import annotations

from quantumgate.crypto.suites import PRIMARIES, SECONDARIES
from quantumgate.errors import MalformedError
from quantumgate.wire.codes import RefuseCode
from quantumgate.wire.messages import VERSION, Init, KeyShare, Lists, Select


def choose(init: Init, ours: Lists) -> Select | RefuseCode:
    """R's choice: in each list the first id of I's that R also has (and that is not below R's floor)."""
    if VERSION not in init.versions:
        return RefuseCode.VERSION
    primary = _first_common(init.lists.primaries, ours.primaries)
    secondary = _first_common(init.lists.secondaries, ours.secondaries)
    aead = _first_common(init.lists.aeads, ours.aeads)
    if primary is None or secondary is None or aead is None:
        return RefuseCode.NO_COMMON_SUITE
    return Select(primary, secondary, aead)


def _first_common(offered: tuple[int, ...], ours: tuple[int, ...]) -> int | None:
    return next((one for one in offered if one in ours), None)


def check_choice(select: Select, offered: Lists, allowed: Lists) -> None:
    """At I: raises MalformedError for a choice that was not offered, or that is below our floor."""
    for lists in (offered, allowed):
        known = select.primary in lists.primaries and select.secondary in lists.secondaries
        if not known or select.aead not in lists.aeads:
            raise MalformedError("a choice that was not offered")
    if select.version != VERSION:
        raise MalformedError("a version that was not offered")


def check_lengths(primary: KeyShare, secondary: KeyShare, *, ciphertext: bool) -> None:
    """Raises MalformedError unless both parts have exactly their group's length. Cheap, before any key work."""
    row = SECONDARIES.get(secondary.group)
    if row is None or primary.group not in PRIMARIES:
        raise MalformedError("a share for an unknown group")
    length = row.ciphertext_bytes if ciphertext else row.public_bytes
    if len(primary.data) != PRIMARIES[primary.group].share_bytes or len(secondary.data) != length:
        raise MalformedError("a share of another length")
