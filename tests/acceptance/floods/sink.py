"""A bare TCP sink, for control runs: takes every connection, throws away what comes, closes when the other side does.

    python -m tests.acceptance.floods.sink HOST PORT
"""

from __future__ import annotations

import resource
import select
import socket
import sys

BACKLOG = 4096
READ_BYTES = 1 << 18


class Sink:
    """All of its connections, in one thread."""

    def __init__(self, host: str, port: int) -> None:
        self._listening = socket.create_server((host, port), backlog=BACKLOG)
        self._listening.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listening, select.EPOLLIN)
        self._lines: dict[int, socket.socket] = {}

    def run(self) -> None:
        """Until somebody ends the process."""
        while True:
            for number, _ in self._poll.poll():
                if number == self._listening.fileno():
                    self._accept()
                else:
                    self._read(number)

    def _accept(self) -> None:
        try:
            while True:
                line, _ = self._listening.accept()
                line.setblocking(False)
                self._lines[line.fileno()] = line
                self._poll.register(line, select.EPOLLIN)
        except BlockingIOError:
            return

    def _read(self, number: int) -> None:
        try:
            if self._lines[number].recv(READ_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._poll.unregister(number)
        self._lines.pop(number).close()


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Sink(sys.argv[1], int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
