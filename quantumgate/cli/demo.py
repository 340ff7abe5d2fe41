"""``make run``: two nodes on this machine, connected, and what to try with them. Ctrl-C leaves nothing behind.

Everything goes through what a user has: ``twistd qgnode`` processes and ``qgate``, each line shown as typed.
Not for: real use (``twistd -n qgnode``), or measuring (``qgate bench``).
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

READY_SECONDS = 30.0
STOP_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1

CONFIGURATION = """[node]
listen = ["tcp:0:interface=127.0.0.1"]
"""


class DemoFailed(Exception):
    """Something did not come up; ``str()`` is what the user sees."""


class DemoNode:
    """One ``twistd -n qgnode`` with a data directory of its own below ``place``."""

    def __init__(self, place: Path, name: str, extenders: list[str]) -> None:
        self.name, self.data, self.log_path = name, place / name, place / f"{name}.log"
        self._configuration = place / f"{name}.toml"
        tables = "".join(f"\n[extenders.{extender}]\n" for extender in extenders)
        self._configuration.write_text(CONFIGURATION + tables, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        twistd = Path(sys.executable).with_name("twistd")  # the one of our own environment
        options = ["--config", str(self._configuration), "--data", str(self.data)]
        return [str(twistd), "--nodaemon", "--pidfile=", "qgnode", *options]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The process, from ready to gone."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours: we stop the nodes in order
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
            )
        try:
            self._wait_until_ready()
            yield
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave the other node behind
            self._stop(self._process)

    def _wait_until_ready(self) -> None:
        last = time.monotonic() + READY_SECONDS
        while not self._listening():
            if self._process is None or self._process.poll() is not None:
                raise DemoFailed(f"node {self.name} ended:\n{self._log_end()}")
            if time.monotonic() > last:
                raise DemoFailed(f"node {self.name} is not ready after {READY_SECONDS:.0f} s:\n{self._log_end()}")
            time.sleep(0.1)

    def _listening(self) -> bool:
        done = subprocess.run(qgate_words(self, "status", "--json"), capture_output=True, text=True, check=False)
        return done.returncode == 0 and bool(json.loads(done.stdout)["listening"])

    def _log_end(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-2000:]

    @staticmethod
    def _stop(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def ask(self, *words: str) -> Any:
        """What ``qgate WORDS --json`` answers."""
        done = subprocess.run(qgate_words(self, *words, "--json"), capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailed(f"qgate {shlex.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def show(self, *words: str) -> None:
        """Run ``qgate WORDS`` before the user's eyes."""
        click.secho(f"\n$ {shown(self, *words)}", bold=True)
        done = subprocess.run(qgate_words(self, *words), check=False)
        if done.returncode:
            raise DemoFailed(f"qgate {shlex.join(words)} ended with {done.returncode}:\n{self._log_end()}")


def qgate_words(node: DemoNode, *words: str) -> list[str]:
    return [sys.executable, "-m", "quantumgate.cli.main", "--data", str(node.data), *words]


def shown(node: DemoNode, *words: str) -> str:
    """The same as a user types it."""
    tool = Path(sys.executable).with_name("qgate")
    near = os.path.relpath(tool) if tool.exists() else f"{sys.executable} -m quantumgate.cli.main"
    return f"{near} --data {node.data} {shlex.join(words)}"


def installed_extenders() -> list[str]:
    return sorted({point.name for point in importlib.metadata.entry_points(group="quantumgate.extenders")})


def _end_with_parent() -> None:
    """A node must not outlive us, however we end. Linux only; elsewhere the orderly stop has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def address_of(node: DemoNode) -> tuple[str, str]:
    """(UUID, qg address) of a running node, from its status."""
    status = node.ask("status")
    port = re.search(r"\d{4,5}", status["listening"][0])
    if not port:
        raise DemoFailed(f"node {node.name} listens on {status['listening'][0]!r}: no port in it")
    return status["uuid"], f"qg://{status['uuid']}@127.0.0.1:{port[0]}"


def introduce(ada: DemoNode, bob: DemoNode) -> None:
    """bob admits ada, ada dials bob, and both show it."""
    (ada_uuid, _), (bob_uuid, bob_address) = address_of(ada), address_of(bob)
    bob.show("access", "allow", ada_uuid)
    ada.show("connect", bob_address)
    ada.show("ping", bob_uuid, "--count", "3")
    bob.show("peers")


def tell_what_to_try(ada: DemoNode, bob: DemoNode) -> None:
    bob_uuid, _ = address_of(bob)
    click.secho("\nTwo nodes are up and hold one session. In another terminal:", bold=True)
    for node, words in ((ada, ["status"]), (ada, ["peers", "--json"]), (ada, ["ping", bob_uuid]),
                        (bob, ["extenders"]), (bob, ["access", "list"]), (ada, ["disconnect", bob_uuid])):
        click.echo(f"  {shown(node, *words)}")
    click.echo(f"\nLogs: {ada.log_path} and {bob.log_path}. Ctrl-C stops both nodes and removes everything.")


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.command()
@click.option("--once", is_flag=True, help="Stop after the ping instead of waiting for Ctrl-C.")
def demo(once: bool) -> None:
    """Start two nodes, connect them, show a ping, and wait."""
    signal.signal(signal.SIGTERM, _raise_interrupt)
    signal.signal(signal.SIGHUP, _raise_interrupt)
    place = Path(tempfile.mkdtemp(prefix="qg-run-"))  # short: a unix socket's path holds 107 bytes
    try:
        with ExitStack() as stack:
            ada, bob = (DemoNode(place, name, installed_extenders()) for name in ("ada", "bob"))
            for node in (ada, bob):
                click.echo(f"starting node {node.name} ...")
                stack.enter_context(node.running())
            introduce(ada, bob)
            if not once:
                tell_what_to_try(ada, bob)
                signal.pause()
    except KeyboardInterrupt:
        click.echo("\nstopping both nodes")
    except DemoFailed as failure:
        raise click.ClickException(str(failure)) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    demo()
