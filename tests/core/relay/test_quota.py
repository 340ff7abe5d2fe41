"""Where a relay opens no socket, and when it says that it is enough."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.places import may_lead_to
from quantumgate.core.relay.quota import DAY_SECONDS, PREFIXES_KEPT, Quota
from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import DEFAULT_LIMITS

NEVER = (
    "127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1",
    "224.0.0.1", "239.1.2.3", "ff02::1", "240.0.0.1", "255.255.255.255", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:a00:1::1", "2001:0:1::1", "::10.0.0.1",
    "2001:db8::1", "localhost", "", "0x7f.1", "0177.0.0.1", "1.1", "2130706433", "８.８.８.８",
)  # fmt: skip


class AddressTests(SynchronousTestCase):
    def test_nowhere(self) -> None:
        for host in NEVER:
            self.assertFalse(may_lead_to(host, 9999, allow_private=False), host)

    def test_the_open_internet(self) -> None:
        for host in ("1.1.1.1", "45.33.32.1", "2606:4700::1111", "::ffff:1.1.1.1"):
            self.assertTrue(may_lead_to(host, 9999, allow_private=False), host)

    def test_ports_of_other_services(self) -> None:
        found = [may_lead_to("1.1.1.1", port, allow_private=False) for port in (0, 22, 1023, 1024, 65535, 65536)]
        self.assertEqual(found, [False, False, False, True, True, False])

    def test_ports_that_a_record_names(self) -> None:
        """And nothing else that it names: who wrote it may have put anything there."""
        found = [may_lead_to("1.1.1.1", port, allow_private=False, signed=True) for port in (0, 22, 443, 65535, 65536)]
        self.assertEqual(found, [False, True, True, True, False])
        for host in NEVER:
            self.assertFalse(may_lead_to(host, 443, allow_private=False, signed=True), host)
        self.assertFalse(may_lead_to("1.1.1.1", 443, allow_private=False, own=frozenset({"1.1.1.1"}), signed=True))

    def test_our_own_addresses(self) -> None:
        own = frozenset({"45.33.32.1"})
        self.assertFalse(may_lead_to("45.33.32.1", 9999, allow_private=False, own=own))
        self.assertFalse(may_lead_to("::ffff:45.33.32.1", 9999, allow_private=False, own=own))

    def test_a_network_of_ones_own(self) -> None:
        for host in ("127.0.0.1", "::1", "10.0.0.1", "fd12::1"):
            self.assertTrue(may_lead_to(host, 80, allow_private=True), host)
        for host in ("224.0.0.1", "0.0.0.0", "64:ff9b::a00:1", "localhost"):
            self.assertFalse(may_lead_to(host, 9999, allow_private=True), host)


class QuotaTests(SynchronousTestCase):
    def test_links_of_a_prefix(self) -> None:
        quota = Quota(DEFAULT_LIMITS)
        codes = [quota.refusal("4:1/24", 0.0, exempt=False) for _ in range(10)]
        self.assertEqual(codes, [None] * 8 + [LinkCode.LIMIT] * 2)
        self.assertIsNone(quota.refusal("4:2/24", 0.0, exempt=False))
        self.assertIsNone(quota.refusal("4:1/24", 7.6, exempt=False))
        self.assertEqual(quota.refused["links_prefix_rate"], 2)

    def test_loopback_is_exempt_from_prefixes_not_from_the_node(self) -> None:
        quota = Quota(replace(DEFAULT_LIMITS, links_node=20))
        codes = [quota.refusal("local", 0.0, exempt=True) for _ in range(21)]
        self.assertEqual(codes, [None] * 20 + [LinkCode.RELAY_LIMIT])
        quota.ended("local", 5, 0.0)
        self.assertIsNone(quota.refusal("local", 0.0, exempt=True))

    def test_volume_of_a_day(self) -> None:
        quota = Quota(DEFAULT_LIMITS)
        quota.refusal("a", 0.0, exempt=False)
        quota.ended("a", DEFAULT_LIMITS.link_volume_prefix_bytes, 1.0)
        self.assertEqual(quota.refusal("a", 100.0, exempt=False), LinkCode.LIMIT)
        self.assertIsNone(quota.refusal("a", DAY_SECONDS + 1, exempt=False))

    def test_links_that_stand_count_too(self) -> None:
        quota, most = Quota(DEFAULT_LIMITS), DEFAULT_LIMITS.link_volume_prefix_bytes
        quota.refusal("a", 0.0, exempt=False)
        self.assertEqual([quota.moved("a", most // 2, 1.0) for _ in range(2)], [False, True])
        self.assertEqual(quota.refusal("a", 2.0, exempt=False), LinkCode.LIMIT)
        self.assertFalse(quota.moved("a", 0, DAY_SECONDS + 1))

    def test_new_addresses(self) -> None:
        quota = Quota(DEFAULT_LIMITS)
        self.assertEqual([quota.new_address("a", 0.0) for _ in range(9)], [True] * 8 + [False])
        self.assertTrue(quota.new_address("a", 1.1))

    def test_prefixes_are_forgotten_oldest_first(self) -> None:
        quota = Quota(replace(DEFAULT_LIMITS, links_node=100_000))
        for number in range(PREFIXES_KEPT + 100):
            quota.refusal(str(number), 0.0, exempt=False)
        self.assertEqual(len(quota._clients), PREFIXES_KEPT)
        self.assertNotIn("0", quota._clients)

class AccountTests(SynchronousTestCase):
    """What a client has had today, for whoever keeps it over a restart."""

    def test_there_and_back(self) -> None:
        before, after = Quota(DEFAULT_LIMITS), Quota(DEFAULT_LIMITS)
        before.moved("192.0.2.0/24", 1000, 0.0)
        before.moved("198.51.100.0/24", 0, 0.0)
        ((client, age_seconds, moved_bytes),) = before.accounts(50.0)
        self.assertEqual((client, age_seconds, moved_bytes), ("192.0.2.0/24", 50.0, 1000))
        after.restore(client, age_seconds, moved_bytes, 7.0)
        self.assertEqual(after.accounts(8.0), [("192.0.2.0/24", 51.0, 1000)])

    def test_who_has_used_up_its_day_has_still(self) -> None:
        quota = Quota(replace(DEFAULT_LIMITS, link_volume_prefix_bytes=1000))
        quota.restore("192.0.2.0/24", DAY_SECONDS - 10, 1000, 0.0)
        self.assertEqual(quota.refusal("192.0.2.0/24", 5.0, exempt=False), LinkCode.LIMIT)
        self.assertIsNone(quota.refusal("192.0.2.0/24", 15.0, exempt=False))

    def test_what_came_before_the_account_was_known_counts_too(self) -> None:
        quota = Quota(DEFAULT_LIMITS)
        quota.moved("192.0.2.0/24", 5, 10.0)
        quota.restore("192.0.2.0/24", 100.0, 7, 11.0)
        self.assertEqual(quota.accounts(11.0), [("192.0.2.0/24", 100.0, 12)])

    def test_a_day_that_is_over_is_none(self) -> None:
        quota = Quota(DEFAULT_LIMITS)
        quota.moved("192.0.2.0/24", 5, 0.0)
        self.assertEqual(quota.accounts(DAY_SECONDS), [])
