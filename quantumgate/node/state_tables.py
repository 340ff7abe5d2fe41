"""Where each piece of the state stands in the store: what of it is there now, as rows, and the way back, checked.

Not for: when it is saved (``state.py``), or what it means. Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from quantumgate.crypto.identity import FINGERPRINT_BYTES, fingerprint_text, parse_fingerprint
from quantumgate.ids import PeerUUID, parse_peer_uuid
from quantumgate.node.invitation_rows import InvitationRow
from quantumgate.node.noted import Noted
from quantumgate.node.state_rows import AccessBlock, FilterRow, LimitRow, RuleRow, ScoreRow, ScoresBlock, check
from quantumgate.store import tables
from quantumgate.store.tables import Key, Row, Rows, Table
from quantumgate.wire.limits import PETNAME_LETTERS

if TYPE_CHECKING:
    from quantumgate.node.state import State

EVERYTHING = ""
ADDRESS_LETTERS = 4096
PLACES = {"first": "guards", "second": "middles", "dropped": "dropped", "called first": "firsts"}
"""The words of the column ``place``, and the state's names for them."""


def _nothing(state: State) -> object:
    return None


@dataclass(frozen=True, slots=True)
class Piece:
    """One table's share of the state.

    ``now`` gives {key: what stands there}, and ``row`` turns one of these into a row only where it changed.
    ``stands_in``: the tuple or the ``Noted`` in which all of it stands, so that it is compared only where that is
    another one; None = always. Of a ``Noted`` the keys are those of ``now``, and the values what ``row`` takes.
    ``take`` puts all rows into a new state. Raises ValueError or LocalError for rows that mean nothing.
    """

    table: Table
    now: Callable[[State], dict[Key, Any]]
    row: Callable[[Any], Row]
    take: Callable[[State, Rows], None]
    stands_in: Callable[[State], object] = _nothing


def _same(row: Any) -> Row:
    return tuple(row)


def _peer(uuid: UUID) -> PeerUUID:
    return parse_peer_uuid(str(uuid))


# -- single values -----------------------------------------------------------------------------------------------


def _settings_now(state: State) -> dict[Key, Any]:
    found = {
        "replay_floor_ms": str(state.replay_floor_ms or ""), "rendezvous_key": state.rendezvous_key,
        "default_access": state.access.default, "scores_at": repr(state.scores.at) if state.scores.at else "",
        "state_file": state.file_seen, "book_key": state.book_key,
    }
    return {(name,): value for name, value in found.items() if value}


def _settings_row(value: str) -> Row:
    return (value.encode(),)


class _Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    replay_floor_ms: str = "0"
    rendezvous_key: str = ""
    default_access: str = ""
    scores_at: str = "0"
    state_file: str = ""
    book_key: str = ""


def _take_settings(state: State, rows: Rows) -> None:
    found = msgspec.convert({name: value.decode() for (name,), (value,) in rows.items()}, _Settings)
    if found.rendezvous_key and len(bytes.fromhex(found.rendezvous_key)) != 32:
        raise ValueError("settings: a rendezvous key has 32 bytes")
    if found.book_key and len(bytes.fromhex(found.book_key)) != 32:
        raise ValueError("settings: the key of the book has 32 bytes")
    state.replay_floor_ms, state.rendezvous_key = int(found.replay_floor_ms), found.rendezvous_key
    state.access = msgspec.convert({"default": found.default_access}, AccessBlock)
    state.scores = msgspec.convert({"at": float(found.scores_at)}, ScoresBlock)
    state.file_seen, state.book_key = found.state_file, found.book_key


# -- peers -------------------------------------------------------------------------------------------------------


def _pins_now(state: State) -> dict[Key, Any]:
    return {(uuid,): text for uuid, text in state.pins.items()}


def _pins_row(text: str) -> Row:
    return (parse_fingerprint(text),)


def _take_pins(state: State, rows: Rows) -> None:
    if any(len(pin) != FINGERPRINT_BYTES for (pin,) in rows.values()):
        raise ValueError(f"pins: a fingerprint has {FINGERPRINT_BYTES} bytes")
    state.pins = Noted((_peer(uuid), fingerprint_text(pin)) for (uuid,), (pin,) in rows.items())


def _serials_now(state: State) -> dict[Key, Any]:
    return {(uuid,): serial for uuid, serial in state.serials.items()}


def _serials_row(serial: int) -> Row:
    return (serial,)


def _take_serials(state: State, rows: Rows) -> None:
    if any(serial < 0 for (serial,) in rows.values()):
        raise ValueError("serials: below 0")
    state.serials = Noted((_peer(uuid), serial) for (uuid,), (serial,) in rows.items())


def _guards_now(state: State) -> dict[Key, Any]:
    return {(uuid, place): (until,) for place, name in PLACES.items() for uuid, until in getattr(state, name).items()}


def _take_guards(state: State, rows: Rows) -> None:
    for (uuid, place), (until,) in rows.items():
        if place not in PLACES or until < 0:
            raise ValueError(f"guards: no place {place!r} until {until}")
        getattr(state, PLACES[place])[_peer(uuid)] = until


def _texts(name: str) -> Callable[[State], dict[Key, Any]]:
    return lambda state: {(uuid,): text for uuid, text in getattr(state, name).items()}


def _text_row(text: str) -> Row:
    return (text,)


def _take_texts(name: str, longest: int) -> Callable[[State, Rows], None]:
    def take(state: State, rows: Rows) -> None:
        if any(not 0 < len(text) <= longest for (text,) in rows.values()):
            raise ValueError(f"{name}: expected 1 to {longest} letters")
        setattr(state, name, Noted((_peer(uuid), text) for (uuid,), (text,) in rows.items()))

    return take


def _invitations_now(state: State) -> dict[Key, Any]:
    return {(bytes.fromhex(row.id),): row for row in state.invitations}


def _invitations_row(row: InvitationRow) -> Row:
    joined = b"".join(UUID(one).bytes for one in row.joined)
    only = ",".join(row.only)
    return bytes.fromhex(row.key), row.made, row.expires, row.uses, only, row.name, row.revoked, joined


def _take_invitations(state: State, rows: Rows) -> None:
    found = []
    for (name,), (bundle, made, expires, uses, only, called, revoked, joined) in rows.items():
        if len(joined) % 16:
            raise ValueError("invitations: a UUID has 16 bytes")
        who = tuple(str(UUID(bytes=joined[at : at + 16])) for at in range(0, len(joined), 16))
        found.append({"id": name.hex(), "key": bundle.hex(), "made": made, "expires": expires, "uses": uses,
                      "only": tuple(only.split(",") if only else ()), "name": called, "revoked": revoked,
                      "joined": who})
    state.invitations = msgspec.convert(found, tuple[InvitationRow, ...])
    for row in state.invitations:
        row.issued()


# -- access ------------------------------------------------------------------------------------------------------


def _rules_now(state: State) -> dict[Key, Any]:
    plain = {(uuid, EVERYTHING, word): (None,) for word, peers in (("allow", state.allow), ("deny", state.deny))
             for uuid in peers}
    return plain | {(UUID(row.peer), row.about, row.word): (row.until,) for row in state.access.rules}


def _take_rules(state: State, rows: Rows) -> None:
    others = []
    for (uuid, about, word), (until,) in rows.items():
        peer = _peer(uuid)
        if word in ("allow", "deny") and about == EVERYTHING and until is None:
            (state.allow if word == "allow" else state.deny).add(peer)
        else:
            others.append({"peer": str(peer), "about": about, "word": word, "until": until})
    _take_access(state, rules=msgspec.convert(others, tuple[RuleRow, ...]))


def _filters_now(state: State) -> dict[Key, Any]:
    return {(row.network, row.block): (row.until,) for row in state.access.filters}


def _take_filters(state: State, rows: Rows) -> None:
    found = [{"network": network, "block": block, "until": until} for (network, block), (until,) in rows.items()]
    _take_access(state, filters=msgspec.convert(found, tuple[FilterRow, ...]))


def _limits_now(state: State) -> dict[Key, Any]:
    return {(row.prefix,): (row.connections, row.attempts, row.links) for row in state.access.limits}


def _take_limits(state: State, rows: Rows) -> None:
    names = ("prefix", "connections", "attempts", "links")
    found = [dict(zip(names, (*key, *row), strict=True)) for key, row in rows.items()]
    _take_access(state, limits=msgspec.convert(found, tuple[LimitRow, ...]))


def _take_access(state: State, **rows: Any) -> None:
    state.access = msgspec.structs.replace(state.access, **rows)
    check(state.access, ScoresBlock())


def _scores_now(state: State) -> dict[Key, Any]:
    return {(row.of,): row for row in state.scores.rows}


def _scores_row(row: ScoreRow) -> Row:
    return float(row.score), float(row.refused_seconds), row.times


def _take_scores(state: State, rows: Rows) -> None:
    names = ("of", "score", "refused_seconds", "times")
    found = [dict(zip(names, (*key, *row), strict=True)) for key, row in rows.items()]
    state.scores = msgspec.structs.replace(state.scores, rows=msgspec.convert(found, tuple[ScoreRow, ...]))
    check(AccessBlock(), state.scores)


PIECES: tuple[Piece, ...] = (
    Piece(tables.SETTINGS, _settings_now, _settings_row, _take_settings),
    Piece(tables.PINS, _pins_now, _pins_row, _take_pins, lambda state: state.pins),
    Piece(tables.SERIALS, _serials_now, _serials_row, _take_serials, lambda state: state.serials),
    Piece(tables.GUARDS, _guards_now, _same, _take_guards),
    Piece(tables.NAMES, _texts("names"), _text_row, _take_texts("names", PETNAME_LETTERS), lambda state: state.names),
    Piece(tables.ADDRESSES, _texts("addresses"), _text_row, _take_texts("addresses", ADDRESS_LETTERS),
          lambda state: state.addresses),
    Piece(tables.INVITATIONS, _invitations_now, _invitations_row, _take_invitations, lambda state: state.invitations),
    Piece(tables.RULES, _rules_now, _same, _take_rules),
    Piece(tables.FILTERS, _filters_now, _same, _take_filters, lambda state: state.access.filters),
    Piece(tables.PREFIX_LIMITS, _limits_now, _same, _take_limits, lambda state: state.access.limits),
    Piece(tables.REPUTATIONS, _scores_now, _scores_row, _take_scores, lambda state: state.scores.rows),
)
"""In the order in which they are taken: single values begin what others add to."""
