"""Scripts by hand for places that chance is slow to reach: windows that grow, loans that wait, guests that hold.

The fuzzer starts from them and the corpus keeps those that go where no other goes. Not for: judging (the targets do).
"""

from __future__ import annotations

from quantumgate.wire import frames
from quantumgate.wire.compressed import deflate
from quantumgate.wire.link_frames import (
    LINK_CLOSE,
    LINK_CREATE,
    LINK_DATA,
    LINK_INCOMING,
    LINK_STATUS,
    LINK_WINDOW,
    LinkEndpoint,
    encode_status,
)
from quantumgate.wire.session_tlvs import SessionBlock
from quantumgate.wire.writer import tlv
from tests.fuzz.handshake import Act, Setup
from tests.fuzz.linked import RECORD_TARGET
from tests.fuzz.mutation import EXTENDERS, LINK_TARGET
from tests.fuzz.peer import EXTRA
from tests.fuzz.script import Kind, Script, Step
from tests.fuzz.script import Option as O
from tests.fuzz.target import NOISE

MESSAGES, STREAM = 1, 2


def record(*parts: bytes, a: int = 0, b: int = 0) -> Step:
    return Step(Kind.RECORD, a, b, b"".join(parts))


def opened(channel: int, kind: int) -> bytes:
    return frames.frame(frames.CH_OPEN, EXTENDERS[0] + bytes((kind, 2)), channel)


def part(channel: int, total: int, data: bytes) -> bytes:
    return frames.frame(frames.MSG, total.to_bytes(4, "big") + data, channel, frames.FIRST)


def whole(channel: int, data: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.MSG, len(data).to_bytes(4, "big") + data, channel, frames.WHOLE | flags)


def rest(channel: int, data: bytes, flags: int = 0) -> bytes:
    return frames.frame(frames.MSG, data, channel, flags)


def credit(channel: int, limit: int) -> bytes:
    return frames.frame(frames.WINDOW, limit.to_bytes(8, "big"), channel)


def options(bits: int) -> Step:
    return Step(Kind.OPTIONS, bits)


def busy(bits: int = 1) -> Step:
    return Step(Kind.MANNERS, bits)


def handshake_seeds() -> list[Script]:
    """Times of a handshake, which no message shows."""

    def pause(seconds: float) -> Step:
        return Step(Act.TIME, int(seconds * 1000))

    init, fin, dialler = Step(Act.INIT), Step(Act.FIN), Step(Act.SETUP, Setup.INITIATOR)
    half, end = Step(Act.CUT, 300), Step(Act.EOF)
    return [
        [Step(Act.SETUP), pause(11), pause(60)], [Step(Act.SETUP), half, init, pause(11), end, pause(60)],
        [Step(Act.SETUP), Step(Act.INIT, 1 << 3), pause(400)], [Step(Act.SETUP), init, pause(61), pause(61), fin],
        [Step(Act.SETUP), init, end], [Step(Act.SETUP), Step(Act.HOLD, 1), init, fin, pause(61), Step(Act.HOLD)],
        [dialler, pause(31)], [dialler, Step(Act.HOLD, 1), Step(Act.RESP), pause(61), Step(Act.HOLD)], [dialler, end],
        [Step(Act.SETUP, Setup.INITIATOR | Setup.ITSELF)], [Step(Act.SETUP, Setup.INITIATOR | Setup.NOTHING_LEFT)],
        [Step(Act.SETUP), Step(Act.FLIPPED, 9), init, pause(5), end], [dialler, Step(Act.HOLD, 1), Step(Act.CLOSE)],
        [Step(Act.SETUP), Step(Act.HOLD, 1), init, fin, *(Step(Act.RECORD, 0, 0, bytes(15_000)) for _ in range(40))],
        [dialler, Step(Act.HOLD, 1), Step(Act.RESP), Step(Act.RAW, 0, 0, b"early"), Step(Act.HOLD)],
        [Step(Act.SETUP), Step(Act.HOLD, 1), init, fin, *([Step(Act.RAW, 0, 0, bytes(60_000))] * 8)],
        [Step(Act.SETUP), Step(Act.CUT, 0, 0, bytes(70_000)), init],
        [Step(Act.SETUP, Setup.FLOOR), Step(Act.INIT, 1 << 8 | 2 << 3 | 1 << 5)],
        [dialler, Step(Act.REFUSE, 1 | 30 << 5)], [dialler, Step(Act.REFUSE, 1 | EXTRA, 0, b"x")],
        [dialler, Step(Act.RETRY, 1), Step(Act.RETRY, 2)], [dialler, Step(Act.RESP, 1 << 9)],
        [dialler, Step(Act.RETRY, 1), Step(Act.RESP, 1 << 4)],
        *([dialler, Step(Act.RETRY, 1 << 7 | bits << 8), Step(Act.RESP)] for bits in range(4)),
        [dialler, Step(Act.HOLD, 1), Step(Act.RETRY, 1 << 7), Step(Act.RAW, 0, 0, b"early"), Step(Act.HOLD)],
        [dialler, Step(Act.HOLD, 1), Step(Act.RETRY, 1 << 7), pause(16), Step(Act.HOLD)],
        [Step(Act.SETUP, Setup.PUZZLES), init, init, fin],
        [Step(Act.SETUP, Setup.PUZZLES), init, Step(Act.INIT, 1 << 21)],
        [Step(Act.SETUP, Setup.PUZZLES), init, Step(Act.INIT, 1 << 22)], [Step(Act.SETUP), Step(Act.INIT, 1 << 22)],
        [Step(Act.SETUP, Setup.PUZZLES), Step(Act.INIT, 1 << 3), init, fin], [Step(Act.SETUP, Setup.QUEUE), init, fin],
        [Step(Act.SETUP, Setup.QUEUE), Step(Act.HOLD, 1), init, Step(Act.RAW, 0, 0, bytes(70_000)), Step(Act.HOLD)],
        [Step(Act.SETUP, Setup.QUEUE), Step(Act.HOLD, 1), init, pause(6), Step(Act.HOLD)],
        [Step(Act.SETUP, Setup.QUEUE), Step(Act.ANSWER), init],
        [Step(Act.SETUP, Setup.QUEUE), Step(Act.HOLD, 1), init, Step(Act.INIT, EXTRA, 0, b"x"), Step(Act.HOLD)],
        [Step(Act.SETUP, Setup.PUZZLES | Setup.TOKENS), init, fin],
        [Step(Act.SETUP, Setup.PUZZLES | Setup.TOKENS), Step(Act.INIT, 1 << 20), init, fin],
        [dialler, Step(Act.RETRY, 0, 0, tlv(0x11, bytes((1, 0, 2, 0, 1, 0, 1, 0))))],
        [Step(Act.SETUP, Setup.INITIATOR | Setup.SLOW), Step(Act.RETRY, 1 | 3 << 2), Step(Act.RESP)],
        [Step(Act.SETUP), Step(Act.TIME, 1000, 1), init, Step(Act.TIME, 1000, 1), fin],
        [dialler, Step(Act.TIME, 1000, 1), Step(Act.RESP)], [Step(Act.SETUP, Setup.INITIATOR | Setup.LIBRARY)],
        [Step(Act.SETUP), Step(Act.FLIPPED, 9), init, Step(Act.TIME, 1000, 1), pause(200)],
    ]  # fmt: skip


def session_seeds() -> list[Script]:
    return [*flow(), *time(), *buffers(), *control(), *links()]


def flow() -> list[Script]:
    data = bytes(15_000)
    grown = [record(opened(1, STREAM)), *(record(rest(1, data)) for _ in range(6))]
    lent = [record(opened(1, MESSAGES), opened(3, MESSAGES)), *(record(part(n, 400_000, data)) for n in (1, 3))]
    more = [record(rest(1, bytes(50_000))) for _ in range(7)]
    last = record(rest(1, bytes(35_000), frames.LAST))
    kept = [record(opened(1, MESSAGES), opened(3, MESSAGES), opened(5, STREAM)), busy()]
    held = [record(whole(1, data[:5000])), record(whole(3, data[:5000]), whole(3, b"x"), whole(1, b"y"))]
    release = [Step(Kind.CONSUME, 0), busy(0), Step(Kind.CONSUME, 1), Step(Kind.CONSUME, 0)]
    block = deflate(bytes(3000)) or b""
    bad = block[:-1] + b"\x01"
    sending = [Step(Kind.OPEN, 0, 1), record(frames.frame(frames.CH_ACCEPT, b"", 2), credit(2, 1 << 20))]
    dull = [Step(Kind.SEND, 0, 4003 + 4 * n) for n in range(12)]
    return [
        [options(O.TIGHT | O.LARGE), *grown, Step(Kind.EOF)],
        [options(O.LARGE), *grown, Step(Kind.TIME, 5000), *grown[1:]],
        [options(O.LARGE), *(Step(Kind.MANNERS, 1), *grown), *(Step(Kind.CONSUME, 0, 1 << 20) for _ in range(3))],
        [*lent, *more, last, record(rest(3, data)), Step(Kind.EOF)],
        [options(O.LARGE), *lent, *more, last],
        [*lent, Step(Kind.RESET, 0), record(rest(3, data))],
        [*lent, Step(Kind.RESET, 1), *more, last],
        [*lent, busy(), *more, last, Step(Kind.CONSUME, 0), record(part(1, 400_000, data))],
        [options(O.TIGHT), *kept, *held, *release],
        [options(O.TIGHT), *kept, *held, Step(Kind.RESET, 0), *release],
        [options(O.TIGHT), *kept, *held, Step(Kind.CLOSE, 1), *release],
        [options(O.TIGHT), *kept, record(whole(1, data[:5000])), record(whole(3, bad, 4)), *release],
        [options(O.TIGHT), *kept, busy(3), record(opened(7, MESSAGES), whole(7, bad, 4)), busy(0)],
        [*kept, record(whole(1, data)), record(whole(1, block, 4), whole(1, bad, 4)), *release, *release],
        [*sending, *dull],
        [options(O.UNPADDED), *sending, *dull, record(credit(2, 1 << 24)), *dull],
        [record(opened(1, MESSAGES)), *(record(whole(1, data)) for _ in range(3)), record(whole(1, data) * 2)],
        [options(O.TIGHT), record(opened(1, MESSAGES)), *(record(whole(1, data)) for _ in range(6))],
        [*sending, *(Step(Kind.SEND, 0, n) for n in (1, 3, 70_000, 0, 5))],
        [options(O.TIGHT), record(opened(1, MESSAGES)), busy(), record(whole(1, data[:5000])), busy(3),
         record(opened(3, MESSAGES), whole(3, b"x")), busy(1), Step(Kind.CONSUME, 0)],
        [busy(2), record(opened(1, STREAM)), Step(Kind.SEND, 0, 100), busy(0)],
        [record(opened(1, MESSAGES), opened(3, STREAM)), Step(Kind.SEND), Step(Kind.FINISH), Step(Kind.FINISH, 1)],
        [options(O.LARGE), record(opened(1, MESSAGES), whole(1, (1 << 20).to_bytes(4, "big") + block[4:], 4))],
        [Step(Kind.HOLD_OUTPUT, 1), *(Step(Kind.OPEN, 1, n) for n in (1, 2, 3)),
         *(Step(Kind.SEND, n, 60_000) for n in (0, 1, 2)), Step(Kind.HOLD_OUTPUT), *(Step(Kind.DRAIN),) * 2],
        [Step(Kind.HOLD_OUTPUT, 1), Step(Kind.OPEN, 0, 1), *(Step(Kind.SEND, 0, 4 * n) for n in range(1, 30)),
         Step(Kind.HOLD_OUTPUT), record(frames.frame(frames.CH_ACCEPT, b"", 2))],
        [Step(Kind.HOLD_OUTPUT, 1), Step(Kind.OPEN, 0, 1), *(Step(Kind.SEND, 0, 69_999) for _ in range(8))],
        [Step(Kind.OPEN, 0, 0), Step(Kind.OPEN, 1, 5), Step(Kind.OPEN, 2 * 65, 1), Step(Kind.SEND, 0, 0)],
    ]


def time() -> list[Script]:
    ping, urgent = Step(Kind.PING), Step(Kind.PING, 1)
    keep = Step(Kind.KEEP, 1)

    def pause(seconds: float) -> Step:
        return Step(Kind.TIME, int(seconds * 1000))

    return [
        [keep, ping, Step(Kind.PONG), pause(20), ping, pause(0.1), urgent, urgent, Step(Kind.PONG), pause(61)],
        [keep, pause(30), record(frames.frame(frames.PONG, bytes(8))), pause(300)],
        [ping, urgent, ping, pause(2), Step(Kind.PONG), pause(2), Step(Kind.PONG), pause(2), Step(Kind.PONG)],
        [keep, *(pause(25) for _ in range(4)), Step(Kind.KEEP, 0), pause(1000)],
        [keep, pause(25), record(frames.frame(frames.PING, bytes(8))), pause(25), Step(Kind.PONG), pause(60)],
        [Step(Kind.HOLD_OUTPUT, 1), ping, Step(Kind.DRAIN, 5), pause(10), Step(Kind.DRAIN, 3), pause(70)],
        [Step(Kind.HOLD_OUTPUT, 1), ping, Step(Kind.DRAIN, 5), pause(10), Step(Kind.DRAIN), pause(70)],
        [options(O.STRICT), Step(Kind.HOLD_OUTPUT, 1), ping, Step(Kind.DRAIN, 5), pause(11)],
        [options(O.STRICT), keep, pause(120), Step(Kind.REKEY_ANSWER), Step(Kind.SWITCH), pause(200)],
        [options(O.STRICT), keep, ping, Step(Kind.PONG), pause(60), Step(Kind.PONG), pause(100), pause(100)],
        [options(O.STRICT), *(record(frames.frame(frames.PONG, bytes(8))) for _ in range(30))],
        [options(O.STRICT), *(step for _ in range(15) for step in (record(opened(1, STREAM)), ping, Step(Kind.PONG)))],
        [Step(Kind.OPEN, 1, 1), pause(30), pause(30), pause(30)],
        [options(O.INITIATOR | O.OPENING), pause(61)],
        [Step(Kind.CLOSE), pause(30), pause(30)],
        [Step(Kind.OPEN, 1, 1), record(frames.frame(frames.CH_ACCEPT, b"", 2)), Step(Kind.SEND, 0, 69_999),
         Step(Kind.CLOSE, 1), record(opened(1, STREAM)), ping, Step(Kind.TIME, 1, 1)],
        [Step(Kind.REKEY_REQUEST), Step(Kind.SWITCH), Step(Kind.SWITCH)],
        [Step(Kind.HOLD_OUTPUT, 1), Step(Kind.REKEY_REQUEST), Step(Kind.SWITCH)],
        [options(O.ANONYMOUS), Step(Kind.REKEY_REQUEST, 0, 9)], [Step(Kind.REKEY_REQUEST, 0, 9)],
        [options(O.STRICT), record(opened(1, STREAM)), *(record(rest(1, bytes(9000))) for _ in range(9))],
        [Step(Kind.FLIPPED, 3, 0, bytes(9)), Step(Kind.TIME, 1, 1), pause(100)],
        [Step(Kind.OPEN, 1, 1), record(frames.frame(frames.CH_ACCEPT, b"", 2)), Step(Kind.SEND, 0, 69_999),
         Step(Kind.CLOSE, 1), pause(60), pause(60)],
        [Step(Kind.REKEY), pause(40), pause(100), pause(100)],
        [Step(Kind.EXPORT, 100), Step(Kind.EXPORT, 0)],
    ]  # fmt: skip


def buffers() -> list[Script]:
    large, crowded = record(bytes(10), b=60_000), options(O.CROWDED)
    half = Step(Kind.CUT, 0, 60_000, frames.frame(frames.PING, bytes(8)) + bytes(200_000))
    end = Step(Kind.GARBAGE, 0, 0, NOISE[:60_000])
    return [
        [half, *(end for _ in range(3)), Step(Kind.TIME, 60_000)],
        [crowded, half, end, end],
        [crowded, large, record(frames.frame(frames.PING, bytes(8)), a=7), Step(Kind.PING)],
        [crowded, Step(Kind.HOLD_OUTPUT, 1), Step(Kind.PING), *(Step(Kind.DRAIN, bite) for bite in (5, 5, 0))],
        [crowded, Step(Kind.FLIPPED, 5, 0, bytes(50)), end, Step(Kind.TIME, 60_000)],
        [Step(Kind.HOLD_OUTPUT, 1), Step(Kind.PING), Step(Kind.DRAIN, 4), Step(Kind.FLIPPED, 5, 0, bytes(50)), end],
        [*(record(bytes(250_000), a=4000) for _ in range(3)), Step(Kind.CUT, 0, 200, bytes(255_000)), end],
    ]


def control() -> list[Script]:
    pings = b"".join(frames.frame(frames.PONG, bytes(8)) for _ in range(30))
    opens = [record(*(opened(n, STREAM) for n in range(at, at + 16, 2))) for at in range(1, 90, 16)]
    own = SessionBlock(endpoints=("tcp:a:1", "é"), relay=True, clock_ms=1, instance=2, replaces=bytes(range(32)),
                       token=bytes(48))
    rich, old, none = own.encode(), SessionBlock(version=0).encode(), b"\x40\0\0\4\0\0\0\0"
    blocks = (rich, rich.replace("é".encode(), b"\xff\xff"), old, rich[:-40], none)
    torn = bytes((0x49, 0, 0, 3, 0, 1, 0)), b"\x4c\0\0\x02\x05a", b"\x4c\0\0\x09" + bytes(9)
    small = SessionBlock(max_message=100).encode()
    begin = options(O.INITIATOR | O.OPENING)
    every = (*blocks, *torn, small)
    said = [[begin, record(frames.frame(frames.SESSION, block, flags=frames.WHOLE))] for block in every]
    late = [record(opened(1, MESSAGES)), Step(Kind.RESET, 0), *(record(whole(1, b"x")) for _ in range(40))]
    counted = [record(opened(1, MESSAGES)), Step(Kind.RESET, 0), *([record(credit(1, 1 << 20))] * 10)]
    mean = [*said[-1], Step(Kind.OPEN, 0, 1), Step(Kind.SEND, 0, 500)]
    lists = [Step(Kind.EXTENDERS, n) for n in (1, 2, 3, 4)]
    update = record(*(frames.frame(frames.EXT_UPDATE, data, flags=frames.WHOLE) for data in (EXTENDERS[1] * 2, b"abc")))
    two = [record(opened(1, STREAM)), Step(Kind.CLOSE, 1), record(opened(3, STREAM)), record(opened(2, STREAM))]
    return [
        *said, [record(pings), record(pings)], [options(O.TIGHT), record(pings), record(pings)], late, lists, [update],
        [options(O.TIGHT), *late], counted, mean, [options(O.STRICT), *opens], [options(O.TIGHT), *opens],
        [*opens, *opens], two,
        [options(O.TIGHT), *(step for _ in range(8) for step in (record(pings[:64]), Step(Kind.TIME, 400)))],
        [options(O.RICH)], [options(O.RICH | O.INITIATOR), Step(Kind.PING)],
        [Step(Kind.OPEN, 0, n) for n in range(40)] + [Step(Kind.TIME, 1000)],
        [record(opened(2, STREAM))], [record(opened(3, STREAM)), record(opened(1, STREAM))],
        [options(O.TIGHT), Step(Kind.HOLD_OUTPUT, 1), *([record(frames.frame(frames.PING, bytes(8)))] * 38)],
    ]  # fmt: skip


def links() -> list[Script]:
    """Asked for, brought, joined, fed, and ended from either side."""

    def link(kind: int, channel: int, data: bytes = b"", flags: int = 0) -> bytes:
        return frames.frame(kind, data, channel, flags)

    create = record(link(LINK_CREATE, 1, LINK_TARGET, frames.WHOLE))
    start = link(LINK_CREATE, 1, LINK_TARGET[:20], frames.FIRST)
    pieces, mixed = (record(start, link(LINK_CREATE, n, LINK_TARGET[20:], frames.LAST)) for n in (1, 3))
    bring = record(link(LINK_INCOMING, 3))
    connected = record(link(LINK_STATUS, 2, encode_status(1)))
    data = [record(link(LINK_DATA, n, bytes(9000))) for n in (1, 3) * 12]
    window = record(*(link(LINK_WINDOW, n, (1 << 40).to_bytes(8, "big")) for n in (1, 2, 3)))
    close = [record(link(LINK_CLOSE, n, b"\x03")) for n in (1, 3)]
    feed = [Step(Kind.LINK_FEED, n, 69_999) for n in (0, 1)]
    ask = [Step(Kind.LINK, 1), connected]
    paths = [Step(Kind.PATH, hops, wish) for hops in (0, 1, 2, 3, 8) for wish in (0, 3, 4, 8, 13)]

    def leads(*places: tuple[str, int]) -> Step:
        target = LINK_TARGET[:17] + b"".join(LinkEndpoint(*place).encode() for place in places)
        return record(link(LINK_CREATE, 1, target, frames.WHOLE))

    far = ("8.8.8.8", 4711), ("2606:4700::1", 4711), ("::ffff:8.8.4.4", 4711), ("224.0.0.1", 9999)
    near = ("127.0.0.1", 9), ("::1", 9), ("64:ff9b::a00:1", 9), ("2002::1", 2000)
    many = [record(*(link(LINK_CREATE, n, LINK_TARGET, frames.WHOLE) for n in range(1, 18, 2)))]
    join = Step(Kind.LINK_JOIN, 0, 1)
    pings = Step(Kind.TIME, 1000, 1)
    return [
        [create, *feed, *data[::2], window, *feed, *close],
        [pieces, *close],
        [mixed],
        [create, bring, join, *data, window, *data],
        [create, bring, join, *data[:4], Step(Kind.LINK_END, 0, 1), window, Step(Kind.EOF)],
        [create, bring, join, *data, Step(Kind.CLOSE, 1)],
        [*ask, *feed, window, *feed, Step(Kind.LINK_END, 0, 1)],
        [Step(Kind.LINK, 1), record(link(LINK_STATUS, 2, b"\x02"))],
        [*ask, connected],
        [Step(Kind.LINK, 0), *feed, record(link(LINK_CLOSE, 2, b"\x01")), record(link(LINK_DATA, 2, b"x"))],
        [leads(*far), *paths],
        [busy(128), leads(*far), *paths],
        [leads(*near)],
        [busy(128), leads(*near)],
        [options(O.TIGHT), *many],
        [options(O.TIGHT), busy(128), *many],
        [options(O.TIGHT), create, *close, record(link(LINK_CREATE, 3, LINK_TARGET, frames.WHOLE))],
        [options(O.TIGHT), create, *close, Step(Kind.TIME, 90_000_000),
         record(link(LINK_CREATE, 3, LINK_TARGET, frames.WHOLE))],
        [busy(16), create], [busy(32), create, data[0]], [busy(32), create, Step(Kind.LINK_END, 0, 4), *data[:2]],
        [busy(64), create, *data, *data],
        [create, *data, *data, *data],
        [options(O.CARRIER), create],
        [options(O.CARRIER), bring, *data[1::2]],
        [options(O.CLIENT), bring],
        [options(O.CLIENT), create, record(opened(1, STREAM))],
        [options(O.CLIENT | O.INITIATOR), Step(Kind.LINK, 1)],
        [options(O.CARRIER | O.INITIATOR), Step(Kind.LINK, 0), Step(Kind.LINK, 1), *feed, window],
        [record(link(LINK_DATA, 9, b"x"))],
        [options(O.CELLS), create, *feed, window], [options(O.CELLS | O.CARRIER), bring, *feed, window, *data[1::2]],
        [record(*(link(LINK_CREATE, n, LINK_TARGET, frames.WHOLE) for n in range(1, 80, 2)))] * 2,
        [options(O.CARRIER), *(record(*(link(LINK_INCOMING, n) for n in range(at, at + 400, 2))) for at in (1, 401))],
        [create, Step(Kind.LINK_END, 0, 2), data[0], record(link(LINK_WINDOW, 1, bytes(8)))],
        [create, *([window, pings] * 3)],
        *([record(link(LINK_CREATE, 1, target, frames.WHOLE)), *data[:2]] for target in (
            RECORD_TARGET, RECORD_TARGET[:-1], RECORD_TARGET + bytes(9000), LINK_TARGET[:17] + RECORD_TARGET[17:],
            b"\x02" + LINK_TARGET[1:], b"\x03" + LINK_TARGET[1:17] + bytes(64), b"\x04" + LINK_TARGET[1:])),
        [create, record(link(LINK_DATA, 1, b""))],
        [record(link(LINK_CREATE, 1, LINK_TARGET[:17], frames.WHOLE))], [record(link(LINK_INCOMING, 3, b"x"))],
        [record(link(LINK_CREATE, 1, LINK_TARGET + LINK_TARGET[17:] * 5, frames.WHOLE))],
        [record(link(LINK_DATA, 1, b"x", 3))],
        [Step(Kind.LINK, 1), Step(Kind.LINK_END, 0, 1), Step(Kind.LINK, 0), Step(Kind.LINK_END, 1, 2)],
        [Step(Kind.CLOSE), Step(Kind.LINK, 1)],
    ]  # fmt: skip
