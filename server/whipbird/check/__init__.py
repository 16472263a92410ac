"""A conformance checker for any WHIP or WHEP endpoint, for ``whipbird check``.

It acts as a client, tries every rule of RFC 9725 or of the WHEP draft for servers, and
reports the results.
``rule`` defines a rule, ``rules`` contains all of them, and ``runner`` tries them.
"""

from .exchange import NoResponse
from .greeting import NotWhip
from .protocol import WHEP, WHIP, Protocol
from .requests import Options
from .rule import Level, Outcome, Rule, all_rules, select
from .runner import Result, check

__all__ = [
    "WHEP",
    "WHIP",
    "Level",
    "NoResponse",
    "NotWhip",
    "Options",
    "Outcome",
    "Protocol",
    "Result",
    "Rule",
    "all_rules",
    "check",
    "select",
]
