"""Runs a script against a real Connection with a real Session, as its peer: with identities, keys and re-key secrets.

What must hold is checked as it goes: nothing escapes but events, what comes out can be opened and read, and a session
that is over has given back all it held. Not for: making scripts (``mutation.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

from quantumgate.core import schedule
from quantumgate.core.buffers import BufferPool
from quantumgate.core.connection import SHARED_BUFFERS, Connection
from quantumgate.core.credit import CreditPool
from quantumgate.core.events import ChannelOffered, Closed, LinkArrived, LinkAsked, Ready
from quantumgate.core.handshake.outcome import Established
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.core.requests import Verdict
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto import kem, labels
from quantumgate.crypto.identity import Identity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.suites import Suite
from quantumgate.errors import QuantumGateError, RemoteProtocolError
from quantumgate.wire import frames
from quantumgate.wire.limits import DEFAULT_LIMITS, RECORD_OVERHEAD_BYTES
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content
from quantumgate.wire.session_tlvs import SessionBlock
from tests.fuzz.guest import Guest
from tests.fuzz.known_keys import known_primary, known_secondary
from tests.fuzz.linked import Links
from tests.fuzz.mutation import EXTENDERS, ZEROS
from tests.fuzz.script import Kind, Option, Script, Step

IDENTITIES = tuple(Identity.generate(1) for _ in range(2))
SID = bytes(range(32))
ROOT = bytes(range(64))
LIMITS = replace(DEFAULT_LIMITS, rekey_floor_seconds=0.5, rekey_seconds=(30.0, 60.0))
TIGHT = replace(
    LIMITS,
    links_node=6,
    link_volume_prefix_bytes=1 << 30,
    max_record_bytes=16_384,
    max_message_bytes=20_000,
    max_channels=32,
    window_max_bytes=128 * 1024,
    window_pool_peer_bytes=300 * 1024,
    inflated_peer_bytes=4096,
    queue_pause_bytes=8192,
    queue_error_bytes=100_000,
    control_frame_rate=(5, 20),
    ch_open_rate=(5, 10),
    rekey_volume_bytes=100_000,
    rekey_floor_bytes=50_000,
    key_records_max=200,
    key_bytes_max=1 << 20,
)
NAMES = tuple(UUID(bytes=name) for name in EXTENDERS)
THEIRS = SessionBlock(max_record=262_144, extenders=frozenset(NAMES))
THEIRS_BYTES = THEIRS.encode()


STRICT = replace(
    TIGHT, key_records_max=2, rekey_volume_bytes=50_000, rekey_floor_bytes=20_000, key_bytes_max=60_000,
    idle_seconds=5.0, stall_seconds=10.0, ping_seconds=5.0, rekey_idle_max_seconds=100.0, max_channels=16,
)  # fmt: skip
NOISE = hashlib.shake_128(ROOT).digest(120_000)
RICH = {"endpoints": ("tcp:192.0.2.1:4711", "unix:/run/qg"), "instance": 7, "replaces": bytes(range(32))}


class Crowd(BufferPool):
    """Where many others wait with a buffer in hand."""

    crowded = True


CROWD = Crowd()
PERSONAL = Option.INITIATOR | Option.ANONYMOUS | Option.CHACHA | Option.OPENING | Option.CROWDED
"""What does not change the SESSION block."""


class Broken(AssertionError):
    """Something that must hold does not: a finding."""


class FixedLuck:
    """Luck without luck, so that a script does the same every time."""

    def bytes(self, n: int) -> bytes:
        return ROOT[:n]

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2

    def below(self, n: int) -> int:
        return n // 2


LUCK = FixedLuck()


class FinishedHandshake:
    """Stands where a handshake would: it is over, and this is how it ended."""

    def __init__(self, outcome: Established) -> None:
        self.outcome, self.requests = outcome, []  # type: ignore[var-annotated]

    def output(self) -> bytes:
        return b""


@cache
def _block(options: int) -> SessionBlock:
    rich = bool(options & Option.RICH)
    block = _settings(options, CreditPool(1 << 20)).block(clock_ms=1_700_000_000_000 if rich else None)
    return replace(block, relay=rich)


def _settings(options: int, pool: CreditPool) -> SessionSettings:
    limits = STRICT if options & Option.STRICT else TIGHT if options & Option.TIGHT else LIMITS
    more: dict[str, Any] = dict(RICH) if options & Option.RICH else {}
    if options & Option.CELLS:
        more |= {"relayed": True, "cell_depth": 1}
    return SessionSettings(
        limits=limits, extenders=NAMES, compression=not options & Option.UNCOMPRESSED,
        padding="cells" if options & Option.CELLS else "off" if options & Option.UNPADDED else "padme",
        node_pool=pool, link_pool=CreditPool(1 << 23, growth_share=1), **more,
    )  # fmt: skip


def share_first_keys() -> None:
    """For long runs: the first epoch's keys are always the same, so they are derived once. Lasts for the process."""
    derive, known = schedule.record_keys, {}

    def record_keys(root: Secret, aead_id: int) -> Any:
        if root != _FIRST_ROOT:
            return derive(root, aead_id)
        if aead_id not in known:
            known[aead_id] = derive(root, aead_id)
        return known[aead_id]

    schedule.record_keys = record_keys


_FIRST_ROOT = Secret(ROOT)


class Run:
    """One script, one session. ``play`` raises Broken, or whatever the core let escape."""

    def __init__(self, script: Script) -> None:
        options = script[0].a if script and script[0].kind == Kind.OPTIONS else 0
        self.script, self.now, self.dead = script, 1000.0, False
        self.initiator = bool(options & Option.INITIATOR)
        self.me, self.peer = IDENTITIES
        self.anonymous = bool(options & Option.ANONYMOUS)
        self.pool = CreditPool(1 << 26 if options & Option.LARGE else 1 << 20)
        self.settings = _settings(options, self.pool)
        self.suite = Suite(1, 1, 2 if options & Option.CHACHA else 1)
        self.guest, self.closed_events, self.holding = Guest(), 0, False
        self.next_roots: list[Secret] = []
        self.switched = self.blind = self.spoilt = False
        self.requested: tuple[bytes, Any, Any] | None = None
        self.asked = self.pinged = b""
        self.partial, self.links = bytearray(), Links(self.peer.public.uuid, self.settings.limits)
        self._begin(options)

    def _begin(self, options: int) -> None:
        self.root = Secret(ROOT)
        i2r, r2i = schedule.record_keys(self.root, self.suite.aead)
        self.sealer = RecordSealer(r2i if self.initiator else i2r)
        self.opener = RecordOpener(i2r if self.initiator else r2i)
        ours = _block(options & ~PERSONAL)
        peer_hidden, me_hidden = self.anonymous and not self.initiator, self.anonymous and self.initiator
        role = 3 if options & Option.CARRIER else 2 if options & Option.CLIENT else 1
        established = Established(
            initiator=self.initiator, role=role, peer=None if peer_hidden else self.peer.public,
            local=None if me_hidden else self.me.public, signer=None if me_hidden else self.me, suite=self.suite,
            root=Secret(ROOT), sid=SID, exporter=self.root, peer_session=THEIRS_BYTES, leftover=b"",
            shared_secret=False, verdict=Verdict(True), retried=False,
        )  # fmt: skip
        handshake: Any = FinishedHandshake(established)
        buffers = CROWD if options & Option.CROWDED else SHARED_BUFFERS
        self.connection = Connection(handshake, self.settings, ours, FixedLuck(), self.now, buffers)
        self.connection.on_output = lambda: None
        if self.initiator and not options & Option.OPENING:
            self.deliver(self.seal(frames.frame(frames.SESSION, THEIRS_BYTES, flags=frames.WHOLE)))

    # -- playing -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        for step in self.script:
            if self.connection.finished:
                break
            STEPS[step.kind](self, step)
            self.settle()
        self.check()

    def settle(self) -> None:
        """Events are met, and unless the script holds it back the output is read."""
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, ChannelOffered):
                self.locally(lambda channel=event.channel: self.guest.own(channel))
            elif isinstance(event, LinkAsked | LinkArrived):
                self.locally(lambda event=event: self.links.met(event, self.now))
            elif isinstance(event, Closed):
                self.closed_events += 1
            elif isinstance(event, Ready):
                self.session = event.session
        connection = self.connection
        if not self.holding:
            quiet = connection.quiet
            if self.drain() and quiet:
                raise Broken("a connection that called itself quiet had something to say")
        if connection.timer_moved and not connection.discarding:
            connection.deadline()

    def locally(self, act: Callable[[], object]) -> None:
        """What the own side asks for may fail with one of our errors, but never with the peer's."""
        try:
            act()
        except RemoteProtocolError as error:
            raise Broken(f"a local call raised what the peer did: {error!r}") from error
        except QuantumGateError:
            pass

    def check(self) -> None:
        """Whatever happened: one end at most, and an end that leaves nothing behind."""
        session = self.connection.session
        while (event := self.connection.next_event()) is not None:
            self.closed_events += isinstance(event, Closed)
        if self.closed_events > 1:
            raise Broken(f"{self.closed_events} Closed events")
        if session is None or not session.over:
            return
        held = (session.queued_bytes, session.in_hands_bytes, len(session.channels), session.pool.lent_bytes)
        more = [session.pool.grown_bytes, self.pool.lent_bytes, self.pool.grown_bytes]
        if session.links is not None:
            pool = self.settings.link_pool
            more += [len(session.links.by_id), session.links.pool.grown_bytes, pool.grown_bytes, pool.lent_bytes]
        if any(held) or any(more) or any(ends != 1 for ends in self.links.ends.values()):
            raise Broken(f"a session that is over holds queued, in hands, channels, lent: {held}, grown: {more}")
        if self.closed_events != 1 or any(ends != 1 for ends in self.guest.ends.values()):
            raise Broken(f"{self.closed_events} Closed events, channels ended {list(self.guest.ends.values())} times")

    # -- the peer's side -----------------------------------------------------------------------------------------

    def seal(self, body: bytes, padding: int = 0) -> bytearray:
        body = body[:262_000] + ZEROS[: min(padding, 60_000)]
        record = bytearray(len(body) + RECORD_OVERHEAD_BYTES)
        record[20 : 20 + len(body)] = body
        self.sealer.seal(memoryview(record), len(body))
        return record

    def deliver(self, data: bytes | bytearray, piece: int = 0) -> None:
        if not piece:
            self.connection.receive(data, self.now)
            return
        step = max(piece, len(data) // 50, 1)
        for at in range(0, len(data), step):
            self.connection.receive(data[at : at + step], self.now)

    def drain(self) -> int:
        """Read all output and take it apart: it must open, its frames must be well-formed. Returns how many records."""
        connection, records = self.connection, 0
        while (data := connection.data_to_send(self.now)) is not None:
            whole = self.partial + data
            self.partial = bytearray()
            connection.taken(len(data), self.now)
            records += self.take_apart(memoryview(whole))
        return records

    def take_apart(self, piece: memoryview) -> int:
        """Whole records, one behind the other. Returns how many."""
        records = 0
        while piece:
            records += 1
            if self.blind or (length := self.length_of(piece[:20])) is None:
                self.blind = True
                break
            end = length + RECORD_OVERHEAD_BYTES
            if len(piece) < end:
                raise Broken(f"a record of {len(piece)} bytes with a body of {length}")
            self.read(self.opener.open_body(piece[:20], piece[20:end]))
            piece = piece[end:]
        return records

    def length_of(self, header: memoryview) -> int | None:
        """After a KEY_SWITCH the key is that of one of the exchanges that we know of; None after one we spoilt."""
        if self.switched:
            for root in self.next_roots:
                i2r, r2i = schedule.record_keys(root, self.suite.aead)
                opener = RecordOpener(i2r if self.initiator else r2i)
                try:
                    length = opener.body_bytes(header, 1 << 20)
                except RemoteProtocolError:
                    continue
                self.opener, self.switched, self.next_roots = opener, False, [root]
                return length
            if self.spoilt:
                return None
        return self.opener.body_bytes(header, 1 << 20)

    def read(self, body: memoryview) -> None:
        at = 0
        while at < len(body) and body[at]:
            word, size = frames.HEAD.unpack_from(body, at)
            data = body[at + 8 : at + 8 + (size & 0xFFFFFF)]
            if len(data) != size & 0xFFFFFF:
                raise Broken("a frame longer than its record")
            at += 8 + len(data)
            kind = word >> 24
            if kind in frames.LONG_TYPES:
                self.asked = self.asked + data if not size >> 24 & 1 else bytes(data)
                if size >> 25 & 1:
                    self.long(kind, self.asked)
            elif kind == frames.PING:
                self.pinged = bytes(data)
            elif kind == frames.KEY_SWITCH:
                if not self.next_roots:
                    raise Broken("KEY_SWITCH before a new root")
                self.switched = True

    def long(self, kind: int, data: bytes) -> None:
        if kind == frames.REKEY_RSP and self.requested is not None:
            response = RekeyResponse.decode(data)
            payload, share, key = self.requested
            self.derive(share.exchange(response.share), key.decapsulate(response.ciphertext), payload, data)
            self.requested = None

    def derive(self, primary: Secret, secondary: Secret, request: bytes, response: bytes) -> None:
        self.next_roots.append(schedule.next_root(self.root, secondary, primary, request, response))

    def sign(self, name: str, payload: bytes, *, we_ask: bool, request_hash: bytes = b"") -> bytes:
        if self.anonymous and not self.initiator:
            return b""
        ours, theirs = self.peer.public.bundle, b"" if self.anonymous and self.initiator else self.me.public.bundle
        requester, responder = (ours, theirs) if we_ask else (theirs, ours)
        epoch = (self.connection.session.key_epoch if self.connection.session else 0) + 1
        content = signed_content(schedule.rekey_id(self.root), SID, epoch, requester, responder, payload, request_hash)
        return self.peer.sign(name, hashlib.sha512(content).digest())


# -- steps ---------------------------------------------------------------------------------------------------------


def _record(run: Run, step: Step) -> None:
    run.deliver(run.seal(step.data, step.b), step.a)


def _garbage(run: Run, step: Step) -> None:
    run.deliver(step.data, step.a)


def _flipped(run: Run, step: Step) -> None:
    record = run.seal(step.data)
    record[step.a // 8 % len(record)] ^= 1 << step.a % 8
    run.deliver(record)


def _cut(run: Run, step: Step) -> None:
    record = run.seal(step.data)
    run.deliver(record[: max(0, len(record) - step.b)])


def _rekey_request(run: Run, step: Step) -> None:
    session = run.connection.session
    if session is None:
        return
    share, key = known_primary(1, "peer"), known_secondary(1, "peer")
    request = RekeyRequest(session.key_epoch + 1 + step.b % 3, 1, 1, share.share, key.public)
    signature = run.sign(labels.SIGN_REKEY_REQUEST, request.signed_part(), we_ask=True)
    if step.b & 8:
        signature = signature[:-1] if signature else bytes(64)
    payload = _spoil(run, replace(request, signature=signature).encode(), step.a)
    run.requested = (payload, share, key)
    _send_long(run, frames.REKEY_REQ, payload)


def _rekey_answer(run: Run, step: Step) -> None:
    """An answer to the session's own request, when its output has been read."""
    try:
        request = RekeyRequest.decode(run.asked)
        share = known_primary(request.primary, "peer")
        primary_secret = share.exchange(request.share)
        ciphertext, secondary_secret = kem.kem(request.secondary).encapsulate(request.key)
    except QuantumGateError:
        return
    response = RekeyResponse(request.epoch, share.share, ciphertext)
    request_hash = hashlib.sha512(run.asked).digest()
    signature = run.sign(labels.SIGN_REKEY_RESPONSE, response.signed_part(), we_ask=False, request_hash=request_hash)
    payload = _spoil(run, replace(response, signature=signature).encode(), step.a)
    run.derive(primary_secret, secondary_secret, run.asked, payload)
    _send_long(run, frames.REKEY_RSP, payload)


def _spoil(run: Run, payload: bytes, place: int) -> bytes:
    """One byte changed at ``place`` - 1; 0 leaves it as it is. Unsigned ones (anonymous) then make other keys."""
    if not place:
        return payload
    run.spoilt = True
    changed = bytearray(payload)
    changed[(place - 1) % len(changed)] ^= 0x40
    return bytes(changed)


def _send_long(run: Run, kind: int, payload: bytes) -> None:
    run.deliver(run.seal(frames.frame(kind, payload, flags=frames.WHOLE)))


def _switch(run: Run, step: Step) -> None:
    run.deliver(run.seal(frames.frame(frames.KEY_SWITCH)))
    if run.next_roots:
        run.root = run.next_roots[-1]
        i2r, r2i = schedule.record_keys(run.root, run.suite.aead)
        run.sealer = RecordSealer(r2i if run.initiator else i2r)
        run.asked = b""


def _eof(run: Run, step: Step) -> None:
    run.connection.eof(run.now)


def _time(run: Run, step: Step) -> None:
    run.now += step.a / 1000
    if step.b & 1:
        run.connection.expire(run.now)  # a timer that was set before something moved
    for _ in range(20):
        if run.connection.finished or run.connection.deadline() > run.now:
            return
        run.connection.expire(run.now)


def _drain(run: Run, step: Step) -> None:
    if not step.a:
        run.drain()
        return
    data = run.connection.data_to_send(run.now)
    if data is not None and len(data) > 1:
        bite = bytes(data[: step.a % len(data)])
        run.connection.taken(len(bite), run.now)
        run.partial += bite
        run.holding = True


def _hold_output(run: Run, step: Step) -> None:
    run.holding = bool(step.a & 1)


def _open(run: Run, step: Step) -> None:
    def act() -> None:
        session = run.connection.session
        if session is not None and len(run.guest.channels) < 50:
            name = NAMES[step.b // 4 % len(NAMES)]
            label = bytes(step.a // 2 % 70)
            run.guest.own(session.open_channel(name, stream=bool(step.a & 1), priority=step.b % 4, label=label))

    run.locally(act)


def _on_channel(act: Callable[[Run, Any, Step], object]) -> Callable[[Run, Step], None]:
    def step_on_channel(run: Run, step: Step) -> None:
        if run.guest.channels:
            channel = run.guest.channels[step.a % len(run.guest.channels)]
            run.locally(lambda: act(run, channel, step))

    return step_on_channel


def _send(run: Run, channel: Any, step: Step) -> object:
    data = ZEROS[: step.b % 70_000]
    if step.b & 1:
        data = (NOISE if step.b & 2 else ROOT * 2000)[: step.b % 120_000]
    if channel.stream:
        return channel.write(data)
    return channel.send(data, not step.b & 4)


def _finish(run: Run, channel: Any, step: Step) -> object:
    return channel.finish()


def _reset(run: Run, channel: Any, step: Step) -> object:
    return channel.reset(step.b & 0xFFFF, "reset")


def _consume(run: Run, channel: Any, step: Step) -> object:
    if not channel.stream:
        return channel.release()
    number = run.guest.channels.index(channel)
    size = min(run.guest.unread[number], step.b)
    run.guest.unread[number] -= size
    return channel.consumed(size) if size else None


def _accept(run: Run) -> None:
    for channel in run.guest.channels:
        if not channel.ours and not channel.closed and not channel.answered:
            run.locally(channel.accept)


def _on_links(act: Callable[[Links, Step], object]) -> Callable[[Run, Step], None]:
    def step_on_links(run: Run, step: Step) -> None:
        if run.links.every:
            run.locally(lambda: act(run.links, step))

    return step_on_links


def _manners(run: Run, step: Step) -> None:
    run.guest.manners = run.links.manners = step.a
    if not step.a & 2:
        _accept(run)


def _on_session(act: Callable[[Run, Any, Step], object]) -> Callable[[Run, Step], None]:
    def step_on_session(run: Run, step: Step) -> None:
        session = run.connection.session
        if session is not None:
            run.locally(lambda: act(run, session, step))

    return step_on_session


def _ping(run: Run, session: Any, step: Step) -> None:
    (session.ping_urgently if step.a & 1 else session.ping)(run.now)


def _keep(run: Run, session: Any, step: Step) -> None:
    session.keep = bool(step.a & 1)


def _export(run: Run, session: Any, step: Step) -> None:
    session.export(b"label", b"context", step.a % 500)


def _pong(run: Run, step: Step) -> None:
    if run.pinged:
        run.deliver(run.seal(frames.frame(frames.PONG, run.pinged)))


def _close(run: Run, step: Step) -> None:
    run.locally(lambda: run.connection.close(step.b % 20, "script", now=run.now, graceful=bool(step.a & 1)))


def _extenders(run: Run, step: Step) -> None:
    session = run.connection.session
    if session is not None and session.ready:
        run.locally(lambda: session.set_extenders(NAMES[: step.a % 5]))


def _options(run: Run, step: Step) -> None:
    """Met at the beginning."""


STEPS: dict[int, Callable[[Run, Step], None]] = {
    Kind.RECORD: _record, Kind.GARBAGE: _garbage, Kind.FLIPPED: _flipped, Kind.CUT: _cut,
    Kind.REKEY_REQUEST: _rekey_request, Kind.REKEY_ANSWER: _rekey_answer, Kind.SWITCH: _switch, Kind.EOF: _eof,
    Kind.TIME: _time, Kind.DRAIN: _drain, Kind.HOLD_OUTPUT: _hold_output, Kind.OPEN: _open,
    Kind.SEND: _on_channel(_send), Kind.FINISH: _on_channel(_finish), Kind.RESET: _on_channel(_reset),
    Kind.CONSUME: _on_channel(_consume), Kind.MANNERS: _manners, Kind.PING: _on_session(_ping),
    Kind.REKEY: _on_session(lambda run, session, _: session.rekey.request(run.now)), Kind.PONG: _pong,
    Kind.KEEP: _on_session(_keep), Kind.EXPORT: _on_session(_export),
    Kind.LINK: _on_session(lambda run, session, step: run.links.ask(session, step.a)),
    Kind.LINK_FEED: _on_links(lambda links, step: links.feed(step.a, ZEROS[: step.b % 70_000])),
    Kind.LINK_END: _on_links(lambda links, step: links.end(step.a, step.b)),
    Kind.PATH: lambda run, step: run.locally(lambda: run.links.path(step.a, step.b, LUCK)),
    Kind.LINK_JOIN: _on_links(lambda links, step: links.join(step.a, step.b)),
    Kind.CLOSE: _close, Kind.EXTENDERS: _extenders, Kind.OPTIONS: _options,
}  # fmt: skip


def run_script(script: Script) -> Run:
    """Play it. Raises Broken or whatever escaped: a finding."""
    run = Run(script)
    run.play()
    return run
