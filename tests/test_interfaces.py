"""The contract with authors: which names the interfaces have. To lose one breaks somebody's extender."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Attribute, Interface
from zope.interface.verify import verifyClass, verifyObject

from quantumgate import interfaces
from quantumgate.extender.api import Extender
from quantumgate.interfaces import IExtender, IExtenderHost, IExtenderMaker, IPeer
from quantumgate.node.peers import Peer
from tests.extender.guests import Meeting

PROMISED = {
    IPeer: "uuid name endpoint direction authenticated relayed path",
    IExtenderMaker: "name uuid version summary settings anonymous make",
    IExtender: "start stop peer_arrived peer_left message_received stream_opened",
    IExtenderHost: "uuid clock log data_directory store peers connect disconnect find_providers send offer open_stream "
                   "report",
}


class ContractTests(SynchronousTestCase):
    def test_names(self) -> None:
        for interface, names in PROMISED.items():
            self.assertEqual(sorted(interface.names()), sorted(names.split()), interface.__name__)

    def test_each_attribute_is_described(self) -> None:
        """What it holds and of which type; a method says it by its name and its arguments."""
        for interface in PROMISED:
            for name, part in interface.namesAndDescriptions():
                if type(part) is Attribute:
                    self.assertGreater(len(part.getDoc()), 10, f"{interface.__name__}.{name}")

    def test_there_are_no_others(self) -> None:
        kinds = [v for v in vars(interfaces).values() if isinstance(v, type(Interface)) and v is not Interface]
        self.assertEqual(set(kinds), set(PROMISED))

    def test_who_provides_them(self) -> None:
        verifyClass(IExtender, Extender)
        verifyObject(IPeer, Peer(None, "memory", "inbound"))
        host = Meeting().host
        verifyObject(IExtenderHost, host)
        self.assertIsInstance(host.log, Logger)
        self.assertIsInstance(host.data_directory, Path)
        self.assertEqual(host.clock.seconds(), Clock().seconds())
