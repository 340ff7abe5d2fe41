"""A PostgreSQL server for tests: made at the first use, on a unix socket alone, gone with the process.

PostgreSQL refuses to run as root: then it runs as ``postgres`` or ``nobody``. What makes it run here is the package
``postgresql`` of Debian (no cluster, no service is needed: only its programs).
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import quote

WHAT_MAKES_IT_RUN = "no pg_ctl here: apt-get install postgresql (Debian), or put PostgreSQL's bin directory on the PATH"
REQUIRED = "QUANTUMGATE_POSTGRESQL"
"""Set to ``required`` where a run without these tests would be a lie (.ci/run)."""

WAIT_SECONDS = 60
_spaces = count()


def pg_ctl() -> Path | None:
    """PostgreSQL's own tool, from the PATH or where Debian puts it; the newest."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1]
    named = shutil.which("pg_ctl")
    return None if named is None else Path(named).resolve()


def skipped() -> str | None:
    """Why these tests cannot run here; None = they can, or must."""
    return None if pg_ctl() is not None or os.environ.get(REQUIRED) == "required" else WHAT_MAKES_IT_RUN


class Server:
    """One cluster in a directory of its own. Not ``durable``: it need not outlive a crash of this machine."""

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        tool = pg_ctl()
        if tool is None:
            raise FileNotFoundError(WHAT_MAKES_IT_RUN)
        self._bin = tool.parent
        self.place = Path(tempfile.mkdtemp(prefix="qg-pg-", dir="/tmp"))  # short: unix sockets hold 107 bytes
        self._user = self._somebody()
        if self._user is not None:
            os.chown(self.place, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "qg", "-D", str(self.data))
        self.start()

    @staticmethod
    def _somebody() -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None
        known = {one.pw_name: one for one in pwd.getpwall()}
        return known.get("postgres") or known["nobody"]

    @property
    def data(self) -> Path:
        return self.place / "data"

    def start(self) -> None:
        """Waits until it answers."""
        options = f"-k {self.place} -c listen_addresses='' -c max_connections=20 -c shared_buffers=16MB"
        options += "" if self._durable else " -c fsync=off -c full_page_writes=off"
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.place / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """``immediate`` is a crash."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def remove(self) -> None:
        """The server and all that was in it."""
        try:
            self.stop("immediate")
        except subprocess.SubprocessError:
            pass  # it was stopped already
        shutil.rmtree(self.place, ignore_errors=True)

    def space(self, name: str = "") -> str:
        """The URL of a fresh schema."""
        name = name or f"space_{next(_spaces)}"
        self.sql(f"CREATE SCHEMA {name}")
        return self.url(name)

    def url(self, schema: str) -> str:
        """Where a schema is."""
        return f"postgresql://qg@/postgres?host={quote(str(self.place))}&options={quote(f'-csearch_path={schema}')}"

    def sql(self, statement: str) -> str:
        """Through psql, as its superuser."""
        return self._run("psql", "-h", str(self.place), "-U", "qg", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1",
                         "-c", statement)

    def _run(self, program: str, *arguments: str) -> str:
        who = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        said = None if program != "pg_ctl" else subprocess.DEVNULL  # its server would hold a pipe open for ever
        done = subprocess.run(
            [str(self._bin / program), *arguments], cwd=self.place, env={"LC_ALL": "C.UTF-8"}, text=True,
            stdin=subprocess.DEVNULL, stdout=said or subprocess.PIPE, stderr=said or subprocess.STDOUT,
            timeout=WAIT_SECONDS, check=True, **who,  # type: ignore[call-overload]
        )
        return done.stdout or ""


@cache
def server() -> Server:
    """The one of this process."""
    made = Server()
    atexit.register(made.remove)
    return made
