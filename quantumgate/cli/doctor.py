"""`qgate doctor`: what is installed, what works, what to do. One line for each finding, with advice.

Not for: repairing anything. Exit code 1 where something is wrong that a node would suffer from.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place

if TYPE_CHECKING:
    from quantumgate.settings.schema import DiscoveryTable

PACKAGES = ("quantumgate", "twisted", "pyopenssl", "cryptography", "zope.interface", "lz4", "service-identity",
            "msgspec", "sqlalchemy", "liboqs-python")
OPTIONAL_PACKAGES = frozenset({"liboqs-python"})
OPEN_FILES_WANTED = 4096
LOCKED_BYTES_WANTED = 1024 * 1024
CLOCK_FLOOR_SECONDS = 1_790_000_000
"""Autumn 2026: a clock before it was never set."""
TIME_ERROR = 5
"""What adjtimex returns for a clock that nothing keeps in step."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: ok, note (works, could be better), wrong."""

    name: str
    state: str
    found: str
    advice: str = ""


@click.command(short_help="What is installed, what works, what to do.")
@click.option("--config", "config_file", metavar="FILE", help="The configuration, instead of the usual one.")
@place.options
@place.passed
def doctor(where: Place, config_file: str | None) -> int:
    """Examine this installation: libraries and their known answers, limits, clock, files, the running node.

    \b
    Example:
      qgate doctor
    """
    findings = list(examined(where, config_file))
    if where.json:
        output.as_json([asdict(finding) for finding in findings])
    else:
        output.table(("what", "state", "found", "advice"), (
            (one.name, one.state, one.found, one.advice) for one in findings), "")
    return 1 if any(finding.state == "wrong" for finding in findings) else 0


def examined(where: Place, config_file: str | None) -> Iterator[Finding]:
    """All findings, in the order in which a person would ask."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield from _crypto()
    for look in (_locked_memory, _open_files, _clock, _plugin):
        yield look()
    yield _configuration(config_file)
    yield from _data(where.data)
    yield from _store(where, config_file)
    yield _node(where)
    yield from _port_mapping(where, config_file)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            optional = name in OPTIONAL_PACKAGES or name == "quantumgate"
            advice = "runs from a checkout; pip install . makes qgate and twistd find it everywhere" \
                if name == "quantumgate" else f"pip install {name}"
            yield Finding(name, "note" if optional else "wrong", "not installed", advice)


def _crypto() -> Iterator[Finding]:
    from quantumgate.crypto.backends import backends

    for backend in backends():
        good = sum(check.ok for check in backend.checks)
        if backend.state == "ok":
            yield Finding(f"crypto: {backend.name}", "ok", f"{backend.version}, {good} known answers right")
        elif backend.state == "absent":
            yield Finding(f"crypto: {backend.name}", "note", f"not here, runs on ML-KEM ({backend.reason})",
                          backend.advice)
        else:
            yield Finding(f"crypto: {backend.name}", "wrong", f"{backend.state}: {backend.reason}", backend.advice)


def _locked_memory() -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    found = "no limit" if limit == resource.RLIM_INFINITY else output.bytes_text(limit)
    if limit != resource.RLIM_INFINITY and limit < LOCKED_BYTES_WANTED:
        return Finding("locked memory", "note", found, "ulimit -l 65536 (LimitMEMLOCK=64M): keeps secrets out of swap")
    return Finding("locked memory", "ok", found)


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES_WANTED:
        return Finding("open files", "note", f"{soft}, at most {hard}",
                       "raise the hard limit (LimitNOFILE=16384): each session is an open file")
    return Finding("open files", "ok", f"{soft}, at most {'unlimited' if hard == resource.RLIM_INFINITY else hard}")


def _clock() -> Finding:
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    if now < CLOCK_FLOOR_SECONDS:
        return Finding("clock", "wrong", shown, "set the clock: peers refuse handshakes from a wrong time")
    if clock_state() == TIME_ERROR:
        return Finding("clock", "note", f"{shown}, kept in step by nothing that tells the kernel",
                       "run a time service; handshakes fail when the clock is hours off")
    return Finding("clock", "ok", shown)


def clock_state() -> int:
    """The kernel's own opinion of its clock (adjtimex, read only); -1 where it cannot be asked."""
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex with modes = 0; 208 bytes on 64-bit Linux
        return int(ctypes.CDLL(None).adjtimex(buffer))
    except (AttributeError, OSError):
        return -1


def _plugin() -> Finding:
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins

    if any(maker.tapname == "qgnode" for maker in getPlugins(IServiceMaker)):
        return Finding("twistd qgnode", "ok", "found")
    return Finding("twistd qgnode", "wrong", "twistd does not see it",
                   f"pip install . into {sys.prefix}, or use python -m twisted in the checkout")


def _configuration(config_file: str | None) -> Finding:
    from quantumgate.cli.check import examine
    from quantumgate.errors import ConfigurationError
    from quantumgate.settings.places import default_config_file

    file = Path(config_file) if config_file else default_config_file()
    if not config_file and not file.exists():
        return Finding("configuration", "ok", f"none at {file}: built-in defaults", "qgate init writes one")
    try:
        examine(file)
    except ConfigurationError as error:
        return Finding("configuration", "wrong", str(error), error.advice)
    return Finding("configuration", "ok", str(file))


def _data(data: Path) -> Iterator[Finding]:
    from quantumgate.node.data_directory import IDENTITY_FILE, ONLINE_KEY_FILE

    if not data.exists():
        yield Finding("data directory", "ok", f"{data}: not there yet", "the first start, or qgate init, makes it")
        return
    yield _private("data directory", data, 0o700)
    key, online = data / IDENTITY_FILE, data / ONLINE_KEY_FILE
    if key.exists():
        yield _private("identity", key, 0o600)
    if online.exists():
        yield _private("online key", online, 0o600)
        yield _online_key(data)
    elif not key.exists():
        yield Finding("identity", "ok", "none yet", "the first start, or qgate init, makes one")


def _online_key(data: Path) -> Finding:
    from quantumgate.errors import KeyFileError
    from quantumgate.node.data_directory import ROTATE, DataDirectory
    from quantumgate.node.key_life import WARN_SECONDS

    try:
        online = DataDirectory(data).online_key()
    except KeyFileError as error:
        return Finding("online key", "wrong", str(error), error.advice)
    if online is None:
        return Finding("online key", "ok", "none")
    left = online.delegation.not_after_seconds - time.time()
    until = output.time_text(online.delegation.not_after_seconds)
    if left <= 0:
        return Finding("online key", "wrong", f"has run out on {until}: no peer takes it", ROTATE)
    return Finding("online key", "note" if left < WARN_SECONDS else "ok", f"good until {until}",
                   ROTATE if left < WARN_SECONDS else "")


def _store(where: Place, config_file: str | None) -> Iterator[Finding]:
    from quantumgate.cli.store import Named
    from quantumgate.errors import LocalError

    try:
        named = Named.by(where, config_file)
        database = named.database(alone=False)
        if database.file is not None and not database.file.exists():
            yield Finding("store", "ok", f"{database.file}: not there yet", "the first start makes it")
            return
        try:
            schema, sealed_with = database.brief()
        finally:
            database.close()
    except LocalError as error:
        yield Finding("store", "wrong", str(error), error.advice or "qgate store check says more")
        return
    if database.file is not None:
        yield _private("store", database.file, 0o600)
    yield _seal(f"{database.described}, schema {schema}", sealed_with)
    if sealed_with:
        yield from _beside(where.data, database.file)


def _beside(data: Path, store: Path | None) -> Iterator[Finding]:
    """What lies open beside a sealed store: the files of before it, and copies from before the seal."""
    from quantumgate.node.data_directory import STATE_FILE
    from quantumgate.node.state_file import ASIDE, UNREAD
    from quantumgate.store.backups import lies_open

    for old in sorted(file for end in ("", ASIDE, UNREAD) for file in data.glob(f"{STATE_FILE}{end}*")
                      if end or file.name == STATE_FILE):
        yield Finding("store: old state file", "note", f"{old} is not sealed",
                      "the next start takes it over" if old.name == STATE_FILE else f"shred -u {old}")
    if store is not None:
        for copied in sorted(store.parent.glob(f"{store.name}.*")):
            if lies_open(copied):
                yield Finding("store: a copy", "note", f"{copied} is not sealed",
                              f"shred -u {copied}, when the node works well")


def _seal(found: str, sealed_with: str) -> Finding:
    if sealed_with:
        return Finding("store: seal", "ok", f"{found}, sealed with a {sealed_with}")
    return Finding("store: seal", "note", f"{found}, not sealed: file permissions are all that protects it",
                   "set node.identity_passphrase_file or node.store_key_file, or give it a systemd credential")


def _private(name: str, path: Path, wanted: int) -> Finding:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid not in {os.geteuid(), 0}:
        return Finding(name, "wrong", f"{path} belongs to user {found.st_uid}", f"chown it to user {os.geteuid()}")
    if mode & 0o077:
        return Finding(name, "wrong", f"{path} is open to others (mode {mode:04o})", f"chmod {wanted:o} {path}")
    return Finding(name, "ok", f"{path} (mode {mode:04o})")


def _node(where: Place) -> Finding:
    from quantumgate.control.client import NoNodeRunning
    from quantumgate.errors import QuantumGateError

    try:
        status = where.ask("status")
    except NoNodeRunning as error:
        return Finding("node", "ok", str(error), "twistd -n qgnode")
    except QuantumGateError as error:
        return Finding("node", "wrong", str(error), error.advice)
    return Finding("node", "ok", f"{status['phase']}: {status['reason']}", status["advice"])


def _port_mapping(where: Place, config_file: str | None) -> Iterator[Finding]:
    """As the node that runs has it, else as the next one would begin."""
    from quantumgate.cli.check import examine
    from quantumgate.errors import QuantumGateError
    from quantumgate.settings.places import default_config_file

    try:
        report = where.ask("status").get("port_mapping", {})
    except QuantumGateError:
        report = {}
    file = Path(config_file) if config_file else default_config_file()
    try:
        table = examine(file if file.exists() else None)[0].settings.discovery
    except QuantumGateError:
        return  # the line about the configuration says so
    if not table.port_mapping and not report.get("enabled"):
        yield Finding("port mapping", "ok", "off (discovery.port_mapping)")
        return
    yield _router_asked(report) if report.get("enabled") else _router_known(table)
    yield _upnp_package(str(report.get("protocol", "")))


def _router_known(table: DiscoveryTable) -> Finding:
    from quantumgate.net.defaultroute import default_router
    from quantumgate.net.pcp import NAME_IT

    router = table.router or default_router()
    if not router:
        return Finding("port mapping", "note", "on; no router is known here", NAME_IT)
    return Finding("port mapping", "ok", f"on; the router {router} is asked while the node runs")


def _router_asked(report: dict[str, Any]) -> Finding:
    """Who answered, which ports it gave, and whether somebody came in by them."""
    if not report["protocol"]:
        return Finding("port mapping", "note", report["why"] or "a router is looked for",
                       "switch PCP, NAT-PMP or UPnP on at the router, or map the port by hand")
    router = f"the router {report['router']}".strip()
    ports = ", ".join(map(str, report["ports"]))
    if not ports:
        found = f"{router} answers, by {report['protocol']}; nothing here is to be mapped"
        return Finding("port mapping", "note", found,
                       "listen for IPv4 at the address that packets leave from (node.listen)")
    found = f"{router} leads its port {ports} here, by {report['protocol']}"
    if report["confirmed"]:
        return Finding("port mapping", "ok", f"{found}; peers came in by {', '.join(report['confirmed'])}")
    return Finding("port mapping", "note", f"{found}; nobody came in by it yet", _why_not_yet(report["outside"]))


def _why_not_yet(outside: str) -> str:
    if outside and not ip_address(outside).is_global:
        return f"that router has the address {outside} itself: there is another one in front of it, which maps nothing"
    return "wait: it takes peers in two networks that see this node at one address, and one that dials it back"


def _upnp_package(protocol: str) -> Finding:
    from quantumgate.net.portmap import INSTALL_ADVICE

    try:
        return Finding("port mapping: miniupnpc", "ok", metadata.version("miniupnpc"))
    except metadata.PackageNotFoundError:
        if protocol:
            return Finding("port mapping: miniupnpc", "ok", f"not installed; not needed, the router speaks {protocol}")
    return Finding("port mapping: miniupnpc", "note", "not installed: PCP and NAT-PMP are tried, UPnP is not",
                   INSTALL_ADVICE)
