"""What a relay has carried for each network of clients on its present day, over a restart: nobody's share begins anew.

A day that is over leaves no row. Not for: the shares themselves (``core/relay/quota.py``). Spec:
docs/spec/relays.md, 5.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from quantumgate import logs
from quantumgate.core.relay.quota import DAY_SECONDS, Quota
from quantumgate.net.prefix import LOCAL
from quantumgate.node.world import World
from quantumgate.store.interface import IStore
from quantumgate.store.tables import RELAY_ACCOUNTS, Row, Rows

_log = logs.named("relay")


class RelayAccounts:
    """One relay's, in its store."""

    def __init__(self, quota: Quota, store: IStore, world: World) -> None:
        self._quota, self._store, self._world = quota, store, world
        self._saved: Rows = {}

    def recall(self) -> Deferred[None]:
        """Adds what was carried before the start to what was carried since. Never fails: then the day begins anew."""
        return self._store.load(RELAY_ACCOUNTS).addCallbacks(self._take, self._complain)

    def _take(self, rows: Rows) -> None:
        now, wall = self._world.now(), self._world.wall_seconds()
        self._saved = rows
        for (client,), (began_at, moved_bytes) in rows.items():
            age_seconds = max(0.0, wall - began_at)  # of a clock that was set back: as if it began now
            if age_seconds < DAY_SECONDS:
                self._quota.restore(client, age_seconds, moved_bytes, now)
        self.save()

    def _complain(self, failure: Any) -> None:
        _log.error("what was carried for whom could not be read: {why}", why=failure.getErrorMessage())

    def save(self) -> None:
        """Puts what changed."""
        now, wall = self._world.now(), self._world.wall_seconds()
        found: Rows = {
            (client,): (int(wall - age_seconds), moved_bytes)
            for client, age_seconds, moved_bytes in self._quota.accounts(now) if client != LOCAL
        }
        changed: dict[Any, Row | None] = {
            key: row for key, row in found.items() if key not in self._saved or self._saved[key][1] != row[1]
        }
        self._store.put(RELAY_ACCOUNTS, changed | dict.fromkeys(self._saved.keys() - found.keys()))
        self._saved = found
