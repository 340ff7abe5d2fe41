"""``python -m tests.acceptance [NAME...]``: run the points, print their figures, keep them, fail on a broken bound."""

from __future__ import annotations

import argparse
import importlib
import time
import traceback
from collections.abc import Sequence

from tests.acceptance.floods import page
from tests.acceptance.report import Figure, keep

POINTS = ("make_run", "two_nodes", "echo", "uniform", "rekey_soak", "fuzz", "bench", "flake", "wheel", "newcomer")
POINTS += ("gateway_loss", "stuck_reader", "fuzz_parsers")
POINTS += ("models", "mceliece", "weakenings", "socks5", "web_service", "bench_relays")
POINTS += ("knowledge", "tamper", "nat", "ban")
POINTS += ("tunnel", "tunnel_clients", "probes")
POINTS += ("lan", "nat_matrix", "handover", "bootstrap", "invite")
POINTS += ("store_kill", "store_disk", "store_bench")
POINTS += ("simulation",)
FLOODS = ("connect_close", "slow_openers", "garbage", "replays", "half_handshakes", "handshakes", "record_abuse")
FLOODS += ("channel_floods", "never_reading", "bombs", "rekey_storms", "relay_abuse", "exchange_abuse", "reach_abuse")
FLOODS += ("overload", "weakened")
POINTS += tuple(f"floods.{name}" for name in FLOODS)
"""A name with a dot is one point of those that its first word names together."""


def run_point(name: str) -> list[Figure]:
    """The figures of one point; an exception is a broken figure, the ones before it still count."""
    figures: list[Figure] = []
    try:
        for figure in importlib.import_module(f"tests.acceptance.{name}").figures():
            figures.append(figure)
            verdict = "ok    " if figure.holds else "BROKEN"
            print(f"  {verdict} {figure.name}: {figure.seen}  (bound {figure.bound})", flush=True)
    except Exception as failure:
        traceback.print_exc()
        figures.append(Figure("finished", "yes", f"{type(failure).__name__}: {failure}"[:300], False))
    return figures


def chosen(names: Sequence[str]) -> list[str]:
    """The points of these names, of all without any. Raises KeyError for a name that is none."""
    found: list[str] = []
    for name in names or POINTS:
        points = [point for point in POINTS if point == name or point.partition(".")[0] == name]
        if not points:
            raise KeyError(name)
        found += points
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {' '.join(POINTS)}; none = all")
    parser.add_argument("--dry", action="store_true", help="leave docs/acceptance.md as it is")
    wanted = parser.parse_args()
    try:
        points = chosen(wanted.names)
    except KeyError as unknown:
        parser.error(f"no such point: {unknown.args[0]}; there are {' '.join(POINTS)}")
    broken = 0
    for name in points:
        start = time.monotonic()
        print(f"== {name}", flush=True)
        figures = run_point(name)
        broken += sum(not figure.holds for figure in figures)
        print(f"  {time.monotonic() - start:.0f} s", flush=True)
        if not wanted.dry:
            keep(name, figures)
    if not wanted.dry and any(name.startswith("floods.") for name in points):
        page.main()
    print(f"{broken} broken" if broken else "all bounds hold", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
