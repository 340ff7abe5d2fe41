"""``make run`` as a user does it: ready, a session, a ping; then Ctrl-C, after which no process and no port is left."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.processes import end, scratch, start, until
from tests.acceptance.report import Figure, exactly


def figures() -> Iterator[Figure]:
    log = scratch() / "make-run.log"
    child = start(["make", "run"], log)
    try:
        until("make run: ready", lambda: "Ctrl-C stops" in log.read_text(encoding="utf-8"), 300)
        said = log.read_text(encoding="utf-8")
        nodes = node_processes(said)
        yield exactly("nodes running", 2, len(nodes))
        yield Figure("pings answered", "3 of 3", "3 of 3" if "3 sent, 3 answered" in said else "fewer",
                     "3 sent, 3 answered" in said)
        port = int(re.findall(r"qg://[^@\s]+@127\.0\.0\.1:(\d+)", said)[0])
        for pid in children(child.pid):
            os.kill(pid, signal.SIGINT)
        until("make run: over", lambda: child.poll() is not None, 40)
        yield exactly("nodes left after Ctrl-C", 0, len(node_processes(said)))
        yield exactly("port left after Ctrl-C", "free", "taken" if answers(port) else "free")
        places = {Path(word) for word in re.findall(r"--data (\S+)/ada ", said)}
        yield exactly("directories left after Ctrl-C", 0, sum(place.exists() for place in places))
    finally:
        end(child)


def node_processes(said: str) -> list[str]:
    """The node processes of this run, found by its own directory."""
    place = re.findall(r"--data (\S+)/ada ", said)[0]
    done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if "qgnode" in line and place in line]


def children(pid: int) -> list[int]:
    """``pid`` and what descends from it in its own session: what a terminal's Ctrl-C reaches."""
    done = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in done.stdout.splitlines()[1:]]
    found = [pid]
    for parent in found:
        found += [int(row[0]) for row in rows if int(row[1]) == parent and "qgnode" not in row[2]]
    return found


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
