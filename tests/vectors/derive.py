"""Every value of a handshake by name, derived by hand (hmac, hashlib and the cipher) from what was sent and drawn.

Used once, to write the vectors: it opens the recorded wire, so a vector cannot hold what our code did not send.
Not for: checking our code; ``test_vectors.py`` runs it against the written files.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

CIPHERS = {1: AESGCM, 2: ChaCha20Poly1305}


def lp(data: bytes) -> bytes:
    """u32 length, data."""
    return len(data).to_bytes(4, "big") + data


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract with SHA-512."""
    return hmac.new(salt, ikm, hashlib.sha512).digest()


def expand(prk: bytes, info: bytes, length: int = 64) -> bytes:
    """HKDF-Expand with SHA-512, one block: at most 64 bytes."""
    return hmac.new(prk, info + b"\x01", hashlib.sha512).digest()[:length]


class Values(dict[str, Any]):
    """Named values, in order; bytes are kept as hex."""

    def put(self, name: str, value: bytes) -> bytes:
        """Note a value once."""
        if name in self:
            raise AssertionError(f"{name} twice")
        self[name] = value.hex()
        return value


class Key:
    """A key and an iv, of keys(P, name)."""

    def __init__(self, values: Values, prefix: str, prk: bytes, label: str, algorithm: int = 1) -> None:
        self.values, self.prefix, self.algorithm = values, prefix, algorithm
        self.key = values.put(f"{prefix} key", expand(prk, f"qg1 {label} key".encode(), 32))
        self.iv = values.put(f"{prefix} iv", expand(prk, f"qg1 {label} iv".encode(), 12))

    def nonce(self, n: int) -> bytes:
        """iv XOR n."""
        return (int.from_bytes(self.iv, "big") ^ n).to_bytes(12, "big")

    def open(self, name: str, n: int, box: bytes, ad: bytes) -> bytes:
        """Note a box of the wire, and what is in it."""
        plain = CIPHERS[self.algorithm](self.key).decrypt(self.nonce(n), box, ad)
        self.note(name, n, ad, plain, box)
        return plain

    def seal(self, name: str, n: int, plain: bytes, ad: bytes) -> bytes:
        """Note a box that we make."""
        box = CIPHERS[self.algorithm](self.key).encrypt(self.nonce(n), plain, ad)
        self.note(name, n, ad, plain, box)
        return box

    def note(self, name: str, n: int, ad: bytes, plain: bytes, box: bytes) -> None:
        """All about one box."""
        noted = {"key": self.prefix, "n": n, "nonce": self.nonce(n).hex(), "ad": ad.hex()}
        self.values[f"box {name}"] = {**noted, "plaintext": plain.hex(), "box": box.hex()}


class Hash:
    """The transcript; ``after`` names its value at a step."""

    def __init__(self, values: Values) -> None:
        self.values, self.running = values, hashlib.sha512()
        self.steps: list[str] = []
        self.add("proto", b"QuantumGate/1")

    def add(self, tag: str, value: bytes) -> None:
        """lp(tag) || lp(value)."""
        self.steps.append(tag)
        self.running.update(lp(tag.encode()) + lp(value))

    def after(self, name: str) -> bytes:
        """Note TH."""
        return self.values.put(name, self.running.digest())


def tlvs(body: bytes) -> list[tuple[int, bytes, bytes]]:
    """(type, value, whole)."""
    found, at = [], 0
    while at < len(body):
        stop = at + 4 + int.from_bytes(body[at + 1 : at + 4], "big")
        found.append((body[at], body[at + 4 : stop], body[at:stop]))
        at = stop
    return found


def network(values: Values, network_id: bytes, psk: bytes | None, target: bytes) -> tuple[bytes, bytes]:
    """PRK0, OBF and the salt of PRK1. Returns (OBF, that salt)."""
    salt = values.put("network salt", hashlib.sha512(b"QuantumGate/1 net" + lp(network_id)).digest())
    prk0 = values.put("PRK0", extract(salt, psk or bytes(64)))
    obf = values.put("OBF", expand(prk0, b"qg1 obf" + lp(target)))
    return obf, values.put("ke salt", expand(prk0, b"qg1 ke salt"))


def opening(values: Values, obf: bytes, init: bytes, answer: bytes, mark: str) -> tuple[tuple[bytes, ...], Key, bytes]:
    """An INIT and the opening of its answer. Returns the six transcript values, o2 and the answer's header box."""
    salt_i, salt_r = values.put(f"saltI{mark}", init[:32]), values.put(f"saltR{mark}", answer[:32])
    o1 = Key(values, f"o1{mark}", values.put(f"o1{mark} prk", extract(salt_i, obf)), "o1")
    header = o1.open(f"header INIT{mark}", 0, init[32:64], salt_i)
    body = o1.open(f"body INIT{mark}", 1, init[64:], init[32:64])
    o2 = Key(values, f"o2{mark}", values.put(f"o2{mark} prk", extract(salt_i + salt_r, obf)), "o2")
    name = "RETRY" if mark else "answer"
    answer_header = o2.open(f"header {name}", 0, answer[32:64], salt_r)
    body_bytes = int.from_bytes(answer_header[12:16], "big")
    sealed = answer[64 : 64 + body_bytes + 16]
    answer_body = o2.open(f"body {name}", 1, sealed, answer[32:64])
    return (salt_i, header, body, salt_r, answer_header, answer_body), o2, answer[32:64]


def puzzle(values: Values, retry: bytes, solution: str, salt: bytes) -> None:
    """The hashes of a solution, where the RETRY asked for one."""
    asked = [value for kind, value, _whole in tlvs(retry) if kind == 0x09]
    if asked:
        nonces = bytes.fromhex(solution)
        values.put("puzzle hashes", b"".join(
            hashlib.sha256(asked[0][:32] + salt + bytes([index]) + nonces[8 * index : 8 * index + 8]).digest()
            for index in range(16)
        ))


def proof(th: Hash, side: str, parts: list[tuple[int, bytes, bytes]], fin: bytes) -> None:
    """Identity, signature and confirmation of one side, out of the TLVs it sent."""
    values = th.values
    by_type = {kind: value for kind, value, _whole in parts}
    ext = b"".join(whole for kind, _value, whole in parts if kind not in (0x20, 0x21, 0x22, 0x23, 0x24, 0x30, 0x80))
    named = 0x20 in by_type
    th.add("id" if named else "anon", by_type.get(0x20, b""))
    if 0x21 in by_type:
        th.add("deleg", values.put(f"deleg {side}", by_type[0x21]))
    th.add("ext", values.put(f"ext {side}", ext))
    if named:
        signed = th.after(f"TH signed by {side}")
        name = b"responder signature" if side == "R" else b"initiator signature"
        content = b"\x20" * 64 + b"QuantumGate/1 " + name + b"\x00" + by_type[0x20][:1] + signed
        values.put(f"signature input {side}", content)
        th.add("sig", values.put(f"Sig{side}", by_type[0x22]))
    confirm = hmac.new(fin, th.after(f"TH confirmed by {side}"), hashlib.sha512).digest()
    if confirm != by_type[0x23]:
        raise AssertionError("the recorded CONFIRM is not the derived one")
    th.add("mac", values.put(f"Conf{side}", confirm))


def handshake(inputs: dict[str, Any], wire: list[bytes], secrets: tuple[bytes, bytes]) -> Values:
    """All values of a handshake. ``secrets`` = (ss_secondary, ss_primary)."""
    values = Values()
    target = bytes.fromhex(inputs["target"])
    psk = bytes.fromhex(inputs["psk"]) if inputs["psk"] else None
    obf, ke_salt = network(values, inputs["network_id"].encode(), psk, target)
    th = Hash(values)
    if len(wire) == 5:
        first, _o2, _box = opening(values, obf, wire[0], wire[1], " first")
        for tag, value in zip(("s0", "h0", "b0", "sr0", "hr0", "br0"), first, strict=True):
            th.add(tag, value)
        puzzle(values, first[5], inputs.get("solution", ""), wire[2][:32])
    init, answer, last = wire[-3:]
    exchanged, _o2, header_box = opening(values, obf, init, answer, "")
    th.add("target", target)
    for tag, value in zip(("saltI", "h1", "b1", "saltR", "h2", "b2"), exchanged, strict=True):
        th.add(tag, value)
    th2 = th.after("TH2")
    ss_secondary, ss_primary = values.put("ss_secondary", secrets[0]), values.put("ss_primary", secrets[1])
    prk1 = values.put("PRK1", extract(ke_salt, lp(ss_secondary) + lp(ss_primary) + th2))
    hr, hi = Key(values, "hr", prk1, "hs r2i"), Key(values, "hi", prk1, "hs i2r")
    fin_r, fin_i = values.put("Fr", expand(prk1, b"qg1 fin r")), values.put("Fi", expand(prk1, b"qg1 fin i"))
    body_a_bytes = int.from_bytes(exchanged[4][12:16], "big")
    body_b = hr.open("body 2B", 1, answer[64 + body_a_bytes + 16 :], header_box)
    proof(th, "R", tlvs(body_b), fin_r)
    hi.open("header FIN", 0, last[:32], b"")
    body = hi.open("body FIN", 1, last[32:], last[:32])
    proof(th, "I", tlvs(body), fin_i)
    session = next(value for kind, value, _whole in tlvs(body) if kind == 0x30)
    th.add("session", values.put("session", session))
    values["transcript tags"] = " ".join(th.steps)
    prk2_salt = values.put("PRK2 salt", expand(prk1, b"qg1 derived"))
    prk2 = values.put("PRK2", extract(prk2_salt, th.after("TH session")))
    root = values.put("root_0", expand(prk2, b"qg1 root"))
    values.put("sid", expand(prk2, b"qg1 session id", 32))
    exporter = values.put("exporter", expand(prk2, b"qg1 exporter"))
    records(values, root, inputs["suite"]["aead"], "")
    info = b"qg1 exp" + lp(b"a label") + lp(hashlib.sha512(b"a context").digest())
    values.put("Export(a label, a context, 32)", expand(exporter, info, 32))
    return values


def other_confirm(values: Values, wire: list[bytes]) -> dict[str, str]:
    """The last RESP and the FIN again, properly sealed, with one bit of CONFIRM changed: both must be refused."""
    found = {}
    for name, box, mark, message in (("RESP", "body 2B", "R", wire[-2]), ("FIN", "body FIN", "I", wire[-1])):
        noted = values[f"box {box}"]
        plain, confirm = bytes.fromhex(noted["plaintext"]), bytes.fromhex(values[f"Conf{mark}"])
        prefix = message[: len(message) - len(noted["box"]) // 2]
        changed = plain.replace(confirm, confirm[:-1] + bytes([confirm[-1] ^ 1]))
        key = bytes.fromhex(values[f"{noted['key']} key"])
        sealed = AESGCM(key).encrypt(bytes.fromhex(noted["nonce"]), changed, bytes.fromhex(noted["ad"]))
        found[f"{name} with another CONFIRM"] = (prefix + sealed).hex()
    return found


def records(values: Values, root: bytes, aead: int, mark: str) -> None:
    """The first two records of each direction: a frame PING 1 with seven bytes of padding, then an empty body."""
    for name in ("i2r", "r2i"):
        key = Key(values, f"ap {name}{mark}", root, f"ap {name}", aead)
        ping = bytes.fromhex("02000000" + "00000008" + "0000000000000001") + bytes(7)
        for counter, body in enumerate((ping, b"")):
            header = len(body).to_bytes(3, "big") + b"\x00"
            box = key.seal(f"record header {name} {counter}{mark}", 2 * counter, header, b"")
            key.seal(f"record body {name} {counter}{mark}", 2 * counter + 1, body, box)


def rekey(values: Values, inputs: dict[str, Any], aead: int) -> None:
    """Root 1 from root 0 and one exchange."""
    root = bytes.fromhex(values["root_0"])
    values.put("rekey id", expand(root, b"qg1 rekey id"))
    request, response = (bytes.fromhex(inputs[name]) for name in ("request", "response"))
    bound = values.put("rekey bound", hashlib.sha512(lp(request) + lp(response)).digest())
    ss_s, ss_p = (bytes.fromhex(inputs[name]) for name in ("ss_secondary", "ss_primary"))
    next_root = values.put("root_1", extract(root, lp(ss_s) + lp(ss_p) + bound))
    records(values, next_root, aead, " epoch 1")
