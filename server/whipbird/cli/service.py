"""What the system's service manager is told (sd_notify(3))."""

import contextlib
import os
import socket
import time

# Seconds that the end takes at most when no session is to go on.
_TO_CLOSE = 30.0


def notify_ready() -> None:
    """The server has started, or has read its settings again."""
    _notify("READY=1")


def notify_reloading() -> None:
    """The server reads its settings again."""
    _notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")


def notify_stopping(seconds: float) -> None:
    """The server has begun to end.

    Args:
        seconds: how long its sessions may go on; the manager waits for longer.
    """
    microseconds = int((seconds + _TO_CLOSE) * 1e6)
    _notify(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}")


def _notify(state: str) -> None:
    """Send a state to the manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract name
        address = "\0" + address[1:]
    # Without a manager that listens the server runs all the same.
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.connect(address)
        sock.sendall(state.encode())
