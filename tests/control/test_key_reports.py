"""The report of the key that signs keeps its JSON names; the command asks for it."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control.key_reports import KeyReport


class KeyReportTests(SynchronousTestCase):
    def test_names(self) -> None:
        self.assertEqual(msgspec.to_builtins(KeyReport(uuid="u")),
                         {"uuid": "u", "online_key": "", "serial": 0, "not_after": 0, "taken": False})
