"""The rules: tokens, as hashes, and what clients without a token may do."""

import hashlib
import hmac
import tomllib
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from .grant import ALL, Action, Grant

ANONYMOUS = "anonymous"
# The name of the one token that permits everything.
TOKEN = "token"

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Glob = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~*?-]{1,64}$")]


class RulesError(Exception):
    """The rules are invalid. The message says which one, and why."""


class _Rights(BaseModel):
    model_config = ConfigDict(extra="forbid")
    actions: frozenset[Action] = Field(min_length=1)
    streams: tuple[Glob, ...] = Field(default=(ALL,), min_length=1)


class _Token(_Rights):
    name: str = Field(min_length=1, max_length=64)
    hash: _Hash
    expires: AwareDatetime | None = None


class StreamRules(BaseModel):
    """What holds for some streams; None where the server's setting does.

    Attributes:
        names: globs of their names.
        takeover: whether any new publisher replaces the current one.
        wait_for_publisher: whether they may be watched before they are published.
        chat: whether they have a chat.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: tuple[Glob, ...] = Field(min_length=1)
    takeover: bool | None = None
    wait_for_publisher: bool | None = None
    chat: bool | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    tokens: tuple[_Token, ...] = ()
    anonymous: _Rights | None = None
    streams: tuple[StreamRules, ...] = ()


class Rules:
    """Finds the grant of a client.

    Args:
        tokens: digest of a token (see ``digest_of``) -> its grant.
        anonymous: the grant of clients without a token; None if they have none.
        streams: what holds for streams; the first that has a name counts.
    """

    def __init__(
        self,
        tokens: dict[str, Grant],
        anonymous: Grant | None = None,
        streams: tuple[StreamRules, ...] = (),
    ) -> None:
        self._tokens = tokens
        self._streams = streams
        self.anonymous = anonymous

    def and_token(self, token: str) -> "Rules":
        """These rules, and a token that permits everything."""
        one = {digest_of(token): Grant(TOKEN, frozenset(Action))}
        return Rules({**self._tokens, **one}, self.anonymous, self._streams)

    @classmethod
    def parse(cls, text: str) -> "Rules":
        """Read rules in TOML.

        Raises:
            RulesError: when they are invalid.
        """
        try:
            file = _File.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise RulesError(str(error)) from None
        except RecursionError:
            raise RulesError("it is nested too deeply") from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            # The value may be a token that was meant to be hashed: it is not shown.
            raise RulesError(f"{place}: {first['msg']}") from None
        tokens: dict[str, Grant] = {}
        names = {ANONYMOUS, TOKEN}
        for token in file.tokens:
            if token.name in names or token.hash in tokens:
                raise RulesError(f"{token.name}: this name or its hash is used twice")
            names.add(token.name)
            expires = None if token.expires is None else token.expires.timestamp()
            tokens[token.hash] = Grant(
                token.name, token.actions, token.streams, expires
            )
        anonymous = None
        if (given := file.anonymous) is not None:
            anonymous = Grant(ANONYMOUS, given.actions, given.streams)
        return cls(tokens, anonymous, file.streams)

    def of_stream(self, name: str) -> StreamRules | None:
        """What holds for a stream; None if the rules do not say."""
        for rules in self._streams:
            if any(fnmatchcase(name, glob) for glob in rules.names):
                return rules
        return None

    def find(self, token: str, now: float) -> Grant | None:
        """The grant of a token; None if it is unknown or has expired.

        The time that it takes does not depend on how much of a guess is right.
        """
        digest = digest_of(token)
        found = None
        for known, grant in self._tokens.items():
            if hmac.compare_digest(known, digest):
                found = grant
        return None if found is None or found.has_expired(now) else found


def digest_of(token: str) -> str:
    """The SHA-256 of a token in hexadecimal. Random tokens need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()
