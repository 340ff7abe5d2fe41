"""Levels, algorithms, limits: what a configuration comes to."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.access.attempts import PrefixLimit
from quantumgate.core.access.decision import CONFIGURATION
from quantumgate.core.access.rules import PeerRule
from quantumgate.errors import ConfigurationError
from quantumgate.ids import parse_peer_uuid
from quantumgate.settings.resolve import LEVEL_PRESETS, Resolved, resolve
from quantumgate.settings.schema import Listen, Settings
from quantumgate.settings.wording import checked
from quantumgate.wire.limits import DEFAULT_LIMITS

UUID_A = "b9a1d3a4-7c1e-8f00-9a1b-0c2d3e4f5a6b"
WAIVED = {"security": {"handshake_delay_seconds": 0}, "privacy": {"noise": "off"}}


def everything(ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(ids)


def resolved(**tables: dict[str, object]) -> Resolved:
    return resolve(checked(tables, Settings), "F", everything)


def at_level(level: str) -> Resolved:
    return resolved(security={"level": level, "handshake_delay_seconds": 0}, privacy={"noise": "off"})


class LevelTests(SynchronousTestCase):
    def test_one_is_the_defaults(self) -> None:
        self.assertEqual(resolved().limits, DEFAULT_LIMITS)
        self.assertEqual((resolved().padding, resolved().identity_kind), ("padme", "ed25519"))

    def test_each_level_is_at_least_as_strict_as_the_original(self) -> None:
        """The original's numbers (reference 1.10): handshake s, delay ms, re-key s, bytes, key update s."""
        original = {
            "one": (30, 0, 300, 1200, 4.2e9, 240), "two": (20, 3000, 300, 1200, 4.2e9, 240),
            "three": (20, 4500, 300, 600, 4.2e9, 120), "four": (20, 6000, 300, 600, 2.0e9, 120),
            "five": (20, 8000, 300, 600, 1.0e9, 120),
        }
        for level, (handshake, delay_ms, low, high, volume, stop) in original.items():
            limits, preset = at_level(level).limits, LEVEL_PRESETS[level]
            self.assertLessEqual(limits.handshake_seconds, handshake)
            self.assertGreaterEqual(preset.handshake_delay_seconds * 1000, delay_ms)
            self.assertLessEqual(limits.rekey_seconds[0], low)
            self.assertLessEqual(limits.rekey_seconds[1], high)
            self.assertLessEqual(limits.rekey_volume_bytes, volume)
            self.assertLessEqual(limits.rekey_stop_seconds, stop)
            self.assertEqual(preset.padding, "padme")
            self.assertEqual(preset.noise == "off", level == "one")

    def test_each_level_is_at_least_as_strict_as_the_one_before(self) -> None:
        levels = [at_level(level).limits for level in LEVEL_PRESETS]
        for before, after in pairwise(levels):
            for name in ("handshake_seconds", "rekey_seconds", "rekey_volume_bytes", "rekey_stop_seconds"):
                self.assertLessEqual(getattr(after, name), getattr(before, name))

    def test_private_levels_make_hybrid_identities(self) -> None:
        self.assertEqual([at_level(level).identity_kind for level in ("three", "four", "five")],
                         ["ed25519", "ed25519+mldsa65", "ed25519+mldsa65"])

    def test_private_levels_keep_second_hops_unless_told_otherwise(self) -> None:
        self.assertEqual([at_level(level).middle_guards for level in ("three", "four", "five")], [False, True, True])
        for wanted in (True, False):
            self.assertEqual(resolved(privacy={"middle_guards": wanted}).middle_guards, wanted)
            self.assertEqual(resolved(security={"level": "five", "handshake_delay_seconds": 0},
                                      privacy={"noise": "off", "middle_guards": wanted}).middle_guards, wanted)

    def test_a_number_below_the_level_wins(self) -> None:
        limits = resolved(security={"level": "five", "handshake_delay_seconds": 0, "rekey_stop_seconds": 60},
                          privacy={"noise": "off", "padding": "off"})
        self.assertEqual(limits.limits.rekey_stop_seconds, 60)
        self.assertEqual(limits.limits.rekey_volume_bytes, 1_000_000_000)
        self.assertEqual(limits.padding, "off")

    def test_waiving_one_part_is_not_enough(self) -> None:
        error = self.assertRaises(ConfigurationError, resolved, security={"level": "two"}, privacy={"noise": "off"})
        self.assertIn("expected security.handshake_delay_seconds = 0 beside this level", str(error))

    def test_custom(self) -> None:
        limits = resolved(security={"level": "custom", "handshake_seconds": 5, "handshake_delay_seconds": 0,
                                    "rekey_seconds": [60, 120], "rekey_volume_bytes": 335_544_320,
                                    "rekey_stop_seconds": 30},
                          privacy={"padding": "off", "noise": "off"})
        self.assertEqual(limits.limits.rekey_seconds, (60, 120))
        self.assertEqual(limits.padding, "off")


class LimitTests(SynchronousTestCase):
    def test_by_name(self) -> None:
        limits = resolved(limits={"sessions": 10, "dead_seconds": [1, 2], "cpu_share": 1}).limits
        self.assertEqual((limits.sessions, limits.dead_seconds, limits.cpu_share), (10, (1, 2), 1))

    def test_a_number_of_the_level_by_its_name_as_a_limit(self) -> None:
        self.assertEqual(resolved(limits={"rekey_seconds": [1, 1]}).limits.rekey_seconds, (1, 1))


class AlgorithmTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        found = resolved()
        self.assertEqual((found.primaries, found.aeads), ((1, 2, 3), (1, 2)))
        self.assertEqual(found.secondaries[:2], (1, 2))
        self.assertTrue(found.compression)
        self.assertEqual(found.minimum_primaries, frozenset({1, 2, 3}))

    def test_names_and_numbers_in_order(self) -> None:
        found = resolved(algorithms={"primary": ["X448", 1], "secondary": ["ml-kem-1024"], "symmetric": [2],
                                     "compression": [], "minimum": {"primary": ["X448"]}})
        self.assertEqual((found.primaries, found.secondaries, found.aeads), ((2, 1), (2,), (2,)))
        self.assertEqual((found.minimum_primaries, found.minimum_secondaries), (frozenset({2}), frozenset({2})))
        self.assertFalse(found.compression)

    def test_defaults_hold_what_is_installed_only(self) -> None:
        found = resolve(Settings(), "F", lambda ids: tuple(id_ for id_ in ids if id_ < 16))
        self.assertEqual(found.secondaries, (1, 2))


class RelayTests(SynchronousTestCase):
    def test_anchors_bring_links(self) -> None:
        """Who takes none would hand out an address that leads nowhere; a relay takes them in any case."""
        relay = {"anchors": [f"qg://{UUID_A}@192.0.2.1:9999"], "accept_relayed": False}
        error = self.assertRaises(ConfigurationError, resolved, relay=relay)
        self.assertEqual(str(error),
                         "F: relay.accept_relayed: expected true where relay.anchors names any, found false")
        self.assertFalse(resolved(relay=relay, node={"relay": True}).settings.relay.accept_relayed)
        self.assertFalse(resolved(relay={"accept_relayed": False}).settings.relay.accept_relayed)


class PeerTests(SynchronousTestCase):
    def test_lists(self) -> None:
        found = resolved(access={"allow": [UUID_A]}, node={"listen": ["tcp:1", {"endpoint": "tcp:2", "lan": True}]})
        self.assertEqual(found.rules, (PeerRule(parse_peer_uuid(UUID_A), "allow", made_by=CONFIGURATION),))
        self.assertEqual(found.listen, (Listen(endpoint="tcp:1"), Listen(endpoint="tcp:2", lan=True)))

    def test_rules_about_some_things_only(self) -> None:
        found = resolved(access={"allow": [{"peer": UUID_A, "only": ["echo", "relay"]}],
                                 "deny": [{"peer": UUID_A, "only": ["files"]}]})
        peer = parse_peer_uuid(UUID_A)
        self.assertEqual(found.rules, (
            PeerRule(peer, "allow", "echo", CONFIGURATION), PeerRule(peer, "allow", "relay", CONFIGURATION),
            PeerRule(peer, "deny", "files", CONFIGURATION)))

    def test_networks_and_limits_per_prefix(self) -> None:
        found = resolved(access={
            "allow_from": ["192.0.2.0/24"], "block": ["::ffff:192.0.2.0/121", "2001:db8::/32"],
            "limits": [{"prefix": "ipv4/24", "connections": 5}, {"prefix": "ipv6/48", "attempts": 7, "links": 8}]})
        self.assertEqual([(str(one.network), one.block, one.made_by) for one in found.filters],
                         [("192.0.2.0/24", False, CONFIGURATION), ("192.0.2.0/25", True, CONFIGURATION),
                          ("2001:db8::/32", True, CONFIGURATION)])
        self.assertEqual(found.prefix_limits, (PrefixLimit(4, 24, 5, made_by=CONFIGURATION),
                                               PrefixLimit(6, 48, 0, 7, 8, CONFIGURATION)))

    def test_what_can_be_kept_connected(self) -> None:
        targets = [UUID_A, f"qg://{UUID_A}@127.0.0.1:9999", f"qg://{UUID_A}", "tcp:127.0.0.1:9999", "unix:/run/x.sock"]
        self.assertEqual(list(resolved(node={"connect": targets}).settings.node.connect), targets)
