"""A web server for one directory, as a process of its own: quick enough not to be what is measured.

``python -m tests.acceptance.fileserver DIRECTORY`` prints its port. Not for: anybody but loopback.
"""

from __future__ import annotations

import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Server(socketserver.ThreadingMixIn, HTTPServer):
    """A thread for each connection."""

    daemon_threads = True
    request_queue_size = 1024


class Files(BaseHTTPRequestHandler):
    """GET of a file, by sendfile."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        path = self.folder / Path(self.path).name
        size, sent = path.stat().st_size, 0
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with path.open("rb") as file:
            while sent < size:
                sent += os.sendfile(self.connection.fileno(), file.fileno(), sent, size - sent)


if __name__ == "__main__":
    Files.folder = Path(sys.argv[1])
    server = Server(("127.0.0.1", 0), Files)
    print(server.server_address[1], flush=True)
    server.serve_forever()
