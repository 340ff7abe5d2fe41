"""Every error of QuantumGate: whose fault it is, what kind it is, and what to do about it.

Not for: codes on the wire (``wire/codes.py``) or exceptions of other libraries, which stay behind the floor that met
them.
"""

from __future__ import annotations


class QuantumGateError(Exception):
    """Base of all our errors. ``advice`` says what the reader can do; it may be empty."""

    advice: str = ""

    def __init__(self, message: str = "", *, advice: str = "") -> None:
        super().__init__(message)
        if advice:
            self.advice = advice


class LocalError(QuantumGateError):
    """Our own side asked for something impossible: a wrong argument, a limit of ours, a closed session."""


class RemoteProtocolError(QuantumGateError):
    """The other side (or someone on the way) sent what the protocol forbids. The connection is finished."""


class BugError(QuantumGateError):
    """A state that cannot be: report it."""


# -- floor 1 -----------------------------------------------------------------------------------------------------


class MalformedError(RemoteProtocolError):
    """Bytes that do not spell a message, frame, address or record."""


class ViolationError(RemoteProtocolError):
    """An authentic, well-formed frame that breaks a rule of channels, credit or role (spec: CLOSE code 6)."""


class ReplacedError(ViolationError):
    """A delegation older than one that we know. Who passes it on need not know that one."""


class FloodError(RemoteProtocolError):
    """More control frames than an honest peer sends (spec: CLOSE code 7)."""


class CryptoError(QuantumGateError):
    """Base of what the crypto floor raises."""


class AuthenticationError(CryptoError, RemoteProtocolError):
    """An AEAD tag, MAC or signature that does not verify."""


class BadKeyError(CryptoError, RemoteProtocolError):
    """A public key, share or ciphertext that must not be used: wrong length, low order, non-canonical."""


class UnavailableError(CryptoError, LocalError):
    """An algorithm that no installed backend provides; ``advice`` says what to install."""


class KeyFileError(CryptoError, LocalError):
    """A key file that cannot be used: damaged, of a newer format, or locked with another passphrase."""


# -- above -------------------------------------------------------------------------------------------------------


class LimitError(LocalError):
    """A named limit was reached. The message holds its name, its current value and the configuration key."""

    def __init__(self, name: str, value: float, key: str = "") -> None:
        self.name, self.value, self.key = name, value, key or f"limits.{name}"
        super().__init__(f"limit {name} = {value} reached (configuration key {self.key})")


class ConfigurationError(LocalError):
    """A configuration that cannot be used. ``str()`` is the one line the user sees."""


class ConnectFailed(QuantumGateError):
    """A dial that did not end in a session. ``reason`` is a word for programs, the message is for people.

    ``by_relay`` = it was a relay on the way that failed or refused, not the peer.
    """

    by_relay = False

    def __init__(self, reason: str, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.reason = reason


class SessionClosed(QuantumGateError):
    """The session is over. ``code`` is a CLOSE code (``wire/codes.py``), or None when the transport was lost."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class PeerAbsent(LocalError):
    """That peer is not connected any more, or does not run the extender."""


class ChannelReset(QuantumGateError):
    """A channel was reset by either side. ``code`` is a CH_RESET code; >= 0x8000 belongs to the extender."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code
