"""Writes tests/vectors/handshake/*.json: ``python -m tests.vectors.generate [NAME]``. For a change of the protocol.

Each file holds the inputs (identities with their seeds, network, shared secret, clock, draws, ephemeral keys,
signatures), the wire, and every value between them by its name in docs/spec. Results of randomness that a library does
not take are inputs. New runs give new files, for encapsulations and ML-DSA signatures differ: so they are kept.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantumgate.core import schedule
from quantumgate.core.delegations import FOR_HANDSHAKE, delegate
from quantumgate.core.handshake import Established, HandshakeSettings, Initiator, Responder, Verdict
from quantumgate.core.overload import Turn
from quantumgate.core.replay import ReplayWindow
from quantumgate.core.requests import PuzzleNeeded, TurnNeeded
from quantumgate.crypto import labels
from quantumgate.crypto.kdf import stretch_passphrase
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, signature_input
from quantumgate.ids import NOBODY
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content
from tests.core.handshake.duel import SeededRandom, busy, solution_of
from tests.vectors import derive
from tests.vectors.scripted import RecordingIdentity, RecordingKeys, RecordingRandom, primary_from

FOLDER = Path(__file__).resolve().parent / "handshake"
WALL_SECONDS = 1_900_000_017
SESSION_TLVS = bytes.fromhex("01000004") + b"demo"
CASES: dict[str, dict[str, Any]] = {
    "classical": {"kinds": (1, 1), "suite": (1, 1, 1)},
    "hybrid": {"kinds": (2, 4), "suite": (2, 2, 2)},
    "retry": {"kinds": (3, 1), "suite": (3, 2, 1), "retry": True},
    "shared-secret": {"kinds": (1, 3), "suite": (1, 1, 2), "network_id": "Netz \u00fc", "passphrase": "correct horse"},
    "rekey": {"kinds": (1, 2), "suite": (1, 1, 1), "rekey": True},
    "anonymous": {"kinds": (1, 1), "suite": (1, 1, 1), "anonymous": True},
    "puzzle": {"kinds": (1, 1), "suite": (1, 1, 1), "retry": True, "puzzle": True},
    "delegated": {"kinds": (1, 2), "suite": (1, 1, 1), "delegated": True, "rekey": True},
    "refused": {"kinds": (1, 1), "suite": (1, 1, 1), "refused": True},
}


def side(name: str, kind: int, *, delegated: bool = False) -> tuple[RecordingIdentity, dict[str, Any]]:
    """An identity and what the file says of it; the seeds are the root's, also where an online key acts for it."""
    seeds = SeededRandom(("vector", name)).bytes(KINDS[kind].seed_bytes)
    identity = RecordingIdentity(kind, Secret(seeds))
    public = identity.public
    said = {"kind": kind, "seeds": seeds.hex(), "bundle": public.bundle.hex(), "uuid": public.uuid.bytes.hex()}
    said = {**said, "fingerprint": public.fingerprint.hex(), "fingerprint_text": public.fingerprint_text}
    return (deputy(name, identity, said) if delegated else identity), said


def deputy(name: str, root: RecordingIdentity, said: dict[str, Any]) -> RecordingIdentity:
    """An online key for this root, good for a month around the time of the file."""
    seeds = SeededRandom(("vector", f"{name} online")).bytes(KINDS[root.kind].seed_bytes)
    online = RecordingIdentity(root.kind, Secret(seeds))
    terms = {"not_before_seconds": WALL_SECONDS - 864_000, "not_after_seconds": WALL_SECONDS + 1_728_000}
    delegation = delegate(root, online.public, serial=WALL_SECONDS * 1000, usages=FOR_HANDSHAKE, **terms).encode()
    said |= {"online": {"seeds": seeds.hex(), "bundle": online.own.bundle.hex()}, "delegation": delegation.hex()}
    online.act_for(root.public, delegation)
    return online


@dataclass
class Meeting:
    """A recorded handshake, and what made it."""

    said: dict[str, Any]
    i: Initiator
    identities: tuple[RecordingIdentity, RecordingIdentity]
    keys: tuple[RecordingKeys, RecordingKeys]
    wire: list[bytes]
    obf: tuple[bytes, bytes | None, bytes]

    def values(self) -> derive.Values:
        """Everything between the inputs and root_0, compared with what our code came to."""
        values = derive.handshake(self.said["inputs"], self.wire, secrets_of(*self.keys))
        assert isinstance(self.i.outcome, Established)
        assert values["root_0"] == self.i.outcome.root.reveal().hex() and values["sid"] == self.i.outcome.sid.hex()
        return values


def meet(name: str, plan: dict[str, Any]) -> Meeting:
    """One handshake by our code, with everything noted."""
    delegated = plan.get("delegated", False)
    alice, said_i = side(f"{name} I", plan["kinds"][0], delegated=delegated)
    bob, said_r = side(f"{name} R", plan["kinds"][1], delegated=delegated)
    network_id = plan.get("network_id", "QuantumGate")
    psk = stretch_passphrase(plan["passphrase"], network_id.encode()) if "passphrase" in plan else None
    anonymous = plan.get("anonymous", False)
    primary, secondary, aead = plan["suite"]
    session, token = plan.get("session", SESSION_TLVS), plan.get("token", b"")
    common = {"network_id": network_id.encode(), "psk": psk}
    listed: dict[str, Any] = {"primaries": (primary,), "secondaries": (secondary,), "aeads": (aead,)}
    theirs = {**listed, "aeads": (7,)} if plan.get("refused") else listed
    ours = {} if plan.get("retry") or anonymous else listed
    ours = {"primaries": (1, 2, 3), "secondaries": (1, 2), "aeads": (1, 2), **ours}
    keys_i, keys_r = RecordingKeys(f"{name} I"), RecordingKeys(f"{name} R")
    random_i, random_r = RecordingRandom(f"{name} I"), RecordingRandom(f"{name} R")
    dialler = HandshakeSettings(alice, keys=keys_i, **ours, **common)
    listener = HandshakeSettings(bob, keys=keys_r, require_authentication=False, **theirs, **common)
    target = None if anonymous else bob.public.uuid
    replay = ReplayWindow(bytes(32), WALL_SECONDS * 1000 - 3_600_000)
    clock: dict[str, Any] = {"now": 0.0, "wall_offset_seconds": float(WALL_SECONDS)}
    ladder = busy(0.9, 0.0) if plan.get("puzzle") else None
    r = Responder(listener, replay, random=random_r, allow_unaddressed=anonymous, ladder=ladder, **clock)
    i = Initiator(dialler, target=target, session_tlvs=session, anonymous=anonymous, token=token, random=random_i,
                  **clock)
    puzzles: list[dict[str, Any]] = []
    wire = talk(i, r, puzzles)
    inputs: dict[str, Any] = {
        "wall_ms": WALL_SECONDS * 1000,
        "network_id": network_id,
        "passphrase": plan.get("passphrase"),
        "psk": psk.reveal().hex() if psk else None,
        "target": (target or NOBODY).bytes.hex(),
        "anonymous": anonymous,
        "role": 1,
        "suite": {"primary": primary, "secondary": secondary, "aead": aead},
        "offer": {kind: list(ids) for kind, ids in ours.items()},
        "allowed_by_responder": {kind: list(ids) for kind, ids in theirs.items()},
        "session": session.hex(),
        **({"token": token.hex()} if token else {}),
        **(puzzles[0] if puzzles else {}),
        "initiator": {**said_i, "draws": random_i.draws, "keys": keys_i.script, "signatures": list(alice.script)},
        "responder": {**said_r, "draws": random_r.draws, "keys": keys_r.script, "signatures": list(bob.script)},
    }
    said = {"name": name, "inputs": inputs, "wire": [data.hex() for data in wire]}
    obf = network_id.encode(), psk.reveal() if psk else None, (target or NOBODY).bytes
    return Meeting(said, i, (alice, bob), (keys_i, keys_r), wire, obf)


def case(name: str, plan: dict[str, Any]) -> dict[str, Any]:
    """One file."""
    meeting = meet(name, plan)
    said, wire = meeting.said, meeting.wire
    if plan.get("refused"):
        values = derive.Values()
        obf, _salt = derive.network(values, *meeting.obf)
        derive.opening(values, obf, wire[0], wire[1], "")
        return {**said, "values": values}
    values = meeting.values()
    if name == "classical":
        said["refused"] = derive.other_confirm(values, wire)
    if plan.get("rekey"):
        assert isinstance(meeting.i.outcome, Established)
        alice, bob = meeting.identities
        said["rekey"] = rekey(values, bob, alice, plan["suite"])
        derive.rekey(values, said["rekey"], plan["suite"][2])
        assert values["root_1"] == next_root(meeting.i.outcome, said["rekey"])
    return {**said, "values": values}


def reply(request: Any) -> Any:
    """What is asked for, found at once."""
    if isinstance(request, PuzzleNeeded):
        return solution_of(request)
    return Turn.GO if isinstance(request, TurnNeeded) else Verdict(True)


def talk(i: Initiator, r: Responder, puzzles: list[dict[str, Any]]) -> list[bytes]:
    """The wire, one entry for each flight; puzzles and their solutions are noted."""
    wire = []
    for party, other in ((i, r), (r, i)) * 3:
        while party.requests:
            request, value = party.requests[0], reply(party.requests[0])
            if isinstance(request, PuzzleNeeded):
                said = {"seed": request.puzzle.seed.hex(), "bits": request.puzzle.bits}
                puzzles.append({"puzzle": said, "solution": value.hex()})
            party.answer(request, value, 0.0)
        data = party.output()
        if data:
            wire.append(data)
            other.receive(data, 0.0)
    while r.requests:
        r.answer(r.requests[0], reply(r.requests[0]), 0.0)
    return wire


def secrets_of(keys_i: RecordingKeys, keys_r: RecordingKeys) -> tuple[bytes, bytes]:
    """(ss_secondary, ss_primary) of the exchange that counted, the last one."""
    made = [note for note in keys_r.script if "encapsulate" in note][-1]
    ours = [note for note in keys_i.script if "primary" in note][-1]
    theirs = [note for note in keys_r.script if "primary" in note][-1]
    key = primary_from(ours["primary"], bytes.fromhex(ours["private"]))
    return bytes.fromhex(made["secret"]), key.exchange(bytes.fromhex(theirs["share"])).reveal()


def rekey(
    values: derive.Values,
    asker: RecordingIdentity | None,
    answerer: RecordingIdentity | None,
    suite: tuple[int, int, int],
    *,
    asked_by: str = "responder",
    name: str = "rekey",
) -> dict[str, Any]:
    """One side asks, the other answers: payloads with their signatures, and both shared secrets. None = nameless."""
    rekey_id = schedule.rekey_id(Secret(bytes.fromhex(values["root_0"])))
    sid, bundles = bytes.fromhex(values["sid"]), (bundle_of(asker), bundle_of(answerer))
    mark = ("R", "I") if asked_by == "responder" else ("I", "R")
    keys_q, keys_p = RecordingKeys(f"{name} {mark[0]}"), RecordingKeys(f"{name} {mark[1]}")
    primary, secondary = keys_q.primary(suite[0]), keys_q.secondary(suite[1])
    unsigned = RekeyRequest(1, suite[0], suite[1], primary.share, secondary.public)
    content_q = signed_content(rekey_id, sid, 1, *bundles, unsigned.signed_part())
    signature_q = signed(asker, labels.SIGN_REKEY_REQUEST, content_q)
    request = RekeyRequest(1, suite[0], suite[1], primary.share, secondary.public, signature_q).encode()
    share = keys_p.primary(suite[0]).share
    ciphertext, ss_secondary = keys_p.encapsulate(suite[1], secondary.public)
    bound = hashlib.sha512(request).digest()
    content_p = signed_content(rekey_id, sid, 1, *bundles, RekeyResponse(1, share, ciphertext).signed_part(), bound)
    signature_p = signed(answerer, labels.SIGN_REKEY_RESPONSE, content_p)
    return {
        "asked_by": asked_by,
        "epoch": 1,
        "keys_of_asker": keys_q.script,
        "keys_of_answerer": keys_p.script,
        "request_content": content_q.hex(),
        "request_signature_input": sign_input(asker, labels.SIGN_REKEY_REQUEST, content_q),
        "request": request.hex(),
        "response_content": content_p.hex(),
        "response_signature_input": sign_input(answerer, labels.SIGN_REKEY_RESPONSE, content_p),
        "response": RekeyResponse(1, share, ciphertext, signature_p).encode().hex(),
        "ss_secondary": ss_secondary.reveal().hex(),
        "ss_primary": primary.exchange(share).reveal().hex(),
    }


def bundle_of(who: RecordingIdentity | None) -> bytes:
    """The bundle of a side, empty for a nameless one."""
    return who.public.bundle if who is not None else b""


def signed(who: RecordingIdentity | None, name: str, content: bytes) -> bytes:
    """The signature of a re-key message; a nameless side signs nothing."""
    return who.sign(name, hashlib.sha512(content).digest()) if who is not None else b""


def sign_input(who: RecordingIdentity | None, name: str, content: bytes) -> str:
    """What the key signs, in hex."""
    if who is None:
        return ""
    return signature_input(who.kind, name, hashlib.sha512(content).digest()).hex()


def next_root(established: Established, said: dict[str, Any]) -> str:
    """root_1 by our own code, in hex."""
    ss_s, ss_p = (Secret(bytes.fromhex(said[name])) for name in ("ss_secondary", "ss_primary"))
    request, response = (bytes.fromhex(said[name]) for name in ("request", "response"))
    return schedule.next_root(established.root, ss_s, ss_p, request, response).reveal().hex()


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or list(CASES)
    for name, plan in ((name, CASES[name]) for name in wanted):
        (FOLDER / f"{name}.json").write_text(json.dumps(case(name, plan), indent=1) + "\n")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
