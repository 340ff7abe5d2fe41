"""The commands that speak to a running node: status, peers, connect, disconnect, ping, extenders.

Not for: what is done without one (``identity.py``, ``check.py``, ``doctor.py``). Spec: docs/guide/operating.md.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from quantumgate.cli import output, place, records
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

PING_RELAYED, PING_UNREACHABLE = 1, 2
ONE_RELAY = "with one relay, that relay sees the address of both ends"


class PeerName(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """A peer's name or UUID, looked at before any node is asked: a slip of the pen is wrong use."""

    name = "uuid"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        from quantumgate.core.petnames import RESERVED, is_name
        from quantumgate.ids import parse_peer_uuid

        if is_name(str(value)) and str(value).lower() not in RESERVED:
            return str(value).lower()
        try:
            return str(parse_peer_uuid(str(value)))
        except LocalError as error:
            self.fail(f"{error} (expected a name, as qgate name shows them, or a peer's UUID, "
                      "xxxxxxxx-xxxx-8xxx-..., as qgate id shows it)", parameter, context)


PEER = PeerName()


@click.command(short_help="Phase, reason, advice, totals.")
@place.options
@place.passed
def status(where: Place) -> None:
    """Show the state of the running node: its phase, why it is in it, and what to do.

    \b
    Example:
      qgate status
      qgate status --json | jq -r .phase
    """
    report = where.ask("status")
    if where.json:
        output.as_json(report)
        return
    output.facts({
        "node": f"{report['uuid']}  QuantumGate {report['version']}",
        "fingerprint": report.get("fingerprint", ""),
        "network": report.get("network", ""),
        "phase": report["phase"],
        "reason": report["reason"],
        "advice": report["advice"],
        "up": output.duration_text(report["uptime_seconds"]),
        "listening": ", ".join(report["listening"]) or "no (dial only)",
        "peers": str(report["peers"]),
        "relay": _relay_text(report["relay"]),
        **_reach_fact(report),
        **_anchors_fact(report.get("anchors", {})),
        "extenders": ", ".join(f"{one['name']} ({one['state']})" for one in report["extenders"]) or "none enabled",
    })
    if (overload := report.get("overload", {})).get("step"):
        click.echo(f"note: overload, step {overload['step']} of 3: {overload['does']}")
    for notice in report.get("notices", ()):
        click.echo(f"note: {output.printable(notice)}")
    _show_dials(report.get("connecting", ()))


def _reach_fact(report: dict[str, Any]) -> dict[str, str]:
    """Where strangers can dial this node, or why they cannot."""
    text = ", ".join(report.get("public_endpoints", ())) or report.get("reachability", "")
    return ({"reachable": text} if text else {}) | _mapped_fact(report.get("port_mapping", {}))


def _mapped_fact(mapping: dict[str, Any]) -> dict[str, str]:
    """What the router said, where it is asked; ``qgate doctor`` says more."""
    if not mapping.get("enabled"):
        return {}
    ports = ", ".join(map(str, mapping["ports"]))
    return {"port map": f"{mapping['protocol']}, port {ports} of the router" if ports else mapping["why"] or "none yet"}


def _anchors_fact(anchors: dict[str, int]) -> dict[str, str]:
    if not anchors.get("named"):
        return {}
    return {"anchors": f"{anchors['open']} of {anchors['named']} keep a way to this node open; for its address: "
                       "qgate relays"}


def _relay_text(relay: dict[str, Any]) -> str:
    if not relay["enabled"]:
        return "no (carries nothing for others)"
    return f"{relay['links']} links, {output.bytes_text(relay['bytes'])} carried, {relay.get('refused', 0)} refused"


def _show_dials(dials: Any) -> None:
    if dials:
        click.echo()
        output.table(("not connected", "phase", "reason", "advice", "next try"), (
            (dial["address"], dial["phase"], dial["reason"], dial["advice"],
             "" if dial["retry_seconds"] is None else f"in {output.duration_text(dial['retry_seconds'])}")
            for dial in dials), "")


@click.command(short_help="Live peers, path and algorithms.")
@click.option("--lan", is_flag=True, help="Who is heard on the local network instead, connected or not.")
@place.options
@place.passed
def peers(where: Place, lan: bool) -> None:
    """List the peers of the running node.

    \b
    Example:
      qgate peers
      qgate peers --json | jq -r '.[].uuid'
      qgate peers --lan
    """
    if lan:
        _show_lan(where)
        return
    reports = where.ask("peers")
    if where.json:
        output.as_json(reports)
        return
    output.table(("peer", "endpoint", "direction", "path", "algorithms", "secret", "rtt", "for", "sent", "received"), (
        _peer_row(peer) for peer in reports), "no peers")


def _show_lan(where: Place) -> None:
    report = where.ask("lan")
    if where.json:
        output.as_json(report["heard"])
        return
    silent = "nobody is heard" if report["enabled"] else "nobody is listened for (discovery.lan = false)"
    output.table(("node", "endpoints", "state", "why", "heard for", "last"), (
        (one["uuid"], ", ".join(one["endpoints"]), one["state"], one["why"],
         output.duration_text(one["heard_seconds"]), f"{output.duration_text(one['silent_seconds'])} ago")
        for one in report["heard"]), silent)


def _peer_row(peer: dict[str, Any]) -> tuple[str, ...]:
    used = peer["algorithms"]
    return (
        called(peer) if peer["uuid"] else "anonymous",
        peer["endpoint"],
        peer["direction"],
        path_text(peer) + (f" ({peer['why']})" if peer.get("why") else ""),
        f"{used['primary']} + {used['secondary']}, {used['symmetric']}, {used['signature']}",
        "shared" if peer["shared_secret"] else "",
        output.milliseconds_text(peer["rtt_seconds"]),
        output.duration_text(peer["connected_seconds"]),
        output.bytes_text(peer["bytes_sent"]),
        output.bytes_text(peer["bytes_received"]),
    )


def called(peer: dict[str, Any]) -> str:
    """A peer as people see it: by its name where it has one, and by its UUID in any case."""
    return f"{peer['name']} ({peer['uuid']})" if peer.get("name") else str(peer["uuid"])


def path_text(peer: dict[str, Any]) -> str:
    if not peer["relayed"]:
        return "direct"
    return f"through {', '.join(peer['path'])}" if peer["path"] else "relayed"


class PeerNames(PeerName):
    """Several of them, with commas between."""

    name = "uuid[,uuid...]"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        return ",".join(super(PeerNames, self).convert(one, parameter, context) for one in str(value).split(","))


def named_relays(hops: int | None, via: str | None) -> list[str]:
    """What --via names. Raises click.UsageError where --hops is another number."""
    relays = via.split(",") if via else []
    if relays and hops not in (None, len(relays)):
        raise click.UsageError("--via names the relays: --hops would have to be their number")
    return relays


HOPS = click.IntRange(0, 8)
VIA = click.option("--via", type=PeerNames(), help="Through exactly these gateways, the nearest first.")


@click.command(short_help="Connect to a peer, directly or through relays.")
@click.argument("address")
@click.option("--hops", type=HOPS, default=None,
              help="Through so many relays; 0 = directly. Default: privacy.hops of the configuration.")
@VIA
@place.options
@place.passed
def connect(where: Place, address: str, hops: int | None, via: str | None) -> None:
    """Dial ADDRESS and hold the session: a qg address, the UUID of a peer whose address is known, or its record.

    A record is what qgate id record prints: the text itself (qgr:...), a file that holds it, or - for stdin. Behind it
    may stand the records of its anchors.

    Through relays (gateways of relay.gateways) no relay learns both ends, but one relay alone sees the address of both.

    \b
    Example:
      qgate connect qg://0b51a0f2-3c4d-8100-8888-000000000001@192.0.2.7:9999 --hops 3
      qgate connect bob.qgr
    """
    relays = named_relays(hops, via)
    peer = where.ask("connect", address=records.given(address), hops=hops, via=relays)
    if where.json:
        output.as_json(peer)
        return
    used = peer["algorithms"]
    who = called(peer) if peer["uuid"] else "an anonymous peer"
    click.echo(f"connected to {who} at {output.printable(peer['endpoint'])} "
               f"({used['primary']} + {used['secondary']}, {used['symmetric']})"
               + (f", {path_text(peer)}" if peer["relayed"] else ""))
    if peer["relayed"] and len(peer["path"]) == 1:
        click.echo(f"note: {ONE_RELAY}")


@click.command(short_help="End the session with a peer.")
@click.argument("uuid", type=PEER)
@place.options
@place.passed
def disconnect(where: Place, uuid: str) -> None:
    """End the session with the peer UUID, and do not dial it again.

    \b
    Example:
      qgate disconnect 0b51a0f2-3c4d-8100-8888-000000000001
    """
    result = where.ask("disconnect", uuid=uuid)
    if where.json:
        output.as_json(result)
    else:
        click.echo(f"disconnected from {uuid}")


@click.command(short_help="Round trip to a peer; exit 0 direct, 1 relayed, 2 unreachable.")
@click.argument("target", metavar="UUID|ADDRESS")
@click.option("--count", default=4, show_default=True, type=click.IntRange(1, 1_000_000), help="How many.")
@click.option("--interval", default=1.0, show_default=True, type=click.FloatRange(0, 3600), help="Seconds between two.")
@place.options
@place.passed
def ping(where: Place, target: str, count: int, interval: float) -> int:
    """Measure the round trip to a peer inside its session; a peer that is not connected is dialled first.

    Exit codes: 0 direct, 1 relayed, 2 unreachable, 3 no node running, 64 wrong use.

    \b
    Example:
      qgate ping 0b51a0f2-3c4d-8100-8888-000000000001 --count 10
    """
    replies: list[Any] = []
    summary: dict[str, Any] = {}
    with where.node() as node:
        parts = node.stream("ping", target=target, count=count, interval_seconds=interval)
        for last, part in parts:
            if last:
                summary = part
                continue
            replies.append(part)
            if not where.json:
                _show_reply(part)
    if where.json:
        output.as_json({**summary, "replies": replies})
    else:
        _show_summary(summary)
    if not summary["answered"]:
        _explain(replies)
        return PING_UNREACHABLE
    return PING_RELAYED if summary["relayed"] else 0


def _show_reply(reply: dict[str, Any]) -> None:
    if "error" in reply:
        click.echo(f"{reply['sequence']}: no answer: {output.printable(reply['error']['message'])}")
    else:
        click.echo(f"{reply['sequence']}: {output.milliseconds_text(reply['rtt_seconds'])} from {called(reply)} at "
                   f"{output.printable(reply['endpoint'])}, {path_text(reply)}")
    sys.stdout.flush()


def _show_summary(summary: dict[str, Any]) -> None:
    line = f"{summary['sent']} sent, {summary['answered']} answered"
    if summary["answered"]:
        times = (output.milliseconds_text(summary[f"rtt_{name}_seconds"]) for name in ("min", "median", "max"))
        line += f"; least / median / most {' / '.join(times)}"
    click.echo(line)


def _explain(replies: list[Any]) -> None:
    """The last reason, on stderr."""
    error = next((reply["error"] for reply in reversed(replies) if "error" in reply), None)
    if error:
        click.echo(f"qgate: unreachable: {error['message']}", err=True)
        if error["advice"]:
            click.echo(f"  try: {error['advice']}", err=True)


@click.command(short_help="The extenders, and what is wrong with those that do not run.")
@place.options
@place.passed
def extenders(where: Place) -> None:
    """List the extenders that the running node knows. One runs when the configuration has its [extenders.NAME] table.

    \b
    Example:
      qgate extenders
    """
    reports = where.ask("extenders")
    if where.json:
        output.as_json(reports)
        return
    output.table(("name", "state", "version", "package", "peers", "reason or summary"), (
        (one["name"], one["state"], one["version"], one["distribution"], str(one["peers"]),
         one["reason"] or one["summary"]) for one in reports), "no extender is installed")
