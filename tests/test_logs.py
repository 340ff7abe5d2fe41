"""Logs: what hides, what shows, the switch that announces itself, and one line a second per key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from quantumgate import logs

SOMEBODY = UUID("c0ffee00-1234-8abc-9def-0123456789ab")


class LogCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.addCleanup(logs.configure)

    def lines(self) -> list[str]:
        return [formatEvent(e) for e in self.events if str(e.get("log_namespace", "")).startswith("quantumgate.")]


class HiddenTests(LogCase):
    def test_addresses_and_identities_do_not_show(self) -> None:
        log = logs.named("test")
        log.info("{who} came from {where}", who=logs.peer(SOMEBODY), where=logs.place("tcp:192.0.2.7:9999"))
        (line,) = self.lines()
        self.assertNotIn("c0ffee", line)
        self.assertNotIn("192.0.2", line)
        self.assertRegex(line, r"^peer#[0-9a-f]{6} came from address#[0-9a-f]{6}$")

    def test_nor_in_the_event_a_structured_observer_writes(self) -> None:
        logs.named("test").info("{who!r}", who=logs.peer(SOMEBODY))
        self.assertNotIn("c0ffee", repr(self.events))

    def test_tags_match_within_one_process(self) -> None:
        self.assertEqual(str(logs.peer(SOMEBODY)), str(logs.peer(UUID(str(SOMEBODY)))))
        self.assertNotEqual(str(logs.peer(SOMEBODY)), str(logs.peer(UUID(int=5))))

    def test_nor_do_those_in_a_sentence(self) -> None:
        where = ("192.0.2.7:9999", "[2001:db8::7]:9999", "[fe80::7%eth0]", "192.0.2.7")
        for named in (str(SOMEBODY), str(SOMEBODY).upper(), *where):
            shown = str(logs.words(f"twin: a node at {named} dialled us, 3.11.2 at 12:30 [x]"))
            tag = logs.place(named) if named in where else logs.peer(named)
            self.assertEqual(shown, f"twin: a node at {tag} dialled us, 3.11.2 at 12:30 [x]")
        for bare in ("2001:db8::7", "2001:db8::", "::1", "2001:db8:1:2:3:4:5:6"):
            self.assertEqual(str(logs.words(f"the score of {bare}/56 at 12:30:01")),
                             f"the score of {logs.place(bare)}/56 at 12:30:01")
        self.assertRegex(str(logs.name("bob")), r"^name#[0-9a-f]{6}$")
        logs.configure("error", redact=False)
        self.assertEqual(str(logs.words(f"{SOMEBODY} at 192.0.2.7")), f"{SOMEBODY} at 192.0.2.7")

    def test_an_anonymous_peer_is_named_so(self) -> None:
        self.assertEqual(logs.peer(None), "an anonymous peer")

    def test_the_switch_shows_them_and_says_so(self) -> None:
        logs.configure("error", redact=False)
        logs.named("test").error("{who}", who=logs.peer(SOMEBODY))
        announcement, line = self.lines()
        self.assertIn("log.redact = false", announcement)
        self.assertEqual(line, str(SOMEBODY))


class LevelTests(LogCase):
    def test_debug_is_dropped_by_default(self) -> None:
        log = logs.named("test")
        log.debug("small")
        log.info("large")
        self.assertEqual(self.lines(), ["large"])

    def test_level_is_a_switch(self) -> None:
        log = logs.named("test")
        logs.configure("warn")
        log.info("no")
        log.warn("yes")
        logs.configure("debug")
        log.debug("also")
        self.assertEqual(self.lines(), ["yes", "also"])

    def test_every_level_of_the_settings_exists(self) -> None:
        self.assertEqual(set(logs.LEVELS.values()), set(LogLevel.iterconstants()) - {LogLevel.critical})


class OccasionallyTests(SynchronousTestCase):
    def test_one_line_a_second_for_each_key(self) -> None:
        clock = Clock()
        gate = logs.Occasionally(clock.seconds)
        self.assertEqual([gate.allows("a"), gate.allows("a"), gate.allows("b")], [True, False, True])
        clock.advance(1)
        self.assertEqual([gate.allows("a"), gate.allows("a")], [True, False])

    def test_memory_is_bounded(self) -> None:
        gate = logs.Occasionally(Clock().seconds)
        for n in range(5000):
            gate.allows(n)
        self.assertLessEqual(len(gate._last), 1024)
