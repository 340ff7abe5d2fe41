"""Slow, plain arithmetic on the curves we use, from their definitions: a second opinion for the tests, nothing else.

Constants: RFC 7748, RFC 8032, FIPS 186-4 (D.1.2.5).
"""

from __future__ import annotations

P25519 = 2**255 - 19
L25519 = 2**252 + 27742317777372353535851937790883648493
D25519 = -121665 * pow(121666, -1, P25519) % P25519
P448 = 2**448 - 2**224 - 1
D448 = -39081 % P448

P521 = 2**521 - 1
P521_B = int(
    "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef"
    "451fd46b503f00",
    16,
)
P521_G = (
    int(
        "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a42"
        "9bf97e7e31c2e5bd66",
        16,
    ),
    int(
        "11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c"
        "24088be94769fd16650",
        16,
    ),
)

Point = tuple[int, int]


def edwards_add(p: Point, q: Point, a: int, d: int, prime: int) -> Point:
    """The complete addition law of a x^2 + y^2 = 1 + d x^2 y^2."""
    (x1, y1), (x2, y2) = p, q
    k = d * x1 * x2 * y1 * y2 % prime
    x = (x1 * y2 + x2 * y1) * pow(1 + k, -1, prime) % prime
    y = (y1 * y2 - a * x1 * x2) * pow(1 - k, -1, prime) % prime
    return x, y


def edwards_multiply(n: int, p: Point, a: int, d: int, prime: int) -> Point:
    """n times p by doubling and adding."""
    result: Point = (0, 1)
    while n:
        if n & 1:
            result = edwards_add(result, p, a, d, prime)
        p = edwards_add(p, p, a, d, prime)
        n >>= 1
    return result


def square_root(n: int, prime: int) -> int | None:
    """A root of n, or None; for primes that are 3 modulo 4 or 5 modulo 8."""
    root = pow(n, (prime + 1) // 4, prime) if prime % 4 == 3 else pow(n, (prime + 3) // 8, prime)
    for candidate in (root, root * pow(2, (prime - 1) // 4, prime) % prime):
        if candidate * candidate % prime == n % prime:
            return candidate
    return None


def edwards_lift(y: int, a: int, d: int, prime: int) -> Point | None:
    """A point with that y, or None where the curve has none."""
    square = (1 - y * y) * pow(a - d * y * y, -1, prime) % prime
    x = square_root(square, prime)
    return None if x is None else (x, y)


def encode25519(p: Point) -> bytes:
    """RFC 8032 5.1.2."""
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


def encode448(p: Point) -> bytes:
    """RFC 8032 5.2.2."""
    return (p[1] | (p[0] & 1) << 455).to_bytes(57, "little")


def torsion25519() -> set[Point]:
    """The eight points whose order divides 8: multiply points of the whole group by the prime order L."""
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        point = edwards_lift(y, -1, D25519, P25519)
        if point is not None:
            small = edwards_multiply(L25519, point, -1, D25519, P25519)
            found |= {edwards_multiply(n, small, -1, D25519, P25519) for n in range(8)}
        y += 1
    return found


def p521_add(p: Point | None, q: Point | None) -> Point | None:
    """Chord and tangent on y^2 = x^3 - 3x + b; None is the point at infinity."""
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % P521 == 0:
        return None
    rise, run = (3 * p[0] * p[0] - 3, 2 * p[1]) if p == q else (q[1] - p[1], q[0] - p[0])
    slope = rise * pow(run, -1, P521)
    x = (slope * slope - p[0] - q[0]) % P521
    return x, (slope * (p[0] - x) - p[1]) % P521


def p521_multiply(n: int, p: Point) -> Point:
    """n times p; n is not a multiple of the order."""
    result: Point | None = None
    addend: Point | None = p
    while n:
        if n & 1:
            result = p521_add(result, addend)
        addend = p521_add(addend, addend)
        n >>= 1
    assert result is not None
    return result
