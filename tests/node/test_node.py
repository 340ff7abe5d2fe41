"""Two and more nodes in memory: connect, admit, refuse, keep, lose and find one another again, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.internet.defer import CancelledError

from quantumgate.crypto.identity import Identity
from quantumgate.errors import ConfigurationError, ConnectFailed, LocalError
from quantumgate.extender.api import Extender, maker
from quantumgate.net.protocol import UNSLOWED_BYTES
from quantumgate.node.data_directory import IDENTITY_FILE, STATE_FILE, DirectoryInUse
from quantumgate.node.node import Node
from quantumgate.node.state_file import StateFileError
from quantumgate.settings.schema import AlgorithmsTable, Listen
from tests.node.world import NodeCase, as_json, node_settings

HOME, AWAY = "192.0.2.1", "198.51.100.1"


class Watcher(Extender):
    """Writes down who comes and goes, and answers each message with itself."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        Watcher.made.append(self)

    made: list[Watcher] = []

    def peer_arrived(self, peer: Any) -> None:
        self.seen.append(("arrived", peer.uuid))

    def peer_left(self, peer: Any, reason: str) -> None:
        self.seen.append(("left", peer.uuid))

    def message_received(self, peer: Any, message: bytes) -> None:
        self.seen.append(("message", message))


watcher = maker(Watcher, name="watcher", uuid="5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12", anonymous=True)


class ConnectTests(NodeCase):
    def test_both_sides_see_an_authenticated_peer_and_how_it_is_protected(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        peer = self.done(left.connect(self.address(right, AWAY)))
        self.assertEqual(peer.uuid, right.uuid)
        for node, other, direction in ((left, right, "outbound"), (right, left, "inbound")):
            (report,) = as_json(node.peers_snapshot())
            self.assertEqual((report["uuid"], report["direction"]), (str(other.uuid), direction))
            self.assertTrue(report["authenticated"])
            self.assertEqual(report["fingerprint"], other.status().fingerprint)
            self.assertEqual(
                report["algorithms"],
                {"primary": "X25519", "secondary": "ML-KEM-768", "symmetric": "AES-256-GCM", "hash": "SHA-512",
                 "compression": "lz4", "signature": "ed25519"},
            )
        self.assertEqual(self.errors(), [])

    def test_other_algorithms_and_hybrid_identities(self) -> None:
        algorithms = AlgorithmsTable(
            primary=("X448",), secondary=("ML-KEM-1024",), symmetric=("ChaCha20-Poly1305",), compression=()
        )
        left = self.node(HOME, listen=(), algorithms=algorithms)
        right = self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        (report,) = as_json(right.peers_snapshot())
        self.assertEqual(
            [report["algorithms"][name] for name in ("primary", "secondary", "symmetric", "compression")],
            ["X448", "ML-KEM-1024", "ChaCha20-Poly1305", "none"],
        )

    def test_connecting_twice_gives_the_same_peer(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        first = left.connect(self.address(right, AWAY))
        second = left.connect(self.address(right, AWAY))
        third = self.done(left.connect(str(right.uuid))) if first.called else None
        self.assertIs(self.done(first), self.done(second))
        self.assertIs(self.done(left.connect(str(right.uuid))), third or self.done(left.connect(str(right.uuid))))
        self.assertEqual((len(left.peers), len(right.peers)), (1, 1))

    def test_several_hosts_are_raced_and_the_losers_closed(self) -> None:
        left = self.node(HOME, listen=())
        right = self.node(AWAY, default_access="allow", listen=("tcp:1", "tcp:2", "tcp:3"))
        address = f"qg://{right.uuid}@203.0.113.9:1,{AWAY}:1,{AWAY}:2,{AWAY}:3"
        self.network.part([HOME], ["203.0.113.9"])
        self.done(left.connect(address), 5)
        self.assertEqual((len(left.peers), len(right.peers)), (1, 1))
        self.assertEqual(len(right._parts.desk.contacts), 1)

    def test_both_dial_at_the_same_moment_and_one_session_stays(self) -> None:
        left, right = self.node(HOME, default_access="allow"), self.node(AWAY, default_access="allow")
        one, other = left.connect(self.address(right, AWAY)), right.connect(self.address(left, HOME))
        self.pass_time(12)
        self.successResultOf(one)
        self.successResultOf(other)
        self.assertEqual((len(left._parts.desk.contacts), len(right._parts.desk.contacts)), (1, 1))
        smaller = min(left, right, key=lambda node: node.uuid)
        self.assertEqual(smaller.peers[0].direction, "outbound")

    def test_ping(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        report = self.done(left.ping(self.address(right, AWAY)))
        self.assertEqual((report.uuid, report.relayed), (str(right.uuid), False))
        self.assertGreaterEqual(report.rtt_seconds, 0)
        self.done(left.ping(str(right.uuid)), 1)

    def test_disconnect_ends_it_on_both_sides_and_it_stays_ended(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        self.done(left.disconnect(right.uuid))
        self.pass_time(300)
        self.assertEqual((left.peers, right.peers), ((), ()))
        self.failed(left.disconnect(right.uuid), LocalError)

    def test_a_dial_can_be_cancelled(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.network.part([HOME], [AWAY])
        dial = left.connect(self.address(right, AWAY))
        dial.cancel()
        self.failed(dial, CancelledError)
        self.network.heal()
        self.pass_time(60)
        self.assertEqual(right.peers, ())


class RefusedTests(NodeCase):
    def test_own_address_is_me(self) -> None:
        node = self.node()
        error = self.failed(node.connect(self.address(node)), ConnectFailed)
        self.assertEqual((error.reason, str(error)), ("self", "this is me"))

    def test_own_listener_by_endpoint_is_me_too(self) -> None:
        node = self.node()
        error = self.failed(node.connect("tcp:127.0.0.1:9999"), ConnectFailed)
        self.assertEqual(error.reason, "self")

    def test_without_permission_the_dialler_is_told_and_no_guest_sees_it(self) -> None:
        Watcher.made.clear()
        left, right = self.node(HOME, watcher, listen=()), self.node(AWAY, watcher)
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual((error.reason, str(error)), ("access-denied", f"{AWAY}:9999 does not admit this identity"))
        self.assertEqual([guest.seen for guest in Watcher.made], [[], []])
        self.assertEqual(sum("access denied" in line for line in self.lines("warn")), 2)
        self.assertEqual((left.peers, right.peers), ((), ()))

    def test_wrong_uuid_gets_not_a_byte(self) -> None:
        left, right, third = self.node(HOME, listen=()), self.node(AWAY, default_access="allow"), self.node("192.0.2.9")
        dial = left.connect(self.address(third, AWAY))
        self.pass_time(9.9)
        self.assertNoResult(dial)
        answering = self.network.connections[0][1]
        self.assertEqual((answering.received_bytes > 64, answering.sent_bytes), (True, 0))
        error = self.failed(dial, ConnectFailed, 0.2)
        sentence = (f"no answer from {AWAY}:9999: it may be off, not QuantumGate, or not recognise us: "
                    "check UUID, shared secret, network name, and this clock")
        self.assertEqual((error.reason, str(error)), ("no-answer", sentence))
        self.assertEqual(right._parts.intake.drained, 0)

    def test_another_network_or_shared_secret_is_silence(self) -> None:
        secret = Path(self.mktemp())
        secret.write_bytes(b"s" * 32)
        secret.chmod(0o600)
        for number, difference in enumerate(({"network": "Other"}, {"shared_secret_file": str(secret)})):
            place = f"198.51.100.{number + 1}"
            left, right = self.node(HOME, listen=(), **difference), self.node(place, default_access="allow")
            error = self.failed(left.connect(self.address(right, place)), ConnectFailed, 11)
            self.assertEqual(error.reason, "no-answer")

    def test_nobody_there(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY)
        error = self.failed(left.connect(self.address(right, AWAY, 77)), ConnectFailed, 1)
        self.assertEqual((error.reason, "refused the connection" in str(error)), ("unreachable", True))
        self.network.part([HOME], [AWAY])
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed, 11)
        self.assertEqual(error.reason, "no-answer")

    def test_words_that_are_no_address(self) -> None:
        node = self.node()
        for text in ("qg://nobody@host:1", "udp:host:1", "nonsense"):
            self.assertEqual(self.failed(node.connect(text), ConnectFailed).reason, "bad-address", text)
        stranger = self.node("192.0.2.9", listen=())
        unknown = self.failed(node.connect(str(stranger.uuid)), ConnectFailed)
        self.assertEqual((unknown.reason, str(unknown)), ("no-address", f"no address is known for {stranger.uuid}"))
        self.assertIn("qg://UUID@host:port", unknown.advice)
        self.assertIn("qgate connect", unknown.advice)
        error = self.failed(node.connect(self.address(stranger), hops=3), ConnectFailed)
        self.assertEqual(error.reason, "no-path")

    def test_our_own_rules_stop_a_dial_before_it_begins(self) -> None:
        right = self.node(AWAY, default_access="allow")
        left = self.node(HOME, listen=(), deny=(str(right.uuid),))
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual(error.reason, "denied")
        self.assertEqual(self.network.connections, [])

    def test_too_many_sessions(self) -> None:
        right = self.node(AWAY, default_access="allow", limits={"sessions": 1, "sessions_per_identity": 1})
        one, other = self.node("192.0.2.3", listen=()), self.node("192.0.2.4", listen=())
        self.done(one.connect(self.address(right, AWAY)))
        error = self.failed(other.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual((error.reason, str(error)), ("refused", f"{AWAY}:9999 refused: busy"))
        self.assertEqual(len(right.peers), 1)

    def test_the_budget_of_answers_ends_and_a_named_setting_switches_it_off(self) -> None:
        """limits.cpu_share = 0.001 is one answer a second; strangers have 0.75, and the second one meets silence."""
        for budget, answered in ((True, 1), (False, 4)):
            right = self.node(AWAY if budget else "198.51.100.2", default_access="allow", handshake_budget=budget,
                              limits={"cpu_share": 0.001})
            dials = [self.node(f"192.0.2.{10 + number}", listen=()) for number in range(4)]
            for dialler in dials:
                dialler.connect(self.address(right, AWAY if budget else "198.51.100.2")).addErrback(lambda _: None)
                self.settle()
            self.assertEqual(sum(len(dialler.peers) for dialler in dials), answered)

    def test_the_clock_is_named_when_peers_say_so(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.drifts[right].seconds = 200
        self.done(left.connect(self.address(right, AWAY)))
        error = self.failed(left.connect(self.address(self.node("192.0.2.9"), AWAY)), ConnectFailed, 11)
        self.assertTrue(str(error).endswith("and this clock (peers say 200 s off)"), str(error))
        self.assertTrue(any("200 s off" in line for line in self.lines("warn")))


class UnaddressedTests(NodeCase):
    def test_between_two_nodes_on_loopback_both_are_known(self) -> None:
        left, right = self.node("127.0.0.1", listen=()), self.node("127.0.0.2", default_access="allow")
        self.done(left.connect("tcp:127.0.0.2:9999"))
        self.assertTrue(right.peers[0].authenticated)

    def test_over_the_internet_only_with_a_shared_secret(self) -> None:
        secret = Path(self.mktemp())
        secret.write_bytes(b"s" * 32)
        secret.chmod(0o600)
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        error = self.failed(left.connect(f"tcp:{AWAY}:9999"), ConnectFailed, 11)
        self.assertIn("qg://UUID@host:port", error.advice)
        self.assertEqual(right.peers, ())
        shared = {"shared_secret_file": str(secret)}
        left = self.node("192.0.2.3", listen=(), **shared)
        right = self.node("192.0.2.4", default_access="allow", **shared)
        self.done(left.connect("tcp:192.0.2.4:9999"))
        (report,) = right.peers_snapshot()
        self.assertEqual((report.authenticated, report.shared_secret), (True, True))

    def test_one_end_on_loopback_is_not_enough(self) -> None:
        left, right = self.node("127.0.0.1", listen=()), self.node(AWAY, default_access="allow")
        self.failed(left.connect(f"tcp:{AWAY}:9999"), ConnectFailed, 11)
        self.assertEqual(right.peers, ())

    def test_a_lan_listener_answers_strangers_who_stay_nameless(self) -> None:
        left = self.node(HOME, watcher, listen=())
        right = self.node(AWAY, watcher, listen=(Listen(endpoint="tcp:9998", lan=True), "tcp:9999"),
                          require_authentication=False)
        self.done(left.connect(f"tcp:{AWAY}:9998"))
        (report,) = right.peers_snapshot()
        self.assertEqual((report.uuid, report.authenticated, report.extenders), (None, False, []))
        self.assertTrue(left.peers[0].authenticated)
        self.failed(left.connect(f"tcp:{AWAY}:9999"), ConnectFailed, 11)

    def test_nameless_ones_are_turned_away_where_authentication_is_required(self) -> None:
        left = self.node(HOME, listen=())
        right = self.node(AWAY, listen=(Listen(endpoint="tcp:9998", lan=True),), default_access="allow")
        error = self.failed(left.connect(f"tcp:{AWAY}:9998"), ConnectFailed)
        self.assertEqual(error.reason, "access-denied")
        self.assertEqual(right.peers, ())


class AccessTests(NodeCase):
    def test_allow_by_hand_opens_and_deny_cuts(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY)
        self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.done(right.access.allow(left.uuid))
        self.done(left.connect(self.address(right, AWAY)))
        self.assertEqual(len(right.peers), 1)
        self.done(right.access.deny(left.uuid))
        self.assertEqual((left.peers, right.peers), ((), ()))

    def test_rules_and_pins_last(self) -> None:
        data = Path(self.mktemp()).absolute()
        left, right = self.node(HOME, listen=()), self.node(AWAY, data=data)
        self.done(right.access.allow(left.uuid))
        self.done(left.connect(self.address(right, AWAY)))
        identity = right.uuid
        self.done(right.stopService(), 1)
        again = self.node(AWAY, data=data)
        self.assertEqual(again.uuid, identity)
        self.pass_time(5)
        self.assertEqual(len(again.peers), 1)
        self.assertEqual(set(again._parts.state.pins), {left.uuid})

    def test_a_pin_that_does_not_fit_stops_the_dialler_before_it_says_who_it_is(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        left._parts.state.pins[right.uuid] = "a" * 52
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual(error.reason, "pin")
        self.assertEqual(right.peers, ())
        self.assertTrue(any("security" in line for line in self.lines("error")))
        self.assertEqual(len(left.status().notices), 1)
        self.assertEqual(left._parts.state.pins[right.uuid], "a" * 52)

    def test_a_pin_that_does_not_fit_stops_the_listener_too(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        right._parts.state.pins[left.uuid] = "a" * 52
        error = self.failed(left.connect(self.address(right, AWAY)), ConnectFailed)
        self.assertEqual(error.reason, "access-denied")
        self.assertEqual((right.peers, len(right.status().notices)), ((), 1))

    def test_a_fingerprint_in_the_address_is_a_pin(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        wrong = f"qg://{right.uuid}.{left.status().fingerprint}@{AWAY}:9999"
        self.assertEqual(self.failed(left.connect(wrong), ConnectFailed).reason, "pin")
        self.done(left.connect(f"qg://{right.uuid}.{right.status().fingerprint}@{AWAY}:9999"))


class KeepTests(NodeCase):
    def test_named_in_connect_is_dialled_again_until_it_is_there(self) -> None:
        right = self.node(AWAY, start=False, default_access="allow")
        scout = self.node(AWAY, data=right.data_directory)
        address = self.address(scout, AWAY)
        self.done(scout.stopService(), 1)
        left = self.node(HOME, listen=(), connect=(address,))
        self.pass_time(20)
        (down,) = left.status().connecting
        self.assertEqual((down.address, left.status().phase), (address, "connecting"))
        self.assertIn("refused the connection", down.reason)
        self.assertIsNotNone(down.retry_seconds)
        right.startService()
        self.pass_time(60)
        self.assertEqual((len(left.peers), left.status().phase), (1, "connected"))

    def test_a_lost_path_is_noticed_and_dialled_again(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        first = left.peers[0]
        self.network.cut()
        self.pass_time(5)
        self.assertEqual((len(left.peers), len(right.peers)), (1, 1))
        self.assertIsNot(left.peers[0], first)

    def test_what_a_ping_dialled_is_not_kept(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.ping(self.address(right, AWAY)))
        self.network.cut()
        self.pass_time(120)
        self.assertEqual(left.peers, ())

    def test_a_restarted_peer_replaces_its_old_self(self) -> None:
        data = Path(self.mktemp()).absolute()
        left, right = self.node(HOME, listen=(), data=data), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        self.network.part([HOME], [AWAY])
        self.done(left.stopService(), 30)
        self.network.connections[0][0].vanish()
        again = self.node(HOME, listen=(), data=data)
        self.network.heal()
        self.done(again.connect(self.address(right, AWAY)), 1)
        self.assertEqual(len(right.peers), 1)
        self.assertEqual(right.peers[0].uuid, again.uuid)

    def test_a_clock_jump_pings_everybody_at_once(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        self.network.part([HOME], [AWAY])
        self.drifts[left].seconds += 3600
        self.pass_time(5.1)
        self.assertTrue(any("the clock jumped by 3600 s" in line for line in self.lines("warn")))
        self.assertEqual(len(left.peers), 1)
        self.pass_time(5.1)
        self.assertEqual(left.peers, ())


class DrainTests(NodeCase):
    def test_garbage_beyond_a_first_flight_is_drained_slowly_and_counted_until_the_drawn_time(self) -> None:
        from twisted.internet.protocol import Protocol

        right = self.node(AWAY)
        knocker = Protocol()
        dial = self.network.client_endpoint(HOME, AWAY, 9999).connect(_Once(knocker))
        self.done(dial)
        self.assertEqual(right._parts.intake.half_open, 1)
        knocker.transport.write(bytes(UNSLOWED_BYTES + 200_000))
        self.settle()
        self.assertEqual((right._parts.intake.half_open, right._parts.intake.drained), (0, 1))
        self.pass_time(4)
        answering = self.network.connections[0][1]
        self.assertEqual(answering.sent_bytes, 0)
        self.assertTrue(answering.paused)
        self.pass_time(86)
        self.assertEqual((right._parts.intake.drained, answering.over), (0, True))

    def test_a_fin_closes_at_once(self) -> None:
        from twisted.internet.protocol import Protocol

        right = self.node(AWAY)
        for data in (b"", b"x", bytes(64), bytes(1400)):
            knocker = Protocol()
            self.done(self.network.client_endpoint(HOME, AWAY, 9999).connect(_Once(knocker)))
            knocker.transport.write(data)
            self.settle()
            knocker.transport.loseConnection()
            self.settle()
            self.assertEqual((right._parts.intake.half_open, right._parts.intake.drained), (0, 0), data)


class LifeTests(NodeCase):
    def test_guests_hear_of_each_other_and_talk(self) -> None:
        Watcher.made.clear()
        left, right = self.node(HOME, watcher, listen=()), self.node(AWAY, watcher, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        first, second = Watcher.made
        self.assertEqual(first.seen, [("arrived", right.uuid)])
        self.done(first.host.send(first.host.peers()[0], b"hello"))
        self.assertEqual(second.seen, [("arrived", left.uuid), ("message", b"hello")])
        self.done(left.stopService(), 1)
        self.assertEqual(second.seen[-1], ("left", left.uuid))
        self.assertEqual(right.peers, ())

    def test_phases_say_what_to_do(self) -> None:
        node = self.node(AWAY, start=False)
        self.assertEqual(node.status().phase, "stopped")
        node.startService()
        status = node.status()
        self.assertEqual((status.phase, status.reason), ("waiting", "no peer known yet"))
        self.assertIn(f"qg://{node.uuid}@{AWAY}:9999", status.advice)
        self.assertIn("qgate access allow", status.advice)
        self.assertEqual(status.listening, [f"tcp:9999:interface={AWAY}"])

    def test_a_port_in_use_is_one_sentence_and_leaves_nothing_behind(self) -> None:
        self.node(AWAY)
        second = self.node(AWAY, start=False)
        with self.assertRaises(LocalError) as caught:
            second.startService()
        self.assertIn("cannot listen on tcp:9999", str(caught.exception))
        self.assertEqual(second.status().phase, "failed")
        self.failureResultOf(second.when_ready(), LocalError)

    def test_two_nodes_on_one_directory(self) -> None:
        first = self.node(AWAY)
        with self.assertRaises(DirectoryInUse):
            self.node(HOME, data=first.data_directory)

    def test_a_damaged_state_file_stops_the_start_and_stays(self) -> None:
        data = Path(self.mktemp()).absolute()
        node = self.node(AWAY, data=data, start=False)
        data.mkdir(mode=0o700)
        (data / IDENTITY_FILE).write_bytes(Identity.generate().to_file_bytes())
        (data / IDENTITY_FILE).chmod(0o600)
        (data / STATE_FILE).write_text("{")
        for _ in range(2):
            with self.assertRaises(StateFileError):
                node.startService()
            self.assertEqual((node.status().phase, (data / STATE_FILE).read_text()), ("failed", "{"))
        (data / STATE_FILE).unlink()
        node.startService()

    def test_an_endpoint_string_that_is_none_is_a_configuration_error(self) -> None:
        with self.assertRaises(ConfigurationError) as caught:
            self.node(listen=("carrier:pigeon",))
        self.assertIn('settings: node.listen[0]: expected a Twisted endpoint string, found "carrier:pigeon"',
                      str(caught.exception))

    def test_asking_a_stopped_node_is_an_error_not_a_hang(self) -> None:
        node = self.node(start=False)
        other = UUID("c0ffee00-1234-8abc-9def-0123456789ab")
        for asked in (node.connect("tcp:127.0.0.1:1"), node.disconnect(other), node.ping(str(other))):
            self.failed(asked, LocalError)
        self.assertEqual((node.peers, node.listening, node.peers_snapshot()), ((), [], []))

    def test_the_log_names_nobody(self) -> None:
        left, right = self.node(HOME, listen=()), self.node(AWAY, default_access="allow")
        self.done(left.connect(self.address(right, AWAY)))
        self.failed(right.connect(self.address(self.node("192.0.2.9"), "192.0.2.9", 7)), ConnectFailed, 1)
        self.done(left.stopService(), 1)
        text = "\n".join(self.lines())
        for secret in (HOME, AWAY, "192.0.2.9", str(left.uuid), str(right.uuid)):
            self.assertNotIn(secret, text)
        self.assertIn("is connected", text)

    def test_status_holds_the_promised_fields_and_no_secret(self) -> None:
        node = self.node(AWAY)
        status = as_json(node.status())
        for name in ("uuid", "version", "protocol", "phase", "reason", "advice", "uptime_seconds", "listening", "peers",
                     "relay", "extenders", "store", "public_endpoints"):
            self.assertIn(name, status)
        key = (node.data_directory / "identity.key").read_bytes()[3:35]
        self.assertNotIn(key.hex(), str(status))

    def test_built_in_settings_make_a_node(self) -> None:
        self.assertEqual(Node(node_settings(), self.mktemp()).status().phase, "stopped")


class _Once:
    """A factory of one protocol."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def buildProtocol(self, address: Any) -> Any:
        return self.protocol

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass
