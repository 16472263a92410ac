"""Rights: who may do what with which stream. It knows nothing of HTTP."""

from .grant import EVERYBODY, Action, Grant
from .inquiry import Authority, Inquiry, Need
from .rights import Rights
from .rules import Rules, RulesError, digest_of

__all__ = [
    "EVERYBODY",
    "Action",
    "Authority",
    "Grant",
    "Inquiry",
    "Need",
    "Rights",
    "Rules",
    "RulesError",
    "digest_of",
]
