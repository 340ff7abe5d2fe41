"""A root that is put away, the online keys that it makes, and the root that comes after it."""

from __future__ import annotations

import os
import time

import click

from quantumgate.core.delegations import FOR_HANDSHAKE, judge
from quantumgate.core.online_key import make
from quantumgate.core.successions import judge as judge_succession
from quantumgate.core.successions import succeed
from quantumgate.crypto.identity import Identity
from quantumgate.errors import KeyFileError
from quantumgate.node.data_directory import DataDirectory, write_atomically
from tests.cli.test_identity import InitCase
from tests.cli.tool import ServedCase
from tests.control.fakenode import FAKE_WALL_SECONDS
from tests.core.handshake.duel import identity

DAY = 86_400


class RotationCase(InitCase):
    def setUp(self) -> None:
        super().setUp()
        self.uuid = self.init("--json").json["uuid"]
        self.root = self.folder / "root.key"
        self.words = self.folder / "words"
        self.words.write_text("correct horse\n")

    def put_away(self, *arguments: str) -> None:
        self.qgate("id", "export", str(self.root), "--offline", "--passphrase-file", str(self.words), *arguments)

    def rotate(self, *arguments: str, code: int = 0) -> str:
        given = ("--root", str(self.root), "--passphrase-file", str(self.words))
        return self.qgate("id", "rotate", *given, *arguments, code=code).err

    def identity(self, passphrase: str | None = None) -> Identity:
        """As a node gets it."""
        return DataDirectory(self.data).identity("ed25519", passphrase)


class OfflineTests(RotationCase):
    def test_only_an_online_key_stays(self) -> None:
        self.put_away("--days", "30")
        self.assertEqual(sorted(os.listdir(self.data)), ["node.lock", "online.key"])
        self.assertEqual((self.data / "online.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual((self.root.stat().st_mode & 0o777, self.root.read_bytes()[1]), (0o600, 1))
        report = self.qgate("id", "--json").json
        self.assertEqual((report["uuid"], report["root"], report["days_left"]), (self.uuid, "elsewhere", 30))
        self.assertNotEqual(report["online_key"], report["fingerprint"])
        online = self.identity()
        one = judge(online.delegation, online.public, usage=FOR_HANDSHAKE, now_ms=int(time.time() * 1000))
        self.assertEqual((str(online.public.uuid), one.serial), (self.uuid, report["serial"]))
        self.assertIn("elsewhere", self.qgate("id").out)

    def test_the_copy_is_the_root(self) -> None:
        self.put_away()
        self.assertEqual(str(Identity.from_file_bytes(self.root.read_bytes(), "correct horse").public.uuid), self.uuid)
        self.data = self.folder / "elsewhere"
        self.qgate("id", "import", str(self.root), "--passphrase-file", str(self.words))
        self.assertEqual(self.qgate("id", "--json").json["uuid"], self.uuid)

    def test_nothing_is_lost_where_the_copy_fails(self) -> None:
        self.root.write_text("mine")
        self.qgate("id", "export", str(self.root), "--offline", "--no-passphrase", code=1)
        self.qgate("id", "export", str(self.folder / "none" / "root.key"), "--offline", "--no-passphrase", code=1)
        self.assertEqual(sorted(os.listdir(self.data)), ["identity.key", "node.lock"])

    def test_a_sealed_key_stays_sealed(self) -> None:
        sealed = self.identity().to_file_bytes("correct horse")
        write_atomically(self.data / "identity.key", sealed)
        self.patch(click, "prompt", lambda *_, **__: "correct horse")  # somebody types it
        self.put_away()
        self.assertRaises(KeyFileError, self.identity)
        self.assertEqual(str(self.identity("correct horse").public.uuid), self.uuid)

    def test_not_beside_a_running_node(self) -> None:
        directory = DataDirectory(self.data)
        directory.lock()
        self.addCleanup(directory.unlock)
        for command in (("export", str(self.root), "--offline", "--no-passphrase"), ("succeed", str(self.root))):
            self.assertIn("another node runs", self.qgate("id", *command, code=1).err)
        self.assertFalse(self.root.exists())

    def test_what_is_away_is_not_exported(self) -> None:
        self.put_away()
        refused = self.qgate("id", "export", str(self.folder / "again.key"), "--no-passphrase", code=1)
        self.assertIn("the root key is not here", refused.err)

    def test_an_online_key_elsewhere(self) -> None:
        self.put_away()
        self.data = self.folder / "second"
        self.qgate("id", "import", "--online", str(self.root), "--passphrase-file", str(self.words), "--days", "7")
        self.assertEqual(sorted(os.listdir(self.data)), ["node.lock", "online.key"])
        self.assertEqual(self.qgate("id", "--json").json["days_left"], 7)
        for more in ((), ("--online",)):
            refused = self.qgate("id", "import", *more, str(self.root), "--passphrase-file", str(self.words), code=1)
            self.assertIn("there is an identity already", refused.err)


class RotateTests(RotationCase):
    def test_with_the_root_from_its_file(self) -> None:
        self.put_away()
        before = self.qgate("id", "--json").json
        root_file = self.root.read_bytes()
        self.rotate("--days", "60")
        after = self.qgate("id", "--json").json
        self.assertEqual(after["uuid"], self.uuid)
        self.assertNotEqual(after["online_key"], before["online_key"])
        self.assertGreater(after["serial"], before["serial"])
        self.assertEqual(after["days_left"], 60)
        self.assertEqual(self.root.read_bytes(), root_file)
        self.assertEqual(sorted(os.listdir(self.data)), ["node.lock", "online.key"])

    def test_with_the_root_that_is_here(self) -> None:
        self.assertIn("good until", self.qgate("id", "rotate").out)
        self.assertEqual(self.qgate("id", "--json").json["root"], "here")
        online = self.identity()
        self.assertEqual(str(online.public.uuid), self.uuid)
        self.assertNotEqual(online.own, online.public)

    def test_the_root_of_somebody_else(self) -> None:
        self.put_away()
        other = self.folder / "other.key"
        write_atomically(other, Identity.generate().to_file_bytes())
        before = (self.data / "online.key").read_bytes()
        self.assertIn("the identity here is", self.qgate("id", "rotate", "--root", str(other), code=1).err)
        self.assertEqual((self.data / "online.key").read_bytes(), before)
        self.qgate("id", "rotate", code=1)
        self.data = self.folder / "fresh"
        self.assertIn("there is no identity yet", self.qgate("id", "rotate", "--root", str(other), code=1).err)

    def test_a_root_beside_another_root(self) -> None:
        other = self.folder / "other.key"
        write_atomically(other, Identity.generate().to_file_bytes())
        self.assertIn("not the root of", self.qgate("id", "rotate", "--root", str(other), code=1).err)

    def test_never_longer_than_it_may(self) -> None:
        self.assertIn("--days", self.rotate("--days", "91", code=2))

    def test_a_sealed_one_is_followed_by_a_sealed_one(self) -> None:
        self.put_away()
        self.rotate("--online-passphrase-file", str(self.words))
        self.assertRaises(KeyFileError, self.identity)
        self.assertIn("is to be sealed", self.rotate(code=1))
        self.rotate("--online-passphrase-file", str(self.words))
        self.assertEqual(str(self.identity("correct horse").public.uuid), self.uuid)


    def test_putting_the_root_away_opens_no_sealed_online_key(self) -> None:
        self.qgate("id", "rotate", "--online-passphrase-file", str(self.words))
        before = (self.data / "online.key").read_bytes()
        refused = self.qgate("id", "export", str(self.root), "--offline", "--no-passphrase", code=1)
        self.assertIn("would lie open", refused.err)
        self.assertEqual((self.data / "online.key").read_bytes(), before)
        self.assertEqual(((self.data / "identity.key").exists(), self.root.exists()), (True, False))

    def test_two_at_a_time(self) -> None:
        before = os.listdir(self.data)
        with DataDirectory(self.data).keys_alone():
            for command in (("rotate",), ("succeed", str(self.root)),
                            ("export", str(self.root), "--offline", "--no-passphrase")):
                self.assertIn("being changed", self.qgate("id", *command, code=1).err)
        self.assertEqual(sorted(os.listdir(self.data)), sorted(before))


class CarriedTests(RotationCase):
    """An online key that was made on the machine of the root, which this one never sees."""

    def setUp(self) -> None:
        super().setUp()
        self.root_machine, self.here = self.data, self.folder / "here"
        self.online = self.root_machine / "online.key"

    def make(self, *arguments: str) -> None:
        self.data = self.root_machine
        self.qgate("id", "rotate", *arguments)

    def bring(self, *arguments: str, code: int = 0) -> str:
        self.data = self.here
        outcome = self.qgate("id", "import", str(self.online), *arguments, code=code)
        return outcome.out + outcome.err

    def test_the_first_and_the_next(self) -> None:
        serials = []
        for _ in range(2):
            self.make()
            self.assertIn("has a new online key", self.bring())
            report = self.qgate("id", "--json").json
            self.assertEqual((report["uuid"], report["root"]), (self.uuid, "elsewhere"))
            serials.append(report["serial"])
        self.assertLess(*serials)
        self.assertEqual((self.here / "online.key").stat().st_mode & 0o777, 0o600)
        self.assertEqual(str(self.identity().public.uuid), self.uuid)

    def test_not_an_older_one(self) -> None:
        self.make()
        former = self.online.read_bytes()
        self.make()
        self.bring()
        present = (self.here / "online.key").read_bytes()
        for again in (former, self.online.read_bytes()):
            write_atomically(self.online, again)
            self.assertIn("not newer", self.bring(code=1))
        self.assertEqual((self.here / "online.key").read_bytes(), present)

    def test_not_somebody_elses_nor_where_the_root_is(self) -> None:
        self.make()
        self.bring()
        theirs = make(identity("mallory"), now_seconds=int(time.time()), life_seconds=DAY, last_serial=1 << 60)
        write_atomically(self.online, theirs.encode())
        self.assertIn(f"the identity here is {self.uuid}", self.bring(code=1))
        (self.here / "online.key").unlink()
        write_atomically(self.here / "identity.key", identity("alice").to_file_bytes())
        self.assertIn("the root itself is here", self.bring(code=1))

    def test_not_one_that_nobody_takes(self) -> None:
        for begins in (-2 * DAY, 2 * DAY):
            over = make(identity("alice"), now_seconds=int(time.time()) + begins, life_seconds=DAY)
            write_atomically(self.online, over.encode())
            self.assertIn("no peer would take it", self.bring(code=1))
        write_atomically(self.online, over.encode()[:-1])
        self.bring(code=1)
        self.assertFalse((self.here / "online.key").exists())

    def test_a_sealed_one(self) -> None:
        words = ("--passphrase-file", str(self.words))
        self.make("--online-passphrase-file", str(self.words))
        self.bring(*words, "--sealed")
        self.assertRaises(KeyFileError, self.identity)
        self.make("--online-passphrase-file", str(self.words))
        self.assertIn("is to be sealed as well", self.bring(*words, code=1))
        (self.here / "online.key").unlink()
        self.bring(*words)
        self.assertEqual(str(self.identity().public.uuid), self.uuid)
        self.bring("--online", code=2)


class BesideTests(ServedCase):
    """A node runs, and is told."""

    words = ("id",)

    def setUp(self) -> None:
        super().setUp()
        directory = DataDirectory(self.data)
        directory.identity("ed25519")
        directory.lock()
        self.addCleanup(directory.unlock)

    async def test_it_takes_the_new_key(self) -> None:
        outcome = await self.qgate("rotate")
        self.assertIn("signs with it from now on", outcome.out)
        report = (await self.qgate("rotate", "--json")).json
        self.assertEqual((report["taken_up"], self.node.pairing.renewal.taken), (True, 2))

    async def test_it_does_not(self) -> None:
        self.node.pairing.renewal.refused = "the key file is sealed"
        refused = await self.qgate("rotate", code=1)
        self.assertIn("the new key is there, but the node that runs here did not take it: the key file", refused.err)

    async def test_it_does_not_answer(self) -> None:
        refused = await self.qgate("rotate", "--control", str(self.data / "nobody.sock"), code=1)
        self.assertIn("does not answer", refused.err)
        self.assertTrue((self.data / "online.key").exists())


class SucceedTests(RotationCase):
    def test_a_new_root_and_its_proof(self) -> None:
        heir = self.folder / "heir.qgs"
        report = self.qgate("id", "succeed", str(heir), "--json").json
        self.assertEqual(report["former_uuid"], self.uuid)
        found = judge_succession(heir.read_text(), now_ms=int(time.time() * 1000))
        self.assertEqual((str(found.old.uuid), str(found.new.uuid)), (self.uuid, report["uuid"]))
        self.assertEqual(str(self.identity().public.uuid), report["uuid"])
        self.assertEqual(sorted(os.listdir(self.data)), [f"{self.uuid}.key", "identity.key", "node.lock"])
        former = Identity.from_file_bytes((self.data / f"{self.uuid}.key").read_bytes())
        self.assertEqual(str(former.public.uuid), self.uuid)

    def test_of_an_identity_whose_root_is_away(self) -> None:
        self.put_away()
        heir = self.folder / "heir.qgs"
        given = ("--root", str(self.root), "--passphrase-file", str(self.words), "--kind", "ed25519+mldsa65")
        report = self.qgate("id", "succeed", str(heir), *given, "--json").json
        self.assertEqual(report["kind"], "ed25519+mldsa65")
        self.assertEqual(sorted(os.listdir(self.data)), ["identity.key", "node.lock"])
        self.assertEqual(str(self.identity("correct horse").public.uuid), report["uuid"])

    def test_never_over_a_file(self) -> None:
        heir = self.folder / "heir.qgs"
        heir.write_text("mine")
        self.qgate("id", "succeed", str(heir), code=1)
        self.assertEqual(heir.read_text(), "mine")
        self.assertEqual(str(self.identity().public.uuid), self.uuid)


class TwoKeysTests(RotationCase):
    """A power cut between two steps, or a person who copied files."""

    def test_a_root_that_was_not_removed_yet(self) -> None:
        copy = (self.data / "identity.key").read_bytes()
        self.put_away()
        write_atomically(self.data / "identity.key", copy)
        online = self.identity()
        self.assertNotEqual(online.own, online.public)
        self.assertEqual(self.qgate("id", "--json").json["root"], "here")

    def test_an_online_key_of_another_identity(self) -> None:
        self.put_away()
        write_atomically(self.data / "identity.key", Identity.generate().to_file_bytes())
        self.assertIn("of another identity than", str(self.assertRaises(KeyFileError, self.identity)))

    def test_an_online_key_that_others_can_read(self) -> None:
        self.put_away()
        (self.data / "online.key").chmod(0o644)
        self.assertIn("others can read", str(self.assertRaises(KeyFileError, self.identity)))
        self.assertIn("others can read", self.qgate("id", code=1).err)

    def test_a_damaged_one(self) -> None:
        self.put_away()
        path = self.data / "online.key"
        whole = path.read_bytes()
        write_atomically(path, whole[:60])
        self.assertIn("qgate id rotate", self.assertRaises(KeyFileError, self.identity).advice)
        write_atomically(path, whole[:-1])
        self.assertRaises(KeyFileError, self.identity)


class AcceptTests(ServedCase):
    def setUp(self) -> None:
        super().setUp()
        self.old, self.new = identity("alice"), identity("alice next")
        self.file = self.data / "heir.qgs"
        self.file.write_text(succeed(self.old, self.new, now_seconds=int(FAKE_WALL_SECONDS)).text + "\n")
        self.node.pairing.state.pins[self.old.public.uuid] = self.old.public.fingerprint_text

    async def test_told_and_taken(self) -> None:
        outcome = await self.qgate("id", "accept", str(self.file), "--yes")
        self.assertIn(f"is succeeded by {self.new.public.uuid}", outcome.out)
        self.assertEqual(self.node.pairing.state.pins, {self.new.public.uuid: self.new.public.fingerprint_text})
        self.assertEqual(self.node.pairing.notices[0][0], "succession")

    async def test_only_where_somebody_says_so(self) -> None:
        self.patch(click, "confirm", lambda *_, **__: False)
        outcome = await self.qgate("id", "accept", str(self.file), code=1)
        self.assertIn(self.new.public.fingerprint_text, outcome.err)
        self.assertEqual(list(self.node.pairing.state.pins), [self.old.public.uuid])
        self.patch(click, "confirm", lambda *_, **__: True)
        await self.qgate("id", "accept", self.file.read_text().strip())
        self.assertEqual(list(self.node.pairing.state.pins), [self.new.public.uuid])

    async def test_as_json(self) -> None:
        report = (await self.qgate("id", "accept", str(self.file), "--yes", "--json")).json
        self.assertEqual((report["taken"], report["pinned"], report["rules"]), (True, True, 0))

    async def test_what_is_none(self) -> None:
        self.file.write_text("nonsense")
        self.assertIn("cannot be used", (await self.qgate("id", "accept", str(self.file), "--yes", code=1)).err)
