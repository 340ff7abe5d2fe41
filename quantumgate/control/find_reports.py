"""What ``qgate find`` shows: what a look-up came to. JSON names are a contract with users.

Not for: how it is asked for (``commands.py``), or how a look-up goes (``core/discovery/search.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class FindReport(Struct, frozen=True, kw_only=True):
    """``asked`` relays, of which ``answered`` did; ``end`` says in words how it ended, ``advice`` what to do then.

    ``endpoints`` and ``anchors`` (UUIDs) are what the record says, ``record`` is its text; empty where there is none.
    """

    uuid: str
    found: bool
    end: str
    asked: int
    answered: int
    seconds: float
    endpoints: Sequence[str] = ()
    anchors: Sequence[str] = ()
    record: str = ""
    advice: str = ""


class ProviderReport(Struct, frozen=True, kw_only=True):
    """A peer that says that it runs the extender, and said so ``age_seconds`` ago; the rest as in ``FindReport``."""

    uuid: str
    age_seconds: float
    endpoints: Sequence[str] = ()
    anchors: Sequence[str] = ()
    record: str = ""


class ProvidersReport(Struct, frozen=True, kw_only=True):
    """``providers`` of an extender, at most 64, in an order of luck; the rest as in ``FindReport``."""

    extender: str
    found: bool
    end: str
    asked: int
    answered: int
    seconds: float
    providers: Sequence[ProviderReport] = ()
    advice: str = ""
