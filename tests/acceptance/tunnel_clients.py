"""``make run``, and through its three gateways: ssh by netcat, FTP both ways, DNS over UDP, by real clients.

Active FTP (BIND) is tnftp and DNS (UDP ASSOCIATE) is dig, both below Dante's ``socksify``. Names are looked up at the
exit alone (``resolver.py``). Needs root and ``apt install openssh-server openssh-client netcat-openbsd vsftpd tnftp
dante-client dnsmasq-base bind9-dnsutils curl``.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.cost import Cost
from tests.acceptance.demonetwork import MakeRun
from tests.acceptance.private_servers import ADDRESS, dnsmasq, sshd, vsftpd
from tests.acceptance.processes import discard, scratch
from tests.acceptance.report import Figure, exactly, noted
from tests.acceptance.resolver import Resolver
from tests.acceptance.socks5 import written

BYTES = 100_000_000
HOST = "host.inside.test"
KNOWN_NAME, KNOWN_ADDRESS = "found.example", "192.0.2.77"
QUESTION = bytes.fromhex("123401000001000000000000") + b"\5found\7example\0\0\1\0\1"
DANTE = """
resolveprotocol: fake
route {{
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: 127.0.0.1 port = {port}
    protocol: tcp udp
    proxyprotocol: socks_v5
    method: none
    command: connect bind bindreply udpassociate udpreply
}}
"""
DANTE_ALWAYS = ("SOCKS_AUTOADD_LANROUTES=no", "SOCKS_DIRECTROUTE_FALLBACK=no")
"""Else it connects directly to 127.0.0.0/8, and wherever the proxy fails."""


class Scene:
    """The resolver, a file with its checksum, and the network that ``make run`` makes."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place, self.stack = place, stack
        self.checksum = written(place / "file", BYTES)
        self.resolver = stack.enter_context(Resolver(place))
        self.network = stack.enter_context(MakeRun(place / "make-run.log", before=self.resolver.before))
        self.resolver.answer(self.network.pids["exit"])
        self.ftp = vsftpd(place, stack)
        shutil.copy(place / "file", self.ftp.place / "site" / "file")
        self.dante = place / "dante.conf"
        self.dante.write_text(DANTE.format(port=self.network.port), encoding="ascii")

    def run(self, words: Sequence[str], *, entry: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """A command where /etc/resolv.conf names our resolver; Dante finds its configuration."""
        with (entry or Path("/dev/null")).open("rb") as source:
            return subprocess.run(
                [*self.resolver.before, "env", f"SOCKS_CONF={self.dante}", *DANTE_ALWAYS, f"HOME={self.place}", *words],
                stdin=source, capture_output=True, timeout=120, check=False, cwd=self.place,
            )  # fmt: skip

    def take(self, name: str) -> str:
        """The checksum of a file that a command left, which then goes."""
        path = self.place / name
        found = _digest(path.read_bytes()) if path.exists() else "nothing"
        path.unlink(missing_ok=True)
        return found

    def calls(self) -> int:
        """Requests that the proxy has had."""
        return int(self.network.figures()["connections_total"])


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            here = Scene(place, stack)
            for part in (secure_shell, passive_ftp, active_ftp, dns):
                yield from part(here)
            yield exactly("failures that the proxy counts", {}, here.network.figures()["failures"])
            yield exactly("look-ups of the near side, the gateways and the programs", [], here.resolver.by_others()[:3])
    finally:
        discard(place)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def secure_shell(here: Scene) -> Iterator[Figure]:
    """A command, and 100 MB each way."""
    server = sshd(here.place, here.stack)
    options = ["-F", "none", "-i", f"{server.place}/user", "-p", str(server.port), "-o", "IdentitiesOnly=yes"]
    options += ["-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={here.place}/known"]
    options += ["-o", f"ProxyCommand=nc -X 5 -x 127.0.0.1:{here.network.port} %h %p", "-o", "LogLevel=ERROR"]
    ssh = ["ssh", *options, f"root@{HOST}"]
    before = here.calls()
    done = here.run([*ssh, "echo $((6 * 7))"])
    yield exactly("ssh by nc -X 5: a command's answer", b"42\n", done.stdout or done.stderr)
    cost = Cost(here.network.pids)
    done = here.run([*ssh, f"cat {here.place}/file"])
    yield noted("ssh: 100 MB back", cost.said(BYTES))
    yield exactly("ssh: 100 MB back, same checksum", here.checksum, _digest(done.stdout))
    done = here.run([*ssh, "sha256sum"], entry=here.place / "file")
    yield exactly("ssh: 100 MB there, same checksum", here.checksum, done.stdout.decode().split()[0])
    yield exactly("ssh: each went through the proxy", 3, here.calls() - before)


def passive_ftp(here: Scene) -> Iterator[Figure]:
    """curl speaks SOCKS itself; tnftp does not, Dante puts it below its calls."""
    server, before = here.ftp, here.calls()
    done = here.run(["curl", "-sS", "-x", here.network.proxy, f"ftp://{HOST}:{server.port}/file"])
    yield exactly("FTP, passive, curl: 100 MB, same checksum", here.checksum, _digest(done.stdout))
    here.run(["socksify", "tnftp", "-p", "-o", "passive", f"ftp://{HOST}:{server.port}/file"])
    yield exactly("FTP, passive, socksify tnftp: 100 MB, same checksum", here.checksum, here.take("passive"))
    yield exactly("FTP, passive: each control and data connection went through the proxy", 4, here.calls() - before)


def active_ftp(here: Scene) -> Iterator[Figure]:
    """The server connects to a port of the exit. By address: below a name Dante tells BIND a wrong host."""
    server, before = here.ftp, here.calls()
    where = f"ftp://{ADDRESS}:{server.port}"
    done = here.run(["socksify", "tnftp", "-A", "-o", "active", f"{where}/file"])
    said = f"; {done.stderr.decode()[-200:]}" if done.returncode else ""
    yield exactly("FTP, active (BIND), socksify tnftp -A: 100 MB back, same checksum", here.checksum,
                  here.take("active") + said)
    here.run(["socksify", "tnftp", "-A", "-u", f"{where}/up/there", str(here.place / "file")])
    stored = (server.place / "site" / "up" / "there").read_bytes()
    yield exactly("FTP, active (BIND), socksify tnftp -A: 100 MB there, same checksum", here.checksum, _digest(stored))
    ports = [int(port) for port in re.findall(r'"EPRT \|1\|127\.0\.0\.1\|(\d+)\|"', server.said("said"))]
    yield exactly("FTP, active: ports that the client told, the exit's", 2, len(ports))
    yield exactly("FTP, active: each control and data connection went through the proxy", 4, here.calls() - before)


def dns(here: Scene) -> Iterator[Figure]:
    """dig sends by sendmmsg, which Dante 1.4 does not know: strace takes that call away, and dig falls back.

    netcat needs no such thing; it names the server, which the exit looks up for each datagram.
    """
    server = dnsmasq(here.place, here.stack, KNOWN_NAME, KNOWN_ADDRESS)
    before, sent = here.calls(), here.network.figures()["bytes_sent"]
    without = [word for call in ("sendmmsg", "recvmmsg") for word in ("-e", f"inject={call}:error=ENOSYS")]
    strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=sendmmsg,recvmmsg", *without]
    ask = ["dig", "+short", "+tries=1", "+notcp", f"@{ADDRESS}", "-p", str(server.port), KNOWN_NAME]
    done = here.run([*strace, "socksify", *ask])
    yield exactly("DNS by UDP ASSOCIATE, socksify dig: the answer", KNOWN_ADDRESS, done.stdout.decode().strip())
    question = here.place / "question"
    question.write_bytes(QUESTION)
    done = here.run(["socksify", "nc", "-u", "-w", "2", HOST, str(server.port)], entry=question)
    yield exactly("DNS by UDP ASSOCIATE, socksify nc -u, server by name: the answer's address", KNOWN_ADDRESS,
                  ".".join(map(str, done.stdout[-4:])))
    asked = server.said().count(f"query[A] {KNOWN_NAME} from")
    yield exactly("DNS by UDP ASSOCIATE: associations, questions that dnsmasq had", (2, 2),
                  (here.calls() - before, asked))
    counted = here.network.figures()["bytes_sent"] - sent
    yield exactly("DNS by UDP ASSOCIATE: the proxy counts the datagrams' bytes", True, counted > 2 * len(QUESTION))
