"""Plays a vector file through both sides and an observer, and compares everything with what the file says.

Not a test by itself: test_second.py and test_refusals.py run it on the files and on damaged copies.
"""
from __future__ import annotations

from itertools import pairwise
from typing import Any

from .channels import OTHER
from .crypto import Keys, passphrase_secret
from .ends import End, Talker
from .frames import FORMS, PING, REKEY_REQ, SESSION, Frame
from .identity import fingerprint_of, fingerprint_text, uuid_of
from .initiator import Initiator, Refusal
from .observer import Observer
from .octets import Refused, require, u
from .records import Way, padded
from .rekey import Rekey, signature_of
from .responder import Responder
from .schedule import Ledger
from .side import Side
from .vector import Inputs, Node, Party

NO_LIMIT = 2**24
# The files show that padding is the sender's choice: 3 octets, too few for a frame, and a body of nothing else.
OTHER_PADDING = ("the third part", "nothing but padding")


class Played:
    """Both sides of a vector after its last flight."""

    def __init__(self, vector: Node) -> None:
        inputs = (Inputs(vector["inputs"]), Inputs(vector["inputs"]))
        self.initiator, self.responder = Initiator(inputs[0]), Responder(inputs[1])
        self.refusal: tuple[Any, ...] | None = None
        self.talkers: dict[str, Talker] | None = None

    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.initiator, self.responder


def same(what: str, made: object, node: Node) -> None:
    """Refuse unless what we made is what the file has."""
    require(made == node.take(), "vector", f"{what} differs")


def check(vector: Node) -> Played:
    """All of one file."""
    return check_session(vector) if "records" in vector else check_handshake(vector)


def check_handshake(vector: Node) -> Played:
    """All of one handshake file."""
    _check_inputs(Inputs(vector["inputs"]))
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
    """What either side came to know is what the file knows, no value more and none less; sessions tell no boxes."""
    for side in played.sides():
        known = side.ledger.values
        if played.talkers is not None:
            known = {name: value for name, value in known.items() if not name.startswith("box ")}
        same("values", known, values)


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


def check_session(vector: Node) -> Played:
    """All of one session file: the handshake, then each record made by its sender and read by the other."""
    _check_inputs(Inputs(vector["inputs"]))
    played = play(vector)
    node = vector["rekey"]
    own_blocks = (played.initiator.inputs.session, vector["block_of_responder"].octets())
    talkers = {me: Talker(side, me, block, node)
               for me, side, block in zip("IR", played.sides(), own_blocks, strict=True)}
    played.talkers = talkers
    observer = listener(vector)
    held: list[Node] = []
    for record, following in pairwise([*vector["records"], None]):
        _send(talkers[record["from"].take()], record)
        held.append(record)
        if following is None or not _cross(record, following):
            while held:
                _hear((talkers[OTHER[held[0]["from"].take()]], observer), held.pop(0))
    _compare_rekey(talkers, node)
    for end in (*talkers.values(), observer):
        _compare_heard(end, vector)
    compare_values(played, vector["values"])
    return played


def _compare_heard(end: End, vector: Node) -> None:
    """What was delivered, R's SESSION block, and that both said CLOSE."""
    made = [vars(entry) | {"data": entry.data.hex()} for entry in end.dialogue.delivered]
    same("delivered", made, vector["delivered"])
    blocks = [payload for _, kind, payload in end.payloads if kind == SESSION]
    same("block_of_responder", b"".join(blocks).hex(), vector["block_of_responder"])
    require(len(blocks) == 1 and end.dialogue.closed == {"I": 0, "R": 0}, "vector", "SESSION or CLOSE")
    require(end.dialogue.pinged == {}, "vector", "a PING without its PONG")


def _frames(record: Node) -> list[Frame]:
    numbers = {form.name: kind for kind, form in FORMS.items()}
    return [Frame(numbers[frame["type"].take()], frame["data"].octets(), frame["channel"].take(), frame["flags"].take())
            for frame in record["frames"]]


def _cross(record: Node, following: Node) -> bool:
    """Two REKEY_REQ, one from each side: the first is still on its way when the second is sent."""
    kinds = [{frame.kind for frame in _frames(one)} for one in (record, following)]
    return record["from"].take() != following["from"].take() and REKEY_REQ in kinds[0] & kinds[1]


def _send(talker: Talker, record: Node) -> None:
    """The sender makes the record from its frames; padding follows its mode, but where a file shows another choice."""
    way, said, padding = talker.ways[talker.me], _frames(record), record["padding"].take()
    same("epoch", talker.epochs[talker.me], record["epoch"])
    same("s", way.s, record["s"])
    body = b"".join(frame.encode() for frame in said)
    usual = len(padded(body, *talker.padding_rule())) - len(body)
    require(padding == usual or record["what"].take() in OTHER_PADDING, "vector", "padding differs")
    same("record", talker.send(talker.me, said, padding).hex(), record["record"])


def _hear(listeners: tuple[End, ...], record: Node) -> None:
    """Each listener opens the record and finds the same frames and padding."""
    for end in listeners:
        said, padding = end.receive(record["from"].take(), record["record"].octets())
        require(said == _frames(record), "vector", "other frames")
        same("padding", padding, record["padding"])


def _compare_rekey(talkers: dict[str, Talker], node: Node) -> None:
    for talker in talkers.values():
        if talker.rekey is None:
            raise Refused("vector", "no re-key")
        seen = talker.rekey.seen
        same("epoch", talker.rekey.epoch, node["epoch"])
        for name, value in seen.items():
            same(name, value, node[name])
        if talker.given_up is not None:
            for name, value in talker.given_up.seen.items():
                same(name, value, node["dropped"][name])


def keys_of(values: Node) -> dict[str, Keys]:
    """All keys that a file tells, and nothing else of it."""
    names = [name.removesuffix(" key") for name in values.names() if name.endswith(" key")]
    return {name: Keys(values[f"{name} key"].octets(), values[f"{name} iv"].octets()) for name in names}


def listener(vector: Node) -> End:
    """An observer of the records, with the keys of both epochs."""
    ledger = Ledger()
    ledger.keys.update(keys_of(vector["values"]))
    return End(ledger, vector["inputs"]["suite"]["aead"].take(), vector["inputs"]["session"].octets())


def observe(vector: Node) -> Observer:
    """The flights of a file as somebody reads them who has the keys of its boxes."""
    observer = Observer(vector["inputs"]["target"].octets(), keys_of(vector["values"]))
    observer.read([flight.octets() for flight in vector["wire"]])
    return observer
