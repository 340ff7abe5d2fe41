"""``make run``, and through its three gateways: 10,000 files by curl, 1 GiB, 1,000 streams in a second, Chromium.

All names are looked up at the exit: a resolver that answers the exit alone counts who asks, and asks of anybody else
fail the point. Needs root, and curl, chromium, nginx, strace (``apt install curl chromium nginx-light strace``). Other
programs are in ``tunnel_clients.py``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.cost import Cost
from tests.acceptance.demonetwork import MakeRun
from tests.acceptance.page import RESOURCES, write_page
from tests.acceptance.private_servers import nginx
from tests.acceptance.processes import discard, scratch, until
from tests.acceptance.report import Figure, at_least, at_most, exactly, noted
from tests.acceptance.resolver import Resolver
from tests.acceptance.socks5 import fetch_all, written

FILES, AT_ONCE = 10_000, 100
SMALLEST_BYTES, LARGEST_BYTES = 1_000, 20_000
BIG_BYTES = 1 << 30
STREAMS = 1000
EACH = ("--parallel-immediate", "-H", "Connection: close")
"""Without the first word curl 7 makes one new connection after the other, whatever it is told."""

LOOKUP_SECONDS = 0.3
LOG_INS = 40
HOST = "web.inside.test"
SCREENSHOT = "chromium.png"
CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-dev-shm-usage", "--window-size=900,700", "--timeout=60000",
)  # fmt: skip


class Scene:
    """The resolver, the web site, and the network that ``make run`` makes."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place = place
        self.resolver = stack.enter_context(Resolver(place))
        self.web = nginx(place, stack)
        self.network = stack.enter_context(MakeRun(place / "make-run.log", before=self.resolver.before))
        self.resolver.answer(self.network.pids["exit"])

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.web.port}/{path}"

    def run(self, words: Sequence[str], seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """A command where /etc/resolv.conf names our resolver."""
        command = [*self.resolver.before, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)

    def curl(self, *words: str, proxied: bool = True) -> subprocess.CompletedProcess[str]:
        proxy = ("-x", self.network.proxy) if proxied else ()
        return self.run(["curl", "-sS", "--no-progress-meter", "-f", "-m", "600", *proxy, *words])


def figures() -> Iterator[Figure]:
    place = scratch()
    try:
        with ExitStack() as stack:
            here = Scene(place, stack)
            yield exactly("gateways of the first circuit", 3, len(here.network.paths()[0]))
            for part in (small_files, large_file, short_streams, log_ins, browser, looked_up):
                yield from part(here)
    finally:
        discard(place)


# -- files ---------------------------------------------------------------------------------------------------------


def small_files(here: Scene) -> Iterator[Figure]:
    """A hundred at a time, over connections that are used again, and with a connection for each."""
    folder = here.web.place / "site"
    step = (LARGEST_BYTES - SMALLEST_BYTES) / FILES
    sums = [written(folder / f"f{number:05d}", int(SMALLEST_BYTES + step * number)) for number in range(FILES)]
    size = sum((folder / f"f{number:05d}").stat().st_size for number in range(FILES))
    for name, more in (("kept alive", ()), ("a connection each", EACH)):
        before, cost = here.network.figures()["connections_total"], Cost(here.network.pids)
        out = here.place / "out"
        out.mkdir()
        parallel = ("--parallel", "--parallel-max", str(AT_ONCE), *more, "-o", f"{out}/#1")
        done = here.curl(*parallel, here.url(f"f[00000-{FILES - 1:05d}]"))
        cost_said = cost.said(size)
        same = sum(_digest(out / f"{number:05d}") == sums[number] for number in range(FILES))
        what = f"curl, {FILES:,} files, {AT_ONCE} at a time, {name}"
        yield exactly(f"{what}: fetched, same checksum", ("", FILES), (done.stderr[-300:], same))
        calls = here.network.figures()["connections_total"] - before
        if more:
            yield exactly(f"{what}: SOCKS connections", FILES, calls)
        yield noted(what, f"{cost_said}; {calls:,} SOCKS connections")
        shutil.rmtree(out)
    yield exactly("failures that the proxy counts", {}, here.network.figures()["failures"])


def large_file(here: Scene) -> Iterator[Figure]:
    checksum = written(here.web.place / "site" / "big", BIG_BYTES)
    cost, out = Cost(here.network.pids), here.place / "big"
    done = here.curl("-o", str(out), here.url("big"))
    cost_said = cost.said(BIG_BYTES)
    yield exactly("curl, 1 GiB: fetched, same checksum", (0, True), (done.returncode, _digest(out) == checksum))
    yield noted("curl, 1 GiB", cost_said)
    out.unlink()


def _digest(path: Path) -> str:
    if not path.exists():
        return "missing"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- streams -------------------------------------------------------------------------------------------------------


def short_streams(here: Scene) -> Iterator[Figure]:
    """Opened as fast as one program can; each asks for one file and is answered. Lines are there the second time."""
    size = (here.web.place / "site" / "f05000").stat().st_size
    for name, host, wait in (
        ("at first", HOST, 0.0), ("again", HOST, 0.0),
        (f"a look-up takes {LOOKUP_SECONDS} s", HOST, LOOKUP_SECONDS),
        (f"a look-up takes {LOOKUP_SECONDS} s, a name each", f"n#{HOST}", LOOKUP_SECONDS),
    ):  # fmt: skip
        here.resolver.delay_seconds = wait
        cost = Cost(here.network.pids)
        done = asyncio.run(fetch_all(here.network.port, (host, here.web.port), "f05000", size, STREAMS, STREAMS))
        what = f"{STREAMS:,} short streams, {name}"
        yield at_most(f"{what}: seconds in which all were started", 1.0, done.started_seconds)
        yield exactly(f"{what}: reset or not answered whole", 0, done.failed)
        yield noted(what, f"{done}; {cost.said(size * STREAMS)}")
    here.resolver.delay_seconds = 0.0
    yield exactly("failures that the proxy counts, after the streams", {}, here.network.figures()["failures"])


def log_ins(here: Scene) -> Iterator[Figure]:
    """A circuit for each name and password, at once; then in turns, as a browser that logs in for each site."""
    began = time.monotonic()
    curl = [*here.resolver.before, "curl", "-s", "-f", "-m", "60", "-o", "/dev/null", here.url("f00000"), "-x"]
    proxies = [f"socks5h://site{number % LOG_INS}:x@127.0.0.1:{here.network.port}" for number in range(3 * LOG_INS)]
    fetches = [subprocess.Popen([*curl, proxy]) for proxy in proxies]
    codes = [each.wait(90) for each in fetches]
    seconds = time.monotonic() - began
    yield exactly(f"{LOG_INS} log-ins, three requests each, all at once: failed", 0, sum(map(bool, codes)))
    yield noted(f"{LOG_INS} log-ins: seconds for all; circuits at the end",
                f"{seconds:.1f}; {here.network.figures()['circuits']}")


# -- a browser -----------------------------------------------------------------------------------------------------


def browser(here: Scene) -> Iterator[Figure]:
    """The page counts what arrived, and says it to the server; the server's log has every resource once."""
    write_page(here.web.place / "site")
    profile, picture = here.place / "profile", here.place / SCREENSHOT
    words = ["chromium", *CHROMIUM, f"--user-data-dir={profile}", f"--screenshot={picture}",
             f"--proxy-server=socks5://127.0.0.1:{here.network.port}"]
    before = here.network.figures()["connections_total"]
    began = time.monotonic()
    done = here.run([*words, here.url("page.html?through")])
    seconds = time.monotonic() - began
    arrived = until("the page's own count", lambda: re.findall(r"/arrived\?(\S+) ", here.web.said("access")), 20)
    counts = "&".join(f"{kind}={count}" for kind, count in RESOURCES.items())
    yield exactly("Chromium: what arrived, as the page counts it", counts, arrived[-1])
    fetched = re.findall(r'"GET /(\w+\d+\.(?:png|css|js))\S* HTTP/1\.1" 200 ', here.web.said("access"))
    yield exactly("Chromium: resources that nginx sent, each once", (100, 100), (len(fetched), len(set(fetched))))
    calls = here.network.figures()["connections_total"] - before
    yield noted("Chromium: start to screenshot, seconds; SOCKS connections", f"{seconds:.1f}; {calls}")
    shown = picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" if picture.exists() else done.stderr[-300:]
    yield exactly("Chromium: a screenshot", True, shown)
    if keep := os.environ.get("QG_SCREENSHOT"):
        shutil.copy(picture, keep)


# -- names ---------------------------------------------------------------------------------------------------------


def looked_up(here: Scene) -> Iterator[Figure]:
    """Who asked for names so far; then whether the counters would have seen it: both of them, on purpose."""
    by_exit = sum(one.pid == here.resolver.answers for one in here.resolver.asked)
    yield exactly("look-ups of the near side, the gateways and the programs", [], here.resolver.by_others()[:3])
    yield at_least("look-ups of the exit", STREAMS, by_exit)
    yield noted("look-ups by program", here.resolver.summary())
    yield from traced(here)
    control = here.curl("-x", f"socks5://127.0.0.1:{here.network.port}", here.url("f00000"), proxied=False)
    seen = {one.program for one in here.resolver.by_others()}
    yield exactly("control, curl with socks5 in place of socks5h: fails; seen", (97, {"curl"}),
                  (control.returncode, seen))
    here.run(["chromium", *CHROMIUM, f"--user-data-dir={here.place / 'direct'}", "--dump-dom", here.url("f00000")])
    seen = {one.program for one in here.resolver.by_others()} - {"curl"}
    yield exactly("control, Chromium without the proxy: seen", True, any("chrom" in one.lower() for one in seen))


def traced(here: Scene) -> Iterator[Figure]:
    """System calls of both ends during ten fetches: sockets that name port 53, whoever answers there."""
    logs = {name: here.place / f"{name}.strace" for name in ("you", "exit")}
    calls = "connect,sendto,sendmsg,sendmmsg"
    tracers = [
        subprocess.Popen(["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", log, "-p", str(here.network.pids[name])])
        for name, log in logs.items()
    ]
    try:
        until("strace is attached", lambda: all(_is_traced(here.network.pids[name]) for name in logs))
        codes = [here.curl("-o", "/dev/null", here.url(f"f{number:05d}")).returncode for number in range(10)]
    finally:
        for tracer in tracers:
            tracer.terminate()
            tracer.wait(20)
    asked = {name: log.read_text().count("htons(53)") for name, log in logs.items()}
    yield exactly("strace: ten fetches went well; sockets of the near node to any port 53", ([0] * 10, 0),
                  (codes, asked["you"]))
    yield exactly("strace: control, the exit has some", True, asked["exit"] > 0)


def _is_traced(pid: int) -> bool:
    said = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return not re.search(r"^TracerPid:\s+0$", said, re.MULTILINE)
