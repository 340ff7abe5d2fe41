"""What twistd and endpoint strings find of the node; imports nothing of ours, so that listing plugins stays cheap."""

from twisted.application.service import ServiceMaker
from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

qgnode = ServiceMaker(  # type: ignore[no-untyped-call]
    "QuantumGate node", "quantumgate.tap", "Run a QuantumGate node.", "qgnode"
)


def _parser(name):  # type: ignore[no-untyped-def]
    return namedAny(f"quantumgate.control.endpointstrings.{name}")  # type: ignore[no-untyped-call]


@implementer(IPlugin, IStreamServerEndpointStringParser, IStreamClientEndpointStringParserWithReactor)
class EndpointStrings:
    """``qg:`` endpoint strings; the parsers are named by strings."""

    prefix = "qg"

    def parseStreamServer(self, reactor, *arguments, **words):  # type: ignore[no-untyped-def]
        """See quantumgate.control.endpointstrings.parse_server."""
        return _parser("parse_server")(reactor, *arguments, **words)  # type: ignore[no-untyped-call]

    def parseStreamClient(self, reactor, *arguments, **words):  # type: ignore[no-untyped-def]
        """See quantumgate.control.endpointstrings.parse_client."""
        return _parser("parse_client")(reactor, *arguments, **words)  # type: ignore[no-untyped-call]


endpoints = EndpointStrings()
