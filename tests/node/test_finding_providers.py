"""Real nodes that look for others with an extender: who is found, what is left with whom, and what is left out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate.control.find_reports import ProvidersReport
from quantumgate.core.discovery.search import KEEPERS
from quantumgate.errors import LocalError
from quantumgate.extender.registry import registered
from quantumgate.node.node import Node
from quantumgate.wire.directory_frames import Kind
from tests.extender.guests import OTHER_UUID, Notes, making
from tests.extender.guests import UUID as NOTES_UUID
from tests.node.test_lookups import LEAF, OTHER, LookUpCase

NOTES = UUID(NOTES_UUID)
SHOWN, QUIET = registered(making(Notes), {"findable": True}), registered(making(Notes))


class ProviderCase(LookUpCase):
    def providers(self, count: int, relays: list[Node]) -> list[Node]:
        return [self.leaf(f"{61 + n}.1.0.1", relays, SHOWN) for n in range(count)]

    def look(self, asker: Node, extender: UUID = NOTES) -> ProvidersReport:
        return self.done(asker.find_providers(extender), 40)

    def shelves(self, nodes: list[Node], kind: Kind) -> list[int]:
        """How many records of this kind each keeps."""
        kept = [self.finding(node).keeping.directory._kept for node in nodes]
        return [sum(len(some) for (one, _), some in each.items() if one is kind) for each in kept]


class FoundTests(ProviderCase):
    def test_those_who_say_so_are_found_and_dialled(self) -> None:
        relays = self.relays()
        shown = self.providers(3, relays)
        self.leaf(LEAF, relays, QUIET)
        asker = self.leaf(OTHER, relays[:3], QUIET)
        self.pass_time(60)
        report = self.look(asker)
        self.assertEqual({one.uuid for one in report.providers}, {str(node.uuid) for node in shown})
        self.assertEqual((report.found, report.end, report.advice), (True, "found", ""))
        for one in report.providers:
            self.assertEqual((len(one.endpoints), one.anchors), (1, []))
            self.assertTrue(0 < one.age_seconds <= 60)
        first = report.providers[0]
        self.assertEqual(str(self.done(asker.connect(first.record, keep=False), 5).uuid), first.uuid)
        self.assertEqual(self.errors(), [])

    def test_a_guest_finds_others_and_meets_them(self) -> None:
        relays = self.relays()
        (shown,) = self.providers(1, relays)
        asker = self.leaf(OTHER, relays, SHOWN)
        self.pass_time(60)
        host = asker.guests.guest_host("notes")
        (one,) = self.done(host.find_providers(), 40)
        self.assertEqual(one.uuid, shown.uuid)
        self.done(host.connect(one.address), 5)
        self.assertEqual([peer.uuid for peer in host.peers()], [shown.uuid])

    def test_one_behind_an_anchor(self) -> None:
        """Its record names no endpoint, and its anchor's address is found on the way."""
        relays = self.relays()
        shown, asker = self.leaf("10.0.0.7", relays, SHOWN), self.leaf(OTHER, relays, QUIET)
        anchors: Any = shown._parts.desk.anchors  # type: ignore[union-attr]
        self.done(relays[0].access.allow(shown.uuid))
        self.done(shown.connect(self.address(relays[0], "11.0.0.1")), 5)
        self.pass_time(120)
        if not anchors.granted:
            self.fail("no relay keeps a way to it")
        self.visit(shown)
        host = asker.guests.guest_host("notes")
        (one,) = self.done(host.find_providers(), 40)
        self.assertEqual(one.address, str(shown.uuid))
        self.assertEqual(self.done(host.connect(one.address), 40).uuid, shown.uuid)

    def visit(self, node: Node) -> None:
        self.finding(node).lookups.visit()
        self.pass_time(60)

    def test_nobody(self) -> None:
        relays = self.relays()
        asker = self.leaf(OTHER, relays, SHOWN)
        self.pass_time(60)
        report = self.look(asker, UUID(OTHER_UUID))
        self.assertEqual((report.found, report.end, report.providers), (False, "nobody knows it", []))
        self.assertIn("[extenders.NAME] findable", report.advice)
        alone = self.look(asker)
        self.assertEqual((alone.found, alone.end, alone.providers), (False, "found", []), "only itself")

    def test_who_asks_nobody(self) -> None:
        node = self.node(OTHER, QUIET)
        self.assertIn("discovery.lookup", self.failed(node.find_providers(NOTES), LocalError).advice)
        host = node.guests.guest_host("notes")
        self.failed(host.find_providers(), LocalError)


class ToldTests(ProviderCase):
    def test_off_nothing_is_told_or_left(self) -> None:
        relays = self.relays()
        quiet, asker = self.leaf(LEAF, relays, QUIET), self.leaf(OTHER, relays)
        self.pass_time(60)
        self.assertEqual(sum(self.shelves(relays, Kind.EXTENDER)), 0)
        self.assertGreaterEqual(sum(self.shelves(relays, Kind.PEER)), KEEPERS)
        self.assertEqual(self.finding(quiet).lookups.extenders(), ())
        self.assertEqual(self.look(asker).providers, [])

    def test_one_record_with_each_of_the_eight(self) -> None:
        relays = self.relays()
        self.providers(1, relays)
        self.pass_time(60)
        self.assertEqual(sum(self.shelves(relays, Kind.EXTENDER)), KEEPERS)

    def test_several_extenders_one_after_another(self) -> None:
        """Not all their searches at once: of all that a visit asks, one extender at a time."""
        relays = self.relays()
        rows = [registered(making(Notes, f"notes{n}", str(UUID(int=n + 1))), {"findable": True}) for n in range(4)]
        leaf = self.leaf(LEAF, relays, *rows)
        lookups = self.finding(leaf).lookups
        lookups.visit()
        self.assertEqual(len(lookups._runs), 2, "its own key, and the first extender's")
        self.pass_time(60)
        self.assertEqual(sum(self.shelves(relays, Kind.EXTENDER)), 4 * KEEPERS)

    def test_a_guest_that_has_stopped_is_no_longer_named(self) -> None:
        relays = self.relays()
        (shown,) = self.providers(1, relays)
        author = shown._parts.author  # type: ignore[union-attr]
        self.assertEqual(len(author.current(shown.listening).record.extenders), 1)
        self.done(shown.guests.stop_guest("notes"))
        self.assertEqual(author.current(shown.listening).record.extenders, ())
        self.assertEqual(tuple(self.finding(shown).lookups.extenders()), ())

    def test_a_stop_between_two_extenders(self) -> None:
        relays = self.relays()
        rows = [registered(making(Notes, f"notes{n}", str(UUID(int=n + 1))), {"findable": True}) for n in range(4)]
        leaf = self.leaf(LEAF, relays, *rows)
        lookups = self.finding(leaf).lookups
        lookups.visit()
        lookups.stop()
        self.assertEqual(lookups._runs, set())


class LiarTests(ProviderCase):
    def test_a_record_that_does_not_name_it_is_left_out(self) -> None:
        """A keeper cannot see what an extender's hash is of, and keeps it; who asked looks."""
        relays = self.relays()
        other = registered(making(Notes, "other", OTHER_UUID), {"findable": True})
        liar, asker = self.leaf(LEAF, relays, other), self.leaf(OTHER, relays)
        lookups = self.finding(liar).lookups
        lookups.extenders = lambda: (NOTES,)
        (shown,) = self.providers(1, relays)
        self.pass_time(60)
        self.assertEqual(sum(self.shelves(relays, Kind.EXTENDER)), 2 * KEEPERS)
        self.assertEqual([one.uuid for one in self.look(asker).providers], [str(shown.uuid)])

    def test_providers_stay_out_of_the_book(self) -> None:
        relays = self.relays()
        asker = self.leaf(OTHER, relays)
        self.leaf(LEAF, relays, SHOWN, public=True)
        self.pass_time(60)
        known = len(self.book(asker))
        self.assertEqual(len(self.look(asker).providers), 1)
        self.assertEqual(len(self.book(asker)), known)
