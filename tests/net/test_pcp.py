"""PCP and NAT-PMP against a router that obeys their law: found, given, renewed, lost, refused, forged, taken back."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import LocalError
from quantumgate.net.pcp import NAME_IT, Epoch, PcpRouter, find_pcp
from quantumgate.net.portmap import Lease
from quantumgate.testing.seeded import SeededRandom
from quantumgate.wire.limits import MAP_LEASE_SECONDS, MAP_TRIES
from tests.net.mapping_router import NAT_PMP, OUTSIDE, PCP, CableLine, MappingRouter

ROUTER, OWN = "10.0.0.1", "10.0.0.2"
HOUR = 3600


class RouterCase(SynchronousTestCase):
    speaks = PCP

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(10_000)
        self.router = MappingRouter(self.clock.seconds, self.speaks)
        self.line = CableLine(self.clock, self.router, ROUTER, OWN)
        self.where = ROUTER

    def tearDown(self) -> None:
        self.assertEqual((self.clock.getDelayedCalls(), self.line.open), ([], []))

    def done(self, asked: Deferred[Any]) -> Any:
        self.clock.pump([0.05] * 200)
        return self.successResultOf(asked)

    def failed(self, asked: Deferred[Any]) -> LocalError:
        self.clock.pump([0.05] * 200)
        error = self.failureResultOf(asked, LocalError).value
        assert isinstance(error, LocalError)
        return error

    def find(self) -> Deferred[Any]:
        return find_pcp(self.clock, self.clock.seconds, SeededRandom(self.id()), self.line, lambda: self.where)

    def found(self) -> PcpRouter:
        router: PcpRouter = self.done(self.find())
        return router

    def places(self) -> dict[int, tuple[str, int]]:
        return {external: each.inside for external, each in self.router.maps.items()}


class PcpTests(RouterCase):
    protocol = "PCP"

    def test_found_at_once(self) -> None:
        asked = self.find()
        self.clock.advance(0.01)
        self.clock.advance(0.01)
        router = self.successResultOf(asked)
        self.assertEqual((router.protocol, router.address), (self.protocol, ROUTER))

    def test_the_same_port_for_as_long_as_it_is_asked_for(self) -> None:
        router = self.found()
        self.assertEqual(self.done(router.open(9999, HOUR)), Lease(9999, HOUR))
        self.assertEqual(self.places(), {9999: (OWN, 9999)})
        self.clock.advance(HOUR / 2)
        self.assertEqual(self.done(router.open(9999, HOUR)), Lease(9999, HOUR))
        self.clock.advance(HOUR * 0.75)
        self.router.hear(b"", OWN)
        self.assertEqual(self.places(), {9999: (OWN, 9999)}, "the lease began anew")
        self.assertEqual(router.outside, OUTSIDE)
        self.done(router.close(9999))
        self.assertEqual(self.places(), {})

    def test_another_one_where_somebody_else_has_it_and_it_again(self) -> None:
        self.router.taken.add(9999)
        router = self.found()
        self.assertEqual(self.done(router.open(9999, HOUR)).external, 10_000)
        self.router.taken.clear()
        self.router.forget()
        self.assertEqual(self.done(router.open(9999, HOUR)).external, 10_000, "the one that it had")
        self.done(router.close(10_000))
        self.assertEqual(self.places(), {})

    def test_two_ports(self) -> None:
        router = self.found()
        leases = [self.done(router.open(port, HOUR)) for port in (9999, 7777)]
        self.assertEqual([one.external for one in leases], [9999, 7777])
        self.done(router.close(9999))
        self.assertEqual(self.places(), {7777: (OWN, 7777)})

    def test_a_lease_is_what_the_router_says_within_bounds(self) -> None:
        router = self.found()
        for granted, wanted in ((600, 600.0), (1, MAP_LEASE_SECONDS[0]), (7200, HOUR)):
            self.router.lease_most = granted
            self.assertEqual(self.done(router.open(9999, HOUR)).seconds, wanted)

    def test_refusals_in_words(self) -> None:
        router = self.found()
        for code, words in self.words.items():
            self.router.result = code
            error = self.failed(router.open(9999, HOUR))
            self.assertIn(words, str(error))
            self.assertTrue(error.advice)
        self.router.result = 0
        self.done(router.open(9999, HOUR))
        self.router.result = 2
        self.assertIn("keeps its port 9999", str(self.failed(router.close(9999))))

    words = {2: "it does not allow it", 8: "it has had enough", 12: "another NAT", 99: "code 99"}

    def test_datagrams_that_are_lost(self) -> None:
        router = self.found()
        self.router.deaf = MAP_TRIES - 1
        self.done(router.open(9999, HOUR))
        self.router.deaf = MAP_TRIES
        self.assertIn("it does not answer", str(self.failed(router.open(9999, HOUR))))

    def test_an_answer_to_something_else_is_none(self) -> None:
        """A late one about another port, and one that says that the map is gone."""
        router = self.found()
        self.done(router.open(7777, HOUR))
        late: list[bytes] = []

        def hold(answer: bytes) -> list[bytes]:
            late.append(answer)
            return []

        self.line.between = hold
        self.failed(router.open(7777, HOUR))
        self.line.between = lambda answer: [late[0], answer]
        self.assertEqual(self.done(router.open(9999, HOUR)).external, 9999)
        self.line.between = lambda answer: [self.without_lease(answer)]
        self.assertIn("it does not answer", str(self.failed(router.open(9999, HOUR))))

    def without_lease(self, answer: bytes) -> bytes:
        return answer[:4] + bytes(4) + answer[8:]

    # -- what it remembers ---------------------------------------------------------------------------------------

    def test_a_router_that_remembers(self) -> None:
        router = self.found()
        for _ in range(5):
            self.clock.advance(300)
            self.assertFalse(self.done(router.forgot()))
            self.done(router.open(9999, HOUR))

    def test_a_router_that_began_anew(self) -> None:
        router = self.found()
        self.done(router.open(9999, HOUR))
        self.clock.advance(300)
        self.router.forget()
        self.assertTrue(self.done(router.forgot()))
        self.assertFalse(self.done(router.forgot()))

    def test_it_is_noticed_in_an_answer_about_a_map_too(self) -> None:
        router = self.found()
        self.done(router.open(9999, HOUR))
        self.clock.advance(300)
        began = self.router.began
        self.router.forget()
        self.done(router.open(7777, HOUR))
        self.router.began = began
        self.assertTrue(self.done(router.forgot()), "whatever it says now")

    def test_one_that_packets_no_longer_leave_by(self) -> None:
        router = self.found()
        self.where = "192.168.1.1"
        self.assertIn("any more", str(self.failed(router.forgot())))

    def test_one_that_is_gone(self) -> None:
        router = self.found()
        self.line.refuses = True
        self.assertIn("nobody listens there", str(self.failed(router.forgot())))


class NatPmpTests(PcpTests):
    speaks, protocol = NAT_PMP, "NAT-PMP"
    words = {2: "it does not allow it", 3: "it has no network", 4: "it has had enough", 99: "code 99"}

    def without_lease(self, answer: bytes) -> bytes:
        return answer[:12] + bytes(4)

    def test_one_that_does_not_answer_what_is_newer(self) -> None:
        self.line.between = lambda answer: [] if answer[3] == 1 else [answer]
        self.assertEqual(self.found().protocol, "NAT-PMP")


class NonceTests(RouterCase):
    def test_without_the_nonce_an_answer_about_the_port_is_none(self) -> None:
        router = self.found()
        self.line.between = lambda answer: [answer[:24] + bytes(12) + answer[36:]]
        self.assertIn("it does not answer", str(self.failed(router.open(9999, HOUR))))

    def test_one_nonce_for_each_map_as_long_as_it_is_renewed(self) -> None:
        router = self.found()
        for port in (9999, 9999, 7777, 9999):
            self.done(router.open(port, HOUR))
        nonces = [data[24:36] for data in self.router.asked if len(data) == 60]
        self.assertEqual([nonces.index(one) for one in nonces], [0, 0, 2, 0])


class NobodyTests(RouterCase):
    def test_no_router(self) -> None:
        self.where = ""
        self.assertEqual(self.failed(self.find()).advice, NAME_IT)

    def test_one_that_is_silent(self) -> None:
        self.where = "10.0.0.9"
        self.assertIn("it does not answer", str(self.failed(self.find())))

    def test_one_that_speaks_neither(self) -> None:
        self.line.between = lambda answer: [b"HTTP/1.1 400 Bad Request"]
        self.assertIn("it does not answer", str(self.failed(self.find())))

    def test_given_up_in_the_midst(self) -> None:
        self.where = "10.0.0.9"
        asked = self.find()
        asked.cancel()
        self.failureResultOf(asked)


class EpochTests(SynchronousTestCase):
    def broke(self, version: int, *said: tuple[int, float]) -> list[bool]:
        epoch = Epoch(version)
        return [epoch.broke(seconds, now) for seconds, now in said]

    def test_it_goes_on(self) -> None:
        for version in (PCP, NAT_PMP):
            self.assertEqual(self.broke(version, (0, 50), (100, 150), (101, 150.5), (3701, 3750), (3701, 3751)),
                             [False] * 5)

    def test_clocks_that_drift(self) -> None:
        """By less than a sixteenth (PCP) or an eighth (NAT-PMP), and two seconds."""
        self.assertEqual(self.broke(PCP, (0, 0), (940, 1000)), [False, False])
        self.assertEqual(self.broke(PCP, (0, 0), (930, 1000)), [False, True])
        self.assertEqual(self.broke(PCP, (0, 0), (1072, 1000)), [False, True])
        self.assertEqual(self.broke(NAT_PMP, (0, 0), (874, 1000)), [False, False])
        self.assertEqual(self.broke(NAT_PMP, (0, 0), (872, 1000)), [False, True])
        self.assertEqual(self.broke(NAT_PMP, (0, 0), (2000, 1000)), [False, False])

    def test_back_to_the_beginning(self) -> None:
        for version in (PCP, NAT_PMP):
            self.assertEqual(self.broke(version, (1000, 0), (5, 10), (15, 20)), [False, True, False])
        self.assertEqual(self.broke(PCP, (1000, 0), (999, 0)), [False, False], "answers that overtook one another")
        self.assertEqual(self.broke(PCP, (1000, 0), (998, 0)), [False, True])
