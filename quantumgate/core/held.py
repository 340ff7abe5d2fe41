"""How much memory one connection holds for its peer: what waits to be sent, to be taken, and to be whole.

Asked now and then, so that no byte pays for it: the counts of credit and of queues are there anyway. Not for: what to
do about it (``node/memory.py``). Spec: docs/spec/overload.md section 6.
"""

from __future__ import annotations

from quantumgate.core.connection import Connection
from quantumgate.core.session import Session


def held_bytes(connection: Connection) -> int:
    """Bytes of payload, and of buffers with records under way; the objects around them are not counted."""
    session = connection.session
    return connection.buffered_bytes + (0 if session is None else _held_by_session(session))


def _held_by_session(session: Session) -> int:
    held = session.queued_bytes
    for channel in session.channels.values():
        held += channel.kept_bytes
    if session.links is not None:
        for link in session.links.by_id.values():
            held += link.received_bytes - link.consumed_bytes + link.queued_bytes
    return held
