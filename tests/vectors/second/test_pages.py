"""The examples on the pages of docs/spec, read from the pages themselves."""
from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from . import vector
from .channels import Dialogue
from .crypto import AES_256_GCM, Keys, unseal
from .flights import Puzzle
from .frames import CH_OPEN, MSG, PING, WINDOW, Frame, read_frames
from .messages import inflate
from .octets import u
from .records import Way, padded, padme
from .schedule import Ledger
from .session import Block

PAGES = Path(__file__).parents[3] / "docs" / "spec"


def section(page: str, title: str) -> str:
    """The text of a section, from its title to the next one."""
    text = (PAGES / f"{page}.md").read_text("utf-8")
    return re.split(r"^#+ ", text.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, its head left out."""
    lines = [line.strip().strip("|") for line in text.splitlines() if line.strip().startswith("|")]
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def octets(text: str) -> bytes:
    """Octets in hexadecimal with spaces between."""
    return bytes.fromhex(text.replace(" ", ""))


def number(text: str) -> int:
    """A number with spaces between its thousands."""
    return int(text.replace(" ", ""))


class Examples(SynchronousTestCase):
    """Each example does what its page says."""

    def test_frames(self) -> None:
        """frames.md section 8: every row is one frame, spelt as we spell it."""
        table = rows(section("frames", "8 Examples"))
        self.assertGreater(len(table), 10)
        for name, spelt in table:
            frame, = read_frames(octets(spelt))
            self.assertEqual(frame.encode(), octets(spelt), name)
            self.assertTrue(name.startswith(frame.name), name)

    def test_record(self) -> None:
        """records.md section 7: one record, box by box."""
        said = dict(rows(section("records", "7 Example")))
        ledger = Ledger()
        ledger.keys["ap i2r"] = Keys(octets(said["`ap i2r key`"]), octets(said["`ap i2r iv`"]))
        body = Frame(PING, u(8, 1)).encode() + bytes(7)
        boxes = [octets(value) for name, value in said.items() if name.startswith(("header box", "body box"))]
        self.assertEqual(Way(ledger, "i2r", 0, 1).seal(body), b"".join(boxes))
        spelt, = (octets(value) for name, value in said.items() if name.startswith("BODY"))
        self.assertEqual(spelt, body)

    def test_padding(self) -> None:
        """records.md section 5: what a record becomes."""
        for before, *_, after in rows(section("records", "5 Padding").partition("```")[2]):
            total = number(before.partition("(")[0])
            self.assertEqual(max(padme(total), 256), number(after))
            self.assertEqual(len(padded(bytes(total - 36), 1, 2**20)) + 36, number(after))
            self.assertEqual(len(padded(bytes(total - 36), 1, total)), total - 36)
        self.assertEqual([padme(2**n) for n in range(20)], [2**n for n in range(20)])

    def test_session_block(self) -> None:
        """session.md section 1: the defaults, which a nameless I sends."""
        lines = section("session", "1 The SESSION block").split("```")[1].strip().splitlines()
        block = octets("".join(re.split(r"   ", line)[0] for line in lines))
        self.assertEqual(vector.load("session/anonymous")["inputs"]["session"], block.hex())
        made, default = Block.decode(block), Block()
        self.assertEqual(made.numbers, default.numbers | {"padding": 1})
        self.assertEqual(made.lists, default.lists | {"compression": [b"\0\1"]})

    def test_token(self) -> None:
        """overload.md section 1: what the kernel puts into its own tokens."""
        said = dict(rows(section("overload", "1 Tokens")))
        key, peer, token = (octets(said[name].strip("`").replace("-", "")) for name in ("key", "peer", "token"))
        self.assertEqual(len(token), 48)
        opened = unseal(Keys(key, token[:12]), 0, b"", token[12:], AES_256_GCM, "token")
        self.assertEqual(opened, peer + u(4, 90_000))

    def test_puzzle(self) -> None:
        """overload.md section 4: sixteen numbers that solve one."""
        said = {name: value.strip("`") for name, value in rows(section("overload", "4 Puzzles"))}
        puzzle = Puzzle(octets(said["seed"]), int(said["b"]))
        solution = b"".join(u(8, int(nonce)) for nonce in said["nonces"].split(", "))
        hashes = puzzle.hashes(octets(said["salt_I"]), solution)
        self.assertEqual(hashes[:32].hex(), said["hash for i = 0"])
        self.assertTrue(puzzle.solved_by(hashes))
        self.assertFalse(Puzzle(puzzle.seed, puzzle.bits + 4).solved_by(hashes))

    def test_compressed_message(self) -> None:
        """messages.md section 3: 240 bytes in 30, and what they cost as a frame on channel 1."""
        text = section("messages", "3 Compressed messages")
        spelt = [line for line in text.split("```")[1].splitlines() if re.match(r"[0-9a-f]{2}", line)]
        form = octets("".join(re.split(r"   |(?<=0) {2,}", line)[0] for line in spelt))
        self.assertEqual(inflate(form, 1000), b"quantumgate " * 20)
        head = octets(re.findall(r"`(13 000001[ 0-9a-f]+)`", text)[0])
        frame, = read_frames(head + form)
        self.assertEqual(frame, Frame(MSG, u(4, 30) + form, 1, 7))
        dialogue = Dialogue({"I": Block(), "R": Block(lists={"compression": [b"\0\1"]})})
        dialogue.take("I", Frame(CH_OPEN, bytes(16) + b"\1\2", 1))
        dialogue.take("I", frame)
        self.assertEqual(dialogue.channels[1].ways["I"].sent, 158)
        self.assertIn("costs 158", text)

    def test_credit(self) -> None:
        """channels.md section 3: the table of costs and limits, step by step."""
        dialogue = Dialogue({"I": Block(), "R": Block()})
        turns = [("I", Frame(CH_OPEN, bytes(16) + b"\1\2", 1)),
                 ("I", Frame(MSG, u(4, 100_000) + bytes(65_408), 1, 1)), ("R", Frame(WINDOW, u(8, 100_128), 1)),
                 ("I", Frame(MSG, bytes(34_592), 1, 2)), ("R", Frame(WINDOW, u(8, 165_664), 1)),
                 ("I", Frame(MSG, u(4, 5) + bytes(5), 1, 3))]
        for (sender, frame), row in zip(turns, rows(section("channels", "Example")), strict=True):
            dialogue.take(sender, frame)
            way = dialogue.channels[1].ways["I"]
            self.assertEqual([way.sent, way.limit], [number(cell) for cell in row[2:]], row[0])
