"""Every type of frame in every phase of a session, and every row of the session's table, walked.

The handshake's tables are walked in ``tests/core/handshake/test_handshake.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.events import (
    ChannelOffered,
    Closed,
    ExtendersChanged,
    Ready,
    Rekeyed,
    ReservationAnswered,
    ReservationAsked,
)
from quantumgate.core.state import FRAMES, SESSION, Change, FrameRule, SessionPhase
from quantumgate.wire import frames, link_frames
from quantumgate.wire.codes import CloseCode
from quantumgate.wire.reservation_frames import Grant
from tests.core.sessions import PLAIN, Mallory, limited, replace

P = SessionPhase
ANY_TIME = replace(PLAIN, limits=limited(rekey_floor_seconds=0.0))
BYE = frames.frame(frames.CLOSE, bytes(2))
NAMES = {
    value: name for name, value in vars(frames).items()
    if name.isupper() and value in frames.LONG_TYPES | frames.CHANNEL_TYPES | frames.SINGLE_TYPES
    and name not in {"FIRST", "LAST", "COMPRESSED", "FIN", "WHOLE", "MESSAGES", "BYTE_STREAM"}
}  # fmt: skip
NOTICED = {Ready: "ready", ChannelOffered: "offered", ExtendersChanged: "extenders", Rekeyed: "rekeyed",
           ReservationAsked: "reservation", ReservationAnswered: "grant"}

DEAD, NOTHING = frozenset({"dead"}), frozenset[str]()
IN_READY = {
    "PING": "PONG", "PONG": "", "CLOSE": "CLOSE over", "CH_OPEN": "CH_ACCEPT offered", "CH_ACCEPT": "accepted",
    "CH_RESET": "ended", "MSG": "data", "WINDOW": "credit", "REKEY_REQ": "REKEY_RSP KEY_SWITCH",
    "REKEY_RSP": "KEY_SWITCH", "KEY_SWITCH": "rekeyed", "EXT_UPDATE": "extenders", "RESERVE": "reservation",
    "RESERVED": "grant",
}  # fmt: skip
REACTIONS: dict[SessionPhase, dict[str, str]] = {
    P.OPENING: {"SESSION": "ready", "CLOSE": "CLOSE over"},
    P.READY: IN_READY,
    P.DRAINING: IN_READY | {"CH_OPEN": "CH_RESET"},
    P.CLOSING: dict.fromkeys((*IN_READY, "SESSION"), "") | {"CLOSE": "over"},
}
"""What follows a well-formed frame, by the names of its types and events. A type without an entry: dead."""


class Scene:
    """A victim in some phase, with a stream of its own that is queued full (X) and one of ours (Y)."""

    def __init__(self, phase: SessionPhase, victim_initiates: bool, asked: bool = False) -> None:
        opening = phase is P.OPENING
        self.mallory = mallory = Mallory(victim_initiates=victim_initiates, settings=ANY_TIME, opened=not opening)
        self.x, self.y, self.new = (2, 1, 3) if mallory.initiator else (1, 2, 4)
        if not opening:
            self.own = mallory.side.open(stream=True)
            self.own.write(bytes(70_000))
            mallory.open(self.y, stream=True)
            (self.other,) = mallory.side.offered
            mallory.listen()
            if asked:
                mallory.side.session.rekey.request(mallory.now)
                mallory.listen()
        connection = mallory.side.connection
        if phase in (P.DRAINING, P.CLOSING):
            connection.close(now=mallory.now, graceful=phase is P.DRAINING)
            mallory.side.meet()
            mallory.listen()
        elif phase is P.OVER:
            mallory.say(BYE)
        assert mallory.side.session.phase is phase
        self.ends = len(mallory.side.of(Closed))

    def spelled(self, kind: int) -> bytes:
        """One frame of this type, as an honest peer could send it here."""
        mallory = self.mallory
        long = mallory.long
        match kind:
            case frames.PING | frames.PONG:
                return frames.frame(kind, bytes(8))
            case frames.CLOSE:
                return BYE
            case frames.CH_OPEN:
                return frames.frame(kind, frames.ChannelOpen(UUID(int=1), False, 2, b"").encode(), self.new)
            case frames.CH_ACCEPT:
                return frames.frame(kind, b"", self.x)
            case frames.CH_RESET:
                return frames.frame(kind, bytes(2), self.y)
            case frames.MSG:
                return frames.frame(kind, b"data", self.y)
            case frames.WINDOW:
                return frames.frame(kind, frames.U64.pack(1 << 30), self.y)
            case frames.REKEY_REQ:
                return long(kind, mallory.request())
            case frames.REKEY_RSP:
                asked = [data for seen, data in mallory.long_seen if seen == frames.REKEY_REQ]
                return long(kind, mallory.answer(asked[-1]) if asked else b"")
            case frames.SESSION:
                return long(kind, mallory.block.encode())
            case frames.EXT_UPDATE:
                return long(kind, b"")
            case frames.RESERVE:
                return frames.frame(kind, bytes(32))
            case frames.RESERVED:
                return frames.frame(kind, Grant(0).encode())
            case _:
                return frames.frame(kind)

    def reaction(self, kind: int) -> frozenset[str]:
        """Say it; what follows."""
        mallory, side = self.mallory, self.mallory.side
        if kind == frames.KEY_SWITCH and any(seen == frames.REKEY_REQ for seen, _ in mallory.long_seen):
            mallory.say(self.spelled(frames.REKEY_RSP))
            mallory.listen()
        known, before, sent = len(side.events), self.state(), len(mallory.seen)
        mallory.say(self.spelled(kind))
        mallory.listen()
        words = {NAMES[frame[0]] for frame in mallory.seen[sent:]}
        words |= {NOTICED[type(event)] for event in side.events[known:] if type(event) in NOTICED}
        words |= {word for word, now in self.state().items() if before[word] != now}
        if any(end.reason == "damaged" for end in side.of(Closed)) or side.connection.discarding:
            words.add("dead")
        return frozenset(words)

    def state(self) -> dict[str, object]:
        """What a frame may change without a word."""
        session = self.mallory.side.session
        found: dict[str, object] = {"over": session.over and not session.path_lost}
        if hasattr(self, "own"):
            found |= {"accepted": self.own.answered, "ended": self.other.closed, "credit": self.other.send_limit,
                      "data": len(self.mallory.side.streamed[id(self.other)])}
        return found


class FrameTests(SynchronousTestCase):
    """docs/spec/states.md, section Frames."""

    def scenes(self, phase: SessionPhase) -> list[bool]:
        """In which roles a victim can be in this phase."""
        return [True] if phase is P.OPENING else [True, False]

    def test_every_named_frame_in_every_phase(self) -> None:
        for phase, kind in product(REACTIONS, NAMES):
            for initiates in self.scenes(phase):
                asked = kind in (frames.REKEY_RSP, frames.KEY_SWITCH)
                words = REACTIONS[phase].get(NAMES[kind])
                expected = DEAD if words is None else frozenset(words.split())
                found = Scene(phase, initiates, asked).reaction(kind)
                if found & {"over", "dead"}:
                    found -= {"ended"}
                self.assertEqual(found, expected, (phase.name, NAMES[kind], initiates))

    def test_no_other_number_is_legal_anywhere(self) -> None:
        for phase in REACTIONS:
            for kind in set(range(1, 256)) - set(NAMES) - link_frames.LINK_TYPES:  # those: tests/core/relay
                found = Scene(phase, self.scenes(phase)[0]).reaction(kind)
                self.assertEqual(found - {"ended"}, DEAD, (phase.name, kind))

    def test_when_it_is_over_nothing_is_read(self) -> None:
        for kind in range(256):
            scene = Scene(P.OVER, True)
            self.assertEqual(scene.reaction(kind), frozenset({"CLOSE"}), kind)
            self.assertEqual(len(scene.mallory.side.of(Closed)), 1)

    def test_padding_is_nothing(self) -> None:
        for phase in REACTIONS:
            for initiates in self.scenes(phase):
                self.assertEqual(Scene(phase, initiates).reaction(frames.PADDING), NOTHING)

    def test_an_ignored_frame_is_still_well_formed(self) -> None:
        """On a wrong channel, or with flags: dead, also where it would have been dropped."""
        for kind in sorted(set(NAMES) - {frames.MSG}):
            on_channel, flags = kind in frames.CHANNEL_TYPES, kind not in frames.LONG_TYPES
            wrong = [frames.frame(kind, bytes(8), channel=0 if on_channel else 1)]
            if flags:
                wrong.append(frames.frame(kind, bytes(8), channel=int(on_channel), flags=1))
            for frame, phase in product(wrong, (P.READY, P.CLOSING)):
                scene = Scene(phase, True)
                scene.mallory.say(frame)
                self.assertTrue(scene.mallory.side.connection.discarding, (NAMES[kind], phase))

    def test_without_having_asked(self) -> None:
        """Answers that nobody waits for, and a SESSION from the side that never sends one as a frame."""
        for phase in (P.READY, P.DRAINING, P.CLOSING):
            for kind in (frames.REKEY_RSP, frames.KEY_SWITCH):
                self.assertEqual(Scene(phase, True).reaction(kind) - {"ended"}, DEAD, (phase, kind))

    def test_a_closing_side_still_follows_the_keys(self) -> None:
        """It asked, closed, and hears the answer, KEY_SWITCH, and CLOSE under the next key; it says nothing more."""
        scene = Scene(P.CLOSING, True, asked=True)
        mallory, sent = scene.mallory, len(scene.mallory.seen)
        mallory.say(scene.spelled(frames.REKEY_RSP), frames.frame(frames.KEY_SWITCH))
        self.assertFalse(mallory.side.connection.discarding)
        mallory.switch_sending()
        mallory.say(BYE)
        mallory.listen()
        self.assertTrue(mallory.side.connection.finished)
        self.assertEqual(mallory.seen[sent:], [])

    def test_the_table_agrees(self) -> None:
        for phase, kind in product(P, NAMES):
            rule = FRAMES[phase].get(kind)
            words = REACTIONS.get(phase, {}).get(NAMES[kind])
            self.assertEqual(rule is None, words is None, (phase, NAMES[kind]))
            if rule is FrameRule.IGNORED:
                self.assertEqual(words, "")


def agree(scene: Scene) -> None:
    scene.mallory.say(scene.spelled(frames.SESSION))


def close(scene: Scene) -> None:
    scene.mallory.side.connection.close(now=scene.mallory.now)


def break_a_rule(scene: Scene) -> None:
    if scene.mallory.side.session.ready:
        scene.mallory.say(frames.frame(frames.MSG, b"x", 99))
    else:
        scene.mallory.side.connection.close(now=scene.mallory.now)


def drain(scene: Scene) -> None:
    scene.mallory.say(frames.frame(frames.WINDOW, frames.U64.pack(1 << 30), scene.x))
    while scene.mallory.side.connection.data_to_send(scene.mallory.now) is not None:
        scene.mallory.side.connection.taken(1 << 20, scene.mallory.now)
        if scene.mallory.side.session.phase is P.CLOSING:
            return


def answer(scene: Scene) -> None:
    scene.mallory.say(BYE)


def pass_time(scene: Scene) -> None:
    scene.mallory.wait(PLAIN.limits.close_answer_seconds)


def lose(scene: Scene) -> None:
    scene.mallory.side.connection.eof(scene.mallory.now)


STEPS: dict[Change, Callable[[Scene], None]] = {
    Change.AGREE: agree, Change.CLOSE_GRACEFULLY: close, Change.CLOSE_NOW: break_a_rule, Change.DRAINED: drain,
    Change.PEER_CLOSED: answer, Change.ANSWER_TIME: pass_time, Change.LOST: lose,
}  # fmt: skip


class TableTests(SynchronousTestCase):
    """docs/spec/states.md, section Session: each row is walked by what a user, a peer or time can do."""

    def test_nothing_leads_out_of_the_end(self) -> None:
        self.assertEqual([pair for pair in SESSION if pair[0] is P.OVER], [])
        for phase in set(P) - {P.OVER}:
            for change in (Change.PEER_CLOSED, Change.LOST):
                self.assertIs(SESSION[phase, change], P.OVER)

    def test_every_row(self) -> None:
        for (phase, change), then in SESSION.items():
            scene = Scene(phase, True)
            STEPS[change](scene)
            self.assertIs(scene.mallory.side.session.phase, then, (phase, change))

    def test_a_drain_ends_in_time_and_says_why(self) -> None:
        scene = Scene(P.DRAINING, True)
        seconds = PLAIN.limits.close_drain_seconds
        scene.mallory.wait(seconds - 0.01)
        self.assertIs(scene.mallory.side.session.phase, P.DRAINING)
        scene.mallory.wait(0.01)
        self.assertIs(scene.mallory.side.session.phase, P.CLOSING)
        self.assertEqual(scene.mallory.heard(frames.CLOSE)[0][2][:2], frames.U16.pack(CloseCode.BYE))
