"""Writes tests/vectors/session/*.json: ``python -m tests.vectors.sessions [NAME]``. Only for a change of the protocol.

Each file is a handshake as in ``generate.py``, and a whole session after it: channels, messages, a padded record, a
re-key, CLOSE. The records are composed here frame by frame and sealed by hand (``derive.py``), not by our session:
how frames are gathered into records is a sender's choice. Spec: docs/spec/session.md section 8.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from quantumgate.wire.compressed import deflate
from quantumgate.wire.session_tlvs import SessionBlock, token_tlv
from tests.vectors import derive
from tests.vectors.generate import Meeting, meet, rekey

FOLDER = Path(__file__).resolve().parent / "session"
ECHO, NOBODYS, LATER = (UUID(int=number << 96 | 0xEC0) for number in (1, 2, 3))
WALL_MS = 1_900_000_017_000
BLOCK_I = SessionBlock(max_record=65_536, max_message=262_144, padding=0, extenders=frozenset({ECHO}),
                       clock_ms=WALL_MS, instance=0x1111_2222_3333_4444)  # fmt: skip
BLOCK_R = SessionBlock(max_record=16_384, initial_window=131_072, max_channels=64, extenders=frozenset({ECHO, LATER}),
                       endpoints=("tcp:192.0.2.7:9999",), clock_ms=WALL_MS + 250, instance=7)  # fmt: skip
UNKNOWN_TLV_FIRST = bytes.fromhex("01000004") + b"demo"
UNKNOWN_TLV_LAST = bytes.fromhex("7e000000")
CASES: dict[str, dict[str, Any]] = {
    "classical": {"kinds": (1, 1), "suite": (1, 1, 1), "asks": "I"},
    "hybrid": {"kinds": (2, 4), "suite": (2, 2, 2), "asks": "R", "pieces": True},
    "retry": {"kinds": (3, 1), "suite": (3, 2, 1), "retry": True, "asks": "I", "unknown": True},
    "shared-secret": {"kinds": (1, 3), "suite": (1, 1, 2), "network_id": "Netz \u00fc", "passphrase": "correct horse",
                      "asks": "R"},
    "crossing": {"kinds": (1, 1), "suite": (2, 1, 1), "asks": "both"},
    "anonymous": {"kinds": (1, 1), "suite": (1, 1, 1), "anonymous": True, "asks": "I"},
    "token": {"kinds": (1, 1), "suite": (1, 1, 1), "asks": "I", "token": bytes(range(0x10, 0x40))},
}  # fmt: skip
TYPES = {
    "PING": 0x02, "PONG": 0x03, "CLOSE": 0x04, "CH_OPEN": 0x10, "CH_ACCEPT": 0x11, "CH_RESET": 0x12, "MSG": 0x13,
    "WINDOW": 0x14, "REKEY_REQ": 0x20, "REKEY_RSP": 0x21, "KEY_SWITCH": 0x22, "SESSION": 0x30, "EXT_UPDATE": 0x31,
}  # fmt: skip
FIRST, LAST, COMPRESSED, FIN = 1, 2, 4, 8
Frame = dict[str, Any]


def frame(kind: str, data: bytes = b"", channel: int = 0, flags: int = 0) -> Frame:
    """One frame as the file says it."""
    return {"type": kind, "channel": channel, "flags": flags, "data": data.hex()}


def spelled(said: Frame) -> bytes:
    """Its bytes."""
    data = bytes.fromhex(said["data"])
    word = said["channel"].to_bytes(3, "big") + bytes([said["flags"]]) + len(data).to_bytes(3, "big")
    return bytes([TYPES[said["type"]]]) + word + data


def u64(value: int) -> bytes:
    """Eight octets."""
    return value.to_bytes(8, "big")


def channel_open(channel: int, extender: UUID, kind: int, priority: int, label: bytes) -> Frame:
    """CH_OPEN."""
    return frame("CH_OPEN", extender.bytes + bytes([kind, priority]) + label, channel)


def part(channel: int, flags: int, data: bytes, total: int = 0) -> Frame:
    """A part of a message."""
    return frame("MSG", (total.to_bytes(4, "big") if flags & FIRST else b"") + data, channel, flags)


def whole(channel: int, message: bytes, more: int = 0) -> Frame:
    """A message in one part."""
    return part(channel, FIRST | LAST | more, message, len(message))


def padded_wire_bytes(size: int) -> int:
    """PADME with its floor, from records.md section 5."""
    exponent = size.bit_length() - 1
    low = exponent - (exponent.bit_length() - 1 + 1)
    mask = (1 << low) - 1
    return max(256, (size + mask) & ~mask)


class Session:
    """Two directions of records. ``padme`` holds the sides that pad."""

    def __init__(self, values: derive.Values, aead: int, padme: frozenset[str]) -> None:
        self.values, self.aead, self.padme = values, aead, padme
        self.epoch = {"I": 0, "R": 0}
        self.count = {"I": 0, "R": 0}
        self.records: list[dict[str, Any]] = []
        self.delivered: list[dict[str, Any]] = []

    def say(self, side: str, what: str, *said: Frame, padding: int | None = None) -> None:
        """One record. ``padding`` None = as the side's mode has it."""
        body = b"".join(map(spelled, said))
        if padding is None:
            padding = padded_wire_bytes(len(body) + 36) - len(body) - 36 if side in self.padme else 0
        counter = self.count[side]
        noted = {"from": side, "epoch": self.epoch[side], "s": counter, "what": what, "frames": list(said),
                 "padding": padding}  # fmt: skip
        self.records.append({**noted, "record": self._seal(side, counter, body + bytes(padding)).hex()})
        self.count[side] = counter + 1
        if said and said[-1]["type"] == "KEY_SWITCH":
            self.epoch[side], self.count[side] = self.epoch[side] + 1, 0

    def _seal(self, side: str, counter: int, body: bytes) -> bytes:
        name = f"ap {'i2r' if side == 'I' else 'r2i'}" + (" epoch 1" if self.epoch[side] else "")
        key, iv = (bytes.fromhex(self.values[f"{name} {part}"]) for part in ("key", "iv"))
        cipher = derive.CIPHERS[self.aead](key)
        nonces = [(int.from_bytes(iv, "big") ^ n).to_bytes(12, "big") for n in (2 * counter, 2 * counter + 1)]
        header = cipher.encrypt(nonces[0], len(body).to_bytes(3, "big") + b"\x00", b"")
        return header + cipher.encrypt(nonces[1], body, header)

    def reaches(self, side: str, channel: int, kind: str, data: bytes) -> None:
        """What the guest of ``side`` gets."""
        self.delivered.append({"to": side, "channel": channel, "kind": kind, "data": data.hex()})


def opening(session: Session, block_r: bytes, pieces: bool) -> None:
    """SESSION of R; a channel of messages from I; a stream from R."""
    if pieces:
        session.say("R", "SESSION, first piece", frame("SESSION", block_r[:40], flags=FIRST))
        session.say("R", "SESSION, last piece", frame("SESSION", block_r[40:], flags=LAST))
    else:
        session.say("R", "SESSION", frame("SESSION", block_r, flags=FIRST | LAST))
    session.say("I", "a channel of messages, and its first message at once",
                channel_open(1, ECHO, 1, 2, b"log"), whole(1, b"hello"))  # fmt: skip
    session.reaches("R", 1, "message", b"hello")
    session.say("R", "accepted; a byte stream, and its first bytes at once",
                frame("CH_ACCEPT", channel=1), channel_open(2, ECHO, 2, 1, b"tube"),
                frame("MSG", b"abc", 2))  # fmt: skip
    session.say("I", "the stream accepted, bytes the other way", frame("CH_ACCEPT", channel=2), frame("MSG", b"xyz", 2))
    session.reaches("I", 2, "stream", b"abcdef")
    session.reaches("R", 2, "stream", b"xyz")


def talk(session: Session) -> None:
    """Messages in every form, credit, ends of channels."""
    long = b"quantumgate " * 60
    shrunk = deflate(long)
    assert shrunk is not None
    session.say("I", "a compressed message, and an empty one", whole(1, shrunk, COMPRESSED), whole(1, b""))
    session.reaches("R", 1, "message", long)
    session.reaches("R", 1, "message", b"")
    parts = b"first,", b"second,", b"third"
    session.say("I", "a message in three parts, the first", part(1, FIRST, parts[0], len(b"".join(parts))))
    session.say("I", "PING between, and the second part", frame("PING", u64(1)), part(1, 0, parts[1]))
    session.say("I", "the third part", part(1, LAST, parts[2]), padding=3)
    session.reaches("R", 1, "message", b"".join(parts))
    session.say("R", "PONG, and credit", frame("PONG", u64(1)), frame("WINDOW", u64(262_144), 1))
    session.say("R", "the last bytes of the stream, with fin", frame("MSG", b"def", 2, FIN))
    session.say("I", "fin alone: the stream is over", frame("MSG", b"", 2, FIN))
    session.say("I", "a stream for an extender that R does not run", channel_open(3, NOBODYS, 2, 3, b""))
    session.say("R", "refused", frame("CH_RESET", bytes.fromhex("0001") + b"not here", 3))
    session.say("R", "R runs one extender less", frame("EXT_UPDATE", ECHO.bytes, flags=FIRST | LAST))
    session.say("I", "nothing but padding", padding=64)


def long_frames(kind: str, payload: bytes, pieces: bool) -> list[list[Frame]]:
    """A long message as frames of one record, or of two."""
    if not pieces:
        return [[frame(kind, payload, flags=FIRST | LAST)]]
    return [[frame(kind, payload[:1000], flags=FIRST)], [frame(kind, payload[1000:], flags=LAST)]]


def renew(session: Session, said: dict[str, Any], crossed: dict[str, Any] | None, pieces: bool) -> None:
    """A re-key with records before and after each switch."""
    q = "I" if said["asked_by"] == "initiator" else "R"
    p = "R" if q == "I" else "I"
    request, response = (bytes.fromhex(said[name]) for name in ("request", "response"))
    for frames in long_frames("REKEY_REQ", request, pieces):
        session.say(q, "REKEY_REQ", *frames)
    if crossed is not None:
        session.say(p, "REKEY_REQ that crosses it, and is dropped",
                    frame("REKEY_REQ", bytes.fromhex(crossed["request"]), flags=FIRST | LAST))  # fmt: skip
    session.say(q, "PING under the old key", frame("PING", u64(2)))
    answer = long_frames("REKEY_RSP", response, pieces)
    for frames in answer[:-1]:
        session.say(p, "REKEY_RSP, first piece", *frames)
    session.say(p, "REKEY_RSP, PONG, and KEY_SWITCH", *answer[-1], frame("PONG", u64(2)), frame("KEY_SWITCH"))
    session.say(p, "PING under the new key", frame("PING", u64(3)))
    session.say(q, "PONG, still under the old key", frame("PONG", u64(3)))
    session.say(q, "KEY_SWITCH", frame("KEY_SWITCH"))
    session.say(q, "PING under the new key", frame("PING", u64(4)))
    session.say(p, "PONG under the new key", frame("PONG", u64(4)))


def parting(session: Session) -> None:
    """A last message with fin, and CLOSE both ways."""
    session.say("I", "the last message of its channel", whole(1, b"after", FIN))
    session.reaches("R", 1, "message", b"after")
    session.say("I", "CLOSE", frame("CLOSE", bytes.fromhex("0000") + b"bye"))
    session.say("R", "CLOSE, the answer", frame("CLOSE", bytes.fromhex("0000")))


def exchange(meeting: Meeting, values: derive.Values, name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """The re-key of a file; of two that cross the one that is dropped stands beside it."""
    alice = None if plan.get("anonymous") else meeting.identities[0]
    bob = meeting.identities[1]
    if plan["asks"] == "R":
        return rekey(values, bob, alice, plan["suite"], name=f"session {name}")
    said = rekey(values, alice, bob, plan["suite"], asked_by="initiator", name=f"session {name}")
    if plan["asks"] == "both":
        other = rekey(values, bob, alice, plan["suite"], name=f"session {name} dropped")
        names = "keys_of_asker", "request_content", "request_signature_input", "request"
        said["dropped"] = {key: other[key] for key in names}
    return said


def case(name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """One file."""
    block_i = SessionBlock().encode() if plan.get("anonymous") else BLOCK_I.encode()
    block_r = BLOCK_R.encode()
    if plan.get("token"):
        block_i, block_r = (block + token_tlv(bytes(48 * [mark])) for block, mark in ((block_i, 0x1A), (block_r, 0x2B)))
    if plan.get("unknown"):
        block_i, block_r = UNKNOWN_TLV_FIRST + block_i, block_r + UNKNOWN_TLV_LAST
    meeting = meet(f"session {name}", {**plan, "session": block_i})
    values = meeting.values()
    said = exchange(meeting, values, name, plan)
    aead = plan["suite"][2]
    derive.rekey(values, said, aead)
    padme = frozenset("IR" if plan.get("anonymous") else "R")
    session, pieces = Session(values, aead, padme), plan.get("pieces", False)
    opening(session, block_r, pieces)
    talk(session)
    renew(session, said, said.get("dropped"), pieces)
    parting(session)
    plain = {key: value for key, value in values.items() if not key.startswith("box ")}
    return {**meeting.said, "name": name, "values": plain, "rekey": said, "block_of_responder": block_r.hex(),
            "records": session.records, "delivered": session.delivered}  # fmt: skip


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or list(CASES)
    for name, plan in ((name, CASES[name]) for name in wanted):
        (FOLDER / f"{name}.json").write_text(json.dumps(case(name, plan), indent=1) + "\n")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
