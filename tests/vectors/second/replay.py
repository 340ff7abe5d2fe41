"""Plays a vector file through both sides and an observer, and compares everything with what the file says.

Not a test by itself: test_second.py and test_refusals.py run it on the files and on damaged copies.
"""
from __future__ import annotations

from typing import Any

from .crypto import Keys, passphrase_secret
from .frames import PING, Frame
from .identity import fingerprint_of, fingerprint_text, uuid_of
from .initiator import Initiator, Refusal
from .observer import Observer
from .octets import Refused, require, u
from .records import Way
from .rekey import Rekey, signature_of
from .responder import Responder
from .side import Side
from .vector import Inputs, Node, Party

NO_LIMIT = 2**24


class Played:
    """Both sides of a vector after its last flight."""

    def __init__(self, vector: Node) -> None:
        inputs = (Inputs(vector["inputs"]), Inputs(vector["inputs"]))
        self.initiator, self.responder = Initiator(inputs[0]), Responder(inputs[1])
        self.refusal: tuple[Any, ...] | None = None

    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.initiator, self.responder


def same(what: str, made: object, node: Node) -> None:
    """Refuse unless what we made is what the file has."""
    require(made == node.take(), "vector", f"{what} differs")


def check(vector: Node) -> Played:
    """All of one handshake file."""
    inputs = Inputs(vector["inputs"])
    _check_inputs(inputs)
    played = play(vector)
    for side in played.sides():
        if side.epoch == 0 and side.root:
            _samples(side, 0)
    if "rekey" in vector:
        _rekey(played, vector["rekey"])
    compare_values(played, vector["values"])
    if "refused" in vector:
        _refused(vector)
    return played


def _check_inputs(inputs: Inputs) -> None:
    """Identities and the secret, from their sources."""
    for party in (inputs.initiator, inputs.responder):
        bundle = party.identity.bundle
        made = {"bundle": bundle.hex(), "uuid": uuid_of(bundle).hex(), "fingerprint": fingerprint_of(bundle).hex(),
                "fingerprint_text": fingerprint_text(fingerprint_of(bundle))}
        for name, value in made.items():
            same(name, value, party.node[name])
    if inputs.passphrase is not None:
        made_secret = passphrase_secret(inputs.passphrase, inputs.network_id)
        require(made_secret == inputs.secret, "vector", "psk differs")
    wanted = bytes(16) if inputs.anonymous else uuid_of(inputs.responder.identity.bundle)
    require(inputs.target == wanted, "vector", "target differs")


def play(vector: Node) -> Played:
    """The flights, each made by its sender as the file has it and read by its receiver."""
    played = Played(vector)
    made, wire = [played.initiator.init()], vector["wire"]
    try:
        while not played.initiator.root:
            made.append(played.responder.called(made[-1]))
            made.append(played.initiator.answered(made[-1]))
        played.responder.proved(made[-1])
    except Refusal as refusal:
        played.refusal = refusal.args
    same("wire", [flight.hex() for flight in made], wire)
    for party in (played.initiator.own, played.responder.own):
        _all_used(party)
    _check_suite(played, vector["inputs"]["suite"])
    return played


def _all_used(party: Party) -> None:
    require(party.luck.used_up(), "vector", "a draw is left")
    for rest in (party.keys, party.signatures):
        require(next(rest, None) is None, "vector", "a key or a signature is left")
    for name in ("keys", "signatures"):
        if party.node[name].is_empty():
            party.node[name].take()


def _check_suite(played: Played, suite: Node) -> None:
    """After a REFUSE the suite is only what I offered first."""
    for side in played.sides():
        chosen = [*side.groups, side.aead]
        if played.refusal is not None:
            chosen = [ids[0] for ids in played.initiator.offer]
        same("suite", dict(zip(("primary", "secondary", "aead"), chosen, strict=True)), suite)


def _samples(side: Side, epoch: int) -> None:
    """Two records each way: a PING of 1 with seven octets of padding, and an empty body, which only a sample has."""
    for way in ("i2r", "r2i"):
        sender, receiver = (Way(side.ledger, way, epoch, side.aead) for _ in range(2))
        for body in (Frame(PING, u(8, 1)).encode() + bytes(7), b""):
            opened, rest = receiver.open(sender.seal(body), NO_LIMIT, least=0)
            require(opened == body and not rest, "record", "another body")


def _rekey(played: Played, node: Node) -> None:
    """The re-key of rekey.json, by both sides, and the samples under its keys."""
    asked_by = node["asked_by"].take()
    require(asked_by in ("initiator", "responder"), "vector", "asked_by")
    asking, answering = played.sides() if asked_by == "initiator" else played.sides()[::-1]
    given = {name: node[name].octets() for name in ("request", "response")}
    asks = Rekey(asking, asking.own.identity, True, iter(node["keys_of_asker"]))
    answers = Rekey(answering, answering.own.identity, False, iter(node["keys_of_answerer"]))
    request = asks.ask(signature_of(given["request"], True))
    asks.answered(answers.answer(request, signature_of(given["response"], False)))
    for rekey in (asks, answers):
        require(next(rekey.keys, None) is None, "vector", "a key is left")
        same("epoch", rekey.epoch, node["epoch"])
        for name, value in rekey.seen.items():
            same(name, value, node[name])
        _samples(rekey.side, rekey.epoch)


def compare_values(played: Played, values: Node) -> None:
    """What either side came to know is what the file knows, no value more and none less."""
    for side in played.sides():
        same("values", side.ledger.values, values)


def _refused(vector: Node) -> None:
    """Two messages of which only CONFIRM is wrong are refused there and nowhere else."""
    for name, step in (("RESP with another CONFIRM", "ConfR"), ("FIN with another CONFIRM", "ConfI")):
        require(refused_at(vector, name) == step, "vector", f"{name} is not refused by {step}")


def refused_at(vector: Node, name: str) -> str:
    """The step at which the receiver of a bad flight says no; nothing if it takes it."""
    played, bad = Played(vector), vector["refused"][name].octets()
    answer = played.responder.called(played.initiator.init())
    try:
        if name.startswith("RESP"):
            played.initiator.answered(bad)
        else:
            played.initiator.answered(answer)
            played.responder.proved(bad)
    except Refused as refused:
        return refused.step
    return ""


def observe(vector: Node) -> Observer:
    """The flights of a file as somebody reads them who has the keys of its boxes."""
    values = vector["values"].take()
    names = {name.removesuffix(" key") for name in values if name.endswith(" key")}
    keys = {name: Keys(bytes.fromhex(values[f"{name} key"]), bytes.fromhex(values[f"{name} iv"])) for name in names}
    observer = Observer(vector["inputs"]["target"].octets(), keys)
    observer.read([flight.octets() for flight in vector["wire"]])
    return observer
