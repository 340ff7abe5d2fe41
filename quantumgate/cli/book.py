"""``qgate book``: where this node believes others to be, and why it calls one of them or does not.

Not for: peers that are connected (``node.py``), or the node's own record (``records.py``). Told in
docs/guide/finding-peers.md.
"""

from __future__ import annotations

from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.node import PEER
from quantumgate.cli.place import Place

OFF = "this node keeps no address book (discovery.exchange = false)"
SHOWN = 20
"""Peers that a person is shown; --json has all."""


@click.command(short_help="Where other nodes are, as far as this one knows.")
@click.argument("peer", type=PEER, required=False)
@place.options
@place.passed
def book(where: Place, peer: str | None) -> None:
    """Show the address book: how many peers are known, and the connections that this node makes by itself.

    With a name or a UUID, what is known of that peer, and why this node does not connect to it by itself.

    \b
    Example:
      qgate book
      qgate book alice
      qgate book --json | jq .outcomes
    """
    report = where.ask("book", peer=peer or "")
    if where.json:
        output.as_json(report)
    elif peer:
        _show_peer(report)
    else:
        _show_book(report)


def _show_book(report: Any) -> None:
    if not report["enabled"]:
        click.echo(OFF)
        return
    output.facts({
        "known": f"{report['known']} peers in {report['groups']} groups of networks, "
                 f"{output.bytes_text(report['bytes_held'])}",
        "reached": str(report["tried"]),
        "named by rules": str(report["named"]),
        "public": str(report["public"]),
        "exchanging": f"with {report['exchanging']} connected peers",
        "records that came": ", ".join(f"{number} {what}" for what, number in sorted(report["outcomes"].items()))
                             or "none",
        "made by itself": ", ".join(report["connections"]) or "no connections",
    })
    if report["peers"]:
        click.echo()
        rest = report["known"] - SHOWN
        output.table(("peers, reached last first",), ((uuid,) for uuid in report["peers"][:SHOWN]), "")
        if rest > 0:
            click.echo(f"and {rest} more: qgate book --json")


def _show_peer(report: Any) -> None:
    kinds = [word for word, there in (("a relay", report["relay"]), ("public", report["public"]),
                                      ("named by a rule", report["named"])) if there]
    output.facts({
        "peer": report["uuid"],
        "at": ", ".join(report["endpoints"]) or "no endpoint",
        **({"behind anchors": ", ".join(report["anchors"])} if report["anchors"] else {}),
        "is": ", ".join(kinds) or "neither public nor named by a rule",
        "record": f"made {output.time_text(report['made'])}, good until {output.time_text(report['not_after'])}",
        "reached": output.time_text(report["reached"]) if report["reached"] else "never",
        "calls in vain since": str(report["failures"]),
        "told by": report["source"],
        "not called by itself": report["why_not_called"] or "it is, when it is its turn",
    })
