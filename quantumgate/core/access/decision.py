"""The one verdict of the access rules: yes or no, which rule made it, who made the rule, and what would undo it.

What admits a connection, an extender's channel or a link, and what ``qgate access explain`` prints, is this same
object. Not for: coming to it (``judge.py``). Spec: docs/spec/access.md sections 2 to 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CONFIGURATION, BY_HAND, BUILT_IN, CONDUCT = "configuration", "hand", "built-in", "conduct"
"""Who made a rule. ``CONDUCT``: nobody, it follows from what was done."""


class Rule(StrEnum):
    """What decides, in words that other programs may rely on."""

    NO_ADDRESS = "no-address"
    BLOCKED = "block-filter"
    NOT_ALLOWED = "no-allow-filter"
    ALLOWED = "allow-filter"
    OPEN = "no-filter"
    PREFIX_CONNECTIONS = "prefix-connections"
    PREFIX_ATTEMPTS = "prefix-attempts"
    PREFIX_LINKS = "prefix-links"
    COUNT = "count"
    SCORE = "score"
    BAN = "ban"
    DENY = "deny"
    ALLOW = "allow"
    DIALLED = "dialled"
    DEFAULT = "default"
    RELAYING = "relaying"


@dataclass(frozen=True, slots=True)
class Decision:
    """``why`` is a sentence for our own log and ``qgate access``; the peer only learns that it is not admitted.

    ``until``: unix seconds at which a refusal ends by itself, where that is known. ``advice``: what an operator who
    wants it otherwise can do.
    """

    admitted: bool
    rule: Rule
    why: str
    made_by: str = BUILT_IN
    until: float | None = None
    advice: str = ""
