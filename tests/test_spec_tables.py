"""The tables of docs/spec hold the numbers of the code: types, TLVs, sizes, times. Codes and limits: ``tests/wire``.

Each table is read from its page as a stranger would read it. Not for: what the numbers do.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.core.state import FRAMES
from quantumgate.crypto.signatures import KINDS
from quantumgate.crypto.suites import AEADS, PRIMARIES, SECONDARIES
from quantumgate.errors import MalformedError
from quantumgate.node import dialwords
from quantumgate.wire import (
    directory_frames,
    exchange_frames,
    features,
    frames,
    limits,
    link_frames,
    reach_frames,
    session_tlvs,
)
from quantumgate.wire.limits import DEFAULT_LIMITS
from quantumgate.wire.messages import MessageType, Tlv
from quantumgate.wire.session_tlvs import SessionBlock
from tests.house import ROOT


def section(page: str, heading: str) -> str:
    """The text below one heading, up to the next one of the same depth or higher."""
    text = (ROOT / f"docs/spec/{page}.md").read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", text, flags=re.M | re.S)
    if found is None:
        raise AssertionError(f"{page}.md has no section {heading!r}")
    return found[2]


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of all tables of a section, heads and rules left out."""
    lines = [line for line in section(page, heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for at, row in enumerate(cells) if not set("".join(row)) <= {"-"} and not _is_head(cells, at)]


def _is_head(cells: list[list[str]], at: int) -> bool:
    return at + 1 < len(cells) and set("".join(cells[at + 1])) == {"-"}


def whole(text: str) -> int:
    """A number with thin thousands: ``262 144``."""
    return int(text.replace(" ", ""))


class FrameTypesTests(SynchronousTestCase):
    """frames.md section 1."""

    def setUp(self) -> None:
        self.table = {}
        for row in rows("frames", "1 Types"):
            for number in self._numbers(row[0]):
                self.table[number] = row[1:]

    def _numbers(self, cell: str) -> list[int]:
        found: list[int] = []
        for first, last in re.findall(r"0x([0-9A-F]{2})(?: to 0x([0-9A-F]{2}))?", cell):
            found += range(int(first, 16), int(last or first, 16) + 1)
        return found

    def test_every_type_of_the_module_has_its_row(self) -> None:
        rooms = vars(frames) | vars(link_frames) | vars(exchange_frames) | vars(reach_frames)
        rooms |= vars(directory_frames)
        named = {value: name for name, value in rooms.items()
                 if name.isupper() and isinstance(value, int) and value in self.table and name in self.table[value][0]}
        module = frames.LONG_TYPES | frames.CHANNEL_TYPES | frames.SINGLE_TYPES | link_frames.LINK_TYPES
        module |= features.TYPES.keys()
        self.assertEqual(set(named), module)

    def test_channels_and_pieces(self) -> None:
        for number, (_, channel, flags, _, _) in self.table.items():
            if number in frames.CHANNEL_TYPES:
                self.assertEqual(channel, "id", hex(number))
            if number in frames.LONG_TYPES:
                self.assertEqual((channel, flags), ("0", "pieces"), hex(number))

    def test_what_the_page_reserves_is_legal_nowhere(self) -> None:
        legal = {kind for phase in FRAMES.values() for kind in phase}
        reserved = {number for number, row in self.table.items() if "reserved" in row[3]}
        self.assertEqual(reserved, {frames.NOISE})
        self.assertEqual(legal & reserved, set())
        self.assertEqual(legal, set(self.table) - reserved - {frames.PADDING} - features.TYPES.keys())

    def test_what_has_to_be_agreed(self) -> None:
        page = {number: row[2] == "pieces" for number, row in self.table.items() if "agreed" in row[3]}
        self.assertEqual(page, {number: agreed.long for number, agreed in features.TYPES.items()})
        listed = {name: int(row[0]) for row in rows("frames", "7 Agreed, and reserved") for name in row[1].split(", ")}
        self.assertEqual(listed, {self.table[number][0]: agreed.feature for number, agreed in features.TYPES.items()})

    def test_flags_of_msg(self) -> None:
        page = {row[2]: int(row[1]) for row in rows("frames", "5 MSG, WINDOW") if len(row) == 5 and row[1]}
        module = {"first": frames.FIRST, "last": frames.LAST, "compressed": frames.COMPRESSED, "fin": frames.FIN}
        self.assertEqual(page, module)


class SessionBlockTests(SynchronousTestCase):
    """session.md section 1."""

    NAMES = frozenset({"max_record", "initial_window", "max_channels", "max_message", "padding", "version", "relay"})

    def setUp(self) -> None:
        self.table = [row for row in rows("session", "1 The SESSION block") if row[0].startswith("0x")]

    def test_numbers_and_names(self) -> None:
        page = {row[1].strip("()"): int(row[0], 16) for row in self.table}
        constants = ("MAX_RECORD", "INITIAL_WINDOW", "MAX_CHANNELS", "MAX_MESSAGE", "COMPRESSION", "NOISE", "PADDING",
                     "VERSION", "FEATURES", "RESUME", "EXTENDERS", "ENDPOINTS", "RELAY", "CLOCK", "INSTANCE",
                     "REPLACES", "TOKEN", "INVITATION")
        self.assertEqual(page, {name.lower(): getattr(session_tlvs, name) for name in constants})

    def test_lengths(self) -> None:
        """The lengths that are checked are those of the page, and a byte more is refused."""
        page = {int(row[0], 16): int(row[3]) for row in self.table if row[3].isdigit()}
        self.assertEqual(page, session_tlvs._FIXED)
        for number, size in page.items():
            longer = bytes([number]) + (size + 1).to_bytes(3, "big") + bytes(size + 1)
            self.assertRaises(MalformedError, SessionBlock.decode, longer)

    def test_what_is_missing_has_the_pages_value(self) -> None:
        missing = SessionBlock.decode(b"")
        page = {row[1]: whole(row[4]) for row in self.table if row[1] in self.NAMES}
        self.assertEqual(page, {name: int(getattr(missing, name)) for name in self.NAMES})

    def test_the_smallest_numbers(self) -> None:
        text = section("session", "1 The SESSION block")
        low, high = limits.MAX_RECORD_RANGE_BYTES
        for sentence in (
            f"{low:,} to {high:,}", f"at least {limits.FIRST_WINDOW_BYTES:,}", f"at least {limits.FIRST_CHANNELS}",
            f"1 to {limits.MAX_MESSAGE_CEILING_BYTES:,}", f"at or below {limits.INITIAL_WINDOWS_SUM_BYTES:,}",
            f"at most {session_tlvs.ENDPOINTS_MAX}",
        ):  # fmt: skip
            self.assertIn(sentence.replace(",", " "), text)


class AlgorithmsTests(SynchronousTestCase):
    """crypto.md, the first table, and identity.md section 1."""

    def test_key_exchanges_and_ciphers(self) -> None:
        found: dict[str, dict[int, tuple[int, ...]]] = {}
        group = ""
        for row in rows("crypto", "Algorithms"):
            group = row[0] or group
            if row[1].isdigit() and len(row) == 6:
                sizes = tuple(whole(cell) for cell in row[3:5] if re.fullmatch(r"[\d ]+", cell) and cell.strip())
                found.setdefault(group, {})[int(row[1])] = sizes
        self.assertEqual(found["primary"], {row.id: (row.share_bytes, row.share_bytes) for row in PRIMARIES.values()})
        self.assertEqual(found["secondary"],
                         {row.id: (row.public_bytes, row.ciphertext_bytes) for row in SECONDARIES.values()})
        self.assertEqual(set(found["AEAD"]), set(AEADS))

    def test_kinds_of_identity(self) -> None:
        page = {int(row[0]): (row[1].strip("`"), whole(row[3]), sum(map(int, row[4].split("+"))))
                for row in rows("identity", "1 Bundles")}
        kinds = {kind.id: (kind.name, kind.bundle_bytes, kind.signature_bytes) for kind in KINDS.values()}
        self.assertEqual(page, kinds)


class HandshakeTests(SynchronousTestCase):
    """handshake.md: TLVs by section, and types of messages."""

    def test_tlvs(self) -> None:
        page = {}
        for heading in ("4 INIT", "6 RESP", "7 FIN"):
            page |= {int(row[0], 16): row[1] for row in rows("handshake", heading) if row[0].startswith("0x")}
        reserved = {Tlv.COOKIE}
        self.assertEqual(page, {int(kind): kind.name for kind in Tlv if kind not in reserved})

    def test_types_of_messages(self) -> None:
        table = section("handshake", "3 Boxes, headers, TLVs").splitlines()
        head = next(line for line in table if line.startswith("| at | field |"))
        kinds = next(line for line in table if line.startswith("| 0 | u8 type |"))
        names, numbers = (line.strip("| ").split(" | ")[2:] for line in (head, kinds))
        page = dict(zip(names, map(int, numbers), strict=True))
        self.assertEqual(page, {kind.name: int(kind) for kind in MessageType})


class TimesTests(SynchronousTestCase):
    """Wherever a page gives a limit's name and its number side by side, they agree: ``NAME`` (60), 60 s (``NAME``)."""

    BESIDE = (
        re.compile(r"(?P<value>[\d ]*\d) s (?:of [^(`]{0,40})?\(`(?P<name>[a-z_]+_seconds)`\)"),
        re.compile(r"`(?P<name>[a-z_]+)` \((?P<value>[\d ]*\d)\)"),
        re.compile(r"\| `(?P<name>[a-z_]+_seconds)` \| (?P<value>[\d ]*\d) \|"),
    )

    def test_numbers_beside_names(self) -> None:
        seen, wrong = 0, []
        for page in sorted((ROOT / "docs/spec").glob("*.md")):
            text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8"))
            for pattern in self.BESIDE:
                for match in pattern.finditer(text):
                    value = getattr(DEFAULT_LIMITS, match["name"], None)
                    if isinstance(value, int | float):
                        seen += 1
                        if whole(match["value"]) != value:
                            wrong.append(f"{page.name}: {match[0]}")
        self.assertEqual(wrong, [])
        self.assertGreater(seen, 25, "the patterns find nothing any more")


class DialwordsTests(SynchronousTestCase):
    """dialling.md section 4."""

    def test_reasons(self) -> None:
        page = set(re.findall(r"`([a-z-]+)`", section("dialling", "4 What the dialler says")))
        self.assertEqual(set(dialwords._TELLING) - page, set())
        order = section("dialling", "4 What the dialler says").split("in the order ")[1].split(", then the rest")[0]
        self.assertEqual(tuple(re.findall(r"`([a-z-]+)`", order)), dialwords._TELLING)
