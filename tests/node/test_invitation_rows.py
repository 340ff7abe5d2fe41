"""Invitations as the state keeps them: whole, and refused where they say nothing."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.invitations import Issued
from quantumgate.errors import LocalError
from quantumgate.ids import parse_peer_uuid
from quantumgate.node.invitation_rows import InvitationRow

ONE = parse_peer_uuid("c0ffee00-1234-8abc-9def-0123456789ab")
FULL = Issued(bytes(16), b"\x01" + bytes(32), 1_800_000_000, 1_800_000_060, 3, ("relay", ""), "bob", True, (ONE,))


class RowTests(SynchronousTestCase):
    def test_comes_back(self) -> None:
        for one in (FULL, Issued(bytes(16), b"\x01" + bytes(32), 0, 1)):
            data = msgspec.json.encode(InvitationRow.of(one))
            self.assertEqual(msgspec.json.decode(data, type=InvitationRow).issued(), one)

    def test_refused(self) -> None:
        good = msgspec.json.encode(InvitationRow.of(FULL)).decode()
        for old, new in (("00" * 16, "00" * 15), ('"01', '"02'), ('"uses":3', '"uses":65'), ('"uses":3', '"uses":0'),
                         ('"bob"', f'"{"b" * 33}"'), ('"made"', '"more"'), ('"made":1800000000', '"made":-1')):
            self.assertIn(old, good)
            wrong = good.replace(old, new, 1)
            self.assertRaises(msgspec.ValidationError, msgspec.json.decode, wrong, type=InvitationRow)

    def test_nobody(self) -> None:
        row = msgspec.structs.replace(InvitationRow.of(FULL), joined=("nobody",))
        self.assertRaises(LocalError, row.issued)
