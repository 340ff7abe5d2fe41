"""Our session against the frozen ones: each side is fed with the other's recorded records, and says its own.

What it says is opened with the recorded keys, and must carry the recorded long messages byte by byte; how it gathers
frames into records is its own choice. Not for: the key schedule and signatures (``test_vectors.py`` has them).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import rekey as rekey_module
from quantumgate.core import schedule
from quantumgate.core.channel import Channel
from quantumgate.core.connection import Connection
from quantumgate.core.events import ChannelOffered, Closed, Event, Rekeyed
from quantumgate.core.handshake import Verdict
from quantumgate.core.records import RecordOpener, RecordSealer
from quantumgate.core.session_settings import SessionSettings
from quantumgate.crypto import labels
from quantumgate.crypto.secret import Secret
from quantumgate.wire.frames import LONG_TYPES
from quantumgate.wire.limits import RECORD_HEADER_BYTES, RECORD_OVERHEAD_BYTES
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse
from quantumgate.wire.session_tlvs import SessionBlock
from tests.vectors.scripted import ScriptedIdentity, ScriptedKeys
from tests.vectors.sessions import (
    BLOCK_I,
    BLOCK_R,
    ECHO,
    NOBODYS,
    TYPES,
    UNKNOWN_TLV_LAST,
    padded_wire_bytes,
    spelled,
)
from tests.vectors.test_vectors import VectorTestCase, raw

FOLDER = Path(__file__).resolve().parent / "session"
NAMES = ("anonymous", "classical", "crossing", "hybrid", "retry", "shared-secret", "token")
LONG_PASSED = 100.0
"""Seconds after which a re-key is no longer too soon."""


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def body_of(record: dict[str, Any]) -> bytes:
    """What is sealed in it."""
    return b"".join(map(spelled, record["frames"])) + bytes(record["padding"])


def keys_of(said: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """For each side the keys that it sends under, by epoch."""
    v, aead = said["values"], said["inputs"]["suite"]["aead"]
    roots = [schedule.record_keys(Secret(raw(v[name])), aead) for name in ("root_0", "root_1")]
    return {"I": (roots[0][0], roots[1][0]), "R": (roots[0][1], roots[1][1])}


class RecordTests(SynchronousTestCase):
    """Seals, padding and the spelling of frames, record by record."""

    def test_every_record_is_sealed_as_it_stands(self) -> None:
        for name in NAMES:
            said = load(name)
            sealers = {side: [RecordSealer(key) for key in keys] for side, keys in keys_of(said).items()}
            for record in said["records"]:
                body = body_of(record)
                sealer = sealers[record["from"]][record["epoch"]]
                self.assertEqual(sealer.records, record["s"])
                buffer = bytearray(RECORD_OVERHEAD_BYTES + len(body))
                buffer[RECORD_HEADER_BYTES : RECORD_HEADER_BYTES + len(body)] = body
                sealer.seal(memoryview(buffer), len(body))
                self.assertEqual(buffer.hex(), record["record"], (name, record["what"]))

    def test_the_blocks_of_both_sides(self) -> None:
        for name in NAMES:
            said = load(name)
            mine, theirs = SessionBlock() if said["inputs"]["anonymous"] else BLOCK_I, BLOCK_R
            if name == "token":
                mine, theirs = replace(mine, token=b"\x1a" * 48), replace(theirs, token=b"\x2b" * 48)
            self.assertEqual(SessionBlock.decode(raw(said["inputs"]["session"])), mine, name)
            self.assertEqual(SessionBlock.decode(raw(said["block_of_responder"])), theirs, name)

    def test_padded_records_have_padmes_length(self) -> None:
        for name in NAMES:
            said = load(name)
            sizes = [len(raw(record["record"])) for record in said["records"] if record["from"] == "R"]
            self.assertEqual([size for size in sizes if size != padded_wire_bytes(size)], [], name)

    def test_each_file_has_the_whole_of_it(self) -> None:
        self.assertEqual(sorted(path.stem for path in FOLDER.glob("*.json")), list(NAMES))
        for name in NAMES:
            records = load(name)["records"]
            self.assertEqual({frame["type"] for record in records for frame in record["frames"]}, set(TYPES), name)
            for side in "IR":
                self.assertEqual({record["epoch"] for record in records if record["from"] == side}, {0, 1}, name)


class Shim:
    """Stands where core/rekey.py finds the modules that make keys, and gives the recorded ones."""

    def __init__(self, keys: ScriptedKeys) -> None:
        self._keys = keys

    def primary(self, group: int) -> Any:
        return SimpleNamespace(generate=lambda: self._keys.primary(group))

    def kem(self, group: int) -> Any:
        return SimpleNamespace(
            generate=lambda: self._keys.secondary(group), encapsulate=lambda key: self._keys.encapsulate(group, key)
        )


class OneSide:
    """Our own session in the place of ``side``."""

    def __init__(self, case: VectorTestCase, said: dict[str, Any], side: str) -> None:
        self.said, self.side, self.now = said, side, 0.0
        parties = dict(zip("IR", case.parties(said), strict=True))
        handshake: Any = parties[side]
        inputs = said["inputs"]
        block = SessionBlock.decode(raw(inputs["session"] if side == "I" else said["block_of_responder"]))
        luck: Any = SimpleNamespace(uniform=lambda low, high: (low + high) / 2)
        settings = SessionSettings(extenders=tuple(block.extenders))
        self.connection = Connection(handshake, settings, block, luck, 0.0)
        self.opener = RecordOpener(keys_of(said)[side][0])
        self.long: dict[int, bytes] = {}
        self.channels: dict[int, Channel] = {}
        self.got: dict[tuple[int, str], list[bytes]] = {}
        self.events: list[Event] = []
        self._greet()

    def _greet(self) -> None:
        for number, data in enumerate(self.said["wire"]):
            if "IR"[number % 2] == self.side:
                self._verdicts()
                if (mine := self.connection.data_to_send(0.0)) is not None:
                    self.connection.taken(len(mine), 0.0)
            else:
                self.connection.receive(raw(data), 0.0)
        self._verdicts()
        self.hear()

    def _verdicts(self) -> None:
        while (event := self.connection.next_event()) is not None:
            request = getattr(event, "request", None)
            if request is not None:
                self.connection.answer(request, Verdict(True), 0.0)
            else:
                self._event(event)

    def _event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, ChannelOffered):
            if event.channel.extender == NOBODYS:
                event.channel.reset(1, "not here")
                return
            self.own(event.channel)
            event.channel.accept()

    def own(self, channel: Channel) -> None:
        """Keep what its guest would get."""

        def message(data: bytes) -> bool:
            self.got.setdefault((channel.id, "message"), []).append(data)
            return True

        def piece(data: bytes) -> None:
            self.got.setdefault((channel.id, "stream"), []).append(data)
            channel.consumed(len(data))

        channel.on_message, channel.on_data = message, piece
        self.channels[channel.id] = channel

    def hear(self) -> None:
        """Open what it says now: under the recorded keys, and the long messages as recorded."""
        while (data := self.connection.data_to_send(self.now)) is not None:
            record = memoryview(bytearray(data))
            self.connection.taken(len(data), self.now)
            self.opener.body_bytes(record[:20], 1 << 20)
            self._frames(bytes(self.opener.open_body(record[:20], record[20:])))
        self._verdicts()

    def _frames(self, body: bytes) -> None:
        at = 0
        while at < len(body) and body[at]:
            size = int.from_bytes(body[at + 5 : at + 8], "big")
            kind, data = body[at], body[at + 8 : at + 8 + size]
            at += 8 + size
            if kind in LONG_TYPES:
                self.long[kind] = self.long.get(kind, b"") + data
            elif kind == TYPES["KEY_SWITCH"]:
                self.opener = RecordOpener(keys_of(self.said)[self.side][1])

    def do(self, record: dict[str, Any]) -> None:
        """The same as the recorded side did with this record, or the other side's record."""
        if any(frame["type"] == "REKEY_REQ" for frame in record["frames"]):
            self.now = LONG_PASSED
        if record["from"] != self.side:
            self.connection.receive(raw(record["record"]), self.now)
        else:
            for frame in record["frames"]:
                self._do_frame(frame)
        self._verdicts()
        self.hear()

    def _do_frame(self, frame: dict[str, Any]) -> None:
        session, data = self.connection.session, raw(frame["data"])
        assert session is not None
        if frame["type"] == "CH_OPEN":
            channel = session.open_channel(ECHO if data[:16] == ECHO.bytes else NOBODYS, stream=data[16] == 2,
                                           priority=data[17], label=data[18:])  # fmt: skip
            self.hear()
            self.own(channel)
        elif frame["type"] == "MSG":
            self._say(self.channels[frame["channel"]], frame["flags"], data)
        elif frame["type"] == "REKEY_REQ" and frame["flags"] & 1:
            session.rekey.request(self.now)
        elif frame["type"] == "CLOSE":
            self.connection.close(0, "bye", now=self.now)

    def _say(self, channel: Channel, flags: int, data: bytes) -> None:
        if channel.stream and data:
            channel.write(data)
        elif flags & 3 == 3 and not flags & 4:
            channel.send(data[4:], compress=False)
        if flags & 8:
            channel.finish()


class SessionTests(VectorTestCase):
    """Both sides of every file."""

    def settings(self, said: dict[str, Any], who: str, lists: str) -> Any:
        """As in the handshake, and the identity signs the re-key's messages after it."""
        made = super().settings(said, who, lists)
        noted, mine = said["rekey"], []
        asker = noted["asked_by"] == who
        if not asker and "dropped" in noted:
            mine.append((labels.SIGN_REKEY_REQUEST, noted["dropped"]["request_content"],
                         RekeyRequest.decode(raw(noted["dropped"]["request"])).signature))  # fmt: skip
        if asker:
            request = RekeyRequest.decode(raw(noted["request"]))
            mine.append((labels.SIGN_REKEY_REQUEST, noted["request_content"], request.signature))
        else:
            response = RekeyResponse.decode(raw(noted["response"]))
            mine.append((labels.SIGN_REKEY_RESPONSE, noted["response_content"], response.signature))
        assert isinstance(made.identity, ScriptedIdentity)
        made.identity.script += [
            {"name": name, "hash": hashlib.sha512(raw(content)).hexdigest(), "signature": signature.hex()}
            for name, content, signature in mine
        ]
        return made

    def keys(self, said: dict[str, Any], side: str) -> Shim:
        """The keys that this side makes for the re-key, in order."""
        noted = said["rekey"]
        asks = noted["asked_by"] == ("initiator" if side == "I" else "responder")
        dropped = noted["dropped"]["keys_of_asker"] if "dropped" in noted and not asks else []
        return Shim(ScriptedKeys(dropped + noted["keys_of_asker" if asks else "keys_of_answerer"]))

    def play(self, name: str, side: str) -> tuple[dict[str, Any], OneSide]:
        """One side through the whole file."""
        said = load(name)
        shim = self.keys(said, side)
        self.patch(rekey_module, "agreement", shim)
        self.patch(rekey_module, "kem", shim)
        one = OneSide(self, said, side)
        for record in crossed_for(side, said["records"]):
            one.do(record)
        return said, one

    def test_both_sides_of_every_file(self) -> None:
        for name in NAMES:
            for side in "IR":
                said, one = self.play(name, side)
                self.check(said, one, (name, side))

    def check(self, said: dict[str, Any], one: OneSide, where: tuple[str, str]) -> None:
        """What it said in long messages, what its guests got, and how it ended."""
        noted = said["rekey"]
        asks = noted["asked_by"] == ("initiator" if one.side == "I" else "responder")
        wanted = {} if one.side == "I" else {TYPES["SESSION"]: block_said(said)}
        if asks:
            wanted[TYPES["REKEY_REQ"]] = raw(noted["request"])
        else:
            wanted[TYPES["REKEY_RSP"]] = raw(noted["response"])
            if "dropped" in noted:
                wanted[TYPES["REKEY_REQ"]] = raw(noted["dropped"]["request"])
        self.assertEqual(one.long, wanted, where)
        self.assertEqual([event for event in one.events if isinstance(event, Rekeyed)], [Rekeyed(1)], where)
        self.assertEqual([event.clean for event in one.events if isinstance(event, Closed)], [True], where)
        got = {key: b"".join(pieces) if key[1] == "stream" else pieces for key, pieces in one.got.items()}
        self.assertEqual(got, delivered_to(said, one.side), where)


def crossed_for(side: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The order in which one side sends and receives: of two REKEY_REQ that cross it sends its own first."""
    asked = [at for at, record in enumerate(records) if any(f["type"] == "REKEY_REQ" and f["flags"] & 1
                                                            for f in record["frames"])]  # fmt: skip
    found = list(records)
    if len(asked) == 2 and records[asked[0]]["from"] != side:
        found[asked[0]], found[asked[1]] = found[asked[1]], found[asked[0]]
    return found


def block_said(said: dict[str, Any]) -> bytes:
    """R's block as our own side writes it: without the TLV that it does not know."""
    return raw(said["block_of_responder"]).removesuffix(UNKNOWN_TLV_LAST)


def delivered_to(said: dict[str, Any], side: str) -> dict[tuple[int, str], Any]:
    """By channel: a list of messages, or the bytes of a stream."""
    found: dict[tuple[int, str], Any] = {}
    for one in said["delivered"]:
        if one["to"] == side:
            key = one["channel"], one["kind"]
            found[key] = raw(one["data"]) if one["kind"] == "stream" else [*found.get(key, []), raw(one["data"])]
    return found
