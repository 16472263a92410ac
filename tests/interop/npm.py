"""Clients that are npm packages, installed into pytest's cache."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

_OPTIONS = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund")

# Seconds.
INSTALL_LIMIT = 120.0


def install(cache: pytest.Cache | None, *packages: str) -> Path:
    """Where packages are; they are fetched once.

    Skips the test where there is no Node.

    Args:
        cache: pytest's.
        packages: what npm is to install, with their versions.

    Returns:
        The folder that has their ``node_modules``.
    """
    assert cache is not None
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"{packages[0]} needs node and npm, which are not installed")
    folder = cache.mkdir("+".join(packages).replace("/", "-").replace("@", "-"))
    # Other workers of the same run may want the same.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # npm writes this last.
        if not (folder / "node_modules" / ".package-lock.json").is_file():
            subprocess.run(
                [npm, "install", "--prefix", folder, *_OPTIONS, *packages],
                check=True,
                timeout=INSTALL_LIMIT,
            )
    return folder
