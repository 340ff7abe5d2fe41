"""How this process collects garbage: what start-up made is never looked at again, and small collections are rarer.

A session is a few hundred objects; the interpreter's own thresholds walk all that was ever imported every few dozen
handshakes, which showed as a tenth of their time. For a process that is a node (``tap.py``), not for a library inside
somebody's program.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000
"""Net new objects before a small collection; 700 by default. At some 200 bytes each, 4 MB of garbage at most."""


def settle() -> None:
    """Call it once, when the node listens and its guests have started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
