"""Rights: who may do what with which stream. It knows nothing of HTTP."""

from .grant import Action, Grant
from .rules import Rules, RulesError, digest_of

__all__ = ["Action", "Grant", "Rules", "RulesError", "digest_of"]
