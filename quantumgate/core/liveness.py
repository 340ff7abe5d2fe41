"""Whether the other side still lives: PING after silence, idle sessions closed, a stalled transport given up.

Spec: docs/spec/session.md, 3. [A23] [A27] Any authentic record counts as life. Not for: reconnecting (``net/backoff.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantumgate.core.events import Pong
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode

if TYPE_CHECKING:
    from quantumgate.core.session import Session


class Liveness:
    """Timers of one session; all times are the caller's monotonic seconds."""

    __slots__ = ("_asked", "_idle_since", "_ping_at", "_pinged_at", "_session", "_silence_seconds", "_token", "_wait_seconds")

    def __init__(self, session: Session, now: float) -> None:
        self._session = session
        self._token = 0
        self._pinged_at: float | None = None
        self._wait_seconds = 0.0
        self._asked = False
        self._idle_since = now
        self._silence_seconds = session.random.uniform(*session.limits.ping_after_seconds)
        self._ping_at = now + self._silence_seconds

    @property
    def _wanted(self) -> bool:
        """Whether silence matters: somebody uses the session or wants it kept."""
        return bool(self._session.channels) or self._session.keep

    def ping(self, now: float, wait_seconds: float, *, asked: bool) -> None:
        """Send PING; no answer or record within ``wait_seconds`` means that the path is lost."""
        self._asked = self._asked or asked
        if self._pinged_at is None or wait_seconds < self._wait_seconds:
            self._token = (self._token + 1) % (1 << 64)
            self._pinged_at, self._wait_seconds = now, wait_seconds
            self._session.outgoing.control(frames.frame(frames.PING, frames.U64.pack(self._token)))

    def pong(self, token: int, now: float) -> None:
        """PONG came. Only the newest PING is measured; an older or unknown token says nothing."""
        if self._pinged_at is None or token != self._token:
            return
        session = self._session
        session.rtt_seconds = now - self._pinged_at
        self._pinged_at = None
        if self._asked:
            self._asked = False
            session.emit(Pong(session.rtt_seconds))

    def channel_ended(self, now: float) -> None:
        """The idle time is counted from the end of the last channel."""
        self._idle_since = now

    def deadline(self) -> float:
        """The next moment at which ``expire`` has something to look at."""
        if self._pinged_at is not None:
            return self._pinged_at + self._wait_seconds
        if self._wanted:
            return self._ping_at
        return max(self._idle_since, self._session.last_data_at) + self._session.limits.idle_seconds

    def expire(self, now: float) -> None:
        """Look at the silence. May end the session."""
        session = self._session
        if self._pinged_at is not None:
            if now >= self._pinged_at + self._wait_seconds:
                if session.last_received_at > self._pinged_at:
                    self._pinged_at = None  # an authentic record came meanwhile: alive, though the PONG is late
                else:
                    session.lost(f"no answer for {now - session.last_received_at:.0f} s")
            return
        if not self._wanted:
            if now >= self.deadline():
                session.close(CloseCode.IDLE, "no channels", now)
            return
        if now < self._ping_at:
            return
        silent_until = session.last_received_at + self._silence_seconds
        if silent_until <= now:
            self.ping(now, session.limits.ping_seconds, asked=False)
            self._silence_seconds = session.random.uniform(*session.limits.ping_after_seconds)
            silent_until = now + self._silence_seconds
        self._ping_at = silent_until
