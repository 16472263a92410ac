"""Findings as text, and as JSON."""

from collections.abc import Sequence
from typing import Any

from .finding import Finding, State

_COLOURS = {State.OK: 32, State.WARNING: 33, State.FAILED: 31, State.SKIPPED: 2}


def as_line(finding: Finding, *, colour: bool) -> str:
    """One line: the state, the check, what was found, and what to do."""
    state = f"{finding.state:<8}"
    if colour:
        state = f"\033[{_COLOURS[finding.state]}m{state}\033[0m"
    text = f"{state} {finding.check:<11} {finding.text}"
    return f"{text.rstrip('.')}. {finding.advice}" if finding.advice else text


def as_json(url: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """An object for programs."""
    return {
        "url": url,
        "ok": not has_failed(findings),
        "checks": [
            {
                "check": finding.check,
                "state": str(finding.state),
                "text": finding.text,
                "advice": finding.advice,
            }
            for finding in findings
        ],
    }


def has_failed(findings: Sequence[Finding]) -> bool:
    """Whether something keeps clients from connecting."""
    return any(finding.state is State.FAILED for finding in findings)
