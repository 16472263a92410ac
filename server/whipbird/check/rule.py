"""A rule: one sentence of RFC 9725 about the server, and how to see if it is kept.

Rules stand next to the code that tries them. The ``rule`` decorator makes a coroutine
function into one, and ``RULES`` holds them all, in the order of the text.
"""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .exchange import Exchange

# What tries a rule: returns a note on what was seen, or None; raises a Verdict when
# the rule is not kept, or not tried.
Trial = Callable[["Endpoint"], Awaitable[str | None]]

# The sections of RFC 9725 that say something of the server.
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
    """How much the text asks (BCP 14).

    What it says in the indicative counts as MUST, RECOMMENDED as SHOULD, and OPTIONAL
    as MAY. What a client MAY send is a MUST for the server: to take it.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Outcome(enum.StrEnum):
    """What came of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"
    SKIPPED = "skipped"


class Verdict(Exception):  # noqa: N818 - an outcome, of which but one is an error
    """The end of a trial that is no pass."""

    outcome: Outcome

    def __init__(self, reason: str, *exchanges: "Exchange") -> None:
        super().__init__(reason)
        self.reason = reason
        self.exchanges = exchanges


class Failed(Verdict):
    """The rule is broken; the exchanges show it."""

    outcome = Outcome.FAILED


class Absent(Verdict):
    """The rule is about something optional that is not there, or does not apply."""

    outcome = Outcome.ABSENT


class Skipped(Verdict):
    """The rule could not be tried."""

    outcome = Outcome.SKIPPED


@dataclass(frozen=True, slots=True)
class Rule:
    """One requirement.

    Attributes:
        id: its name, for ``--only`` and in reports.
        section: where RFC 9725 says it.
        level: how much it asks.
        text: what it asks, in our words.
        slow: whether it takes half a minute; such rules run beside all others.
        flood: whether it floods the server; such rules run last, when asked for.
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
    """Every rule, by section, within a section in the order of the code."""
    sections = list(SECTIONS)
    return sorted(RULES.values(), key=lambda rule: sections.index(rule.section))


def select(names: list[str]) -> list[Rule]:
    """The rules of these names: ids, or sections with all their subsections.

    Args:
        names: empty for all rules.

    Raises:
        ValueError: for a name that is neither; it says which there are.
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
                f"{name!r} is no rule and no section. Sections: "
                f"{', '.join(SECTIONS)}. Rules: {', '.join(r.id for r in rules)}."
            )
        chosen |= found
    return [rule for rule in rules if rule.id in chosen]
