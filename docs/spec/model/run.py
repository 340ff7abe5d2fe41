"""Writes and runs the ProVerif models of QG/1, each with the results it must have; what must fail is run too.

    python docs/spec/model/run.py [--list] [--fast] [--keep DIR] [NAME ...]

Needs `proverif` 2.05 on the PATH. A case is one of the .pv files beside this one with `common.pvl` in front, the
queries of the case, and for a weakened variant the lines that it replaces. Results are compared one by one, in order.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRUE, FALSE, UNPROVEN, NO_ANSWER = "true", "false", "unproven", "no-answer"

# -- queries -----------------------------------------------------------------------------------------------------

_PEERS = "query i: pk, r: pk, o: bitstring, k: bitstring;"

# A reachable event is `false` as a query: the model is not empty.
REACH = "query event(Reach)."

R_AGREES_WITH_I = (
    f"{_PEERS} inj-event(Rdone(i,r,o,k)) && event(Hon(i)) ==> inj-event(Idone(i,r,o,k)) || event(Leak(i))."
)
I_AGREES_WITH_R = (
    "query r: pk, o: bitstring, s: bitstring, th: bitstring; "
    "inj-event(Ith(r,o,s,th)) && event(Hon(r)) ==> inj-event(Rsent(r,o,s,th)) || event(Leak(r))."
)
ONE_KEY_ONE_PAIR = (
    "query i: pk, r: pk, i2: pk, r2: pk, o: bitstring, o2: bitstring, k: bitstring; "
    "event(Idone(i,r,o,k)) && event(Rdone(i2,r2,o2,k)) ==> (i = i2 && r = r2 && o = o2)."
)
# All long-term keys leak in phase 1 (forward secrecy); the own one may leak in phase 0 (key compromise impersonation).
SECRET_AT_I = f"{_PEERS} event(Idone(i,r,o,k)) && event(Hon(r)) && attacker(k) ==> event(Leak(r))."
SECRET_AT_R = f"{_PEERS} event(Rdone(i,r,o,k)) && event(Hon(i)) && attacker(k) ==> event(Leak(i))."
SECRECY = (SECRET_AT_I, SECRET_AT_R)
HANDSHAKE = (R_AGREES_WITH_I, ONE_KEY_ONE_PAIR, *SECRECY)

_NAMELESS = "query r: pk, o: bitstring, k: bitstring;"
ANONYMOUS = (
    R_AGREES_WITH_I,
    ("query r: pk, o: bitstring, th: bitstring; "
    "inj-event(IthAnon(r,o,th)) && event(Hon(r)) ==> inj-event(Rsent(r,o,th)) || event(Leak(r))."),
    f"{_NAMELESS} event(IdoneAnon(r,o,k)) && event(Hon(r)) && attacker(k) ==> event(Leak(r)).",
    SECRET_AT_R,
    ("query i: pk, r: pk, r2: pk, o: bitstring, o2: bitstring, k: bitstring; "
    "event(Idone(i,r,o,k)) && event(RdoneAnon(r2,o2,k)) ==> false."),
    ("query i: pk, r: pk, r2: pk, o: bitstring, o2: bitstring, k: bitstring; "
    "event(Rdone(i,r,o,k)) && event(IdoneAnon(r2,o2,k)) ==> false."),
)

_EPOCH = "query q: pk, p: pk, s: bitstring, e: bitstring, k: bitstring;"
REKEY = (
    f"{_EPOCH} event(Qdone(q,p,s,e,k)) && event(Hon(p)) ==> event(Pdone(q,p,s,e,k)) || event(Leak(p)).",
    f"{_EPOCH} event(Pdone(q,p,s,e,k)) && event(Hon(q)) ==> event(Qstart(q,p,s,e)) || event(Leak(q)).",
    f"{_EPOCH} event(Qdone(q,p,s,e,k)) && event(Hon(p)) && attacker(k) ==> event(Leak(p)).",
    f"{_EPOCH} event(Pdone(q,p,s,e,k)) && event(Hon(q)) && attacker(k) ==> event(Leak(q)).",
)
_ONE_SIDED = "query b: pk, s: bitstring, e: bitstring, k: bitstring;"
REKEY_ONE_SIDED = (
    f"{_ONE_SIDED} event(NQdone(b,s,e,k)) && event(Hon(b)) ==> event(BPdone(b,s,e,k)) || event(Leak(b)).",
    f"{_ONE_SIDED} event(NQdone(b,s,e,k)) && event(Hon(b)) && attacker(k) ==> event(Leak(b)).",
    f"{_ONE_SIDED} event(NPdone(b,s,e,k)) && event(Hon(b)) && attacker(k) ==> event(Leak(b)).",
    f"{_ONE_SIDED} event(BQdone(b,s,e,k)) && event(Hon(b)) && attacker(k) ==> event(Leak(b)).",
    f"{_ONE_SIDED} event(BPdone(b,s,e,k)) && event(Hon(b)) && attacker(k) ==> event(Leak(b)).",
)
DELEGATION = (
    ("query r: pk, o: pk, th: bitstring; "
    "event(Accepted(r,o,th)) && event(Hon(r)) ==> event(Signed(r,th)) || event(Leak(r))."),
    ("query r: pk, r2: pk, o: pk, th: bitstring; "
    "event(Accepted(r2,o,th)) && event(Owns(r,o)) ==> r = r2 || event(Leak(r))."),
)
_SERIALS = "query r: pk, l: nat, n: nat, o: pk, o2: pk, th: bitstring; event(Accepted(r,l,n,o,th)) ==>"
SERIALS = (
    f"{_SERIALS} event(Signed(r,o,th)) || (event(Leak(r,n,o)) && n >= l).",
    f"{_SERIALS} event(Owns(r,n,o)) && n >= l.",
    f"{_SERIALS} event(Seen(r,l,o2)) && event(Owns(r,l,o2)).",
)


# -- cases -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """``expected``: one word per query, in order; ``replaced``: (old, new) pairs of text, each must occur."""

    name: str
    model: str
    says: str
    queries: tuple[str, ...]
    expected: tuple[str, ...]
    replaced: tuple[tuple[str, str], ...] = ()
    fast: bool = False
    must_fail: bool = False

    def text(self) -> str:
        """The whole model. KeyError of a replacement that finds nothing: the variant would be the model itself."""
        text = (HERE / "common.pvl").read_text() + "\n" + (HERE / f"{self.model}.pv").read_text()
        for old, new in self.replaced:
            if old not in text:
                raise KeyError(f"{self.name}: {old!r} is not in the model")
            text = text.replace(old, new)
        return text.replace("(*QUERIES*)", "\n".join(self.queries))


def _all(word: str, queries: tuple[str, ...]) -> tuple[str, ...]:
    return (word,) * len(queries)


_DH_LEAKS = (("(*LEAK I*)", "out(c, x);"), ("(*LEAK R*)", "out(c, y);"))
_KEM_LEAKS = (("(*LEAK I*)", "out(c, ks);"), ("(*LEAK R*)", "out(c, r);"))
_BOTH_LEAK = (("(*LEAK I*)", "out(c, x); out(c, ks);"), ("(*LEAK R*)", "out(c, y); out(c, r);"))
# Nothing for the attacker to choose: finding an attack is quicker where there is less to try.
_FIXED = (("in(c, (offer: bitstring, role: bitstring, session: bitstring));",
           "let offer = fresh in let role = go in let session = done in"),)
_PSK_SECRET = (("(*PSK*)", "[private]"),)

# Each side's transcript starts with whatever the attacker likes: a RETRY, another one, or none.
_ANY_START = (
    ("session: bitstring));\n  out(c, (sI", "session: bitstring, start: bitstring));\n  out(c, (sI"),
    ("th2_of(fresh, uR, sI, offer, exp(g,x)", "th2_of(start, uR, sI, offer, exp(g,x)"),
    ("in(c, sel: bitstring);", "in(c, (sel: bitstring, start: bitstring));"),
    ("th2_of(fresh, uR, sI, offer, gx, ek", "th2_of(start, uR, sI, offer, gx, ek"),
)

_SIGN_R = "(l_sigR, H((th2, pkR)))"
_SIGN_I = "(l_sigI, H((th3, pkI, role)))"
_CHECK_SIG_R = "if verify(sigR, signed_by_R(th2, sI, pkR2), pkR2) = true then"
_CHECK_MAC_R = "if macR = mac_of_R(prk, th2, pkR2, sigR) then"
_CHECK_MAC_I = "if macI = mac_of_I(prk, th3, pkI, role, sigI) then"
_TH2 = "H((start, uR, sI, (offer, gx, ek), sR, (sel, gy, ct)))"
_START = "H((fresh, s0, (offer, gx0, ek0), sr0, wanted))"

CASES = (
    Case("reach", "handshake", "both sides can finish", (REACH,), (FALSE,), fast=True),
    Case("handshake", "handshake", "authentication and secrecy, PSK public", HANDSHAKE, _all(TRUE, HANDSHAKE)),
    Case("agreement", "handshake", "I agrees with R on offer, selection and TH2", (I_AGREES_WITH_R,), (TRUE,)),
    Case("dh-broken", "handshake", "every DH exponent leaks", HANDSHAKE, _all(TRUE, HANDSHAKE), _DH_LEAKS),
    Case("kem-broken", "handshake", "every KEM key and coin leaks", HANDSHAKE, _all(TRUE, HANDSHAKE), _KEM_LEAKS),
    Case("both-broken-psk", "handshake", "both leak, the shared secret does not", SECRECY, _all(TRUE, SECRECY),
         (*_BOTH_LEAK, *_PSK_SECRET)),
    Case("both-broken", "handshake", "both leak, nothing is left", SECRECY, _all(FALSE, SECRECY),
         (*_BOTH_LEAK, *_FIXED), must_fail=True),
    Case("retry-reach", "retry", "both sides can finish after a RETRY", ("query event(ReachRetried).",), (FALSE,)),
    Case("retry-agreement", "retry", "I agrees with R on offer, RETRY and TH2", (I_AGREES_WITH_R,), (TRUE,)),
    Case("any-start", "handshake", "secrecy and authentication, whatever either side takes for a RETRY", HANDSHAKE,
         _all(TRUE, HANDSHAKE), _ANY_START),
    Case("anonymous-reach", "anonymous", "a nameless session can be", ("query event(ReachAnon).",), (FALSE,)),
    Case("anonymous", "anonymous", "nameless beside identified sessions at one R", ANONYMOUS, _all(TRUE, ANONYMOUS)),
    Case("identity", "identity", "who dials is hidden from an active attacker", (), (TRUE,)),
    Case("rekey", "rekey", "the re-key heals after theft of the root", REKEY, _all(TRUE, REKEY), fast=True),
    Case("rekey-one-sided", "rekey_one_sided", "one side nameless: it is healed, the other claims nothing",
         REKEY_ONE_SIDED, (TRUE, TRUE, TRUE, FALSE, FALSE), fast=True),
    Case("delegation-reach", "delegation", "the proof of an online key is accepted", (REACH,), (FALSE,), fast=True),
    Case("delegation", "delegation", "online keys of hybrid roots, classical signatures broken", DELEGATION,
         _all(TRUE, DELEGATION), fast=True),
    Case("serials-reach", "serials", "a proof is accepted after another one", (REACH,), (FALSE,), fast=True),
    Case("serials", "serials", "stolen online keys are of no use where a newer delegation was seen", SERIALS,
         _all(TRUE, SERIALS), fast=True),
    # Weakened on purpose: what must fail fails, or the model could not tell a sound protocol from a broken one.
    Case("M1", "handshake", "R signs its salt only, no MAC", (I_AGREES_WITH_R, *HANDSHAKE), (),
         ((_SIGN_R, "(l_sigR, sI)"), (_CHECK_MAC_R, "")), must_fail=True),
    Case("M2", "handshake", "I's signature is not bound to the transcript", HANDSHAKE, (),
         ((_SIGN_I, "(l_sigI, pkI)"),), must_fail=True),
    Case("M3", "handshake", "one label for both signatures", HANDSHAKE, _all(TRUE, HANDSHAKE),
         ((_SIGN_I, _SIGN_I.replace("l_sigI", "l_sigR")),)),
    Case("M4", "handshake", "no MACs", HANDSHAKE, _all(TRUE, HANDSHAKE), ((_CHECK_MAC_R, ""), (_CHECK_MAC_I, ""))),
    Case("M5", "handshake", "the offer is left out of the transcript", (R_AGREES_WITH_I, I_AGREES_WITH_R), (),
         ((_TH2, _TH2.replace("(offer, gx, ek)", "(gx, ek)")),), must_fail=True),
    Case("M6", "handshake", "the selection is left out of the transcript", (I_AGREES_WITH_R,), (),
         ((_TH2, _TH2.replace("(sel, gy, ct)", "(gy, ct)")),), must_fail=True),
    Case("M7", "retry", "the RETRY is left out of the transcript", (I_AGREES_WITH_R,), (),
         ((_START, "fresh"),), must_fail=True),
    Case("M8", "rekey", "the re-key is not signed", REKEY, (),
         (("if verify(sig, (l_rsp, kdf(root, l_id), sid, epoch, spk(s), pkP, H(req), gy, ct), pkP) = true then", ""),
          ("if verify(sig, (l_req, kdf(root, l_id), sid, epoch, pkQ, spk(s), req), pkQ) = true then", "")),
         fast=True, must_fail=True),
    Case("M9", "identity", "the dialler names itself before it has checked the responder", (), (),
         (("if uuid(pkR2) = uR then\n", ""), (_CHECK_SIG_R, ""), (_CHECK_MAC_R, "")), must_fail=True),
    Case("delegation-kind", "delegation", "the kind of an online key is not compared with its root's", DELEGATION,
         (FALSE, TRUE), (("  if kind = hybrid then\n", ""),), fast=True, must_fail=True),
    Case("delegation-unbound", "delegation", "neither root nor delegation is in the transcript", DELEGATION,
         (TRUE, FALSE), ((_SIGN_R, "(l_sigR, th2)"), ("= H((th, kind, o, dsig)).", "= th.")),
         fast=True, must_fail=True),
    Case("delegation-unsigned", "delegation", "the root's signature is not verified", DELEGATION, (FALSE, TRUE),
         (("  if verify(dsig, delegation(root, kind, o), root) = true then\n", ""),), fast=True, must_fail=True),
    Case("serials-uncompared", "serials", "the serial is not compared with what was seen", SERIALS,
         (FALSE, FALSE, TRUE), (("  if n >= least then\n", ""),), fast=True, must_fail=True),
    Case("serials-unsigned", "serials", "the root does not sign the serial", SERIALS, _all(FALSE, SERIALS),
         (("= (l_dlg, root, n, o).", "= (l_dlg, root, o)."),), fast=True, must_fail=True),
)


# -- running -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    results: tuple[str, ...]
    seconds: float
    lines: tuple[str, ...] = ()

    def meets(self, case: Case) -> bool:
        """Exactly the expected words; a case that must fail and names none needs one query that does not hold."""
        if case.expected:
            return self.results == case.expected
        return any(word in (FALSE, UNPROVEN) for word in self.results)


def result_word(line: str) -> str:
    """``RESULT ... is true.`` -> true; ``cannot be proved`` -> unproven."""
    if line.endswith("is true."):
        return TRUE
    return FALSE if line.endswith("is false.") else UNPROVEN


def run(case: Case, directory: Path, limit_seconds: float = 900) -> Outcome:
    """One proverif process, ended at the limit. Raises RuntimeError where the model does not parse."""
    path = directory / f"{case.name}.pv"
    path.write_text(case.text())
    began = time.monotonic()
    try:
        done = subprocess.run(["proverif", path], capture_output=True, text=True, timeout=limit_seconds, check=False)
    except subprocess.TimeoutExpired:
        return Outcome((NO_ANSWER,), time.monotonic() - began)
    # "RESULT (even ...)" says the same of a weaker query
    told = [line for line in done.stdout.splitlines() if line.startswith("RESULT") and "RESULT (" not in line]
    lines = tuple(told)
    if not lines:
        raise RuntimeError(f"{case.name}: {(done.stdout + done.stderr)[-600:]}")
    return Outcome(tuple(result_word(line) for line in lines), time.monotonic() - began, lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="the ProVerif models of QG/1")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true", help="names and what they say, without running")
    parser.add_argument("--fast", action="store_true", help="only those of a few seconds")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one case")
    parser.add_argument("--keep", type=Path, help="write the models into this directory and leave them there")
    options = parser.parse_args(arguments)
    cases = [c for c in CASES if (not options.names or c.name in options.names) and (c.fast or not options.fast)]
    if unknown := set(options.names) - {c.name for c in CASES}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if options.list:
        print("\n".join(f"{c.name:18} {c.says}" for c in cases))
        return 0
    if not shutil.which("proverif"):
        print("proverif is not on the PATH: the models need ProVerif 2.05")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        return _report(cases, directory, options.limit)


def _report(cases: list[Case], directory: Path, limit_seconds: float) -> int:
    failed = 0
    for case in cases:
        outcome = run(case, directory, limit_seconds)
        good = outcome.meets(case)
        failed += not good
        words = " ".join(outcome.results)
        print(f"{'ok ' if good else 'BAD'} {case.name:18} {outcome.seconds:7.1f} s  {words:42} {case.says}", flush=True)
        if not good:
            print("\n".join(f"      {line}" for line in outcome.lines), flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
