"""A grant: what the holder of a credential may do."""

import re
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

# The glob of all streams.
ALL = "*"

# The syntax of names of streams: none is a glob.
STREAM_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}")


class Action(StrEnum):
    """What can be done with a stream; prompts concern none."""

    PUBLISH = "publish"
    WATCH = "watch"
    RECORD = "record"
    PROMPT = "prompt"
    ADMIN = "admin"


@dataclass(frozen=True)
class Grant:
    """What the holder of a credential may do.

    Args:
        name: the name of the credential, for the log and for owners of sessions.
        actions: the permitted actions; ``ADMIN`` includes all others.
        streams: globs of the names of streams, case-sensitive.
        expires: seconds since the epoch at which it ends; None for never.
    """

    name: str
    actions: frozenset[Action]
    streams: tuple[str, ...] = (ALL,)
    expires: float | None = None

    def allows(self, action: Action, stream: str | None) -> bool:
        """Whether it permits an action.

        Args:
            stream: the stream's name; None for what concerns all streams, which only
                a grant for all streams permits.
        """
        if not self.has(action):
            return False
        if stream is None:
            return ALL in self.streams
        return any(fnmatchcase(stream, glob) for glob in self.streams)

    def has(self, action: Action) -> bool:
        """Whether it permits an action for some stream."""
        return action in self.actions or Action.ADMIN in self.actions

    def has_expired(self, now: float) -> bool:
        """Whether it has ended; `now` is in seconds since the epoch."""
        return self.expires is not None and now >= self.expires


# The grant of all clients of a server without rules.
EVERYBODY = Grant("everybody", frozenset(Action))
