"""Rights: who may do what with which stream. It knows nothing of HTTP."""

from .grant import EVERYBODY, Action, Grant
from .inquiry import Authority, Inquiry, Need, Unanswered
from .json_tokens import JsonTokens
from .keys import KeyFile, KeyUrl
from .rights import Rights
from .rules import Rules, RulesError, digest_of
from .webhook import Webhook

__all__ = [
    "EVERYBODY",
    "Action",
    "Authority",
    "Grant",
    "Inquiry",
    "JsonTokens",
    "KeyFile",
    "KeyUrl",
    "Need",
    "Rights",
    "Rules",
    "RulesError",
    "Unanswered",
    "Webhook",
    "digest_of",
]
