"""200 kinds of first flight that a listener must not answer: random bytes, other protocols, and ours with one fault.

``kinds()`` names them; each makes its bytes anew from the luck that it is given. Not for: what is answered (a
REFUSE of another version, a RETRY for other groups) or how bytes are delivered (``probes.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from quantumgate.core.handshake.settings import Candidate
from quantumgate.core.replay import ReplayWindow
from quantumgate.crypto.secret import Secret
from quantumgate.wire.limits import FIRST_FLIGHT_BYTES
from quantumgate.wire.messages import Header, KeyShare, MessageType
from tests.attacks.mallory import A_MS, LISTS, MINUTE_MS, Dialler, seal_init
from tests.core.handshake.duel import SeededRandom, settings

BOB = settings("bob")
"""The victim on the fake clock."""
Make = Callable[[SeededRandom], bytes]
KINDS = 200
HOUR_MS = 60 * MINUTE_MS
REPLAYED_SALT = b"the salt of a flight, answered.."
LENGTHS = (
    0, 1, 31, 32, 33, 63, 64, 65, 80, 128, 255, 256, 257, 511, 512, 513, 1024, 1400, 1448, 1460, 2048, 4096, 8192,
    16384, 32768, 65535, 65536, 65537, 70_000, 131_072,
)  # fmt: skip


def kinds(victim: Candidate, a_ms: int = A_MS) -> dict[str, Make]:
    """The makers by name. ``a_ms`` is the minute that it is. The replays are some only where ``entered`` was asked, or
    ``replayed`` sent once before.
    """
    every: dict[str, Make] = {f"{count} random bytes": partial(_random, count) for count in LENGTHS}
    every |= {name: partial(_opening, data) for name, data in FOREIGN.items()}
    ours = _Ours(victim, a_ms)
    every |= ours.elsewhere() | ours.times() | ours.replays() | ours.cut() | ours.flipped()
    every |= ours.headers() | ours.bodies() | ours.shares() | ours.too_much()
    if len(every) != KINDS:
        raise ValueError(f"{len(every)} kinds")
    return every


def entered(replay: ReplayWindow, now_ms: int, a_ms: int = A_MS) -> ReplayWindow:
    """A window that knows the flight that is replayed."""
    replay.enter(REPLAYED_SALT, a_ms, now_ms)
    return replay


def _random(count: int, luck: SeededRandom) -> bytes:
    return luck.bytes(count)


def _opening(data: bytes, luck: SeededRandom) -> bytes:
    """``?`` doubled stands for 32 random bytes, as names, cookies and keys are."""
    return data.replace(b"??", luck.bytes(32))


FOREIGN = {
    "TLS 1.3 ClientHello": b"\x16\x03\x01\x00\xba\x01\x00\x00\xb6\x03\x03??\x20??\x00\x06\x13\x01\x13\x02\x13\x03"
                           b"\x01\x00\x00\x67" + bytes(103),
    "TLS 1.0 ClientHello": b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01??\x00\x00\x04\x00\x2f\x00\xff\x01\x00",
    "SSL 2 ClientHello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(21) + b"??",
    "TLS alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "HTTP GET": b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "HTTP GET of a browser": b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: Mozilla/5.0\r\n"
                             b"Accept: */*\r\nCookie: id=??\r\n\r\n",
    "HTTP POST": b"POST /form HTTP/1.1\r\nHost: example.org\r\nContent-Length: 32\r\n\r\n??",
    "HTTP CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
    "HTTP 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "WebSocket": b"GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Key: ??\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "SOCKS 4": b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00",
    "SOCKS 5": b"\x05\x02\x00\x02",
    "DNS": b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01",
    "BitTorrent": b"\x13BitTorrent protocol" + bytes(8) + b"????" + bytes(8),
    "SMTP": b"EHLO example.org\r\n",
    "FTP": b"USER anonymous\r\n",
    "IRC": b"NICK guest\r\nUSER guest 0 * :guest\r\n",
    "POP3": b"CAPA\r\n",
    "IMAP": b"a1 CAPABILITY\r\n",
    "RDP": b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
    "SMB": b"\x00\x00\x00\x2f\xffSMB\x72" + bytes(27) + b"\x00\x0c\x00\x02NT LM 0.12\x00",
    "PostgreSQL": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "memcached": b"stats\r\n",
    "MQTT": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test",
    "AMQP": b"AMQP\x00\x00\x09\x01",
    "telnet": b"\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f",
    "RTSP": b"OPTIONS rtsp://example.org/ RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    "SIP": b"OPTIONS sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP example.org\r\n\r\n",
    "XMPP": b"<stream:stream to='example.org' xmlns='jabber:client' version='1.0'>",
    "VNC": b"RFB 003.008\n",
    "LDAP": b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00",
    "OpenVPN": b"\x00\x0e\x38" + bytes(8) + b"\x00\x00\x00\x00\x00",
    "PROXY 1": b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n",
    "PROXY 2": b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00",
    "git": b"003agit-upload-pack /project.git\x00host=example.org\x00",
    "rsync": b"@RSYNCD: 31.0\n",
    "JSON": b'{"id": 1, "method": "status"}\n',
    "two empty lines": b"\r\n\r\n",
    "64 zeros": bytes(64),
    "1400 times 0xff": b"\xff" * 1400,
}  # fmt: skip


def _tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(3, "big") + value


class _Ours:
    """First flights of somebody who knows the victim's UUID, each with one fault."""

    def __init__(self, victim: Candidate, a_ms: int) -> None:
        self.victim, self.a_ms = victim, a_ms
        self.offer = Dialler(BOB).offer
        self.good = self.offer.encode(100)

    # -- pieces --------------------------------------------------------------------------------------------------

    def sealed(self, body: bytes | None = None, *, raw: bytes | None = None, **header: Any) -> Make:
        """A flight with this body and header, under a new salt."""
        body = self.good if body is None else body
        plain = Header(MessageType.INIT, len(body), self.a_ms, 1)
        header_bytes = replace(plain, **header).encode() if raw is None else raw
        return lambda luck: seal_init(self.victim, luck.bytes(32), header_bytes, body)

    def changed(self, **fields: Any) -> Make:
        """A flight whose offer says something else."""
        return self.sealed(replace(self.offer, **fields).encode(100))

    def tlvs(self, left_out: int = -1, **values: bytes) -> list[tuple[int, bytes]]:
        """The good body in pieces, without one, or with other values by type (``t06=``)."""
        pieces, at = [], 0
        while at < len(self.good):
            size = int.from_bytes(self.good[at + 1 : at + 4], "big")
            pieces.append((self.good[at], self.good[at + 4 : at + 4 + size]))
            at += 4 + size
        return [(kind, values.get(f"t{kind:02x}", value)) for kind, value in pieces if kind != left_out]

    def body(self, pieces: list[tuple[int, bytes]], behind: bytes = b"") -> Make:
        return self.sealed(b"".join(_tlv(*piece) for piece in pieces) + behind)

    # -- kinds ---------------------------------------------------------------------------------------------------

    def elsewhere(self) -> dict[str, Make]:
        """For somebody else, for another network, for nobody."""
        psk = Secret(b"p" * 32)
        others = {
            "for another UUID": settings("carol"),
            "with a shared secret": settings("bob", psk=psk),
            "of another network": settings("bob", network_id=b"elsewhere"),
            "of another network, with a shared secret": settings("bob", network_id=b"elsewhere", psk=psk),
        }
        made = {name: _Ours(other.candidates[0], self.a_ms).sealed() for name, other in others.items()}
        nobody = _Ours(BOB.candidates[-1], self.a_ms)
        made["unaddressed where that is not allowed"] = nobody.sealed(flags=0)
        made["unaddressed, with the bit of a UUID"] = nobody.sealed()
        made["addressed, without its bit"] = self.sealed(flags=0)
        return made

    def times(self) -> dict[str, Make]:
        """Moments that are not in the window, or no whole minute."""
        moments = {
            "26 hours and a minute old": self.a_ms - 26 * HOUR_MS - MINUTE_MS, "a year old": self.a_ms - 8760 * HOUR_MS,
            "from before the start": self.a_ms - 2 * HOUR_MS, "7 minutes ahead": self.a_ms + 7 * MINUTE_MS,
            "a day ahead": self.a_ms + 24 * HOUR_MS, "27 hours ahead": self.a_ms + 27 * HOUR_MS,
            "a ms odd": self.a_ms + 1, "half a minute odd": self.a_ms - 30_000, "of time 0": 0,
            "of the last time": (1 << 64) - 1,
        }  # fmt: skip
        return {name: self.sealed(a=moment) for name, moment in moments.items()}

    def replays(self) -> dict[str, Make]:
        """A flight that was answered: again, cut, changed, with more behind it."""
        header = Header(MessageType.INIT, len(self.good), self.a_ms, 1).encode()
        flight = seal_init(self.victim, REPLAYED_SALT, header, self.good)
        return {
            "replayed": lambda luck: flight,
            "replayed, its first 64 bytes": lambda luck: flight[:64],
            "replayed, half of it": lambda luck: flight[: len(flight) // 2],
            "replayed, with random bytes behind": lambda luck: flight + luck.bytes(1000),
            "replayed, with another body": lambda luck: flight[:64] + luck.bytes(len(flight) - 64),
        }

    def cut(self) -> dict[str, Make]:
        """A good flight that ends too early."""
        whole, good = len(self.good) + 80, self.sealed()
        lengths = (1, 31, 32, 33, 48, 63, 64, 65, 80, 81, 200, whole // 2, whole - 17, whole - 16, whole - 1)
        return {f"cut after {count} bytes": partial(_cut, good, count) for count in lengths}

    def flipped(self) -> dict[str, Make]:
        """One bit is wrong: of the salt, of the header and its tag, of each part of the body and its tag."""
        whole, good = len(self.good) + 80, self.sealed()
        places = (0, 15, 31, 32, 33, 34, 35, 36, 44, 47, 48, 63, 64, 65, 70, 80, 90, 120, 150, 300, 1000, whole - 17,
                  whole - 16, whole - 1)  # fmt: skip
        return {f"a bit of byte {place} flipped": partial(_flip, good, place) for place in places}

    def headers(self) -> dict[str, Make]:
        """Headers that open and say what must not be."""
        size = len(self.good)
        made = {f"a header of type {kind.name}": self.sealed(type=kind) for kind in MessageType if kind != 1}
        for kind in (0, 6, 255):
            raw = bytes([kind, 1, 1, 0]) + self.a_ms.to_bytes(8, "big") + size.to_bytes(4, "big")
            made[f"a header of type {kind}"] = self.sealed(raw=raw)
        raw = bytes([1, 1, 1, 1]) + self.a_ms.to_bytes(8, "big") + size.to_bytes(4, "big")
        made["a header with its reserved octet"] = self.sealed(raw=raw)
        made |= {f"a header with flags {flags}": self.sealed(flags=flags) for flags in (2, 3, 128, 255)}
        lengths = (0, 1, size - 1, size + 1, FIRST_FLIGHT_BYTES - 79, FIRST_FLIGHT_BYTES, 1 << 24, (1 << 32) - 1)
        return made | {f"a header that says {count} bytes": self.sealed(body_bytes=count) for count in lengths}

    def bodies(self) -> dict[str, Make]:
        """Bodies that open and are no offer."""
        named = self.tlvs()
        made = {f"without TLV {kind:#04x}": self.body(self.tlvs(kind)) for kind, _ in named if kind != 0x80}
        made |= {f"with TLV {kind:#04x}": self.body(sorted([*named, (kind, bytes(32))]))
                 for kind in (0x00, 0x04, 0x05, 0x08, 0x09, 0x0B, 0x21, 0x7F)}  # fmt: skip
        made["a solution of no puzzle"] = self.changed(solution=bytes(128))
        made["TLVs out of order"] = self.body([named[1], named[0], *named[2:]])
        made["a TLV twice"] = self.body([named[0], *named])
        made["PAD in front"] = self.body([named[-1], *named[:-1]])
        made["3 bytes left over"] = self.body(named[:-1], bytes(3))
        made["a TLV beyond the end"] = self.body(named[:-1], b"\x80\x00\x00\x05")
        made["no body"] = self.sealed(b"")
        made["a body of random bytes"] = lambda luck: self.sealed(luck.bytes(1500))(luck)
        for name, values in LISTS_WRONG.items():
            made[name] = self.body(self.tlvs(**values))
        return made

    def shares(self) -> dict[str, Make]:
        """Shares of no use: wrong lengths, low order, no key, not in the offer."""
        x25519, mlkem = self.offer.primary.data, self.offer.secondary.data
        wrong = {
            "X25519 share a byte short": {"primary": KeyShare(1, x25519[:-1])},
            "X25519 share a byte long": {"primary": KeyShare(1, x25519 + b"\0")},
            "X25519 share of low order": {"primary": KeyShare(1, bytes(32))},
            "ML-KEM key a byte short": {"secondary": KeyShare(1, mlkem[:-1])},
            "ML-KEM key out of range": {"secondary": KeyShare(1, b"\xff" * len(mlkem))},
            "a share that is not offered": {"lists": replace(LISTS, primaries=(2, 3))},
            "a key that is not offered": {"lists": replace(LISTS, secondaries=(2,))},
        }
        return {name: self.changed(**fields) for name, fields in wrong.items()}

    def too_much(self) -> dict[str, Make]:
        """Offers with a PAD that makes them longer than the cap."""
        bare = len(self.offer.encode(0)) + 80
        made = {}
        for more in (1, 2, 64, FIRST_FLIGHT_BYTES):
            made[f"{more} bytes over the cap"] = self.sealed(self.offer.encode(FIRST_FLIGHT_BYTES + more - bare))
        return made


LISTS_WRONG: dict[str, dict[str, bytes]] = {
    "no primaries": {"t01": b""},
    "no AEADs": {"t03": b""},
    "a primary twice": {"t01": bytes([0, 1, 0, 1])},
    "an odd list": {"t01": bytes([0, 1, 0])},
    "33 primaries": {"t01": b"".join(number.to_bytes(2, "big") for number in range(1, 34))},
    "no version": {"t0c": b""},
    "a version twice": {"t0c": b"\x01\x01"},
    "17 versions": {"t0c": bytes(range(1, 18))},
    "a token of 47 bytes": {"t0a": bytes(47)},
    "a token of 49 bytes": {"t0a": bytes(49)},
    "no token in its TLV": {"t0a": b""},
    "a share of one byte": {"t06": b"\x00"},
}


def _cut(good: Make, count: int, luck: SeededRandom) -> bytes:
    return good(luck)[:count]


def _flip(good: Make, place: int, luck: SeededRandom) -> bytes:
    data = bytearray(good(luck))
    data[place] ^= 1 << luck.below(8)
    return bytes(data)
