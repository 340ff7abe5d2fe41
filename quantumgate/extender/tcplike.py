"""What every transport of a stream says when it is asked as a TCP transport: its addresses, and TCP's switches.

Not for: bytes (``streams.py``; ``control/streamline.py`` in another process).
"""

from __future__ import annotations

from typing import Any


class TcpLike:
    """``_addresses``: this end's and the other's."""

    _addresses: tuple[Any, Any] = (None, None)

    def getHost(self) -> Any:
        """This end, a StreamAddress."""
        return self._addresses[0]

    def getPeer(self) -> Any:
        """The other end, a StreamAddress with the peer's UUID."""
        return self._addresses[1]

    def getTcpNoDelay(self) -> bool:
        """True: what is written leaves at the end of the reactor's turn."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to set."""

    def getTcpKeepAlive(self) -> bool:
        """True: the session watches over all its streams."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to set."""
