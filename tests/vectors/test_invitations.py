"""The frozen invitations, on which two decoders agree: ``python -m tests.vectors.test_invitations`` makes them anew.

Not for: what an inviter answers (``tests/node``).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.invitations import Answer, InvitationKeys, Invitations, Issued
from quantumgate.core.peer_records import network_of
from quantumgate.errors import MalformedError
from quantumgate.ids import PeerUUID
from quantumgate.wire.invitation_text import Invitation, InvitingAnchor, read_invitation
from quantumgate.wire.link_frames import LinkEndpoint
from tests.core.handshake.duel import SeededRandom
from tests.vectors.second import invitations as second
from tests.vectors.second.octets import Refused

FILE = Path(__file__).resolve().parent / "records" / "invitations.json"
NETWORK_ID = "QuantumGate"
TRANSCRIPT = bytes(range(64))
ONE, TWO = "c0ffee00-1234-8abc-9def-0123456789ab", "deadbeef-1234-8abc-9def-0123456789ab"
FIELDS: dict[str, dict[str, Any]] = {
    "plain": {"uuid": ONE, "fingerprint": "11" * 32, "expires": 1_800_000_000, "secret": bytes(range(20)).hex(),
              "name": "alice", "endpoints": [["192.0.2.7", 9999]]},
    "behind": {"uuid": TWO, "fingerprint": "22" * 32, "expires": 1_900_000_000, "secret": "ab" * 20,
               "shared_secret": True, "endpoints": [["2001:db8::7", 443], ["gate.example", 9999]],
               "rendezvous": "6b" * 32, "anchors": [[ONE, "33" * 32, [["192.0.2.1", 9999]]],
                                                    [TWO, "", [["anchor.example", 1]]]]},
}


def places(rows: Any) -> tuple[LinkEndpoint, ...]:
    return tuple(LinkEndpoint(host, port) for host, port in rows)


def invitation_of(fields: dict[str, Any]) -> Invitation:
    """From the file's words."""
    return Invitation(
        PeerUUID(UUID(fields["uuid"])), bytes.fromhex(fields["fingerprint"]), network_of(NETWORK_ID.encode())[:8],
        fields["expires"], bytes.fromhex(fields["secret"]), fields.get("shared_secret", False), fields.get("name", ""),
        places(fields["endpoints"]),
        tuple(InvitingAnchor(PeerUUID(UUID(who)), bytes.fromhex(pin), places(where))
              for who, pin, where in fields.get("anchors", ())),
        bytes.fromhex(fields.get("rendezvous", "")),
    )


class VectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cases: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

    def test_every_letter(self) -> None:
        self.assertEqual(set(self.cases), set(FIELDS))
        for name, said in self.cases.items():
            made = invitation_of(said["fields"])
            keys = InvitationKeys(made)
            self.assertEqual((made.text, keys.id.hex(), keys.key.hex()), (said["text"], said["id"], said["key"]), name)
            self.assertEqual(keys.proof(TRANSCRIPT).hex(), said["proof"], name)
            self.assertEqual(read_invitation(said["text"]), made)

    def test_the_second_decoder_reads_and_proves_the_same(self) -> None:
        for said in self.cases.values():
            found, fields = second.read_text(said["text"]), said["fields"]
            self.assertEqual((str(UUID(bytes=found.uuid)), found.fingerprint.hex(), found.expires, found.name), (
                fields["uuid"], fields["fingerprint"], fields["expires"], fields.get("name", "")))
            self.assertEqual([list(place) for place in found.places], fields["endpoints"])
            self.assertEqual([[str(UUID(bytes=one.uuid)), one.fingerprint.hex(), [list(at) for at in one.places]]
                              for one in found.anchors], fields.get("anchors", []))
            self.assertEqual((found.with_psk, found.rendezvous.hex()),
                             (fields.get("shared_secret", False), fields.get("rendezvous", "")))
            self.assertEqual([one.hex() for one in second.keys_of(found)], [said["id"], said["seed"]])
            self.assertEqual(second.proof(found, TRANSCRIPT).hex(), said["proof"])

    def test_each_takes_the_others_proof_and_no_other(self) -> None:
        for said in self.cases.values():
            name, key, proof = (bytes.fromhex(said[one]) for one in ("id", "key", "proof"))
            kept = Invitations(4, [Issued(name, key, 0, 1 << 32)])
            for shown, transcript in ((proof, TRANSCRIPT), (proof, bytes(64)), (proof[:-1] + b"\0", TRANSCRIPT),
                                      (bytes(16) + proof[16:], TRANSCRIPT), (proof[:-1], TRANSCRIPT)):
                ours = kept.shown(shown, transcript, PeerUUID(UUID(ONE)), 0)[0] is Answer.ACCEPTED
                try:
                    theirs = second.check_proof(shown, {name: key}, transcript) == name
                except Refused:
                    theirs = False
                self.assertEqual((ours, theirs), (shown == proof and transcript == TRANSCRIPT,) * 2)

    def test_both_refuse_the_same(self) -> None:
        """Letters changed, cut and added; and bytes changed under a check that fits."""
        luck = SeededRandom("invitations")
        letters = "abcdefghijklmnopqrstuvwxyz234567189= \n:"
        for said in self.cases.values():
            texts = []
            for _ in range(400):
                at, text = luck.below(len(said["text"])), said["text"]
                texts.append(text[:at] + letters[luck.below(len(letters))] + text[at + luck.below(3) :])
                raw = bytearray(invitation_of(said["fields"]).encode()[:-4])
                raw[luck.below(len(raw))] = luck.below(256)
                texts.append(spelt(bytes(raw)))
            for text in texts:
                self.assertEqual(self.ours(text), self.theirs(text), text)

    def ours(self, text: str) -> str:
        try:
            return read_invitation(text).public_part.hex()
        except MalformedError:
            return "refused"

    def theirs(self, text: str) -> str:
        try:
            found = second.read_text(text)
        except Refused:
            return "refused"
        cut = second.SECRET_AT
        return (found.body[:cut] + found.body[cut + second.SECRET_OCTETS :]).hex()


def spelt(body: bytes) -> str:
    """The text of these bytes, with a check that fits."""
    import base64
    import binascii

    whole = body + binascii.crc32(body).to_bytes(4, "big")
    return "qgi:" + base64.b32encode(whole).decode().rstrip("=").lower()


def case(name: str) -> dict[str, Any]:
    """One invitation with everything about it."""
    made = invitation_of(FIELDS[name])
    keys = InvitationKeys(made)
    seed = second.keys_of(second.read_text(made.text))[1]
    return {"fields": FIELDS[name], "network_id": NETWORK_ID, "text": made.text, "id": keys.id.hex(),
            "seed": seed.hex(), "key": keys.key.hex(), "transcript": TRANSCRIPT.hex(),
            "proof": keys.proof(TRANSCRIPT).hex()}


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: case(name) for name in FIELDS}, indent=1) + "\n", encoding="utf-8")
    sys.exit(0)
