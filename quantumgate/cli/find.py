"""``qgate find``: asks relays where a peer is, or who runs an extender. Not for: what this node knows already
(``book.py``).

Told in docs/guide/finding-peers.md.
"""

from __future__ import annotations

from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place

FOUND, NOT_FOUND = 0, 1


@click.command(short_help="Ask relays where a peer is, or who runs an extender.")
@click.argument("uuid", required=False)
@click.option("--extender", metavar="UUID", help="Peers that run this extender, by its UUID, or the name of one here.")
@place.options
@place.passed
def find(where: Place, uuid: str | None, extender: str | None) -> int:
    """Look a peer up by its UUID, and say how that went; or peers that let themselves be found by an extender.

    Relays are asked over nameless sessions: they learn this node's address, not its UUID, and the UUID that is asked
    for only where they know it already. The exit code is 1 where nothing was found.

    \b
    Example:
      qgate find 0b51a0f2-3c4d-8100-8888-000000000001
      qgate find 0b51a0f2-3c4d-8100-8888-000000000001 --json | jq -r .record
      qgate find --extender 5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11
      qgate find --extender 5f0c3e52-7a83-4a5f-9d6b-0c1f6f2f9e11 --json | jq -r .providers[].uuid
    """
    if (uuid is None) == (extender is None):
        raise click.UsageError("the UUID of a peer, or --extender, and not both")
    report = where.ask("find", **({"peer": uuid} if uuid is not None else {"extender": extender}))
    if where.json:
        output.as_json(report)
    elif uuid is not None:
        _show(report)
    else:
        _show_providers(report)
    return FOUND if report["found"] else NOT_FOUND


def _show(report: Any) -> None:
    output.facts({
        "peer": report["uuid"],
        "look-up": _end(report),
        **_ways(report),
        "advice": report["advice"],
    })


def _show_providers(report: Any) -> None:
    output.facts({"extender": report["extender"], "look-up": _end(report), "advice": report["advice"]})
    rows = [(one["uuid"], "; ".join(f"{words} {ways}" for words, ways in _ways(one).items()),
             output.duration_text(one["age_seconds"])) for one in report["providers"]]
    if rows:
        output.table(("peer", "where", "said so long ago"), rows, "")


def _ways(one: Any) -> dict[str, str]:
    ways = {"at": one["endpoints"], "behind anchors": one["anchors"]}
    return {words: ", ".join(some) for words, some in ways.items() if some}


def _end(report: Any) -> str:
    return (f"{report['end']} ({report['answered']} of {report['asked']} relays answered, "
            f"{report['seconds']:.1f} s)")
