"""All that a guest sees of the node: complete, its own, and closed when the guest is. Sending: see test_delivery.py."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import UUID, uuid5

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.errors import ConnectFailed, LocalError
from quantumgate.extender.guesthost import OFFENCE_CHARACTERS
from quantumgate.extender.host import ExtenderHost
from quantumgate.extender.registry import registered
from quantumgate.interfaces import IExtenderHost
from tests.extender.fakes import NAMES, FakeLandlord
from tests.extender.guests import OTHER_UUID, Meeting, Notes, making
from tests.extender.guests import UUID as NOTES_UUID


class GuestHostTests(SynchronousTestCase):
    """What is not sending."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.landlord = FakeLandlord(self.clock, directory=self.mktemp())
        rows = [registered(making(Notes)), registered(making(Notes, "other", OTHER_UUID))]
        self.extenders = ExtenderHost(rows, self.landlord)
        self.extenders.start()
        self.host = self.extenders.guest_host("notes")

    def test_interfaces(self) -> None:
        verifyObject(IExtenderHost, self.host)
        verifyObject(IReactorTime, self.host.clock)
        self.assertEqual(self.host.uuid, self.landlord.uuid)
        self.assertEqual(self.host.log.namespace, "quantumgate.extenders.notes")

    def test_data_directory(self) -> None:
        """Its own, made at first use, for nobody else to read."""
        path = Path(self.landlord.data_directory)
        self.assertFalse(path.exists())
        self.assertEqual(self.host.data_directory, path / "extenders" / "notes")
        self.assertEqual(stat.S_IMODE(self.host.data_directory.stat().st_mode), 0o700)

    def test_store(self) -> None:
        """Its own, and still there when the guest was stopped and started."""
        self.host.store["key"] = b"value"
        self.assertEqual(dict(self.extenders.guest_host("other").store), {})
        self.extenders.stop_guest("notes")
        self.extenders.start_guest("notes")
        self.assertEqual(self.extenders.guest_host("notes").store["key"], b"value")

    def test_connect(self) -> None:
        """The node's answer, and its exceptions, come as the Deferred's."""
        self.failureResultOf(self.host.connect("qg://nowhere"), ConnectFailed)
        self.landlord.connect = lambda *_: [].pop()  # type: ignore[method-assign]
        self.failureResultOf(self.host.connect("qg://nowhere"), IndexError)

    def test_find_providers(self) -> None:
        """As ``connect`` takes them: by the record, or by the UUID alone where its anchors are to be found, too."""
        found = self.successResultOf(self.host.find_providers())
        self.assertEqual([(one.uuid, one.address, one.age_seconds) for one in found], [
            (uuid5(NAMES, "there"), "qgr:AAAA", 60.0),
            (uuid5(NAMES, "behind"), str(uuid5(NAMES, "behind")), 5.0),
        ])
        asked: list[object] = []
        self.landlord.find_providers = lambda extender: asked.append(extender) or [].pop()  # type: ignore[method-assign]
        self.failureResultOf(self.host.find_providers(), IndexError)
        self.assertEqual(asked, [UUID(NOTES_UUID)])
        self.extenders.stop_guest("notes")
        self.failureResultOf(self.host.find_providers(), LocalError)

    def test_disconnect(self) -> None:
        peer = object()
        self.successResultOf(self.host.disconnect(peer))
        self.assertEqual(self.landlord.disconnected, [peer])

    def test_report(self) -> None:
        """The node learns who, for which extender and what, in printable words of bounded length."""
        peer = object()
        self.host.report(peer, "bad\nmessage\x1b[31m" + "x" * 500)
        ((who, extender, offence),) = self.landlord.reports
        self.assertEqual((who, extender, offence[:17]), (peer, "notes", "bad?message?[31mx"))
        self.assertEqual(len(offence), OFFENCE_CHARACTERS)

    def test_peers(self) -> None:
        """Those that run the extender, as the query chooses; an answer of its own, not the table."""
        meeting = Meeting()
        self.assertEqual(meeting.host.peers(), [meeting.peer])
        self.assertEqual(meeting.host.peers(lambda peer: peer.direction == "outbound"), [])
        meeting.host.peers().clear()
        self.assertEqual(len(meeting.host.peers()), 1)

    def test_closed(self) -> None:
        """Every call of a guest that was stopped fails, and reports nobody."""
        peer = object()
        self.extenders.stop()
        for failed in (
            self.host.connect("x"),
            self.host.disconnect(peer),
            self.host.send(peer, b""),
            self.host.open_stream(peer, object()),
        ):
            self.failureResultOf(failed, LocalError)
        self.host.report(peer, "late")
        self.assertEqual((self.landlord.reports, self.host.peers()), ([], []))
        self.assertFalse(self.host.offer(peer, b""))
