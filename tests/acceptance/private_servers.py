"""Servers that people run, each with a directory and a port of its own: nginx, sshd, vsftpd, dnsmasq.

All on ADDRESS, all ended with their stack. Needs root (sshd and vsftpd do) and
``apt install nginx-light openssh-server vsftpd dnsmasq-base``. Not for: what is fetched from them.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.installed import free_port
from tests.acceptance.processes import end, start, until

ADDRESS = "127.0.0.2"
"""Not the proxy's 127.0.0.1: what goes to that host Dante's client never sends through the proxy."""

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NGINX = """
daemon off; worker_processes 1; user root; pid {place}/pid; error_log {place}/errors;
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; image/png png; }}
    access_log {place}/access; sendfile on; keepalive_requests 100000;
    client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
    uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
    server {{ listen {address}:{port} backlog=1024; root {place}/site; location /arrived {{ return 204; }} }}
}}
"""
SSHD = """
Port {port}
ListenAddress {address}
HostKey {place}/host
AuthorizedKeysFile {place}/user.pub
PidFile none
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin prohibit-password
"""
VSFTPD = """
listen=YES
background=NO
listen_address={address}
listen_port={port}
anonymous_enable=YES
no_anon_password=YES
anon_root={place}/site
write_enable=YES
anon_upload_enable=YES
anon_umask=022
connect_from_port_20=NO
secure_chroot_dir={place}/empty
seccomp_sandbox=NO
xferlog_enable=YES
log_ftp_protocol=YES
vsftpd_log_file={place}/said
"""


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def _program(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if not found:
        raise RuntimeError(f"{name} is not installed")
    return found


class Server:
    """One of them: its ``place``, its ``port``, and what it ``said``."""

    def __init__(self, folder: Path, name: str, configuration: str) -> None:
        self.place, self.port = folder / name, free_port()
        (self.place / "site").mkdir(parents=True)
        (self.place / "empty").mkdir(mode=0o755)
        for each in (folder, self.place):
            each.chmod(0o755)  # vsftpd reads as nobody
        self.file = self.place / "configuration"
        self.file.write_text(configuration.format(place=self.place, port=self.port, address=ADDRESS), encoding="utf-8")

    def run(self, stack: ExitStack, *words: str) -> None:
        """Until its port answers."""
        log = self.place / "output"
        child = start([_program(words[0]), *words[1:]], log)
        stack.callback(end, child)
        until(f"{words[0]}: {self.port} answers", lambda: child.poll() is not None or answers(self.port, ADDRESS))
        if child.poll() is not None:
            raise RuntimeError(f"{words[0]} ended: {log.read_text()[-1000:]}")

    def said(self, name: str = "output") -> str:
        return (self.place / name).read_text(encoding="utf-8", errors="replace")


def nginx(folder: Path, stack: ExitStack) -> Server:
    """Serves ``place/site``; requests in ``access``; ``/arrived?...`` is answered with nothing."""
    server = Server(folder, "nginx", NGINX)
    server.run(stack, "nginx", "-p", str(server.place), "-e", str(server.place / "errors"), "-c", str(server.file))
    return server


def sshd(folder: Path, stack: ExitStack) -> Server:
    """Admits whoever has ``place/user``, as root."""
    server = Server(folder, "sshd", SSHD)
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(server.place / name)]
        subprocess.run(words, check=True, timeout=20)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server.run(stack, "sshd", "-D", "-e", "-f", str(server.file))
    return server


def vsftpd(folder: Path, stack: ExitStack) -> Server:
    """Anonymous; ``site/up`` takes files; what was said in FTP is in ``said``."""
    server = Server(folder, "vsftpd", VSFTPD)
    (server.place / "site" / "up").mkdir()
    (server.place / "site" / "up").chmod(0o777)
    server.run(stack, "vsftpd", str(server.file))
    return server


def dnsmasq(folder: Path, stack: ExitStack, name: str, address: str) -> Server:
    """Knows one name."""
    server = Server(folder, "dnsmasq", "")
    words = ["--no-daemon", f"--port={server.port}", f"--listen-address={ADDRESS}", "--bind-interfaces", "--no-resolv"]
    words += ["--no-hosts", f"--address=/{name}/{address}", "--log-queries=extra", "--log-facility=-"]
    server.run(stack, "dnsmasq", f"--conf-file={server.file}", *words)
    return server
