"""What both sides must refuse, and at which step: damaged flights, bodies, shares, bundles and records."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from . import crypto, flights, frames, identity, replay, schedule, vector
from .flights import Answer, Header, Init, Proof, Select, Share
from .octets import Refused, lp, read_ids, read_tlvs, tlv, u
from .replay import Played
from .vector import Node


def step_of(call: Callable[..., object], *arguments: object) -> str:
    """The step at which a call refuses; nothing if it does not."""
    try:
        call(*arguments)
    except Refused as refused:
        return refused.step
    return ""


def flipped(wire: bytes, at: int) -> bytes:
    """The same octets with one bit changed."""
    return wire[:at] + bytes((wire[at] ^ 1,)) + wire[at + 1:]


def played(name: str = "hybrid") -> Played:
    """Fresh sides of a vector."""
    return Played(Node(vector.load(f"handshake/{name}"), set()))


class Flights(SynchronousTestCase):
    """Damage on the wire, one bit at a time, and what is only wrong inside."""

    def test_confirm_alone(self) -> None:
        """The two flights of the file whose only fault is CONFIRM."""
        node = Node(vector.load("handshake/classical"), set())
        self.assertEqual(replay.refused_at(node, "RESP with another CONFIRM"), "ConfR")
        self.assertEqual(replay.refused_at(node, "FIN with another CONFIRM"), "ConfI")

    def test_init(self) -> None:
        """Salt and header give no header; the body does not open."""
        wire = played().initiator.init()
        for at, step in ((0, "header INIT"), (31, "header INIT"), (32, "header INIT"), (63, "header INIT"),
                         (64, "body INIT"), (len(wire) - 1, "body INIT")):
            self.assertEqual(step_of(played().responder.called, flipped(wire, at)), step, at)

    def test_resp(self) -> None:
        """A bit of any of its four parts."""
        pair = played()
        wire = pair.responder.called(pair.initiator.init())
        for at, step in ((0, "header answer"), (40, "header answer"), (64, "body answer"), (len(wire) - 1, "body 2B")):
            side = played().initiator
            side.init()
            self.assertEqual(step_of(side.answered, flipped(wire, at)), step, at)

    def test_fin(self) -> None:
        """A bit of header or body, and a FIN that is cut or longer."""
        pair = played()
        fin = pair.initiator.answered(pair.responder.called(pair.initiator.init()))
        for bad, step in ((flipped(fin, 0), "header FIN"), (flipped(fin, 32), "body FIN"), (fin[:-1], "body FIN"),
                          (fin + b"\0", "body FIN"), (fin[:31], "header FIN")):
            self.assertEqual(step_of(pair.responder.proved, bad), step)

    def test_a_salt_that_is_not_new(self) -> None:
        """I refuses its own salt as R's, R a second INIT with the salt of the first."""
        pair = played("retry")
        first = pair.initiator.init()
        self.assertEqual(step_of(pair.initiator.answered, first), "header answer")
        pair.responder.called(first)
        self.assertEqual(step_of(pair.responder.called, first), "salt")

    def test_puzzles(self) -> None:
        """R refuses a solution that is none or is missing, I a puzzle of more than 16 bits or none."""
        pair = played("puzzle")
        retry = pair.responder.called(pair.initiator.init())
        solved = pair.initiator.answered(retry)
        pair.responder.puzzle = None
        self.assertEqual(step_of(pair.responder.called, solved), "BODY1")
        pair = played("puzzle")
        pair.responder.called(pair.initiator.init())
        pair.responder.puzzle = flights.Puzzle(bytes(32), 8)
        self.assertEqual(step_of(pair.responder.called, solved), "solution")
        pair = played("puzzle")
        pair.initiator.init()
        pair.initiator.inputs.solution = bytes(128)
        self.assertEqual(step_of(pair.initiator.answered, retry), "solution")
        for bits, step in ((16, "solution"), (17, "RETRY"), (255, "RETRY"), (0, "RETRY")):
            pair = played("puzzle")
            pair.responder.puzzle = flights.Puzzle(bytes(32), bits)
            retry = pair.responder.called(pair.initiator.init())
            self.assertEqual(step_of(pair.initiator.answered, retry), step)

    def test_another_network_or_target(self) -> None:
        """An INIT for another UUID, or of another network, opens under no key of R."""
        wire = played("classical").initiator.init()
        for name in ("rekey", "shared-secret"):
            self.assertEqual(step_of(played(name).responder.called, wire), "header INIT")


class Bodies(SynchronousTestCase):
    """Headers, TLVs, lists and sizes."""

    def test_headers(self) -> None:
        """Each field that the table fixes."""
        good = Header(flights.RESP, 5, 6)
        self.assertEqual(Header.decode(good.encode(), flights.RESP), good)
        for at, value in ((0, 4), (0, 6), (1, 2), (2, 1), (3, 1)):
            bad = bytearray(good.encode())
            bad[at] = value
            self.assertEqual(step_of(Header.decode, bytes(bad), flights.RESP), "header")
        self.assertEqual(step_of(Header.decode, good.encode(), flights.INIT), "header")
        fin = Header(flights.FIN, 1, 6).encode()
        self.assertEqual(step_of(Header.decode, fin, flights.FIN), "header")

    def test_tlvs(self) -> None:
        """Order, repetition, torn ends, PAD last, optional types behind the others."""
        good = tlv(1, b"a") + tlv(2, b"") + tlv(0x81, b"x") + tlv(0x81, b"y") + tlv(0x80, b"\0\0")
        fields = read_tlvs(good, "TLV", {1, 2})
        self.assertEqual((fields[1], fields.optional, fields.pad), (b"a", tlv(0x81, b"x") + tlv(0x81, b"y"), b"\0\0"))
        one, two = tlv(1, b"a"), tlv(2, b"")
        for bad in (two + one, one + one + two, good + tlv(0x80, b""), good + tlv(0x81, b""), good[:-1], one,
                    one + two + tlv(3, b""), one + two + b"\0", one + tlv(0x81, b"") + two,
                    one + two + tlv(0x82, b"") + tlv(0x81, b"")):
            self.assertEqual(step_of(read_tlvs, bad, "TLV", {1, 2}), "TLV", bad.hex())

    def test_lists(self) -> None:
        """1 to 32 ids, whole, none twice."""
        self.assertEqual(read_ids(b"\0\1\0\2", "list"), [1, 2])
        self.assertEqual(len(read_ids(b"".join(u(2, i) for i in range(32)), "list")), 32)
        for bad in (b"", b"\0", b"\0\1\0\1", b"".join(u(2, i) for i in range(33))):
            self.assertEqual(step_of(read_ids, bad, "list"), "list")

    def test_init_body(self) -> None:
        """A share outside its list, a TOKEN of another length."""
        share = Share(1, bytes(32))
        good = Init([1, 2], [1], [1], share, share, bytes(48), [1])
        self.assertEqual(Init.decode(good.encode(9)), good)
        for bad in (replace(good, primaries=[2]), replace(good, secondaries=[2]), replace(good, token=bytes(47)),
                    replace(good, versions=[])):
            self.assertEqual(step_of(Init.decode, bad.encode(9)), "BODY1")

    def test_answers_and_proofs(self) -> None:
        """SELECT has 7 octets; a nameless FIN has no identity, and is no carrier."""
        share = Share(1, bytes(32))
        answer = Answer(share, share, Select(1, 1, 1))
        self.assertEqual(Answer.decode(answer.encode()), answer)
        self.assertEqual(step_of(Select.decode, bytes(8)), "SELECT")
        mine = Proof(b"b", b"", b"s", bytes(64))
        self.assertEqual(Proof.decode_r(mine.encode()), mine)
        self.assertEqual(step_of(Proof.decode_r, replace(mine, confirm=bytes(63)).encode()), "BODY2B")
        nameless = Proof(None, tlv(0x0B, b"\1"), None, bytes(64), b"")
        self.assertEqual(Proof.decode_i(nameless.encode()), nameless)
        for bad in (replace(nameless, ext=tlv(0x0B, b"\3")), replace(nameless, ext=b""), replace(nameless, confirm=b""),
                    replace(nameless, ext=tlv(0x0B, b"\0")), replace(nameless, session=None)):
            self.assertEqual(step_of(Proof.decode_i, bad.encode()), "BODY3")

    def test_sizes(self) -> None:
        """A PAD needs 4 octets or none at all; beyond the drawn total it is the next multiple of 4096."""
        for needed, drawn, total in ((100, 12_288, 12_288), (12_288, 12_288, 12_288), (12_287, 12_288, 16_384),
                                     (12_285, 12_288, 16_384), (12_284, 12_288, 12_288), (13_000, 12_999, 16_384),
                                     (16_383, 13_000, 20_480)):
            self.assertEqual(flights.total_octets(needed, drawn), total)
            self.assertEqual(needed + len(flights.pad_to(total, needed)), total)

    def test_refuse(self) -> None:
        """12 octets at least, then zeros."""
        self.assertEqual(flights.read_refuse(flights.refuse_body(3, 7, 20)), (3, 0, 7))
        for bad in (bytes(11), bytes(12) + b"\1"):
            self.assertEqual(step_of(flights.read_refuse, bad), "REFUSE")


class Numbers(SynchronousTestCase):
    """Shares, keys and bundles that must not be used."""

    def test_shares(self) -> None:
        """One spelling each, no small order, points on the curve."""
        p25519, p448 = crypto.P25519, crypto.P448
        good = crypto.share_of(crypto.P521, b"\0" * 65 + b"\5")
        bad = [(1, bytes(32)), (1, u(32, 1)[::-1]), (1, u(32, p25519)[::-1]), (1, u(32, p25519 + 9)[::-1]),
               (1, u(32, 9 + 2**255)[::-1]), (1, bytes(31)), (2, bytes(56)), (2, u(56, p448)[::-1]),
               (2, u(56, p448 + 5)[::-1]), (3, b"\2" + good[1:]), (3, good[:67]), (3, flipped(good, 132)),
               (3, b"\4" + u(66, crypto.P_521) + good[67:])]
        for group, share in bad:
            private = u(crypto.SHARE_OCTETS[group] if group != 3 else 66, 77)
            self.assertEqual(step_of(crypto.agree, group, private, share), "share", share.hex())

    def test_exports(self) -> None:
        """A long one goes on where a short one ends, to 255 blocks; a box is at least a tag."""
        long = schedule.export(b"e" * 64, "a label", b"a context", 16_320)
        self.assertEqual((len(long), long[:32]), (16_320, schedule.export(b"e" * 64, "a label", b"a context", 32)))
        self.assertEqual(long[64:128], crypto.mac(b"e" * 64, long[:64] + b"qg1 exp" + lp(b"a label")
                                                  + lp(crypto.sha512(b"a context")) + b"\2"))
        self.assertEqual(step_of(schedule.export, b"e" * 64, "a label", b"a context", 16_321), "export")
        keys = crypto.Keys(bytes(32), bytes(12))
        for aead in (1, 2):
            self.assertEqual(crypto.unseal(keys, 3, b"", crypto.seal(keys, 3, b"", b"", aead), aead, "box"), b"")
            self.assertEqual(step_of(crypto.unseal, keys, 3, b"", bytes(15), aead, "box"), "box")

    def test_kem_keys(self) -> None:
        """A coefficient of 3329 is refused in either place, 3328 and a key of zeros are not."""
        for value, step in ((3328, ""), (3329, "public key"), (4095, "public key")):
            for shift in (0, 12):
                key = (value << shift).to_bytes(3, "little") + bytes(1184 - 3)
                self.assertEqual(step_of(crypto.check_kem_key, 1, key), step)
        self.assertEqual(step_of(crypto.check_kem_key, 2, bytes(1184)), "public key")

    def test_bundles(self) -> None:
        """Kinds, lengths, y not reduced, points of small order with either sign."""
        small = [0, 1, crypto.P25519 - 1, identity.ORDER_8_Y, crypto.P25519 - identity.ORDER_8_Y, crypto.P25519]
        bad = [b"", b"\0" + bytes(32), b"\5" + bytes(32), b"\1" + b"\2" * 31, b"\2" + b"\2" * 32]
        bad += [b"\1" + u(32, y + sign)[::-1] for y in small for sign in (0, 2**255)]
        bad += [b"\3" + u(57, y + sign)[::-1] for y in (0, 1, crypto.P448 - 1, crypto.P448) for sign in (0, 2**455)]
        for bundle in bad:
            self.assertEqual(step_of(identity.check_bundle, bundle), "bundle", bundle.hex())

    def test_signatures(self) -> None:
        """Each half must be right, under its own name and kind, and of exact length."""
        for name in ("hybrid", "retry", "rekey"):
            node = vector.load(f"handshake/{name}")["inputs"]["responder"]
            bundle, entry = bytes.fromhex(node["bundle"]), node["signatures"][0]
            h, signature = bytes.fromhex(entry["hash"]), bytes.fromhex(entry["signature"])
            identity.verify(bundle, entry["name"], h, signature, "Sig")
            last = len(signature) - 1
            for bad in (flipped(signature, 0), flipped(signature, last), signature + b"\0", signature[:-1]):
                self.assertEqual(step_of(identity.verify, bundle, entry["name"], h, bad, "Sig"), "Sig")
            self.assertEqual(step_of(identity.verify, bundle, "rekey request", h, signature, "Sig"), "Sig")


class Frames(SynchronousTestCase):
    """Frames that no type allows, and payloads in pieces."""

    def test_frames(self) -> None:
        """Lengths, flags, channels, unknown types, torn ends, what stands behind KEY_SWITCH."""
        ping, switch = frames.Frame(frames.PING, bytes(8)), frames.Frame(frames.KEY_SWITCH)
        self.assertEqual(frames.read_frames(ping.encode() + switch.encode() + b"\0junk"), [ping, switch])
        bad = [frames.Frame(frames.PING, bytes(7)), frames.Frame(frames.PING, bytes(8), 1),
               frames.Frame(frames.PING, bytes(8), 0, 1), frames.Frame(0x40), frames.Frame(frames.CH_ACCEPT),
               frames.Frame(frames.CH_OPEN, bytes(16) + b"\3\1", 1), frames.Frame(frames.MSG, b"", 1, 16),
               frames.Frame(frames.SESSION, b"", 0, 4)]
        for one in [frame.encode() for frame in bad] + [ping.encode()[:-1], switch.encode() + ping.encode(), b"\2\0"]:
            self.assertEqual(step_of(frames.read_frames, one), "malformed", one.hex())

    def test_pieces(self) -> None:
        """A payload survives any cut; a piece out of turn, an empty one and too long a payload do not."""
        payload = bytes(range(256)) * 40
        for cut in (1000, 4096, 65_536):
            whole = frames.Pieces()
            taken = [whole.take(piece) for piece in frames.in_pieces(frames.REKEY_REQ, payload, cut)]
            self.assertEqual((taken[-1], set(taken[:-1]) - {None}), (payload, set()))
        many = frames.Frame(frames.PING, bytes(8)).encode() * 4096
        self.assertEqual(len(frames.read_frames(many)), 4096)
        self.assertEqual(step_of(frames.read_frames, many + many[:16]), "malformed")
        middle, first = frames.Frame(frames.SESSION, b"a"), frames.Frame(frames.SESSION, b"a", flags=1)
        empty, long = frames.Frame(frames.SESSION, b"", flags=1), frames.Frame(frames.SESSION, bytes(65_537), flags=3)
        for turn in ((middle,), (first, first), (empty,), (long,)):
            pieces = frames.Pieces()
            self.assertEqual(step_of(lambda turn=turn, p=pieces: [p.take(one) for one in turn]), "malformed")
        self.assertEqual(frames.Pieces().take(frames.Frame(frames.EXT_UPDATE, b"", flags=3)), b"")
        self.assertEqual(lp(b"ab"), b"\0\0\0\2ab")
