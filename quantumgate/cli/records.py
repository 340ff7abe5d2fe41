"""Peer records at the command line: ``qgate id record`` says our own, ``given`` reads somebody else's.

Not for: what is in a record or whether it is true (the running node makes and verifies them). Spec:
docs/spec/peer-records.md.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from quantumgate.cli import identity, output, place
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

STDIN = "-"


@identity.id_.command(short_help="Print this node's signed record, by which others reach it.")
@click.option("--endpoint", "endpoints", metavar="HOST:PORT", multiple=True,
              help="Where peers can dial this node, beside what it knows itself; may be given several times.")
@click.option("--out", "file", metavar="FILE", help="Write it there instead, never over an existing file.")
@place.options
@place.passed
def record(where: Place, endpoints: tuple[str, ...], file: str | None) -> None:
    """Make a fresh record of the running node: its key, where it listens, its anchors. Others give it to qgate connect.

    It is good for a day, a relay's for six hours. With anchors it holds the rendezvous key: whoever has it can find out
    whether this node is online.

    \b
    Example:
      qgate id record --endpoint bob.example:9999 --out bob.qgr
    """
    report = where.ask("record", endpoints=list(endpoints))
    if file is not None:
        _write(file, report["record"])
    if where.json:
        output.as_json({**report, "file": file} if file is not None else report)
    elif file is None:
        click.echo(report["record"])
    else:
        click.echo(f"record of {report['uuid']} written to {file}, good until {output.time_text(report['not_after'])}")
    _warn(report)


def _write(file: str, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(text + "\n")


def _warn(report: dict[str, Any]) -> None:
    """On stderr, beside the record that goes to a file or a pipe."""
    if not report["endpoints"] and not report["anchors"]:
        click.echo("qgate: the record names no way to this node: a listener on every interface knows no address\n"
                   "  try: --endpoint HOST:PORT, or [relay] anchors", err=True)


def given(address: str) -> str:
    """What to connect to: ``address`` as it is, or the text of the file (or of stdin) that it names.

    Raises LocalError for a file that holds neither a record nor an address.
    """
    from quantumgate.wire.record_text import SCHEME, TEXT_LETTERS_MAX

    if address.startswith((SCHEME, "qg://")) or not (address == STDIN or Path(address).is_file()):
        return address
    if address == STDIN:
        text = sys.stdin.read(TEXT_LETTERS_MAX + 1)
    else:
        with Path(address).open(encoding="ascii", errors="replace") as opened:
            text = opened.read(TEXT_LETTERS_MAX + 1)
    text = text.strip()
    if len(text) > TEXT_LETTERS_MAX or not text.startswith((SCHEME, "qg://")):
        raise LocalError(f"{address}: expected a record ({SCHEME}...) or an address (qg://...), found something else",
                         advice="qgate id record --out FILE makes one")
    return text
