"""A conformance checker for any WHIP endpoint: what ``whipbird check`` does.

It plays the client, tries every rule that RFC 9725 has for servers, and says which are
kept. ``rule`` has what a rule is, ``rules`` has them all, and ``runner`` tries them.
"""

from .exchange import NoResponse
from .greeting import NotWhip
from .requests import Options
from .rule import Level, Outcome, Rule, all_rules, select
from .runner import Result, check

__all__ = [
    "Level",
    "NoResponse",
    "NotWhip",
    "Options",
    "Outcome",
    "Result",
    "Rule",
    "all_rules",
    "check",
    "select",
]
