"""``qgate invite`` and ``qgate join``: two commands after which two nodes know each other.

Not for: what an invitation is (``wire/invitation_text.py``), or who comes in by it (the running nodes). Told in
docs/guide/inviting-a-friend.md.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from quantumgate.cli import output, place
from quantumgate.cli.access import Span
from quantumgate.cli.node import HOPS, VIA, called, named_relays, path_text
from quantumgate.cli.place import Place
from quantumgate.errors import LocalError

STDIN = "-"
_SPAN = Span()


@click.group(invoke_without_command=True, short_help="Invite somebody: make, list, revoke invitations.")
@click.option("--name", default="", metavar="NAME", help="What to call here who comes by it.")
@click.option("--as", "proposed", default="", metavar="NAME", help="What you propose to be called there.")
@click.option("--expires", type=_SPAN, default="1d", show_default=True, help="How long it is good: 10m, 12h, 7d, 2w.")
@click.option("--uses", type=click.IntRange(1, 64), default=1, show_default=True, help="For so many peers.")
@click.option("--only", multiple=True, metavar="EXTENDER",
              help="Who comes by it may use this and nothing else (an extender, or connect). Repeatable.")
@click.option("--endpoint", "endpoints", metavar="HOST:PORT", multiple=True,
              help="Where this node can be dialled, beside what it knows itself. Repeatable.")
@click.option("--qr", is_flag=True, help="Show it as a QR code, too.")
@place.options
@click.pass_context
def invite(context: click.Context, /, qr: bool, **terms: Any) -> None:
    """Make an invitation: one word that lets one friend in, once, whatever the rules say of strangers.

    Whoever has it first comes in: send it as you would send a key. Your friend gives it to qgate join, and both nodes
    know each other from then on. It does not hold the shared secret of the network.

    \b
    Example:
      qgate invite --name bob --as alice
      qgate invite --qr --expires 10m
      qgate invite list
    """
    if context.invoked_subcommand is not None:
        return
    where = context.find_object(Place) or Place()
    made = where.ask(
        "invite", endpoints=list(terms["endpoints"]), uses=terms["uses"], seconds=terms["expires"],
        only=list(terms["only"]), name=terms["name"], proposed=terms["proposed"],
    )
    if where.json:
        output.as_json(made)
        return
    if qr:
        _show_code(made["invitation"])
    click.echo(made["invitation"])
    _explain(made)


def _show_code(text: str) -> None:
    from quantumgate.cli import qr

    modules = qr.modules_of(text)
    coloured = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if coloured else len(modules[0])
    problem = qr.why_not(modules, columns, sys.stdout.encoding or "utf-8")
    if problem:
        click.echo(f"qgate: {problem}; the text says the same\n  try: a wider terminal, or smaller letters", err=True)
        return
    click.echo("\n".join(qr.lines_of(modules, coloured=coloured)), color=True)


def _explain(made: dict[str, Any]) -> None:
    """On stderr, so that the word can be piped."""
    uses = "once" if made["uses"] == 1 else f"for {made['uses']} peers"
    ways = [*made["endpoints"], *([f"{len(made['anchors'])} anchors"] if made["anchors"] else [])]
    click.echo(f"good {uses}, until {_time_text(made['expires'])}; it leads to {', '.join(ways)}", err=True)
    click.echo("whoever has it first comes in; there: qgate join INVITATION", err=True)
    if made["note"]:
        click.echo(f"note: {made['note']}", err=True)


def _time_text(unix_seconds: float) -> str:
    """A moment in this machine's time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_seconds))


@invite.command("list", short_help="Invitations that were made, and who came by them.")
@place.options
@place.passed
def invite_list(where: Place) -> None:
    """Show the invitations that are open, and those that were used, taken back or ended within a month.

    What an invitation says cannot be shown again: the node does not keep it.

    \b
    Example:
      qgate invite list --json
    """
    _show(where, where.ask("invite.list"))


@invite.command("revoke", short_help="Take an invitation back.")
@click.argument("invitation", metavar="ID")
@place.options
@place.passed
def invite_revoke(where: Place, invitation: str) -> None:
    """Take the invitation ID back, as qgate invite list shows it. Who has come by it stays: qgate access remove.

    \b
    Example:
      qgate invite revoke 3fa91c20
    """
    where.ask("invite.revoke", id=invitation)
    _show(where, where.ask("invite.list"))


def _show(where: Place, rows: Any) -> None:
    if where.json:
        output.as_json(rows)
        return
    output.table(("id", "state", "ends", "uses", "for", "only", "came by it"), (
        (row["id"], row["state"], _time_text(row["expires"]), f"{len(row['joined'])} of {row['uses']}", row["name"],
         ", ".join(row["only"]), ", ".join(row["joined"])) for row in rows), "no invitations")


@click.command(short_help="Use an invitation: connect, and know each other from then on.")
@click.argument("invitation", metavar="INVITATION")
@click.option("--name", default="", metavar="NAME", help="What to call here who invited you.")
@click.option("--take-name", is_flag=True, help="Call it what it proposes to be called.")
@click.option("--hops", type=HOPS, default=None,
              help="Through so many relays; 0 = directly. Default: privacy.hops of the configuration.")
@VIA
@place.options
@place.passed
def join(
    where: Place, invitation: str, name: str, take_name: bool, hops: int | None, via: str | None
) -> None:
    """Use an INVITATION (qgi:...), a file that holds one, or - for stdin: you are let in, and let your friend in.

    The connection is kept, the key is pinned, and both sides have a rule and, where one was given, a name for the
    other. A join that was interrupted can be made again.

    \b
    Example:
      qgate join qgi:aea4b77oaajdjcv4txxqci2fm6e2w... --name alice
      qgate join - < invitation.txt
    """
    if name and take_name:
        raise click.UsageError("--name or --take-name, not both")
    text = given(invitation)
    take_name = take_name or (not name and not where.json and invitation != STDIN and _agreed(text))
    joined = where.ask("join", invitation=text, name=name, take_name=take_name, hops=hops,
                       via=named_relays(hops, via))
    if where.json:
        output.as_json(joined)
        return
    peer = joined["peer"]
    click.echo(f"joined {called(peer)} at {output.printable(peer['endpoint'])}, {path_text(peer)}")
    if not joined["name"]:
        wanted = joined["proposed_name"] or "NAME"
        click.echo(f"it has no name here yet: qgate name {joined['uuid']} {wanted}")


def given(invitation: str) -> str:
    """The invitation itself, or what the file (or stdin) holds. Raises LocalError for what is none at all."""
    from quantumgate.wire.invitation_text import SCHEME, TEXT_LETTERS_MAX, is_invitation_text

    if is_invitation_text(invitation):
        return invitation
    if invitation == STDIN:
        text = sys.stdin.read(TEXT_LETTERS_MAX)
    elif Path(invitation).is_file():
        with Path(invitation).open(encoding="ascii", errors="replace") as opened:
            text = opened.read(TEXT_LETTERS_MAX)
    else:
        text = invitation
    if not is_invitation_text(text):
        raise LocalError(f"expected an invitation ({SCHEME}...), or a file that holds one",
                         advice="copy it whole: one word, as qgate invite prints it")
    return text.strip()


def _agreed(text: str) -> bool:
    """Whether the person at the terminal takes the name that the inviter proposes."""
    from quantumgate.core.petnames import is_name
    from quantumgate.errors import MalformedError
    from quantumgate.wire.invitation_text import read_invitation

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        proposed = read_invitation(text).name
    except MalformedError:
        return False  # the node says what is wrong with it
    return is_name(proposed) and click.confirm(f"It would like to be called {proposed}. Call it so?", default=True)
