"""``make run``: the real thing, once, with few processes; what it writes; what it says when it cannot.

Ctrl-C, ports and a fetch through three gateways are the acceptance point ``make_run``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import demo
from quantumgate.cli.demonode import DemoFailed
from quantumgate.settings.loader import loads

RUN_SECONDS = 120
UUID = "0b51a0f2-3c4d-8100-8888-000000000001"


class ConfigurationTests(SynchronousTestCase):
    def test_each_loads_and_means_what_is_said(self) -> None:
        gateway = loads(demo.GATEWAY, "gateway")
        self.assertEqual((gateway.node.relay, gateway.relay.allow_private, gateway.extenders), (True, True, {}))
        far = tomllib.loads(demo.EXIT.format(near=UUID))
        self.assertEqual(far["extenders"]["socks5"]["exit"]["peers"], far["access"]["allow"])
        served = far["extenders"]["socks5"]["exit"]
        self.assertIn("127.0.0.0/8:*", served["allow"])
        self.assertEqual((served["udp"], served["bind"], served["bind_address"]), (True, True, "127.0.0.1"))
        address = f"qg://{UUID}@127.0.0.1:9000"
        near = loads(demo.NEAR.format(gateways=f'"{address}"', hops=2, port=1080, exit=address), "near")
        self.assertEqual((near.node.listen, near.privacy.hops, near.relay.gateways), ((), 2, (address,)))

    def test_everything_that_is_off_has_its_name(self) -> None:
        names = " ".join(name for name, _ in demo.SWITCHED_OFF)
        for word in ("diversity", "private addresses", "port rule", "limits", "exit policy", "UDP", "BIND"):
            self.assertIn(word, names)


class RunTests(SynchronousTestCase):
    def test_the_real_thing(self) -> None:
        """Six processes, a circuit through two gateways, and nothing left of them."""
        words = [sys.executable, "-m", "quantumgate.cli.demo", "--once", "--port", "0", "--hops", "2"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
                              cwd=Path(demo.__file__).parents[2])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        first, last = re.findall(r"circuit: you > (g\d) > (g\d) > exit", done.stdout)[0]
        self.assertRegex(done.stdout, rf"{first} knows: from 127\.0\.0\.1:\d+ to {last} at")
        self.assertRegex(done.stdout, rf"{last} knows: from through {first} to exit at")
        self.assertIn(f"exit knows: peer you through {last}", done.stdout)
        for name, _ in demo.SWITCHED_OFF:
            self.assertIn(name, done.stdout)
        pids = re.findall(r"pid (\d+)", done.stdout)
        self.assertEqual((len(pids), [pid for pid in pids if _is_node(pid)]), (6, []))

    def test_hops_that_cannot_be(self) -> None:
        for hops in ("0", "5"):
            result = CliRunner().invoke(demo.demo, ["--hops", hops])
            self.assertEqual(result.exit_code, 2)

    def test_without_the_extender(self) -> None:
        self.patch(demo.signal, "signal", lambda number, what: None)
        self.patch(demo.importlib.metadata, "entry_points", lambda group: [])
        result = CliRunner().invoke(demo.demo, [])
        self.assertEqual(result.exit_code, 1)
        self.assertIn("pip install . ./extenders/socks5", result.output)


class ProxyTests(SynchronousTestCase):
    def test_a_proxy_that_cannot_run_is_told(self) -> None:
        row = {"name": "socks5", "state": "failed", "reason": "address in use", "status": {}}

        class Near:
            def ask(self, command: str) -> list[object]:
                return [row]

        error = self.assertRaises(DemoFailed, demo.wait_for_circuit, Near())
        self.assertIn("address in use", str(error))
        self.assertIn("make run PORT=", str(error))


def _is_node(pid: str) -> bool:
    try:
        return b"qgnode" in Path(f"/proc/{pid}/cmdline").read_bytes() and os.getpid() != int(pid)
    except OSError:
        return False
