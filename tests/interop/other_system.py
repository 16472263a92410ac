"""Runs the ``whipbird`` command without what only some systems have.

    python other_system.py bare|selector COMMAND [ARGUMENT]...

``bare`` hides what Windows lacks, and selects sockets as Windows does; ``selector`` has
asyncio's selector loop in place of uvloop.
"""

import asyncio
import builtins
import io
import os
import selectors
import signal
import socket
import sys
from typing import Any, NoReturn

MODULES = ("uvloop", "resource", "fcntl", "pwd", "grp", "termios")

SOCKET_METHODS = ("sendmsg", "recvmsg", "recvmsg_into", "sendmsg_afalg")

SOCKET_NAMES = ("SO_REUSEPORT", "TCP_USER_TIMEOUT", "MSG_DONTWAIT")

OS_NAMES = (
    *("O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK"),
    *("pread", "pwrite", "preadv", "pwritev", "sendfile", "posix_fallocate"),
    *("fork", "getuid", "geteuid", "chown", "fchown", "fchmod"),
    *("sched_getaffinity", "sched_setaffinity", "getloadavg", "nice", "sysconf"),
)

SIGNALS = ("SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGPIPE", "SIGCHLD", "SIGALRM")


class _Hidden:
    """An attribute that is not there."""

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError("this system does not have it")


def hide() -> None:
    """Take away what Windows does not have."""
    for name in MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in SOCKET_METHODS:
        setattr(socket.socket, name, _Hidden())
    for module, names in (
        (socket, SOCKET_NAMES),
        (os, OS_NAMES),
        (signal, SIGNALS),
    ):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    loop: Any = asyncio.SelectorEventLoop
    loop.add_signal_handler = _not_implemented
    selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc, assignment]
    _hide_proc()


def _not_implemented(*_: object) -> NoReturn:
    raise NotImplementedError


def _hide_proc() -> None:
    opened, listed = io.open, os.listdir

    def open_else(file: Any, *args: Any, **options: Any) -> Any:
        if str(file).startswith("/proc"):
            raise FileNotFoundError(file)
        return opened(file, *args, **options)

    def list_else(path: Any = ".") -> Any:
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return listed(path)

    builtins.open = io.open = open_else
    os.listdir = list_else


if __name__ == "__main__":
    _, system, *arguments = sys.argv
    if system == "bare":
        hide()
    else:
        sys.modules["uvloop"] = None  # type: ignore[assignment]

    from whipbird.cli import main

    sys.argv = ["whipbird", *arguments]
    main()
