"""The frozen targets of LINK_CREATE, one of each form; and records and targets as two judges see them.

``python -m tests.vectors.test_link_targets`` makes the file anew. The second judge was written from docs/spec alone
(``tests/vectors/second``), so a difference is a mistake in a page, in our code, or in it.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.peer_records import judge, network_of
from quantumgate.errors import AuthenticationError, BadKeyError, MalformedError, RemoteProtocolError, ViolationError
from quantumgate.ids import PeerUUID
from quantumgate.wire.link_frames import LinkEndpoint, LinkTarget
from quantumgate.wire.peer_records import SIGNATURE, SignedPeerRecord
from quantumgate.wire.writer import tlv
from tests.house import ROOT
from tests.vectors.second import identity as second_identity
from tests.vectors.second import peer_records as second
from tests.vectors.second.octets import Refused
from tests.vectors.test_peer_records import FILE as RECORDS
from tests.vectors.test_peer_records import NETWORK_ID, SEQ_MS

FILE = Path(__file__).resolve().parent / "records" / "targets.json"
WHO = "10111213-1415-8617-9819-1a1b1c1d1e1f"
ENDPOINTS = [["192.0.2.7", 9999], ["2001:db8::7", 443], ["gate.example", 65_535]]
NETWORK = network_of(NETWORK_ID.encode())
STEPS: dict[str, type[RemoteProtocolError]] = {
    "malformed": MalformedError, "bundle": BadKeyError, "network": ViolationError, "life": ViolationError,
    "time": ViolationError, "signature": AuthenticationError, "delegation form": MalformedError,
    "delegation": ViolationError, "delegation signature": AuthenticationError,
}
"""What our judge raises where the second one refuses."""


def records() -> dict[str, bytes]:
    """The frozen records, by name."""
    cases = json.loads(RECORDS.read_text(encoding="utf-8"))
    return {name: bytes.fromhex(said["record"]) for name, said in cases.items()}


def target_of(said: dict[str, Any]) -> LinkTarget:
    """From the file's words."""
    return LinkTarget(
        PeerUUID(UUID(said["uuid"])),
        tuple(LinkEndpoint(host, port) for host, port in said.get("endpoints", ())),
        bytes.fromhex(said.get("proof", "")),
        records()[said["record"]] if "record" in said else b"",
    )


class TargetVectorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cases: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))

    def test_every_byte(self) -> None:
        self.assertEqual([said["target"][:2] for said in self.cases.values()], ["01", "02", "03"])
        for said in self.cases.values():
            self.assertEqual(target_of(said).encode().hex(), said["target"])
            self.assertEqual(LinkTarget.decode(bytes.fromhex(said["target"])), target_of(said))

    def test_the_second_decoder_reads_the_same(self) -> None:
        for said in self.cases.values():
            target, ours = second.read_target(bytes.fromhex(said["target"])), target_of(said)
            self.assertEqual((target.uuid, target.proof, target.record), (ours.uuid.bytes, ours.proof, ours.record))
            self.assertEqual(list(target.endpoints), [(one.host, one.port) for one in ours.endpoints])
        by_record = second.read_target(bytes.fromhex(self.cases["record"]["target"]))
        record = second.check_target(by_record, second.network_of(NETWORK_ID.encode()), SEQ_MS)
        self.assertEqual(record.endpoints, (("2001:db8::7", 9999), ("gate.example", 443)))

    def test_the_page_shows_one(self) -> None:
        page = (ROOT / "docs/spec/relays.md").read_text(encoding="utf-8")
        shown = page.partition("LINK_CREATE of form 2:")[2].split("```")[1].split()
        whole = bytes.fromhex(self.cases["record"]["target"]).hex(" ").split()
        self.assertEqual(shown[:-1], whole[: len(shown) - 1])
        self.assertEqual(shown[-1], "...")


class TwoJudgesTests(SynchronousTestCase):
    """Frozen records and targets, changed at random around the borders of what is legal."""

    def test_records(self) -> None:
        luck, seen = random.Random(24), Counter[str]()
        good = list(records().values())
        for _ in range(3000):
            changed = _changed(luck, luck.choice(good))
            now_ms = SEQ_MS + luck.choice((0, 0, 0, -600_000, -600_001, 22_200_000, 90_000_000))
            seen[self._same(changed, now_ms)] += 1
        self.assertEqual(set(seen) | {"delegation form"}, {*STEPS, "good"}, seen)

    def test_a_delegation_of_another_length_or_kind(self) -> None:
        """Too rare to be met by chance."""
        record = SignedPeerRecord.decode(records()["delegated"]).record
        for wrong in (record.delegation[:-1], record.delegation + b"\0", b"\x09" + record.delegation[1:]):
            octets = replace(record, delegation=wrong).encode() + tlv(SIGNATURE, bytes(64))
            self.assertEqual(self._same(octets, SEQ_MS), "delegation form")

    def _same(self, octets: bytes, now_ms: int) -> str:
        """The second judge's word, where ours agrees."""
        try:
            second.judge(octets, NETWORK, now_ms)
            step = "good"
        except Refused as error:
            step = error.step
        try:
            judge(octets, network=NETWORK, now_ms=now_ms)
        except RemoteProtocolError as error:
            self.assertIs(type(error), STEPS.get(step), (octets.hex(), step, error))
        else:
            self.assertEqual(step, "good", octets.hex())
        return step

    def test_targets(self) -> None:
        luck, seen = random.Random(21), Counter[bool]()
        good = [bytes.fromhex(said["target"]) for said in json.loads(FILE.read_text(encoding="utf-8")).values()]
        for _ in range(3000):
            octets = _changed(luck, luck.choice(good))
            ours = _read(LinkTarget.decode, octets, MalformedError)
            theirs = _read(second.read_target, octets, Refused)
            self.assertEqual(ours is None, theirs is None, octets.hex())
            if ours is not None and theirs is not None:
                found = theirs.uuid, theirs.proof, theirs.record, list(theirs.endpoints)
                wish = ours.uuid.bytes, ours.proof, ours.record, [(one.host, one.port) for one in ours.endpoints]
                self.assertEqual(found, wish)
            seen[ours is None] += 1
        self.assertGreater(min(seen.values()), 200)

    def test_uuids(self) -> None:
        for octets in records().values():
            known = judge(octets, network=NETWORK, now_ms=SEQ_MS)
            self.assertEqual(second_identity.uuid_of(known.record.bundle), known.identity.uuid.bytes)
            self.assertEqual(second_identity.fingerprint_of(known.record.bundle), known.identity.fingerprint)


def _read(read: Any, octets: bytes, fault: type[Exception]) -> Any:
    try:
        return read(octets)
    except fault:
        return None


def _changed(luck: random.Random, octets: bytes) -> bytes:
    """One or two small things are other: bits, lengths, types, numbers, pieces."""
    made = bytearray(octets)
    for _ in range(luck.choice((0, 1, 1, 1, 2))):
        at, way = luck.randrange(min(len(made), 220)), luck.randrange(7)
        if way == 0:
            made[at] ^= 1 << luck.randrange(8)
        elif way == 1:
            del made[at : at + luck.choice((1, 2, 7, 16))]
        elif way == 2:
            made[at:at] = luck.choice((b"\0", b"\x80\0\0\0", bytes(made[at : at + 7]), b"\x09\0\0\x20" + bytes(32)))
        elif way == 3:
            made[at] = luck.choice((0, 1, 4, 6, 7, 8, 0x7F, 0x80, 0xFF))
        elif way == 4:
            made += bytes(luck.choice((1, 7, 2000, 16_384)))
        elif way == 5 and bytes(made).find(b"\x05\0\0\x08") > 0:
            end = bytes(made).find(b"\x05\0\0\x08") + 12
            made[end - 2 : end] = luck.randbytes(2)
        elif way == 6:
            made[-1] ^= 1
    return bytes(made)


def cases() -> dict[str, Any]:
    """One of each form."""
    said: dict[str, dict[str, Any]] = {
        "endpoints": {"uuid": WHO, "endpoints": ENDPOINTS},
        "record": {"uuid": json.loads(RECORDS.read_text(encoding="utf-8"))["relay"]["uuid"], "record": "relay"},
        "proof": {"uuid": WHO, "proof": bytes(range(64)).hex()},
    }
    return {name: {**one, "target": target_of(one).encode().hex()} for name, one in said.items()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(cases(), indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{FILE.name}\n")
