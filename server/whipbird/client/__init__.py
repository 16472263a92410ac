"""A WHIP client: what ``whipbird ping``, the tests and the benchmarks use."""

from .errors import WhipError
from .http import WhipHttp
from .whip import WhipClient

__all__ = ["WhipClient", "WhipError", "WhipHttp"]
