"""``qgate name``: what this node's people call peers. Not for: what a name may look like (``core/petnames.py``).

Told in docs/guide/inviting-a-friend.md.
"""

from __future__ import annotations

import click

from quantumgate.cli import output, place
from quantumgate.cli.node import PEER
from quantumgate.cli.place import Place


@click.command(short_help="Names of peers: show, give, forget.")
@click.argument("peer", type=PEER, required=False, metavar="[UUID|NAME]")
@click.argument("new", required=False, metavar="[NAME]")
@click.option("--forget", is_flag=True, help="Forget the name of this peer.")
@place.options
@place.passed
def name(where: Place, peer: str | None, new: str | None, forget: bool) -> None:
    """Call the peer UUID by NAME, here and nowhere else; without arguments show all names.

    A name can stand wherever a UUID is asked for. It has letters a-z, digits and hyphens, and must not look like the
    name of another peer. No peer can choose how it is shown here.

    \b
    Example:
      qgate name 0b51a0f2-3c4d-8100-8888-000000000001 bob
      qgate ping bob
      qgate name --forget bob
    """
    if (peer is None and (new is not None or forget)) or (peer is not None and (new is None) is not forget):
        raise click.UsageError("give a peer and its name, or a peer and --forget, or neither to see all names")
    if peer is None:
        rows = where.ask("name.list")
    elif new is None:
        rows = where.ask("name.forget", subject=peer)
    else:
        rows = where.ask("name.put", peer=peer, name=new)
    if where.json:
        output.as_json(rows)
    else:
        output.table(("name", "peer"), ((row["name"], row["uuid"]) for row in rows), "no peer has a name")
