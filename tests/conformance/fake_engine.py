"""Something at a socket that is no Docker engine, or one that is out of order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


@contextmanager
def answering(path: Path, status: int, body: bytes) -> Iterator[None]:
    """Whoever asks at the socket for anything but its version gets this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = b'{"ApiVersion": "1.41"}' if self.path.endswith("/version") else body
            self.send_response(status if said is body else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    path.unlink(missing_ok=True)
    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)
            path.unlink(missing_ok=True)
