"""Names that this node's people give to peers: what one may look like, and which two look alike.

A name is local: nobody else sees it, and no peer can choose the one it is shown by. Letters, digits and a hyphen of
ASCII, so that nothing that looks like another name is another name. Not for: who is called what (``node/names.py``).
Spec: docs/spec/addresses.md section 2.
"""

from __future__ import annotations

import re

from quantumgate.errors import LocalError
from quantumgate.wire.limits import PETNAME_LETTERS

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+){0,2}")
"""Two hyphens at most: a UUID has four, and is never taken for a name."""

RESERVED = frozenset((
    "all", "allow", "anonymous", "any", "anybody", "configured", "connect", "default", "deny", "everybody", "everyone",
    "everything", "localhost", "me", "myself", "nobody", "none", "qg", "qgi", "qgr", "relay", "reserve", "self", "unix",
    "unknown",
))
"""Words that mean something where a name may stand, or would make a report say what is not so."""

_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "8": "b", "9": "g", "-": ""})


def is_name(text: str) -> bool:
    """Whether this could be somebody's name, however its letters are cased: it is no UUID and no address."""
    return len(text) <= PETNAME_LETTERS and text.isascii() and _NAME.fullmatch(text.lower()) is not None


def checked_name(text: str) -> str:
    """The name as it is kept, in small letters. Raises LocalError for what cannot be one."""
    if not is_name(text):
        raise LocalError(
            f"a name has 1 to {PETNAME_LETTERS} letters a-z, digits and at most two single hyphens, and begins with a "
            f"letter; found {text!r:.60}", advice="take a short word, such as bob or bob-laptop",
        )
    if text.lower() in RESERVED:
        raise LocalError(f"{text.lower()} is a word that qgate uses itself", advice="take another name")
    return text.lower()


def look(name: str) -> str:
    """What a hasty reader sees: two names with the same look are taken for one another."""
    return name.translate(_ALIKE).replace("rn", "m").replace("vv", "w")
