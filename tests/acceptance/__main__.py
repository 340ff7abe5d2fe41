"""``python -m tests.acceptance [NAME...]``: run the points, print their figures, keep them, fail on a broken bound."""

from __future__ import annotations

import argparse
import importlib
import time
import traceback
from collections.abc import Sequence

from tests.acceptance.report import Figure, keep

POINTS = ("make_run", "two_nodes", "echo", "uniform", "rekey_soak", "fuzz", "bench", "flake", "wheel", "newcomer")
POINTS += ("gateway_loss", "stuck_reader", "fuzz_parsers")
POINTS += ("models", "mceliece", "weakenings", "socks5", "web_service", "bench_relays")
POINTS += ("knowledge", "tamper", "nat", "ban")
POINTS += ("tunnel", "tunnel_clients", "probes")
POINTS += ("lan", "nat_matrix", "bootstrap", "invite")
POINTS += ("store_kill", "store_disk", "store_bench")
