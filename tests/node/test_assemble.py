"""Wiring: every key of the configuration reaches the part that lives by it, and what is wrong stops before anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from quantumgate.crypto.kdf import stretch_passphrase
from quantumgate.errors import ConfigurationError, KeyFileError
from quantumgate.extender.api import Extender, maker
from quantumgate.extender.registry import Registry, registered
from quantumgate.node.assemble import Parts, plan
from quantumgate.node.node import Node
from quantumgate.settings.schema import AlgorithmsTable, Listen
from quantumgate.testing.network import MemoryNetwork
from quantumgate.wire.limits import PEER_RECORD_EXTENDERS
from tests.node.remembering import recalled
from tests.node.test_discovery import exchanging
from tests.node.world import MEMORIES, Drift, NodeCase, memory_world, node_settings

HOME = "192.0.2.1"


CHESS = {n: maker(Extender, name=f"chess{n}", uuid=UUID(int=n)) for n in range(1, PEER_RECORD_EXTENDERS + 2)}


class FindableTests(NodeCase):
    """Who is to be found by an extender is found at all, and by so many."""

    def plan(self, extenders: int, **discovery: Any) -> None:
        made = [registered(CHESS[n], {"findable": True}) for n in range(1, extenders + 1)]
        registry = Registry({})
        registry._result = tuple(made)
        world = memory_world(MemoryNetwork(), HOME, Drift())
        plan(exchanging(node_settings(), **discovery), "a.toml", world, registry)

    def test_not_without_being_findable_itself(self) -> None:
        for wish in ({"findable": False}, {"findable": True, "lookup": False}, {"findable": True, "exchange": False}):
            error = self.assertRaises(ConfigurationError, self.plan, 1, **wish)
            self.assertEqual(str(error), "a.toml: extenders.chess1.findable: expected a node that is findable itself, "
                                         "found one that is not")
            self.assertIn("discovery.findable = true", error.advice)
        self.plan(1, findable=True)
        self.plan(0, findable=False)

    def test_not_more_than_a_record_names(self) -> None:
        self.plan(PEER_RECORD_EXTENDERS, findable=True)
        error = self.assertRaises(ConfigurationError, self.plan, PEER_RECORD_EXTENDERS + 1, findable=True)
        self.assertIn("a.toml: extenders.chess17.findable: expected at most 16", str(error))


class AssembledTests(NodeCase):
    def parts(self, node: Node) -> Parts:
        assert node._parts is not None
        return node._parts

    def test_listeners(self) -> None:
        node = self.node(HOME, listen=("tcp:7", Listen(endpoint="tcp:8", lan=True)))
        made = [(one.text, one.lan) for one in self.parts(node).listeners]
        self.assertEqual(made, [("tcp:7", False), ("tcp:8", True)])

    def test_settings_of_the_handshake(self) -> None:
        algorithms = AlgorithmsTable(primary=("X448",), secondary=("ML-KEM-1024",), symmetric=("AES-256-GCM",))
        node = self.node(HOME, network="Another", algorithms=algorithms, require_authentication=False)
        handshakes: Any = self.parts(node).connections._handshakes
        self.assertEqual((handshakes.network_id, handshakes.require_authentication), (b"Another", False))
        self.assertEqual([len(handshakes.primaries), len(handshakes.secondaries), len(handshakes.aeads)], [1, 1, 1])
        self.assertIsNone(handshakes.psk)

    def test_a_new_process_is_a_new_instance_with_the_same_identity(self) -> None:
        first = self.node(HOME)
        instance, uuid = self.parts(first).connections._sessions.instance, first.uuid
        self.done(first.stopService(), 1)
        second = self.node(HOME, data=first.data_directory)
        self.assertEqual(second.uuid, uuid)
        self.assertNotEqual(self.parts(second).connections._sessions.instance, instance)

    def test_the_replay_floor_lasts_and_one_from_the_future_is_dropped(self) -> None:
        first = self.node(HOME)
        floor_ms = self.parts(first).replay.floor_ms
        self.done(first.stopService(), 1)
        self.assertEqual(recalled(MEMORIES[first.data_directory]).replay_floor_ms, floor_ms)
        second = self.node(HOME, data=first.data_directory)
        self.assertGreaterEqual(self.parts(second).replay.floor_ms, floor_ms)
        self.done(second.stopService(), 1)
        saved = recalled(MEMORIES[first.data_directory])
        saved.replay_floor_ms += 1_000_000_000
        self.successResultOf(saved.save())
        third = self.node(HOME, data=first.data_directory)
        self.assertLess(self.parts(third).replay.floor_ms, floor_ms + 1_000_000_000)
        self.assertTrue([line for line in self.lines("warn") if "the saved replay floor is dropped" in line])


class SecretTests(NodeCase):
    def file(self, content: bytes) -> str:
        path = Path(self.mktemp()).absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
        return str(path)

    def psk(self, **node: str) -> Any:
        secret = plan(node_settings(**node), "f", memory_world(MemoryNetwork(), HOME, Drift())).psk
        return None if secret is None else secret.reveal()

    def test_bytes_as_they_are_and_a_passphrase_stretched(self) -> None:
        self.assertIsNone(self.psk())
        self.assertEqual(self.psk(shared_secret_file=self.file(b"k" * 32 + b"\n")), b"k" * 32 + b"\n")
        stretched = self.psk(shared_passphrase_file=self.file(b"correct horse\n"))
        self.assertEqual(stretched, stretch_passphrase("correct horse", b"QuantumGate").reveal())


    def test_a_node_with_a_sealed_key(self) -> None:
        words = self.file("pässphrase\n".encode())
        first = self.node(HOME, identity_passphrase_file=words)
        self.done(first.stopService(), 1)
        again = self.node(HOME, data=first.data_directory, identity_passphrase_file=words)
        self.assertEqual(again.uuid, first.uuid)
        self.done(again.stopService(), 1)
        locked = self.node(HOME, data=first.data_directory, start=False)
        error = self.assertRaises(KeyFileError, locked.startService)
        self.assertIn("node.identity_passphrase_file", error.advice)
        self.assertEqual(locked.status().phase, "failed")

    def test_a_passphrase_that_others_can_read_is_a_configuration_error(self) -> None:
        words = Path(self.file(b"x"))
        words.chmod(0o644)
        error = self.assertRaises(ConfigurationError, self.node, HOME, identity_passphrase_file=str(words))
        words_expected = "settings: node.identity_passphrase_file: expected a file that only its owner can read"
        self.assertIn(words_expected, str(error))


class RefusedTests(NodeCase):
    def test_an_endpoint_that_is_none_names_its_key(self) -> None:
        world = memory_world(MemoryNetwork(), HOME, Drift())
        error = self.assertRaises(ConfigurationError, plan, node_settings(listen=("tcp:1", "bogus:2")), "FILE", world)
        self.assertEqual(
            str(error),
            'FILE: node.listen[1]: expected a Twisted endpoint string, found "bogus:2" '
            "(Unknown endpoint type: 'bogus')",
        )

    def test_nothing_is_touched_before_all_is_checked(self) -> None:
        data = Path(self.mktemp())
        self.assertRaises(ConfigurationError, self.node, HOME, data=data, listen=("bogus:2",))
        self.assertFalse(data.exists())
