"""One end of a session: seals its own records, opens the other's, follows the re-key (records.md, rekey.md).

An observer with keys is an End as well: it opens both directions and makes nothing.
"""
from __future__ import annotations

from . import frames
from .channels import OTHER, Dialogue
from .frames import Frame
from .octets import require
from .records import Way
from .rekey import Rekey, signature_of
from .schedule import Ledger
from .session import Block
from .side import Side
from .vector import Node

WAYS = {"I": "i2r", "R": "r2i"}


class End:
    """What I, R or an observer knows of the records of both directions."""

    def __init__(self, ledger: Ledger, aead: int, block_of_initiator: bytes) -> None:
        self.ledger = ledger
        self.aead = aead
        self.dialogue = Dialogue({"I": Block.decode(block_of_initiator)})
        self.epochs = {"I": 0, "R": 0}
        self.ways = {side: Way(ledger, way, 0, aead) for side, way in WAYS.items()}
        self.payloads: list[tuple[str, int, bytes]] = []

    def send(self, me: str, said: list[Frame], padding_octets: int) -> bytes:
        """A record of my own."""
        record = self.ways[me].seal(b"".join(frame.encode() for frame in said) + bytes(padding_octets))
        self.said(me, said)
        return record

    def receive(self, sender: str, record: bytes) -> tuple[list[Frame], int]:
        """The frames of a record of the other side, and how much padding was behind them."""
        receiver = self.dialogue.blocks.get(OTHER[sender], Block())
        body, rest = self.ways[sender].open(record, receiver.numbers["max_record"])
        require(rest == b"", "record", "something stands behind the record")
        said = frames.read_frames(body)
        self.said(sender, said)
        return said, len(body) - sum(len(frame.encode()) for frame in said)

    def said(self, sender: str, said: list[Frame]) -> None:
        """Frames of one side, in their order."""
        for frame in said:
            payload = self.dialogue.take(sender, frame)
            if payload is not None:
                self.payloads.append((sender, frame.kind, payload))
                self._payload(sender, frame.kind, payload)
            if frame.kind == frames.KEY_SWITCH:
                self._switch(sender)

    def _payload(self, sender: str, kind: int, payload: bytes) -> None:
        """A long control message is whole. An observer only listens."""

    def _switch(self, sender: str) -> None:
        self.epochs[sender] += 1
        self.ways[sender] = Way(self.ledger, WAYS[sender], self.epochs[sender], self.aead)


class Talker(End):
    """I or R itself: makes its half of a re-key, and judges the other's."""

    def __init__(self, side: Side, me: str, block: bytes, node: Node) -> None:
        super().__init__(side.ledger, side.aead, side.inputs.session)
        self.side = side
        self.me = me
        self.block = Block.decode(block)
        self.node = node
        nameless = me == "I" and side.inputs.anonymous
        self.identity = None if nameless else side.own.identity
        self.rekey: Rekey | None = None
        self.given_up: Rekey | None = None
        self.response: bytes | None = None
        self.responded = False
        self.switched: set[str] = set()

    def padding_rule(self) -> tuple[int, int]:
        """My padding mode, and my largest record with its overhead."""
        other = self.dialogue.blocks.get(OTHER[self.me], Block())
        return self.block.numbers["padding"], min(one.numbers["max_record"] for one in (self.block, other))

    def _payload(self, sender: str, kind: int, payload: bytes) -> None:
        if kind == frames.REKEY_REQ:
            (self._ask if sender == self.me else self._asked)(payload)
        if kind == frames.REKEY_RSP:
            (self._answer if sender == self.me else self._answered)(payload)

    def _ask(self, payload: bytes) -> None:
        """My own request: made anew from its keys, it is the one that was sent."""
        require(self.rekey is None or self.response is not None, "rekey", "a second request")
        stands = self.node["asked_by"].take() == {"I": "initiator", "R": "responder"}[self.me]
        keys = self.node["keys_of_asker"] if stands else self.node["dropped"]["keys_of_asker"]
        self.rekey = Rekey(self.side, self.identity, True, iter(keys))
        require(self.rekey.ask(signature_of(payload, True)) == payload, "rekey", "another REKEY_REQ")

    def _asked(self, payload: bytes) -> None:
        """The other's request. Of two that cross I's stands: I drops R's, R gives its own up."""
        if self.rekey is not None and self.me == "I":
            return self.rekey.check_form(payload)
        self.given_up = self.rekey
        self.rekey = Rekey(self.side, self.identity, False, iter(self.node["keys_of_answerer"]))
        self.response = self.rekey.answer(payload, signature_of(self.node["response"].octets(), False))
        return None

    def _answer(self, payload: bytes) -> None:
        require(payload == self.response, "rekey", "another REKEY_RSP")
        self.responded = True

    def _answered(self, payload: bytes) -> None:
        require(self.rekey is not None and self.response is None, "malformed", "REKEY_RSP that nobody asked for")
        self.response, self.responded = payload, True
        if self.rekey is not None:
            self.rekey.answered(payload)

    def _switch(self, sender: str) -> None:
        require(self.responded and sender not in self.switched, "malformed", "KEY_SWITCH")
        self.switched.add(sender)
        super()._switch(sender)
