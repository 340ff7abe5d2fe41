"""Lets go of an ended session: its parts refer to it and it to them, a circle that would wait for a collection.

Called when the transport is gone and the last event was taken: nobody asks the parts of anything from then on, while
what the session itself says of its end may still be read. Not for: ending a session (``session.py``).
"""

from __future__ import annotations

from quantumgate.core.session import Session


def release(session: Session) -> None:
    """Takes the session out of its parts. Twice is once too many."""
    session.on_output = _nothing
    for part in (session.hands, session.outgoing, session.incoming, session.liveness, session.rekey):
        del part._session
    if session.links is not None:
        del session.links.session


def _nothing() -> None:
    return None
