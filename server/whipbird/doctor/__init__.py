"""Says why nothing connects to a WHIP server, or that everything does."""

from .finding import Finding, State
from .runner import examine
from .subject import Options

__all__ = ["Finding", "Options", "State", "examine"]
