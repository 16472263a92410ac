"""What is asked about a client, and who answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .grant import Action, Grant


@dataclass(frozen=True)
class Need:
    """The right that a request needs.

    Args:
        action: what the request does.
        stream: the name of its stream, not validated; None for all streams.
        is_list: whether the right for some streams is enough: the response has only
            what concerns these.
    """

    action: Action
    stream: str | None = None
    is_list: bool = False

    def is_met_by(self, grant: Grant) -> bool:
        """Whether a grant has this right."""
        if self.is_list:
            return grant.has(self.action)
        return grant.allows(self.action, self.stream)

    def __str__(self) -> str:
        if self.is_list:
            return f'"{self.action}" for any stream'
        if self.stream is None:
            return f'"{self.action}" for all streams'
        return f'"{self.action}" for this stream'


@dataclass(frozen=True)
class Inquiry:
    """A question: what may this client do?

    Args:
        need: the right that its request needs.
        token: its token; None if it has sent none.
        user: the user name that it has sent with the token; usually empty.
        client: its address.
        query: the query of its URL.
    """

    need: Need
    token: str | None = None
    user: str = ""
    client: str = ""
    query: str = ""


class Unanswered(Exception):  # noqa: N818 - a state, not a fault
    """It cannot be found out now what a client may do. The message says why."""


class Expired(Exception):  # noqa: N818 - a state, not a fault
    """A link of this server has expired.

    Args:
        at: when.
    """

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.at = at


class Authority(Protocol):
    """Answers inquiries about clients that it knows."""

    @property
    def admits_strangers(self) -> bool:
        """Whether it may have a grant for a client without a token."""

    async def find(self, inquiry: Inquiry, now: float) -> Grant | None:
        """The grant of a client; None if this authority has none for it.

        Args:
            now: seconds since the epoch.

        Raises:
            Unanswered: when it cannot be found out.
        """

    def reload(self) -> None:
        """Read again what it knows from files.

        Raises:
            RulesError: when it is invalid; then nothing changes.
        """
