"""``qgate access``: who may come in, and do what; networks, limits, scores; and why somebody gets in or does not.

Not for: the rules themselves (``core/access``). Told in docs/guide/access.md.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.node import PEER, PeerName
from quantumgate.cli.place import Place

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EXAMPLE_PEER = "0b51a0f2-3c4d-8100-8888-000000000001"


class Span(click.ParamType):  # type: ignore[type-arg]  # generic in stubs alone
    """A length of time: 90s, 10m, 12h, 7d, 2w."""

    name = "span"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhdw])", str(value))
        if match is None or not float(match[1]):
            self.fail(f"expected a time such as 90s, 10m, 12h, 7d or 2w, found {value!r}", parameter, context)
        return float(match[1]) * _SPANS[match[2]]


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A date, or date and time, of this machine; with Z or an offset where it is another."""

    name = "date"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        from datetime import datetime

        try:
            return datetime.fromisoformat(str(value)).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"expected a date such as 2030-01-31 or 2030-01-31T18:00, found {value!r}", parameter, context)


class Subject(PeerName):
    """A peer's name or UUID, an IP address, or a network."""

    name = "uuid|address"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> str:
        from quantumgate.core.petnames import is_name

        text = str(value)
        if text.count("-") >= 3 or is_name(text):
            return super().convert(text, parameter, context)
        if not re.fullmatch(r"[0-9A-Fa-f:.]{2,45}(/\d{1,3})?", text):
            self.fail(f"expected a peer's name or UUID, an IP address or ADDRESS/LENGTH, found {text!r}", parameter,
                      context)
        return text


SUBJECT = Subject()
only = click.option("--only", multiple=True, metavar="WHAT",
                    help="What the rule is about: connect, relay, reserve, or an extender (name or UUID). Repeatable.")


@click.group(short_help="Who may come in: rules, networks, limits, scores, explain.")
@place.options
def access() -> None:
    """Admit and refuse peers and networks. What is given here counts at once, and is kept over a restart.

    \b
    Example:
      qgate access allow 0b51a0f2-3c4d-8100-8888-000000000001
      qgate access ban 198.51.100.0/24 --for 12h
      qgate access explain 198.51.100.7
    """


def _change(command: str, **arguments: Any) -> None:
    """Asks for it, and shows the rules as they are then."""
    where = click.get_current_context().find_object(Place)
    assert where is not None
    _show(where, where.ask(command, **arguments))


def _peer_command(name: str, what: str, more: str) -> None:
    @access.command(name, short_help=f"{what} a peer.", help=f"""{what} the peer UUID. {more}

    \b
    Example:
      qgate access {name} {_EXAMPLE_PEER}
      qgate access {name} {_EXAMPLE_PEER} --only echo
    """)
    @click.argument("uuid", type=PEER)
    @only
    @place.options
    def change(uuid: str, only: tuple[str, ...]) -> None:
        _change(f"access.{name}", uuid=uuid, only=list(only))


_peer_command("allow", "Admit", "With --only it may do that and nothing else, unless another rule says more.")
_peer_command("deny", "Refuse", "With --only it may do everything but that.")
_peer_command("remove", "Forget the rules by hand about", "With --only just those about that.")


@access.command(short_help="Shut a peer or a network out, for a while or for good.")
@click.argument("subject", type=SUBJECT, metavar="UUID|ADDRESS")
@click.option("--until", type=Moment(), help="End of the ban: 2030-01-31, or 2030-01-31T18:00.")
@click.option("--for", "span", type=Span(), help="Length of the ban: 90s, 10m, 12h, 7d, 2w.")
@only
@place.options
def ban(subject: str, until: float | None, span: float | None, only: tuple[str, ...]) -> None:
    """Shut a peer, an address or a network out, whatever other rules say; without an end until it is taken back.

    Its sessions, circuits and streams end at once. When the ban is over the other rules count again.

    \b
    Example:
      qgate access ban 0b51a0f2-3c4d-8100-8888-000000000001 --for 7d
      qgate access ban 198.51.100.0/24 --until 2030-01-31
    """
    if until is not None and span is not None:
        raise click.UsageError("--until or --for, not both")
    _change("access.ban", subject=subject, until=until, seconds=span, only=list(only))


@access.command(short_help="Take a ban back.")
@click.argument("subject", type=SUBJECT, metavar="UUID|ADDRESS")
@place.options
def unban(subject: str) -> None:
    """Take every ban of this peer, or the block of this network, back.

    \b
    Example:
      qgate access unban 0b51a0f2-3c4d-8100-8888-000000000001
    """
    _change("access.unban", subject=subject)


@access.command("list", short_help="The rules.")
@place.options
def list_() -> None:
    """Show the rules: those of the configuration file and those given by hand.

    \b
    Example:
      qgate access list --json
    """
    _change("access.list")


@access.command(short_help="What happens to peers that no rule names.")
@click.argument("word", type=click.Choice(["allow", "deny", "configured"]))
@place.options
def default(word: str) -> None:
    """Set what happens to peers that no rule names; "configured" is node.default_access again.

    \b
    Example:
      qgate access default deny
    """
    _change("access.default", word="" if word == "configured" else word)


@access.command(short_help="Why an address or a peer gets in, or does not.")
@click.argument("subject", type=SUBJECT, metavar="UUID|ADDRESS")
@click.argument("what", default="", metavar="[EXTENDER]")
@place.options
@place.passed
def explain(where: Place, subject: str, what: str) -> None:
    """Show the verdict that an address or a peer would get now, the rule that makes it, and how to change it.

    EXTENDER is one that the peer wants to use (name or UUID), or connect, relay or reserve.

    \b
    Example:
      qgate access explain 198.51.100.7
      qgate access explain 0b51a0f2-3c4d-8100-8888-000000000001 echo
    """
    found = where.ask("access.explain", subject=subject, about=what)
    if where.json:
        output.as_json(found)
        return
    output.facts({
        "peer": f"{found['name']} ({found['subject']})" if found.get("name") else "",
        "verdict": "admitted" if found["admitted"] else "refused",
        "rule": f"{found['rule']} (made by: {found['made_by']})",
        "why": found["why"],
        "ends": _until_text(found["until"]),
        "score": f"{found['score']:g}",
        "to change it": found["advice"],
    })


@access.group(short_help="Networks that may dial, or with which there is no connection.")
@place.options
def filters() -> None:
    """Filters by network. A block wins over an allow; where there is any allow, only those networks may dial.

    \b
    Example:
      qgate access filters add block 198.51.100.0/24
    """


@filters.command("list", short_help="All filters.")
@place.options
@place.passed
def filters_list(where: Place) -> None:
    """Show the filters of the configuration and those by hand.

    \b
    Example:
      qgate access filters list --json
    """
    _part(where, "filters", _show_filters)


def _filter_command(name: str, what: str) -> None:
    @filters.command(name, short_help=f"{what} a filter.", help=f"""{what} the filter for NETWORK.

    \b
    Example:
      qgate access filters {name} block 198.51.100.0/24
    """)
    @click.argument("kind", type=click.Choice(["allow", "block"]))
    @click.argument("network", type=SUBJECT)
    @place.options
    def change(kind: str, network: str) -> None:
        _change(f"access.filters.{name}", kind=kind, network=network)


_filter_command("add", "Add")
_filter_command("remove", "Remove")


@access.group(short_help="Numbers for each network of one length.")
@place.options
def limits() -> None:
    """Limits per prefix: for each network of a length by itself, beside what limits.* says for all.

    \b
    Example:
      qgate access limits set ipv4/24 --connections 16
    """


@limits.command("list", short_help="All limits per prefix.")
@place.options
@place.passed
def limits_list(where: Place) -> None:
    """Show the limits per prefix of the configuration and those by hand.

    \b
    Example:
      qgate access limits list
    """
    _part(where, "limits", _show_limits)


@limits.command("set", short_help="Limit every network of a length.")
@click.argument("prefix", metavar="ipv4/LENGTH|ipv6/LENGTH")
@click.option("--connections", type=click.IntRange(0, 1_000_000), default=0, help="At a time, both ways.")
@click.option("--attempts", type=click.IntRange(0, 1_000_000), default=0,
              help="To connect, in limits.accepts_window_seconds.")
@click.option("--links", type=click.IntRange(0, 1_000_000), default=0, help="Links of a relay asked for in a minute.")
@place.options
def limits_set(prefix: str, connections: int, attempts: int, links: int) -> None:
    """Limit each network of this length by itself. Connections beyond it are closed now, the newest first.

    \b
    Example:
      qgate access limits set ipv4/24 --connections 16 --attempts 40
    """
    _change("access.limits.set", prefix=prefix, connections=connections, attempts=attempts, links=links)


@limits.command("remove", short_help="Take such a limit away.")
@click.argument("prefix", metavar="ipv4/LENGTH|ipv6/LENGTH")
@place.options
def limits_remove(prefix: str) -> None:
    """Take the limit by hand of this length away.

    \b
    Example:
      qgate access limits remove ipv4/24
    """
    _change("access.limits.remove", prefix=prefix)


@access.group(short_help="Scores of addresses, networks and peers.")
@place.options
def reputation() -> None:
    """Scores: what addresses and peers have done, from -3000 to 100; half of it is forgotten in an hour.

    \b
    Example:
      qgate access reputation list
    """


def _scores(where: Place, command: str, **arguments: Any) -> None:
    rows = where.ask(command, **arguments)
    if where.json:
        output.as_json(rows)
        return
    output.table(("who", "what", "score", "refused for"), (
        (row["of"], row["kind"], f"{row['score']:g}",
         output.duration_text(row["refused_seconds"]) if row["refused_seconds"] else "") for row in rows), "no scores")


@reputation.command("list", short_help="All scores, the worst first.")
@place.options
@place.passed
def reputation_list(where: Place) -> None:
    """Show everybody who has a score, the worst first.

    \b
    Example:
      qgate access reputation list --json
    """
    _scores(where, "reputation.list")


@reputation.command("set", short_help="Give somebody a score.", context_settings={"ignore_unknown_options": True})
@click.argument("subject", type=SUBJECT, metavar="UUID|ADDRESS")
@click.argument("score", type=click.FloatRange(-3000, 100))
@place.options
@place.passed
def reputation_set(where: Place, subject: str, score: float) -> None:
    """Give a peer, an address or a /24 or /56 a score from -3000 to 100.

    \b
    Example:
      qgate access reputation set 198.51.100.7 -1500
    """
    _scores(where, "reputation.set", subject=subject, score=score)


@reputation.command("reset", short_help="Forget a score, or all.")
@click.argument("subject", type=SUBJECT, metavar="[UUID|ADDRESS]", required=False)
@click.option("--all", "everybody", is_flag=True, help="Forget every score.")
@place.options
@place.passed
def reputation_reset(where: Place, subject: str | None, everybody: bool) -> None:
    """Forget the score of a peer, an address or a network, and what was refused because of it.

    \b
    Example:
      qgate access reputation reset 198.51.100.7
      qgate access reputation reset --all
    """
    if (subject is None) is not everybody:
        raise click.UsageError("give a UUID or an address, or --all")
    _scores(where, "reputation.reset", subject=subject or "")


# -- what is shown -----------------------------------------------------------------------------------------------


def _part(where: Place, name: str, show: Callable[[Any], None]) -> None:
    rows = where.ask("access.list")[name]
    if where.json:
        output.as_json(rows)
    else:
        show(rows)


def _show(where: Place, report: dict[str, Any]) -> None:
    if where.json:
        output.as_json(report)
        return
    made = " (by hand)" if report["default_by"] == "hand" else ""
    output.facts({"peers that no rule names": report["default"] + made})
    for rule in report["rules"]:
        only = f"  only {rule['only']}" if rule["only"] else ""
        name = f"  {rule['name']}" if rule.get("name") else ""
        click.echo(output.printable(f"{rule['word']:<5}  {rule['peer']}{name}{only}{_made_text(rule)}"))
    if report["filters"]:
        click.echo()
        _show_filters(report["filters"])
    if report["limits"]:
        click.echo()
        _show_limits(report["limits"])


def _show_filters(rows: Any) -> None:
    output.table(("filter", "network", "made by", "ends"), (
        (row["kind"], row["network"], row["made_by"], _until_text(row["until"])) for row in rows), "no filters")


def _show_limits(rows: Any) -> None:
    output.table(("each", "connections", "attempts", "links a minute", "made by"), (
        (row["prefix"], *(str(row[name] or "") for name in ("connections", "attempts", "links")), row["made_by"])
        for row in rows), "no limits per prefix")


def _made_text(rule: dict[str, Any]) -> str:
    until = _until_text(rule["until"])
    words = [word for word in ("configuration" if rule["made_by"] == "configuration" else "",
                               f"until {until}" if until else "") if word]
    return f"  ({', '.join(words)})" if words else ""


def _until_text(until: float | None) -> str:
    """A moment in this machine's time."""
    return "" if until is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(until))
