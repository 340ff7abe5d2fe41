"""Peers who know the keys and still say what they must not: what only somebody on the line cannot do."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from . import frames, replay, vector
from .ends import Talker
from .flights import MINUTE_MS, Answer, Header, Init, Select, Share
from .frames import Frame
from .initiator import Refusal
from .observer import Observer
from .replay import Played
from .responder import Responder
from .side import Side
from .test_refusals import flipped, played, step_of
from .vector import Inputs, Node

Change = Callable[[Any], Any]
NOBODY = SimpleNamespace(kind=1, bundle=b"\1" + bytes(32), signature_octets=64, sign=lambda *_: bytes(64))


class Stubborn(Responder):
    """An R that answers whatever comes with a RETRY for the same thing."""

    always: Select

    def _choose(self, init: Init) -> Select | None:
        return self.always

    def _respond(self, init: Init, select: Select) -> bytes:
        return self._retry(select, init)


def pose(side: Side, identity: Any) -> None:
    """From now on this side has another identity, and signs with it."""
    side.own.identity = identity
    side.own.sign = lambda name, h: identity.sign(name, h, b"")  # type: ignore[method-assign]


def sign_badly(side: Side) -> None:
    """From now on the signatures of this side are wrong by one bit, and its CONFIRM covers that."""
    sign = side.own.sign
    side.own.sign = lambda name, h: flipped(sign(name, h), 3)  # type: ignore[method-assign]


def bent(side: Side, *, header: Change = lambda header: header, body: Change = lambda body: body) -> None:
    """From now on this side alters the headers or bodies of its salted messages before it seals them."""
    seal = side.seal_salted

    def seal_bent(keys: str, name: str, salt: bytes, true_header: Header, true_body: bytes) -> bytes:
        made = body(true_body)
        longer = len(made) - len(true_body)
        altered = header(replace(true_header, body_octets=true_header.body_octets + longer))
        return seal(keys, name, salt, altered, made)

    side.seal_salted = seal_bent  # type: ignore[assignment,method-assign]


def free(name: str = "classical") -> Played:
    """Fresh sides of a vector that sign whatever hash they come to; kinds without an ML-DSA half only."""
    pair = played(name)
    for side in pair.sides():
        pose(side, side.own.identity)
    return pair


def bent_answer(change: Callable[[Answer], Answer]) -> Change:
    """A change of BODY2A."""
    return lambda body: change(Answer.decode(body)).encode()


class LyingResponder(SynchronousTestCase):
    """I refuses each lie at its place."""

    def refused(self, pair: Played) -> str:
        """Where I refuses R's answer to its INIT."""
        return step_of(lambda: pair.initiator.answered(pair.responder.called(pair.initiator.init())))

    def test_headers_and_lengths(self) -> None:
        """A RESP that is announced too long, one of another version, one of another type."""
        lies: list[tuple[Change, str]] = [
            (lambda h: replace(h, a=70_000), "header answer"), (lambda h: replace(h, version=2), "header"),
            (lambda h: replace(h, kind=3, a=0), "header"), (lambda h: replace(h, flags=1), "header"),
            (lambda h: replace(h, a=h.a + 1), "body answer"), (lambda h: replace(h, body_octets=20_000), "body answer")]
        for change, step in lies:
            pair = free()
            bent(pair.responder, header=change)
            self.assertEqual(self.refused(pair), step)

    def test_what_was_not_offered(self) -> None:
        """SELECT and the groups of the shares in BODY2A; their lengths."""
        def select(**changes: int) -> Callable[[Answer], Answer]:
            return lambda answer: replace(answer, select=replace(answer.select, **changes))

        def share(name: str, change: Callable[[Share], Share]) -> Callable[[Answer], Answer]:
            return lambda answer: replace(answer, **{name: change(getattr(answer, name))})  # type: ignore[arg-type]

        shorter: Callable[[Share], Share] = lambda s: replace(s, value=s.value[:-1])  # noqa: E731
        lies = [(select(aead=2), "SELECT"), (select(version=2), "SELECT"), (select(primary=2), "SELECT"),
                (select(secondary=2), "SELECT"), (share("primary", lambda s: replace(s, group=2)), "BODY2A"),
                (share("secondary", lambda s: replace(s, group=2)), "BODY2A"), (share("primary", shorter), "share"),
                (share("secondary", shorter), "ciphertext")]
        for change, step in lies:
            pair = free()
            bent(pair.responder, body=bent_answer(change))
            self.assertEqual(self.refused(pair), step)

    def test_what_was_offered_but_not_sent(self) -> None:
        """SELECT names a pair of I's lists for which I sent no shares."""
        for changes in ({"primary": 2}, {"secondary": 2}):
            pair = free("anonymous")
            bent(pair.responder, body=bent_answer(partial(self.with_select, changes)))
            self.assertEqual(self.refused(pair), "SELECT")

    def with_select(self, changes: dict[str, int], answer: Answer) -> Answer:
        """Another SELECT."""
        return replace(answer, select=replace(answer.select, **changes))

    def stubborn(self, select: Select) -> Stubborn:
        """An R that wants this."""
        responder = Stubborn(Inputs(Node(vector.load("handshake/retry")["inputs"], set())))
        responder.always = select
        return responder

    def test_retries(self) -> None:
        """One for the pair that was sent, one for what was not offered, and a second one."""
        for select, step in ((Select(1, 1, 1), "RETRY"), (Select(3, 9, 1), "SELECT"), (Select(3, 2, 9), "SELECT")):
            pair = played("retry")
            retry = self.stubborn(select).called(pair.initiator.init())
            self.assertEqual(step_of(pair.initiator.answered, retry), step)
        pair = played("retry")
        second = pair.initiator.answered(pair.responder.called(pair.initiator.init()))
        self.assertEqual(step_of(pair.initiator.answered, self.stubborn(Select(1, 1, 1)).called(second)), "RETRY")

    def test_another_select_behind_a_retry(self) -> None:
        """R must keep to the AEAD of its RETRY."""
        pair = free("retry")
        second = pair.initiator.answered(pair.responder.called(pair.initiator.init()))
        bent(pair.responder, body=bent_answer(lambda answer: replace(answer, select=replace(answer.select, aead=2))))
        self.assertEqual(step_of(pair.initiator.answered, pair.responder.called(second)), "SELECT")

    def test_identities(self) -> None:
        """Another identity than the target's, I's own, and one that anybody can sign for."""
        pair = played("classical")
        pose(pair.responder, played("rekey").initiator.own.identity)
        self.assertEqual(self.refused(pair), "bundle")
        for posed in (played("anonymous").initiator.own.identity, NOBODY):
            pair = played("anonymous")
            pose(pair.responder, posed)
            self.assertEqual(self.refused(pair), "bundle")

    def test_a_signature_that_is_wrong_under_a_right_confirm(self) -> None:
        """I sees it, and so does an observer who has the keys."""
        pair = played("classical")
        wire = [pair.initiator.init()]
        sign_badly(pair.responder)
        wire.append(pair.responder.called(wire[0]))
        self.assertEqual(step_of(pair.initiator.answered, wire[1]), "SigR")
        observer = Observer(pair.initiator.inputs.target, pair.responder.ledger.keys)
        self.assertEqual(step_of(observer.read, wire), "SigR")


class LyingInitiator(SynchronousTestCase):
    """R refuses each lie at its place."""

    def test_headers(self) -> None:
        """Clock, flag, length; another version is answered REFUSE 2, but not in a second INIT."""
        minute = MINUTE_MS
        lies: list[tuple[Change, str]] = [
            (lambda h: replace(h, a=h.a + 1), "header"), (lambda h: replace(h, a=h.a + 7 * minute), "header"),
            (lambda h: replace(h, a=h.a + 6 * minute), ""), (lambda h: replace(h, a=h.a - 1560 * minute), "header"),
            (lambda h: replace(h, a=h.a - 1559 * minute), ""), (lambda h: replace(h, flags=0), "header"),
            (lambda h: replace(h, flags=2), "header"), (lambda h: replace(h, body_octets=65_457), "header"),
            (lambda h: replace(h, body_octets=65_456), "body INIT")]
        for change, step in lies:
            pair = free()
            bent(pair.initiator, header=change)
            self.assertEqual(step_of(pair.responder.called, pair.initiator.init()), step)

    def test_another_version(self) -> None:
        """In the header, and in VERSIONS."""
        other: Change = lambda body: replace(Init.decode(body), versions=[2, 3]).encode(9)  # noqa: E731
        for lie in ({"header": lambda h: replace(h, version=2)}, {"body": other}):
            pair = played("refused")
            bent(pair.initiator, **lie)
            refusal = self.assertRaises(
                Refusal, pair.initiator.answered, pair.responder.called(pair.initiator.init()))
            self.assertEqual(refusal.args, (2, 0, 1_900_000_017))
        pair = played("retry")
        retry = pair.responder.called(pair.initiator.init())
        bent(pair.initiator, header=lambda h: replace(h, version=2))
        self.assertEqual(step_of(pair.responder.called, pair.initiator.answered(retry)), "header INIT")

    def test_bodies(self) -> None:
        """Shares of another length; a second INIT with another offer, or for another pair."""
        for name in ("primary", "secondary"):
            pair = played()
            bent(pair.initiator, body=self.bent_init(partial(self.shorter, name)))
            self.assertEqual(step_of(pair.responder.called, pair.initiator.init()), "share")
        lies: list[Change] = [lambda init: replace(init, aeads=[1]), lambda init: replace(init, versions=[1, 2]),
                              lambda init: replace(init, primary=replace(init.primary, group=2))]
        for change in lies:
            pair = played("retry")
            retry = pair.responder.called(pair.initiator.init())
            bent(pair.initiator, body=self.bent_init(change))
            self.assertEqual(step_of(pair.responder.called, pair.initiator.answered(retry)), "BODY1")

    def shorter(self, name: str, init: Init) -> Init:
        """With one octet less in a share."""
        share = getattr(init, name)
        return replace(init, **{name: replace(share, value=share.value[:-1])})

    def bent_init(self, change: Change) -> Change:
        """A change of BODY1."""
        return lambda body: change(Init.decode(body)).encode(9)

    def fin(self, change: Callable[[Played], object]) -> str:
        """Where R refuses the FIN of an I that was changed after it had verified R."""
        pair = free()
        make = pair.initiator._fin

        def make_late() -> bytes:
            change(pair)
            return make()

        pair.initiator._fin = make_late  # type: ignore[method-assign]
        answer = pair.responder.called(pair.initiator.init())
        return step_of(pair.responder.proved, pair.initiator.answered(answer))

    def test_fin(self) -> None:
        """Too long, signed wrongly, by an identity that anybody can sign for, or with R's own."""
        def long(pair: Played) -> None:
            pair.initiator.own.luck = SimpleNamespace(number=lambda: 65_536 + 1 - 11_264)  # type: ignore[assignment]

        self.assertEqual(self.fin(long), "header FIN")
        self.assertEqual(self.fin(lambda pair: sign_badly(pair.initiator)), "SigI")
        self.assertEqual(self.fin(lambda pair: pose(pair.initiator, NOBODY)), "bundle")
        self.assertEqual(self.fin(lambda pair: pose(pair.initiator, pair.responder.own.identity)), "bundle")


class LyingTalker(SynchronousTestCase):
    """A re-key out of its order."""

    def talker(self, me: str) -> tuple[Talker, Node]:
        """One end of rekey.json before anything is said, and the file's re-key."""
        node = Node(vector.load("handshake/rekey"), set())
        sides = dict(zip("IR", replay.play(node).sides(), strict=True))
        talker = Talker(sides[me], me, b"", node["rekey"])
        talker.said("R", [Frame(frames.SESSION, b"", flags=3)])
        return talker, node["rekey"]

    def test_turns(self) -> None:
        """KEY_SWITCH and REKEY_RSP without a request, twice, or too early; a second request."""
        switch = Frame(frames.KEY_SWITCH)
        request, response = (Frame(kind, self.talker("I")[1][name].octets(), flags=3) for kind, name in
                             ((frames.REKEY_REQ, "request"), (frames.REKEY_RSP, "response")))
        legal = [("R", request), ("I", response), ("I", switch), ("R", switch)]
        for me in "IR":
            self.assertEqual(self.outcome(me, legal), "")
            for turns in (legal[2:3], legal[3:], [*legal[:3], legal[2]], [*legal, legal[3]], [legal[0], legal[3]]):
                self.assertEqual(self.outcome(me, turns), "malformed")
        self.assertEqual(self.outcome("I", [legal[0], ("I", Frame(frames.REKEY_RSP, b"", flags=3))]), "rekey")
        self.assertEqual(self.outcome("R", [("I", response)]), "malformed")
        self.assertEqual(self.outcome("R", [*legal[:2], legal[1]]), "malformed")
        self.assertEqual(self.outcome("R", [legal[0], legal[0]]), "rekey")

    def outcome(self, me: str, turns: list[tuple[str, Frame]]) -> str:
        """Where this end says no."""
        talker, _ = self.talker(me)

        def say_all() -> None:
            for sender, frame in turns:
                talker.said(sender, [frame])

        return step_of(say_all)
