"""`qgate`, the operator's tool: which commands there are, and what every one of them shares.

Exit codes are a contract: 0 ok, 1 failed with the reason on stderr, 2 wrong use, 3 no node running; for ``ping`` 1 and
2 mean relayed and unreachable, and wrong use is 64. Anything heavy is imported inside the commands: qgate starts in
well under 300 ms. Not for: the commands themselves. Spec: docs/guide/operating.md.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from quantumgate import __version__
from quantumgate.cli import (
    access,
    bench,
    book,
    check,
    doctor,
    find,
    identity,
    invitations,
    names,
    node,
    place,
    relays,
    rotation,
    services,
    store,
)
from quantumgate.errors import QuantumGateError

FAILED, WRONG_USE, NO_NODE, PING_WRONG_USE, INTERRUPTED = 1, 2, 3, 64, 130
PING_UNREACHABLE = 2

HELP = """Set up, watch and steer a QuantumGate node.

\b
First steps:
  qgate init
  twistd -n qgnode
  qgate status

\b
Exit codes: 0 ok, 1 failed (the reason is on stderr), 2 wrong use, 3 no node running.
"""


@click.group(help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="qgate %(version)s")
@place.options
def qgate() -> None:
    """The group; ``place.options`` has kept --data, --control and --json."""


COMMANDS: Sequence[click.Command] = (
    identity.init, identity.id_, node.status, node.peers, node.connect, node.disconnect, node.ping,
    invitations.invite, invitations.join, names.name, access.access, node.extenders, relays.relays, book.book,
    find.find, check.check, store.store, doctor.doctor, bench.bench, services.expose, services.forward,
)
for _command in COMMANDS:
    qgate.add_command(_command)
for _command in (rotation.rotate, rotation.succeed, rotation.accept):
    identity.id_.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of the console script. Exits; never returns."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """One call of qgate with these arguments, as its exit code."""
    try:
        code = qgate.main(args=arguments, prog_name="qgate", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        error.show()
        return PING_WRONG_USE if _is_ping(error, arguments) else WRONG_USE
    except click.Abort:
        return _say("interrupted", "", INTERRUPTED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nobody to tell
        return FAILED
    except click.ClickException as error:
        return _say(error.format_message(), "", FAILED)
    except QuantumGateError as error:
        return _say(str(error), error.advice, _code(error, arguments))
    except OSError as error:
        return _say(f"{error.filename}: {error.strerror}" if error.filename else str(error), "", FAILED)


def _code(error: QuantumGateError, arguments: list[str]) -> int:
    from quantumgate.control.client import NodeRefused, NoNodeRunning

    if isinstance(error, NoNodeRunning):
        return NO_NODE
    reason = error.reason if isinstance(error, NodeRefused) else ""
    if "ping" not in arguments:
        return WRONG_USE if reason == "bad-address" else FAILED
    return PING_WRONG_USE if reason in {"bad-address", "refused", "wrong-arguments"} else PING_UNREACHABLE


def _is_ping(error: click.UsageError, arguments: list[str]) -> bool:
    name = error.ctx.info_name if error.ctx else ""
    return name == "ping" or (name == "qgate" and "ping" in arguments)


def _say(message: str, advice: str, code: int) -> int:
    click.echo(f"qgate: {message}", err=True)
    if advice:
        click.echo(f"  try: {advice}", err=True)
    return code


if __name__ == "__main__":
    main()
