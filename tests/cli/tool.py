"""Runs qgate in this process and gives its exit code and what it wrote."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from quantumgate.cli.main import run


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


def qgate(*arguments: str, out: io.StringIO | None = None) -> Outcome:
    """One call. Blocks, like the real one."""
    out, err = out or io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    return Outcome(code, out.getvalue(), err.getvalue())


def qgate_beside(*arguments: str, out: io.StringIO | None = None) -> Deferred[Outcome]:
    """The same in a thread, for tests whose reactor is the node's."""
    return deferToThread(qgate, *arguments, out=out)
