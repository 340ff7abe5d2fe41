"""The zope interfaces between the node and its guests (docs/guide/extender-host.md).

Authors import them from ``quantumgate.extender.api``. The attributes and methods named here are a contract with users.
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

# zope interfaces declare methods without ``self`` and without bodies
# mypy: disable-error-code="empty-body"


class IPeer(Interface):
    """A live peer as a guest sees it. The same object for direct and relayed peers."""

    uuid = Attribute("PeerUUID, or None for an anonymous peer")
    name = Attribute("str, a local name; may be empty")
    endpoint = Attribute("str, where it was met")
    direction = Attribute("'inbound' or 'outbound'")
    authenticated = Attribute("bool, whether its identity was proved")
    relayed = Attribute("bool, whether others carry the session")
    path = Attribute("list of PeerUUID, the gateways between, nearest first")


class IExtenderMaker(Interface):
    """What an entry point of the group ``quantumgate.extenders`` names. Being found must load no heavy code."""

    name = Attribute("str, the name of its configuration table, [extenders.NAME]")
    uuid = Attribute("uuid.UUID, what peers know the extender by")
    version = Attribute("str, shown to operators")
    summary = Attribute("str, one line")
    settings = Attribute("a msgspec.Struct subclass with forbid_unknown_fields=True, or None")
    anonymous = Attribute("bool, whether peers without identity may use it")

    def make(settings):  # type: ignore[no-untyped-def]
        """An IExtender from the checked settings (an instance of ``settings``, or None)."""


class IExtender(Interface):
    """A guest. Every method may return a Deferred, be ``async def``, or be left to the base class ``Extender``."""

    def start(host):  # type: ignore[no-untyped-def]
        """The node is up; ``host`` provides IExtenderHost. No peer is announced before this has finished."""

    def stop():  # type: ignore[no-untyped-def]
        """The node goes down, or the extender is switched off."""

    def peer_arrived(peer):  # type: ignore[no-untyped-def]
        """A peer that runs the same extender became reachable."""

    def peer_left(peer, reason):  # type: ignore[no-untyped-def]
        """That peer ceased to be reachable; ``reason`` is a str."""

    def message_received(peer, message):  # type: ignore[no-untyped-def]
        """``message`` is bytes, whole and in order. Until the returned Deferred fires, no new credit."""

    def stream_opened(peer, label):  # type: ignore[no-untyped-def]
        """The peer opened a byte stream; ``label`` is bytes (at most 64). Return an IProtocol, or None to refuse."""


class IExtenderHost(Interface):
    """All that a guest sees of the node."""

    uuid = Attribute("PeerUUID of this node")
    clock = Attribute("IReactorTime, to be used instead of the reactor")
    log = Attribute("twisted.logger.Logger of the guest's own name")
    data_directory = Attribute("pathlib.Path, the guest's own, made on first use")
    store = Attribute("a MutableMapping[str, bytes] of its own, kept over restarts; flushed() says when it is durable")

    def peers(query=None):  # type: ignore[no-untyped-def]
        """Live peers that run this extender; ``query`` is a callable IPeer -> bool, or None for all."""

    def connect(address, hops=None, via=None):  # type: ignore[no-untyped-def]
        """Deferred of the IPeer at ``address`` (qg address or Twisted endpoint string). Fails with ConnectFailed.

        ``hops`` relays between, None = what the operator configured; ``via`` names them: UUIDs, or text with commas.
        """

    def find_providers():  # type: ignore[no-untyped-def]
        """Deferred of a list of peers elsewhere that let themselves be found by this extender, in an order of luck.

        At most 64, each with ``uuid``, ``address`` (for ``connect``) and ``age_seconds`` (of what it said of itself).
        Relays are asked for them; fails with a QuantumGateError where the operator has look-ups switched off.
        """

    def disconnect(peer):  # type: ignore[no-untyped-def]
        """Close the session with this peer gracefully. Deferred."""

    def send(peer, message, compress=True, priority=2, delay=0):  # type: ignore[no-untyped-def]
        """Deferred that fires when the message was taken for sending; fails with a QuantumGateError.

        ``priority`` 1 interactive, 2 normal, 3 bulk; ``delay`` in seconds, sent at the lowest class.
        """

    def offer(peer, message):  # type: ignore[no-untyped-def]
        """The same without a Deferred, priority 2, for high rates: True = taken, False = full, use send."""

    def open_stream(peer, protocol, label=b""):  # type: ignore[no-untyped-def]
        """Connect ``protocol`` (IProtocol) to a new byte stream to the peer. Deferred of the protocol."""

    def report(peer, offence):  # type: ignore[no-untyped-def]
        """The peer sent something that this extender does not understand; ``offence`` is a short str."""
