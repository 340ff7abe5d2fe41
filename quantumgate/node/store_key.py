"""Which key seals the store: a file of its own, a credential of systemd, or the identity's passphrase; or none.

Not for: what is done with it (``store/sealed.py``). Spec: docs/guide/operating.md (the store).
"""

from __future__ import annotations

import os
from pathlib import Path

from quantumgate.crypto.secret import Secret
from quantumgate.errors import ConfigurationError
from quantumgate.settings.loader import read_store_key
from quantumgate.settings.schema import Settings
from quantumgate.store.sealed import StoreKey
from quantumgate.wire.limits import MIB

CREDENTIALS, CREDENTIAL = "CREDENTIALS_DIRECTORY", "quantumgate.store-key"
"""systemd: LoadCredentialEncrypted=quantumgate.store-key:PATH. The directory is the unit's alone."""

LEAST_BYTES, MOST_BYTES = 32, MIB


def store_key_of(settings: Settings, file: str, passphrase: Secret | None) -> StoreKey | None:
    """The first of the three that there is. Raises ConfigurationError for one that cannot be used."""
    own = read_store_key(settings, file)
    if own is not None:
        return StoreKey("key file", Secret(own))
    credential = _credential()
    if credential is not None:
        return StoreKey("credential", Secret(credential))
    return None if passphrase is None else StoreKey("passphrase", passphrase)


def _credential() -> bytes | None:
    directory = os.environ.get(CREDENTIALS, "")
    if not directory:
        return None
    path = Path(directory) / CREDENTIAL
    try:
        with path.open("rb") as opened:
            found = opened.read(MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a readable credential, found: {error.strerror}") from None
    if len(found) < LEAST_BYTES:
        raise ConfigurationError(f"{path}: expected a credential of at least {LEAST_BYTES} bytes, found {len(found)}")
    return found
