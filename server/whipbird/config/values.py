"""Readers of settings' values: each returns a value, or raises ValueError.

Those of addresses and URLs stand in ``network_values``, those of tokens and secrets in
``access_values``.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationInfo

_Switch = TypeVar("_Switch", bool, int)

# Stands for as many as there are cores.
AUTO = "auto"

# Processes of one server, at most: their numbers are marks in what ICE says.
MAX_WORKERS = 64


def lines(value: Any) -> Any:
    """Split an environment variable, which has one ICE server per line."""
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return value


def words(value: Any) -> Any:
    """The addresses of an environment variable, parted by white space or commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def text(value: Any) -> Any:
    """A number of a settings file as its digits."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else value


def workers(value: Any) -> Any:
    """Read a number of processes; ``auto`` is one for each core of this process."""
    if value != AUTO:
        if isinstance(value, str) and not re.fullmatch("[0-9]{1,4}", value.strip()):
            raise ValueError(f"expected a number from 1 to {MAX_WORKERS}, or {AUTO}")
        return value
    if sys.platform != "linux":
        return 1
    return min(len(os.sched_getaffinity(0)), MAX_WORKERS)


def no_workers_without_linux(value: int) -> int:
    """Refuse several processes where the system does not share ports among them."""
    if value > 1 and sys.platform != "linux":
        raise ValueError("several workers need Linux, which shares ports among them")
    return value


def folder(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out to record nothing")
    return value


def state_folder(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out for the usual one")
    return value


def with_folder(value: bool, info: ValidationInfo) -> bool:
    # If the folder itself is invalid, that error is reported.
    if value and info.data.get("record", ...) is None:
        raise ValueError('it needs a folder: set "record" too')
    return value


def file(value: Any) -> Any:
    # Path("") is the working directory.
    if value == "":
        raise ValueError("it is empty; leave it out for none")
    return value


def with_certificate_file(value: Path | None, info: ValidationInfo) -> Path | None:
    # If the other one is invalid, that error is reported.
    certificate = info.data.get("tls_cert", ...)
    if certificate is not ... and (certificate is None) is not (value is None):
        raise ValueError('set "tls_cert" and "tls_key" together')
    return value


def without_certificate(value: bool, info: ValidationInfo) -> bool:
    if value and info.data.get("tls_cert") is not None:
        raise ValueError('leave it out where "tls_cert" is set')
    return value


def with_certificate(value: _Switch, info: ValidationInfo) -> _Switch:
    needed = ("tls_cert", "tls_self_signed")
    if value and not any(info.data.get(name, ...) for name in needed):
        raise ValueError('it needs HTTPS: set "tls_cert" and "tls_key" too')
    return value
