"""``make run``: a small network on this machine, a SOCKS proxy through three gateways; Ctrl-C leaves nothing behind.

Your node, four gateways and an exit, each a process of its own, as users start them. Not for: real use (``twistd -n
qgnode``), or measuring (``qgate bench``). Told in docs/guide/relays.md.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from quantumgate.cli.demonode import DemoFailed, DemoNode, running
from quantumgate.cli.demowatch import Watch
from quantumgate.errors import QuantumGateError

GATEWAYS = 4
HOPS_DEFAULT = 3
PORT = 1080
LOOK_SECONDS = 1.0
CIRCUIT_SECONDS = 30.0
KIND = "ed25519"

GATEWAY = """[node]
listen = ["tcp:0:interface=127.0.0.1"]
relay = true

[relay]
allow_private = true
"""
EXIT = """[node]
listen = ["tcp:0:interface=127.0.0.1"]

[access]
allow = ["{near}"]

[extenders.socks5]
listen = ""

[extenders.socks5.exit]
enabled = true
udp = true
bind = true
bind_address = "127.0.0.1"
peers = ["{near}"]
allow = ["127.0.0.0/8:*", "[::1]/128:*", "*:80", "*:443"]
"""
NEAR = """[node]
listen = []

[relay]
gateways = [{gateways}]
allow_private = true

[privacy]
hops = {hops}

[extenders.socks5]
listen = "tcp:{port}:interface=127.0.0.1"
exits = ["{exit}"]
hops = {hops}
"""

SWITCHED_OFF = (
    ("diversity of networks", "your node's relay.allow_private: hops may share a network, as all of 127.0.0.1 do"),
    ("private addresses", "the gateways' relay.allow_private: links may lead to 127.0.0.1"),
    ("port rule", "the same switch: links may lead to ports below 1024"),
    ("limits by network", "links_prefix_rate, link_volume_prefix_bytes: never counted for loopback"),
    ("exit policy", "the exit's allow names 127.0.0.0/8 and [::1]: every port of this machine, and the web"),
    ("UDP and BIND", "the exit's udp and bind: datagrams, and ports of 127.0.0.1 that wait for one caller"),
)


@contextmanager
def network(place: Path, hops: int, port: int) -> Iterator[tuple[DemoNode, list[DemoNode], DemoNode]]:
    """Your node, the gateways, the exit, ready and connected. Raises DemoFailed."""
    near_uuid = _identity(place / "you")
    gateways = [DemoNode(place, f"g{number + 1}", GATEWAY) for number in range(GATEWAYS)]
    far = DemoNode(place, "exit", EXIT.format(near=near_uuid))
    click.echo(f"starting {GATEWAYS} gateways and an exit ...")
    with running([*gateways, far]):
        listed = ", ".join(f'"{gateway.address}"' for gateway in gateways)
        near = DemoNode(place, "you", NEAR.format(gateways=listed, hops=hops, port=port, exit=far.address))
        click.echo("starting your node ...")
        with running([near]):
            wait_for_circuit(near)
            yield near, gateways, far


def _identity(data: Path) -> str:
    """Your node's, made before it starts: the exit must know whom to admit."""
    from quantumgate.node.data_directory import DataDirectory

    directory = DataDirectory(data)
    directory.lock()
    try:
        return str(directory.identity(KIND).public.uuid)
    finally:
        directory.unlock()


def wait_for_circuit(near: DemoNode) -> None:
    """Until the proxy listens and its exit is there, through the gateways. Raises DemoFailed."""
    last = time.monotonic() + CIRCUIT_SECONDS
    while True:
        (proxy,) = [one for one in near.ask("extenders") if one["name"] == "socks5"]
        if proxy["state"] in ("failed", "quarantined") or proxy["reason"]:
            raise DemoFailed(f"the proxy does not run: {proxy['reason']}\nanother port: make run PORT=1081")
        if any(one["state"] == "ready" for one in proxy["status"].get("proxy", {}).get("exits", ())):
            return
        if time.monotonic() > last:
            raise DemoFailed(f"no circuit to the exit after {CIRCUIT_SECONDS:.0f} s:\n{near.log_end()}")
        time.sleep(0.1)


def proxy_at(near: DemoNode) -> str:
    """``127.0.0.1:1080``."""
    (proxy,) = [one for one in near.ask("extenders") if one["name"] == "socks5"]
    return str(proxy["status"]["listening"][0])


# -- what is said ------------------------------------------------------------------------------------------------


def introduce(near: DemoNode, gateways: list[DemoNode], far: DemoNode, hops: int) -> None:
    """Who is there, and what one machine makes impossible."""
    click.secho(f"\nA network on this machine: SOCKS5 on {proxy_at(near)}, through {hops} of {len(gateways)} gateways.",
                bold=True)
    for node in (near, *gateways, far):
        click.echo(f"  {node.name:<5} {node.uuid}  pid {node.pid}")
    if hops == 1:
        click.secho("\nOne gateway (HOPS=1, as `via` with one name): that gateway sees BOTH ends, your address and the "
                    "exit's.\nFrom two gateways on, none does.", bold=True)
    click.secho("\nSwitched off because this is one machine; a real node leaves all of it on:", bold=True)
    for name, why in SWITCHED_OFF:
        click.echo(f"  {name:<22} {why}")
    click.echo("\nNobody is hidden here: one user owns all of these processes.\n")


def tell_what_to_try(near: DemoNode, gateways: list[DemoNode], place: Path) -> None:
    proxy = proxy_at(near)
    click.secho("\nIn another terminal:", bold=True)
    for line in (
        "python3 -m http.server 8000 --bind 127.0.0.1      # something to fetch; then:",
        f"curl -x socks5h://{proxy} http://127.0.0.1:8000/",
        f"curl -x socks5h://{proxy} https://example.org/",
        near.shown("relays"), near.shown("peers"), gateways[0].shown("relays"), gateways[0].shown("status", "--json"),
        f"kill -9 {gateways[0].pid}      # a gateway that dies: the next request takes another path",
    ):
        click.echo(f"  {line}")
    click.echo(f"\nLogs and configurations: {place}. Ctrl-C stops every node and removes everything.\n")


def _say(line: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {line}")


def watch(live: Watch) -> None:
    """Until Ctrl-C."""
    while True:
        time.sleep(LOOK_SECONDS)
        live.look()


def _raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _require_proxy() -> None:
    names = {point.name for point in importlib.metadata.entry_points(group="quantumgate.extenders")}
    if "socks5" not in names:
        raise DemoFailed("the extender socks5 is not installed here: pip install . ./extenders/socks5")


@click.command()
@click.option("--hops", default=HOPS_DEFAULT, show_default=True, type=click.IntRange(1, GATEWAYS),
              help="Gateways between.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="SOCKS5; 0 = a free one.")
@click.option("--once", is_flag=True, help="Stop after the first look instead of waiting for Ctrl-C.")
def demo(hops: int, port: int, once: bool) -> None:
    """Start a small network, show what each of its nodes knows, and wait."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # SIGINT too: a shell's background job ignores it
        signal.signal(number, _raise_interrupt)
    place = Path(tempfile.mkdtemp(prefix="qg-run-"))  # short: a unix socket's path holds 107 bytes
    try:
        _require_proxy()
        with network(place, hops, port) as (near, gateways, far):
            introduce(near, gateways, far, hops)
            live = Watch(near, gateways, far, _say)
            live.look()
            if not once:
                tell_what_to_try(near, gateways, place)
                watch(live)
    except KeyboardInterrupt:
        click.echo("\nstopping every node")
    except (DemoFailed, QuantumGateError) as failure:
        raise click.ClickException(str(failure)) from None
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    demo()
