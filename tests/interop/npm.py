"""Clients that are npm packages, installed into pytest's cache."""

import fcntl
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from tests.server import ROOT

_OPTIONS = ("--no-save", "--ignore-scripts", "--no-audit", "--no-fund")

# Seconds.
INSTALL_LIMIT = 120.0


class Cache(Protocol):
    """Where packages are kept: pytest's cache is one."""

    def mkdir(self, name: str) -> Path:
        """A folder that stays; it is made if need be."""


class TestsCache:
    """That of pytest, for programs that are no tests."""

    def mkdir(self, name: str) -> Path:
        """A folder that stays."""
        folder = ROOT / ".pytest_cache" / "d" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def install(cache: Cache | None, *packages: str) -> Path:
    """Where packages are; they are fetched once.

    Skips the test where there is no Node.

    Args:
        cache: pytest's, or another one.
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
