"""Serving the viewer until Ctrl-C, at an address that may be had."""

from __future__ import annotations

import sys
import threading

from distill3d.errors import UserError

EVERYWHERE = ("0.0.0.0", "::", "", "*")


def address(host: str) -> str:
    """The address to serve at, checked; a warning is printed if other machines can reach it."""
    from distill3d.viewer.security import is_loopback

    host = host.strip("[]")
    if host in EVERYWHERE:
        raise UserError(
            f'--host is "{host}", which means every address; expected the one by which browsers reach this '
            "machine, because pages under other names are refused"
        )
    if not is_loopback(host):
        print(
            f"warning: other machines can reach {host}; whoever has the whole address sees the scenes, and "
            "what is sent is not encrypted (ssh -L keeps it to you)",
            file=sys.stderr,
        )
    return host


def serve() -> None:
    """Wait for Ctrl-C, which is how looking ends."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
