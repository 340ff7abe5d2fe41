"""One guest: made, started, called, stopped, and contained. What it raises stops here, is logged and counted.

A guest that fails to start is ``failed``; one that fails too often while it runs is ``quarantined``: its channels are
reset with GUEST_FAILED and its ``stop`` is called. Both can be started again by hand, with a fresh instance.
Not for: what peers bring (``reception.py``), or what the guest sees of the node (``guesthost.py``).
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from twisted.internet import defer
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from quantumgate.errors import (
    ChannelReset,
    ConnectFailed,
    LimitError,
    LocalError,
    PeerAbsent,
    QuantumGateError,
    SessionClosed,
)
from quantumgate.extender.answers import as_deferred
from quantumgate.extender.doors import Landlord
from quantumgate.extender.endings import failed
from quantumgate.extender.faults import Fault, FaultCount, described
from quantumgate.extender.guesthost import GuestHost
from quantumgate.extender.registry import Registration, interface_problems
from quantumgate.interfaces import IExtender
from quantumgate.wire.codes import ResetCode

START_SECONDS = 30.0
STOP_SECONDS = 10.0
OF_OTHERS = (ChannelReset, ConnectFailed, LimitError, PeerAbsent, SessionClosed)
"""What a guest gets to hear because a peer left, reset, does not read or cannot be reached. [ADR 0190]"""


log = Logger()


class State(StrEnum):
    """Where a guest stands; the words that ``qgate extenders`` prints."""

    NOT_ENABLED = "not enabled"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    QUARANTINED = "quarantined"


@dataclass(frozen=True)
class ExtenderRow:
    """One row of ``qgate extenders``. ``uuid`` is empty for one that was never loaded."""

    name: str
    uuid: str
    version: str
    summary: str
    state: str
    reason: str
    distribution: str
    failures: int = 0
    peers: int = 0
    streams: int = 0
    status: dict[str, Any] = field(default_factory=dict)


class Guest:
    """``changed`` is called whenever the guest began or ceased to run."""

    def __init__(
        self,
        registration: Registration,
        landlord: Landlord,
        store: MutableMapping[str, bytes],
        changed: Callable[[Guest], None],
        faults: FaultCount | None = None,
    ) -> None:
        self.registration = registration
        self.state = State.NOT_ENABLED
        self.reason = ""
        self.faults = faults or FaultCount()
        self.instance: Any = None
        self.host: GuestHost | None = None
        self._landlord, self._store, self._changed = landlord, store, changed
        self._clock: IReactorTime = landlord.clock
        self._starting: Deferred[None] | None = None
        self._stop_waiters: list[Deferred[None]] = []
        if registration.problem:
            self.state, self.reason = State.FAILED, registration.problem
        elif registration.enabled:
            self.state = State.STOPPED

    @property
    def name(self) -> str:
        return self.registration.name

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    def admits(self, peer: Any) -> bool:
        """Whether the node's rules let this peer use it."""
        uuid = self.registration.uuid
        return uuid is not None and self._landlord.admits(peer, uuid)

    def row(self) -> ExtenderRow:
        """A snapshot for operators."""
        row, presences = self.registration, list(self.host.presences()) if self.host else []
        return ExtenderRow(
            name=row.name,
            uuid=str(row.uuid or ""),
            version=row.version,
            summary=row.summary,
            state=str(self.state),
            reason=self.reason,
            distribution=row.distribution,
            failures=self.faults.total,
            peers=len(presences),
            streams=sum(presence.stream_count for presence in presences),
            status=self._status(),
        )

    def _status(self) -> dict[str, Any]:
        """What the guest says of itself, copied in plain values; where it cannot, why. Asking quarantines nobody."""
        said = getattr(self.instance, "status", None) if self.running else None
        if not callable(said):
            return {}
        try:
            return msgspec.json.decode(msgspec.json.encode(said()), type=dict[str, Any])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return {"error": described(error)}

    # -- start and stop ------------------------------------------------------------------------------------------------

    def start(self) -> Deferred[None]:
        """Never fails: what went wrong is in ``state`` and ``reason``."""
        if self.registration.maker is None or self.state in (State.STARTING, State.RUNNING, State.STOPPING):
            return succeed(None)
        self.state, self.reason = State.STARTING, ""
        self.faults.forgive()
        host = self.host = GuestHost(self.registration, self._landlord, self._store, self.fault)
        self._starting = self._timed(self._made_and_started, host, START_SECONDS)
        return self._starting.addCallbacks(
            self._started, self._start_failed, callbackArgs=(host,), errbackArgs=(host,)
        )

    def stop(self) -> Deferred[None]:
        """Never fails. The guest's ``stop`` is called while its host still sends; then everything of it ends."""
        if self.state is State.STOPPING:
            stopped: Deferred[None] = Deferred()
            self._stop_waiters.append(stopped)
            return stopped
        if self.state not in (State.STARTING, State.RUNNING):
            return succeed(None)
        return self._leave(State.STOPPED, "", None)

    def _made_and_started(self, host: GuestHost) -> Any:
        registration = self.registration
        instance = registration.maker.make(registration.settings)
        if problems := interface_problems(IExtender, instance):
            raise TypeError("not an extender: " + "; ".join(problems))
        self.instance = instance
        return instance.start(host)

    def _started(self, _: Any, host: GuestHost) -> None:
        if self.host is host and self.state is State.STARTING:
            self.state = State.RUNNING
            log.info("extender {name} {version} runs", name=self.name, version=self.registration.version)
            self._changed(self)

    def _start_failed(self, failure: Failure, host: GuestHost) -> None:
        if self.host is not host or self.state is not State.STARTING:
            return
        where = "start" if self.instance is not None else "make"
        if isinstance(failure.value, defer.TimeoutError):
            failure = failed(defer.TimeoutError(f"not finished after {START_SECONDS:g} seconds"))
        self.state = State.FAILED
        self._note(where, failure)
        self._close(LocalError(f"the extender {self.name} failed to start"), ResetCode.GUEST_FAILED)

    def _leave(self, state: State, reason: str, reset_code: int | None) -> Deferred[None]:
        """Out of service at once, then the guest's ``stop``, then the end of all it had."""
        starting, self._starting = self._starting, None
        self.state, self.reason = State.STOPPING, reason
        if starting is not None and not starting.called:
            starting.cancel()
        self._changed(self)
        stop = getattr(self.instance, "stop", _nothing)
        stopped = self._timed(lambda _: stop(), None, STOP_SECONDS)
        stopped.addErrback(lambda failure: self._note("stop", failure) and None)
        return stopped.addCallback(self._stopped, state, reason, reset_code)

    def _stopped(self, _: Any, state: State, reason: str, reset_code: int | None) -> None:
        self.state, self.reason = state, reason or self.reason
        self._close(LocalError(f"the extender {self.name} is stopped"), reset_code)
        log.info("extender {name}: {state}", name=self.name, state=str(state))
        waiters, self._stop_waiters = self._stop_waiters, []
        for waiter in waiters:
            waiter.callback(None)

    def _close(self, reason: QuantumGateError, reset_code: int | None) -> None:
        host, self.host, self.instance = self.host, None, None
        if host is not None:
            host.close(reason, reset_code)

    def _timed(self, function: Callable[[Any], Any], argument: Any, seconds: float) -> Deferred[Any]:
        """What ``function`` returned, as a Deferred that fires within a time limit."""
        try:
            deferred = as_deferred(function(argument))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            deferred = Deferred()
            deferred.errback(failed(error))
        if deferred is None:
            return succeed(None)
        return deferred.addTimeout(seconds, self._clock)

    # -- faults --------------------------------------------------------------------------------------------------------

    def fault(self, where: str, error: BaseException) -> None:
        """The guest raised: its own fault, and too many of them end its service. But what others did to it is not."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, OF_OTHERS):
            return  # not even a line in the log, for a peer could write thousands
        if self._note(where, failed(error)) and self.state is State.RUNNING:
            self._quarantine()

    def _quarantine(self) -> None:
        """No message reaches the guest any more; the rest follows in a turn in which none of its calls is under way."""
        assert self.host is not None
        self.state = State.STOPPING
        for presence in self.host.presences():
            presence.silence(ResetCode.GUEST_FAILED)
        reason = f"failed {self.faults.most} times within {self.faults.span_seconds:g} seconds, last: {self.reason}"
        log.error("extender {name} is quarantined: {reason}", name=self.name, reason=reason)
        self._clock.callLater(0, self._leave, State.QUARANTINED, reason, ResetCode.GUEST_FAILED)

    def _note(self, where: str, failure: Failure) -> bool:
        error = failure.value or Exception("unknown")
        fault = Fault(self._clock.seconds(), where, described(error))
        self.reason = str(fault)
        log.failure("extender {name} raised in {where}", failure=failure, name=self.name, where=where)
        return self.faults.add(fault)

    def call(self, where: str, function: Callable[..., Any], *arguments: Any) -> None:
        """A guest's method, contained, and the Deferred or coroutine that it returned. For rare calls."""
        try:
            deferred = as_deferred(function(*arguments))
        except BaseException as error:
            self.fault(where, error)
            return
        if deferred is not None:
            deferred.addErrback(self._call_failed, where)

    def _call_failed(self, failure: Failure, where: str) -> None:
        self.fault(where, failure.value or Exception("unknown"))


def _nothing() -> None:
    """The stop of a guest that was never made."""
