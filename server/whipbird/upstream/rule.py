"""Where which streams are pulled from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ..config import PLACEHOLDER


@dataclass(frozen=True, slots=True)
class UpstreamRule:
    """An origin.

    Attributes:
        url: the URL of an endpoint, with ``PLACEHOLDER`` for the stream's name.
        streams: a glob of the names of its streams.
        token: a Bearer token for it; None for none.
    """

    url: str
    streams: str = "*"
    token: str | None = field(default=None, repr=False)

    def url_of(self, stream: str) -> str:
        """The URL of a stream's WHEP endpoint. A name needs no escapes."""
        return self.url.replace(PLACEHOLDER, stream)


def rule_for(rules: Iterable[UpstreamRule], stream: str) -> UpstreamRule | None:
    """The first rule for a stream; None if it is not pulled."""
    found = (rule for rule in rules if fnmatchcase(stream, rule.streams))
    return next(found, None)
