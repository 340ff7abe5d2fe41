"""A resolver that answers one process alone and writes down everybody who asks; and where it is in /etc/resolv.conf.

It sees who asks by the socket that the question came from, while that process still waits for the answer. Linux, and
root for port 53 and for the mount namespace. Not for: names of the Internet, which it does not know.
"""

from __future__ import annotations

import os
import random
import re
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.acceptance.private_servers import ADDRESS

SUFFIX = b".inside.test"
A = 1
LOOKS = 20
NO_ERROR, NO_SUCH_NAME, REFUSED = 0, 3, 5


@dataclass(frozen=True)
class Question:
    """Who asked for what. ``pid`` 0 = the process was gone before it could be found."""

    pid: int
    program: str
    name: str


class Resolver:
    """``with`` it: it runs, at some address of 127.0.0.0/8.

    Names below SUFFIX are the private servers', for the process given to ``answer`` alone; everybody else is refused.
    Every answer takes ``delay_seconds``.
    """

    def __init__(self, folder: Path) -> None:
        self.answers = 0
        self.delay_seconds = 0.0
        self.asked: list[Question] = []
        self._file = folder / "resolv.conf"
        self._over = threading.Event()

    def __enter__(self) -> Resolver:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = f"127.{random.randrange(64, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        self._socket.bind((self.address, 53))
        self._socket.settimeout(0.2)
        self._file.write_text(f"nameserver {self.address}\noptions timeout:2 attempts:2\n", encoding="ascii")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    @property
    def before(self) -> tuple[str, ...]:
        """What stands in front of a command whose /etc/resolv.conf names this resolver."""
        bind = f'mount --bind {self._file} /etc/resolv.conf && exec "$@"'
        return ("unshare", "--mount", "--propagation", "private", "sh", "-c", bind, "sh")

    def answer(self, pid: int) -> None:
        """This process from now on; what was asked before is forgotten."""
        self.answers = pid
        self.asked.clear()

    def by_others(self) -> list[Question]:
        """Questions of all processes but the one that is answered."""
        return [one for one in list(self.asked) if one.pid != self.answers]

    def summary(self) -> dict[str, int]:
        """How many questions each program put."""
        return dict(Counter(one.program for one in list(self.asked)))

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                query, source = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            name, end = name_in(query)
            pid = owner_of(source, self.answers)
            self.asked.append(Question(pid, _program(pid), name.decode("ascii", "replace")))
            answer = self._answer(query, name, end, pid)
            threading.Timer(self.delay_seconds, self._socket.sendto, (answer, source)).start()

    def _answer(self, query: bytes, name: bytes, end: int, pid: int) -> bytes:
        known, kind = name.lower().endswith(SUFFIX), int.from_bytes(query[end : end + 2])
        code = REFUSED if pid != self.answers else NO_ERROR if known else NO_SUCH_NAME
        record = b""
        if code == NO_ERROR and kind == A:
            record = b"\xc0\x0c" + b"\0\1\0\1" + bytes(4) + b"\0\4" + socket.inet_aton(ADDRESS)
        head = query[:2] + (0x8180 | code).to_bytes(2) + b"\0\1" + (b"\0\1" if record else b"\0\0") + bytes(4)
        return head + query[12 : end + 4] + record


def name_in(query: bytes) -> tuple[bytes, int]:
    """The name of the first question, and where it ends."""
    labels, at = [], 12
    while at < len(query) and query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]])
        at += 1 + query[at]
    return b".".join(labels), at + 1


def owner_of(source: tuple[str, int], likely: int) -> int:
    """The process whose UDP socket has this address and port, 0 where there is none; ``likely`` is looked at first.

    /proc may leave out what stands still while things around it come and go, so it is looked at several times.
    """
    for _ in range(LOOKS):
        inode = _inode_of(source)
        others = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
        if inode and (found := next((pid for pid in (likely, *others) if pid and _holds(pid, inode)), 0)):
            return found
    return 0


def _inode_of(source: tuple[str, int]) -> str:
    own = f"{int.from_bytes(socket.inet_aton(source[0]), 'little'):08X}:{source[1]:04X}", f"00000000:{source[1]:04X}"
    rows = [line.split() for line in Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]]
    found = {row[1]: row[9] for row in rows}
    return next((found[place] for place in own if place in found), "")


def _holds(pid: int, inode: str) -> bool:
    folder, wanted = f"/proc/{pid}/fd", f"socket:[{inode}]"
    try:
        return any(_target(f"{folder}/{one}") == wanted for one in os.listdir(folder))
    except OSError:
        return False


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _program(pid: int) -> str:
    try:
        return re.sub(r"\s+", " ", Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip())
    except OSError:
        return "gone"
