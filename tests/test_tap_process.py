"""A node as a process among others: the service manager's words, life as a daemon, ports that are taken.

Real processes and sockets, for they are the thing itself; every wait has an end, and nothing polls.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

from quantumgate.control.client import ControlClient
from tests.managed import PATIENCE_SECONDS, ManagedCase

ROOT = Path(__file__).parents[1]
RUN = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"

LATE_ENDPOINT = '''
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IStreamServerEndpoint)
class Late:
    def listen(self, factory):
        bound = Deferred()
        taken = OSError(98, "Address already in use")
        reactor.callLater(0.05, bound.errback, CannotListenError("", 1, taken))
        return bound


@implementer(IPlugin, IStreamServerEndpointStringParser)
class Parser:
    prefix = "late"

    def parseStreamServer(self, reactor, *words):
        return Late()


parser = Parser()
'''


class ProcessCase(ManagedCase):
    """Nodes in the place of the case."""

    def words(self, listen: str, *twistd: str) -> list[str]:
        config = self.place / "node.toml"
        config.write_text(f'[node]\nlisten = ["{listen}"]\n')
        words = [sys.executable, "-c", RUN, *twistd, "qgnode"]
        return [*words, "--config", str(config), "--data", str(self.place / "data")]

    def surroundings(self) -> dict[str, str]:
        path = os.pathsep.join((str(ROOT), str(self.place / "plugins")))
        return {**os.environ, "PYTHONPATH": path, "NOTIFY_SOCKET": self.notify_name}

    def start(self, listen: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.words(listen, "-n"), cwd=self.place, env=self.surroundings(), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def run_to_its_end(self, listen: str, *twistd: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(listen, *twistd), cwd=cwd or self.place, env=self.surroundings(), capture_output=True,
            text=True, timeout=PATIENCE_SECONDS, check=False,
        )

    def taken_port(self) -> int:
        holder = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(holder.close)
        return int(holder.getsockname()[1])


class ServiceManagerTests(ProcessCase):
    def test_ready_when_it_listens_stopping_when_it_goes(self) -> None:
        former = resource.getrlimit(resource.RLIMIT_CORE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, former)
        resource.setrlimit(resource.RLIMIT_CORE, (former[1], former[1]))
        process = self.start(f"unix:{self.place}/peers")
        self.assertEqual(self.told().split("\n")[0], "READY=1")
        limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
        self.assertRegex(limits, r"Max core file size +0 ")  # keys stand in a node's memory
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.connect(str(self.place / "peers"))
        with ControlClient(self.place / "data" / "control.sock") as operator:
            self.assertEqual(operator.call("status")["phase"], "waiting")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.told(), "STOPPING=1")
        self.assertEqual(process.wait(PATIENCE_SECONDS), -signal.SIGTERM)  # twistd ends by the signal it was sent
        self.assertFalse((self.place / "twistd.pid").exists())

    def test_never_ready_where_it_cannot_listen(self) -> None:
        self.run_to_its_end(f"tcp:{self.taken_port()}:interface=127.0.0.1", "-n")
        self.manager.setblocking(False)
        self.assertRaises(BlockingIOError, self.manager.recv, 4096)


class TakenPortTests(ProcessCase):
    def test_one_line_and_1(self) -> None:
        listen = f"tcp:{self.taken_port()}:interface=127.0.0.1"
        done = self.run_to_its_end(listen, "-n")
        self.assertEqual((done.returncode, done.stderr), (1, f"cannot listen on {listen}: address already in use\n"))

    def test_the_same_where_binding_takes_time(self) -> None:
        plugins = self.place / "plugins" / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (plugins / "late_endpoint.py").write_text(LATE_ENDPOINT)
        done = self.run_to_its_end("late:1", "-n")
        self.assertEqual((done.returncode, done.stderr), (1, "cannot listen on late:1: address already in use\n"))


class DaemonTests(ProcessCase):
    """``twistd qgnode`` without ``-n``: in the background, with twistd's pid file and log."""

    def test_starts_once_and_stops_by_its_pid_file(self) -> None:
        started = self.run_to_its_end("tcp:0:interface=127.0.0.1")
        self.assertEqual((started.returncode, started.stderr), (0, ""))
        self.assertEqual(self.told().split("\n")[0], "READY=1")
        pid_file = self.place / "twistd.pid"
        pid = int(pid_file.read_text())
        self.addCleanup(_end, pid)
        self._a_second_one_is_told_about_the_first(pid)
        process = os.pidfd_open(pid)
        self.addCleanup(os.close, process)
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.told(), "STOPPING=1")
        self.assertTrue(select.select([process], [], [], PATIENCE_SECONDS)[0], "it does not stop")
        self.assertFalse(pid_file.exists())

    def _a_second_one_is_told_about_the_first(self, pid: int) -> None:
        elsewhere = self.place / "elsewhere"
        elsewhere.mkdir()
        second = self.run_to_its_end("tcp:0:interface=127.0.0.1", cwd=elsewhere)
        self.assertEqual(second.returncode, 1)
        self.assertIn(f"another node runs on this data directory, pid {pid}", second.stderr.split("\n")[0])
        self.assertIn(f"pid {pid}", (elsewhere / "twistd.log").read_text())
        self.assertFalse((elsewhere / "twistd.pid").exists())


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
