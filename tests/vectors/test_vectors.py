"""Our code against the frozen vectors: every wire byte of both sides, every named key and hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core import schedule
from quantumgate.core.delegations import FOR_HANDSHAKE, judge
from quantumgate.core.handshake import Established, Failed, HandshakeSettings, Initiator, Responder, Verdict
from quantumgate.core.overload import Ladder
from quantumgate.core.replay import ReplayWindow
from quantumgate.crypto import labels
from quantumgate.crypto.aead import AeadKey
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.kdf import hmac_sha512, stretch_passphrase
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import signature_input, verify
from quantumgate.ids import NOBODY, PeerUUID
from quantumgate.wire.rekey_messages import RekeyRequest, RekeyResponse, signed_content
from tests.core.handshake.duel import busy
from tests.vectors.generate import reply
from tests.vectors.scripted import Exact, ScriptedIdentity, ScriptedKeys, ScriptedRandom, primary_from

FOLDER = Path(__file__).resolve().parent / "handshake"
NAMES = ("anonymous", "classical", "delegated", "hybrid", "puzzle", "refused", "rekey", "retry", "shared-secret")


def raw(text: str) -> bytes:
    """Bytes of a value."""
    return bytes.fromhex(text)


def signer(side: dict[str, Any]) -> bytes:
    """The bundle under which a side signs."""
    return raw(side["online"]["bundle"] if "online" in side else side["bundle"])


class VectorTestCase(SynchronousTestCase):
    """Reading the files."""

    def load(self, name: str) -> dict[str, Any]:
        """One file."""
        found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
        return found

    def settings(self, said: dict[str, Any], who: str, lists: str) -> HandshakeSettings:
        """Of one side, with scripted luck."""
        inputs, side = said["inputs"], said["inputs"][who]
        return HandshakeSettings(
            self.identity(side),
            network_id=inputs["network_id"].encode(),
            psk=Secret(raw(inputs["psk"])) if inputs["psk"] else None,
            require_authentication=False,
            keys=ScriptedKeys(side["keys"]),
            **{kind: tuple(ids) for kind, ids in inputs[lists].items()},
        )

    def identity(self, side: dict[str, Any]) -> Identity:
        """The root's key, or an online key that acts for it."""
        if "online" not in side:
            return ScriptedIdentity(side["kind"], Secret(raw(side["seeds"])), side["signatures"])
        online = ScriptedIdentity(side["kind"], Secret(raw(side["online"]["seeds"])), side["signatures"])
        return online.act_for(PeerIdentity.from_bundle(raw(side["bundle"])), raw(side["delegation"]))

    def ladder(self, puzzle: dict[str, Any]) -> Ladder:
        """R has too much to do, and draws this seed."""
        ladder = busy(0.9, 0.0)
        ladder._random, ladder._bits = Exact(raw(puzzle["seed"])), puzzle["bits"]
        return ladder

    def parties(self, said: dict[str, Any]) -> tuple[Initiator, Responder]:
        """Both sides at their beginning."""
        inputs = said["inputs"]
        clock: dict[str, Any] = {"now": 0.0, "wall_offset_seconds": inputs["wall_ms"] / 1000}
        target = PeerUUID(type(NOBODY)(bytes=raw(inputs["target"])))
        i = Initiator(
            self.settings(said, "initiator", "offer"),
            target=None if target == NOBODY else target,
            session_tlvs=raw(inputs["session"]),
            anonymous=inputs["anonymous"],
            token=raw(inputs.get("token", "")),
            random=ScriptedRandom(inputs["initiator"]["draws"]),
            **clock,
        )
        r = Responder(
            self.settings(said, "responder", "allowed_by_responder"),
            ReplayWindow(bytes(32), inputs["wall_ms"] - 3_600_000),
            random=ScriptedRandom(inputs["responder"]["draws"]),
            allow_unaddressed=target == NOBODY,
            ladder=self.ladder(inputs["puzzle"]) if "puzzle" in inputs else None,
            **clock,
        )
        return i, r


class WireTests(VectorTestCase):
    """Both sides, fed with the recorded wire, not with one another."""

    def run_sides(self, name: str) -> tuple[dict[str, Any], Initiator, Responder]:
        """Each flight must be what was recorded."""
        said = self.load(name)
        i, r = self.parties(said)
        for number, data in enumerate(said["wire"]):
            sender, receiver = ((i, r), (r, i))[number % 2]
            while sender.requests:
                sender.answer(sender.requests[0], reply(sender.requests[0]), 0.0)
            self.assertEqual(sender.output().hex(), data, (name, number))
            receiver.receive(raw(data), 0.0)
        while r.requests:
            r.answer(r.requests[0], Verdict(True), 0.0)
        return said, i, r

    def test_every_byte_of_both_sides(self) -> None:
        for name in NAMES:
            if name == "refused":
                continue
            said, i, r = self.run_sides(name)
            for outcome in (i.outcome, r.outcome):
                assert isinstance(outcome, Established), (name, outcome)
                self.assertEqual(outcome.root.reveal().hex(), said["values"]["root_0"])
                self.assertEqual(outcome.sid.hex(), said["values"]["sid"])
                self.assertEqual(outcome.exporter.reveal().hex(), said["values"]["exporter"])
                self.assertEqual(outcome.retried, name in ("puzzle", "retry"))
                self.assertEqual(outcome.shared_secret, name == "shared-secret")

    def test_refused(self) -> None:
        _said, i, r = self.run_sides("refused")
        for outcome in (i.outcome, r.outcome):
            assert isinstance(outcome, Failed)
            self.assertEqual(outcome.message, "refused: no common suite")

    def test_another_confirm_is_refused(self) -> None:
        """Everything else about these two messages is right, also their seals and signatures."""
        said = self.load("classical")
        i, r = self.parties(said)
        wire = [raw(data) for data in said["wire"]]
        i.receive(raw(said["refused"]["RESP with another CONFIRM"]), 0.0)
        r.receive(wire[0], 0.0)
        r.receive(raw(said["refused"]["FIN with another CONFIRM"]), 0.0)
        self.assertIsInstance(i.outcome, Failed)
        self.assertIsInstance(r.outcome, Failed)

    def test_all_files_are_known_here(self) -> None:
        self.assertEqual(sorted(path.stem for path in FOLDER.glob("*.json")), sorted(NAMES))


class ValueTests(VectorTestCase):
    """Each step of the key schedule, alone."""

    def test_identities(self) -> None:
        for name in NAMES:
            for who in ("initiator", "responder"):
                side = self.load(name)["inputs"][who]
                public = PeerIdentity.from_bundle(raw(side["bundle"]))
                identity = ScriptedIdentity(side["kind"], Secret(raw(side["seeds"])), [])
                self.assertEqual(identity.public, public)
                self.assertEqual(public.uuid.bytes.hex(), side["uuid"])
                self.assertEqual(public.fingerprint.hex(), side["fingerprint"])
                self.assertEqual(public.fingerprint_text, side["fingerprint_text"])
                if "online" in side:
                    self.check_online(side, public)

    def check_online(self, side: dict[str, Any], root: PeerIdentity) -> None:
        """The delegation, field by field, for the key that these seeds give."""
        inputs = self.load("delegated")["inputs"]
        one = judge(raw(side["delegation"]), root, usage=FOR_HANDSHAKE, now_ms=inputs["wall_ms"])
        online = ScriptedIdentity(side["kind"], Secret(raw(side["online"]["seeds"])), []).own
        self.assertEqual((one.online_bundle.hex(), online.bundle.hex()), (side["online"]["bundle"],) * 2)
        self.assertEqual((one.serial, one.usages), (inputs["wall_ms"], FOR_HANDSHAKE))
        self.assertEqual(one.encode().hex(), side["delegation"])

    def test_passphrase(self) -> None:
        inputs = self.load("shared-secret")["inputs"]
        made = stretch_passphrase(inputs["passphrase"], inputs["network_id"].encode())
        self.assertEqual(made.reveal().hex(), inputs["psk"])

    def test_schedule(self) -> None:
        for name in NAMES:
            said = self.load(name)
            inputs, v = said["inputs"], said["values"]
            psk = Secret(raw(inputs["psk"])) if inputs["psk"] else None
            prk0 = schedule.network_secret(inputs["network_id"].encode(), psk)
            self.assertEqual(prk0.reveal().hex(), v["PRK0"])
            self.assertEqual(schedule.obfuscation_secret(prk0, raw(inputs["target"])).reveal().hex(), v["OBF"])
            self.assertEqual(schedule.exchange_salt(prk0).reveal().hex(), v["ke salt"])
            if "PRK1" in v:
                self.check_secrets(v, inputs["suite"]["aead"])

    def check_secrets(self, v: dict[str, Any], aead: int) -> None:
        """From PRK1 on."""
        ss = Secret(raw(v["ss_secondary"])), Secret(raw(v["ss_primary"]))
        keys = schedule.handshake_keys(Secret(raw(v["ke salt"])), *ss, raw(v["TH2"]))
        found = (keys.prk1, keys.fin_r, keys.fin_i)
        self.assertEqual([one.reveal().hex() for one in found], [v["PRK1"], v["Fr"], v["Fi"]])
        self.assertEqual(hmac_sha512(keys.fin_r, raw(v["TH confirmed by R"])).hex(), v["ConfR"])
        self.assertEqual(hmac_sha512(keys.fin_i, raw(v["TH confirmed by I"])).hex(), v["ConfI"])
        secrets = schedule.session_secrets(keys.prk1, raw(v["TH session"]))
        self.assertEqual((secrets.root.reveal().hex(), secrets.sid.hex()), (v["root_0"], v["sid"]))
        made = schedule.export(secrets.exporter, b"a label", b"a context", 32)
        self.assertEqual(made.reveal().hex(), v["Export(a label, a context, 32)"])
        self.check_records(v, secrets.root, aead, "")

    def check_records(self, v: dict[str, Any], root: Secret, aead: int, mark: str) -> None:
        """The first two records of each direction."""
        for direction, key in zip(("i2r", "r2i"), schedule.record_keys(root, aead), strict=True):
            for counter in (0, 1):
                for part, n in (("header", 2 * counter), ("body", 2 * counter + 1)):
                    noted = v[f"box record {part} {direction} {counter}{mark}"]
                    box = key.seal(n, raw(noted["plaintext"]), raw(noted["ad"]))
                    self.assertEqual((box.hex(), n), (noted["box"], noted["n"]))

    def test_boxes(self) -> None:
        """Every box of every file, by its key, iv and counter."""
        for name in NAMES:
            said = self.load(name)
            for what, noted in said["values"].items():
                if what.startswith("box "):
                    algorithm = said["inputs"]["suite"]["aead"] if noted["key"].startswith("ap") else 1
                    parts = (Secret(raw(said["values"][f"{noted['key']} {part}"])) for part in ("key", "iv"))
                    key = AeadKey(algorithm, *parts)
                    box = key.seal(noted["n"], raw(noted["plaintext"]), raw(noted["ad"]))
                    self.assertEqual(box.hex(), noted["box"])

    def test_signatures(self) -> None:
        for name in NAMES:
            inputs, v = self.load(name)["inputs"], self.load(name)["values"]
            for who, mark, label in (
                ("responder", "R", labels.SIGN_RESPONDER),
                ("initiator", "I", labels.SIGN_INITIATOR),
            ):
                if f"Sig{mark}" in v:
                    side, signed = inputs[who], raw(v[f"TH signed by {mark}"])
                    self.assertEqual(signature_input(side["kind"], label, signed).hex(), v[f"signature input {mark}"])
                    verify(signer(side), label, signed, raw(v[f"Sig{mark}"]))

    def test_rekey(self) -> None:
        for name in ("rekey", "delegated"):
            self.check_rekey(name)

    def check_rekey(self, name: str) -> None:
        """Contents name the roots; whoever signed the handshake signs."""
        said = self.load(name)
        v, noted = said["values"], said["rekey"]
        root, sid = Secret(raw(v["root_0"])), raw(v["sid"])
        self.assertEqual(schedule.rekey_id(root).hex(), v["rekey id"])
        bundles = raw(said["inputs"]["responder"]["bundle"]), raw(said["inputs"]["initiator"]["bundle"])
        request = RekeyRequest.decode(raw(noted["request"]))
        response = RekeyResponse.decode(raw(noted["response"]))
        self.assertEqual((request.encode().hex(), response.encode().hex()), (noted["request"], noted["response"]))
        bound = hashlib.sha512(raw(noted["request"])).digest()
        start = (raw(v["rekey id"]), sid, 1, *bundles)
        asked = signed_content(*start, request.signed_part())
        answered = signed_content(*start, response.signed_part(), bound)
        signers = [signer(said["inputs"][who]) for who in ("responder", "initiator")]
        for label, bundle, content, signature, what in (
            (labels.SIGN_REKEY_REQUEST, signers[0], asked, request.signature, "request"),
            (labels.SIGN_REKEY_RESPONSE, signers[1], answered, response.signature, "response"),
        ):
            self.assertEqual(content.hex(), noted[f"{what}_content"])
            digest = hashlib.sha512(content).digest()
            self.assertEqual(signature_input(bundle[0], label, digest).hex(), noted[f"{what}_signature_input"])
            verify(bundle, label, digest, signature)
        asker = primary_from(request.primary, raw(noted["keys_of_asker"][0]["private"]))
        self.assertEqual(asker.exchange(response.share).reveal().hex(), noted["ss_primary"])
        secrets = Secret(raw(noted["ss_secondary"])), Secret(raw(noted["ss_primary"]))
        made = schedule.next_root(root, *secrets, raw(noted["request"]), raw(noted["response"]))
        self.assertEqual(made.reveal().hex(), v["root_1"])
        self.check_records(v, made, said["inputs"]["suite"]["aead"], " epoch 1")
