"""Rights: who may do what with which stream. It knows nothing of HTTP."""

from .grant import EVERYBODY, STREAM_NAME, Action, Grant
from .inquiry import Authority, Expired, Inquiry, Need, Unanswered
from .json_tokens import JsonTokens
from .keys import KeyFile, KeyUrl
from .links import MAX_LIFETIME, MIN_LIFETIME, ViewerLinks
from .rights import Rights
from .rules import Rules, RulesError, digest_of
from .signer import Purpose, Signed, Signer
from .webhook import Webhook

__all__ = [
    "EVERYBODY",
    "MAX_LIFETIME",
    "MIN_LIFETIME",
    "STREAM_NAME",
    "Action",
    "Authority",
    "Expired",
    "Grant",
    "Inquiry",
    "JsonTokens",
    "KeyFile",
    "KeyUrl",
    "Need",
    "Purpose",
    "Rights",
    "Rules",
    "RulesError",
    "Signed",
    "Signer",
    "Unanswered",
    "ViewerLinks",
    "Webhook",
    "digest_of",
]
