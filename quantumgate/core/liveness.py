"""Whether the other side still lives: PING after silence, idle sessions closed, a stalled transport given up.

Spec: docs/spec/liveness.md. [A23] [A27] Any authentic record counts as life. Not for: reconnecting
(``net/backoff.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quantumgate.core.events import PATH_LOST, Pong
from quantumgate.wire import frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.limits import PING_GAP_SECONDS

if TYPE_CHECKING:
    from quantumgate.core.session import Session


class Liveness:
    """Timers of one session; all times are the caller's monotonic seconds."""

    __slots__ = (
        "_answer_by",
        "_asked",
        "_delayed_wait_seconds",
        "_idle_since",
        "_measuring",
        "_ping_at",
        "_sent_at",
        "_session",
        "_silence_seconds",
        "_token",
    )

    def __init__(self, session: Session, now: float) -> None:
        self._session = session
        self._token = 0
        self._sent_at = float("-inf")
        self._answer_by: float | None = None
        self._delayed_wait_seconds: float | None = None
        self._asked = self._measuring = False
        self._idle_since = now
        self._silence_seconds = session.random.uniform(*session.limits.ping_after_seconds)
        self._ping_at = now + self._silence_seconds

    @property
    def _wanted(self) -> bool:
        """Whether silence matters: somebody uses the session, wants it kept, or waits for its new keys."""
        session = self._session
        return session.in_use or session.keep or session.rekey.running

    def ping(self, now: float, wait_seconds: float, *, asked: bool) -> None:
        """Send PING; no record within ``wait_seconds`` means that the path is lost. ``asked`` = a Pong event is wanted.

        While one is under way another goes only to hear sooner, and never so often that the peer would take offence.
        """
        self._asked = self._asked or asked
        sooner = self._answer_by is None or now + wait_seconds < self._answer_by
        if self._measuring and not sooner:
            return
        self._session.timer_moved = True
        if now < self._sent_at + PING_GAP_SECONDS:
            delayed = self._delayed_wait_seconds
            self._delayed_wait_seconds = wait_seconds if delayed is None else min(delayed, wait_seconds)
            return
        self._delayed_wait_seconds = None
        self._token = (self._token + 1) % (1 << 64)
        self._sent_at, self._answer_by, self._measuring = now, now + wait_seconds, True
        self._session.outgoing.control(frames.frame(frames.PING, frames.U64.pack(self._token)))

    def pong(self, token: int, now: float) -> bool:
        """PONG came. Only the newest PING is measured; False = nobody asked for this one."""
        if not self._measuring or token != self._token:
            return False
        session = self._session
        session.rtt_seconds = now - self._sent_at
        self._measuring, self._answer_by = False, None
        if self._asked and self._delayed_wait_seconds is None:
            self._asked = False
            session.emit(Pong(session.rtt_seconds))
        return True

    def channel_ended(self, now: float) -> None:
        """The idle time is counted from the end of the last channel."""
        self._idle_since = now

    def deadline(self) -> float:
        """The next moment at which ``expire`` has something to look at."""
        if self._answer_by is not None:
            at = self._answer_by
        elif self._wanted:
            at = self._ping_at
        else:
            at = max(self._idle_since, self._session.last_data_at) + self._session.limits.idle_seconds
        return at if self._delayed_wait_seconds is None else min(at, self._sent_at + PING_GAP_SECONDS)

    def expire(self, now: float) -> None:
        """Look at the silence. May end the session."""
        session = self._session
        if self._delayed_wait_seconds is not None:
            wait_seconds, self._delayed_wait_seconds = self._delayed_wait_seconds, None
            self.ping(now, wait_seconds, asked=False)  # waits again where it is too early; goes where no answer is near
        if self._answer_by is not None:
            if now < self._answer_by:
                return
            if session.last_received_at <= self._sent_at:
                session.lost(f"path lost: no answer for {now - session.last_received_at:.0f} s", PATH_LOST)
                return
            self._answer_by = None  # an authentic record came meanwhile: alive, though the PONG is late
        if self._wanted:
            self._look_at_silence(now)
        elif now >= self.deadline():
            session.close(CloseCode.IDLE, "no channels", now)

    def _look_at_silence(self, now: float) -> None:
        if now < self._ping_at:
            return
        session = self._session
        silent_until = session.last_received_at + self._silence_seconds
        if silent_until <= now:
            self.ping(now, session.limits.ping_seconds, asked=False)
            self._silence_seconds = session.random.uniform(*session.limits.ping_after_seconds)
            silent_until = now + self._silence_seconds
        self._ping_at = silent_until
