"""A relay's accounts over a restart: nobody's day begins anew, and a day that is over leaves no row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.relay.quota import DAY_SECONDS, Quota
from quantumgate.net.prefix import LOCAL
from quantumgate.node.relay_accounts import RelayAccounts
from quantumgate.store.memory import MemoryDatabase
from quantumgate.store.store import Store
from quantumgate.store.tables import RELAY_ACCOUNTS
from quantumgate.store.thread import Inline
from quantumgate.wire.limits import DEFAULT_LIMITS
from tests.node.circuits import CircuitCase
from tests.node.world import MEMORIES

WALL, CLIENT = 1_800_000_000.0, "192.0.2.0/24"


class AccountsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.database, self.clock, self.wall = MemoryDatabase(), Clock(), WALL

    def started(self) -> tuple[Quota, RelayAccounts]:
        """As after a restart: the core's time begins anew, unix time goes on."""
        self.wall, self.clock = self.wall + self.clock.seconds(), Clock()
        clock = self.clock
        world: Any = SimpleNamespace(now=clock.seconds, wall_seconds=lambda: self.wall + clock.seconds())
        quota = Quota(DEFAULT_LIMITS)
        accounts = RelayAccounts(quota, Store(self.database, Inline(), clock), world)
        self.successResultOf(accounts.recall())
        return quota, accounts

    def save(self, accounts: RelayAccounts) -> None:
        accounts.save()
        self.clock.advance(0)

    def rows(self) -> Any:
        return self.database.load(RELAY_ACCOUNTS, {})

    def test_over_a_restart(self) -> None:
        quota, accounts = self.started()
        quota.moved(CLIENT, 1000, 0.0)
        self.clock.advance(100)
        self.save(accounts)
        self.assertEqual(self.rows(), {(CLIENT,): (int(WALL), 1000)})
        self.clock.advance(3600)
        again, _ = self.started()
        self.assertEqual(again.accounts(0.0), [(CLIENT, 3700.0, 1000)])

    def test_a_day_that_is_over_leaves_nothing(self) -> None:
        quota, accounts = self.started()
        quota.moved(CLIENT, 1000, 0.0)
        self.save(accounts)
        self.clock.advance(DAY_SECONDS)
        again, _ = self.started()
        self.clock.advance(0)
        self.assertEqual((again.accounts(0.0), self.rows()), ([], {}))

    def test_only_what_changed_is_written(self) -> None:
        quota, accounts = self.started()
        quota.moved(CLIENT, 1000, 0.0)
        for _ in range(3):
            self.save(accounts)
            self.clock.advance(15)
        self.assertEqual(self.database.transactions, 1)

    def test_a_clock_that_was_set_back(self) -> None:
        quota, accounts = self.started()
        quota.moved(CLIENT, 1000, 0.0)
        self.save(accounts)
        self.wall -= 10 * DAY_SECONDS
        self.assertEqual(self.started()[0].accounts(0.0), [(CLIENT, 0.0, 1000)])

    def test_nobody_on_this_machine_is_written_down(self) -> None:
        quota, accounts = self.started()
        quota.moved(LOCAL, 1000, 0.0)
        self.save(accounts)
        self.assertEqual(self.rows(), {})


class RelayTests(CircuitCase):
    def test_a_relay_keeps_them_and_nobody_else(self) -> None:
        peer = self.connect(hops=2)
        gates = [self.gate_of(uuid) for uuid in peer.path]
        for node in (*gates, self.client, self.end):
            node.stopService()
        self.pass_time(60)
        rows = MEMORIES[gates[0].data_directory].load(RELAY_ACCOUNTS, {})
        self.assertTrue(rows and all(moved > 1000 for _, moved in rows.values()), rows)
        for node in (self.client, self.end):
            self.assertEqual(MEMORIES[node.data_directory].load(RELAY_ACCOUNTS, {}), {})
