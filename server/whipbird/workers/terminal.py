"""The terminal of a program: when it is closed, the program gets SIGHUP."""

import os


def has_terminal() -> bool:
    """Whether the program has a terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
