"""What a guest's method returned, as a Deferred: nothing, a Deferred, a coroutine (``async def``) or another awaitable.

Not for: calling the method (``lifecycle.py`` contains calls).
"""

from __future__ import annotations

import asyncio
from inspect import isawaitable, iscoroutine, isgenerator
from typing import Any

from twisted.internet.defer import Deferred


def as_deferred(result: Any) -> Deferred[Any] | None:
    """None where nothing is to be waited for. A coroutine begins to run here. Raises TypeError for a bare generator."""
    if result is None:
        return None
    if isinstance(result, Deferred):
        return result
    if iscoroutine(result):
        return Deferred.fromCoroutine(result)
    if isinstance(result, asyncio.Future):
        return Deferred.fromFuture(result)
    if isgenerator(result):
        raise TypeError("a generator was returned: decorate the method with inlineCallbacks, or make it async def")
    if isawaitable(result):
        return Deferred.fromCoroutine(_awaited(result))
    return None


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
