"""Row 24, at keepers: lists of an extender that somebody wants for himself, and keepers that tell of whom they like."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from quantumgate.core.peer_records import extender_hash, network_of, sign
from quantumgate.node.node import Node
from quantumgate.wire import directory_frames as frames
from quantumgate.wire.limits import ANSWER_RECORDS, DIRECTORY_OF_A_KEY
from quantumgate.wire.link_frames import LinkEndpoint
from quantumgate.wire.peer_records import PeerRecord
from tests.node.test_finding_providers import NOTES, SHOWN, ProviderCase
from tests.node.test_lookups import LEAF, OTHER, RELAYS
from tests.simulation.people import identity

NETWORK = network_of(b"QuantumGate")
FINDER = "53.1.0.1"
ELSEWHERE = UUID(int=1)


def invention(number: int, wall_seconds: float, *, extender: UUID = NOTES, owner: int | None = None) -> bytes:
    """A record of a peer that is not there. ``owner``: whose hash of the extender it has copied."""
    who = identity(number)
    named = extender_hash(NETWORK, identity(number if owner is None else owner).public.uuid, extender)
    wish = PeerRecord(NETWORK, who.public.bundle, int(wall_seconds * 1000), int(wall_seconds) + 3600,
                      endpoints=(LinkEndpoint(f"99.{number}.0.1", 9999),), extenders=(named,))
    return sign(who, wish).encode()


class KeptCase(ProviderCase):
    """One keeper, a provider that has left its record, an attacker with one address, and somebody who looks."""

    def setUp(self) -> None:
        super().setUp()
        self.keepers = self.relays(1)
        self.provider = self.leaf(LEAF, self.keepers, SHOWN)
        self.mallory, self.finder_of_it = self.leaf(OTHER, self.keepers), self.leaf(FINDER, self.keepers)
        self.pass_time(60)
        self.codes: list[frames.Left] = []
        self.mallory._parts.desk.ears[frames.LEFT] = (  # type: ignore[union-attr]
            lambda _, answer: self.codes.append(answer.code))

    def leave(self, key: bytes, *records: bytes) -> None:
        """All of them, no faster than a keeper takes them, as kind 2."""
        keeper = self.keepers[0]
        for number, record in enumerate(records):
            contact = self.client(keeper, self.mallory)
            leave = frames.Leave(number, self.day(keeper), frames.Kind.EXTENDER, key, record)
            contact.say(frames.LEAVE, leave.encode(), long=True)
            self.pass_time(0.6)

    def chart(self) -> Any:
        return self.finding(self.finder_of_it).lookups.charts.chart(self.day(self.finder_of_it))

    def answering(self, node: Node, *records: bytes) -> None:
        """This keeper says so to every question."""
        def say(contact: Any, find: frames.Find) -> None:
            body = b"".join(len(one).to_bytes(2, "big") + one for one in records)
            said = find.number.to_bytes(4, "big") + bytes([len(records)]) + body + b"\0"
            contact.say(frames.FOUND, said, long=True)

        node._parts.desk.ears[frames.FIND] = say  # type: ignore[union-attr]

    def seen(self, node: Node | None = None) -> set[str]:
        return {one.uuid for one in self.look(node or self.finder_of_it).providers}


class Row24FloodTests(KeptCase):
    def test_a_flood_of_inventions_leaves_room_for_others(self) -> None:
        """A full list of one network's, and more of it: who comes from another is told of each time."""
        wall = self.mallory.wall_seconds()
        self.leave(self.chart().extender(NOTES), *(invention(n, wall) for n in range(DIRECTORY_OF_A_KEY + 6)))
        self.assertEqual(self.codes, [frames.Left.KEPT] * 63 + [frames.Left.FULL] * 7)
        for _ in range(4):
            found = self.seen()
            self.assertIn(str(self.provider.uuid), found)
            self.assertEqual(len(found), ANSWER_RECORDS)
        late = self.leaf("54.1.0.1", self.keepers, SHOWN)
        self.pass_time(60)
        self.assertLessEqual({str(self.provider.uuid), str(late.uuid)}, self.seen())

    def test_a_peers_key_is_its_own(self) -> None:
        """Inventions under the key of a UUID: its owner is found, and verifies nothing of them."""
        wall = self.mallory.wall_seconds()
        key = self.chart().peer(self.provider.uuid)
        self.leave(key, *(invention(n, wall) for n in range(ANSWER_RECORDS + 2)))
        self.assertEqual(set(self.codes), {frames.Left.KEPT})
        for _ in range(3):
            report = self.done(self.finder_of_it.find(self.provider.uuid), 30)
            self.assertTrue(report.found)
        heard: list[frames.Found] = []
        self.mallory._parts.desk.ears[frames.FOUND] = lambda _, found: heard.append(found)  # type: ignore[union-attr]
        find = frames.Find(900, self.day(self.mallory), key)
        self.client(self.keepers[0], self.mallory).say(frames.FIND, find.encode())
        self.pass_time(1)
        self.assertEqual([len(found.records) for found in heard], [1])

    def test_others_records_left_by_it_stay_theirs(self) -> None:
        """It leaves the provider's own record, to have it counted, and driven out, with its inventions."""
        record = self.provider._parts.author.current(self.provider.listening).encode()  # type: ignore[union-attr]
        wall = self.mallory.wall_seconds()
        self.leave(self.chart().extender(NOTES), record, *(invention(n, wall) for n in range(DIRECTORY_OF_A_KEY)))
        self.leaf("54.1.0.1", self.keepers, SHOWN)
        self.pass_time(60)
        self.assertIn(str(self.provider.uuid), self.seen())


class Row24LiarTests(KeptCase):
    def test_what_does_not_name_the_extender_is_nobody(self) -> None:
        """Another extender's hash, and the right one copied from another peer's record."""
        wall = self.mallory.wall_seconds()
        self.answering(self.keepers[0], invention(1, wall, extender=ELSEWHERE), invention(2, wall, owner=3),
                       invention(4, wall))
        self.assertEqual(self.seen(), {str(identity(4).public.uuid)})

    def test_one_forged_record_makes_the_answer_worthless(self) -> None:
        wall = self.mallory.wall_seconds()
        forged = bytearray(invention(2, wall))
        forged[-1] ^= 1
        self.answering(self.keepers[0], invention(1, wall), bytes(forged))
        report = self.look(self.finder_of_it)
        self.assertEqual((report.found, report.answered, report.providers), (False, 0, []))

    def test_more_than_an_answer_holds_ends_the_session(self) -> None:
        wall = self.mallory.wall_seconds()
        self.answering(self.keepers[0], *(invention(n, wall) for n in range(ANSWER_RECORDS + 1)))
        report = self.look(self.finder_of_it)
        self.assertEqual((report.found, report.answered), (False, 0))

    def test_a_keeper_has_one_in_eight_of_what_is_looked_at_first(self) -> None:
        """One of ten keepers tells of inventions alone: of the first eight that are found at most one is its own."""
        for place in RELAYS[1:10]:
            self.keepers.append(self.finder(place, relay=True, default_access="allow",
                                            discovery={"exchange": True, "connections": 0}))
        for node in (*self.keepers, self.finder_of_it):
            for other in self.keepers:
                if other is not node:
                    self.teach(node, other)
        self.pass_time(60)
        shown = [self.leaf(f"{61 + n}.1.0.1", self.keepers, SHOWN) for n in range(8)]
        self.pass_time(60)
        wall = self.mallory.wall_seconds()
        self.answering(self.keepers[0], *(invention(n, wall) for n in range(ANSWER_RECORDS)))
        honest = {str(node.uuid) for node in (self.provider, *shown)}
        for _ in range(3):
            first = [one.uuid for one in self.look(self.finder_of_it).providers][:8]
            self.assertGreaterEqual(sum(uuid in honest for uuid in first), 7, first)
