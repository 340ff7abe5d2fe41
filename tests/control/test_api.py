"""The shapes that other programs read: every promised name is there, and the sums of a ping are right."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.control import api

PROMISED = {
    api.StatusReport: "uuid version protocol phase reason advice uptime_seconds listening peers relay extenders store "
    "public_endpoints",
    api.RelayReport: "enabled links bytes",
    api.ExtenderBrief: "name uuid state",
    api.PeerReport: "uuid name endpoint direction authenticated relayed path algorithms shared_secret extenders "
    "connected_seconds rtt_seconds bytes_sent bytes_received key_epoch streams",
    api.AlgorithmsReport: "primary secondary symmetric hash compression signature",
}
"""As the users' contract has them; more may be added, none renamed."""


class ShapeTests(SynchronousTestCase):
    def test_every_promised_name(self) -> None:
        for kind, names in PROMISED.items():
            self.assertEqual(set(names.split()) - set(kind.__struct_fields__), set(), kind.__name__)

    def test_json_names_are_the_fields(self) -> None:
        for kind in PROMISED:
            self.assertEqual(kind.__struct_encode_fields__, kind.__struct_fields__)

    def test_reports_are_frozen(self) -> None:
        report = api.RelayReport()
        self.assertRaises(AttributeError, setattr, report, "links", 1)
        self.assertEqual(msgspec.json.encode(report), b'{"enabled":false,"links":0,"bytes":0,"refused":0}')


class PingSummaryTests(SynchronousTestCase):
    def summary(self, *times: float, sent: int = 5) -> tuple[float | None, float | None, float | None]:
        made = api.PingSummary.of("x", sent, times, relayed=False)
        self.assertEqual((made.target, made.sent, made.answered, made.relayed), ("x", sent, len(times), False))
        return made.rtt_min_seconds, made.rtt_median_seconds, made.rtt_max_seconds

    def test_nothing_answered(self) -> None:
        self.assertEqual(self.summary(), (None, None, None))

    def test_an_odd_and_an_even_number(self) -> None:
        self.assertEqual(self.summary(9.0, 1.0, 2.0), (1.0, 2.0, 9.0))
        self.assertEqual(self.summary(4.0, 1.0, 2.0, 9.0), (1.0, 3.0, 9.0))
        self.assertEqual(self.summary(7.0), (7.0, 7.0, 7.0))
