"""Programs that people use, through two real nodes: curl, PySocks, python-socks, and small clients for BIND and UDP."""

from __future__ import annotations

import hashlib
import shutil
import socket
import struct
import threading
from pathlib import Path
from typing import Any

from quantumgate_socks5.destination import Destination
from quantumgate_socks5.replies import Code
from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest
from twisted.web.server import Site
from twisted.web.static import File

from quantumgate.extender.api import LocalError

from .loopback import LoopbackCase, Shouting, Targets

try:
    import socks
except ImportError:
    socks = None  # type: ignore[assignment]
try:
    from python_socks.sync import Proxy
except ImportError:
    Proxy = None  # type: ignore[assignment, misc]

CURL = shutil.which("curl")
TIMEOUT_SECONDS = 10


class CurlTests(LoopbackCase):
    """curl, in its ways to name a proxy."""

    if CURL is None:
        skip = "curl is not installed: `apt install curl` makes these run"

    async def site(self, size: int = 300_000) -> tuple[int, str]:
        """A web site with one file: its port, and the file's checksum."""
        folder = Path(self.mktemp())
        folder.mkdir()
        data = hashlib.shake_256(b"file").digest(size)
        (folder / "file").write_bytes(data)
        return self.listen(Site(File(str(folder)))), hashlib.sha256(data).hexdigest()  # type: ignore[no-untyped-call]

    async def curl(self, proxy: str, url: str, *more: str) -> tuple[bytes, int]:
        out, _, code = await getProcessOutputAndValue(
            str(CURL), ["-sS", "-m", str(TIMEOUT_SECONDS), "-x", proxy.replace("PORT", str(self.port)), *more, url]
        )
        return out, code

    async def test_every_kind_of_proxy(self) -> None:
        """Names arrive as names; nothing is looked up here."""
        await self.start()
        port, checksum = await self.site(50_000)
        for proxy, host in (
            ("socks5h://127.0.0.1:PORT", "here.example"),
            ("socks5h://alice:secret@127.0.0.1:PORT", "here.example"),
            ("socks5://127.0.0.1:PORT", "127.0.0.1"),
            ("socks4://127.0.0.1:PORT", "127.0.0.1"),
            ("socks4a://127.0.0.1:PORT", "here.example"),
        ):
            out, code = await self.curl(proxy, f"http://{host}:{port}/file")
            self.assertEqual((code, hashlib.sha256(out).hexdigest()), (0, checksum), proxy)
        self.assertEqual(self.world.asked, [])
        self.assertEqual(self.near.status()["proxy"]["lines_opened"], 1)

    async def test_many_at_once(self) -> None:
        await self.start()
        port, checksum = await self.site(50_000)
        urls = [f"http://here.example:{port}/file?{number}" for number in range(60)]
        folder = Path(self.mktemp())
        folder.mkdir()
        files = [word for number in range(1, 60) for word in ("-o", str(folder / str(number)))]
        parallel = ("--parallel", "--parallel-max", "30")
        files += ["-o", str(folder / "0")]
        _, code = await self.curl("socks5h://127.0.0.1:PORT", urls[0], *parallel, *files, *urls[1:])
        found = [hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()]
        self.assertEqual((code, found), (0, [checksum] * 60))

    async def test_failures(self) -> None:
        """curl says which reply it got."""
        await self.start()
        for host, reply in (("127.0.0.1:1", 5), ("10.0.0.1", 2), ("gone.example", 4), ("[::ffff:127.0.0.1]:1", 2)):
            _, err, code = await getProcessOutputAndValue(
                str(CURL), ["-sS", "-m", "10", "-x", f"socks5h://127.0.0.1:{self.port}", f"http://{host}/"]
            )
            self.assertEqual((code, f"({reply})".encode() in err), (97, True), (host, err))

    async def test_passwords(self) -> None:
        await self.start(near={"users": {"alice": "secret"}})
        port, checksum = await self.site()
        url = f"http://here.example:{port}/file"
        out, code = await self.curl("socks5h://alice:secret@127.0.0.1:PORT", url)
        self.assertEqual((code, hashlib.sha256(out).hexdigest()), (0, checksum))
        for proxy in ("socks5h://127.0.0.1:PORT", "socks5h://alice:guess@127.0.0.1:PORT", "socks4a://127.0.0.1:PORT"):
            self.assertEqual(await self.curl(proxy, url), (b"", 97), proxy)


class PySocksTests(LoopbackCase):
    """PySocks, TCP and UDP."""

    if socks is None:
        skip = "PySocks is not installed: `pip install -e './extenders/socks5[test]'` makes these run"

    def talk(self, kind: int, host: str, port: int, **more: Any) -> bytes:
        """One line there and back, the write half closed, the rest read."""
        with socks.socksocket() as line:
            line.settimeout(TIMEOUT_SECONDS)
            line.set_proxy(kind, "127.0.0.1", self.port, rdns=True, **more)
            line.connect((host, port))
            line.sendall(b"hello\n")
            answer: bytes = line.recv(100)
            line.shutdown(socket.SHUT_WR)
            while more_bytes := line.recv(100):
                answer += more_bytes
            return answer

    async def test_tcp(self) -> None:
        await self.start()
        port = self.listen(Targets())
        for kind, host, more in (
            (socks.SOCKS5, "here.example", {}),
            (socks.SOCKS5, "127.0.0.1", {"username": "u", "password": "p"}),
            (socks.SOCKS4, "here.example", {}),
            (socks.SOCKS4, "127.0.0.1", {"username": "u"}),
        ):
            self.assertEqual(await self.thread(self.talk, kind, host, port, **more), b"6 bytes\n")
        self.assertEqual(self.world.asked, [])

    async def test_refused(self) -> None:
        await self.start()
        with self.assertRaisesRegex(socks.SOCKS5Error, "0x05"):
            try:
                await self.thread(self.talk, socks.SOCKS5, "127.0.0.1", 1)
            except socks.ProxyConnectionError as problem:
                raise problem.socket_err from None
            except socks.GeneralProxyError as problem:
                raise (problem.socket_err or problem) from None

    async def test_udp(self) -> None:
        await self.start()
        shouting = reactor.listenUDP(0, Shouting(), "127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(shouting.stopListening)

        def talk() -> tuple[bytes, Any]:
            with socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM) as line:
                line.set_proxy(socks.SOCKS5, "127.0.0.1", self.port)
                line.settimeout(TIMEOUT_SECONDS)
                line.sendto(b"hello", ("127.0.0.1", shouting.getHost().port))
                found: tuple[bytes, Any] = line.recvfrom(100)
                return found

        self.assertEqual(await self.thread(talk), (b"HELLO", ("127.0.0.1", shouting.getHost().port)))


class PythonSocksTests(LoopbackCase):
    """python-socks."""

    if Proxy is None:
        skip = "python-socks is not installed: `pip install -e './extenders/socks5[test]'` makes these run"

    def talk(self, url: str, host: str, port: int) -> bytes:
        proxy = Proxy.from_url(url.replace("PORT", str(self.port)), rdns=True)
        with proxy.connect(host, port, TIMEOUT_SECONDS) as line:
            line.sendall(b"hello\n")
            return line.recv(100)  # type: ignore[no-any-return]

    async def test_tcp(self) -> None:
        await self.start()
        port = self.listen(Targets())
        for url, host in (
            ("socks5://127.0.0.1:PORT", "here.example"),
            ("socks5://alice:secret@127.0.0.1:PORT", "127.0.0.1"),
            ("socks4://127.0.0.1:PORT", "here.example"),
        ):
            self.assertEqual(await self.thread(self.talk, url, host, port), b"6 bytes\n")
        self.assertEqual(self.world.asked, [])

    async def test_ipv6(self) -> None:
        await self.start()
        try:
            port = self.listen(Targets(), "::1")
        except Exception:
            raise SkipTest("this machine has no ::1; give its loopback an IPv6 address to run this") from None
        for host in ("::1", "six.example"):
            self.assertEqual(await self.thread(self.talk, "socks5://127.0.0.1:PORT", host, port), b"6 bytes\n")


class Caller:
    """A small SOCKS 5 client, blocking, for what others cannot do."""

    def __init__(self, port: int | str) -> None:
        family = socket.AF_UNIX if isinstance(port, str) else socket.AF_INET
        self.line = socket.socket(family)
        self.line.settimeout(TIMEOUT_SECONDS)
        self.line.connect(port if isinstance(port, str) else ("127.0.0.1", port))
        self.line.sendall(b"\x05\x01\x00")
        self.read(2)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.line.recv(size - len(data))
            if not piece:
                raise EOFError(f"{len(data)} of {size} bytes")
            data += piece
        return data

    def asks(self, command: int, host: str, port: int) -> tuple[int, tuple[str, int]]:
        self.line.sendall(b"\x05" + bytes((command, 0, 1)) + socket.inet_aton(host) + port.to_bytes(2))
        return self.reply()

    def reply(self) -> tuple[int, tuple[str, int]]:
        """The code, and the address that was bound."""
        said = self.read(10)
        return said[1], (socket.inet_ntoa(said[4:8]), int.from_bytes(said[8:]))


class ConnectionTests(LoopbackCase):
    """What TCP promises, kept across two nodes."""

    async def test_half_close_both_ways(self) -> None:
        """The target ends first and still reads; then the program."""

        class SaysItFirst(Protocol):
            def connectionMade(self) -> None:
                self.transport.write(b"news\n")  # type: ignore[union-attr]
                self.transport.loseWriteConnection()  # type: ignore[union-attr]

            def dataReceived(self, data: bytes) -> None:
                self.heard = getattr(self, "heard", b"") + data

        await self.start()
        targets = Targets(SaysItFirst)
        port = self.listen(targets)

        def talk() -> bytes:
            caller = Caller(self.port)
            caller.asks(1, "127.0.0.1", port)
            news = caller.read(5) + caller.line.recv(10)
            caller.line.sendall(b"thank you")
            caller.line.close()
            return news

        self.assertEqual(await self.thread(talk), b"news\n")
        await self.until(lambda: getattr(targets.made[0], "heard", b"") == b"thank you")
        await self.until(lambda: self.far.status()["exit"]["connections"] == 0)
        self.assertEqual(self.near.status()["proxy"]["lines_idle"], 1)

    async def test_resets_stay_resets(self) -> None:
        """The target breaks off: the program is not told of a clean end. The program breaks off: nor is the target."""
        await self.start()
        targets = Targets()
        port = self.listen(targets)

        def talk() -> bool:
            caller = Caller(self.port)
            caller.asks(1, "127.0.0.1", port)
            caller.line.sendall(b"drop\n")
            try:
                return caller.line.recv(10) == b""
            except ConnectionResetError:
                return False

        def leave() -> None:
            caller = Caller(self.port)
            caller.asks(1, "127.0.0.1", port)
            caller.line.sendall(b"hello\n")
            caller.read(8)
            caller.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.line.close()

        self.assertFalse(await self.thread(talk))
        await self.thread(leave)
        await self.until(lambda: targets.made[-1].lost is not None)
        self.assertNotEqual(type(targets.made[-1].lost).__name__, "ConnectionDone")

    async def test_reader_that_stops(self) -> None:
        """It stops the far writer; another connection goes on; then everything arrives."""
        total = 24_000_000

        class Pours(Protocol):
            left = total

            def connectionMade(self) -> None:
                self.transport.registerProducer(self, False)  # type: ignore[union-attr]

            def resumeProducing(self) -> None:
                size = min(65_536, self.left)
                self.left -= size
                self.transport.write(bytes(size))  # type: ignore[union-attr]
                if not self.left:
                    self.transport.unregisterProducer()  # type: ignore[union-attr]
                    self.transport.loseConnection()  # type: ignore[union-attr]

            def stopProducing(self) -> None:
                """It is over."""

        await self.start()
        targets, others = Targets(Pours), self.listen(Targets())
        port = self.listen(targets)
        caller = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(caller.asks, 1, "127.0.0.1", port))[0], 0)
        left = -1
        while targets.made[0].left != left:  # until the writer stands still
            left = targets.made[0].left
            await deferLater(reactor, 0.2)
        self.assertGreater(left, 0, "the writer went on without a reader")
        second = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(second.asks, 1, "127.0.0.1", others))[0], 0)
        self.assertEqual(len(await self.thread(caller.read, total)), total)
        for each in (caller, second):
            each.line.close()

    async def test_hundreds_of_short_connections(self) -> None:
        """They share few lines: the budget that the kernel has for opened channels is not touched."""
        await self.start()
        port = self.listen(Targets())

        def talk(count: int) -> int:
            good = 0
            for _ in range(count):
                caller = Caller(self.port)
                caller.asks(1, "127.0.0.1", port)
                caller.line.sendall(b"hello\n")
                answer = caller.read(8)
                caller.line.shutdown(socket.SHUT_WR)
                good += answer + caller.line.recv(1) == b"6 bytes\n"
                caller.line.close()
            return good

        done = [self.thread(talk, 50) for _ in range(8)]
        self.assertEqual(sum([await each for each in done]), 400)
        self.assertLess(self.near.status()["proxy"]["lines_opened"], 20)

    async def test_exit_leaves(self) -> None:
        """In the middle: a reset, at once. Afterwards: no exit, when it had the time to come back."""
        await self.start(near={"exit_return_seconds": 0.2})
        port = self.listen(Targets())
        caller = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(caller.asks, 1, "127.0.0.1", port))[0], 0)
        await self.far_node.stopService()
        with self.assertRaises((ConnectionResetError, EOFError)):
            await self.thread(caller.read, 1)
        second = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(second.asks, 1, "127.0.0.1", port))[0], Code.NETWORK_UNREACHABLE)
        for each in (caller, second):
            each.line.close()

    async def test_unix_socket(self) -> None:
        """For its owner alone."""
        path = Path(self.mktemp()).absolute()
        if len(str(path)) > 100:
            import tempfile

            path = Path(tempfile.mkdtemp(prefix="qg-")) / "s"
            self.addCleanup(shutil.rmtree, path.parent)
        await self.start(near={"listen": f"unix:{path}"})
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        port = self.listen(Targets())
        caller = await self.thread(Caller, str(path))
        self.assertEqual((await self.thread(caller.asks, 1, "127.0.0.1", port))[0], 0)
        caller.line.close()

    async def test_port_in_use(self) -> None:
        """The extender fails and says why; the node goes on."""
        from .loopback import NoNames

        taken = self.listen(Targets())
        node = self.node("third", NoNames(), {"listen": f"tcp:{taken}:interface=127.0.0.1"}, listen=())
        await node.when_ready()
        await self.until(lambda: node.extenders[0].state == "failed")
        self.assertIn("in use", node.extenders[0].reason)
        self.assertEqual(len(self.flushLoggedErrors(LocalError)), 1)


class BindTests(LoopbackCase):
    """As active FTP uses it."""

    async def test_one_comes(self) -> None:
        await self.start()

        def talk() -> tuple[bytes, bytes]:
            caller = Caller(self.port)
            code, place = caller.asks(2, "127.0.0.1", 21)
            with socket.create_connection(place, TIMEOUT_SECONDS) as server:
                second = caller.reply()
                if (code, second) != (0, (0, server.getsockname())):
                    raise AssertionError(f"{code}, {second}")
                server.sendall(b"file")
                caller.line.sendall(b"thanks")
                found = caller.read(4), server.recv(6)
            caller.line.close()
            return found

        self.assertEqual(await self.thread(talk), (b"file", b"thanks"))

    async def test_nobody_comes(self) -> None:
        await self.start(far={"bind_seconds": 0.2})
        caller = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(caller.asks, 2, "127.0.0.1", 21))[0], 0)
        self.assertEqual((await self.thread(caller.reply))[0], Code.TIMED_OUT)
        caller.line.close()


class UdpTests(LoopbackCase):
    """A small client of its own: what a sound program does, and what others try."""

    async def associated(self, port: int = 0) -> tuple[Caller, tuple[str, int]]:
        caller = await self.thread(Caller, self.port)
        self.addCleanup(caller.line.close)
        code, place = await self.thread(caller.asks, 3, "0.0.0.0", port)
        self.assertEqual((code, place[0]), (0, "127.0.0.1"))
        return caller, place

    def socket(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(("127.0.0.1", 0))
        made.settimeout(TIMEOUT_SECONDS)
        self.addCleanup(made.close)
        return made

    def shouting(self) -> int:
        port = reactor.listenUDP(0, Shouting(), "127.0.0.1", 65_536)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return port.getHost().port  # type: ignore[no-any-return]

    async def test_sizes_and_names(self) -> None:
        """From nothing to the largest that IP takes, by address and by name."""
        from ipaddress import ip_address

        await self.start()
        _, place = await self.associated()
        mine, port = self.socket(), self.shouting()
        source = b"\0\0\0" + Destination(ip_address("127.0.0.1"), port).encode()
        for size in (0, 1, 1_200, 60_000):
            for host in (ip_address("127.0.0.1"), "here.example"):
                mine.sendto(b"\0\0\0" + Destination(host, port).encode() + b"a" * size, place)
                self.assertEqual(await self.thread(mine.recv, 70_000), source + b"A" * size)
        self.assertEqual(self.world.asked, [])

    async def test_only_the_program_is_heard(self) -> None:
        """Another port than the first, another than was named, fragments, and rubbish: dropped without a word."""
        await self.start()
        mine, stranger, port = self.socket(), self.socket(), self.shouting()
        _, place = await self.associated(mine.getsockname()[1])
        sound = b"\0\0\0\x01\x7f\0\0\x01" + port.to_bytes(2)
        stranger.sendto(sound + b"stranger", place)
        fragment = b"\0\0\x01" + sound[3:]
        for wrong in (b"", fragment, b"\1\0" + sound[2:], sound[:-1], b"\0\0\0\x09" + sound[4:]):
            mine.sendto(wrong, place)
        mine.sendto(sound + b"mine", place)
        self.assertEqual(await self.thread(mine.recv, 100), sound + b"MINE")
        stranger.settimeout(0.05)
        with self.assertRaises(TimeoutError):
            stranger.recv(100)
        (association,) = [each._association for each in self.near.near._connections]
        self.assertEqual(association.refused, 6)

    async def test_only_partners_may_answer(self) -> None:
        """A stranger who finds the exit's port is not heard; nor is a place that the policy closes."""
        await self.start(far={"deny": ["127.0.0.2/32:*"]})
        _, place = await self.associated()
        mine, partner, stranger = self.socket(), self.socket(), self.socket()
        to_partner = b"\0\0\0\x01\x7f\0\0\x01" + partner.getsockname()[1].to_bytes(2)
        mine.sendto(b"\0\0\0\x01\x7f\0\0\x02" + partner.getsockname()[1].to_bytes(2) + b"closed", place)
        mine.sendto(to_partner + b"hello", place)
        payload, exit_place = await self.thread(partner.recvfrom, 100)
        self.assertEqual(payload, b"hello")
        stranger.sendto(b"stranger", exit_place)
        partner.sendto(b"partner", exit_place)
        self.assertEqual(await self.thread(mine.recv, 100), to_partner + b"partner")
        self.assertEqual(self.far.status()["exit"]["failures"], {"datagram not_allowed": 1})

    async def test_ends_with_its_connection(self) -> None:
        await self.start()
        caller, place = await self.associated()
        self.assertEqual(self.far.status()["exit"]["udp_associations"], 1)
        caller.line.close()
        await self.until(lambda: self.far.status()["exit"]["udp_associations"] == 0)
        proxy = self.near.status()["proxy"]
        self.assertEqual((proxy["udp_associations"], proxy["lines_idle"]), (0, 1))
        mine = self.socket()
        mine.connect(place)
        mine.send(b"\0\0\0\x01\x7f\0\0\x01\0\x35?")
        with self.assertRaises(ConnectionRefusedError):
            mine.send(b"again")
            await self.thread(mine.recv, 10)

    async def test_ends_with_the_exit(self) -> None:
        await self.start()
        caller, _ = await self.associated()
        await self.far_node.stopService()
        self.assertEqual(await self.thread(caller.line.recv, 10), b"")

    async def test_limits(self) -> None:
        await self.start(near={"udp_associations": 1})
        await self.associated()
        second = await self.thread(Caller, self.port)
        self.assertEqual((await self.thread(second.asks, 3, "0.0.0.0", 0))[0], Code.FAILURE)
        second.line.close()


class WorldTests(LoopbackCase):
    """The world of both sides, for what needs no network."""

    async def test_defaults_of_listening(self) -> None:
        """What an endpoint string does not say; what it says stands."""
        from quantumgate_socks5.world import World
        from twisted.internet.testing import MemoryReactor

        for text, backlog in (("tcp:1080:interface=127.0.0.1", 1024), ("tcp:1080:backlog=7:interface=127.0.0.1", 7)):
            reactor = MemoryReactor()
            World(reactor).listen(text, Targets())
            self.assertEqual(reactor.tcpServers[0][2:], (backlog, "127.0.0.1"))
        for text, mode in (("unix:/s", 0o600), ("unix:/s:mode=660", 0o660)):
            reactor = MemoryReactor()
            World(reactor).listen(text, Targets())
            self.assertEqual(reactor.unixServers[0][2:4], (1024, mode))

    async def test_names_of_this_machine(self) -> None:
        """Addresses come each once; a name that is an address is one; nonsense has none."""
        from ipaddress import ip_address

        from quantumgate_socks5.world import World

        world = World()
        self.assertIn(ip_address("127.0.0.1"), await world.resolve("localhost"))
        self.assertEqual(await world.resolve("127.0.0.1"), [ip_address("127.0.0.1")])
        self.assertEqual(await world.resolve("2130706433"), [ip_address("127.0.0.1")])
        for nonsense in ("a..b", "a" * 64 + ".example"):
            self.assertEqual(await world.resolve(nonsense), [], nonsense)
        many = [world.resolve(f"127.0.0.{number % 20}") for number in range(200)]
        self.assertEqual([len(await each) for each in many], [1] * 200)

    async def test_slow_names(self) -> None:
        """Many servers of names that do not answer hold up neither each other nor those who need a thread."""
        from quantumgate_socks5 import world as worlds

        over, under_way = threading.Event(), []
        self.addCleanup(over.set)

        def slow(name: str) -> list[Any]:
            under_way.append(name)
            over.wait(TIMEOUT_SECONDS)
            return [name]

        self.patch(worlds, "addresses_of", slow)
        world = worlds.World()
        answers = [world.resolve(f"{number}.example") for number in range(worlds.LOOKUPS_MOST + 5)]
        await self.until(lambda: len(under_way) == worlds.LOOKUPS_MOST)
        self.assertEqual(await self.thread(len, "others"), 6)
        over.set()
        self.assertEqual([len(await each) for each in answers], [1] * len(answers))

    async def test_own_addresses(self) -> None:
        from ipaddress import ip_address

        from quantumgate_socks5.world import World

        self.assertTrue(World().is_own(ip_address("127.0.0.1")))
        self.assertFalse(World().is_own(ip_address("192.0.2.1")))
