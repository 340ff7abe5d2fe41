"""REKEY_REQ and REKEY_RSP, their signatures, and the next root (rekey.md sections 2 to 4, key-schedule.md section 6).

Not for when a side may ask.
"""
from __future__ import annotations

from collections.abc import Iterator

from . import crypto, exchange, schedule
from .identity import Identity, signature_input, verify
from .octets import Reader, lp, require, u
from .side import Side
from .vector import Node

PURE_KEM = {32: 2, 33: 2, 34: 2}


def signature_of(payload: bytes, request: bool) -> bytes:
    """The signature at the end of a payload."""
    reader = Reader(payload, "rekey")
    reader.take(12 if request else 8)
    reader.lp()
    reader.lp()
    signature = reader.lp()
    reader.end()
    return signature


class Rekey:
    """One re-key as one side sees it. `seen` has what the vectors tell of it, by their names."""

    def __init__(self, side: Side, own: Identity | None, asks: bool, keys: Iterator[Node]) -> None:
        self.side = side
        self.own = own
        self.keys = keys
        self.epoch = side.epoch + 1
        bundles = (own.bundle if own else b"", side.peer_bundle or b"")
        self.bundles = bundles if asks else bundles[::-1]
        self.id = side.ledger.note("rekey id", crypto.expand(side.root, b"qg1 rekey id"))
        self.groups = (side.groups[0], PURE_KEM.get(side.groups[1], side.groups[1]))
        self.seen: dict[str, str] = {}

    def _content(self, name: str, payload: bytes, behind: bytes) -> bytes:
        content = (lp(self.id) + lp(self.side.session.sid) + u(8, self.epoch) + lp(self.bundles[0])
                   + lp(self.bundles[1]) + lp(payload) + behind)
        self.seen[f"{name}_content"] = content.hex()
        return crypto.sha512(content)

    def _sign(self, name: str, payload: bytes, given: bytes, behind: bytes = b"") -> bytes:
        """The payload with its signature; `given` has the half that is not deterministic."""
        h = self._content(name, payload, behind)
        self._note_input(name, self.own.bundle if self.own else None, h)
        signed = payload + lp(self.own.sign(f"rekey {name}", h, given) if self.own else b"")
        self.seen[name] = signed.hex()
        return signed

    def _note_input(self, name: str, bundle: bytes | None, h: bytes) -> None:
        """What is signed; nothing by a side without an identity."""
        self.seen[f"{name}_signature_input"] = signature_input(f"rekey {name}", bundle[0], h).hex() if bundle else ""

    def _verify(self, name: str, payload: bytes, signature: bytes, behind: bytes = b"") -> None:
        h = self._content(name, payload[:-4 - len(signature)], behind)
        self.seen[name] = payload.hex()
        self._note_input(name, self.side.peer_bundle, h)
        if self.side.peer_key is None:
            return require(signature == b"", f"rekey {name}", "a signature of nobody")
        return verify(self.side.peer_key, f"rekey {name}", h, signature, f"rekey {name}")

    def ask(self, given: bytes) -> bytes:
        """REKEY_REQ."""
        self.primary = exchange.primary_pair(self.keys, self.groups[0])
        self.secondary = exchange.secondary_pair(self.keys, self.groups[1])
        groups = u(2, self.groups[0]) + u(2, self.groups[1])
        payload = u(8, self.epoch) + groups + lp(self.primary.public) + lp(self.secondary.public)
        self.request = self._sign("request", payload, given)
        return self.request

    def check_form(self, request: bytes) -> None:
        """A request that crossed the own and is dropped: only form, epoch and groups are looked at."""
        self._read_request(request)

    def _read_request(self, request: bytes) -> tuple[bytes, bytes, bytes]:
        reader = Reader(request, "rekey request")
        epoch, *groups = reader.u(8), reader.u(2), reader.u(2)
        share, key, signature = reader.lp(), reader.lp(), reader.lp()
        reader.end()
        require(epoch == self.epoch and tuple(groups) == self.groups, "rekey request", "epoch or groups")
        return share, key, signature

    def answer(self, request: bytes, given: bytes) -> bytes:
        """REKEY_RSP to a REKEY_REQ; the next root is made."""
        share, key, signature = self._read_request(request)
        self._verify("request", request, signature)
        pair = exchange.primary_pair(self.keys, self.groups[0])
        primary = crypto.agree(pair.group, pair.private, share)
        ciphertext, secondary = exchange.encapsulate(self.keys, self.groups[1], key)
        payload = u(8, self.epoch) + lp(pair.public) + lp(ciphertext)
        response = self._sign("response", payload, given, lp(crypto.sha512(request)))
        self._finish(secondary, primary, request, response)
        return response

    def answered(self, response: bytes) -> None:
        """REKEY_RSP came; the next root is made."""
        reader = Reader(response, "rekey response")
        epoch, share, ciphertext, signature = reader.u(8), reader.lp(), reader.lp(), reader.lp()
        reader.end()
        require(epoch == self.epoch, "rekey response", "epoch")
        self._verify("response", response, signature, lp(crypto.sha512(self.request)))
        primary = crypto.agree(self.primary.group, self.primary.private, share)
        secondary = crypto.decapsulate(self.secondary.group, self.secondary.private, ciphertext)
        self._finish(secondary, primary, self.request, response)

    def _finish(self, secondary: bytes, primary: bytes, request: bytes, response: bytes) -> None:
        self.seen |= {"ss_secondary": secondary.hex(), "ss_primary": primary.hex()}
        ledger, side = self.side.ledger, self.side
        bound = ledger.note("rekey bound", crypto.sha512(lp(request) + lp(response)))
        side.root = crypto.extract(side.root, lp(secondary) + lp(primary) + bound)
        side.epoch = self.epoch
        ledger.note(f"root_{self.epoch}", side.root)
        schedule.epoch(ledger, side.root, self.epoch)
