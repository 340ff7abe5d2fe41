"""``qgate store``: each command on a store as a node leaves it, and what it says where it cannot."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.node.data_directory import DataDirectory
from quantumgate.store import tables
from quantumgate.store.migrations import NEWEST
from quantumgate.store.opening import STORE_FILE
from quantumgate.store.sql import SqlDatabase
from quantumgate.store.sqlite import SqliteFile
from tests.cli.tool import Outcome, qgate
from tests.crypto.cheap import cheapen
from tests.store.contract import EXAMPLES, ONE
from tests.store.test_backups import COUNTS, ROWS

SCHEMAS = Path(__file__).parents[1] / "store" / "schemas"


class StoreCase(SynchronousTestCase):
    def setUp(self) -> None:
        cheapen(self)
        self.data = Path(self.mktemp()).absolute()
        self.data.mkdir(mode=0o700, parents=True)
        self.path, self.config = self.data / STORE_FILE, self.data / "q.toml"
        self.configure("")

    def configure(self, *lines: str) -> None:
        self.config.write_text("\n".join(("[node]", "listen = []", *lines)))

    def secret(self, name: str, text: str) -> str:
        path = self.data / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def fill(self) -> None:
        database = SqlDatabase(SqliteFile(self.path))
        database.open()
        database.write(ROWS)
        database.close()

    def store(self, *words: str, code: int = 0) -> Outcome:
        outcome = qgate("store", *words, "--data", str(self.data), "--config", str(self.config))
        self.assertEqual(outcome.code, code, outcome)
        return outcome


class CommandTests(StoreCase):
    def test_check(self) -> None:
        self.fill()
        self.assertIn(f"right, schema {NEWEST}", self.store("check").out)
        report = self.store("check", "--json").json
        self.assertEqual((report["rows"], report["schema"]), (COUNTS, NEWEST))

    def test_check_of_a_damaged_one_says_the_way_back(self) -> None:
        self.path.write_bytes(b"{" * 9000)
        self.assertIn("qgate store restore", self.store("check", code=1).err)

    def test_there_and_back(self) -> None:
        self.fill()
        file = str(self.data / "copy.db")
        self.assertIn(file, self.store("backup", file).out)
        self.path.write_bytes(b"{" * 9000)
        self.assertEqual(self.store("restore", file, "--json").json["rows"], COUNTS)
        self.store("check")

    def test_migrate(self) -> None:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.executescript((SCHEMAS / "schema_1.sql").read_text(encoding="utf-8"))
        self.assertIn("qgate store migrate", self.store("check", code=1).err)
        self.assertIn(f"schema 1 of {NEWEST}: would be migrated", self.store("migrate", "--dry-run").out)
        self.assertIn("was migrated", self.store("migrate").out)
        self.assertIn("nothing to do", self.store("migrate").out)
        self.assertEqual(self.store("check", "--json").json["rows"]["pins"], COUNTS["pins"])
        self.assertTrue(self.path.with_name("store.db.schema-1").exists())

    def test_seal_and_seal_again(self) -> None:
        self.fill()
        self.assertIn("no key", self.store("seal", code=1).err)
        self.configure(f'identity_passphrase_file = "{self.secret("old", "old words")}"')
        self.assertIn("passphrase", self.store("seal").out)
        self.assertIn("sealed already", self.store("seal", code=1).err)
        self.configure(f'store_key_file = "{self.secret("key", "k" * 32)}"')
        self.assertIn("another key", self.store("check", code=1).err)
        self.store("seal", "--old-passphrase-file", str(self.data / "old"))
        self.assertEqual(self.store("check", "--json").json["rows"], COUNTS)
        self.configure(f'store_key_file = "{self.secret("next", "n" * 32)}"')
        self.store("seal", "--old-key-file", str(self.data / "key"))
        self.store("check")
        self.store("seal", "--old-key-file", "a", "--old-passphrase-file", "b", code=2)

    def test_forgive(self) -> None:
        self.fill()
        self.store("forgive", str(ONE))
        self.assertIn("was not dropped", self.store("forgive", str(ONE), code=1).err)
        rows = self.store("check", "--json").json["rows"]
        self.assertEqual(rows["guards"], len(EXAMPLES[tables.GUARDS]) - 1)


class StoppedTests(StoreCase):
    def test_only_a_backup_while_the_node_runs(self) -> None:
        self.fill()
        holder = DataDirectory(self.data)
        holder.lock()
        self.addCleanup(holder.unlock)
        for words in (("check",), ("restore", "x"), ("migrate",), ("seal",), ("forgive", str(ONE))):
            self.assertIn("another node runs", self.store(*words, code=1).err)
        self.store("backup", str(self.data / "copy.db"))

    def test_where_there_is_none(self) -> None:
        for words in (("check",), ("migrate",), ("forgive", str(ONE)), ("backup", "x")):
            self.assertIn("no store yet", self.store(*words, code=1).err)
        self.assertFalse(self.path.exists())

    def test_a_node_that_remembers_nothing(self) -> None:
        self.configure('store = "memory:"')
        self.assertIn("remembers nothing", self.store("check", code=1).err)


class DoctorTests(StoreCase):
    def findings(self) -> dict[str, tuple[str, str]]:
        found = qgate("doctor", "--json", "--data", str(self.data), "--config", str(self.config)).json
        return {one["name"]: (one["state"], one["found"]) for one in found if one["name"].startswith("store")}

    def test_none_yet(self) -> None:
        self.assertEqual(self.findings()["store"][0], "ok")

    def test_open(self) -> None:
        self.fill()
        found = self.findings()
        self.assertEqual((found["store"][0], found["store: seal"][0]), ("ok", "note"))
        self.assertIn("file permissions are all", found["store: seal"][1])
        self.path.chmod(0o644)
        self.assertEqual(self.findings()["store"][0], "wrong")

    def test_sealed(self) -> None:
        self.fill()
        self.configure(f'store_key_file = "{self.secret("key", "k" * 32)}"')
        self.store("seal")
        (self.data / "state.json.imported").write_text("{}")
        found = self.findings()
        self.assertEqual((found["store: seal"][0], found["store: old state file"][0]), ("ok", "note"))
        self.assertIn("sealed with a key file", found["store: seal"][1])

    def test_damaged(self) -> None:
        self.path.write_bytes(b"{" * 9000)
        self.assertEqual(self.findings()["store"][0], "wrong")
