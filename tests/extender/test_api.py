"""What an author imports: the base class does nothing, the maker is complete, and nothing heavy is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from quantumgate.extender import api

ECHO = "5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11"


class ApiTests(SynchronousTestCase):
    """The author's page."""

    def test_base_class_is_complete(self) -> None:
        """An Extender provides the interface, remembers its host and refuses streams."""
        guest = api.Extender()
        verifyObject(api.IExtender, guest)
        host = object()
        self.assertIsNone(guest.start(host))  # type: ignore[arg-type]
        self.assertIs(guest.host, host)
        self.assertIsNone(guest.stream_opened(object(), b""))  # type: ignore[arg-type]
        for answer in (guest.stop(), guest.message_received(object(), b"")):  # type: ignore[arg-type]
            self.assertIsNone(answer)

    def test_maker(self) -> None:
        """The short form fills in everything that the interface asks for."""

        class Echo(api.Extender):
            """Sends back.

            More words.
            """

        made = api.maker(Echo, name="echo", uuid=ECHO)
        verifyObject(api.IExtenderMaker, made)
        self.assertEqual((made.uuid, made.summary, made.anonymous), (UUID(ECHO), "Sends back.", False))
        self.assertIsInstance(made.make(None), Echo)

    def test_maker_with_settings(self) -> None:
        """Where there are settings, the class gets the checked instance."""
        made = api.maker(lambda settings: ("made", settings), name="echo", uuid=UUID(ECHO), settings=dict)
        self.assertEqual(made.make("checked"), ("made", "checked"))

    def test_wrong_uuid(self) -> None:
        self.assertRaises(ValueError, api.maker, api.Extender, name="echo", uuid="echo")

    def test_everything_named_is_there(self) -> None:
        for name in api.__all__:
            self.assertTrue(hasattr(api, name), name)

    def test_loads_nothing_heavy(self) -> None:
        """Being found must cost little: no Twisted, no core, no crypto is imported by an author's import."""
        code = (
            "import sys, quantumgate.extender.api; "
            "print([n for n in sys.modules if n.split('.')[0] in ('twisted', 'msgspec', 'cryptography')"
            " or n.startswith(('quantumgate.core', 'quantumgate.wire', 'quantumgate.crypto'))])"
        )
        seen = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            timeout=60,
            text=True,
        )
        self.assertEqual(seen.stdout.strip(), "[]")
