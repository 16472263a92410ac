"""Files by descriptor, on systems that lack some of what POSIX has."""

import os

# Not inherited, no symbolic links, and octets as they are: where the system has it.
_FLAGS = (
    getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_BINARY", 0)
)
_MODE = 0o644

# Windows can neither read nor write at an offset with one call. There the position of
# the descriptor moves, so that only one thread may use it.
_HAS_OFFSETS = hasattr(os, "pread") and hasattr(os, "pwrite")


def open_file(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file.

    Args:
        flags: those of ``os.open``, without the ones that not all systems have.

    Raises:
        OSError: when it cannot be opened, or is a symbolic link.
    """
    return os.open(path, flags | _FLAGS, _MODE)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read up to ``size`` octets from an offset on.

    Raises:
        OSError: when they cannot be read.
    """
    if _HAS_OFFSETS:
        return os.pread(descriptor, size, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def write_at(descriptor: int, data: bytes | memoryview, offset: int) -> int:
    """Write octets at an offset.

    Returns:
        How many were written.

    Raises:
        OSError: when they cannot be written.
    """
    if _HAS_OFFSETS:
        return os.pwrite(descriptor, data, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)
