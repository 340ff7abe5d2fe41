"""The frozen peer records, and the one on the page: ``python -m tests.vectors.test_peer_records [NAME]`` makes them.

The file holds the seeds, every field and the ML-DSA half of signatures, whose randomness is not ours to inject.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.delegations import FOR_ALL, FOR_RECORD, delegate
from quantumgate.core.peer_records import extender_hash, judge, network_of
from quantumgate.core.relay.reservations import check_grant, grant
from quantumgate.crypto import labels
from quantumgate.crypto.identity import Identity, PeerIdentity
from quantumgate.crypto.secret import Secret
from quantumgate.crypto.signatures import KINDS, signature_input
from quantumgate.ids import PeerUUID
from quantumgate.wire.link_frames import LinkEndpoint, RelayTerms
from quantumgate.wire.peer_records import Anchor, PeerRecord, SignedPeerRecord
from quantumgate.wire.reservation_frames import Grant
from quantumgate.wire.writer import tlv
from tests.core.handshake.duel import SeededRandom
from tests.house import ROOT
from tests.vectors.second import peer_records as second
from tests.vectors.second.octets import Refused

FILE = Path(__file__).resolve().parent / "records" / "records.json"
NETWORK_ID = "QuantumGate"
SEQ_MS = 1_900_000_000_123
FIELDS: dict[str, dict[str, Any]] = {
    "plain": {"kind": 1, "not_after_seconds": 1_900_003_600, "endpoints": [["192.0.2.7", 9999]]},
    "relay": {"kind": 1, "not_after_seconds": 1_900_021_600, "capabilities": 1, "family": "Möwe",
              "endpoints": [["2001:db8::7", 9999], ["gate.example", 443]], "extras": [[0x80, "6c61746572"]]},
    "behind": {"kind": 2, "not_after_seconds": 1_900_086_400, "rendezvous": "6b" * 32,
               "via": ["anchor"],
               "extenders": ["61" * 16, "62" * 16]},
    "delegated": {"kind": 1, "not_after_seconds": 1_900_003_600, "endpoints": [["192.0.2.7", 9999]],
                  "serial": SEQ_MS, "usages": FOR_RECORD},
    "delegated hybrid": {"kind": 2, "not_after_seconds": 1_900_003_600, "endpoints": [["192.0.2.7", 9999]],
                         "serial": SEQ_MS, "usages": FOR_ALL},
    "provider": {"kind": 1, "not_after_seconds": 1_900_003_600, "endpoints": [["192.0.2.7", 9999]],
                 "runs": ["5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e12", "6f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e13"]},
}
"""``runs``: extenders, of which the record has the hashes."""


VOUCHER_TERMS = 1_900_003_600, RelayTerms(1_000_000, 2_000_000_000, 86_400)
"""When the reservation of "behind" ends, and what its anchor told of its limits."""


def anchor() -> Identity:
    """Through which "behind" is reached."""
    return Identity(1, Secret(SeededRandom(("record", "anchor")).bytes(KINDS[1].seed_bytes)))


def online_of(name: str, root: Identity) -> Identity:
    """The online key of a file's record."""
    seeds = SeededRandom(("record", name, "online")).bytes(KINDS[root.kind].seed_bytes)
    return Identity(root.kind, Secret(seeds)).act_for(root.public, b"")


def record_of(fields: dict[str, Any], bundle: bytes) -> PeerRecord:
    """From the file's words."""
    return PeerRecord(
        network_of(NETWORK_ID.encode()),
        bundle,
        SEQ_MS,
        fields["not_after_seconds"],
        capabilities=fields.get("capabilities", 0),
        endpoints=tuple(LinkEndpoint(host, port) for host, port in fields.get("endpoints", ())),
        via=tuple(Anchor(PeerUUID(UUID(who)), bytes.fromhex(pin), bytes.fromhex(voucher))
                  for who, pin, voucher in fields.get("via", ())),
        rendezvous=bytes.fromhex(fields.get("rendezvous", "")),
        family=fields.get("family", ""),
        extenders=tuple(map(bytes.fromhex, fields.get("extenders", ()))),
        delegation=bytes.fromhex(fields.get("delegation", "")),
        extras=tuple((kind, bytes.fromhex(value)) for kind, value in fields.get("extras", ())),
    )


class VectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cases: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

    def test_every_byte(self) -> None:
        self.assertEqual(set(self.cases), set(FIELDS))
        for name, said in self.cases.items():
            root = Identity(said["fields"]["kind"], Secret(bytes.fromhex(said["seeds"])))
            identity = online_of(name, root) if "delegation" in said["fields"] else root
            self.assertEqual(identity.own.bundle.hex(), said["signer_bundle"], name)
            body = record_of(said["fields"], root.public.bundle).encode()
            self.assertEqual(body.hex(), said["body"], name)
            digest = hashlib.sha512(body).digest()
            sealed = signature_input(identity.kind, labels.SIGN_PEER_RECORD, digest)
            self.assertEqual(sealed.hex(), said["signature_input"], name)
            edwards = 2 * KINDS[identity.kind].edwards_signature_bytes
            made = identity.sign(labels.SIGN_PEER_RECORD, digest).hex()
            self.assertEqual(made[:edwards], said["signature"][:edwards], name)
            whole = body + tlv(0xFF, bytes.fromhex(said["signature"]))
            self.assertEqual(whole.hex(), said["record"], name)

    def test_each_is_judged_good(self) -> None:
        for said in self.cases.values():
            known = judge(bytes.fromhex(said["record"]), network=network_of(NETWORK_ID.encode()), now_ms=SEQ_MS)
            self.assertEqual(str(known.identity.uuid), said["uuid"])
            self.assertEqual(known.record, record_of(said["fields"], known.identity.bundle))
            theirs = second.judge(bytes.fromhex(said["record"]), second.network_of(NETWORK_ID.encode()), SEQ_MS)
            self.assertEqual(theirs.delegation.hex(), said["fields"].get("delegation", ""))

    def test_a_voucher_is_the_anchors(self) -> None:
        """RESERVED, byte for byte; it is for this peer and from this anchor."""
        said = self.cases["behind"]
        known = judge(bytes.fromhex(said["record"]), network=network_of(NETWORK_ID.encode()), now_ms=SEQ_MS)
        (via,) = known.record.via
        public = PeerIdentity.from_bundle(bytes.fromhex(said["fields"]["anchor_bundle"]))
        self.assertEqual((via.uuid, via.fingerprint), (public.uuid, public.fingerprint))
        voucher = Grant.decode(via.voucher)
        self.assertEqual((voucher.expiry_seconds, voucher.terms), VOUCHER_TERMS)
        check_grant(voucher, public, known.identity.uuid)
        second.check_voucher(via.voucher, public.bundle, known.identity.uuid.bytes)
        for changed in (via.voucher[:7] + b"\0" + via.voucher[8:], via.voucher[:-1] + b"\0", b"voucher"):
            self.assertRaises(Refused, second.check_voucher, changed, public.bundle, known.identity.uuid.bytes)

    def test_extenders_are_known_by_their_names_alone(self) -> None:
        """By both readers; nothing of a UUID stands in the record, and no other peer's record would have these."""
        said = self.cases["provider"]
        data, network = bytes.fromhex(said["record"]), network_of(NETWORK_ID.encode())
        known, theirs = judge(data, network=network, now_ms=SEQ_MS), second.judge(data, network, SEQ_MS)
        self.assertEqual(len(known.record.extenders), 2)
        for text, runs in ((said["fields"]["runs"][0], True), (said["fields"]["runs"][1], True), (said["uuid"], False)):
            one = UUID(text)
            self.assertEqual((known.runs(one), second.runs(theirs, one.bytes)), (runs, runs))
            self.assertNotIn(one.bytes, data)
        self.assertFalse(set(self.cases["behind"]["fields"]["extenders"]) & set(said["fields"]["extenders"]))

    def test_the_page_shows_the_hash(self) -> None:
        page = (ROOT / "docs/spec/peer-records.md").read_text(encoding="utf-8")
        said = self.cases["provider"]
        of_first = extender_hash(network_of(NETWORK_ID.encode()), UUID(said["uuid"]), UUID(said["fields"]["runs"][0]))
        for shown in (said["uuid"], said["fields"]["runs"][0], of_first.hex()):
            self.assertIn(shown, page)

    def test_the_page_shows_the_plain_one(self) -> None:
        page = (ROOT / "docs/spec/peer-records.md").read_text(encoding="utf-8")
        lines = page.partition("## 7 Example")[2].split("```")[1].strip().splitlines()
        shown = "".join(re.split(r" {3}", line)[0].replace(" ", "") for line in lines)
        self.assertEqual(shown, self.cases["plain"]["record"])


def case(name: str) -> dict[str, Any]:
    """One record with everything about it."""
    fields = dict(FIELDS[name])
    seeds = SeededRandom(("record", name)).bytes(KINDS[fields["kind"]].seed_bytes)
    identity = Identity(fields["kind"], Secret(seeds))
    public: PeerIdentity = identity.public
    if fields.get("via") == ["anchor"]:
        reserved = grant(anchor(), public.uuid, *VOUCHER_TERMS).encode().hex()
        fields["via"] = [[str(anchor().public.uuid), anchor().public.fingerprint.hex(), reserved]]
        fields["anchor_bundle"] = anchor().public.bundle.hex()
    if "runs" in fields:
        network = network_of(NETWORK_ID.encode())
        hashes = sorted(extender_hash(network, public.uuid, UUID(one)) for one in fields["runs"])
        fields["extenders"] = [one.hex() for one in hashes]
    if "serial" in fields:
        identity = online_of(name, identity)
        end, terms = fields["not_after_seconds"], {"serial": fields.pop("serial"), "usages": fields.pop("usages")}
        one = delegate(Identity(identity.kind, Secret(seeds)), identity.own, not_before_seconds=end - 86_400,
                       not_after_seconds=end, **terms)
        fields["delegation"] = one.encode().hex()
    record = record_of(fields, public.bundle)
    body = record.encode()
    digest = hashlib.sha512(body).digest()
    signature = identity.sign(labels.SIGN_PEER_RECORD, digest)
    return {"fields": fields, "network_id": NETWORK_ID, "seq_ms": SEQ_MS, "seeds": seeds.hex(),
            "signer_bundle": identity.own.bundle.hex(), "uuid": str(public.uuid), "body": body.hex(),
            "signature_input": signature_input(identity.kind, labels.SIGN_PEER_RECORD, digest).hex(),
            "signature": signature.hex(), "record": SignedPeerRecord(record, body, signature).encode().hex()}


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(FIELDS)
    kept = json.loads(FILE.read_text(encoding="utf-8")) if sys.argv[1:] else {}
    made = {name: case(name) if name in wanted else kept[name] for name in FIELDS}
    FILE.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(f"{FILE.name}\n")
