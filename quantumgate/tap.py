"""``twistd qgnode``: from the command line to a running node, and from a problem to one line and an exit code.

2 = the configuration cannot be used, 1 = the node cannot start (port or directory in use, damaged file). Not for: what
a node does (``node/``). Contract: docs/guide/operating.md.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, NoReturn, TextIO

from twisted.application.service import IService, Service
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure
from twisted.python.usage import Options as UsageOptions

from quantumgate import logs
from quantumgate.control.paths import STREAMS_NAME, control_path
from quantumgate.control.server import ControlServer
from quantumgate.control.streamsocket import StreamsSocket
from quantumgate.errors import ConfigurationError, QuantumGateError
from quantumgate.extender.registry import listed_extenders
from quantumgate.node import collector
from quantumgate.node.node import Node
from quantumgate.node.notify import READY, STOPPING, notify
from quantumgate.settings.loader import load
from quantumgate.settings.places import default_config_file
from quantumgate.settings.schema import Settings

BAD_CONFIGURATION, CANNOT_START = 2, 1
TWISTD_PID_FILE = "twistd.pid"
_log = logs.named("tap")


class Options(UsageOptions):
    """What ``twistd qgnode --help`` shows."""

    longdesc = (
        "Runs a QuantumGate node. Without --config: $XDG_CONFIG_HOME/quantumgate/quantumgate.toml if it exists, else "
        "built-in defaults. Without --data: $XDG_DATA_HOME/quantumgate. The first start makes an identity. "
        "Example: twistd -n qgnode --data ~/node1"
    )
    optParameters = [
        ["config", None, None, "The configuration, a TOML file.", os.path.expanduser],
        ["data", None, None, "The data directory: identity, pins, control socket.", os.path.expanduser],
    ]

    def postOptions(self) -> None:
        """No twistd.pid in the foreground: two nodes may be started from one directory, and our lock is better."""
        parent = getattr(self, "parent", None)
        if parent is not None and parent.get("nodaemon") and parent.get("pidfile") == TWISTD_PID_FILE:
            parent["pidfile"] = None

    @property
    def daemon(self) -> bool:
        """Whether twistd leaves the terminal before it starts the node."""
        parent = getattr(self, "parent", None)
        return parent is not None and not parent.get("nodaemon")


class NotStarted(Exception):
    """For twistd's own parent process, which waits for this before it gives the terminal back with exit code 1."""


def makeService(options: Options) -> IService:
    """A service for twistd. A configuration that cannot be used ends the process here, with one line."""
    from twisted.internet import reactor

    live_by_steady_time(reactor)
    try:
        settings, file = configuration(options["config"])
        node = Node(settings, options["data"], file=file)
    except ConfigurationError as error:
        _leave(str(error), BAD_CONFIGURATION)
    return RunningNode(node, reactor, terminal=_kept_stderr() if options.daemon else None)


def configuration(path: str | None) -> tuple[Settings, str]:
    """The settings and the name of where they come from. Raises ConfigurationError."""
    file = default_config_file() if path is None else Path(path).absolute()
    if path is None and not file.exists():
        return Settings(), "built-in defaults"
    return load(file, extenders={row.name for row in listed_extenders()}), str(file)


def live_by_steady_time(reactor: Any) -> None:
    """Timers of this process follow the monotonic clock: Twisted's would stand still while a clock set back catches up.

    Only before the first timer, for those that exist count wall-clock seconds. docs/adr/0030-timers-on-steady-time.md
    """
    if isinstance(reactor, ReactorBase) and not reactor.getDelayedCalls():
        reactor.seconds = time.monotonic


class RunningNode(Service):
    """A node and its control socket in a process of their own. ``terminal``: a daemon's way to whoever started it."""

    def __init__(self, node: Node, reactor: Any, *, terminal: TextIO | None = None) -> None:
        self.node = node
        self._terminal = terminal
        self._reactor = reactor
        self._control: ControlServer | None = None
        self._streams: StreamsSocket | None = None

    def startService(self) -> None:
        """Ends the process, with one line, where the node cannot start."""
        log = self.node.settings.log
        logs.configure(log.level, redact=log.redact)
        _raise_descriptor_limit()
        _no_core_file()
        try:
            self.node.startService()
            self._start_control()
        except (QuantumGateError, OSError) as error:
            self._cannot_start(_one_line(error))
        super().startService()  # type: ignore[no-untyped-call]
        self.node.when_ready().addCallbacks(self._ready, self._not_ready)

    def _cannot_start(self, line: str) -> NoReturn:
        if self._terminal is None:
            _leave(line, CANNOT_START)
        _log.critical("{line}", line=line)
        _say(line, self._terminal)
        raise NotStarted("the line above says why")  # SystemExit would leave twistd's parent waiting for ever

    def _start_control(self) -> None:
        data = self.node.data_directory
        path = control_path(data, self.node.settings.node.control)
        self._control = ControlServer(self.node, path, self._reactor, data)
        self._control.start()
        self._streams = StreamsSocket(self.node.services, control_path(data, str(data / STREAMS_NAME)), self._reactor)
        self._streams.start()
        self.node.streams_socket = str(self._streams.path)

    def _ready(self, _: None) -> None:
        self._let_terminal_go()
        collector.settle()
        notify(READY, f"STATUS=node {self.node.uuid}")

    def _not_ready(self, failure: Failure) -> None:
        """Binding took time and failed in the end: the reactor runs, and has no exit code of its own to give."""
        line = _one_line(failure.value)
        _say(line, self._terminal)
        if self._terminal is None:
            self._reactor.addSystemEventTrigger("after", "shutdown", os._exit, CANNOT_START)
        else:  # twistd's parent went with 0 long ago; what is left to do is to remove the pid file, which twistd does
            _log.critical("{line}", line=line)
        self._reactor.stop()

    def _let_terminal_go(self) -> None:
        """A terminal that a daemon holds could not be closed."""
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            terminal.close()

    def stopService(self) -> Deferred[Any]:
        """Fires when every peer was told and the data directory is free."""
        notify(STOPPING)
        super().stopService()  # type: ignore[no-untyped-call]
        sockets = [one.stop() for one in (self._control, self._streams) if one is not None]
        self._control = self._streams = None
        return DeferredList(sockets).addCallback(lambda _: self.node.stopService())


def _raise_descriptor_limit() -> None:
    """As many sockets as the system lets us have: a drained one costs a descriptor too. [A33]"""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        _log.info("the limit of open files stays as it is")


def _no_core_file() -> None:
    """The memory of a node that crashes holds keys, those in the crypto library's own objects among them."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _one_line(error: BaseException | None) -> str:
    text, advice = str(error), getattr(error, "advice", "")
    if isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    return " ".join((f"{text} ({advice})" if advice else text).split())


def _say(line: str, terminal: TextIO | None = None) -> None:
    """To the real stderr: twistd sends the other one to the log."""
    out = terminal or sys.__stderr__
    if out is not None:
        print(line, file=out, flush=True)


def _kept_stderr() -> TextIO | None:
    """A copy of stderr that becoming a daemon does not turn into /dev/null; None where there is no stderr."""
    try:
        return os.fdopen(os.dup(2), "w")
    except OSError:
        return None


def _leave(line: str, code: int) -> NoReturn:
    _say(line)
    raise SystemExit(code)
