"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: its name, such as ``UDP``.
        text: what was found, without a full stop at its end; or why it was skipped.
        advice: what to do, in sentences; empty when there is nothing to do.
    """

    check: str
    state: State
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    """A finding with which nothing is wrong."""
    return Finding(check, State.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """A finding that keeps some clients from connecting, or will."""
    return Finding(check, State.WARNING, text, advice)


def failed(check: str, text: str, advice: str) -> Finding:
    """A finding that keeps clients from connecting."""
    return Finding(check, State.FAILED, text, advice)


def skipped(check: str, why: str) -> Finding:
    """A check that was not made."""
    return Finding(check, State.SKIPPED, why)
