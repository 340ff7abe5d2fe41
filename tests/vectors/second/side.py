"""What both sides of a handshake do alike: boxes behind a salt, the transcript, the proofs, the session's keys.

Not for the order of messages: initiator.py and responder.py have it.
"""
from __future__ import annotations

from collections.abc import Callable

from . import crypto, schedule
from .flights import Header
from .identity import HANDSHAKES, check_delegation, signature_input
from .octets import require
from .schedule import Exchange, Ledger, Session, Transcript
from .vector import Inputs, Party

FIRST_TAGS = {"s0": "saltI", "h0": "h1", "b0": "b1", "sr0": "saltR", "hr0": "h2", "br0": "b2"}


class Side:
    """One side, from the first flight to the keys of the session."""

    def __init__(self, inputs: Inputs, own: Party) -> None:
        self.inputs = inputs
        self.own = own
        self.ledger = Ledger()
        self.transcript = Transcript()
        self.prk0 = schedule.network(self.ledger, inputs.network_id, inputs.secret)
        self.parts: dict[str, bytes] = {}
        self.exchange: Exchange
        self.aead = 0
        self.groups = (0, 0)
        self.session: Session
        self.root = b""
        self.epoch = 0
        self.peer_bundle: bytes | None = None
        self.peer_key: bytes | None = None

    def use_target(self, target: bytes) -> None:
        """The first flight is for this target."""
        self.parts["target"] = target
        self.obf = self.ledger.note("OBF", schedule.target_root(self.prk0, target))

    def use_init_salt(self, salt: bytes) -> None:
        """saltI, which gives o1."""
        self.parts["saltI"] = self.ledger.note("saltI", salt)
        schedule.flight_keys(self.ledger, "o1", salt, self.obf)

    def use_answer_salt(self, salt: bytes) -> None:
        """saltR, which gives o2."""
        self.parts["saltR"] = self.ledger.note("saltR", salt)
        schedule.flight_keys(self.ledger, "o2", self.parts["saltI"] + salt, self.obf)

    def seal_salted(self, keys: str, name: str, salt: bytes, header: Header, body: bytes) -> bytes:
        """A message behind its salt; its plaintexts are kept for the transcript."""
        h, b = ("h1", "b1") if keys == "o1" else ("h2", "b2")
        self.parts[h], self.parts[b] = header.encode(), body
        box = self.ledger.seal(f"header {name}", keys, 0, salt, header.encode())
        return salt + box + self.ledger.seal(f"body {name}", keys, 1, box, body)

    def open_salted(self, keys: str, name: str, wire: bytes, header: Header, tail: int = 0) -> bytes:
        """The body of a message whose header is known to open; `tail` octets of another box stand behind it."""
        h, b = ("h1", "b1") if keys == "o1" else ("h2", "b2")
        end = 64 + header.body_octets + crypto.TAG_OCTETS
        require(len(wire) == end + tail, f"body {name}", "octets behind the message, or too few")
        self.parts[h] = self.ledger.unseal(f"header {name}", keys, 0, wire[:32], wire[32:64])
        self.parts[b] = self.ledger.unseal(f"body {name}", keys, 1, wire[32:64], wire[64:end])
        return self.parts[b]

    def becomes_first(self) -> None:
        """A RETRY was sent or taken: this exchange goes into the transcript as the first."""
        for tag, part in FIRST_TAGS.items():
            self.transcript.add(tag, self.parts[part])
        self.ledger.becomes_first()

    def agree(self, secondary: bytes, primary: bytes) -> None:
        """The exchange goes into the transcript, and with both secrets gives PRK1."""
        for tag in ("target", "saltI", "h1", "b1", "saltR", "h2", "b2"):
            self.transcript.add(tag, self.parts[tag])
        th2 = self.transcript.digest()
        self.exchange = schedule.exchange(self.ledger, self.prk0, secondary, primary, th2)

    def prove(self, who: str, bundle: bytes | None, ext: bytes, signature: Callable[[bytes], bytes],
              delegation: bytes = b"") -> tuple[bytes, bytes | None, bytes]:
        """The transcript through one proof: the TH that is signed, SigX and ConfX. Nothing is judged here."""
        note, add = self.ledger.note, self.transcript.add
        add("anon" if bundle is None else "id", bundle or b"")
        if delegation:
            add("deleg", note(f"deleg {who}", delegation))
        add("ext", note(f"ext {who}", ext))
        signed, made = self.transcript.digest(), None
        if bundle is not None:
            name = "responder signature" if who == "R" else "initiator signature"
            note(f"signature input {who}", signature_input(name, bundle[0], note(f"TH signed by {who}", signed)))
            made = note(f"Sig{who}", signature(signed))
            add("sig", made)
        confirmed = note(f"TH confirmed by {who}", self.transcript.digest())
        key = self.exchange.confirm_r if who == "R" else self.exchange.confirm_i
        confirm = note(f"Conf{who}", crypto.mac(key, confirmed))
        add("mac", confirm)
        return signed, made, confirm

    def key_of(self, bundle: bytes, delegation: bytes) -> bytes:
        """The bundle under which the other side signs."""
        if not delegation:
            return bundle
        return check_delegation(delegation, bundle, HANDSHAKES, self.inputs.wall_ms).online

    def finish(self, session_block: bytes) -> None:
        """I's SESSION ends the transcript: the keys of the session."""
        self.transcript.add("session", self.ledger.note("session", session_block))
        self.ledger.values["transcript tags"] = " ".join(self.transcript.tags)
        self.session = schedule.session(self.ledger, self.exchange.prk1, self.transcript.digest())
        self.root = self.session.root
        schedule.epoch(self.ledger, self.root, 0)
        secret = schedule.export(self.session.exporter, "a label", b"a context", 32)
        self.ledger.note("Export(a label, a context, 32)", secret)
