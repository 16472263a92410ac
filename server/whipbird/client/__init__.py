"""A WHIP client, for ``whipbird ping`` and ``publish``, tests and benchmarks."""

from .errors import WhipError
from .http import WhipHttp
from .whip import WhipClient

__all__ = ["WhipClient", "WhipError", "WhipHttp"]
