"""The table ``[extenders.socks5]``: what is refused before the node starts, and in which words."""

from __future__ import annotations

from typing import Any

import quantumgate_socks5
from quantumgate_socks5.settings import is_private_endpoint, uuid_in
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.registry import registered


def problem(**table: Any) -> str:
    """The line that the operator sees, or nothing."""
    return registered(quantumgate_socks5.maker, table).problem


class ListenTests(SynchronousTestCase):
    """Loopback and unix sockets are for everybody, the rest only with passwords."""

    def test_private_endpoints(self) -> None:
        for text in ("tcp:1080:interface=127.0.0.1", "tcp:0:interface=127.9.9.9", "tcp:1080:interface=\\:\\:1",
                     "unix:/x/y", "unix:/x/y:mode=666", "tcp6:1080:interface=\\:\\:1",
                     "tcp:1080:backlog=5:interface=127.0.0.1"):
            self.assertTrue(is_private_endpoint(text), text)

    def test_wide_endpoints(self) -> None:
        for text in ("tcp:1080", "tcp:1080:interface=0.0.0.0", "tcp:1080:interface=", "tcp:1080:interface=10.0.0.1",
                     "tcp:1080:interface=\\:\\:", "tcp:1080:interface=localhost", "tcp:1080:127.0.0.1",
                     "ssl:1080", "systemd:x", "tcp:1:interface=127.0.0.1:interface=0.0.0.0",
                     "tcp:1:backlog=\\:interface=127.0.0.1", "1080", ""):
            self.assertFalse(is_private_endpoint(text), text)

    def test_wide_needs_a_password(self) -> None:
        self.assertIn("can be reached by others: set users", problem(listen="tcp:1080"))
        self.assertIn("can be reached by others", problem(listen=["tcp:1:interface=127.0.0.1", "tcp:2"]))
        self.assertEqual(problem(listen="tcp:1080", users={"alice": "secret"}), "")

    def test_defaults(self) -> None:
        self.assertEqual(problem(), "")
        settings = registered(quantumgate_socks5.maker, {}).settings
        self.assertEqual(settings.listening, ("tcp:1080:interface=127.0.0.1",))
        self.assertEqual((settings.exit.enabled, settings.exit.udp, settings.exit.bind), (False, False, False))
        self.assertEqual(registered(quantumgate_socks5.maker, {"listen": ""}).settings.listening, ())


class ValuesTests(SynchronousTestCase):
    """Every other value."""

    def test_words(self) -> None:
        for table, words in (
            ({"listne": ""}, "did you mean listen?"),
            ({"connections": 0}, "connections: expected a whole number from 1 to 65535, found 0"),
            ({"idle_seconds": "long"}, "idle_seconds: expected seconds from 0.1 to 86400"),
            ({"hops": 9}, "hops: expected a whole number from 0 to 8, found 9"),
            ({"users": {"": "x"}}, "1 to 255 bytes"),
            ({"users": {"x": ""}}, "1 to 255 bytes"),
            ({"users": {"x": "y" * 256}}, "1 to 255 bytes"),
            ({"exit": {"enable": True}}, "exit.enable: expected a known key (did you mean enabled?)"),
            ({"exit": {"allow": ["*:0"]}}, "a rule is NETWORK:PORTS"),
            ({"exit": {"deny": ["example.org:80"]}}, "a rule is NETWORK:PORTS"),
            ({"exit": {"peers": ["bob"]}}, "extenders.socks5.exit"),
            ({"exit": {"bind": True}}, "bind needs bind_address"),
            ({"exit": {"bind": True, "bind_address": "example.org"}}, "bind needs bind_address"),
            ({"exits": ["bob"]}, "extenders.socks5"),
        ):
            self.assertIn(words, problem(**table), table)

    def test_exits(self) -> None:
        """Every form of an address; found by reading: one behind an anchor was none."""
        uuid = "0b51a0f2-3c4d-8100-8888-000000000001"
        for rest in ("", "@host:1", f".{'a' * 52}", f".{'a' * 52}@host", f"?key={'a' * 52}&anchor={uuid}@host:1"):
            for scheme in ("qg://", "") if not rest else ("qg://",):
                self.assertEqual(problem(exits=[f"{scheme}{uuid}{rest}"]), "")
                self.assertEqual(str(uuid_in(f"{scheme}{uuid}{rest}")), uuid)

    def test_passwords_are_not_repeated(self) -> None:
        for table in ({"users": {"alice": "hunter2" * 40}}, {"users": {"": "hunter2"}}):
            self.assertNotIn("hunter2", problem(**table))
