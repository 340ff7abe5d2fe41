"""``qgate find``: asks relays where a peer is. Not for: what this node knows already (``book.py``).

Told in docs/guide/finding-peers.md.
"""

from __future__ import annotations

from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place

FOUND, NOT_FOUND = 0, 1


@click.command(short_help="Ask relays where a peer is, by its UUID.")
@click.argument("uuid")
@place.options
@place.passed
def find(where: Place, uuid: str) -> int:
    """Look a peer up by its UUID, and say how that went.

    Relays are asked over nameless sessions: they learn this node's address, not its UUID, and the peer's UUID only
    where they know it already. The exit code is 1 where nothing was found.

    \b
    Example:
      qgate find 0b51a0f2-3c4d-8100-8888-000000000001
      qgate find 0b51a0f2-3c4d-8100-8888-000000000001 --json | jq -r .record
    """
    report = where.ask("find", peer=uuid)
    if where.json:
        output.as_json(report)
    else:
        _show(report)
    return FOUND if report["found"] else NOT_FOUND


def _show(report: Any) -> None:
    output.facts({
        "peer": report["uuid"],
        "look-up": f"{report['end']} ({report['answered']} of {report['asked']} relays answered, "
                   f"{report['seconds']:.1f} s)",
        **({"at": ", ".join(report["endpoints"])} if report["endpoints"] else {}),
        **({"behind anchors": ", ".join(report["anchors"])} if report["anchors"] else {}),
        **({"advice": report["advice"]} if report["advice"] else {}),
    })
