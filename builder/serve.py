"""A server for a built site, on this machine only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Files of the site, without a line on the terminal for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder on 127.0.0.1. Raises OSError when the port is taken."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(site)))


def serve(site: Path, port: int, say: Callable[[str], None]) -> None:
    """Serve until interrupted."""
    with server(site, port) as running:
        say(f"http://127.0.0.1:{running.server_address[1]}/ (Ctrl-C to stop)")
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            say("stopped")
