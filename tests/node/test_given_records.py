"""A peer is dialled by its record: at its endpoints, through its anchors, or not at all where the record is no good."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from quantumgate.core import online_key
from quantumgate.core.peer_records import judge, network_of, sign
from quantumgate.crypto.identity import Identity
from quantumgate.errors import ConnectFailed
from quantumgate.node.data_directory import write_atomically
from quantumgate.node.node import Node
from quantumgate.wire.link_frames import LinkEndpoint, RelayTerms
from quantumgate.wire.peer_records import Anchor, PeerRecord
from quantumgate.wire.record_text import as_text, from_text
from quantumgate.wire.reservation_frames import Grant
from tests.node.anchored import HIDDEN, AnchoredCase
from tests.node.circuits import AWAY, GATES, CircuitCase, with_relay
from tests.node.world import BEGINNING_SECONDS, node_settings


def rewritten(node: Node, **changes: Any) -> str:
    """This node's record with other fields, signed by it all the same."""
    (whole,) = from_text(node.own_record().record)
    record = judge(whole, network=network_of(b"QuantumGate"), now_ms=int(node._world.wall_seconds() * 1000)).record
    identity = node._parts.identity  # type: ignore[union-attr]
    return as_text(sign(identity, replace(record, **changes)).encode())


def wall(node: Node) -> int:
    return int(node._world.wall_seconds())


def _lasting_longer(voucher: bytes) -> bytes:
    granted = Grant.decode(voucher)
    return replace(granted, expiry_seconds=granted.expiry_seconds + 1).encode()


class EndpointTests(CircuitCase):
    def test_directly(self) -> None:
        peer = self.done(self.client.connect(self.end.own_record().record), 1)
        self.assertEqual((peer.uuid, peer.relayed), (self.end.uuid, False))
        self.done(self.client.disconnect(peer), 1)
        report = self.done(self.client.ping(self.end.own_record().record), 1)
        self.assertEqual((report.uuid, report.relayed), (str(self.end.uuid), False))

    def test_through_relays(self) -> None:
        for how in ({"hops": 2}, {"via": [gate.uuid for gate in self.gates[1:3]]}):
            peer = self.done(self.client.connect(self.end.own_record().record, **how), 2)  # type: ignore[arg-type]
            self.assertEqual((peer.uuid, len(peer.path)), (self.end.uuid, 2))
            self.done(self.client.disconnect(peer), 2)

    def test_a_low_port_through_relays(self) -> None:
        """The last relay is given the record: by an address alone it would not dial it."""
        low = self.node("45.33.32.9", settings=node_settings(listen=("tcp:443",), default_access="allow"))
        failed = self.failed(self.client.connect(self.address(low, "45.33.32.9", 443), hops=1), ConnectFailed, 2)
        self.assertEqual(failed.reason, "policy")
        self.assertEqual(self.done(self.client.connect(low.own_record().record, hops=2), 2).uuid, low.uuid)
        self.done(self.client.disconnect(low.uuid), 2)
        self.pass_time(1000)  # no carrier stands any more
        self.assertEqual(self.done(self.client.connect(str(low.uuid), hops=1), 2).uuid, low.uuid)

    def test_a_relay_gets_no_record_that_it_does_not_need(self) -> None:
        asked: list[Any] = []
        for gate in self.gates:
            gate._parts.desk.relays.asked = lambda _, __, target: asked.append(target)  # type: ignore[union-attr, method-assign]
        self.client.connect(self.end.own_record().record, hops=1).addErrback(lambda _: None)
        self.pass_time(1)
        self.assertEqual([(one.record, len(one.endpoints)) for one in asked], [(b"", 1)])
        self.pass_time(60)

    def test_who_is_there_instead(self) -> None:
        """The record's key is the one that counts, whoever listens there."""
        elsewhere = rewritten(self.end, endpoints=(LinkEndpoint(GATES[0], 9999),))
        failed = self.failed(self.client.connect(elsewhere), ConnectFailed, 20)
        self.assertEqual(failed.reason, "no-answer")

    def test_an_ipv6_endpoint(self) -> None:
        six = self.node("2600:3c01::7", default_access="allow")
        text = rewritten(six, endpoints=(LinkEndpoint("2600:3c01::7", 9999),))
        target = self.client._target(self.client._running_parts(), text, self.client._route())
        self.assertEqual((target.hosts, target.ways[0].text), ((("[2600:3c01::7]", 9999),), "[2600:3c01::7]:9999"))
        self.assertEqual(target.fingerprint, six._parts.identity.public.fingerprint)  # type: ignore[union-attr]

    def test_it_is_kept_and_shown_without_its_inside(self) -> None:
        text = self.end.own_record().record
        self.done(self.client.connect(text, keep=True), 1)
        self.end.stopService()
        self.pass_time(30)
        (down,) = self.client.status().connecting
        self.assertTrue(down.address.startswith(f"qg://{self.end.uuid}.") and down.address.endswith(f"@{AWAY}:9999"))
        self.end.startService()
        self.pass_time(70)
        self.assertEqual([one.uuid for one in self.client.peers], [self.end.uuid])
        self.assertNotIn(text[4:40], str(self.lines()))


class WrongTests(CircuitCase):
    def told(self, text: str) -> tuple[str, str]:
        """What is said of it, and what to do; nobody was dialled."""
        before = len(self.network.connections)
        failed = self.failed(self.client.connect(text), ConnectFailed)
        self.assertEqual((failed.reason, len(self.network.connections)), ("bad-record", before), failed)
        return str(failed), failed.advice

    def test_each_in_its_words(self) -> None:
        good = self.end.own_record().record
        seq_ms = wall(self.end) * 1000
        over = rewritten(self.end, seq_ms=seq_ms - 7_200_000, not_after_seconds=wall(self.end) - 700)
        early = rewritten(self.end, seq_ms=seq_ms + 700_000, not_after_seconds=wall(self.end) + 800)
        for text, words, advice in (
            (good[:-3], "that was cut", "copy it whole"),
            (good[:-4], "it is damaged", "copy it whole"),
            (good[:-1] + ("A" if good[-1] != "A" else "Q"), "verif", "ask its owner"),
            (good + "=", "spelt in another way", "copy it whole"),
            (over, "ended 700 s ago", "fresh one"),
            (early, "from 700 s ahead", "this clock"),
            (rewritten(self.end, network=network_of(b"Another")), "another network", "node.network"),
            (f"{good} {over}", "record 2 cannot be used", "fresh one"),
            (" ".join([good] * 5), "1 to 4 records, found 5", "copy it whole"),
        ):
            told, todo = self.told(text)
            self.assertIn(words, told)
            self.assertIn(advice, todo, told)

    def test_one_that_names_no_way(self) -> None:
        failed = self.failed(self.client.connect(rewritten(self.end, endpoints=())), ConnectFailed)
        self.assertEqual(failed.reason, "no-address")
        self.assertIn("--endpoint", failed.advice)

    def test_ourselves(self) -> None:
        failed = self.failed(self.client.connect(self.client.own_record(["10.0.0.1:1"]).record), ConnectFailed)
        self.assertEqual(failed.reason, "self")


class DelegatedAnchorTests(AnchoredCase):
    """Anchors whose roots are elsewhere: their vouchers are signed by online keys."""

    def put_key(self, gate: Any) -> None:
        """What ``qgate id rotate`` does between a stop and a start."""
        stopping = gate.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)
        data = gate._directory.path
        root = Identity.from_file_bytes((data / "identity.key").read_bytes())
        made = online_key.make(root, now_seconds=int(BEGINNING_SECONDS + self.clock.seconds()), life_seconds=86_400)
        write_atomically(data / "online.key", made.encode())
        gate.startService()
        self.pass_time(100)

    def test_reached_by_its_voucher(self) -> None:
        self.put_key(self.gates[0])
        self.put_key(self.gates[1])
        self.assertEqual(len(self.granted(self.hidden)), 2)
        peer = self.reach(self.hidden.own_record().record, 5, hops=2)
        self.assertEqual((peer.uuid, len(peer.path)), (self.hidden.uuid, 2))

    def test_a_record_of_before_its_new_key(self) -> None:
        """The anchor proves another key now: the old voucher is nobody's, and its owner has a fresh one by then."""
        self.put_key(self.gates[0])
        self.put_key(self.gates[1])
        old = self.hidden.own_record().record
        for gate in self.gates[:2]:
            self.put_key(gate)
        failed = self.failed(self.client.connect(old), ConnectFailed, 20)
        self.assertEqual(failed.reason, "bad-record")
        self.assertEqual(self.reach(self.hidden.own_record().record, 5).uuid, self.hidden.uuid)


class AnchoredRecordTests(AnchoredCase):
    def test_through_an_anchor_that_we_know(self) -> None:
        for hops in (None, 1, 3):
            peer = self.reach(self.hidden.own_record().record, hops=hops)
            self.assertEqual((peer.uuid, len(peer.path)), (self.hidden.uuid, hops or 1))
            self.done(self.client.disconnect(peer), 2)

    def test_by_the_anchors_own_record(self) -> None:
        """Who knows no gateway needs theirs, too; and is told so."""
        stranger = self.node("99.9.0.1", settings=node_settings(listen=()))
        record = self.hidden.own_record().record
        failed = self.failed(stranger.connect(record), ConnectFailed)
        self.assertEqual(failed.reason, "no-address")
        self.assertIn(str(self.gates[0].uuid), str(failed))
        self.assertIn("put their records behind it", failed.advice)
        wrong = self.failed(stranger.connect(f"{record} {self.gates[3].own_record().record}"), ConnectFailed)
        self.assertEqual(wrong.reason, "no-address")
        peer = self.done(stranger.connect(f"{record}\n{self.gates[1].own_record().record}\n"), 2)
        self.assertEqual((peer.uuid, peer.path), (self.hidden.uuid, [self.gates[1].uuid]))

    def test_an_endpoint_first_and_an_anchor_otherwise(self) -> None:
        text = rewritten(self.hidden, endpoints=(LinkEndpoint("46.4.0.9", 9999),))
        peer = self.reach(text, seconds=15)
        self.assertEqual((peer.uuid, peer.relayed), (self.hidden.uuid, True))
        self.done(self.client.disconnect(peer), 2)
        again = self.done(self.client.connect(str(self.hidden.uuid)), 2)  # by what led there, not by what did not
        self.assertEqual((again.uuid, again.relayed), (peer.uuid, True))

    def test_what_the_peer_itself_says_stands(self) -> None:
        """A refusal is no reason to try another way."""
        rude = self.node(AWAY.replace(".1", ".77"), settings=with_relay(
            node_settings(), anchors=(self.address(self.gates[0], GATES[0]),)))
        self.done(self.gates[0].access.allow(rude.uuid))
        self.pass_time(10)
        failed = self.failed(self.client.connect(rude.own_record().record), ConnectFailed, 5)
        self.assertEqual(failed.reason, "access-denied")
        self.assertEqual(self.client._parts.circuits.failures, {})  # type: ignore[union-attr]

    def test_an_address_with_anchors_counts_before_what_is_remembered(self) -> None:
        low = rewritten(self.hidden, endpoints=(LinkEndpoint("46.4.0.9", 443),))
        parts = self.client._running_parts()
        remembered = self.client._target(parts, low, self.client._route())
        self.assertTrue(remembered.record)
        parts.circuits._whereabouts.remember(remembered)
        self.assertEqual(self.reach(self.hidden.anchored_address).uuid, self.hidden.uuid)

    def test_via_ends_at_an_anchor(self) -> None:
        wanted = [self.gates[3].uuid, self.gates[1].uuid]
        self.assertEqual(self.reach(self.hidden.own_record().record, via=wanted).path, wanted)
        self.done(self.client.disconnect(self.hidden.uuid), 2)
        also = rewritten(self.hidden, endpoints=(LinkEndpoint("46.4.0.9", 9999),))
        self.assertEqual(self.reach(also, via=wanted).path, wanted)

    def test_an_anchor_under_another_key_is_none(self) -> None:
        gateways = self.client._parts.circuits.gateways  # type: ignore[union-attr]
        gateways[:] = [replace(one, fingerprint=bytes(32)) for one in gateways]
        failed = self.failed(self.client.connect(self.hidden.own_record().record), ConnectFailed)
        self.assertEqual(failed.reason, "no-address")

    # -- vouchers ------------------------------------------------------------------------------------------------

    def with_voucher(self, make: Any) -> str:
        """The record with another voucher of its first anchor, and no other anchor."""
        (one, *_) = self.record().via
        return rewritten(self.hidden, via=(replace(one, voucher=make(one.voucher)),))

    def record(self) -> PeerRecord:
        (whole,) = from_text(self.hidden.own_record().record)
        return judge(whole, network=network_of(b"QuantumGate"), now_ms=wall(self.hidden) * 1000).record

    def test_one_that_the_anchor_has_not_signed(self) -> None:
        """Found at the anchor, before it is asked for anything; nobody is to blame but whoever made the record."""
        other = self.behind("67.8.0.9", self.gates[:1])
        (strange,) = other._parts.desk.anchors.via()  # type: ignore[union-attr]
        for make in (lambda good: good[:-1] + bytes((good[-1] ^ 1,)), lambda _: strange.voucher, _lasting_longer):
            before = self.gates[0]._parts.relays.quota.carried  # type: ignore[union-attr]
            failed = self.failed(self.client.connect(self.with_voucher(make)), ConnectFailed, 3)
            self.assertEqual(failed.reason, "bad-record")
            self.assertIn("has not signed", str(failed))
            self.assertEqual(self.gates[0]._parts.relays.quota.carried, before)  # type: ignore[union-attr]
            self.assertEqual(self.client._parts.circuits.bad_seconds(self.gates[0].uuid), 0)  # type: ignore[union-attr]

    def test_one_that_is_none_or_was_over_before(self) -> None:
        terms = RelayTerms()
        for voucher in (b"voucher", Grant(0).encode(), Grant(wall(self.hidden) - 700, terms, b"s" * 64).encode()):
            failed = self.failed(self.client.connect(self.with_voucher(lambda _, v=voucher: v)), ConnectFailed)
            self.assertEqual(failed.reason, "bad-record")
            self.assertIn("was over before", str(failed))

    def test_none_is_allowed(self) -> None:
        """Three hybrid ones do not fit."""
        self.assertEqual(self.reach(self.with_voucher(lambda _: b"")).uuid, self.hidden.uuid)

    def test_an_anchor_without_a_key_is_no_way(self) -> None:
        (one, *_) = self.record().via
        text = rewritten(self.hidden, via=(one,), rendezvous=b"")
        self.assertEqual(self.failed(self.client.connect(text), ConnectFailed).reason, "no-address")

    def test_the_place_of_the_hidden_one_stands_nowhere(self) -> None:
        (whole,) = from_text(self.hidden.own_record().record)
        self.assertNotIn(bytes(map(int, HIDDEN.split("."))), whole)
        self.assertIsInstance(self.record().via[0], Anchor)
