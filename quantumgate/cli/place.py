"""Which node, which data directory, which form of output: options that go before or after any command.

Not for: opening the data directory or reading the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from quantumgate.control.client import ControlClient

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass
class Place:
    """What --data, --control and --json say; the last one on the line wins."""

    data_option: str | None = None
    control_option: str | None = None
    json: bool = False

    @property
    def data(self) -> Path:
        """The data directory, which need not exist."""
        if self.data_option is not None:
            return Path(self.data_option)
        from quantumgate.settings.places import default_data_directory

        return default_data_directory()

    @property
    def control(self) -> Path:
        """The control socket of the node that is meant."""
        if self.control_option is not None:
            return Path(self.control_option)
        from quantumgate.control.paths import find_control

        return find_control(self.data)

    def node(self) -> ControlClient:
        """A connection to the running node. Raises NoNodeRunning."""
        from quantumgate.control.client import ControlClient

        return ControlClient(self.control)

    def ask(self, command: str, **arguments: Any) -> Any:
        """What the running node answers to one command. Raises NoNodeRunning, or NodeRefused with its reason."""
        with self.node() as node:
            return node.call(command, **arguments)


def options(command: Decorated) -> Decorated:
    """Adds the three options; ``passed`` gives the result to a command."""
    for option in (_json, _control, _data):
        command = option(command)
    return command


FIELDS = {"data": "data_option", "control": "control_option", "json": "json"}
passed = click.make_pass_decorator(Place, ensure=True)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    place = context.ensure_object(Place)
    if value:
        setattr(place, FIELDS[parameter.name or ""], value)


_data = click.option("--data", metavar="DIR", expose_value=False, callback=_keep, is_eager=True,
                     help="The node's data directory.")
_control = click.option("--control", metavar="PATH", expose_value=False, callback=_keep, is_eager=True,
                        help="The node's control socket, instead of --data.")
_json = click.option("--json", is_flag=True, expose_value=False, callback=_keep, is_eager=True,
                     help="Print JSON, and nothing else, on stdout.")
