"""What a keeper keeps and for whom; whom it remembers having met; and that nobody's flood drives others out."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.discovery import directory as room
from quantumgate.core.discovery.directory import Acquaintances, Directory
from quantumgate.core.discovery.positions import Charts, apart
from quantumgate.core.peer_records import KnownRecord
from quantumgate.core.places import network_of
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.directory_frames import Kind, Left
from quantumgate.wire.limits import ANSWER_RECORDS, DIRECTORY_MET, DIRECTORY_NEAR, DIRECTORY_OF_A_KEY, DIRECTORY_RECORDS
from tests.core.discovery.people import by_key
from tests.core.discovery.test_positions import DAY, WALL_SECONDS
from tests.simulation.people import EXTENDER, NETWORK, record_of

OWN = "198.51.100.7"


def place(number: int) -> str:
    return f"{20 + number // 200}.{number % 200}.0.1"


def record(number: int, host: str = "") -> KnownRecord:
    return record_of(number, host or place(number), WALL_SECONDS, keeper=True, extender=EXTENDER)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.charts = Charts(NETWORK, remembered=1 << 16)
        self.met = Acquaintances(self.charts, OWN)
        self.wished: list[KnownRecord] = []
        self.directory = Directory(self.charts, self.met, SeededRandom(1), self.wished.append)

    def key(self, known: KnownRecord) -> bytes:
        return self.charts.chart(DAY).peer(known.identity.uuid)

    def leave(self, known: KnownRecord, source: str = "4:1", **more: object) -> Left:
        kind, key = more.get("kind", Kind.PEER), more.get("key", self.key(known))
        day, wall = more.get("day", DAY), more.get("wall", WALL_SECONDS)
        return self.directory.leave(kind, day, key, known, source, wall)  # type: ignore[arg-type]

    def found(self, known: KnownRecord, wall_seconds: float = WALL_SECONDS) -> tuple[KnownRecord, ...]:
        return self.directory.find(DAY, self.key(known), wall_seconds).records


class AcquaintanceTests(Case):
    def test_near_ones_are_never_forgotten_for_others(self) -> None:
        everybody = [record(number) for number in range(DIRECTORY_NEAR + DIRECTORY_MET + 100)]
        for known in everybody:
            self.met.met(known, DAY)
        self.assertEqual(len(self.met), DIRECTORY_NEAR + DIRECTORY_MET)
        mine = self.met.own_position(DAY)
        located = [one for one in (self.charts.locate(known, DAY) for known in everybody) if one is not None]
        nearest = sorted(located, key=lambda one: apart(one.at, mine))[: DIRECTORY_NEAR // 2]
        self.assertEqual([one for one in nearest if one.uuid not in self.met], [])

    def test_who_does_not_answer_is_gone_from_every_ring(self) -> None:
        self.met.met(record(1), DAY)
        self.assertEqual((len(self.met.ring(DAY)), len(self.met.ring(DAY + 1))), (1, 1))
        self.met.lost(record(1).identity.uuid)
        self.assertEqual((len(self.met.ring(DAY)), len(self.met.ring(DAY + 1)), list(self.met)), (0, 0, []))

    def test_nobody_without_an_address_is_met(self) -> None:
        self.met.met(record_of(3, "node.example", WALL_SECONDS, keeper=True), DAY)
        self.assertEqual(len(self.met), 0)

    def test_rings_of_two_days_at_most_beside(self) -> None:
        self.met.met(record(1), DAY)
        for day in range(DAY, DAY + 9):
            self.assertEqual(len(self.met.ring(day)), 1)
        self.assertLessEqual(len(self.met._rings), 3)


class DirectoryTests(Case):
    def test_what_is_left_is_found(self) -> None:
        self.assertIs(self.leave(record(1)), Left.KEPT)
        self.assertEqual(self.found(record(1)), (record(1),))
        self.assertEqual(self.found(record(2)), ())

    def test_nodes_that_were_met_are_named_the_nearest_first(self) -> None:
        for number in range(20):
            self.met.met(record(number), DAY)
        nearer = self.directory.find(DAY, self.key(record(99)), WALL_SECONDS).nearer
        target = int.from_bytes(self.key(record(99))[:8], "big")
        distances = [one.distance(target) for one in nearer]
        self.assertEqual((len(nearer), distances), (8, sorted(distances)))

    def test_a_key_of_another_peer_is_refused(self) -> None:
        self.assertIs(self.leave(record(1), key=self.key(record(2))), Left.REFUSED)
        self.assertEqual((len(self.directory), dict(self.directory.refused)), (0, {"refused": 1}))

    def test_another_day_is_refused(self) -> None:
        for day, verdict in ((DAY - 2, Left.REFUSED), (DAY + 2, Left.REFUSED)):
            key = self.charts.chart(day).peer(record(1).identity.uuid)
            self.assertIs(self.leave(record(1), day=day, key=key), verdict)
            self.assertEqual(self.directory.find(day, bytes(32), WALL_SECONDS).nearer, ())
        tomorrow = self.charts.chart(DAY + 1).peer(record(1).identity.uuid)
        self.assertIs(self.leave(record(1), day=DAY + 1, key=tomorrow), Left.KEPT)

    def test_what_is_over_is_refused_not_told_and_dropped(self) -> None:
        after = record(1).record.not_after_seconds + 601.0
        self.assertIs(self.leave(record(1)), Left.KEPT)
        self.assertEqual(self.found(record(1), after), ())
        self.assertIs(self.leave(record(2), wall=after), Left.REFUSED)
        self.directory.tidy(WALL_SECONDS)
        self.assertEqual(len(self.directory), 1)
        self.directory.tidy(after)
        self.assertEqual(len(self.directory), 0)

    def test_yesterdays_is_dropped(self) -> None:
        self.assertIs(self.leave(record(1)), Left.KEPT)
        midnight = (DAY + 1) * 86_400.0
        self.directory.tidy(midnight + 599)
        self.assertEqual(len(self.directory), 1)
        self.directory.tidy(midnight + 601)
        self.assertEqual(len(self.directory), 0)

    def test_what_is_far_from_us_is_not_kept(self) -> None:
        """Sixteen others stand between us and it."""
        target = int.from_bytes(self.key(record(1))[:8], "big")
        mine = self.met.own_position(DAY)
        nearer, number = 0, 100
        while nearer < 16:
            self.assertIs(self.leave(record(1)), Left.KEPT)
            one = self.charts.locate(record(number), DAY)
            assert one is not None
            self.met.met(one.known, DAY)
            nearer += apart(one.at, target) < apart(mine, target)
            number += 1
        self.assertIs(self.leave(record(1)), Left.FAR)

    def test_the_newest_stays(self) -> None:
        old, new = (record_of(1, OWN, WALL_SECONDS + more, keeper=True) for more in (0, 60))
        for known in (old, new, old):
            self.assertIs(self.leave(known), Left.KEPT)
        self.assertEqual((self.found(new), len(self.directory)), ((new,), 1))

    def test_nor_does_a_stolen_online_key_write_over_its_successor(self) -> None:
        stolen = by_key(record_of(1, OWN, WALL_SECONDS + 500, keeper=True), 7)
        new = by_key(record_of(1, OWN, WALL_SECONDS, keeper=True), 8)
        for known in (stolen, new, stolen):
            self.assertIs(self.leave(known), Left.KEPT)
        self.assertEqual(self.found(new), (new,))

    def test_a_node_that_says_it_is_near_is_to_be_met_not_believed(self) -> None:
        self.assertIs(self.leave(record(1), kind=Kind.NODE, key=bytes(32)), Left.KEPT)
        self.assertEqual((self.wished, len(self.directory), len(self.met)), ([record(1)], 0, 0))
        nameless = record_of(2, "node.example", WALL_SECONDS, keeper=True)
        self.assertIs(self.leave(nameless, kind=Kind.NODE, key=bytes(32)), Left.REFUSED)


class ExtenderTests(Case):
    """Many peers under one key, left by anybody."""

    def setUp(self) -> None:
        super().setUp()
        self.shared = self.charts.chart(DAY).extender(EXTENDER)

    def provide(self, number: int, source: str = "", **more: object) -> Left:
        known = more.pop("known", None) or record(number)
        return self.leave(known, source or network_of(place(number)), kind=Kind.EXTENDER, key=self.shared)  # type: ignore[arg-type]

    def told(self, key: bytes = b"") -> tuple[KnownRecord, ...]:
        return self.directory.find(DAY, key or self.shared, WALL_SECONDS).records

    def held(self, numbers: Iterable[int]) -> int:
        """How many of these stand in the full list."""
        there = self.directory._kept[Kind.EXTENDER, self.shared]
        return sum(record(number).identity.uuid in there for number in numbers)

    def test_a_record_that_names_no_extender_is_refused(self) -> None:
        plain = record_of(1, place(1), WALL_SECONDS, keeper=True)
        self.assertIs(self.provide(1, known=plain), Left.REFUSED)
        self.assertIs(self.provide(1), Left.KEPT)

    def test_another_sample_each_time(self) -> None:
        for number in range(DIRECTORY_OF_A_KEY):
            self.assertIs(self.provide(number), Left.KEPT)
        several = {self.told() for _ in range(4)}
        self.assertEqual({len(one) for one in several}, {ANSWER_RECORDS})
        self.assertGreater(len(several), 1)

    def test_no_network_has_more_than_its_turn_in_an_answer(self) -> None:
        for number in range(40):
            self.provide(number, "4:flood")
        for number in range(100, 104):
            self.provide(number)
        told = {known.identity.uuid for known in self.told()}
        self.assertEqual(len(told), ANSWER_RECORDS)
        self.assertLessEqual({record(number).identity.uuid for number in range(100, 104)}, told)

    def test_who_has_most_of_a_full_list_yields(self) -> None:
        for number in range(DIRECTORY_OF_A_KEY):
            self.assertIs(self.provide(number, "4:flood"), Left.KEPT)
        self.assertIs(self.provide(99, "4:flood"), Left.FULL)
        for number in range(100, 110):
            self.assertIs(self.provide(number), Left.KEPT)
        self.assertEqual((self.held(range(10)), self.held(range(10, 64)), self.held(range(100, 110))), (0, 54, 10))

    def test_who_comes_more_often_has_no_larger_part(self) -> None:
        """As many networks of an attacker as of others, but it leaves all of its records again after each of theirs."""
        honest, theirs = range(300, 400), range(100)
        for number in honest:
            self.provide(number)
            for other in theirs:
                self.provide(other)
        self.assertEqual(len(self.directory), DIRECTORY_OF_A_KEY)
        self.assertGreater(self.held(honest), DIRECTORY_OF_A_KEY // 4)

    def test_another_keeper_has_others(self) -> None:
        """The order of networks is each keeper's own: nobody chooses networks that all of them keep."""
        seen = []
        for luck in (1, 2):
            self.directory = Directory(self.charts, self.met, SeededRandom(luck), self.wished.append)
            for number in range(200):
                self.provide(number)
            seen.append({number for number in range(200) if self.held([number])})
        self.assertEqual([len(one) for one in seen], [DIRECTORY_OF_A_KEY] * 2)
        self.assertLess(len(seen[0] & seen[1]), DIRECTORY_OF_A_KEY // 2)

    def test_a_peers_key_cannot_be_filled_with_others(self) -> None:
        """Whoever knows a UUID knows its key: records of extenders under it neither keep its owner out nor hide it."""
        mine = self.key(record(500))
        for number in range(DIRECTORY_OF_A_KEY):
            self.leave(record(number), f"4:{number}", kind=Kind.EXTENDER, key=mine)
        self.assertIs(self.leave(record(500)), Left.KEPT)
        self.assertEqual({self.told(mine) for _ in range(8)}, {(record(500),)})

    def test_what_does_not_fit_takes_nobodys_place(self) -> None:
        for number in range(DIRECTORY_OF_A_KEY):
            self.provide(number, "4:flood")
        self.patch(room, "DIRECTORY_BYTES", self.directory.bytes_held - 1)
        self.patch(self.directory, "_make_room", lambda source: False)
        self.assertIs(self.provide(100), Left.FULL)
        self.assertEqual((self.held(range(DIRECTORY_OF_A_KEY)), len(self.directory)), (64, 64))


class HomeTests(Case):
    """A record counts as left by its owner's network, whoever else leaves it."""

    def counted(self) -> dict[str, int]:
        return {source: len(some) for source, some in self.directory._by_source.items()}

    def test_whoever_was_first(self) -> None:
        home = network_of(place(1))
        self.leave(record(1), source="4:foreign")
        self.assertEqual(self.counted(), {"4:foreign": 1})
        self.leave(record(1), source=home)
        self.assertEqual(self.counted(), {home: 1})
        self.leave(record(1), source="4:foreign")
        self.assertEqual(self.counted(), {home: 1})

    def test_a_newer_one_by_others_stays_at_home(self) -> None:
        home, newer = network_of(place(1)), record_of(1, place(1), WALL_SECONDS + 60, keeper=True)
        self.leave(record(1), source=home)
        self.leave(newer, source="4:foreign")
        self.assertEqual((self.counted(), self.found(newer)), ({home: 1}, (newer,)))

    def test_a_newer_one_that_is_elsewhere_is_not(self) -> None:
        """It has moved: where it was before is no home of the new record."""
        self.leave(record(1), source=network_of(place(1)))
        moved = record_of(1, place(2), WALL_SECONDS + 60, keeper=True)
        self.leave(moved, source=network_of(place(2)))
        self.assertEqual(self.counted(), {network_of(place(2)): 1})


class FloodTests(Case):
    def test_who_leaves_most_pays_for_room(self) -> None:
        """An attacker in three networks fills the directory; everybody else still finds room, and stays."""
        self.patch(room, "DIRECTORY_RECORDS", 64)
        self.assertGreater(DIRECTORY_RECORDS, 64)
        for number in range(4):
            self.assertIs(self.leave(record(number), source=f"4:honest {number}"), Left.KEPT)
        for number in range(1000, 1200):
            key = number.to_bytes(32, "big")
            self.leave(record(number), source=f"4:flood {number % 3}", kind=Kind.EXTENDER, key=key)
        self.assertEqual(len(self.directory), 64)
        self.assertIs(self.leave(record(5), source="4:late"), Left.KEPT)
        for number in (0, 1, 2, 3, 5):
            self.assertEqual(self.found(record(number)), (record(number),))
        self.assertEqual(len(self.directory), 64)
        self.assertGreater(self.directory.refused["full"], 0)

    def test_bytes_are_bounded_as_records_are(self) -> None:
        size = len(record(1).signed.body) + len(record(1).signed.signature)
        self.patch(room, "DIRECTORY_BYTES", 10 * size + size // 2)
        for number in range(30):
            self.leave(record(number, "198.51.100.8"), source=f"4:{number % 2}")
        self.assertLessEqual(self.directory.bytes_held, 10 * size + size // 2)
        self.assertGreaterEqual(len(self.directory), 8)
