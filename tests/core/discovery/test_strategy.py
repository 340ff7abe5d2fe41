"""Whom a node calls by itself, and that nobody can choose it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery.book import Book
from quantumgate.core.discovery.entries import groups_of
from quantumgate.core.discovery.strategy import ANCHORS, VAIN_CALLS, Aim, Standing, Strategy, anchors_of
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import (
    BOOK_STANDING_SECONDS,
    DEFAULT_LIMITS,
    OUTBOUND_SUGGESTED_SECONDS,
    OUTBOUND_SUGGESTED_SHARE,
)
from tests.core.discovery.people import NOW_S, known, uuid
from tests.core.discovery.test_book import SECRET, TELLER, address, naming

HOUR = OUTBOUND_SUGGESTED_SECONDS
MOST = DEFAULT_LIMITS.outbound


class Scene:
    """A node with a book; it connects to whom its strategy calls."""

    def __init__(self, named: Any = lambda uuid: False, may_call: Any = lambda uuid: True, luck: int = 0,
                 **more: Any) -> None:
        self.book = Book(uuid("me"), SECRET, SeededRandom(("scene", luck)), named=named)
        self.named, self.honest = named, frozenset(uuid(n) for n in range(200))
        self.strategy = Strategy(self.book, SeededRandom(("strategy", luck)), DEFAULT_LIMITS, NOW_S, may_call=may_call,
                                 named=named, **{"connections": MOST, **more})
        self.standing: list[Standing] = []
        self.aims: list[Aim] = []

    def told(self, count: int, at: float = NOW_S, first: int = 0, source: str = "", host: str = "") -> Scene:
        for n in range(first, first + count):
            record = known(n, host.format(n % 250) if host else address(n), life_s=86_400)
            self.book.add(record, source or f"4:{n:x}", at)
        return self

    def step(self, now_s: float) -> Any:
        call = self.strategy.next_call(self.standing, self.busy, now_s)
        if call is None:
            return None
        who = call.known.identity.uuid
        entry = self.book.entry(who)
        assert entry is not None
        self.aims.append(call.aim)
        self.book.tried(who, now_s)
        if call.aim is Aim.CONNECTION:
            suggested = self.strategy.suggested(entry, now_s)
            self.standing.append(Standing(who, entry.groups, now_s, self.named(who), suggested))
        self.book.succeeded(who, now_s)
        return call

    def answer(self, call: Any, now_s: float, hosts: list[str]) -> None:
        """At one of these somebody answers, or at none."""
        who = call.known.identity.uuid
        self.book.tried(who, now_s)
        if not hosts:
            self.book.failed(who, now_s)
            return
        self.book.succeeded(who, now_s, hosts[0])
        if call.aim is Aim.CONNECTION:
            self.standing.append(Standing(who, self.book.groups_called(call.known), now_s))

    def run(self, now_s: float, steps: int = 100) -> Scene:
        for _ in range(steps):
            if self.step(now_s) is None:
                break
        return self

    def busy(self, who: Any) -> bool:
        return any(one.uuid == who for one in self.standing)


class ConnectionTests(SynchronousTestCase):
    def test_eight_each_in_another_group(self) -> None:
        self.assertEqual(MOST, 8)
        scene = Scene().told(200).run(NOW_S + HOUR)
        groups = [group for one in scene.standing for group in one.groups]
        self.assertEqual((len(scene.standing), len(set(groups))), (MOST, MOST))

    def test_one_of_a_group_that_has_many(self) -> None:
        scene = Scene()
        scene.told(200, host="192.0.{}.1")
        scene.run(NOW_S + HOUR)
        self.assertEqual(len(scene.standing), 1)

    def test_half_of_them_were_suggested_within_an_hour_at_most(self) -> None:
        scene = Scene().told(200).run(NOW_S + 60)
        self.assertEqual(len(scene.standing), MOST * OUTBOUND_SUGGESTED_SHARE)
        scene.told(200, NOW_S + HOUR, first=200).run(NOW_S + HOUR)
        self.assertEqual(len(scene.standing), MOST)
        late = [one for one in scene.standing if one.suggested]
        self.assertEqual(len(late), MOST * OUTBOUND_SUGGESTED_SHARE)

    def test_named_peers_need_neither_groups_nor_age(self) -> None:
        scene = Scene(named=naming(*range(20)))
        scene.told(20, host="192.0.66.{}").run(NOW_S)
        self.assertEqual(len(scene.standing), MOST)

    def test_made_up_places_beside_a_real_one_are_no_more_tickets(self) -> None:
        """An attacker in 8 networks of 208, whose 160 nodes each name seven places that are nobody's, or an honest
        node's: it does not get more than its networks, nor keep others from their turn."""
        theirs = 0
        for run in range(20):
            scene = Scene(luck=run).told(200, NOW_S - HOUR)
            for n in range(160):
                hosts = [f"{60 + n // 2}.{place}.0.1" if n % 2 else address(7 * n % 200 + place) for place in range(7)]
                record = known(f"bad {n}", *hosts, f"9.{n % 8}.{n}.1", life_s=86_400)
                scene.book.add(record, f"4:90{n % 8}", NOW_S - HOUR)
            for step in range(600):
                call = scene.strategy.next_call(scene.standing, scene.busy, NOW_S + step)
                if call is not None:
                    hosts = [one.host for one in call.known.record.endpoints]
                    honest = call.known.identity.uuid in scene.honest
                    scene.answer(call, NOW_S + step, [host for host in hosts if honest or host.startswith("9.")])
            self.assertEqual(len(scene.standing), MOST)
            theirs += sum(one.uuid not in scene.honest for one in scene.standing)
        self.assertLess(theirs / (20 * MOST), 0.12, theirs)

    def test_nobody_is_called_by_a_name_or_inside_our_own_network(self) -> None:
        """Whatever a record says, and whoever it is of: else one record makes everybody who reads it knock there."""
        for named in (naming(), naming(*range(20))):
            for host in ("127.0.0.1", "10.0.{}.1", "192.168.1.{}", "169.254.169.254",
                         "fd00::{}", "::ffff:10.0.0.1", "inside.example"):
                scene = Scene(named=named).told(4, NOW_S - HOUR, host=host).run(NOW_S)
                self.assertEqual((len(scene.book), scene.aims), (4, []), host)
        scene = Scene(may_call=lambda uuid: True)
        scene.book.add(known("a", "10.0.0.1", "inside.example", "11.0.0.1"), TELLER, NOW_S - HOUR)
        self.assertEqual([one.host for one in scene.book.entry(uuid("a")).callable_at], ["11.0.0.1"])
        self.assertEqual(len(scene.run(NOW_S).standing), 1)

    def test_whom_the_rules_do_not_admit_is_not_called(self) -> None:
        scene = Scene(may_call=naming(3)).told(50).run(NOW_S + HOUR)
        self.assertEqual([one.uuid for one in scene.standing], [uuid(3)])

    def test_who_did_not_answer_rests_longer_and_longer(self) -> None:
        scene = Scene().told(2)
        scene.book.succeeded(uuid(1), NOW_S)
        scene.standing.append(Standing(uuid(1), (), NOW_S))
        now, waits = NOW_S + HOUR, []
        for _ in range(4):
            call = scene.strategy.next_call(scene.standing, scene.busy, now)
            assert call is not None
            scene.book.tried(call.known.identity.uuid, now)
            scene.book.succeeded(uuid(1), now)
            scene.book.failed(call.known.identity.uuid, now + 1)
            began = now
            while scene.strategy.resting(scene.book.entry(uuid(0)), now):  # type: ignore[arg-type]
                now += 10
            waits.append(now - began)
        self.assertEqual(waits, sorted(waits))
        self.assertGreaterEqual(waits[-1], 8 * waits[0] * 0.9)

    def test_a_group_keeps_its_turn_while_it_has_somebody_else(self) -> None:
        """Four of its peers are called, then it is another group's turn."""
        scene = Scene().told(30, host="198.51.{}.7").told(30, first=100)
        groups = []
        for step in range(40):
            call = scene.strategy.next_call([], scene.busy, NOW_S + HOUR + step)
            groups.append(groups_of(call.known.record)[0])
            scene.book.tried(call.known.identity.uuid, NOW_S + HOUR + step)
            scene.book.failed(call.known.identity.uuid, NOW_S + HOUR + step)
            if groups[-1] == "4:c633" and groups.count("4:c633") == 4:
                break
        self.assertEqual(groups[-4:], ["4:c633"] * 4)
        call = scene.strategy.next_call([], scene.busy, NOW_S + HOUR + 60)
        self.assertNotEqual(groups_of(call.known.record)[0], "4:c633")

    def test_after_eight_calls_in_vain_one_that_was_reached_before(self) -> None:
        """Made-up addresses in any number cost calls, not peers."""
        scene = Scene().told(300)
        reached = uuid(299)
        scene.book.succeeded(reached, NOW_S - 86_400)
        called = []
        for step in range(VAIN_CALLS + 1):
            call = scene.strategy.next_call([], scene.busy, NOW_S + HOUR + step)
            called.append(call.known.identity.uuid)
            scene.book.tried(called[-1], NOW_S + HOUR + step)
        self.assertIn(reached, called)

    def test_strangers_are_left_after_a_while_named_peers_are_not(self) -> None:
        strategy = Scene().strategy
        low, high = DEFAULT_LIMITS.outbound_seconds
        lives = [strategy.until(NOW_S, named=False) - NOW_S for _ in range(50)]
        self.assertTrue(low <= min(lives) < max(lives) < high)
        self.assertEqual(strategy.until(NOW_S, named=True), float("inf"))
        standing = [Standing(uuid(n), (f"4:{n}",), NOW_S, until=NOW_S + 10 * n) for n in range(MOST)]
        self.assertEqual(strategy.to_leave(standing, NOW_S + 25), standing[:3])
        self.assertEqual(strategy.to_leave(standing[1:], NOW_S + 25), [], "a place is free already")

    def test_nobody_is_called_by_a_node_that_wants_none_but_to_see_who_is_there(self) -> None:
        scene = Scene(connections=0).told(20)
        scene.run(NOW_S + HOUR)
        self.assertEqual(set(scene.aims), {Aim.FEELER})


class FeelerTests(SynchronousTestCase):
    def test_one_every_two_to_five_minutes_of_who_was_never_reached(self) -> None:
        scene = Scene(connections=0).told(300)
        times, now = [], NOW_S
        while now < NOW_S + 10_000:
            call = scene.step(now)
            if call is not None:
                self.assertIs(call.aim, Aim.FEELER)
                times.append(now)
            now += 1
        gaps = [later - sooner for sooner, later in pairwise(times)]
        low, high = DEFAULT_LIMITS.feeler_seconds
        self.assertEqual((low, high), (120, 300))
        self.assertTrue(all(low <= gap <= high + 1 for gap in gaps), gaps)
        self.assertGreater(max(gaps) - min(gaps), 60)
        reached = sum(entry.succeeded_at > 0 for entry in scene.book)
        self.assertEqual(reached, len(times), "nobody was called twice")

    def test_who_is_to_give_way_is_called_first(self) -> None:
        scene = Scene(connections=0)
        place = scene.book._places.tried(uuid(0), "4:c000")
        first, second = [n for n in range(9000) if scene.book._places.tried(uuid(n), "4:c000") == place][:2]
        for n in (first, second):
            scene.book.add(known(n, f"192.0.66.{n % 250}", life_s=86_400), TELLER, NOW_S)
        scene.book.succeeded(uuid(first), NOW_S)
        scene.book.succeeded(uuid(second), NOW_S + BOOK_STANDING_SECONDS)
        scene.strategy.may_call = lambda uuid: False
        self.assertIsNone(scene.step(NOW_S + BOOK_STANDING_SECONDS + 1), "nobody whom the rules keep out")
        scene.strategy.may_call = lambda uuid: True
        call = scene.step(NOW_S + BOOK_STANDING_SECONDS + 1)
        self.assertEqual((call.aim, call.known.identity.uuid), (Aim.TEST, uuid(first)))


class AnchorTests(SynchronousTestCase):
    def test_those_that_stood_longest(self) -> None:
        standing = [Standing(uuid(n), (), NOW_S - n) for n in range(5)]
        self.assertEqual([one.uuid for one in anchors_of(standing)], [uuid(4), uuid(3)])
        self.assertEqual((ANCHORS, anchors_of([])), (2, ()))
