"""Parsers: the kept corpora still run clean, a short fuzz finds nothing, and what is broken on purpose is found."""

from __future__ import annotations

import random
import re
import struct

from twisted.trial import unittest

from quantumgate import ids
from quantumgate.control import messages as control_messages
from quantumgate.core import delegations, online_key, petnames
from quantumgate.core.access import addresses as access_addresses
from quantumgate.core.discovery import directory as kept
from quantumgate.core.discovery.positions import Chart
from quantumgate.errors import MalformedError
from quantumgate.settings import loader, wording
from quantumgate.wire import invitation_text, link_frames, port_maps
from quantumgate.wire.directory_frames import Kind, Leave
from tests.fuzz.guide import load
from tests.fuzz.parsers import (
    addresses,
    configuration,
    control,
    directory,
    identities,
    invitations,
    messages,
    networks,
    router,
    socks5_line,
    socks5_program,
    streams,
)
from tests.fuzz.script import Step, decode
from tests.fuzz.target import Broken
from tests.fuzz.targets import PARSERS

EXECUTIONS = 150


class ParserFuzzTests(unittest.SynchronousTestCase):
    def test_corpora_break_nothing(self) -> None:
        for target in PARSERS.values():
            scripts = load(target.corpus)
            self.assertGreater(len(scripts), 5, target.name)
            for script in scripts:
                target.run(script)

    def test_short_runs_find_nothing(self) -> None:
        for target in PARSERS.values():
            guide = target.guide(20_261_121)
            guide.pool = target.seeds() + load(target.corpus)
            for _ in range(EXECUTIONS):
                target.run(guide.next())

    def test_any_bytes_are_a_script(self) -> None:
        luck = random.Random(1)
        for target in PARSERS.values():
            for size in (0, 1, 13, 14, 100, 5000):
                target.run(decode(luck.randbytes(size)))

    def test_what_is_good_is_understood(self) -> None:
        """A third of the seeds or more, or the fuzzers would see nothing but refusals."""
        for target in PARSERS.values():
            understood = [target.run(script) for script in target.seeds()]
            self.assertGreater(3 * sum(map(bool, understood)), len(understood), target.name)


class PlantedBugTests(unittest.SynchronousTestCase):
    """A fuzzer that finds nothing proves nothing: each of these must be found by the script that reaches it."""

    def test_configuration(self) -> None:
        digits = [Step(0, data=b"[security]\nlevel = 0x" + b"f" * 5000)]
        hostile = [Step(0, data=b'[security]\nlevel = "\\u009b"')]
        unnamed = [Step(0, data=b"[node]\nhops = 1")]
        for script in (digits, hostile, unnamed):
            self.assertEqual(configuration.run_script(script), [])
        self.patch(wording, "number_text", repr)
        self.assertRaises(ValueError, configuration.run_script, digits)
        self.patch(wording, "found_text", lambda value, path=(): str(value))
        self.assertRaises(Broken, configuration.run_script, hostile)
        self.patch(loader, "checked", lambda *_, **__: (_ for _ in ()).throw(wording.Problem(("what",), "x", "y")))
        self.assertRaises(Broken, configuration.run_script, unnamed)

    def test_router(self) -> None:
        long = [Step(router.Said.PCP_MAP, data=router.PCP_MAP + bytes(1044))]
        cut = [Step(router.Said.NAT_PMP_MAP, data=router.PMP_MAP[:12])]
        down = [Step(router.Said.TABLE, data=router.TABLE.replace(b"0101A8C0", b"-101A8C0"))]
        for script in (long, cut, down):
            self.assertFalse(any(router.run_script(script)))
        self.patch(port_maps, "MAP_ANSWER_BYTES", 2000)
        self.assertRaises(Broken, router.run_script, long)
        self.patch(port_maps, "_pmp_head", lambda data, opcode, more: (0, 1000))
        self.assertRaises(struct.error, router.run_script, cut)
        self.patch(router, "router_in", lambda text: "10.0.0.1")
        self.assertRaises(Broken, router.run_script, down)

    def test_directory(self) -> None:
        key = bytes(32)
        strange = [Step(directory.Said.LEAVE, data=Leave(1, directory.DAY, Kind.PEER, key, b"\x01").encode())]
        self.assertEqual(len(directory.run_script(strange)), 1)
        answers = iter((key, b"another"))
        self.patch(Chart, "peer", lambda chart, uuid: next(answers))
        self.assertRaises(Broken, directory.run_script, strange)
        crowd = [Step(directory.Said.CROWD, 90, data=bytes(range(90)))]
        self.assertEqual(len(directory.run_script(crowd)), 1)
        self.patch(kept, "DIRECTORY_OF_A_KEY", 65)
        self.assertRaises(Broken, directory.run_script, crowd)

    def test_invitations(self) -> None:
        plain = invitations.PLAIN.encode()[:-4]
        at = plain.index(b"\x05alice")
        long_name = [Step(invitations.Paste.BODY, data=plain[:at] + b"\x21" + b"a" * 33 + plain[at + 6 :])]
        self.assertEqual(invitations.run_script(long_name), [])
        self.patch(invitation_text, "PETNAME_LETTERS", 33)
        self.assertRaises(Broken, invitations.run_script, long_name)
        hyphens = [Step(invitations.Paste.NAME, data=b"a-b-c-d")]
        self.assertEqual(invitations.run_script(hyphens), [])
        self.patch(petnames, "_NAME", re.compile("[a-z][a-z0-9-]*"))
        self.assertRaises(Broken, invitations.run_script, hyphens)

    def test_identities(self) -> None:
        stripped = [Step(identities.Told.SIGNED, data=b"\x03" + identities.GOOD.signed_part()[1:])]
        other = [Step(identities.Told.DELEGATION, data=identities.GOOD.encode()[:-1] + b"\0")]
        cut = [Step(identities.Told.FILE, data=identities.FILE[:60])]
        for script in (stripped, other, cut):
            self.assertEqual(identities.run_script(script), [])
        self.patch(delegations, "verify", lambda *_: None)
        delegations._verified.cache_clear()
        self.addCleanup(delegations._verified.cache_clear)
        self.assertRaises(Broken, identities.run_script, other)
        self.patch(online_key, "RemoteProtocolError", ZeroDivisionError)
        self.assertRaises(MalformedError, identities.run_script, cut)

    def test_control(self) -> None:
        strange = [Step(control.Say.LINE, data=b'{"id":1,"command":"\xff"}')]
        self.assertEqual(control.run_script(strange)[0]["error"]["reason"], "malformed")
        self.patch(control_messages, "UNREADABLE", (RecursionError,))
        self.assertRaises(UnicodeDecodeError, control.run_script, strange)

    def test_control_without_an_answer(self) -> None:
        asked = [Step(control.Say.LINE, data=control.good("peers"))]
        self.patch(control.ControlConnection, "_send", lambda *_: None)
        self.assertRaises(Broken, control.run_script, asked)

    def test_streams(self) -> None:
        torn = [Step(streams.Say.FRAMES, 1, data=streams.FRAMES)]
        streams.run_script(torn)
        self.patch(streams.Unread, "_control", lambda one, kind, size: (one._cut(4), (kind, one._cut(size)))[1])
        self.assertRaises(Broken, streams.run_script, torn)

    def test_addresses(self) -> None:
        long = [Step(addresses.Paste.HOST, data=b"h:" + b"1" * 5000)]
        self.assertEqual(addresses.run_script(long), [])
        self.patch(addresses, "parse_host", lambda text: (text[:1], int(text[2:])))
        self.assertRaises(ValueError, addresses.run_script, long)
        self.patch(ids.QgAddress, "__str__", lambda one: f"qg://{one.uuid}")
        self.assertRaises(Broken, addresses.run_script, [Step(0, data=addresses.ADDRESSES[2].encode())])

    def test_networks(self) -> None:
        mapped = [Step(networks.Rule.NETWORK, data=b"::ffff:192.0.2.1")]
        self.assertEqual(len(networks.run_script(mapped)), 1)
        self.patch(access_addresses, "canonical", lambda address: address)
        self.assertRaises(Broken, networks.run_script, mapped)

    def test_messages(self) -> None:
        target = [Step(messages.Body.ENDPOINT, data=b"\x01\x05h")]
        self.assertEqual(messages.run_script(target), [])
        self.patch(link_frames, "MalformedError", ValueError)
        self.assertRaises(ValueError, messages.run_script, target)

    def test_socks5(self) -> None:
        program = [Step(socks5_program.Told.TALK, 1, data=socks5_program.HELLOS[0] + b"\x05\x01\0\x02")]
        self.assertEqual(len(socks5_program.run_script(program)), 2)
        self.patch(socks5_program, "TALK_BYTES_MOST", 1)
        self.assertRaises(Broken, socks5_program.run_script, program)
        line = [Step(socks5_line.Wire.TO_FAR, data=b"\xff\0\0\0")]
        self.assertEqual(socks5_line.run_script(line), [])
        self.patch(socks5_line.Diary, "offended", lambda *_: None)
        self.assertRaises(Broken, socks5_line.run_script, line)
