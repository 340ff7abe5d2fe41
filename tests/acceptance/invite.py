"""``qgate invite`` at one machine, ``qgate join`` at another: connected, named, pinned; each refusal with its reason.

Machines of ``netns.py``: two that meet directly, strangers who come too late or with something made up, and a node
behind a NAT that is reached through its anchor alone. Nobody's default admits anybody. Spec: docs/spec/addresses.md.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quantumgate.crypto.identity import parse_fingerprint
from quantumgate.store.opening import STORE_FILE
from quantumgate.wire.invitation_text import Invitation, read_invitation
from tests.acceptance.nat import reserved
from tests.acceptance.netns import Internet, NodeAt, Place, listed
from tests.acceptance.processes import QgateFailed, staged, until
from tests.acceptance.report import Figure, at_most, exactly, noted

JOIN_SECONDS = 10.0
LEAST_LIFE_SECONDS = 60.0
CUT_AFTER_SECONDS = 0.2
"""Of the quarter of a second that qgate and a handshake take. Where it came too late, the first join ends with 0."""


@dataclass
class Scene:
    """Who is there. ``hidden`` is behind a NAT; the others but alice listen nowhere."""

    alice: NodeAt
    bob: NodeAt
    carol: NodeAt
    dave: NodeAt
    hidden: NodeAt
    stranger: NodeAt

    @property
    def nodes(self) -> Sequence[NodeAt]:
        return self.alice, self.bob, self.carol, self.dave, self.hidden, self.stranger


def figures() -> Iterator[Figure]:
    yield from staged(scene)


def scene(directory: Path, stack: ExitStack) -> Iterator[Figure]:
    world = stack.enter_context(Internet())

    def node(name: str, place: Place, more: str = "", **options: bool) -> NodeAt:
        return stack.enter_context(NodeAt(directory, place, name, more, **options))

    def client(name: str, address: str, more: str = "") -> NodeAt:
        return node(name, world.place(name, address), more, listens=False)

    anchor = node("anchor", world.place("anchor", "62.141.38.77"), relay=True)
    router = world.place("router", "84.201.7.153")
    router.masquerade()
    anchors = f"[relay]\nanchors = {listed([anchor.address()])}\n"
    seen = Scene(
        node("alice", world.place("alice", "37.120.171.46")), client("bob", "91.37.113.29"),
        client("carol", "92.38.114.30"), client("dave", "93.39.115.31"),
        node("hidden", world.place("hidden", "10.44.0.2", router), anchors, listens=False),
        client("stranger", "94.40.116.32", 'network = "Elsewhere"\n'),
    )
    anchor.qgate("access", "allow", seen.hidden.uuid)
    short = seen.alice.json("invite", "--expires", "1m")
    began = time.monotonic()
    for part in (meeting, kept, refused, nothing_told, anchored, interrupted):
        yield from part(seen)
    time.sleep(max(0.0, LEAST_LIFE_SECONDS + 1 - (time.monotonic() - began)))
    yield told("expired", seen.carol, short["invitation"], "this invitation has expired")


def join(node: NodeAt, text: str, *more: str) -> tuple[Any, float]:
    """What ``qgate join --json`` shows, and after how many seconds."""
    began = time.monotonic()
    return node.json("join", text, *more), time.monotonic() - began


def known(one: NodeAt, other: NodeAt, name: str) -> tuple[bool, bool, bool, bool]:
    """Whether ``one`` is connected with the other, calls it so, admits it, and has its key pinned."""
    peers = [peer for peer in one.ask("peers") if peer["uuid"] == other.uuid]
    named = [peer["name"] for peer in peers] == [name]
    rules = [rule for rule in one.ask("access.list")["rules"] if rule["peer"] == other.uuid]
    admitted = [(rule["word"], rule["only"], rule["name"]) for rule in rules] == [("allow", "", name)]
    return bool(peers), named, admitted, parse_fingerprint(other.ask("status")["fingerprint"]) in pins(one)


def pins(node: NodeAt) -> set[bytes]:
    """The fingerprints that its store has pinned."""
    with closing(sqlite3.connect(node.data / STORE_FILE)) as store:
        return {row[0] for row in store.execute("SELECT fingerprint FROM pins")}


ALL = (True, True, True, True)


def meeting(seen: Scene) -> Iterator[Figure]:
    alice, bob = seen.alice, seen.bob
    made = alice.json("invite", "--name", "bob", "--as", "alice")
    yield noted("an invitation with one address: letters", len(made["invitation"]))
    joined, took = join(bob, made["invitation"], "--take-name")
    yield exactly("join: called what it proposed", "alice", joined["name"])
    yield at_most("join: seconds from the command to the session", JOIN_SECONDS, took)
    yield exactly("the joiner: connected, named, admitted, pinned", ALL, known(bob, alice, "alice"))
    yield exactly("the inviter: connected, named, admitted, pinned", ALL, known(alice, bob, "bob"))
    secret = read_invitation(made["invitation"]).secret
    found = [path.name for path in alice.data.rglob("*") if path.is_file() and holds(path.read_bytes(), secret)]
    yield exactly("files of the inviter that hold the secret", [], found)


def holds(data: bytes, secret: bytes) -> bool:
    return secret in data or secret.hex().encode() in data


def kept(seen: Scene) -> Iterator[Figure]:
    """Both machines are started anew: the name is enough."""
    alice, bob = seen.alice, seen.bob
    for node in (bob, alice):
        node.__exit__()
    for node in (alice, bob):
        node.__enter__()
    bob.qgate("connect", "alice")
    until("the session at the inviter", lambda: alice.ask("peers"))
    yield exactly("after a restart of both: the joiner", ALL, known(bob, alice, "alice"))
    yield exactly("after a restart of both: the inviter", ALL, known(alice, bob, "bob"))


def told(name: str, node: NodeAt, text: str, words: str, *more: str) -> Figure:
    """A join that fails with these words, and admits nobody to anything."""
    try:
        node.qgate("join", text, *more)
        said = "joined"
    except QgateFailed as failure:
        said = " ".join(str(failure).split())
    return Figure(f"refused: {name}", f"... {words} ...", said, words in said and not node.ask("access.list")["rules"])


def changed(text: str, **fields: Any) -> str:
    made: Invitation = replace(read_invitation(text), **fields)
    return made.text


def refused(seen: Scene) -> Iterator[Figure]:
    alice, carol = seen.alice, seen.carol
    (used,) = [row for row in alice.json("invite", "list") if row["joined"]]
    yield exactly("qgate invite list: who came by it", (used["state"], [seen.bob.uuid]), ("used", used["joined"]))
    once = alice.json("invite")["invitation"]
    join(seen.dave, once)
    seen.dave.qgate("disconnect", alice.uuid)
    yield told("used by another", carol, once, "this invitation was used by somebody else already")
    gone = alice.json("invite")
    alice.qgate("invite", "revoke", gone["id"])
    yield told("taken back", carol, gone["invitation"], "this invitation was taken back")
    made = alice.json("invite", "--as", "alice")
    good = made["invitation"]
    unknown = "the invitation is none of its own, was altered on the way"
    yield told("another name in it", carol, changed(good, name="mallory"), unknown, "--take-name")
    yield told("another end in it", carol, changed(good, expires=2_000_000_000), unknown)
    yield told("another secret in it", carol, changed(good, secret=bytes(20)), unknown)
    slip = good[:50] + ("a" if good[50] != "a" else "b") + good[51:]
    yield told("a letter mistyped", carol, slip, "a letter is wrong")
    yield told("cut", carol, good[:-9], "this invitation cannot be read")
    yield told("in another network", seen.stranger, good, "for another network")
    alice.qgate("access", "ban", carol.uuid)
    yield told("banned", carol, good, "does not admit this identity")
    alice.qgate("access", "unban", carol.uuid)
    states = {row["id"]: row["state"] for row in alice.json("invite", "list")}
    yield exactly("still open after all that", "open", states[made["id"]])


def nothing_told(seen: Scene) -> Iterator[Figure]:
    """A stranger with an invitation that he made up hears what one without any hears."""
    alice, stranger = seen.alice, seen.carol
    made_up = changed(alice.json("invite")["invitation"], secret=b"\x07" * 20)
    words = {}
    for name, command in {"with none": ("connect", alice.address()), "made up": ("join", made_up)}.items():
        try:
            stranger.qgate(*command)
        except QgateFailed as failure:
            words[name] = str(failure).split("admit this identity")[0]
    yield exactly("a stranger with a made-up invitation and one with none hear", 1, len(set(words.values())))


def anchored(seen: Scene) -> Iterator[Figure]:
    hidden, dave = seen.hidden, seen.dave
    reserved(hidden)
    made = hidden.json("invite", "--name", "dave", "--as", "hidden")
    yield exactly("behind a NAT: endpoints, anchors in the invitation", (0, 1),
                  (len(made["endpoints"]), len(made["anchors"])))
    yield noted("an invitation with one anchor: letters", len(made["invitation"]))
    joined, took = join(dave, made["invitation"], "--name", "hidden")
    yield exactly("behind a NAT: the path", made["anchors"], joined["peer"]["path"])
    yield at_most("behind a NAT: seconds from the command to the session", JOIN_SECONDS, took)
    yield exactly("behind a NAT: the joiner", ALL, known(dave, hidden, "hidden"))
    yield exactly("behind a NAT: the inviter", ALL, known(hidden, dave, "dave"))
    dave.__exit__()
    dave.__enter__()
    dave.qgate("connect", "hidden")
    names = [peer["name"] for peer in dave.ask("peers")]
    yield exactly("behind a NAT, after a restart: by its name", ["hidden"], names)


def interrupted(seen: Scene) -> Iterator[Figure]:
    """The joiner's cable is pulled in the middle of it; then he says it again."""
    alice, carol = seen.alice, seen.carol
    text = alice.json("invite", "--name", "carol")["invitation"]
    words = [sys.executable, "-m", "quantumgate.cli.main", "--data", str(carol.data), "join", text]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(CUT_AFTER_SECONDS)
    carol.place.line(up=False)
    code = first.wait(60)
    carol.place.line(up=True)
    yield noted("interrupted: how the first join ended", code)
    join(carol, text, "--name", "alice")
    yield exactly("interrupted, and again: the joiner", ALL, known(carol, alice, "alice"))
    until("the name at the inviter", lambda: known(alice, carol, "carol") == ALL)
    yield exactly("interrupted, and again: the inviter", ALL, known(alice, carol, "carol"))
    carol.qgate("access", "remove", alice.uuid)
