"""Row 21 of docs/attacks.md with records: forged, over, not yet, of somebody else, too large, too many."""

from __future__ import annotations

import socket
from collections import Counter

from quantumgate.wire.codes import LinkCode
from quantumgate.wire.limits import PEER_RECORD_DELEGATED_BYTES, VALIDITY_SLACK_SECONDS
from quantumgate.wire.link_frames import LinkTarget
from tests.attacks.test_rows_21_23_relays import INSIDE
from tests.node.circuits import AWAY
from tests.node.test_record_checks import LOW, LOW_PORT, RecordCase, record_of

REFUSED = ([LinkCode.POLICY], [LinkCode.POLICY])


class Row21RecordTests(RecordCase):
    """None of it opens a socket; code 5 comes at once."""

    def refused(self, record: bytes, what: object = None) -> None:
        self.assertEqual(self.by_record(record, seconds=0.1), REFUSED, what)
        self.assertEqual(self.dialled, [], what)
        self.pass_time(8)  # eight links a minute are allowed

    def test_forged(self) -> None:
        """A port that its peer never named; a signature of somebody else; nothing that is a record."""
        good = record_of(self.low, (LOW, LOW_PORT))
        place = good.index(LOW_PORT.to_bytes(2, "big"))
        elsewhere = record_of(self.low, (LOW, 9999))[-64:]
        for name, forged in (
            ("another port", good[:place] + (22).to_bytes(2, "big") + good[place + 2 :]),
            ("another record's signature", good[:-64] + elsewhere),
            ("one bit", good[:-1] + bytes((good[-1] ^ 1,))),
            ("cut", good[:-1]),
            ("one byte more", good + b"\0"),
            ("no record at all", b"\0" * PEER_RECORD_DELEGATED_BYTES),
        ):
            self.refused(forged, name)
        self.assertEqual(self.relays.refused["record"], 6)

    def test_over_and_from_the_future(self) -> None:
        wall = int(self.low._world.wall_seconds())
        slack = VALIDITY_SLACK_SECONDS
        over = wall - slack - 9
        self.refused(record_of(self.low, (LOW, LOW_PORT), seq_ms=(wall - 7200) * 1000, not_after_seconds=over))
        ahead = wall + slack + 60
        self.refused(record_of(self.low, (LOW, LOW_PORT), seq_ms=ahead * 1000, not_after_seconds=ahead + 60))
        self.pass_time(60)  # now it is not from the future any more
        record = record_of(self.low, (LOW, LOW_PORT), seq_ms=ahead * 1000, not_after_seconds=ahead + 60)
        self.assertEqual(self.by_record(record), ([LinkCode.CONNECTED], []))

    def test_of_another_peer(self) -> None:
        """Good in itself: somebody's own record does not say where others are."""
        self.refused(record_of(self.end, (LOW, LOW_PORT)))
        self.refused(record_of(self.end, (AWAY, 9999)))

    def test_addresses_inside(self) -> None:
        """A record is signed by its own author: what stands in it is not true for that."""
        found = [(None, None, None, "", ("169.254.169.254", 80))]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)
        for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", INSIDE[-2], "inside.example"):
            self.refused(record_of(self.low, (host, 80)), host)

    def test_one_byte_too_large(self) -> None:
        """8 KiB and a byte are no LINK_CREATE: the session is dead, whatever they say."""
        entry = self.entry
        large = record_of(self.low, (LOW, LOW_PORT)).ljust(PEER_RECORD_DELEGATED_BYTES + 1, b"\0")
        outlet, _ = self.ask_for(LinkTarget(self.low.uuid, record=large))
        self.pass_time(61)  # a dead channel says nothing and ends at a drawn moment
        self.assertEqual((entry.over, outlet.answers, self.dialled), (True, [], []))
        self.assertEqual((self.relays.quota.carried, len(self.relays.carried)), (0, 0))

    def test_a_flood_of_signatures(self) -> None:
        """Four hundred of them as fast as links may be asked for, each one costly: a few are looked at."""
        looked = self.watch_looks()
        good = record_of(self.low, (LOW, LOW_PORT))
        forged = good[:-1] + bytes((good[-1] ^ 1,))
        for _ in range(400):
            self.ask_for(LinkTarget(self.low.uuid, record=forged))
            self.pass_time(0.5)
        self.assertFalse(self.entry.over)
        self.assertTrue(10 <= len(looked) <= 35, len(looked))  # eight links a minute of one network, until its score
        self.assertEqual(self.dialled, [])

    def test_many_at_once_over_links(self) -> None:
        """Whoever comes over links has no prefix to be counted by: eight are looked at, and the others hear 3 late."""
        looked = self.watch_looks()
        self.relays._client_of = lambda _: ("", True)  # type: ignore[method-assign]
        good = record_of(self.low, (LOW, LOW_PORT))
        forged = good[:-1] + bytes((good[-1] ^ 1,))
        outlets = [self.ask_for(LinkTarget(self.low.uuid, record=forged))[0] for _ in range(60)]
        self.pass_time(1)
        self.assertEqual((len(looked), self.entry.over), (8, False))
        self.pass_time(12)
        ends = Counter(code for one in outlets for code in one.ends)
        self.assertEqual((ends[LinkCode.POLICY], sum(ends.values()), self.dialled), (8, 60, []))
