"""Both sides against each other in memory: many programs at once, in bad weather, some of which break off."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import quantumgate_socks5
from quantumgate_socks5.destination import Destination
from quantumgate_socks5.extender import Socks5
from quantumgate_socks5.settings import Settings
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.extender.api import maker as maker_of
from quantumgate.testing.nodes import MemoryNodes
from quantumgate.testing.seeded import SeededRandom
from quantumgate.testing.transport import MemoryAddress
from quantumgate.testing.weather import Weather

from .stage import Ear, Ears, MemoryWorld

TARGET = "198.18.0.1"
PROGRAMS = 60


class Mirror(Ear):
    """A target that sends everything back, and ends when the other side has."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()


class Mirrors(Factory):
    """As many as come."""

    noisy = False
    protocol = Mirror


class Program:
    """One program's script: what it sends, in which pieces, and whether it breaks off in the middle."""

    def __init__(self, random: SeededRandom, breaks: bool) -> None:
        self.pieces = [random.bytes(random.below(30_000) + 1) for _ in range(random.below(12))]
        self.early, self.breaks = random.below(2) == 0, breaks
        self.ear: Ear | None = None
        self.granted = False

    @property
    def sent(self) -> bytes:
        return b"".join(self.pieces)


class BothTests(SynchronousTestCase):
    """``Socks5`` on the left, with programs; ``Socks5`` on the right, an exit."""

    def setUp(self) -> None:
        class InMemory(Socks5):
            def start(self, host: Any) -> Any:
                self._world = MemoryWorld(host._landlord.nodes.network, {"mirror.example": [TARGET]})  # type: ignore[assignment]
                return super().start(host)

        self.made = 0
        make = self.one_listener(InMemory)
        maker = maker_of(make, name="socks5", uuid=quantumgate_socks5.UUID, settings=Settings, compression=False)
        table = {
            "listen": "tcp:1080:interface=127.0.0.1", "lines_per_exit": 10, "connect_seconds": 600,
            "exit": {"enabled": True, "allow": ["198.18.0.0/15:*"]},
        }
        weather = Weather(latency_seconds=0.02, jitter_seconds=0.03, loss=0.02, piece_bytes=5000)
        self.nodes = MemoryNodes(maker, tables={"socks5": table}, weather=weather)
        self.addCleanup(self.nodes.stop)
        self.nodes.network.listen(MemoryAddress(TARGET, 80), Mirrors())
        self.nodes.connect(self.nodes.left, self.nodes.right)
        self.nodes.advance(5)

    def one_listener(self, kind: type[Socks5]) -> Any:
        """Both nodes share the memory network's 127.0.0.1, so only the first one listens."""

        def make(settings: Settings) -> Socks5:
            self.made += 1
            chosen = settings if self.made == 1 else Settings(listen="", exit=settings.exit)
            return kind(chosen)

        return make

    def begins(self, program: Program) -> None:
        """It connects, asks, and sends some at once where it does not wait."""
        factory = Ears()
        self.nodes.result(self.nodes.network.dial("127.0.0.1", MemoryAddress("127.0.0.1", 1080), factory))
        program.ear = factory.made[0]
        wanted = Destination("mirror.example", 80) if program.early else Destination(ip_address(TARGET), 80)
        program.ear.transport.write(b"\x05\x01\x00\x05\x01\x00" + wanted.encode())
        if program.early:
            self.sends(program)

    def sends(self, program: Program) -> None:
        assert program.ear is not None
        for piece in program.pieces:
            program.ear.transport.write(piece)
        program.granted = True
        if not program.breaks:
            program.ear.transport.loseWriteConnection()

    def test_many_programs(self) -> None:
        """Whoever does not break off gets back exactly what it sent, and a clean end; nothing is left over."""
        random = SeededRandom("both")
        programs = [Program(random, breaks=number % 5 == 4) for number in range(PROGRAMS)]
        for program in programs:
            self.begins(program)
        for round_number in range(400):
            self.nodes.advance(0.1)
            for number, program in enumerate(programs):
                ear = program.ear
                assert ear is not None
                if not program.granted and len(ear.data) >= 12:
                    self.sends(program)
                if program.breaks and program.granted and round_number > number:
                    ear.transport.abortConnection()
                if ear.read_ended and ear.lost is None:
                    ear.transport.loseConnection()
        whole = [program for program in programs if not program.breaks]
        answers = [bytes(program.ear.data) for program in whole if program.ear is not None]
        self.assertEqual([answer[:6] for answer in answers], [b"\x05\x00\x05\x00\x00\x01"] * len(whole))
        self.assertEqual([answer[12:] == program.sent for answer, program in zip(answers, whole, strict=True)],
                         [True] * len(whole))
        self.nodes.advance(30)
        near, far = (self.nodes[name].guest("socks5").status() for name in ("left", "right"))
        proxy = near["proxy"]
        self.assertEqual((proxy["connections"], proxy["waiting"], far["exit"]["connections"]), (0, 0, 0))
        self.assertEqual(proxy["lines"], proxy["lines_idle"])
        self.assertEqual((self.nodes.left.reports, self.nodes.right.reports), ([], []))
        self.assertEqual(proxy["connections_total"], PROGRAMS)
