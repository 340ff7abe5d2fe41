"""A new online key in a running node: who is connected stays, who comes meets the new one, nothing worse comes in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from quantumgate.control.key_reports import KeyReport
from quantumgate.core.delegations import own_delegation
from quantumgate.core.online_key import OnlineKeyFile, make
from quantumgate.crypto.identity import Identity
from quantumgate.errors import KeyFileError, LocalError
from quantumgate.node.data_directory import IDENTITY_FILE, ONLINE_KEY_FILE, write_atomically
from quantumgate.node.node import Node
from tests.core.handshake.duel import identity
from tests.node.anchored import AnchoredCase
from tests.node.circuits import AWAY, GATES, HOME
from tests.node.delegated import DAY, DelegatedCase
from tests.node.test_own_record import known
from tests.node.world import BEGINNING_SECONDS

ELSEWHERE = "45.33.32.9"


class RenewalCase(DelegatedCase):
    """``self.alice`` listens and has an online key; ``self.bob`` keeps a session with her."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.delegated(AWAY, default_access="allow")
        self.bob = self.node(HOME, listen=())
        self.bob_too = self.node(ELSEWHERE, listen=())
        self.done(self.bob.connect(self.address(self.alice, AWAY)))
        self.contact = next(iter(self.bob._parts.desk.table))  # type: ignore[union-attr]

    @property
    def file(self) -> Path:
        return self.alice.data_directory / ONLINE_KEY_FILE

    def serial(self) -> int:
        """Of the delegation that lies there."""
        return OnlineKeyFile.decode(self.file.read_bytes()).delegation.serial

    def renew(self, node: Node) -> Deferred[KeyReport]:
        """As the control socket asks for it."""
        return node.pairing.renewal.look()

    def seen(self, node: Node) -> int:
        """The newest serial that this node knows of alice."""
        return node._parts.pins.least_serial(self.alice.uuid)  # type: ignore[union-attr]

    def put_next(self, days: float = 30) -> None:
        self.put_key(self.alice.data_directory, days, self.serial())


class SessionTests(RenewalCase):
    def test_who_is_connected_stays_and_who_comes_meets_the_new_key(self) -> None:
        before = self.serial()
        self.put_next()
        report = self.done(self.renew(self.alice))
        self.assertEqual((report.uuid, report.serial, report.taken), (str(self.alice.uuid), self.serial(), True))
        self.assertGreater(self.serial(), before)
        self.done(self.bob_too.connect(self.address(self.alice, AWAY)))
        self.assertEqual((self.seen(self.bob), self.seen(self.bob_too)), (before, self.serial()))
        self.assertTrue(self.contact.stands)
        self.done(self.bob.ping(str(self.alice.uuid)), 1)
        self.done(self.bob.disconnect(self.alice.uuid), 5)
        self.done(self.bob.connect(self.address(self.alice, AWAY)))
        self.assertEqual(self.seen(self.bob), self.serial())
        self.assertEqual(self.errors(), [])

    def test_a_session_is_re_keyed_with_the_key_that_it_began_with(self) -> None:
        self.put_next()
        self.done(self.renew(self.alice))
        self.contact.session.keep = True
        for node in (self.bob, self.alice):
            self.pass_time(80)
            contact = next(iter(node._parts.desk.table))  # type: ignore[union-attr]
            contact.session.rekey.request(self.clock.seconds())
            contact.protocol.wake()
        self.pass_time(80)
        self.assertEqual((self.contact.session.key_epoch, self.contact.stands), (2, True))

    def test_sessions_end_with_the_key_that_they_began_with(self) -> None:
        """Neither sooner nor later, whichever signs by then."""
        self.put_next(60)
        self.done(self.renew(self.alice))
        self.contact.session.keep = True
        next(iter(self.alice._parts.desk.table)).session.keep = True  # type: ignore[union-attr]
        self.done(self.bob_too.connect(self.address(self.alice, AWAY), keep=True))
        young = next(iter(self.bob_too._parts.desk.table))  # type: ignore[union-attr]
        timers = self.alice._parts.desk.key_life._timers  # type: ignore[union-attr]
        left = sorted(round((timer.getTime() - self.clock.seconds()) / DAY) for timer in timers.values())
        self.assertEqual((left, young.stands), ([30, 60], True))

    def test_a_handshake_that_had_begun_goes_on_as_it_began(self) -> None:
        self.put_next(60)
        parts: Any = self.alice._parts
        self.patch(parts.connections, "sign_as", lambda identity: None)  # as if each had begun before
        self.done(self.renew(self.alice))
        self.done(self.bob_too.connect(self.address(self.alice, AWAY)))
        timers = parts.desk.key_life._timers.values()
        self.assertEqual([round((timer.getTime() - self.clock.seconds()) / DAY) for timer in timers], [30, 30])

    def test_our_own_record_is_signed_anew(self) -> None:
        before = known(self.alice)
        self.put_next()
        self.done(self.renew(self.alice))
        after = known(self.alice)
        assert before.delegation is not None and after.delegation is not None
        self.assertEqual(after.delegation.serial, self.serial())
        self.assertGreater(after.record.seq_ms, before.record.seq_ms)
        self.assertLessEqual(after.record.not_after_seconds, after.delegation.not_after_seconds)

    def test_the_warning_is_over(self) -> None:
        self.put_next(1)
        self.done(self.renew(self.alice))
        self.assertIn("runs out", self.alice.status().reason)
        self.pass_time(2)
        self.put_next()
        self.done(self.renew(self.alice))
        self.assertNotIn("runs out", self.alice.status().reason)

    def test_the_same_key_again(self) -> None:
        report = self.done(self.renew(self.alice))
        self.assertEqual((report.taken, report.serial), (False, self.serial()))

    def test_from_the_root_to_an_online_key_and_back(self) -> None:
        node = self.node("45.33.32.8", default_access="allow")
        key = node.data_directory / IDENTITY_FILE
        self.roots[node.data_directory] = Identity.from_file_bytes(key.read_bytes())
        self.put_key(node.data_directory, 30)
        self.assertTrue(self.done(self.renew(node)).taken)
        delegation = own_delegation(node._parts.identity)  # type: ignore[union-attr]
        self.assertIsNotNone(delegation)
        self.done(self.bob.connect(f"qg://{node.uuid}@45.33.32.8:9999"))
        (node.data_directory / ONLINE_KEY_FILE).unlink()
        report = self.done(self.renew(node))
        self.assertEqual((report.taken, report.online_key), (True, ""))
        self.done(self.bob_too.connect(f"qg://{node.uuid}@45.33.32.8:9999"))


class RefusalTests(RenewalCase):
    def refused(self, kind: type[LocalError] = LocalError) -> Any:
        present = self.alice._parts.identity  # type: ignore[union-attr]
        error = self.failed(self.renew(self.alice), kind)
        self.assertIs(self.alice._parts.identity, present)  # type: ignore[union-attr]
        self.done(self.bob_too.connect(self.address(self.alice, AWAY)))
        return error

    def test_an_older_one(self) -> None:
        """A backup that was put back: its key may have been stolen meanwhile, and peers would refuse it."""
        former = self.file.read_bytes()
        self.put_next()
        self.done(self.renew(self.alice))
        write_atomically(self.file, former)
        error = self.refused()
        self.assertIn("is older than the one in use", str(error))
        self.assertIn("qgate id rotate", error.advice)

    def test_another_serial_with_the_same_number(self) -> None:
        now = int(BEGINNING_SECONDS)
        made = make(self.roots[self.alice.data_directory], now_seconds=now, life_seconds=DAY)
        self.assertEqual(made.delegation.serial, self.serial())
        write_atomically(self.file, made.encode())
        self.assertIn("is older", str(self.refused()))

    def test_another_identity(self) -> None:
        self.roots[self.alice.data_directory] = identity("mallory")
        self.put_next()
        self.assertIn("restart", self.refused().advice)

    def test_one_that_nobody_would_take(self) -> None:
        root = self.roots[self.alice.data_directory]
        for begins in (-31 * DAY, DAY):
            now = int(BEGINNING_SECONDS) + begins
            made = make(root, now_seconds=now, life_seconds=30 * DAY, last_serial=self.serial())
            write_atomically(self.file, made.encode())
            self.assertIn("no peer would take", str(self.refused()))

    def test_a_damaged_a_sealed_and_a_missing_one(self) -> None:
        whole = self.file.read_bytes()
        write_atomically(self.file, whole[:-1])
        self.refused(KeyFileError)
        made = make(self.roots[self.alice.data_directory], now_seconds=int(BEGINNING_SECONDS) + 1, life_seconds=DAY,
                    passphrase="words")
        write_atomically(self.file, made.encode())
        self.assertIn("sealed", str(self.refused(KeyFileError)))
        self.file.unlink()
        self.refused(KeyFileError)
        self.assertFalse((self.alice.data_directory / IDENTITY_FILE).exists())

    def test_a_node_that_does_not_run(self) -> None:
        renewal = self.alice.pairing.renewal
        self.put_next()
        self.stop(self.alice)
        self.assertRaises(LocalError, self.renew, self.alice)
        self.failed(renewal.look(), LocalError)


class AnchorTests(AnchoredCase, DelegatedCase):
    def test_who_reserved_comes_again_for_a_voucher_of_the_new_key(self) -> None:
        gate = self.gates[0]
        data = gate.data_directory
        self.roots[data] = Identity.from_file_bytes((data / IDENTITY_FILE).read_bytes())
        self.put_key(data, 30)
        self.assertIn(gate.uuid, self.granted(self.hidden))
        before = known(self.hidden).record.via
        self.done(gate.pairing.renewal.look())
        self.pass_time(30)
        after = {one.uuid: one.voucher for one in known(self.hidden).record.via}
        self.assertNotEqual(after[gate.uuid], {one.uuid: one.voucher for one in before}[gate.uuid])
        record = f"{self.hidden.own_record().record} {gate.own_record().record}"
        peer = self.done(self.client.connect(record, via=[gate.uuid]), 20)
        self.assertEqual((peer.uuid, peer.path), (self.hidden.uuid, [gate.uuid]))
        self.assertEqual(self.errors(), [])
        self.assertIn(GATES[0], [host for host, _ in self.places(gate)])

    def places(self, gate: Node) -> list[tuple[str, int]]:
        return [(one.host, one.port) for one in known(gate).record.endpoints]
