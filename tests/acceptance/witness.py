"""A guest that writes a word to the file named by QG_WITNESS for each thing it is told."""

from __future__ import annotations

import os
from typing import Any

from quantumgate.extender.api import Extender, maker


class Witness(Extender):
    """Says what it is told of: ``started``, ``arrived``, ``left``, ``message``."""

    def start(self, host: Any) -> None:
        super().start(host)
        self.write("started")

    def peer_arrived(self, peer: Any) -> None:
        self.write("arrived")

    def peer_left(self, peer: Any, reason: str) -> None:
        self.write("left")

    def message_received(self, peer: Any, message: bytes) -> None:
        self.write("message")

    def write(self, word: str) -> None:
        with open(os.environ["QG_WITNESS"], "a", encoding="ascii") as file:
            file.write(word + "\n")


extender = maker(Witness, name="witness", uuid="6c3f1f53-0a86-4e4e-bf6a-36a1a4a5f7b2", summary="writes down a visit")
