"""A web site that knows nothing of QuantumGate, served over it: twistd, twist, qgate forward and expose as processes.

Real processes and sockets, for they are the thing itself; every wait has an end, and nothing polls.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO

from quantumgate.control.client import ControlClient
from tests.managed import PATIENCE_SECONDS, ManagedCase

ROOT = Path(__file__).parents[2]
NODE = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "qgnode"]
TWIST = [sys.executable, "-c", "from twisted.application.twist._twist import Twist; Twist.main()", "--log-format=text"]
QGATE = [sys.executable, "-m", "quantumgate.cli.main"]
REFUSED = (urllib.error.URLError, ConnectionError)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])


def line_with(pipe: IO[bytes], words: str) -> str:
    """Reads up to the line that holds ``words``, and not a moment longer than our patience."""
    end, buffered = time.monotonic() + PATIENCE_SECONDS, b""
    while True:
        if not select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TimeoutError(f"no {words!r} in {buffered.decode()!r}")
        piece = os.read(pipe.fileno(), 1)
        if not piece:
            raise EOFError(f"no {words!r} in {buffered.decode()!r}")
        buffered += piece
        if piece == b"\n" and words in (line := buffered.decode().splitlines()[-1]):
            return line


class ServiceProcessCase(ManagedCase):
    """Node ``server`` admits whom it is told to; node ``client`` is a stranger at first."""

    def setUp(self) -> None:
        super().setUp()
        # a shell's background job ignores SIGINT, and so would the programs that it starts: they are to obey Ctrl-C
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.default_int_handler))
        self.port = free_port()
        self.server = self.node("server", f'listen = ["tcp:{self.port}:interface=127.0.0.1"]')
        self.client = self.node("client", "listen = []")

    def data(self, name: str) -> Path:
        """As a node of this user finds it without being told."""
        return self.place / name / "quantumgate"

    def run_process(self, words: list[str], name: str) -> subprocess.Popen[bytes]:
        """In the surroundings of that node's user."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(self.place / name),
                       "NOTIFY_SOCKET": self.notify_name, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(words, cwd=self.place, env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def node(self, name: str, listen: str) -> subprocess.Popen[bytes]:
        config = self.place / f"{name}.toml"
        config.write_text(f"[node]\n{listen}\n")
        process = self.run_process([*NODE, "--config", str(config), "--data", str(self.data(name))], name)
        while not self.told().startswith("READY=1"):
            pass
        for pipe in (process.stdout, process.stderr):  # so that the node never waits for a reader of its log
            assert pipe is not None
            threading.Thread(target=pipe.read, daemon=True).start()
        return process

    def asked(self, name: str, command: str, **arguments: object) -> dict[str, str]:
        with ControlClient(self.data(name) / "control.sock", PATIENCE_SECONDS) as operator:
            answer: dict[str, str] = operator.call(command, **arguments)
            return answer

    def forward(self) -> tuple[subprocess.Popen[bytes], str]:
        address = f"qg://{self.asked('server', 'status')['uuid']}@127.0.0.1:{self.port}"
        process = self.run_process([*QGATE, "forward", "0", f"{address}:web"], "client")
        assert process.stdout is not None
        return process, "http://" + line_with(process.stdout, "leads to service web").split()[0] + "/index.html"

    def fetched(self, url: str) -> bytes:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return bytes(answer.read())


class WebSiteTests(ServiceProcessCase):
    def test_refused_admitted_and_again_after_a_restart(self) -> None:
        site = self.place / "site"
        site.mkdir()
        page = os.urandom(300_000)
        (site / "index.html").write_bytes(page)
        web = self.run_process([*TWIST, "web", "--path", str(site), "--listen", "qg:service=web"], "server")
        assert web.stdout is not None
        line_with(web.stdout, "service web is offered by the node")
        forward, url = self.forward()
        assert forward.stderr is not None

        self.assertRaises(REFUSED, self.fetched, url)
        self.assertIn("does not admit", line_with(forward.stderr, "qgate:"))

        self.asked("server", "access.allow", uuid=self.asked("client", "status")["uuid"])
        self.assertEqual(self.fetched(url), page)

        streams = Path(self.asked("server", "streams")["path"])
        self.assertEqual((streams.parent, streams.stat().st_mode & 0o777), (self.data("server"), 0o600))
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(PATIENCE_SECONDS)
        self.assertFalse(streams.exists())
        line_with(web.stdout, "the node is gone; service web waits for it")
        self.assertRaises(REFUSED, self.fetched, url)
        self.server = self.node("server", f'listen = ["tcp:{self.port}:interface=127.0.0.1"]')
        line_with(web.stdout, "service web is offered by the node")
        self.assertEqual(self.fetched(url), page)

        forward.send_signal(signal.SIGINT)
        self.assertEqual(forward.wait(PATIENCE_SECONDS), 0)

    def cut_off(self, listener: socket.socket, expose: subprocess.Popen[bytes], port: int) -> None:
        """The program that serves is killed in the middle: at the far end that is no end of the data."""
        with socket.create_connection(("127.0.0.1", port)) as user:
            user.settimeout(PATIENCE_SECONDS)
            service, _ = listener.accept()
            with service:
                service.sendall(b"half of it")
                self.assertEqual(user.recv(4096), b"half of it")
                expose.kill()
                self.assertRaises(ConnectionResetError, user.recv, 4096)

    def test_expose_says_who_is_there(self) -> None:
        own = self.asked("client", "status")["uuid"]
        self.asked("server", "access.allow", uuid=own)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(PATIENCE_SECONDS)
            target = f"127.0.0.1:{listener.getsockname()[1]}"
            expose = self.run_process([*QGATE, "expose", "web", target, "--to", own, "--proxy-protocol"], "server")
            assert expose.stdout is not None
            line_with(expose.stdout, f"service web is offered to {own}")
            again = self.run_process([*QGATE, "expose", "web", target], "server")
            self.assertIn("the service web is offered already", again.communicate(timeout=PATIENCE_SECONDS)[1].decode())
            self.assertEqual(again.returncode, 1)
            _, url = self.forward()
            with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))) as user:
                user.sendall(b"question")
                user.shutdown(socket.SHUT_WR)
                service, _ = listener.accept()
                with service:
                    service.settimeout(PATIENCE_SECONDS)
                    said = b"".join(iter(lambda: service.recv(4096), b""))
                    service.sendall(b"answer")
                user.settimeout(PATIENCE_SECONDS)
                self.assertEqual(b"".join(iter(lambda: user.recv(4096), b"")), b"answer")
            self.cut_off(listener, expose, int(url.split(":")[2].split("/")[0]))
        self.assertTrue(said.startswith(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11"))
        self.assertTrue(said.endswith(b"\xe0\x00\x24" + own.encode() + b"question"))
