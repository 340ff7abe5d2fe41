"""The doctor: each finding has advice where there is something to do, and the exit code says whether it hurts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.cli import doctor
from quantumgate.control.api import PortMapReport
from quantumgate.core.online_key import make
from quantumgate.crypto.secret import Secret
from quantumgate.net import defaultroute
from quantumgate.net.pcp import NAME_IT
from quantumgate.net.portmap import INSTALL_ADVICE
from quantumgate.node.data_directory import write_atomically
from quantumgate.store.sealed import StoreKey
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile
from tests.cli.tool import ServedCase, qgate, qgate_beside
from tests.core.handshake.duel import identity


class DoctorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(mode=0o700)
        self.config = self.folder / "q.toml"
        self.config.write_text("[node]\nlisten = []\n")

    def findings(self) -> dict[str, Any]:
        outcome = qgate("doctor", "--config", str(self.config), "--data", str(self.folder), "--json")
        found = {one["name"]: one for one in outcome.json}
        wrong = any(one["state"] == "wrong" for one in found.values())
        self.assertEqual(outcome.code, int(wrong), outcome)
        return found

    def test_names(self) -> None:
        found = self.findings()
        for name in ("python", "twisted", "cryptography", "crypto: cryptography", "crypto: liboqs", "locked memory",
                     "open files", "clock", "twistd qgnode", "configuration", "data directory", "identity", "node"):
            self.assertIn(name, found)
        self.assertIn("known answers right", found["crypto: cryptography"]["found"])
        self.assertIn("no node is running", found["node"]["found"])

    def test_whatever_could_be_better_has_advice(self) -> None:
        for one in self.findings().values():
            self.assertIn(one["state"], {"ok", "note", "wrong"})
            if one["state"] != "ok":
                self.assertTrue(one["advice"], one)

    def test_broken_configuration(self) -> None:
        self.config.write_text("x = 1")
        found = self.findings()["configuration"]
        self.assertEqual(found["state"], "wrong")
        self.assertIn("q.toml: x: expected one of", found["found"])

    def test_data_directory_open_to_others(self) -> None:
        self.folder.chmod(0o755)
        found = self.findings()["data directory"]
        self.assertEqual((found["state"], found["advice"]), ("wrong", f"chmod 700 {self.folder}"))

    def test_key_open_to_others(self) -> None:
        (self.folder / "identity.key").write_bytes(b"")
        (self.folder / "identity.key").chmod(0o644)
        self.assertEqual(self.findings()["identity"]["state"], "wrong")

    def online_key(self, days_ago: float) -> dict[str, Any]:
        """Of an identity whose root is elsewhere: 90 days from then."""
        made = make(identity("alice"), now_seconds=int(time.time() - days_ago * 86_400), life_seconds=90 * 86_400)
        write_atomically(self.folder / "online.key", made.encode())
        found: dict[str, Any] = self.findings()["online key"]
        return found

    def test_an_online_key_that_runs_out(self) -> None:
        self.assertEqual(self.online_key(1)["state"], "ok")
        soon = self.online_key(80)
        self.assertEqual(soon["state"], "note")
        self.assertIn("qgate id rotate", soon["advice"])
        over = self.online_key(91)
        self.assertEqual(over["state"], "wrong")
        self.assertIn("has run out on", over["found"])

    def test_an_online_key_that_is_none(self) -> None:
        write_atomically(self.folder / "online.key", b"nonsense")
        self.assertIn("damaged", self.findings()["online key"]["found"])
        (self.folder / "online.key").chmod(0o640)
        self.assertEqual(self.findings()["online key"]["state"], "wrong")

    def test_clock_before_this_was_written(self) -> None:
        self.patch(doctor.time, "time", lambda: 0.0)
        found = self.findings()["clock"]
        self.assertEqual((found["state"], found["found"]), ("wrong", "1970-01-01 00:00 UTC"))

    def test_package_that_is_missing(self) -> None:
        self.patch(doctor, "PACKAGES", ("never-written",))
        self.assertEqual(self.findings()["never-written"]["state"], "wrong")

    def test_port_mapping_before_a_node_runs(self) -> None:
        self.assertEqual(self.findings()["port mapping"]["found"], "off (discovery.port_mapping)")
        self.config.write_text('[discovery]\nport_mapping = true\nrouter = "192.168.1.1"\n')
        self.assertIn("192.168.1.1 is asked while the node runs", self.findings()["port mapping"]["found"])
        self.config.write_text("[discovery]\nport_mapping = true\n")
        self.patch(defaultroute, "default_router", lambda: "")
        found = self.findings()["port mapping"]
        self.assertEqual((found["state"], found["advice"]), ("note", NAME_IT))

    def test_what_lies_open_beside_a_sealed_store(self) -> None:
        def told() -> list[str]:
            found = qgate("doctor", "--config", str(self.config), "--data", str(self.folder), "--json").json
            return [Path(one["found"].split(" ")[0]).name for one in found
                    if one["name"] in ("store: a copy", "store: old state file")]

        store, key = self.folder / "store.db", self.folder / "store.key"
        opened = SqlDatabase(SqliteFile(store))
        opened.open()
        opened.close()
        for name in ("store.db.schema-2", "store.db.replaced", "state.json.imported", "state.json.unread.2"):
            (self.folder / name).write_bytes(store.read_bytes())
        self.assertEqual(told(), [])
        write_atomically(key, bytes(32))
        self.config.write_text(f'[node]\nlisten = []\nstore_key_file = "{key}"\n')
        sealed = SqlDatabase(SqliteFile(store), StoreKey("key file", Secret(bytes(32))))
        sealed.open()
        sealed.close()
        (self.folder / "store.db.replaced.2").write_bytes(store.read_bytes())
        (self.folder / "store.db.txt").write_text("no store")
        self.assertEqual(told(), ["state.json.imported", "state.json.unread.2", "store.db.replaced",
                                  "store.db.schema-2"])
        self.assertIn("shred -u", self.findings()["store: a copy"]["advice"])

    def test_for_a_person(self) -> None:
        text = qgate("doctor", "--config", str(self.config), "--data", str(self.folder)).out
        self.assertTrue(text.startswith("WHAT "))


class PortMappingTests(ServedCase):
    """As the node that runs says."""

    async def found(self, name: str = "port mapping", **report: Any) -> dict[str, Any]:
        config = self.data / "q.toml"
        config.write_text("[node]\nlisten = []\n")
        self.node.port_mapping = PortMapReport(enabled=True, **report)
        outcome = await qgate_beside("doctor", "--config", str(config), "--data", str(self.data), "--json")
        rows: list[dict[str, Any]] = [one for one in outcome.json if one["name"] == name]
        return rows[0]

    async def test_no_router_answered(self) -> None:
        found = await self.found(why="PCP, NAT-PMP: the router 10.0.0.1: it does not answer")
        self.assertEqual((found["state"], found["found"]),
                         ("note", "PCP, NAT-PMP: the router 10.0.0.1: it does not answer"))
        self.assertIn("map the port by hand", found["advice"])
        self.assertEqual((await self.found())["found"], "a router is looked for")

    async def test_which_port_by_which_protocol(self) -> None:
        answered = {"protocol": "NAT-PMP", "router": "10.0.0.1", "outside": "84.20.7.153"}
        found = await self.found(**answered, ports=(9999,), confirmed=("84.20.7.153:9999",))
        self.assertEqual((found["state"], found["found"]), (
            "ok", "the router 10.0.0.1 leads its port 9999 here, by NAT-PMP; peers came in by 84.20.7.153:9999"))
        found = await self.found(**answered, ports=(9999,))
        self.assertIn("nobody came in by it yet", found["found"])
        self.assertIn("wait", found["advice"])
        found = await self.found(**answered)
        self.assertIn("node.listen", found["advice"])

    async def test_a_router_behind_a_router(self) -> None:
        for outside in ("192.168.0.7", "100.64.3.4"):
            found = await self.found(protocol="PCP", router="10.0.0.1", outside=outside, ports=(9999,))
            self.assertIn(f"has the address {outside} itself", found["advice"])

    async def test_the_package(self) -> None:
        self.assertEqual((await self.found("port mapping: miniupnpc"))["state"], "ok")
        version = doctor.metadata.version

        def missing(name: str) -> str:
            if name == "miniupnpc":
                raise doctor.metadata.PackageNotFoundError(name)
            return version(name)

        self.patch(doctor.metadata, "version", missing)
        found = await self.found("port mapping: miniupnpc")
        self.assertEqual((found["state"], found["advice"]), ("note", INSTALL_ADVICE))
        found = await self.found("port mapping: miniupnpc", protocol="PCP")
        self.assertEqual((found["state"], found["found"]), ("ok", "not installed; not needed, the router speaks PCP"))
