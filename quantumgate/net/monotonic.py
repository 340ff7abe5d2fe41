"""The time that sessions live by: never set back, whatever happens to the wall clock.

Twisted's reactor tells wall-clock seconds, so a core fed with them would time out when NTP moves the clock. A fake
reactor (``task.Clock``) is its own time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from twisted.internet.base import ReactorBase
from twisted.internet.interfaces import IReactorTime


def seconds_of(reactor: IReactorTime) -> Callable[[], float]:
    """A callable of monotonic seconds that goes with this reactor."""
    if isinstance(reactor, ReactorBase):
        return time.monotonic
    fake: Callable[[], float] = reactor.seconds
    return fake
