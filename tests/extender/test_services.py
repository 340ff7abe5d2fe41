"""Services between two nodes: streams by name, who may use them, and what each refusal says to both sides."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.testing import StringTransport

from quantumgate.errors import ChannelReset, ConnectFailed, LimitError, LocalError
from quantumgate.extender import services
from quantumgate.extender.services import SERVICES_UUID, ServiceError, Services
from quantumgate.testing.nodes import MemoryNodes, seeded_identity
from quantumgate.wire.codes import ResetCode
from tests.extender.services import Diaries, Diary, ServicesCase

STRANGER = seeded_identity("stranger").public.uuid


class StreamTests(ServicesCase):
    def test_both_ways_and_by_halves(self) -> None:
        factory = Diaries()
        self.far.serve("web", factory.buildProtocol)
        near = self.open()
        self.speak_by_halves(near, factory.made[0])

    def test_both_ends_have_addresses(self) -> None:
        factory = Diaries()
        self.far.serve("web", factory.buildProtocol)
        near = self.open()
        there, here = near.transport.getPeer(), factory.addresses[0]
        self.assertEqual((there.uuid, there.extender, there.label), (self.nodes.right.uuid, SERVICES_UUID, b"web"))
        self.assertEqual((here.uuid, here.label), (self.nodes.left.uuid, b"web"))

    def test_nothing_is_connected_before_the_peer_has_answered(self) -> None:
        answer: Deferred[Any] = Deferred()
        self.far.serve("slow", lambda address: answer)
        factory, far = Diaries(), Diary()
        opening = self.near.open(self.right, "slow", None, factory.buildProtocol)
        self.nodes.settle()
        self.assertEqual(factory.made, [])
        answer.callback(far)
        far.transport.write(b"welcome")  # type: ignore[union-attr]
        near = self.nodes.result(opening)
        self.nodes.settle()
        self.assertEqual(bytes(near.got), b"welcome")

    def test_what_comes_before_the_answer_waits(self) -> None:
        """No peer of ours sends it; another one may."""
        transport = StringTransport()
        services._Unanswered().makeConnection(transport)
        self.assertEqual(transport.producerState, "paused")

    def test_a_peer_that_never_answers(self) -> None:
        self.far.serve("stuck", lambda address: Deferred())
        with self.assertRaises(ConnectFailed) as caught:
            self.open("stuck")
        self.assertEqual(caught.exception.reason, "no-answer")

    def test_a_factory_that_wants_none(self) -> None:
        factory = Diaries()
        self.far.serve("web", factory.buildProtocol)
        with self.assertRaises(NoProtocol):
            self.open(factory=Diaries(takes=False))
        self.nodes.settle()
        self.assertEqual(factory.made[0].events, ["made", "lost"])


class RefusalTests(ServicesCase):
    def refused(self, name: str, **more: Any) -> tuple[str, str]:
        with self.assertRaises(ConnectFailed) as caught:
            self.open(name, **more)
        return caught.exception.reason, str(caught.exception)

    def code(self, name: str) -> int:
        """What went over the wire."""
        host = self.nodes.left.host("services")
        opening = host.open_stream(self.nodes.left.peer(), Diary(), name.encode())
        with self.assertRaises(ChannelReset) as caught:
            self.nodes.result(opening)
        return caught.exception.code

    def test_nobody_offers_it(self) -> None:
        self.assertEqual(self.refused("web"), ("no-such-service", f"{self.right} has no service web"))
        self.assertEqual(self.code("web"), ResetCode.NO_SUCH_SERVICE)
        self.assertIn("service 'web' refused to", self.lines()[0])
        self.assertIn("nobody offers it", self.lines()[0])

    def test_offered_to_somebody_else(self) -> None:
        factory = Diaries()
        self.far.serve("web", factory.buildProtocol, [STRANGER])
        self.assertEqual(self.refused("web")[0], "refused")
        self.assertEqual(self.code("web"), ResetCode.REFUSED)
        self.assertIn("it is not offered to this peer", self.lines()[0])
        self.assertEqual(factory.addresses, [])

    def test_offered_to_this_peer(self) -> None:
        self.far.serve("web", Diaries().buildProtocol, [STRANGER, self.nodes.left.uuid])
        self.assertEqual(self.open().events, ["made"])

    def test_refused_by_the_program(self) -> None:
        self.far.serve("web", Diaries(takes=False).buildProtocol)
        self.assertEqual(self.refused("web")[0], "refused")

    def test_a_code_of_its_own(self) -> None:
        def full(address: Any) -> None:
            raise ChannelReset("full", ResetCode.LIMIT)

        self.far.serve("web", full)
        self.assertEqual(self.refused("web")[0], "limit")
        self.assertEqual(self.nodes.right.extenders.faults("services"), ())

    def test_withdrawn(self) -> None:
        self.far.serve("web", Diaries().buildProtocol).withdraw()
        self.assertEqual(self.refused("web")[0], "no-such-service")

    def test_names(self) -> None:
        for name in ("", "Web", "9999", "a b", "a:b", "x" * 64, "é"):
            with self.assertRaises(ServiceError, msg=name) as caught:
                self.far.serve(name, Diaries().buildProtocol)
            self.assertEqual(caught.exception.reason, "bad-name")
            self.failureResultOf(self.near.open(self.right, name, None, Diaries().buildProtocol), ServiceError)

    def test_a_name_is_taken_once(self) -> None:
        first = self.far.serve("web", Diaries().buildProtocol)
        with self.assertRaises(ServiceError) as caught:
            self.far.serve("web", Diaries().buildProtocol)
        self.assertEqual(caught.exception.reason, "name-taken")
        first.withdraw()
        second = self.far.serve("web", Diaries().buildProtocol)
        first.withdraw()
        self.assertEqual(self.open().events, ["made"], "withdrawing twice does not take the next one's name")
        second.withdraw()

    def test_as_many_as_the_limit(self) -> None:
        for number in range(services.SERVICES):
            self.far.serve(f"s{number}", Diaries().buildProtocol)
        with self.assertRaises(LimitError):
            self.far.serve("one-more", Diaries().buildProtocol)

    def test_a_label_that_is_no_name(self) -> None:
        host = self.nodes.left.host("services")
        for label in (b"", b"\xff\xfe", b"a\nb"):
            opening = host.open_stream(self.nodes.left.peer(), Diary(), label)
            with self.assertRaises(ChannelReset) as caught:
                self.nodes.result(opening)
            self.assertEqual(caught.exception.code, ResetCode.NO_SUCH_SERVICE)
        self.assertEqual([line for line in self.lines() if "\n" in line], [])


class ReachTests(ServicesCase):
    connected = False

    def test_dials_once_for_many(self) -> None:
        self.far.serve("web", Diaries().buildProtocol)
        address, dials = self.nodes.right.address, []
        dial = self.nodes.dial
        self.nodes.dial = lambda one, other: (dials.append(other), dial(one, other))[1]  # type: ignore[method-assign]
        opening = [self.near.open(address, "web", None, Diaries().buildProtocol) for _ in range(5)]
        for each in opening:
            self.assertEqual(self.nodes.result(each).events, ["made"])
        self.assertEqual(len(dials), 1)

    def test_an_unknown_peer(self) -> None:
        with self.assertRaises(ConnectFailed):
            self.open(peer=str(STRANGER))

    def test_no_peer_at_all(self) -> None:
        self.failureResultOf(self.near.open("nobody", "web", None, Diaries().buildProtocol), LocalError)

    def test_a_peer_behind_anchors_is_dialled_by_all_of_its_address(self) -> None:
        asked: list[str] = []
        landlord = self.nodes.left.host("services")._landlord
        self.patch(landlord, "connect", lambda address, hops, via: (asked.append(address), Deferred())[1])
        address = f"qg://{STRANGER}?key={'a' * 52}&anchor={STRANGER}@h:1"
        opening = self.near.open(address, "web", None, Diaries().buildProtocol)
        self.assertEqual(asked, [address])
        opening.cancel()
        self.failureResultOf(opening)

    def test_hops_are_taken_literally(self) -> None:
        """A direct session does not serve somebody who asked for relays."""
        self.far.serve("web", Diaries().buildProtocol)
        self.nodes.connect(self.nodes.left, self.nodes.right)
        asked: list[Any] = []
        host = self.nodes.left.host("services")
        landlord, self.patched = host._landlord, []
        self.patch(landlord, "connect", lambda address, hops, via: (asked.append(hops), Deferred())[1])
        opening = self.near.open(self.right, "web", 2, Diaries().buildProtocol)
        self.assertEqual(asked, [2])
        opening.cancel()
        self.failureResultOf(opening)
        self.assertEqual(self.open(hops=0).events, ["made"])

    def test_relays_are_taken_literally(self) -> None:
        """A session over others does not serve somebody who named them, and one over just these does."""
        self.far.serve("web", Diaries().buildProtocol)
        self.nodes.connect(self.nodes.left, self.nodes.right)
        asked: list[Any] = []
        host = self.nodes.left.host("services")
        self.patch(host._landlord, "connect", lambda address, hops, via: (asked.append((hops, via)), Deferred())[1])
        (peer,) = host.peers(None)
        openings = [self.near.open(self.right, "web", None, Diaries().buildProtocol, via)
                    for via in ([str(STRANGER)], [str(STRANGER)], [str(STRANGER), self.right])]
        self.assertEqual(asked, [(None, (STRANGER,)), (None, (STRANGER, peer.uuid))])
        peer.path[:] = [STRANGER]
        through = self.near.open(self.right, "web", None, Diaries().buildProtocol, [str(STRANGER)])
        self.assertEqual(self.nodes.result(through).events, ["made"])
        self.failureResultOf(self.near.open(self.right, "web", None, Diaries().buildProtocol, ["x"]), LocalError)
        self.assertEqual(len(asked), 2)
        for opening in openings:
            opening.cancel()
            self.failureResultOf(opening)

    def test_a_peer_without_services(self) -> None:
        nodes = MemoryNodes(makers_of={"left": [self.near.maker()], "right": []})
        self.addCleanup(nodes.stop)
        opening = self.near.open(nodes.right.address, "web", None, Diaries().buildProtocol)
        with self.assertRaises(ConnectFailed) as caught:
            nodes.result(opening)
        self.assertEqual(caught.exception.reason, "no-services")
        self.assertEqual(self.near._awaited, {})

    def test_a_node_that_does_not_run(self) -> None:
        failure = self.failureResultOf(Services().open(str(STRANGER), "web", None, Diaries().buildProtocol))
        self.assertEqual(failure.value.reason, "stopped")

    def test_stopped_while_somebody_waits(self) -> None:
        nodes = MemoryNodes(makers_of={"left": [self.near.maker()], "right": []})
        self.addCleanup(nodes.stop)
        opening = self.near.open(nodes.right.address, "web", None, Diaries().buildProtocol)
        nodes.settle()
        nodes.result(nodes.left.extenders.stop())
        self.assertEqual(self.failureResultOf(opening).value.reason, "stopped")

    def test_what_is_served_outlives_the_guest(self) -> None:
        self.far.serve("web", Diaries().buildProtocol)
        self.nodes.result(self.nodes.right.extenders.stop_guest("services"))
        self.nodes.result(self.nodes.right.extenders.start_guest("services"))
        self.nodes.connect(self.nodes.left, self.nodes.right)
        self.assertEqual(self.open().events, ["made"])
        self.assertEqual(self.far.status(), {"services": ["web"]})
