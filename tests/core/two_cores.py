"""Two real Connections, a wire between them, a fake clock, and a model of what each owner asked for and got.

``Port`` drives one Connection as ``net/protocol.py`` does: it flushes when it was woken, has received, or its timer
rang, and moves that timer only when it was told to. So a core that forgets to wake its owner is seen to hang here.
Not for: choosing what happens next (``test_two_cores.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quantumgate.core.channel import Channel
from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Closed, Event, RequestMade
from quantumgate.core.handshake import Initiator, Responder, Verdict
from quantumgate.core.requests import KeyNeeded
from quantumgate.core.session import Session
from quantumgate.core.session_settings import SessionSettings
from quantumgate.core.state import SessionPhase
from quantumgate.crypto import kem
from quantumgate.errors import ChannelReset, LimitError
from quantumgate.wire.codes import ResetCode
from quantumgate.wire.limits import CONTROLS_WAITING_MAX
from tests.core.handshake.duel import WALL_OFFSET_SECONDS, SeededRandom, identity, settings, window
from tests.core.sessions import ECHO, START, Finished, established, tuned

TIGHT = tuned(
    max_record_bytes=16_384, max_message_bytes=100_000, max_channels=32, window_max_bytes=128 * 1024,
    window_pool_peer_bytes=512 * 1024, inflated_peer_bytes=100_000, queue_pause_bytes=300_000,
    queue_error_bytes=2_000_000, rekey_seconds=(30.0, 60.0), rekey_volume_bytes=400_000, rekey_floor_seconds=0.0,
)  # fmt: skip
"""No floor between re-keys: the wires here hold more than its margin, and what is on the way counts at one side."""

REFUSED, ECHOED = b"no", b"echo"
"""Labels that begin so: the other side resets the channel; the other side writes back what it reads."""


@dataclass
class Line:
    """What the model knows of one channel: what its opener sent on it, what came back, and who ended it early."""

    opener: int
    label: bytes
    stream: bool
    said: tuple[list[bytes], list[bytes]] = field(default_factory=lambda: ([], []))
    finished: list[bool] = field(default_factory=lambda: [False, False])
    full: list[bool] = field(default_factory=lambda: [False, False])
    broken: bool = False


class Port:
    """One side: its connection, what its owner was told, and when its transport would be asked for bytes."""

    def __init__(self, number: int, connection: Connection, now: float) -> None:
        self.number, self.connection = number, connection
        self.events: list[Event] = []
        self.channels: dict[bytes, Channel] = {}
        self.got: dict[bytes, list[bytes]] = {}
        self.ends: dict[bytes, list[Any]] = {}
        self.fins: dict[bytes, int] = {}
        self.paused: set[bytes] = set()
        self.kept: dict[bytes, int] = {}
        self.echoed: Callable[[Port, bytes, bytes], None] | None = None
        self.roomy: Callable[[Port, bytes], None] | None = None
        self.eof_told = False
        self.woken = True
        self.timer_at = connection.deadline()
        connection.on_output = self._wake
        self.meet(now)

    def _wake(self) -> None:
        self.woken = True

    @property
    def session(self) -> Session | None:
        return self.connection.session

    @property
    def end(self) -> Closed | None:
        found = [event for event in self.events if isinstance(event, Closed)]
        if len(found) > 1:
            raise AssertionError(f"closed twice: {found}")
        return found[0] if found else None

    # -- what its owner does -------------------------------------------------------------------------------------

    def meet(self, now: float) -> None:
        """Take the events and answer what is asked."""
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, RequestMade):
                slow = isinstance(event.request, KeyNeeded)
                value = kem.kem(event.request.group).generate() if slow else Verdict(True)
                self.connection.answer(event.request, value, now)
            elif isinstance(event, ChannelOffered) and not event.channel.closed:
                self._offered(event.channel)

    def _offered(self, channel: Channel) -> None:
        self.own(channel.label, channel)
        if channel.label.startswith(REFUSED):
            channel.reset(ResetCode.REFUSED)
        else:
            channel.accept()

    def own(self, label: bytes, channel: Channel) -> None:
        self.channels[label] = channel
        self.got[label], self.ends[label], self.fins[label], self.kept[label] = [], [], 0, 0
        channel.on_message = lambda message: self._message(label, message)
        channel.on_data = lambda data: self._data(label, channel, data)
        channel.on_fin = lambda: self._fin(label)
        channel.on_closed = self.ends[label].append
        channel.on_room = lambda: self.roomy(self, label) if self.roomy is not None else None

    def _message(self, label: bytes, message: bytes) -> bool:
        if self.ends[label] or self.fins[label]:
            raise AssertionError("a message after the end")
        self.got[label].append(message)
        if label in self.paused:
            if self.kept[label]:
                raise AssertionError("a message to a guest that holds one")
            self.kept[label] = 1
            return False
        return True

    def _data(self, label: bytes, channel: Channel, data: bytes) -> None:
        if self.ends[label] or self.fins[label] or not data:
            raise AssertionError("bytes after the end, or none")
        self.got[label].append(data)
        if label in self.paused:
            self.kept[label] += len(data)
        else:
            channel.consumed(len(data))
        if label.startswith(ECHOED) and not channel.ours and self.echoed is not None:
            self.echoed(self, label, data)

    def _fin(self, label: bytes) -> None:
        self.fins[label] += 1
        if self.fins[label] > 1:
            raise AssertionError("fin twice")

    def resume(self, label: bytes) -> None:
        """The reader takes what it held, and goes on."""
        self.paused.discard(label)
        kept, self.kept[label] = self.kept[label], 0
        channel = self.channels[label]
        if channel.stream:
            channel.consumed(kept)
        elif kept:
            channel.release()

    # -- what its transport does ---------------------------------------------------------------------------------

    def write(self, most_bytes: int, now: float) -> bytes:
        """What a flush brings to the wire now: at most so many bytes. Nothing where nobody woke us."""
        self.meet(now)
        taken = bytearray()
        asks = self.woken
        while asks and len(taken) < most_bytes:
            self.woken = False  # what wakes us while we ask is another flush, later
            data = self.connection.data_to_send(now)
            if data is None:
                break
            piece = bytes(data[: most_bytes - len(taken)])
            self.connection.taken(len(piece), now)
            taken += piece
            asks = not self.connection.quiet
        else:
            self.woken = self.woken or asks
        self._after(now)
        return bytes(taken)

    def read(self, data: bytes, chunk: int, now: float) -> None:
        """Bytes came, in pieces of ``chunk``."""
        for at in range(0, len(data), chunk):
            if not self.connection.finished:
                self.connection.receive(data[at : at + chunk], now)
                self.woken = True
        self.meet(now)
        self._after(now)

    def eof(self, now: float) -> None:
        if not self.eof_told:
            self.eof_told = True
            if not self.connection.finished:
                self.connection.eof(now)
            self.meet(now)

    def ring(self, now: float) -> None:
        """The timer that was set."""
        self.timer_at = float("inf")
        self.connection.expire(now)
        self.woken = True
        self.meet(now)
        self._after(now, rung=True)

    def _after(self, now: float, *, rung: bool = False) -> None:
        self.meet(now)
        if not self.connection.finished and (self.connection.timer_moved or rung):
            at = self.connection.deadline()
            self.timer_at = min(self.timer_at, at)
        if self.connection.finished:
            self.timer_at = float("inf")


class TwoCores:
    """Two ports and two wires: ``wires[n]`` holds what port n wrote and the other has not read yet."""

    def __init__(self, *, handshake: bool, padding: str = "off", compression: bool = True) -> None:
        self.now = START
        self.lines: dict[bytes, Line] = {}
        self.options = SessionSettings(TIGHT.limits, (ECHO,), None, compression, padding)
        made = self._shaking_hands() if handshake else self._in_session()
        self.ports = tuple(Port(number, connection, self.now) for number, connection in enumerate(made))
        self.wires = (bytearray(), bytearray())
        self.tampered = False
        self.end_asked = False
        for port in self.ports:
            port.echoed, port.roomy = self._echo, self._room

    def _in_session(self) -> tuple[Connection, Connection]:
        block = self.options.block()
        made = []
        for initiator in (True, False):
            session = b"" if initiator else block.encode()
            over: Any = Finished(established(initiator, peer_session=session))
            made.append(Connection(over, self.options, block, SeededRandom(("two", initiator)), self.now))
        return made[0], made[1]

    def _shaking_hands(self) -> tuple[Connection, Connection]:
        block = self.options.block()
        shared: dict[str, Any] = {"now": self.now, "wall_offset_seconds": WALL_OFFSET_SECONDS}
        bob = settings("bob", primaries=(2, 1))  # alice's first share is for group 1: with a RETRY now and then
        i = Initiator(
            settings("alice", primaries=(1, 2)), target=identity("bob").public.uuid, session_tlvs=block.encode(),
            random=SeededRandom("alice"), **shared,
        )  # fmt: skip
        r = Responder(bob, window(self.now), random=SeededRandom("bob"), **shared)
        return (
            Connection(i, self.options, block, SeededRandom("alice's session"), self.now),
            Connection(r, self.options, block, SeededRandom("bob's session"), self.now),
        )

    # -- what owners ask for -------------------------------------------------------------------------------------

    def open(self, number: int, label: bytes, *, stream: bool, priority: int) -> None:
        session = self.ports[number].session
        if session is None or session.phase is not SessionPhase.READY:
            return
        channel = session.open_channel(ECHO, stream=stream, priority=priority, label=label)
        self.ports[number].own(label, channel)
        self.lines[label] = Line(number, label, stream)

    def say(self, number: int, label: bytes, data: bytes) -> None:
        """``send`` or ``write``; the model keeps what was taken."""
        line, channel = self.lines[label], self.ports[number].channels.get(label)
        side = int(number != line.opener)
        if channel is None or line.finished[side] or (side and not line.stream):
            return
        if side and not channel.answered:
            return
        try:
            taken = channel.write(data) if line.stream else channel.send(data)
        except ChannelReset:
            self._must_be_closed(channel)
            return
        except LimitError:
            line.broken = True
            self._must_be_closed(channel)
            return
        if line.stream or taken:
            line.said[side].append(data)
        line.full[side] = line.full[side] or not taken

    def _must_be_closed(self, channel: Channel) -> None:
        if not channel.closed:
            raise AssertionError("an open channel that takes nothing")

    def _echo(self, port: Port, label: bytes, data: bytes) -> None:
        self.say(port.number, label, data)

    def _room(self, port: Port, label: bytes) -> None:
        line = self.lines[label]
        line.full[int(port.number != line.opener)] = False

    def finish(self, number: int, label: bytes) -> None:
        line, channel = self.lines[label], self.ports[number].channels.get(label)
        side = int(number != line.opener)
        if channel is None or (side and not (line.stream and channel.answered)) or channel.closed:
            return
        channel.finish()
        line.finished[side] = True

    def reset(self, number: int, label: bytes) -> None:
        channel = self.ports[number].channels.get(label)
        if channel is not None and not channel.closed:
            self.lines[label].broken = True
            channel.reset(ResetCode.CANCELLED, "enough")

    def rekey(self, number: int) -> None:
        session = self.ports[number].session
        if session is not None:
            try:
                session.rekey.request(self.now)
            except LimitError:
                return

    def close(self, number: int, *, graceful: bool) -> None:
        port = self.ports[number]
        self.end_asked = True
        port.connection.close(now=self.now, graceful=graceful)
        port.woken = True
        port.meet(self.now)

    # -- wire and clock ------------------------------------------------------------------------------------------

    def write(self, number: int, most_bytes: int) -> int:
        data = self.ports[number].write(most_bytes, self.now)
        self.wires[number].extend(data)
        return len(data)

    def deliver(self, number: int, most_bytes: int, chunk: int) -> int:
        """Bytes of port ``number`` reach the other side."""
        wire, other = self.wires[number], self.ports[1 - number]
        data = bytes(wire[:most_bytes])
        del wire[: len(data)]
        other.read(data, chunk, self.now)
        self._hang_up()
        return len(data)

    def _hang_up(self) -> None:
        """A finished side drops its transport; what it had written still arrives before its end does."""
        for port, wire, other in zip(self.ports, self.wires, reversed(self.ports), strict=True):
            if port.connection.finished and not wire:
                other.eof(self.now)

    def pump(self, chunk: int = 1 << 30) -> None:
        """Until both are silent."""
        for _ in range(100_000):
            moved = 0
            for number in (0, 1):
                moved += self.write(number, 1 << 30)
                moved += self.deliver(number, 1 << 30, chunk)
            if not moved:
                return
        raise AssertionError("they never fall silent")

    def advance(self, seconds: float, *, pump: bool) -> None:
        """Time passes; timers ring when they were set to. ``pump`` False: the wires stand still meanwhile."""
        end = self.now + seconds
        if pump:
            self.pump()
        for _ in range(20_000):
            soonest = min(port.timer_at for port in self.ports)
            if soonest > end:
                self.now = end
                return
            self.now = max(self.now, soonest)
            for port in self.ports:
                if port.timer_at <= self.now:
                    port.ring(self.now)
            if pump:
                self.pump()
        raise AssertionError("timers ring without end")

    # -- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """At every moment, tampered or not."""
        for line in self.lines.values():
            self._check_line(line)
        for port in self.ports:
            _ = port.end
            if port.session is not None:
                self._check_session(port, port.session)

    def _check_line(self, line: Line) -> None:
        for side in (0, 1):
            reader = self.ports[1 - line.opener if side == 0 else line.opener]
            got = reader.got.get(line.label, [])
            said = line.said[side]
            if line.stream:
                whole, part = b"".join(said), b"".join(got)
                fine = whole[: len(part)] == part
            else:
                fine = said[: len(got)] == got
            if not fine:
                raise AssertionError(f"wrong bytes on {line.label!r}, from side {side}")
            if len(reader.ends.get(line.label, [])) > 1:
                raise AssertionError("told twice of one end")

    def _check_session(self, port: Port, session: Session) -> None:
        limits = session.limits
        queued = [channel.queued_bytes for channel in port.channels.values()]
        bounds = {
            "sum of queues": session.queued_bytes == sum(queued),
            "a channel's queue": max(queued, default=0) <= limits.queue_error_bytes,
            "controls": session.outgoing.controls_waiting <= CONTROLS_WAITING_MAX,
            "in hands": 0 <= session.in_hands_bytes < limits.inflated_peer_bytes + limits.max_message_bytes,
            "lent": 0 <= session.pool.lent_bytes <= session.pool.size_bytes / 2,
            "grown": 0 <= session.pool.grown_bytes <= session.pool.size_bytes / 2,
            "channels": session.peer_channels <= limits.max_channels,
        }
        lent = sum(channel._lent_bytes for channel in session.channels.values())
        grown = sum(channel._grown_bytes for channel in session.channels.values())
        bounds["loans"] = (session.pool.lent_bytes, session.pool.grown_bytes) == (lent, grown)
        for channel in session.channels.values():
            credit = channel.consumed_bytes <= channel.received_bytes <= channel.receive_limit
            bounds[f"credit of {channel.id}"] = credit and channel.sent_bytes <= channel.send_limit
        if broken := [name for name, holds in bounds.items() if not holds]:
            raise AssertionError(f"side {port.number}: {broken}; {session.queued_bytes} of {sum(queued)} bytes queued")

    def check_credit_between(self) -> None:
        """Without tampering, and with nothing on the wires: what one may send is what the other takes."""
        first, second = (port.session for port in self.ports)
        if first is None or second is None or not (first.ready and second.ready):
            return
        for number in set(first.channels) & set(second.channels):
            for one, other in ((first, second), (second, first)):
                sender, receiver = one.channels[number], other.channels[number]
                if (sender.send_limit, sender.sent_bytes) != (receiver.receive_limit, receiver.received_bytes):
                    raise AssertionError(
                        f"channel {number}: may send {sender.send_limit}, sent {sender.sent_bytes}; "
                        f"granted {receiver.receive_limit}, got {receiver.received_bytes}"
                    )

    def check_all_arrived(self) -> None:
        """Without tampering, every reader reading and the wires empty: nothing is left anywhere."""
        for line in self.lines.values():
            if line.broken or line.label.startswith(REFUSED):
                continue
            for side in (0, 1):
                reader = self.ports[1 - line.opener if side == 0 else line.opener]
                got, said = reader.got.get(line.label, []), line.said[side]
                if sum(map(len, got)) != sum(map(len, said)) or (not line.stream and got != said):
                    raise AssertionError(f"{line} lost: {len(got)} of {len(said)} pieces arrived")
                if line.finished[side] != bool(reader.fins.get(line.label)):
                    raise AssertionError(f"{line}: fin {line.finished} and {reader.fins}")
                if line.full[side] and not self.ports[line.opener if side == 0 else 1 - line.opener].ends[line.label]:
                    raise AssertionError(f"{line}: its writer was told to wait, and never that there is room")

    def check_over(self) -> None:
        """After the end: each owner was told once, of the session and of every channel; nothing is held any more."""
        for port in self.ports:
            if port.end is None or not port.connection.finished:
                raise AssertionError(f"side {port.number} hangs: {port.end}, {port.connection.finished}")
            if unsaid := [label for label, ends in port.ends.items() if len(ends) != 1]:
                raise AssertionError(f"side {port.number}: channels without an end: {unsaid}")
            session = port.session
            if session is not None:
                pool = session.pool
                held = (pool.lent_bytes, pool.grown_bytes, session.queued_bytes, session.in_hands_bytes)
                if any(held) or session.channels or port.connection._storage is not None:
                    raise AssertionError(f"side {port.number} still holds {held}, {session.channels}")

