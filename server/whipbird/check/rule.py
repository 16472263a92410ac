"""A rule: one sentence of a protocol about the server, and a trial of it.

The ``rule`` decorator registers a coroutine function as the trial of a rule. ``RULES``
contains all rules.
"""

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .protocol import WHIP, Protocol

if TYPE_CHECKING:
    from .endpoint import Endpoint
    from .exchange import Exchange

# Tries a rule. It returns a note on what was observed, or None; it raises a Verdict if
# the rule is not kept, or cannot be tried.
Trial = Callable[["Endpoint"], Awaitable[str | None]]


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
        section: the section of the protocol's document.
        level: the requirement level.
        text: the requirement, in our words.
        trial: tries the rule.
        slow: whether it takes half a minute; such rules run after the others.
        flood: whether it floods the server; such rules run last, and only on request.
        protocol: the protocol that asks for it.
    """

    id: str
    section: str
    level: Level
    text: str
    trial: Trial
    slow: bool = False
    flood: bool = False
    protocol: Protocol = WHIP


# By the name of the protocol and the id.
RULES: dict[tuple[str, str], Rule] = {}


def rule(
    id: str,
    section: str,
    level: Level,
    text: str,
    *,
    slow: bool = False,
    flood: bool = False,
    protocol: Protocol = WHIP,
) -> Callable[[Trial], Trial]:
    """Make a coroutine function the trial of a rule (see ``Rule``)."""

    def register(trial: Trial) -> Trial:
        assert (protocol.name, id) not in RULES
        assert section in protocol.sections
        RULES[protocol.name, id] = Rule(
            id, section, level, text, trial, slow, flood, protocol
        )
        return trial

    return register


def all_rules(protocol: Protocol = WHIP) -> list[Rule]:
    """All rules of a protocol, by section, and then by their order in the code."""
    sections = list(protocol.sections)
    rules = [rule for rule in RULES.values() if rule.protocol is protocol]
    return sorted(rules, key=lambda rule: sections.index(rule.section))


def select(names: list[str], protocol: Protocol = WHIP) -> list[Rule]:
    """Select rules by id, or by section with all its subsections.

    Args:
        names: ids and sections; empty for all rules.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
    """
    rules = all_rules(protocol)
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
                f"{', '.join(protocol.sections)}. "
                f"Rules: {', '.join(r.id for r in rules)}."
            )
        chosen |= found
    return [rule for rule in rules if rule.id in chosen]
