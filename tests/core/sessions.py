"""Two sessions facing one another without a handshake, and a peer that seals whatever a test wants to send.

``Pair`` moves bytes and time between two real Connections; ``Mallory`` holds the keys of one side and speaks frames.
Not for: handshakes (``tests/core/handshake/duel.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from quantumgate.core import schedule
from quantumgate.core.buffers import BufferPool
from quantumgate.core.channel import Channel
from quantumgate.core.connection import Connection
from quantumgate.core.credit import CreditPool
from quantumgate.core.events import ChannelOffered, Closed, Event
from quantumgate.core.handshake.outcome import Established, Failed
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.core.requests import Verdict
from quantumgate.core.session import Session
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto import agreement, kem, labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import Suite
from quantumgate.wire import frames
from quantumgate.wire.limits import DEFAULT_LIMITS, RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES, Limits
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content
from quantumgate.wire.session_tlvs import SessionBlock
from tests.core.handshake.duel import SeededRandom, identity

ECHO = UUID(int=0xEC0)
START = 1000.0
ROOT = bytes(range(64))
SID = bytes(range(32))
PLAIN = SessionSettings(extenders=(ECHO,), compression=False, padding="off")


def limited(**changes: Any) -> Limits:
    """The default limits with some of them changed."""
    return replace(DEFAULT_LIMITS, **changes)


def tuned(settings: SessionSettings = PLAIN, **changes: Any) -> SessionSettings:
    """Settings with some limits changed."""
    return replace(settings, limits=limited(**changes))


class Finished:
    """Stands where a handshake would: it is over, and this is how it ended."""

    def __init__(self, outcome: Established | Failed, output: bytes = b"", until: float = 0.0) -> None:
        self.outcome, self.requests, self._output, self._until = outcome, [], output, until  # type: ignore[var-annotated]

    def output(self) -> bytes:
        output, self._output = self._output, b""
        return output

    def deadline(self) -> float:
        return self._until


def established(initiator: bool, **changes: Any) -> Established:
    """How a handshake between alice (I) and bob (R) ends."""
    names = ("alice", "bob") if initiator else ("bob", "alice")
    me, peer = (identity(name) for name in names)
    values: dict[str, Any] = {
        "initiator": initiator, "role": 1, "peer": peer.public, "local": me.public, "signer": me,
        "suite": Suite(1, 1, 1), "root": Secret(ROOT), "sid": SID, "exporter": Secret(ROOT),
        "peer_session": b"", "leftover": b"", "shared_secret": False, "verdict": Verdict(True), "retried": False,
    }  # fmt: skip
    return Established(**values | changes)


@dataclass
class Owner:
    """Keeps what happened to one connection and its channels. ``accepting`` False leaves offered channels alone."""

    connection: Connection
    accepting: bool = True
    events: list[Event] = field(default_factory=list)
    offered: list[Channel] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    streamed: dict[int, bytearray] = field(default_factory=dict)
    ends: dict[int, list[Any]] = field(default_factory=dict)
    fins: list[int] = field(default_factory=list)
    rooms: int = 0
    on_offer: Callable[[Channel], None] | None = None

    @property
    def session(self) -> Session:
        assert self.connection.session is not None
        return self.connection.session

    def meet(self) -> None:
        """Take the events that wait."""
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, ChannelOffered) and not event.channel.closed:
                self.offered.append(event.channel)
                self.own(event.channel)
                if self.on_offer is not None:
                    self.on_offer(event.channel)
                elif self.accepting:
                    event.channel.accept()

    def own(self, channel: Channel) -> Channel:
        """Set the hooks of a channel; what they are told is kept here."""
        number = id(channel)
        self.ends[number] = []
        self.streamed[number] = bytearray()
        channel.on_message = self._message
        channel.on_data = lambda data: self._data(channel, data)
        channel.on_fin = lambda: self.fins.append(number)
        channel.on_closed = self.ends[number].append
        channel.on_room = self._room
        return channel

    def open(self, stream: bool = False, **more: Any) -> Channel:
        """A channel of ours."""
        return self.own(self.session.open_channel(ECHO, stream=stream, **more))

    def _message(self, message: bytes) -> bool:
        self.messages.append(message)
        return True

    def _data(self, channel: Channel, data: bytes) -> None:
        self.streamed[id(channel)] += data
        channel.consumed(len(data))

    def _room(self) -> None:
        self.rooms += 1

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def end(self) -> Closed | None:
        """The Closed event, if there was one."""
        found = self.of(Closed)
        assert len(found) < 2, found
        return found[0] if found else None


def connect(initiator: bool, settings: SessionSettings = PLAIN, *, told: SessionBlock | None = None, now: float = START,
            buffers: BufferPool | None = None, **changes: Any) -> Owner:  # fmt: skip
    """One side. ``told`` is the block that a responder was given in msg3. Its node's pool is its own, or that named."""
    if settings.node_pool is PLAIN.node_pool:
        settings = replace(settings, node_pool=CreditPool(settings.limits.window_pool_node_bytes))
    block = settings.block()
    if not initiator:
        changes.setdefault("peer_session", (told or PLAIN.block()).encode())
    handshake: Any = Finished(established(initiator, **changes))
    luck = SeededRandom(("session", initiator))
    return Owner(Connection(handshake, settings, block, luck, now, buffers or BufferPool()))


class Pair:
    """alice (initiator) and bob. ``pump`` moves bytes until nobody has more; ``chunk`` cuts them."""

    def __init__(self, alice: SessionSettings = PLAIN, bob: SessionSettings = PLAIN, **changes: Any) -> None:
        self.now = START
        self.alice = connect(True, alice, **changes)
        self.bob = connect(False, bob, told=alice.block(), **changes)
        self.sides = (self.alice, self.bob)
        self.pump()

    def move(self, source: Owner, target: Owner, chunk: int) -> int:
        """Everything that one side has to say now."""
        moved = 0
        while (data := source.connection.data_to_send(self.now)) is not None:
            copy = bytes(data)
            source.connection.taken(len(copy), self.now)
            moved += len(copy)
            for at in range(0, len(copy), chunk):
                target.connection.receive(copy[at : at + chunk], self.now)
        return moved

    def pump(self, chunk: int = 1 << 30) -> Pair:
        """Until both are silent."""
        alice, bob = self.sides
        for owner in self.sides:
            owner.meet()
        while self.move(alice, bob, chunk) + self.move(bob, alice, chunk):
            for owner in self.sides:
                owner.meet()
        for owner in self.sides:
            owner.meet()
        return self

    def advance(self, seconds: float, *, pump: bool = True) -> Pair:
        """Time passes; both are woken at their deadlines on the way."""
        end = self.now + seconds
        for _ in range(10_000):
            living = [owner.connection for owner in self.sides if not owner.connection.finished]
            soonest = min((connection.deadline() for connection in living), default=end + 1)
            if soonest > end:
                break
            self.now = max(self.now, soonest)
            for owner in self.sides:
                owner.connection.expire(self.now)
            if pump:
                self.pump()
        self.now = end
        for owner in self.sides:
            owner.connection.expire(self.now)
        return self.pump() if pump else self


class Mallory:
    """The peer of one real side: knows all keys and says what it likes. ``side`` is the victim's Owner."""

    def __init__(
        self,
        *,
        victim_initiates: bool = False,
        settings: SessionSettings = PLAIN,
        block: SessionBlock | None = None,
        opened: bool = True,
        accepting: bool = True,
        **changes: Any,
    ) -> None:
        self.now = START
        self.block = block or PLAIN.block()
        self.side = connect(victim_initiates, settings, told=self.block, **changes)
        self.side.accepting = accepting
        self.initiator = not victim_initiates
        self.identity: Identity = identity("alice" if self.initiator else "bob")
        self.suite = established(True, **changes).suite
        self.root = Secret(ROOT)
        self.epoch = 0
        i2r, r2i = schedule.record_keys(self.root, self.suite.aead)
        self.sealer = RecordSealer(i2r if self.initiator else r2i)
        self.opener = RecordOpener(r2i if self.initiator else i2r)
        self.seen: list[tuple[int, int, int, bytes]] = []
        self._long: dict[int, bytes] = {}
        self._unheard = memoryview(b"")
        self.long_seen: list[tuple[int, bytes]] = []
        if victim_initiates and opened:
            self.say(frames.frame(frames.SESSION, self.block.encode(), flags=frames.WHOLE))
        self.listen()

    # -- speaking ------------------------------------------------------------------------------------------------

    def record(self, body: bytes) -> bytes:
        """One sealed record."""
        buffer = bytearray(RECORD_OVERHEAD_BYTES + len(body))
        buffer[RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + len(body)] = body
        self.sealer.seal(memoryview(buffer), len(body))
        return bytes(buffer)

    def raw(self, data: bytes, chunk: int = 1 << 30) -> None:
        """Bytes as they are."""
        for at in range(0, len(data), chunk):
            self.side.connection.receive(data[at : at + chunk], self.now)
        self.side.meet()

    def say(self, *said: bytes, chunk: int = 1 << 30) -> None:
        """Frames in one record."""
        self.raw(self.record(b"".join(said)), chunk)

    def open(self, channel: int, *, stream: bool = False, label: bytes = b"") -> None:
        """CH_OPEN."""
        data = frames.ChannelOpen(ECHO, stream, 2, label).encode()
        self.say(frames.frame(frames.CH_OPEN, data, channel))

    def message(self, channel: int, message: bytes, flags: int = frames.WHOLE) -> bytes:
        """A MSG frame with its total."""
        return frames.frame(frames.MSG, frames.U32.pack(len(message)) + message, channel, flags)

    # -- hearing -------------------------------------------------------------------------------------------------

    def listen(self) -> list[tuple[int, int, int, bytes]]:
        """All that the victim sends now, as (type, channel, flags, data)."""
        new = []
        while said := self.next_record():
            new += said
        return new

    def next_record(self) -> list[tuple[int, int, int, bytes]]:
        """The frames of the next record, none where there is none."""
        connection, said = self.side.connection, []
        if not self._unheard and (data := connection.data_to_send(self.now)) is not None:
            self._unheard = memoryview(bytearray(data))
            connection.taken(len(data), self.now)
        if view := self._unheard:
            end = RECORD_OVERHEAD_BYTES + self.opener.body_bytes(view[:20], 1 << 20)
            said = self._frames(bytes(self.opener.open_body(view[:20], view[20:end])))
            self._unheard = view[end:]
        self.seen += said
        self.side.meet()
        return said

    def _frames(self, body: bytes) -> list[tuple[int, int, int, bytes]]:
        found, at = [], 0
        while at < len(body) and body[at]:
            word, size = frames.HEAD.unpack_from(body, at)
            data = body[at + 8 : at + 8 + (size & 0xFFFFFF)]
            at += 8 + len(data)
            kind, flags = word >> 24, size >> 24
            found.append((kind, word & 0xFFFFFF, flags, data))
            if kind in frames.LONG_TYPES:
                self._long[kind] = (b"" if flags & frames.FIRST else self._long[kind]) + data
                if flags & frames.LAST:
                    self.long_seen.append((kind, self._long.pop(kind)))
        return found

    def heard(self, kind: int) -> list[tuple[int, int, bytes]]:
        """(channel, flags, data) of all frames of one type so far."""
        self.listen()
        return [rest for first, *rest in self.seen if first == kind]  # type: ignore[misc]

    def wait(self, seconds: float) -> None:
        """Time passes for the victim."""
        end = self.now + seconds
        for _ in range(10_000):
            at = self.side.connection.deadline()
            if at > end or self.side.connection.finished:
                break
            self.now = max(self.now, at)
            self.side.connection.expire(self.now)
            self.side.meet()
        self.now = end
        self.side.connection.expire(self.now)
        self.side.meet()

    # -- re-key --------------------------------------------------------------------------------------------------

    def long(self, kind: int, data: bytes) -> bytes:
        """A long control message as one frame."""
        return frames.frame(kind, data, flags=frames.WHOLE)

    def sign(self, name: str, payload: bytes, *, asks: bool, request_hash: bytes = b"") -> bytes:
        """As this identity signs a re-key of the next epoch."""
        mine, theirs = self.identity.public.bundle, self.side.session.local.bundle  # type: ignore[union-attr]
        requester, responder = (mine, theirs) if asks else (theirs, mine)
        marker = schedule.rekey_id(self.root)
        content = signed_content(marker, SID, self.epoch + 1, requester, responder, payload, request_hash)
        return self.identity.sign(name, hashlib.sha512(content).digest())

    def request(self, **changes: Any) -> bytes:
        """A REKEY_REQ payload; ``changes`` are fields to get wrong, after or before signing (``signature=``)."""
        self.primary_key = agreement.primary(self.suite.primary).generate()
        self.secondary_key = kem.kem(1).generate()
        values: dict[str, Any] = {
            "epoch": self.epoch + 1, "primary": self.suite.primary, "secondary": 1,
            "share": self.primary_key.share, "key": self.secondary_key.public,
        }  # fmt: skip
        signature = changes.pop("signature", None)
        request = RekeyRequest(**values | changes)
        if signature is None:
            signature = self.sign(labels.SIGN_REKEY_REQUEST, request.signed_part(), asks=True)
        self.request_bytes: bytes = replace(request, signature=signature).encode()
        return self.request_bytes

    def answer(self, request: bytes, **changes: Any) -> bytes:
        """A REKEY_RSP payload to the victim's request, and the next root with it."""
        asked = RekeyRequest.decode(request)
        key = agreement.primary(asked.primary).generate()
        secret = key.exchange(asked.share)
        ciphertext, shared = kem.kem(asked.secondary).encapsulate(asked.key)
        signature = changes.pop("signature", None)
        response = RekeyResponse(**{"epoch": asked.epoch, "share": key.share, "ciphertext": ciphertext} | changes)
        if signature is None:
            digest = hashlib.sha512(request).digest()
            signature = self.sign(
                labels.SIGN_REKEY_RESPONSE, response.signed_part(), asks=False, request_hash=digest
            )
        whole = replace(response, signature=signature).encode()
        self.next_root = schedule.next_root(self.root, shared, secret, request, whole)
        return whole

    def take_answer(self) -> None:
        """The victim answered our request: the next root."""
        _, data = next(entry for entry in reversed(self.long_seen) if entry[0] == frames.REKEY_RSP)
        response = RekeyResponse.decode(data)
        primary = self.primary_key.exchange(response.share)
        secondary = self.secondary_key.decapsulate(response.ciphertext)
        self.next_root = schedule.next_root(self.root, secondary, primary, self.request_bytes, data)

    def switch_sending(self) -> None:
        """Our KEY_SWITCH was said: seal under the next key."""
        self.sealer = RecordSealer(self._next_keys(0 if self.initiator else 1))

    def switch_hearing(self) -> None:
        """The victim's KEY_SWITCH was heard."""
        self.opener = RecordOpener(self._next_keys(1 if self.initiator else 0))

    def _next_keys(self, index: int) -> Any:
        return schedule.record_keys(self.next_root, self.suite.aead)[index]

    def settled(self) -> None:
        """Both directions have switched."""
        self.root, self.epoch = self.next_root, self.epoch + 1
