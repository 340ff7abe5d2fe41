"""Runs qgate in this process and gives its exit code and what it wrote."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from quantumgate.cli.main import run
from quantumgate.control.paths import SOCKET_NAME
from quantumgate.control.server import ControlServer
from tests.control.fakenode import FakeNode, short_directory


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, all of it, as one JSON document."""
        return msgspec.json.decode(self.out)


class Terminal(io.StringIO):
    """A stdout at which a person looks."""

    def isatty(self) -> bool:
        return True


class ServedCase(TestCase):
    """A node that keeps the law of ``control/api.py``, behind a real socket; every call begins with ``words``."""

    words: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.data, self.node = short_directory(self), FakeNode()
        server = ControlServer(self.node, self.data / SOCKET_NAME, reactor, self.data)
        server.start()
        self.addCleanup(server.stop)

    async def qgate(self, *arguments: str, code: int = 0) -> Outcome:
        """One call, which ends with this code."""
        outcome = await qgate_beside(*self.words, *arguments, "--data", str(self.data))
        self.assertEqual(outcome.code, code, outcome)
        return outcome


def qgate(*arguments: str, out: io.StringIO | None = None) -> Outcome:
    """One call. Blocks, like the real one."""
    out, err = out or io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    return Outcome(code, out.getvalue(), err.getvalue())


def qgate_beside(*arguments: str, out: io.StringIO | None = None) -> Deferred[Outcome]:
    """The same in a thread, for tests whose reactor is the node's."""
    return deferToThread(qgate, *arguments, out=out)
