"""``qgate relays``: what this node carries for others, its own circuits, and what was refused or failed, and why.

Not for: the node's own words on it (``node/relay_reports.py``). Told in docs/guide/relays.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.place import Place


@click.command(short_help="Links carried, circuits made, refusals and why.")
@place.options
@place.passed
def relays(where: Place) -> None:
    """Show the links that this node carries for others and the circuits that it made through relays.

    Of a link a relay knows its two neighbours, and that is what this shows: both ends only where it is the only relay.

    \b
    Example:
      qgate relays
      qgate relays --json | jq '.circuits[].path'
    """
    report = where.ask("relays")
    if where.json:
        output.as_json(report)
        return
    output.facts({
        "relay": "yes, carries links for others" if report["enabled"] else "no (node.relay = false)",
        "reached through relays": "yes" if report["accepting"] else "no (relay.accept_relayed = false)",
        "carried": f"{len(report['carried'])} links now, {output.bytes_text(report['carried_bytes'])} since the start",
        "refused": _counts(report["refused"]),
        "circuits that failed": _counts(report["failed"]),
    })
    if report["anchored_address"]:
        output.facts({"reached at": report["anchored_address"]})
        _show_anchors(report["anchor_states"])
    if report["reserved_here"]:
        output.facts({"anchor for": ", ".join(report["reserved_here"])})
    _show_carried(report["carried"])
    _show_circuits(report["circuits"])
    _show_gateways(report["gateways"])


def _counts(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(reasons.items())) or "none"


_ANCHOR_WORDS = {
    "open": "keeps a way to this node open",
    "asked": "was asked, has not answered yet",
    "refused": "refused: it is no relay (node.relay), or has no room; asked again later",
    "not connected": "not connected; qgate status says why",
}


def _show_anchors(anchors: Any) -> None:
    click.echo()
    output.table(("anchor", "at", "state"), (
        (one["uuid"], ", ".join(one["hosts"]), _ANCHOR_WORDS[one["state"]]) for one in anchors), "")


def _show_carried(links: Any) -> None:
    if links:
        click.echo()
        output.table(("from", "to", "at", "state", "for", "bytes"), (
            (one["client"], one["target"], one["endpoint"], one["state"], output.duration_text(one["seconds"]),
             output.bytes_text(one["bytes"])) for one in links), "")


def _show_circuits(circuits: Any) -> None:
    if circuits:
        click.echo()
        output.table(("circuit to", "path", "state", "why", "for", "sent", "received"), (
            (one["peer"], " > ".join(one["path"]), one["state"], one["why"], output.duration_text(one["seconds"]),
             output.bytes_text(one["bytes_sent"]), output.bytes_text(one["bytes_received"]))
            for one in circuits), "")


def _show_gateways(gateways: Any) -> None:
    if gateways:
        click.echo()
        output.table(("gateway", "at", "state"), (
            (one["uuid"], ", ".join(one["hosts"]), _gateway_state(one)) for one in gateways), "")


def _gateway_state(gateway: Any) -> str:
    if gateway["dropped_seconds"]:
        return f"dropped for {output.duration_text(gateway['dropped_seconds'])}: {gateway['why']}"
    deaths = f", {gateway['deaths']:g} circuits died through it within the hour" if gateway["deaths"] else ""
    if gateway["avoided_seconds"]:
        return f"failed, avoided for {output.duration_text(gateway['avoided_seconds'])}{deaths}"
    return f"ready{deaths}"
