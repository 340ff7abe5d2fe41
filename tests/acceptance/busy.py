"""Downloads without an end, each by a log-in of its own and so over a circuit of its own: how fast they are.

Runs in a thread of the process that asks. Not for: judging (``stuck_reader.py``).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence


def login(user: bytes) -> bytes:
    """The first two things that a SOCKS 5 program says: it has a password, and this one."""
    return b"\x05\x01\x02" + bytes((1, len(user))) + user + b"\x01x"


def request(port: int) -> bytes:
    """CONNECT to this machine."""
    return b"\x05\x01\x00\x01\x7f\x00\x00\x01" + port.to_bytes(2)


async def connected(proxy: int, user: bytes, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Through the proxy. Raises OSError or EOFError where that fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy)
    writer.write(login(user) + request(port))
    answer = await reader.readexactly(14)
    if answer[5]:
        raise OSError(f"the proxy answered {answer[5]}")
    return reader, writer


class Downloads:
    """One for each of ``proxies``, of the large file of the web server at ``web``. ``close`` ends them."""

    def __init__(self, proxies: Sequence[int], web: int) -> None:
        self._web = web
        self._counts = [0] * len(proxies)
        self.broken = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._all(proxies),), daemon=True)
        self._over = asyncio.Event()
        self._thread.start()

    async def _all(self, proxies: Sequence[int]) -> None:
        running = [asyncio.ensure_future(self._one(number, proxy)) for number, proxy in enumerate(proxies)]
        await self._over.wait()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _one(self, number: int, proxy: int) -> None:
        while True:
            try:
                await self._download(number, proxy)
            except (OSError, EOFError):
                self.broken += 1
                await asyncio.sleep(0.5)

    async def _download(self, number: int, proxy: int) -> None:
        reader, writer = await connected(proxy, b"user%d" % number, self._web)
        try:
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while data := await reader.read(1 << 18):
                self._counts[number] += len(data)
        finally:
            writer.close()

    def all_begun(self) -> bool:
        """Whether each of them has had its first bytes."""
        return all(self._counts)

    def rates(self, seconds: float) -> list[float]:
        """MB a second of each, sorted, over the next so many seconds."""
        before, began = list(self._counts), time.monotonic()
        time.sleep(seconds)
        after, took = list(self._counts), time.monotonic() - began
        return sorted((late - early) / took / 1e6 for early, late in zip(before, after, strict=True))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)
