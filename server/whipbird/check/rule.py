"""A rule: one sentence of RFC 9725 about the server, and a trial of it.

The ``rule`` decorator registers a coroutine function as the trial of a rule. ``RULES``
contains all rules.
"""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .exchange import Exchange

# Tries a rule. It returns a note on what was observed, or None; it raises a Verdict if
# the rule is not kept, or cannot be tried.
Trial = Callable[["Endpoint"], Awaitable[str | None]]

# The sections of RFC 9725 with requirements for servers.
SECTIONS = {
    "4.1": "HTTP usage",
    "4.2": "Ingest session setup",
    "4.3": "ICE support",
    "4.3.1": "HTTP PATCH request usage",
    "4.3.2": "Trickle ICE",
    "4.3.3": "ICE restarts",
    "4.4.1": "SDP bundle",
    "4.4.2": "Single MediaStream",
    "4.4.3": "No partially successful answers",
    "4.4.4": "DTLS setup role",
    "4.4.5": "Full ICE",
    "4.5": "Load balancing and redirections",
    "4.6": "STUN/TURN server configuration",
    "4.7": "Authentication and authorization",
    "4.7.1": "Bearer token authentication",
    "4.8": "Simulcast",
    "4.9": "Protocol extensions",
    "5": "Security considerations",
}


class Level(enum.StrEnum):
    """The requirement level of a rule (BCP 14).

    A statement in the indicative counts as MUST, RECOMMENDED as SHOULD, and OPTIONAL
    as MAY. If a client MAY send something, a server MUST accept it.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Outcome(enum.StrEnum):
    """The outcome of a trial."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"
    SKIPPED = "skipped"


class Verdict(Exception):  # noqa: N818 - an outcome, of which but one is an error
    """The end of a trial that has not passed."""

    outcome: Outcome

    def __init__(self, reason: str, *exchanges: "Exchange") -> None:
        super().__init__(reason)
        self.reason = reason
        self.exchanges = exchanges


class Failed(Verdict):
    """The rule is broken; the exchanges show it."""

    outcome = Outcome.FAILED


class Absent(Verdict):
    """The rule is about an optional feature that is absent, or does not apply."""

    outcome = Outcome.ABSENT


class Skipped(Verdict):
    """The rule could not be tried."""

    outcome = Outcome.SKIPPED


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement.

    Attributes:
        id: its name, for ``--only`` and in reports.
        section: the section of RFC 9725.
        level: the requirement level.
        text: the requirement, in our words.
        trial: tries the rule.
        slow: whether it takes half a minute; such rules run after the others.
        flood: whether it floods the server; such rules run last, and only on request.
    """

    id: str
    section: str
    level: Level
    text: str
    trial: Trial
    slow: bool = False
    flood: bool = False


RULES: dict[str, Rule] = {}


def rule(
    id: str,
    section: str,
    level: Level,
    text: str,
    *,
    slow: bool = False,
    flood: bool = False,
) -> Callable[[Trial], Trial]:
    """Make a coroutine function the trial of a rule (see ``Rule``)."""

    def register(trial: Trial) -> Trial:
        assert id not in RULES
        assert section in SECTIONS
        RULES[id] = Rule(id, section, level, text, trial, slow, flood)
        return trial

    return register


def all_rules() -> list[Rule]:
    """All rules, ordered by section, within a section by their order in the code."""
    sections = list(SECTIONS)
    return sorted(RULES.values(), key=lambda rule: sections.index(rule.section))


def select(names: list[str]) -> list[Rule]:
    """Select rules by id, or by section with all its subsections.

    Args:
        names: ids and sections; empty for all rules.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
    """
    rules = all_rules()
    if not names:
        return rules
    chosen: set[str] = set()
    for name in names:
        found = {
            rule.id
            for rule in rules
            if name in (rule.id, rule.section) or rule.section.startswith(f"{name}.")
        }
        if not found:
            raise ValueError(
                f"{name!r} is neither a rule nor a section. Sections: "
                f"{', '.join(SECTIONS)}. Rules: {', '.join(r.id for r in rules)}."
            )
        chosen |= found
    return [rule for rule in rules if rule.id in chosen]
