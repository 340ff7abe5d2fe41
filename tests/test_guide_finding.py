"""The guide to finding peers, done: nodes take its configurations, and what it says of Ann, Bob and Carol is so."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from quantumgate.node.discovering import exchanges, is_public
from quantumgate.settings.schema import Settings
from quantumgate.settings.wording import checked
from tests.node.circuits import replace_table
from tests.node.test_discovery import PLACES, DiscoveryCase
from tests.node.world import node_settings
from tests.test_guide import GUIDE, blocks

PAGE = GUIDE / "finding-peers.md"
SOMEBODY = "0b51a0f2-3c4d-8100-8888-00000000000{}"
ANN, BOB, CAROL = PLACES[:3]
"""Addresses of the Internet: those of the page are for documents, and no record names them."""


def configuration(name: str) -> Settings:
    """That of a file of the page, the names in it as UUIDs."""
    (text,) = [block.text for block in blocks(PAGE) if block.file == name]
    for number, who in enumerate(("BOB", "CAROL")):
        text = text.replace(who, SOMEBODY.format(number))
    settings: Settings = checked(tomllib.loads(text), Settings)
    return settings


class FindingTests(DiscoveryCase):
    def friend(self, place: str, connect: tuple[str, ...] = (), data: Path | None = None) -> Any:
        settings = node_settings(connect=connect)
        return self.node(place, data=data,
                         settings=replace_table(settings, discovery=configuration("ann.toml").discovery))

    def test_ann_finds_carol_through_bob_and_again_after_a_restart(self) -> None:
        carol = self.friend(CAROL)
        bob = self.friend(BOB, (self.address(carol, CAROL),))
        ann = self.friend(ANN, (self.address(bob, BOB),))
        for node in (ann, bob, carol):
            for other in {ann, bob, carol} - {node}:
                self.done(node.access.allow(other.uuid))
        self.pass_time(45)
        self.assertEqual(self.seen(ann), {bob.uuid, carol.uuid})
        self.assertEqual(self.done(ann.connect(str(carol.uuid)), 1).uuid, carol.uuid)
        stopping = ann.stopService()
        self.pass_time(30)
        self.successResultOf(stopping)
        self.nodes.remove(ann)
        again = self.friend(ANN, data=ann.data_directory)
        self.pass_time(5)
        self.assertEqual(self.seen(again), {bob.uuid, carol.uuid}, "without the connect line")

    def test_the_relay_that_is_told_to_nobody_and_the_node_that_only_answers(self) -> None:
        hermit, quiet = configuration("hermit.toml"), configuration("answering.toml")
        self.assertEqual((is_public(hermit), exchanges(hermit)), (False, False))
        self.assertEqual((is_public(quiet), exchanges(quiet), quiet.discovery.connections), (False, True, 0))
