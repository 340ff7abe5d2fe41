"""Two ``twistd -n qgnode`` processes that talk: the default suite and the strongest, endpoints of all kinds, refusals.

Spec: docs/spec/handshake.md. What is read is what an operator sees: ``qgate``'s JSON and errors, both logs, and
the bytes that a listener sends to a dialler whom it must not answer.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.acceptance.processes import CountingProxy, QgateFailed, TwistdNode, discard, scratch, until
from tests.acceptance.report import Figure, exactly, noted

LOOPBACK = "tcp:0:interface=127.0.0.1"
STRONGEST = """
[algorithms]
primary = ["X448"]
secondary = ["ML-KEM-1024"]
symmetric = ["ChaCha20-Poly1305"]
"""


def configuration(listen: str | None = LOOPBACK, access: str = "allow", more: str = "", node: str = "") -> str:
    shown = "[]" if listen is None else json.dumps([listen])
    return f'[node]\nlisten = {shown}\ndefault_access = "{access}"\n{node}\n{more}\n'


def figures() -> Iterator[Figure]:
    accepted = (defaults, strongest, shared_secret, unix_socket, tls_endpoint)
    for scene in (*accepted, wrong_secret, wrong_uuid, no_permission):
        place = scratch()
        try:
            yield from scene(place)
        finally:
            discard(place)


def pair(
    place: Path, listener: str, dialler: str, kind: str = "", **environment: str
) -> tuple[TwistdNode, TwistdNode]:
    return (
        TwistdNode(place, "b", listener, kind, **environment),
        TwistdNode(place, "a", dialler, kind, **environment),
    )


def seen_algorithms(scene: str, nodes: tuple[TwistdNode, TwistdNode], suite: tuple[str, ...]) -> Iterator[Figure]:
    """Both ends list one peer: the other, authenticated, with this suite."""
    for node, other in (nodes, nodes[::-1]):
        peers = until("a peer", node.peers)
        peer = peers[0]
        names = tuple(peer["algorithms"][key] for key in ("primary", "secondary", "symmetric"))
        seen = (len(peers), peer["uuid"] == other.status()["uuid"], peer["authenticated"], *names)
        yield exactly(f"{scene}: node {node.data.name} sees", (1, True, True, *suite), seen)


def talk(
    scene: str,
    place: Path,
    listener: str,
    dialler: str,
    suite: tuple[str, ...],
    *,
    kind: str = "",
    address: Callable[[TwistdNode], str] = TwistdNode.address,
    also: Callable[[dict[str, Any]], tuple[str, object, object]] | None = None,
) -> Iterator[Figure]:
    b, a = pair(place, listener, dialler, kind)
    with b, a:
        a.qgate("connect", address(b))
        yield from seen_algorithms(scene, (a, b), suite)
        if also:
            for node in (a, b):
                name, wanted, seen = also(node.peers()[0])
                yield exactly(f"{scene}: node {node.data.name}, {name}", wanted, seen)


DEFAULT_SUITE = ("X25519", "ML-KEM-768", "AES-256-GCM")


def defaults(place: Path) -> Iterator[Figure]:
    yield from talk("defaults", place, configuration(), configuration(None), DEFAULT_SUITE)


def strongest(place: Path) -> Iterator[Figure]:
    yield from talk(
        "X448, hybrid identities",
        place,
        configuration(more=STRONGEST),
        configuration(None, more=STRONGEST),
        ("X448", "ML-KEM-1024", "ChaCha20-Poly1305"),
        kind="ed25519+mldsa65",
        also=lambda peer: ("signature", "ed25519+mldsa65", peer["algorithms"]["signature"].lower().replace("-", "")),
    )


def secret_file(place: Path, name: str, content: bytes) -> str:
    path = place / name
    path.write_bytes(content)
    path.chmod(0o600)
    return f'shared_secret_file = "{path}"'


def shared_secret(place: Path) -> Iterator[Figure]:
    line = secret_file(place, "secret", b"s" * 32)
    yield from talk(
        "shared secret",
        place,
        configuration(node=line),
        configuration(None, node=line),
        DEFAULT_SUITE,
        also=lambda peer: ("shared_secret", True, peer["shared_secret"]),
    )


def unix_socket(place: Path) -> Iterator[Figure]:
    path = place / "s"
    yield from talk(
        "unix socket",
        place,
        configuration(f"unix:{path}:mode=600"),
        configuration(None),
        DEFAULT_SUITE,
        address=lambda _b: f"unix:{path}",
    )


def tls_endpoint(place: Path) -> Iterator[Figure]:
    certificate = make_certificate(place)
    yield from talk(
        "TLS endpoint",
        place,
        configuration(f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"),
        configuration(None),
        DEFAULT_SUITE,
        address=lambda b: f"tls:localhost:{b.port()}:trustRoots={place}",
    )


def make_certificate(place: Path) -> Path:
    """A throw-away certificate of ``localhost``, key and certificate in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path = place / "localhost.pem"
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


def refused(scene: str, a: TwistdNode, b: TwistdNode, address: Callable[[int], str]) -> Iterator[Figure]:
    """Dial through a proxy: not one byte comes back, no session exists, and the dialler is told what to check."""
    proxy = CountingProxy(b.port())
    try:
        a.qgate("connect", address(proxy.port))
        yield exactly(f"{scene}: qgate connect", "fails", "succeeded")
    except QgateFailed as failure:
        advice = all(word in str(failure).lower() for word in ("uuid", "shared secret"))
        yield exactly(f"{scene}: the dialler is told of UUID and shared secret", True, advice)
        yield noted(f"{scene}: in these words", str(failure).replace("\n", " "))
    yield exactly(f"{scene}: bytes from the listener", 0, proxy.to_dialler)
    yield exactly(f"{scene}: bytes from the dialler, more than 1000", True, proxy.to_listener > 1000)
    yield exactly(f"{scene}: peers of either", 0, len(a.peers()) + len(b.peers()))
    proxy.close()


def wrong_secret(place: Path) -> Iterator[Figure]:
    ours, theirs = secret_file(place, "one", b"s" * 32), secret_file(place, "two", b"t" * 32)
    b, a = pair(place, configuration(node=theirs), configuration(None, node=ours))
    with b, a:
        yield from refused("wrong shared secret", a, b, b.address)


def wrong_uuid(place: Path) -> Iterator[Figure]:
    b, a = pair(place, configuration(), configuration(None))
    with b, a:
        stranger = uuid.UUID(int=uuid.UUID(b.status()["uuid"]).int ^ 1)
        yield from refused("wrong UUID", a, b, lambda port: f"qg://{stranger}@127.0.0.1:{port}")


def no_permission(place: Path) -> Iterator[Figure]:
    """Access denied: the dialler and both logs say so, and the listener's guest never hears of the peer."""
    from bench.installed import pretend_installed

    guests = pretend_installed(place / "guests", "witness = tests.acceptance.witness:extender")
    enabled = "[extenders.witness]\n"
    b, a = pair(
        place,
        configuration(access="deny", more=enabled),
        configuration(None, more=enabled),
        PYTHONPATH=str(guests),
        QG_WITNESS=str(place / "witness"),
    )
    with b, a:
        try:
            a.qgate("connect", b.address())
            yield exactly("no permission: qgate connect", "fails", "succeeded")
        except QgateFailed as failure:
            yield exactly("no permission: the dialler is told", True, "does not admit" in str(failure))
            yield noted("no permission: in these words", str(failure).replace("\n", " "))
        for node in (a, b):
            until(f"access denied in the log of {node.data.name}", lambda n=node: _says_denied(n), 5)
            yield exactly(f"no permission: access denied in the log of {node.data.name}", True, True)
        witnessed = (place / "witness").read_text().split()
        yield exactly("no permission: extenders that were told of a peer", 0, witnessed.count("arrived"))
        yield exactly("no permission: extenders that had started", 2, witnessed.count("started"))
        b.qgate("access", "allow", a.status()["uuid"])
        a.qgate("connect", b.address())
        until("the guests meet once it is allowed", lambda: "arrived" in (place / "witness").read_text(), 5)
        yield exactly("no permission: after qgate access allow the guests meet", True, True)


def _says_denied(node: TwistdNode) -> bool:
    said = node.said().lower()
    return "access denied" in said or "does not admit" in said
