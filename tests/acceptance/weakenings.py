"""The weakened protocols of docs/spec/model, as changes to the code: each must be noticed by the attack that it allows.

A copy of the tree is made, the change applied to it, and its tests are run; the vectors, which notice any change, are
left out for all but M3 and M4, which allow no attack in the symbolic model. One to four minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.report import ROOT, Figure, at_least, exactly

CORE, HANDSHAKE = "quantumgate/core", "quantumgate/core/handshake"
I, R = f"{HANDSHAKE}/initiator.py", f"{HANDSHAKE}/responder.py"  # noqa: E741 - what the specification calls them
REKEY, LABELS = f"{CORE}/rekey.py", "quantumgate/crypto/labels.py"
ATTACKS, VECTORS = "tests.attacks", "tests.vectors.test_vectors"
_FAILED = re.compile(r"^(tests\.[\w.]+)$", re.M)


@dataclass(frozen=True)
class Change:
    """``old`` stands once in ``file`` and becomes ``new``."""

    file: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Raises ValueError where the text has moved away: then this table must follow."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} holds {text.count(self.old)} times: {self.old}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class Weakening:
    """``attack`` is the test that must fail, beside any others; ``tests`` is what is run."""

    name: str
    says: str
    changes: tuple[Change, ...]
    attack: str
    tests: str = ATTACKS


_R_CONFIRM = """        if not hmac.compare_digest(hmac_sha512(keys.fin_r, th.digest()), proof.confirm):
            raise AuthenticationError("CONFIRM does not verify")
"""
_I_CONFIRM = """        if not hmac.compare_digest(hmac_sha512(keys.fin_i, th.digest()), fin.confirm):
            raise AuthenticationError("CONFIRM does not verify")
"""
_HASH = '__import__("hashlib").sha512'
_ROW_6, _ROW_12 = f"{ATTACKS}.test_rows_01_13_exchange.Row6Tests", f"{ATTACKS}.test_rows_01_13_identity.Row12Tests"
_ROW_13 = f"{ATTACKS}.test_rows_01_13_identity.Row13Tests"

WEAKENINGS = (
    Weakening(
        "M1",
        "R signs I's salt only, and its MAC is not checked",
        (
            Change(R, "sign(labels.SIGN_RESPONDER, th.digest())",
                   f"sign(labels.SIGN_RESPONDER, {_HASH}(present(self._opening).salt).digest())"),
            Change(I, "        signed = th.digest()\n",
                   f"        signed = {_HASH}(present(self._attempt).salt).digest()\n"),
            Change(I, _R_CONFIRM, ""),
        ),
        f"{_ROW_12}.test_signature_of_bob_carried_into_another_exchange",
    ),
    Weakening(
        "M2",
        "I's signature is not bound to the transcript",
        (
            Change(I, "sign(labels.SIGN_INITIATOR, th.digest())",
                   f"sign(labels.SIGN_INITIATOR, {_HASH}(bundle).digest())"),
            Change(R, "        signed = th.digest()\n", f"        signed = {_HASH}(fin.bundle).digest()\n"),
        ),
        f"{_ROW_12}.test_signature_of_alice_carried_to_bob",
    ),
    Weakening(
        "M3",
        "one label for both signatures",
        (Change(LABELS, 'SIGN_INITIATOR = "initiator signature"', 'SIGN_INITIATOR = "responder signature"'),),
        f"{VECTORS}.WireTests.test_every_byte_of_both_sides",
        VECTORS,
    ),
    Weakening(
        "M4",
        "no MACs are checked",
        (Change(I, _R_CONFIRM, ""), Change(R, _I_CONFIRM, "")),
        f"{VECTORS}.WireTests.test_another_confirm_is_refused",
        VECTORS,
    ),
    Weakening(
        "M5",
        "the offer is left out of the transcript",
        (
            Change(R, "TAGS_INIT, (opening.salt, opening.header, body))",
                   "TAGS_INIT, (opening.salt, opening.header, init.primary.data + init.secondary.data))"),
            Change(I, "TAGS_INIT, (attempt.salt, attempt.header, attempt.body))",
                   "TAGS_INIT, (attempt.salt, attempt.header, attempt.primary.share + attempt.secondary.public))"),
        ),
        f"{_ROW_6}.test_offer_edited_on_the_way",
    ),
    Weakening(
        "M6",
        "the selection is left out of the transcript",
        (
            Change(R, "TAGS_RESPONSE, (salt, header, body_a))", "TAGS_RESPONSE, (salt, header, body_a[:-12]))"),
            Change(I, "TAGS_RESPONSE, (answer.salt, answer.header, body))",
                   "TAGS_RESPONSE, (answer.salt, answer.header, body[:-12]))"),
        ),
        f"{_ROW_6}.test_choice_edited_on_the_way",
    ),
    Weakening(
        "M7",
        "the RETRY is left out of the transcript",
        (
            Change(R, "            th.add_all(labels.TAGS_RETRY, self._retried.first)\n", "            pass\n"),
            Change(I, "            th.add_all(labels.TAGS_RETRY, self._retry[1])\n", "            pass\n"),
        ),
        f"{_ROW_13}.test_a_retry_that_was_never_sent_is_in_nobodys_transcript",
    ),
    Weakening(
        "M8",
        "the re-key is not signed",
        (Change(REKEY, "        signatures.verify(proven_bundle(peer, self._session.peer_delegation), "
                       "name, content, signature)\n", ""),),
        f"{ATTACKS}.test_row_20_rekey.Row20AskingTests.test_unsigned_and_wrongly_signed_by_an_authenticated_peer",
    ),
)  # fmt: skip
"""As in docs/spec/model/README.md. M9 (I names itself before it has checked R) changes the order of messages."""


def copy_tree(place: Path) -> Path:
    """The package, its tests and its pages, as they are now, without what running them leaves behind."""
    leftovers = shutil.ignore_patterns("__pycache__", "*.pyc", ".hypothesis", "_trial_temp*")
    for name in ("quantumgate", "tests", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=leftovers)
    return place


def failing(root: Path, tests: str, limit_seconds: float = 300) -> tuple[int, set[str]]:
    """(tests that were run, the names of those that failed) of the tree at ``root``."""
    command = [sys.executable, "-m", "twisted.trial", "--temp-directory", str(root / "trial"), tests]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=limit_seconds, check=False
    )
    ran = re.search(r"^Ran (\d+) tests? in ", done.stdout, re.M)
    if ran is None:
        raise RuntimeError(f"trial did not run: {done.stdout[-500:]}{done.stderr[-500:]}")
    said = done.stdout.split("=" * 79, 1)
    return int(ran[1]), set(_FAILED.findall(said[1])) if len(said) > 1 else set()


def weakened(weakening: Weakening | None, tests: str) -> tuple[int, set[str]]:
    """``failing`` of a copy with this change."""
    with tempfile.TemporaryDirectory() as scratch:
        root = copy_tree(Path(scratch))
        for change in weakening.changes if weakening is not None else ():
            change.apply(root)
        return failing(root, tests)


def figures() -> Iterator[Figure]:
    for tests in (ATTACKS, VECTORS):
        ran, broken = weakened(None, tests)
        yield exactly(f"unchanged: {tests}, {ran} tests: that fail", 0, len(broken))
    for one in WEAKENINGS:
        _ran, broken = weakened(one, one.tests)
        yield at_least(f"{one.name}, {one.says}: {one.tests}: that fail", 1, len(broken))
        yield exactly(f"{one.name}: {one.attack.rpartition('.')[2]} is among them", True, one.attack in broken)
